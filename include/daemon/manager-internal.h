/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the manager share: manager.c is the pipeline, manager-adds.c keeps a device's blocks together,
 * manager-loop.c drives both, manager-life.c begins and ends them. Nobody else looks here. */

#include "core/adds.h"
#include "core/history.h"
#include "core/jobs.h"
#include "core/queue.h"
#include "core/tally.h"
#include "daemon/keep.h"
#include "daemon/manager.h"
#include "daemon/refused.h"
#include "host/hold-file.h"
#include "daemon/scan.h"
#include "daemon/tracer.h"
#include "host/apply.h"
#include "host/evidence.h"

/* Reports are held back at most so long. */
#define REPORT_CAP_USEC 2000000

/* At the writer; the rest waits as a number a block. */
#define MANAGER_PENDING_MAX 1024

/* Blocks whose state changed, for those who follow: told in runs, with the next report. */
#define CHANGES_MAX 32

struct change {
        uint32_t first, last;
        uint8_t state; /* enum block_state; _BLOCK_STATE_MAX: unplugged */
        uint8_t zones; /* zone_mask */
};

struct changes {
        struct change runs[CHANGES_MAX];
        size_t n;
};

/* A look into the pages of the blocks of a job, before it begins. */
struct look {
        uint32_t job; /* whose it is, or was the last time; 0: nobody's */
        bool active;
        struct candidate *items;
        size_t n, next;
};

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
        bool lost_events; /* since the last look began */
        struct tally tally;
        struct adds adds;
        struct keep keep;
        struct refused refused;
        struct tracer tracer;
        struct holds holds;
        struct history history;
        struct jobs jobs;
        struct changes changes;
        struct bus *bus; /* NULL: there is none */
        uint32_t job_block; /* at the writer for a job, if job_busy */
        bool job_busy;
        struct look look;
        int page_flags_fd; /* negative errno: nobody can look into blocks */
        struct surroundings around;
        int16_t tiers[NODES_MAX];
        uint64_t page_size;
        bool around_stale; /* somebody else changed the machine's memory since the totals were read */
        bool delegated; /* the kernel brings everything online as the policy wants */
        struct uevent_monitor *monitor;
        struct apply *apply;
        struct manager_counters counters;
        struct alerts alerts;
        bool alerts_blind;    /* the kernel's figures cannot be used, and that was said */
        uint64_t largest_add; /* bytes of the largest hot-add that ended */
        uint64_t last_add_usec, tally_since_usec;
        uint32_t waiting_block; /* that lacks nothing but a link to what it came from; only valid if: */
        bool waits_for_source;
        bool has_gaps;   /* blocks are put off … */
        bool gap_is_due; /* … and one is all that is left of its add */
        uint64_t busy_since_usec; /* events and work go first since then; 0: all others had their turn */
        sd_event_source *uevent_source, *apply_source, *work_source, *round_source;
        sd_event_source *retry_timer, *report_timer, *reconcile_timer, *state_timer, *patience_timer, *hold_timer, *hold_watch;
        sd_event_source *job_timer, *alert_timer;
};

uint64_t manager_now_usec(const struct manager *m);

/* How a block is now, and what the registry is to know of it. item: NULL, or what it was like a moment ago.
 * -EAGAIN: the kernel has not linked it to its node, or to what it came from, yet; -ENOENT: it is gone. */
int manager_read_facts(struct manager *m, struct entry *e, const struct survey_item *item, struct block *ret);
/* Look at a block and do what the policy says. item: NULL, or what it was like a moment ago.
 * -EAGAIN: the kernel is not done with it; look again in a moment. The entry may be gone afterwards. */
int manager_process(struct manager *m, struct entry *e, const struct survey_item *item);
void manager_enqueue(struct manager *m, struct entry *e);
/* True: the block, whose turn it is, is decided and put off until the others of its add are online (manager-gap.c). */
bool manager_leaves_gap(struct manager *m, struct entry *e);
/* Those that were put off, once it is their turn: also when there is nothing else to do. */
void manager_fill_gaps(struct manager *m);
/* May what a block lacks still come? Its node, or anything; a hint of where it came from. */
bool manager_may_settle(const struct manager *m, const struct entry *e);
bool manager_may_get_source(struct manager *m, const struct entry *e, const struct block *b);
/* True: that hint is all that this block lacked, and it still does. */
bool manager_waits_for_source(struct manager *m, const struct entry *e);
/* When to look at the first block of the queue again, while it lacks something. */
uint64_t manager_settle_step(const struct manager *m, const struct entry *e);
/* What became of the block, for people. why: in the kernel's words, NULL where it gave no reason. */
void manager_report_why(struct manager *m, struct entry *e, zone_mask zones, uint64_t write_usec, const char *why);
void manager_report(struct manager *m, struct entry *e, zone_mask zones, uint64_t write_usec);
/* Why the block stays online, as the kernel log says of a write that took so long. False: it does not say. */
bool manager_explain(struct manager *m, const struct entry *e, uint64_t write_usec, char ret[static OBSTACLE_TEXT_MAX]);
/* Read the state again and compare. The entry may be gone afterwards. */
void manager_handle_change(struct manager *m, struct entry *e);
void manager_handle_result(struct manager *m, const struct apply_result *result);
/* The entry of a block that is there; an old one only if it is of the same memory. NULL: no memory. */
struct entry *manager_meet_block(struct manager *m, uint32_t block);
/* The block was unplugged; its entry is about to go. */
void manager_note_gone(struct manager *m, struct entry *e);
/* What a restart must know has changed; urgent: what nobody else could tell. */
void manager_state_changed(struct manager *m, bool urgent);

