/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/snapshot.h"

#include <inttypes.h>
#include <stdarg.h>

#include "check_util.h"
#include "core/buddyinfo.h"
#include "core/zoneinfo.h"
#include "fakeroot.h"
#include "host/processes.h"
#include "host/snapshots.h"

static struct snapshot s;

/* A text, line by line. 0 or the first error. */
static int feed(enum snapshot_file file, const char *text, size_t size) {
        struct snapshot_cursor cursor = {};
        int r;

        for (const char *p = text, *end = text + size; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p)) ?: end;
                _cleanup_free_ char *line = check_copy(p, (size_t) (newline - p));

                r = snapshot_add_line(&s, file, &cursor, line, (size_t) (newline - p));
                if (r < 0)
                        return r;
                p = newline + (newline < end);
        }
        return snapshot_end_file(&s, file, &cursor);
}

static int feed_text(enum snapshot_file file, const char *text) {
        return feed(file, text, strlen(text));
}

/* ---- what zoneinfo.c and buddyinfo.c make of it, which look at every byte ------------------------------------------------ */

static void check_zones(const char *text, size_t size) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        unsigned line = 0;
        size_t n = 0;

        ck_assert_int_eq(zoneinfo_parse(text, size, &info, &line), 0);
        for (size_t i = 0; i < info.n_zones; i++) {
                const struct zone_info *z = &info.zones[i];
                const struct snapshot_zone *found = snapshot_find(&s, (int) z->node, zone_from_string(z->name));

                if (zone_from_string(z->name) < 0 || (z->present == 0 && z->spanned == 0)) {
                        ck_assert_ptr_null(found);
                        continue;
                }
                n++;
                ck_assert_ptr_nonnull(found);
                ck_assert_uint_eq(found->free, z->free);
                ck_assert_uint_eq(found->pcp, z->pcp_free);
                ck_assert_uint_eq(found->min, z->min);
                ck_assert_uint_eq(found->low, z->low);
                ck_assert_uint_eq(found->high, z->high);
                ck_assert_uint_eq(found->spanned, z->spanned);
                ck_assert_uint_eq(found->present, z->present);
                ck_assert_uint_eq(found->managed, z->managed);
        }
        ck_assert_uint_eq(s.n_zones, n);
        ck_assert_uint_eq(s.n_dropped, 0);
}

static void check_buddies(const char *text, size_t size) {
        _cleanup_(buddyinfo_done) struct buddyinfo info = {};
        unsigned line = 0;

        ck_assert_int_eq(buddyinfo_parse(text, size, &info, &line), 0);
        ck_assert_uint_eq(s.orders, info.orders);
        for (size_t i = 0; i < info.n_zones; i++) {
                const struct buddy_zone *z = &info.zones[i];
                const struct snapshot_zone *found = snapshot_find(&s, (int) z->node, zone_from_string(z->name));

                ck_assert_ptr_nonnull(found);
                for (unsigned k = 0; k < SNAPSHOT_ORDERS_MAX; k++)
                        ck_assert_uint_eq(found->free_blocks[k], k < info.orders ? z->free_blocks[k] : 0);
        }
}

static const char *const kernels[] = { "6.1", "6.18" };

START_TEST(real_files) {
        _cleanup_free_ char *zones = NULL, *buddies = NULL;
        char name[64];
        size_t size, buddies_size;

        snapshot_init(&s);
        snprintf(name, sizeof(name), "zoneinfo-%s", kernels[_i]);
        zones = check_read_data(name, &size);
        ck_assert_int_eq(feed(SNAPSHOT_ZONEINFO, zones, size), 0);
        check_zones(zones, size);
        snprintf(name, sizeof(name), "buddyinfo-%s", kernels[_i]);
        buddies = check_read_data(name, &buddies_size);
        ck_assert_int_eq(feed(SNAPSHOT_BUDDYINFO, buddies, buddies_size), 0);
        check_buddies(buddies, buddies_size);
        check_zones(zones, size); /* as before */
}
END_TEST

