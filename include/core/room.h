/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Taking memory offline moves what is in it elsewhere. Is there room? If not, the kernel looks for it for ever, and meanwhile
 * the out-of-memory killer finds victims. What is judged here, by mm/memory_hotplug.c (do_migrate_range()) and mm/migrate.c:
 *  - Pages leave their node, if any other node has memory.
 *  - Pages of zone Movable go anywhere; those of kernel zones to kernel zones alone.
 *  - File cache that can be dropped needs no room, and makes some where it stays.
 *  - What is free counts beyond the watermark "high" and what a zone keeps for others (its protection).
 * Swap is not counted. Where nobody knows which pages are in a block, the worst is assumed. Pure. */

#include "core/block.h"
#include "core/pages.h"
#include "core/zoneinfo.h"

struct room;

/* 0 or -ENOMEM. */
int room_new(const struct zoneinfo *z, struct room **ret);
void room_free(struct room *r);
DEFINE_CLEANUP(struct room, room_free)

/* A block that is to go offline. pages: NULL, or known is false: nobody could look. */
void room_take(struct room *r, unsigned node, enum zone zone, uint64_t n_pages, const struct page_counts *pages);

/* In pages. */
struct shortage {
        uint64_t need;    /* must move */
        uint64_t free;    /* where it may go */
        uint64_t cache;   /* likewise, if file cache is dropped */
        int16_t left;     /* the node that it must leave; -1: there is but one */
        bool kernel_only; /* the kernel zones are too small; else all zones together */
        bool guessed;     /* the worst was assumed */
};

/* True: there is room. Else *ret is where it is shortest. */
bool room_suffices(const struct room *r, struct shortage *ret);
/* "1.5 GiB would have to move, and the kernel zones of the other nodes have room for 256 MiB (…)" */
void shortage_describe(const struct shortage *s, uint64_t page_size, char *buf, size_t size);
