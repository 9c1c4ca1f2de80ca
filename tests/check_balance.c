/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/balance.h"

#include "check_util.h"

#include "check_blocks.h"

#define PAGE UINT64_C(4096)

/* mm/memory_hotplug.c, auto_movable_can_online_movable(): nr_movable <= (ratio * nr_kernel_early) / 100, in pages. */
static bool kernel_allows(uint64_t kernel_pages, uint64_t movable_pages, unsigned ratio) {
        return kernel_pages && movable_pages <= ratio * kernel_pages / 100;
}

/* At and around the limit, byte for byte as the kernel rounds its pages. */
START_TEST(test_rounding) {
        static const unsigned ratios[] = { 0, 1, 33, 99, 100, 101, 150, 299, 300, 301, 400, 6400, 1000000 };
        struct prng p = { 1 };
        unsigned allowed = 0;

        for (unsigned round = 0; round < 5000; round++)
                for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
                        const struct balance_rule rule = { .ratio = ratios[i] };
                        uint64_t kernel = prng_number(&p) >> 36, limit = kernel * ratios[i] / 100;
                        static struct totals t;

                        memset(&t, 0, sizeof(t));
                        t.known = true;
                        t.all.kernel_early = kernel * PAGE;
                        for (int d = -2; d <= 2; d++) {
                                uint64_t movable = limit + (uint64_t) d;
                                struct balance b;
                                bool ok;

                                if ((int64_t) movable < 1)
                                        continue;
                                t.all.movable = (movable - 1) * PAGE;
                                ok = balance_allows(&t, &rule, -1, PAGE, &b);
                                CHECK(ok == kernel_allows(kernel, movable, ratios[i]));
                                CHECK(b.movable == movable * PAGE && b.kernel == kernel * PAGE && b.node == -1 &&
                                      b.ratio == ratios[i]);
                                allowed += ok;
                        }
                }
        ck_assert_uint_gt(allowed, 1000);
}
END_TEST

/* An independent tale of the same: sums of whole machines, block by block. */
START_TEST(test_model) {
        static struct totals t, after;
        struct prng p = { 2 };
        unsigned verdicts[2] = {};

        for (unsigned round = 0; round < 20000; round++) {
                struct balance_rule rule = { .ratio = prng_below(&p, 2) ? 301 : prng_below(&p, 800),
                                             .numa_aware = prng_below(&p, 2), .hot_extends = prng_below(&p, 2) };
                uint64_t bytes = (1 + prng_below(&p, 64)) * BLOCK_SIZE;
                int node = (int) prng_below(&p, 6) - 1;
                struct balance b;
                bool ok;

                generate_totals(&p, &t);
                after = t;
                totals_expect(&after, node, true, bytes);
                ok = balance_allows(&t, &rule, node, bytes, &b);
                CHECK(ok == totals_within(&after, &rule, node));
                verdicts[ok]++;
                /* the figures are those of a limit that was looked at, with what comes */
                CHECK(b.node == -1 || (b.node == node && rule.numa_aware));
                {
                        const struct totals_side *s = b.node < 0 ? &after.all : &after.nodes[b.node];

                        CHECK(b.movable == s->movable);
                        CHECK(b.kernel == s->kernel_early + (rule.hot_extends ? s->kernel_hot : 0));
                        /* and where it does not go, of the one that does not hold */
                        CHECK(side_within(s, &rule) == ok);
                }
        }
        ck_assert_uint_gt(verdicts[0], 1000);
        ck_assert_uint_gt(verdicts[1], 1000);
}
END_TEST