/* Cut short or changed in one byte: what is taken for whole is what zoneinfo.c takes it for. */
START_TEST(damaged_files) {
        _cleanup_free_ char *text = NULL;
        struct prng p = { 7 };
        char name[64];
        size_t size;

        snprintf(name, sizeof(name), "zoneinfo-%s", kernels[_i]);
        text = check_read_data(name, &size);
        for (unsigned i = 0; i < 3000; i++) {
                _cleanup_free_ char *damaged = check_copy(text, size);
                size_t cut = i % 2 ? 1 + prng_below(&p, (unsigned) size - 1) : size;
                struct zoneinfo info;
                unsigned line;

                if (i % 2 == 0)
                        damaged[prng_below(&p, (unsigned) size)] = "0 9x:,\n"[prng_below(&p, 7)];
                snapshot_init(&s);
                if (zoneinfo_parse(damaged, cut, &info, &line) < 0) {
                        (void) feed(SNAPSHOT_ZONEINFO, damaged, cut); /* it passes over more; but ends */
                        continue;
                }
                zoneinfo_done(&info);
                if (feed(SNAPSHOT_ZONEINFO, damaged, cut) == 0)
                        check_zones(damaged, cut);
        }
}
END_TEST

/* ---- by hand ----------------------------------------------------------------------------------------------------------- */

#define PAGES(free, min, low, high, spanned, present, managed)                                                           \
        "  pages free     " #free "\n        boost    9\n        min      " #min "\n        low      " #low "\n"        \
        "        high     " #high "\n        promo    9\n        spanned  " #spanned "\n        present  " #present "\n" \
        "        managed  " #managed "\n        cma      9\n        protection: (0, 1)\n"
#define ZONE(node, name, pages) "Node " #node ", zone " #name "\n" pages
#define CPU(count, high) "    cpu: 0\n              count: " #count "\n              high:  " #high "\n"
#define TAIL(cpus) "      nr_free_pages 7\n  pagesets\n" cpus "  start_pfn:           1\n"

static const struct {
        const char *text;
        int r;
        size_t n;
} zoneinfos[] = {
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) TAIL(CPU(8, 9)), 0, 1 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) ZONE(0, Movable, PAGES(1, 2, 3, 4, 5, 6, 7)), 0, 2 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) ZONE(0, Movable, PAGES(0, 0, 0, 0, 0, 0, 0)), 0, 1 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) ZONE(0, Device, PAGES(0, 0, 0, 0, 5, 0, 0)), 0, 2 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) ZONE(0, Unheard, PAGES(1, 2, 3, 4, 5, 6, 7)), 0, 1 },
        { ZONE(1023, Normal, PAGES(1, 2, 3, 4, 5, 6, 18446744073709551615)), 0, 1 },
        { "", -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(0, 0, 0, 0, 0, 0, 0)), -EBADMSG, 0 }, /* a machine without memory */
        { "  pages free     1\n", -EBADMSG, 0 },
        { "Node 0, zone Normal\n", -EBADMSG, 0 },
        { "Node 0 zone Normal\n", -EBADMSG, 0 },
        { "Node x, zone Normal\n", -EBADMSG, 0 },
        { "Node 32768, zone Normal\n", -EBADMSG, 0 },
        { "Node 0, zone\n", -EBADMSG, 0 },
        { "Nobody\n", -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, x)), -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, -7)), -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 18446744073709551616)), -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, )), -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) TAIL(CPU(x, 9)), -EBADMSG, 0 },
        { ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)) TAIL(CPU(18446744073709551615, 9) CPU(1, 9)), -EBADMSG, 0 },
        { ZONE(0, Normal, "  pages free     1\n        min      2\n") ZONE(0, Movable, PAGES(1, 2, 3, 4, 5, 6, 7)), -EBADMSG, 0 },
};

START_TEST(zoneinfo_by_hand) {
        snapshot_init(&s);
        ck_assert_int_eq(s.errors[SNAPSHOT_ZONEINFO], -ENODATA); /* nobody looked */
        ck_assert_int_eq(feed_text(SNAPSHOT_ZONEINFO, zoneinfos[_i].text), zoneinfos[_i].r);
        if (zoneinfos[_i].r == 0)
                ck_assert_uint_eq(s.n_zones, zoneinfos[_i].n);
}
END_TEST

