/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/zoneinfo.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"

/* Where in a zone's entry the parser is; the kernel prints the parts in this order. */
enum section {
        SECTION_NONE,
        SECTION_NODE,     /* per-node stats */
        SECTION_PAGES,    /* "pages free" to "protection:" */
        SECTION_COUNTERS, /* the zone's own counters */
        SECTION_PAGESETS, /* the per-CPU lists */
        SECTION_END,      /* "start_pfn:" was seen: the entry of a populated zone is whole */
};

struct parser {
        struct zoneinfo out;
        size_t capacity_zones, capacity_nodes, capacity_counters, capacity_protections;
        enum section section;
        bool has_pages, has_protection;
        unsigned figures; /* the zone's that were seen, by their place in add_page_figure() */
};

/* All but "managed", which came with 3.8. A zone that lacks another would show a zero that nobody printed. */
#define FIGURES_NEEDED 0x3fu

static struct zone_info *current_zone(struct parser *p) {
        return &p->out.zones[p->out.n_zones - 1];
}

/* An unpopulated zone stops after "protection:"; a populated one goes on to "start_pfn:". Anything less was cut. */
static bool zone_is_whole(struct parser *p) {
        if (p->out.n_zones == 0)
                return true;
        return p->has_protection && (p->section == SECTION_END || current_zone(p)->present == 0);
}

static int add_zone(struct parser *p, const char *rest, const char *end) {
        struct zone_info zone = { .counters = p->out.n_counters, .protection = p->out.n_protections };
        const char *word, *name;
        size_t n, size;
        uint64_t node;

        if (!zone_is_whole(p))
                return -EBADMSG;
        if (!word_next(&rest, end, &word, &n) || word[n - 1] != ',' || parse_u64n(word, n - 1, &node) < 0 ||
            node > INT16_MAX)
                return -EBADMSG;
        if (!word_next(&rest, end, &word, &n) || !span_is(word, n, "zone") || !word_next(&rest, end, &name, &size) ||
            word_next(&rest, end, &word, &n))
                return -EBADMSG;
        if (!GROW(p->out.zones, p->out.n_zones, p->capacity_zones))
                return -ENOMEM;
        zone.node = (unsigned) node;
        p->out.text[name - p->out.text + (ptrdiff_t) size] = '\0';
        zone.name = name;
        p->out.zones[p->out.n_zones++] = zone;
        p->section = SECTION_NONE;
        p->has_pages = p->has_protection = false;
        p->figures = 0;
        return 0;
}

static int add_node(struct parser *p) {
        if (!GROW(p->out.nodes, p->out.n_nodes, p->capacity_nodes))
                return -ENOMEM;
        p->out.nodes[p->out.n_nodes++] =
                (struct node_info) { .node = current_zone(p)->node, .counters = p->out.n_counters };
        p->section = SECTION_NODE;
        return 0;
}

/* "(0, 2991, 19101)" */
static int add_protection(struct parser *p, const char *rest, const char *end) {
        struct zone_info *zone = current_zone(p);

        if ((p->figures & FIGURES_NEEDED) != FIGURES_NEEDED)
                return -EBADMSG;
        while (rest < end && *rest == ' ')
                rest++;
        if (end - rest < 3 || *rest != '(' || end[-1] != ')')
                return -EBADMSG;
        for (rest++, end--; rest < end;) {
                const char *comma = memchr(rest, ',', (size_t) (end - rest)) ?: end;

                if (!GROW(p->out.protections, p->out.n_protections, p->capacity_protections))
                        return -ENOMEM;
                if (parse_u64n(rest, (size_t) (comma - rest), &p->out.protections[p->out.n_protections]) < 0)
                        return -EBADMSG;
                p->out.n_protections++;
                zone->n_protection++;
                if (comma == end)
                        break;
                if (end - comma < 3 || comma[1] != ' ')
                        return -EBADMSG;
                rest = comma + 2;
        }
        p->has_protection = true;
        p->section = SECTION_COUNTERS;
        return 0;
}

static int add_counter(struct parser *p, const char *key, size_t size, uint64_t value) {
        char *name = p->out.text + (key - p->out.text);

        if (!GROW(p->out.counters, p->out.n_counters, p->capacity_counters))
                return -ENOMEM;
        name[size] = '\0'; /* a blank or colon stood there */
        if (p->section != SECTION_NODE && current_zone(p)->n_counters == 0)
                current_zone(p)->counters = p->out.n_counters; /* per-node stats lie before them */
        p->out.counters[p->out.n_counters++] = (struct counter) { .key = name, .value = value };
        if (p->section == SECTION_NODE)
                p->out.nodes[p->out.n_nodes - 1].n_counters++;
        else
                current_zone(p)->n_counters++;
        return 0;
}

