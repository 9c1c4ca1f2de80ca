/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/snapshot.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"

#define FIGURES_NEEDED 0x7fu

void snapshot_init(struct snapshot *s) {
        memset(s, 0, sizeof(*s));
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                s->errors[f] = -ENODATA;
        s->kernlog_error = -ENODATA;
}

const struct snapshot_zone *snapshot_find(const struct snapshot *s, int node, enum zone zone) {
        for (size_t i = 0; i < s->n_zones; i++)
                if (s->zones[i].node == node && s->zones[i].zone == zone)
                        return &s->zones[i];
        return NULL;
}

/* "Node 0, zone   Normal", of zoneinfo and buddyinfo. */
static int parse_head(const char **p, const char *end, struct snapshot_zone *ret) {
        struct snapshot_zone zone = {};
        const char *word;
        uint64_t node;
        size_t n;

        if (!word_next(p, end, &word, &n) || !span_is(word, n, "Node"))
                return -EBADMSG;
        if (!word_next(p, end, &word, &n) || word[n - 1] != ',' || parse_u64n(word, n - 1, &node) < 0 || node > INT16_MAX)
                return -EBADMSG;
        if (!word_next(p, end, &word, &n) || !span_is(word, n, "zone") || !word_next(p, end, &word, &n))
                return -EBADMSG;
        zone.node = (int16_t) node;
        zone.zone = (uint8_t) zone_from_stringn(word, n); /* of an unknown one no figures are kept */
        *ret = zone;
        return 0;
}

/* ---- zoneinfo ----------------------------------------------------------------------------------------------------- */

static int end_zone(struct snapshot *s, struct snapshot_cursor *c) {
        if (!c->in_zone)
                return 0;
        if (c->figures != FIGURES_NEEDED)
                return -EBADMSG;
        c->in_zone = false;
        if ((c->zone.present == 0 && c->zone.spanned == 0) || c->zone.zone >= _ZONE_MAX)
                return 0;
        if (s->n_zones < SNAPSHOT_ZONES_MAX)
                s->zones[s->n_zones++] = c->zone;
        else
                s->n_dropped++;
        return 0;
}

static int begin_zone(struct snapshot *s, struct snapshot_cursor *c, const char *line, const char *end) {
        int r;

        r = end_zone(s, c);
        if (r >= 0)
                r = parse_head(&line, end, &c->zone);
        if (r < 0)
                return r;
        c->in_zone = true;
        c->in_pages = false;
        c->figures = 0;
        return 0;
}

static int add_figure(struct snapshot_cursor *c, const char *key, size_t n, const char *p, const char *end) {
        struct snapshot_zone *z = &c->zone;
        const struct {
                const char *key;
                uint64_t *field;
        } fields[] = {
                { "free", &z->free }, { "min", &z->min }, { "low", &z->low }, { "high", &z->high },
                { "spanned", &z->spanned }, { "present", &z->present }, { "managed", &z->managed },
        };
        const char *word;
        size_t size;

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (span_is(key, n, fields[i].key)) {
                        c->figures |= 1u << i;
                        return word_next(&p, end, &word, &size) ? (parse_u64n(word, size, fields[i].field) < 0 ? -EBADMSG : 0)
                                                                : -EBADMSG;
                }
        return 0;
}

/* "count: 63": pages on the list of a CPU. */
static int add_count(struct snapshot_cursor *c, const char *p, const char *end) {
        const char *word;
        uint64_t value;
        size_t n;

        if (!word_next(&p, end, &word, &n) || parse_u64n(word, n, &value) < 0 ||
            __builtin_add_overflow(c->zone.pcp, value, &c->zone.pcp))
                return -EBADMSG;
        return 0;
}

/* Most lines are counters, and those of CPUs: passed over at their first word. */
static int add_zoneinfo(struct snapshot *s, struct snapshot_cursor *c, const char *line, size_t size) {
        const char *p = line, *end = line + size, *key;
        size_t n;

        if (size > 0 && *line == 'N')
                return begin_zone(s, c, line, end);
        if (!c->in_zone || !word_next(&p, end, &key, &n))
                return -EBADMSG;
        if (span_is(key, n, "protection:")) {
                c->in_pages = false;
                return 0;
        }
        if (span_is(key, n, "pages")) {
                c->in_pages = true;
                if (!word_next(&p, end, &key, &n))
                        return -EBADMSG;
        }
        if (c->in_pages)
                return add_figure(c, key, n, p, end);
        return span_is(key, n, "count:") ? add_count(c, p, end) : 0;
}

