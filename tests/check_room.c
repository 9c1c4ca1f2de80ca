/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/room.h"

#include "check_util.h"

/* A machine's zones, in /proc/zoneinfo's own words. */
struct machine {
        char text[16384];
        size_t n;
};

static void add_zone(struct machine *m, unsigned node, const char *name, uint64_t managed, uint64_t free, uint64_t file, uint64_t low,
                     uint64_t high, uint64_t protect_kernel, uint64_t protect_movable) {
        m->n += (size_t) snprintf(m->text + m->n, sizeof(m->text) - m->n,
                                  "Node %u, zone %8s\n  pages free     %lu\n        min      0\n        low      %lu\n"
                                  "        high     %lu\n        spanned  %lu\n        present  %lu\n        managed  %lu\n"
                                  "        cma      0\n        protection: (0, %lu, %lu)\n",
                                  node, name, free, low, high, managed, managed, managed, protect_kernel, protect_movable);
        if (managed)
                m->n += (size_t) snprintf(m->text + m->n, sizeof(m->text) - m->n,
                                          "      nr_free_pages %lu\n      nr_zone_inactive_file %lu\n      nr_zone_active_file %lu\n"
                                          "  pagesets\n  node_unreclaimable:  0\n  start_pfn:           0\n",
                                          free, file - file / 3, file / 3);
}

/* Zones DMA, Normal and Movable of a node; protections are of Normal and Movable. */
static void add_node(struct machine *m, unsigned node, uint64_t normal, uint64_t normal_free, uint64_t movable, uint64_t movable_free) {
        add_zone(m, node, "DMA", 0, 0, 0, 0, 0, 0, 0);
        add_zone(m, node, "Normal", normal, normal_free, 0, 0, 0, 0, 0);
        add_zone(m, node, "Movable", movable, movable_free, 0, 0, 0, 0, 0);
}

static struct room *open_room(const struct machine *m) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        struct room *r = NULL;
        unsigned line = 0;
        int error = zoneinfo_parse(m->text, m->n, &info, &line);

        ck_assert_msg(error == 0, "line %u", line);
        ck_assert_int_eq(room_new(&info, &r), 0);
        return r;
}

static struct page_counts pages(uint32_t movable, uint32_t file, uint32_t free) {
        return (struct page_counts) { .known = true, .movable = movable + file, .file = file, .free = free };
}

static void take(struct room *r, unsigned node, enum zone zone, uint32_t movable, uint32_t file, uint32_t free) {
        struct page_counts p = pages(movable, file, free);

        room_take(r, node, zone, (uint64_t) movable + file + free, &p);
}

#define expect_room(r)                                                                     \
        do {                                                                               \
                struct shortage _s = {};                                                   \
                ck_assert_msg(room_suffices((r), &_s), "need %lu, free %lu, cache %lu",    \
                              _s.need, _s.free, _s.cache);                                 \
        } while (0)

#define expect_shortage(r, n, f, l, k)                                                     \
        do {                                                                               \
                struct shortage _s = {};                                                   \
                ck_assert(!room_suffices((r), &_s));                                       \
                ck_assert_uint_eq(_s.need, (n));                                           \
                ck_assert_uint_eq(_s.free, (f));                                           \
                ck_assert_int_eq(_s.left, (l));                                            \
                ck_assert_int_eq(_s.kernel_only, (k));                                     \
        } while (0)

/* To the page. */
START_TEST(one_node) {
        for (uint32_t more = 0; more <= 1; more++) {
                struct machine m = {};
                _cleanup_(room_freep) struct room *r = NULL;

                add_node(&m, 0, 10000, 300, 5000, 2000);
                r = open_room(&m);
                take(r, 0, ZONE_MOVABLE, 800 + more, 0, 1500); /* 500 stay free there, and 300 in Normal */
                if (more)
                        expect_shortage(r, 801, 800, -1, false);
                else
                        expect_room(r);
        }
}
END_TEST

