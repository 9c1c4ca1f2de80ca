/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/explanation.h"

#include <string.h>

static void explanation_done(struct explanation *x) {
        free(x->evidence);
        json_decref(x->evidence_json);
        json_decref(x->decision);
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

void explanation_set_fact(struct explanation *x, const struct fact *fact) {
        char evidence[EVIDENCE_TEXT_MAX];

        source_describe(&fact->evidence, evidence, sizeof(evidence));
        x->block = fact->block;
        x->evidence = format_text("%s", evidence);
        x->evidence_json = json_evidence(&fact->evidence);
}

/* ---- decisions ---------------------------------------------------------------------------------------------------- */

json_t *decision_new(const char *action, const char *zone, json_t *rule, const char *reason, const char *now, json_t *as_wanted) {
        json_t *d = json_new_object();

        json_set(d, "action", json_text(action));
        json_set(d, "zone", json_name(zone));
        json_set(d, "rule", rule);
        json_set(d, "reason", json_text(reason));
        json_set(d, "now", json_text(now));
        json_set(d, "as_wanted", as_wanted);
        json_set(d, "decided", json_false());
        json_set(d, "time_usec", json_null());
        json_set(d, "balance", json_null());
        return d;
}

const char *decision_text(const json_t *decision, const char *key) {
        return json_string_value(json_object_get(decision, key)) ?: "";
}

/* ---- the daemon's ------------------------------------------------------------------------------------------------- */

static json_t *get_or_null(const json_t *x, const char *key) {
        json_t *value = json_object_get(x, key);

        return value ? json_incref(value) : json_null();
}

static json_t *take_decision(const json_t *x) {
        json_t *d = decision_new(decision_text(x, "action"), decision_text(x, "zone"), get_or_null(x, "rule"),
                                 decision_text(x, "reason"), decision_text(x, "now"), get_or_null(x, "as_wanted")),
               *balance = get_or_null(x, "balance");

        /* No node is -1 there. */
        if (json_integer_value(json_object_get(balance, "node")) < 0)
                json_set(balance, "node", json_null());
        json_set(d, "decided", get_or_null(x, "decided"));
        json_set(d, "time_usec", get_or_null(x, "time_usec"));
        json_set(d, "balance", balance);
        return d;
}

static json_t *take_evidence(const json_t *evidence) {
        json_t *object = json_new_object();

        json_set(object, "firmware_node", json_name(decision_text(evidence, "firmware_node")));
        json_set(object, "iomem", json_name(decision_text(evidence, "iomem")));
        json_set(object, "machine", json_text(decision_text(evidence, "machine")));
        return object;
}

/* [[NAME,FILE,LINE,RESULT,FAILED],…] */
static json_t *take_rules(const json_t *rows) {
        json_t *array = json_new_array(), *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                json_t *rule = json_new_object();

                json_set(rule, "name", json_incref(json_array_get(row, 0)));
                json_set(rule, "file", json_incref(json_array_get(row, 1)));
                json_set(rule, "line", json_incref(json_array_get(row, 2)));
                json_set(rule, "result", json_incref(json_array_get(row, 3)));
                json_set(rule, "failed", json_name(json_string_value(json_array_get(row, 4)) ?: ""));
                json_add(array, rule);
        }
        return array;
}

static void take(const struct block *b, const json_t *x, void *userdata) {
        const json_t *evidence = json_object_get(x, "evidence"), *tier = json_object_get(x, "tier");
        struct explanations *e = userdata;
        struct explanation *ret = explanations_add(e);

        ret->block = *b;
        ret->block.device_size = (uint64_t) json_integer_value(json_object_get(x, "device_size"));
        ret->block.tier = json_is_integer(tier) ? (int16_t) json_integer_value(tier) : -1;
        ret->add = (uint32_t) json_integer_value(json_object_get(x, "add"));
        ret->evidence = format_text("%s", decision_text(evidence, "text"));
        ret->evidence_json = take_evidence(evidence);
        ret->decision = take_decision(x);
        ret->rules = e->all_rules ? take_rules(json_object_get(x, "rules")) : NULL;
}

enum status explanations_ask(struct explanations *e, struct client *c, const struct answers *blocks) {
        return answers_explain(blocks, c, e->all_rules, take, e);
}
