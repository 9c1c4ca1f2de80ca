/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/judgement.h"
#include "daemon/bus-internal.h"

/* What was decided about a block, and why, by the figures of then: of blocks that are there, and of those that were. What
 * nobody decided is judged as it would be now. */

/* Each of them is looked at in the system: a caller who wants more asks again. */
#define EXPLAINED_MAX 1024

struct explanation {
        const struct report *report; /* what was told of it; NULL: nothing, or nothing yet */
        const struct basis *basis;   /* what it rests on; NULL: nobody knows, or no rule was asked */
        struct basis basis_now;
        struct judgement judgement;
        bool decided;                /* else the judgement is that of now */
        enum outcome outcome;
        int error;
};

/* ---- of a block that is there ------------------------------------------------------------------------------------- */

/* Was the report about this memory, and not about what lay there before? */
static bool is_about(const struct report *r, const struct entry *e) {
        return r && (r->add == e->add || (e->add == 0 && e->at_startup));
}

static bool has_figures(enum reason r) {
        return r == REASON_BALANCED || r == REASON_RATIO;
}

static const char *rule_name(const struct policy *p, const struct explanation *x) {
        const struct decision *d = &x->judgement.decision;

        return d->rule >= 0 ? p->rules[d->rule].name : x->decided && x->report ? x->report->rule : "";
}

/* The figures are with the hot-add while that is remembered, and with the report afterwards. Of memory that comes in parts,
 * each part has its own, which are not kept. */
static bool recall_figures(struct bus *b, const struct entry *e, const struct report *r, struct decision *d) {
        const struct add *add = adds_find(manager_adds(b->manager), e->add);

        if (!has_figures(d->reason))
                return true;
        if (source_is_dynamic((enum source) e->source))
                return false;
        if (add && add->decided && add->decision.action == d->action && add->decision.reason == d->reason)
                d->balance = add->decision.balance;
        else if (r && r->balance.judged)
                d->balance = r->balance;
        else
                return false;
        return true;
}

static const struct basis *recall_basis(struct bus *b, const struct entry *e, const struct report *r) {
        const struct add *add = adds_find(manager_adds(b->manager), e->add);

        if (!reason_is_of_rules((enum reason) e->reason))
                return NULL;
        if (r && r->basis.known)
                return &r->basis;
        return add && add->basis.known && add->basis_rule == e->rule ? &add->basis : NULL;
}

/* Whatever is not known any more was told then. */
static void retell(const struct report *r, struct explanation *x) {
        char *reason = x->judgement.reason;

        if (r)
                snprintf(reason, sizeof(x->judgement.reason), "%s", r->text);
        else
                snprintf(reason, sizeof(x->judgement.reason), "by a rule or by figures that are not known any more");
}

static void recall_entry(struct bus *b, const struct entry *e, const struct block *block, struct explanation *x) {
        struct decision d = { (enum action) e->action, (enum reason) e->reason, e->rule, {} };
        bool known;

        if (x->report && (x->report->action != d.action || x->report->reason != d.reason))
                x->report = NULL; /* of the decision before, this one will be told in a moment */
        known = recall_figures(b, e, x->report, &d) && (d.rule >= 0 || d.reason == REASON_NO_RULE || !reason_is_of_rules(d.reason));
        judge_decision(manager_policy(b->manager), block, &d, &x->judgement);
        if (!known)
                retell(x->report, x);
        x->basis = recall_basis(b, e, x->report);
        x->outcome = (enum outcome) e->outcome;
        x->error = e->error;
}

/* block: NULL where it is gone. */
static void recall_report(struct bus *b, const struct report *r, const struct block *block, struct explanation *x) {
        const struct decision d = { r->action, r->reason, -1, r->balance };

        x->judgement = (struct judgement) { .decision = d, .zone = zone_to_string(r->zone) ?: action_zone_name(r->action) };
        if (block)
                judge_decision(manager_policy(b->manager), block, &d, &x->judgement);
        else
                snprintf(x->judgement.outcome, sizeof(x->judgement.outcome), "unplugged");
        retell(r, x);
        x->basis = r->basis.known ? &r->basis : NULL;
        x->outcome = r->outcome;
        x->error = r->error;
}

static void explain(struct bus *b, const struct entry *e, const struct block *block, const char *evidence,
                    struct explanation *x) {
        const struct policy *p = manager_policy(b->manager);
        const struct surroundings *s = manager_surroundings(b->manager);
        const struct report *r = history_find_decision(manager_history(b->manager), e->block);

        *x = (struct explanation) { .report = is_about(r, e) ? r : NULL, .decided = true };
        if (e->decided)
                recall_entry(b, e, block, x);
        else if (x->report)
                recall_report(b, x->report, block, x);
        else {
                judge(p, s, block, &x->judgement);
                basis_init(&x->basis_now, p, block, s->platforms, &x->judgement.decision, evidence);
                x->basis = &x->basis_now;
                x->decided = false;
        }
}

