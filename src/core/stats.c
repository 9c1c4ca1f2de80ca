/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/stats.h"

#include <errno.h>
#include <string.h>

#include "core/simulation.h"

void stats_init(struct stats *s, uint64_t page_size) {
        memset(s, 0, sizeof(*s));
        s->page_size = page_size;
        s->all = (struct stats_node) { .node = -1, .largest_order = -1, .limit.rule = -1 };
}

void stats_done(struct stats *s) {
        free(s->nodes);
        free(s->newest);
        s->nodes = NULL;
        s->newest = NULL;
        s->n = s->capacity = s->newest_capacity = 0;
}

/* ---- nodes -------------------------------------------------------------------------------------------------------- */

/* NULL: no memory, or no such node. */
static struct stats_node *get_node(struct stats *s, unsigned node) {
        size_t at = s->n;

        if (node >= NODES_MAX)
                return NULL;
        if (s->slots[node])
                return &s->nodes[s->slots[node] - 1];
        if (!GROW(s->nodes, s->n, s->capacity) || !GROW(s->newest, s->n, s->newest_capacity))
                return NULL;
        while (at > 0 && s->nodes[at - 1].node > (int) node) {
                s->nodes[at] = s->nodes[at - 1];
                s->newest[at] = s->newest[at - 1];
                s->slots[s->nodes[at].node] = (uint16_t) (at + 1);
                at--;
        }
        s->nodes[at] = (struct stats_node) { .node = (int) node, .largest_order = -1, .limit.rule = -1 };
        s->newest[at] = (struct block) {};
        s->slots[node] = (uint16_t) (at + 1);
        s->n++;
        return &s->nodes[at];
}

const struct stats_node *stats_find(const struct stats *s, unsigned node) {
        return node < NODES_MAX && s->slots[node] ? &s->nodes[s->slots[node] - 1] : NULL;
}

/* ---- zones -------------------------------------------------------------------------------------------------------- */

/* Which of a zone's protections holds against allocations of struct pages and the like (GFP_KERNEL): that of the highest
 * zone they may come from. The kernel prints every zone since 4.8, so their order tells; before, it cannot be told. */
static size_t kernel_class(const struct zoneinfo *z, const struct zone_info *zone) {
        const struct zone_info *first = zone, *end = z->zones + z->n_zones;
        size_t class = SIZE_MAX, n = 0;

        while (first > z->zones && first[-1].node == zone->node)
                first--;
        for (; first + n < end && first[n].node == zone->node; n++)
                if (zone_from_string(first[n].name) == ZONE_NORMAL)
                        class = n;
        return n == zone->n_protection ? class : SIZE_MAX;
}

static uint64_t usable_pages(const struct zoneinfo *z, const struct zone_info *zone, bool kernel) {
        uint64_t cma = zone_counter(z, zone, "nr_free_cma"), pages = zone->free, kept = zone->min;
        size_t class = kernel ? kernel_class(z, zone) : SIZE_MAX;

        if (class < zone->n_protection)
                kept += z->protections[zone->protection + class];
        if (kernel)
                kept += cma; /* for movable pages only */
        return pages > kept ? pages - kept : 0;
}

/* Per zone since 4.8; before, the zone's counters had the node's names. */
static uint64_t file_pages(const struct zoneinfo *z, const struct zone_info *zone) {
        return zone_counter(z, zone, "nr_zone_inactive_file") + zone_counter(z, zone, "nr_zone_active_file") +
               zone_counter(z, zone, "nr_inactive_file") + zone_counter(z, zone, "nr_active_file");
}

static void add_zone(struct stats_zones *to, const struct zoneinfo *z, const struct zone_info *zone, bool kernel, uint64_t size) {
        to->present += zone->present * size;
        to->managed += zone->managed * size;
        to->free += zone->free * size;
        to->low += zone->low * size;
        to->usable += usable_pages(z, zone, kernel) * size;
        to->file += file_pages(z, zone) * size;
}

int stats_add_zones(struct stats *s, const struct zoneinfo *z) {
        for (size_t i = 0; i < z->n_zones; i++) {
                const struct zone_info *zone = &z->zones[i];
                enum zone kind = zone_from_string(zone->name);
                bool kernel = kind >= 0 && (ZONE_BIT(kind) & ZONES_KERNEL);
                struct stats_node *n;

                if (zone->present == 0 || (!kernel && kind != ZONE_MOVABLE) || zone->node >= NODES_MAX)
                        continue;
                n = get_node(s, zone->node);
                if (!n)
                        return -ENOMEM;
                add_zone(kernel ? &n->kernel : &n->movable, z, zone, kernel, s->page_size);
                add_zone(kernel ? &s->all.kernel : &s->all.movable, z, zone, kernel, s->page_size);
                totals_add_zone(&s->totals, zone->node, kind, zone->present * s->page_size,
                                zone_counter(z, zone, "cma") * s->page_size);
        }
        s->totals.known = true;
        return 0;
}