/* Pages of Normal cannot go to Movable, however much is free there. */
START_TEST(kernel_zones_take_their_own) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;

        add_node(&m, 0, 10000, 300, 5000, 5000);
        r = open_room(&m);
        take(r, 0, ZONE_NORMAL, 301, 0, 0);
        expect_shortage(r, 301, 300, -1, true);
}
END_TEST

/* Pages leave their node if there is another: what is free on it does not count. */
START_TEST(own_node_is_left) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;

        add_node(&m, 0, 10000, 100, 0, 0);
        add_node(&m, 1, 0, 0, 5000, 4000);
        r = open_room(&m);
        take(r, 1, ZONE_MOVABLE, 101, 0, 0);
        expect_shortage(r, 101, 100, 1, false);
}
END_TEST

/* Two nodes, each with room for the other's, and together too little. */
START_TEST(all_together) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;

        add_node(&m, 0, 1000, 0, 1000, 100);
        add_node(&m, 1, 1000, 0, 1000, 100);
        add_node(&m, 2, 1000, 10, 0, 0);
        r = open_room(&m);
        take(r, 0, ZONE_MOVABLE, 110, 0, 0);
        take(r, 1, ZONE_MOVABLE, 110, 0, 0);
        expect_shortage(r, 220, 210, -1, false);
}
END_TEST

START_TEST(watermarks_and_protection) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;

        add_zone(&m, 0, "DMA", 1000, 1000, 0, 5, 10, 400, 700); /* 590 for what comes from Normal, 290 from Movable */
        add_zone(&m, 0, "Normal", 1000, 50, 0, 50, 60, 0, 0);   /* below its watermark: nothing */
        add_zone(&m, 0, "Movable", 1000, 0, 0, 0, 0, 0, 0);
        r = open_room(&m);
        take(r, 0, ZONE_NORMAL, 300, 0, 0);
        take(r, 0, ZONE_MOVABLE, 300, 0, 0);
        expect_shortage(r, 600, 290, -1, false);
}
END_TEST

/* File cache that can be dropped needs no room, and where it stays it makes some: all but half of it or the low watermark. */
START_TEST(file_cache) {
        for (uint32_t more = 0; more <= 1; more++) {
                struct machine m = {};
                _cleanup_(room_freep) struct room *r = NULL;
                struct shortage s;

                add_zone(&m, 0, "DMA", 0, 0, 0, 0, 0, 0, 0);
                add_zone(&m, 0, "Normal", 10000, 10, 1000, 200, 0, 0, 0);
                add_zone(&m, 0, "Movable", 10000, 0, 5000, 300, 0, 0, 0);
                r = open_room(&m);
                take(r, 0, ZONE_MOVABLE, 1000 - 200 + 10 + 50 + more, 4900, 0); /* 100 of cache stay in Movable: half of it */
                ck_assert_int_eq(room_suffices(r, &s), !more);
                if (more) {
                        ck_assert_uint_eq(s.need, 861);
                        ck_assert_uint_eq(s.free, 10);
                        ck_assert_uint_eq(s.cache, 850);
                }
        }
}
END_TEST

/* Nobody knows which pages: all that are in use in the zone may be in the blocks, as many as fit. */
START_TEST(unseen) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;
        struct shortage s;

        add_node(&m, 0, 10000, 500, 4000, 3000);
        r = open_room(&m);
        room_take(r, 0, ZONE_MOVABLE, 2000, NULL); /* 1000 in use, and 1000 free: 2000 stay free */
        expect_room(r);
        room_take(r, 0, ZONE_NORMAL, 600, &(struct page_counts) {});
        ck_assert(!room_suffices(r, &s)); /* 500 in all for 600 */
        ck_assert_uint_eq(s.need, 600);
        ck_assert_uint_eq(s.free, 500);
        ck_assert(s.kernel_only && s.guessed);
}
END_TEST

