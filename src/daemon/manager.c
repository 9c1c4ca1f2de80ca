/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

#define REPORT_DELAY_USEC 50000
#define CLOCKS_DIFFER_USEC 1000000 /* that of the kernel log runs apart from the others */

/* ---- report: the one place ---------------------------------------------------------------------------------------- */

static enum zone entry_zone(zone_mask zones) {
        return zones && !(zones & (zones - 1)) ? (enum zone) __builtin_ctz(zones) : _ZONE_INVALID;
}

/* Memory that comes in parts has figures for each part: too many for people. */
static struct balance entry_balance(struct manager *m, const struct entry *e) {
        const struct add *add = adds_find(&m->adds, e->add);
        bool counted = (e->reason == REASON_BALANCED || e->reason == REASON_RATIO) && !source_is_dynamic((enum source) e->source);

        return counted && add && add->decided ? add->decision.balance : (struct balance) {};
}

void manager_report(struct manager *m, struct entry *e, zone_mask zones, uint64_t write_usec) {
        manager_report_why(m, e, zones, write_usec, NULL);
}

bool manager_explain(struct manager *m, const struct entry *e, uint64_t write_usec, char ret[static OBSTACLE_TEXT_MAX]) {
        uint64_t n = sysfs_block_size(m->fs) / m->page_size, now = manager_now_usec(m), ago = write_usec + CLOCKS_DIFFER_USEC;

        return refused_explain(&m->refused, e->block * n, n, now > ago ? now - ago : 0, ret);
}

