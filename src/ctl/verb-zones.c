/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "core/zoneinfo.h"
#include "ctl/statistics.h"
#include "ctl/verb.h"
#include "ctl/watch.h"

enum { COL_NODE, COL_ZONE, COL_FREE, COL_MIN, COL_LOW, COL_HIGH, COL_DMIN, COL_DLOW, COL_DHIGH, COL_SPANNED, COL_PRESENT,
       COL_MANAGED, COL_PCP, COL_RATE };

static const struct column columns[] = {
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_ZONE] = { "ZONE", "zone", .right = false },
        [COL_FREE] = { "FREE", "free memory", .right = true },
        [COL_MIN] = { "MIN", "watermark: below it only the kernel's own emergencies are served", .right = true },
        [COL_LOW] = { "LOW", "watermark: below it reclaim begins", .right = true },
        [COL_HIGH] = { "HIGH", "watermark: above it reclaim ends", .right = true },
        [COL_DMIN] = { "DMIN", "how far free memory is above MIN, or below it", .right = true, .spare = 3 },
        [COL_DLOW] = { "DLOW", "the same for LOW", .right = true },
        [COL_DHIGH] = { "DHIGH", "the same for HIGH", .right = true, .spare = 2 },
        [COL_SPANNED] = { "SPANNED", "from the first page to the last, holes included", .right = true, .spare = 4 },
        [COL_PRESENT] = { "PRESENT", "of it, memory that exists", .right = true, .spare = 1 },
        [COL_MANAGED] = { "MANAGED", "of it, memory that can be allocated", .right = true },
        [COL_PCP] = { "PCP", "free memory on the lists of single CPUs, beside FREE; not shown unless asked for",
                      .right = true, .optional = true },
        [COL_RATE] = { "RATE", "with --watch: how fast free memory grows or shrinks", .right = true, .optional = true },
};

const struct column_set zones_columns = { columns, ARRAY_SIZE(columns) };

struct view {
        const struct options *options;
        struct statistics statistics;
        struct column_choice choice;
        struct zoneinfo now, before; /* before: nothing, the first time */
        double seconds;
};

