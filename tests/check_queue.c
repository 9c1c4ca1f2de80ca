/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/queue.h"

#include "check_util.h"

/* AddressSanitizer would rather end the program than let an allocation fail. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "allocator_may_return_null=1";
}

/* Larger than a word, and of no round size: packed, so that nothing is between or behind, which a copy need not take along. */
struct item {
        uint32_t number;
        char rest[9];
} __attribute__((packed));

static struct item make_item(uint32_t number) {
        struct item i = { .number = number };

        memset(i.rest, (int) (number % 251), sizeof(i.rest));
        return i;
}

static void push(struct queue *q, uint32_t number) {
        struct item i = make_item(number);

        ck_assert_int_eq(queue_reserve(q, q->n + 1), 0);
        queue_push(q, &i);
}

static void expect_pop(struct queue *q, uint32_t number) {
        struct item got, wanted = make_item(number);
        const struct item *front = queue_peek(q);

        ck_assert_ptr_nonnull(front);
        ck_assert_mem_eq(front, &wanted, sizeof(wanted));
        ck_assert(queue_pop(q, &got));
        ck_assert_mem_eq(&got, &wanted, sizeof(wanted));
}

static void expect_empty(struct queue *q) {
        struct item got = make_item(12345), before = got;

        ck_assert_uint_eq(q->n, 0);
        ck_assert_ptr_null(queue_peek(q));
        ck_assert(!queue_pop(q, &got));
        ck_assert_mem_eq(&got, &before, sizeof(got)); /* untouched */
}

START_TEST(test_empty) {
        struct queue q = { .item_size = sizeof(struct item) };

        expect_empty(&q);
        queue_done(&q);
        push(&q, 1); /* as after queue_done() */
        expect_pop(&q, 1);
        expect_empty(&q);
        queue_done(&q);
        expect_empty(&q);
}
END_TEST

/* Around the ring many times, at every fill, without growing. */
START_TEST(test_wrap) {
        struct queue q = { .item_size = sizeof(struct item) };
        uint32_t in = 0, out = 0;
        size_t capacity;

        ck_assert_int_eq(queue_reserve(&q, 1), 0);
        capacity = q.capacity;
        for (size_t fill = 1; fill <= capacity; fill++) {
                while (q.n < fill)
                        push(&q, in++);
                for (size_t i = 0; i < 2 * capacity + 1; i++) {
                        expect_pop(&q, out++);
                        push(&q, in++);
                }
        }
        ck_assert_uint_eq(q.capacity, capacity);
        while (q.n)
                expect_pop(&q, out++);
        ck_assert_uint_eq(in, out);
        expect_empty(&q);
        queue_done(&q);
}
END_TEST

/* Growth with the oldest item at each place of the ring. */
START_TEST(test_grow_wrapped) {
        struct queue probe = { .item_size = sizeof(struct item) };
        size_t capacity;

        ck_assert_int_eq(queue_reserve(&probe, 1), 0);
        capacity = probe.capacity;
        queue_done(&probe);
        for (size_t head = 0; head < capacity; head++) {
                struct queue q = { .item_size = sizeof(struct item) };
                uint32_t in = 0, out = 0;

                for (size_t i = 0; i < head; i++) {
                        push(&q, in++);
                        expect_pop(&q, out++);
                }
                while (q.n < 3 * capacity)
                        push(&q, in++);
                ck_assert_uint_ge(q.capacity, 3 * capacity);
                while (q.n)
                        expect_pop(&q, out++);
                ck_assert_uint_eq(in, out);
                queue_done(&q);
        }
}
END_TEST

START_TEST(test_reserve) {
        struct queue q = { .item_size = sizeof(struct item) }, before;

        ck_assert_int_eq(queue_reserve(&q, 1000), 0);
        ck_assert_uint_ge(q.capacity, 1000);
        before = q;
        ck_assert_int_eq(queue_reserve(&q, 0), 0); /* never shrinks, and does not move for nothing */
        ck_assert_int_eq(queue_reserve(&q, q.capacity), 0);
        ck_assert_mem_eq(&q, &before, sizeof(q));
        for (uint32_t i = 0; i < 1000; i++) { /* room is room: no push fails */
                struct item item = make_item(i);

                queue_push(&q, &item);
        }
        ck_assert_ptr_eq(q.items, before.items);
        before = q;
        ck_assert_int_eq(queue_reserve(&q, SIZE_MAX / 8), -ENOMEM); /* more bytes than there are addresses */
        ck_assert_mem_eq(&q, &before, sizeof(q));
        for (uint32_t i = 0; i < 1000; i++)
                expect_pop(&q, i);
        queue_done(&q);
}
END_TEST

#define REFERENCE 4096

START_TEST(test_random) {
        static uint32_t reference[REFERENCE];
        struct queue q = { .item_size = sizeof(struct item) };
        struct prng prng = { 5 + (unsigned) _i };
        size_t first = 0, last = 0;

        for (int step = 0; step < 20000; step++) {
                unsigned what = prng_below(&prng, 100);

                /* more in than out, then more out than in */
                if (what < (step / 500 % 2 ? 35u : 65u) && last < REFERENCE) {
                        reference[last] = (uint32_t) prng_next(&prng);
                        push(&q, reference[last++]);
                } else if (first < last)
                        expect_pop(&q, reference[first++]);
                else
                        expect_empty(&q);
                ck_assert_uint_eq(q.n, last - first);
                if (first == last)
                        first = last = 0;
        }
        while (first < last)
                expect_pop(&q, reference[first++]);
        expect_empty(&q);
        queue_done(&q);
}
END_TEST

int main(void) {
        Suite *s = suite_create("queue");
        TCase *c = check_case(s, "queue");

        tcase_add_test(c, test_empty);
        tcase_add_test(c, test_wrap);
        tcase_add_test(c, test_grow_wrapped);
        tcase_add_test(c, test_reserve);
        tcase_add_loop_test(c, test_random, 0, 4);
        return check_run(s);
}
