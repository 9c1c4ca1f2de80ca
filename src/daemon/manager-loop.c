/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

#define RECEIVE_BUFFER (128u * 1024 * 1024) /* what host/privileged.c asks for */
#define PROOF_TIMEOUT_MSEC 1000 /* it is there before the write that asks for it returns; a bound, not a delay */
#define EVENT_BUDGET 512 /* events taken before others get their turn */
#define WORK_BUDGET 64   /* blocks looked at before events get theirs */
#define UEVENT_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)
#define WORK_WAIT_USEC 5000 /* work, timers and signals wait so long for events, if these do not end … */
#define ALL_WAIT_USEC 50000 /* … and the bus so long for both */
#define REPORT_STEP_USEC 50000
#define PREEMPT_USEC 100000 /* most blocks are offline by then: the work is not to be in vain */
#define PREEMPT_STEP_USEC 50000
#define STATE_URGENT_USEC 10000 /* a chmem of many blocks is still one file, not one a block */
#define STATE_DELAY_USEC 200000
#define STATE_RETRY_USEC 10000000

uint64_t manager_now_usec(const struct manager *m) {
        uint64_t now = 0;

        (void) sd_event_now(m->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* ---- work, in small steps ----------------------------------------------------------------------------------------- */

static void forget_swept(struct entry *e, void *userdata) {
        struct manager *m = userdata;

        evidence_expire(&m->evidence);
        manager_note_gone(m, e);
}

static void scan_visit(struct manager *m, uint32_t block, const struct survey_item *item) {
        struct entry *e = manager_meet_block(m, block);

        if (!e)
                return;
        e->seen = true;
        if (e->stage == STAGE_QUEUED || e->stage == STAGE_APPLYING)
                return;
        if (e->known) {
                manager_handle_change(m, e);
                e = registry_find(&m->registry, block);
                if (!e || e->state != BLOCK_OFFLINE)
                        return;
        } else if (m->started) {
                m->last_add_usec = manager_now_usec(m); /* its links may still be on their way */
                e->arrival = ARRIVAL_HOT;
                e->came = true;
        } else
                keep_recall(&m->keep, e);
        if (manager_process(m, e, item) == -EAGAIN) {
                e->stage = STAGE_IDLE;
                manager_enqueue(m, e);
        }
}

/* Without it memory that a driver brought looks like any other, and rules about sources pass it over. */
static void warn_of_hidden_iomem(const struct manager *m) {
        const struct evidence_cache *c = &m->evidence;
        const char *path = sysfs_text_path(SYSFS_IOMEM);

        if (c->iomem_error == -EBADMSG)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "%s:%u: malformed: sources other than DIMMs cannot be told, and "
                              "rules about them do not hold", path, c->iomem_line);
        else if (c->iomem_error < 0 || (c->iomem_valid && c->iomem.hidden))
                journal_print(LOG_WARNING, MESSAGE_WARNING, "%s %s: sources other than DIMMs cannot be told, and rules about "
                              "them do not hold", path,
                              c->iomem_error < 0 ? strerror(-c->iomem_error) : "shows no addresses (opening it takes CAP_SYS_ADMIN)");
}

static void warn_of_small_buffer(const struct manager *m) {
        size_t size = m->monitor ? uevent_monitor_receive_buffer(m->monitor) : SIZE_MAX;

        if (size < RECEIVE_BUFFER)
                journal_print(LOG_NOTICE, MESSAGE_WARNING, "the kernel queues only %zu KiB of uevents (CAP_NET_ADMIN): large "
                              "hot-adds will be met by a look at every block", size / 1024);
}

static void scan_finish(struct manager *m) {
        char text[256];

        registry_sweep(&m->registry, forget_swept, m);
        manager_look_for_alerts(m);
        if (m->started) {
                manager_look_around(m);
                return;
        }
        manager_reserve(m);
        warn_of_hidden_iomem(m);
        warn_of_small_buffer(m);
        m->started = true;
        manager_look_around(m);
        manager_resume_rollbacks(m);
        for (size_t i = 0; i < m->registry.n; i++)
                if (m->registry.entries[i].state == BLOCK_OFFLINE)
                        manager_enqueue(m, &m->registry.entries[i]);
        manager_state_changed(m, true);
        manager_describe(m, text, sizeof(text));
        journal_print(LOG_INFO, MESSAGE_STARTED, "ready: %s", text);
        (void) sd_notifyf(false, "READY=1\nSTATUS=%s", text);
        bus_tell_status(m->bus);
}

static void scan_work(struct manager *m) {
        const struct survey_item *item;
        uint32_t block;
        int r;

        if (!m->scan.active) {
                evidence_expire(&m->evidence);
                m->lost_events = false;
                m->counters.rescans++;
                m->last_add_usec = MAX(m->last_add_usec, m->started ? 0 : manager_now_usec(m));
                r = scan_begin(&m->scan, m->fs, !m->started, manager_now_usec(m));
                if (r < 0) {
                        journal_print(LOG_ERR, MESSAGE_FAILED, "cannot list memory blocks: %s; trying again", strerror(-r));
                        return;
                }
        }
        for (int i = 0; i < WORK_BUDGET && apply_pending(m->apply) < MANAGER_PENDING_MAX; i++) {
                if (!scan_next(&m->scan, &block, &item)) {
                        scan_finish(m);
                        return;
                }
                scan_visit(m, block, item);
        }
}

/* New blocks before the scan, which is not in a hurry. Returns the delay until there is more to do: 0 for now,
 * UINT64_MAX for nothing. */
static uint64_t manager_work(struct manager *m) {
        uint64_t when = UINT64_MAX, now = manager_now_usec(m);
        const uint32_t *front;

        for (int i = 0; i < WORK_BUDGET && apply_pending(m->apply) < MANAGER_PENDING_MAX && (front = queue_peek(&m->todo)); i++) {
                struct entry *e = registry_find(&m->registry, *front);
                uint32_t block;

                /* The kernel links blocks in the order of their events: where the first must wait, so must the rest. */
                if (e && e->stage == STAGE_QUEUED && manager_process(m, e, NULL) == -EAGAIN)
                        return manager_settle_step(m, e);
                (void) queue_pop(&m->todo, &block);
        }
        if (apply_pending(m->apply) >= MANAGER_PENDING_MAX)
                return UINT64_MAX; /* on_apply() goes on */
        manager_fill_gaps(m);
        if (m->todo.n)
                return 0;
        if (m->scan.active || scan_is_due(&m->scan, now, &when)) {
                scan_work(m);
                return m->scan.active || m->todo.n ? 0 : m->scan.requested ? SCAN_INTERVAL_USEC : UINT64_MAX;
        }
        return when == UINT64_MAX ? when : when - now;
}

/* ---- turns -------------------------------------------------------------------------------------------------------- */

static void set_ranks(struct manager *m, int64_t events, int64_t work) {
        if (m->uevent_source)
                (void) sd_event_source_set_priority(m->uevent_source, events);
        (void) sd_event_source_set_priority(m->work_source, work);
}

/* New memory goes before all else, but neither events nor work may go on for ever, whoever makes them: after a while they
 * have the rank of others, among whom whoever waits longest is next. Events come down to that of work and timers first,
 * since what they announce has to be done as well, and then both to that of the bus. */
static void share(struct manager *m) {
        uint64_t now = manager_now_usec(m);

        if (m->busy_since_usec == 0)
                m->busy_since_usec = now;
        else if (now >= m->busy_since_usec + ALL_WAIT_USEC)
                set_ranks(m, BUS_EVENT_PRIORITY, BUS_EVENT_PRIORITY);
        else if (now >= m->busy_since_usec + WORK_WAIT_USEC)
                set_ranks(m, SD_EVENT_PRIORITY_NORMAL, SD_EVENT_PRIORITY_NORMAL);
}

/* It has the rank of the bus: whatever waited longer has had its turn. */
static int on_round(sd_event_source *source, void *userdata) {
        struct manager *m = userdata;

        (void) source;
        m->busy_since_usec = 0;
        set_ranks(m, UEVENT_PRIORITY, SD_EVENT_PRIORITY_NORMAL);
        return 0;
}

/* A timer and not a "defer" source: that one would always be the one that waits longest. On is now, one shot is later. */
void manager_wake(struct manager *m) {
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(m->work_source, &enabled);
        if (enabled == SD_EVENT_ON)
                return;
        (void) sd_event_source_set_time(m->work_source, 0);
        (void) sd_event_source_set_enabled(m->work_source, SD_EVENT_ON);
}

static int on_work(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;
        uint64_t delay = manager_work(m);

        (void) usec;
        if (manager_run_jobs(m) || delay == 0) {
                manager_wake(m);
                share(m);
                return 0;
        }
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (delay == UINT64_MAX)
                return 0;
        (void) sd_event_source_set_time_relative(source, delay);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

/* ---- sources ------------------------------------------------------------------------------------------------------ */

/* A handler that fails is switched off by sd-event; these never do. */

/* Events that are handled together, each kind of each block once: whoever gets one looks at the block, which the first of them
 * does after the last has come. What is told again and again costs no more than to receive it. */
struct batch {
        struct uevent events[EVENT_BUDGET];
        size_t n;
        struct {
                uint32_t block;
                uint32_t types; /* of this block, since the last "remove" */
        } seen[64];
};

static void batch_add(struct batch *b, const struct uevent *event) {
        const size_t i = event->block % ARRAY_SIZE(b->seen);
        const uint32_t bit = UINT32_C(1) << event->type;

        if (b->seen[i].block != event->block || event->type == UEVENT_REMOVE) {
                b->seen[i].block = event->block;
                b->seen[i].types = 0;
        }
        if (b->seen[i].types & bit)
                return;
        if (event->type == UEVENT_ADD || event->type == UEVENT_CHANGED)
                b->seen[i].types |= bit;
        b->events[b->n++] = *event;
}

static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct manager *m = userdata;
        struct batch batch = {};
        struct uevent event;
        size_t n = 0;
        int r = 1;

        (void) fd, (void) revents;
        share(m);
        for (; n < EVENT_BUDGET && (r = uevent_receive(m->monitor, &event)) > 0; n++)
                batch_add(&batch, &event);
        m->counters.events += n - batch.n; /* the others are counted where they are handled */
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_FAILED,
                              "uevents cannot be received any more: %s; only the reconcile is left", strerror(-r));
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        for (size_t i = 0; i < batch.n; i++)
                manager_handle_event(m, &batch.events[i]);
        return 0;
}