int stats_add_buddy(struct stats *s, const struct buddyinfo *b) {
        s->has_buddy = true;
        for (size_t i = 0; i < b->n_zones; i++) {
                int order = buddy_zone_largest_order(&b->zones[i], b->orders);
                struct stats_node *n;

                if (order < 0 || b->zones[i].node >= NODES_MAX)
                        continue;
                n = get_node(s, b->zones[i].node);
                if (!n)
                        return -ENOMEM;
                n->largest_order = MAX(n->largest_order, order);
                s->all.largest_order = MAX(s->all.largest_order, order);
        }
        return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

static uint64_t memmap_size(const struct stats *s, uint64_t bytes) {
        return bytes / s->page_size * STRUCT_PAGE_SIZE;
}

static bool same_device(const struct block *a, const struct block *b) {
        return a->source == b->source && strcmp(a->device, b->device) == 0 && (b->device[0] || node_set_equal(&a->nodes, &b->nodes));
}

/* Blocks of one device follow each other; those of memory that comes in parts are an add each. */
static void count_add(struct stats *s, const struct block *b) {
        if (s->run_size && b->index == s->run.index + UINT64_C(1) && same_device(&s->run, b) && !source_is_dynamic(b->source))
                s->run_size += b->size;
        else
                s->run_size = b->size;
        s->run = *b;
        s->largest_add = MAX(s->largest_add, s->run_size);
}

static void count_waiting(struct stats *s, const struct block *b, uint64_t usec) {
        s->waiting_first = s->waiting ? MIN(s->waiting_first, b->index) : b->index;
        s->waiting_last = MAX(s->waiting_last, b->index);
        s->waiting += b->size;
        s->waiting_usec = MAX(s->waiting_usec, usec);
}

static void count_block(struct stats_node *n, const struct block *b, enum stats_origin origin, uint64_t memmap) {
        bool online = b->state == BLOCK_ONLINE;

        n->blocks[origin] += b->size;
        *(online ? &n->online : &n->offline) += b->size;
        if (origin != STATS_HOT)
                return;
        n->memmap += memmap;
        if (!online)
                n->hot_offline += b->size;
        else if (b->zones & ZONES_KERNEL)
                n->kernel.hot += b->size;
        else if (b->zones & ZONE_BIT(ZONE_MOVABLE))
                n->movable.hot += b->size;
}

int stats_add_block(struct stats *s, const struct block *b, enum stats_origin origin, uint64_t waiting_usec) {
        int node = node_set_next(&b->nodes, 0);
        struct stats_node *n = NULL;

        if (node < 0 && s->n == 1)
                node = s->nodes[0].node;
        if (node >= 0) {
                n = get_node(s, (unsigned) node);
                if (!n)
                        return -ENOMEM;
        }
        count_block(&s->all, b, origin, memmap_size(s, b->size));
        if (n)
                count_block(n, b, origin, memmap_size(s, b->size));
        if (origin != STATS_HOT)
                return 0;
        count_add(s, b);
        if (waiting_usec)
                count_waiting(s, b, waiting_usec);
        if (n)
                s->newest[n - s->nodes] = *b;
        if (b->state == BLOCK_ONLINE && (b->zones & ZONES_KERNEL))
                totals_move_to_hot(&s->totals, node, b->size);
        return 0;
}

int stats_add_device(struct stats *s, const struct device_memory *m) {
        for (size_t i = 0; i < m->n; i++) {
                struct stats_node *n;

                s->all.device += m->ranges[i].size;
                if (m->ranges[i].node < 0)
                        continue;
                n = get_node(s, (unsigned) m->ranges[i].node);
                if (!n)
                        return -ENOMEM;
                n->device += m->ranges[i].size;
        }
        s->device_memmap = m->memmap_bytes;
        return 0;
}

/* ---- what follows from them --------------------------------------------------------------------------------------- */

/* The rule that the newest hot-added block of a node goes by or, where there is none yet, a DIMM. */
static void find_limit(const struct policy *p, const struct surroundings *around, const struct block *newest, struct stats_node *n) {
        struct block b = *newest;
        struct decision d;

        if (b.size == 0) {
                b = (struct block) { .state = BLOCK_OFFLINE, .source = SOURCE_DIMM, .tier = -1, .size = 1 };
                node_set_add(&b.nodes, (unsigned) n->node);
        }
        policy_want(p, &b, around, &d);
        if (d.rule < 0 || d.reason == REASON_SOURCE_HIDDEN)
                return;
        if (p->rules[d.rule].action != ACTION_BALANCE && p->rules[d.rule].balance.ratio == 0)
                return;
        n->limit = (struct stats_limit) { .rule = d.rule, .balance = p->rules[d.rule].balance };
}

static const struct totals_side *side_of(const struct stats *s, const struct stats_node *n) {
        return n->node < 0 ? &s->totals.all : &s->totals.nodes[n->node];
}

static void set_percent(const struct stats *s, struct stats_node *n) {
        bool hot_counts = n->limit.rule < 0 || n->limit.balance.hot_extends;
        const struct totals_side *side = side_of(s, n);

        n->percent = balance_percent(side->movable, side->kernel_early + (hot_counts ? side->kernel_hot : 0));
}

/* Struct pages that lie in the memory they describe are present, but nobody can have them; the difference is theirs at
 * most, since balloons make one, too. Zones that boot memory shares have a difference of its own. */
static void find_memmap_inside(const struct stats *s, struct stats_node *n) {
        const struct stats_zones *zones[] = { &n->kernel, &n->movable };

        if (n->memmap == 0 || s->memmap_setting == MEMMAP_OUTSIDE) {
                n->memmap_inside_known = true;
                return;
        }
        if (s->memmap_setting == MEMMAP_UNKNOWN || n->hot_offline)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                const struct stats_zones *z = zones[i];
                uint64_t missing;

                if (z->hot == 0)
                        continue;
                if (z->hot != z->present)
                        return;
                missing = z->present > z->managed ? z->present - z->managed : 0;
                n->memmap_inside += MIN(missing, memmap_size(s, z->hot));
        }
        n->memmap_inside_known = true;
}

