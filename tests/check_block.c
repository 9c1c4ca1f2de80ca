/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/block.h"

#include "check_util.h"

/* The words are a contract: kernel files on one side, people's configuration and scripts on the other. */
static const struct {
        enum block_state state;
        const char *word;
} states[] = {
        { BLOCK_OFFLINE, "offline" },
        { BLOCK_ONLINE, "online" },
        { BLOCK_GOING_OFFLINE, "going-offline" },
        { BLOCK_STATE_OTHER, "other" },
};

static const struct {
        enum zone zone;
        const char *word;
} zones[] = {
        { ZONE_DMA, "DMA" },         { ZONE_DMA32, "DMA32" },     { ZONE_NORMAL, "Normal" },
        { ZONE_HIGHMEM, "HighMem" }, { ZONE_MOVABLE, "Movable" }, { ZONE_DEVICE, "Device" },
};

static const struct {
        enum source source;
        const char *word;
} sources[] = {
        { SOURCE_UNKNOWN, "unknown" },       { SOURCE_BOOT, "boot" },     { SOURCE_DIMM, "dimm" },
        { SOURCE_VIRTIO_MEM, "virtio-mem" }, { SOURCE_PMEM, "pmem" },     { SOURCE_CXL, "cxl" },
        { SOURCE_HMEM, "hmem" },             { SOURCE_DAX, "dax" },       { SOURCE_NVIDIA, "nvidia" },    { SOURCE_DRIVER, "driver" },
        { SOURCE_HYPERV, "hyperv" },         { SOURCE_XEN, "xen" },       { SOURCE_DLPAR, "dlpar" },
        { SOURCE_STANDBY, "standby" },
};

/* What is none of the words, for any of the three. */
static const char *const strays[] = {
        "", " ", "Offline", "ONLINE", "online ", " online", "online\n", "onlin", "onlinee", "normal", "NORMAL", "DMA3", "DMA322",
        "Movable\n", "none", "virtio_mem", "virtio-mem0", "PMEM", "nvdimm", "0", "-22", "\xff",
};

START_TEST(test_states) {
        ck_assert_uint_eq(ARRAY_SIZE(states), _BLOCK_STATE_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
                ck_assert_str_eq(block_state_to_string(states[i].state), states[i].word);
                ck_assert_int_eq(block_state_from_string(states[i].word), states[i].state);
        }
        for (size_t i = 0; i < ARRAY_SIZE(strays); i++) /* above all not offline, which is acted on */
                ck_assert_int_eq(block_state_from_string(strays[i]), BLOCK_STATE_OTHER);
        ck_assert_ptr_null(block_state_to_string(_BLOCK_STATE_MAX));
        ck_assert_ptr_null(block_state_to_string(_BLOCK_STATE_INVALID));
}
END_TEST

START_TEST(test_zones) {
        ck_assert_uint_eq(ARRAY_SIZE(zones), _ZONE_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                ck_assert_str_eq(zone_to_string(zones[i].zone), zones[i].word);
                ck_assert_int_eq(zone_from_string(zones[i].word), zones[i].zone);
        }
        for (size_t i = 0; i < ARRAY_SIZE(strays); i++)
                ck_assert_int_eq(zone_from_string(strays[i]), _ZONE_INVALID);
        ck_assert_ptr_null(zone_to_string(_ZONE_MAX));
        ck_assert_ptr_null(zone_to_string(_ZONE_INVALID));

        ck_assert_int_eq(zone_from_stringn("DMA32", 3), ZONE_DMA);
        ck_assert_int_eq(zone_from_stringn("DMA32", 5), ZONE_DMA32);
        ck_assert_int_eq(zone_from_stringn("DMA32", 4), _ZONE_INVALID);
        ck_assert_int_eq(zone_from_stringn("DMA32", 0), _ZONE_INVALID);
}
END_TEST

