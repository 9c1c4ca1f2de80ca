/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/trace.h"

#include "check_util.h"

#define PAGES_PER_BLOCK 32768
#define MIB (UINT64_C(1) << 20)

static struct traces traces;
static struct snapshot before, after;
static struct registry registry;
static struct add add;

static void setup(void) {
        memset(&traces, 0, sizeof(traces));
        snapshot_init(&before);
        snapshot_init(&after);
        before.usec = 1000;
        after.usec = 9000;
        registry = (struct registry) {};
        add = (struct add) { .number = 1, .source = SOURCE_DIMM, .node = 1, .first = 32, .last = 39, .n_blocks = 8 };
}

static void teardown(void) {
        registry_done(&registry);
}

static struct snapshot_zone *put_zone(struct snapshot *s, int node, enum zone zone, uint64_t pages) {
        struct snapshot_zone *z = &s->zones[s->n_zones++];

        *z = (struct snapshot_zone) {
                .node = (int16_t) node, .zone = (uint8_t) zone, .free = pages, .spanned = pages, .present = pages, .managed = pages,
        };
        s->errors[SNAPSHOT_ZONEINFO] = s->errors[SNAPSHOT_BUDDYINFO] = 0;
        return z;
}

static struct trace *open_trace(void) {
        return traces_open(&traces, &add, &before, 2000, 12345);
}

static const struct trace *finish(struct trace *t) {
        traces_finish(&traces, t, &registry, &add, &before, &after);
        return t;
}

static const struct trace_zone *zone_of(const struct trace *t, int node, enum zone zone) {
        for (size_t i = 0; i < t->n_zones; i++)
                if (t->zones[i].node == node && t->zones[i].zone == zone)
                        return &t->zones[i];
        return NULL;
}

/* ---- differences ------------------------------------------------------------------------------------------------------- */

/* One zone before and after: absent where spanned is 0. */
struct figures {
        uint64_t spanned, present, managed, free, pcp;
};

static const struct {
        struct figures before, after;
        int64_t spanned, present, managed, free;
} growths[] = {
        { {}, { 262144, 262144, 262144, 262000, 144 }, 262144, 262144, 262144, 262144 }, /* it appears */
        { { 262144, 262144, 262144, 262000, 144 }, {}, -262144, -262144, -262144, -262144 }, /* and goes */
        { { 100, 90, 80, 70, 5 }, { 110, 100, 88, 71, 2 }, 10, 10, 8, -2 },
        { { 110, 100, 88, 71, 2 }, { 100, 90, 80, 70, 5 }, -10, -10, -8, 2 }, /* it shrinks */
        { { 100, 90, 80, 70, 5 }, { 100, 90, 80, 70, 5 }, 0, 0, 0, 0 },
        { { 1, 1, 1, 1, 0 }, { UINT64_MAX >> 1, 1, 1, 1, 0 }, INT64_MAX - 1, 0, 0, 0 },
        /* What the kernel counts below zero is printed as a huge number, and is not one. */
        { { 1, 1, 1, UINT64_MAX, 0 }, { 1, 1, 1, 5, 0 }, 0, 0, 0, 6 },
        { { 1, 1, 1, 5, 0 }, { 1, 1, 1, UINT64_MAX - 1, 0 }, 0, 0, 0, -7 },
        { { 1, 1, 1, UINT64_MAX, 1 }, { 1, 1, 1, 0, 1 }, 0, 0, 0, 1 },
};

static void put_figures(struct snapshot *s, const struct figures *f) {
        struct snapshot_zone *z;

        (void) put_zone(s, 0, ZONE_DMA32, 4096); /* a file without zones is none */
        if (f->spanned == 0)
                return;
        z = put_zone(s, 1, ZONE_MOVABLE, 0);
        z->spanned = f->spanned;
        z->present = f->present;
        z->managed = f->managed;
        z->free = f->free;
        z->pcp = f->pcp;
}

