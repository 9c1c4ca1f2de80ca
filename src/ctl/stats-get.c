/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/stats-get.h"

#include <errno.h>
#include <string.h>

#include "core/alerts.h"
#include "ctl/facts.h"
#include "ctl/policy.h"
#include "ctl/statistics.h"
#include "host/platform.h"
#include "host/stats-read.h"
#include "host/surroundings.h"

bool json_is_known(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);

        return value && !json_is_null(value);
}

/* ---- what the system tells ---------------------------------------------------------------------------------------- */

static json_t *json_kind(const struct stats_zones *z) {
        json_t *object = json_new_object();

        json_set(object, "present", json_unsigned(z->present));
        json_set(object, "managed", json_unsigned(z->managed));
        json_set(object, "free", json_unsigned(z->free));
        json_set(object, "available", json_unsigned(stats_available(z)));
        json_set(object, "low", json_unsigned(z->low));
        json_set(object, "distance", json_integer((json_int_t) (z->free - z->low)));
        json_set(object, "hot_added", json_unsigned(z->hot));
        return object;
}

static json_t *json_ratio(const struct stats_node *n, const struct policy *p) {
        const struct rule *rule = n->limit.rule >= 0 ? &p->rules[n->limit.rule] : NULL;
        json_t *object = json_new_object();

        json_set(object, "percent", n->percent == UINT64_MAX ? json_null() : json_unsigned(n->percent));
        json_set(object, "limit_percent", rule ? json_unsigned(rule->balance.ratio) : json_null());
        json_set(object, "counts_hot_kernel", json_boolean(!rule || rule->balance.hot_extends));
        json_set(object, "numa_aware", rule ? json_boolean(rule->balance.numa_aware) : json_null());
        json_set(object, "rule", rule ? json_rule(rule) : json_null());
        return object;
}

static json_t *json_node(const struct stats *s, const struct stats_node *n, const struct policy *p) {
        json_t *object = json_new_object(), *memmap = json_new_object();

        if (n->node >= 0)
                json_set(object, "node", json_integer(n->node));
        json_set(object, "boot", json_unsigned(n->blocks[STATS_BOOT]));
        json_set(object, "hot_added", json_unsigned(n->blocks[STATS_HOT]));
        json_set(object, "unknown", json_unsigned(n->blocks[STATS_UNKNOWN]));
        json_set(object, "online", json_unsigned(n->online));
        json_set(object, "offline", json_unsigned(n->offline));
        json_set(object, "device_memory", json_unsigned(n->device));
        json_set(object, "kernel", json_kind(&n->kernel));
        json_set(object, "movable", json_kind(&n->movable));
        json_set(object, "ratio", json_ratio(n, p));
        json_set(memmap, "bytes", json_unsigned(n->memmap));
        json_set(memmap, "inside", n->memmap_inside_known ? json_unsigned(n->memmap_inside) : json_null());
        json_set(object, "memmap", memmap);
        json_set(object, "largest_order", s->has_buddy ? json_integer(n->largest_order) : json_null());
        json_set(object, "watermark_distance", json_integer(stats_distance(n)));
        json_set(object, "movable_only", json_boolean(n->movable_only));
        return object;
}

static json_t *json_next_add(const struct stats *s) {
        json_t *object = json_new_object();

        json_set(object, "size", s->largest_add ? json_unsigned(s->largest_add) : json_null());
        json_set(object, "memmap", s->largest_add ? json_unsigned(s->next_memmap) : json_null());
        json_set(object, "room", json_unsigned(s->next_room));
        return object;
}

/* As of now: nobody has looked before, and what waits offline, nobody has seen come. */
static json_t *json_alerts(const struct stats *s, const struct policy *p) {
        _cleanup_free_ struct alerts *alerts = calloc(1, sizeof(*alerts));
        json_t *array = json_new_array();

        if (!alerts)
                out_of_memory();
        (void) alerts_judge(alerts, s, p, 0, 0);
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++) {
                json_t *object;

                if (!alerts->items[k].raised)
                        continue;
                object = json_new_object();
                json_set(object, "alert", json_text(alert_to_string(k)));
                json_set(object, "message", json_text(alerts->items[k].text));
                json_set(object, "since_usec", json_null());
                json_add(array, object);
        }
        return array;
}

static json_t *json_stats(const struct stats *s, const struct policy *p, uint64_t block_size) {
        json_t *root = json_new_object(), *nodes = json_new_array();

        for (size_t i = 0; i < s->n; i++)
                json_add(nodes, json_node(s, &s->nodes[i], p));
        json_set(root, "daemon", json_false());
        json_set(root, "page_size", json_unsigned(s->page_size));
        json_set(root, "block_size", json_unsigned(block_size));
        json_set(root, "memmap_on_memory",
                 s->memmap_setting == MEMMAP_UNKNOWN ? json_null() : json_boolean(s->memmap_setting == MEMMAP_INSIDE));
        json_set(root, "machine", json_node(s, &s->all, p));
        json_set(root, "nodes", nodes);
        json_set(root, "device_memory_memmap", json_unsigned(s->device_memmap));
        json_set(root, "next_add", json_next_add(s));
        json_set(root, "waiting", json_null());
        json_set(root, "alerts", json_alerts(s, p));
        return root;
}

