/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In libFuzzer's place: every file named, or in the folders named, once; and each of its beginnings of a length that is a power of
 * two, since files are cut off, too. Says how many. */

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t n_inputs;

static void feed(const uint8_t *data, size_t size) {
        /* A buffer of just that size: who reads beyond it is seen by the sanitizer. */
        uint8_t *copy = calloc(1, size ? size : 1);

        if (!copy)
                abort();
        if (size)
                memcpy(copy, data, size);
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
        n_inputs++;
}

static void replay_file(const char *path) {
        static uint8_t buf[1 << 20];
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        size_t size;

        if (!f) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                exit(EXIT_FAILURE);
        }
        size = fread(buf, 1, sizeof(buf), f);
        feed(buf, size);
        for (size_t n = 1; n < size; n *= 2)
                feed(buf, n);
}

static void replay(const char *path) {
        struct stat st;
        struct dirent *entry;
        DIR *dir;

        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
                replay_file(path);
                return;
        }
        dir = opendir(path);
        while (dir && (entry = readdir(dir))) {
                char name[4096];

                if (entry->d_name[0] == '.')
                        continue;
                snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
                replay_file(name);
        }
        if (dir)
                closedir(dir);
}

int main(int argc, char **argv) {
        feed((const uint8_t *) "", 0);
        for (int i = 1; i < argc; i++)
                replay(argv[i]);
        printf("%zu inputs\n", n_inputs);
        return EXIT_SUCCESS;
}
