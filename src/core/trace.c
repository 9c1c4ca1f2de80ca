/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/trace.h"

#include <errno.h>
#include <string.h>

/* ---- the ring ------------------------------------------------------------------------------------------------------ */

static struct trace *slot_of(struct traces *t, uint32_t add) {
        return &t->ring[(add - 1) % TRACES_MAX];
}

static bool is_open(const struct trace *t) {
        return t->add && !t->over;
}

struct trace *traces_open(struct traces *t, const struct add *a, const struct snapshot *before, uint64_t now, uint64_t time) {
        struct trace *trace = slot_of(t, a->number);

        if (is_open(trace)) /* as many others came meanwhile: its add is gone as well */
                t->n_open--;
        *trace = (struct trace) {
                .add = a->number, .node = a->node, .start_usec = now, .time_usec = time, .before_usec = before->usec,
                .first_error = -ENODATA, .kernlog_error = -ENODATA,
        };
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                trace->errors[f] = -ENODATA;
        for (size_t i = 0; i < TRACES_MAX && t->n_open > 0; i++)
                if (is_open(&t->ring[i]))
                        t->ring[i].overlaps = true;
        trace->overlaps = t->n_open++ > 0;
        return trace;
}

struct trace *traces_find(struct traces *t, uint32_t add) {
        return add && slot_of(t, add)->add == add ? slot_of(t, add) : NULL;
}

void traces_disturb(struct traces *t) {
        for (size_t i = 0; i < TRACES_MAX; i++)
                if (is_open(&t->ring[i]))
                        t->ring[i].disturbed = true;
}

/* ---- while it is under way ------------------------------------------------------------------------------------------ */

void trace_note_block(struct trace *t, uint64_t event_usec) {
        t->n_came++;
        if (event_usec == 0)
                return;
        if (t->n_events == 0 || event_usec < t->first_event_usec)
                t->first_event_usec = event_usec;
        t->last_event_usec = MAX(t->last_event_usec, event_usec);
        t->n_events++;
}

void trace_note_write(struct trace *t, uint64_t start_usec, uint64_t write_usec) {
        if (t->first_write_usec == 0 || start_usec < t->first_write_usec)
                t->first_write_usec = start_usec;
        t->last_write_usec = MAX(t->last_write_usec, start_usec + write_usec);
}

uint32_t snapshot_cost_usec(const struct snapshot *s) {
        uint32_t cost = 0;

        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                if (__builtin_add_overflow(cost, s->costs[f], &cost))
                        cost = UINT32_MAX;
        return cost;
}

uint64_t snapshot_lent_pages(const struct snapshot *s) {
        uint64_t pages = 0;

        for (size_t i = 0; i < s->n_zones; i++)
                if (ZONE_BIT(s->zones[i].zone) & ZONES_KERNEL)
                        pages += s->zones[i].managed - s->zones[i].free - s->zones[i].pcp;
        return pages;
}

/* Modulo 2^64 on purpose: a counter of the kernel that went below zero and came back has moved by little. */
static int64_t difference(uint64_t before, uint64_t after) {
        return (int64_t) (after - before);
}

static struct trace_lent lent_since(const struct snapshot *before, const struct snapshot *s) {
        return (struct trace_lent) { s->usec, difference(snapshot_lent_pages(before), snapshot_lent_pages(s)) };
}

/* A file's error of either snapshot. */
static int error_of(const struct snapshot *before, const struct snapshot *after, enum snapshot_file f) {
        return before->errors[f] ?: after->errors[f];
}

void trace_note_first(struct trace *t, const struct snapshot *before, const struct snapshot *first) {
        t->first_error = error_of(before, first, SNAPSHOT_ZONEINFO);
        if (t->first_error == 0)
                t->lent_first = lent_since(before, first);
}

/* ---- the end: times ------------------------------------------------------------------------------------------------- */

/* Where the blocks of an add are. */
struct blocks {
        const struct entry *entries;
        size_t n;
        uint32_t add;
        bool queued; /* which of their times is meant */
};

static bool is_measured(const struct blocks *b, size_t i, uint32_t *ret_usec) {
        const struct entry *e = &b->entries[i];

        *ret_usec = b->queued ? e->queued_usec : e->write_usec;
        return e->add == b->add && e->timed;
}

/* The nth smallest, without a copy to sort: byte by byte from the top, how many begin so? */
static uint32_t nth_time(const struct blocks *b, size_t nth) {
        uint32_t prefix = 0, usec;

        for (unsigned shift = 32; shift > 0;) {
                size_t counts[256] = {}, byte = 0;

                shift -= 8;
                for (size_t i = 0; i < b->n; i++)
                        if (is_measured(b, i, &usec) && (uint64_t) usec >> (shift + 8) == prefix)
                                counts[usec >> shift & 0xff]++;
                for (; nth >= counts[byte]; byte++)
                        nth -= counts[byte];
                prefix = prefix << 8 | (uint32_t) byte;
        }
        return prefix;
}

static struct trace_times measure(const struct blocks *b) {
        struct trace_times t = {};
        uint32_t usec;

        for (size_t i = 0; i < b->n; i++) {
                if (!is_measured(b, i, &usec))
                        continue;
                t.min = t.n ? MIN(t.min, usec) : usec;
                t.max = MAX(t.max, usec);
                t.n++;
        }
        if (t.n > 0)
                t.median = nth_time(b, (t.n - 1) / 2);
        return t;
}

