/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "core/zoneinfo.h"
#include "ctl/statistics.h"
#include "ctl/verb.h"

enum { COL_NODE, COL_ZONE, COL_FREE, COL_MIN, COL_LOW, COL_HIGH, COL_SPANNED, COL_PRESENT, COL_MANAGED };

static const struct column columns[] = {
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_ZONE] = { "ZONE", "zone", .right = false },
        [COL_FREE] = { "FREE", "free memory", .right = true },
        [COL_MIN] = { "MIN", "watermark: below it only the kernel's own emergencies are served", .right = true },
        [COL_LOW] = { "LOW", "watermark: below it reclaim begins", .right = true },
        [COL_HIGH] = { "HIGH", "watermark: above it reclaim ends", .right = true },
        [COL_SPANNED] = { "SPANNED", "from the first page to the last, holes included", .right = true },
        [COL_PRESENT] = { "PRESENT", "of it, memory that exists", .right = true },
        [COL_MANAGED] = { "MANAGED", "of it, memory that can be allocated", .right = true },
};

const struct column_set zones_columns = { columns, ARRAY_SIZE(columns) };

static void print_table(const struct zoneinfo *info, const struct statistics *s, const struct column_choice *choice,
                        const struct options *o) {
        _cleanup_(table_done) struct table t;
        char node[16], text[SIZE_TEXT_MAX];

        table_init(&t, &zones_columns, choice, o->legend, NULL, 0);
        for (size_t i = 0; i < info->n_zones; i++) {
                const struct zone_info *z = &info->zones[i];
                const struct {
                        unsigned column;
                        uint64_t pages;
                } figures[] = {
                        { COL_FREE, z->free }, { COL_MIN, z->min }, { COL_LOW, z->low }, { COL_HIGH, z->high },
                        { COL_SPANNED, z->spanned }, { COL_PRESENT, z->present }, { COL_MANAGED, z->managed },
                };

                /* The kernel lists every zone of every node, memory in it or not. */
                if (!statistics_has_node(s, z->node) || (z->spanned == 0 && !o->all))
                        continue;
                snprintf(node, sizeof(node), "%u", z->node);
                table_add_row(&t);
                table_set(&t, COL_NODE, node);
                table_set(&t, COL_ZONE, z->name);
                for (size_t k = 0; k < ARRAY_SIZE(figures); k++)
                        table_set(&t, figures[k].column, format_pages(s, figures[k].pages, o->bytes, text));
        }
        table_print(&t);
        statistics_print_legend(s, o);
}

static json_t *json_counters(const struct counter *counters, size_t n) {
        json_t *object = json_new_object();

        for (size_t i = 0; i < n; i++)
                json_set(object, counters[i].key, json_unsigned(counters[i].value));
        return object;
}

static json_t *json_zone(const struct zoneinfo *info, const struct zone_info *z) {
        json_t *object = json_new_object(), *protection = json_new_array();

        for (size_t i = 0; i < z->n_protection; i++)
                json_add(protection, json_unsigned(info->protections[z->protection + i]));
        json_set(object, "node", json_unsigned(z->node));
        json_set(object, "zone", json_text(z->name));
        json_set(object, "free", json_unsigned(z->free));
        json_set(object, "min", json_unsigned(z->min));
        json_set(object, "low", json_unsigned(z->low));
        json_set(object, "high", json_unsigned(z->high));
        json_set(object, "spanned", json_unsigned(z->spanned));
        json_set(object, "present", json_unsigned(z->present));
        json_set(object, "managed", json_unsigned(z->managed));
        json_set(object, "protection", protection);
        json_set(object, "counters", json_counters(info->counters + z->counters, z->n_counters));
        return object;
}

static void print_json(const struct zoneinfo *info, const struct statistics *s) {
        json_auto_t *root = json_new_object();
        json_t *zones = json_new_array(), *nodes = json_new_array();

        for (size_t i = 0; i < info->n_zones; i++)
                if (statistics_has_node(s, info->zones[i].node))
                        json_add(zones, json_zone(info, &info->zones[i]));
        for (size_t i = 0; i < info->n_nodes; i++) {
                const struct node_info *n = &info->nodes[i];
                json_t *object;

                if (!statistics_has_node(s, n->node))
                        continue;
                object = json_new_object();
                json_set(object, "node", json_unsigned(n->node));
                json_set(object, "counters", json_counters(info->counters + n->counters, n->n_counters));
                json_add(nodes, object);
        }
        json_set(root, "page_size", s->page_size ? json_unsigned(s->page_size) : json_null());
        json_set(root, "zones", zones);
        json_set(root, "nodes", nodes);
        json_print(root);
}

enum status verb_zones(const struct options *o, char *const *args) {
        _cleanup_(statistics_done) struct statistics s = {};
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        struct column_choice choice;
        enum status status;
        unsigned line = 0;
        size_t n = 0;
        int r;

        if (column_choice_parse(&zones_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = statistics_open(&s, o, SYSFS_ZONEINFO, args[0]);
        if (status != STATUS_DONE)
                return status;
        r = zoneinfo_parse(s.text, s.size, &info, &line);
        if (r < 0)
                return statistics_malformed(r, SYSFS_ZONEINFO, line);
        for (size_t i = 0; i < info.n_zones; i++)
                n += statistics_has_node(&s, info.zones[i].node);
        if (n == 0)
                return statistics_no_node(&s, SYSFS_ZONEINFO);
        if (o->json)
                print_json(&info, &s);
        else
                print_table(&info, &s, &choice, o);
        return STATUS_DONE;
}
