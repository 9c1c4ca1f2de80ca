/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/zoneinfo (mm/vmstat.c, zoneinfo_show_print). Parsed by key: keys come and go between kernel versions, unknown
 * ones are kept. Figures are pages unless the kernel's key says otherwise. Pure; a handful of allocations in all.
 *
 * On large machines nearly all of the text is about the lists of each CPU, which hardly anybody asks for: they are checked
 * and their free pages summed up, but they stay text until somebody walks over them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/parse.h"

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
        size_t pagesets, n_pagesets;     /* bytes of text about each CPU: text[pagesets …] */
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
/* The same without a copy: *text, of malloc(), becomes the zoneinfo's and NULL. On failure it is still the caller's, though
 * not what it was. */
int zoneinfo_parse_take(char **text, size_t size, struct zoneinfo *ret, unsigned *ret_line);
void zoneinfo_done(struct zoneinfo *z);

/* The lists of each CPU, line by line as the kernel has them: "cpu" begins another CPU, then come "count", "high", "batch",
 * "vm stats threshold" and whatever there is. Begin with zoneinfo_pagesets(); false: that was all. The key is not ended by NUL. */
void zoneinfo_pagesets(const struct zoneinfo *z, const struct zone_info *zone, struct lines *ret);
bool pageset_next(struct lines *l, const char **ret_key, size_t *ret_size, uint64_t *ret_value);

/* The value of a key of the zone, or of the node; 0 where the kernel has none. */
uint64_t zone_counter(const struct zoneinfo *z, const struct zone_info *zone, const char *key) _pure_;
uint64_t node_counter(const struct zoneinfo *z, const struct node_info *node, const char *key) _pure_;

const struct zone_info *zoneinfo_find(const struct zoneinfo *z, unsigned node, const char *zone) _pure_;
