/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/match.h"

#include "check_util.h"

#include "check_blocks.h"

#define BIT(s) SOURCE_BIT(SOURCE_##s)

/* A rule's conditions and a block's facts, each as text; NULL: none. */
struct written {
        source_mask sources;
        const char *nodes, *addresses, *sizes, *device, *tiers;
        platform_mask platforms, architectures;
};

static void parse_into(const char *text, enum ranges_form form, struct ranges *ret) {
        if (text)
                ck_assert_int_eq(parse_ranges(text, form, ret), 0);
}

static void read_match(const struct written *w, struct match *ret) {
        struct match m = { .sources = w->sources, .platforms = w->platforms, .architectures = w->architectures };

        parse_into(w->nodes, RANGES_NUMBERS, &m.nodes);
        parse_into(w->addresses, RANGES_SIZES, &m.addresses);
        parse_into(w->sizes, RANGES_SIZES_INCLUSIVE, &m.sizes);
        parse_into(w->tiers, RANGES_NUMBERS, &m.tiers);
        if (w->device) {
                m.devices = calloc(1, sizeof(*m.devices));
                ck_assert_ptr_nonnull(m.devices);
                m.devices[m.n_devices++] = strdup(w->device);
        }
        *ret = m;
}

static const struct {
        struct written rule;
        enum source source;
        const char *nodes;
        uint64_t start, device_size;
        const char *device;
        int tier;
        platform_mask platforms;
        int failed; /* -1: matches */
} rows[] = {
        { {}, SOURCE_UNKNOWN, NULL, 0, 0, "", -1, 0, -1 },
        { { .sources = BIT(DIMM) }, SOURCE_DIMM, "0", 0, 0, "", -1, 0, -1 },
        { { .sources = BIT(DIMM) }, SOURCE_PMEM, "0", 0, 0, "", -1, 0, MATCH_SOURCE },
        { { .sources = BIT(DIMM) }, SOURCE_UNKNOWN, "0", 0, 0, "", -1, 0, MATCH_SOURCE },
        { { .sources = BIT(UNKNOWN) }, SOURCE_UNKNOWN, "0", 0, 0, "", -1, 0, -1 },
        { { .sources = BIT(UNKNOWN) }, SOURCE_BOOT, "0", 0, 0, "", -1, 0, MATCH_SOURCE },
        { { .sources = BIT(PMEM) | BIT(CXL) }, SOURCE_CXL, "0", 0, 0, "", -1, 0, -1 },
        { { .sources = BIT(PMEM) | BIT(CXL) }, SOURCE_HMEM, "0", 0, 0, "", -1, 0, MATCH_SOURCE },
        { { .sources = BIT(STANDBY) }, SOURCE_STANDBY, "0", 0, 0, "", -1, 0, -1 },

        { { .nodes = "1-3" }, SOURCE_DIMM, "1", 0, 0, "", -1, 0, -1 },
        { { .nodes = "1-3" }, SOURCE_DIMM, "3", 0, 0, "", -1, 0, -1 },
        { { .nodes = "1-3" }, SOURCE_DIMM, "0", 0, 0, "", -1, 0, MATCH_NODE },
        { { .nodes = "1-3" }, SOURCE_DIMM, "4", 0, 0, "", -1, 0, MATCH_NODE },
        { { .nodes = "1-3" }, SOURCE_DIMM, "1,3", 0, 0, "", -1, 0, -1 },
        { { .nodes = "1-3" }, SOURCE_DIMM, "0-1", 0, 0, "", -1, 0, MATCH_NODE }, /* each of its nodes, not one of them */
        { { .nodes = "0,2" }, SOURCE_DIMM, "0-2", 0, 0, "", -1, 0, MATCH_NODE },
        { { .nodes = "0" }, SOURCE_DIMM, NULL, 0, 0, "", -1, 0, MATCH_NODE }, /* an unknown node is not node 0 */
        { { .nodes = "0-" }, SOURCE_DIMM, NULL, 0, 0, "", -1, 0, MATCH_NODE },
        { { .nodes = "0-" }, SOURCE_DIMM, "1023", 0, 0, "", -1, 0, -1 },
        { { .nodes = "63-64,1023" }, SOURCE_DIMM, "63,64,1023", 0, 0, "", -1, 0, -1 },

        /* the block lies wholly in it; the end of a range of addresses does not belong to it */
        { { .addresses = "4G-" }, SOURCE_DIMM, "0", 4 * GIB, 0, "", -1, 0, -1 },
        { { .addresses = "4G-" }, SOURCE_DIMM, "0", 4 * GIB - BLOCK_SIZE, 0, "", -1, 0, MATCH_ADDRESS },
        { { .addresses = "4G-8G" }, SOURCE_DIMM, "0", 8 * GIB - BLOCK_SIZE, 0, "", -1, 0, -1 },
        { { .addresses = "4G-8G" }, SOURCE_DIMM, "0", 8 * GIB, 0, "", -1, 0, MATCH_ADDRESS },
        { { .addresses = "4160M-8G" }, SOURCE_DIMM, "0", 4 * GIB, 0, "", -1, 0, MATCH_ADDRESS }, /* half of it */
        { { .addresses = "0-1G,2G-3G" }, SOURCE_DIMM, "0", 2 * GIB, 0, "", -1, 0, -1 },
        { { .addresses = "0-4160M,4160M-8G" }, SOURCE_DIMM, "0", 4 * GIB, 0, "", -1, 0, MATCH_ADDRESS }, /* in neither */

        /* of the device; both ends belong to it */
        { { .sizes = "16G-" }, SOURCE_DIMM, "0", 0, 16 * GIB, "", -1, 0, -1 },
        { { .sizes = "16G-" }, SOURCE_DIMM, "0", 0, 16 * GIB - BLOCK_SIZE, "", -1, 0, MATCH_SIZE },
        { { .sizes = "1G-16G" }, SOURCE_DIMM, "0", 0, 16 * GIB, "", -1, 0, -1 },
        { { .sizes = "16G" }, SOURCE_DIMM, "0", 0, 16 * GIB, "", -1, 0, -1 },
        { { .sizes = "0-" }, SOURCE_DIMM, "0", 0, 0, "", -1, 0, MATCH_SIZE }, /* unknown */

        { { .device = "PNP0C80:*" }, SOURCE_DIMM, "0", 0, 0, "PNP0C80:01", -1, 0, -1 },
        { { .device = "PNP0C80:*" }, SOURCE_DIMM, "0", 0, 0, "PNP0C80", -1, 0, MATCH_DEVICE },
        { { .device = "dax[0-3].0" }, SOURCE_DIMM, "0", 0, 0, "dax2.0", -1, 0, -1 },
        { { .device = "dax[0-3].0" }, SOURCE_DIMM, "0", 0, 0, "dax4.0", -1, 0, MATCH_DEVICE },
        { { .device = "pnp0c80:*" }, SOURCE_DIMM, "0", 0, 0, "PNP0C80:01", -1, 0, MATCH_DEVICE },
        { { .device = "*" }, SOURCE_DIMM, "0", 0, 0, "", -1, 0, MATCH_DEVICE }, /* without a name */

        { { .platforms = PLATFORM_BIT(PLATFORM_VM) }, SOURCE_DIMM, "0", 0, 0, "", -1,
          PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_KVM), -1 },
        { { .platforms = PLATFORM_BIT(PLATFORM_XEN) | PLATFORM_BIT(PLATFORM_KVM) }, SOURCE_DIMM, "0", 0, 0, "", -1,
          PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_KVM), -1 },
        { { .platforms = PLATFORM_BIT(PLATFORM_BAREMETAL) }, SOURCE_DIMM, "0", 0, 0, "", -1,
          PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_KVM), MATCH_PLATFORM },
        { { .platforms = PLATFORM_BIT(PLATFORM_VM) }, SOURCE_DIMM, "0", 0, 0, "", -1, 0, MATCH_PLATFORM }, /* unknown */

        { { .tiers = "4-" }, SOURCE_CXL, "0", 0, 0, "", 4, 0, -1 },
        { { .tiers = "4-" }, SOURCE_CXL, "0", 0, 0, "", 3, 0, MATCH_TIER },
        { { .tiers = "0-" }, SOURCE_CXL, "0", 0, 0, "", -1, 0, MATCH_TIER }, /* unknown */

        { { .architectures = PLATFORM_BIT(PLATFORM_S390X) | PLATFORM_BIT(PLATFORM_ARM64) }, SOURCE_DIMM, "0", 0, 0, "", -1,
          PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_ARM64), -1 },
        { { .architectures = PLATFORM_BIT(PLATFORM_S390X) }, SOURCE_DIMM, "0", 0, 0, "", -1,
          PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_ARM64), MATCH_ARCHITECTURE },
        { { .architectures = PLATFORM_BIT(PLATFORM_S390X) }, SOURCE_DIMM, "0", 0, 0, "", -1, PLATFORM_BIT(PLATFORM_VM),
          MATCH_ARCHITECTURE }, /* unknown */

        { { .sources = BIT(DIMM), .nodes = "1" }, SOURCE_PMEM, "2", 0, 0, "", -1, 0, MATCH_SOURCE }, /* the first is named */
        { { .sources = BIT(DIMM), .nodes = "1", .addresses = "4G-", .sizes = "1G-", .device = "P*", .tiers = "4",
            .platforms = PLATFORM_BIT(PLATFORM_VM) },
          SOURCE_DIMM, "1", 4 * GIB, GIB, "PNP0C80:00", 4, PLATFORM_BIT(PLATFORM_VM), -1 },
};

