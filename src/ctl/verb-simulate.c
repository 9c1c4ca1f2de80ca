/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/simulation.h"
#include "core/zoneinfo.h"
#include "ctl/around.h"
#include "ctl/facts.h"
#include "ctl/policy.h"
#include "ctl/statistics.h"
#include "ctl/verb.h"
#include "host/surroundings.h"

enum { COL_ADD, COL_ZONES, COL_RATIO, COL_NODE_RATIO, COL_MEMMAP, COL_FREE, COL_RULE };

static const struct column columns[] = {
        [COL_ADD] = { "ADD", "what would be plugged", .right = false },
        [COL_ZONES] = { "ZONES", "where it would go: all of it, or how much", .right = false },
        [COL_RATIO] = { "RATIO", "MOVABLE:KERNEL of the machine, before and after", .right = true },
        [COL_NODE_RATIO] = { "NODE", "MOVABLE:KERNEL of the node, before and after", .right = true, .spare = 1 },
        [COL_MEMMAP] = { "MEMMAP", "what its struct pages take", .right = true },
        [COL_FREE] = { "FREE", "free memory of the kernel zones before it", .right = true, .spare = 2 },
        [COL_RULE] = { "RULE", "the rule that decides", .right = false },
};

const struct column_set simulate_columns = { columns, ARRAY_SIZE(columns) };

/* ---- what is there ------------------------------------------------------------------------------------------------ */

static enum status parse_specs(char *const *args, struct sim_spec **ret, size_t *ret_n) {
        enum status status = STATUS_DONE;
        char error[SIM_ERROR_MAX];
        struct sim_spec *specs;
        size_t n = 0;

        while (args[n])
                n++;
        specs = calloc(n, sizeof(*specs));
        if (!specs)
                out_of_memory();
        for (size_t i = 0; i < n; i++)
                if (sim_spec_parse(args[i], &specs[i], error) < 0) {
                        complain("%s: not a hot-add: %s", args[i], error);
                        status = STATUS_USAGE;
                }
        *ret = specs;
        *ret_n = n;
        return status;
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

/* "Movable", "Movable:6G,kernel:2G" */
static char *format_parts(const struct sim_add *a, const struct options *o) {
        const struct {
                const char *name;
                uint64_t size;
        } parts[] = {
                { "Movable", a->movable }, { "Normal", a->kernel }, { "offline", a->offline }, { "refused", a->refused },
        };
        char *text = format_text("%s", "");
        char size[SIZE_TEXT_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                char *longer;

                if (parts[i].size == 0)
                        continue;
                if (parts[i].size == a->size)
                        longer = format_text("%s", parts[i].name);
                else
                        longer = format_text("%s%s%s:%s", text, *text ? "," : "", parts[i].name,
                                             format_bytes(parts[i].size, o->bytes, size));
                free(text);
                text = longer;
        }
        return text;
}

/* "0.00", "all" where there is movable memory alone, "none" without any. */
static const char *format_ratio(const struct simulation *s, const struct sim_add *a, const struct totals_side *side,
                                char buf[static SIZE_TEXT_MAX]) {
        uint64_t percent = sim_percent(s, a, side);

        if (percent == UINT64_MAX)
                snprintf(buf, SIZE_TEXT_MAX, "%s", side->movable ? "all" : "none");
        else
                snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 ".%02u", percent / 100, (unsigned) (percent % 100));
        return buf;
}

static void set_ratio(struct table *t, unsigned column, const struct simulation *s, const struct sim_add *a,
                      const struct totals_side *before, const struct totals_side *after) {
        char x[SIZE_TEXT_MAX], y[SIZE_TEXT_MAX], text[2 * SIZE_TEXT_MAX];

        snprintf(text, sizeof(text), "%s>%s", format_ratio(s, a, before, x), format_ratio(s, a, after, y));
        table_set(t, column, s->around.totals.known ? text : NULL);
}

static bool was_decided(const struct sim_add *a) {
        return a->refused < a->size;
}

