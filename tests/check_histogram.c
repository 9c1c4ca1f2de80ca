/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/histogram.h"

#include "check_util.h"

START_TEST(test_bounds_ascend) {
        for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
                ck_assert_uint_lt(histogram_bounds_usec[i - 1], histogram_bounds_usec[i]);
        ck_assert_uint_eq(histogram_bounds_usec[HISTOGRAM_BUCKETS - 1], UINT64_MAX);
}
END_TEST

/* A bound belongs to its bucket, and what is more to the next. */
START_TEST(test_each_bound) {
        uint64_t bound = histogram_bounds_usec[_i];
        struct histogram h = {};

        histogram_add(&h, bound);
        ck_assert_uint_eq(h.counts[_i], 1);
        ck_assert_uint_eq(histogram_cumulative(&h, (size_t) _i), 1);
        if (_i > 0)
                ck_assert_uint_eq(histogram_cumulative(&h, (size_t) _i - 1), 0);
        if (bound == UINT64_MAX)
                return;
        histogram_add(&h, bound + 1);
        ck_assert_uint_eq(h.counts[_i], 1);
        ck_assert_uint_eq(h.counts[_i + 1], 1);
        ck_assert_uint_eq(histogram_cumulative(&h, HISTOGRAM_BUCKETS - 1), 2);
}
END_TEST

START_TEST(test_sums) {
        struct prng p = { 1 };
        struct histogram h = {};
        uint64_t sum = 0;

        histogram_add(&h, 0);
        ck_assert_uint_eq(h.counts[0], 1);
        for (unsigned i = 0; i < 10000; i++) {
                uint64_t usec = prng_next(&p) >> (20 + prng_below(&p, 44));

                histogram_add(&h, usec);
                sum += usec;
        }
        ck_assert_uint_eq(h.n, 10001);
        ck_assert_uint_eq(h.sum_usec, sum);
        ck_assert_uint_eq(histogram_cumulative(&h, HISTOGRAM_BUCKETS - 1), h.n);
        for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
                ck_assert_uint_eq(histogram_cumulative(&h, i) - histogram_cumulative(&h, i - 1), h.counts[i]);
}
END_TEST

START_TEST(test_sum_does_not_wrap) {
        struct histogram h = {};

        histogram_add(&h, UINT64_MAX - 1);
        histogram_add(&h, 2);
        ck_assert_uint_eq(h.sum_usec, UINT64_MAX);
        histogram_add(&h, 5);
        ck_assert_uint_eq(h.sum_usec, UINT64_MAX);
        ck_assert_uint_eq(h.n, 3);
}
END_TEST

int main(void) {
        Suite *s = suite_create("histogram");
        TCase *c;

        c = check_case(s, "buckets");
        tcase_add_test(c, test_bounds_ascend);
        tcase_add_loop_test(c, test_each_bound, 0, HISTOGRAM_BUCKETS);

        c = check_case(s, "sums");
        tcase_add_test(c, test_sums);
        tcase_add_test(c, test_sum_does_not_wrap);

        return check_run(s);
}
