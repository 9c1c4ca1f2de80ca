/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "ctl/statistics.h"
#include "ctl/stats-get.h"
#include "ctl/verb.h"
#include "ctl/watch.h"

enum { COL_NODE, COL_BOOT, COL_HOT, COL_ONLINE, COL_OFFLINE, COL_DEVICE, COL_KERNEL, COL_MOVABLE, COL_RATIO, COL_LIMIT, COL_MEMMAP,
       COL_LARGEST, COL_DLOW, COL_UNKNOWN, COL_AVAILABLE, COL_RATE };

static const struct column columns[] = {
        [COL_NODE] = { "NODE", "NUMA node, or \"all\" for the machine", .right = true },
        [COL_BOOT] = { "BOOT", "memory blocks that were there at boot", .right = true, .spare = 3 },
        [COL_HOT] = { "HOT", "memory blocks that were hot-added", .right = true },
        [COL_ONLINE] = { "ONLINE", "memory blocks that are in use", .right = true },
        [COL_OFFLINE] = { "OFFLINE", "memory blocks that are not", .right = true },
        [COL_DEVICE] = { "DEVICE", "device memory: hot-added only, no memory blocks", .right = true, .spare = 4 },
        [COL_KERNEL] = { "KERNEL", "memory in kernel zones", .right = true, .spare = 1 },
        [COL_MOVABLE] = { "MOVABLE", "memory in zone Movable", .right = true, .spare = 1 },
        [COL_RATIO] = { "RATIO", "MOVABLE:KERNEL, as the rule counts; \"all\": nothing but movable memory counts", .right = true },
        [COL_LIMIT] = { "LIMIT", "the limit of the rule that memory of the node goes by", .right = true },
        [COL_MEMMAP] = { "MEMMAP", "what the struct pages of hot-added memory take", .right = true },
        [COL_LARGEST] = { "LARGEST", "the largest free block", .right = true, .spare = 2 },
        [COL_DLOW] = { "DLOW", "how far free memory is above the watermarks low, or below them", .right = true },
        [COL_UNKNOWN] = { "UNKNOWN", "memory blocks of which nobody knows whence they came; not shown unless asked for",
                          .right = true, .optional = true },
        [COL_AVAILABLE] = { "AVAILABLE", "what can still be had in kernel zones, file cache included; not shown unless asked for",
                            .right = true, .optional = true },
        [COL_RATE] = { "RATE", "with --watch: how fast free memory grows or shrinks", .right = true, .optional = true },
};

const struct column_set stats_columns = { columns, ARRAY_SIZE(columns) };

struct view {
        const struct options *options;
        struct column_choice choice;
        json_t *now, *before; /* before: NULL, the first time */
        double seconds;
};

/* Everything here is bytes. */
static const struct statistics in_bytes = { .page_size = 1 };

static const json_t *find_before(const struct view *v, const json_t *node) {
        const json_t *number = json_object_get(node, "node"), *item;
        size_t i;

        if (!v->before)
                return node;
        if (!number)
                return json_object_get(v->before, "machine");
        json_array_foreach(json_object_get(v->before, "nodes"), i, item)
                if (json_equal(json_object_get(item, "node"), number))
                        return item;
        return node;
}

static uint64_t part(const json_t *node, const char *kind, const char *key) {
        return json_get_unsigned(kind ? json_object_get(node, kind) : node, key);
}

/* "1.33" for 133 %. */
static const char *format_percent(const json_t *ratio, const char *key, const char *none, char buf[static SIZE_TEXT_MAX]) {
        uint64_t percent = json_get_unsigned(ratio, key);

        if (!json_is_known(ratio, key))
                return none;
        snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 ".%02u", percent / 100, (unsigned) (percent % 100));
        return buf;
}

static uint64_t free_bytes(const json_t *node) {
        return part(node, "kernel", "free") + part(node, "movable", "free");
}

static void set_largest(struct table *t, const struct view *v, const json_t *node) {
        int64_t order = json_get_integer(node, "largest_order");
        char text[SIZE_TEXT_MAX];

        if (json_is_known(node, "largest_order") && order >= 0 && order < 63)
                table_set(t, COL_LARGEST, format_bytes(json_get_unsigned(v->now, "page_size") << order, v->options->bytes, text));
        else
                table_set(t, COL_LARGEST, NULL);
}

