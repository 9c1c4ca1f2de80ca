/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/adds.h"

#include "check_util.h"

#define NOW UINT64_C(1000000)

static struct block make_block(uint32_t index, enum source source, const char *device, int node) {
        struct block b = { .index = index, .source = source };

        snprintf(b.device, sizeof(b.device), "%s", device);
        if (node >= 0)
                node_set_add(&b.nodes, (unsigned) node);
        return b;
}

/* ---- who belongs together ----------------------------------------------------------------------------------------- */

struct part {
        uint32_t block;
        enum source source;
        const char *device;
        int node;
        bool at_startup;
};

static const struct {
        struct part first, second;
        bool together;
} joins[] = {
        /* By the device's name, wherever its blocks are. */
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1 }, { 33, SOURCE_DIMM, "PNP0C80:00", 1 }, true },
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1 }, { 900, SOURCE_DIMM, "PNP0C80:00", 1 }, true },
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1 }, { 31, SOURCE_DIMM, "PNP0C80:00", 2 }, true },
        { { 32, SOURCE_DIMM, "PNP0C80:00", -1 }, { 33, SOURCE_DIMM, "PNP0C80:00", 1 }, true },
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1 }, { 33, SOURCE_DIMM, "PNP0C80:01", 1 }, false },
        { { 32, SOURCE_DIMM, "PNP0C80:0", 1 }, { 33, SOURCE_DIMM, "PNP0C80:00", 1 }, false },
        { { 32, SOURCE_PMEM, "dax0.0", 1 }, { 33, SOURCE_CXL, "dax0.0", 1 }, false },
        /* Without a name: neighbours, of one node. */
        { { 32, SOURCE_HYPERV, "", 1 }, { 33, SOURCE_HYPERV, "", 1 }, true },
        { { 32, SOURCE_HYPERV, "", 1 }, { 31, SOURCE_HYPERV, "", 1 }, true },
        { { 32, SOURCE_HYPERV, "", -1 }, { 33, SOURCE_HYPERV, "", -1 }, true },
        { { 32, SOURCE_HYPERV, "", 1 }, { 34, SOURCE_HYPERV, "", 1 }, false },
        { { 32, SOURCE_HYPERV, "", 1 }, { 30, SOURCE_HYPERV, "", 1 }, false },
        { { 32, SOURCE_HYPERV, "", 1 }, { 33, SOURCE_HYPERV, "", 2 }, false },
        { { 32, SOURCE_HYPERV, "", 1 }, { 33, SOURCE_HYPERV, "", -1 }, false },
        { { 32, SOURCE_HYPERV, "", 1 }, { 33, SOURCE_UNKNOWN, "", 1 }, false },
        { { 0, SOURCE_XEN, "", 0 }, { UINT32_MAX, SOURCE_XEN, "", 0 }, false },
        { { UINT32_MAX, SOURCE_XEN, "", 0 }, { 0, SOURCE_XEN, "", 0 }, false },
        { { UINT32_MAX, SOURCE_XEN, "", 0 }, { UINT32_MAX - 1, SOURCE_XEN, "", 0 }, true },
        /* One has a name, the other has none. */
        { { 32, SOURCE_DRIVER, "nvidia", 1 }, { 33, SOURCE_DRIVER, "", 1 }, false },
        { { 32, SOURCE_DRIVER, "", 1 }, { 33, SOURCE_DRIVER, "nvidia", 1 }, false },
        /* What was there at the start did not come with what comes now. */
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1, true }, { 33, SOURCE_DIMM, "PNP0C80:00", 1, true }, true },
        { { 32, SOURCE_UNKNOWN, "", 1, true }, { 33, SOURCE_UNKNOWN, "", 1, true }, true },
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1, true }, { 33, SOURCE_DIMM, "PNP0C80:00", 1, false }, false },
        { { 32, SOURCE_DIMM, "PNP0C80:00", 1, false }, { 33, SOURCE_DIMM, "PNP0C80:00", 1, true }, false },
};

static struct add *join_part(struct adds *adds, const struct part *p, uint64_t now) {
        struct block b = make_block(p->block, p->source, p->device, p->node);

        b.at_startup = p->at_startup;
        return adds_join(adds, &b, now);
}

