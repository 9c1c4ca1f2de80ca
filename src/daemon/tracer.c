/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/tracer.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define FIRST_FILES SNAPSHOT_FILE_BIT(SNAPSHOT_ZONEINFO)
/* A block whose event was the first and that never came to an add: the next event is a first one again. */
#define FIRST_MAX_USEC 5000000

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static uint64_t realtime_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* ---- snapshots ----------------------------------------------------------------------------------------------------- */

static void look(struct tracer *t, struct snapshot *ret) {
        struct refused *log = t->refused;

        refused_catch_up(log);
        snapshot_take(&t->reader, SNAPSHOT_ALL_FILES, ret);
        t->costs[0] = t->costs[1];
        t->costs[1] = ret->costs[SNAPSHOT_ZONEINFO];
        ret->kernlog_error = MIN(log->fd, 0) ?: log->error;
        ret->rebuilds = log->rebuilds;
        ret->zonelists = log->zonelists.zonelists;
        ret->total_pages = log->zonelists.total_pages;
}

static bool is_cheap(const struct tracer *t) {
        return MIN(t->costs[0], t->costs[1]) <= TRACER_BUDGET_USEC;
}

static void begin_anew(struct tracer *t) {
        t->first.usec = 0;
        t->stale = false;
}

void tracer_look(struct tracer *t) {
        if (t->traces.n_open > 0)
                return; /* theirs is older, and that is what they are compared with */
        if (t->before.usec == 0)
                look(t, &t->before); /* the first time nothing is cached, and no measure */
        look(t, &t->before);
        begin_anew(t);
}

uint64_t tracer_event(struct tracer *t) {
        uint64_t now = now_usec();

        if (t->traces.n_open > 0 || t->before.usec == 0 || (t->first.usec && now < t->first.usec + FIRST_MAX_USEC))
                return now;
        if (is_cheap(t))
                snapshot_take(&t->reader, FIRST_FILES, &t->first);
        else {
                t->first.usec = now;
                t->first.errors[SNAPSHOT_ZONEINFO] = -ETIME;
        }
        return now;
}

/* ---- adds ------------------------------------------------------------------------------------------------------------ */

void tracer_join(struct tracer *t, const struct add *a, bool came, uint64_t event_usec) {
        struct trace *trace = traces_find(&t->traces, a->number);
        uint64_t now = now_usec();

        if (!trace) {
                trace = traces_open(&t->traces, a, &t->before, now, realtime_usec() - (event_usec ? now - event_usec : 0));
                trace->disturbed = t->stale;
                if (came && t->first.usec && t->traces.n_open == 1)
                        trace_note_first(trace, &t->before, &t->first);
        }
        if (came)
                trace_note_block(trace, event_usec);
}

void tracer_write(struct tracer *t, uint32_t add, uint64_t start_usec, uint64_t write_usec) {
        struct trace *trace = traces_find(&t->traces, add);

        if (trace)
                trace_note_write(trace, start_usec, write_usec);
}

void tracer_disturb(struct tracer *t) {
        t->stale = true;
        traces_disturb(&t->traces);
}

static void find_resource(struct trace *trace, const struct add *a, const struct registry *registry,
                          struct evidence_cache *evidence) {
        struct trace_resource found = {};
        struct evidence first, last;
        int r;

        r = evidence_read(evidence, a->first, ARRIVAL_HOT, &first);
        if (!registry_find(registry, a->first))
                found.state = TRACE_RESOURCE_GONE;
        else if (r < 0 || !first.iomem)
                found.state = TRACE_RESOURCE_ERROR;
        else if (!first.ram)
                found.state = first.iomem->hidden ? TRACE_RESOURCE_HIDDEN : TRACE_RESOURCE_ABSENT;
        else
                found.state = TRACE_RESOURCE_FOUND;
        found.error = r < 0 ? r : evidence->iomem_error;
        if (found.state == TRACE_RESOURCE_FOUND) {
                found.start = first.ram->start;
                found.end = first.ram->end;
                *first.firmware_node = '\0'; /* of the device, not of the resource */
                source_describe(&first, found.text, sizeof(found.text));
                /* Looked up last: the tree may have been read anew for it. */
                r = evidence_read(evidence, a->last, ARRIVAL_HOT, &last);
                found.whole = r >= 0 && last.ram && last.ram->start == found.start && last.ram->end == found.end;
        }
        trace->resource = found;
}

void tracer_close(struct tracer *t, const struct add *a, const struct registry *r, struct evidence_cache *evidence, bool idle) {
        struct trace *trace = traces_find(&t->traces, a->number);
        bool looked = idle || is_cheap(t);

        if (!trace || trace->over)
                return;
        if (looked)
                look(t, &t->now);
        traces_finish(&t->traces, trace, r, a, &t->before, looked ? &t->now : NULL);
        if (looked)
                evidence_expire(evidence); /* drivers that add in parts merge their resources when blocks are there already */
        find_resource(trace, a, r, evidence);
        if (t->traces.n_open > 0)
                return;
        if (looked) {
                t->before = t->now;
                begin_anew(t);
        } else
                t->stale = true;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

void tracer_init(struct tracer *t, const struct sysfs *fs, struct refused *refused) {
        t->refused = refused;
        snapshot_reader_init(&t->reader, fs);
}

void tracer_done(struct tracer *t) {
        if (t->refused)
                snapshot_reader_done(&t->reader);
}