static void set_row(struct table *t, const struct view *v, const json_t *node) {
        static const struct {
                unsigned column;
                const char *kind, *key;
        } figures[] = {
                { COL_BOOT, NULL, "boot" }, { COL_HOT, NULL, "hot_added" }, { COL_UNKNOWN, NULL, "unknown" },
                { COL_ONLINE, NULL, "online" }, { COL_OFFLINE, NULL, "offline" }, { COL_DEVICE, NULL, "device_memory" },
                { COL_KERNEL, "kernel", "present" }, { COL_MOVABLE, "movable", "present" }, { COL_MEMMAP, "memmap", "bytes" },
                { COL_AVAILABLE, "kernel", "available" },
        };
        const json_t *old = find_before(v, node), *ratio = json_object_get(node, "ratio");
        bool bytes = v->options->bytes;
        char text[CHANGE_TEXT_MAX];

        table_add_row(t);
        snprintf(text, sizeof(text), "%" PRIi64, json_get_integer(node, "node"));
        table_set(t, COL_NODE, json_is_known(node, "node") ? text : "all");
        for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
                table_set(t, figures[i].column, format_pages_change(&in_bytes, part(node, figures[i].kind, figures[i].key),
                                                                    part(old, figures[i].kind, figures[i].key), bytes, text));
        table_set(t, COL_RATIO, format_percent(ratio, "percent", part(node, "movable", "present") ? "all" : "-", text));
        table_set(t, COL_LIMIT, format_percent(ratio, "limit_percent", NULL, text));
        set_largest(t, v, node);
        table_set(t, COL_DLOW, format_pages_signed(&in_bytes, json_get_integer(node, "watermark_distance"), bytes, text));
        table_set(t, COL_RATE, format_pages_rate(&in_bytes, (int64_t) (free_bytes(node) - free_bytes(old)), v->seconds, bytes, text));
}

/* ---- below the table ---------------------------------------------------------------------------------------------- */

static void print_memmap(const struct view *v) {
        const json_t *memmap = json_object_get(json_object_get(v->now, "machine"), "memmap");
        uint64_t device = json_get_unsigned(v->now, "device_memory_memmap"), inside = json_get_unsigned(memmap, "inside");
        _cleanup_free_ char *where = NULL, *devices = NULL;
        char text[SIZE_TEXT_MAX];
        bool bytes = v->options->bytes;

        if (json_get_unsigned(memmap, "bytes") == 0)
                where = format_text("%s", "");
        else if (!json_is_known(memmap, "inside"))
                where = format_text(", some of it perhaps in that memory itself");
        else if (inside)
                where = format_text(", of which %s at most is in that memory itself", format_bytes(inside, bytes, text));
        else
                where = format_text(", taken from other memory");
        devices = device ? format_text("; of device memory: %s at most", format_bytes(device, bytes, text)) : NULL;
        putchar('\n');
        print_paragraph(0, "Struct pages of hot-added memory: %s%s%s", format_bytes(json_get_unsigned(memmap, "bytes"), bytes, text),
                        where, devices ?: "");
}

static void print_movable_only(const struct view *v) {
        const char *comma = "Movable-only nodes: ";
        const json_t *node;
        size_t i;

        json_array_foreach(json_object_get(v->now, "nodes"), i, node)
                if (json_is_true(json_object_get(node, "movable_only"))) {
                        printf("%s%" PRIi64, comma, json_get_integer(node, "node"));
                        comma = ",";
                }
        if (*comma == ',')
                putchar('\n');
}

static void print_next_add(const struct view *v) {
        const json_t *next = json_object_get(v->now, "next_add");
        char size[SIZE_TEXT_MAX], need[SIZE_TEXT_MAX], room[SIZE_TEXT_MAX];
        bool bytes = v->options->bytes;

        if (json_is_known(next, "size"))
                print_paragraph(0, "Another hot-add as large as the largest so far, %s, needs %s of kernel memory; there is %s",
                                format_bytes(json_get_unsigned(next, "size"), bytes, size),
                                format_bytes(json_get_unsigned(next, "memmap"), bytes, need),
                                format_bytes(json_get_unsigned(next, "room"), bytes, room));
}

static void print_alerts(const struct view *v) {
        const json_t *alert;
        size_t i;

        json_array_foreach(json_object_get(v->now, "alerts"), i, alert)
                print_paragraph_in(COLOUR_BAD, 0, "Alert: %s", json_get_text(alert, "message"));
}

static void print_text(const struct view *v) {
        const json_t *nodes = json_object_get(v->now, "nodes"), *node;
        _cleanup_(table_done) struct table t;
        size_t i;

        table_init(&t, &stats_columns, &v->choice, v->options->legend, NULL, 0);
        json_array_foreach(nodes, i, node)
                set_row(&t, v, node);
        if (json_array_size(nodes) != 1)
                set_row(&t, v, json_object_get(v->now, "machine"));
        table_print(&t);
        if (!v->options->legend)
                return;
        print_memmap(v);
        print_movable_only(v);
        print_next_add(v);
        print_alerts(v);
}

static enum status print(void *userdata, double seconds) {
        struct view *v = userdata;
        json_t *now = NULL;
        enum status status;

        status = stats_get(v->options, &now);
        if (status != STATUS_DONE)
                return status;
        json_decref(v->before);
        v->before = v->now;
        v->now = now;
        v->seconds = seconds;
        if (v->options->json)
                watch_print_json(v->options, v->now);
        else
                print_text(v);
        return STATUS_DONE;
}

enum status verb_stats(const struct options *o, char *const *args) {
        struct view v = { .options = o };
        enum status status;

        (void) args;
        if (column_choice_parse(&stats_columns, o->columns ?: (o->watch ? "+RATE" : NULL), &v.choice) < 0)
                return STATUS_USAGE;
        status = watch_run(o, print, &v);
        json_decref(v.now);
        json_decref(v.before);
        return status;
}
