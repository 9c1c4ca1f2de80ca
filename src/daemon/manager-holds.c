/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/rundir.h"

static void schedule_expiry(struct manager *m) {
        uint64_t next = holds_next_expiry(&m->holds, hold_now_usec());

        if (next != UINT64_MAX)
                (void) sd_event_source_set_time(m->hold_timer, next);
        (void) sd_event_source_set_enabled(m->hold_timer, next != UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* A file that cannot be read changes nothing: who waits goes on waiting. */
static void load(struct manager *m) {
        struct holds holds;
        unsigned line = 0;
        int r;

        r = hold_file_read(m->keep.dir_fd, &holds, &line);
        if (r < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_HOLDS ":%u: not used: %s; the holds stay as "
                              "they were", line, r == -EBADMSG ? "torn or not written by memhpctl" : strerror(-r));
                return;
        }
        holds_done(&m->holds);
        m->holds = holds;
        schedule_expiry(m);
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;

        (void) source, (void) usec;
        schedule_expiry(m);
        manager_request_scan(m); /* who waited is decided now */
        return 0;
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        struct manager *m = userdata;

        (void) source;
        if (event->len == 0 || strcmp(event->name, RUNDIR_HOLDS) != 0)
                return 0;
        load(m);
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
        load(m);
        return 0;
}
