/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "core/judgement.h"
#include "ctl/around.h"
#include "ctl/explanation.h"
#include "ctl/gone.h"
#include "ctl/moment.h"
#include "ctl/policy.h"
#include "ctl/verb.h"

static bool rule_is_reached(const struct decision *d, size_t i) {
        return d->rule < 0 || i <= (size_t) d->rule;
}

/* Did any rule up to the one that decides ask where the block came from? */
static bool source_matters(const struct policy *p, const struct decision *d) {
        for (size_t i = 0; i < p->n_rules && rule_is_reached(d, i); i++)
                if (p->rules[i].match.sources || p->rules[i].match.n_devices || p->rules[i].match.sizes.n)
                        return true;
        return false;
}

/* What it means that the source is unknown; NULL if it means nothing. */
static const char *find_caveat(const struct policy *p, const struct fact *fact, const struct decision *d) {
        const struct evidence *e = &fact->evidence;

        if (fact->block.source != SOURCE_UNKNOWN || !source_matters(p, d))
                return NULL;
        if (!e->iomem || e->iomem->hidden)
                return "the source is unknown only because /proc/iomem does not tell it here, so that rules with a source "
                       "were passed over: memhpd, which reads it, may decide by another rule";
        if (e->ram)
                return "on this machine hot-added memory looks like memory that was there at boot: memhpd, which sees it "
                       "arrive, may decide by another rule";
        return "nothing tells where it came from, so that rules with a source were passed over";
}

static json_t *json_rules(const struct policy *p, const struct surroundings *s, const struct block *b, const struct decision *d) {
        json_t *array = json_new_array();

        for (size_t i = 0; i < p->n_rules; i++) {
                json_t *rule = json_rule(&p->rules[i]);
                enum match_key key;
                bool matches = match_block(&p->rules[i].match, b, s->platforms, &key);

                if (!rule_is_reached(d, i)) {
                        json_set(rule, "result", json_text("not-reached"));
                        json_set(rule, "failed", json_null());
                } else {
                        json_set(rule, "result", json_text(matches ? "match" : "no-match"));
                        json_set(rule, "failed", matches ? json_null() : json_text(match_key_to_string(key)));
                }
                json_add(array, rule);
        }
        return array;
}