/* Every side of the accounts, kept a second time in plain sums. */
START_TEST(test_accounts) {
        enum { NODES = 5 };
        static struct totals t;
        struct totals_side nodes[NODES] = {}, nowhere = {};
        struct prng p = { 3 };

        memset(&t, 0, sizeof(t));
        for (unsigned round = 0; round < 4000; round++) {
                unsigned n = prng_below(&p, NODES);
                uint64_t bytes = prng_below(&p, 1000) * PAGE, cma;
                struct totals_side sum = {};

                switch (prng_below(&p, 7)) {
                case 0:
                        cma = prng_below(&p, 3) ? 0 : prng_below(&p, 2000) * PAGE;
                        totals_add_zone(&t, n, (enum zone) prng_below(&p, ZONE_HIGHMEM + 1), bytes, cma);
                        cma = cma > bytes ? bytes : cma; /* more CMA than memory is nonsense, and not subtracted */
                        nodes[n].kernel_early += bytes - cma;
                        nodes[n].movable += cma;
                        break;
                case 1:
                        totals_add_zone(&t, n, ZONE_MOVABLE, bytes, 0);
                        nodes[n].movable += bytes;
                        break;
                case 2: /* neither kernel nor movable */
                        totals_add_zone(&t, n, ZONE_DEVICE, bytes, 0);
                        totals_add_zone(&t, n, _ZONE_INVALID, bytes, 0);
                        break;
                case 3:
                        bytes = MIN(bytes, nodes[n].kernel_early);
                        totals_move_to_hot(&t, (int) n, bytes);
                        nodes[n].kernel_early -= bytes;
                        nodes[n].kernel_hot += bytes;
                        break;
                case 4:
                        totals_expect(&t, (int) n, false, bytes);
                        nodes[n].kernel_hot += bytes;
                        break;
                case 5:
                        totals_expect(&t, (int) n, true, bytes);
                        nodes[n].movable += bytes;
                        break;
                default: /* on no node that is known */
                        totals_expect(&t, prng_below(&p, 2) ? -1 : NODES_MAX, true, bytes);
                        nowhere.movable += bytes;
                        break;
                }
                sum = nowhere;
                for (unsigned i = 0; i < NODES; i++) {
                        CHECK(memcmp(&t.nodes[i], &nodes[i], sizeof(nodes[i])) == 0);
                        sum.kernel_early += nodes[i].kernel_early;
                        sum.kernel_hot += nodes[i].kernel_hot;
                        sum.movable += nodes[i].movable;
                }
                CHECK(memcmp(&t.all, &sum, sizeof(sum)) == 0);
        }
}
END_TEST

/* More hot-added memory than zones have is never taken off: the figures were read at different times. */
START_TEST(test_move_too_much) {
        static struct totals t;

        memset(&t, 0, sizeof(t));
        totals_add_zone(&t, 1, ZONE_NORMAL, GIB, 0);
        totals_move_to_hot(&t, 1, 2 * GIB);
        ck_assert_uint_eq(t.all.kernel_early, 0);
        ck_assert_uint_eq(t.all.kernel_hot, GIB);
        ck_assert_uint_eq(t.nodes[1].kernel_early, 0);
        ck_assert_uint_eq(t.nodes[1].kernel_hot, GIB);
}
END_TEST

/* 1 GiB of boot memory and 8 GiB that came later: what counts? */
START_TEST(test_hot_extends) {
        struct balance_rule rule = { .ratio = 300 };
        static struct totals t;
        struct balance b;

        memset(&t, 0, sizeof(t));
        totals_add_zone(&t, 0, ZONE_NORMAL, 9 * GIB, 0);
        totals_move_to_hot(&t, 0, 8 * GIB);
        ck_assert(balance_allows(&t, &rule, 0, 3 * GIB, &b));
        ck_assert(!balance_allows(&t, &rule, 0, 3 * GIB + PAGE, &b));
        ck_assert_uint_eq(b.kernel, GIB);
        rule.hot_extends = true;
        ck_assert(balance_allows(&t, &rule, 0, 27 * GIB, &b));
        ck_assert(!balance_allows(&t, &rule, 0, 27 * GIB + PAGE, &b));
        ck_assert_uint_eq(b.kernel, 9 * GIB);
}
END_TEST

/* CMA is movable to the kernel: it takes away twice. */
START_TEST(test_cma) {
        const struct balance_rule rule = { .ratio = 100 };
        static struct totals t;
        struct balance b;

        memset(&t, 0, sizeof(t));
        totals_add_zone(&t, 0, ZONE_NORMAL, 4 * GIB, GIB);
        ck_assert_uint_eq(t.all.kernel_early, 3 * GIB);
        ck_assert_uint_eq(t.all.movable, GIB);
        ck_assert(balance_allows(&t, &rule, 0, 2 * GIB, &b));
        ck_assert(!balance_allows(&t, &rule, 0, 2 * GIB + PAGE, &b));
}
END_TEST

