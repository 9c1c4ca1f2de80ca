/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/pages.h"

#define BIT(n) (UINT64_C(1) << (n))

/* The numbers are ABI; those above 31 are the kernel developers' own, and may be missing. */
enum {
        KPF_LRU = 5,
        KPF_SLAB = 7,
        KPF_BUDDY = 10,
        KPF_MMAP = 11,
        KPF_ANON = 12,
        KPF_SWAPBACKED = 14,
        KPF_HUGE = 17,
        KPF_UNEVICTABLE = 18,
        KPF_HWPOISON = 19,
        KPF_NOPAGE = 20,
        KPF_THP = 22,
        KPF_OFFLINE = 23,
        KPF_ZERO_PAGE = 24,
        KPF_PGTABLE = 26,
        KPF_RESERVED = 32,
};

#define ABSENT (BIT(KPF_NOPAGE) | BIT(KPF_HWPOISON) | BIT(KPF_OFFLINE))
#define UNMOVABLE (BIT(KPF_SLAB) | BIT(KPF_PGTABLE) | BIT(KPF_RESERVED) | BIT(KPF_ZERO_PAGE))
#define MOVABLE (BIT(KPF_LRU) | BIT(KPF_MMAP) | BIT(KPF_ANON) | BIT(KPF_SWAPBACKED) | BIT(KPF_HUGE) | BIT(KPF_THP))
/* A page of the cache that nobody has locked: on the lists of pages to reclaim, and with a file to be read from again. */
#define NO_FILE (BIT(KPF_ANON) | BIT(KPF_SWAPBACKED) | BIT(KPF_UNEVICTABLE) | BIT(KPF_HUGE))

static void count_one(struct page_counts *c, uint64_t flags) {
        if (flags & ABSENT)
                c->absent++;
        else if (flags & BIT(KPF_BUDDY))
                c->free++;
        else if (flags & UNMOVABLE)
                c->unmovable++;
        else if (flags & MOVABLE) {
                c->movable++;
                c->file += (flags & BIT(KPF_LRU)) && !(flags & NO_FILE);
        } else
                c->unclear++;
        if (!c->inside && (flags & BIT(KPF_RESERVED)))
                c->leading++;
        else
                c->inside = true;
}

void pages_count(struct page_counts *c, const uint64_t *flags, size_t n) {
        for (size_t i = 0; i < n; i++)
                count_one(c, flags[i]);
}

/* With memmap_on_memory a block begins with the descriptors of its own pages (64 bytes each): reserved, and gone with it. */
void pages_finish(struct page_counts *c, uint64_t n_pages, uint64_t page_size) {
        c->known = true;
        if (c->leading && c->leading == n_pages * 64 / page_size) {
                c->unmovable -= c->leading;
                c->absent += c->leading;
        }
}
