/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/buddyinfo.h"
#include "ctl/statistics.h"
#include "ctl/verb.h"
#include "ctl/watch.h"

enum { COL_NODE, COL_ZONE, COL_FREE, COL_LARGEST, COL_ORDERS, COL_UNUSABLE, COL_RATE };

static const struct column columns[] = {
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_ZONE] = { "ZONE", "zone", .right = false },
        [COL_FREE] = { "FREE", "free memory", .right = true },
        [COL_LARGEST] = { "LARGEST", "the largest free block", .right = true },
        [COL_ORDERS] = { "ORDERS", "free blocks of each size, a column for each", .right = true, .repeated = true },
        [COL_UNUSABLE] = { "UNUSABLE", "for each size, the share of free memory that is in smaller blocks; a table of its own "
                           "unless asked for", .right = true, .repeated = true, .optional = true },
        [COL_RATE] = { "RATE", "with --watch: how fast free memory grows or shrinks", .right = true, .optional = true },
};

const struct column_set buddy_columns = { columns, ARRAY_SIZE(columns) };

#define ORDERS_MAX 64 /* beyond what buddyinfo_parse() accepts */

struct view {
        const struct options *options;
        struct statistics statistics;
        struct column_choice choice;
        struct buddyinfo now, before; /* before: nothing, the first time */
        double seconds;
};

/* As far as there was something to compare with. */
static const struct buddy_zone *find_before(const struct view *v, const struct buddy_zone *z) {
        return (v->before.orders == v->now.orders ? buddyinfo_find(&v->before, z->node, z->name) : NULL) ?: z;
}

static void set_row(struct table *t, const struct view *v, const struct buddy_zone *z) {
        const struct buddy_zone *old = find_before(v, z);
        const struct statistics *s = &v->statistics;
        unsigned orders = MIN(v->now.orders, (unsigned) ORDERS_MAX);
        uint64_t free_pages = buddy_zone_free_pages(z, orders), free_before = buddy_zone_free_pages(old, orders);
        int largest = buddy_zone_largest_order(z, orders);
        bool bytes = v->options->bytes;
        char text[CHANGE_TEXT_MAX];

        table_add_row(t);
        snprintf(text, sizeof(text), "%u", z->node);
        table_set(t, COL_NODE, text);
        table_set(t, COL_ZONE, z->name);
        table_set(t, COL_FREE, format_pages_change(s, free_pages, free_before, bytes, text));
        table_set(t, COL_LARGEST, largest < 0 ? "-" : format_pages(s, UINT64_C(1) << largest, bytes, text));
        for (unsigned k = 0; k < orders; k++) {
                table_set_nth(t, COL_ORDERS, k, format_count_change(z->free_blocks[k], old->free_blocks[k], text));
                snprintf(text, sizeof(text), "%.0f%%", buddy_zone_unusable(z, orders, k) * 100);
                table_set_nth(t, COL_UNUSABLE, k, text);
        }
        table_set(t, COL_RATE, format_pages_rate(s, (int64_t) (free_pages - free_before), v->seconds, bytes, text));
}

/* Headings: the size of the order's blocks where pages have a known size, else the order. */
static void print_table(const struct view *v, const struct column_choice *choice) {
        char headings[ORDERS_MAX][SIZE_TEXT_MAX];
        _cleanup_(table_done) struct table t;
        const char *names[ORDERS_MAX];
        unsigned orders = MIN(v->now.orders, (unsigned) ORDERS_MAX);

        for (unsigned k = 0; k < orders; k++) {
                if (v->statistics.page_size)
                        format_pages(&v->statistics, UINT64_C(1) << k, false, headings[k]);
                else
                        snprintf(headings[k], sizeof(headings[k]), "%u", k);
                names[k] = headings[k];
        }
        table_init(&t, &buddy_columns, choice, v->options->legend, names, orders);
        for (size_t i = 0; i < v->now.n_zones; i++)
                if (statistics_has_node(&v->statistics, v->now.zones[i].node))
                        set_row(&t, v, &v->now.zones[i]);
        table_print(&t);
}

static void print_text(const struct view *v) {
        static const struct column_choice fragmentation = { { COL_NODE, COL_ZONE, COL_UNUSABLE }, 3 };

        print_table(v, &v->choice);
        if (v->options->legend && !v->options->columns) {
                puts("\nShare of the free memory that cannot serve a request of this size:");
                print_table(v, &fragmentation);
        }
        statistics_print_legend(&v->statistics, v->options);
}

static json_t *json_zone(const struct buddyinfo *info, const struct buddy_zone *z) {
        json_t *object = json_new_object(), *blocks = json_new_array(), *unusable = json_new_array();

        for (unsigned k = 0; k < info->orders; k++) {
                json_add(blocks, json_unsigned(z->free_blocks[k]));
                json_add(unusable, json_real(buddy_zone_unusable(z, info->orders, k)));
        }
        json_set(object, "node", json_unsigned(z->node));
        json_set(object, "zone", json_text(z->name));
        json_set(object, "free_blocks", blocks);
        json_set(object, "free_pages", json_unsigned(buddy_zone_free_pages(z, info->orders)));
        /* -1 if nothing is free: a number, so that it can be compared. */
        json_set(object, "largest_order", json_integer(buddy_zone_largest_order(z, info->orders)));
        json_set(object, "unusable", unusable);
        return object;
}

static void print_json(const struct view *v) {
        json_auto_t *root = json_new_object();
        json_t *zones = json_new_array();

        for (size_t i = 0; i < v->now.n_zones; i++)
                if (statistics_has_node(&v->statistics, v->now.zones[i].node))
                        json_add(zones, json_zone(&v->now, &v->now.zones[i]));
        json_set(root, "zones", zones);
        watch_print_json(v->options, root);
}

static enum status print(void *userdata, double seconds) {
        struct view *v = userdata;
        struct statistics *s = &v->statistics;
        enum status status;
        unsigned line = 0;
        size_t n = 0;
        int r;

        status = statistics_read(s, SYSFS_BUDDYINFO);
        if (status != STATUS_DONE)
                return status;
        buddyinfo_done(&v->before);
        v->before = v->now;
        v->now = (struct buddyinfo) {};
        r = buddyinfo_parse(s->text, s->size, &v->now, &line);
        if (r < 0)
                return statistics_malformed(r, SYSFS_BUDDYINFO, line);
        v->seconds = seconds;
        for (size_t i = 0; i < v->now.n_zones; i++)
                n += statistics_has_node(s, v->now.zones[i].node);
        if (n == 0)
                return statistics_no_node(s, SYSFS_BUDDYINFO);
        if (v->options->json)
                print_json(v);
        else
                print_text(v);
        return STATUS_DONE;
}

enum status verb_buddy(const struct options *o, char *const *args) {
        struct view v = { .options = o };
        enum status status;

        if (column_choice_parse(&buddy_columns, o->columns ?: (o->watch ? "+RATE" : NULL), &v.choice) < 0)
                return STATUS_USAGE;
        status = statistics_open(&v.statistics, o, args[0]);
        if (status == STATUS_DONE)
                status = watch_run(o, print, &v);
        buddyinfo_done(&v.now);
        buddyinfo_done(&v.before);
        statistics_done(&v.statistics);
        return status;
}