START_TEST(test_rows) {
        struct block b = { .source = rows[_i].source, .start = rows[_i].start, .size = BLOCK_SIZE,
                           .device_size = rows[_i].device_size, .tier = (int16_t) rows[_i].tier };
        enum match_key failed = _MATCH_INVALID;
        struct ranges nodes = {};
        struct match m;
        bool matches;

        parse_into(rows[_i].nodes, RANGES_NUMBERS, &nodes);
        for (unsigned n = 0; n < NODES_MAX; n++)
                if (ranges_contain(&nodes, n))
                        node_set_add(&b.nodes, n);
        block_set_device(&b, rows[_i].device);
        read_match(&rows[_i].rule, &m);
        matches = match_block(&m, &b, rows[_i].platforms, &failed);
        ck_assert_int_eq(matches, rows[_i].failed < 0);
        ck_assert_int_eq(failed, matches ? (int) _MATCH_INVALID : rows[_i].failed); /* untouched where all hold */
        ck_assert_int_eq(match_block(&m, &b, rows[_i].platforms, NULL), matches);
        match_done(&m);
        ck_assert_uint_eq(m.n_devices + m.nodes.n, 0);
        ranges_done(&nodes);
}
END_TEST

/* As the same conditions told plainly, over conditions and blocks of all kinds. */
START_TEST(test_generated) {
        unsigned failed_at[_MATCH_MAX + 1] = {};
        struct prng p = { 77 };

        for (unsigned round = 0; round < 4000; round++) {
                struct match m;

                generate_match(&p, &m);
                for (unsigned i = 0; i < 10; i++) {
                        platform_mask platforms = generate_platforms(&p);
                        enum match_key failed = _MATCH_INVALID;
                        struct block b;
                        int wanted;

                        generate_block(&p, &b);
                        wanted = first_failed(&m, &b, platforms);
                        CHECK(match_block(&m, &b, platforms, &failed) == (wanted < 0));
                        CHECK(wanted < 0 ? failed == _MATCH_INVALID : (int) failed == wanted);
                        failed_at[wanted < 0 ? _MATCH_MAX : wanted]++;
                }
                match_done(&m);
        }
        for (size_t i = 0; i < ARRAY_SIZE(failed_at); i++)
                ck_assert_uint_gt(failed_at[i], 50);
}
END_TEST