void manager_report_why(struct manager *m, struct entry *e, zone_mask zones, uint64_t write_usec, const char *why) {
        const struct tally_key key = {
                .explained = why,
                .balance = entry_balance(m, e),
                .add = e->add,
                .source = (enum source) e->source,
                .device = e->device,
                .node = e->node,
                .rule = e->rule,
                .action = (enum action) e->action,
                .reason = (enum reason) e->reason,
                .outcome = (enum outcome) e->outcome,
                .zone = e->state == BLOCK_ONLINE ? entry_zone(zones) : _ZONE_INVALID,
                .error = e->error,
        };

        m->counters.outcomes[e->outcome]++;
        switch (e->outcome) {
        case OUTCOME_DONE:
                m->counters.onlined++;
                break;
        case OUTCOME_WRONG_ZONE:
                m->counters.lost_races++;
                break;
        case OUTCOME_FAILED:
                m->counters.failed++;
                break;
        default:
                break;
        }
        if (m->tally.n == 0)
                m->tally_since_usec = manager_now_usec(m);
        if (!tally_add(&m->tally, &key, e->block, write_usec)) {
                manager_flush_report(m);
                (void) tally_add(&m->tally, &key, e->block, write_usec);
        }
        if (why)
                tally_explain(&m->tally, &key, e->block, why);
        /* Soon after the last, but what comes without a pause must not put it off for ever. */
        (void) sd_event_source_set_time(m->report_timer, MIN(manager_now_usec(m) + REPORT_DELAY_USEC,
                                                             m->tally_since_usec + REPORT_CAP_USEC));
        (void) sd_event_source_set_enabled(m->report_timer, SD_EVENT_ONESHOT);
        manager_settle(m, e);
        manager_state_changed(m, false);
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------- */

static void entry_keep_hands_off(struct manager *m, struct entry *e);

static void entry_set_decision(struct entry *e, const struct decision *d) {
        e->decided = true;
        e->action = d->action;
        e->reason = d->reason;
        e->rule = (int16_t) d->rule;
        e->outcome = OUTCOME_NONE;
        e->error = 0;
}

void manager_note_gone(struct manager *m, struct entry *e) {
        bool was_known = e->known;

        /* What was meant for the block must not meet another in the same place. */
        if (e->stage == STAGE_APPLYING)
                apply_cancel(m->apply, e->block);
        manager_forget_job_block(m, e->block);
        manager_note_disturbance(m);
        manager_wake(m); /* whoever waits for others may have waited for this one */
        if (was_known)
                manager_note_change(m, e, true);
        entry_set_decision(e, &(struct decision) { ACTION_LEAVE_OFFLINE, REASON_NO_RULE, -1 });
        e->outcome = OUTCOME_GONE;
        if (was_known)
                manager_report(m, e, 0, 0);
        else
                manager_settle(m, e);
}

static void manager_forget_block(struct manager *m, struct entry *e) {
        manager_note_gone(m, e);
        registry_remove(&m->registry, e->block);
}

/* A new block that somebody else brought online: as wanted, or not. It stays as it is in either case. */
static void manager_meet_online(struct manager *m, struct entry *e, const struct block *b) {
        struct decision wanted;

        if (b->state != BLOCK_ONLINE)
                return;
        if (e->decided && e->outcome == OUTCOME_BUSY) { /* what became of the last write, it seems */
                e->outcome = outcome_judge((enum action) e->action, e->error, b);
                e->attempts = 0;
                manager_report(m, e, b->zones, 0);
                return;
        }
        if (e->arrival != ARRIVAL_HOT || (e->decided && e->outcome != OUTCOME_NONE))
                return;
        if (e->decided && e->reason == REASON_HELD)
                return; /* whoever asked us to wait may have meant to do it */
        policy_want(m->policy, b, manager_around(m, false), &wanted);
        manager_note_basis(m, e, b, &wanted);
        entry_set_decision(e, &wanted);
        e->outcome = outcome_judge_online(wanted.action, b);
        if (e->outcome == OUTCOME_ALREADY && m->delegated)
                e->outcome = OUTCOME_DELEGATED;
        else if (e->outcome == OUTCOME_ALREADY && apply_brings_whole(m->apply, b->device))
                e->outcome = OUTCOME_DONE;
        manager_report(m, e, b->zones, 0);
}

static void schedule_retry(struct manager *m, struct entry *e) {
        const struct retry *retry = &m->policy->retry;
        uint64_t now = manager_now_usec(m), timer = UINT64_MAX;
        int enabled = SD_EVENT_OFF;

        e->stage = STAGE_RETRY;
        e->next_usec = now + retry_delay_usec(retry, e->attempts);
        (void) sd_event_source_get_enabled(m->retry_timer, &enabled);
        if (enabled != SD_EVENT_OFF)
                (void) sd_event_source_get_time(m->retry_timer, &timer);
        (void) sd_event_source_set_time(m->retry_timer, MIN(timer, e->next_usec));
        (void) sd_event_source_set_enabled(m->retry_timer, SD_EVENT_ONESHOT);
}

/* What did not succeed, for a reason that may pass. People hear of the first and of the last attempt. */
static void entry_try_again(struct manager *m, struct entry *e, uint64_t write_usec) {
        bool last = ++e->attempts >= m->policy->retry.attempts;

        e->outcome = last ? OUTCOME_FAILED : OUTCOME_BUSY;
        if (last || e->attempts == 1)
                manager_report(m, e, 0, write_usec);
        if (last)
                e->attempts = 0;
        else
                schedule_retry(m, e);
}

static void entry_submit(struct manager *m, struct entry *e) {
        struct apply_job job = { .block = e->block, .identity = e->identity, .action = (enum action) e->action };
        int r;

        if (SOURCE_BIT(e->source) & SOURCES_DAX)
                snprintf(job.dax, sizeof(job.dax), "%.*s", (int) sizeof(job.dax) - 1,
                         registry_device_name(&m->registry, e->device));

        r = apply_submit(m->apply, &job);
        if (r < 0) {
                e->error = (int16_t) r;
                e->outcome = OUTCOME_BUSY;
                schedule_retry(m, e);
                return;
        }
        e->stage = STAGE_APPLYING;
        m->counters.writes++;
        manager_make_way(m);
}

int manager_process(struct manager *m, struct entry *e, const struct survey_item *item) {
        struct decision before = { .action = (enum action) e->action, .reason = (enum reason) e->reason, .rule = e->rule };
        struct decision decision;
        struct block block;
        bool decided = e->decided;
        int r;

        if (e->stage != STAGE_QUEUED)
                e->next_usec = manager_now_usec(m);
        r = manager_read_facts(m, e, item, &block);
        if (r == -ENOENT) {
                manager_forget_block(m, e); /* unplugged under us: not an error */
                return 0;
        }
        if (r == -EAGAIN)
                return r;
        e->stage = STAGE_IDLE;
        if (r < 0) {
                e->error = (int16_t) r;
                entry_try_again(m, e, 0);
                return 0;
        }
        if (block.state == BLOCK_OFFLINE && !m->started)
                return 0; /* until everything was looked at once: a balance counts what is online */
        manager_join_add(m, e, &block);
        if (block.state != BLOCK_OFFLINE) {
                manager_meet_online(m, e, &block);
                return 0;
        }
        manager_decide(m, e, &block, &decision);
        entry_set_decision(e, &decision);
        if (!decided && decision.action != ACTION_LEAVE_OFFLINE && manager_leaves_gap(m, e))
                return 0;
        if (decision.action != ACTION_LEAVE_OFFLINE)
                entry_submit(m, e);
        else if (decided && before.action == decision.action && before.reason == decision.reason &&
                 before.rule == decision.rule) {
                manager_settle(m, e);
                return 0; /* as ever */
        }
        decision_counts_add(&m->counters.decisions, decision.rule >= 0 ? m->policy->rules[decision.rule].name : NULL,
                            decision.action);
        if (decision.action == ACTION_LEAVE_OFFLINE)
                manager_report(m, e, 0, 0);
        return 0;
}

void manager_enqueue(struct manager *m, struct entry *e) {
        if (e->stage == STAGE_QUEUED || e->stage == STAGE_APPLYING)
                return;
        if (queue_reserve(&m->todo, m->todo.n + 1) < 0) {
                scan_request(&m->scan); /* no memory, which is what is being added: soon again */
                manager_wake(m);
                return;
        }
        queue_push(&m->todo, &e->block);
        e->stage = STAGE_QUEUED;
        e->next_usec = manager_now_usec(m);
        manager_wake(m);
}

/* The kernel may offer a zone by name and refuse it all the same, or name none: then the fallback gets its turn. */
static bool entry_fall_back(struct manager *m, struct entry *e) {
        const struct rule *rule = e->rule >= 0 ? &m->policy->rules[e->rule] : NULL;

        if (e->outcome != OUTCOME_FAILED || e->error != -EINVAL || !rule || e->reason != REASON_RULE ||
            rule->fallback == ACTION_LEAVE_OFFLINE || rule->fallback == rule->action)
                return false;
        e->action = rule->fallback;
        e->reason = REASON_FALLBACK;
        e->next_usec = manager_now_usec(m);
        entry_submit(m, e);
        return true;
}

void manager_handle_result(struct manager *m, const struct apply_result *result) {
        struct entry *e = registry_find(&m->registry, result->block);

        histogram_add(result->action == ACTION_LEAVE_OFFLINE ? &m->counters.offline_time : &m->counters.online_time,
                      result->write_usec);
        if (!e || e->stage != STAGE_APPLYING)
                return; /* unplugged since */
        e->stage = STAGE_IDLE;
        e->outcome = result->outcome;
        e->error = (int16_t) result->error;
        if (result->outcome == OUTCOME_GONE) {
                manager_forget_block(m, e);
                return;
        }
        e->state = result->state;
        e->zones = result->state == BLOCK_ONLINE ? result->zones : 0;
        manager_note_change(m, e, false);
        if (result->job) {
                manager_handle_job_result(m, e, result);
                return;
        }
        manager_note_times(m, e, result);
        if (result->action == ACTION_LEAVE_OFFLINE) {
                char why[OBSTACLE_TEXT_MAX];
                bool explained = result->state != BLOCK_OFFLINE && manager_explain(m, e, result->write_usec, why);

                manager_handle_rollback(m, e);
                manager_report_why(m, e, result->zones, result->write_usec, explained ? why : NULL);
                return;
        }
        if (result->error == 0 && result->state == BLOCK_OFFLINE) {
                entry_keep_hands_off(m, e); /* it was online, and somebody undid that at once */
                return;
        }
        if (entry_fall_back(m, e))
                return;
        if (result->outcome != OUTCOME_BUSY) {
                e->attempts = 0;
                manager_report(m, e, result->zones, result->write_usec);
                return;
        }
        entry_try_again(m, e, result->write_usec);
}

static void entry_keep_hands_off(struct manager *m, struct entry *e) {
        e->hands_off = true;
        e->rolling_back = false;
        entry_set_decision(e, &(struct decision) { ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF, -1 });
        manager_report(m, e, 0, 0);
}

/* ---- what enters -------------------------------------------------------------------------------------------------- */

/* Compare with what was known: our own writes come back as events, too. */
void manager_handle_change(struct manager *m, struct entry *e) {
        enum block_state before = (enum block_state) e->state;
        struct block b;
        int r;

        if (!e->known || e->stage == STAGE_APPLYING || e->stage == STAGE_QUEUED)
                return; /* a look at it is still to come */
        r = sysfs_read_block_zones(m->fs, e->block, &b);
        if (r == -ENOENT)
                manager_forget_block(m, e);
        if (r < 0 || b.state == before)
                return;
        e->state = b.state;
        e->zones = b.state == BLOCK_ONLINE ? b.zones : 0;
        manager_note_change(m, e, false);
        manager_note_disturbance(m);
        manager_state_changed(m, true);
        if (b.state == BLOCK_ONLINE) {
                e->stage = STAGE_IDLE; /* a retry is no longer needed */
                e->hands_off = e->rolled_back = false;
                if (!e->decided || e->reason == REASON_HANDS_OFF || e->reason == REASON_STARTUP ||
                    e->reason == REASON_HELD || e->reason == REASON_ROLLED_BACK)
                        return; /* left to others: it is theirs to bring online */
                e->outcome = e->outcome == OUTCOME_BUSY ? outcome_judge((enum action) e->action, e->error, &b)
                                                        : outcome_judge_online((enum action) e->action, &b);
                manager_report(m, e, b.zones, 0);
        } else if (b.state == BLOCK_OFFLINE && (before == BLOCK_ONLINE || before == BLOCK_GOING_OFFLINE))
                entry_keep_hands_off(m, e);
}

/* Is it still the device that was known by this number? A "remove" may have been lost. */
static bool is_same_memory(const struct manager *m, const struct entry *e) {
        uint64_t identity;

        return !e->identity || sysfs_read_identity(m->fs, e->block, &identity) < 0 || identity == e->identity;
}

struct entry *manager_meet_block(struct manager *m, uint32_t block) {
        struct entry *e = registry_find(&m->registry, block);

        if (e && !is_same_memory(m, e)) {
                evidence_expire(&m->evidence);
                manager_forget_block(m, e);
        }
        e = registry_insert(&m->registry, block);
        if (!e) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "block %" PRIu32 ": out of memory; looking again in a moment", block);
                scan_request(&m->scan);
                manager_wake(m);
        }
        return e;
}

