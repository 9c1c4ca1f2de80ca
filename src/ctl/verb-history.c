/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "ctl/facts.h"
#include "ctl/moment.h"
#include "ctl/reports.h"
#include "ctl/verb.h"

enum { COL_TIME, COL_BLOCKS, COL_SOURCE, COL_DEVICE, COL_NODE, COL_ADD, COL_ACTION, COL_RULE, COL_REASON, COL_OUTCOME, COL_MESSAGE };

static const struct column columns[] = {
        [COL_TIME] = { "TIME", "when it was told" },
        [COL_BLOCKS] = { "BLOCKS", "which blocks it is about", .wrap = true },
        [COL_SOURCE] = { "SOURCE", "where the memory came from", .spare = 2 },
        [COL_DEVICE] = { "DEVICE", "what was plugged as one unit" },
        [COL_NODE] = { "NODE", "NUMA node", .right = true, .optional = true },
        [COL_ADD] = { "ADD", "the number of the hot-add since boot", .right = true, .optional = true },
        [COL_ACTION] = { "ACTION", "what was decided", .spare = 3 },
        [COL_RULE] = { "RULE", "the rule that decided", .wrap = true },
        [COL_REASON] = { "REASON", "why, in a word", .optional = true },
        [COL_OUTCOME] = { "OUTCOME", "what became of it", .wrap = true },
        [COL_MESSAGE] = { "MESSAGE", "the line in the journal", .optional = true, .wrap = true },
};

const struct column_set history_columns = { columns, ARRAY_SIZE(columns) };

static void add_row(struct table *t, const struct report *r) {
        _cleanup_free_ char *outcome = report_format_outcome(r);
        char text[MOMENT_TEXT_MAX];

        table_add_row(t);
        table_set(t, COL_TIME, moment_format(r->usec, text));
        table_set(t, COL_BLOCKS, r->blocks);
        table_set(t, COL_SOURCE, source_to_string(r->source));
        table_set(t, COL_DEVICE, r->device);
        snprintf(text, sizeof(text), "%d", r->node);
        table_set(t, COL_NODE, r->node >= 0 ? text : NULL);
        snprintf(text, sizeof(text), "%" PRIu32, r->add);
        table_set(t, COL_ADD, r->add ? text : NULL);
        table_set(t, COL_ACTION, r->outcome == OUTCOME_GONE ? NULL : action_to_string(r->action));
        table_set(t, COL_RULE, r->rule);
        table_set(t, COL_REASON, reason_to_string(r->reason));
        table_set(t, COL_OUTCOME, outcome);
        table_set(t, COL_MESSAGE, r->text);
        table_colour(t, COL_OUTCOME, report_colour(r));
}

static void print_json(const struct reports *r) {
        json_auto_t *array = json_new_array();

        for (size_t i = 0; i < r->n; i++)
                json_add(array, report_to_json(&r->items[i]));
        json_print(array);
}

static void print_table(const struct reports *r, const struct column_choice *choice, const struct options *o) {
        _cleanup_(table_done) struct table t;

        table_init(&t, &history_columns, choice, o->legend, NULL, 0);
        for (size_t i = 0; i < r->n; i++)
                add_row(&t, &r->items[i]);
        table_print(&t);
}

/* Only addresses need it. */
static enum status read_block_size(const struct options *o, struct client *c, const struct selector *s, uint64_t *ret) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        json_auto_t *size = NULL;
        enum status status;

        *ret = 1;
        if (s->kind != SELECTOR_ADDRESS)
                return STATUS_DONE;
        if (c) {
                status = client_get(c, NULL, NULL, "BlockSize", &size);
                if (status == STATUS_DONE && json_integer_value(size) > 0)
                        *ret = (uint64_t) json_integer_value(size);
                return status;
        }
        status = system_open(o->sysroot, &fs);
        if (status == STATUS_DONE)
                *ret = sysfs_block_size(fs);
        return status;
}

static enum status read_query(const struct options *o, struct journal_query *ret) {
        struct journal_query q = { .boot = o->boot };

        if (o->since && moment_parse(o->since, moment_now(), &q.since_usec) < 0) {
                complain("--since %s: not a time; write \"2026-03-01 12:30\", \"12:30\", \"today\", \"yesterday\", \"@SECONDS\", or how long "
                         "ago: 2h", o->since);
                return STATUS_USAGE;
        }
        /* Since then, whatever the boot. */
        if (o->since && !o->boot)
                q.boot = "all";
        *ret = q;
        return STATUS_DONE;
}

enum status verb_history(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        _cleanup_(selector_done) struct selector selector = {};
        _cleanup_(reports_done) struct reports reports = {};
        struct journal_query q;
        struct column_choice choice;
        uint64_t block_size;
        enum status s;

        if (column_choice_parse(&history_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        s = selector_read(args[0], &selector);
        if (s == STATUS_DONE)
                s = read_query(o, &q);
        if (s == STATUS_DONE)
                s = client_find(o, &c);
        if (s == STATUS_DONE)
                s = read_block_size(o, c, &selector, &block_size);
        if (s == STATUS_DONE)
                s = reports_read(&reports, o, c, &q, &selector, args[0], block_size);
        if (s != STATUS_DONE)
                return s;
        if (o->json)
                print_json(&reports);
        else if (reports.n > 0)
                print_table(&reports, &choice, o);
        else if (o->legend)
                puts("Nothing was decided.");
        return STATUS_DONE;
}