static void print_table(const struct simulation *s, const struct sim_add *adds, size_t n, const struct column_choice *choice,
                        const struct options *o) {
        _cleanup_(table_done) struct table t;
        char text[SIZE_TEXT_MAX];

        table_init(&t, &simulate_columns, choice, o->legend, NULL, 0);
        for (size_t i = 0; i < n; i++) {
                const struct sim_add *a = &adds[i];
                _cleanup_free_ char *zones = format_parts(a, o);

                table_add_row(&t);
                table_set(&t, COL_ADD, a->spec->text);
                table_set(&t, COL_ZONES, zones);
                set_ratio(&t, COL_RATIO, s, a, &a->before, &a->after);
                set_ratio(&t, COL_NODE_RATIO, s, a, &a->node_before, &a->node_after);
                table_set(&t, COL_MEMMAP, format_bytes(a->memmap, o->bytes, text));
                table_set(&t, COL_FREE, a->memory_before.known ? format_bytes(a->memory_before.free, o->bytes, text) : NULL);
                table_set(&t, COL_RULE, was_decided(a) && a->decision.rule >= 0 ? s->policy->rules[a->decision.rule].name
                                                                                  : NULL);
        }
        table_print(&t);
}

static void describe(const struct simulation *s, const struct decision *d, char buf[static 1024]) {
        const struct block b = { .state = BLOCK_OFFLINE };

        decision_describe(s->policy, &b, d, buf, 1024);
}

static void print_reasons(const struct simulation *s, const struct sim_add *adds, size_t n) {
        char text[1024];

        putchar('\n');
        for (size_t i = 0; i < n; i++) {
                const struct sim_add *a = &adds[i];

                if (was_decided(a)) {
                        describe(s, &a->decision, text);
                        print_paragraph(0, "%s: %s", a->spec->text, text);
                }
                if (was_decided(a) && a->has_later) {
                        describe(s, &a->later, text);
                        print_paragraph(2, "later: %s", text);
                }
                if (!was_decided(a))
                        print_paragraph(0, "%s: nothing to decide", a->spec->text);
                for (enum sim_warning w = 0; w < _SIM_WARNING_MAX; w++)
                        if (a->warnings & (1u << w)) {
                                sim_warning_describe(s, a, w, text, sizeof(text));
                                print_paragraph(2, "warning: %s", text);
                        }
        }
}

static void print_totals(const char *when, const struct totals_side *t, const struct options *o) {
        char early[SIZE_TEXT_MAX], hot[SIZE_TEXT_MAX], movable[SIZE_TEXT_MAX];

        print_field(when, "%s kernel memory from boot, %s hot-added, %s movable", format_bytes(t->kernel_early, o->bytes, early),
                    format_bytes(t->kernel_hot, o->bytes, hot), format_bytes(t->movable, o->bytes, movable));
}

