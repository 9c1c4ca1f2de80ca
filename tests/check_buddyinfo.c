/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/buddyinfo.h"

#include <inttypes.h>
#include <math.h>

#include "check_util.h"

static const char *const captures[] = { "buddyinfo-6.18", "buddyinfo-6.1" };

static int parse_copy(const char *text, size_t size, struct buddyinfo *ret, unsigned *ret_line) {
        char *copy = check_copy(text, size);
        int r = buddyinfo_parse(copy, size, ret, ret_line);

        free(copy);
        return r;
}

static void parse_text(const char *text, size_t size, struct buddyinfo *ret) {
        unsigned line = 0;
        int r = parse_copy(text, size, ret, &line);

        ck_assert_msg(r == 0, "%d, line %u of:\n%.*s", r, line, (int) MIN(size, (size_t) 500), text);
        ck_assert_uint_eq(line, 0);
}

static unsigned check_refused(const char *text, size_t size) {
        struct buddyinfo canary = { .n_zones = 99 }, b = canary;
        unsigned line = 0;

        ck_assert_msg(parse_copy(text, size, &b, &line) == -EBADMSG, "not refused:\n%.*s", (int) MIN(size, (size_t) 500), text);
        ck_assert_mem_eq(&b, &canary, sizeof(b));
        return line;
}

/* Read a text again with sscanf() and strtoull(), and compare every figure. */
static void check_against_text(const struct buddyinfo *b, const char *text, size_t size) {
        size_t zone = 0;

        for (const char *line = text; line < text + size; line = strchr(line, '\n') + 1, zone++) {
                const struct buddy_zone *z;
                char name[64], *p;
                unsigned node, order = 0;
                uint64_t free_pages = 0;
                int at = 0;

                ck_assert_uint_lt(zone, b->n_zones);
                z = &b->zones[zone];
                ck_assert_int_eq(sscanf(line, "Node %u, zone %63s%n", &node, name, &at), 2);
                ck_assert_uint_eq(z->node, node);
                ck_assert_str_eq(z->name, name);
                ck_assert_ptr_eq(buddyinfo_find(b, node, name), z);
                for (p = (char *) line + at; p[strspn(p, " ")] != '\n'; order++) {
                        uint64_t count = strtoull(p, &p, 10);

                        ck_assert_uint_lt(order, b->orders);
                        ck_assert_uint_eq(z->free_blocks[order], count);
                        for (uint64_t i = 0; i < UINT64_C(1) << order && count < 100000; i++)
                                free_pages += count;
                        ck_assert_uint_lt(count, 100000);
                }
                ck_assert_uint_eq(order, b->orders);
                ck_assert_uint_eq(buddy_zone_free_pages(z, b->orders), free_pages);
        }
        ck_assert_uint_eq(zone, b->n_zones);
}

START_TEST(test_capture) {
        struct buddyinfo b;
        size_t size;
        char *text = check_read_data(captures[_i], &size);

        parse_text(text, size, &b);
        check_against_text(&b, text, size);
        ck_assert_uint_eq(b.orders, 11);
        ck_assert_uint_eq(b.n_zones, 3);
        ck_assert_ptr_null(buddyinfo_find(&b, 0, "Movable"));
        ck_assert_ptr_null(buddyinfo_find(&b, 2, "DMA"));
        ck_assert_ptr_null(buddyinfo_find(&b, 0, "DMA3"));
        buddyinfo_done(&b);
        free(text);
}
END_TEST

/* Written down by hand: what both readings could get wrong alike. */
START_TEST(test_capture_6_1) {
        static const uint64_t dma32[] = { 1, 3, 1, 3, 2, 3, 1, 4, 2, 5, 157 };
        const struct buddy_zone *z;
        struct buddyinfo b;
        size_t size;
        char *text = check_read_data("buddyinfo-6.1", &size);

        parse_text(text, size, &b);
        z = buddyinfo_find(&b, 0, "DMA32");
        ck_assert_ptr_nonnull(z);
        for (unsigned i = 0; i < ARRAY_SIZE(dma32); i++)
                ck_assert_uint_eq(z->free_blocks[i], dma32[i]);
        z = buddyinfo_find(&b, 1, "Movable");
        ck_assert_ptr_nonnull(z);
        ck_assert_uint_eq(buddy_zone_free_pages(z, b.orders), 196608); /* six blocks of 128 MiB, as zoneinfo says, too */
        ck_assert_int_eq(buddy_zone_largest_order(z, b.orders), 10);
        ck_assert_double_eq(buddy_zone_unusable(z, b.orders, 10), 0);
        z = buddyinfo_find(&b, 0, "DMA");
        ck_assert_ptr_nonnull(z);
        ck_assert_uint_eq(buddy_zone_free_pages(z, b.orders), 32 + 64 + 128 + 512 + 3 * 1024);
        buddyinfo_done(&b);
        free(text);
}
END_TEST