static int on_apply(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct manager *m = userdata;
        struct apply_result result;

        (void) source, (void) fd, (void) revents;
        for (int i = 0; i < EVENT_BUDGET && apply_take(m->apply, &result); i++)
                manager_handle_result(m, &result);
        manager_wake(m);
        return 0;
}

static int on_retry_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;
        uint64_t now = manager_now_usec(m), next = UINT64_MAX;

        (void) usec;
        for (size_t i = 0; i < m->registry.n; i++) {
                struct entry *e = &m->registry.entries[i];

                if (e->stage != STAGE_RETRY)
                        continue;
                if (e->next_usec <= now)
                        manager_enqueue(m, e);
                else
                        next = MIN(next, e->next_usec);
        }
        if (next != UINT64_MAX) {
                (void) sd_event_source_set_time(source, next);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

/* A device's blocks are reported together: wait until nothing of them is under way, but not for ever. */
static int on_report_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;
        bool busy = m->todo.n || apply_pending(m->apply) > 0;
        char text[256];

        (void) usec;
        if (busy && manager_now_usec(m) < m->tally_since_usec + REPORT_CAP_USEC) {
                (void) sd_event_source_set_time_relative(source, REPORT_STEP_USEC);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }
        manager_flush_report(m);
        if (manager_close_adds(m)) {
                (void) sd_event_source_set_time_relative(source, REPORT_STEP_USEC);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        if (m->tracer.stale)
                manager_look_around(m);
        bus_tell_status(m->bus);
        manager_describe(m, text, sizeof(text));
        (void) sd_notifyf(false, "STATUS=%s", text);
        if (!busy)
                manager_reserve(m); /* for the next one */
        return 0;
}

/* A write that takes memory offline may go on for ever: the kernel waits for pages that nobody lets go. */
static int on_patience_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;
        uint64_t since, next = m->policy->offline_timeout_usec;
        struct apply_job job;

        (void) usec;
        if (apply_pending(m->apply) == 0)
                return 0;
        if (apply_current(m->apply, &job, &since) && job.action == ACTION_LEAVE_OFFLINE) {
                if (!manager_has_patience(m, &job, since, &next))
                        apply_interrupt(m->apply);
                else if (apply_preempt(m->apply))
                        next = MIN(next, (uint64_t) PREEMPT_STEP_USEC);
        } else if (manager_job_is_stopping(m))
                next = MIN(next, (uint64_t) PREEMPT_STEP_USEC); /* its block has its turn in a moment */
        (void) sd_event_source_set_time_relative(source, next);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

void manager_wake_patience(struct manager *m, uint64_t delay_usec) {
        uint64_t when = manager_now_usec(m) + delay_usec, timer;
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(m->patience_timer, &enabled);
        if (enabled != SD_EVENT_OFF && sd_event_source_get_time(m->patience_timer, &timer) >= 0 && timer <= when)
                return;
        (void) sd_event_source_set_time(m->patience_timer, when);
        (void) sd_event_source_set_enabled(m->patience_timer, SD_EVENT_ONESHOT);
}

void manager_make_way(struct manager *m) {
        struct apply_job job;
        uint64_t since;

        if (apply_current(m->apply, &job, &since) && job.action == ACTION_LEAVE_OFFLINE)
                manager_wake_patience(m, PREEMPT_USEC);
}

static int on_job_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;

        (void) source, (void) usec;
        if (manager_run_jobs(m))
                manager_wake(m);
        return 0;
}

