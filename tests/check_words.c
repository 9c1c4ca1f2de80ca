/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/words.h"

#include "check_util.h"

static const char *const known[] = {
        "source", "node", "address", "size", "device", "platform", "tier", "movable_ratio", "max_movable_ratio", "numa_aware",
};

static const struct {
        const char *typed, *meant; /* NULL: nothing is close */
} rows[] = {
        { "source", "source" },
        { "sourec", "source" }, /* a swap */
        { "sorce", "source" },  /* one is missing */
        { "sourcee", "source" },
        { "soorce", "source" },
        { "nod", "node" },
        { "nodes", "node" },
        { "movable_ration", "movable_ratio" },
        { "movableratio", "movable_ratio" },
        { "dev", "device" },  /* cut short */
        { "max", "max_movable_ratio" },
        { "plattform", "platform" },
        { "tear", "tier" },
        { "", NULL },
        { "x", NULL },
        { "zone", "node" },  /* two of four */
        { "zones", NULL },
        { "completely-different", NULL },
        { "a word that is longer than any that anybody would type here", NULL },
        { "SOURCE", NULL },
        { "\xff\xfe", NULL },
};

START_TEST(test_rows) {
        ck_assert_pstr_eq(closest_word(rows[_i].typed, known, ARRAY_SIZE(known)), rows[_i].meant);
}
END_TEST

START_TEST(test_edges) {
        static const char *const odd[] = { "", "a", "a word far too long to be compared with anything at all" };
        char typed[64];

        ck_assert_ptr_null(closest_word("source", known, 0));
        ck_assert_ptr_null(closest_word("word", odd, ARRAY_SIZE(odd)));
        /* Every length of word, also those beyond the table. */
        for (size_t n = 0; n < sizeof(typed) - 1; n++) {
                memset(typed, 'q', n);
                typed[n] = '\0';
                ck_assert_ptr_null(closest_word(typed, known, ARRAY_SIZE(known)));
        }
        /* Whatever is exact is closest. */
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                ck_assert_ptr_eq(closest_word(known[i], known, ARRAY_SIZE(known)), known[i]);
}
END_TEST

/* One mistake anywhere in a word of six letters and more is still understood. */
START_TEST(test_one_mistake) {
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                size_t n = strlen(known[i]);

                for (size_t at = 0; n >= 6 && at < n; at++) {
                        char typed[64];

                        snprintf(typed, sizeof(typed), "%.*s%s", (int) at, known[i], known[i] + at + 1);
                        ck_assert_pstr_eq(closest_word(typed, known, ARRAY_SIZE(known)), known[i]);
                        snprintf(typed, sizeof(typed), "%.*sx%s", (int) at, known[i], known[i] + at + 1);
                        ck_assert_pstr_eq(closest_word(typed, known, ARRAY_SIZE(known)), known[i]);
                        snprintf(typed, sizeof(typed), "%.*sx%s", (int) at, known[i], known[i] + at);
                        ck_assert_pstr_eq(closest_word(typed, known, ARRAY_SIZE(known)), known[i]);
                }
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("words");
        TCase *c = check_case(s, "words");

        tcase_add_loop_test(c, test_rows, 0, ARRAY_SIZE(rows));
        tcase_add_test(c, test_edges);
        tcase_add_test(c, test_one_mistake);
        return check_run(s);
}