/* Without a policy there are figures, but no limits. */
static enum status open_policy(const struct options *o, struct policy **ret) {
        _cleanup_(problems_done) struct problems problems = {};
        int r;

        if (o->config)
                return policy_open(o->sysroot, o->config, ret);
        r = conf_load(o->sysroot, NULL, ret, &problems);
        if (r == -ENOMEM)
                out_of_memory();
        if (r < 0 && !o->json) {
                complain_problems(&problems, true);
                complain("no policy: there are no limits to compare the ratios with");
        }
        return STATUS_DONE;
}

static enum status add_blocks(struct facts *f, struct stats *s) {
        enum stats_origin origin;
        struct fact fact;

        while (facts_next(f, &fact)) {
                origin = fact.block.source == SOURCE_BOOT ? STATS_BOOT : fact.block.source == SOURCE_UNKNOWN ? STATS_UNKNOWN : STATS_HOT;
                if (stats_add_block(s, &fact.block, origin, 0) < 0)
                        out_of_memory();
        }
        return facts_status(f);
}

static enum status read_system(const struct options *o, json_t **ret) {
        _cleanup_(policy_freep) struct policy *policy = NULL;
        _cleanup_(facts_done) struct facts facts = {};
        _cleanup_(stats_done) struct stats s = {};
        enum sysfs_text which;
        enum status status;
        unsigned line;
        int r;

        status = open_policy(o, &policy);
        if (status == STATUS_DONE)
                status = facts_open(&facts, o->sysroot, NULL, FACTS_ORIGIN);
        if (status != STATUS_DONE)
                return status;
        r = stats_read(facts.fs, surroundings_page_size(facts.fs), &s, &which, &line);
        if (r == -EBADMSG || r == -ENOMEM)
                return statistics_malformed(r, which, line);
        if (r < 0) {
                complain("%s: cannot be read: %s", sysfs_text_path(which), strerror(-r));
                return STATUS_FAILED;
        }
        status = add_blocks(&facts, &s);
        stats_finish(&s, policy, platform_read(facts.fs), memmap_setting_read(facts.fs));
        if (!o->json)
                facts_hint(&facts);
        if (status == STATUS_DONE)
                *ret = json_stats(&s, policy, facts.block_size);
        return status;
}

/* ---- what the daemon tells ---------------------------------------------------------------------------------------- */

static void set_missing(json_t *object, const char *const *keys) {
        for (; *keys; keys++)
                if (!json_object_get(object, *keys))
                        json_set(object, *keys, json_null());
}

static void complete_node(json_t *node) {
        set_missing(node, (const char *const[]) { "largest_order", NULL });
        set_missing(json_object_get(node, "ratio"), (const char *const[]) { "percent", "limit_percent", "numa_aware", "rule", NULL });
        set_missing(json_object_get(node, "memmap"), (const char *const[]) { "inside", NULL });
}

/* Over the bus, what has no value has no key. */
static bool complete(json_t *root) {
        json_t *nodes = json_object_get(root, "nodes");
        size_t i;
        json_t *node;

        if (!json_is_object(json_object_get(root, "machine")) || !json_is_array(nodes))
                return false;
        json_set(root, "daemon", json_true());
        set_missing(root, (const char *const[]) { "memmap_on_memory", NULL });
        set_missing(json_object_get(root, "next_add"), (const char *const[]) { "size", "memmap", NULL });
        complete_node(json_object_get(root, "machine"));
        json_array_foreach(nodes, i, node)
                complete_node(node);
        return true;
}

enum status stats_get_from(struct client *c, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *root = NULL;
        enum status status;

        status = client_call(c, NULL, NULL, "GetStats", &reply, "");
        if (status != STATUS_DONE)
                return status;
        root = client_read_json(reply);
        if (!root || !complete(root)) {
                complain("stats: the daemon's answer cannot be read");
                return STATUS_FAILED;
        }
        *ret = TAKE_PTR(root);
        return STATUS_DONE;
}

enum status stats_get(const struct options *o, json_t **ret) {
        _cleanup_(client_closep) struct client *c = NULL;
        enum status status = STATUS_DONE;

        if (o->host)
                status = client_open(o, &c);
        else if (o->config || !client_try_open(o, &c)) /* by that policy, not by the daemon's */
                return read_system(o, ret);
        return status == STATUS_DONE ? stats_get_from(c, ret) : status;
}
