/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Blocks, conditions and totals of all kinds for tests of the decision, and what they mean told again as plainly as can
 * be. After check_util.h. */

#include "core/policy.h"

#define K ZONE_BIT(ZONE_NORMAL)
#define M ZONE_BIT(ZONE_MOVABLE)
#define D ZONE_BIT(ZONE_DEVICE)
#define GIB (UINT64_C(1) << 30)
#define BLOCK_SIZE (UINT64_C(128) << 20)

static const char *const some_devices[] = { "", "PNP0C80:00", "PNP0C80:0a", "dax0.0", "dax12.1", "virtio3", "NVIDIA" };
static const char *const some_patterns[] = {
        "*", "dax0.0", "dax*", "dax?.?", "PNP0C80:*", "*0", "[a-d]ax*", "virtio[0-9]", "x", "?*", "NVIDIA", "dax*.1",
};
/* Does the pattern match the device? By hand; no device matches nothing. */
static const bool pattern_truth[ARRAY_SIZE(some_patterns)][ARRAY_SIZE(some_devices)] = {
        { 0, 1, 1, 1, 1, 1, 1 }, { 0, 0, 0, 1, 0, 0, 0 }, { 0, 0, 0, 1, 1, 0, 0 }, { 0, 0, 0, 1, 0, 0, 0 },
        { 0, 1, 1, 0, 0, 0, 0 }, { 0, 1, 0, 1, 0, 0, 0 }, { 0, 0, 0, 1, 1, 0, 0 }, { 0, 0, 0, 0, 0, 1, 0 },
        { 0, 0, 0, 0, 0, 0, 0 }, { 0, 1, 1, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0, 0, 1 }, { 0, 0, 0, 0, 1, 0, 0 },
};

static inline void block_set_device(struct block *b, const char *device) {
        snprintf(b->device, sizeof(b->device), "%s", device);
}

static inline void generate_block(struct prng *p, struct block *ret) {
        struct block b = { .index = prng_below(p, 32), .size = BLOCK_SIZE, .tier = (int16_t) ((int) prng_below(p, 5) - 1) };

        b.start = b.index * BLOCK_SIZE;
        b.state = prng_below(p, 3) ? BLOCK_OFFLINE : (enum block_state) prng_below(p, _BLOCK_STATE_MAX);
        b.removable = prng_below(p, 2);
        b.at_startup = prng_below(p, 2);
        b.hands_off = prng_below(p, 8) == 0;
        b.held = prng_below(p, 8) == 0;
        b.rolled_back = prng_below(p, 8) == 0;
        b.zones_known = prng_below(p, 4);
        b.zones = (zone_mask) prng_below(p, 1u << _ZONE_MAX);
        if (prng_below(p, 2)) /* what is usual, more often */
                b.zones = (zone_mask) (prng_below(p, 2) ? K | M : prng_below(p, 2) ? K : M);
        b.first_zone = b.zones ? (enum zone) __builtin_ctz(b.zones) : _ZONE_INVALID;
        for (unsigned i = prng_below(p, 4); i > 0; i--)
                node_set_add(&b.nodes, prng_below(p, 8) ? prng_below(p, 4) : prng_below(p, NODES_MAX));
        b.source = (enum source) prng_below(p, _SOURCE_MAX);
        b.source_hidden = prng_below(p, 4) == 0;
        if (b.source_hidden)
                b.source = SOURCE_UNKNOWN;
        if (prng_below(p, 3))
                b.device_size = (1 + prng_below(p, 16)) * BLOCK_SIZE;
        block_set_device(&b, some_devices[prng_below(p, ARRAY_SIZE(some_devices))]);
        *ret = b;
}

/* first … first + length - 1 of small numbers, or without an upper bound, times unit. */
static inline void generate_ranges(struct prng *p, unsigned below, uint64_t unit, struct ranges *ret) {
        size_t n = prng_below(p, 4) ? 0 : 1 + prng_below(p, 3);

        *ret = (struct ranges) {};
        if (n == 0)
                return;
        *ret = (struct ranges) { .items = calloc(n, sizeof(struct range)), .n = n };
        CHECK(ret->items);
        for (size_t i = 0; i < n; i++) {
                uint64_t first = prng_below(p, below);

                ret->items[i].first = first * unit;
                ret->items[i].last = prng_below(p, 5) ? (first + 1 + prng_below(p, below / 2)) * unit - 1 : UINT64_MAX;
        }
}

