/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The kernel fails a read() into less than a whole record with EINVAL; CONSOLE_EXT_LOG_MAX and PRINTKRB_RECORD_MAX. */
#define RECORD_MAX 8192

int kmsg_open(const char *root) {
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd;

        if (root_fd < 0)
                return -errno;
        fd = openat(root_fd, "dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int kmsg_rewind(int fd) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

int kmsg_next(int fd, struct kernlog_line *ret) {
        char record[RECORD_MAX];

        for (;;) {
                struct kernlog_line line;
                ssize_t n = read(fd, record, sizeof(record));
                const char *newline;

                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n < 0 && (errno == EPIPE || errno == EINTR)) /* EPIPE: records were lost; the next read goes on */
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                /* Of a captured log, which is a plain file, one read() gives many records: back to the end of the first. The
                 * kernel's own gives one, and refuses (ESPIPE). */
                newline = memchr(record, '\n', (size_t) n);
                if (newline && newline + 1 < record + n)
                        lseek(fd, newline + 1 - (record + n), SEEK_CUR);
                kernlog_parse(record, (size_t) n, &line);
                *ret = line;
                return 1;
        }
}