static void set_figures(struct table *t, const struct view *v, const struct zone_info *z) {
        const struct zone_info *old = zoneinfo_find(&v->before, z->node, z->name) ?: z;
        const struct statistics *s = &v->statistics;
        const struct {
                unsigned column;
                uint64_t pages, before;
        } figures[] = {
                { COL_FREE, z->free, old->free }, { COL_MIN, z->min, old->min }, { COL_LOW, z->low, old->low },
                { COL_HIGH, z->high, old->high }, { COL_SPANNED, z->spanned, old->spanned },
                { COL_PRESENT, z->present, old->present }, { COL_MANAGED, z->managed, old->managed },
                { COL_PCP, z->pcp_free, old->pcp_free },
        };
        const struct {
                unsigned column;
                uint64_t watermark;
        } distances[] = { { COL_DMIN, z->min }, { COL_DLOW, z->low }, { COL_DHIGH, z->high } };
        char text[CHANGE_TEXT_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
                table_set(t, figures[i].column, format_pages_change(s, figures[i].pages, figures[i].before, v->options->bytes, text));
        for (size_t i = 0; i < ARRAY_SIZE(distances); i++)
                table_set(t, distances[i].column, format_pages_signed(s, (int64_t) (z->free - distances[i].watermark),
                                                                      v->options->bytes, text));
        table_set(t, COL_RATE, format_pages_rate(s, (int64_t) (z->free - old->free), v->seconds, v->options->bytes, text));
}

static void print_table(const struct view *v) {
        _cleanup_(table_done) struct table t;
        char node[16];

        table_init(&t, &zones_columns, &v->choice, v->options->legend, NULL, 0);
        for (size_t i = 0; i < v->now.n_zones; i++) {
                const struct zone_info *z = &v->now.zones[i];

                /* The kernel lists every zone of every node, memory in it or not. */
                if (!statistics_has_node(&v->statistics, z->node) || (z->spanned == 0 && !v->options->all))
                        continue;
                snprintf(node, sizeof(node), "%u", z->node);
                table_add_row(&t);
                table_set(&t, COL_NODE, node);
                table_set(&t, COL_ZONE, z->name);
                set_figures(&t, v, z);
        }
        table_print(&t);
        statistics_print_legend(&v->statistics, v->options);
}

static json_t *json_counters(const struct counter *counters, size_t n) {
        json_t *object = json_new_object();

        for (size_t i = 0; i < n; i++)
                json_set(object, counters[i].key, json_unsigned(counters[i].value));
        return object;
}

/* An object for each CPU, with the kernel's words: "vm stats threshold" becomes vm_stats_threshold. */
static json_t *json_pagesets(const struct zoneinfo *info, const struct zone_info *z) {
        json_t *array = json_new_array(), *object = NULL;
        struct lines lines;
        const char *text;
        uint64_t value;
        size_t n;

        zoneinfo_pagesets(info, z, &lines);
        while (pageset_next(&lines, &text, &n, &value)) {
                _cleanup_free_ char *key = format_text("%.*s", (int) n, text);

                for (char *p = key; *p; p++)
                        if (*p == ' ')
                                *p = '_';
                if (!object || strcmp(key, "cpu") == 0) {
                        object = json_new_object();
                        json_add(array, object);
                }
                json_set(object, key, json_unsigned(value));
        }
        return array;
}

static json_t *json_distances(const struct zone_info *z) {
        json_t *object = json_new_object();

        json_set(object, "min", json_integer((json_int_t) (z->free - z->min)));
        json_set(object, "low", json_integer((json_int_t) (z->free - z->low)));
        json_set(object, "high", json_integer((json_int_t) (z->free - z->high)));
        return object;
}

static json_t *json_zone(const struct view *v, const struct zone_info *z) {
        json_t *object = json_new_object(), *protection = json_new_array();
        const struct zoneinfo *info = &v->now;

        for (size_t i = 0; i < z->n_protection; i++)
                json_add(protection, json_unsigned(info->protections[z->protection + i]));
        json_set(object, "node", json_unsigned(z->node));
        json_set(object, "zone", json_text(z->name));
        json_set(object, "free", json_unsigned(z->free));
        json_set(object, "min", json_unsigned(z->min));
        json_set(object, "low", json_unsigned(z->low));
        json_set(object, "high", json_unsigned(z->high));
        json_set(object, "distance", json_distances(z));
        json_set(object, "spanned", json_unsigned(z->spanned));
        json_set(object, "present", json_unsigned(z->present));
        json_set(object, "managed", json_unsigned(z->managed));
        json_set(object, "protection", protection);
        json_set(object, "counters", json_counters(info->counters + z->counters, z->n_counters));
        json_set(object, "pcp_free", json_unsigned(z->pcp_free));
        if (v->options->all)
                json_set(object, "pagesets", json_pagesets(info, z));
        return object;
}

static void print_json(const struct view *v) {
        json_auto_t *root = json_new_object();
        json_t *zones = json_new_array(), *nodes = json_new_array();
        const struct statistics *s = &v->statistics;
        const struct zoneinfo *info = &v->now;

        for (size_t i = 0; i < info->n_zones; i++)
                if (statistics_has_node(s, info->zones[i].node))
                        json_add(zones, json_zone(v, &info->zones[i]));
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
        watch_print_json(v->options, root);
}

static enum status print(void *userdata, double seconds) {
        struct view *v = userdata;
        struct statistics *s = &v->statistics;
        enum status status;
        unsigned line = 0;
        size_t n = 0;
        int r;

        status = statistics_read(s, SYSFS_ZONEINFO);
        if (status != STATUS_DONE)
                return status;
        zoneinfo_done(&v->before);
        v->before = v->now;
        v->now = (struct zoneinfo) {};
        r = zoneinfo_parse_take(&s->text, s->size, &v->now, &line);
        if (r < 0)
                return statistics_malformed(r, SYSFS_ZONEINFO, line);
        v->seconds = seconds;
        for (size_t i = 0; i < v->now.n_zones; i++)
                n += statistics_has_node(s, v->now.zones[i].node);
        if (n == 0)
                return statistics_no_node(s, SYSFS_ZONEINFO);
        if (v->options->json)
                print_json(v);
        else
                print_table(v);
        return STATUS_DONE;
}

enum status verb_zones(const struct options *o, char *const *args) {
        struct view v = { .options = o };
        enum status status;

        if (column_choice_parse(&zones_columns, o->columns ?: (o->watch ? "+RATE" : NULL), &v.choice) < 0)
                return STATUS_USAGE;
        status = statistics_open(&v.statistics, o, args[0]);
        if (status == STATUS_DONE)
                status = watch_run(o, print, &v);
        zoneinfo_done(&v.now);
        zoneinfo_done(&v.before);
        statistics_done(&v.statistics);
        return status;
}