static void take_stock(struct trace *t, const struct registry *r, const struct add *a) {
        struct blocks b = { .add = t->add };

        b.entries = registry_range(r, a->first, a->last, &b.n);
        for (size_t i = 0; i < b.n; i++) {
                const struct entry *e = &b.entries[i];

                if (e->add == t->add && e->state == BLOCK_ONLINE && e->zones)
                        t->zone_blocks[__builtin_ctz(e->zones)]++;
        }
        t->written = measure(&b);
        b.queued = true;
        t->queued = measure(&b);
}

/* ---- the end: differences ------------------------------------------------------------------------------------------- */

static void compare_zones(const struct snapshot_zone *before, const struct snapshot_zone *after, struct trace_zone *ret) {
        static const struct snapshot_zone none = {};
        const struct snapshot_zone *b = before ?: &none, *a = after ?: &none, *named = after ?: before;
        struct trace_zone z = {
                .node = named->node, .zone = named->zone,
                .spanned = difference(b->spanned, a->spanned),
                .present = difference(b->present, a->present),
                .managed = difference(b->managed, a->managed),
                .free = difference(b->free + b->pcp, a->free + a->pcp),
                .min = { b->min, a->min }, .low = { b->low, a->low }, .high = { b->high, a->high },
        };

        for (unsigned i = 0; i < SNAPSHOT_ORDERS_MAX; i++)
                z.free_blocks[i] = difference(b->free_blocks[i], a->free_blocks[i]);
        *ret = z;
}

static bool has_grown(const struct trace_zone *z) {
        return z->spanned || z->present || z->managed;
}

static bool is_worth_showing(const struct trace_zone *z, int node) {
        return has_grown(z) || z->node == node || z->min[0] != z->min[1] || z->low[0] != z->low[1] || z->high[0] != z->high[1];
}

/* Where there are too many, a zone that has grown takes the place of one that has not. */
static void keep_zone(struct trace *t, const struct trace_zone *z) {
        if (t->n_zones < TRACE_ZONES_MAX) {
                t->zones[t->n_zones++] = *z;
                return;
        }
        t->n_dropped++;
        for (size_t i = t->n_zones; i > 0 && has_grown(z); i--)
                if (!has_grown(&t->zones[i - 1])) {
                        t->zones[i - 1] = *z;
                        return;
                }
}

static void compare_memory(struct trace *t, int node, const struct snapshot *before, const struct snapshot *after) {
        struct trace_zone z;

        for (size_t i = 0; i < after->n_zones; i++) {
                const struct snapshot_zone *a = &after->zones[i];

                compare_zones(snapshot_find(before, a->node, (enum zone) a->zone), a, &z);
                if (is_worth_showing(&z, node))
                        keep_zone(t, &z);
        }
        for (size_t i = 0; i < before->n_zones; i++) {
                const struct snapshot_zone *b = &before->zones[i];

                if (snapshot_find(after, b->node, (enum zone) b->zone))
                        continue;
                compare_zones(b, NULL, &z);
                keep_zone(t, &z);
        }
        t->n_dropped += after->n_dropped;
        t->lent = lent_since(before, after);
}

static uint64_t map_bytes(const struct snapshot *s, const char *name) {
        for (size_t i = 0; i < s->n_maps; i++)
                if (strcmp(s->maps[i].name, name) == 0)
                        return s->maps[i].bytes;
        return 0;
}

static void compare_maps(struct trace *t, const struct snapshot *before, const struct snapshot *after) {
        for (size_t i = 0; i < after->n_maps; i++) {
                struct trace_map *m = &t->maps[t->n_maps++];

                memcpy(m->name, after->maps[i].name, sizeof(m->name));
                m->bytes = difference(map_bytes(before, m->name), after->maps[i].bytes);
        }
}

static void compare(struct trace *t, int node, const struct snapshot *before, const struct snapshot *after) {
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                t->errors[f] = error_of(before, after, f);
        if (t->errors[SNAPSHOT_ZONEINFO] == 0)
                compare_memory(t, node, before, after);
        if (t->errors[SNAPSHOT_BUDDYINFO] == 0)
                t->orders = after->orders;
        if (t->errors[SNAPSHOT_MEMINFO] == 0)
                compare_maps(t, before, after);
        t->has_memmap = t->errors[SNAPSHOT_VMSTAT] == 0 && before->has_memmap && after->has_memmap;
        if (t->has_memmap)
                t->memmap_pages = difference(before->memmap_pages, after->memmap_pages);
        t->kernlog_error = before->kernlog_error ?: after->kernlog_error;
        t->rebuilds = after->rebuilds - before->rebuilds;
        t->zonelists = after->zonelists;
        t->total_pages = after->total_pages;
        t->after_usec = after->usec;
        t->look_usec = snapshot_cost_usec(after);
}

void traces_finish(struct traces *t, struct trace *trace, const struct registry *r, const struct add *a,
                   const struct snapshot *before, const struct snapshot *after) {
        if (trace->over)
                return;
        take_stock(trace, r, a);
        if (after)
                compare(trace, a->node, before, after);
        trace->busy = !after;
        trace->over = true;
        t->n_open--;
}