/* What is unknown of a block matches no condition on it. */
START_TEST(test_unknown) {
        struct block b = { .size = BLOCK_SIZE, .tier = -1 };
        struct prng p = { 78 };

        for (unsigned round = 0; round < 4000; round++) {
                struct match m;

                generate_match(&p, &m);
                m.sources |= m.sources ? BIT(UNKNOWN) : 0; /* which is a word for a source, and may be asked for */
                ranges_done(&m.addresses);
                CHECK(match_block(&m, &b, 0, NULL) ==
                      (m.nodes.n == 0 && m.sizes.n == 0 && m.n_devices == 0 && m.platforms == 0 &&
                       m.architectures == 0 && m.tiers.n == 0));
                match_done(&m);
        }
}
END_TEST

/* If a covers b, every block that b matches is matched by a; and a match covers itself, and is covered by an empty one. */
START_TEST(test_covers_by_sampling) {
        unsigned covered = 0, hits = 0;
        struct prng p = { 79 };

        for (unsigned round = 0; round < 30000; round++) {
                const struct match all = {};
                struct match a, b;

                generate_match(&p, &a);
                generate_match(&p, &b);
                CHECK(match_covers(&all, &a));
                /* An address range within another of its own is still covered. */
                CHECK(match_covers(&a, &a));
                if (match_covers(&a, &b)) {
                        covered++;
                        for (unsigned i = 0; i < 60; i++) {
                                platform_mask platforms = generate_platforms(&p);
                                struct block block;

                                generate_block(&p, &block);
                                if (!match_block(&b, &block, platforms, NULL))
                                        continue;
                                hits++;
                                CHECK(match_block(&a, &block, platforms, NULL));
                        }
                }
                match_done(&a);
                match_done(&b);
        }
        ck_assert_uint_gt(covered, 500);
        ck_assert_uint_gt(hits, 5000);
}
END_TEST

