/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watches the kernel log: for hot-adds that were refused, of which people are told, since there is no event for them; and for
 * the pages that keep a block from going offline, for whoever asks why. It counts how often zonelists were built. */

#include <systemd/sd-event.h>

#include "core/obstacle.h"

struct refused {
        int fd; /* negative errno: the log cannot be read */
        int error; /* 0, or why it cannot be read any more */
        const char *captured; /* a tree whose log is read when a reason is asked for; NULL: the running system */
        struct refusals refusals;
        struct obstacles obstacles;
        uint64_t rebuilds;              /* how often it said that zonelists were built */
        struct kernlog_line zonelists;  /* the last time */
        sd_event_source *log_source, *tell_timer;
};

/* r->fd is the log (host/kmsg.h). Says so if it cannot be read, and goes on without; -ENOENT is not worth a word. */
int refused_start(struct refused *r, sd_event *event);
/* Take in now what the kernel has to say, as far as that goes without a delay. */
void refused_catch_up(struct refused *r);
void refused_stop(struct refused *r);

/* Why the pages [first, first + n) stay, as the kernel said since then (microseconds since boot); the log is read on first.
 * False: it said nothing of them. */
bool refused_explain(struct refused *r, uint64_t first, uint64_t n, uint64_t since_usec, char ret[static OBSTACLE_TEXT_MAX]);
