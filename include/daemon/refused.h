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

/* Says so if the log cannot be read, and goes on without. root: "/" or a captured tree, which is read once. */
int refused_start(struct refused *r, sd_event *event, const char *root);
void refused_stop(struct refused *r);