START_TEST(test_sources) {
        source_mask seen = 0;

        ck_assert_uint_eq(ARRAY_SIZE(sources), _SOURCE_MAX);
        ck_assert_uint_le(_SOURCE_MAX, sizeof(source_mask) * 8);
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
                ck_assert_str_eq(source_to_string(sources[i].source), sources[i].word);
                ck_assert_int_eq(source_from_string(sources[i].word), sources[i].source);
                ck_assert_uint_eq(seen & SOURCE_BIT(sources[i].source), 0);
                seen |= SOURCE_BIT(sources[i].source);
        }
        for (size_t i = 0; i < ARRAY_SIZE(strays); i++)
                ck_assert_int_eq(source_from_string(strays[i]), _SOURCE_INVALID);
        ck_assert_ptr_null(source_to_string(_SOURCE_MAX));
        ck_assert_ptr_null(source_to_string(_SOURCE_INVALID));
}
END_TEST

START_TEST(test_invalid_is_einval) {
        ck_assert_int_eq(_BLOCK_STATE_INVALID, -EINVAL);
        ck_assert_int_eq(_ZONE_INVALID, -EINVAL);
        ck_assert_int_eq(_SOURCE_INVALID, -EINVAL);
}
END_TEST

START_TEST(test_kernel_zones) {
        ck_assert_uint_eq(ZONES_KERNEL, ZONE_BIT(ZONE_DMA) | ZONE_BIT(ZONE_DMA32) | ZONE_BIT(ZONE_NORMAL) |
                                                ZONE_BIT(ZONE_HIGHMEM));
        ck_assert(!(ZONES_KERNEL & ZONE_BIT(ZONE_MOVABLE)));
        ck_assert(!(ZONES_KERNEL & ZONE_BIT(ZONE_DEVICE)));
        ck_assert_uint_ge(sizeof(zone_mask) * 8, _ZONE_MAX);
}
END_TEST

static const struct {
        const char *text;
        zone_mask zones;
        enum zone first;
} valid_zones[] = {
        { "Normal Movable\n", ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE), ZONE_NORMAL },
        { "Movable Normal\n", ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE), ZONE_MOVABLE },
        { "DMA32 Movable", ZONE_BIT(ZONE_DMA32) | ZONE_BIT(ZONE_MOVABLE), ZONE_DMA32 },
        { "DMA Normal Movable\n", ZONE_BIT(ZONE_DMA) | ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE), ZONE_DMA },
        { "Normal\n", ZONE_BIT(ZONE_NORMAL), ZONE_NORMAL },
        { "Movable", ZONE_BIT(ZONE_MOVABLE), ZONE_MOVABLE },
        { "HighMem Device\n", ZONE_BIT(ZONE_HIGHMEM) | ZONE_BIT(ZONE_DEVICE), ZONE_HIGHMEM },
        { "none\n", 0, _ZONE_INVALID },
        { "none", 0, _ZONE_INVALID },
        { "\n", 0, _ZONE_INVALID },
        { "", 0, _ZONE_INVALID },
        { "  Movable\tNormal  \n", ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE), ZONE_MOVABLE },
        { "Movable Movable\n", ZONE_BIT(ZONE_MOVABLE), ZONE_MOVABLE },
        /* a zone of a kernel to come must neither hide the others nor become the first */
        { "Tiered Normal Movable\n", ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE), ZONE_NORMAL },
        { "Normal Tiered\n", ZONE_BIT(ZONE_NORMAL), ZONE_NORMAL },
        { "Tiered\n", 0, _ZONE_INVALID },
        { "normal NormalMovable ormal\n", 0, _ZONE_INVALID },
        /* one line is all there is */
        { "Normal\nMovable\n", ZONE_BIT(ZONE_NORMAL), ZONE_NORMAL },
        { "\nMovable\n", 0, _ZONE_INVALID },
};

