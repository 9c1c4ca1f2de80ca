/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the pages of a block are used for, from /proc/kpageflags (include/uapi/linux/kernel-page-flags.h): may they be moved
 * elsewhere, so that the block can go offline? A snapshot, and a guess: pages change hands, and the kernel's own pages show
 * no flag at all. Pure. */

#include "core/macro.h"

struct page_counts {
        bool known;
        uint32_t free;
        uint32_t movable;   /* of processes, shared memory, the page cache */
        uint32_t file;      /* of those, file cache that can be dropped instead of moved */
        uint32_t unmovable; /* slab, page tables, reserved: the block stays while they are there */
        uint32_t unclear;   /* no flag tells: on a CPU's list of free pages, or the kernel's own */
        uint32_t absent;    /* holes, poisoned pages, pages that a balloon took, the block's own page descriptors */
        uint32_t leading;   /* reserved pages that the block begins with, so far */
        bool inside;        /* another page came after those */
};

/* The next n pages of the block. */
void pages_count(struct page_counts *c, const uint64_t *flags, size_t n);
/* The block was read whole. */
void pages_finish(struct page_counts *c, uint64_t n_pages, uint64_t page_size);
