/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/processes.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/parse.h"
#include "host/sysfs-internal.h"

#define KTHREADD 2 /* the parent of them all */

/* "812 (kswapd1) S 2 0 0 …": Documentation/filesystems/proc.rst. Counted from the state, which is behind the last
 * parenthesis, since a name may have some, too. */
enum {
        FIELD_PARENT = 1,
        FIELD_START = 19,
};

static int parse_stat(const char *text, uint64_t *ret_parent, uint64_t *ret_start) {
        const char *p = strrchr(text, ')'), *end = text + strlen(text), *word;
        uint64_t fields[FIELD_START + 1] = {};
        size_t n;

        if (!p)
                return -EBADMSG;
        p++;
        for (unsigned i = 0; i <= FIELD_START; i++)
                if (!word_next(&p, end, &word, &n) ||
                    ((i == FIELD_PARENT || i == FIELD_START) && parse_u64n(word, n, &fields[i]) < 0))
                        return -EBADMSG;
        *ret_parent = fields[FIELD_PARENT];
        *ret_start = fields[FIELD_START];
        return 0;
}

static struct kernel_thread *find_wanted(struct kernel_thread *threads, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(threads[i].name, name) == 0)
                        return &threads[i];
        return NULL;
}

/* Anybody may call a process "kswapd0": whose child it is tells. */
static void look_at(int folder_fd, uint32_t pid, struct kernel_thread *threads, size_t n, bool *any) {
        struct kernel_thread *thread;
        uint64_t parent, start;
        char path[32], text[1024];

        /* The name alone costs little; for what else there is the kernel adds up all threads of a process. */
        snprintf(path, sizeof(path), "%" PRIu32 "/comm", pid);
        if (sysfs_attribute_read(folder_fd, path, text, sizeof(text)) < 0)
                return; /* it has ended */
        *any = *any || pid == KTHREADD;
        thread = find_wanted(threads, n, text);
        snprintf(path, sizeof(path), "%" PRIu32 "/stat", pid);
        if (!thread || sysfs_attribute_read(folder_fd, path, text, sizeof(text)) < 0 || parse_stat(text, &parent, &start) < 0 ||
            parent != KTHREADD)
                return;
        thread->found = true;
        thread->start_usec = start * KERNEL_TICK_USEC;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

int kernel_threads_find(const struct sysfs *fs, struct kernel_thread *threads, size_t n) {
        _cleanup_(closedirp) DIR *folder = NULL;
        int fd = sysfs_open_processes(fs);
        bool any = false;

        if (fd < 0)
                return fd;
        folder = fdopendir(fd);
        if (!folder) {
                close(fd);
                return -ENOMEM;
        }
        for (const struct dirent *d; (d = readdir(folder));) {
                uint32_t pid;

                if (parse_u32(d->d_name, &pid) >= 0)
                        look_at(fd, pid, threads, n, &any);
        }
        return any ? 0 : -EACCES;
}