static void handle_add(struct manager *m, uint32_t block) {
        struct entry *e;

        /* Until the first look has met it, an event proves nothing: udev replays "add" for blocks of old. */
        if (!m->started && (!m->scan.active || scan_lists(&m->scan, block)))
                return;
        e = manager_meet_block(m, block);
        if (!e)
                return;
        m->last_add_usec = manager_now_usec(m);
        if (!e->known) { /* udev's coldplug replays "add" for blocks that were there all along */
                evidence_note_add(&m->evidence);
                /* Before any fact: then none is of another block than the write, whatever comes in its place meanwhile. */
                (void) sysfs_read_identity(m->fs, block, &e->identity);
                e->arrival = ARRIVAL_HOT;
                e->seen = m->scan.active;
                manager_enqueue(m, e);
                if (m->started && !e->told) {
                        e->came = e->told = true;
                        e->next_usec = tracer_event(&m->tracer);
                }
        } else if (e->state == BLOCK_OFFLINE && !e->hands_off && !e->rolled_back)
                manager_enqueue(m, e);
}

static void handle_remove(struct manager *m, uint32_t block) {
        struct entry *e = registry_find(&m->registry, block);

        evidence_expire(&m->evidence); /* also when the writer has noticed before */
        if (e)
                manager_forget_block(m, e);
}

void manager_handle_event(struct manager *m, const struct uevent *event) {
        struct entry *e;

        m->counters.events++;
        scan_note_event(&m->scan);
        switch (event->type) {
        case UEVENT_ADD:
                handle_add(m, event->block);
                break;
        case UEVENT_REMOVE:
                handle_remove(m, event->block);
                break;
        case UEVENT_CHANGED:
                e = registry_find(&m->registry, event->block);
                if (e)
                        manager_handle_change(m, e);
                else
                        handle_add(m, event->block); /* its "add" was lost */
                break;
        case UEVENT_OVERFLOW:
                m->counters.overflows++;
                if (!m->lost_events) /* once for all that the next look will meet */
                        journal_print(LOG_WARNING, MESSAGE_OVERFLOW, "uevents were lost: looking at every block again");
                m->lost_events = true;
                scan_request(&m->scan);
                manager_wake(m);
                manager_wake_report(m); /* the status counts it, also when nothing comes of it */
                break;
        default:
                break;
        }
}
