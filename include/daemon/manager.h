/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one conductor: event → facts → decision → effect → report. Events, the first scan, rescans after lost events, a
 * reload and the slow reconcile all enter at the same place. */

#include <systemd/sd-event.h>

#include "core/registry.h"
#include "host/uevent.h"

struct manager;

struct manager_options {
        const char *root;   /* "/" or a captured or fake tree; uevents are watched on "/" only */
        const char *config; /* NULL: the usual places */
};

struct manager_counters {
        uint64_t events, overflows, rescans;
        uint64_t writes, onlined, failed, lost_races;
};

/* Opens the system, loads the policy and says what is wrong in the journal. -EBADMSG: the policy was refused. */
int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret);
/* Watch from now on, and look at what is there. */
int manager_start(struct manager *m);
/* The block being written is finished; the blocks that wait stay offline for the next start to meet. */
void manager_free(struct manager *m);
DEFINE_CLEANUP(struct manager, manager_free)

/* Load the policy again and decide anew what is offline. On errors the policy of before stays: -EBADMSG. */
int manager_reload(struct manager *m);

/* What an event does; for tests, too, which have no kernel to send any. */
void manager_handle_event(struct manager *m, const struct uevent *event);

/* The first look is complete. */
bool manager_is_started(const struct manager *m) _pure_;
/* Nothing waits, is under way or is to be reported. Retries to come do not count. */
bool manager_is_idle(const struct manager *m);
const struct registry *manager_registry(const struct manager *m) _pure_;
const struct manager_counters *manager_counters(const struct manager *m) _pure_;
/* "24 blocks of 128 MiB: 22 online, 2 offline; 2 rules" */
void manager_describe(const struct manager *m, char *buf, size_t size);
