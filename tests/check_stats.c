/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/stats.h"

#include <inttypes.h>
#include <stdarg.h>

#include "check_util.h"
#include "core/alerts.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define PAGE 4096
#define BLOCK (128 * MIB)
#define PAGES(bytes) ((bytes) / PAGE)
#define SEC UINT64_C(1000000)

/* ---- a machine, as the kernel would print it ---------------------------------------------------------------------- */

struct zone_row {
        unsigned node;
        const char *name;
        uint64_t present, managed, free, min, low, file, cma, free_cma; /* bytes */
        uint64_t protection; /* against Normal */
};

static void print_zone(FILE *f, const struct zone_row *z) {
        fprintf(f, "Node %u, zone %8s\n  pages free     %" PRIu64 "\n        min      %" PRIu64 "\n        low      %" PRIu64
                "\n        high     %" PRIu64 "\n        spanned  %" PRIu64 "\n        present  %" PRIu64 "\n"
                "        managed  %" PRIu64 "\n        cma      %" PRIu64 "\n        protection: (0, 0, %" PRIu64 ", 9999999, 0)\n",
                z->node, z->name, PAGES(z->free), PAGES(z->min), PAGES(z->low), PAGES(z->low) * 2, PAGES(z->present),
                PAGES(z->present), PAGES(z->managed), PAGES(z->cma), PAGES(z->protection));
        if (z->present)
                fprintf(f, "      nr_free_pages %" PRIu64 "\n      nr_zone_inactive_file %" PRIu64 "\n      nr_zone_active_file 0\n"
                        "      nr_free_cma  %" PRIu64 "\n  pagesets\n  start_pfn:           0\n", PAGES(z->free), PAGES(z->file),
                        PAGES(z->free_cma));
}

/* Every node has all five zones; those without a row are empty. */
static void make_zones(const struct zone_row *rows, size_t n_rows, struct zoneinfo *ret) {
        static const char *const names[] = { "DMA", "DMA32", "Normal", "Movable", "Device" };
        unsigned line = 0, last = 0;
        size_t size;
        char *text;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < n_rows; i++)
                last = MAX(last, rows[i].node);
        for (unsigned node = 0; node <= last; node++)
                for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                        struct zone_row zone = { .node = node, .name = names[k] };

                        for (size_t i = 0; i < n_rows; i++)
                                if (rows[i].node == node && strcmp(rows[i].name, names[k]) == 0)
                                        zone = rows[i];
                        print_zone(f, &zone);
                }
        fclose(f);
        ck_assert_msg(zoneinfo_parse_take(&text, size, ret, &line) == 0, "line %u", line);
}

static struct block make_block(uint32_t index, int node, enum zone zone, enum source source, const char *device) {
        struct block b = {
                .index = index, .start = index * BLOCK, .size = BLOCK, .state = zone >= 0 ? BLOCK_ONLINE : BLOCK_OFFLINE,
                .zones_known = true, .zones = zone >= 0 ? ZONE_BIT(zone) : ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE),
                .first_zone = zone >= 0 ? zone : ZONE_NORMAL, .source = source, .tier = -1,
        };

        if (node >= 0)
                node_set_add(&b.nodes, (unsigned) node);
        snprintf(b.device, sizeof(b.device), "%s", device);
        return b;
}

static void add_blocks(struct stats *s, uint32_t first, uint32_t n, int node, enum zone zone, enum source source, const char *device) {
        for (uint32_t i = first; i < first + n; i++) {
                struct block b = make_block(i, node, zone, source, device);

                ck_assert_int_eq(stats_add_block(s, &b, source == SOURCE_BOOT ? STATS_BOOT : source == SOURCE_UNKNOWN ? STATS_UNKNOWN
                                                                                                    : STATS_HOT, 0), 0);
        }
}

static void begin(struct stats *s, const struct zone_row *rows, size_t n) {
        _cleanup_(zoneinfo_done) struct zoneinfo z = {};

        stats_init(s, PAGE);
        make_zones(rows, n, &z);
        ck_assert_int_eq(stats_add_zones(s, &z), 0);
}

