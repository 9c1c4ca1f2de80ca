/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/judgement.h"
#include "daemon/bus-internal.h"

/* Each of them is looked at in the system: a caller who wants more asks again. */
#define EXPLAINED_MAX 1024

/* What was decided about a block, and when; or what would be, now. */
struct explanation {
        const struct report *report; /* NULL: nobody was told of a decision */
        struct judgement judgement;
        bool decided;
};

/* The decision of then, with its figures while they are known: later, the report tells them. */
static bool recall_decision(struct bus *b, const struct entry *e, struct decision *ret) {
        const struct add *add = adds_find(manager_adds(b->manager), e->add);
        struct decision d = { (enum action) e->action, (enum reason) e->reason, e->rule, {} };

        if (!e->decided)
                return false;
        if (add && add->decided && add->decision.action == d.action && add->decision.reason == d.reason)
                d.balance = add->decision.balance;
        *ret = d;
        return true;
}

static bool rule_is_needed(enum reason r) {
        return r == REASON_RULE || r == REASON_FALLBACK || r == REASON_BALANCED || r == REASON_RATIO ||
               r == REASON_ZONE_UNAVAILABLE || r == REASON_SOURCE_HIDDEN;
}

static void explain(struct bus *b, const struct entry *e, const struct block *block, struct explanation *ret) {
        const struct policy *p = manager_policy(b->manager);
        const struct report *r = history_find_block(manager_history(b->manager), e->block);
        struct explanation x = {};
        struct decision d;

        if (r && r->kind != REPORT_REMOVED && (!e->add || !r->add || r->add == e->add))
                x.report = r;
        x.decided = recall_decision(b, e, &d);
        if (x.decided && (d.rule >= 0 || !rule_is_needed(d.reason)))
                judge_decision(p, block, &d, &x.judgement);
        else {
                /* Of a daemon before this one, or by a rule that is no more: as it was told then. */
                judge(p, manager_surroundings(b->manager), block, &x.judgement);
                x.decided = x.report != NULL;
                if (x.report) {
                        x.judgement.decision.action = x.report->action;
                        x.judgement.decision.balance = x.report->balance;
                        x.judgement.decision.reason = x.report->reason;
                        x.judgement.decision.rule = -1;
                        snprintf(x.judgement.reason, sizeof(x.judgement.reason), "%s", x.report->text);
                }
        }
        *ret = x;
}

static int put_evidence(sd_bus_message *m, const struct evidence *e) {
        char text[512];

        source_describe(e, text, sizeof(text));
        return bus_put(m, "evidence", "a{sv}", 2, "text", "s", bus_text(text), "firmware_node", "s", bus_text(e->firmware_node));
}

static int put_rules(sd_bus_message *m, const struct policy *p, const struct surroundings *s, const struct block *b,
                     int decided_by) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "rules");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(ssuss)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(ssuss)");
        for (size_t i = 0; r >= 0 && i < p->n_rules; i++) {
                const struct rule *rule = &p->rules[i];
                enum match_key failed = _MATCH_INVALID;
                bool reached = decided_by < 0 || i <= (size_t) decided_by;
                bool matches = match_block(&rule->match, b, s->platforms, &failed);

                r = sd_bus_message_append(m, "(ssuss)", bus_text(rule->name), bus_text(rule->file), rule->line,
                                          !reached ? "not-reached" : matches ? "match" : "no-match",
                                          reached && !matches ? match_key_to_string(failed) : "");
        }
        for (int depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int put_decision(struct bus *b, sd_bus_message *m, const struct explanation *x) {
        const struct policy *p = manager_policy(b->manager);
        const struct decision *d = &x->judgement.decision;
        int r;

        r = bus_put(m, "decided", "b", (int) x->decided);
        if (r >= 0 && x->decided && x->report)
                r = bus_put(m, "time_usec", "t", x->report->usec);
        if (r >= 0)
                r = bus_put(m, "action", "s", action_to_string(d->action));
        if (r >= 0)
                r = bus_put(m, "zone", "s", x->judgement.zone ?: "");
        if (r >= 0 && d->rule >= 0)
                r = bus_put_rule(m, p->rules[d->rule].name, p->rules[d->rule].file, p->rules[d->rule].line);
        else if (r >= 0 && x->decided && x->report && *x->report->rule)
                r = bus_put_rule(m, x->report->rule, x->report->file, x->report->line);
        if (r >= 0)
                r = bus_put(m, "reason", "s", bus_text(x->judgement.reason));
        if (r >= 0 && d->balance.judged)
                r = bus_put_balance(m, &d->balance);
        if (r >= 0)
                r = bus_put(m, "now", "s", x->judgement.outcome);
        if (r >= 0 && x->judgement.asked)
                r = bus_put(m, "as_wanted", "b", (int) x->judgement.as_wanted);
        return r;
}

static int append_explanation(struct bus *b, sd_bus_message *m, const struct entry *e, const struct block *block,
                              const struct evidence *evidence, bool all) {
        struct explanation x;
        int r;

        explain(b, e, block, &x);
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_put(m, "block", "u", block->index);
        if (r >= 0)
                r = bus_put(m, "start", "t", block->start);
        if (r >= 0)
                r = bus_put(m, "size", "t", block->size);
        if (r >= 0)
                r = bus_put(m, "state", "s", block_state_to_string(block->state));
        if (r >= 0)
                r = bus_put(m, "source", "s", source_to_string(block->source));
        if (r >= 0)
                r = bus_put(m, "device", "s", bus_text(block->device));
        if (r >= 0)
                r = bus_put(m, "node", "i", (int32_t) node_set_next(&block->nodes, 0));
        if (r >= 0)
                r = bus_put(m, "add", "u", e->add);
        if (r >= 0)
                r = put_evidence(m, evidence);
        if (r >= 0)
                r = put_decision(b, m, &x);
        if (r >= 0 && all)
                r = put_rules(m, manager_policy(b->manager), manager_surroundings(b->manager), block,
                              x.judgement.decision.rule);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_explain(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        size_t n = 0;
        const char *text;
        int r, all;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "b", &all);
        if (r < 0 || only_check)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < registry->n && r >= 0; i++) {
                const struct entry *e = &registry->entries[i];
                struct evidence evidence;
                struct block block;

                if (!manager_selects(b->manager, &selector, e) || manager_read_block(b->manager, e, &block, &evidence) < 0)
                        continue;
                if (n++ == EXPLAINED_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s: more than %d blocks: ask for fewer at "
                                                 "a time", text, EXPLAINED_MAX);
                r = append_explanation(b, reply, e, &block, &evidence, all);
        }
        if (r >= 0 && n == 0)
                return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_BLOCK, "%s: no memory block matches", text);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r < 0 ? r : 1;
}
