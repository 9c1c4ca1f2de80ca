/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selector.h"

#include <errno.h>
#include <string.h>

static int parse_selector_ranges(const char *text, enum ranges_form form, const char *expected, struct selector *s,
                                 char *error) {
        int r;

        r = parse_ranges(text, form, &s->ranges);
        if (r == -ENOMEM)
                return r;
        if (r == -ERANGE)
                snprintf(error, SELECTOR_ERROR_MAX, "the number is too large");
        else if (r < 0)
                snprintf(error, SELECTOR_ERROR_MAX, "expected %s", expected);
        return r < 0 ? -EINVAL : 0;
}

static int parse_block_ranges(const char *text, struct selector *s, char *error) {
        return parse_selector_ranges(text, RANGES_NUMBERS,
                                     "block numbers (32-63,70), device:NAME, node:N, source:NAME, addr:START-END, add:N or all",
                                     s, error);
}

static int parse_nodes(const char *text, struct selector *s, char *error) {
        return parse_selector_ranges(text, RANGES_NUMBERS, "node numbers, as in node:1 or node:0-3,8", s, error);
}

static int parse_adds(const char *text, struct selector *s, char *error) {
        return parse_selector_ranges(text, RANGES_NUMBERS, "the number of a hot-add, as in add:3", s, error);
}

static int parse_addresses(const char *text, struct selector *s, char *error) {
        return parse_selector_ranges(text, RANGES_SIZES,
                                     "addresses, as in addr:4G-8G or addr:0x100000000- (the end is not part of the range)",
                                     s, error);
}

static int parse_device(const char *text, struct selector *s, char *error) {
        size_t n = strlen(text);

        if (n == 0 || n >= sizeof(s->device)) {
                snprintf(error, SELECTOR_ERROR_MAX, n ? "the device's name is too long"
                                                      : "expected a device's name, as in device:dax0.0");
                return -EINVAL;
        }
        memcpy(s->device, text, n + 1);
        return 0;
}

static int unknown_source(char *error) {
        size_t n = (size_t) snprintf(error, SELECTOR_ERROR_MAX, "unknown source; expected");

        for (enum source i = 0; i < _SOURCE_MAX && n < SELECTOR_ERROR_MAX; i++)
                n += (size_t) snprintf(error + n, SELECTOR_ERROR_MAX - n, " %s", source_to_string(i));
        return -EINVAL;
}

static int parse_sources(const char *text, struct selector *s, char *error) {
        for (const char *p = text;; p++) {
                const char *end = strchrnul(p, ',');
                char word[32];
                enum source source;

                if (end == p || (size_t) (end - p) >= sizeof(word))
                        return unknown_source(error);
                memcpy(word, p, (size_t) (end - p));
                word[end - p] = '\0';
                source = source_from_string(word);
                if (source < 0)
                        return unknown_source(error);
                s->sources |= SOURCE_BIT(source);
                p = end;
                if (!*p)
                        return 0;
        }
}

static const struct {
        const char *prefix;
        enum selector_kind kind;
        int (*parse)(const char *text, struct selector *s, char *error);
} kinds[] = {
        { "device:", SELECTOR_DEVICE, parse_device },
        { "node:", SELECTOR_NODE, parse_nodes },
        { "source:", SELECTOR_SOURCE, parse_sources },
        { "add:", SELECTOR_ADD, parse_adds },
        { "addr:", SELECTOR_ADDRESS, parse_addresses },
        { "", SELECTOR_BLOCKS, parse_block_ranges }, /* every text begins with this: the last */
};

int selector_parse(const char *text, struct selector *ret, char error[static SELECTOR_ERROR_MAX]) {
        struct selector s = { .kind = SELECTOR_ALL };
        int r;

        if (strcmp(text, "all") != 0)
                for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                        size_t n = strlen(kinds[i].prefix);

                        if (strncmp(text, kinds[i].prefix, n) != 0)
                                continue;
                        s.kind = kinds[i].kind;
                        r = kinds[i].parse(text + n, &s, error);
                        if (r < 0)
                                return r;
                        break;
                }
        *ret = s;
        return 0;
}

void selector_done(struct selector *s) {
        ranges_done(&s->ranges);
}

static bool overlaps(const struct ranges *r, uint64_t first, uint64_t last) {
        for (size_t i = 0; i < r->n; i++)
                if (first <= r->items[i].last && last >= r->items[i].first)
                        return true;
        return false;
}

static bool has_node_of(const struct ranges *r, const struct node_set *nodes) {
        for (int n = node_set_next(nodes, 0); n >= 0; n = node_set_next(nodes, (unsigned) n + 1))
                if (ranges_contain(r, (unsigned) n))
                        return true;
        return false;
}

bool selector_may_match(const struct selector *s, uint32_t index, uint64_t block_size) {
        switch (s->kind) {
        case SELECTOR_BLOCKS:
                return ranges_contain(&s->ranges, index);
        case SELECTOR_ADDRESS:
                return overlaps(&s->ranges, index * block_size, index * block_size + block_size - 1);
        case SELECTOR_ADD:
                return false;
        default:
                return true;
        }
}

bool selector_match(const struct selector *s, const struct block *b, uint64_t block_size) {
        switch (s->kind) {
        case SELECTOR_DEVICE:
                return strcmp(b->device, s->device) == 0;
        case SELECTOR_NODE:
                return has_node_of(&s->ranges, &b->nodes);
        case SELECTOR_SOURCE:
                return s->sources & SOURCE_BIT(b->source);
        default:
                return selector_may_match(s, b->index, block_size);
        }
}

bool selector_is_single(const struct selector *s) {
        return s->kind == SELECTOR_BLOCKS && s->ranges.n == 1 && s->ranges.items[0].first == s->ranges.items[0].last;
}