/* One rule with a limit for everything. */
static struct rule limited = { .name = (char *) "limited", .file = (char *) "x.conf", .line = 3, .action = ACTION_BALANCE,
                               .balance = { .ratio = 300, .numa_aware = true } };
static const struct policy one_rule = { .rules = &limited, .n_rules = 1 };

/* ---- figures ------------------------------------------------------------------------------------------------------ */

/* 1 GiB at boot on node 0, a DIMM of 1 GiB on node 1 of which the last block is offline, half a GiB of kernel memory on
 * node 0 by virtio-mem. */
static const struct zone_row usual[] = {
        { 0, "DMA", 16 * MIB, 15 * MIB, 14 * MIB, MIB, MIB, 0, 0, 0, 13 * MIB },
        { 0, "DMA32", GIB - 16 * MIB, 900 * MIB, 600 * MIB, 4 * MIB, 5 * MIB, 200 * MIB, 64 * MIB, 32 * MIB, 100 * MIB },
        { 0, "Normal", GIB / 2, GIB / 2, GIB / 4, 4 * MIB, 6 * MIB, 0, 0, 0, 0 },
        { 1, "Movable", 7 * BLOCK, 7 * BLOCK, 6 * BLOCK, MIB, 2 * MIB, 20 * MIB, 0, 0, 0 },
};

