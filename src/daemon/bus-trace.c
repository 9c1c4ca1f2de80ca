/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/simulation.h"
#include "daemon/bus-internal.h"

/* What is shown: the trace of an add. */
struct shown {
        const struct trace *trace;
        const struct add *add;
        uint64_t block_size, page_size;
        uint64_t now_usec, realtime_usec; /* the same moment, on CLOCK_MONOTONIC and CLOCK_REALTIME */
};

static void shown_init(const struct bus *b, struct shown *ret) {
        struct shown s = {
                .block_size = sysfs_block_size(manager_sysfs(b->manager)), .page_size = manager_page_size(b->manager),
        };

        (void) sd_event_now(b->event, CLOCK_MONOTONIC, &s.now_usec);
        (void) sd_event_now(b->event, CLOCK_REALTIME, &s.realtime_usec);
        *ret = s;
}

static uint64_t to_realtime(const struct shown *s, uint64_t usec) {
        return s->realtime_usec - (s->now_usec - MIN(usec, s->now_usec));
}

/* When it began: with its first event, if there was one. */
static uint64_t begin_usec(const struct shown *s) {
        return s->trace->n_events ? s->trace->first_event_usec : s->trace->start_usec;
}

static uint64_t since(uint64_t begin, uint64_t end) {
        return end > begin ? end - begin : 0;
}

static int64_t bytes(const struct shown *s, int64_t pages) {
        return trace_bytes(pages, s->page_size);
}

/* ---- the parts ------------------------------------------------------------------------------------------------------- */

/* A part of the trace, to be filled and closed with writer_close_array(). False: there is no evidence, it says why, and is
 * closed. */
static bool open_part(struct writer *w, const struct shown *s, const char *key, enum trace_part part) {
        char why[TRACE_TEXT_MAX];
        bool has = trace_has(s->trace, s->add, part, why);

        writer_open_array(w, key, "{sv}");
        if (!has) {
                writer_put(w, "no_evidence", "s", bus_text(why));
                writer_close_array(w);
        }
        return has;
}

/* The kernel makes blocks of aligned ranges alone. */
static void put_range(struct writer *w, const struct shown *s) {
        writer_open_array(w, "range", "{sv}");
        writer_put(w, "start", "t", s->add->first * s->block_size);
        writer_put(w, "end", "t", (s->add->last + UINT64_C(1)) * s->block_size - 1);
        writer_put(w, "block_size", "t", s->block_size);
        writer_put(w, "aligned", "b", 1);
        writer_close_array(w);
}

static void put_resource(struct writer *w, const struct shown *s) {
        const struct trace_resource *r = &s->trace->resource;

        if (!open_part(w, s, "resource", TRACE_PART_RESOURCE))
                return;
        writer_put(w, "start", "t", r->start);
        writer_put(w, "end", "t", r->end);
        writer_put(w, "text", "s", bus_text(r->text));
        writer_put(w, "whole", "b", (int) r->whole);
        writer_close_array(w);
}

static void put_direct_map(struct writer *w, const struct shown *s) {
        int64_t total = 0;

        if (!open_part(w, s, "direct_map", TRACE_PART_DIRECT_MAP))
                return;
        writer_open_array(w, "growth", "{sx}");
        for (size_t i = 0; i < s->trace->n_maps; i++) {
                writer_append(w, "{sx}", bus_text(s->trace->maps[i].name), s->trace->maps[i].bytes);
                total += s->trace->maps[i].bytes;
        }
        writer_close_array(w);
        writer_put(w, "total", "x", total);
        writer_close_array(w);
}

