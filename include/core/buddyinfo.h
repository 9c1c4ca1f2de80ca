/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/buddyinfo (mm/vmstat.c, frag_show_print): populated zones, a column for each order from 0. How many orders there
 * are is a build option of the kernel. Pure. */

#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

struct buddy_zone {
        unsigned node;
        const char *name;      /* owned by the buddyinfo */
        const uint64_t *free_blocks; /* [orders]: free blocks of 2^order pages */
};

struct buddyinfo {
        struct buddy_zone *zones;
        size_t n_zones;
        unsigned orders;
        uint64_t *counts;
        char *text;
};

/* 0, -ENOMEM, -EBADMSG (malformed, or the number of orders differs between zones; *ret_line from 1). */
int buddyinfo_parse(const char *text, size_t size, struct buddyinfo *ret, unsigned *ret_line);
void buddyinfo_done(struct buddyinfo *b);

const struct buddy_zone *buddyinfo_find(const struct buddyinfo *b, unsigned node, const char *zone) _pure_;
uint64_t buddy_zone_free_pages(const struct buddy_zone *z, unsigned orders) _pure_;
/* The largest order that has a free block; -1: none has. */
int buddy_zone_largest_order(const struct buddy_zone *z, unsigned orders) _pure_;
/* The share of free memory that cannot serve a request of this order, 0–1 (the "unusable free space index" of
 * mm/vmstat.c); 0 where nothing is free would hide the shortage, so it is 1. */
double buddy_zone_unusable(const struct buddy_zone *z, unsigned orders, unsigned order) _pure_;