START_TEST(test_growth) {
        const struct trace_zone *z;
        const struct trace *t;

        put_figures(&before, &growths[_i].before);
        put_figures(&after, &growths[_i].after);
        t = finish(open_trace());
        z = zone_of(t, 1, ZONE_MOVABLE);
        ck_assert_ptr_nonnull(z); /* of the add's node: shown, moved or not */
        ck_assert_uint_eq(t->n_zones, 1); /* the other is not */
        ck_assert_int_eq(z->spanned, growths[_i].spanned);
        ck_assert_int_eq(z->present, growths[_i].present);
        ck_assert_int_eq(z->managed, growths[_i].managed);
        ck_assert_int_eq(z->free, growths[_i].free);
        ck_assert_uint_eq(t->before_usec, 1000);
        ck_assert_uint_eq(t->after_usec, 9000);
}
END_TEST

START_TEST(test_watermarks_and_free_blocks) {
        struct snapshot_zone *z = put_zone(&before, 0, ZONE_NORMAL, 1000);
        const struct trace_zone *shown;
        const struct trace *t;

        z->min = 11, z->low = 12, z->high = 13;
        z->free_blocks[0] = 7;
        z->free_blocks[10] = 200;
        z = put_zone(&after, 0, ZONE_NORMAL, 1000);
        z->min = 11, z->low = 14, z->high = 13;
        z->free_blocks[0] = 3;
        z->free_blocks[10] = 456;
        (void) put_zone(&before, 0, ZONE_DMA, 10);
        (void) put_zone(&after, 0, ZONE_DMA, 10);
        before.orders = after.orders = 11;
        t = finish(open_trace());
        ck_assert_uint_eq(t->n_zones, 1); /* DMA did not move, and is of another node */
        shown = zone_of(t, 0, ZONE_NORMAL);
        ck_assert_ptr_nonnull(shown);
        ck_assert_uint_eq(shown->low[0], 12);
        ck_assert_uint_eq(shown->low[1], 14);
        ck_assert_uint_eq(shown->min[1], 11);
        ck_assert_uint_eq(shown->high[0], 13);
        ck_assert_int_eq(shown->free_blocks[0], -4);
        ck_assert_int_eq(shown->free_blocks[10], 256);
        ck_assert_uint_eq(t->orders, 11);
}
END_TEST

/* Zones that have grown are shown before those whose watermarks moved, and nothing is left out silently. */
START_TEST(test_more_zones_than_room) {
        const struct trace *t;

        for (int node = 0; node < 40; node++) {
                put_zone(&before, node, ZONE_NORMAL, 100)->min = 1;
                put_zone(&after, node, ZONE_NORMAL, 100)->min = 2;
        }
        after.zones[38].present = 164;
        put_zone(&after, 39, ZONE_MOVABLE, 500);
        put_zone(&before, 39, ZONE_DEVICE, 500);
        after.n_dropped = 3;
        add.node = 39;
        t = finish(open_trace());
        ck_assert_uint_eq(t->n_zones, TRACE_ZONES_MAX);
        ck_assert_uint_eq(t->n_dropped, 42 - TRACE_ZONES_MAX + 3);
        ck_assert_int_eq(zone_of(t, 38, ZONE_NORMAL)->present, 64);
        ck_assert_int_eq(zone_of(t, 39, ZONE_MOVABLE)->present, 500);
        ck_assert_int_eq(zone_of(t, 39, ZONE_DEVICE)->present, -500);
}
END_TEST

static void put_map(struct snapshot *s, const char *name, uint64_t bytes) {
        snprintf(s->maps[s->n_maps].name, sizeof(s->maps->name), "%s", name);
        s->maps[s->n_maps++].bytes = bytes;
        s->errors[SNAPSHOT_MEMINFO] = 0;
}

