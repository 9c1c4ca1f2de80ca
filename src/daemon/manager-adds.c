/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Memory that was online when the daemon came, or that somebody set offline, is nobody's add; nor is what is neither online
 * nor offline, yet. */
void manager_join_add(struct manager *m, struct entry *e, const struct block *b) {
        struct add *add;

        if (e->add || b->hands_off || (b->state != BLOCK_OFFLINE && (b->state != BLOCK_ONLINE || e->arrival != ARRIVAL_HOT)))
                return;
        add = adds_join(&m->adds, b, manager_now_usec(m));
        e->add = add->number;
        e->settled = e->timed = false;
        tracer_join(&m->tracer, add, e->came, e->told ? e->next_usec : 0);
        e->came = e->told = false;
}

/* What is online of the device already, by an earlier memhpd or by others. */
static void count_device(const struct manager *m, const struct entry *e, struct block *b) {
        for (size_t i = 0; e->device && i < m->registry.n; i++) {
                const struct entry *other = &m->registry.entries[i];

                if (other->device != e->device || other->source != e->source || other->state != BLOCK_ONLINE)
                        continue;
                if (other->zones & ZONES_KERNEL)
                        b->device_kernel += b->size;
                else if (other->zones)
                        b->device_movable += b->size;
        }
}

/* Once for each rule: what is told of a device is told of its first block. */
void manager_note_basis(struct manager *m, struct entry *e, const struct block *b, const struct decision *d) {
        struct add *add = adds_find(&m->adds, e->add);
        char text[BASIS_EVIDENCE_MAX] = "";
        struct evidence evidence;

        if (!add || (add->basis.known && add->basis_rule == d->rule))
                return;
        if (evidence_read(&m->evidence, e->block, (enum arrival) e->arrival, &evidence) >= 0)
                source_describe(&evidence, text, sizeof(text));
        basis_init(&add->basis, m->policy, b, m->around.platforms, d, text);
        add->basis_rule = d->rule;
}

/* The rules are not asked, and no figures are read. One thing is noted for later: what was rolled back before a restart gets
 * another try under another rule than the one it would go by. */
static void note_unasked(struct manager *m, struct add *add, const struct block *b) {
        if (!add || add->end_usec || add->decided || !b->rolled_back || b->hands_off)
                return;
        add->decided = true;
        policy_want(m->policy, b, manager_around(m, true), &add->decision);
}

/* The first block of a device decides for all of them; memory that comes in parts is decided part by part. */
void manager_decide(struct manager *m, struct entry *e, const struct block *b, struct decision *ret) {
        struct add *add = adds_find(&m->adds, e->add);
        bool dynamic = source_is_dynamic(b->source);
        struct block whole = *b;
        const struct surroundings *around;
        struct decision d;

        if (policy_decide_without_rules(m->policy, b, ret)) {
                note_unasked(m, add, b);
                return;
        }
        if (add && add->decided && !policy_goes_by_parts(m->policy, b, &add->decision)) {
                policy_decide_alike(m->policy, b, &add->decision, ret);
                return;
        }
        around = manager_around(m, !(add && add->decided));
        if (e->node >= 0)
                whole.tier = m->tiers[e->node]; /* a node is in a tier from its first online memory on */
        if (!dynamic)
                count_device(m, e, &whole);
        policy_decide(m->policy, &whole, around, &d);
        /* An add that is over is decided again after a reload: no less as a whole than the first time. */
        if (add) {
                add->decided = true;
                add->decision = d;
                add->decided_size = dynamic ? 0 : block_balance_size(&whole);
        }
        manager_note_basis(m, e, &whole, &d);
        manager_expect(m, b, &d, add ? block_balance_size(&whole) : b->size);
        *ret = d;
}

static enum add_fate entry_fate(const struct entry *e) {
        switch (e->outcome) {
        case OUTCOME_DONE:
        case OUTCOME_ALREADY:
        case OUTCOME_DELEGATED:
                return e->state == BLOCK_ONLINE ? ADD_FATE_ONLINE : ADD_FATE_OFFLINE; /* as somebody asked */
        case OUTCOME_GONE:
                return ADD_FATE_GONE;
        case OUTCOME_NONE:
                return e->reason == REASON_ZONE_UNAVAILABLE ? ADD_FATE_FAILED : ADD_FATE_OFFLINE;
        default:
                return ADD_FATE_FAILED;
        }
}