/* ---- the others --------------------------------------------------------------------------------------------------- */

static int add_buddyinfo(struct snapshot *s, const char *line, size_t size) {
        uint64_t counts[SNAPSHOT_ORDERS_MAX] = {};
        const char *p = line, *end = line + size, *word;
        struct snapshot_zone head, *zone;
        unsigned orders = 0;
        size_t n;

        if (parse_head(&p, end, &head) < 0)
                return -EBADMSG;
        while (word_next(&p, end, &word, &n))
                if (orders == SNAPSHOT_ORDERS_MAX || parse_u64n(word, n, &counts[orders++]) < 0)
                        return -EBADMSG;
        if (orders == 0 || (s->orders && orders != s->orders))
                return -EBADMSG;
        s->orders = orders;
        zone = (struct snapshot_zone *) snapshot_find(s, head.node, (enum zone) head.zone);
        if (zone) /* else it came after zoneinfo was read */
                memcpy(zone->free_blocks, counts, sizeof(counts));
        return 0;
}

/* "DirectMap2M:     2068480 kB" */
static int add_meminfo(struct snapshot *s, const char *line, size_t size) {
        static const char prefix[] = "DirectMap";
        const char *p = line, *end = line + size, *key, *word;
        struct snapshot_map map = {};
        uint64_t kib;
        size_t n, name;

        if (!word_next(&p, end, &key, &n))
                return -EBADMSG;
        if (n <= sizeof(prefix) || memcmp(key, prefix, strlen(prefix)) != 0)
                return 0;
        name = n - strlen(prefix) - 1; /* the colon */
        if (key[n - 1] != ':' || name >= sizeof(map.name) || !word_next(&p, end, &word, &n) ||
            parse_u64n(word, n, &kib) < 0 || __builtin_mul_overflow(kib, UINT64_C(1024), &map.bytes) ||
            !word_next(&p, end, &word, &n) || !span_is(word, n, "kB") || s->n_maps == SNAPSHOT_MAPS_MAX)
                return -EBADMSG;
        memcpy(map.name, key + strlen(prefix), name);
        s->maps[s->n_maps++] = map;
        return 0;
}

/* Since 6.11; its first versions called it nr_memmap. What boot took is counted apart. */
static int add_vmstat(struct snapshot *s, const char *line, size_t size) {
        const char *p = line, *end = line + size, *key, *word;
        size_t n;

        if (!word_next(&p, end, &key, &n))
                return -EBADMSG;
        if (!span_is(key, n, "nr_memmap_pages") && !span_is(key, n, "nr_memmap"))
                return 0;
        if (!word_next(&p, end, &word, &n) || parse_u64n(word, n, &s->memmap_pages) < 0)
                return -EBADMSG;
        s->has_memmap = true;
        return 0;
}

int snapshot_add_line(struct snapshot *s, enum snapshot_file file, struct snapshot_cursor *c, const char *line, size_t size) {
        switch (file) {
        case SNAPSHOT_ZONEINFO:
                return add_zoneinfo(s, c, line, size);
        case SNAPSHOT_BUDDYINFO:
                return add_buddyinfo(s, line, size);
        case SNAPSHOT_MEMINFO:
                return add_meminfo(s, line, size);
        case SNAPSHOT_VMSTAT:
                return add_vmstat(s, line, size);
        case _SNAPSHOT_FILE_MAX:
        default:
                return -EBADMSG;
        }
}

int snapshot_end_file(struct snapshot *s, enum snapshot_file file, struct snapshot_cursor *c) {
        int r;

        if (file != SNAPSHOT_ZONEINFO)
                return 0;
        r = end_zone(s, c);
        return r >= 0 && s->n_zones == 0 ? -EBADMSG : r;
}