/* Mapping in large pages may be split meanwhile: what one size has lost another has won. */
START_TEST(test_direct_map) {
        const struct trace *t;

        put_map(&before, "4k", 10 * MIB);
        put_map(&before, "2M", 100 * MIB);
        put_map(&after, "4k", 12 * MIB);
        put_map(&after, "2M", 98 * MIB);
        put_map(&after, "1G", 1024 * MIB);
        t = finish(open_trace());
        ck_assert_uint_eq(t->n_maps, 3);
        ck_assert_int_eq(t->maps[0].bytes, 2 * (int64_t) MIB);
        ck_assert_int_eq(t->maps[1].bytes, -2 * (int64_t) MIB);
        ck_assert_int_eq(t->maps[2].bytes, 1024 * (int64_t) MIB);
        ck_assert_str_eq(t->maps[2].name, "1G");
}
END_TEST

START_TEST(test_zonelists) {
        const struct trace *t;

        before.kernlog_error = after.kernlog_error = 0;
        before.rebuilds = 4;
        after.rebuilds = 5;
        after.zonelists = 2;
        after.total_pages = 513034;
        t = finish(open_trace());
        ck_assert_int_eq(t->kernlog_error, 0);
        ck_assert_uint_eq(t->rebuilds, 1);
        ck_assert_uint_eq(t->zonelists, 2);
        ck_assert_uint_eq(t->total_pages, 513034);
}
END_TEST

/* ---- the struct pages ---------------------------------------------------------------------------------------------------- */

#define COMPUTED 4096 /* pages for 262144 */

static const struct {
        int64_t first, after;       /* what kernel zones have lent more; first: INT64_MIN if nobody looked */
        int64_t own;                /* present and not managed, of what came */
        int64_t counted;            /* by the kernel; -1: it does not */
        enum source source;
        bool overlaps;
        int64_t pages;
        enum trace_memmap_by by;
        enum trace_memmap_home home;
} memmaps[] = {
        { 4100, 4300, 0, -1, SOURCE_DIMM, false, 4100, TRACE_MEMMAP_FIRST, TRACE_HOME_KERNEL },
        { INT64_MIN, 4300, 0, -1, SOURCE_DIMM, false, 4300, TRACE_MEMMAP_AFTER, TRACE_HOME_KERNEL },
        { 4100, 8300, 0, -1, SOURCE_DIMM, true, 8300, TRACE_MEMMAP_AFTER, TRACE_HOME_KERNEL },
        { 512, 4150, 0, -1, SOURCE_VIRTIO_MEM, false, 4150, TRACE_MEMMAP_AFTER, TRACE_HOME_KERNEL },
        { 4100, 4300, 0, 4096, SOURCE_DIMM, false, 4096, TRACE_MEMMAP_COUNTED, TRACE_HOME_KERNEL },
        { 10, 20, 4096, 4096, SOURCE_DIMM, false, 4096, TRACE_MEMMAP_COUNTED, TRACE_HOME_ITSELF },
        { 10, 20, 4096, -1, SOURCE_DIMM, false, 10, TRACE_MEMMAP_FIRST, TRACE_HOME_ITSELF },
        /* The figures do not tell: others have given back more than it took. */
        { -900, -1000, 0, -1, SOURCE_DIMM, false, -900, TRACE_MEMMAP_FIRST, TRACE_HOME_UNKNOWN },
        { 100, 200, 0, 4096, SOURCE_DIMM, false, 4096, TRACE_MEMMAP_COUNTED, TRACE_HOME_UNKNOWN },
};

