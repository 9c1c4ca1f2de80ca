/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the unit tests share: a suite as a program, captures from real kernels, numbers that look random and are not.
 * Included once by each program; hence all static inline. */

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Check's default of 4 s is too short under valgrind and on a busy machine. */
#define CHECK_TIMEOUT_SEC 600

/* As ck_assert(), for what is asked a million times: Check notes every assertion in a file, this only those that fail. */
#define CHECK(condition)                                     \
        do {                                                 \
                if (!(condition))                            \
                        ck_abort_msg("not so: %s", #condition); \
        } while (0)

/* A test case, added to the suite. One per topic: "make check" names it where something fails. */
static inline TCase *check_case(Suite *s, const char *name) {
        TCase *c = tcase_create(name);

        tcase_set_timeout(c, CHECK_TIMEOUT_SEC);
        suite_add_tcase(s, c);
        return c;
}

/* The same, with what each test of it begins and ends with. */
static inline TCase *check_case_in(Suite *s, const char *name, SFun setup, SFun teardown) {
        TCase *c = check_case(s, name);

        tcase_add_checked_fixture(c, setup, teardown);
        return c;
}

/* Run the suite and give main() its exit status. Failures and the tally are always printed, whatever CK_VERBOSITY says;
 * a run without a single test is a failure. */
static inline int check_run(Suite *s) {
        SRunner *r = srunner_create(s);
        int failed, ran;

        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        ran = srunner_ntests_run(r);
        srunner_free(r);
        return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A copy in a heap block of just its size, without a NUL: the sanitizers and valgrind see the first byte beyond it. */
static inline char *check_copy(const char *text, size_t size) {
        char *copy = malloc(size ? size : 1);

        CHECK(copy);
        if (size)
                memcpy(copy, text, size);
        return copy;
}

/* tests/data/NAME, found from the source folder that "make check" gives in $srcdir. To be freed. */
static inline char *check_read_data(const char *name, size_t *ret_size) {
        const char *srcdir = getenv("srcdir");
        char path[PATH_MAX], *text;
        size_t n;
        FILE *f;

        snprintf(path, sizeof(path), "%s/tests/data/%s", srcdir ? srcdir : ".", name);
        f = fopen(path, "re");
        ck_assert_msg(f, "%s: %s", path, strerror(errno));
        text = malloc(1 << 20);
        ck_assert_ptr_nonnull(text);
        n = fread(text, 1, (1 << 20) - 1, f);
        ck_assert_msg(!ferror(f) && feof(f) && n > 0, "%s: cannot be read whole", path);
        fclose(f);
        text[n] = '\0'; /* not part of it; for those who look with sscanf() */
        *ret_size = n;
        return text;
}

/* The line that a parser has to name when the text ends at cut: the one that is cut short or, where the cut falls on
 * the end of a line, the last one. */
static inline unsigned check_line_at(const char *text, size_t cut) {
        unsigned newlines = 0;

        for (size_t i = 0; i < cut; i++)
                newlines += text[i] == '\n';
        if (cut > 0 && text[cut - 1] == '\n')
                return newlines;
        return newlines + 1;
}

/* xorshift64*: the same numbers in every run and on every machine, so that a failure can be seen again. */
struct prng {
        uint64_t state;
};

static inline uint64_t prng_next(struct prng *p) {
        p->state ^= p->state >> 12;
        p->state ^= p->state << 25;
        p->state ^= p->state >> 27;
        return p->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* 0 … n - 1 */
static inline unsigned prng_below(struct prng *p, unsigned n) {
        return (unsigned) ((prng_next(p) >> 32) % n);
}

/* Numbers of all lengths, not only the long ones. */
static inline uint64_t prng_number(struct prng *p) {
        return prng_next(p) >> prng_below(p, 64);
}