START_TEST(figures_by_hand) {
        const struct snapshot_zone *z;

        snapshot_init(&s);
        ck_assert_int_eq(feed_text(SNAPSHOT_ZONEINFO, ZONE(3, Movable, PAGES(1, 2, 3, 4, 5, 6, 7)) TAIL(CPU(8, 9) CPU(80, 9))), 0);
        z = snapshot_find(&s, 3, ZONE_MOVABLE);
        ck_assert_ptr_nonnull(z);
        ck_assert_ptr_null(snapshot_find(&s, 3, ZONE_NORMAL));
        ck_assert_ptr_null(snapshot_find(&s, 2, ZONE_MOVABLE));
        ck_assert_uint_eq(z->free, 1);
        ck_assert_uint_eq(z->min, 2);
        ck_assert_uint_eq(z->low, 3);
        ck_assert_uint_eq(z->high, 4);
        ck_assert_uint_eq(z->spanned, 5);
        ck_assert_uint_eq(z->present, 6);
        ck_assert_uint_eq(z->managed, 7);
        ck_assert_uint_eq(z->pcp, 88);
}
END_TEST

/* More zones than there is room for are counted, not mistaken. */
START_TEST(too_many_zones) {
        struct snapshot_cursor cursor = {};
        char line[64];

        snapshot_init(&s);
        for (unsigned node = 0; node < SNAPSHOT_ZONES_MAX + 5; node++) {
                static const char pages[] = PAGES(1, 2, 3, 4, 5, 6, 7);

                snprintf(line, sizeof(line), "Node %u, zone Normal", node);
                ck_assert_int_eq(snapshot_add_line(&s, SNAPSHOT_ZONEINFO, &cursor, line, strlen(line)), 0);
                for (const char *p = pages; *p; p = strchr(p, '\n') + 1)
                        ck_assert_int_eq(snapshot_add_line(&s, SNAPSHOT_ZONEINFO, &cursor, p, strcspn(p, "\n")), 0);
        }
        ck_assert_int_eq(snapshot_end_file(&s, SNAPSHOT_ZONEINFO, &cursor), 0);
        ck_assert_uint_eq(s.n_zones, SNAPSHOT_ZONES_MAX);
        ck_assert_uint_eq(s.n_dropped, 5);
}
END_TEST

static const struct {
        const char *text;
        int r;
        unsigned orders;
        uint64_t first; /* of node 0, Normal */
} buddyinfos[] = {
        { "Node 0, zone   Normal      1      2      3 \n", 0, 3, 1 },
        { "Node 0, zone   Normal 18446744073709551615\n", 0, 1, UINT64_MAX },
        { "Node 0, zone   Normal 7 8\nNode 9, zone Normal 1 2\n", 0, 2, 7 }, /* which came since */
        { "Node 0, zone   Normal 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", 0, 16, 0 },
        { "Node 0, zone   Normal 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", -EBADMSG, 0, 0 },
        { "Node 0, zone   Normal\n", -EBADMSG, 0, 0 },
        { "Node 0, zone   Normal 1 x\n", -EBADMSG, 0, 0 },
        { "Node 0, zone   Normal 1 2\nNode 0, zone Movable 1\n", -EBADMSG, 0, 0 },
        { "Node 0\n", -EBADMSG, 0, 0 },
        { "\n", -EBADMSG, 0, 0 },
};

START_TEST(buddyinfo_by_hand) {
        snapshot_init(&s);
        ck_assert_int_eq(feed_text(SNAPSHOT_ZONEINFO, ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7))), 0);
        ck_assert_int_eq(feed_text(SNAPSHOT_BUDDYINFO, buddyinfos[_i].text), buddyinfos[_i].r);
        if (buddyinfos[_i].r < 0)
                return;
        ck_assert_uint_eq(s.orders, buddyinfos[_i].orders);
        ck_assert_uint_eq(snapshot_find(&s, 0, ZONE_NORMAL)->free_blocks[0], buddyinfos[_i].first);
}
END_TEST