static void print_text(const struct simulation *s, const struct sim_add *adds, size_t n, const struct column_choice *choice,
                       const struct options *o) {
        print_table(s, adds, n, choice, o);
        if (!o->legend)
                return;
        print_reasons(s, adds, n);
        if (!s->around.totals.known)
                return;
        putchar('\n');
        print_totals("before", &adds[0].before, o);
        print_totals("after", &adds[n - 1].after, o);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *json_percent(const struct simulation *s, const struct sim_add *a, const struct totals_side *side) {
        uint64_t percent = sim_percent(s, a, side);

        return s->around.totals.known && percent != UINT64_MAX ? json_unsigned(percent) : json_null();
}

static json_t *json_totals(const struct totals_side *t, const struct sim_memory *m) {
        json_t *object = json_new_object();

        json_set(object, "kernel_boot", json_unsigned(t->kernel_early));
        json_set(object, "kernel_hot", json_unsigned(t->kernel_hot));
        json_set(object, "movable", json_unsigned(t->movable));
        json_set(object, "kernel_free", m->known ? json_unsigned(m->free) : json_null());
        json_set(object, "kernel_file_cache", m->known ? json_unsigned(m->reclaimable) : json_null());
        return object;
}

static json_t *json_warnings(const struct simulation *s, const struct sim_add *a) {
        json_t *array = json_new_array();
        char text[1024];

        for (enum sim_warning w = 0; w < _SIM_WARNING_MAX; w++)
                if (a->warnings & (1u << w)) {
                        json_t *object = json_new_object();

                        sim_warning_describe(s, a, w, text, sizeof(text));
                        json_set(object, "warning", json_text(sim_warning_to_string(w)));
                        json_set(object, "message", json_text(text));
                        json_add(array, object);
                }
        return array;
}

static json_t *json_zone_sizes(const struct sim_add *a) {
        json_t *object = json_new_object();

        json_set(object, "Movable", json_unsigned(a->movable));
        json_set(object, "Normal", json_unsigned(a->kernel));
        json_set(object, "offline", json_unsigned(a->offline));
        json_set(object, "refused", json_unsigned(a->refused));
        return object;
}

static json_t *json_simulated(const struct simulation *s, const struct sim_add *a) {
        bool decided = was_decided(a);
        json_t *object = json_new_object();
        char text[1024];

        if (decided)
                describe(s, &a->decision, text);
        json_set(object, "add", json_text(a->spec->text));
        json_set(object, "source", json_text(source_to_string(a->spec->source)));
        json_set(object, "node", json_unsigned(a->spec->node));
        json_set(object, "start", json_unsigned(a->start));
        json_set(object, "size", json_unsigned(a->size));
        json_set(object, "refused", a->refusal ? json_text(sim_refusal_to_string(a->refusal)) : json_null());
        json_set(object, "action", decided ? json_text(action_to_string(a->decision.action)) : json_null());
        json_set(object, "zones", json_zone_sizes(a));
        json_set(object, "rule", decided && a->decision.rule >= 0 ? json_rule(&s->policy->rules[a->decision.rule])
                                                                   : json_null());
        json_set(object, "reason", decided ? json_text(text) : json_null());
        json_set(object, "percent_before", json_percent(s, a, &a->before));
        json_set(object, "percent_after", json_percent(s, a, &a->after));
        json_set(object, "node_percent_before", json_percent(s, a, &a->node_before));
        json_set(object, "node_percent_after", json_percent(s, a, &a->node_after));
        json_set(object, "memmap", json_unsigned(a->memmap));
        json_set(object, "before", json_totals(&a->before, &a->memory_before));
        json_set(object, "after", json_totals(&a->after, &a->memory_after));
        json_set(object, "warnings", json_warnings(s, a));
        return object;
}

static void print_json(const struct simulation *s, const struct sim_add *adds, size_t n) {
        json_auto_t *root = json_new_object();
        json_t *array = json_new_array();

        for (size_t i = 0; i < n; i++)
                json_add(array, json_simulated(s, &adds[i]));
        json_set(root, "block_size", json_unsigned(s->block_size));
        json_set(root, "page_size", json_unsigned(s->page_size));
        json_set(root, "totals_known", json_boolean(s->around.totals.known));
        json_set(root, "before", json_totals(&adds[0].before, &adds[0].memory_before));
        json_set(root, "after", json_totals(&adds[n - 1].after, &adds[n - 1].memory_after));
        json_set(root, "adds", array);
        json_print(root);
}

/* ------------------------------------------------------------------------------------------------------------------- */

enum status verb_simulate(const struct options *o, char *const *args) {
        _cleanup_(policy_freep) struct policy *policy = NULL;
        _cleanup_(facts_done) struct facts facts = {};
        _cleanup_free_ struct simulation *s = calloc(1, sizeof(*s));
        _cleanup_free_ struct sim_spec *specs = NULL;
        _cleanup_free_ struct sim_add *adds = NULL;
        struct column_choice choice;
        enum status status;
        size_t n;

        if (!s)
                out_of_memory();
        status = parse_specs(args, &specs, &n);
        if (status == STATUS_DONE && column_choice_parse(&simulate_columns, o->columns, &choice) < 0)
                status = STATUS_USAGE;
        if (status == STATUS_DONE)
                status = policy_open(o->sysroot, o->config, &policy);
        if (status == STATUS_DONE)
                status = facts_open(&facts, o->sysroot, NULL, 0);
        if (status == STATUS_DONE)
                status = around_read(o->sysroot, &s->around);
        if (status != STATUS_DONE)
                return status;
        adds = calloc(n, sizeof(*adds));
        if (!adds)
                out_of_memory();
        s->policy = policy;
        s->block_size = facts.block_size;
        s->page_size = surroundings_page_size(facts.fs);
        s->indices = facts.indices;
        s->n_indices = facts.n;
        sysfs_read_tiers(facts.fs, s->tiers);
        surroundings_read_memory(facts.fs, s->page_size, &s->memory);
        simulation_run(s, specs, n, adds);
        if (o->json)
                print_json(s, adds, n);
        else
                print_text(s, adds, n, &choice, o);
        return STATUS_DONE;
}
