/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus-internal.h"

#include "check_util.h"

/* What may be said on a bus, and the names of objects. */

static const struct {
        const char *text;
        bool good;
} texts[] = {
        { "", true }, /* which is nothing to pass on, either */
        { "dax0.0", true },
        { "rule \"dimms\" (/etc/memhp/memhpd.conf:3)", true },
        { "\xc3\xbc", true },             /* ü */
        { "a\xe2\x82\xac", true },        /* € */
        { "\xf0\x9f\x98\x80z", true },    /* beyond 16 bits */
        { "\xf4\x8f\xbf\xbd", true },     /* the last there is */
        { "\xf4\x8f\xbf\xbf", false },    /* which are none */
        { "\xef\xb7\x90", false },
        { "\xc2\xa0", true },
        { "\xed\x9f\xbf\xee\x80\x80", true },
        { "a\nb", false },
        { "\x01", false },
        { "\x7f", false },
        { "\xc2\x85", false },            /* control characters have two bytes, too */
        { "\xc2\x9f", false },
        { "\x80", false },
        { "\xbf", false },
        { "\xc3", false },                /* cut */
        { "\xc3z", false },
        { "\xe2\x82", false },
        { "\xf0\x9f\x98", false },
        { "\xc0\xaf", false },            /* longer than need be */
        { "\xc1\xbf", false },
        { "\xe0\x9f\xbf", false },
        { "\xf0\x8f\xbf\xbf", false },
        { "\xed\xa0\x80", false },        /* surrogates */
        { "\xed\xbf\xbf", false },
        { "\xf4\x90\x80\x80", false },    /* beyond Unicode */
        { "\xf8\x88\x80\x80\x80", false },
        { "\xff", false },
        { "good\xff", false },
};

START_TEST(a_text) {
        char *copy = check_copy(texts[_i].text, strlen(texts[_i].text) + 1);

        ck_assert_str_eq(bus_text(copy), texts[_i].good ? texts[_i].text : "");
        free(copy);
}
END_TEST

/* sd-bus takes whatever we call text: else it refuses the message as a whole. */
START_TEST(any_text) {
        struct prng prng = { 5 + (unsigned) _i };
        sd_bus *bus;
        unsigned n_good = 0;

        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, "unix:path=/nowhere"), 0);
        ck_assert_int_ge(sd_bus_set_watch_bind(bus, true), 0);
        (void) sd_bus_start(bus);
        for (unsigned round = 0; round < 20000; round++) {
                static const unsigned char leads[] = { 0x20, 0x7e, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5 };
                sd_bus_message *m = NULL;
                char s[6] = "";

                for (size_t i = 0; i < sizeof(s) - 1; i++)
                        s[i] = (char) (prng_below(&prng, 3) ? 0x80 + prng_below(&prng, 64)
                                                            : leads[prng_below(&prng, sizeof(leads))]);
                s[0] = (char) leads[prng_below(&prng, sizeof(leads))];
                s[1 + prng_below(&prng, 5)] = '\0';
                if (!*bus_text(s))
                        continue;
                n_good++;
                ck_assert_int_ge(sd_bus_message_new_signal(bus, &m, "/", "a.b", "C"), 0);
                ck_assert_int_ge(sd_bus_message_append(m, "s", s), 0);
                sd_bus_message_unref(m);
        }
        ck_assert_uint_gt(n_good, 200);
        sd_bus_close_unref(bus);
}
END_TEST

static const struct {
        const char *path, *kind;
        int64_t number; /* -1: none */
} paths[] = {
        { "/org/memhp1/block/0", "block", 0 },
        { "/org/memhp1/block/32", "block", 32 },
        { "/org/memhp1/block/4294967295", "block", UINT32_MAX },
        { "/org/memhp1/job/7", "job", 7 },
        { "/org/memhp1/block/4294967296", "block", -1 },
        { "/org/memhp1/block/032", "block", -1 },
        { "/org/memhp1/block/00", "block", -1 },
        { "/org/memhp1/block/-1", "block", -1 },
        { "/org/memhp1/block/", "block", -1 },
        { "/org/memhp1/block", "block", -1 },
        { "/org/memhp1/block/1/2", "block", -1 },
        { "/org/memhp1/block/0x1", "block", -1 },
        { "/org/memhp1/blocks/1", "block", -1 },
        { "/org/memhp1/job/7", "block", -1 },
        { "/org/memhp2/block/1", "block", -1 },
        { "/", "block", -1 },
};

START_TEST(a_path) {
        char text[BUS_PATH_MAX];
        uint32_t number = 77;

        ck_assert_int_eq(bus_path_number(paths[_i].path, paths[_i].kind, &number), paths[_i].number >= 0);
        ck_assert_uint_eq(number, paths[_i].number >= 0 ? (uint32_t) paths[_i].number : 77);
        if (paths[_i].number >= 0)
                ck_assert_str_eq(bus_number_path(paths[_i].kind, number, text), paths[_i].path);
}
END_TEST

int main(void) {
        Suite *s = suite_create("bus-text");
        TCase *c = check_case(s, "text");

        tcase_add_loop_test(c, a_text, 0, ARRAY_SIZE(texts));
        tcase_add_loop_test(c, any_text, 0, 3);
        tcase_add_loop_test(c, a_path, 0, ARRAY_SIZE(paths));
        return check_run(s);
}