/* By the policy of the files, with the figures of now. */
static void judge_fact(const struct policy *p, const struct surroundings *s, const struct fact *fact, struct explanation *x,
                       bool all_rules) {
        struct judgement j;

        judge(p, s, &fact->block, &j);
        explanation_set_fact(x, fact);
        x->decision = decision_new(action_to_string(j.decision.action), j.zone ?: "",
                                   j.decision.rule >= 0 ? json_rule(&p->rules[j.decision.rule]) : json_null(), j.reason, j.outcome,
                                   j.asked ? json_boolean(j.as_wanted) : json_null());
        json_set(x->decision, "balance", json_balance(&j.decision.balance));
        x->caveat = find_caveat(p, fact, &j.decision);
        if (all_rules)
                x->rules = json_rules(p, s, &fact->block, &j.decision);
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

/* What the block has where the rule asks for something else. */
static char *format_condition(const struct block *b, const char *key) {
        _cleanup_free_ char *nodes = format_nodes(&b->nodes);
        char size[FORMAT_SIZE_MAX];
        enum match_key k = 0;

        while (k < _MATCH_MAX && strcmp(match_key_to_string(k), key) != 0)
                k++;
        switch (k) {
        case MATCH_SOURCE:
                return format_text("source is %s", source_to_string(b->source));
        case MATCH_NODE:
                return format_text("node is %s", *nodes ? nodes : "unknown");
        case MATCH_ADDRESS:
                return format_text("address is 0x%" PRIx64, b->start);
        case MATCH_SIZE:
                return b->device_size ? format_text("the device's size is %s", format_size(b->device_size, size))
                                      : format_text("the device's size is unknown");
        case MATCH_DEVICE:
                return format_text("device is %s", *b->device ? b->device : "unknown");
        case MATCH_TIER:
                return b->tier >= 0 ? format_text("memory tier is %d", b->tier) : format_text("memory tier is unknown");
        default:
                return format_text("%s differs", key);
        }
}

static void print_rules(const struct explanation *x) {
        json_t *rule;
        size_t i;

        json_array_foreach(x->rules, i, rule) {
                const char *name = decision_text(rule, "name"), *file = decision_text(rule, "file"), *result = decision_text(rule, "result");
                long long line = (long long) json_integer_value(json_object_get(rule, "line"));

                if (strcmp(result, "not-reached") == 0)
                        print_field("not reached", "rule \"%s\" (%s:%lld)", name, file, line);
                else if (strcmp(result, "no-match") == 0) {
                        _cleanup_free_ char *condition = format_condition(&x->block, decision_text(rule, "failed"));

                        print_field("no match", "rule \"%s\" (%s:%lld): %s", name, file, line, condition);
                }
        }
}

static void print_run(const struct explanation *x, uint32_t last, uint64_t block_size, const struct options *o) {
        const struct block *b = &x->block;
        const char *zone = decision_text(x->decision, "zone");
        const json_t *time = json_object_get(x->decision, "time_usec");
        struct run run = { .block = *b, .last = last };
        char blocks[RUN_TEXT_MAX], address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX], when[MOMENT_TEXT_MAX];
        _cleanup_free_ char *nodes = format_nodes(&b->nodes);

        printf("%s %s (%s, %s)\n", last > b->index ? "blocks" : "block", run_format_blocks(&run, blocks),
               run_format_address(&run, block_size, address), format_bytes(run_size(&run, block_size), o->bytes, size));
        print_field("action", "%s", decision_text(x->decision, "action"));
        if (*zone)
                print_field("zone", "%s", zone);
        print_field("reason", "%s", decision_text(x->decision, "reason"));
        if (json_is_integer(time))
                print_field("decided", "%s", moment_format((uint64_t) json_integer_value(time), when));
        print_field("now", "%s", decision_text(x->decision, "now"));
        print_field("source", "%s%s%s", source_to_string(b->source), *b->device ? ", device " : "", b->device);
        print_field("evidence", "%s", x->evidence);
        print_field("node", "%s", *nodes ? nodes : "unknown");
        if (x->add)
                print_field("hot-add", "%" PRIu32, x->add);
        if (x->caveat)
                print_field("caveat", "%s", x->caveat);
        print_rules(x);
}

/* Is everything that is told of b what is told of a? */
static bool same_answer(const struct explanation *a, const struct explanation *b) {
        return !block_compare(&a->block, &b->block) && a->block.tier == b->block.tier && a->block.device_size == b->block.device_size &&
               a->add == b->add && strcmp(a->evidence, b->evidence) == 0 && json_equal(a->decision, b->decision) &&
               a->caveat == b->caveat && (!a->rules || json_equal(a->rules, b->rules));
}

