/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus-internal.h"

/* What has no value has no key; memhpctl stats --json says null there. */

static void put_zones(struct writer *w, const char *key, const struct stats_zones *z) {
        writer_open_array(w, key, "{sv}");
        writer_put(w, "present", "t", z->present);
        writer_put(w, "managed", "t", z->managed);
        writer_put(w, "free", "t", z->free);
        writer_put(w, "available", "t", stats_available(z));
        writer_put(w, "low", "t", z->low);
        writer_put(w, "distance", "x", (int64_t) (z->free - z->low));
        writer_put(w, "hot_added", "t", z->hot);
        writer_close_array(w);
}

static void put_ratio(struct writer *w, const struct stats_node *n, const struct policy *p) {
        const struct rule *rule = n->limit.rule >= 0 ? &p->rules[n->limit.rule] : NULL;

        writer_open_array(w, "ratio", "{sv}");
        if (n->percent != UINT64_MAX)
                writer_put(w, "percent", "t", n->percent);
        writer_put(w, "counts_hot_kernel", "b", (int) (!rule || rule->balance.hot_extends));
        if (rule) {
                writer_put(w, "limit_percent", "u", rule->balance.ratio);
                writer_put(w, "numa_aware", "b", (int) rule->balance.numa_aware);
                writer_put_rule(w, rule->name, rule->file, rule->line);
        }
        writer_close_array(w);
}

static void put_memmap(struct writer *w, const struct stats_node *n) {
        writer_open_array(w, "memmap", "{sv}");
        writer_put(w, "bytes", "t", n->memmap);
        if (n->memmap_inside_known)
                writer_put(w, "inside", "t", n->memmap_inside);
        writer_close_array(w);
}

static void put_node(struct writer *w, const struct stats *s, const struct stats_node *n, const struct policy *p) {
        writer_put(w, "boot", "t", n->blocks[STATS_BOOT]);
        writer_put(w, "hot_added", "t", n->blocks[STATS_HOT]);
        writer_put(w, "unknown", "t", n->blocks[STATS_UNKNOWN]);
        writer_put(w, "online", "t", n->online);
        writer_put(w, "offline", "t", n->offline);
        writer_put(w, "device_memory", "t", n->device);
        put_zones(w, "kernel", &n->kernel);
        put_zones(w, "movable", &n->movable);
        put_ratio(w, n, p);
        put_memmap(w, n);
        if (s->has_buddy)
                writer_put(w, "largest_order", "i", (int32_t) n->largest_order);
        writer_put(w, "watermark_distance", "x", stats_distance(n));
        writer_put(w, "movable_only", "b", (int) n->movable_only);
}

static void put_nodes(struct writer *w, const struct stats *s, const struct policy *p) {
        writer_open_array(w, "machine", "{sv}");
        put_node(w, s, &s->all, p);
        writer_close_array(w);
        writer_open_array(w, "nodes", "a{sv}");
        for (size_t i = 0; i < s->n; i++) {
                writer_open(w, SD_BUS_TYPE_ARRAY, "{sv}");
                writer_put(w, "node", "u", (uint32_t) s->nodes[i].node);
                put_node(w, s, &s->nodes[i], p);
                writer_close(w);
        }
        writer_close_array(w);
}

static void put_next_add(struct writer *w, const struct stats *s) {
        writer_open_array(w, "next_add", "{sv}");
        if (s->largest_add) {
                writer_put(w, "size", "t", s->largest_add);
                writer_put(w, "memmap", "t", s->next_memmap);
        }
        writer_put(w, "room", "t", s->next_room);
        writer_close_array(w);
}

static void put_waiting(struct writer *w, const struct stats *s) {
        writer_open_array(w, "waiting", "{sv}");
        writer_put(w, "bytes", "t", s->waiting);
        writer_put(w, "usec", "t", s->waiting_usec);
        writer_close_array(w);
}

static void put_alerts(struct writer *w, const struct alerts *a) {
        writer_open_array(w, "alerts", "a{sv}");
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++) {
                if (!a->items[k].raised)
                        continue;
                writer_open(w, SD_BUS_TYPE_ARRAY, "{sv}");
                writer_put(w, "alert", "s", alert_to_string(k));
                writer_put(w, "message", "s", bus_text(a->items[k].text));
                writer_put(w, "since_usec", "t", a->items[k].since_usec);
                writer_close(w);
        }
        writer_close_array(w);
}

static int refuse(sd_bus_error *error, enum sysfs_text which, int r, unsigned line) {
        if (r == -ENOMEM)
                return r;
        if (r == -EBADMSG)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "%s: malformed, line %u", sysfs_text_path(which), line);
        return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "%s: cannot be read: %s", sysfs_text_path(which), strerror(-r));
}

int bus_get_stats(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct policy *p = manager_policy(b->manager);
        _cleanup_(stats_done) struct stats s = {};
        enum sysfs_text which;
        unsigned line;
        struct writer w;
        int r;

        if (only_check)
                return 0;
        r = manager_read_stats(b->manager, &s, &which, &line);
        if (r < 0)
                return refuse(error, which, r, line);
        writer_init_reply(&w, m);
        writer_open(&w, SD_BUS_TYPE_ARRAY, "{sv}");
        writer_put(&w, "page_size", "t", s.page_size);
        writer_put(&w, "block_size", "t", sysfs_block_size(manager_sysfs(b->manager)));
        if (s.memmap_setting != MEMMAP_UNKNOWN)
                writer_put(&w, "memmap_on_memory", "b", (int) (s.memmap_setting == MEMMAP_INSIDE));
        put_nodes(&w, &s, p);
        writer_put(&w, "device_memory_memmap", "t", s.device_memmap);
        put_next_add(&w, &s);
        put_waiting(&w, &s);
        put_alerts(&w, manager_alerts(b->manager));
        writer_close(&w);
        return writer_reply(&w);
}
