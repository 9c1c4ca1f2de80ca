/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "steps.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakeroot.h"
#include "rig.h"

static atomic_bool counting;
static atomic_uint taken;
static unsigned at;
static steps_act_t act;
static void *act_userdata;
static const char *volatile called = "";
/* The test's thread is the daemon's only within the rig, the writer's is always, but for the kernel's part. */
static _Thread_local bool muted;

static int step(const char *call) {
        unsigned number;
        int r;

        if (muted || !atomic_load(&counting))
                return 0;
        number = atomic_fetch_add(&taken, 1) + 1;
        if (number != at && at != STEPS_ALL)
                return 0;
        muted = true;
        called = call;
        r = act(act_userdata);
        muted = false;
        return r;
}

static int before_write(void) {
        int r = step("write of a state");

        muted = muted || r == 0;
        return r;
}

static void after_write(void) {
        muted = false;
}

static void enter(bool daemon) {
        muted = !daemon;
}

void steps_begin(unsigned number, steps_act_t what, void *userdata) {
        at = number;
        act = what;
        act_userdata = userdata;
        muted = true;
        fakeroot_hooks = (struct fakeroot_hooks) { before_write, after_write };
        rig_enter = enter;
        atomic_store(&taken, 0);
        atomic_store(&counting, true);
}

unsigned steps_end(void) {
        atomic_store(&counting, false);
        fakeroot_hooks = (struct fakeroot_hooks) {};
        rig_enter = NULL;
        return atomic_load(&taken);
}

const char *steps_call(void) {
        return called;
}

/* ---- the calls ---------------------------------------------------------------------------------------------------- */

#define STEP(call)                  \
        do {                        \
                int r_ = step(call); \
                if (r_ < 0) {       \
                        errno = -r_; \
                        return -1;  \
                }                   \
        } while (0)

#define WRAP(type, name, parameters, ...)          \
        type __real_##name parameters;             \
        type __wrap_##name parameters;             \
        type __wrap_##name parameters {            \
                STEP(#name);                       \
                return __real_##name(__VA_ARGS__); \
        }

WRAP(ssize_t, read, (int fd, void *buf, size_t size), fd, buf, size)
WRAP(ssize_t, pread, (int fd, void *buf, size_t size, off_t offset), fd, buf, size, offset)
WRAP(ssize_t, write, (int fd, const void *buf, size_t size), fd, buf, size)
WRAP(ssize_t, getdents64, (int fd, void *buf, size_t size), fd, buf, size)
WRAP(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t size), dir, path, buf, size)
WRAP(int, fstat, (int fd, struct stat *st), fd, st)
WRAP(int, fstatat, (int dir, const char *path, struct stat *st, int flags), dir, path, st, flags)
WRAP(int, faccessat, (int dir, const char *path, int mode, int flags), dir, path, mode, flags)
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), dir, path, mode)
WRAP(int, renameat, (int from, const char *old, int to, const char *new), from, old, to, new)
WRAP(int, unlinkat, (int dir, const char *path, int flags), dir, path, flags)

static mode_t mode_of(int flags, va_list ap) {
        return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...) {
        mode_t mode;
        va_list ap;

        STEP("open");
        va_start(ap, flags);
        mode = mode_of(flags, ap);
        va_end(ap);
        return __real_open(path, flags, mode);
}

int __wrap_openat(int dir, const char *path, int flags, ...) {
        mode_t mode;
        va_list ap;

        STEP(flags & O_CREAT ? "create" : "openat");
        va_start(ap, flags);
        mode = mode_of(flags, ap);
        va_end(ap);
        return __real_openat(dir, path, flags, mode);
}