/* Free memory as the kernel's extfrag index sees it. */
static const struct {
        uint64_t counts[4];
        uint64_t pages;
        int largest;
        double unusable[5];
} sums[] = {
        { { 0, 0, 0, 0 }, 0, -1, { 1, 1, 1, 1, 1 } },
        { { 1, 0, 0, 0 }, 1, 0, { 0, 1, 1, 1, 1 } },
        { { 0, 0, 0, 1 }, 8, 3, { 0, 0, 0, 0, 1 } },
        { { 8, 4, 2, 1 }, 32, 3, { 0, .25, .5, .75, 1 } },
        { { 0, 2, 1, 0 }, 8, 2, { 0, 0, .5, 1, 1 } },
};

START_TEST(test_sums) {
        const struct buddy_zone z = { .name = "Normal", .free_blocks = sums[_i].counts };

        ck_assert_uint_eq(buddy_zone_free_pages(&z, 4), sums[_i].pages);
        ck_assert_int_eq(buddy_zone_largest_order(&z, 4), sums[_i].largest);
        for (unsigned order = 0; order <= 4; order++)
                ck_assert_double_eq(buddy_zone_unusable(&z, 4, order), sums[_i].unusable[order]);
}
END_TEST

/* The share of unusable memory lies in 0–1 and only grows with the order. */
START_TEST(test_unusable_grows) {
        struct prng p = { 5 };

        for (unsigned round = 0; round < 2000; round++) {
                uint64_t counts[14];
                const struct buddy_zone z = { .free_blocks = counts };
                double last = 0;

                for (unsigned i = 0; i < ARRAY_SIZE(counts); i++)
                        counts[i] = prng_below(&p, 3) ? prng_number(&p) >> 24 : 0;
                for (unsigned order = 0; order <= ARRAY_SIZE(counts); order++) {
                        double share = buddy_zone_unusable(&z, ARRAY_SIZE(counts), order);

                        ck_assert(share >= last && share <= 1 && !isnan(share));
                        if (order > 0)
                                ck_assert((share == 1) == (buddy_zone_largest_order(&z, ARRAY_SIZE(counts)) < (int) order) ||
                                          share > 1 - 1e-9);
                        last = share;
                }
                ck_assert_double_eq(last, 1);
        }
}
END_TEST

/* Other kernels have other numbers of orders; machines have many nodes. */
START_TEST(test_shapes) {
        static const unsigned orders[] = { 1, 2, 10, 11, 12, 14, 18 };
        struct prng p = { 6 };

        for (size_t o = 0; o < ARRAY_SIZE(orders); o++)
                for (unsigned nodes = 1; nodes <= 64; nodes *= 4) {
                        char *text = malloc((size_t) nodes * 2 * 512), *end = text;
                        struct buddyinfo b;

                        ck_assert_ptr_nonnull(text);
                        for (unsigned i = 0; i < nodes * 2; i++) {
                                end += sprintf(end, "Node %u, zone %8s ", i / 2 * 5, i % 2 ? "Movable" : "Normal");
                                for (unsigned k = 0; k < orders[o]; k++)
                                        end += sprintf(end, "%6u ", prng_below(&p, 2) ? 0 : prng_below(&p, 99999));
                                end += sprintf(end, "\n");
                        }
                        parse_text(text, (size_t) (end - text), &b);
                        ck_assert_uint_eq(b.orders, orders[o]);
                        check_against_text(&b, text, (size_t) (end - text));
                        buddyinfo_done(&b);
                        buddyinfo_done(&b);
                        ck_assert_ptr_null(b.zones);
                        free(text);
                }
}
END_TEST

/* Cut a real file at every byte: an error that names the line, or, at the end of a line, the zones before it. */
START_TEST(test_every_truncation) {
        size_t size;
        char *text = check_read_data(captures[_i], &size);
        unsigned zones = 0;

        for (size_t cut = 0; cut <= size; cut++) {
                struct buddyinfo b;

                if (cut == 0 || text[cut - 1] != '\n') {
                        ck_assert_uint_eq(check_refused(text, cut), check_line_at(text, cut));
                        continue;
                }
                parse_text(text, cut, &b);
                ck_assert_uint_eq(b.n_zones, ++zones);
                check_against_text(&b, text, cut);
                buddyinfo_done(&b);
        }
        ck_assert_uint_eq(zones, 3);
        free(text);
}
END_TEST