START_TEST(test_join) {
        const struct part *first = &joins[_i].first, *second = &joins[_i].second;
        struct adds adds = {};
        struct add *a, *b;

        a = join_part(&adds, first, NOW);
        ck_assert_uint_eq(a->number, 1);
        ck_assert_int_eq(a->source, first->source);
        ck_assert_str_eq(a->device, first->device);
        ck_assert_int_eq(a->node, first->node);
        ck_assert_int_eq(a->at_startup, first->at_startup);
        ck_assert_uint_eq(a->first, first->block);
        ck_assert_uint_eq(a->last, first->block);
        ck_assert_uint_eq(a->start_usec, NOW);
        ck_assert(!a->decided && !a->rolling_back && a->end_usec == 0);
        b = join_part(&adds, second, NOW + 5);
        ck_assert_int_eq(a == b, joins[_i].together);
        ck_assert_uint_eq(adds.n, joins[_i].together ? 1 : 2);
        if (!joins[_i].together) {
                ck_assert_uint_eq(b->number, 2);
                ck_assert_uint_eq(a->n_blocks, 1);
                ck_assert_uint_eq(b->n_blocks, 1);
                return;
        }
        ck_assert_uint_eq(a->n_blocks, 2);
        ck_assert_uint_eq(a->n_pending, 2);
        ck_assert_uint_eq(a->first, MIN(first->block, second->block));
        ck_assert_uint_eq(a->last, MAX(first->block, second->block));
        ck_assert_int_eq(a->node, first->node);
        ck_assert_uint_eq(a->start_usec, NOW);
        ck_assert_uint_eq(a->last_usec, NOW + 5);
}
END_TEST

/* Two devices come in turns: each block finds its own. */
START_TEST(test_interleaved) {
        struct adds adds = {};

        for (uint32_t i = 0; i < 100; i++) {
                struct block dimm = make_block(1000 + i, SOURCE_DIMM, "PNP0C80:00", 1);
                struct block plain = make_block(2000 - i, SOURCE_HYPERV, "", 2);

                ck_assert_uint_eq(adds_join(&adds, &dimm, NOW + i)->number, 1);
                ck_assert_uint_eq(adds_join(&adds, &plain, NOW + i)->number, 2);
        }
        ck_assert_uint_eq(adds.n, 2);
        ck_assert_uint_eq(adds_find(&adds, 1)->n_blocks, 100);
        ck_assert_uint_eq(adds_find(&adds, 1)->last, 1099);
        ck_assert_uint_eq(adds_find(&adds, 2)->n_blocks, 100);
        ck_assert_uint_eq(adds_find(&adds, 2)->first, 1901);
}
END_TEST

/* What has ended, or is taken back, takes nobody in any more. */
START_TEST(test_closed) {
        const struct block b = make_block(32, SOURCE_DIMM, "PNP0C80:00", 1);
        const struct block next = make_block(33, SOURCE_DIMM, "PNP0C80:00", 1);
        struct adds adds = {};
        struct add *a = adds_join(&adds, &b, NOW);

        if (_i)
                a->rolling_back = true;
        else
                a->end_usec = NOW + 1;
        ck_assert_uint_eq(adds_join(&adds, &next, NOW + 2)->number, 2);
        ck_assert_uint_eq(a->n_blocks, 1);
        ck_assert_uint_eq(a->last, 32);
        ck_assert_uint_eq(a->last_usec, NOW);
}
END_TEST

/* ---- the ring ----------------------------------------------------------------------------------------------------- */

static struct add *join_numbered(struct adds *adds, uint32_t i) {
        struct block b = make_block(4 * i, SOURCE_DIMM, "", 1);

        snprintf(b.device, sizeof(b.device), "PNP0C80:%02x", i);
        return adds_join(adds, &b, NOW + i);
}

static const uint32_t starts[] = { 0, 1, 63, 64, 65, 1000, 4294967000 };