static void make_usual(struct stats *s, const struct policy *policy, enum memmap_setting setting) {
        begin(s, usual, ARRAY_SIZE(usual));
        add_blocks(s, 0, 8, 0, ZONE_DMA32, SOURCE_BOOT, "");
        add_blocks(s, 32, 7, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:01");
        add_blocks(s, 39, 1, 1, _ZONE_INVALID, SOURCE_DIMM, "PNP0C80:01");
        add_blocks(s, 64, 4, 0, ZONE_NORMAL, SOURCE_VIRTIO_MEM, "virtio0");
        stats_finish(s, policy, 0, setting);
}

START_TEST(test_usual) {
        const struct stats_node *n0, *n1;
        struct stats s;

        make_usual(&s, &one_rule, MEMMAP_OUTSIDE);
        ck_assert_uint_eq(s.n, 2);
        n0 = stats_find(&s, 0);
        n1 = stats_find(&s, 1);
        ck_assert_ptr_nonnull(n0);
        ck_assert_ptr_nonnull(n1);
        ck_assert_ptr_null(stats_find(&s, 2));
        ck_assert_ptr_null(stats_find(&s, NODES_MAX));

        ck_assert_uint_eq(n0->blocks[STATS_BOOT], GIB);
        ck_assert_uint_eq(n0->blocks[STATS_HOT], GIB / 2);
        ck_assert_uint_eq(n0->online, GIB + GIB / 2);
        ck_assert_uint_eq(n0->offline, 0);
        ck_assert_uint_eq(n1->blocks[STATS_HOT], GIB);
        ck_assert_uint_eq(n1->online, 7 * BLOCK);
        ck_assert_uint_eq(n1->offline, BLOCK);
        ck_assert_uint_eq(n1->hot_offline, BLOCK);
        ck_assert_uint_eq(s.all.online, GIB + GIB / 2 + 7 * BLOCK);

        ck_assert_uint_eq(n0->kernel.present, GIB + GIB / 2);
        ck_assert_uint_eq(n0->kernel.managed, 915 * MIB + GIB / 2);
        ck_assert_uint_eq(n0->kernel.free, 614 * MIB + GIB / 4);
        ck_assert_uint_eq(n0->kernel.low, 12 * MIB);
        ck_assert_uint_eq(n0->kernel.hot, GIB / 2);
        /* DMA keeps all it has from Normal's users; DMA32 its watermark, what it protects, and what only movable pages may have */
        ck_assert_uint_eq(n0->kernel.usable, 600 * MIB - 4 * MIB - 100 * MIB - 32 * MIB + GIB / 4 - 4 * MIB);
        ck_assert_uint_eq(n0->kernel.file, 200 * MIB);
        ck_assert_uint_eq(n1->movable.usable, 6 * BLOCK - MIB);
        ck_assert_int_eq(stats_distance(n0), (int64_t) (614 * MIB + GIB / 4 - 12 * MIB));
        ck_assert_int_eq(stats_distance(n1), (int64_t) (6 * BLOCK - 2 * MIB));

        /* Contiguous page allocation counts as movable; hot-added kernel memory not as kernel memory. */
        ck_assert_uint_eq(n0->percent, 64 * 100 / (1024 - 64));
        ck_assert_uint_eq(s.all.percent, (7 * 128 + 64) * 100 / (1024 - 64));
        ck_assert_uint_eq(n1->percent, UINT64_MAX);
        ck_assert_int_eq(n0->limit.rule, 0);
        ck_assert_uint_eq(s.all.limit.balance.ratio, 300);
        ck_assert(n1->movable_only && !n0->movable_only && !s.all.movable_only);
        ck_assert(!stats_is_beyond(&s, n0) && !stats_is_beyond(&s, &s.all) && stats_is_beyond(&s, n1));

        ck_assert_uint_eq(n1->memmap, GIB / 64);
        ck_assert_uint_eq(s.all.memmap, GIB / 64 + GIB / 128);
        ck_assert(s.all.memmap_inside_known);
        ck_assert_uint_eq(s.all.memmap_inside, 0);
        ck_assert_uint_eq(s.largest_add, GIB); /* virtio-mem comes block by block */
        ck_assert_uint_eq(s.next_memmap, GIB / 64);
        ck_assert_uint_eq(s.next_room, n0->kernel.usable + 200 * MIB);
        ck_assert_int_eq(n0->largest_order, -1);
        ck_assert(!s.has_buddy);
        stats_done(&s);
        stats_done(&s);
}
END_TEST

/* Without a rule that limits: all kernel memory counts, and nothing is beyond anything. */
START_TEST(test_no_limit) {
        static struct rule unlimited = { .name = (char *) "u", .file = (char *) "x", .action = ACTION_ONLINE_MOVABLE };
        static const struct policy policies[] = { { .rules = &unlimited, .n_rules = 1 }, {} };

        for (size_t i = 0; i <= ARRAY_SIZE(policies); i++) {
                struct stats s;

                make_usual(&s, i < ARRAY_SIZE(policies) ? &policies[i] : NULL, MEMMAP_OUTSIDE);
                ck_assert_int_eq(s.all.limit.rule, -1);
                ck_assert_uint_eq(s.all.percent, (7 * 128 + 64) * 100 / (1536 - 64));
                ck_assert(!stats_is_beyond(&s, &s.all) && !stats_is_beyond(&s, stats_find(&s, 1)));
                stats_done(&s);
        }
}
END_TEST

/* The rule is that of the node's newest hot-added block, whatever other memory goes by. */
START_TEST(test_limits) {
        struct range node1 = { 1, 1 };
        struct rule rules[] = {
                { .name = (char *) "virtio", .match.sources = SOURCE_BIT(SOURCE_VIRTIO_MEM), .action = ACTION_ONLINE_MOVABLE,
                  .balance = { .ratio = 50, .hot_extends = true } },
                { .name = (char *) "node-1", .match.nodes = { &node1, 1 }, .action = ACTION_ONLINE_MOVABLE },
                { .name = (char *) "rest", .action = ACTION_BALANCE, .balance = { .ratio = 301 } },
        };
        struct policy p = { .rules = rules, .n_rules = ARRAY_SIZE(rules) };
        const struct zone_row rows[] = {
                { 0, "Normal", GIB, GIB, MIB, 0, 0 }, { 1, "Movable", GIB, GIB, MIB, 0, 0 }, { 2, "Normal", GIB, GIB, MIB, 0, 0 },
        };
        struct stats s;

        begin(&s, rows, ARRAY_SIZE(rows));
        add_blocks(&s, 0, 8, 0, ZONE_NORMAL, SOURCE_BOOT, "");
        add_blocks(&s, 32, 8, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:01");
        add_blocks(&s, 64, 2, 2, ZONE_NORMAL, SOURCE_VIRTIO_MEM, "virtio0");
        stats_finish(&s, &p, 0, MEMMAP_UNKNOWN);
        ck_assert_int_eq(stats_find(&s, 0)->limit.rule, 2); /* a DIMM would go by it */
        ck_assert_int_eq(stats_find(&s, 1)->limit.rule, -1);
        ck_assert_int_eq(stats_find(&s, 2)->limit.rule, 0);
        ck_assert_int_eq(s.all.limit.rule, 0); /* the tightest */
        ck_assert_uint_eq(s.all.percent, 50); /* as it counts */
        ck_assert(!stats_is_beyond(&s, &s.all));
        stats_done(&s);
        rules[0].balance.ratio = 49;
        begin(&s, rows, ARRAY_SIZE(rows));
        add_blocks(&s, 64, 2, 2, ZONE_NORMAL, SOURCE_VIRTIO_MEM, "virtio0");
        stats_finish(&s, &p, 0, MEMMAP_UNKNOWN);
        ck_assert(stats_is_beyond(&s, &s.all));
        ck_assert(!stats_is_beyond(&s, stats_find(&s, 2))); /* not by node */
        stats_done(&s);
}
END_TEST

/* Where the struct pages lie: what is present and not managed, where only hot-added memory is. */
START_TEST(test_memmap_inside) {
        const struct zone_row rows[] = {
                { 0, "Normal", GIB + BLOCK, GIB, MIB, 0, 0 },
                { 1, "Movable", 4 * BLOCK, 4 * BLOCK - 8 * MIB, MIB, 0, 0 },
                { 2, "Normal", BLOCK, BLOCK - 40 * MIB, MIB, 0, 0 }, /* a balloon took the rest */
        };
        struct stats s;

        for (enum memmap_setting setting = 0; setting < _MEMMAP_SETTING_MAX; setting++) {
                begin(&s, rows, ARRAY_SIZE(rows));
                add_blocks(&s, 0, 8, 0, ZONE_NORMAL, SOURCE_BOOT, "");
                add_blocks(&s, 32, 1, 0, ZONE_NORMAL, SOURCE_DIMM, "PNP0C80:00");
                add_blocks(&s, 64, 4, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:01");
                add_blocks(&s, 80, 1, 2, ZONE_NORMAL, SOURCE_DIMM, "PNP0C80:02");
                stats_finish(&s, NULL, 0, setting);
                ck_assert_int_eq(stats_find(&s, 1)->memmap_inside_known, setting != MEMMAP_UNKNOWN);
                ck_assert_uint_eq(stats_find(&s, 1)->memmap_inside, setting == MEMMAP_INSIDE ? 8 * MIB : 0);
                ck_assert_uint_eq(stats_find(&s, 2)->memmap_inside, setting == MEMMAP_INSIDE ? 2 * MIB : 0);
                ck_assert_int_eq(stats_find(&s, 0)->memmap_inside_known, setting == MEMMAP_OUTSIDE); /* boot memory's own gap */
                ck_assert_int_eq(s.all.memmap_inside_known, setting == MEMMAP_OUTSIDE);
                ck_assert_uint_eq(s.next_memmap, 8 * MIB); /* half a GiB */
                stats_done(&s);
        }
        begin(&s, rows + 1, 2);
        add_blocks(&s, 64, 4, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:01");
        add_blocks(&s, 80, 1, 2, ZONE_NORMAL, SOURCE_DIMM, "PNP0C80:02");
        stats_finish(&s, NULL, 0, MEMMAP_INSIDE);
        ck_assert(s.all.memmap_inside_known);
        ck_assert_uint_eq(s.all.memmap_inside, 10 * MIB);
        ck_assert_uint_eq(s.next_memmap, 0); /* nor will the next add take any of the old memory */
        stats_done(&s);
        begin(&s, rows + 1, 1);
        add_blocks(&s, 64, 4, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:01");
        add_blocks(&s, 68, 1, 1, _ZONE_INVALID, SOURCE_DIMM, "PNP0C80:01");
        stats_finish(&s, NULL, 0, MEMMAP_INSIDE);
        ck_assert(!s.all.memmap_inside_known); /* what is offline is in no zone */
        stats_done(&s);
}
END_TEST

START_TEST(test_largest_add) {
        static const struct {
                uint32_t index;
                int node;
                enum source source;
                const char *device;
                uint64_t largest; /* blocks, after this one */
        } rows[] = {
                { 10, 0, SOURCE_DIMM, "PNP0C80:01", 1 },
                { 11, 0, SOURCE_DIMM, "PNP0C80:01", 2 },
                { 12, 0, SOURCE_DIMM, "PNP0C80:02", 2 }, /* another one */
                { 14, 0, SOURCE_DIMM, "PNP0C80:02", 2 }, /* a gap */
                { 15, 0, SOURCE_DIMM, "PNP0C80:02", 2 },
                { 16, 0, SOURCE_DIMM, "PNP0C80:02", 3 },
                { 20, 0, SOURCE_VIRTIO_MEM, "virtio0", 3 },
                { 21, 0, SOURCE_VIRTIO_MEM, "virtio0", 3 },
                { 22, 0, SOURCE_VIRTIO_MEM, "virtio0", 3 },
                { 23, 0, SOURCE_VIRTIO_MEM, "virtio0", 3 },
                { 30, 0, SOURCE_UNKNOWN, "", 3 }, /* without names, nodes tell them apart */
                { 31, 0, SOURCE_UNKNOWN, "", 3 },
                { 32, 1, SOURCE_UNKNOWN, "", 3 },
                { 33, 1, SOURCE_UNKNOWN, "", 3 },
                { 34, 1, SOURCE_UNKNOWN, "", 3 },
                { 35, 1, SOURCE_UNKNOWN, "", 4 },
        };
        const struct zone_row zone = { 0, "Normal", GIB, GIB, GIB, 0, 0 };
        struct stats s;

        begin(&s, &zone, 1);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct block b = make_block(rows[i].index, rows[i].node, ZONE_NORMAL, rows[i].source, rows[i].device);

                ck_assert_int_eq(stats_add_block(&s, &b, STATS_HOT, 0), 0);
                ck_assert_msg(s.largest_add == rows[i].largest * BLOCK, "row %zu", i);
        }
        s.largest_add = MAX(s.largest_add, 64 * GIB); /* it was there, and is gone */
        stats_finish(&s, NULL, 0, MEMMAP_OUTSIDE);
        ck_assert_uint_eq(s.next_memmap, GIB);
        stats_done(&s);
}
END_TEST

/* Blocks of no node belong to the only one there is, and to none if there are several. */
START_TEST(test_no_nodes) {
        const struct zone_row rows[] = { { 0, "Normal", GIB, GIB, GIB, 0, 0 }, { 1, "Normal", GIB, GIB, GIB, 0, 0 } };
        struct stats s;

        for (size_t n = 1; n <= 2; n++) {
                begin(&s, rows, n);
                add_blocks(&s, 0, 8, -1, ZONE_NORMAL, SOURCE_BOOT, "");
                add_blocks(&s, 8, 2, -1, ZONE_MOVABLE, SOURCE_UNKNOWN, "");
                stats_finish(&s, NULL, 0, MEMMAP_OUTSIDE);
                ck_assert_uint_eq(s.all.blocks[STATS_BOOT], GIB);
                ck_assert_uint_eq(s.all.blocks[STATS_UNKNOWN], 2 * BLOCK);
                ck_assert_uint_eq(stats_find(&s, 0)->blocks[STATS_BOOT], n == 1 ? GIB : 0);
                stats_done(&s);
        }
}
END_TEST

/* Nodes in any order come out ascending, and the machine is the sum of them. */
START_TEST(test_sums) {
        struct prng p = { 9 };

        for (unsigned round = 0; round < 50; round++) {
                uint64_t online = 0, offline = 0, hot = 0;
                struct zone_row zones[40];
                struct stats s;
                size_t n = 0;

                for (unsigned node = 0; node < 20; node++)
                        if (prng_below(&p, 2))
                                zones[n++] = (struct zone_row) { node, prng_below(&p, 2) ? "Normal" : "Movable", GIB, GIB - MIB,
                                                                 prng_below(&p, 1000) * MIB, MIB, 2 * MIB, MIB, 0, 0, 0 };
                begin(&s, zones, n);
                for (unsigned i = 0; i < 200; i++) {
                        struct block b = make_block(i * 2, (int) prng_below(&p, 1024), prng_below(&p, 3) ? ZONE_MOVABLE : _ZONE_INVALID,
                                                    SOURCE_DIMM, "x");

                        ck_assert_int_eq(stats_add_block(&s, &b, (enum stats_origin) prng_below(&p, 3), 0), 0);
                }
                stats_finish(&s, &one_rule, 0, MEMMAP_OUTSIDE);
                for (size_t i = 0; i < s.n; i++) {
                        ck_assert(i == 0 || s.nodes[i].node > s.nodes[i - 1].node);
                        ck_assert_ptr_eq(stats_find(&s, (unsigned) s.nodes[i].node), &s.nodes[i]);
                        online += s.nodes[i].online;
                        offline += s.nodes[i].offline;
                        hot += s.nodes[i].blocks[STATS_HOT];
                }
                ck_assert_uint_eq(online, s.all.online);
                ck_assert_uint_eq(offline, s.all.offline);
                ck_assert_uint_eq(hot, s.all.blocks[STATS_HOT]);
                ck_assert_uint_eq(online + offline, 200 * BLOCK);
                stats_done(&s);
        }
}
END_TEST

/* A real machine's files, and its blocks as tests/data/README tells of them. */
START_TEST(test_capture) {
        _cleanup_(zoneinfo_done) struct zoneinfo z = {};
        _cleanup_(buddyinfo_done) struct buddyinfo b = {};
        const struct stats_node *n0, *n1;
        unsigned line;
        struct stats s;
        size_t size;
        char *text;

        text = check_read_data("zoneinfo-6.1", &size);
        ck_assert_int_eq(zoneinfo_parse_take(&text, size, &z, &line), 0);
        text = check_read_data("buddyinfo-6.1", &size);
        ck_assert_int_eq(buddyinfo_parse(text, size, &b, &line), 0);
        free(text);
        stats_init(&s, PAGE);
        ck_assert_int_eq(stats_add_zones(&s, &z), 0);
        ck_assert_int_eq(stats_add_buddy(&s, &b), 0);
        add_blocks(&s, 0, 8, 0, ZONE_DMA32, SOURCE_BOOT, "");
        add_blocks(&s, 32, 6, 1, ZONE_MOVABLE, SOURCE_DIMM, "PNP0C80:00");
        add_blocks(&s, 38, 2, 1, _ZONE_INVALID, SOURCE_DIMM, "PNP0C80:00");
        stats_finish(&s, NULL, 0, MEMMAP_OUTSIDE);
        n0 = stats_find(&s, 0);
        n1 = stats_find(&s, 1);
        ck_assert_uint_eq(s.n, 2);
        ck_assert_uint_eq(n0->kernel.present, (UINT64_C(3998) + 225246) * PAGE);
        ck_assert_uint_eq(n0->kernel.free, (UINT64_C(3808) + 164579) * PAGE);
        ck_assert_uint_eq(n0->kernel.usable, (UINT64_C(3808) - 95 - 752 + 164579 - 4794) * PAGE);
        ck_assert_uint_eq(n1->movable.present, 6 * BLOCK);
        ck_assert_uint_eq(n1->movable.hot, n1->movable.present);
        ck_assert_int_eq(n1->largest_order, 10);
        ck_assert_int_eq(stats_distance(n1), (int64_t) ((UINT64_C(196608) - 6115) * PAGE));
        ck_assert(n1->movable_only && s.has_buddy);
        ck_assert_uint_eq(s.all.percent, UINT64_C(196608) * 100 / (3998 + 225246));
        stats_done(&s);
}
END_TEST

/* ---- alerts ------------------------------------------------------------------------------------------------------- */

static unsigned judge(struct alerts *a, const struct zone_row *rows, size_t n, uint64_t largest, uint64_t now) {
        struct stats s;
        unsigned changed;

        begin(&s, rows, n);
        s.largest_add = largest;
        stats_finish(&s, &one_rule, 0, MEMMAP_OUTSIDE);
        changed = alerts_judge(a, &s, &one_rule, 0, now);
        stats_done(&s);
        return changed;
}

/* Figures go down and up again: raised once, cleared once, and in between neither. */
START_TEST(test_kernel_low) {
        static const struct {
                uint64_t free, file, movable; /* MiB */
                bool changed, raised;
        } rows[] = {
                { 500, 0, 3000, false, false },
                { 10, 100, 3000, false, false }, /* file cache can go */
                { 16 + 10, 0, 3000, false, false },
                { 15 + 10, 0, 3000, true, true },  /* 15 of 1024 MiB above the watermark of 10 */
                { 14 + 10, 0, 3000, false, true },
                { 17 + 10, 0, 3000, false, true }, /* not much better */
                { 31 + 10, 0, 3000, false, true },
                { 33 + 10, 0, 3000, true, false },
                { 17 + 10, 0, 3000, false, false },
                { 5, 0, 100, false, false },       /* no memory at all is another matter */
                { 5, 0, 300, true, true },
                { 5, 0, 150, false, true },
                { 5, 0, 10, true, false },
        };
        struct alerts a = {};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct zone_row zones[] = {
                        { 0, "Normal", GIB, GIB, rows[i].free * MIB, 10 * MIB, 12 * MIB, rows[i].file * MIB },
                        { 0, "Movable", 3 * GIB, 3 * GIB, rows[i].movable * MIB, 0, 0 },
                };
                unsigned changed = judge(&a, zones, 2, 0, 1000 + i);

                ck_assert_msg(changed == (rows[i].changed ? 1u << ALERT_KERNEL_LOW : 0), "row %zu", i);
                ck_assert_msg(a.items[ALERT_KERNEL_LOW].raised == rows[i].raised, "row %zu", i);
                if (changed)
                        ck_assert_uint_eq(a.items[ALERT_KERNEL_LOW].since_usec, 1000 + i);
        }
        ck_assert_ptr_nonnull(strstr(a.items[ALERT_KERNEL_LOW].text, "no longer"));
        ck_assert_str_eq(a.items[ALERT_NEXT_ADD].text, "");
}
END_TEST

START_TEST(test_next_add) {
        static const struct {
                uint64_t free, file, add; /* MiB */
                bool changed, raised;
        } rows[] = {
                { 500, 0, 0, false, false }, /* there never was one */
                { 500, 0, 1024, false, false },
                { 26, 0, 1024, false, false },     /* 16 MiB for 1 GiB: just enough */
                { 25, 0, 1024, true, true },
                { 10, 15, 1024, false, true },
                { 10, 16, 1024, false, true },     /* enough, but not by much */
                { 29, 0, 1024, false, true },
                { 31, 0, 1024, true, false },
                { 31, 0, 8192, true, true },       /* a larger one came */
                { 500, 0, 8192, true, false },
        };
        struct alerts a = {};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct zone_row zone = { 0, "Normal", GIB, GIB, rows[i].free * MIB, 10 * MIB, 12 * MIB, rows[i].file * MIB };
                unsigned changed = judge(&a, &zone, 1, rows[i].add * MIB, i);

                ck_assert_msg(changed == (rows[i].changed ? 1u << ALERT_NEXT_ADD : 0), "row %zu", i);
                ck_assert_msg(a.items[ALERT_NEXT_ADD].raised == rows[i].raised, "row %zu", i);
                if (i == 8)
                        ck_assert_str_eq(a.items[ALERT_NEXT_ADD].text, "the next hot-add is likely to be refused: one of 8 GiB, as "
                                         "the largest so far, needs 128 MiB for its struct pages, and the kernel zones have 21 MiB");
        }
}
END_TEST

START_TEST(test_ratio_alert) {
        struct zone_row zones[] = { { 0, "Normal", GIB, GIB, GIB, 0, 0 }, { 0, "Movable", 3 * GIB, 3 * GIB, GIB, 0, 0 },
                                    { 1, "Movable", 0, 0, 0, 0, 0 } };
        struct alert *alert;
        struct alerts a = {};

        alert = &a.items[ALERT_RATIO];
        ck_assert_uint_eq(judge(&a, zones, 3, 0, 1), 0);
        zones[1].present += BLOCK;
        ck_assert_uint_eq(judge(&a, zones, 3, 0, 2), 1u << ALERT_RATIO);
        ck_assert_str_eq(alert->text, "the movable memory of the machine is 312 % of its kernel memory; rule \"limited\" allows for 300 %");
        ck_assert_uint_eq(judge(&a, zones, 3, 0, 3), 0);
        zones[1].present -= BLOCK;
        ck_assert_uint_eq(judge(&a, zones, 3, 0, 4), 1u << ALERT_RATIO);
        ck_assert(!alert->raised);
        zones[1].present = GIB;
        zones[2].present = zones[2].managed = BLOCK; /* a node without any kernel memory, and the rule asks for each */
        ck_assert_uint_eq(judge(&a, zones, 3, 0, 5), 1u << ALERT_RATIO);
        ck_assert_str_eq(alert->text, "the movable memory on node 1 has no kernel memory beside it that counts; rule \"limited\" allows for 300 %");
}
END_TEST

START_TEST(test_waiting_alert) {
        static const struct {
                uint64_t a, b, max; /* s */
                bool changed, raised;
        } rows[] = {
                { 0, 0, 3600, false, false }, { 10, 3599, 3600, false, false }, { 10, 3600, 3600, true, true },
                { 20, 7300, 3600, false, true }, { 30, 0, 3600, true, false }, { 30, 99999, 0, false, false },
                { 30, 40, 35, true, true },
        };
        const struct zone_row zone = { 0, "Normal", GIB, GIB, GIB, 0, 0 };
        struct alerts a = {};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct block first = make_block(40, 0, _ZONE_INVALID, SOURCE_DIMM, "x"), second = first;
                struct stats s;

                second.index = 47;
                begin(&s, &zone, 1);
                ck_assert_int_eq(stats_add_block(&s, &first, STATS_HOT, rows[i].a * SEC), 0);
                ck_assert_int_eq(stats_add_block(&s, &second, STATS_HOT, rows[i].b * SEC), 0);
                stats_finish(&s, NULL, 0, MEMMAP_OUTSIDE);
                ck_assert_uint_eq(alerts_judge(&a, &s, NULL, rows[i].max * SEC, 1), rows[i].changed ? 1u << ALERT_WAITING : 0);
                ck_assert_int_eq(a.items[ALERT_WAITING].raised, rows[i].raised);
                if (i == 3)
                        ck_assert_str_eq(a.items[ALERT_WAITING].text, "hot-added memory waits offline: 256 MiB among the blocks 40-47, "
                                         "the first of it for 2 h");
                stats_done(&s);
        }
}
END_TEST

START_TEST(test_words) {
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++) {
                ck_assert_uint_gt(strlen(alert_to_string(k)), 3);
                ck_assert_uint_eq(strlen(alert_message_id(k)), 32);
        }
        ck_assert_ptr_null(alert_to_string(_ALERT_MAX));
        ck_assert_ptr_null(alert_message_id(_ALERT_INVALID));
}
END_TEST

int main(void) {
        Suite *s = suite_create("stats");
        TCase *c;

        c = check_case(s, "figures");
        tcase_add_test(c, test_usual);
        tcase_add_test(c, test_no_limit);
        tcase_add_test(c, test_limits);
        tcase_add_test(c, test_memmap_inside);
        tcase_add_test(c, test_largest_add);
        tcase_add_test(c, test_no_nodes);
        tcase_add_test(c, test_sums);
        tcase_add_test(c, test_capture);

        c = check_case(s, "alerts");
        tcase_add_test(c, test_kernel_low);
        tcase_add_test(c, test_next_add);
        tcase_add_test(c, test_ratio_alert);
        tcase_add_test(c, test_waiting_alert);
        tcase_add_test(c, test_words);
        return check_run(s);
}
