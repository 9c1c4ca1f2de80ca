/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int digit_value(char c, unsigned base) {
        int v;

        if (c >= '0' && c <= '9')
                v = c - '0';
        else if (c >= 'a' && c <= 'f')
                v = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
                v = c - 'A' + 10;
        else
                return -1;
        return (unsigned) v < base ? v : -1;
}

/* Consume digits at *p up to end; at least one. */
static int take_digits(const char **p, const char *end, unsigned base, uint64_t *ret) {
        uint64_t value = 0;
        const char *s = *p;
        int d;

        for (; s < end && (d = digit_value(*s, base)) >= 0; s++)
                if (__builtin_mul_overflow(value, (uint64_t) base, &value) ||
                    __builtin_add_overflow(value, (uint64_t) d, &value))
                        return -ERANGE;
        if (s == *p)
                return -EINVAL;
        *p = s;
        *ret = value;
        return 0;
}

static int parse_digits(const char *s, size_t n, unsigned base, uint64_t *ret) {
        const char *p = s;
        uint64_t value;
        int r;

        r = take_digits(&p, s + n, base, &value);
        if (r < 0)
                return r;
        if (p != s + n)
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_u64n(const char *s, size_t n, uint64_t *ret) {
        uint64_t value = 0;

        if (n == 0 || n > 19) /* so many may overflow */
                return parse_digits(s, n, 10, ret);
        for (size_t i = 0; i < n; i++) {
                unsigned digit = (unsigned) (s[i] - '0');

                if (digit > 9)
                        return -EINVAL;
                value = value * 10 + digit;
        }
        *ret = value;
        return 0;
}

int parse_hexn(const char *s, size_t n, uint64_t *ret) {
        return parse_digits(s, n, 16, ret);
}

int parse_u64(const char *s, uint64_t *ret) {
        return parse_u64n(s, strlen(s), ret);
}

int parse_u32(const char *s, uint32_t *ret) {
        uint64_t v;
        int r;

        r = parse_u64(s, &v);
        if (r < 0)
                return r;
        if (v > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) v;
        return 0;
}

int parse_hex(const char *s, uint64_t *ret) {
        if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
                s += 2;
        return parse_hexn(s, strlen(s), ret);
}

static int parse_size_span(const char *s, const char *end, uint64_t *ret) {
        static const char suffixes[] = "KMGTPE";
        const char *p = s, *suffix;
        unsigned base = 10;
        uint64_t value;
        int r;

        if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
                base = 16;
                p += 2;
        }
        r = take_digits(&p, end, base, &value);
        if (r < 0)
                return r;
        if (p < end && *p && (suffix = strchr(suffixes, toupper((unsigned char) *p)))) {
                unsigned shift = 10 * (unsigned) (suffix - suffixes + 1);

                if (value > UINT64_MAX >> shift)
                        return -ERANGE;
                value <<= shift;
                p++;
                if (p < end && *p == 'i')
                        p++;
        }
        if (p < end && *p == 'B' && p[-1] != 'B')
                p++;
        if (p != end || (p > s && p[-1] == 'i'))
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_size(const char *s, uint64_t *ret) {
        return parse_size_span(s, s + strlen(s), ret);
}

int parse_time(const char *s, uint64_t *ret) {
        static const struct {
                const char *suffix;
                uint64_t usec;
        } units[] = {
                { "", 1000000 }, { "us", 1 }, { "ms", 1000 }, { "s", 1000000 },
                { "min", 60000000 }, { "h", 3600000000 },
        };
        const char *p = s;
        uint64_t value;
        int r;

        r = take_digits(&p, s + strlen(s), 10, &value);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if (strcmp(p, units[i].suffix) == 0) {
                        if (__builtin_mul_overflow(value, units[i].usec, &value))
                                return -ERANGE;
                        *ret = value;
                        return 0;
                }
        return -EINVAL;
}

static int parse_bound(const char *s, const char *end, enum ranges_form form, uint64_t *ret) {
        return form == RANGES_NUMBERS ? parse_u64n(s, (size_t) (end - s), ret) : parse_size_span(s, end, ret);
}

static int parse_range(const char *s, const char *end, enum ranges_form form, struct range *ret) {
        const char *dash = memchr(s, '-', (size_t) (end - s));
        struct range range;
        int r;

        r = parse_bound(s, dash ?: end, form, &range.first);
        if (r < 0)
                return r;
        if (!dash)
                range.last = range.first;
        else if (dash + 1 == end)
                range.last = UINT64_MAX;
        else {
                r = parse_bound(dash + 1, end, form, &range.last);
                if (r < 0)
                        return r;
                if (form == RANGES_SIZES) {
                        if (range.last == 0)
                                return -EINVAL;
                        range.last--;
                }
                if (range.last < range.first)
                        return -EINVAL;
        }
        *ret = range;
        return 0;
}

int parse_ranges(const char *s, enum ranges_form form, struct ranges *ret) {
        _cleanup_free_ struct range *items = NULL;
        size_t n = 0, capacity = 0;
        int r;

        for (const char *p = s;; p++) {
                const char *end = strchrnul(p, ',');

                if (!GROW(items, n, capacity))
                        return -ENOMEM;
                r = parse_range(p, end, form, &items[n]);
                if (r < 0)
                        return r;
                n++;
                p = end;
                if (!*p)
                        break;
        }
        *ret = (struct ranges) { .items = TAKE_PTR(items), .n = n };
        return 0;
}

void ranges_done(struct ranges *r) {
        free(r->items);
        *r = (struct ranges) {};
}

void lines_init(struct lines *l, const char *text, size_t size) {
        *l = (struct lines) { .next = text, .end = text + size };
}

int lines_next(struct lines *l, const char **ret_line, size_t *ret_size) {
        size_t left = (size_t) (l->end - l->next);
        const char *newline;

        if (left == 0)
                return 0;
        l->number++;
        newline = memchr(l->next, '\n', left);
        if (!newline || memchr(l->next, '\0', (size_t) (newline - l->next)))
                return -EBADMSG;
        *ret_line = l->next;
        *ret_size = (size_t) (newline - l->next);
        l->next = newline + 1;
        return 1;
}

bool word_next(const char **p, const char *end, const char **ret_word, size_t *ret_size) {
        const char *s = *p;

        while (s < end && (*s == ' ' || *s == '\t'))
                s++;
        if (s == end)
                return false;
        *ret_word = s;
        while (s < end && *s != ' ' && *s != '\t')
                s++;
        *ret_size = (size_t) (s - *ret_word);
        *p = s;
        return true;
}

bool span_is(const char *s, size_t n, const char *expected) {
        return strlen(expected) == n && memcmp(s, expected, n) == 0;
}
