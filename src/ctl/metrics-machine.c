/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "core/alerts.h"
#include "ctl/openmetrics.h"
#include "ctl/stats-get.h"

/* ---- nodes -------------------------------------------------------------------------------------------------------- */

struct node_sample {
        const char *part; /* of the node's object; NULL: itself */
        const char *key;
        const char *label, *value; /* one more label; NULL: none */
};

#define BY_ZONES(key) { "kernel", key, "zones", "kernel" }, { "movable", key, "zones", "movable" }

static const struct {
        const char *name, *unit, *help;
        struct node_sample samples[3];
} node_families[] = {
        { "memhp_node_blocks_bytes", "bytes", "Memory blocks of the node, by where they came from.",
          { { NULL, "boot", "origin", "boot" }, { NULL, "hot_added", "origin", "hot_added" }, { NULL, "unknown", "origin", "unknown" } } },
        { "memhp_node_state_bytes", "bytes", "Memory blocks of the node, by whether they are in use.",
          { { NULL, "online", "state", "online" }, { NULL, "offline", "state", "offline" } } },
        { "memhp_node_device_memory_bytes", "bytes", "Memory of the node that was hot-added only and is no memory block.",
          { { NULL, "device_memory", NULL, NULL } } },
        { "memhp_node_present_bytes", "bytes", "Memory in the node's kernel zones, and in its zone Movable.", { BY_ZONES("present") } },
        { "memhp_node_managed_bytes", "bytes", "Memory there that can be allocated.", { BY_ZONES("managed") } },
        { "memhp_node_free_bytes", "bytes", "Memory there that is free.", { BY_ZONES("free") } },
        { "memhp_node_available_bytes", "bytes", "Memory there that can still be had: what is free above the watermark min, and file cache.",
          { BY_ZONES("available") } },
        { "memhp_node_low_bytes", "bytes", "The watermarks low there, below which reclaim begins.", { BY_ZONES("low") } },
        { "memhp_node_low_distance_bytes", "bytes", "How far free memory there is above the watermarks low; negative below them.",
          { BY_ZONES("distance") } },
        { "memhp_node_hot_added_online_bytes", "bytes", "Hot-added memory blocks that are in use there.", { BY_ZONES("hot_added") } },
        { "memhp_node_memmap_bytes", "bytes", "What the struct pages of the node's hot-added blocks take.",
          { { "memmap", "bytes", NULL, NULL } } },
        { "memhp_node_memmap_inside_bytes", "bytes", "Struct pages of the node's hot-added blocks that lie in these blocks "
          "themselves, at most; missing where that cannot be told.", { { "memmap", "inside", NULL, NULL } } },
        { "memhp_node_largest_free_order", NULL, "The largest order of which the node has a free block; -1: none.",
          { { NULL, "largest_order", NULL, NULL } } },
        { "memhp_node_movable_only", NULL, "1 if the node has movable memory and no kernel memory.",
          { { NULL, "movable_only", NULL, NULL } } },
};

static void put_node_sample(FILE *f, const char *name, const struct node_sample *s, const json_t *node) {
        const json_t *object = s->part ? json_object_get(node, s->part) : node, *value = json_object_get(object, s->key);
        char number[16];
        const struct label labels[] = { { "node", number }, { s->label, s->value } };
        size_t n = s->label ? 2 : 1;

        snprintf(number, sizeof(number), "%" PRIi64, json_get_integer(node, "node"));
        if (json_is_boolean(value))
                openmetrics_unsigned(f, name, "", labels, n, json_is_true(value));
        else if (json_is_known(object, s->key))
                openmetrics_signed(f, name, "", labels, n, json_get_integer(object, s->key));
}

static void put_nodes(FILE *f, const json_t *nodes) {
        for (size_t i = 0; i < ARRAY_SIZE(node_families); i++) {
                const json_t *node;
                size_t k;

                openmetrics_family(f, node_families[i].name, "gauge", node_families[i].unit, node_families[i].help);
                json_array_foreach(nodes, k, node)
                        for (const struct node_sample *s = node_families[i].samples;
                             s < node_families[i].samples + ARRAY_SIZE(node_families[i].samples) && s->key; s++)
                                put_node_sample(f, node_families[i].name, s, node);
        }
}

