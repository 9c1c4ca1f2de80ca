/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"

#include <sys/mman.h>
#include <time.h>

#include "check_util.h"
#include "daemon/scan.h"
#include "fakeroot.h"
#include "fakestatistics.h"

/* Traces of hot-adds: what fakestatistics.h lets a hot-add do to the machine is what they say, to the page. The daemon on a
 * machine made of files, as in check_manager.c.
 *
 * Link with fakeroot's flags and -Wl,--wrap=scan_is_due */

#define PATIENCE_USEC 60000000
#define DIMMS "reconcile = \"off\"; rules = ( { name = \"dimms\"; match = { source = \"dimm\"; }; action = \"%s\"; },\n" \
              "{ name = \"rest\"; match = { }; action = \"online_movable\"; } );\n"
#define BLOCK_BYTES ((int64_t) FAKEROOT_BLOCK_SIZE)
#define GIB_PAGES (8 * FAKE_BLOCK_PAGES)

static struct fakeroot *f;
static sd_event *event;
static sd_event_source *event_source;
static struct manager *m;
static int log_fd, stderr_fd;

bool __real_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);
bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);

bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when) {
        return __real_scan_is_due(s, now + SCAN_INTERVAL_USEC, ret_when);
}

/* In the way of memory that waits nothing is allocated. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static volatile unsigned n_allocations; /* the compiler knows what malloc() changes, but not this one */

void *malloc(size_t size) {
        __atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        __atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        __atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
        return __libc_realloc(p, size);
}
#else
#define COUNTS 0
static volatile unsigned n_allocations;
#endif

/* ---- the rig ------------------------------------------------------------------------------------------------------ */

