/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

#define INTERRUPT_STEP_USEC 50000 /* a signal may come a moment too early: repeat it */

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
        struct block b;

        if (!e->known)
                return false;
        if (s->kind == SELECTOR_ALL)
                return true;
        if (s->kind == SELECTOR_ADD)
                return e->add && ranges_contain(&s->ranges, e->add);
        manager_entry_block(m, e, &b);
        return selector_match(s, &b, b.size);
}

/* What is taken away goes from the highest block down: low memory is the last to be given up. */
static bool goes_downwards(enum job_kind kind) {
        return kind != JOB_ONLINE;
}

static bool is_asked_for(const struct manager *m, const struct job_request *request, const struct entry *e) {
        if (!manager_selects(m, request->selector, e) || (request->node >= 0 && e->node != request->node) ||
            (request->source >= 0 && e->source != request->source))
                return false;
        return !request->device || strcmp(registry_device_name(&m->registry, e->device), request->device) == 0;
}

static int collect(const struct manager *m, const struct job_request *request, struct job_item **ret, size_t *ret_n) {
        _cleanup_free_ struct job_item *items = NULL;
        size_t n = 0, total = m->registry.n;

        items = calloc(MAX(total, (size_t) 1), sizeof(*items));
        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < total; i++) {
                const struct entry *e = &m->registry.entries[goes_downwards(request->kind) ? total - 1 - i : i];
                struct block b;

                /* What is offline already is no part of an amount that is to be taken. */
                if (!is_asked_for(m, request, e) || (request->size && e->state != BLOCK_ONLINE))
                        continue;
                manager_entry_block(m, e, &b);
                if (request->kind != JOB_OFFLINE && e->state == BLOCK_OFFLINE &&
                    holds_find(&m->holds, &b, b.size, hold_now_usec()))
                        return -EPERM;
                items[n++] = (struct job_item) { .block = e->block };
        }
        if (n == 0)
                return -ENOENT;
        *ret = TAKE_PTR(items);
        *ret_n = n;
        return 0;
}

int manager_add_job(struct manager *m, const struct job_request *request, struct job **ret) {
        _cleanup_free_ struct job_item *items = NULL;
        struct job *j;
        size_t n;
        int r;

        r = collect(m, request, &items, &n);
        if (r >= 0)
                r = jobs_add(&m->jobs, request->kind, request->action, request->uid, items, n, &j);
        if (r < 0)
                return r;
        items = NULL; /* the job's now */
        j->all_or_nothing = request->all_or_nothing;
        j->force = request->force;
        j->dry_run = request->dry_run;
        if (request->size) {
                j->ranked = true;
                j->wanted = (size_t) ((request->size - 1) / sysfs_block_size(m->fs) + 1);
        }
        j->start_usec = manager_now_usec(m);
        if (request->timeout_usec && __builtin_add_overflow(j->start_usec, request->timeout_usec, &j->deadline_usec))
                j->deadline_usec = 0;
        snprintf(j->selector, sizeof(j->selector), "%s", request->text);
        bus_tell_job(m->bus, j);
        /* Not from within the call that asked: its answer goes first. */
        (void) sd_event_source_set_enabled(m->work_source, SD_EVENT_ON);
        *ret = j;
        return 0;
}

static void wake_patience(struct manager *m, uint64_t delay) {
        (void) sd_event_source_set_time_relative(m->patience_timer, delay);
        (void) sd_event_source_set_enabled(m->patience_timer, SD_EVENT_ONESHOT);
}

void manager_cancel_job(struct manager *m, struct job *j) {
        if (job_is_over(j))
                return;
        job_stop(j, JOB_CANCELLED);
        if (job_is_over(j))
                manager_end_job(m, j);
        wake_patience(m, 0);
        (void) sd_event_source_set_enabled(m->work_source, SD_EVENT_ON);
}

/* ---- one block after the other ------------------------------------------------------------------------------------ */

static struct job_item *find_item(struct job *j, uint32_t block) {
        for (size_t i = 0; j && i < j->n; i++)
                if (j->items[i].block == block)
                        return &j->items[i];
        return NULL;
}

static bool submit(struct manager *m, struct job *j, struct entry *e, enum action action) {
        const struct apply_job job = { .block = e->block, .action = action, .job = j->id };
        uint64_t wait = m->policy->offline_timeout_usec, now = manager_now_usec(m);

        if (apply_submit(m->apply, &job) < 0)
                return false;
        e->stage = STAGE_APPLYING;
        e->attempts = 0;
        m->counters.writes++;
        m->job_busy = true;
        m->job_id = j->id;
        m->job_block = e->block;
        if (j->deadline_usec)
                wait = MIN(wait, j->deadline_usec > now ? j->deadline_usec - now : 0);
        wake_patience(m, wait);
        return true;
}

/* The block's entry says what became of what somebody asked for. */
static void entry_set_asked(struct entry *e, enum action action, enum outcome outcome, int error) {
        e->rolled_back = false;
        e->decided = true;
        e->action = (uint8_t) action;
        e->reason = REASON_ASKED;
        e->rule = -1;
        e->outcome = outcome;
        e->error = (int16_t) error;
}

/* What was free when the job began may be in use by now. */
static bool check_room(struct manager *m, struct job *j, struct job_item *item, struct entry *e) {
        char text[JOB_MESSAGE_MAX];
        enum action none;

        if (j->state != JOB_RUNNING || j->force || manager_has_room(m, e, text, sizeof(text)))
                return true;
        (void) job_continue(j, item, OUTCOME_FAILED, -ENOMEM, &none);
        job_explain(j, e->block, text);
        job_give_up(j, text);
        entry_set_asked(e, ACTION_LEAVE_OFFLINE, OUTCOME_FAILED, -ENOMEM);
        manager_report_why(m, e, e->zones, 0, text);
        return false;
}

