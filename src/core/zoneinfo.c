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

/* What is about CPUs ends here, at the latest. */
static void end_pagesets(struct parser *p, const char *line) {
        struct zone_info *z = p->out.n_zones ? current_zone(p) : NULL;

        if (z && p->section == SECTION_PAGESETS && z->n_pagesets == 0)
                z->n_pagesets = (size_t) (line - p->out.text) - z->pagesets;
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
                        if (p->figures & 1u << i)
                                return -EBADMSG;
                        *fields[i].field = value;
                        p->figures |= 1u << i;
                        return 0;
                }
        return add_counter(p, key, n, value);
}

static int add_pcp_free(struct parser *p, uint64_t value) {
        return __builtin_add_overflow(current_zone(p)->pcp_free, value, &current_zone(p)->pcp_free) ? -EBADMSG : 0;
}

/* "key: value" of a CPU's list or, after the lists, of the zone again. */
static int add_pageset_figure(struct parser *p, const char *key, size_t n, uint64_t value) {
        if (span_is(key, n, "count"))
                return add_pcp_free(p, value);
        /* What belongs to a CPU is indented deeper than what belongs to the zone: "  node_unreclaimable:  0". */
        if (key[-1] != ' ' || key[-2] != ' ' || key[-3] != '\n' || span_is(key, n, "cpu"))
                return 0;
        end_pagesets(p, key - 2);
        if (span_is(key, n, "start_pfn"))
                p->section = SECTION_END;
        return add_counter(p, key, n, value);
}

/* "  12\n" to its number and the next line; NULL: not of the form. The text ends with a newline, so nothing runs past it. */
static const char *take_figure(const char *s, uint64_t *ret) {
        const char *digits;
        uint64_t value = 0;

        while (*s == ' ')
                s++;
        for (digits = s; *s >= '0' && *s <= '9'; s++)
                value = value * 10 + (unsigned) (*s - '0');
        if (*s != '\n' || s == digits || s - digits > 18)
                return NULL;
        *ret = value;
        return s + 1;
}

/* The lines of which a large machine's text consists: how much each CPU has. Takes as many as there are; whatever looks
 * otherwise is left to the common way, which knows what is wrong with it. */
static int skip_pageset_lines(struct parser *p, struct lines *l) {
        static const char deep[] = "              ", cpu[] = "    cpu:", threshold[] = "  vm stats threshold:";
        const char *s = l->next, *next;
        bool is_count = false;
        uint64_t value;

        while (l->end - s > (ptrdiff_t) sizeof(threshold) && l->end[-1] == '\n') {
                if (memcmp(s, deep, sizeof(deep) - 1) == 0) {
                        s += sizeof(deep) - 1;
                        is_count = memcmp(s, "count:", 6) == 0;
                        while ((*s >= 'a' && *s <= 'z') || *s == '_')
                                s++;
                        next = *s == ':' ? take_figure(s + 1, &value) : NULL;
                } else if (memcmp(s, cpu, sizeof(cpu) - 1) == 0)
                        next = take_figure(s + sizeof(cpu) - 1, &value);
                else if (memcmp(s, threshold, sizeof(threshold) - 1) == 0)
                        next = take_figure(s + sizeof(threshold) - 1, &value);
                else
                        return 0;
                if (!next)
                        return 0;
                s = l->next = next;
                l->number++;
                if (is_count && add_pcp_free(p, value) < 0)
                        return -EBADMSG;
                is_count = false;
        }
        return 0;
}

static int parse_line(struct parser *p, const char *line, size_t size) {
        const char *rest = line, *end = line + size, *key, *word;
        size_t n, word_size;
        uint64_t value;

        if (!word_next(&rest, end, &key, &n))
                return -EBADMSG;
        if (key == line) {
                end_pagesets(p, line);
                return span_is(key, n, "Node") ? add_zone(p, rest, end) : -EBADMSG;
        }
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
                current_zone(p)->pagesets = (size_t) (end + 1 - p->out.text);
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

static int parse_lines(struct parser *p, size_t size, unsigned *ret_line) {
        struct lines lines;
        const char *line;
        size_t n;
        int r;

        lines_init(&lines, p->out.text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                r = parse_line(p, line, n);
                if (r >= 0 && p->section == SECTION_PAGESETS)
                        r = skip_pageset_lines(p, &lines);
                if (r < 0)
                        break;
        }
        end_pagesets(p, lines.end);
        if (r >= 0 && (p->out.n_zones == 0 || !zone_is_whole(p)))
                r = -EBADMSG;
        if (r < 0)
                *ret_line = MAX(lines.number, 1u);
        return r;
}

int zoneinfo_parse_take(char **text, size_t size, struct zoneinfo *ret, unsigned *ret_line) {
        struct parser p = { .out.text = *text };
        int r;

        r = parse_lines(&p, size, ret_line);
        if (r < 0) {
                p.out.text = NULL;
                zoneinfo_done(&p.out);
                return r;
        }
        *text = NULL;
        *ret = p.out;
        return 0;
}

int zoneinfo_parse(const char *text, size_t size, struct zoneinfo *ret, unsigned *ret_line) {
        _cleanup_free_ char *copy = malloc(size ?: 1);

        if (!copy)
                return -ENOMEM;
        if (size)
                memcpy(copy, text, size);
        return zoneinfo_parse_take(&copy, size, ret, ret_line);
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

void zoneinfo_pagesets(const struct zoneinfo *z, const struct zone_info *zone, struct lines *ret) {
        lines_init(ret, z->text + zone->pagesets, zone->n_pagesets);
}

bool pageset_next(struct lines *l, const char **ret_key, size_t *ret_size, uint64_t *ret_value) {
        const char *line, *colon, *key;
        size_t n, size;

        while (lines_next(l, &line, &n) > 0) {
                key = line + strspn(line, " ");
                colon = memchr(line, ':', n);
                if (!colon || colon <= key)
                        continue;
                size = (size_t) (colon - key);
                for (colon++; *colon == ' ';)
                        colon++;
                if (parse_u64n(colon, (size_t) (line + n - colon), ret_value) < 0)
                        continue;
                *ret_key = key;
                *ret_size = size;
                return true;
        }
        return false;
}

static uint64_t find_counter(const struct zoneinfo *z, size_t first, size_t n, const char *key) {
        for (size_t i = first; i < first + n; i++)
                if (strcmp(z->counters[i].key, key) == 0)
                        return z->counters[i].value;
        return 0;
}

uint64_t zone_counter(const struct zoneinfo *z, const struct zone_info *zone, const char *key) {
        return find_counter(z, zone->counters, zone->n_counters, key);
}

uint64_t node_counter(const struct zoneinfo *z, const struct node_info *node, const char *key) {
        return find_counter(z, node->counters, node->n_counters, key);
}