START_TEST(test_ring) {
        const uint32_t start = starts[_i];
        struct adds adds = { .last_number = start };

        ck_assert_ptr_null(adds_find(&adds, 0));
        ck_assert_ptr_null(adds_find(&adds, start));
        for (uint32_t i = 1; i <= 3 * ADDS_MAX + 5; i++) {
                struct add *a = join_numbered(&adds, i);

                ck_assert_uint_eq(a->number, start + i);
                ck_assert_uint_eq(a->n_blocks, 1); /* nothing is left of who had the place before */
                ck_assert_uint_eq(a->start_usec, NOW + i);
                ck_assert_uint_le(adds.n, ADDS_MAX);
                for (uint32_t k = 0; k <= i; k++) {
                        const struct add *found = adds_find(&adds, start + k);

                        CHECK((found != NULL) == (k >= 1 && k + ADDS_MAX > i));
                        CHECK(!found || (found->number == start + k && found->first == 4 * k));
                }
                ck_assert_ptr_null(adds_find(&adds, 0)); /* none, whatever places are empty */
                ck_assert_ptr_null(adds_find(&adds, start + i + 1));
        }
        ck_assert_uint_eq(adds.n, ADDS_MAX);
        ck_assert_uint_eq(adds.last_number, start + 3 * ADDS_MAX + 5);
}
END_TEST

/* Open as it may be, it had to make room: the rest of its blocks is another one. */
START_TEST(test_ring_drops_the_oldest) {
        const struct block b = make_block(90000, SOURCE_VIRTIO_MEM, "virtio0", 1);
        struct adds adds = {};

        ck_assert_uint_eq(adds_join(&adds, &b, NOW)->number, 1);
        for (uint32_t i = 0; i < ADDS_MAX; i++)
                (void) join_numbered(&adds, i);
        ck_assert_ptr_null(adds_find(&adds, 1));
        ck_assert_uint_eq(adds_join(&adds, &b, NOW)->number, ADDS_MAX + 2);
}
END_TEST

