/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ctl/around.h"
#include "ctl/explanation.h"
#include "ctl/gone.h"
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
static const char *find_caveat(const struct policy *p, const struct surroundings *s, const struct fact *fact) {
        const struct evidence *e = &fact->evidence;
        struct decision d;

        if (fact->block.source != SOURCE_UNKNOWN)
                return NULL;
        policy_want(p, &fact->block, s, &d);
        if (!source_matters(p, &d))
                return NULL;
        if (!e->iomem || e->iomem->hidden)
                return "the source is unknown only because /proc/iomem does not tell it here, so that rules with a source "
                       "were passed over: memhpd, which reads it, may decide by another rule";
        if (e->ram)
                return "on this machine hot-added memory looks like memory that was there at boot: memhpd, which sees it "
                       "arrive, may decide by another rule";
        return "nothing tells where it came from, so that rules with a source were passed over";
}

static void print_run(const struct explanation *x, uint32_t last, uint64_t block_size, const struct options *o) {
        struct run run = { .block = x->block, .last = last };
        char blocks[RUN_TEXT_MAX], address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX];

        printf("%s %s (%s, %s)\n", last > x->block.index ? "blocks" : "block", run_format_blocks(&run, blocks),
               run_format_address(&run, block_size, address), format_bytes(run_size(&run, block_size), o->bytes, size));
        explanation_print(x);
}

static void print_text(const struct explanations *e, uint64_t block_size, const struct options *o) {
        for (size_t i = 0; i < e->n;) {
                size_t k = i + 1;

                while (k < e->n && e->items[k].block.index == e->items[k - 1].block.index + UINT64_C(1) &&
                       explanation_equal(&e->items[i], &e->items[k]))
                        k++;
                if (i)
                        putchar('\n');
                print_run(&e->items[i], e->items[k - 1].block.index, block_size, o);
                i = k;
        }
}

static void print_json(const struct explanations *e, const struct gone *gone, bool single) {
        json_auto_t *root = json_new_array();

        for (size_t i = 0; i < e->n; i++)
                json_add(root, explanation_to_json(&e->items[i]));
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
        return o->config && n > 0 ? STATUS_DONE : gone_read(g, o, NULL, &f->selector, f->selector_text, f->block_size, there, n);
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
        while (facts_next(&facts, &fact)) {
                struct explanation *x = explanations_add(&list);

                explanation_set_fact(x, &fact);
                explanation_set_judgement(x, policy, around, o->all);
                x->caveat = find_caveat(policy, around, &fact);
        }
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