/* True: the next block may have its turn. */
static bool work_on(struct manager *m, struct job *j, struct job_item *item) {
        struct entry *e = registry_find(&m->registry, item->block);
        enum action action;
        struct block b;
        int r;

        if (!e) {
                job_forget(j, item);
                return true;
        }
        r = sysfs_read_block_zones(m->fs, item->block, &b);
        if (r < 0) {
                job_forget(j, item);
                return true;
        }
        if (!job_begin(j, item, &b, &action)) {
                /* Offline already, and now because somebody wants it so. */
                if (j->kind == JOB_OFFLINE && b.state == BLOCK_OFFLINE)
                        e->hands_off = true;
                manager_state_changed(m, true);
                return true;
        }
        if (action == ACTION_LEAVE_OFFLINE && !check_room(m, j, item, e))
                return true;
        if (submit(m, j, e, action))
                return false;
        (void) job_continue(j, item, OUTCOME_FAILED, -ENOMEM, &action);
        return true;
}

void manager_end_job(struct manager *m, struct job *j) {
        bool good = j->state == JOB_DONE, dry = j->dry_run;
        char job[16], uid[24] = "";
        const struct journal_field fields[] = {
                { FIELD_JOB, job },
                { FIELD_OUTCOME, job_state_to_string(j->state) },
        };

        j->end_usec = manager_now_usec(m);
        bus_tell_job(m->bus, j);
        if (dry)
                return;
        snprintf(job, sizeof(job), "%" PRIu32, j->id);
        if (j->uid != 0 && j->uid != UINT32_MAX)
                snprintf(uid, sizeof(uid), " for user %" PRIu32, j->uid);
        journal_send(good ? LOG_INFO : LOG_NOTICE, MESSAGE_JOB, fields, ARRAY_SIZE(fields),
                     "job %s%s, %s %s: %s: of %zu blocks %zu are as asked for, %zu failed%s%s", job, uid,
                     job_kind_to_string(j->kind), j->selector, job_state_to_string(j->state), j->ranked ? j->wanted : j->n,
                     j->n_done, j->n_failed, j->message[0] ? "; " : "", j->message);
}

bool manager_run_jobs(struct manager *m) {
        bool again = manager_look(m);
        struct job *j;

        while (!m->job_busy && (j = jobs_first_running(&m->jobs)) && j->looked) {
                struct job_item *item;
                struct entry *e;

                if (j->deadline_usec && manager_now_usec(m) >= j->deadline_usec)
                        job_stop(j, JOB_TIMED_OUT);
                item = job_next(j);
                if (!item) {
                        manager_end_job(m, j);
                        again = again || jobs_first_to_look(&m->jobs);
                        continue;
                }
                e = registry_find(&m->registry, item->block);
                if (e && (e->stage == STAGE_QUEUED || e->stage == STAGE_APPLYING)) {
                        /* The policy is at it: after that. */
                        j->next += j->state == JOB_UNDOING ? 1 : -1;
                        return again;
                }
                if (e && e->stage == STAGE_RETRY)
                        e->stage = STAGE_IDLE; /* whoever asks takes over */
                (void) work_on(m, j, item);
                bus_tell_job(m->bus, j);
        }
        return again;
}

void manager_handle_job_result(struct manager *m, struct entry *e, const struct apply_result *result) {
        struct job *j = jobs_find(&m->jobs, result->job);
        struct job_item *item = find_item(j, e->block);
        char why[OBSTACLE_TEXT_MAX];
        enum action action;
        bool explained;

        m->job_busy = false;
        e->hands_off = e->state == BLOCK_OFFLINE;
        entry_set_asked(e, result->action, result->outcome, result->error);
        m->around_stale = true;
        manager_state_changed(m, true);
        explained = result->action == ACTION_LEAVE_OFFLINE && result->state != BLOCK_OFFLINE &&
                    manager_explain(m, e, result->write_usec, why);
        if (item && explained)
                job_explain(j, e->block, why);
        if (item && job_continue(j, item, result->outcome, result->error, &action) && submit(m, j, e, action))
                return;
        manager_report_why(m, e, result->zones, result->write_usec, explained ? why : NULL);
        (void) sd_event_source_set_enabled(m->work_source, SD_EVENT_ON);
}

bool manager_job_block(const struct manager *m, const struct job *j, uint32_t *ret) {
        if (!m->job_busy || m->job_id != j->id)
                return false;
        *ret = m->job_block;
        return true;
}

void manager_forget_job_block(struct manager *m, uint32_t block) {
        if (!m->job_busy || m->job_block != block)
                return;
        for (size_t i = 0; i < JOBS_MAX; i++) {
                struct job *j = &m->jobs.slots[i];
                struct job_item *item = j->id && !job_is_over(j) ? find_item(j, block) : NULL;

                if (item)
                        job_forget(j, item);
        }
        m->job_busy = false;
        (void) sd_event_source_set_enabled(m->work_source, SD_EVENT_ON);
}

bool manager_has_patience(struct manager *m, const struct apply_job *job, uint64_t since, uint64_t *ret_next) {
        const struct job *j = jobs_find(&m->jobs, job->job);
        uint64_t now = manager_now_usec(m), end = since + m->policy->offline_timeout_usec;

        if (j && j->deadline_usec)
                end = MIN(end, j->deadline_usec);
        if (j && j->state == JOB_RUNNING && j->ending != JOB_RUNNING)
                end = 0;
        *ret_next = now < end ? end - now : INTERRUPT_STEP_USEC;
        return now < end;
}
