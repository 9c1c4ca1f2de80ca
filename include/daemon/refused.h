/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches the kernel log for hot-adds that were refused, and tells people: there is no event for them. */

#include <systemd/sd-event.h>

#include "core/kernlog.h"

struct refused {
        int fd; /* negative errno: the log cannot be read */
        struct refusals refusals;
        sd_event_source *log_source, *tell_timer;
};

/* r->fd is the log (host/kmsg.h). Says so if it cannot be read, and goes on without; -ENOENT is not worth a word. */
int refused_start(struct refused *r, sd_event *event);
void refused_stop(struct refused *r);