static void finish_node(const struct stats *s, struct stats_node *n) {
        set_percent(s, n);
        n->movable_only = n->movable.present > 0 && n->kernel.present == 0;
}

/* Where the new memory held its own struct pages before, it will again. */
static void judge_next(struct stats *s) {
        uint64_t memmap = memmap_size(s, s->largest_add);

        s->next_room = stats_available(&s->all.kernel);
        s->next_memmap = memmap;
        if (s->all.memmap_inside_known && s->all.memmap_inside > 0)
                s->next_memmap = memmap - (uint64_t) ((double) memmap * (double) s->all.memmap_inside / (double) s->all.memmap);
}

static bool is_tighter(const struct stats_limit *a, const struct stats_limit *b) {
        return a->rule >= 0 && (b->rule < 0 || a->balance.ratio < b->balance.ratio);
}

void stats_finish(struct stats *s, const struct policy *policy, platform_mask platforms, enum memmap_setting setting) {
        struct surroundings around = { .platforms = platforms };

        s->memmap_setting = setting;
        s->all.memmap_inside_known = true;
        for (size_t i = 0; i < s->n; i++) {
                struct stats_node *n = &s->nodes[i];

                if (policy)
                        find_limit(policy, &around, &s->newest[i], n);
                if (is_tighter(&n->limit, &s->all.limit))
                        s->all.limit = n->limit;
                find_memmap_inside(s, n);
                s->all.memmap_inside += n->memmap_inside;
                s->all.memmap_inside_known = s->all.memmap_inside_known && n->memmap_inside_known;
                finish_node(s, n);
        }
        finish_node(s, &s->all);
        judge_next(s);
}

int64_t stats_distance(const struct stats_node *n) {
        return (int64_t) (n->kernel.free + n->movable.free - n->kernel.low - n->movable.low);
}

bool stats_is_beyond(const struct stats *s, const struct stats_node *n) {
        const struct totals_side *side = side_of(s, n);
        struct balance figures;

        if (n->limit.rule < 0 || side->movable == 0 || (n->node >= 0 && !n->limit.balance.numa_aware))
                return false;
        return !balance_side_allows(side, &n->limit.balance, 0, n->node, &figures);
}

uint64_t stats_available(const struct stats_zones *z) {
        return z->usable + z->file;
}
