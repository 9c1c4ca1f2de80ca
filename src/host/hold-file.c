/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/hold-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "host/rundir.h"

uint64_t hold_now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

int hold_file_read(int dir_fd, struct holds *ret, unsigned *ret_line) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = rundir_read(dir_fd, RUNDIR_HOLDS, &text, &size);
        if (r == -ENOENT) {
                *ret = (struct holds) {};
                return 0;
        }
        return r < 0 ? r : holds_parse(text, size, ret, ret_line);
}

int hold_file_write(int dir_fd, const struct holds *h) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = holds_format(h, hold_now_usec(), &text, &size);
        return r < 0 ? r : rundir_write(dir_fd, RUNDIR_HOLDS, text, size);
}

int hold_file_lock(int dir_fd, bool wait) {
        _cleanup_close_ int fd = openat(dir_fd, RUNDIR_HOLDS_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) >= 0)
                return TAKE_FD(fd);
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
}
