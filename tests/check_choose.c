/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/choose.h"

#include "check_util.h"

#define PAGES 32768
#define M ZONE_BIT(ZONE_MOVABLE)
#define K ZONE_BIT(ZONE_NORMAL)

/* A block of which so many pages are to be moved, and the rest is free. */
static struct candidate block(uint32_t number, uint8_t zones, uint32_t movable) {
        return (struct candidate) {
                .block = number, .siblings = 1, .node = 1, .zones = zones,
                .pages = { .known = true, .free = PAGES - movable, .movable = movable },
        };
}

static struct candidate of_device(struct candidate c, uint16_t device, uint32_t siblings) {
        c.device = device;
        c.siblings = siblings;
        return c;
}

static struct candidate with_unmovable(struct candidate c, uint32_t n) {
        c.pages.unmovable = n;
        c.pages.free -= n;
        return c;
}

static struct candidate with_unclear(struct candidate c, uint32_t n) {
        c.pages.unclear = n;
        c.pages.free -= n;
        return c;
}

static struct candidate that_failed(struct candidate c) {
        c.failed = true;
        return c;
}

/* The order as a text: "40 39! 38? x7": chosen, one of a device, a spare, not tried. */
static const char *order(struct candidate *c, size_t n, size_t wanted, size_t *ret_worth) {
        static char text[512];
        size_t at = 0;

        *ret_worth = choose(c, n, PAGES, wanted);
        text[0] = '\0';
        for (size_t i = 0; i < n; i++)
                at += (size_t) snprintf(text + at, sizeof(text) - at, "%s%s%u%s", i ? " " : "",
                                        c[i].choice == CHOICE_FIXED ? "x" : "", c[i].block,
                                        c[i].choice == CHOICE_DEVICE  ? "!"
                                        : c[i].choice == CHOICE_SPARE ? "?"
                                                                      : "");
        return text;
}

#define expect_order(c, wanted, worth, text)                                                \
        do {                                                                                \
                size_t _worth;                                                              \
                ck_assert_str_eq(order((c), ARRAY_SIZE(c), (wanted), &_worth), (text));     \
                ck_assert_uint_eq(_worth, (worth));                                         \
        } while (0)

START_TEST(movable_first) {
        struct candidate c[] = { block(1, M, 30000), block(9, K, 0), block(2, M, 0), block(8, 0, 0) };

        expect_order(c, 2, 4, "2 1 9? 8?");
}
END_TEST

START_TEST(highest_first) {
        struct candidate c[] = { block(5, M, 0), block(900, M, 0), block(7, M, 0), block(70, M, 0) };

        expect_order(c, 3, 4, "900 70 7 5?");
}
END_TEST

/* Empty ones, then in steps of a sixteenth: within one, the address decides. */
START_TEST(emptiest_first) {
        struct candidate c[] = { block(9, M, 2048), block(8, M, 2047), block(7, M, 1), block(6, M, 0), block(5, M, PAGES) };

        expect_order(c, 5, 5, "6 8 7 9 5");
}
END_TEST

/* A DIMM that fits goes as a whole, though other blocks are emptier and higher. */
START_TEST(devices_go_whole) {
        struct candidate c[] = {
                block(50, M, 0), block(51, M, 0),
                of_device(block(32, M, 4000), 1, 2), of_device(block(33, M, 4000), 1, 2),
        };

        expect_order(c, 3, 4, "33! 32! 51 50?");
}
END_TEST

START_TEST(devices_that_do_not_fit) {
        struct candidate c[] = {
                of_device(block(32, M, 0), 1, 3), of_device(block(33, M, 0), 1, 3), of_device(block(34, M, 0), 1, 3),
                of_device(block(40, M, 9000), 2, 2), of_device(block(41, M, 9000), 2, 2),
        };

        expect_order(c, 2, 5, "41! 40! 34? 33? 32?");
}
END_TEST