/* ---- in words ----------------------------------------------------------------------------------------------------- */

static void put_facts(struct writer *w, const struct basis *basis, enum source source, int node, const char *device) {
        writer_put(w, "facts", "a{sv}", 6, "source", "s", source_to_string(source), "node", "i", (int32_t) node, "address", "t",
                   basis->start, "size", "t", basis->device_size, "device", "s", bus_text(device), "tier", "i",
                   (int32_t) basis->tier);
        writer_open_array(w, "platforms", "s");
        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (basis->platforms & PLATFORM_BIT(p))
                        writer_append(w, "s", platform_to_string(p));
        writer_close_array(w);
        writer_open_array(w, "conditions", "s");
        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (basis->conditions & MATCH_BIT(k))
                        writer_append(w, "s", match_key_to_string(k));
        writer_close_array(w);
}

static void put_decider(struct writer *w, const struct policy *p, const struct explanation *x, bool as_row) {
        const struct decision *d = &x->judgement.decision;
        const char *name = rule_name(p, x), *file = d->rule >= 0 ? p->rules[d->rule].file : x->report ? x->report->file : "";
        unsigned line = d->rule >= 0 ? p->rules[d->rule].line : x->report ? x->report->line : 0;

        if (!*name)
                return;
        if (!as_row)
                writer_put_rule(w, name, file, line);
        else if (d->reason == REASON_SOURCE_HIDDEN)
                writer_append(w, "(ssuss)", bus_text(name), bus_text(file), line, "hidden", match_key_to_string(MATCH_SOURCE));
        else
                writer_append(w, "(ssuss)", bus_text(name), bus_text(file), line, "match", "");
}

static void put_rules(struct writer *w, const struct policy *p, const struct explanation *x) {
        const char *passed = x->basis ? x->basis->passed : "";
        struct basis_rule rule;
        uint32_t n = 0;

        writer_open_array(w, "rules", "(ssuss)");
        for (; basis_next(&passed, &rule); n++)
                writer_append(w, "(ssuss)", bus_text(rule.name), bus_text(rule.file), rule.line, "no-match",
                              match_key_to_string(rule.failed));
        put_decider(w, p, x, true);
        for (size_t i = (size_t) x->judgement.decision.rule + 1; x->judgement.decision.rule >= 0 && i < p->n_rules; i++)
                writer_append(w, "(ssuss)", bus_text(p->rules[i].name), bus_text(p->rules[i].file), p->rules[i].line, "not-reached",
                              "");
        writer_close_array(w);
        writer_put(w, "rules_left_out", "u", x->basis ? x->basis->n_passed - n : 0);
}

static void put_decision(struct writer *w, const struct policy *p, const struct explanation *x) {
        const struct decision *d = &x->judgement.decision;

        writer_put(w, "decided", "b", (int) x->decided);
        if (x->decided && x->report)
                writer_put(w, "time_usec", "t", x->report->usec);
        writer_put(w, "action", "s", action_to_string(d->action));
        writer_put(w, "zone", "s", x->judgement.zone ?: "");
        put_decider(w, p, x, false);
        writer_put(w, "cause", "s", reason_to_string(d->reason));
        writer_put(w, "reason", "s", bus_text(x->judgement.reason));
        if (d->balance.judged)
                writer_put_balance(w, &d->balance);
        if (x->decided) {
                writer_put(w, "outcome", "s", outcome_to_string(x->outcome));
                writer_put(w, "errno", "i", (int32_t) -x->error);
        }
        if (x->report && *x->report->why)
                writer_put(w, "why", "s", bus_text(x->report->why));
        writer_put(w, "now", "s", x->judgement.outcome);
        if (x->judgement.asked)
                writer_put(w, "as_wanted", "b", (int) x->judgement.as_wanted);
}

struct subject {
        uint32_t block, add;
        uint64_t size;
        const char *state, *device, *firmware_node, *evidence;
        const char *iomem, *machine; /* the rest of the evidence, as it is now */
        enum source source;
        int node;
};

