/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/state.h"

#include <inttypes.h>
#include <time.h>

#include "check_util.h"

#define HEAD "memhpd-state 1\n"
#define ADDS HEAD "adds 7\n"
#define END "end\n"

static struct entry *add_entry(struct registry *r, uint32_t block, enum block_state state, uint64_t identity) {
        struct entry *e = registry_insert(r, block);

        CHECK(e);
        e->known = true;
        e->state = (uint8_t) state;
        e->identity = identity;
        return e;
}

/* ---- the text ----------------------------------------------------------------------------------------------------- */

START_TEST(test_empty) {
        _cleanup_free_ char *text = NULL;
        struct registry r = {};
        size_t size;

        ck_assert_int_eq(state_format(&r, 0, &text, &size), 0);
        ck_assert_str_eq(text, HEAD "adds 0\n" END);
        ck_assert_uint_eq(size, strlen(text));
}
END_TEST

static uint64_t identity_of(uint32_t first, uint32_t last, uint64_t one) {
        uint64_t identity = STATE_IDENTITY_INIT;

        for (uint32_t i = first; i <= last; i++)
                identity = state_identity(identity, i, one);
        return identity;
}

/* Every kind, and all that ends a run. */
START_TEST(test_text) {
        _cleanup_(registry_done) struct registry r = {};
        _cleanup_free_ char *text = NULL, *expected = NULL;
        size_t size;

        for (uint32_t i = 0; i < 4; i++)
                add_entry(&r, i, BLOCK_ONLINE, 5);
        for (uint32_t i = 4; i < 6; i++)
                add_entry(&r, i, BLOCK_ONLINE, 5)->add = 3; /* another hot-add */
        add_entry(&r, 8, BLOCK_ONLINE, 5);                  /* behind a gap */
        add_entry(&r, 9, BLOCK_ONLINE, 5)->device = 1;      /* another device */
        for (uint32_t i = 10; i < 12; i++)
                add_entry(&r, i, BLOCK_OFFLINE, 5)->hands_off = true; /* block by block */
        for (uint32_t i = 12; i < 14; i++)
                add_entry(&r, i, BLOCK_OFFLINE, 5)->at_startup = true;
        add_entry(&r, 14, BLOCK_OFFLINE, 5); /* the rules will be asked again: nothing to know */
        add_entry(&r, 15, BLOCK_GOING_OFFLINE, 5); /* by somebody's will */
        add_entry(&r, 16, BLOCK_ONLINE, 5)->known = false;
        add_entry(&r, 17, BLOCK_ONLINE, 5)->hands_off = true; /* it was, and is no more */
        for (uint32_t i = 20; i < 22; i++)
                add_entry(&r, i, BLOCK_OFFLINE, 5)->rolled_back = true; /* block by block, too */
        add_entry(&r, 22, BLOCK_ONLINE, 5)->rolling_back = true; /* is still to be written */
        add_entry(&r, 23, BLOCK_OFFLINE, 5)->rolled_back = true; /* somebody wanted it offline anyhow */
        registry_find(&r, 23)->hands_off = true;
        add_entry(&r, UINT32_MAX, BLOCK_OFFLINE, 5)->hands_off = true;

        ck_assert_int_ge(asprintf(&expected,
                                  HEAD "adds 4294967295\n"
                                  "online 0-3 %" PRIx64 "\n"
                                  "online 4-5 %" PRIx64 "\n"
                                  "online 8-8 %" PRIx64 "\n"
                                  "online 9-9 %" PRIx64 "\n"
                                  "hands-off 10-10 %" PRIx64 "\n"
                                  "hands-off 11-11 %" PRIx64 "\n"
                                  "startup 12-13 %" PRIx64 "\n"
                                  "online 15-15 %" PRIx64 "\n"
                                  "online 17-17 %" PRIx64 "\n"
                                  "rolled-back 20-20 %" PRIx64 "\n"
                                  "rolled-back 21-21 %" PRIx64 "\n"
                                  "rolling-back 22-22 %" PRIx64 "\n"
                                  "hands-off 23-23 %" PRIx64 "\n"
                                  "hands-off 4294967295-4294967295 %" PRIx64 "\n" END,
                                  identity_of(0, 3, 5), identity_of(4, 5, 5), identity_of(8, 8, 5), identity_of(9, 9, 5),
                                  identity_of(10, 10, 5), identity_of(11, 11, 5), identity_of(12, 13, 5),
                                  identity_of(15, 15, 5), identity_of(17, 17, 5), identity_of(20, 20, 5),
                                  identity_of(21, 21, 5), identity_of(22, 22, 5),
                                  identity_of(23, 23, 5),
                                  state_identity(STATE_IDENTITY_INIT, UINT32_MAX, 5)), 0);
        ck_assert_int_eq(state_format(&r, UINT32_MAX, &text, &size), 0);
        ck_assert_str_eq(text, expected);
        ck_assert_uint_eq(size, strlen(text));
}
END_TEST

