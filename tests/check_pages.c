/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/pages.h"
#include "host/pageflags.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "check_util.h"

/* As they were seen in /proc/kpageflags of Linux 6.1, the developers' own bits included. */
#define BIT(n) (UINT64_C(1) << (n))
#define FREE BIT(10)
#define ANON (BIT(3) | BIT(5) | BIT(11) | BIT(12) | BIT(14))
#define SHMEM (BIT(3) | BIT(5) | BIT(14))
#define CACHE (BIT(3) | BIT(5) | BIT(6))
#define MAPPED_FILE (CACHE | BIT(11))
#define LOCKED_FILE (CACHE | BIT(18) | BIT(33))
#define THP_TAIL (BIT(16) | BIT(22))
#define HUGETLB (BIT(15) | BIT(17))
#define SLAB BIT(7)
#define PAGE_TABLE (BIT(11) | BIT(26))
#define RESERVED BIT(32)
#define HOLE BIT(20)
#define POISONED (BIT(19) | BIT(5))
#define OFFLINE BIT(23)
#define NOTHING UINT64_C(0)

enum what { IS_FREE, IS_MOVABLE, IS_CACHE, IS_UNMOVABLE, IS_UNCLEAR, IS_ABSENT };

static const struct {
        const char *name;
        uint64_t flags;
        enum what what;
} kinds[] = {
        { "free", FREE, IS_FREE },
        { "anonymous", ANON, IS_MOVABLE },
        { "shared memory", SHMEM, IS_MOVABLE },
        { "page cache", CACHE, IS_CACHE },
        { "mapped file", MAPPED_FILE, IS_CACHE },
        { "locked file", LOCKED_FILE, IS_MOVABLE },
        { "tail of a transparent huge page", THP_TAIL, IS_MOVABLE },
        { "huge page", HUGETLB, IS_MOVABLE },
        { "slab", SLAB, IS_UNMOVABLE },
        { "page table", PAGE_TABLE, IS_UNMOVABLE },
        { "reserved", RESERVED, IS_UNMOVABLE },
        { "hole", HOLE, IS_ABSENT },
        { "poisoned", POISONED, IS_ABSENT },
        { "balloon", OFFLINE, IS_ABSENT },
        { "no flag", NOTHING, IS_UNCLEAR },
};

START_TEST(test_kind) {
        const enum what what = kinds[_i].what;
        struct page_counts c = {};
        const uint64_t flags[2] = { NOTHING, kinds[_i].flags };

        pages_count(&c, flags, 2); /* not at the beginning of a block */
        ck_assert(!c.known);
        pages_finish(&c, 32768, 4096);
        ck_assert(c.known);
        ck_assert_uint_eq(c.free, what == IS_FREE);
        ck_assert_uint_eq(c.movable, what == IS_MOVABLE || what == IS_CACHE);
        ck_assert_uint_eq(c.file, what == IS_CACHE);
        ck_assert_uint_eq(c.unmovable, what == IS_UNMOVABLE);
        ck_assert_uint_eq(c.unclear, 1 + (what == IS_UNCLEAR));
        ck_assert_uint_eq(c.absent, what == IS_ABSENT);
}
END_TEST

/* The descriptors of the block's own pages: so many reserved pages at its beginning, no more and no less. */
static const struct {
        uint64_t page_size, block_pages;
        uint32_t leading, unmovable, absent;
} own_rows[] = {
        { 4096, 32768, 512, 0, 512 },
        { 4096, 32768, 511, 511, 0 },
        { 4096, 32768, 513, 513, 0 },
        { 65536, 2048, 2, 0, 2 },
        { 65536, 2048, 32, 32, 0 },
        { 4096, 32768, 0, 0, 0 },
};

START_TEST(test_own_descriptors) {
        struct page_counts c = {};
        uint64_t flags = RESERVED, last = FREE;

        for (uint32_t i = 0; i < own_rows[_i].leading; i++)
                pages_count(&c, &flags, 1);
        pages_count(&c, &last, 1);
        pages_finish(&c, own_rows[_i].block_pages, own_rows[_i].page_size);
        ck_assert_uint_eq(c.unmovable, own_rows[_i].unmovable);
        ck_assert_uint_eq(c.absent, own_rows[_i].absent);
        ck_assert_uint_eq(c.free, 1);
}
END_TEST

/* However the pages come in pieces, and whatever flags they have, each counts once. */
START_TEST(test_every_page_counts) {
        struct prng p = { 42 };

        for (int round = 0; round < 200; round++) {
                struct page_counts whole = {}, pieces = {};
                uint64_t flags[300];
                size_t n = 1 + prng_below(&p, 300), at = 0;

                for (size_t i = 0; i < n; i++)
                        flags[i] = prng_below(&p, 3) ? kinds[prng_below(&p, ARRAY_SIZE(kinds))].flags : prng_next(&p) & prng_next(&p);
                pages_count(&whole, flags, n);
                while (at < n) {
                        size_t k = MIN(n - at, (size_t) prng_below(&p, 50));

                        pages_count(&pieces, flags + at, k);
                        at += k;
                }
                pages_finish(&whole, n, 4096);
                pages_finish(&pieces, n, 4096);
                CHECK(memcmp(&whole, &pieces, sizeof(whole)) == 0);
                CHECK((size_t) whole.free + whole.movable + whole.unmovable + whole.unclear + whole.absent == n);
                CHECK(whole.file <= whole.movable);
        }
}
END_TEST

/* ---- from the file ------------------------------------------------------------------------------------------------- */

#define PAGES 8192

/* A block by its address: neither its neighbours, nor less than all of it. */
START_TEST(test_read) {
        _cleanup_fclose_ FILE *f = tmpfile();
        struct page_counts c = { .known = true, .free = 7 };

        ck_assert_ptr_nonnull(f);
        for (uint64_t pfn = 0; pfn < 3 * PAGES; pfn++) {
                uint64_t flags = pfn < PAGES ? SLAB : pfn < 2 * PAGES ? (pfn % 4 ? FREE : ANON) : RESERVED;

                ck_assert_uint_eq(fwrite(&flags, sizeof(flags), 1, f), 1);
        }
        ck_assert_int_eq(fflush(f), 0);
        ck_assert_int_eq(pageflags_read(fileno(f), PAGES * 4096, PAGES * 4096, 4096, &c), 0);
        ck_assert(c.known);
        ck_assert_uint_eq(c.free, PAGES / 4 * 3);
        ck_assert_uint_eq(c.movable, PAGES / 4);
        ck_assert_uint_eq(c.unmovable, 0);

        /* Beyond the end nobody knows; what was there stays. */
        ck_assert_int_eq(pageflags_read(fileno(f), 3 * PAGES * 4096, PAGES * 4096, 4096, &c), -ENODATA);
        ck_assert_int_eq(pageflags_read(fileno(f), (3 * PAGES - 1) * UINT64_C(4096), PAGES * 4096, 4096, &c), -ENODATA);
        ck_assert_uint_eq(c.movable, PAGES / 4);
        ck_assert_int_eq(pageflags_read(-1, 0, 4096, 4096, &c), -EBADF);
}
END_TEST

int main(void) {
        Suite *s = suite_create("pages");
        TCase *c = check_case(s, "counts");

        tcase_add_loop_test(c, test_kind, 0, ARRAY_SIZE(kinds));
        tcase_add_loop_test(c, test_own_descriptors, 0, ARRAY_SIZE(own_rows));
        tcase_add_test(c, test_every_page_counts);
        c = check_case(s, "file");
        tcase_add_test(c, test_read);
        return check_run(s);
}
