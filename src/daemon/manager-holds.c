/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/rundir.h"

static void schedule_expiry(struct manager *m) {
        uint64_t next = holds_next_expiry(&m->holds, hold_now_usec());

        if (next != UINT64_MAX)
                (void) sd_event_source_set_time(m->hold_timer, next);
        (void) sd_event_source_set_enabled(m->hold_timer, next != UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* What a hold is about never changes. */
static bool are_same(const struct holds *a, const struct holds *b) {
        if (a->n != b->n || a->last_id != b->last_id)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (a->items[i].id != b->items[i].id || a->items[i].expires_usec != b->items[i].expires_usec)
                        return false;
        return true;
}

/* A file that cannot be read changes nothing: who waits goes on waiting. True: they are others now. */
static bool load(struct manager *m) {
        struct holds holds;
        unsigned line = 0;
        int r;

        r = hold_file_read(m->keep.dir_fd, &holds, &line);
        if (r < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_HOLDS ":%u: not used: %s; the holds stay as "
                              "they were", line, r == -EBADMSG ? "torn or not written by memhpctl" : strerror(-r));
                return false;
        }
        if (are_same(&m->holds, &holds)) { /* our own writing comes back as an event, too */
                holds_done(&holds);
                return false;
        }
        holds_done(&m->holds);
        m->holds = holds;
        schedule_expiry(m);
        bus_tell_holds(m->bus);
        return true;
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;

        (void) source, (void) usec;
        schedule_expiry(m);
        bus_tell_holds(m->bus);
        manager_request_scan(m); /* who waited is decided now */
        return 0;
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        struct manager *m = userdata;

        (void) source;
        if (event->len == 0 || strcmp(event->name, RUNDIR_HOLDS) != 0)
                return 0;
        if (load(m))
                manager_request_scan(m);
        return 0;
}

/* memhpctl writes the same file where there is no bus: what it wrote is read anew under the lock. */
static int change_holds(struct manager *m, struct holds *h, int *ret_lock) {
        _cleanup_close_ int lock = -1;
        unsigned line;
        int r;

        if (m->keep.dir_fd < 0)
                return m->keep.dir_fd;
        lock = hold_file_lock(m->keep.dir_fd, false); /* whoever stands still with it must not hold up memory */
        if (lock < 0)
                return lock;
        r = hold_file_read(m->keep.dir_fd, h, &line);
        if (r >= 0)
                *ret_lock = TAKE_FD(lock);
        return r;
}

int manager_add_hold(struct manager *m, const char *selector, uint64_t duration_usec, const char *reason, uint32_t *ret_id,
                     char error[static SELECTOR_ERROR_MAX]) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int lock = -1;
        uint64_t expires = 0;
        int r;

        r = change_holds(m, &holds, &lock);
        if (r < 0)
                return r == -EINVAL ? -EIO : r;
        if (duration_usec && (__builtin_add_overflow(hold_now_usec(), duration_usec, &expires) || expires > INT64_MAX))
                expires = 0; /* longer than any machine runs */
        r = holds_add(&holds, selector, expires, reason, error);
        if (r < 0)
                return r;
        r = hold_file_write(m->keep.dir_fd, &holds);
        if (r < 0)
                return r == -EINVAL ? -EIO : r;
        *ret_id = holds.last_id;
        (void) load(m); /* at once: the caller may add memory next */
        manager_request_scan(m);
        return 0;
}

int manager_remove_hold(struct manager *m, uint32_t id) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int lock = -1;
        int r;

        r = change_holds(m, &holds, &lock);
        if (r < 0)
                return r == -ENOENT ? -EIO : r;
        if (id && !holds_remove(&holds, id))
                return -ENOENT;
        while (!id && holds.n > 0)
                (void) holds_remove(&holds, holds.items[0].id);
        r = hold_file_write(m->keep.dir_fd, &holds);
        if (r < 0)
                return r == -ENOENT ? -EIO : r;
        (void) load(m);
        manager_request_scan(m);
        return 0;
}

int manager_start_holds(struct manager *m) {
        _cleanup_free_ char *path = rundir_path(sysfs_root(m->fs));
        int r;

        if (!path)
                return -ENOMEM;
        if (m->keep.dir_fd < 0) /* that was said before */
                return 0;
        r = sd_event_add_time(m->event, &m->hold_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_expiry, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->hold_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_inotify(m->event, &m->hold_watch, path, IN_MOVED_TO | IN_DELETE, on_folder, m);
        if (r < 0)
                return r;
        (void) load(m);
        return 0;
}