/* A node of its own has its own limit, where that is asked for. */
START_TEST(test_nodes) {
        struct balance_rule rule = { .ratio = 301, .numa_aware = true };
        static struct totals t;
        struct balance b;

        memset(&t, 0, sizeof(t));
        totals_add_zone(&t, 0, ZONE_NORMAL, 4 * GIB, 0);
        totals_add_zone(&t, 1, ZONE_NORMAL, GIB, 0);
        ck_assert(balance_allows(&t, &rule, 1, 3 * GIB, &b));
        ck_assert_int_eq(b.node, 1);
        ck_assert(!balance_allows(&t, &rule, 1, 4 * GIB, &b));
        ck_assert_int_eq(b.node, 1);
        ck_assert(!balance_allows(&t, &rule, 2, PAGE, &b)); /* no kernel memory at all there */
        ck_assert_int_eq(b.node, 2);
        ck_assert_uint_eq(b.kernel, 0);
        ck_assert(balance_allows(&t, &rule, -1, 4 * GIB, &b)); /* a node that is not known has no limit */
        ck_assert_int_eq(b.node, -1);
        ck_assert(!balance_allows(&t, &rule, 0, 16 * GIB, &b)); /* the machine's comes first */
        ck_assert_int_eq(b.node, -1);
        rule.numa_aware = false;
        ck_assert(balance_allows(&t, &rule, 2, 15 * GIB, &b));
        ck_assert_int_eq(b.node, -1);
}
END_TEST

/* Figures that do not fit into 64 bits never make a limit that is passed hold. */
START_TEST(test_overflow) {
        static struct totals t;
        struct prng p = { 4 };

        for (unsigned round = 0; round < 50000; round++) {
                const struct balance_rule rule = { .ratio = prng_below(&p, 1000001), .hot_extends = prng_below(&p, 2) };
                uint64_t bytes = prng_number(&p);
                struct balance b;

                memset(&t, 0, sizeof(t));
                t.all = (struct totals_side) { .kernel_early = prng_number(&p) >> 1, .kernel_hot = prng_number(&p) >> 1,
                                               .movable = prng_number(&p) };
                if (balance_allows(&t, &rule, -1, bytes, &b)) {
                        long double kernel = (long double) t.all.kernel_early +
                                             (rule.hot_extends ? (long double) t.all.kernel_hot : 0);

                        CHECK(((long double) t.all.movable + (long double) bytes) * 100 <= kernel * rule.ratio * 1.0000001L);
                }
        }
}
END_TEST

/* Whoever puts alike lines together must not lose one that was judged by other figures. */
START_TEST(test_equal) {
        const struct balance a = { .movable = 1, .kernel = 2, .added = 3, .node = -1, .ratio = 301, .judged = true };
        const struct balance none = {}, unjudged = { .movable = 9 };
        struct balance others[] = { a, a, a, a, a };

        others[0].movable++;
        others[1].kernel++;
        others[2].added++;
        others[3].node = 0;
        others[4].ratio++;
        ck_assert(balance_equal(&a, &a));
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                ck_assert(!balance_equal(&a, &others[i]) && !balance_equal(&others[i], &a));
        ck_assert(!balance_equal(&a, &none) && !balance_equal(&none, &a));
        ck_assert(balance_equal(&none, &unjudged)); /* figures of what was not judged say nothing */
}
END_TEST

START_TEST(test_percent) {
        struct prng p = { 5 };

        ck_assert_uint_eq(balance_percent(0, 0), UINT64_MAX);
        ck_assert_uint_eq(balance_percent(1, 0), UINT64_MAX);
        ck_assert_uint_eq(balance_percent(0, 1), 0);
        ck_assert_uint_eq(balance_percent(3, 1), 300);
        ck_assert_uint_eq(balance_percent(2, 3), 66);
        ck_assert_uint_eq(balance_percent(UINT64_MAX, UINT64_MAX), 100);
        for (unsigned i = 0; i < 20000; i++) {
                uint64_t movable = prng_number(&p) >> 7, kernel = 1 + (prng_number(&p) >> 1);

                CHECK(balance_percent(movable, kernel) == movable * 100 / kernel);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("balance");
        TCase *c;

        c = check_case(s, "judgement");
        tcase_add_test(c, test_rounding);
        tcase_add_test(c, test_model);
        tcase_add_test(c, test_hot_extends);
        tcase_add_test(c, test_cma);
        tcase_add_test(c, test_nodes);
        tcase_add_test(c, test_overflow);
        tcase_add_test(c, test_equal);
        tcase_add_test(c, test_percent);

        c = check_case(s, "accounts");
        tcase_add_test(c, test_accounts);
        tcase_add_test(c, test_move_too_much);
        return check_run(s);
}
