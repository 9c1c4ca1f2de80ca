/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Strict text to value. The whole text must be consumed: no leading blanks, no signs, no trailing characters.
 * All functions return 0, -EINVAL (not of the form) or -ERANGE (does not fit), and leave the result untouched
 * on failure. Pure, except that lists allocate. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

int parse_u64(const char *s, uint64_t *ret);
int parse_u32(const char *s, uint32_t *ret);

/* Hexadecimal, with or without 0x: /sys/devices/system/memory/block_size_bytes prints none. */
int parse_hex(const char *s, uint64_t *ret);

/* Bytes: "4096", "8G", "0x1000", suffixes K M G T P E (powers of 1024), optionally followed by "iB" or "B". */
int parse_size(const char *s, uint64_t *ret);

/* Microseconds: a number and one of us ms s min h; a bare number is seconds. */
int parse_time(const char *s, uint64_t *ret);

/* Closed intervals, in the order written. */
struct range {
        uint64_t first, last;
};

struct ranges {
        struct range *items;
        size_t n;
};

enum ranges_form {
        RANGES_NUMBERS,         /* "32-63,70": both ends belong to the range */
        RANGES_SIZES,           /* "4G-8G" as sizes or addresses: the end does not belong to it (4G to 8G - 1) */
        RANGES_SIZES_INCLUSIVE, /* the same, but the end belongs to it: device sizes */
};

/* "A", "A-B", "A-" (no upper bound), separated by commas. An empty list or a reversed range is -EINVAL. */
int parse_ranges(const char *s, enum ranges_form form, struct ranges *ret);

/* Inline: a decision asks it of every condition of every rule. */
static inline bool ranges_contain(const struct ranges *r, uint64_t value) {
        for (size_t i = 0; i < r->n; i++)
                if (value - r->items[i].first <= r->items[i].last - r->items[i].first)
                        return true;
        return false;
}

void ranges_done(struct ranges *r);

/* Walk a text buffer line by line without copying. Lines end with '\n'. */
struct lines {
        const char *next, *end;
        unsigned number; /* of the line last returned, from 1 */
};

void lines_init(struct lines *l, const char *text, size_t size);
/* 1: a line (not NUL-terminated, without its '\n') · 0: end of the text · -EBADMSG: the text ends within a line, or
 * the line holds a NUL byte. */
int lines_next(struct lines *l, const char **ret_line, size_t *ret_size);

/* Take the next word of blanks-separated words off [*p, end). False at the end. */
bool word_next(const char **p, const char *end, const char **ret_word, size_t *ret_size);

/* Is [s, s + n) this very word? */
bool span_is(const char *s, size_t n, const char *expected) _pure_;

/* Digits of [s, s + n) only: 0, -EINVAL, -ERANGE. */
int parse_u64n(const char *s, size_t n, uint64_t *ret);
int parse_hexn(const char *s, size_t n, uint64_t *ret);