static const struct {
        const char *text;
        int r;
        size_t n;
        const char *name;
        uint64_t bytes; /* of the last */
} meminfos[] = {
        { "MemTotal:       24689356 kB\nDirectMap4k:       28672 kB\nDirectMap2M:     2068480 kB\nDirectMap1G:    25165824 kB\n",
          0, 3, "1G", UINT64_C(25165824) << 10 },
        { "DirectMap4M:   0 kB\n", 0, 1, "4M", 0 },
        { "MemTotal:       24689356 kB\nHugePages_Total:       0\n", 0, 0, "", 0 }, /* arm64 does not tell */
        { "DirectMap:      1 kB\n", 0, 0, "", 0 },                                  /* of which size? */
        { "DirectMap4k:    1\n", -EBADMSG, 0, "", 0 },
        { "DirectMap4k:    1 MB\n", -EBADMSG, 0, "", 0 },
        { "DirectMap4k:    x kB\n", -EBADMSG, 0, "", 0 },
        { "DirectMap4k:\n", -EBADMSG, 0, "", 0 },
        { "DirectMap4k     1 kB\n", -EBADMSG, 0, "", 0 },
        { "DirectMap4k:    18446744073709551615 kB\n", -EBADMSG, 0, "", 0 },
        { "DirectMapOfAllPages: 1 kB\n", -EBADMSG, 0, "", 0 },
        { "DirectMap1: 1 kB\nDirectMap2: 1 kB\nDirectMap3: 1 kB\nDirectMap4: 1 kB\n", 0, 4, "4", 1024 },
        { "DirectMap1: 1 kB\nDirectMap2: 1 kB\nDirectMap3: 1 kB\nDirectMap4: 1 kB\nDirectMap5: 1 kB\n", -EBADMSG, 0, "", 0 },
        { "\n", -EBADMSG, 0, "", 0 },
};

START_TEST(meminfo_by_hand) {
        snapshot_init(&s);
        ck_assert_int_eq(feed_text(SNAPSHOT_MEMINFO, meminfos[_i].text), meminfos[_i].r);
        if (meminfos[_i].r < 0)
                return;
        ck_assert_uint_eq(s.n_maps, meminfos[_i].n);
        if (s.n_maps == 0)
                return;
        ck_assert_str_eq(s.maps[s.n_maps - 1].name, meminfos[_i].name);
        ck_assert_uint_eq(s.maps[s.n_maps - 1].bytes, meminfos[_i].bytes);
}
END_TEST

static const struct {
        const char *text;
        int r;
        bool has;
        uint64_t pages;
} vmstats[] = {
        { "nr_free_pages 1\nnr_memmap_pages 4096\nnr_memmap_boot_pages 98304\n", 0, true, 4096 },
        { "nr_memmap 4096\nnr_memmap_boot 98304\n", 0, true, 4096 }, /* before 6.11 was final */
        { "nr_memmap_pages 0\n", 0, true, 0 },
        { "nr_free_pages 1\n", 0, false, 0 },
        { "nr_memmap_boot_pages 98304\n", 0, false, 0 },
        { "nr_memmap_pages\n", -EBADMSG, false, 0 },
        { "nr_memmap_pages x\n", -EBADMSG, false, 0 },
        { "\n", -EBADMSG, false, 0 },
};

START_TEST(vmstat_by_hand) {
        snapshot_init(&s);
        ck_assert_int_eq(feed_text(SNAPSHOT_VMSTAT, vmstats[_i].text), vmstats[_i].r);
        if (vmstats[_i].r < 0)
                return;
        ck_assert_int_eq(s.has_memmap, vmstats[_i].has);
        ck_assert_uint_eq(s.memmap_pages, vmstats[_i].pages);
}
END_TEST

/* ---- from a system ------------------------------------------------------------------------------------------------------ */

static struct fakeroot *f;
static struct sysfs *fs;
static struct snapshot_reader reader;

static void setup(void) {
        f = fakeroot_new(0);
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        snapshot_reader_init(&reader, fs);
}

static void teardown(void) {
        snapshot_reader_done(&reader);
        sysfs_close(fs);
        f = fakeroot_free(f);
}