/* ---- there and back ----------------------------------------------------------------------------------------------- */

static void generate(struct registry *r, struct prng *prng, unsigned n) {
        uint32_t block = prng_below(prng, 3) ? prng_below(prng, 50) : UINT32_MAX - 4 * n;

        for (unsigned i = 0; i < n; i++) {
                struct entry *e = add_entry(r, block, prng_below(prng, 2) ? BLOCK_ONLINE
                                                                           : (enum block_state) prng_below(prng, _BLOCK_STATE_MAX),
                                            prng_number(prng));

                e->known = prng_below(prng, 16) != 0;
                e->hands_off = prng_below(prng, 3) == 0;
                e->rolled_back = prng_below(prng, 3) == 0;
                e->rolling_back = prng_below(prng, 8) == 0;
                e->at_startup = prng_below(prng, 3) == 0;
                e->add = prng_below(prng, 8) ? 1 : prng_below(prng, 3);
                e->device = (uint16_t) (prng_below(prng, 8) ? 1 : prng_below(prng, 3));
                block += 1 + (prng_below(prng, 6) ? 0 : prng_below(prng, 3));
        }
}

/* As the header has it. _SAVED_MAX: nothing is known afterwards. */
static enum saved_kind expected_kind(const struct entry *e) {
        if (!e || !e->known)
                return _SAVED_MAX;
        if (e->rolling_back)
                return SAVED_ROLLING_BACK;
        if (e->state != BLOCK_OFFLINE) /* what leaves it is not known yet */
                return SAVED_ONLINE;
        if (e->hands_off)
                return SAVED_HANDS_OFF;
        if (e->rolled_back)
                return SAVED_ROLLED_BACK;
        return e->at_startup ? SAVED_STARTUP : _SAVED_MAX;
}

static void check_saved(const struct saved_state *s, const struct registry *r) {
        uint32_t low = r->n ? r->entries[0].block : 0, high = r->n ? r->entries[r->n - 1].block : 0;

        for (uint64_t block = low > 3 ? low - 3 : 0; block <= MIN((uint64_t) high + 3, UINT32_MAX); block++) {
                const struct saved_run *run = saved_state_find(s, (uint32_t) block);
                enum saved_kind kind = expected_kind(registry_find(r, (uint32_t) block));

                CHECK((run != NULL) == (kind != _SAVED_MAX));
                CHECK(!run || (run->kind == kind && run->first <= block && block <= run->last));
        }
        for (size_t i = 0; i < s->n; i++) {
                const struct saved_run *run = &s->runs[i];
                uint64_t identity = STATE_IDENTITY_INIT;

                CHECK(run->first <= run->last && (i == 0 || s->runs[i - 1].last < run->first));
                CHECK(run->kind != SAVED_HANDS_OFF || run->first == run->last);
                for (uint64_t block = run->first; block <= run->last; block++) {
                        const struct entry *e = registry_find(r, (uint32_t) block), *first = registry_find(r, run->first);

                        CHECK(e && e->add == first->add && e->device == first->device);
                        identity = state_identity(identity, (uint32_t) block, e->identity);
                }
                CHECK(identity == run->identity);
        }
}

