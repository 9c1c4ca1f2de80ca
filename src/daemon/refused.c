/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/refused.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "host/kmsg.h"

#define RECORD_BUDGET 256
#define RECORD_BUDGET_EXPLAIN 16384 /* a log is not longer, and somebody waits for the reason */
/* The driver's complaint follows the kernel's: one message for both. */
#define TELL_DELAY_USEC 100000

static int on_tell(sd_event_source *source, uint64_t usec, void *userdata) {
        struct refused *r = userdata;
        char text[512];

        (void) source, (void) usec;
        for (size_t i = 0; i < r->refusals.n; i++) {
                struct refusal *refusal = refusals_get(&r->refusals, i);
                const struct journal_field fields[] = {
                        { FIELD_DEVICE, refusal->device[0] ? refusal->device : NULL },
                };

                if (refusal->told)
                        continue;
                refusal->told = true;
                refusal_describe(refusal, text, sizeof(text));
                journal_send(LOG_WARNING, MESSAGE_REFUSED, fields, ARRAY_SIZE(fields), "%s", text);
        }
        return 0;
}

static void take_line(struct refused *r, const struct kernlog_line *line) {
        obstacles_add(&r->obstacles, line);
        if (line->type == KERNLOG_ZONELISTS) {
                r->rebuilds++;
                r->zonelists = *line;
        }
        if (line->type != KERNLOG_UNALIGNED && line->type != KERNLOG_FAILED)
                return;
        refusals_add(&r->refusals, line);
        (void) sd_event_source_set_time_relative(r->tell_timer, TELL_DELAY_USEC);
        (void) sd_event_source_set_enabled(r->tell_timer, SD_EVENT_ONESHOT);
}

static int read_log(struct refused *r, int fd, int budget) {
        struct kernlog_line line;
        int n = 0;

        for (int i = 0; i < budget && (n = kmsg_next(fd, &line)) > 0; i++)
                take_line(r, &line);
        return n;
}

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct refused *r = userdata;
        int n = read_log(r, fd, RECORD_BUDGET);

        (void) revents;
        if (n < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "the kernel log cannot be read any more: %s; refused hot-adds go "
                              "unnoticed", strerror(-n));
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                r->error = n;
        }
        return 0;
}

void refused_catch_up(struct refused *r) {
        if (r->fd >= 0)
                (void) read_log(r, r->fd, RECORD_BUDGET); /* an error is met by on_log() */
}

int refused_start(struct refused *r, sd_event *event) {
        int error;

        error = sd_event_add_time(event, &r->tell_timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_tell, r);
        if (error >= 0)
                error = sd_event_source_set_enabled(r->tell_timer, SD_EVENT_OFF);
        if (error < 0)
                return error;
        if (r->fd < 0) {
                if (r->fd != -ENOENT)
                        journal_print(LOG_NOTICE, MESSAGE_WARNING, "the kernel log cannot be read: %s; refused hot-adds go "
                                      "unnoticed", strerror(-r->fd));
                return 0;
        }
        error = sd_event_add_io(event, &r->log_source, r->fd, EPOLLIN, on_log, r);
        /* However much the kernel has to say, memory comes first. */
        return error < 0 ? error : sd_event_source_set_priority(r->log_source, SD_EVENT_PRIORITY_IDLE);
}

void refused_stop(struct refused *r) {
        sd_event_source_unref(r->log_source);
        sd_event_source_unref(r->tell_timer);
        closep(&r->fd);
}

bool refused_explain(struct refused *r, uint64_t first, uint64_t n, uint64_t since_usec, char ret[static OBSTACLE_TEXT_MAX]) {
        _cleanup_close_ int captured = r->captured ? kmsg_open(r->captured) : -1;
        const struct obstacle *o;
        size_t n_pages;

        if (r->fd >= 0 || captured >= 0)
                (void) read_log(r, r->captured ? captured : r->fd, RECORD_BUDGET_EXPLAIN);
        o = obstacles_find(&r->obstacles, first, n, since_usec, &n_pages);
        if (o)
                obstacle_describe(o, n_pages, ret);
        return o;
}