static void append_explanation(struct writer *w, const struct policy *p, const struct subject *s, const struct explanation *x,
                               bool all) {
        const char *evidence = x->basis ? x->basis->evidence : s->evidence;

        writer_open(w, 'a', "{sv}");
        writer_put(w, "block", "u", s->block);
        writer_put(w, "start", "t", s->block * s->size);
        writer_put(w, "size", "t", s->size);
        writer_put(w, "state", "s", s->state);
        writer_put(w, "source", "s", source_to_string(s->source));
        writer_put(w, "device", "s", bus_text(s->device));
        writer_put(w, "node", "i", (int32_t) s->node);
        writer_put(w, "add", "u", s->add);
        writer_put(w, "evidence", "a{sv}", 4, "text", "s", bus_text(evidence), "firmware_node", "s", bus_text(s->firmware_node),
                   "iomem", "s", bus_text(s->iomem), "machine", "s", s->machine);
        put_decision(w, p, x);
        if (x->basis)
                put_facts(w, x->basis, s->source, s->node, s->device);
        if (all)
                put_rules(w, p, x);
        writer_close(w);
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */

struct request {
        const struct selector *selector;
        int all;
        size_t n, max;
};

/* Where it lies in /proc/iomem. */
static void describe_place(const struct evidence *e, char *buf, size_t size) {
        struct evidence place = *e;

        place.firmware_node[0] = '\0';
        *buf = '\0';
        if (e->ram)
                source_describe(&place, buf, size);
}

static void explain_present(struct writer *w, struct bus *b, struct request *q) {
        const struct registry *registry = manager_registry(b->manager);

        for (size_t i = 0; i < registry->n && q->n <= q->max; i++) {
                const struct entry *e = &registry->entries[i];
                char text[BASIS_EVIDENCE_MAX], place[BASIS_EVIDENCE_MAX];
                struct explanation x;
                struct evidence evidence;
                struct block block;

                if (!manager_selects(b->manager, q->selector, e) ||
                    manager_read_block(b->manager, e, &block, &evidence) < 0 || ++q->n > q->max)
                        continue;
                source_describe(&evidence, text, sizeof(text));
                describe_place(&evidence, place, sizeof(place));
                explain(b, e, &block, text, &x);
                append_explanation(w, manager_policy(b->manager), &(struct subject) {
                        .block = e->block, .add = e->add, .size = block.size, .state = block_state_to_string(block.state),
                        .device = block.device, .source = block.source, .node = node_set_next(&block.nodes, 0),
                        .firmware_node = evidence.firmware_node, .evidence = text, .iomem = place,
                        .machine = machine_to_string(evidence.machine),
                }, &x, q->all);
        }
}

static void append_gone(struct writer *w, struct bus *b, uint32_t block, const struct report *r, const struct request *q) {
        struct explanation x = { .report = r, .decided = true };

        recall_report(b, r, NULL, &x);
        append_explanation(w, manager_policy(b->manager), &(struct subject) {
                .block = block, .add = r->add, .size = sysfs_block_size(manager_sysfs(b->manager)), .state = "removed",
                .device = r->device, .source = r->source, .node = r->node, .firmware_node = "", .evidence = "",
                .iomem = "", .machine = "",
        }, &x, q->all);
}

/* Who names blocks, or what they came with, may mean what is gone; who names a place or a kind means what is there. */
static bool may_mean_gone(const struct selector *s) {
        return s->kind == SELECTOR_BLOCKS || s->kind == SELECTOR_ADDRESS || s->kind == SELECTOR_ADD || s->kind == SELECTOR_DEVICE;
}

/* What came with a hot-add or a device is meant as a whole. */
static bool is_meant(struct bus *b, const struct selector *s, uint32_t block) {
        return s->kind == SELECTOR_ADD || s->kind == SELECTOR_DEVICE ||
               selector_may_match(s, block, sysfs_block_size(manager_sysfs(b->manager)));
}

static bool is_gone(struct bus *b, const struct request *q, uint32_t block, const struct report *r) {
        return is_meant(b, q->selector, block) && !registry_find(manager_registry(b->manager), block) &&
               history_find_decision(manager_history(b->manager), block) == r;
}

/* From the newest report to the oldest; each block's last decision is the one that is told. */
static void explain_gone(struct writer *w, struct bus *b, struct request *q) {
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        const struct history *h = manager_history(b->manager);

        for (size_t i = h->n; i > 0 && may_mean_gone(q->selector); i--) {
                const struct report *r = history_get(h, i - 1);
                const char *blocks = r->blocks;
                struct tally_run run;

                if (!report_is_decision(r) || !report_matches(r, q->selector, size))
                        continue;
                while (report_next_run(&blocks, &run))
                        for (uint64_t block = run.first; block <= run.last && q->n <= q->max; block++)
                                if (is_gone(b, q, (uint32_t) block, r) && ++q->n <= q->max)
                                        append_gone(w, b, (uint32_t) block, r, q);
        }
}

int bus_explain(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        struct request q = { .selector = &selector, .max = EXPLAINED_MAX };
        const char *text;
        struct writer w;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "b", &q.all);
        if (r < 0 || only_check)
                return r;
        if (q.all)
                q.max = MIN(q.max, BUS_ROWS_MAX / (manager_policy(b->manager)->n_rules + 1) + 1);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        explain_present(&w, b, &q);
        explain_gone(&w, b, &q);
        writer_close(&w);
        if (q.n == 0)
                w.r = sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_BLOCK, "%s: no memory block matches, nor is one remembered", text);
        else if (q.n > q.max)
                w.r = sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s: more than %zu blocks: ask for fewer at a time",
                                        text, q.max);
        return writer_reply(&w);
}