/* More of it is online than may be taken: it would not go as a whole. */
START_TEST(devices_in_part) {
        struct candidate c[] = {
                of_device(block(32, M, 0), 1, 3), of_device(block(33, M, 0), 1, 3), block(20, M, 0), block(19, M, 0),
        };

        expect_order(c, 2, 4, "33 32 20? 19?");
}
END_TEST

/* One of its blocks is in a kernel zone, or failed before: it is as doubtful as that one. */
START_TEST(devices_of_several_kinds) {
        struct candidate mixed[] = {
                of_device(block(32, M, 0), 1, 2), of_device(block(33, K, 0), 1, 2), block(20, M, 30000), block(19, M, 30000),
        };
        struct candidate failed[] = {
                of_device(block(32, M, 0), 1, 2), that_failed(of_device(block(33, M, 0), 1, 2)),
                of_device(block(42, M, 30000), 2, 2), of_device(block(43, M, 30000), 2, 2),
        };

        expect_order(mixed, 2, 4, "32 20 19? 33?");
        expect_order(failed, 2, 4, "43! 42! 32? 33?");
}
END_TEST

/* The cheapest device first, then the highest. */
START_TEST(cheap_devices_first) {
        struct candidate c[] = {
                of_device(block(32, M, 0), 1, 1), of_device(block(48, M, 20000), 2, 1), of_device(block(40, M, 0), 3, 1),
        };

        expect_order(c, 3, 3, "40! 32! 48!");
}
END_TEST

START_TEST(kernel_zones) {
        struct candidate c[] = {
                with_unmovable(block(9, K, 0), 1), with_unclear(block(8, K, 0), 5000), that_failed(block(7, K, 0)),
                with_unclear(block(6, K, 0), 100), block(5, K, 20000),
        };

        /* 9 holds a page that stays; 8 is full of pages of which nothing is known. */
        expect_order(c, 1, 4, "6 5? 7? 8? x9");
}
END_TEST

/* In zone Movable nothing is given up: what stays there may go soon. */
START_TEST(movable_with_trouble) {
        struct candidate c[] = { with_unmovable(block(9, M, 0), 3), that_failed(block(8, M, 0)), block(7, M, 30000), block(6, K, 0) };

        expect_order(c, 4, 4, "7 8 9 6");
}
END_TEST

START_TEST(nobody_could_look) {
        struct candidate c[] = { block(5, M, 0), block(6, K, 0), block(7, M, 0) };

        for (size_t i = 0; i < ARRAY_SIZE(c); i++)
                c[i].pages = (struct page_counts) {};
        expect_order(c, 2, 3, "7 5 6?");
}
END_TEST

START_TEST(more_than_there_is) {
        struct candidate c[] = { block(5, M, 0), with_unmovable(block(6, K, 0), 1) };

        expect_order(c, 10, 1, "5 x6");
        ck_assert_uint_eq(choose(c, 0, PAGES, 3), 0);
}
END_TEST

/* Whatever comes: all stay there, each once; what is chosen comes first, and is as much as can be had; a device that is said
 * to go as a whole does; nothing of a kernel zone that holds a page that stays is tried; no movable block that was not
 * tried before is left out for one of a kernel zone. */
