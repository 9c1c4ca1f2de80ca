/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What outlives the daemon (core/state.h), in /run/memhpd. Failing to keep it costs certainty after a restart, not memory:
 * it is said once, and the daemon goes on. */

#include "core/history.h"
#include "core/state.h"
#include "host/sysfs.h"

struct keep {
        int dir_fd; /* negative errno: there is no place to keep anything */
        struct saved_state saved; /* of the daemon before; runs whose memory is not the same any more are gone */
        bool restarted; /* there was a daemon before, since boot */
        bool failed; /* and it was said */
        uint64_t saved_report; /* the id of the last one that is kept */
};

/* Reads what the daemon before left; never fails. */
void keep_open(struct keep *k, const struct sysfs *fs);
void keep_close(struct keep *k);

/* What is known of a block from before, when the daemon first meets it. */
void keep_recall(const struct keep *k, struct entry *e);

/* What the daemon before reported; *ret is as it was if nothing is known. */
void keep_recall_history(const struct keep *k, struct history *ret);

/* False: it failed, which was said; try again later. What was kept before is still there. */
bool keep_save(struct keep *k, const struct registry *r, uint32_t last_add, const struct history *h);
