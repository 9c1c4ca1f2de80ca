/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/format.h"

#include "check_util.h"

#define K UINT64_C(1024)
#define M (1024 * K)
#define G (1024 * M)
#define T (1024 * G)
#define P (1024 * T)
#define E (1024 * P)

static const struct {
        uint64_t bytes;
        const char *text;
} rows[] = {
        { 0, "0 B" },
        { 1, "1 B" },
        { 1023, "1023 B" },
        { 1024, "1 KiB" },
        { 1025, "1 KiB" },
        { 1126, "1 KiB" },   /* 1.0996…: cut, not rounded */
        { 1127, "1.1 KiB" },
        { 1536, "1.5 KiB" },
        { 2047, "1.9 KiB" },
        { 2048, "2 KiB" },
        { M - 1, "1023.9 KiB" },
        { M, "1 MiB" },
        { 128 * M, "128 MiB" },
        { 2046 * M, "1.9 GiB" },
        { G - 1, "1023.9 MiB" },
        { G, "1 GiB" },
        { G + 1, "1 GiB" },
        { 3 * G / 2, "1.5 GiB" },
        { 15 * 128 * M, "1.8 GiB" },
        { 64 * G, "64 GiB" },
        { T - 1, "1023.9 GiB" },
        { T, "1 TiB" },
        { 5 * T / 2, "2.5 TiB" },
        { P - 1, "1023.9 TiB" },
        { P, "1 PiB" },
        { E - 1, "1023.9 PiB" },
        { E, "1 EiB" },
        { 3 * E / 2, "1.5 EiB" },
        { UINT64_MAX, "15.9 EiB" },
};

START_TEST(test_format) {
        char buf[FORMAT_SIZE_MAX];

        ck_assert_ptr_eq(format_size(rows[_i].bytes, buf), buf);
        ck_assert_str_eq(buf, rows[_i].text);
}
END_TEST

/* Of any number: it fits, and what it says is not more than there is, nor below it by more than a tenth and a bit: only
 * the first ten bits of the rest are looked at. */
START_TEST(test_any) {
        static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        struct prng prng = { 3 };

        for (int i = 0; i < 200000; i++) {
                char *buf = malloc(FORMAT_SIZE_MAX), unit[4]; /* the sanitizers see the byte behind it */
                uint64_t bytes = prng_number(&prng);
                unsigned whole, tenths = 0, u = 0;
                unsigned __int128 said, is = (unsigned __int128) bytes * 10;

                ck_assert_ptr_nonnull(buf);
                format_size(bytes, buf);
                ck_assert_uint_lt(strnlen(buf, FORMAT_SIZE_MAX), FORMAT_SIZE_MAX);
                if (sscanf(buf, "%u.%u %3s", &whole, &tenths, unit) != 3)
                        ck_assert_int_eq(sscanf(buf, "%u %3s", &whole, unit), 2);
                while (u < ARRAY_SIZE(units) && strcmp(units[u], unit) != 0)
                        u++;
                ck_assert_uint_lt(u, ARRAY_SIZE(units));
                ck_assert_uint_lt(whole, 1024);
                ck_assert(whole > 0 || u == 0);
                ck_assert_uint_le(tenths, 9);
                said = ((unsigned __int128) whole * 10 + tenths) << (10 * u);
                ck_assert_msg(said <= is && is - said < ((unsigned __int128) 1024 + 10) << (10 * u) >> 10, "%s", buf);
                free(buf);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("format");
        TCase *c = check_case(s, "sizes");

        tcase_add_loop_test(c, test_format, 0, ARRAY_SIZE(rows));
        tcase_add_test(c, test_any);
        return check_run(s);
}
