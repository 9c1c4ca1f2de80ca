/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/manager-internal.h"

#define INTERRUPT_STEP_USEC 50000 /* a signal may come a moment too early: repeat it */
#define TELL_STEP_USEC 100000     /* progress is told so often */
#define JOB_BUDGET 64             /* blocks that need no write, before events get their turn */

/* ---- what is asked for -------------------------------------------------------------------------------------------- */

void manager_entry_block(const struct manager *m, const struct entry *e, struct block *ret) {
        const uint64_t size = sysfs_block_size(m->fs);
        struct block b = {
                .index = e->block, .start = e->block * size, .size = size,
                .state = (enum block_state) e->state,
                .removable = e->removable,
                .zones_known = e->state == BLOCK_ONLINE,
                .zones = e->state == BLOCK_ONLINE ? e->zones : 0,
                .first_zone = e->state == BLOCK_ONLINE && e->zones ? (enum zone) __builtin_ctz(e->zones) : _ZONE_INVALID,
                .source = (enum source) e->source,
                .at_startup = e->at_startup, .hands_off = e->hands_off, .rolled_back = e->rolled_back,
                .tier = e->node >= 0 ? m->tiers[e->node] : -1,
        };

        if (e->node >= 0)
                node_set_add(&b.nodes, (unsigned) e->node);
        snprintf(b.device, sizeof(b.device), "%s", registry_device_name(&m->registry, e->device));
        *ret = b;
}

bool manager_selects(const struct manager *m, const struct selector *s, const struct entry *e) {
        const uint64_t size = sysfs_block_size(m->fs);
        struct block b;

        if (!e->known)
                return false;
        if (s->kind == SELECTOR_ALL)
                return true;
        if (s->kind == SELECTOR_ADD)
                return e->add && ranges_contain(&s->ranges, e->add);
        if (!selector_may_match(s, e->block, size))
                return false;
        manager_entry_block(m, e, &b);
        return selector_match(s, &b, size);
}

struct job_list {
        struct job_item *items;
        size_t n, capacity, n_elsewhere;
};

static bool is_held(const struct manager *m, const struct entry *e) {
        struct block b;

        manager_entry_block(m, e, &b);
        return holds_find(&m->holds, &b, b.size, hold_now_usec());
}

static bool is_asked_for(const struct manager *m, const struct job_request *request, const struct entry *e) {
        if (!manager_selects(m, request->selector, e) || (request->on_node && e->node != (int) request->node) ||
            (request->sources && !(request->sources & SOURCE_BIT(e->source))))
                return false;
        if (request->device && strcmp(registry_device_name(&m->registry, e->device), request->device) != 0)
                return false;
        return !request->wanted || e->state == BLOCK_ONLINE; /* what is offline already is no part of an amount */
}

static int collect_entry(const struct manager *m, const struct job_request *request, const struct entry *e, struct job_list *l) {
        if (!is_asked_for(m, request, e))
                return 0;
        if (request->kind != JOB_OFFLINE && e->state == BLOCK_OFFLINE && is_held(m, e))
                return -EPERM;
        if (!GROW(l->items, l->n, l->capacity))
                return -ENOMEM;
        l->items[l->n++] = (struct job_item) { .block = e->block };
        l->n_elsewhere += e->state == BLOCK_ONLINE && e->zones && !(e->zones & action_zones(request->action));
        return 0;
}

/* What is taken away goes from the highest block down: low memory is the last to be given up. */
static int collect(const struct manager *m, const struct job_request *request, struct job_list *l) {
        const size_t n = m->registry.n;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = collect_entry(m, request, &m->registry.entries[request->kind == JOB_ONLINE ? i : n - 1 - i], l);
        if (r >= 0 && l->n == 0)
                r = -ENOENT;
        if (r >= 0 && request->kind == JOB_ONLINE && l->n_elsewhere == l->n)
                r = -EXDEV;
        return r;
}

int manager_add_job(struct manager *m, const struct job_request *request, struct job **ret) {
        struct job_list list = {};
        struct job *j;
        int r;

        r = collect(m, request, &list);
        if (r >= 0)
                r = jobs_add(&m->jobs, request, list.items, list.n, manager_now_usec(m), &j);
        if (r < 0) {
                free(list.items);
                return r;
        }
        manager_tell_job(m, j);
        /* Not from within the call that asked: its answer goes first. */
        manager_wake(m);
        *ret = j;
        return 0;
}