void manager_state_changed(struct manager *m, bool urgent) {
        uint64_t when = manager_now_usec(m) + (urgent ? STATE_URGENT_USEC : STATE_DELAY_USEC), timer;
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(m->state_timer, &enabled);
        if (enabled != SD_EVENT_OFF && sd_event_source_get_time(m->state_timer, &timer) >= 0 && timer <= when)
                return;
        (void) sd_event_source_set_time(m->state_timer, when);
        (void) sd_event_source_set_enabled(m->state_timer, SD_EVENT_ONESHOT);
}

static int on_state_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;

        (void) usec;
        /* Before the first look is complete, what was kept is better than what is known. */
        if (m->started && !keep_save(&m->keep, &m->registry, m->adds.last_number, &m->history)) {
                (void) sd_event_source_set_time_relative(source, STATE_RETRY_USEC);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

void manager_schedule_reconcile(struct manager *m) {
        bool on = m->policy->reconcile_usec > 0;

        if (on)
                (void) sd_event_source_set_time_relative(m->reconcile_timer, m->policy->reconcile_usec);
        (void) sd_event_source_set_enabled(m->reconcile_timer, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void manager_request_scan(struct manager *m) {
        scan_request(&m->scan);
        manager_wake(m);
}

static int on_reconcile_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        manager_request_scan(userdata);
        manager_schedule_reconcile(userdata);
        return 0;
}

static int add_timer(struct manager *m, sd_event_time_handler_t handler, sd_event_source **ret) {
        int r;

        /* Accuracy 1: what waits here is milliseconds away from a kernel that waits for us. */
        r = sd_event_add_time(m->event, ret, CLOCK_MONOTONIC, UINT64_MAX, 1, handler, m);
        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int manager_add_sources(struct manager *m) {
        int r;

        r = add_timer(m, on_work, &m->work_source);
        if (r >= 0)
                r = sd_event_add_post(m->event, &m->round_source, on_round, m);
        if (r >= 0)
                r = sd_event_source_set_priority(m->round_source, BUS_EVENT_PRIORITY);
        if (r >= 0)
                r = sd_event_add_io(m->event, &m->apply_source, apply_fd(m->apply), EPOLLIN, on_apply, m);
        if (r >= 0)
                r = sd_event_source_set_priority(m->apply_source, -15);
        if (r >= 0)
                r = add_timer(m, on_retry_timer, &m->retry_timer);
        if (r >= 0)
                r = add_timer(m, on_report_timer, &m->report_timer);
        if (r >= 0)
                r = add_timer(m, on_reconcile_timer, &m->reconcile_timer);
        if (r >= 0)
                r = add_timer(m, on_state_timer, &m->state_timer);
        if (r >= 0)
                r = add_timer(m, on_patience_timer, &m->patience_timer);
        if (r >= 0)
                r = add_timer(m, on_job_timer, &m->job_timer);
        if (r >= 0)
                r = manager_add_alert_timer(m);
        return r;
}

/* Sockets can be had where no event ever comes, as in the network namespace of a container: let the kernel send one. */
static int prove_uevents(struct manager *m) {
        _cleanup_free_ uint32_t *indices = NULL;
        size_t n;
        int r;

        r = sysfs_read_indices(m->fs, &indices, &n);
        if (r < 0 || n == 0)
                return r;
        r = sysfs_request_uevent(m->fs, indices[0]);
        return r < 0 ? r : uevent_monitor_expect(m->monitor, indices[0], PROOF_TIMEOUT_MSEC);
}

int manager_watch(struct manager *m) {
        int r;

        r = prove_uevents(m);
        if (r == -ETIMEDOUT) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "uevents do not arrive: the kernel sends none to the network namespaces of "
                              "user namespaces (containers); new memory would go unnoticed");
                return -ENOTCONN;
        }
        if (r >= 0)
                r = sd_event_add_io(m->event, &m->uevent_source, uevent_monitor_fd(m->monitor), EPOLLIN, on_uevent, m);
        if (r >= 0)
                r = sd_event_source_set_priority(m->uevent_source, UEVENT_PRIORITY);
        if (r < 0)
                journal_print(LOG_ERR, MESSAGE_FAILED, "cannot watch for uevents: %s", strerror(-r));
        return r;
}