static void put_memmap(struct writer *w, const struct shown *s) {
        static const char *const measures[] = {
                [TRACE_MEMMAP_COUNTED] = "kernel-count",
                [TRACE_MEMMAP_FIRST] = "first-event",
                [TRACE_MEMMAP_AFTER] = "end",
        };
        static const char *const homes[] = {
                [TRACE_HOME_UNKNOWN] = "unknown",
                [TRACE_HOME_KERNEL] = "kernel-zones",
                [TRACE_HOME_ITSELF] = "itself",
        };
        const uint64_t pages = s->add->n_blocks * (s->block_size / s->page_size);
        const uint64_t computed = pages * STRUCT_PAGE_SIZE / s->page_size;
        enum trace_memmap_by by;
        int64_t measured;

        if (!open_part(w, s, "memmap", TRACE_PART_MEMMAP))
                return;
        measured = trace_memmap_pages(s->trace, s->add, &by);
        writer_put(w, "pages", "t", pages);
        writer_put(w, "computed", "t", pages * STRUCT_PAGE_SIZE);
        writer_put(w, "measured", "x", bytes(s, measured));
        writer_put(w, "measured_by", "s", measures[by]);
        if (s->trace->lent_first.usec)
                writer_put(w, "kernel_zones_first_event", "x", bytes(s, s->trace->lent_first.pages));
        if (s->trace->lent.usec) {
                writer_put(w, "kernel_zones_end", "x", bytes(s, s->trace->lent.pages));
                writer_put(w, "own", "x", bytes(s, trace_own_pages(s->trace)));
        }
        writer_put(w, "home", "s", homes[trace_memmap_home(s->trace, s->add, computed)]);
        writer_close_array(w);
}

static void put_created(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "created", TRACE_PART_EVENTS))
                return;
        writer_put(w, "came", "u", s->trace->n_came);
        writer_put(w, "events", "u", s->trace->n_events);
        writer_put(w, "span_usec", "t", since(s->trace->first_event_usec, s->trace->last_event_usec));
        writer_close_array(w);
}

static void put_times(struct writer *w, const struct shown *s, const char *key, const struct trace_times *t) {
        if (!open_part(w, s, key, TRACE_PART_QUEUED))
                return;
        writer_put(w, "blocks", "u", t->n);
        writer_put(w, "min_usec", "u", t->min);
        writer_put(w, "median_usec", "u", t->median);
        writer_put(w, "max_usec", "u", t->max);
        if (t == &s->trace->written) {
                writer_put(w, "begin_usec", "t", since(begin_usec(s), s->trace->first_write_usec));
                writer_put(w, "end_usec", "t", since(begin_usec(s), s->trace->last_write_usec));
        }
        writer_close_array(w);
}

static void put_chosen(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "chosen", TRACE_PART_ZONE))
                return;
        writer_open_array(w, "zones", "{su}");
        for (enum zone z = 0; z < _ZONE_MAX; z++)
                if (s->trace->zone_blocks[z])
                        writer_append(w, "{su}", zone_to_string(z), s->trace->zone_blocks[z]);
        writer_close_array(w);
        writer_close_array(w);
}

static void open_zone(struct writer *w, const struct trace_zone *z) {
        writer_open(w, 'a', "{sv}");
        writer_put(w, "node", "i", (int32_t) z->node);
        writer_put(w, "zone", "s", zone_to_string((enum zone) z->zone));
}

static void put_growth(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "growth", TRACE_PART_GROWTH))
                return;
        writer_open_array(w, "zones", "a{sv}");
        for (size_t i = 0; i < s->trace->n_zones; i++) {
                const struct trace_zone *z = &s->trace->zones[i];

                open_zone(w, z);
                writer_put(w, "spanned", "x", bytes(s, z->spanned));
                writer_put(w, "present", "x", bytes(s, z->present));
                writer_put(w, "managed", "x", bytes(s, z->managed));
                writer_put(w, "free", "x", bytes(s, z->free));
                writer_close(w);
        }
        writer_close_array(w);
        writer_put(w, "left_out", "t", (uint64_t) s->trace->n_dropped);
        writer_close_array(w);
}