/* A zoneinfo of many nodes and processors is larger than any buffer. */
static char *large_zoneinfo(unsigned nodes, unsigned cpus) {
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(file);
        for (unsigned node = 0; node < nodes; node++) {
                fprintf(file, "Node %u, zone   Normal\n  per-node stats\n      nr_inactive_anon %u\n  pages free     %u\n"
                        "        min      %u\n        low      2\n        high     3\n        spanned  4\n        present  5\n"
                        "        managed  6\n        protection: (0, 0)\n      nr_free_pages 1\n  pagesets\n", node, node,
                        node + 1, node * 7);
                for (unsigned cpu = 0; cpu < cpus; cpu++)
                        fprintf(file, "    cpu: %u\n              count: %u\n              high:  378\n              batch: 63\n"
                                "  vm stats threshold: 125\n", cpu, cpu);
                fprintf(file, "  node_unreclaimable:  0\n  start_pfn:           1\n");
        }
        fclose(file);
        return text;
}

START_TEST(larger_than_the_buffer) {
        _cleanup_free_ char *text = large_zoneinfo(64, 100);

        ck_assert_uint_gt(strlen(text), 16 * SNAPSHOT_BUFFER_SIZE);
        fakeroot_write(f, "proc/zoneinfo", text);
        snapshot_take(&reader, SNAPSHOT_FILE_BIT(SNAPSHOT_ZONEINFO), &s);
        ck_assert_int_eq(s.errors[SNAPSHOT_ZONEINFO], 0);
        check_zones(text, strlen(text));
        ck_assert_uint_eq(snapshot_find(&s, 63, ZONE_NORMAL)->pcp, 99 * 50);
        ck_assert_uint_gt(s.usec, 0);
        ck_assert_int_eq(s.errors[SNAPSHOT_MEMINFO], -ENODATA);
        /* Another one in its place. */
        fakeroot_write(f, "proc/zoneinfo", ZONE(0, Normal, PAGES(1, 2, 3, 4, 5, 6, 7)));
        snapshot_take(&reader, SNAPSHOT_ALL_FILES, &s);
        ck_assert_uint_eq(s.n_zones, 1);
}
END_TEST

START_TEST(what_cannot_be_read) {
        fakeroot_write(f, "proc/buddyinfo", "Node 0, zone   Normal 1"); /* no end of line */
        fakeroot_write(f, "proc/meminfo", "DirectMap4k:       28672 kB\n");
        fakeroot_write(f, "proc/vmstat/x", ""); /* a folder */
        snapshot_take(&reader, SNAPSHOT_ALL_FILES, &s);
        ck_assert_int_eq(s.errors[SNAPSHOT_ZONEINFO], -ENOENT);
        ck_assert_int_eq(s.errors[SNAPSHOT_BUDDYINFO], -EBADMSG);
        ck_assert_int_eq(s.errors[SNAPSHOT_MEMINFO], 0);
        ck_assert_int_eq(s.errors[SNAPSHOT_VMSTAT], -EISDIR);
        ck_assert_uint_eq(s.n_maps, 1);
}
END_TEST

START_TEST(a_line_without_end) {
        _cleanup_free_ char *text = malloc(3 * SNAPSHOT_BUFFER_SIZE);

        ck_assert_ptr_nonnull(text);
        memset(text, ' ', 3 * SNAPSHOT_BUFFER_SIZE);
        strcpy(text + 3 * SNAPSHOT_BUFFER_SIZE - 2, "\n");
        fakeroot_write(f, "proc/zoneinfo", text);
        snapshot_take(&reader, SNAPSHOT_FILE_BIT(SNAPSHOT_ZONEINFO), &s);
        ck_assert_int_eq(s.errors[SNAPSHOT_ZONEINFO], -EBADMSG);
}
END_TEST

/* ---- threads of the kernel ---------------------------------------------------------------------------------------------- */

static void put_process(unsigned pid, const char *name, const char *stat) {
        char path[64];

        snprintf(path, sizeof(path), "proc/%u/comm", pid);
        fakeroot_write(f, path, name);
        snprintf(path, sizeof(path), "proc/%u/stat", pid);
        fakeroot_write(f, path, stat);
}

#define STAT(pid, name, parent, start) \
        #pid " (" name ") S " #parent " 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 " #start " 0 0 18446744073709551615 0\n"

