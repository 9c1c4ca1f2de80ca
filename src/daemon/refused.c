/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/refused.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "host/kmsg.h"

#define RECORD_BUDGET 256
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

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct refused *r = userdata;
        struct kernlog_line line;
        int n = 0;

        (void) revents;
        for (int i = 0; i < RECORD_BUDGET && (n = kmsg_next(fd, &line)) > 0; i++) {
                if (line.type == KERNLOG_OTHER)
                        continue;
                refusals_add(&r->refusals, &line);
                (void) sd_event_source_set_time_relative(r->tell_timer, TELL_DELAY_USEC);
                (void) sd_event_source_set_enabled(r->tell_timer, SD_EVENT_ONESHOT);
        }
        if (n < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "the kernel log cannot be read any more: %s; refused hot-adds go "
                              "unnoticed", strerror(-n));
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        return 0;
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