static void put_free_blocks(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "free_blocks", TRACE_PART_FREE_BLOCKS))
                return;
        writer_open_array(w, "zones", "a{sv}");
        for (size_t i = 0; i < s->trace->n_zones; i++) {
                open_zone(w, &s->trace->zones[i]);
                writer_open_array(w, "orders", "x");
                for (unsigned k = 0; k < s->trace->orders; k++)
                        writer_append(w, "x", s->trace->zones[i].free_blocks[k]);
                writer_close_array(w);
                writer_close(w);
        }
        writer_close_array(w);
        writer_close_array(w);
}

static void put_mark(struct writer *w, const struct shown *s, const char *key, const uint64_t mark[static 2]) {
        writer_put(w, key, "ax", 2, bytes(s, (int64_t) mark[0]), bytes(s, (int64_t) mark[1]));
}

static void put_watermarks(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "watermarks", TRACE_PART_GROWTH))
                return;
        writer_open_array(w, "zones", "a{sv}");
        for (size_t i = 0; i < s->trace->n_zones; i++) {
                open_zone(w, &s->trace->zones[i]);
                put_mark(w, s, "min", s->trace->zones[i].min);
                put_mark(w, s, "low", s->trace->zones[i].low);
                put_mark(w, s, "high", s->trace->zones[i].high);
                writer_close(w);
        }
        writer_close_array(w);
        writer_close_array(w);
}

