/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/holds.h"

#include "check_util.h"

#define BLOCK_SIZE (UINT64_C(128) << 20)
#define HEAD "memhpd-holds 1\n"

static char error[SELECTOR_ERROR_MAX];

static int add(struct holds *h, const char *selector, uint64_t expires, const char *reason) {
        *error = '\0';
        return holds_add(h, selector, expires, reason, error);
}

/* From a heap block of just its size. */
static int parse(const char *text, size_t size, struct holds *ret, unsigned *ret_line) {
        char *copy = check_copy(text, size);
        int r = holds_parse(copy, size, ret, ret_line);

        free(copy);
        return r;
}

static char *format(const struct holds *h, uint64_t now) {
        char *text;
        size_t size;

        ck_assert_int_eq(holds_format(h, now, &text, &size), 0);
        ck_assert_uint_eq(strlen(text), size);
        return text;
}

static void check_text(const struct holds *h, uint64_t now, const char *expected) {
        char *text = format(h, now);

        ck_assert_str_eq(text, expected);
        free(text);
}

/* As after another program has written and read it. */
static void pass_on(struct holds *h, uint64_t now) {
        char *text = format(h, now), *again;
        struct holds other = {};
        unsigned line = 0;

        ck_assert_int_eq(parse(text, strlen(text), &other, &line), 0);
        ck_assert_uint_eq(other.last_id, h->last_id);
        again = format(&other, now);
        ck_assert_str_eq(again, text);
        free(text);
        free(again);
        holds_done(h);
        *h = other;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

START_TEST(there_and_back) {
        struct holds h = {};

        check_text(&h, 0, HEAD "last 0\nend\n");
        pass_on(&h, 0);
        ck_assert_int_eq(add(&h, "node:1", 0, ""), 0);
        ck_assert_int_eq(add(&h, "device:dax0.0", 5000000, "the vendor  comes on Monday "), 0);
        ck_assert_int_eq(add(&h, "all", UINT64_MAX, " "), 0);
        check_text(&h, 0, HEAD "last 3\nhold 1 0 node:1\nhold 2 5000000 device:dax0.0 the vendor  comes on Monday \n"
                          "hold 3 18446744073709551615 all  \nend\n");
        pass_on(&h, 0);
        ck_assert_uint_eq(h.n, 3);
        ck_assert_str_eq(h.items[0].text, "node:1");
        ck_assert_str_eq(h.items[0].reason, "");
        ck_assert_uint_eq(h.items[0].expires_usec, 0);
        ck_assert_int_eq(h.items[0].selector.kind, SELECTOR_NODE);
        ck_assert_str_eq(h.items[1].reason, "the vendor  comes on Monday ");
        ck_assert_uint_eq(h.items[1].expires_usec, 5000000);
        ck_assert_str_eq(h.items[2].reason, " ");
        holds_done(&h);
}
END_TEST

static const char whole[] = HEAD "last 12\nhold 3 0 node:1\nhold 7 99 source:pmem,cxl not before the update\n"
                            "hold 12 0 32-63,70\nend\n";

START_TEST(every_truncation_is_refused) {
        struct holds h;
        unsigned line;

        ck_assert_int_eq(parse(whole, strlen(whole), &h, &line), 0);
        holds_done(&h);
        for (size_t n = 0; n < strlen(whole); n++) {
                line = 0;
                ck_assert_msg(parse(whole, n, &h, &line) == -EBADMSG, "the first %zu bytes are taken for a whole file", n);
                ck_assert_uint_ge(line, 1);
                ck_assert_uint_le(line, check_line_at(whole, n));
        }
}
END_TEST

static const struct {
        const char *text;
        unsigned line;
} garbage[] = {
        { "memhpd-holds 2\nlast 0\nend\n", 1 },
        { "memhpd-state 1\nlast 0\nend\n", 1 },
        { " memhpd-holds 1\nlast 0\nend\n", 1 },
        { "\n" HEAD "last 0\nend\n", 1 },
        { HEAD "last\nend\n", 2 },
        { HEAD "last x\nend\n", 2 },
        { HEAD "last -1\nend\n", 2 },
        { HEAD "last 4294967296\nend\n", 2 },
        { HEAD "last 1 2\nend\n", 2 },
        { HEAD "\nend\n", 2 },
        { HEAD "what 1\nend\n", 2 },
        { HEAD "last 1\nhold\nend\n", 3 },
        { HEAD "last 1\nhold 1\nend\n", 3 },
        { HEAD "last 1\nhold 1 0\nend\n", 3 },
        { HEAD "last 1\nhold 0 0 node:1\nend\n", 3 },
        { HEAD "last 1\nhold 4294967297 0 node:1\nend\n", 3 },
        { HEAD "last 1\nhold x 0 node:1\nend\n", 3 },
        { HEAD "last 1\nhold 1 x node:1\nend\n", 3 },
        { HEAD "last 1\nhold 1 18446744073709551616 node:1\nend\n", 3 },
        { HEAD "last 1\nhold 1 0 nod:1\nend\n", 3 },
        { HEAD "last 1\nhold 1 0 add:1\nend\n", 3 },
        { HEAD "last 1\nhold 1 0 node:1 a\x1b[31mb\nend\n", 3 },
        { HEAD "last 1\nhold 1 0 node:1 \xc3\xa9\nend\n", 3 },
        { HEAD "last 1\nhold 1 0 node:1 a\r\nend\n", 3 },
        { HEAD "last 1\nhold 2 0 node:1\nend\n", 4 }, /* more than were ever given out */
        { HEAD "last 2\nhold 2 0 node:1\nhold 1 0 node:1\nend\n", 4 },
        { HEAD "last 2\nhold 2 0 node:1\nhold 2 0 node:1\nend\n", 4 },
        { HEAD "last 0\nend\nlast 0\n", 4 },
        { HEAD "last 0\nend\n\n", 4 },
        { HEAD "last 0\nend \n", 3 },
};

START_TEST(garbage_is_refused) {
        struct holds h;
        unsigned line = 0;

        ck_assert_int_eq(parse(garbage[_i].text, strlen(garbage[_i].text), &h, &line), -EBADMSG);
        ck_assert_uint_eq(line, garbage[_i].line);
}
END_TEST

/* A NUL must not cut short what is compared and leave the rest unseen. */
START_TEST(nul_bytes_are_refused) {
        for (size_t i = 0; i < strlen(whole); i++) {
                char text[sizeof(whole)];
                struct holds h;
                unsigned line;

                memcpy(text, whole, sizeof(whole));
                text[i] = '\0';
                ck_assert_msg(parse(text, strlen(whole), &h, &line) == -EBADMSG, "a NUL at %zu is taken", i);
        }
}
END_TEST

/* Any byte anywhere: refused, or what it says is what is written again. */
START_TEST(damage_is_survived) {
        struct prng p = { 23 };

        for (unsigned i = 0; i < 100000; i++) {
                char text[sizeof(whole)];
                struct holds h;
                unsigned line = 0;
                int r;

                memcpy(text, whole, sizeof(whole));
                for (unsigned n = 1 + prng_below(&p, 4); n > 0; n--)
                        text[prng_below(&p, sizeof(whole) - 1)] = (char) prng_below(&p, 256);
                r = parse(text, strlen(whole), &h, &line);
                CHECK(r == 0 || (r == -EBADMSG && line >= 1));
                if (r == 0) {
                        pass_on(&h, 0);
                        holds_done(&h);
                }
        }
}
END_TEST

START_TEST(no_more_than_there_may_be) {
        char text[64 * (HOLDS_MAX + 3)], *p = text;
        struct holds h = {};
        unsigned line = 0;

        for (unsigned i = 0; i < HOLDS_MAX; i++)
                ck_assert_int_eq(add(&h, "node:1", 0, ""), 0);
        ck_assert_int_eq(add(&h, "node:1", 0, ""), -ENOSPC);
        ck_assert_uint_eq(h.last_id, HOLDS_MAX);
        pass_on(&h, 0);
        ck_assert(holds_remove(&h, 5));
        ck_assert_int_eq(add(&h, "node:1", 0, ""), 0);
        ck_assert_uint_eq(h.items[HOLDS_MAX - 1].id, HOLDS_MAX + 1);
        holds_done(&h);

        p += sprintf(p, HEAD "last %d\n", HOLDS_MAX + 1);
        for (unsigned i = 1; i <= HOLDS_MAX + 1; i++)
                p += sprintf(p, "hold %u 0 node:1\n", i);
        p += sprintf(p, "end\n");
        ck_assert_int_eq(parse(text, strlen(text), &h, &line), -EBADMSG);
        ck_assert_uint_eq(line, 2 + HOLDS_MAX + 1);
}
END_TEST

/* ---- ids --------------------------------------------------------------------------------------------------------- */

/* No number is given out twice, so that a script that comes late releases nobody else's. */
START_TEST(ids_are_used_once) {
        struct holds h = {};

        for (unsigned i = 1; i <= 4; i++) {
                ck_assert_int_eq(add(&h, "node:1", i == 4 ? 10 : 0, ""), 0);
                ck_assert_uint_eq(h.last_id, i);
        }
        ck_assert(!holds_remove(&h, 0));
        ck_assert(!holds_remove(&h, 5));
        ck_assert(holds_remove(&h, 2));
        ck_assert(!holds_remove(&h, 2));
        ck_assert_uint_eq(h.items[1].id, 3);
        ck_assert(holds_remove(&h, 3));
        pass_on(&h, 10); /* 4 is over */
        ck_assert_uint_eq(h.n, 1);
        ck_assert_int_eq(add(&h, "node:2", 0, ""), 0);
        ck_assert_uint_eq(h.items[1].id, 5);
        ck_assert(holds_remove(&h, 1));
        ck_assert(holds_remove(&h, 5));
        ck_assert_uint_eq(h.n, 0);
        pass_on(&h, 0);
        ck_assert_uint_eq(h.last_id, 5);
        h.last_id = UINT32_MAX;
        ck_assert_int_eq(add(&h, "node:2", 0, ""), -ENOSPC);
        ck_assert_uint_eq(h.last_id, UINT32_MAX);
        holds_done(&h);
}
END_TEST

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

static const struct {
        const char *selector, *reason;
} bad[] = {
        { "", "" }, { "nod:1", "" }, { "node:", "" }, { "node:x", "" }, { "source:nvdim", "" }, { "device:", "" },
        { "addr:8G-4G", "" }, { "5-3", "" },
        { "add:3", "" }, /* what is to come has no number yet */
        { "node:1 node:2", "" }, { "node:1\n", "" }, { "node:1\nend", "" }, { "device:a\tb", "" }, { " node:1", "" },
        { "device:a\x1b[2Jb", "" }, { "device:\xc3\xa9", "" }, { "device:a\x7f", "" },
        { "node:1", "one\ntwo" }, { "node:1", "\n" }, { "node:1", "a\rb" }, { "node:1", "a\tb" },
        { "node:1", "a\x1b]0;title\x07" }, { "node:1", "\x7f" }, { "node:1", "\xff" }, { "node:1", "caf\xc3\xa9" },
};

START_TEST(what_is_refused) {
        struct holds h = {};

        ck_assert_int_eq(add(&h, bad[_i].selector, 0, bad[_i].reason), -EINVAL);
        ck_assert(*error);
        ck_assert_uint_eq(h.n, 0);
        ck_assert_uint_eq(h.last_id, 0);
        holds_done(&h);
}
END_TEST

START_TEST(how_long_they_may_be) {
        char selector[HOLD_SELECTOR_MAX + 64], reason[HOLD_REASON_MAX + 64];
        struct holds h = {};

        for (size_t n = HOLD_REASON_MAX - 2; n < sizeof(reason); n++) {
                memset(reason, 'r', n);
                reason[n] = '\0';
                ck_assert_int_eq(add(&h, "all", 0, reason), n < HOLD_REASON_MAX ? 0 : -EINVAL);
        }
        /* "1,1,1,…" */
        for (size_t n = HOLD_SELECTOR_MAX - 3; n < sizeof(selector); n += 2) {
                for (size_t i = 0; i < n; i++)
                        selector[i] = i % 2 ? ',' : '1';
                selector[n] = '\0';
                ck_assert_int_eq(add(&h, selector, 0, "why"), n < HOLD_SELECTOR_MAX ? 0 : -EINVAL);
        }
        ck_assert_uint_eq(h.n, 4);
        pass_on(&h, 0);
        holds_done(&h);
}
END_TEST

/* ---- time -------------------------------------------------------------------------------------------------------- */

START_TEST(when_they_are_over) {
        struct holds h = {};
        struct block b = { .index = 32, .start = 32 * BLOCK_SIZE, .size = BLOCK_SIZE };

        ck_assert_uint_eq(holds_next_expiry(&h, 0), UINT64_MAX);
        ck_assert_int_eq(add(&h, "32", 0, ""), 0);
        ck_assert_uint_eq(holds_next_expiry(&h, 0), UINT64_MAX);
        ck_assert(!hold_is_over(&h.items[0], UINT64_MAX));
        ck_assert(holds_remove(&h, 1));
        ck_assert_int_eq(add(&h, "32", 300, ""), 0);
        ck_assert_int_eq(add(&h, "32", 100, ""), 0);
        ck_assert_int_eq(add(&h, "32", 200, ""), 0);

        ck_assert_uint_eq(holds_next_expiry(&h, 0), 100);
        ck_assert_uint_eq(holds_next_expiry(&h, 99), 100);
        ck_assert_uint_eq(holds_next_expiry(&h, 100), 200);
        ck_assert_uint_eq(holds_next_expiry(&h, 299), 300);
        ck_assert_uint_eq(holds_next_expiry(&h, 300), UINT64_MAX);
        ck_assert(!hold_is_over(&h.items[0], 299));
        ck_assert(hold_is_over(&h.items[0], 300));
        ck_assert_uint_eq(holds_find(&h, &b, BLOCK_SIZE, 299)->id, 2);
        ck_assert_ptr_null(holds_find(&h, &b, BLOCK_SIZE, 300));

        check_text(&h, 99, HEAD "last 4\nhold 2 300 32\nhold 3 100 32\nhold 4 200 32\nend\n");
        check_text(&h, 100, HEAD "last 4\nhold 2 300 32\nhold 4 200 32\nend\n");
        check_text(&h, 300, HEAD "last 4\nend\n");
        holds_done(&h);
}
END_TEST

/* ---- which blocks ------------------------------------------------------------------------------------------------ */

static const struct {
        const char *selector;
        bool found;
} finds[] = {
        { "all", true },
        { "33", true }, { "30-40", true }, { "40-", false }, { "32", false },
        { "device:PNP0C80:01", true }, { "device:PNP0C80:02", false },
        { "node:1", true }, { "node:0-3", true }, { "node:0,2", false },
        { "source:dimm", true }, { "source:pmem,dimm", true }, { "source:pmem", false },
        { "addr:4G-8G", true }, { "addr:0-4G", false }, { "addr:0x108000000-0x108000001", true },
};

START_TEST(found_by_each_kind) {
        struct block b = { .index = 33, .start = 33 * BLOCK_SIZE, .size = BLOCK_SIZE, .source = SOURCE_DIMM,
                           .device = "PNP0C80:01" };
        struct holds h = {};

        node_set_add(&b.nodes, 1);
        ck_assert_int_eq(add(&h, finds[_i].selector, 0, ""), 0);
        ck_assert_int_eq(holds_find(&h, &b, BLOCK_SIZE, 0) != NULL, finds[_i].found);
        pass_on(&h, 0);
        ck_assert_int_eq(holds_find(&h, &b, BLOCK_SIZE, 0) != NULL, finds[_i].found);
        holds_done(&h);
}
END_TEST

int main(void) {
        Suite *s = suite_create("holds");
        TCase *c;

        c = check_case(s, "file");
        tcase_add_test(c, there_and_back);
        tcase_add_test(c, every_truncation_is_refused);
        tcase_add_loop_test(c, garbage_is_refused, 0, ARRAY_SIZE(garbage));
        tcase_add_test(c, nul_bytes_are_refused);
        tcase_add_test(c, damage_is_survived);
        tcase_add_test(c, no_more_than_there_may_be);
        c = check_case(s, "ids");
        tcase_add_test(c, ids_are_used_once);
        c = check_case(s, "asked");
        tcase_add_loop_test(c, what_is_refused, 0, ARRAY_SIZE(bad));
        tcase_add_test(c, how_long_they_may_be);
        c = check_case(s, "time");
        tcase_add_test(c, when_they_are_over);
        c = check_case(s, "find");
        tcase_add_loop_test(c, found_by_each_kind, 0, ARRAY_SIZE(finds));
        return check_run(s);
}