void manager_cancel_job(struct manager *m, struct job *j) {
        if (job_is_over(j))
                return;
        job_stop(j, JOB_CANCELLED, manager_now_usec(m));
        manager_tell_job(m, j);
        manager_wake_patience(m, 0);
        manager_wake(m);
}

/* ---- one block after the other ------------------------------------------------------------------------------------ */

static bool submit(struct manager *m, struct job *j, struct entry *e, enum action action) {
        const struct apply_job job = { .block = e->block, .identity = e->identity, .action = action, .job = j->id };

        if (apply_submit(m->apply, &job) < 0)
                return false;
        e->stage = STAGE_APPLYING;
        e->attempts = 0;
        m->counters.writes++;
        m->job_busy = true;
        m->job_block = e->block;
        manager_wake_patience(m, m->policy->offline_timeout_usec);
        return true;
}

static void entry_set_asked(struct entry *e, enum action action, enum reason reason, enum outcome outcome, int error) {
        e->decided = true;
        e->action = (uint8_t) action;
        e->reason = (uint8_t) reason;
        e->rule = -1;
        e->outcome = (uint8_t) (outcome == OUTCOME_BUSY ? OUTCOME_FAILED : outcome); /* nobody tries again */
        e->error = (int16_t) error;
        e->rolled_back = e->rolling_back = false;
}

/* It was offline already, and is so from now on because somebody wants it. */
static void rest_offline(struct manager *m, struct entry *e) {
        if (e->hands_off)
                return;
        e->hands_off = true;
        e->stage = STAGE_IDLE;
        entry_set_asked(e, ACTION_LEAVE_OFFLINE, REASON_ASKED, OUTCOME_ALREADY, 0);
        manager_report(m, e, 0, 0);
        manager_state_changed(m, true);
}

/* What was free when the job began may be in use by now. */
static bool check_room(struct manager *m, struct job *j, struct entry *e, enum action action) {
        char text[JOB_MESSAGE_MAX];

        if (action != ACTION_LEAVE_OFFLINE || j->state != JOB_RUNNING || j->force || manager_has_room(m, e, text, sizeof(text)))
                return true;
        job_fail(j, -ENOMEM);
        job_explain(j, e->block, text);
        job_give_up(j, text);
        entry_set_asked(e, ACTION_LEAVE_OFFLINE, REASON_ASKED, OUTCOME_FAILED, -ENOMEM);
        manager_report_why(m, e, e->zones, 0, text);
        return false;
}

static void work_on(struct manager *m, struct job *j, struct job_item *item) {
        struct entry *e = registry_find(&m->registry, item->block);
        enum action action;
        struct block b;
        int r;

        r = e ? sysfs_read_block_zones(m->fs, item->block, &b) : -ENOENT;
        if (r == -ENOENT) {
                job_forget(j);
                return;
        }
        if (r < 0) {
                job_fail(j, r);
                return;
        }
        b.hands_off = e->hands_off;
        if (job_begin(j, &b, &action)) {
                if (check_room(m, j, e, action) && !submit(m, j, e, action))
                        job_fail(j, -ENOMEM);
        } else if (j->kind == JOB_OFFLINE && b.state == BLOCK_OFFLINE)
                rest_offline(m, e);
}

/* False: it has to wait, for the policy or for the kernel. */
static bool run_job(struct manager *m, struct job *j) {
        struct job_item *item = job_next(j, manager_now_usec(m));
        const struct entry *e = item ? registry_find(&m->registry, item->block) : NULL;

        if (e && (e->stage == STAGE_QUEUED || e->stage == STAGE_APPLYING || e->stage == STAGE_PUT_OFF)) {
                job_postpone(j);
                return false;
        }
        if (item)
                work_on(m, j, item);
        j->untold = true;
        return true;
}

static void stop_late(struct manager *m) {
        uint64_t now = manager_now_usec(m);

        for (size_t i = 0; i < JOBS_MAX && jobs_next_deadline(&m->jobs) <= now; i++) {
                struct job *j = &m->jobs.slots[i];

                if (!j->id || job_is_over(j) || !j->deadline_usec || j->deadline_usec > now)
                        continue;
                job_stop(j, JOB_TIMED_OUT, now);
                j->untold = true;
                manager_wake_patience(m, 0);
        }
}