/* ---- ratios ------------------------------------------------------------------------------------------------------- */

static void put_ratio(FILE *f, const char *name, const json_t *of, const char *key) {
        const json_t *ratio = json_object_get(of, "ratio");
        char number[16] = "all";
        const struct label label = { "node", number };

        if (json_is_known(of, "node"))
                snprintf(number, sizeof(number), "%" PRIi64, json_get_integer(of, "node"));
        if (json_is_known(ratio, key))
                openmetrics_real(f, name, "", &label, 1, (double) json_get_unsigned(ratio, key) / 100);
}

static void put_ratios(FILE *f, const json_t *stats) {
        static const struct {
                const char *name, *key, *help;
        } families[] = {
                { "memhp_movable_ratio", "percent", "Movable to kernel memory as the rule counts; missing where no kernel memory counts. "
                  "The machine is node all." },
                { "memhp_movable_limit_ratio", "limit_percent", "The limit of the rule that memory of the node goes by; missing without one." },
        };

        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                const json_t *node;
                size_t k;

                openmetrics_family(f, families[i].name, "gauge", "ratio", families[i].help);
                json_array_foreach(json_object_get(stats, "nodes"), k, node)
                        put_ratio(f, families[i].name, node, families[i].key);
                put_ratio(f, families[i].name, json_object_get(stats, "machine"), families[i].key);
        }
}

/* ---- the machine -------------------------------------------------------------------------------------------------- */

static const struct {
        const char *name, *unit, *help;
        const char *part, *key;
} machine_families[] = {
        { "memhp_page_size_bytes", "bytes", "Size of a page.", NULL, "page_size" },
        { "memhp_block_size_bytes", "bytes", "Size of a memory block.", NULL, "block_size" },
        { "memhp_memmap_on_memory", NULL, "1 if the kernel puts the struct pages of new memory into that memory where it can; missing if "
          "unknown.", NULL, "memmap_on_memory" },
        { "memhp_device_memory_bytes", "bytes", "Memory that was hot-added only, of all nodes.", "machine", "device_memory" },
        { "memhp_device_memory_memmap_bytes", "bytes", "What the struct pages of such memory take of the system's memory, at most.", NULL,
          "device_memory_memmap" },
        { "memhp_next_add_size_bytes", "bytes", "The largest hot-add so far; missing if there was none.", "next_add", "size" },
        { "memhp_next_add_memmap_bytes", "bytes", "What another hot-add as large as that takes of kernel memory for its struct pages.", "next_add",
          "memmap" },
        { "memhp_next_add_room_bytes", "bytes", "What can be had for struct pages in the kernel zones.", "next_add", "room" },
        { "memhp_waiting_bytes", "bytes", "Hot-added memory that is meant to be used and is offline; missing without a daemon.", "waiting",
          "bytes" },
};

static void put_machine(FILE *f, const json_t *stats) {
        for (size_t i = 0; i < ARRAY_SIZE(machine_families); i++) {
                const json_t *object = machine_families[i].part ? json_object_get(stats, machine_families[i].part) : stats;
                const json_t *value = json_object_get(object, machine_families[i].key);

                openmetrics_family(f, machine_families[i].name, "gauge", machine_families[i].unit, machine_families[i].help);
                if (json_is_boolean(value))
                        openmetrics_unsigned(f, machine_families[i].name, "", NULL, 0, json_is_true(value));
                else if (json_is_known(object, machine_families[i].key))
                        openmetrics_unsigned(f, machine_families[i].name, "", NULL, 0, json_get_unsigned(object, machine_families[i].key));
        }
        openmetrics_family(f, "memhp_waiting_seconds", "gauge", "seconds", "For how long the first of the memory that waits has been offline; missing without a daemon.");
        if (json_is_known(stats, "waiting"))
                openmetrics_real(f, "memhp_waiting_seconds", "", NULL, 0,
                                 (double) json_get_unsigned(json_object_get(stats, "waiting"), "usec") / 1e6);
}

