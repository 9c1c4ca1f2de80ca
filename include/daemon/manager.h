/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one conductor: event → facts → decision → effect → report. Events, the first scan, rescans after lost events, a
 * reload and the slow reconcile all enter at the same place. */

#include <systemd/sd-event.h>

#include "core/adds.h"
#include "core/alerts.h"
#include "core/choose.h"
#include "core/counters.h"
#include "core/histogram.h"
#include "core/history.h"
#include "core/holds.h"
#include "core/jobs.h"
#include "core/kernlog.h"
#include "core/problems.h"
#include "core/registry.h"
#include "core/trace.h"
#include "host/evidence.h"
#include "host/privileged.h"
#include "host/uevent.h"

struct manager;

struct manager_options {
        const char *root;   /* "/" or a captured or fake tree; uevents are watched on "/" only */
        const char *config; /* NULL: the usual places */
        struct privileged *privileged; /* what it takes out of there is its own; NULL: it opens files as it may */
};

struct manager_counters {
        uint64_t events, overflows, rescans;
        uint64_t writes, onlined, failed, lost_races;
        uint64_t outcomes[_OUTCOME_MAX]; /* blocks reported, by what became of them */
        struct decision_counts decisions;
        struct histogram online_time, offline_time; /* what the kernel took for each write, successful or not */
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
/* The kernel brings memory online, as the policy wants. */
bool manager_is_delegated(const struct manager *m) _pure_;
/* Nothing waits, is under way or is to be reported. Retries to come do not count. */
bool manager_is_idle(const struct manager *m);
const struct registry *manager_registry(const struct manager *m) _pure_;
const struct manager_counters *manager_counters(const struct manager *m) _pure_;
/* What the bus shows (daemon/bus.h). */
const struct policy *manager_policy(const struct manager *m) _pure_;
const struct history *manager_history(const struct manager *m) _pure_;
const struct holds *manager_holds(const struct manager *m) _pure_;
const struct sysfs *manager_sysfs(const struct manager *m) _pure_;
struct adds *manager_adds(struct manager *m) _pure_;
struct jobs *manager_jobs(struct manager *m) _pure_;
struct traces *manager_traces(struct manager *m) _pure_;
struct refusals *manager_refusals(struct manager *m) _pure_;
/* The figures of now. */
const struct surroundings *manager_surroundings(struct manager *m);
uint64_t manager_page_size(const struct manager *m) _pure_;
/* Is the entry among what is selected? Hot-adds are known here. */
bool manager_selects(const struct manager *m, const struct selector *s, const struct entry *e);
/* The block as the registry knows it; its candidates while it is offline are not. */
void manager_entry_block(const struct manager *m, const struct entry *e, struct block *ret);
/* The block as the system shows it now, and what its source rests on (it points into the manager). */
int manager_read_block(struct manager *m, const struct entry *e, struct block *ret, struct evidence *ret_evidence);

/* What somebody asks for over the bus. -ENOENT: no block matches · -EPERM: a hold is on one of them · -EXDEV: all of them are
 * online in other zones · -EBUSY: too many jobs run · -ENOMEM. *ret is good until the next call of this kind. */
int manager_add_job(struct manager *m, const struct job_request *request, struct job **ret);
/* What was seen of the job's blocks before it began, in the order in which they are tried. NULL: it is not known any more. */
const struct candidate *manager_job_candidates(const struct manager *m, const struct job *j, size_t *ret_n);
void manager_cancel_job(struct manager *m, struct job *j);

/* duration_usec: 0 is until it is released. -EINVAL: error says why · -ENOSPC: there are HOLDS_MAX · -EIO and others: the
 * file cannot be written, and nothing has changed · -EBUSY: another program is changing it. */
int manager_add_hold(struct manager *m, const char *selector, uint64_t duration_usec, const char *reason, uint32_t *ret_id,
                     char error[static SELECTOR_ERROR_MAX]);
/* -ENOENT: there is no such hold · -EBUSY and others as above. id: 0 is all. */
int manager_remove_hold(struct manager *m, uint32_t id);

/* Figures of now, to be freed with stats_done() in every case. On failure *ret_which is the file that cannot be used, and
 * *ret_line its line if it is malformed. */
int manager_read_stats(struct manager *m, struct stats *ret, enum sysfs_text *ret_which, unsigned *ret_line);
/* As of the last look. */
const struct alerts *manager_alerts(const struct manager *m) _pure_;

/* What manager_reload() would find; problems are to be freed. */
int manager_check_policy(struct manager *m, struct problems *ret);

/* "24 blocks of 128 MiB: 22 online, 2 offline; 2 rules" */
void manager_describe(const struct manager *m, char *buf, size_t size);