static const struct {
        struct written a, b;
        bool covers;
} cover_rows[] = {
        { {}, {}, true },
        { { .sources = BIT(DIMM) }, {}, false },
        { { .sources = BIT(DIMM) | BIT(PMEM) }, { .sources = BIT(PMEM) }, true },
        { { .sources = BIT(PMEM) }, { .sources = BIT(DIMM) | BIT(PMEM) }, false },
        { { .nodes = "0-1,2-3" }, { .nodes = "1-2" }, true }, /* nodes cover together */
        { { .nodes = "0-1,3" }, { .nodes = "1-2" }, false },
        { { .nodes = "0-" }, {}, false }, /* blocks without a node */
        { { .addresses = "4G-" }, { .addresses = "4G-8G" }, true },
        { { .addresses = "4G-6G,6G-8G" }, { .addresses = "5G-7G" }, false }, /* a block may lie across */
        { { .addresses = "4G-8G" }, { .addresses = "4G-" }, false },
        { { .sizes = "1G-4G" }, { .sizes = "2G" }, true },
        { { .sizes = "1G-4G" }, { .sizes = "2G-5G" }, false },
        { { .device = "*" }, { .device = "dax*" }, true },
        { { .device = "dax*" }, { .device = "dax*" }, true },
        { { .device = "*" }, {}, false },
        { { .platforms = PLATFORM_BIT(PLATFORM_VM) }, { .platforms = PLATFORM_BIT(PLATFORM_VM) }, true },
        { { .platforms = PLATFORM_BIT(PLATFORM_VM) }, {}, false },
        { { .architectures = PLATFORM_BIT(PLATFORM_ARM64) }, { .architectures = PLATFORM_BIT(PLATFORM_ARM64) }, true },
        { { .architectures = PLATFORM_BIT(PLATFORM_ARM64) }, { .platforms = PLATFORM_BIT(PLATFORM_VM) }, false },
        { { .tiers = "2-" }, { .tiers = "4-5" }, true },
        { { .tiers = "2-4" }, { .tiers = "4-5" }, false },
        { { .sources = BIT(DIMM) }, { .sources = BIT(DIMM), .nodes = "1", .tiers = "3", .sizes = "1G" }, true },
        { { .sources = BIT(DIMM), .nodes = "1" }, { .sources = BIT(DIMM) }, false },
};

START_TEST(test_cover_rows) {
        struct match a, b;

        read_match(&cover_rows[_i].a, &a);
        read_match(&cover_rows[_i].b, &b);
        ck_assert_int_eq(match_covers(&a, &b), cover_rows[_i].covers);
        match_done(&a);
        match_done(&b);
}
END_TEST

START_TEST(test_words) {
        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                ck_assert_ptr_nonnull(match_key_to_string(k));
        ck_assert_str_eq(match_key_to_string(MATCH_SOURCE), "source");
        ck_assert_str_eq(match_key_to_string(MATCH_NODE), "node");
        ck_assert_str_eq(match_key_to_string(MATCH_TIER), "tier");
        ck_assert_str_eq(match_key_to_string(MATCH_ARCHITECTURE), "architecture");
        ck_assert_ptr_null(match_key_to_string(_MATCH_MAX));
        ck_assert_ptr_null(match_key_to_string(_MATCH_INVALID));
        ck_assert_int_eq(_MATCH_INVALID, -EINVAL);
}
END_TEST

int main(void) {
        Suite *s = suite_create("match");
        TCase *c;

        c = check_case(s, "match");
        tcase_add_test(c, test_words);
        tcase_add_loop_test(c, test_rows, 0, ARRAY_SIZE(rows));
        tcase_add_test(c, test_generated);
        tcase_add_test(c, test_unknown);

        c = check_case(s, "covers");
        tcase_add_loop_test(c, test_cover_rows, 0, ARRAY_SIZE(cover_rows));
        tcase_add_test(c, test_covers_by_sampling);
        return check_run(s);
}
