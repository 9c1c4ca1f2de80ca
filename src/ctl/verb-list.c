/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ctl/answers.h"
#include "ctl/blockless.h"
#include "ctl/facts.h"
#include "ctl/run.h"
#include "ctl/verb.h"

enum { COL_RANGE, COL_SIZE, COL_STATE, COL_REMOVABLE, COL_BLOCK, COL_NODE, COL_ZONES, COL_SOURCE, COL_DEVICE };

static const struct column columns[] = {
        [COL_RANGE] = { "RANGE", "first and last address", .right = false, .spare = 2 },
        [COL_SIZE] = { "SIZE", "size of the range", .right = true },
        [COL_STATE] = { "STATE", "online, offline, going-offline", .right = true },
        [COL_REMOVABLE] = { "REMOVABLE", "what the kernel says; current ones always say yes", .right = true, .spare = 3 },
        [COL_BLOCK] = { "BLOCK", "block number, or the first and the last", .right = true },
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_ZONES] = { "ZONES", "the zone of what is online; the candidates of what is offline", .right = true },
        [COL_SOURCE] = { "SOURCE", "where the memory came from", .right = false },
        [COL_DEVICE] = { "DEVICE", "what was plugged as one unit", .right = false },
};

const struct column_set list_columns = { columns, ARRAY_SIZE(columns) };

/* Columns that are attributes, and what it takes to know them. */
static const struct {
        unsigned attribute, needs;
} attributes[ARRAY_SIZE(columns)] = {
        [COL_STATE] = { ATTRIBUTE_STATE, 0 },
        [COL_REMOVABLE] = { ATTRIBUTE_REMOVABLE, FACTS_REMOVABLE },
        [COL_NODE] = { ATTRIBUTE_NODE, 0 },
        [COL_ZONES] = { ATTRIBUTE_ZONES, 0 },
        [COL_SOURCE] = { ATTRIBUTE_SOURCE, FACTS_ORIGIN },
        [COL_DEVICE] = { ATTRIBUTE_DEVICE, FACTS_ORIGIN },
};

struct listing {
        struct run *runs;
        size_t n, capacity;
        uint64_t online, offline, block_size; /* bytes */
        bool read; /* there is something to print */
};

static void listing_done(struct listing *l) {
        free(l->runs);
}

static void listing_add(struct listing *l, const struct run *r, uint64_t block_size, unsigned split, bool all) {
        *(r->block.state == BLOCK_ONLINE ? &l->online : &l->offline) += run_size(r, block_size);
        if (!all && l->n && run_join(&l->runs[l->n - 1], r, split))
                return;
        if (!GROW(l->runs, l->n, l->capacity))
                out_of_memory();
        l->runs[l->n++] = *r;
}

static void listing_read(struct listing *l, struct facts *f, unsigned split, bool all) {
        struct fact fact;
        struct run run;

        while (facts_next(f, &fact)) {
                run_init(&run, &fact.block);
                listing_add(l, &run, f->block_size, split, all);
        }
}

static void listing_take(struct listing *l, const struct answers *a, unsigned split, bool all) {
        for (size_t i = 0; i < a->n; i++) {
                struct run run = a->runs[i];

                if (!all)
                        listing_add(l, &run, a->block_size, split, false);
                for (uint64_t n = run.block.index; all && n <= a->runs[i].last; n++) {
                        run.block.index = run.last = (uint32_t) n;
                        run.block.start = n * a->block_size;
                        listing_add(l, &run, a->block_size, split, true);
                }
        }
}

static json_t *json_run(const struct run *r, uint64_t block_size) {
        json_t *object = json_new_object();
        const struct block *b = &r->block;
        char text[RUN_TEXT_MAX];

        json_set(object, "start", json_unsigned(b->index * block_size));
        json_set(object, "size", json_unsigned(run_size(r, block_size)));
        json_set(object, "state", r->mixed & ATTRIBUTE_STATE ? json_null() : json_text(block_state_to_string(b->state)));
        json_set(object, "removable", r->mixed & ATTRIBUTE_REMOVABLE ? json_null() : json_boolean(b->removable));
        json_set(object, "blocks", json_text(run_format_blocks(r, text)));
        json_set(object, "nodes", json_nodes(&b->nodes));
        json_set(object, "zones", json_zones(b));
        json_set(object, "source", r->mixed & ATTRIBUTE_SOURCE ? json_null() : json_text(source_to_string(b->source)));
        json_set(object, "device", r->mixed & ATTRIBUTE_DEVICE ? json_null() : json_name(b->device));
        return object;
}

/* besides: NULL if only some blocks were asked for. */
static void print_json(const struct listing *l, struct blockless *besides) {
        json_auto_t *root = json_new_object();
        json_t *ranges = json_new_array();

        for (size_t i = 0; i < l->n; i++)
                json_add(ranges, json_run(&l->runs[i], l->block_size));
        json_set(root, "block_size", json_unsigned(l->block_size));
        json_set(root, "online", json_unsigned(l->online));
        json_set(root, "offline", json_unsigned(l->offline));
        json_set(root, "ranges", ranges);
        if (besides)
                blockless_set_json(besides, root);
        json_print(root);
}