START_TEST(test_memmap) {
        static struct snapshot first;
        struct trace *t;
        enum trace_memmap_by by;

        put_zone(&before, 0, ZONE_NORMAL, 100000)->free = 50000;
        put_zone(&before, 0, ZONE_MOVABLE, 100000)->free = 7; /* lends nothing that matters */
        snapshot_init(&first);
        first.usec = 5000;
        put_zone(&first, 0, ZONE_NORMAL, 100000)->free = (uint64_t) 50000 - (uint64_t) memmaps[_i].first;
        put_zone(&first, 0, ZONE_MOVABLE, 100000)->free = 90000;
        put_zone(&after, 0, ZONE_NORMAL, 100000)->free = (uint64_t) 50000 - (uint64_t) memmaps[_i].after;
        put_zone(&after, 0, ZONE_MOVABLE, 100000)->free = 1;
        /* The add's: all of it free. */
        put_zone(&after, 1, ZONE_MOVABLE, 262144)->managed -= (uint64_t) memmaps[_i].own;
        before.errors[SNAPSHOT_VMSTAT] = after.errors[SNAPSHOT_VMSTAT] = 0;
        before.has_memmap = after.has_memmap = memmaps[_i].counted >= 0;
        before.memmap_pages = 1000;
        after.memmap_pages = 1000 + (uint64_t) memmaps[_i].counted;
        add.source = memmaps[_i].source;
        t = open_trace();
        if (memmaps[_i].first != INT64_MIN)
                trace_note_first(t, &before, &first);
        t->overlaps = memmaps[_i].overlaps;
        (void) finish(t);
        ck_assert_int_eq(trace_memmap_pages(t, &add, &by), memmaps[_i].pages);
        ck_assert_int_eq(by, memmaps[_i].by);
        ck_assert_int_eq(trace_own_pages(t), memmaps[_i].own);
        ck_assert_int_eq(trace_memmap_home(t, &add, COMPUTED), memmaps[_i].home);
        ck_assert_int_eq(trace_memmap_home(t, &add, 0), TRACE_HOME_UNKNOWN);
}
END_TEST

/* Memory in kernel zones lends to nobody what is free in it. */
START_TEST(test_kernel_memory_is_no_cost) {
        put_zone(&before, 0, ZONE_NORMAL, 100000)->free = 50000;
        put_zone(&after, 0, ZONE_NORMAL, 100000 + 262144)->free = 50000 + 262144 - 4096;
        after.zones[0].free -= 60;
        after.zones[0].pcp = 60;
        ck_assert_int_eq(finish(open_trace())->lent.pages, 4096);
}
END_TEST

static const struct {
        int64_t pages;
        uint64_t page_size;
        int64_t bytes;
} sizes[] = {
        { 4096, 4096, 16777216 },
        { -4096, 65536, -268435456 },
        { 0, 4096, 0 },
        { INT64_MAX, 4096, INT64_MAX },
        { INT64_MIN, 4096, INT64_MIN },
        { INT64_MAX / 4096 + 1, 4096, INT64_MAX },
        { 1, UINT64_MAX, INT64_MAX },
};

START_TEST(test_bytes) {
        ck_assert_int_eq(trace_bytes(sizes[_i].pages, sizes[_i].page_size), sizes[_i].bytes);
}
END_TEST

/* ---- times ----------------------------------------------------------------------------------------------------------------- */

static struct entry *put_entry(uint32_t block, uint32_t number, uint32_t queued, uint32_t written) {
        struct entry *e = registry_insert(&registry, block);

        ck_assert_ptr_nonnull(e);
        e->add = number;
        e->queued_usec = queued;
        e->write_usec = written;
        e->timed = true;
        e->state = BLOCK_ONLINE;
        e->zones = ZONE_BIT(ZONE_MOVABLE);
        return e;
}

static int compare_u32(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return x < y ? -1 : x > y;
}

