/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/tally.h"


#include "check_util.h"

#define BLOCKS_TEXT_MAX 512

static const struct tally_key key = {
        .source = SOURCE_DIMM, .device = 1, .node = 1, .rule = 0, .action = ACTION_ONLINE_MOVABLE, .reason = REASON_RULE,
        .outcome = OUTCOME_DONE, .zone = ZONE_MOVABLE, .error = 0,
};

static const char *blocks_of(const struct tally_group *g) {
        static char buf[BLOCKS_TEXT_MAX];

        tally_format_blocks(g, buf, sizeof(buf));
        return buf;
}

/* ---- one group: runs --------------------------------------------------------------------------------------------------- */

static const struct {
        const char *blocks; /* added in this order */
        unsigned n;
        const char *text;
} run_rows[] = {
        { "7", 1, "7" },
        { "0", 1, "0" },
        { "32 33 34", 3, "32-34" },
        { "34 33 32", 3, "32-34" },
        { "32 34", 2, "32,34" },
        { "32 33 48 49 60", 5, "32-33,48-49,60" },
        { "33 34 32 35", 4, "32-35" },
        { "5 5 5", 1, "5" }, /* a block counts once */
        { "5 6 7 6", 3, "5-7" },
        { "1 3 2", 3, "1-3" }, /* what fills a gap joins the runs */
        { "1 3 2 3", 3, "1-3" },
        { "1 3 2 1 3 2", 3, "1-3" },
        { "10 12 14 11 13", 5, "10-14" },
        { "3 1 2", 3, "1-3" },
        { "0 4294967295", 2, "0,4294967295" }, /* the ends are no neighbours */
        { "4294967295 0", 2, "4294967295,0" },
        { "4294967294 4294967295", 2, "4294967294-4294967295" },
};

static void add_words(struct tally *t, const char *words) {
        for (const char *p = words; *p;) {
                char *end;
                unsigned long block = strtoul(p, &end, 10);

                ck_assert(tally_add(t, &key, (uint32_t) block, 10));
                p = end + (*end == ' ');
        }
}

START_TEST(test_runs) {
        struct tally t = {};

        add_words(&t, run_rows[_i].blocks);
        ck_assert_uint_eq(t.n, 1);
        ck_assert_uint_eq(t.groups[0].n_blocks, run_rows[_i].n);
        ck_assert_str_eq(blocks_of(&t.groups[0]), run_rows[_i].text);
}
END_TEST

/* However they come: each block is in exactly one run, and the number is theirs. */
START_TEST(test_runs_random) {
        struct prng prng = { 11 };

        for (int round = 0; round < 2000; round++) {
                bool added[24] = {};
                struct tally t = {};
                unsigned n = 0;

                for (int i = 0; i < 40; i++) {
                        uint32_t block = prng_below(&prng, ARRAY_SIZE(added));

                        ck_assert(tally_add(&t, &key, 1000 + block, 1));
                        n += !added[block];
                        added[block] = true;
                        ck_assert_uint_eq(t.groups[0].n_blocks, n);
                }
                for (uint32_t block = 0; block < ARRAY_SIZE(added); block++) {
                        unsigned times = 0;

                        for (size_t i = 0; i < t.groups[0].n_runs; i++)
                                times += 1000 + block >= t.groups[0].runs[i].first && 1000 + block <= t.groups[0].runs[i].last;
                        ck_assert_uint_eq(times, added[block]);
                }
        }
}
END_TEST

START_TEST(test_runs_full) {
        struct tally t = {}, before;

        for (uint32_t i = 0; i < TALLY_RUNS; i++)
                ck_assert(tally_add(&t, &key, 2000 + i * 10, 5));
        before = t;
        ck_assert(!tally_add(&t, &key, 9000, 5)); /* nothing was added, not even the time */
        ck_assert_mem_eq(&t, &before, sizeof(t));
        ck_assert(tally_add(&t, &key, 2001, 5)); /* one that extends a run has room */
        ck_assert(tally_add(&t, &key, 2009, 5));
        ck_assert(tally_add(&t, &key, 2000, 5));
        ck_assert_uint_eq(t.groups[0].n_blocks, TALLY_RUNS + 2);
        ck_assert_uint_eq(t.groups[0].write_usec, (TALLY_RUNS + 3) * 5);

        tally_clear(&t); /* as whoever adds does then */
        ck_assert(tally_add(&t, &key, 9000, 7));
        ck_assert_uint_eq(t.groups[0].n_blocks, 1);
        ck_assert_uint_eq(t.groups[0].write_usec, 7);
        ck_assert_str_eq(blocks_of(&t.groups[0]), "9000");
}
END_TEST

