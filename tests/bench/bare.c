/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The least that a listing has to do: open, read and close state, valid_zones and removable of every block, one after the
 * other. Usage: bare ROOT. */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "core/macro.h"

int main(int argc, char **argv) {
        static const char *const names[] = { "state", "valid_zones", "removable" };
        char path[320], text[64];
        unsigned long n = 0, bytes = 0;
        struct dirent *entry;
        int root_fd, memory_fd;
        DIR *dir;

        root_fd = open(argc > 1 ? argv[1] : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        memory_fd = openat(root_fd, "sys/devices/system/memory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = memory_fd < 0 ? NULL : fdopendir(memory_fd);
        if (!dir)
                return EXIT_FAILURE;
        while ((entry = readdir(dir))) {
                if (strncmp(entry->d_name, "memory", 6) != 0 || entry->d_name[6] < '0' || entry->d_name[6] > '9')
                        continue;
                n++;
                for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                        _cleanup_close_ int fd = -1;
                        ssize_t size;

                        snprintf(path, sizeof(path), "%s/%s", entry->d_name, names[i]);
                        fd = openat(memory_fd, path, O_RDONLY | O_CLOEXEC);
                        size = fd < 0 ? -1 : read(fd, text, sizeof(text));
                        if (size > 0)
                                bytes += (unsigned long) size;
                }
        }
        closedir(dir);
        close(root_fd);
        printf("%lu blocks, %lu bytes\n", n, bytes);
        return EXIT_SUCCESS;
}
