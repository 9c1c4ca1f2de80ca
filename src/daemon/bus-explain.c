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

static void put_evidence(struct writer *w, const struct evidence *e) {
        char text[512];

        source_describe(e, text, sizeof(text));
        writer_put(w, "evidence", "a{sv}", 2, "text", "s", bus_text(text), "firmware_node", "s", bus_text(e->firmware_node));
}

static void put_rules(struct writer *w, const struct policy *p, const struct surroundings *s, const struct block *b,
                      int decided_by) {
        writer_open_array(w, "rules", "(ssuss)");
        for (size_t i = 0; i < p->n_rules; i++) {
                const struct rule *rule = &p->rules[i];
                enum match_key failed = _MATCH_INVALID;
                bool reached = decided_by < 0 || i <= (size_t) decided_by;
                bool matches = match_block(&rule->match, b, s->platforms, &failed);

                writer_append(w, "(ssuss)", bus_text(rule->name), bus_text(rule->file), rule->line,
                              !reached ? "not-reached" : matches ? "match" : "no-match",
                              reached && !matches ? match_key_to_string(failed) : "");
        }
        writer_close_array(w);
}

static void put_decision(struct writer *w, struct bus *b, const struct explanation *x) {
        const struct policy *p = manager_policy(b->manager);
        const struct decision *d = &x->judgement.decision;

        writer_put(w, "decided", "b", (int) x->decided);
        if (x->decided && x->report)
                writer_put(w, "time_usec", "t", x->report->usec);
        writer_put(w, "action", "s", action_to_string(d->action));
        writer_put(w, "zone", "s", x->judgement.zone ?: "");
        if (d->rule >= 0)
                writer_put_rule(w, p->rules[d->rule].name, p->rules[d->rule].file, p->rules[d->rule].line);
        else if (x->decided && x->report && *x->report->rule)
                writer_put_rule(w, x->report->rule, x->report->file, x->report->line);
        writer_put(w, "reason", "s", bus_text(x->judgement.reason));
        if (d->balance.judged)
                writer_put_balance(w, &d->balance);
        writer_put(w, "now", "s", x->judgement.outcome);
        if (x->judgement.asked)
                writer_put(w, "as_wanted", "b", (int) x->judgement.as_wanted);
}

static void append_explanation(struct writer *w, struct bus *b, const struct entry *e, const struct block *block,
                               const struct evidence *evidence, bool all) {
        struct explanation x;

        explain(b, e, block, &x);
        writer_open(w, 'a', "{sv}");
        writer_put(w, "block", "u", block->index);
        writer_put(w, "start", "t", block->start);
        writer_put(w, "size", "t", block->size);
        writer_put(w, "state", "s", block_state_to_string(block->state));
        writer_put(w, "source", "s", source_to_string(block->source));
        writer_put(w, "device", "s", bus_text(block->device));
        writer_put(w, "node", "i", (int32_t) node_set_next(&block->nodes, 0));
        writer_put(w, "add", "u", e->add);
        put_evidence(w, evidence);
        put_decision(w, b, &x);
        if (all)
                put_rules(w, manager_policy(b->manager), manager_surroundings(b->manager), block, x.judgement.decision.rule);
        writer_close(w);
}

int bus_explain(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        const char *text;
        struct writer w;
        size_t n = 0;
        int r, all;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "b", &all);
        if (r < 0 || only_check)
                return r;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        for (size_t i = 0; i < registry->n && n <= EXPLAINED_MAX; i++) {
                const struct entry *e = &registry->entries[i];
                struct evidence evidence;
                struct block block;

                if (!manager_selects(b->manager, &selector, e) || manager_read_block(b->manager, e, &block, &evidence) < 0)
                        continue;
                if (++n <= EXPLAINED_MAX)
                        append_explanation(&w, b, e, &block, &evidence, all);
        }
        writer_close(&w);
        if (n == 0)
                w.r = sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_BLOCK, "%s: no memory block matches", text);
        if (n > EXPLAINED_MAX)
                w.r = sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s: more than %d blocks: ask for fewer at a time",
                                        text, EXPLAINED_MAX);
        return writer_reply(&w);
}