/* Their ends at once, their progress now and then. */
static void tell_jobs(struct manager *m) {
        uint64_t now = manager_now_usec(m), next = jobs_next_deadline(&m->jobs);

        for (size_t i = 0; i < JOBS_MAX; i++) {
                struct job *j = &m->jobs.slots[i];

                if (!j->id || !j->untold)
                        continue;
                if (job_is_over(j) || now >= j->told_usec + TELL_STEP_USEC)
                        manager_tell_job(m, j);
                else
                        next = MIN(next, j->told_usec + TELL_STEP_USEC);
        }
        if (next != UINT64_MAX)
                (void) sd_event_source_set_time(m->job_timer, next);
        (void) sd_event_source_set_enabled(m->job_timer, next != UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

bool manager_run_jobs(struct manager *m) {
        bool again = false;
        struct job *j;

        if (!m->started)
                return false;
        stop_late(m);
        for (int i = 0; !m->job_busy && !again && (j = jobs_first_running(&m->jobs)) && j->looked && run_job(m, j); i++)
                again = i == JOB_BUDGET;
        again = manager_look(m) || again;
        tell_jobs(m);
        return again;
}

/* The block's fate is known, and this is how it came about. */
static void note_fate(struct manager *m, const struct job *j, const struct job_item *item, struct entry *e,
                      const struct apply_result *result, const char *why) {
        bool is_offline = e->state == BLOCK_OFFLINE;

        if (j->state == JOB_UNDOING)
                entry_set_asked(e, result->action, REASON_UNDONE, result->outcome, item->error);
        else if (item->fate == FATE_FAILED && item->was_online && j->kind == JOB_REZONE)
                entry_set_asked(e, j->action, REASON_ASKED, OUTCOME_FAILED, item->error);
        else
                entry_set_asked(e, result->action, REASON_ASKED, result->outcome, item->error);
        e->hands_off = is_offline && job_rests_offline(j, item);
        manager_report_why(m, e, result->zones, result->write_usec, why);
        if (is_offline && item->was_online && !e->hands_off)
                manager_enqueue(m, e); /* it is not to be lost: the policy may find a place for it */
}

/* Only we send signals to the writer. */
static int job_error(const struct job *j, int error) {
        if (error != -EINTR)
                return error;
        return j->ending == JOB_CANCELLED ? -ECANCELED : -ETIMEDOUT;
}

void manager_handle_job_result(struct manager *m, struct entry *e, const struct apply_result *result) {
        struct job *j = jobs_find(&m->jobs, result->job);
        struct job_item *item = j ? j->current : NULL;
        enum outcome outcome = result->outcome;
        char why[OBSTACLE_TEXT_MAX];
        enum action action;
        bool explained;
        int error;

        m->job_busy = false;
        manager_note_disturbance(m);
        manager_state_changed(m, true);
        if (!item || item->block != e->block)
                return;
        error = job_error(j, result->error);
        explained = result->action == ACTION_LEAVE_OFFLINE && result->state != BLOCK_OFFLINE &&
                    manager_explain(m, e, result->write_usec, why);
        if (explained)
                job_explain(j, e->block, why);
        while (job_continue(j, outcome, error, &action)) {
                if (submit(m, j, e, action))
                        return;
                outcome = OUTCOME_FAILED;
                error = -ENOMEM;
        }
        j->untold = true;
        note_fate(m, j, item, e, result, explained ? why : NULL);
        manager_wake(m);
}

void manager_forget_job_block(struct manager *m, uint32_t block) {
        if (!jobs_first_running(&m->jobs))
                return;
        jobs_forget_block(&m->jobs, block);
        if (m->job_busy && m->job_block == block)
                m->job_busy = false;
        manager_wake(m);
}

bool manager_job_is_stopping(struct manager *m) {
        const struct job *j = m->job_busy ? jobs_first_running(&m->jobs) : NULL;

        return j && j->state == JOB_RUNNING && j->ending != JOB_RUNNING;
}

bool manager_has_patience(struct manager *m, const struct apply_job *job, uint64_t since, uint64_t *ret_next) {
        const struct job *j = jobs_find(&m->jobs, job->job);
        uint64_t now = manager_now_usec(m), end = since + m->policy->offline_timeout_usec;

        if (j && j->state == JOB_RUNNING && j->ending != JOB_RUNNING)
                end = 0;
        *ret_next = now < end ? end - now : INTERRUPT_STEP_USEC;
        return now < end;
}
