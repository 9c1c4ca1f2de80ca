/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/buddyinfo.h"
#include "ctl/statistics.h"
#include "ctl/verb.h"

enum { COL_NODE, COL_ZONE, COL_FREE, COL_LARGEST, COL_ORDERS };

static const struct column columns[] = {
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_ZONE] = { "ZONE", "zone", .right = false },
        [COL_FREE] = { "FREE", "free memory", .right = true },
        [COL_LARGEST] = { "LARGEST", "the largest free block", .right = true },
        [COL_ORDERS] = { "ORDERS", "free blocks of each size, a column for each", .right = true, .repeated = true },
};

const struct column_set buddy_columns = { columns, ARRAY_SIZE(columns) };

#define ORDERS_MAX 64 /* beyond what buddyinfo_parse() accepts */

/* Headings: the size of the order's blocks where pages have a known size, else the order. */
static void print_table(const struct buddyinfo *info, const struct statistics *s, const struct column_choice *choice,
                        const struct options *o) {
        char headings[ORDERS_MAX][SIZE_TEXT_MAX], text[SIZE_TEXT_MAX];
        _cleanup_(table_done) struct table t;
        const char *names[ORDERS_MAX];
        unsigned orders = MIN(info->orders, (unsigned) ORDERS_MAX);

        for (unsigned k = 0; k < orders; k++) {
                if (s->page_size)
                        format_pages(s, UINT64_C(1) << k, false, headings[k]);
                else
                        snprintf(headings[k], sizeof(headings[k]), "%u", k);
                names[k] = headings[k];
        }
        table_init(&t, &buddy_columns, choice, o->legend, names, orders);
        for (size_t i = 0; i < info->n_zones; i++) {
                const struct buddy_zone *z = &info->zones[i];
                int largest = buddy_zone_largest_order(z, info->orders);

                if (!statistics_has_node(s, z->node))
                        continue;
                table_add_row(&t);
                snprintf(text, sizeof(text), "%u", z->node);
                table_set(&t, COL_NODE, text);
                table_set(&t, COL_ZONE, z->name);
                table_set(&t, COL_FREE, format_pages(s, buddy_zone_free_pages(z, info->orders), o->bytes, text));
                table_set(&t, COL_LARGEST, largest < 0 ? "-" : format_pages(s, UINT64_C(1) << largest, o->bytes, text));
                for (unsigned k = 0; k < orders; k++) {
                        snprintf(text, sizeof(text), "%" PRIu64, z->free_blocks[k]);
                        table_set_nth(&t, COL_ORDERS, k, text);
                }
        }
        table_print(&t);
        statistics_print_legend(s, o);
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

static void print_json(const struct buddyinfo *info, const struct statistics *s) {
        json_auto_t *root = json_new_object();
        json_t *zones = json_new_array();

        for (size_t i = 0; i < info->n_zones; i++)
                if (statistics_has_node(s, info->zones[i].node))
                        json_add(zones, json_zone(info, &info->zones[i]));
        json_set(root, "zones", zones);
        json_print(root);
}

enum status verb_buddy(const struct options *o, char *const *args) {
        _cleanup_(statistics_done) struct statistics s = {};
        _cleanup_(buddyinfo_done) struct buddyinfo info = {};
        struct column_choice choice;
        enum status status;
        unsigned line = 0;
        size_t n = 0;
        int r;

        if (column_choice_parse(&buddy_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = statistics_open(&s, o, SYSFS_BUDDYINFO, args[0]);
        if (status != STATUS_DONE)
                return status;
        r = buddyinfo_parse(s.text, s.size, &info, &line);
        if (r < 0)
                return statistics_malformed(r, SYSFS_BUDDYINFO, line);
        for (size_t i = 0; i < info.n_zones; i++)
                n += statistics_has_node(&s, info.zones[i].node);
        if (n == 0)
                return statistics_no_node(&s, SYSFS_BUDDYINFO);
        if (o->json)
                print_json(&info, &s);
        else
                print_table(&info, &s, &choice, o);
        return STATUS_DONE;
}