/* The figures that the next decision is to be judged by (manager-around.c). */
const struct surroundings *manager_around(struct manager *m, bool fresh);
/* A decision was made: memory is on its way. */
void manager_expect(struct manager *m, const struct block *b, const struct decision *d, uint64_t bytes);

/* Hot-adds (manager-adds.c): blocks that came together are decided together, and end together. */
void manager_join_add(struct manager *m, struct entry *e, const struct block *b);
void manager_decide(struct manager *m, struct entry *e, const struct block *b, struct decision *ret);
/* What the decision rests on, to be told with the hot-add's reports. */
void manager_note_basis(struct manager *m, struct entry *e, const struct block *b, const struct decision *d);
void manager_settle(struct manager *m, struct entry *e);
/* How long the block waited, and how long the kernel took: for the trace of its add. */
void manager_note_times(struct manager *m, struct entry *e, const struct apply_result *result);
void manager_handle_rollback(struct manager *m, struct entry *e);
/* What was taken back gets another try: that is another add, with a decision and an end of its own. */
void manager_leave_add(struct manager *m, const struct add *add);
/* Go on with what the daemon before was taking offline when it ended. Once everything was looked at. */
void manager_resume_rollbacks(struct manager *m);
/* Close what is over; true: look again in a moment. */
bool manager_close_adds(struct manager *m);

/* Alerts (manager-alerts.c): looked for now and then, and soon after something changed. */
int manager_add_alert_timer(struct manager *m);
void manager_look_for_alerts(struct manager *m);
void manager_note_add_size(struct manager *m, const struct add *add);

/* Holds (manager-holds.c): read them, watch for changes, let go when they expire. */
int manager_start_holds(struct manager *m);
/* Who else brings memory online: a line each. */
void manager_tell_rivals(const struct manager *m);

/* Somebody else changed the machine's memory: what is known of before holds no more. */
void manager_note_disturbance(struct manager *m);
/* What the machine is like before the next hot-add, if nothing is under way. */
void manager_look_around(struct manager *m);

/* Tell whoever listens (manager-tell.c): the one place. */
void manager_tell(struct manager *m, const struct report *r);
void manager_flush_report(struct manager *m);
/* There may be hot-adds to close, though nothing is to be reported. */
void manager_wake_report(struct manager *m);
void manager_note_change(struct manager *m, const struct entry *e, bool gone);

void manager_tell_job(struct manager *m, struct job *j);

/* Jobs (manager-jobs.c). */
bool manager_run_jobs(struct manager *m); /* true: there is more to do, at once */
/* A step of the look into the blocks of a job (manager-look.c). True: there are more steps. */
bool manager_look(struct manager *m);
/* Is there room for what is in the block, now? False: text says what is missing. */
bool manager_has_room(struct manager *m, const struct entry *e, char *text, size_t size);
void manager_handle_job_result(struct manager *m, struct entry *e, const struct apply_result *result);
/* The block was unplugged: it may be at the writer for a job, or wait for one. */
void manager_forget_job_block(struct manager *m, uint32_t block);
/* Look at what is going offline in so long at the latest. */
void manager_wake_patience(struct manager *m, uint64_t delay_usec);
/* Memory is to be brought online: what is going offline meanwhile must not be in its way for long. */
void manager_make_way(struct manager *m);
/* A job was stopped whose block is at the writer, or waits there. */
bool manager_job_is_stopping(struct manager *m);
/* May the kernel go on with what it was given so long ago? False: interrupt it. *ret_next: look again then. */
bool manager_has_patience(struct manager *m, const struct apply_job *job, uint64_t since, uint64_t *ret_next);

/* Memory (manager-memory.c): what the next hot-add takes is there before it comes. In a moment of rest. */
void manager_reserve(struct manager *m);

/* The loop (manager-loop.c). */
int manager_add_sources(struct manager *m);
/* There is work: its turn comes. */
void manager_wake(struct manager *m);
/* Receive uevents from now on. */
int manager_watch(struct manager *m);
void manager_request_scan(struct manager *m);
/* As often as the policy says. */
void manager_schedule_reconcile(struct manager *m);