START_TEST(nothing_to_judge) {
        struct machine m = {};
        _cleanup_(room_freep) struct room *r = NULL;

        add_node(&m, 0, 1000, 0, 0, 0);
        add_zone(&m, 0, "Device", 5000, 5000, 0, 0, 0, 0, 0);
        r = open_room(&m);
        expect_room(r);
        take(r, 7, ZONE_MOVABLE, 100, 0, 0); /* a zone that does not exist */
        expect_room(r);
        take(r, 0, ZONE_NORMAL, 1, 0, 0); /* what zone Device has is nobody's */
        expect_shortage(r, 1, 0, -1, true);
}
END_TEST

/* Taking more never helps, and what moves nothing always has room. */
START_TEST(properties) {
        struct prng p = { 11 };

        for (int round = 0; round < 2000; round++) {
                struct machine m = {};
                _cleanup_(room_freep) struct room *r = NULL;
                unsigned nodes = 1 + prng_below(&p, 3);
                struct shortage s;
                bool before;

                for (unsigned i = 0; i < nodes; i++)
                        add_node(&m, i, 1000, prng_below(&p, 500), 1000, prng_below(&p, 500));
                r = open_room(&m);
                ck_assert(room_suffices(r, &s));
                before = true;
                for (int i = 0; i < 6; i++) {
                        unsigned node = prng_below(&p, nodes);
                        enum zone zone = prng_below(&p, 2) ? ZONE_MOVABLE : ZONE_NORMAL;
                        uint32_t move = prng_below(&p, 200);
                        bool after;

                        if (prng_below(&p, 3))
                                take(r, node, zone, move, prng_below(&p, 50), prng_below(&p, 50));
                        else
                                room_take(r, node, zone, 100, NULL);
                        after = room_suffices(r, &s);
                        CHECK(before || !after);
                        CHECK(after || s.need > s.free + s.cache);
                        before = after;
                }
        }
}
END_TEST

START_TEST(words) {
        const struct shortage nodes = { .need = 393216, .free = 32768, .cache = 32768, .left = 1 };
        const struct shortage kernel = { .need = 512, .free = 256, .left = -1, .kernel_only = true, .guessed = true };
        char text[512];

        shortage_describe(&nodes, 4096, text, sizeof(text));
        ck_assert_str_eq(text, "1.5 GiB would have to move, and the zones of the nodes other than 1 have room for 256 MiB (128 MiB "
                         "free beyond their watermarks, 128 MiB of file cache that can be dropped)");
        shortage_describe(&kernel, 4096, text, sizeof(text));
        ck_assert_str_eq(text, "up to 2 MiB would have to move, and the kernel zones have room for 1 MiB (1 MiB free beyond their "
                         "watermarks, 0 B of file cache that can be dropped)");
}
END_TEST

/* A kernel's own file: all of the memory in use cannot go anywhere. */
START_TEST(captured) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_(room_freep) struct room *r = NULL;
        _cleanup_free_ char *text = NULL;
        struct shortage s;
        unsigned line;
        size_t size;

        text = check_read_data("zoneinfo-6.1", &size);
        ck_assert_int_eq(zoneinfo_parse(text, size, &info, &line), 0);
        ck_assert_int_eq(room_new(&info, &r), 0);
        expect_room(r);
        for (size_t i = 0; i < info.n_zones; i++)
                if (info.zones[i].present)
                        room_take(r, info.zones[i].node, zone_from_string(info.zones[i].name), info.zones[i].present, NULL);
        ck_assert(!room_suffices(r, &s));
        ck_assert_uint_eq(s.free, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("room");
        TCase *c = check_case(s, "room");

        tcase_add_test(c, one_node);
        tcase_add_test(c, kernel_zones_take_their_own);
        tcase_add_test(c, own_node_is_left);
        tcase_add_test(c, all_together);
        tcase_add_test(c, watermarks_and_protection);
        tcase_add_test(c, file_cache);
        tcase_add_test(c, unseen);
        tcase_add_test(c, nothing_to_judge);
        tcase_add_test(c, properties);
        tcase_add_test(c, words);
        tcase_add_test(c, captured);
        return check_run(s);
}
