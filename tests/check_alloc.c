/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"

#include <fnmatch.h>
#include <locale.h>

#include "check_util.h"

#include "check_blocks.h"

/* Deciding allocates nothing, nor does the C library on its behalf: malloc() itself is replaced, where that can be done. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static volatile unsigned n_allocations; /* or a compiler that knows malloc() knows that it cannot have changed */

void *malloc(size_t size) {
        n_allocations++;
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        n_allocations++;
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        n_allocations++;
        return __libc_realloc(p, size);
}
#else
#define COUNTS 0
static volatile unsigned n_allocations;
#endif

#define N_RULES 100

START_TEST(test_none) {
        static struct rule rules[N_RULES];
        static struct surroundings around;
        struct policy policy = { .rules = rules, .n_rules = N_RULES, .startup_apply = true };
        unsigned before, decided = 0;
        struct prng p = { 11 };
        void *volatile seen;

        setlocale(LC_ALL, "C.UTF-8"); /* fnmatch() has more to do there, and loads the conversion once */
        (void) fnmatch("*", "x", 0);
        before = n_allocations;
        seen = malloc(1);
        ck_assert(!COUNTS || n_allocations > before); /* or nothing is counted at all */
        free(seen);
        for (unsigned round = 0; round < 200; round++) {
                for (size_t i = 0; i < N_RULES; i++) {
                        rules[i] = (struct rule) { .name = (char *) "rule", .file = (char *) "file",
                                                   .action = (enum action) prng_below(&p, _ACTION_MAX),
                                                   .balance = { .ratio = 301, .numa_aware = true } };
                        generate_match(&p, &rules[i].match);
                        rules[i].match.platforms |= i + 1 < N_RULES; /* most are passed by */
                }
                generate_totals(&p, &around.totals);
                around.platforms = generate_platforms(&p);
                for (unsigned i = 0; i < 50; i++) {
                        struct decision d, alike;
                        char text[512];
                        struct block b;

                        generate_block(&p, &b);
                        before = n_allocations;
                        policy_decide(&policy, &b, &around, &d);
                        policy_decide_alike(&policy, &b, &d, &alike);
                        policy_want(&policy, &b, &around, &d);
                        decision_describe(&policy, &b, &d, text, sizeof(text));
                        CHECK(n_allocations == before);
                        decided += d.rule >= 0;
                }
                for (size_t i = 0; i < N_RULES; i++)
                        match_done(&rules[i].match);
        }
        ck_assert_uint_gt(decided, 1000);
}
END_TEST

int main(void) {
        Suite *s = suite_create("alloc");

        tcase_add_test(check_case(s, "decide"), test_none);
        return check_run(s);
}