void manager_settle(struct manager *m, struct entry *e) {
        struct add *add = adds_find(&m->adds, e->add);

        if (!add || e->settled || e->outcome == OUTCOME_BUSY)
                return;
        e->settled = true;
        add_settle(add, entry_fate(e), manager_now_usec(m));
        if (add->n_pending == 0)
                manager_wake_report(m);
        if (add->n_pending == 1 && add->has_gap && m->has_gaps) {
                m->gap_is_due = true;
                manager_wake(m);
        }
}

void manager_note_times(struct manager *m, struct entry *e, const struct apply_result *result) {
        uint64_t queued = result->start_usec - MIN(e->next_usec, result->start_usec);

        if (result->action == ACTION_LEAVE_OFFLINE)
                return;
        e->queued_usec = (uint32_t) MIN(queued, (uint64_t) UINT32_MAX);
        e->write_usec = (uint32_t) MIN(result->write_usec, (uint64_t) UINT32_MAX);
        e->timed = true;
        tracer_write(&m->tracer, e->add, result->start_usec, result->write_usec);
}

/* ---- rollback ----------------------------------------------------------------------------------------------------- */

static void entry_set_rolled_back(struct entry *e) {
        e->rolled_back = true;
        e->action = ACTION_LEAVE_OFFLINE;
        e->reason = REASON_ROLLED_BACK;
        e->rule = -1;
}

static void submit_offline(struct manager *m, struct entry *e) {
        const struct apply_job job = { .block = e->block, .identity = e->identity, .action = ACTION_LEAVE_OFFLINE };
        struct add *add = adds_find(&m->adds, e->add);

        if (apply_submit(m->apply, &job) < 0) {
                e->rolling_back = false; /* it stays online: less than was asked for, but memory that can be used */
                e->outcome = OUTCOME_FAILED;
                manager_settle(m, e);
                return;
        }
        e->stage = STAGE_APPLYING;
        if (!add)
                return;
        add->rolling_back = true;
        if (e->settled) {
                e->settled = false;
                add->n_pending++;
        }
}

/* The last block first. What is to be is kept, if it can be, before anything of it is done: whoever starts after us goes on
 * with it, and takes none of it for an administrator's doing. */
static void submit_rollback(struct manager *m) {
        (void) keep_save(&m->keep, &m->registry, m->adds.last_number, &m->history);
        for (size_t i = m->registry.n; i > 0; i--) {
                struct entry *e = &m->registry.entries[i - 1];

                if (e->rolling_back && e->stage != STAGE_APPLYING)
                        submit_offline(m, e);
        }
        manager_wake_patience(m, m->policy->offline_timeout_usec);
        manager_state_changed(m, true);
}

/* Take back what was brought online of a device that cannot be had as a whole. */
static void roll_back(struct manager *m, struct add *add) {
        add->rolling_back = true;
        add->n_online = 0;
        for (size_t i = m->registry.n; i > 0; i--) {
                struct entry *e = &m->registry.entries[i - 1];

                if (e->add != add->number)
                        continue;
                if (e->state == BLOCK_OFFLINE) /* why it is not online was said before */
                        entry_set_rolled_back(e);
                else if (e->state == BLOCK_ONLINE && e->outcome == OUTCOME_DONE && e->stage != STAGE_APPLYING)
                        e->rolling_back = true; /* one that a job is at is what somebody asked for */
        }
        submit_rollback(m);
}

/* Under another rule than the one it would go by now, all of the device gets another try, as after any rollback. */
static void rejoin(struct manager *m, struct entry *e) {
        struct evidence evidence;
        struct block b;
        struct add *add;

        if (manager_read_block(m, e, &b, &evidence) < 0)
                return;
        add = adds_join(&m->adds, &b, manager_now_usec(m));
        e->add = add->number;
        e->settled = false;
        if (!add->decided) {
                add->decided = true;
                policy_want(m->policy, &b, manager_around(m, true), &add->decision);
        }
}