static void put_zonelists(struct writer *w, const struct shown *s) {
        if (!open_part(w, s, "zonelists", TRACE_PART_ZONELISTS))
                return;
        writer_put(w, "rebuilt", "t", s->trace->rebuilds);
        writer_put(w, "zonelists", "u", s->trace->zonelists);
        writer_put(w, "total_pages", "t", s->trace->total_pages);
        writer_close_array(w);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static void put_summary(struct writer *w, const struct shown *s) {
        const struct add *a = s->add;
        const struct trace *t = s->trace;

        writer_put(w, "add", "u", a->number);
        writer_put(w, "state", "s", t->over ? "over" : "open");
        writer_put(w, "time_usec", "t", t->time_usec);
        writer_put(w, "source", "s", source_to_string(a->source));
        writer_put(w, "device", "s", bus_text(a->device));
        writer_put(w, "node", "i", (int32_t) a->node);
        writer_put(w, "first", "u", a->first);
        writer_put(w, "last", "u", a->last);
        writer_put(w, "n_blocks", "u", a->n_blocks);
        writer_put(w, "size", "t", a->n_blocks * s->block_size);
        writer_put(w, "online", "u", a->n_online);
        writer_put(w, "offline", "u", a->n_offline);
        writer_put(w, "failed", "u", a->n_failed);
        writer_put(w, "pending", "u", a->n_pending);
        writer_put(w, "overlaps", "b", (int) t->overlaps);
        writer_put(w, "disturbed", "b", (int) t->disturbed);
        writer_put(w, "duration_usec", "t", since(begin_usec(s), t->last_write_usec ?: t->last_event_usec));
}

static void put_trace(struct writer *w, const struct shown *s) {
        put_summary(w, s);
        /* On CLOCK_MONOTONIC, for those who look at the same machine. */
        writer_put(w, "before_usec", "t", s->trace->before_usec);
        writer_put(w, "begin_usec", "t", begin_usec(s));
        writer_put(w, "before_age_usec", "t", s->trace->before_usec ? since(s->trace->before_usec, begin_usec(s)) : 0);
        writer_put(w, "look_usec", "u", s->trace->look_usec);
        writer_put(w, "page_size", "t", s->page_size);
        put_range(w, s);
        put_resource(w, s);
        put_direct_map(w, s);
        put_memmap(w, s);
        put_created(w, s);
        put_times(w, s, "queued", &s->trace->queued);
        put_times(w, s, "written", &s->trace->written);
        put_chosen(w, s);
        put_growth(w, s);
        put_free_blocks(w, s);
        put_watermarks(w, s);
        put_zonelists(w, s);
}

/* A hot-add that the kernel refused at step 1 has no number: there is nothing of it but the kernel's word. */
static void put_refusal(struct writer *w, const struct shown *s, const struct refusal *r) {
        char text[512];

        refusal_describe(r, text, sizeof(text));
        writer_put(w, "add", "u", 0);
        writer_put(w, "state", "s", "refused");
        writer_put(w, "time_usec", "t", to_realtime(s, r->usec));
        writer_put(w, "device", "s", bus_text(r->device));
        writer_put(w, "node", "i", -1);
        writer_put(w, "size", "t", r->size);
        writer_put(w, "errno", "i", -r->error);
        writer_put(w, "refused", "s", bus_text(text));
        writer_open_array(w, "range", "{sv}");
        if (r->size) {
                writer_put(w, "start", "t", r->start);
                writer_put(w, "end", "t", r->start + r->size - 1);
                writer_put(w, "block_size", "t", r->block_size);
                writer_put(w, "aligned", "b", 0);
        } else
                writer_put(w, "no_evidence", "s", "the kernel does not say which it was");
        writer_close_array(w);
}

/* ---- methods --------------------------------------------------------------------------------------------------------- */

/* From the oldest on, in the order of time: *i adds and *k refusals were taken before. False: that was all. */
static bool next_shown(const struct bus *b, size_t *i, size_t *k, struct shown *s, const struct refusal **ret_refusal) {
        const struct adds *adds = manager_adds(b->manager);
        struct traces *traces = manager_traces(b->manager);
        struct refusals *refusals = manager_refusals(b->manager);
        const struct refusal *refusal = *k < refusals->n ? refusals_get(refusals, *k) : NULL;

        for (s->trace = NULL; *i < TRACES_MAX && !s->trace; ++*i) {
                uint32_t number = adds->last_number - (uint32_t) (TRACES_MAX - 1 - *i); /* below 0: there are none yet */

                s->trace = traces_find(traces, number);
                s->add = adds_find(manager_adds(b->manager), number);
        }
        if (s->trace && (!refusal || begin_usec(s) < refusal->usec)) {
                *ret_refusal = NULL;
                return true;
        }
        if (s->trace)
                --*i; /* after the refusal */
        ++*k;
        *ret_refusal = refusal;
        return refusal;
}

int bus_get_trace(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct refusal *refusal = NULL, *next;
        struct shown s, found = {};
        size_t i = 0, k = 0;
        struct writer w;
        uint32_t number;
        int r;

        r = sd_bus_message_read(m, "u", &number);
        if (r < 0 || only_check)
                return r;
        shown_init(b, &s);
        while (next_shown(b, &i, &k, &s, &next))
                if (number == 0 || (!next && s.add->number == number)) {
                        found = s;
                        refusal = next;
                }
        if (!found.trace && !refusal && number == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "nothing was hot-added since memhpd was started");
        if (!found.trace && !refusal)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "add %u: there is no trace of it; \"memhpctl trace "
                                         "--list\" shows those there are", number);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "{sv}");
        if (refusal)
                put_refusal(&w, &s, refusal);
        else
                put_trace(&w, &found);
        writer_close(&w);
        return writer_reply(&w);
}

int bus_list_traces(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct refusal *refusal;
        size_t i = 0, k = 0;
        struct writer w;
        struct shown s;

        (void) error;
        if (only_check)
                return 0;
        shown_init(b, &s);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        while (next_shown(b, &i, &k, &s, &refusal)) {
                writer_open(&w, 'a', "{sv}");
                if (refusal)
                        put_refusal(&w, &s, refusal);
                else {
                        put_summary(&w, &s);
                        put_chosen(&w, &s);
                }
                writer_close(&w);
        }
        writer_close(&w);
        return writer_reply(&w);
}