/* Against sorting. */
START_TEST(test_median) {
        struct prng p = { (uint64_t) _i + 1 };
        uint32_t queued[300], written[300];
        unsigned n = 1 + (unsigned) _i * 7 % ARRAY_SIZE(queued);
        const struct trace *t;

        for (unsigned i = 0; i < n; i++) {
                queued[i] = (uint32_t) (_i % 3 ? prng_number(&p) : prng_below(&p, 4)); /* also with many alike */
                written[i] = (uint32_t) prng_next(&p);
                (void) put_entry(100 + i, 1, queued[i], written[i]);
        }
        /* Others, before, behind and among them. */
        (void) put_entry(3, 2, 0, 0);
        (void) put_entry(100 + n, 7, UINT32_MAX, UINT32_MAX);
        (void) put_entry(100 + n + 1, 1, 0, 0);
        registry.entries[registry.n - 1].timed = false;
        add.first = 100;
        add.last = 100 + n + 1;
        t = finish(open_trace());
        qsort(queued, n, sizeof(*queued), compare_u32);
        qsort(written, n, sizeof(*written), compare_u32);
        ck_assert_uint_eq(t->queued.n, n);
        ck_assert_uint_eq(t->queued.min, queued[0]);
        ck_assert_uint_eq(t->queued.median, queued[(n - 1) / 2]);
        ck_assert_uint_eq(t->queued.max, queued[n - 1]);
        ck_assert_uint_eq(t->written.n, n);
        ck_assert_uint_eq(t->written.min, written[0]);
        ck_assert_uint_eq(t->written.median, written[(n - 1) / 2]);
        ck_assert_uint_eq(t->written.max, written[n - 1]);
}
END_TEST

START_TEST(test_zones_of_blocks) {
        const struct trace *t;

        for (uint32_t i = 32; i < 40; i++)
                (void) put_entry(i, 1, 1, 1);
        registry_find(&registry, 33)->zones = ZONE_BIT(ZONE_NORMAL);
        registry_find(&registry, 34)->state = BLOCK_OFFLINE;
        registry_find(&registry, 35)->zones = 0; /* several */
        registry_find(&registry, 36)->add = 2;
        t = finish(open_trace());
        ck_assert_uint_eq(t->zone_blocks[ZONE_MOVABLE], 4);
        ck_assert_uint_eq(t->zone_blocks[ZONE_NORMAL], 1);
        ck_assert_uint_eq(t->zone_blocks[ZONE_DMA], 0);
}
END_TEST

START_TEST(test_nothing_is_left_of_it) {
        const struct trace *t = finish(open_trace()); /* unplugged before it was over */

        ck_assert_uint_eq(t->queued.n, 0);
        ck_assert_uint_eq(t->written.n, 0);
        add.last = UINT32_MAX;
        add.number = 2;
        t = finish(open_trace());
        ck_assert_uint_eq(t->written.n, 0);
}
END_TEST

START_TEST(test_events_and_writes) {
        struct trace *t = open_trace();

        trace_note_block(t, 0); /* found by a look */
        trace_note_block(t, 500);
        trace_note_block(t, 300);
        trace_note_block(t, 400);
        ck_assert_uint_eq(t->n_came, 4);
        ck_assert_uint_eq(t->n_events, 3);
        ck_assert_uint_eq(t->first_event_usec, 300);
        ck_assert_uint_eq(t->last_event_usec, 500);
        trace_note_write(t, 700, 50);
        trace_note_write(t, 750, 20);
        trace_note_write(t, 600, 10);
        ck_assert_uint_eq(t->first_write_usec, 600);
        ck_assert_uint_eq(t->last_write_usec, 770);
}
END_TEST

/* ---- the ring -------------------------------------------------------------------------------------------------------------- */

START_TEST(test_ring) {
        ck_assert_ptr_null(traces_find(&traces, 0));
        ck_assert_ptr_null(traces_find(&traces, 1));
        for (uint32_t i = 1; i <= 3 * TRACES_MAX; i++) {
                add.number = i;
                ck_assert_uint_eq(finish(open_trace())->add, i);
                ck_assert_uint_eq(traces.n_open, 0);
                ck_assert_ptr_null(traces_find(&traces, i + 1));
                if (i > TRACES_MAX) {
                        ck_assert_ptr_null(traces_find(&traces, i - TRACES_MAX));
                        ck_assert_ptr_nonnull(traces_find(&traces, i - TRACES_MAX + 1));
                }
        }
        add.number = UINT32_MAX;
        ck_assert_uint_eq(finish(open_trace())->add, UINT32_MAX);
        ck_assert_ptr_null(traces_find(&traces, 0));
}
END_TEST