START_TEST(test_every_corruption) {
        static const char bytes[] = { '\0', '\n', ' ', '0', '9', '-', ',', 'x', '\t', '\x80', '\xff' };
        size_t size;
        char *text = check_read_data(captures[_i], &size);
        unsigned refused = 0, accepted = 0;

        for (size_t at = 0; at < size; at++)
                for (size_t c = 0; c < sizeof(bytes); c++) {
                        char *copy = check_copy(text, size);
                        struct buddyinfo b;
                        unsigned line = 0;
                        int r;

                        copy[at] = bytes[c];
                        r = buddyinfo_parse(copy, size, &b, &line);
                        free(copy);
                        if (r < 0) {
                                CHECK(r == -EBADMSG);
                                CHECK(line >= check_line_at(text, at + 1) && line <= 4);
                                refused++;
                                continue;
                        }
                        CHECK(bytes[c] != '\0');
                        CHECK(b.n_zones >= 3);
                        for (size_t i = 0; i < b.n_zones; i++) {
                                CHECK(strlen(b.zones[i].name) < size && strlen(b.zones[i].name) > 0);
                                (void) buddy_zone_free_pages(&b.zones[i], b.orders);
                                CHECK(buddy_zone_largest_order(&b.zones[i], b.orders) < (int) b.orders);
                        }
                        buddyinfo_done(&b);
                        accepted++;
                }
        ck_assert_uint_gt(refused, size);
        ck_assert_uint_gt(accepted, size);
        free(text);
}
END_TEST

#define TEXT(s) s, sizeof(s) - 1
#define GOOD "Node 0, zone      DMA      1      2      3 \n"

static const struct {
        const char *text;
        size_t size;
        unsigned line;
} garbage[] = {
        { TEXT(""), 1 },
        { TEXT("\n"), 1 },
        { TEXT("\0"), 1 },
        { TEXT("\0\n"), 1 },
        { TEXT(GOOD "\n"), 2 },
        { TEXT(GOOD "junk\n"), 2 },
        { TEXT(GOOD "Node 0, zone DMA32 1 2 3"), 2 },
        { TEXT(GOOD "Node 0, zone DMA32 1 2\n"), 2 },   /* the orders differ */
        { TEXT(GOOD "Node 0, zone DMA32 1 2 3 4\n"), 2 },
        { TEXT(GOOD GOOD "Node 1, zone DMA32 1 2\n" GOOD), 3 },
        { TEXT(GOOD "Node 0, zone DMA32\n"), 2 },
        { TEXT("Node 0, zone DMA32\n"), 1 },
        { TEXT("Node 0, zone\n"), 1 },
        { TEXT("Node 0,\n"), 1 },
        { TEXT("Node\n"), 1 },
        { TEXT("Node 0 zone DMA 1 2 3\n"), 1 },
        { TEXT("Node 0x zone DMA 1 2 3\n"), 1 },
        { TEXT("Node , zone DMA 1 2 3\n"), 1 },
        { TEXT("Node x, zone DMA 1 2 3\n"), 1 },
        { TEXT("Node -1, zone DMA 1 2 3\n"), 1 },
        { TEXT("Node 0,, zone DMA 1 2 3\n"), 1 },
        { TEXT("Node 4294967296, zone DMA 1 2 3\n"), 1 },
        { TEXT("node 0, zone DMA 1 2 3\n"), 1 },
        { TEXT("Node 0, Zone DMA 1 2 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 x 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 -2 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 2.0 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 0x2 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 2 3,\n"), 1 },
        { TEXT("Node 0, zone DMA 1 18446744073709551616 3\n"), 1 },
        { TEXT("Node 0, zone DMA 1 99999999999999999999999 3\n"), 1 },
        { TEXT("Node 0, zone DMA 18446744073709551615 18446744073709551615 3\n"), 1 }, /* their sum has no 64 bits */
        { TEXT("Node 0, zone DMA 18446744073709551615 9223372036854775807 0\n"), 1 },
        { TEXT("Node 0, zone DMA 0 9223372036854775808 0\n"), 1 },
        { TEXT("Node 0, zone Normal\n  per-node stats\n"), 1 },
};

START_TEST(test_garbage) {
        unsigned line = check_refused(garbage[_i].text, garbage[_i].size);

        ck_assert_msg(line == garbage[_i].line, "line %u instead of %u of:\n%s", line, garbage[_i].line, garbage[_i].text);
}
END_TEST