void manager_resume_rollbacks(struct manager *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->registry.n; i++) {
                struct entry *e = &m->registry.entries[i];

                if (!e->rolling_back)
                        continue;
                rejoin(m, e);
                n++;
        }
        if (n == 0)
                return;
        journal_print(LOG_NOTICE, MESSAGE_WARNING, "%zu block%s of a device that could not be had as a whole %s being taken offline when "
                      "memhpd ended: going on with that", n, n == 1 ? "" : "s", n == 1 ? "was" : "were");
        submit_rollback(m);
}

/* A block of a device that is taken back, as it was read back. */
void manager_handle_rollback(struct manager *m, struct entry *e) {
        struct add *add = adds_find(&m->adds, e->add);

        entry_set_rolled_back(e);
        e->rolling_back = false;
        if (e->state == BLOCK_OFFLINE) {
                e->outcome = OUTCOME_NONE;
                e->error = 0;
        } else {
                e->rolled_back = false;
                e->outcome = OUTCOME_FAILED;
        }
        if (add)
                add->last_usec = manager_now_usec(m);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

static const struct rule *add_rule(const struct manager *m, const struct add *add) {
        return add->decided && add->decision.rule >= 0 ? &m->policy->rules[add->decision.rule] : NULL;
}

static void report_partial(struct manager *m, const struct add *add, const char *consequence) {
        const struct rule *rule = add_rule(m, add);
        struct report r = {
                .kind = REPORT_PARTIAL, .priority = LOG_WARNING, .add = add->number, .source = add->source, .node = add->node,
                .action = add->decision.action, .reason = add->decision.reason, .outcome = OUTCOME_FAILED, .zone = _ZONE_INVALID,
                .n_blocks = add->n_blocks,
        };

        (void) sd_event_now(m->event, CLOCK_REALTIME, &r.usec);
        snprintf(r.blocks, sizeof(r.blocks), "%" PRIu32 "-%" PRIu32, add->first, add->last);
        snprintf(r.device, sizeof(r.device), "%s", add->device);
        if (rule) {
                snprintf(r.rule, sizeof(r.rule), "%s", rule->name);
                snprintf(r.file, sizeof(r.file), "%s", rule->file);
                r.line = rule->line;
        }
        snprintf(r.text, sizeof(r.text),
                 "%s%s%s: of %" PRIu32 " blocks %" PRIu32 " are online as wanted and %" PRIu32 " are not; %s",
                 source_to_string(add->source), add->device[0] ? " " : "", add->device, add->n_blocks, add->n_online,
                 add->n_failed, consequence);
        manager_tell(m, &r);
}

void manager_leave_add(struct manager *m, const struct add *add) {
        for (size_t i = 0; i < m->registry.n; i++) {
                struct entry *e = &m->registry.entries[i];

                if (e->add == add->number && (e->rolled_back || (add->end_usec && e->state == BLOCK_OFFLINE))) {
                        e->rolled_back = false;
                        e->add = 0;
                }
        }
}

static void close_add(struct manager *m, struct add *add) {
        const struct rule *rule = add_rule(m, add);

        if (!add->rolling_back && add->n_failed > 0 && add->n_online > 0) {
                if (rule && rule->rollback) {
                        report_partial(m, add, "taking all of it offline again (on_partial is \"rollback\")");
                        roll_back(m, add);
                        return;
                }
                report_partial(m, add, "it stays so (on_partial is \"keep\")");
        }
        add->end_usec = manager_now_usec(m);
        tracer_close(&m->tracer, add, &m->registry, &m->evidence, m->todo.n == 0 && apply_pending(m->apply) == 0);
        manager_note_add_size(m, add);
        manager_look_for_alerts(m);
        bus_tell_add(m->bus, add);
        /* Whoever has use for more memory has none for memory that stays offline. */
        if (m->policy->on_add_completed[0] && add->n_online > 0)
                bus_start_unit(m->bus, m->policy->on_add_completed, add->number);
        if (add->overruled) {
                manager_leave_add(m, add);
                manager_request_scan(m);
        }
}

bool manager_close_adds(struct manager *m) {
        uint64_t now = manager_now_usec(m);
        bool again = false;

        for (size_t i = 0; i < m->adds.n; i++) {
                struct add *add = &m->adds.ring[i];

                if (add->number == 0 || add->end_usec)
                        continue;
                if (add_is_over(add, now))
                        close_add(m, add);
                again = again || (!add->end_usec && add->n_pending == 0);
        }
        return again;
}