START_TEST(test_round_trip) {
        struct prng prng = { 11 + (uint64_t) _i };

        for (int round = 0; round < 100; round++) {
                _cleanup_(saved_state_done) struct saved_state s = {};
                _cleanup_(registry_done) struct registry r = {};
                _cleanup_free_ char *text = NULL, *copy = NULL;
                uint32_t last_add = (uint32_t) prng_number(&prng);
                unsigned line = 0;
                size_t size;

                generate(&r, &prng, prng_below(&prng, 300));
                CHECK(state_format(&r, last_add, &text, &size) == 0);
                copy = check_copy(text, size);
                CHECK(state_parse(copy, size, &s, &line) == 0);
                CHECK(s.last_add == last_add && line == 0);
                check_saved(&s, &r);
        }
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

/* -EBADMSG, at this line, and nothing else has happened. */
static void check_refused(const char *text, size_t size, unsigned expected_line) {
        _cleanup_free_ char *copy = check_copy(text, size);
        struct saved_run run;
        struct saved_state s = { .last_add = 99, .runs = &run, .n = 17 };
        unsigned line = 0;
        int r = state_parse(copy, size, &s, &line);

        if (r != -EBADMSG || line != expected_line)
                ck_abort_msg("%d at line %u instead of -EBADMSG at line %u: %.*s", r, line, expected_line, (int) size, text);
        CHECK(s.last_add == 99 && s.runs == &run && s.n == 17);
}

START_TEST(test_truncated) {
        _cleanup_(registry_done) struct registry r = {};
        _cleanup_free_ char *text = NULL;
        struct prng prng = { 5 };
        size_t size;

        generate(&r, &prng, 60);
        ck_assert_int_eq(state_format(&r, 12, &text, &size), 0);
        for (size_t cut = 0; cut < size; cut++)
                check_refused(text, cut, check_line_at(text, cut));
}
END_TEST

static const struct {
        const char *text;
        unsigned line;
} bad[] = {
        /* Not ours. */
        { "\n", 1 },
        { END, 1 },
        { "memhpd-state\n" END, 1 },
        { "memhpd-state 2\nadds 7\n" END, 1 },
        { "memhpd-state 1 \nadds 7\n" END, 1 },
        { " memhpd-state 1\nadds 7\n" END, 1 },
        { "memhpd-state 11\nadds 7\n" END, 1 },
        { "\n" ADDS END, 1 },
        { "adds 7\n" END, 1 },
        { HEAD HEAD END, 2 },
        { ADDS "\n" END, 3 },
        { ADDS "# online 1-2 0\n" END, 3 },
        { ADDS "Online 1-2 0\n" END, 3 },
        { ADDS "onlin 1-2 0\n" END, 3 },
        { ADDS "online2 1-2 0\n" END, 3 },
        { ADDS "offline 1-2 0\n" END, 3 },
        { ADDS "rolled 1-2 0\n" END, 3 },
        /* Torn, or more than there should be. */
        { "", 1 },
        { HEAD, 1 },
        { ADDS, 2 },
        { ADDS "end", 3 },
        { ADDS "END\n", 3 },
        { ADDS "end \n", 3 },
        { ADDS "online 1-2 0\n", 3 },
        { ADDS END "\n", 4 },
        { ADDS END END, 4 },
        { ADDS END "x", 4 },
        { ADDS END "online 1-2 0\n", 4 },
        { ADDS END ADDS END, 4 },
        /* Lines that are not of the form. */
        { HEAD "adds\n" END, 2 },
        { HEAD "adds x\n" END, 2 },
        { HEAD "adds -1\n" END, 2 },
        { HEAD "adds 1 2\n" END, 2 },
        { HEAD "adds 0x1\n" END, 2 },
        { ADDS "online\n" END, 3 },
        { ADDS "online 1-2\n" END, 3 },
        { ADDS "online 1 0\n" END, 3 },
        { ADDS "online 1-2 0 0\n" END, 3 },
        { ADDS "online 1- 0\n" END, 3 },
        { ADDS "online -2 0\n" END, 3 },
        { ADDS "online - 0\n" END, 3 },
        { ADDS "online 1--2 0\n" END, 3 },
        { ADDS "online 1-2-3 0\n" END, 3 },
        { ADDS "online 1,2 0\n" END, 3 },
        { ADDS "online 0x1-0x2 0\n" END, 3 },
        { ADDS "online +1-2 0\n" END, 3 },
        { ADDS "online 1-2 0x5\n" END, 3 },
        { ADDS "online 1-2 -5\n" END, 3 },
        { ADDS "online 1-2 fog\n" END, 3 },
        /* Numbers that do not fit. */
        { HEAD "adds 4294967296\n" END, 2 },
        { HEAD "adds 18446744073709551616\n" END, 2 },
        { ADDS "online 4294967296-4294967296 0\n" END, 3 },
        { ADDS "online 1-4294967296 0\n" END, 3 },
        { ADDS "online 1-18446744073709551617 0\n" END, 3 },
        { ADDS "online 18446744073709551617-18446744073709551618 0\n" END, 3 },
        { ADDS "online 1-2 10000000000000000\n" END, 3 },
        /* Runs that are no runs, overlap, or are out of order. */
        { ADDS "online 2-1 0\n" END, 3 },
        { ADDS "online 1-2 0\nonline 2-3 0\n" END, 4 },
        { ADDS "online 1-2 0\nonline 1-2 0\n" END, 4 },
        { ADDS "online 1-9 0\nhands-off 4-4 0\n" END, 4 },
        { ADDS "online 5-6 0\nstartup 1-2 0\n" END, 4 },
        { ADDS "online 0-4294967295 0\nstartup 0-0 0\n" END, 4 },
        { ADDS "online 1-1 0\nonline 5-5 0\nonline 3-3 0\n" END, 5 },
};

START_TEST(test_refused) {
        check_refused(bad[_i].text, strlen(bad[_i].text), bad[_i].line);
}
END_TEST

START_TEST(test_nul) {
        static const char text[] = ADDS "online 1-2\0 0\n" END;

        check_refused(text, sizeof(text) - 1, 3);
}
END_TEST

/* Whatever stands there: no crash, and what is taken is in order. */
START_TEST(test_garbage) {
        _cleanup_(registry_done) struct registry r = {};
        _cleanup_free_ char *text = NULL;
        struct prng prng = { 23 };
        unsigned taken = 0;
        size_t size;

        generate(&r, &prng, 40);
        ck_assert_int_eq(state_format(&r, 12, &text, &size), 0);
        for (int round = 0; round < 20000; round++) {
                _cleanup_free_ char *copy = check_copy(text, size);
                struct saved_state s = {};
                unsigned line = 0;
                int error;

                for (unsigned i = 0; i <= prng_below(&prng, 3); i++)
                        copy[prng_below(&prng, (unsigned) size)] =
                                prng_below(&prng, 4) ? "0123456789-\n abcdefnlio"[prng_below(&prng, 23)] : (char) prng_next(&prng);
                error = state_parse(copy, size, &s, &line);
                CHECK(error == 0 || (error == -EBADMSG && line > 0));
                for (size_t i = 0; i < s.n; i++)
                        CHECK(s.runs[i].first <= s.runs[i].last && (i == 0 || s.runs[i - 1].last < s.runs[i].first) &&
                              s.runs[i].kind < _SAVED_MAX);
                taken += error == 0;
                saved_state_done(&s);
        }
        ck_assert_uint_gt(taken, 0);
}
END_TEST

/* ---- what is found ------------------------------------------------------------------------------------------------ */

START_TEST(test_find) {
        static const char text[] = ADDS "online 0-0 1\nhands-off 1-1 2\nstartup 3-10 3\nonline 100-4294967295 ffffffffffffffff\n" END;
        static const struct {
                uint32_t block;
                int run; /* -1: none */
        } rows[] = {
                { 0, 0 }, { 1, 1 }, { 2, -1 }, { 3, 2 }, { 7, 2 }, { 10, 2 }, { 11, -1 }, { 99, -1 },
                { 100, 3 }, { 2147483648, 3 }, { UINT32_MAX, 3 },
        };
        struct saved_state s, none = {};
        unsigned line;

        ck_assert_int_eq(state_parse(text, sizeof(text) - 1, &s, &line), 0);
        ck_assert_uint_eq(s.last_add, 7);
        ck_assert_uint_eq(s.n, 4);
        ck_assert_uint_eq(s.runs[3].identity, UINT64_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                ck_assert_ptr_eq(saved_state_find(&s, rows[i].block), rows[i].run < 0 ? NULL : &s.runs[rows[i].run]);
                ck_assert_ptr_null(saved_state_find(&none, rows[i].block));
        }
        ck_assert_int_eq(s.runs[0].kind, SAVED_ONLINE);
        ck_assert_int_eq(s.runs[1].kind, SAVED_HANDS_OFF);
        ck_assert_int_eq(s.runs[2].kind, SAVED_STARTUP);
        saved_state_done(&s);
        saved_state_done(&s);
        ck_assert_uint_eq(s.n, 0);
}
END_TEST

#define RUN_BLOCKS 40

static uint64_t fold(uint32_t first, const uint64_t *identities, unsigned n) {
        uint64_t identity = STATE_IDENTITY_INIT;

        for (unsigned i = 0; i < n; i++)
                identity = state_identity(identity, first + i, identities[i]);
        return identity;
}

/* A run with any block that is another, however little it differs, is not the same memory. */
START_TEST(test_identity) {
        uint64_t identities[RUN_BLOCKS], same;
        struct prng prng = { 31 };

        for (unsigned i = 0; i < RUN_BLOCKS; i++)
                identities[i] = prng_number(&prng);
        same = fold(100, identities, RUN_BLOCKS);
        ck_assert_uint_eq(fold(100, identities, RUN_BLOCKS), same);
        for (unsigned i = 0; i < RUN_BLOCKS; i++)
                for (unsigned bit = 0; bit < 64; bit++) {
                        identities[i] ^= UINT64_C(1) << bit;
                        CHECK(fold(100, identities, RUN_BLOCKS) != same);
                        identities[i] ^= UINT64_C(1) << bit;
                }
        for (unsigned bit = 0; bit < 32; bit++)
                ck_assert_uint_ne(fold(100 ^ (UINT32_C(1) << bit), identities, RUN_BLOCKS), same);
        ck_assert_uint_ne(fold(100, identities, RUN_BLOCKS - 1), same);
        ck_assert_uint_ne(fold(101, identities + 1, RUN_BLOCKS - 1), same);
        /* Two that have changed places. */
        ck_assert_uint_ne(identities[3], identities[4]);
        prng.state = identities[3];
        identities[3] = identities[4];
        identities[4] = prng.state;
        ck_assert_uint_ne(fold(100, identities, RUN_BLOCKS), same);
        ck_assert_uint_ne(state_identity(STATE_IDENTITY_INIT, 0, 0), STATE_IDENTITY_INIT);
}
END_TEST

/* ---- the large ---------------------------------------------------------------------------------------------------- */

#define BLOCKS_LARGEST 524288
#define BYTES_LARGEST (32u << 20)

/* alike: neighbours are of one device. Else no two of them are. */
static void fill(struct registry *r, unsigned n, bool alike) {
        for (uint32_t i = 0; i < n; i++)
                add_entry(r, i, BLOCK_ONLINE, i + 1)->add = alike ? 1 : i;
}

static uint64_t cpu_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* The best of several, since others share the machine. */
static uint64_t measure(unsigned n, bool alike, size_t *ret_size) {
        _cleanup_(registry_done) struct registry r = {};
        uint64_t best = UINT64_MAX;

        fill(&r, n, alike);
        for (int i = 0; i < 5; i++) {
                uint64_t start = cpu_usec();
                char *text;

                ck_assert_int_eq(state_format(&r, 1, &text, ret_size), 0);
                best = MIN(best, cpu_usec() - start);
                free(text);
        }
        return best;
}

/* Sixteen times as much takes sixteen times as long, and not 256 times: half of that is far from both. */
START_TEST(test_large_takes_its_time) {
        size_t small_size, large_size;
        uint64_t small = measure(BLOCKS_LARGEST / 16, _i, &small_size), large = measure(BLOCKS_LARGEST, _i, &large_size);

        ck_assert_msg(large <= MAX(small, 100u) * 128, "%" PRIu64 " us for a sixteenth, %" PRIu64 " us for all", small, large);
        if (_i)
                ck_assert_uint_le(large_size, 100); /* one device is one run */
        else
                ck_assert_uint_le(large_size, 40u * BLOCKS_LARGEST); /* which rundir_read() still takes back, twice over */
}
END_TEST

START_TEST(test_large_round_trip) {
        _cleanup_(saved_state_done) struct saved_state s = {};
        _cleanup_(registry_done) struct registry r = {};
        _cleanup_free_ char *text = NULL;
        unsigned line;
        size_t size;

        fill(&r, BLOCKS_LARGEST, _i);
        ck_assert_uint_eq(r.n, BLOCKS_LARGEST);
        ck_assert_uint_le(r.capacity * sizeof(struct entry), BYTES_LARGEST);
        ck_assert_int_eq(state_format(&r, 1, &text, &size), 0);
        ck_assert_int_eq(state_parse(text, size, &s, &line), 0);
        ck_assert_uint_eq(s.n, _i ? 1 : BLOCKS_LARGEST);
        for (uint32_t i = 0; i < BLOCKS_LARGEST; i++)
                CHECK(saved_state_find(&s, i) == &s.runs[_i ? 0 : i]);
        ck_assert_ptr_null(saved_state_find(&s, BLOCKS_LARGEST));
}
END_TEST

int main(void) {
        Suite *s = suite_create("state");
        TCase *c = check_case(s, "text");

        tcase_add_test(c, test_empty);
        tcase_add_test(c, test_text);
        c = check_case(s, "round trip");
        tcase_add_loop_test(c, test_round_trip, 0, 4);
        c = check_case(s, "refused");
        tcase_add_test(c, test_truncated);
        tcase_add_loop_test(c, test_refused, 0, ARRAY_SIZE(bad));
        tcase_add_test(c, test_nul);
        tcase_add_test(c, test_garbage);
        c = check_case(s, "find");
        tcase_add_test(c, test_find);
        tcase_add_test(c, test_identity);
        c = check_case(s, "large");
        tcase_add_loop_test(c, test_large_takes_its_time, 0, 2);
        tcase_add_loop_test(c, test_large_round_trip, 0, 2);
        return check_run(s);
}