static void put_alerts(FILE *f, const json_t *alerts) {
        openmetrics_family(f, "memhp_alert", "gauge", NULL, "1 if the alert is raised; see memhpd(8).");
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++) {
                const struct label label = { "alert", alert_to_string(k) };
                bool raised = false;
                const json_t *alert;
                size_t i;

                json_array_foreach(alerts, i, alert)
                        raised = raised || strcmp(json_string_value(json_object_get(alert, "alert")) ?: "", label.value) == 0;
                openmetrics_unsigned(f, "memhp_alert", "", &label, 1, raised);
        }
}

void metrics_put_stats(FILE *f, const json_t *stats) {
        put_machine(f, stats);
        put_nodes(f, json_object_get(stats, "nodes"));
        put_ratios(f, stats);
        put_alerts(f, json_object_get(stats, "alerts"));
}

/* ---- zones and free blocks ---------------------------------------------------------------------------------------- */

void metrics_put_zones(FILE *f, const struct zoneinfo *info, uint64_t page_size) {
        static const struct {
                const char *name, *help;
                size_t offset;
        } families[] = {
                { "memhp_zone_free_bytes", "Free memory of the zone.", offsetof(struct zone_info, free) },
                { "memhp_zone_min_bytes", "Watermark min: below it only the kernel's own emergencies are served.",
                  offsetof(struct zone_info, min) },
                { "memhp_zone_low_bytes", "Watermark low: below it reclaim begins.", offsetof(struct zone_info, low) },
                { "memhp_zone_high_bytes", "Watermark high: above it reclaim ends.", offsetof(struct zone_info, high) },
                { "memhp_zone_spanned_bytes", "From the first page of the zone to the last, holes included.",
                  offsetof(struct zone_info, spanned) },
                { "memhp_zone_present_bytes", "Memory of the zone that exists.", offsetof(struct zone_info, present) },
                { "memhp_zone_managed_bytes", "Memory of the zone that can be allocated.", offsetof(struct zone_info, managed) },
                { "memhp_zone_pcp_free_bytes", "Free memory on the lists of single CPUs, which is not in memhp_zone_free_bytes.",
                  offsetof(struct zone_info, pcp_free) },
        };
        char node[16];

        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                openmetrics_family(f, families[i].name, "gauge", "bytes", families[i].help);
                for (size_t k = 0; k < info->n_zones; k++) {
                        const struct zone_info *z = &info->zones[k];
                        const struct label labels[] = { { "node", node }, { "zone", z->name } };

                        if (z->spanned == 0)
                                continue;
                        snprintf(node, sizeof(node), "%u", z->node);
                        openmetrics_unsigned(f, families[i].name, "", labels, 2,
                                             *(const uint64_t *) ((const char *) z + families[i].offset) * page_size);
                }
        }
}

static void put_orders(FILE *f, const struct buddyinfo *b, const char *name, bool unusable) {
        char node[16], order[16];

        for (size_t i = 0; i < b->n_zones; i++)
                for (unsigned k = 0; k < b->orders; k++) {
                        const struct buddy_zone *z = &b->zones[i];
                        const struct label labels[] = { { "node", node }, { "zone", z->name }, { "order", order } };

                        snprintf(node, sizeof(node), "%u", z->node);
                        snprintf(order, sizeof(order), "%u", k);
                        if (unusable)
                                openmetrics_real(f, name, "", labels, 3, buddy_zone_unusable(z, b->orders, k));
                        else
                                openmetrics_unsigned(f, name, "", labels, 3, z->free_blocks[k]);
                }
}

void metrics_put_buddy(FILE *f, const struct buddyinfo *b) {
        openmetrics_family(f, "memhp_buddy_free_blocks", "gauge", NULL, "Free blocks of 2^order pages.");
        put_orders(f, b, "memhp_buddy_free_blocks", false);
        openmetrics_family(f, "memhp_buddy_unusable_ratio", "gauge", "ratio",
                           "Share of the free memory that cannot serve a request of the order.");
        put_orders(f, b, "memhp_buddy_unusable_ratio", true);
}