/* As many orders as there are bits, and beyond; whatever is accepted can be summed up. */
START_TEST(test_many_orders) {
        for (unsigned orders = 1; orders < 200; orders++)
                for (unsigned big = 0; big < 2; big++) {
                        char text[8192], *p = text;
                        struct buddyinfo b;
                        unsigned line = 0;
                        int r;

                        p += sprintf(p, "Node 0, zone Normal");
                        for (unsigned i = 0; i < orders; i++)
                                p += sprintf(p, " %" PRIu64, big && i < 57 ? UINT64_MAX >> (i + 7) : UINT64_C(1));
                        p += sprintf(p, "\n");
                        r = parse_copy(text, (size_t) (p - text), &b, &line);
                        if (orders > 63) {
                                ck_assert_int_eq(r, -EBADMSG);
                                ck_assert_uint_eq(line, 1);
                                continue;
                        }
                        if (orders < 20)
                                ck_assert_int_eq(r, 0);
                        if (r == 0) {
                                uint64_t sum = 0;

                                for (unsigned i = 0; i < orders; i++) {
                                        uint64_t part;

                                        ck_assert(!__builtin_mul_overflow(b.zones[0].free_blocks[i], UINT64_C(1) << i, &part));
                                        ck_assert(!__builtin_add_overflow(sum, part, &sum));
                                }
                                ck_assert_uint_eq(buddy_zone_free_pages(&b.zones[0], b.orders), sum);
                                buddyinfo_done(&b);
                        }
                }
}
END_TEST

/* Zones and orders come and go together; a name that nobody knows is a name. */
START_TEST(test_names) {
        static const char text[] = "Node 7, zone Weird 1 0\nNode 7, zone   Weirder   0 \t 2   \nNode 32767, zone X 3 4\n";
        struct buddyinfo b;

        parse_text(text, strlen(text), &b);
        ck_assert_uint_eq(b.n_zones, 3);
        ck_assert_uint_eq(b.orders, 2);
        ck_assert_str_eq(b.zones[1].name, "Weirder");
        ck_assert_uint_eq(b.zones[1].free_blocks[0], 0);
        ck_assert_uint_eq(b.zones[1].free_blocks[1], 2);
        ck_assert_uint_eq(b.zones[2].node, 32767);
        ck_assert_uint_eq(b.zones[2].free_blocks[1], 4);
        ck_assert_ptr_eq(buddyinfo_find(&b, 32767, "X"), &b.zones[2]);
        ck_assert_ptr_null(buddyinfo_find(&b, 7, "X"));
        ck_assert_ptr_null(buddyinfo_find(&b, 32767, "Weird"));
        buddyinfo_done(&b);
}
END_TEST

START_TEST(test_huge) {
        enum { ZONES = 50000 };
        char *text = malloc((size_t) ZONES * 64), *p = text;
        struct buddyinfo b;

        ck_assert_ptr_nonnull(text);
        for (unsigned i = 0; i < ZONES; i++)
                p += sprintf(p, "Node %u, zone Normal %u %u %u\n", i % 1024, i, i + 1, i + 2);
        parse_text(text, (size_t) (p - text), &b);
        ck_assert_uint_eq(b.n_zones, ZONES);
        for (unsigned i = 0; i < ZONES; i++)
                for (unsigned k = 0; k < 3; k++)
                        CHECK(b.zones[i].free_blocks[k] == i + k);
        buddyinfo_done(&b);
        p[-2] = 'x';
        ck_assert_uint_eq(check_refused(text, (size_t) (p - text)), ZONES);
        free(text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("buddyinfo");
        TCase *c;

        c = check_case(s, "figures");
        tcase_add_loop_test(c, test_capture, 0, ARRAY_SIZE(captures));
        tcase_add_test(c, test_capture_6_1);
        tcase_add_loop_test(c, test_sums, 0, ARRAY_SIZE(sums));
        tcase_add_test(c, test_unusable_grows);
        tcase_add_test(c, test_shapes);
        tcase_add_test(c, test_names);
        tcase_add_test(c, test_huge);

        c = check_case(s, "garbage");
        tcase_add_loop_test(c, test_garbage, 0, ARRAY_SIZE(garbage));
        tcase_add_test(c, test_many_orders);
        tcase_add_loop_test(c, test_every_truncation, 0, ARRAY_SIZE(captures));
        tcase_add_loop_test(c, test_every_corruption, 0, ARRAY_SIZE(captures));
        return check_run(s);
}
