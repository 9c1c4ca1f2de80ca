/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/explanation.h"

#include <string.h>

#include "ctl/policy.h"
#include "ctl/reports.h"

static void explanation_done(struct explanation *x) {
        free(x->evidence);
        json_decref(x->evidence_json);
        json_decref(x->decision);
        json_decref(x->basis);
        json_decref(x->rules);
}

void explanations_done(struct explanations *e) {
        for (size_t i = 0; i < e->n; i++)
                explanation_done(&e->items[i]);
        free(e->items);
        *e = (struct explanations) {};
}

struct explanation *explanations_add(struct explanations *e) {
        if (!GROW(e->items, e->n, e->capacity))
                out_of_memory();
        e->items[e->n] = (struct explanation) {};
        return &e->items[e->n++];
}

/* ---- the parts of one --------------------------------------------------------------------------------------------- */

/* rule and as_wanted are taken over; the other keys are for those who know of them. */
static json_t *decision_new(const char *action, const char *zone, json_t *rule, const char *cause, const char *reason,
                            const char *now, json_t *as_wanted) {
        static const char *const others[] = { "time_usec", "balance", "outcome", "errno", "why" };
        json_t *d = json_new_object();

        json_set(d, "action", json_text(action));
        json_set(d, "zone", json_name(zone));
        json_set(d, "rule", rule);
        json_set(d, "cause", json_text(cause));
        json_set(d, "reason", json_text(reason));
        json_set(d, "now", json_text(now));
        json_set(d, "as_wanted", as_wanted);
        json_set(d, "decided", json_false());
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                json_set(d, others[i], json_null());
        return d;
}

/* What the conditions of rules are about. */
static json_t *facts_new(enum source source, int node, uint64_t address, uint64_t size, const char *device, int tier) {
        json_t *facts = json_new_object();

        json_set(facts, "source", json_text(source_to_string(source)));
        json_set(facts, "node", node >= 0 ? json_integer(node) : json_null());
        json_set(facts, "address", json_unsigned(address));
        json_set(facts, "size", size ? json_unsigned(size) : json_null());
        json_set(facts, "device", json_name(device));
        json_set(facts, "tier", tier >= 0 ? json_integer(tier) : json_null());
        return facts;
}

static json_t *basis_new(const struct basis *b, enum source source, int node, const char *device) {
        json_t *object, *conditions = json_new_array();

        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (b->conditions & MATCH_BIT(k))
                        json_add(conditions, json_text(match_key_to_string(k)));
        object = json_new_object();
        json_set(object, "facts", facts_new(source, node, b->start, b->device_size, device, b->tier));
        json_set(object, "platforms", json_platforms(b->platforms));
        json_set(object, "conditions", conditions);
        return object;
}

static json_t *rule_new(const char *name, const char *file, unsigned line, const char *result, const char *failed) {
        json_t *rule = json_new_object();

        json_set(rule, "name", json_text(name));
        json_set(rule, "file", json_text(file));
        json_set(rule, "line", json_unsigned(line));
        json_set(rule, "result", json_text(result));
        json_set(rule, "failed", json_name(failed));
        return rule;
}

/* ---- from the system itself --------------------------------------------------------------------------------------- */

void explanation_set_fact(struct explanation *x, const struct fact *fact) {
        char evidence[EVIDENCE_TEXT_MAX];

        source_describe(&fact->evidence, evidence, sizeof(evidence));
        x->block = fact->block;
        x->evidence = format_text("%s", evidence);
        x->evidence_json = json_evidence(&fact->evidence);
}

/* Of the rule that decides, everything matched. */
static json_t *judge_rules(const struct policy *p, const struct surroundings *s, const struct block *b, const struct decision *d) {
        json_t *array = json_new_array();

        for (size_t i = 0; i < p->n_rules; i++) {
                const struct rule *r = &p->rules[i];
                enum match_key key = _MATCH_INVALID;

                if (d->rule >= 0 && i > (size_t) d->rule)
                        json_add(array, rule_new(r->name, r->file, r->line, "not-reached", ""));
                else if (match_block(&r->match, b, s->platforms, &key))
                        json_add(array, rule_new(r->name, r->file, r->line, "match", ""));
                else
                        json_add(array, rule_new(r->name, r->file, r->line,
                                                 d->rule == (int) i && d->reason == REASON_SOURCE_HIDDEN ? "hidden" : "no-match",
                                                 match_key_to_string(key)));
        }
        return array;
}

void explanation_set_judgement(struct explanation *x, const struct policy *p, const struct surroundings *s, bool all_rules) {
        const struct block *b = &x->block;
        struct judgement j;
        struct basis basis;

        judge(p, s, b, &j);
        x->decision = decision_new(action_to_string(j.decision.action), j.zone ?: "",
                                   j.decision.rule >= 0 ? json_rule(&p->rules[j.decision.rule]) : json_null(),
                                   reason_to_string(j.decision.reason), j.reason, j.outcome,
                                   j.asked ? json_boolean(j.as_wanted) : json_null());
        json_set(x->decision, "balance", json_balance(&j.decision.balance));
        basis_init(&basis, p, b, s->platforms, &j.decision, x->evidence);
        x->basis = basis_new(&basis, b->source, node_set_next(&b->nodes, 0), b->device);
        if (all_rules)
                x->rules = judge_rules(p, s, b, &j.decision);
}

/* ---- from what was told ------------------------------------------------------------------------------------------- */