START_TEST(test_parse_zones) {
        struct block b, before;
        char *text = check_copy(valid_zones[_i].text, strlen(valid_zones[_i].text) + 1);

        /* whatever stood there before */
        memset(&b, 0xa5, sizeof(b));
        b.zones_known = false;
        b.first_zone = ZONE_DEVICE;
        before = b;
        block_parse_zones(&b, text);
        ck_assert(b.zones_known);
        ck_assert_uint_eq(b.zones, valid_zones[_i].zones);
        ck_assert_int_eq(b.first_zone, valid_zones[_i].first);
        /* and nothing else is touched */
        b.zones_known = before.zones_known;
        b.zones = before.zones;
        b.first_zone = before.first_zone;
        ck_assert_mem_eq(&b, &before, sizeof(b));
        free(text);
}
END_TEST

static const unsigned edges[] = { 0, 1, 31, 32, 62, 63, 64, 65, 127, 128, 191, 192, 511, 512, 959, 960, 1022, 1023 };

START_TEST(test_node_set_one) {
        unsigned node = edges[_i];
        struct node_set s = {}, other = {};

        ck_assert_int_eq(node_set_next(&s, 0), -1);
        node_set_add(&s, node);
        for (unsigned i = 0; i < NODES_MAX; i++) {
                CHECK(node_set_has(&s, i) == (i == node));
                CHECK(node_set_next(&s, i) == (i <= node ? (int) node : -1));
        }
        ck_assert(!node_set_equal(&s, &other));
        node_set_add(&other, node);
        ck_assert(node_set_equal(&s, &other));
        node_set_add(&other, node); /* twice is once */
        ck_assert(node_set_equal(&s, &other));
        node_set_add(&other, node ^ 1);
        ck_assert(!node_set_equal(&s, &other));
}
END_TEST

START_TEST(test_node_set_beyond) {
        static const unsigned beyond[] = { NODES_MAX, NODES_MAX + 1, NODES_MAX + 63, NODES_MAX + 64, INT_MAX, UINT_MAX };
        struct node_set s;

        memset(&s, 0xff, sizeof(s));
        for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
                ck_assert_int_eq(node_set_next(&s, beyond[i]), -1);
                ck_assert(!node_set_has(&s, beyond[i]));
        }
        ck_assert_int_eq(node_set_next(&s, NODES_MAX - 1), NODES_MAX - 1);
}
END_TEST

/* The loop of the header visits each member once and in order. */
START_TEST(test_node_set_loop) {
        struct prng p = { 2 };

        for (unsigned round = 0; round < 500; round++) {
                bool member[NODES_MAX] = {};
                struct node_set s = {};
                int last = -1;

                for (unsigned i = prng_below(&p, 40); i > 0; i--) {
                        unsigned node = prng_below(&p, 4) ? prng_below(&p, NODES_MAX) : edges[prng_below(&p, ARRAY_SIZE(edges))];

                        member[node] = true;
                        node_set_add(&s, node);
                }
                for (int n = node_set_next(&s, 0); n >= 0; n = node_set_next(&s, (unsigned) n + 1)) {
                        CHECK(n > last);
                        CHECK(member[n]);
                        for (int i = last + 1; i < n; i++)
                                CHECK(!member[i]);
                        last = n;
                }
                for (int i = last + 1; i < NODES_MAX; i++)
                        CHECK(!member[i]);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("block");
        TCase *c;

        c = check_case(s, "words");
        tcase_add_test(c, test_states);
        tcase_add_test(c, test_zones);
        tcase_add_test(c, test_sources);
        tcase_add_test(c, test_invalid_is_einval);
        tcase_add_test(c, test_kernel_zones);

        c = check_case(s, "valid_zones");
        tcase_add_loop_test(c, test_parse_zones, 0, ARRAY_SIZE(valid_zones));

        c = check_case(s, "node sets");
        tcase_add_loop_test(c, test_node_set_one, 0, ARRAY_SIZE(edges));
        tcase_add_test(c, test_node_set_beyond);
        tcase_add_test(c, test_node_set_loop);
        return check_run(s);
}