START_TEST(kernel_threads) {
        struct kernel_thread threads[] = { { .name = "kswapd1" }, { .name = "kcompactd1" }, { .name = "kswapd11" },
                                           { .name = "kswapd9" }, { .name = "kswapd8" } };

        fakeroot_write(f, "proc/meminfo", "");
        put_process(1, "init\n", STAT(1, "init", 0, 1));
        /* None of the kernel's is there: hidden, or another kind of system. */
        ck_assert_int_eq(kernel_threads_find(fs, threads, ARRAY_SIZE(threads)), -EACCES);
        put_process(2, "kthreadd\n", STAT(2, "kthreadd", 0, 1));
        put_process(57, "kcompactd1\n", STAT(57, "kcompactd1", 2, 1300));
        put_process(58, "kswapd1\n", STAT(58, "kswapd1", 2, 1234));
        put_process(900, "kswapd9\n", STAT(900, "kswapd9", 1, 5)); /* of somebody's own */
        put_process(901, "kswapd8\n", "901 (kswapd8) S 2\n");
        put_process(902, "x) S 2 0 0\n", STAT(902, "x) S 2 0 0", 1, 5));
        ck_assert_int_eq(kernel_threads_find(fs, threads, ARRAY_SIZE(threads)), 0);
        ck_assert(threads[0].found && threads[1].found && !threads[2].found && !threads[3].found && !threads[4].found);
        ck_assert_uint_eq(threads[0].start_usec, 1234 * KERNEL_TICK_USEC);
        ck_assert_uint_eq(threads[1].start_usec, 1300 * KERNEL_TICK_USEC);
}
END_TEST

/* The kernel this test runs on. Its files stay open, and are read anew each time. */
START_TEST(the_running_kernel) {
        struct sysfs *here;
        struct snapshot_reader *r = malloc(sizeof(*r));
        _cleanup_free_ char *text = NULL;
        size_t size;

        ck_assert_ptr_nonnull(r);
        ck_assert_int_eq(sysfs_open_texts("/", &here), 0);
        snapshot_reader_init(r, here);
        for (int i = 0; i < 3; i++) {
                snapshot_take(r, SNAPSHOT_ALL_FILES, &s);
                for (enum snapshot_file file = 0; file < _SNAPSHOT_FILE_MAX; file++)
                        ck_assert_msg(s.errors[file] == 0, "file %d: %s", (int) file, strerror(-s.errors[file]));
                ck_assert_uint_gt(s.orders, 4);
                ck_assert_int_eq(sysfs_read_text(here, SYSFS_ZONEINFO, &text, &size), 0);
                for (size_t z = 0; z < s.n_zones; z++) {
                        ck_assert_uint_ge(s.zones[z].spanned, s.zones[z].present);
                        ck_assert_uint_ge(s.zones[z].present, s.zones[z].managed);
                }
                text = (free(text), NULL);
        }
        snapshot_reader_done(r);
        sysfs_close(here);
        free(r);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("snapshot");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case(suite, "real files");
        tcase_add_loop_test(c, real_files, 0, ARRAY_SIZE(kernels));
        tcase_add_loop_test(c, damaged_files, 0, ARRAY_SIZE(kernels));
        tcase_add_test(c, the_running_kernel);

        c = check_case(suite, "by hand");
        tcase_add_loop_test(c, zoneinfo_by_hand, 0, ARRAY_SIZE(zoneinfos));
        tcase_add_test(c, figures_by_hand);
        tcase_add_test(c, too_many_zones);
        tcase_add_loop_test(c, buddyinfo_by_hand, 0, ARRAY_SIZE(buddyinfos));
        tcase_add_loop_test(c, meminfo_by_hand, 0, ARRAY_SIZE(meminfos));
        tcase_add_loop_test(c, vmstat_by_hand, 0, ARRAY_SIZE(vmstats));

        c = check_case(suite, "from a system");
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, larger_than_the_buffer);
        tcase_add_test(c, what_cannot_be_read);
        tcase_add_test(c, a_line_without_end);
        tcase_add_test(c, kernel_threads);
        r = check_run(suite);
        fakeroot_end();
        return r;
}