START_TEST(properties) {
        struct prng p = { 7 };

        for (int round = 0; round < 3000; round++) {
                struct candidate c[64];
                size_t n = prng_below(&p, 64), wanted = prng_below(&p, 70), worth, chosen = 0, hopeless = 0;
                uint32_t siblings[8] = {}, whole[8] = {};
                bool seen[64] = {};

                for (size_t i = 0; i < n; i++) {
                        c[i] = block((uint32_t) i, prng_below(&p, 3) ? M : K, prng_below(&p, PAGES / 2));
                        c[i].device = (uint16_t) prng_below(&p, 8);
                        if (prng_below(&p, 4) == 0)
                                c[i] = with_unmovable(c[i], 1);
                        c[i].failed = prng_below(&p, 8) == 0;
                        siblings[c[i].device]++;
                        hopeless += c[i].zones == K && c[i].pages.unmovable;
                }
                for (size_t i = 0; i < n; i++)
                        c[i].siblings = siblings[c[i].device] + (prng_below(&p, 10) == 0);
                worth = choose(c, n, PAGES, wanted);
                CHECK(worth == n - hopeless);
                for (size_t i = 0; i < n; i++) {
                        bool first = c[i].choice == CHOICE_DEVICE || c[i].choice == CHOICE_BLOCK;

                        CHECK(!seen[c[i].block]);
                        seen[c[i].block] = true;
                        CHECK(first == (i < MIN(wanted, worth)));
                        chosen += first;
                        CHECK((c[i].choice == CHOICE_FIXED) == (c[i].zones == K && c[i].pages.unmovable));
                        CHECK((c[i].choice == CHOICE_FIXED) == (i >= worth));
                        if (c[i].choice == CHOICE_DEVICE)
                                whole[c[i].device]++;
                        if (i > 0 && i < MIN(wanted, worth))
                                CHECK(!(c[i].zones == M && c[i - 1].zones == K && c[i].choice == CHOICE_BLOCK && c[i - 1].choice == CHOICE_BLOCK));
                        if (c[i].choice == CHOICE_SPARE && c[i].zones == M)
                                for (size_t k = 0; k < i; k++)
                                        CHECK(c[k].zones == M || c[k].choice == CHOICE_SPARE);
                }
                for (size_t d = 1; d < 8; d++)
                        CHECK(whole[d] == 0 || whole[d] == siblings[d]);
                CHECK(chosen == MIN(wanted, worth));
        }
}
END_TEST

START_TEST(words) {
        struct candidate c[] = {
                of_device(block(9, M, 256), 1, 1), block(8, M, 0), with_unmovable(block(7, K, PAGES / 2), 3), that_failed(block(6, M, 0)),
        };
        char text[256];

        (void) choose(c, ARRAY_SIZE(c), PAGES, 2);
        candidate_describe(&c[0], 4096, text, sizeof(text));
        ck_assert_str_eq(text, "Movable, 99% free, 1 MiB to move; all of its device goes");
        candidate_describe(&c[1], 4096, text, sizeof(text));
        ck_assert_str_eq(text, "Movable, 100% free, 0 B to move; chosen");
        candidate_describe(&c[2], 4096, text, sizeof(text));
        ck_assert_str_eq(text, "Movable, 100% free, 0 B to move; only if others fail, as it did before");
        candidate_describe(&c[3], 4096, text, sizeof(text));
        ck_assert_str_eq(text, "Normal, 49% free, 64 MiB to move, 12 KiB that cannot be moved; not tried");
        c[1].pages.known = false;
        c[1].zones = 0;
        candidate_describe(&c[1], 4096, text, sizeof(text));
        ck_assert_str_eq(text, "zone unknown, nobody could look into it; chosen");
        ck_assert_str_eq(choice_to_string(CHOICE_DEVICE), "device");
        ck_assert_ptr_null(choice_to_string(_CHOICE_MAX));
}
END_TEST

int main(void) {
        Suite *s = suite_create("choose");
        TCase *c = check_case(s, "order");

        tcase_add_test(c, movable_first);
        tcase_add_test(c, highest_first);
        tcase_add_test(c, emptiest_first);
        tcase_add_test(c, devices_go_whole);
        tcase_add_test(c, devices_that_do_not_fit);
        tcase_add_test(c, devices_in_part);
        tcase_add_test(c, devices_of_several_kinds);
        tcase_add_test(c, cheap_devices_first);
        tcase_add_test(c, kernel_zones);
        tcase_add_test(c, movable_with_trouble);
        tcase_add_test(c, nobody_could_look);
        tcase_add_test(c, more_than_there_is);
        tcase_add_test(c, properties);
        tcase_add_test(c, words);
        return check_run(s);
}
