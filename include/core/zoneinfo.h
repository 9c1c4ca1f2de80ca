/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/zoneinfo (mm/vmstat.c, zoneinfo_show_print). Parsed by key: keys come and go between kernel versions, unknown
 * ones are kept. Figures are pages unless the kernel's key says otherwise. Pure; a handful of allocations in all. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

struct counter {
        const char *key; /* owned by the zoneinfo */
        uint64_t value;
};

struct zone_info {
        unsigned node;
        const char *name; /* "DMA32", "Movable", … or one this program has never heard of */
        uint64_t free, min, low, high;
        uint64_t spanned; /* from the first page to the last, holes included */
        uint64_t present; /* of those, physical pages */
        uint64_t managed; /* of those, handed to the buddy allocator; 0 on kernels before 3.8 */
        uint64_t pcp_free; /* free pages on the per-CPU lists: not in free */
        size_t protection, n_protection; /* lowmem_reserve: protections[protection …] */
        size_t counters, n_counters;     /* every other key of the zone, in the file's order: counters[counters …] */
};

struct node_info {
        unsigned node;
        size_t counters, n_counters; /* "per-node stats", since 4.8 */
};

struct zoneinfo {
        struct zone_info *zones;
        size_t n_zones;
        struct node_info *nodes; /* those that have per-node stats */
        size_t n_nodes;
        struct counter *counters;
        size_t n_counters;
        uint64_t *protections;
        size_t n_protections;
        char *text;
};

/* 0, -ENOMEM, -EBADMSG: *ret_line is the line (from 1) that is malformed, or the last one where a zone is cut short. */
int zoneinfo_parse(const char *text, size_t size, struct zoneinfo *ret, unsigned *ret_line);
void zoneinfo_done(struct zoneinfo *z);

const struct zone_info *zoneinfo_find(const struct zoneinfo *z, unsigned node, const char *zone) _pure_;
