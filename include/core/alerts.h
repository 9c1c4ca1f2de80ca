/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What somebody should look at before it becomes a failure. Each is raised once and cleared once: what clears it is farther
 * away than what raised it, where the figures move by themselves. Pure; now is a parameter. To add one: here, its row in
 * alerts.c, its message in core/names.h and the catalog. */

#include "core/stats.h"

enum alert_kind {
        ALERT_KERNEL_LOW, /* kernel zones are nearly exhausted while movable memory is free */
        ALERT_RATIO,      /* more movable memory than the rule allows for */
        ALERT_WAITING,    /* hot-added memory is offline for too long */
        ALERT_NEXT_ADD,   /* an add as large as the largest so far would be refused */
        _ALERT_MAX,
        _ALERT_INVALID = -22,
};

const char *alert_to_string(enum alert_kind k) _const_;
const char *alert_message_id(enum alert_kind k) _const_;

#define ALERT_TEXT_MAX 512

struct alert {
        bool raised;
        uint64_t since_usec; /* when it was raised, or cleared */
        char text[ALERT_TEXT_MAX]; /* one sentence, with the figures of the last look; "" if it was never raised */
};

struct alerts {
        struct alert items[_ALERT_MAX];
};

/* policy: for the names of rules; NULL: none. waiting_max_usec: 0 is for ever.
 * Returns which were raised or cleared, 1 << enum alert_kind. */
unsigned alerts_judge(struct alerts *a, const struct stats *s, const struct policy *policy, uint64_t waiting_max_usec,
                      uint64_t now_usec);
