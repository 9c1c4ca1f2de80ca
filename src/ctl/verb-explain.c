/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "ctl/around.h"
#include "ctl/facts.h"
#include "core/judgement.h"
#include "ctl/policy.h"
#include "ctl/run.h"
#include "ctl/verb.h"

/* Does every rule say of b what it says of a, and for the same reason? */
static bool same_answer(const struct policy *p, const struct surroundings *s, const struct fact *a, const struct fact *b) {
        struct decision x, y;

        if (block_compare(&a->block, &b->block) || a->evidence.ram != b->evidence.ram ||
            strcmp(a->evidence.firmware_node, b->evidence.firmware_node) != 0)
                return false;
        policy_want(p, &a->block, s, &x);
        policy_want(p, &b->block, s, &y);
        if (x.action != y.action || x.reason != y.reason || x.rule != y.rule)
                return false;
        for (size_t i = 0; i < p->n_rules; i++) {
                enum match_key key_a = _MATCH_INVALID, key_b = _MATCH_INVALID;

                if (match_block(&p->rules[i].match, &a->block, s->platforms, &key_a) != match_block(&p->rules[i].match, &b->block, s->platforms, &key_b) ||
                    key_a != key_b)
                        return false;
        }
        return true;
}

static bool rule_is_reached(const struct decision *d, size_t i) {
        return d->rule < 0 || i <= (size_t) d->rule;
}

/* What the block has where the rule asks for something else. */
static char *format_condition(const struct block *b, enum match_key key) {
        _cleanup_free_ char *nodes = format_nodes(&b->nodes);
        char size[FORMAT_SIZE_MAX];

        switch (key) {
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
                return format_text("%s differs", match_key_to_string(key));
        }
}

static void print_rules(const struct policy *p, const struct surroundings *s, const struct block *b, const struct decision *d) {
        for (size_t i = 0; i < p->n_rules; i++) {
                const struct rule *r = &p->rules[i];
                enum match_key key;

                if (!rule_is_reached(d, i))
                        print_field("not reached", "rule \"%s\" (%s:%u)", r->name, r->file, r->line);
                else if (!match_block(&r->match, b, s->platforms, &key)) {
                        _cleanup_free_ char *condition = format_condition(b, key);

                        print_field("no match", "rule \"%s\" (%s:%u): %s", r->name, r->file, r->line, condition);
                }
        }
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

static void print_run(const struct policy *p, const struct surroundings *s, const struct fact *fact, uint32_t last, uint64_t block_size,
                      const struct options *o) {
        const struct block *b = &fact->block;
        struct run run = { .block = *b, .last = last };
        char blocks[RUN_TEXT_MAX], address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX], evidence[EVIDENCE_TEXT_MAX];
        _cleanup_free_ char *nodes = format_nodes(&b->nodes);
        const char *caveat;
        struct judgement j;

        judge(p, s, b, &j);
        caveat = find_caveat(p, fact, &j.decision);
        source_describe(&fact->evidence, evidence, sizeof(evidence));
        printf("%s %s (%s, %s)\n", last > b->index ? "blocks" : "block", run_format_blocks(&run, blocks),
               run_format_address(&run, block_size, address), format_bytes(run_size(&run, block_size), o->bytes, size));
        print_field("action", "%s", action_to_string(j.decision.action));
        if (j.zone)
                print_field("zone", "%s", j.zone);
        print_field("reason", "%s", j.reason);
        print_field("now", "%s", j.outcome);
        print_field("source", "%s%s%s", source_to_string(b->source), *b->device ? ", device " : "", b->device);
        print_field("evidence", "%s", evidence);
        print_field("node", "%s", *nodes ? nodes : "unknown");
        if (caveat)
                print_field("caveat", "%s", caveat);
        if (o->all)
                print_rules(p, s, b, &j.decision);
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

static json_t *json_explanation(const struct policy *p, const struct surroundings *s, const struct fact *fact, const struct options *o) {
        _cleanup_free_ char *reason = NULL;
        const struct block *b = &fact->block;
        json_t *object = json_new_object();
        const char *caveat;
        struct judgement j;

        judge(p, s, b, &j);
        caveat = find_caveat(p, fact, &j.decision);
        reason = format_text("%s; %s", j.reason, j.outcome);
        json_set(object, "block", json_unsigned(b->index));
        json_set(object, "state", json_text(block_state_to_string(b->state)));
        json_set(object, "action", json_text(action_to_string(j.decision.action)));
        json_set(object, "zone", j.zone ? json_text(j.zone) : json_null());
        json_set(object, "rule", j.decision.rule >= 0 ? json_rule(&p->rules[j.decision.rule]) : json_null());
        json_set(object, "reason", json_text(reason));
        json_set(object, "as_wanted", j.asked ? json_boolean(j.as_wanted) : json_null());
        json_set(object, "source", json_text(source_to_string(b->source)));
        json_set(object, "device", json_name(b->device));
        json_set(object, "evidence", json_evidence(&fact->evidence));
        json_set(object, "caveat", caveat ? json_text(caveat) : json_null());
        if (o->all)
                json_set(object, "rules", json_rules(p, s, b, &j.decision));
        return object;
}

static void explain_json(const struct policy *p, const struct surroundings *s, struct facts *f, const struct options *o) {
        json_auto_t *root = json_new_array();
        struct fact fact;

        while (facts_next(f, &fact))
                json_add(root, json_explanation(p, s, &fact, o));
        if (json_array_size(root) == 0)
                return;
        /* Whether it is an object or an array follows from what was asked, not from what happens to be there. */
        json_print(selector_is_single(&f->selector) ? json_array_get(root, 0) : root);
}

static void explain_text(const struct policy *p, const struct surroundings *s, struct facts *f, const struct options *o) {
        struct fact first, fact;
        uint32_t last = 0;
        bool started = false;

        while (facts_next(f, &fact)) {
                if (started && fact.block.index == (uint64_t) last + 1 && same_answer(p, s, &first, &fact)) {
                        last = fact.block.index;
                        continue;
                }
                if (started) {
                        print_run(p, s, &first, last, f->block_size, o);
                        putchar('\n');
                }
                first = fact;
                last = fact.block.index;
                started = true;
        }
        if (started)
                print_run(p, s, &first, last, f->block_size, o);
}

enum status verb_explain(const struct options *o, char *const *args) {
        _cleanup_(facts_done) struct facts facts = {};
        _cleanup_(policy_freep) struct policy *policy = NULL;
        _cleanup_free_ struct surroundings *around = malloc(sizeof(*around));
        enum status s;

        if (!around)
                out_of_memory();

        s = facts_open(&facts, o->sysroot, args[0], FACTS_ORIGIN);
        if (s == STATUS_DONE)
                s = policy_open(o->sysroot, o->config, &policy);
        if (s == STATUS_DONE)
                s = around_read(o->sysroot, around);
        if (s != STATUS_DONE)
                return s;
        if (o->json)
                explain_json(policy, around, &facts, o);
        else
                explain_text(policy, around, &facts, o);
        if (!o->json && facts.n_found)
                facts_hint(&facts);
        return facts_status(&facts);
}