START_TEST(test_overlaps) {
        struct trace *t[3];

        for (uint32_t i = 0; i < 3; i++) {
                add.number = i + 1;
                t[i] = open_trace();
                if (i == 0)
                        ck_assert(!t[0]->overlaps);
        }
        for (size_t i = 0; i < 3; i++) {
                ck_assert(t[i]->overlaps);
                ck_assert(!t[i]->disturbed);
        }
        add.number = 2;
        (void) finish(t[1]);
        (void) finish(t[1]); /* only once */
        ck_assert_uint_eq(traces.n_open, 2);
        traces_disturb(&traces);
        ck_assert(t[0]->disturbed && !t[1]->disturbed && t[2]->disturbed);
        add.number = 1;
        (void) finish(t[0]);
        add.number = 3;
        (void) finish(t[2]);
        add.number = 4;
        ck_assert(!open_trace()->overlaps);
}
END_TEST

/* What is open for so long that its place is needed is given up. */
START_TEST(test_open_is_overtaken) {
        (void) open_trace();
        for (uint32_t i = 2; i <= TRACES_MAX; i++) {
                add.number = i;
                (void) finish(open_trace());
        }
        ck_assert_uint_eq(traces.n_open, 1);
        add.number = TRACES_MAX + 1;
        (void) open_trace();
        ck_assert_uint_eq(traces.n_open, 1);
        ck_assert_ptr_null(traces_find(&traces, 1));
}
END_TEST

/* ---- evidence, or why there is none ------------------------------------------------------------------------------------- */

static struct trace whole;

static void make_whole(void) {
        whole = (struct trace) {
                .add = 1, .node = 1, .over = true, .before_usec = 1, .after_usec = 2, .n_came = 8, .n_events = 8, .n_maps = 1,
                .rebuilds = 1, .queued.n = 8, .written.n = 8, .zone_blocks[ZONE_MOVABLE] = 8, .n_zones = 1, .lent.usec = 2,
                .resource.state = TRACE_RESOURCE_FOUND,
        };
}

static void open_again(void) {
        whole.over = false;
        whole.written.n = 0;
        whole.zone_blocks[ZONE_MOVABLE] = 0;
        whole.lent.usec = 0;
        whole.resource.state = TRACE_RESOURCE_UNKNOWN;
}

static void was_busy(void) {
        whole.busy = true;
        whole.lent.usec = 0;
}

static void never_looked(void) { whole.before_usec = 0; }
static void was_there(void) { whole.n_came = whole.n_events = 0; }
static void was_there_at_startup(void) { was_there(); add.at_startup = true; }
static void lost_events(void) { whole.n_events = 0; }
static void no_zoneinfo(void) { whole.errors[SNAPSHOT_ZONEINFO] = -EACCES; whole.lent.usec = 0; }
static void bad_zoneinfo(void) { whole.errors[SNAPSHOT_ZONEINFO] = -EBADMSG; }
static void no_buddyinfo(void) { whole.errors[SNAPSHOT_BUDDYINFO] = -ENOENT; }
static void no_meminfo(void) { whole.errors[SNAPSHOT_MEMINFO] = -EACCES; }
static void no_maps(void) { whole.n_maps = 0; }
static void only_counted(void) { no_zoneinfo(); whole.has_memmap = true; }
static void only_first(void) { no_zoneinfo(); whole.lent_first.usec = 1; }
static void not_written(void) { whole.written.n = 0; }
static void left_offline(void) { whole.written.n = whole.zone_blocks[ZONE_MOVABLE] = 0; add.n_offline = 8; }
static void in_no_zone(void) { whole.zone_blocks[ZONE_MOVABLE] = 0; }
static void no_log(void) { whole.kernlog_error = -EPERM; }
static void log_not_read(void) { whole.kernlog_error = -ENODATA; }
static void no_rebuild(void) { whole.rebuilds = 0; }
static void iomem_hidden(void) { whole.resource.state = TRACE_RESOURCE_HIDDEN; }
static void iomem_gone(void) { whole.resource.state = TRACE_RESOURCE_GONE; }
static void iomem_absent(void) { whole.resource.state = TRACE_RESOURCE_ABSENT; }
static void iomem_error(void) { whole.resource.state = TRACE_RESOURCE_ERROR; whole.resource.error = -EACCES; }