static json_t *report_rules(const struct report *r) {
        json_t *array = json_new_array();
        const char *passed = r->basis.passed;
        struct basis_rule rule;

        while (basis_next(&passed, &rule))
                json_add(array, rule_new(rule.name, rule.file, rule.line, "no-match", match_key_to_string(rule.failed)));
        if (*r->rule)
                json_add(array, rule_new(r->rule, r->file, r->line, "match", ""));
        return array;
}

void explanation_set_report(struct explanation *x, const struct report *r, bool all_rules) {
        json_auto_t *report = report_to_json(r);

        x->block.source = r->source;
        if (r->node >= 0)
                node_set_add(&x->block.nodes, (unsigned) r->node);
        snprintf(x->block.device, sizeof(x->block.device), "%s", r->device);
        x->add = r->add;
        x->evidence = format_text("%s", r->basis.known ? r->basis.evidence : "");
        x->evidence_json = json_null();
        x->decision = decision_new(action_to_string(r->action), zone_to_string(r->zone) ?: action_zone_name(r->action) ?: "",
                                   json_incref(json_object_get(report, "rule")), reason_to_string(r->reason), r->text,
                                   "no longer there", json_null());
        json_set(x->decision, "decided", json_true());
        json_set(x->decision, "time_usec", json_unsigned(r->usec));
        json_set(x->decision, "balance", json_balance(&r->balance));
        json_set(x->decision, "outcome", json_text(outcome_to_string(r->outcome)));
        json_set(x->decision, "errno", r->error ? json_integer(-r->error) : json_null());
        json_set(x->decision, "why", json_name(r->why));
        if (r->basis.known)
                x->basis = basis_new(&r->basis, r->source, r->node, r->device);
        if (all_rules)
                x->rules = report_rules(r);
}

/* ---- from the daemon ---------------------------------------------------------------------------------------------- */

/* Null where it is not there, or says that it does not apply. */
static json_t *take_key(const json_t *object, const char *key) {
        json_t *value = json_object_get(object, key);
        bool none = !value || (json_is_integer(value) && json_integer_value(value) < 0) || (json_is_string(value) && !*json_string_value(value));

        return none ? json_null() : json_incref(value);
}

static void complete_balance(json_t *balance) {
        static const char *const keys[] = { "node", "percent_before", "percent_after" };

        for (size_t i = 0; json_is_object(balance) && i < ARRAY_SIZE(keys); i++)
                json_set(balance, keys[i], take_key(balance, keys[i]));
}

static json_t *take_decision(const json_t *answer) {
        static const char *const others[] = { "time_usec", "balance", "outcome", "errno", "why", "decided" };
        json_t *d = decision_new(json_get_text(answer, "action"), json_get_text(answer, "zone"), take_key(answer, "rule"),
                                 json_get_text(answer, "cause"), json_get_text(answer, "reason"), json_get_text(answer, "now"),
                                 take_key(answer, "as_wanted"));

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                json_set(d, others[i], take_key(answer, others[i]));
        if (json_integer_value(json_object_get(d, "errno")) == 0)
                json_set(d, "errno", json_null());
        complete_balance(json_object_get(d, "balance"));
        return d;
}

static json_t *take_basis(const json_t *answer) {
        static const char *const keys[] = { "source", "node", "address", "size", "device", "tier" };
        const json_t *facts = json_object_get(answer, "facts");
        json_t *basis, *copy;

        if (!json_is_object(facts))
                return NULL;
        copy = json_new_object();
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                json_set(copy, keys[i], take_key(facts, keys[i]));
        if (json_integer_value(json_object_get(copy, "size")) == 0)
                json_set(copy, "size", json_null());
        basis = json_new_object();
        json_set(basis, "facts", copy);
        json_set(basis, "platforms", take_key(answer, "platforms"));
        json_set(basis, "conditions", take_key(answer, "conditions"));
        return basis;
}

static json_t *take_evidence(const json_t *evidence) {
        json_t *object = json_new_object();

        json_set(object, "firmware_node", take_key(evidence, "firmware_node"));
        json_set(object, "iomem", take_key(evidence, "iomem"));
        json_set(object, "machine", take_key(evidence, "machine"));
        return object;
}

/* [[NAME,FILE,LINE,RESULT,FAILED],…] */
static json_t *take_rules(const json_t *rows) {
        json_t *array = json_new_array(), *row;
        size_t i;

        json_array_foreach(rows, i, row)
                json_add(array, rule_new(json_string_value(json_array_get(row, 0)) ?: "", json_string_value(json_array_get(row, 1)) ?: "",
                                         (unsigned) json_integer_value(json_array_get(row, 2)),
                                         json_string_value(json_array_get(row, 3)) ?: "", json_string_value(json_array_get(row, 4)) ?: ""));
        return array;
}

void explanation_set_answer(struct explanation *x, const json_t *answer, bool all_rules) {
        const json_t *evidence = json_object_get(answer, "evidence");

        explanation_done(x);
        x->add = (uint32_t) json_integer_value(json_object_get(answer, "add"));
        x->evidence = format_text("%s", json_get_text(evidence, "text"));
        x->evidence_json = take_evidence(evidence);
        x->decision = take_decision(answer);
        x->basis = take_basis(answer);
        x->rules = all_rules ? take_rules(json_object_get(answer, "rules")) : NULL;
}

static void take(const struct block *b, const json_t *answer, void *userdata) {
        struct explanations *e = userdata;
        struct explanation *x = explanations_add(e);

        x->block = *b;
        explanation_set_answer(x, answer, e->all_rules);
}

enum status explanations_ask(struct explanations *e, struct client *c, const struct answers *blocks) {
        return answers_explain(blocks, c, e->all_rules, take, e);
}
