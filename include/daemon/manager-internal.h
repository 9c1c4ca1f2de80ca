/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the two halves of the manager share: manager.c is the pipeline, manager-loop.c drives it. Nobody else looks here. */

#include "core/queue.h"
#include "core/tally.h"
#include "daemon/manager.h"
#include "daemon/scan.h"
#include "host/apply.h"
#include "host/evidence.h"

/* Reports are held back at most so long. */
#define REPORT_CAP_USEC 2000000

struct manager {
        sd_event *event;
        char *config; /* NULL: the usual places */
        struct sysfs *fs;
        struct policy *policy;
        struct evidence_cache evidence;
        struct registry registry;
        struct queue todo; /* uint32_t: blocks at STAGE_QUEUED, in the order of their arrival */
        struct scan scan;
        bool started;
        struct tally tally;
        struct uevent_monitor *monitor;
        struct apply *apply;
        struct manager_counters counters;
        uint64_t last_add_usec, tally_since_usec;
        sd_event_source *uevent_source, *apply_source, *work_source;
        sd_event_source *settle_timer, *retry_timer, *report_timer, *reconcile_timer;
};

uint64_t manager_now_usec(const struct manager *m);

/* Look at a block and do what the policy says. nodes: NULL, or the nodes of all blocks if they were just read.
 * -EAGAIN: the kernel is not done with it; look again in a moment. The entry may be gone afterwards. */
int manager_process(struct manager *m, struct entry *e, const struct node_map *nodes);
void manager_enqueue(struct manager *m, struct entry *e);
/* Read the state again and compare. The entry may be gone afterwards. */
void manager_handle_change(struct manager *m, struct entry *e);
void manager_handle_result(struct manager *m, const struct apply_result *result);
void manager_flush_report(struct manager *m);