/* NULL: there is evidence. */
static const struct {
        void (*make)(void);
        enum trace_part part;
        const char *why;
} reasons[] = {
        { open_again, TRACE_PART_RESOURCE, "not over yet" },
        { iomem_hidden, TRACE_PART_RESOURCE, "shows no addresses" },
        { iomem_gone, TRACE_PART_RESOURCE, "blocks are gone" },
        { iomem_absent, TRACE_PART_RESOURCE, "has no System RAM" },
        { iomem_error, TRACE_PART_RESOURCE, "cannot be used: Permission denied" },
        { was_busy, TRACE_PART_RESOURCE, NULL },
        { was_there, TRACE_PART_RESOURCE, NULL },
        { open_again, TRACE_PART_DIRECT_MAP, "not over yet" },
        { was_busy, TRACE_PART_DIRECT_MAP, "no time to look" },
        { never_looked, TRACE_PART_DIRECT_MAP, "nobody had looked" },
        { was_there, TRACE_PART_DIRECT_MAP, "was there before" },
        { was_there_at_startup, TRACE_PART_DIRECT_MAP, "when memhpd started" },
        { lost_events, TRACE_PART_DIRECT_MAP, NULL },
        { no_meminfo, TRACE_PART_DIRECT_MAP, "/proc/meminfo cannot be read: Permission denied" },
        { no_maps, TRACE_PART_DIRECT_MAP, "does not tell it" },
        { no_zoneinfo, TRACE_PART_DIRECT_MAP, NULL },
        { was_there, TRACE_PART_MEMMAP, "was there before" },
        { open_again, TRACE_PART_MEMMAP, "not over yet" },
        { was_busy, TRACE_PART_MEMMAP, "no time to look" },
        { no_zoneinfo, TRACE_PART_MEMMAP, "/proc/zoneinfo cannot be read: Permission denied" },
        { only_counted, TRACE_PART_MEMMAP, NULL },
        { only_first, TRACE_PART_MEMMAP, NULL },
        { was_there, TRACE_PART_EVENTS, "was there before" },
        { lost_events, TRACE_PART_EVENTS, "events were lost" },
        { open_again, TRACE_PART_EVENTS, NULL },
        { open_again, TRACE_PART_QUEUED, "not over yet" },
        { not_written, TRACE_PART_QUEUED, "wrote to none of its blocks" },
        { left_offline, TRACE_PART_QUEUED, "left offline" },
        { was_busy, TRACE_PART_QUEUED, NULL },
        { was_there, TRACE_PART_QUEUED, NULL },
        { open_again, TRACE_PART_ZONE, "not over yet" },
        { left_offline, TRACE_PART_ZONE, "left offline" },
        { in_no_zone, TRACE_PART_ZONE, "none of it is online in one zone" },
        { not_written, TRACE_PART_ZONE, NULL },
        { open_again, TRACE_PART_GROWTH, "not over yet" },
        { was_busy, TRACE_PART_GROWTH, "no time to look" },
        { bad_zoneinfo, TRACE_PART_GROWTH, "/proc/zoneinfo is malformed" },
        { was_there, TRACE_PART_GROWTH, NULL },
        { no_buddyinfo, TRACE_PART_GROWTH, NULL },
        { no_buddyinfo, TRACE_PART_FREE_BLOCKS, "/proc/buddyinfo cannot be read: No such file" },
        { no_zoneinfo, TRACE_PART_FREE_BLOCKS, "/proc/zoneinfo cannot be read" },
        { open_again, TRACE_PART_FREE_BLOCKS, "not over yet" },
        { no_log, TRACE_PART_ZONELISTS, "kernel log is not read: Operation not permitted" },
        { log_not_read, TRACE_PART_ZONELISTS, "kernel log is not read" },
        { no_rebuild, TRACE_PART_ZONELISTS, "does not say" },
        { open_again, TRACE_PART_ZONELISTS, "not over yet" },
        { was_busy, TRACE_PART_ZONELISTS, "no time to look" },
        { make_whole, _TRACE_PART_MAX, "no such part" },
};