static void print_text(const struct explanations *e, uint64_t block_size, const struct options *o) {
        for (size_t i = 0; i < e->n;) {
                size_t k = i + 1;

                while (k < e->n && e->items[k].block.index == e->items[k - 1].block.index + UINT64_C(1) &&
                       same_answer(&e->items[i], &e->items[k]))
                        k++;
                if (i)
                        putchar('\n');
                print_run(&e->items[i], e->items[k - 1].block.index, block_size, o);
                i = k;
        }
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *json_explanation(const struct explanation *x) {
        const char *why = decision_text(x->decision, "reason"), *now = decision_text(x->decision, "now");
        _cleanup_free_ char *reason = format_text("%s; %s", why, now);
        const struct block *b = &x->block;
        json_t *object = json_new_object();

        json_set(object, "block", json_unsigned(b->index));
        json_set(object, "state", json_text(block_state_to_string(b->state)));
        json_object_update(object, x->decision);
        json_set(object, "reason", json_text(reason));
        json_set(object, "why", json_text(why));
        json_set(object, "source", json_text(source_to_string(b->source)));
        json_set(object, "device", json_name(b->device));
        json_set(object, "add", x->add ? json_unsigned(x->add) : json_null());
        json_set(object, "evidence", json_incref(x->evidence_json));
        json_set(object, "caveat", x->caveat ? json_text(x->caveat) : json_null());
        if (x->rules)
                json_set(object, "rules", json_incref(x->rules));
        return object;
}

static void print_json(const struct explanations *e, const struct gone *gone, bool single) {
        json_auto_t *root = json_new_array();

        for (size_t i = 0; i < e->n; i++)
                json_add(root, json_explanation(&e->items[i]));
        gone_append_json(gone, root);
        /* Whether it is an object or an array follows from what was asked, not from what happens to be there. */
        json_print(single ? json_array_get(root, 0) : root);
}

static void print(const struct explanations *e, const struct gone *gone, const struct selector *selector, uint64_t block_size,
                  const struct options *o) {
        if (e->n == 0 && gone->n == 0)
                return;
        if (o->json) {
                print_json(e, gone, selector_is_single(selector));
                return;
        }
        print_text(e, block_size, o);
        if (e->n > 0 && gone->n > 0)
                putchar('\n');
        gone_print(gone, o);
}

/* ---- from whom ---------------------------------------------------------------------------------------------------- */

static enum status explain_answers(struct client *c, const struct options *o, const char *selector_text) {
        _cleanup_(explanations_done) struct explanations list = { .all_rules = o->all };
        _cleanup_(selector_done) struct selector selector = {};
        _cleanup_(answers_done) struct answers answers = {};
        _cleanup_(gone_done) struct gone gone = {};
        enum status s;

        s = answers_ask_any(&answers, c, selector_text);
        if (s == STATUS_DONE)
                s = selector_read(selector_text, &selector);
        if (s == STATUS_DONE)
                s = explanations_ask(&list, c, &answers);
        if (s == STATUS_DONE)
                s = gone_read(&gone, o, c, &selector, selector_text, answers.block_size, answers.runs, answers.n);
        if (s != STATUS_DONE)
                return s;
        print(&list, &gone, &selector, answers.block_size, o);
        if (list.n > 0 || gone.n > 0)
                return STATUS_DONE;
        complain("%s: no memory block matches, and none did since boot", selector_text);
        return STATUS_FAILED;
}

/* What was there before, by the journal, or by what a daemon left. */
static enum status read_gone(struct gone *g, const struct options *o, const struct facts *f, const struct explanations *list) {
        _cleanup_free_ struct run *there = calloc(MAX(list->n, (size_t) 1), sizeof(*there));
        size_t n = 0;

        if (!there)
                out_of_memory();
        for (size_t i = 0; i < list->n; i++)
                if (n == 0 || !run_extend(&there[n - 1], &list->items[i].block, 0))
                        run_init(&there[n++], &list->items[i].block);
        /* A policy to judge by is about what is there. */
        return o->config ? STATUS_DONE : gone_read(g, o, NULL, &f->selector, f->selector_text, f->block_size, there, n);
}

static enum status explain_directly(const struct options *o, const char *selector_text) {
        _cleanup_(explanations_done) struct explanations list = {};
        _cleanup_(facts_done) struct facts facts = {};
        _cleanup_(policy_freep) struct policy *policy = NULL;
        _cleanup_free_ struct surroundings *around = malloc(sizeof(*around));
        _cleanup_(gone_done) struct gone gone = {};
        struct fact fact;
        enum status s;

        if (!around)
                out_of_memory();
        s = facts_open(&facts, o->sysroot, selector_text, FACTS_ORIGIN);
        if (s == STATUS_DONE)
                s = policy_open(o->sysroot, o->config, &policy);
        if (s == STATUS_DONE)
                s = around_read(o->sysroot, around);
        if (s != STATUS_DONE)
                return s;
        while (facts_next(&facts, &fact))
                judge_fact(policy, around, &fact, explanations_add(&list), o->all);
        s = read_gone(&gone, o, &facts, &list);
        print(&list, &gone, &facts.selector, facts.block_size, o);
        if (!o->json && list.n > 0)
                facts_hint(&facts);
        if (list.n == 0 && gone.n > 0)
                facts.n_found++; /* once */
        return facts_status(&facts) != STATUS_DONE ? STATUS_FAILED : s;
}

enum status verb_explain(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        enum status s = STATUS_DONE;

        if (o->config && o->host) {
                complain("--config: the daemon of %s judges by its own policy", o->host);
                return STATUS_USAGE;
        }
        if (!o->config)
                s = client_find(o, &c);
        if (s != STATUS_DONE)
                return s;
        return c ? explain_answers(c, o, args[0]) : explain_directly(o, args[0]);
}