/* To be freed with match_done(). */
static inline void generate_match(struct prng *p, struct match *ret) {
        struct match m = {};

        if (prng_below(p, 2))
                m.sources = (source_mask) prng_next(p) & (SOURCE_BIT(_SOURCE_MAX) - 1);
        generate_ranges(p, 4, 1, &m.nodes);
        generate_ranges(p, 32, BLOCK_SIZE / (prng_below(p, 4) ? 1 : 2), &m.addresses);
        generate_ranges(p, 16, BLOCK_SIZE, &m.sizes);
        generate_ranges(p, 4, 1, &m.tiers);
        if (prng_below(p, 4) == 0)
                m.platforms = 1 + prng_below(p, (1u << PLATFORM_X86) - 1);
        if (prng_below(p, 8) == 0)
                m.architectures = (1 + prng_below(p, 7)) << PLATFORM_X86;
        if (prng_below(p, 4) == 0) {
                size_t n = 1 + prng_below(p, 3);

                m.devices = calloc(n, sizeof(*m.devices));
                CHECK(m.devices);
                for (; m.n_devices < n; m.n_devices++) {
                        m.devices[m.n_devices] = strdup(some_patterns[prng_below(p, ARRAY_SIZE(some_patterns))]);
                        CHECK(m.devices[m.n_devices]);
                }
        }
        *ret = m;
}

static inline platform_mask generate_platforms(struct prng *p) {
        return prng_below(p, 4) ? prng_below(p, 1u << _PLATFORM_MAX) : 0;
}

static inline bool inside_one(const struct ranges *r, uint64_t first, uint64_t last) {
        for (size_t i = 0; i < r->n; i++)
                if (r->items[i].first <= first && last <= r->items[i].last)
                        return true;
        return r->n == 0;
}

static inline bool device_matches(const struct match *m, const char *device) {
        for (size_t i = 0; i < m->n_devices; i++)
                for (size_t k = 0; k < ARRAY_SIZE(some_patterns); k++)
                        for (size_t n = 0; n < ARRAY_SIZE(some_devices); n++)
                                if (strcmp(m->devices[i], some_patterns[k]) == 0 && strcmp(device, some_devices[n]) == 0 &&
                                    pattern_truth[k][n])
                                        return true;
        return m->n_devices == 0;
}

/* The conditions, told again: by asking every node there can be. -1: it matches. */
static inline int first_failed(const struct match *m, const struct block *b, platform_mask platforms) {
        bool any = false;

        if (m->sources != 0 && !(m->sources >> b->source & 1))
                return MATCH_SOURCE;
        for (unsigned node = 0; node < NODES_MAX && m->nodes.n > 0; node++) {
                if (!node_set_has(&b->nodes, node))
                        continue;
                any = true;
                if (!inside_one(&m->nodes, node, node))
                        return MATCH_NODE;
        }
        if (m->nodes.n > 0 && !any)
                return MATCH_NODE;
        if (!inside_one(&m->addresses, b->start, b->start + b->size - 1))
                return MATCH_ADDRESS;
        if (m->sizes.n > 0 && (b->device_size == 0 || !inside_one(&m->sizes, b->device_size, b->device_size)))
                return MATCH_SIZE;
        if (!device_matches(m, b->device))
                return MATCH_DEVICE;
        if (m->platforms && !(m->platforms & platforms))
                return MATCH_PLATFORM;
        if (m->tiers.n > 0 && (b->tier < 0 || !inside_one(&m->tiers, (uint64_t) b->tier, (uint64_t) b->tier)))
                return MATCH_TIER;
        if (m->architectures && !(m->architectures & platforms))
                return MATCH_ARCHITECTURE;
        return -1;
}

/* Memory of a few nodes, some without any of a kind. */
static inline void generate_totals(struct prng *p, struct totals *ret) {
        memset(ret, 0, sizeof(*ret));
        ret->known = prng_below(p, 8);
        for (unsigned node = 0; node < 4; node++) {
                uint64_t hot = prng_below(p, 3) ? 0 : prng_below(p, 8) * BLOCK_SIZE;

                if (prng_below(p, 4))
                        totals_add_zone(ret, node, ZONE_NORMAL, prng_below(p, 1u << 21) * UINT64_C(4096) + hot, 0);
                totals_move_to_hot(ret, (int) node, hot);
                if (prng_below(p, 2))
                        totals_add_zone(ret, node, ZONE_MOVABLE, prng_below(p, 1u << 21) * UINT64_C(4096), 0);
        }
}

/* mm/memory_hotplug.c: nr_movable <= (nr_kernel_early * auto_movable_ratio) / 100, in numbers that cannot overflow. */
static inline bool side_within(const struct totals_side *s, const struct balance_rule *r) {
        long double kernel = (long double) s->kernel_early + (r->hot_extends ? (long double) s->kernel_hot : 0);

        return kernel > 0 && (long double) s->movable * 100 <= kernel * r->ratio;
}

static inline bool totals_within(const struct totals *t, const struct balance_rule *r, int node) {
        return side_within(&t->all, r) && (!r->numa_aware || node < 0 || side_within(&t->nodes[node], r));
}