START_TEST(test_no_evidence) {
        char why[TRACE_TEXT_MAX] = "untouched";
        bool has;

        make_whole();
        reasons[_i].make();
        has = trace_has(&whole, &add, reasons[_i].part, why);
        ck_assert_msg(has == !reasons[_i].why, "part %d: %s", (int) reasons[_i].part, why);
        if (!has)
                ck_assert_msg(strstr(why, reasons[_i].why), "part %d: %s", (int) reasons[_i].part, why);
        else
                ck_assert_str_eq(why, "untouched");
}
END_TEST

START_TEST(test_evidence) {
        char why[TRACE_TEXT_MAX] = "";

        make_whole();
        for (enum trace_part part = 0; part < _TRACE_PART_MAX; part++)
                ck_assert_msg(trace_has(&whole, &add, part, why), "part %d: %s", (int) part, why);
}
END_TEST

/* Without a look at the end there is nothing to compare, and it says so. */
START_TEST(test_finish_without_a_look) {
        char why[TRACE_TEXT_MAX];
        struct trace *t;

        (void) put_zone(&before, 1, ZONE_MOVABLE, 100);
        (void) put_entry(32, 1, 5, 6);
        t = open_trace();
        traces_finish(&traces, t, &registry, &add, &before, NULL);
        ck_assert(t->over && t->busy);
        ck_assert_uint_eq(t->n_zones, 0);
        ck_assert_uint_eq(t->written.median, 6);
        ck_assert(!trace_has(t, &add, TRACE_PART_GROWTH, why));
        ck_assert(trace_has(t, &add, TRACE_PART_ZONE, why));
}
END_TEST

int main(void) {
        Suite *s = suite_create("trace");
        TCase *c;

        c = check_case_in(s, "differences", setup, teardown);
        tcase_add_loop_test(c, test_growth, 0, ARRAY_SIZE(growths));
        tcase_add_test(c, test_watermarks_and_free_blocks);
        tcase_add_test(c, test_more_zones_than_room);
        tcase_add_test(c, test_direct_map);
        tcase_add_test(c, test_zonelists);

        c = check_case_in(s, "struct pages", setup, teardown);
        tcase_add_loop_test(c, test_memmap, 0, ARRAY_SIZE(memmaps));
        tcase_add_test(c, test_kernel_memory_is_no_cost);
        tcase_add_loop_test(c, test_bytes, 0, ARRAY_SIZE(sizes));

        c = check_case_in(s, "times", setup, teardown);
        tcase_add_loop_test(c, test_median, 0, 60);
        tcase_add_test(c, test_zones_of_blocks);
        tcase_add_test(c, test_nothing_is_left_of_it);
        tcase_add_test(c, test_events_and_writes);

        c = check_case_in(s, "ring", setup, teardown);
        tcase_add_test(c, test_ring);
        tcase_add_test(c, test_overlaps);
        tcase_add_test(c, test_open_is_overtaken);

        c = check_case_in(s, "evidence", setup, teardown);
        tcase_add_loop_test(c, test_no_evidence, 0, ARRAY_SIZE(reasons));
        tcase_add_test(c, test_evidence);
        tcase_add_test(c, test_finish_without_a_look);

        return check_run(s);
}