static void add_row(struct table *t, const struct run *r, uint64_t block_size, const struct options *o) {
        _cleanup_free_ char *nodes = format_nodes(&r->block.nodes), *zones = format_zones(&r->block);
        char text[RUN_TEXT_MAX], size[SIZE_TEXT_MAX];
        const struct block *b = &r->block;

        table_add_row(t);
        table_set(t, COL_RANGE, run_format_address(r, block_size, text));
        table_set(t, COL_SIZE, format_bytes(run_size(r, block_size), o->bytes, size));
        table_set(t, COL_STATE, r->mixed & ATTRIBUTE_STATE ? "mixed" : block_state_to_string(b->state));
        table_set(t, COL_REMOVABLE, r->mixed & ATTRIBUTE_REMOVABLE ? "mixed" : b->removable ? "yes" : "no");
        table_set(t, COL_BLOCK, run_format_blocks(r, text));
        table_set(t, COL_NODE, nodes);
        table_set(t, COL_ZONES, zones);
        table_set(t, COL_SOURCE, r->mixed & ATTRIBUTE_SOURCE ? "mixed" : source_to_string(b->source));
        table_set(t, COL_DEVICE, r->mixed & ATTRIBUTE_DEVICE ? "mixed" : b->device);
}

static void print_table(const struct listing *l, const struct column_choice *choice, const struct options *o) {
        _cleanup_(table_done) struct table t;
        char text[SIZE_TEXT_MAX];

        table_init(&t, &list_columns, choice, o->legend, NULL, 0);
        for (size_t i = 0; i < l->n; i++)
                add_row(&t, &l->runs[i], l->block_size, o);
        table_print(&t);
        if (!o->legend)
                return;
        printf("\n%-23s %*s\n", "Memory block size:", o->bytes ? 15 : 6, format_bytes(l->block_size, o->bytes, text));
        printf("%-23s %*s\n", "Total online memory:", o->bytes ? 15 : 6, format_bytes(l->online, o->bytes, text));
        printf("%-23s %*s\n", "Total offline memory:", o->bytes ? 15 : 6, format_bytes(l->offline, o->bytes, text));
}

static int parse_split(const struct options *o, const struct column_choice *shown, unsigned *ret) {
        struct column_choice choice = *shown;
        unsigned split = 0;

        if (o->split && strcmp(o->split, "none") == 0)
                choice.n = 0;
        else if (o->split && column_choice_parse(&list_columns, o->split, &choice) < 0)
                return -1;
        for (size_t i = 0; i < choice.n; i++)
                split |= attributes[choice.items[i]].attribute;
        *ret = split;
        return 0;
}

/* Of the system by itself. */
static enum status list_directly(struct listing *l, struct facts *f, struct blockless *besides, bool whole, unsigned split,
                                 unsigned needs, const struct options *o, const char *selector) {
        enum status s;

        s = facts_open(f, o->sysroot, selector, needs);
        if (s != STATUS_DONE)
                return s;
        l->block_size = f->block_size;
        listing_read(l, f, split, o->all);
        s = facts_status(f);
        if (s != STATUS_DONE && l->n == 0)
                return s;
        if (whole && blockless_read(besides, f) != STATUS_DONE)
                s = STATUS_FAILED;
        l->read = true;
        return s;
}

/* Of the daemon, which has looked at everything already, and sees what is hidden from others. */
static enum status list_answers(struct listing *l, struct client *c, struct blockless *besides, bool whole, unsigned split,
                                const struct options *o, const char *selector) {
        _cleanup_(answers_done) struct answers a = {};
        enum status s;

        s = answers_ask(&a, c, selector);
        if (s != STATUS_DONE)
                return s;
        l->block_size = a.block_size;
        listing_take(l, &a, split, o->all);
        l->read = true;
        /* No daemon is asked about what is no block: this host shows it by itself. */
        return whole && !o->host ? blockless_read_alone(besides, o->sysroot) : STATUS_DONE;
}

enum status verb_list(const struct options *o, char *const *args) {
        _cleanup_(listing_done) struct listing listing = {};
        _cleanup_(blockless_done) struct blockless besides = {};
        _cleanup_(facts_done) struct facts facts = {};
        _cleanup_(client_closep) struct client *c = NULL;
        struct column_choice choice, all;
        bool whole = !args[0] && (o->json || o->legend);
        unsigned split, needs = 0;
        enum status s;

        if (column_choice_parse(&list_columns, o->columns, &choice) < 0 ||
            column_choice_parse(&list_columns, NULL, &all) < 0)
                return STATUS_USAGE;
        if (o->json)
                choice = all; /* -o is for tables; the keys of an object do not come and go */
        if (parse_split(o, &choice, &split) < 0)
                return STATUS_USAGE;
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
                if (column_choice_has(&choice, (unsigned) i) || (split & attributes[i].attribute))
                        needs |= attributes[i].needs;

        s = client_find(o, &c);
        if (s == STATUS_DONE)
                s = c ? list_answers(&listing, c, &besides, whole, split, o, args[0])
                      : list_directly(&listing, &facts, &besides, whole, split, needs, o, args[0]);
        if (!listing.read)
                return s;
        if (o->json)
                print_json(&listing, whole ? &besides : NULL);
        else
                print_table(&listing, &choice, o);
        if (whole && !o->json)
                blockless_print(&besides, o);
        return s;
}
