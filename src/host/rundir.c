/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define RUN_DIR "run/memhpd"
/* A run takes 50 bytes at most; nobody has this many scattered devices. */
#define FILE_SIZE_MAX (16 * 1024 * 1024)

static int open_below(const char *root, bool make) {
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd;

        if (root_fd < 0)
                return -errno;
        if (make && mkdirat(root_fd, RUN_DIR, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(root_fd, RUN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int rundir_open(const char *root) {
        return open_below(root, true);
}

int rundir_find(const char *root) {
        return open_below(root, false);
}

char *rundir_path(const char *root) {
        char *path;

        return asprintf(&path, "%s/%s", strcmp(root, "/") == 0 ? "" : root, RUN_DIR) < 0 ? NULL : path;
}

static int write_all(int fd, const char *text, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        size -= (size_t) n;
                }
        }
        return 0;
}

int rundir_write(int dir_fd, const char *name, const char *text, size_t size) {
        _cleanup_close_ int fd = -1;
        char temporary[64];
        int r;

        snprintf(temporary, sizeof(temporary), ".%s.new", name);
        /* What a crash left behind, or somebody put there, is not written through. */
        (void) unlinkat(dir_fd, temporary, 0);
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, size);
        if (r >= 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir_fd, temporary, 0);
        return r;
}

int rundir_read(int dir_fd, const char *name, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        size_t size = 0, capacity;
        struct stat st;

        if (fd < 0)
                return errno == ELOOP || errno == ENXIO ? -EPERM : -errno; /* a link, a socket */
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return -EPERM;
        if (st.st_size > FILE_SIZE_MAX)
                return -EFBIG;
        capacity = (size_t) st.st_size;
        text = malloc(capacity + 1);
        if (!text)
                return -ENOMEM;
        while (size < capacity) {
                ssize_t n = read(fd, text + size, capacity - size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                if (n > 0)
                        size += (size_t) n;
        }
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

int rundir_remove(int dir_fd, const char *name) {
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}