static void setup(void) {
        f = fakeroot_new(0);
        ck_assert_int_eq(sd_event_new(&event), 0);
        stderr_fd = dup(STDERR_FILENO);
        log_fd = memfd_create("log", MFD_CLOEXEC);
        ck_assert(stderr_fd >= 0 && log_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
}

static void teardown(void) {
        event_source = sd_event_source_unref(event_source);
        manager_free(m);
        m = NULL;
        (void) dup2(stderr_fd, STDERR_FILENO);
        close(stderr_fd);
        close(log_fd);
        event = sd_event_unref(event);
        f = fakeroot_free(f);
}

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

#define RUN_UNTIL(condition)                                                                                \
        do {                                                                                                \
                uint64_t end_ = now_usec() + PATIENCE_USEC;                                                 \
                while (!(condition))                                                                        \
                        if (now_usec() >= end_ || sd_event_run(event, 100000) < 0)                          \
                                ck_abort_msg("never: %s", #condition);                                      \
        } while (0)

static int on_kernel_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct uevent e;

        (void) source, (void) fd, (void) revents, (void) userdata;
        while (fakeroot_take_event(f, &e))
                manager_handle_event(m, &e);
        return 0;
}

static void start(const char *action) {
        char config[512], policy[512];
        const struct manager_options options = { .root = fakeroot_path(f), .config = config };

        snprintf(config, sizeof(config), "%s/policy", fakeroot_path(f));
        snprintf(policy, sizeof(policy), DIMMS, action);
        fakeroot_write(f, "policy", policy);
        fakeroot_drop_events(f);
        ck_assert_int_eq(manager_new(event, &options, &m), 0);
        ck_assert_int_ge(sd_event_add_io(event, &event_source, fakeroot_event_fd(f), EPOLLIN, on_kernel_event, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_priority(event_source, -10), 0);
        ck_assert_int_eq(manager_start(m), 0);
        RUN_UNTIL(manager_is_started(m));
}

/* With statistics, and 32 blocks of node 0. */
static void start_machine(const char *action, const struct fakeroot_statistics *statistics) {
        fakeroot_add_boot(f, 0, 32, 0);
        fakeroot_keep_statistics(f, statistics ?: &(struct fakeroot_statistics) {});
        start(action);
}

static struct trace *trace_of(uint32_t add) {
        return traces_find(manager_traces(m), add);
}

/* The add is over, and what is now is what the next one is compared with. */
static bool is_complete(uint32_t add) {
        const struct trace *t = trace_of(add);

        return t && t->over && manager_is_idle(m) && !fakeroot_has_events(f) && !m->tracer.stale;
}

static const struct trace *wait_for(uint32_t add) {
        RUN_UNTIL(is_complete(add));
        return trace_of(add);
}

static const struct add *add_of(const struct trace *t) {
        return adds_find(manager_adds(m), t->add);
}

static void check_zone(const struct trace *t, int node, enum zone zone, int64_t spanned, int64_t present, int64_t managed,
                       int64_t free) {
        for (size_t i = 0; i < t->n_zones; i++) {
                const struct trace_zone *z = &t->zones[i];

                if (z->node != node || z->zone != zone)
                        continue;
                ck_assert_int_eq(z->spanned, spanned);
                ck_assert_int_eq(z->present, present);
                ck_assert_int_eq(z->managed, managed);
                ck_assert_int_eq(z->free, free);
                return;
        }
        ck_abort_msg("node %d, %s is not there", node, zone_to_string(zone));
}

static const char *why_not(const struct trace *t, enum trace_part part) {
        static char why[TRACE_TEXT_MAX];

        return trace_has(t, add_of(t), part, why) ? "" : why;
}

static void check_why(const struct trace *t, enum trace_part part, const char *expected) {
        const char *why = why_not(t, part);

        ck_assert_msg(*expected ? strstr(why, expected) != NULL : !*why, "part %d: \"%s\" instead of \"%s\"", (int) part, why,
                      expected);
}

/* ---- one hot-add ---------------------------------------------------------------------------------------------------- */

START_TEST(dimm_to_movable) {
        const struct trace *t;
        enum trace_memmap_by by;
        uint64_t before, after;

        start_machine("online_movable", NULL);
        fakeroot_set_write_time(f, 2000);
        before = now_usec();
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        t = wait_for(1);
        after = now_usec();
        for (enum trace_part part = 0; part < _TRACE_PART_MAX; part++)
                if (part != TRACE_PART_ZONELISTS) /* a machine made of files has no log to wait for */
                        check_why(t, part, "");
        check_why(t, TRACE_PART_ZONELISTS, "kernel log is not read");
        ck_assert(!t->overlaps && !t->disturbed && !t->busy);

        ck_assert_uint_lt(t->before_usec, before);
        ck_assert_uint_eq(t->n_came, 8);
        ck_assert_uint_eq(t->n_events, 8);
        ck_assert_uint_ge(t->first_event_usec, before);
        ck_assert_uint_le(t->first_event_usec, t->last_event_usec);
        ck_assert_uint_le(t->last_event_usec, after);

        ck_assert_int_eq(t->resource.state, TRACE_RESOURCE_FOUND);
        ck_assert(t->resource.whole);
        ck_assert_str_eq(t->resource.text, "System RAM");
        ck_assert_uint_eq(t->resource.start, 32 * FAKEROOT_BLOCK_SIZE);
        ck_assert_uint_eq(t->resource.end, 40 * FAKEROOT_BLOCK_SIZE - 1);

        ck_assert_uint_eq(t->n_maps, 3);
        ck_assert_int_eq(t->maps[0].bytes, 0);
        ck_assert_int_eq(t->maps[1].bytes, 0);
        ck_assert_str_eq(t->maps[2].name, "1G");
        ck_assert_int_eq(t->maps[2].bytes, 8 * BLOCK_BYTES);

        /* At the first event nothing was online yet. */
        ck_assert_int_eq(t->lent_first.pages, 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->lent.pages, 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(trace_memmap_pages(t, add_of(t), &by), 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(by, TRACE_MEMMAP_FIRST);
        ck_assert_int_eq(trace_memmap_home(t, add_of(t), 8 * FAKE_MEMMAP_PAGES), TRACE_HOME_KERNEL);

        ck_assert_uint_eq(t->written.n, 8);
        ck_assert_uint_ge(t->written.min, 2000);
        ck_assert_uint_le(t->written.min, t->written.median);
        ck_assert_uint_le(t->written.median, t->written.max);
        ck_assert_uint_ge(t->first_write_usec, t->first_event_usec);
        ck_assert_uint_ge(t->last_write_usec, t->first_write_usec + 8 * 2000);
        ck_assert_uint_eq(t->queued.n, 8);
        ck_assert_uint_ge(t->queued.max, 7 * 2000); /* the last one waits for the others */
        ck_assert_uint_eq(t->zone_blocks[ZONE_MOVABLE], 8);

        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
        ck_assert_uint_eq(t->n_zones, 1); /* Normal's watermarks did not move */
        ck_assert_uint_eq(t->zones[0].min[0], 0);
        ck_assert_uint_eq(t->zones[0].min[1], GIB_PAGES / 512);
        ck_assert_uint_eq(t->zones[0].high[1], GIB_PAGES / 300);
        ck_assert_uint_eq(t->orders, FAKE_ORDERS);
        ck_assert_int_eq(t->zones[0].free_blocks[10], 255); /* a CPU has taken 63 pages of the last */
        ck_assert_int_eq(t->zones[0].free_blocks[0], 1);
        ck_assert_int_eq(t->zones[0].free_blocks[5], 0);
}
END_TEST

START_TEST(dimm_to_kernel_zone) {
        const struct trace *t;

        start_machine("online_kernel", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 4, 0); /* a hole of 8 blocks below */
        t = wait_for(1);
        ck_assert_uint_eq(t->zone_blocks[ZONE_NORMAL], 4);
        check_zone(t, 0, ZONE_NORMAL, 12 * FAKE_BLOCK_PAGES, 4 * FAKE_BLOCK_PAGES, 4 * FAKE_BLOCK_PAGES,
                   4 * FAKE_BLOCK_PAGES - 4 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->lent_first.pages, 4 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->lent.pages, 4 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(memmap_on_memory) {
        const struct trace *t;

        start_machine("online_movable", &(struct fakeroot_statistics) { .memmap_on_memory = true });
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        t = wait_for(1);
        ck_assert_int_eq(trace_own_pages(t), 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->lent.pages, 0);
        ck_assert_int_eq(trace_memmap_home(t, add_of(t), 8 * FAKE_MEMMAP_PAGES), TRACE_HOME_ITSELF);
        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES - 8 * FAKE_MEMMAP_PAGES,
                   GIB_PAGES - 8 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(memmap_counted_by_the_kernel) {
        const struct trace *t;
        enum trace_memmap_by by;

        start_machine("online_movable", &(struct fakeroot_statistics) { .memmap_counted = true });
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        t = wait_for(1);
        ck_assert_int_eq(trace_memmap_pages(t, add_of(t), &by), 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(by, TRACE_MEMMAP_COUNTED);
}
END_TEST

/* Step 4 is the price of memory that nobody uses, too. */
START_TEST(left_offline) {
        const struct trace *t;

        start_machine("leave_offline", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        t = wait_for(1);
        check_why(t, TRACE_PART_QUEUED, "left offline");
        check_why(t, TRACE_PART_ZONE, "left offline");
        check_why(t, TRACE_PART_GROWTH, "");
        ck_assert_uint_eq(t->n_zones, 0); /* nothing moved */
        ck_assert_int_eq(t->lent_first.pages, 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->maps[2].bytes, 8 * BLOCK_BYTES);
        ck_assert_uint_eq(t->n_events, 8);
}
END_TEST

START_TEST(virtio_mem_in_two_steps) {
        const struct trace *t;
        enum trace_memmap_by by;

        start_machine("online_movable", NULL);
        fakeroot_add_virtio_mem(f, "virtio0", 64, 4, 1);
        t = wait_for(1);
        ck_assert_int_eq(trace_memmap_pages(t, add_of(t), &by), 4 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(by, TRACE_MEMMAP_AFTER);
        ck_assert_str_eq(t->resource.text, "System RAM (virtio_mem) in virtio0");
        fakeroot_add_virtio_mem(f, "virtio0", 68, 4, 1);
        t = wait_for(2);
        check_zone(t, 1, ZONE_MOVABLE, 4 * FAKE_BLOCK_PAGES, 4 * FAKE_BLOCK_PAGES, 4 * FAKE_BLOCK_PAGES, 4 * FAKE_BLOCK_PAGES);
        ck_assert_int_eq(t->lent.pages, 4 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(retries_count_from_the_last) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_fail_writes(f, 33, EBUSY, 1); /* again after 200 ms */
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 2, 1);
        t = wait_for(1);
        ck_assert_uint_eq(t->written.n, 2);
        ck_assert_uint_ge(t->last_write_usec, t->first_write_usec + 150000);
        ck_assert_uint_eq(t->zone_blocks[ZONE_MOVABLE], 2);
}
END_TEST

/* ---- what was there before ------------------------------------------------------------------------------------------- */

START_TEST(at_the_start) {
        const struct trace *t;

        fakeroot_add_boot(f, 0, 32, 0);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        fakeroot_keep_statistics(f, &(struct fakeroot_statistics) {});
        start("online_movable");
        t = wait_for(1);
        check_why(t, TRACE_PART_DIRECT_MAP, "when memhpd started");
        check_why(t, TRACE_PART_MEMMAP, "when memhpd started");
        check_why(t, TRACE_PART_EVENTS, "when memhpd started");
        check_why(t, TRACE_PART_GROWTH, "");
        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
        ck_assert_uint_eq(t->written.n, 8);
}
END_TEST

START_TEST(decided_again) {
        const struct trace *t;
        char policy[512];

        start_machine("leave_offline", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        (void) wait_for(1);
        snprintf(policy, sizeof(policy), DIMMS, "online_movable");
        fakeroot_write(f, "policy", policy);
        ck_assert_int_eq(manager_reload(m), 0);
        t = wait_for(2);
        check_why(t, TRACE_PART_DIRECT_MAP, "another decision");
        check_why(t, TRACE_PART_EVENTS, "another decision");
        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
        ck_assert_int_eq(t->lent.pages, 0);
}
END_TEST

/* An add is compared with what was there right before it, whatever came and went since the last one. */
START_TEST(unplugged_and_plugged_again) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        (void) wait_for(1);
        fakeroot_remove(f, 32, 8);
        RUN_UNTIL(registry_find(&m->registry, 32) == NULL && !fakeroot_has_events(f) && !m->tracer.stale);
        fakeroot_add_dimm(f, "PNP0C80:02", 32, 8, 1);
        t = wait_for(2);
        ck_assert(!t->disturbed);
        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
        ck_assert_int_eq(t->lent_first.pages, 8 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(others_take_memory_offline) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        (void) wait_for(1);
        ck_assert_int_eq(fakeroot_set_state(f, 39, "offline"), 0);
        RUN_UNTIL(registry_find(&m->registry, 39)->state == BLOCK_OFFLINE && !m->tracer.stale);
        fakeroot_add_dimm(f, "PNP0C80:02", 40, 8, 1);
        t = wait_for(2);
        ck_assert(!t->disturbed);
        check_zone(t, 1, ZONE_MOVABLE, 9 * FAKE_BLOCK_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
}
END_TEST

/* So does a look at all blocks, which a reconcile is: nothing is compared with what is older than that. */
START_TEST(looked_at_now_and_then) {
        uint64_t before;

        start_machine("online_movable", NULL);
        before = m->tracer.before.usec;
        ck_assert_uint_gt(before, 0); /* at the start */
        fakeroot_overflow(f);
        RUN_UNTIL(m->counters.rescans == 2 && manager_is_idle(m));
        ck_assert_uint_gt(m->tracer.before.usec, before);
        before = m->tracer.before.usec;
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        ck_assert_uint_eq(wait_for(1)->before_usec, before);
        ck_assert_uint_gt(m->tracer.before.usec, before);
        /* But not while an add is under way: it is compared with what was before it. */
        before = m->tracer.before.usec;
        fakeroot_hold_write(f, 40);
        fakeroot_add_dimm(f, "PNP0C80:02", 40, 8, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_overflow(f);
        RUN_UNTIL(m->counters.rescans == 3 && !m->scan.active);
        fakeroot_release_write(f);
        ck_assert_uint_eq(wait_for(2)->before_usec, before);
}
END_TEST

/* ---- more at a time ---------------------------------------------------------------------------------------------------- */

START_TEST(two_at_once) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_hold_write(f, 32);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        check_why(trace_of(1), TRACE_PART_GROWTH, "not over yet");
        check_why(trace_of(1), TRACE_PART_EVENTS, "");
        fakeroot_add_dimm(f, "PNP0C80:02", 40, 8, 1);
        RUN_UNTIL(trace_of(2));
        fakeroot_release_write(f);
        (void) wait_for(1);
        t = wait_for(2);
        for (uint32_t i = 1; i <= 2; i++) {
                ck_assert(trace_of(i)->overlaps);
                ck_assert(!trace_of(i)->disturbed);
                ck_assert_uint_eq(trace_of(i)->n_events, 8);
                ck_assert_uint_eq(trace_of(i)->written.n, 8); /* times are of each alone */
        }
        /* Differences are of both. */
        check_zone(t, 1, ZONE_MOVABLE, 2 * GIB_PAGES, 2 * GIB_PAGES, 2 * GIB_PAGES, 2 * GIB_PAGES);
        /* And the next one is alone again. */
        fakeroot_add_dimm(f, "PNP0C80:03", 48, 8, 1);
        t = wait_for(3);
        ck_assert(!t->overlaps);
        check_zone(t, 1, ZONE_MOVABLE, GIB_PAGES, GIB_PAGES, GIB_PAGES, GIB_PAGES);
        ck_assert_int_eq(t->lent_first.pages, 8 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(disturbed) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_hold_write(f, 32);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        ck_assert_int_eq(fakeroot_set_state(f, 31, "offline"), 0);
        RUN_UNTIL(registry_find(&m->registry, 31)->state == BLOCK_OFFLINE);
        fakeroot_release_write(f);
        t = wait_for(1);
        ck_assert(t->disturbed);
        check_zone(t, 0, ZONE_NORMAL, -(int64_t) FAKE_BLOCK_PAGES, -(int64_t) FAKE_BLOCK_PAGES, -(int64_t) FAKE_BLOCK_PAGES,
                   -(int64_t) FAKE_BLOCK_PAGES - 8 * FAKE_MEMMAP_PAGES);
}
END_TEST

START_TEST(events_are_lost) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        fakeroot_overflow(f);
        t = wait_for(1);
        ck_assert_uint_eq(t->n_came, 8);
        ck_assert_uint_eq(t->n_events, 0);
        check_why(t, TRACE_PART_EVENTS, "events were lost");
        check_why(t, TRACE_PART_MEMMAP, "");
        ck_assert_int_eq(t->lent.pages, 8 * FAKE_MEMMAP_PAGES);
        ck_assert_int_eq(t->maps[2].bytes, 8 * BLOCK_BYTES);
}
END_TEST

/* Unplugged while it came. */
START_TEST(gone_before_it_is_over) {
        const struct trace *t;

        start_machine("online_movable", NULL);
        fakeroot_hold_write(f, 32);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_remove(f, 32, 8);
        fakeroot_release_write(f);
        t = wait_for(1);
        ck_assert(t->disturbed);
        check_why(t, TRACE_PART_RESOURCE, "blocks are gone");
        check_why(t, TRACE_PART_QUEUED, "wrote to none of its blocks");
        check_why(t, TRACE_PART_ZONE, "none of it is online");
}
END_TEST

START_TEST(without_statistics) {
        const struct trace *t;

        fakeroot_add_boot(f, 0, 32, 0);
        fakeroot_set_iomem(f, FAKEROOT_IOMEM_HIDDEN);
        start("online_movable");
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        t = wait_for(1);
        check_why(t, TRACE_PART_RESOURCE, "shows no addresses");
        check_why(t, TRACE_PART_DIRECT_MAP, "/proc/meminfo cannot be read");
        check_why(t, TRACE_PART_MEMMAP, "/proc/zoneinfo cannot be read");
        check_why(t, TRACE_PART_GROWTH, "/proc/zoneinfo cannot be read");
        check_why(t, TRACE_PART_FREE_BLOCKS, "/proc/zoneinfo cannot be read");
        check_why(t, TRACE_PART_QUEUED, "");
        check_why(t, TRACE_PART_ZONE, "");
        ck_assert_uint_eq(t->written.n, 8);
}
END_TEST

/* ---- nothing may be in the way -------------------------------------------------------------------------------------------- */

static struct tracer tracer;
static struct refused refused;
static struct evidence_cache evidence;
static struct sysfs *fs;

static void setup_alone(void) {
        setup();
        fakeroot_add_boot(f, 0, 32, 0);
        fakeroot_keep_statistics(f, &(struct fakeroot_statistics) {});
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        evidence_init(&evidence, fs);
        refused = (struct refused) { .fd = -ENOENT };
        memset(&tracer, 0, sizeof(tracer));
        tracer_init(&tracer, fs, &refused);
}

static void teardown_alone(void) {
        tracer_done(&tracer);
        evidence_done(&evidence);
        sysfs_close(fs);
        teardown();
}

START_TEST(allocates_nothing) {
        struct add add = { .number = 1, .source = SOURCE_DIMM, .node = 1, .first = 32, .last = 39, .n_blocks = 8 };
        void *volatile seen;
        unsigned before;

        tracer_look(&tracer);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 8, 1);
        before = n_allocations;
        seen = malloc(1);
        ck_assert(!COUNTS || n_allocations > before); /* or nothing is counted at all */
        free(seen);
        before = n_allocations;
        for (uint32_t i = 0; i < 8; i++)
                tracer_join(&tracer, &add, true, tracer_event(&tracer));
        for (uint32_t i = 0; i < 8; i++)
                tracer_write(&tracer, 1, 1000, 10);
        tracer_disturb(&tracer);
        CHECK(n_allocations == before);
        ck_assert_int_eq(traces_find(&tracer.traces, 1)->lent_first.pages, 8 * FAKE_MEMMAP_PAGES);
}
END_TEST

/* Where a look takes long, memory does not wait for it. */
START_TEST(looks_that_take_long) {
        struct add add = { .number = 1, .source = SOURCE_DIMM, .node = 1, .first = 32, .last = 39, .n_blocks = 8 };
        struct registry registry = {};
        const struct trace *t;
        uint64_t when;

        tracer_look(&tracer);
        tracer.costs[0] = tracer.costs[1] = TRACER_BUDGET_USEC + 1;
        when = tracer_event(&tracer);
        ck_assert_uint_eq(tracer.first.usec, when);
        ck_assert_uint_eq(tracer.first.n_zones, 0);
        tracer_join(&tracer, &add, true, when);
        tracer_close(&tracer, &add, &registry, &evidence, false);
        t = traces_find(&tracer.traces, 1);
        ck_assert(t->over && t->busy);
        ck_assert_uint_eq(t->lent_first.usec, 0);
        ck_assert(tracer.stale);
        /* When nothing waits, there is time. */
        tracer_look(&tracer);
        ck_assert(!tracer.stale);
        tracer.costs[0] = tracer.costs[1] = TRACER_BUDGET_USEC + 1;
        add.number = 2;
        tracer_join(&tracer, &add, true, tracer_event(&tracer));
        tracer_close(&tracer, &add, &registry, &evidence, true);
        ck_assert(!traces_find(&tracer.traces, 2)->busy);
}
END_TEST

/* The first event of a block that never came to an add is not the next one's. */
START_TEST(first_look_grows_old) {
        tracer_look(&tracer);
        (void) tracer_event(&tracer);
        ck_assert_uint_eq(tracer.first.n_zones, 1);
        tracer.first.usec -= 6000000;
        tracer.first.n_zones = 0;
        (void) tracer_event(&tracer);
        ck_assert_uint_eq(tracer.first.n_zones, 1);
        tracer.first.n_zones = 0;
        (void) tracer_event(&tracer); /* one is enough */
        ck_assert_uint_eq(tracer.first.n_zones, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("tracer");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "one", setup, teardown);
        tcase_add_test(c, dimm_to_movable);
        tcase_add_test(c, dimm_to_kernel_zone);
        tcase_add_test(c, memmap_on_memory);
        tcase_add_test(c, memmap_counted_by_the_kernel);
        tcase_add_test(c, left_offline);
        tcase_add_test(c, virtio_mem_in_two_steps);
        tcase_add_test(c, retries_count_from_the_last);

        c = check_case_in(s, "before", setup, teardown);
        tcase_add_test(c, at_the_start);
        tcase_add_test(c, decided_again);
        tcase_add_test(c, unplugged_and_plugged_again);
        tcase_add_test(c, others_take_memory_offline);
        tcase_add_test(c, looked_at_now_and_then);

        c = check_case_in(s, "more at a time", setup, teardown);
        tcase_add_test(c, two_at_once);
        tcase_add_test(c, disturbed);
        tcase_add_test(c, events_are_lost);
        tcase_add_test(c, gone_before_it_is_over);
        tcase_add_test(c, without_statistics);

        c = check_case_in(s, "out of the way", setup_alone, teardown_alone);
        tcase_add_test(c, allocates_nothing);
        tcase_add_test(c, looks_that_take_long);
        tcase_add_test(c, first_look_grows_old);
        r = check_run(s);
        fakeroot_end();
        return r;
}
