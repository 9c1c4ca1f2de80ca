/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/snapshots.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/parse.h"

static const enum sysfs_text texts[_SNAPSHOT_FILE_MAX] = {
        [SNAPSHOT_ZONEINFO] = SYSFS_ZONEINFO,
        [SNAPSHOT_BUDDYINFO] = SYSFS_BUDDYINFO,
        [SNAPSHOT_MEMINFO] = SYSFS_MEMINFO,
        [SNAPSHOT_VMSTAT] = SYSFS_VMSTAT,
};

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

void snapshot_reader_init(struct snapshot_reader *r, const struct sysfs *fs) {
        r->fs = fs;
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                r->fds[f] = -1;
}

void snapshot_reader_done(struct snapshot_reader *r) {
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                closep(&r->fds[f]);
}

/* A captured file may be another one the next time. */
static int open_file(struct snapshot_reader *r, enum snapshot_file file) {
        if (strcmp(sysfs_root(r->fs), "/") != 0) {
                closep(&r->fds[file]);
                r->fds[file] = -1;
        }
        if (r->fds[file] < 0)
                r->fds[file] = sysfs_open_text_of(r->fs, texts[file]);
        return r->fds[file];
}

/* Read on behind what the last line left over. 1, 0: the file is over, negative errno. */
static int fill(struct snapshot_reader *r, int fd, off_t *offset, size_t *size) {
        ssize_t n;

        if (*size == sizeof(r->buf))
                return -EBADMSG; /* no line is so long */
        n = pread(fd, r->buf + *size, sizeof(r->buf) - *size, *offset);
        if (n < 0)
                return -errno;
        *offset += n;
        *size += (size_t) n;
        return n > 0;
}

static int read_file(struct snapshot_reader *r, enum snapshot_file file, struct snapshot *s) {
        struct snapshot_cursor cursor = {};
        int fd = open_file(r, file), n;
        off_t offset = 0;
        size_t size = 0;

        if (fd < 0)
                return fd;
        while ((n = fill(r, fd, &offset, &size)) > 0) {
                const char *p = r->buf, *end = r->buf + size, *newline;

                for (; (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                        n = snapshot_add_line(s, file, &cursor, p, (size_t) (newline - p));
                        if (n < 0)
                                return n;
                }
                size = (size_t) (end - p);
                memmove(r->buf, p, size);
        }
        if (n < 0)
                return n;
        return size > 0 ? -EBADMSG : snapshot_end_file(s, file, &cursor);
}

void snapshot_take(struct snapshot_reader *r, unsigned files, struct snapshot *ret) {
        snapshot_init(ret);
        ret->usec = now_usec();
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++) {
                uint64_t begin = now_usec();

                if (!(files & SNAPSHOT_FILE_BIT(f)))
                        continue;
                ret->errors[f] = read_file(r, f, ret);
                ret->costs[f] = (uint32_t) MIN(now_usec() - begin, (uint64_t) UINT32_MAX);
        }
}
