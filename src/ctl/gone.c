/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/gone.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/moment.h"

/* Where something begins, or has just ended: between two of them all blocks are alike. */
struct edges {
        uint64_t *items;
        size_t n, capacity;
};

static void edges_done(struct edges *e) {
        free(e->items);
}

static void edges_add(struct edges *e, uint64_t first, uint64_t last) {
        for (unsigned i = 0; i < 2; i++) {
                if (!GROW(e->items, e->n, e->capacity))
                        out_of_memory();
                e->items[e->n++] = i == 0 ? first : last + 1;
        }
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void collect_edges(struct edges *e, const struct reports *reports, const struct selector *s, uint64_t block_size,
                          const struct run *there, size_t n_there) {
        uint64_t unit = s->kind == SELECTOR_ADDRESS ? block_size : 1;

        for (size_t i = 0; i < reports->n; i++) {
                const char *p = reports->items[i].blocks;
                struct tally_run run;

                while (report_next_run(&p, &run))
                        edges_add(e, run.first, run.last);
        }
        for (size_t i = 0; (s->kind == SELECTOR_BLOCKS || s->kind == SELECTOR_ADDRESS) && i < s->ranges.n; i++)
                edges_add(e, s->ranges.items[i].first / unit, MIN(s->ranges.items[i].last / unit, (uint64_t) UINT32_MAX));
        for (size_t i = 0; i < n_there; i++)
                edges_add(e, there[i].block.index, there[i].last);
        if (e->n > 1)
                qsort(e->items, e->n, sizeof(*e->items), compare);
}

static bool is_there(uint64_t block, const struct run *there, size_t n_there) {
        for (size_t i = 0; i < n_there; i++)
                if (block >= there[i].block.index && block <= there[i].last)
                        return true;
        return false;
}

static bool same_past(const struct gone_run *a, const struct gone_run *b) {
        return a->last + UINT64_C(1) == b->first && a->n == b->n && memcmp(a->reports, b->reports, a->n * sizeof(*a->reports)) == 0;
}

static void add_run(struct gone *g, uint64_t first, uint64_t last) {
        struct gone_run run = { .first = (uint32_t) first, .last = (uint32_t) last };

        run.reports = calloc(g->reports.n, sizeof(*run.reports));
        if (!run.reports)
                out_of_memory();
        for (size_t i = 0; i < g->reports.n; i++)
                if (report_has_block(&g->reports.items[i], run.first))
                        run.reports[run.n++] = i;
        if (run.n == 0 || (g->n > 0 && same_past(&g->runs[g->n - 1], &run))) {
                if (run.n > 0)
                        g->runs[g->n - 1].last = run.last;
                free(run.reports);
                return;
        }
        if (!GROW(g->runs, g->n, g->capacity))
                out_of_memory();
        g->runs[g->n++] = run;
}

/* What was decided last, before it went; else what else there is. That somebody sets memory offline is how it is unplugged. */
static const struct report *last_decision(const struct gone *g, const struct gone_run *run) {
        for (size_t i = run->n; i > 0; i--) {
                const struct report *r = &g->reports.items[run->reports[i - 1]];

                if (report_is_decision(r) && r->kind != REPORT_CHANGED)
                        return r;
        }
        return &g->reports.items[run->reports[run->n - 1]];
}

/* The daemon remembers more of it than the journal tells, if it remembers it. */
static void explain_run(struct gone *g, struct client *c, struct gone_run *run, bool all_rules) {
        _cleanup_free_ char *number = format_text("%" PRIu32, run->first);
        const struct report *report = last_decision(g, run);
        struct explanation *x = explanations_add(&g->explanations);
        json_auto_t *answers = NULL;

        run->explanation = g->explanations.n - 1;
        x->block = (struct block) { .index = run->first, .start = run->first * g->block_size, .size = g->block_size };
        explanation_set_report(x, report, all_rules);
        if (!c || !client_ask_quietly(c, "Explain", &answers, "sb", number, (int) all_rules))
                return;
        if (json_integer_value(json_object_get(json_array_get(answers, 0), "add")) == report->add &&
            strcmp(json_get_text(json_array_get(answers, 0), "state"), "removed") == 0 &&
            strcmp(json_get_text(json_array_get(answers, 0), "cause"), reason_to_string(report->reason)) == 0)
                explanation_set_answer(x, json_array_get(answers, 0), all_rules);
}

/* All blocks that are named by their numbers. */
static bool all_are_there(const struct selector *s, const struct run *there, size_t n_there) {
        uint64_t named = 0, found = 0;

        if (s->kind != SELECTOR_BLOCKS)
                return false;
        for (size_t i = 0; i < s->ranges.n; i++)
                named += MIN(s->ranges.items[i].last, (uint64_t) UINT32_MAX) - MIN(s->ranges.items[i].first, (uint64_t) UINT32_MAX) + 1;
        for (size_t i = 0; i < n_there; i++)
                found += (uint64_t) there[i].last - there[i].block.index + 1;
        return found >= named;
}

enum status gone_read(struct gone *g, const struct options *o, struct client *c, const struct selector *selector,
                      const char *selector_text, uint64_t block_size, const struct run *there, size_t n_there) {
        bool one_by_one = selector->kind == SELECTOR_BLOCKS || selector->kind == SELECTOR_ADDRESS || selector->kind == SELECTOR_ADD ||
                          selector->kind == SELECTOR_DEVICE;
        const struct journal_query this_boot = {};
        _cleanup_(edges_done) struct edges edges = {};
        enum status s;

        *g = (struct gone) { .block_size = block_size };
        if ((n_there > 0 && !one_by_one) || all_are_there(selector, there, n_there))
                return STATUS_DONE;
        s = reports_read(&g->reports, o, c, &this_boot, selector, selector_text, block_size);
        if (s != STATUS_DONE || g->reports.n == 0)
                return s;
        collect_edges(&edges, &g->reports, selector, block_size, there, n_there);
        for (size_t i = 0; i + 1 < edges.n; i++) {
                uint64_t first = edges.items[i], last = edges.items[i + 1] - 1;

                if (first > last || last > UINT32_MAX || is_there(first, there, n_there))
                        continue;
                /* Of a device or a hot-add, all that is told of it. */
                if ((selector->kind == SELECTOR_BLOCKS || selector->kind == SELECTOR_ADDRESS) &&
                    !selector_may_match(selector, (uint32_t) first, block_size))
                        continue;
                add_run(g, first, last);
        }
        for (size_t i = 0; i < g->n; i++)
                explain_run(g, c, &g->runs[i], o->all);
        return STATUS_DONE;
}

void gone_done(struct gone *g) {
        for (size_t i = 0; i < g->n; i++)
                free(g->runs[i].reports);
        free(g->runs);
        explanations_done(&g->explanations);
        reports_done(&g->reports);
        *g = (struct gone) {};
}

void gone_print(const struct gone *g, const struct options *o) {
        for (size_t i = 0; i < g->n; i++) {
                const struct gone_run *r = &g->runs[i];
                struct run run = { .block.index = r->first, .last = r->last };
                char blocks[RUN_TEXT_MAX], address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX], when[MOMENT_TEXT_MAX];

                printf("%s%s %s (%s, %s), no longer there\n", i ? "\n" : "", r->last > r->first ? "blocks" : "block",
                       run_format_blocks(&run, blocks), run_format_address(&run, g->block_size, address),
                       format_bytes(run_size(&run, g->block_size), o->bytes, size));
                explanation_print(&g->explanations.items[r->explanation]);
                for (size_t k = 0; k < r->n; k++) {
                        const struct report *report = &g->reports.items[r->reports[k]];

                        print_field_in(report_colour(report), k ? "" : "past", "%s %s", moment_format(report->usec, when), report->text);
                }
        }
}

static json_t *json_run(const struct gone *g, const struct gone_run *r) {
        json_t *object = explanation_to_json(&g->explanations.items[r->explanation]), *past = json_new_array();
        struct run run = { .block.index = r->first, .last = r->last };
        char blocks[RUN_TEXT_MAX];

        json_set(object, "blocks", json_text(run_format_blocks(&run, blocks)));
        json_set(object, "state", json_text("removed"));
        for (size_t i = 0; i < r->n; i++)
                json_add(past, report_to_json(&g->reports.items[r->reports[i]]));
        json_set(object, "past", past);
        return object;
}

void gone_append_json(const struct gone *g, json_t *array) {
        for (size_t i = 0; i < g->n; i++)
                json_add(array, json_run(g, &g->runs[i]));
}