static int add_page_figure(struct parser *p, const char *key, size_t n, uint64_t value) {
        struct zone_info *z = current_zone(p);
        const struct {
                const char *key;
                uint64_t *field;
        } fields[] = {
                { "free", &z->free }, { "min", &z->min }, { "low", &z->low }, { "high", &z->high },
                { "spanned", &z->spanned }, { "present", &z->present }, { "managed", &z->managed },
        };

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (span_is(key, n, fields[i].key)) {
                        *fields[i].field = value;
                        p->figures |= 1u << i;
                        return 0;
                }
        return add_counter(p, key, n, value);
}

/* "key: value" of a CPU's list or, after the lists, of the zone again. */
static int add_pageset_figure(struct parser *p, const char *key, size_t n, uint64_t value) {
        if (span_is(key, n, "count")) {
                if (__builtin_add_overflow(current_zone(p)->pcp_free, value, &current_zone(p)->pcp_free))
                        return -EBADMSG;
                return 0;
        }
        if (span_is(key, n, "start_pfn")) {
                p->section = SECTION_END;
                return add_counter(p, key, n, value);
        }
        /* What belongs to a CPU is indented deeper than what belongs to the zone: "  node_unreclaimable:  0". */
        if (n > 0 && key[-1] == ' ' && key[-2] == ' ' && key[-3] == '\n' && !span_is(key, n, "cpu"))
                return add_counter(p, key, n, value);
        return 0;
}

static int parse_line(struct parser *p, const char *line, size_t size) {
        const char *rest = line, *end = line + size, *key, *word;
        size_t n, word_size;
        uint64_t value;

        if (!word_next(&rest, end, &key, &n))
                return -EBADMSG;
        if (key == line)
                return span_is(key, n, "Node") ? add_zone(p, rest, end) : -EBADMSG;
        if (p->out.n_zones == 0)
                return -EBADMSG;
        if (span_is(key, n, "per-node"))
                return word_next(&rest, end, &word, &word_size) && span_is(word, word_size, "stats") &&
                                       !word_next(&rest, end, &word, &word_size) && p->section == SECTION_NONE
                        ? add_node(p) : -EBADMSG;
        if (span_is(key, n, "pagesets")) {
                if (p->section != SECTION_COUNTERS)
                        return -EBADMSG;
                p->section = SECTION_PAGESETS;
                return 0;
        }
        if (span_is(key, n, "protection:"))
                return p->section == SECTION_PAGES ? add_protection(p, rest, end) : -EBADMSG;
        if (span_is(key, n, "pages")) {
                /* "pages free     3840" opens the part; it may come once. */
                if (p->has_pages || !word_next(&rest, end, &key, &n))
                        return -EBADMSG;
                p->has_pages = true;
                p->section = SECTION_PAGES;
        }

        /* All else is a key and a number: "nr_free_pages 3840", "count: 0" … */
        if (p->section == SECTION_PAGESETS && span_is(key, n, "vm"))
                return 0; /* … but "vm stats threshold: 6", which describes the counters, not the memory */
        if (!word_next(&rest, end, &word, &word_size) || parse_u64n(word, word_size, &value) < 0 ||
            word_next(&rest, end, &word, &word_size))
                return -EBADMSG;
        switch (p->section) {
        case SECTION_PAGES:
                return add_page_figure(p, key, n, value);
        case SECTION_NODE:
        case SECTION_COUNTERS:
                return add_counter(p, key, n, value);
        case SECTION_PAGESETS:
        case SECTION_END:
                if (n > 1 && key[n - 1] == ':')
                        return add_pageset_figure(p, key, n - 1, value);
                return 0;
        case SECTION_NONE:
        default:
                return -EBADMSG;
        }
}

int zoneinfo_parse(const char *text, size_t size, struct zoneinfo *ret, unsigned *ret_line) {
        struct parser p = {};
        struct lines lines;
        const char *line;
        size_t n;
        int r;

        p.out.text = malloc(size ?: 1);
        if (!p.out.text)
                return -ENOMEM;
        if (size)
                memcpy(p.out.text, text, size);

        lines_init(&lines, p.out.text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                r = parse_line(&p, line, n);
                if (r < 0)
                        break;
        }
        if (r >= 0 && (p.out.n_zones == 0 || !zone_is_whole(&p)))
                r = -EBADMSG;
        if (r < 0) {
                *ret_line = MAX(lines.number, 1u);
                zoneinfo_done(&p.out);
                return r;
        }
        *ret = p.out;
        return 0;
}

void zoneinfo_done(struct zoneinfo *z) {
        free(z->zones);
        free(z->nodes);
        free(z->counters);
        free(z->protections);
        free(z->text);
        *z = (struct zoneinfo) {};
}

const struct zone_info *zoneinfo_find(const struct zoneinfo *z, unsigned node, const char *zone) {
        for (size_t i = 0; i < z->n_zones; i++)
                if (z->zones[i].node == node && strcmp(z->zones[i].name, zone) == 0)
                        return &z->zones[i];
        return NULL;
}
