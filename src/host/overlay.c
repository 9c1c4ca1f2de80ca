/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FILE_SIZE_MAX (1024 * 1024)

/* In a captured tree an absolute link means a file of that tree. */
static int open_below(const struct overlay *o, const char *path, int flags) {
        struct open_how how = { .flags = (uint64_t) (flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT };
        int fd;

        if (!o->host) {
                fd = (int) syscall(SYS_openat2, o->root_fd, path, &how, sizeof(how));
                if (fd >= 0 || errno != ENOSYS)
                        return fd < 0 ? -errno : fd;
        }
        fd = openat(o->root_fd, path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int add_file(struct overlay *o, const char *dir, const char *name) {
        size_t low = 0, high = o->n;
        char *copy;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(o->files[middle].name, name);

                if (c == 0)
                        return 0; /* a stronger folder came before */
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (!GROW(o->files, o->n, o->capacity) || !(copy = strdup(name)))
                return -ENOMEM;
        memmove(o->files + low + 1, o->files + low, (o->n - low) * sizeof(*o->files));
        o->files[low] = (struct overlay_file) { copy, dir };
        o->n++;
        return 0;
}

static int add_dir(struct overlay *o, const char *dir, const char *suffix) {
        const size_t length = strlen(suffix);
        struct dirent *e;
        int fd, r = 0;
        DIR *d;

        fd = open_below(o, dir, O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return 0;
        d = fdopendir(fd);
        if (!d) {
                close(fd);
                return -ENOMEM;
        }
        while (r >= 0 && (e = readdir(d))) {
                size_t n = strlen(e->d_name);

                if (e->d_name[0] != '.' && n > length && strcmp(e->d_name + n - length, suffix) == 0)
                        r = add_file(o, dir, e->d_name);
        }
        closedir(d);
        return r;
}

int overlay_open(const char *root, const char *const *dirs, size_t n, const char *suffix, struct overlay *ret) {
        struct overlay o = { .host = strcmp(root, "/") == 0 };
        int r = 0;

        o.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (o.root_fd < 0)
                return -errno;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_dir(&o, dirs[i], suffix);
        if (r < 0) {
                overlay_close(&o);
                return r;
        }
        *ret = o;
        return 0;
}

void overlay_close(struct overlay *o) {
        for (size_t i = 0; i < o->n; i++)
                free(o->files[i].name);
        free(o->files);
        closep(&o->root_fd);
        *o = (struct overlay) { .root_fd = -1 };
}

static int read_whole(int fd, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size > FILE_SIZE_MAX)
                return -EFBIG;
        text = malloc((size_t) st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t) st.st_size && (n = read(fd, text + size, (size_t) st.st_size - size)) != 0) {
                if (n < 0)
                        return -errno;
                size += (size_t) n;
        }
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return size > 0;
}

int overlay_read(const struct overlay *o, const struct overlay_file *f, char **ret, size_t *ret_size) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        char target[16];
        ssize_t n;

        if (asprintf(&path, "%s/%s", f->dir, f->name) < 0)
                return -ENOMEM;
        n = readlinkat(o->root_fd, path, target, sizeof(target));
        if (n == 9 && memcmp(target, "/dev/null", 9) == 0)
                return 0;
        fd = open_below(o, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? fd : read_whole(fd, ret, ret_size);
}

int overlay_read_path(const char *path, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        return fd < 0 ? -errno : read_whole(fd, ret, ret_size);
}

bool overlay_exists(const struct overlay *o, const char *path) {
        return faccessat(o->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