START_TEST(test_times) {
        struct tally t = {};

        ck_assert(tally_add(&t, &key, 1, 100));
        ck_assert(tally_add(&t, &key, 2, 0));
        ck_assert(tally_add(&t, &key, 9, UINT32_MAX));
        ck_assert_uint_eq(t.groups[0].write_usec, UINT64_C(100) + UINT32_MAX);
}
END_TEST

/* ---- groups ------------------------------------------------------------------------------------------------------------ */

/* Each field tells groups apart. */
START_TEST(test_keys) {
        struct tally_key keys[10];
        struct tally t = {};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                keys[i] = key;
        keys[1].source = SOURCE_PMEM;
        keys[2].device = 2;
        keys[3].node = -1;
        keys[4].rule = -1;
        keys[5].action = ACTION_ONLINE;
        keys[6].reason = REASON_FALLBACK;
        keys[7].outcome = OUTCOME_ALREADY;
        keys[8].zone = _ZONE_INVALID;
        keys[9].error = -EBUSY;
        for (int round = 0; round < 2; round++)
                for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                        ck_assert(tally_add(&t, &keys[i], (uint32_t) (100 * i + (unsigned) round), i));
        ck_assert_uint_eq(t.n, ARRAY_SIZE(keys));
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                char wanted[32];

                snprintf(wanted, sizeof(wanted), "%zu-%zu", 100 * i, 100 * i + 1);
                ck_assert_str_eq(blocks_of(&t.groups[i]), wanted);
                ck_assert_uint_eq(t.groups[i].n_blocks, 2);
                ck_assert_uint_eq(t.groups[i].write_usec, 2 * i);
        }
}
END_TEST

START_TEST(test_groups_full) {
        struct tally_key k = key;
        struct tally t = {}, before;

        for (unsigned i = 0; i < TALLY_GROUPS; i++) {
                k.device = (uint16_t) i;
                ck_assert(tally_add(&t, &k, i, 1));
        }
        before = t;
        k.device = TALLY_GROUPS;
        ck_assert(!tally_add(&t, &k, 77, 1));
        ck_assert_mem_eq(&t, &before, sizeof(t));
        k.device = 3; /* a group that is there takes more */
        ck_assert(tally_add(&t, &k, 4, 1));
        ck_assert_str_eq(blocks_of(&t.groups[3]), "3-4");
        tally_clear(&t);
        ck_assert_uint_eq(t.n, 0);
        k.device = TALLY_GROUPS;
        ck_assert(tally_add(&t, &k, 77, 1));
        ck_assert_str_eq(blocks_of(&t.groups[0]), "77");
}
END_TEST

/* ---- text -------------------------------------------------------------------------------------------------------------- */

/* In a buffer that is too small: the beginning, ended by NUL, and not a byte beyond. */
START_TEST(test_format_sizes) {
        struct tally t = {};
        char whole[BLOCKS_TEXT_MAX];

        for (uint32_t i = 0; i < TALLY_RUNS; i++) {
                uint32_t first = UINT32_MAX - 1000 + i * 10;

                ck_assert(tally_add(&t, &key, first, 1));
                ck_assert(tally_add(&t, &key, first + 1, 1));
        }
        strcpy(whole, blocks_of(&t.groups[0]));
        ck_assert_uint_eq(strlen(whole), TALLY_RUNS * strlen("4294966295-4294966296,") - 1);
        for (size_t size = 1; size <= strlen(whole) + 2; size++) {
                char *buf = malloc(size + 1);

                ck_assert_ptr_nonnull(buf);
                memset(buf, 'Z', size + 1);
                tally_format_blocks(&t.groups[0], buf, size);
                ck_assert_int_eq(buf[size], 'Z');
                ck_assert_uint_lt(strnlen(buf, size), size);
                ck_assert_mem_eq(buf, whole, strlen(buf));
                /* Cut behind a run, so that what is there is so, and no later than need be. */
                ck_assert(!buf[0] || strchr(",", whole[strlen(buf)]));
                ck_assert_uint_gt(strlen(buf) + strlen(",4294966295-4294966296"), MIN(size - 1, strlen(whole)));
                free(buf);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("tally");
        TCase *c;

        c = check_case(s, "runs");
        tcase_add_loop_test(c, test_runs, 0, ARRAY_SIZE(run_rows));
        tcase_add_test(c, test_runs_random);
        tcase_add_test(c, test_runs_full);
        tcase_add_test(c, test_times);

        c = check_case(s, "groups");
        tcase_add_test(c, test_keys);
        tcase_add_test(c, test_groups_full);

        c = check_case(s, "text");
        tcase_add_test(c, test_format_sizes);
        return check_run(s);
}
