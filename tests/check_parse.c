/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/parse.h"

#include <inttypes.h>

#include "check_util.h"

#define CANARY UINT64_C(0xdeadbeefcafef00d)

struct row {
        const char *text;
        int r;
        uint64_t value;
};

/* The value and 0, or the error and an untouched result. */
static void check_u64(int (*parse)(const char *s, uint64_t *ret), const struct row *row) {
        uint64_t value = CANARY;
        int r = parse(row->text, &value);

        ck_assert_msg(r == row->r, "\"%s\": %d instead of %d", row->text, r, row->r);
        ck_assert_msg(value == (row->r < 0 ? CANARY : row->value), "\"%s\": %" PRIu64, row->text, value);
}

static const struct row u64_rows[] = {
        { "0", 0, 0 },
        { "1", 0, 1 },
        { "007", 0, 7 },
        { "4096", 0, 4096 },
        { "4294967295", 0, UINT32_MAX },
        { "4294967296", 0, UINT64_C(4294967296) },
        { "9223372036854775807", 0, INT64_MAX },
        { "9223372036854775808", 0, (uint64_t) INT64_MAX + 1 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "00000000000000000000000000000018446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "18446744073709551620", -ERANGE, 0 },
        { "28446744073709551615", -ERANGE, 0 },
        { "99999999999999999999", -ERANGE, 0 },
        { "340282366920938463463374607431768211456", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { " ", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "\t1", -EINVAL, 0 },
        { "1\n", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "-0", -EINVAL, 0 },
        { "1-", -EINVAL, 0 },
        { "1.0", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "ff", -EINVAL, 0 },
        { "1K", -EINVAL, 0 },
        { "1,000", -EINVAL, 0 },
        { "1_000", -EINVAL, 0 },
        { "\xd9\xa1", -EINVAL, 0 }, /* a digit, but an Arabic one */
        { "\xff", -EINVAL, 0 },
};

START_TEST(test_u64) {
        check_u64(parse_u64, &u64_rows[_i]);
}
END_TEST

static const struct row u32_rows[] = {
        { "0", 0, 0 },
        { "4294967295", 0, UINT32_MAX },
        { "4294967296", -ERANGE, 0 },
        { "8589934592", -ERANGE, 0 }, /* 0 in 32 bits */
        { "18446744073709551615", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "1x", -EINVAL, 0 },
};

START_TEST(test_u32) {
        const struct row *row = &u32_rows[_i];
        uint32_t value = 12345;

        ck_assert_int_eq(parse_u32(row->text, &value), row->r);
        ck_assert_uint_eq(value, row->r < 0 ? 12345 : row->value);
}
END_TEST

static const struct row hex_rows[] = {
        { "0", 0, 0 },
        { "8000000", 0, 0x8000000 },
        { "0x8000000", 0, 0x8000000 },
        { "0X8000000", 0, 0x8000000 },
        { "deadBEEF", 0, 0xdeadbeef },
        { "0xffffffffffffffff", 0, UINT64_MAX },
        { "ffffffffffffffff", 0, UINT64_MAX },
        { "0000000000000000ffffffffffffffff", 0, UINT64_MAX },
        { "10000000000000000", -ERANGE, 0 },
        { "0x1ffffffffffffffff", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "0x", -EINVAL, 0 },
        { "x1", -EINVAL, 0 },
        { "0x0x1", -EINVAL, 0 },
        { "00x1", -EINVAL, 0 },
        { "g", -EINVAL, 0 },
        { "1g", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "1\n", -EINVAL, 0 },
        { "0x 1", -EINVAL, 0 },
};

START_TEST(test_hex) {
        check_u64(parse_hex, &hex_rows[_i]);
}
END_TEST

static const struct row size_rows[] = {
        { "0", 0, 0 },
        { "4096", 0, 4096 },
        { "4096B", 0, 4096 },
        { "1K", 0, 1024 },
        { "1KB", 0, 1024 },
        { "1KiB", 0, 1024 },
        { "1M", 0, UINT64_C(1) << 20 },
        { "8G", 0, UINT64_C(8) << 30 },
        { "8GB", 0, UINT64_C(8) << 30 },
        { "8GiB", 0, UINT64_C(8) << 30 },
        { "3T", 0, UINT64_C(3) << 40 },
        { "2P", 0, UINT64_C(2) << 50 },
        { "15E", 0, UINT64_C(15) << 60 },
        { "0E", 0, 0 },
        { "0x1000", 0, 0x1000 },
        { "0X1000", 0, 0x1000 },
        { "0x10K", 0, 0x10 << 10 },
        { "0x10GiB", 0, UINT64_C(0x10) << 30 },
        { "0x1E", 0, 0x1E }, /* in a hexadecimal number E and B are digits */
        { "0x1B", 0, 0x1B },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18014398509481983K", 0, UINT64_C(18014398509481983) << 10 },
        { "18014398509481984K", -ERANGE, 0 },
        { "17179869183G", 0, UINT64_C(17179869183) << 30 },
        { "17179869184G", -ERANGE, 0 },
        { "16E", -ERANGE, 0 },
        { "16EiB", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "0x10000000000000000", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "G", -EINVAL, 0 },
        { "B", -EINVAL, 0 },
        { "iB", -EINVAL, 0 },
        { "0x", -EINVAL, 0 },
        { "0xG", -EINVAL, 0 },
        { "8i", -EINVAL, 0 },
        { "8iB", -EINVAL, 0 },
        { "8Gi", -EINVAL, 0 },
        { "8BB", -EINVAL, 0 },
        { "8GBB", -EINVAL, 0 },
        { "8BG", -EINVAL, 0 },
        { "8GG", -EINVAL, 0 },
        { "8GiBi", -EINVAL, 0 },
        { "8Z", -EINVAL, 0 },
        { "8 G", -EINVAL, 0 },
        { " 8G", -EINVAL, 0 },
        { "8G ", -EINVAL, 0 },
        { "-8G", -EINVAL, 0 },
        { "+8G", -EINVAL, 0 },
        { "1.5G", -EINVAL, 0 },
        { "8,5G", -EINVAL, 0 },
};

START_TEST(test_size) {
        check_u64(parse_size, &size_rows[_i]);
}
END_TEST

static const struct row time_rows[] = {
        { "0", 0, 0 },
        { "1", 0, 1000000 },
        { "0us", 0, 0 },
        { "7us", 0, 7 },
        { "200ms", 0, 200000 },
        { "30s", 0, 30000000 },
        { "10min", 0, UINT64_C(600000000) },
        { "2h", 0, UINT64_C(7200000000) },
        { "18446744073709551615us", 0, UINT64_MAX },
        { "18446744073709s", 0, UINT64_C(18446744073709000000) },
        { "18446744073710s", -ERANGE, 0 },
        { "18446744073710", -ERANGE, 0 },
        { "18446744073709551616us", -ERANGE, 0 },
        { "18446744073709552ms", -ERANGE, 0 },
        { "307445734562min", -ERANGE, 0 },
        { "5124095577h", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { "ms", -EINVAL, 0 },
        { "1 s", -EINVAL, 0 },
        { " 1s", -EINVAL, 0 },
        { "1s ", -EINVAL, 0 },
        { "-1s", -EINVAL, 0 },
        { "1.5s", -EINVAL, 0 },
        { "1m", -EINVAL, 0 }, /* minutes or milliseconds? */
        { "1d", -EINVAL, 0 },
        { "1S", -EINVAL, 0 },
        { "1min30s", -EINVAL, 0 },
        { "1usec", -EINVAL, 0 },
        { "off", -EINVAL, 0 },
        { "0x10s", -EINVAL, 0 },
};

START_TEST(test_time) {
        check_u64(parse_time, &time_rows[_i]);
}
END_TEST

/* What is printed is read back. */
START_TEST(test_numbers_round_trip) {
        struct prng p = { 1 };

        for (unsigned i = 0; i < 20000; i++) {
                uint64_t wanted = prng_number(&p), got;
                char text[32];

                snprintf(text, sizeof(text), "%" PRIu64, wanted);
                ck_assert_int_eq(parse_u64(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
                ck_assert_int_eq(parse_size(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
                snprintf(text, sizeof(text), i % 2 ? "%" PRIx64 : "%" PRIX64, wanted);
                ck_assert_int_eq(parse_hex(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
                snprintf(text, sizeof(text), "%#" PRIx64, wanted);
                ck_assert_int_eq(parse_hex(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
                ck_assert_int_eq(parse_size(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
                snprintf(text, sizeof(text), "%" PRIu64 "us", wanted);
                ck_assert_int_eq(parse_time(text, &got), 0);
                ck_assert_uint_eq(got, wanted);
        }
}
END_TEST

/* No byte but a digit may stand anywhere in a decimal number. */
START_TEST(test_every_stray_byte) {
        for (unsigned c = 1; c < 256; c++)
                for (size_t at = 0; at <= 3; at++) {
                        char text[] = "123?";
                        uint64_t value = CANARY;

                        memmove(text + at + 1, text + at, 3 - at);
                        text[at] = (char) c;
                        ck_assert_int_eq(parse_u64(text, &value), c >= '0' && c <= '9' ? 0 : -EINVAL);
                        ck_assert(c >= '0' && c <= '9' ? value != CANARY : value == CANARY);
                }
}
END_TEST

/* The bounded ones look at nothing beyond their bound, and a NUL within it is a byte like others. */
START_TEST(test_bounded) {
        char *digits = check_copy("1234", 4), *nul = check_copy("1\0002", 3);
        uint64_t value = CANARY;

        ck_assert_int_eq(parse_u64n(digits, 0, &value), -EINVAL);
        ck_assert_uint_eq(value, CANARY);
        ck_assert_int_eq(parse_u64n(digits, 3, &value), 0);
        ck_assert_uint_eq(value, 123);
        ck_assert_int_eq(parse_u64n(digits, 4, &value), 0);
        ck_assert_uint_eq(value, 1234);
        ck_assert_int_eq(parse_hexn(digits, 2, &value), 0);
        ck_assert_uint_eq(value, 0x12);
        value = CANARY;
        ck_assert_int_eq(parse_hexn(digits, 0, &value), -EINVAL);
        ck_assert_int_eq(parse_hexn("0x12", 4, &value), -EINVAL);
        ck_assert_int_eq(parse_u64n(nul, 3, &value), -EINVAL);
        ck_assert_int_eq(parse_hexn(nul, 3, &value), -EINVAL);
        ck_assert_uint_eq(value, CANARY);
        free(digits);
        free(nul);
}
END_TEST

#define N RANGES_NUMBERS
#define S RANGES_SIZES
#define I RANGES_SIZES_INCLUSIVE
#define GIB(n) (UINT64_C(n) << 30)

static const struct {
        const char *text;
        enum ranges_form form;
        int r;
        size_t n;
        struct range items[4];
} ranges_rows[] = {
        { "0", N, 0, 1, { { 0, 0 } } },
        { "32-63,70", N, 0, 2, { { 32, 63 }, { 70, 70 } } },
        { "5-5", N, 0, 1, { { 5, 5 } } },
        { "7-", N, 0, 1, { { 7, UINT64_MAX } } },
        { "0-18446744073709551615", N, 0, 1, { { 0, UINT64_MAX } } },
        { "18446744073709551615-", N, 0, 1, { { UINT64_MAX, UINT64_MAX } } },
        { "9,1-3,2-8,9", N, 0, 4, { { 9, 9 }, { 1, 3 }, { 2, 8 }, { 9, 9 } } }, /* in the order written */
        { "3-,1", N, 0, 2, { { 3, UINT64_MAX }, { 1, 1 } } },
        { "4G-8G", S, 0, 1, { { GIB(4), GIB(8) - 1 } } },
        { "4G-8G", I, 0, 1, { { GIB(4), GIB(8) } } },
        { "0-4G,8G-", S, 0, 2, { { 0, GIB(4) - 1 }, { GIB(8), UINT64_MAX } } },
        { "0-1", S, 0, 1, { { 0, 0 } } },
        { "16G-", I, 0, 1, { { GIB(16), UINT64_MAX } } },
        { "16G", I, 0, 1, { { GIB(16), GIB(16) } } },
        { "4G-4G", I, 0, 1, { { GIB(4), GIB(4) } } },
        { "0-0", I, 0, 1, { { 0, 0 } } },
        { "0x100000000-0x200000000", S, 0, 1, { { GIB(4), GIB(8) - 1 } } },
        { "1GiB-2GB,4096B", I, 0, 2, { { GIB(1), GIB(2) }, { 4096, 4096 } } },

        { "", N, -EINVAL, 0, {} },
        { ",", N, -EINVAL, 0, {} },
        { "1,", N, -EINVAL, 0, {} },
        { ",1", N, -EINVAL, 0, {} },
        { "1,,2", N, -EINVAL, 0, {} },
        { "-", N, -EINVAL, 0, {} },
        { "-5", N, -EINVAL, 0, {} },
        { "5--7", N, -EINVAL, 0, {} },
        { "1-2-3", N, -EINVAL, 0, {} },
        { "7-6", N, -EINVAL, 0, {} },
        { "1,2,7-6", N, -EINVAL, 0, {} },
        { "1, 2", N, -EINVAL, 0, {} },
        { " 1", N, -EINVAL, 0, {} },
        { "1 ", N, -EINVAL, 0, {} },
        { "1 - 2", N, -EINVAL, 0, {} },
        { "1;2", N, -EINVAL, 0, {} },
        { "all", N, -EINVAL, 0, {} },
        { "4G", N, -EINVAL, 0, {} },
        { "0x10", N, -EINVAL, 0, {} },
        { "18446744073709551616", N, -ERANGE, 0, {} },
        { "1-18446744073709551616", N, -ERANGE, 0, {} },
        { "", S, -EINVAL, 0, {} },
        { "4G-4G", S, -EINVAL, 0, {} }, /* holds nothing */
        { "0-0", S, -EINVAL, 0, {} },
        { "8G-4G", S, -EINVAL, 0, {} },
        { "8G-4G", I, -EINVAL, 0, {} },
        { "4X-8X", S, -EINVAL, 0, {} },
        { "4G-8Gi", S, -EINVAL, 0, {} },
        { "16E-", S, -ERANGE, 0, {} },
        { "0-16E", I, -ERANGE, 0, {} },
};

START_TEST(test_ranges) {
        struct range canary;
        struct ranges ranges = { .items = &canary, .n = 99 };
        int r = parse_ranges(ranges_rows[_i].text, ranges_rows[_i].form, &ranges);

        ck_assert_msg(r == ranges_rows[_i].r, "\"%s\": %d instead of %d", ranges_rows[_i].text, r, ranges_rows[_i].r);
        if (r < 0) {
                ck_assert_ptr_eq(ranges.items, &canary);
                ck_assert_uint_eq(ranges.n, 99);
                return;
        }
        ck_assert_uint_eq(ranges.n, ranges_rows[_i].n);
        for (size_t i = 0; i < ranges.n; i++) {
                ck_assert_uint_eq(ranges.items[i].first, ranges_rows[_i].items[i].first);
                ck_assert_uint_eq(ranges.items[i].last, ranges_rows[_i].items[i].last);
        }
        ranges_done(&ranges);
        ck_assert_ptr_null(ranges.items);
        ck_assert_uint_eq(ranges.n, 0);
}
END_TEST

START_TEST(test_ranges_membership) {
        struct ranges none = {}, r;

        ck_assert(!ranges_contain(&none, 0));
        ck_assert_int_eq(parse_ranges("32-63,70,18446744073709551615", RANGES_NUMBERS, &r), 0);
        for (uint64_t v = 0; v < 200; v++)
                ck_assert_int_eq(ranges_contain(&r, v), (v >= 32 && v <= 63) || v == 70);
        ck_assert(ranges_contain(&r, UINT64_MAX));
        ck_assert(!ranges_contain(&r, UINT64_MAX - 1));
        ranges_done(&r);
        ranges_done(&r); /* done twice is done */
        ck_assert_int_eq(parse_ranges("4G-8G", RANGES_SIZES, &r), 0);
        ck_assert(!ranges_contain(&r, GIB(4) - 1));
        ck_assert(ranges_contain(&r, GIB(4)));
        ck_assert(ranges_contain(&r, GIB(8) - 1));
        ck_assert(!ranges_contain(&r, GIB(8)));
        ranges_done(&r);
}
END_TEST

/* Longer than any array's first allocation; and an error at the very end. */
START_TEST(test_ranges_many) {
        enum { COUNT = 5000 };
        char *text = malloc(COUNT * 8), *p = text;
        struct ranges r = { .n = 7 };

        ck_assert_ptr_nonnull(text);
        for (unsigned i = 0; i < COUNT; i++)
                p += sprintf(p, "%s%u", i ? "," : "", i * 2);
        ck_assert_int_eq(parse_ranges(text, RANGES_NUMBERS, &r), 0);
        ck_assert_uint_eq(r.n, COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
                ck_assert_uint_eq(r.items[i].first, i * 2);
                ck_assert_uint_eq(r.items[i].last, i * 2);
        }
        ranges_done(&r);
        strcpy(p, ",x");
        ck_assert_int_eq(parse_ranges(text, RANGES_NUMBERS, &r), -EINVAL);
        ck_assert_ptr_null(r.items);
        free(text);
}
END_TEST

static const struct {
        const char *text;
        size_t size;
        size_t n;
        const char *lines[4];
        int end; /* what follows the lines */
} lines_rows[] = {
        { "", 0, 0, {}, 0 },
        { "\n", 1, 1, { "" }, 0 },
        { "a\n", 2, 1, { "a" }, 0 },
        { "a\nbc\n", 5, 2, { "a", "bc" }, 0 },
        { "\n\nx\n\n", 5, 4, { "", "", "x", "" }, 0 },
        { " a \n", 4, 1, { " a " }, 0 },
        { "a\r\n", 3, 1, { "a\r" }, 0 },
        { "a", 1, 0, {}, -EBADMSG },
        { "a\nb", 3, 1, { "a" }, -EBADMSG },
        { "\0\n", 2, 0, {}, -EBADMSG },
        { "a\nb\0c\nd\n", 8, 1, { "a" }, -EBADMSG },
        { "a\n\0", 3, 1, { "a" }, -EBADMSG },
        { "a\n", 1, 0, {}, -EBADMSG }, /* the newline lies beyond the end */
};

START_TEST(test_lines) {
        char *text = check_copy(lines_rows[_i].text, lines_rows[_i].size);
        const char *line = NULL, *before;
        size_t size = 99;
        struct lines l;

        lines_init(&l, text, lines_rows[_i].size);
        for (size_t i = 0; i < lines_rows[_i].n; i++) {
                ck_assert_int_eq(lines_next(&l, &line, &size), 1);
                ck_assert_uint_eq(l.number, i + 1);
                ck_assert_uint_eq(size, strlen(lines_rows[_i].lines[i]));
                ck_assert_mem_eq(line, lines_rows[_i].lines[i], size);
                ck_assert(line >= text);
                ck_assert(line + size <= text + lines_rows[_i].size);
        }
        before = line;
        size = 99;
        ck_assert_int_eq(lines_next(&l, &line, &size), lines_rows[_i].end);
        ck_assert_ptr_eq(line, before);
        ck_assert_uint_eq(size, 99);
        /* the error names the line it is in; the end none beyond the last */
        ck_assert_uint_eq(l.number, lines_rows[_i].n + (lines_rows[_i].end < 0));
        free(text);
}
END_TEST

static const struct {
        const char *text;
        size_t n;
        const char *words[4];
} words_rows[] = {
        { "", 0, {} },
        { " ", 0, {} },
        { " \t ", 0, {} },
        { "a", 1, { "a" } },
        { "  a", 1, { "a" } },
        { "a  ", 1, { "a" } },
        { "Node 0, zone", 3, { "Node", "0,", "zone" } },
        { "\ta\t b \tc", 3, { "a", "b", "c" } },
        { "a\nb c", 2, { "a\nb", "c" } },
        { "\xff\x01 b", 2, { "\xff\x01", "b" } },
};

START_TEST(test_words) {
        size_t length = strlen(words_rows[_i].text), size = 99;
        char *text = check_copy(words_rows[_i].text, length);
        const char *p = text, *end = text + length, *word = NULL, *before;

        for (size_t i = 0; i < words_rows[_i].n; i++) {
                ck_assert(word_next(&p, end, &word, &size));
                ck_assert_uint_eq(size, strlen(words_rows[_i].words[i]));
                ck_assert_mem_eq(word, words_rows[_i].words[i], size);
                ck_assert_ptr_eq(p, word + size);
        }
        before = word;
        size = 99;
        ck_assert(!word_next(&p, end, &word, &size));
        ck_assert_ptr_eq(word, before);
        ck_assert_uint_eq(size, 99);
        free(text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("parse");
        TCase *c;

        c = check_case(s, "numbers");
        tcase_add_loop_test(c, test_u64, 0, ARRAY_SIZE(u64_rows));
        tcase_add_loop_test(c, test_u32, 0, ARRAY_SIZE(u32_rows));
        tcase_add_loop_test(c, test_hex, 0, ARRAY_SIZE(hex_rows));
        tcase_add_loop_test(c, test_size, 0, ARRAY_SIZE(size_rows));
        tcase_add_loop_test(c, test_time, 0, ARRAY_SIZE(time_rows));
        tcase_add_test(c, test_numbers_round_trip);
        tcase_add_test(c, test_every_stray_byte);
        tcase_add_test(c, test_bounded);

        c = check_case(s, "ranges");
        tcase_add_loop_test(c, test_ranges, 0, ARRAY_SIZE(ranges_rows));
        tcase_add_test(c, test_ranges_membership);
        tcase_add_test(c, test_ranges_many);

        c = check_case(s, "lines and words");
        tcase_add_loop_test(c, test_lines, 0, ARRAY_SIZE(lines_rows));
        tcase_add_loop_test(c, test_words, 0, ARRAY_SIZE(words_rows));
        return check_run(s);
}
