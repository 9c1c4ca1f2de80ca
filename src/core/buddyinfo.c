/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/buddyinfo.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"

/* Beyond any kernel: MAX_ORDER is at most 14 (64K pages), and 2^63 pages do not exist. */
#define ORDERS_MAX 63

/* "Node 0," · "zone" · NAME: the common head of a line of buddyinfo. */
static int parse_head(const char **p, const char *end, unsigned *ret_node, const char **ret_name, size_t *ret_size) {
        const char *word;
        uint64_t node;
        size_t n;

        if (!word_next(p, end, &word, &n) || n != 4 || memcmp(word, "Node", 4) != 0)
                return -EBADMSG;
        if (!word_next(p, end, &word, &n) || word[n - 1] != ',' || parse_u64n(word, n - 1, &node) < 0 || node > INT16_MAX)
                return -EBADMSG;
        if (!word_next(p, end, &word, &n) || n != 4 || memcmp(word, "zone", 4) != 0)
                return -EBADMSG;
        if (!word_next(p, end, ret_name, ret_size))
                return -EBADMSG;
        *ret_node = (unsigned) node;
        return 0;
}

static int parse_zone(struct buddyinfo *b, char *line, size_t size, size_t *capacity, size_t *n_counts,
                      size_t *capacity_counts) {
        const char *p = line, *end = line + size, *name, *word;
        struct buddy_zone zone = {};
        size_t n, name_size;
        unsigned orders = 0;
        int r;

        r = parse_head(&p, end, &zone.node, &name, &name_size);
        if (r < 0)
                return r;
        while (word_next(&p, end, &word, &n)) {
                if (orders == ORDERS_MAX)
                        return -EBADMSG;
                if (!GROW(b->counts, *n_counts, *capacity_counts))
                        return -ENOMEM;
                if (parse_u64n(word, n, &b->counts[*n_counts]) < 0 ||
                    b->counts[*n_counts] > UINT64_MAX >> MIN(orders + 7, 63u)) /* their sum must fit, too */
                        return -EBADMSG;
                ++*n_counts;
                orders++;
        }
        if (orders == 0 || (b->n_zones && orders != b->orders))
                return -EBADMSG;
        if (!GROW(b->zones, b->n_zones, *capacity))
                return -ENOMEM;
        b->orders = orders;
        line[name - line + (ptrdiff_t) name_size] = '\0';
        zone.name = name;
        b->zones[b->n_zones++] = zone;
        return 0;
}

int buddyinfo_parse(const char *text, size_t size, struct buddyinfo *ret, unsigned *ret_line) {
        _cleanup_(buddyinfo_done) struct buddyinfo b = {};
        size_t capacity = 0, n_counts = 0, capacity_counts = 0, n;
        struct lines lines;
        const char *line;
        int r;

        b.text = malloc(size ?: 1);
        if (!b.text)
                return -ENOMEM;
        if (size)
                memcpy(b.text, text, size);

        lines_init(&lines, b.text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                r = parse_zone(&b, b.text + (line - b.text), n, &capacity, &n_counts, &capacity_counts);
                if (r < 0)
                        break;
        }
        if (r >= 0 && b.n_zones == 0)
                r = -EBADMSG;
        if (r < 0) {
                *ret_line = MAX(lines.number, 1u);
                return r;
        }
        /* Only now does the array of counts stay where it is. */
        for (size_t i = 0; i < b.n_zones; i++)
                b.zones[i].free_blocks = b.counts + i * b.orders;
        *ret = b;
        b = (struct buddyinfo) {};
        return 0;
}

void buddyinfo_done(struct buddyinfo *b) {
        free(b->zones);
        free(b->counts);
        free(b->text);
        *b = (struct buddyinfo) {};
}

const struct buddy_zone *buddyinfo_find(const struct buddyinfo *b, unsigned node, const char *zone) {
        for (size_t i = 0; i < b->n_zones; i++)
                if (b->zones[i].node == node && strcmp(b->zones[i].name, zone) == 0)
                        return &b->zones[i];
        return NULL;
}

uint64_t buddy_zone_free_pages(const struct buddy_zone *z, unsigned orders) {
        uint64_t pages = 0;

        for (unsigned i = 0; i < orders; i++)
                pages += z->free_blocks[i] << i;
        return pages;
}

int buddy_zone_largest_order(const struct buddy_zone *z, unsigned orders) {
        for (unsigned i = orders; i > 0; i--)
                if (z->free_blocks[i - 1])
                        return (int) i - 1;
        return -1;
}

double buddy_zone_unusable(const struct buddy_zone *z, unsigned orders, unsigned order) {
        uint64_t pages = buddy_zone_free_pages(z, orders), usable = 0;

        for (unsigned i = order; i < orders; i++)
                usable += z->free_blocks[i] << i;
        return pages ? (double) (pages - usable) / (double) pages : 1;
}