/* The number before may come from a file: even then nothing gets the number that stands for none. */
START_TEST(test_numbers_end) {
        struct adds adds = { .last_number = UINT32_MAX - 1 };

        for (uint32_t i = 0; i < 4; i++) {
                struct add *a = join_numbered(&adds, i);

                ck_assert_uint_ne(a->number, 0);
                ck_assert_ptr_eq(adds_find(&adds, a->number), a);
        }
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------------------------------ */

START_TEST(test_settle) {
        struct adds adds = {};
        struct add *a = NULL;

        for (uint32_t i = 0; i < 10; i++) {
                struct block b = make_block(32 + i, SOURCE_DIMM, "PNP0C80:00", 1);

                a = adds_join(&adds, &b, NOW);
        }
        for (int i = 0; i < 4; i++)
                add_settle(a, ADD_FATE_ONLINE, NOW + 1);
        for (int i = 0; i < 3; i++)
                add_settle(a, ADD_FATE_OFFLINE, NOW + 2);
        add_settle(a, ADD_FATE_GONE, NOW + 3);
        ck_assert_uint_eq(a->n_pending, 2);
        ck_assert(!add_is_over(a, NOW + 10 * ADD_QUIET_USEC));
        add_settle(a, ADD_FATE_FAILED, NOW + 4);
        add_settle(a, ADD_FATE_FAILED, NOW + 5);
        ck_assert_uint_eq(a->n_blocks, 10);
        ck_assert_uint_eq(a->n_pending, 0);
        ck_assert_uint_eq(a->n_online, 4);
        ck_assert_uint_eq(a->n_offline, 3);
        ck_assert_uint_eq(a->n_failed, 2);
        ck_assert_uint_eq(a->last_usec, NOW + 5);
        ck_assert_uint_eq(a->start_usec, NOW);
        ck_assert_uint_eq(a->end_usec, 0); /* whoever looks after it says so */
        /* One too many counts for nothing, and does not make it young again. */
        add_settle(a, ADD_FATE_ONLINE, NOW + 9);
        ck_assert_uint_eq(a->n_pending, 0);
        ck_assert_uint_eq(a->n_online, 4);
        ck_assert_uint_eq(a->last_usec, NOW + 5);
}
END_TEST

static const struct {
        unsigned pending;
        int64_t after;
        bool over;
} ends[] = {
        { 0, 0, false },
        { 0, 1, false },
        { 0, ADD_QUIET_USEC - 1, false },
        { 0, ADD_QUIET_USEC, true },
        { 0, ADD_QUIET_USEC + 1, true },
        { 0, INT64_MAX / 2, true },
        { 1, ADD_QUIET_USEC, false },
        { 1, INT64_MAX / 2, false },
        { 0, -1, false }, /* a clock that was read before */
};

START_TEST(test_over) {
        const struct add a = { .number = 1, .n_blocks = 1, .n_pending = ends[_i].pending, .last_usec = NOW };

        ck_assert_int_eq(add_is_over(&a, (uint64_t) ((int64_t) NOW + ends[_i].after)), ends[_i].over);
}
END_TEST

/* A block that comes later opens the moment of quiet again. */
START_TEST(test_quiet_begins_anew) {
        const struct block b = make_block(32, SOURCE_DIMM, "PNP0C80:00", 1);
        const struct block next = make_block(33, SOURCE_DIMM, "PNP0C80:00", 1);
        struct adds adds = {};
        struct add *a = adds_join(&adds, &b, NOW);

        add_settle(a, ADD_FATE_ONLINE, NOW);
        ck_assert_ptr_eq(adds_join(&adds, &next, NOW + ADD_QUIET_USEC - 1), a);
        ck_assert(!add_is_over(a, NOW + ADD_QUIET_USEC));
        add_settle(a, ADD_FATE_ONLINE, NOW + ADD_QUIET_USEC);
        ck_assert(!add_is_over(a, NOW + 2 * ADD_QUIET_USEC - 1));
        ck_assert(add_is_over(a, NOW + 2 * ADD_QUIET_USEC));
}
END_TEST

/* Whatever comes: every block is counted once, in the one add that it was told. */
START_TEST(test_any) {
        struct prng prng = { 7 + (uint64_t) _i };
        struct adds adds = {};
        uint64_t now = NOW;

        for (int step = 0; step < 20000; step++) {
                static const char *const devices[] = { "", "dax0.0", "dax1.0", "virtio0" };
                struct block b = make_block(prng_below(&prng, 200), prng_below(&prng, 2) ? SOURCE_DAX : SOURCE_XEN,
                                            devices[prng_below(&prng, 4)], (int) prng_below(&prng, 3) - 1);
                struct add *a;
                uint32_t numbers = adds.last_number;

                b.at_startup = prng_below(&prng, 4) == 0;
                now += prng_below(&prng, 1000);
                a = adds_join(&adds, &b, now);
                CHECK(a->source == b.source && strcmp(a->device, b.device) == 0 && a->at_startup == b.at_startup);
                CHECK(a->first <= b.index && b.index <= a->last && a->last_usec == now && a->start_usec <= now);
                CHECK(a->number > 0 && a->number + ADDS_MAX > adds.last_number && adds_find(&adds, a->number) == a);
                CHECK(a->number <= numbers || (a->number == numbers + 1 && a->n_blocks == 1));
                CHECK(b.device[0] || a->last - a->first + 1 <= a->n_blocks); /* no holes */
                if (prng_below(&prng, 4))
                        add_settle(a, (enum add_fate) prng_below(&prng, 3), now); /* but gone, which leaves no trace */
                CHECK(a->n_blocks == a->n_pending + a->n_online + a->n_offline + a->n_failed);
                if (prng_below(&prng, 8) == 0)
                        a->end_usec = now;
        }
        ck_assert_uint_gt(adds.last_number, ADDS_MAX); /* it did come around */
}
END_TEST

int main(void) {
        Suite *s = suite_create("adds");
        TCase *c = check_case(s, "join");

        tcase_add_loop_test(c, test_join, 0, ARRAY_SIZE(joins));
        tcase_add_test(c, test_interleaved);
        tcase_add_loop_test(c, test_closed, 0, 2);
        c = check_case(s, "ring");
        tcase_add_loop_test(c, test_ring, 0, ARRAY_SIZE(starts));
        tcase_add_test(c, test_ring_drops_the_oldest);
        tcase_add_test(c, test_numbers_end);
        c = check_case(s, "end");
        tcase_add_test(c, test_settle);
        tcase_add_loop_test(c, test_over, 0, ARRAY_SIZE(ends));
        tcase_add_test(c, test_quiet_begins_anew);
        tcase_add_loop_test(c, test_any, 0, 3);
        return check_run(s);
}
