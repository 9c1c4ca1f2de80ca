/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hot-plug has made of a machine's memory, node by node: /proc/zoneinfo, /proc/buddyinfo and the facts of each memory
 * block in, figures in bytes out. Pure, no clock; allocates one array.
 *
 *      stats_init(); stats_add_zones(); stats_add_buddy(); for each block, ascending: stats_add_block();
 *      stats_add_device(); stats_finish() */

#include "core/buddyinfo.h"
#include "core/device_memory.h"
#include "core/policy.h"
#include "core/zoneinfo.h"

enum stats_origin {
        STATS_BOOT,
        STATS_HOT,     /* hot-added */
        STATS_UNKNOWN, /* the evidence is missing */
        _STATS_ORIGIN_MAX,
};

/* Zones of one kind together. */
struct stats_zones {
        uint64_t present, managed, free, low; /* low: the watermark below which reclaim begins */
        uint64_t usable;    /* free memory that an allocation may take: above the watermark min and what is kept for others */
        uint64_t file;      /* file pages, which the kernel drops when it needs memory */
        uint64_t hot;       /* of present, memory blocks that were hot-added */
};

/* The limit of the rule that memory of a node goes by. */
struct stats_limit {
        int rule; /* -1: none, or one without a limit */
        struct balance_rule balance;
};

struct stats_node {
        int node; /* -1: the whole machine */
        uint64_t blocks[_STATS_ORIGIN_MAX]; /* bytes of memory blocks, online or not, by where they came from */
        uint64_t online, offline;           /* the same by their state; offline is whatever is not online */
        uint64_t hot_offline;
        uint64_t device;       /* hot-added only, no memory blocks (core/device_memory.h), as far as its node is known */
        struct stats_zones kernel, movable;
        struct stats_limit limit; /* of the machine: of its nodes' the tightest */
        uint64_t percent;      /* MOVABLE : KERNEL, as that rule counts; without one, with all kernel memory. UINT64_MAX: none */
        uint64_t memmap;       /* the struct pages of hot-added blocks */
        uint64_t memmap_inside; /* of them, at most so much lies in the new memory itself */
        bool memmap_inside_known;
        int largest_order;     /* that has a free block; -1: none has */
        bool movable_only;     /* no kernel memory at all */
};

/* How the kernel is set: /sys/module/memory_hotplug/parameters/memmap_on_memory. */
enum memmap_setting {
        MEMMAP_UNKNOWN,
        MEMMAP_OUTSIDE, /* struct pages are taken from memory that is there already */
        MEMMAP_INSIDE,  /* from the new memory itself where that can be */
        _MEMMAP_SETTING_MAX,
};

struct stats {
        uint64_t page_size;
        bool has_buddy;
        enum memmap_setting memmap_setting;
        struct stats_node all;
        struct stats_node *nodes; /* ascending; those that have memory of any kind */
        size_t n, capacity;
        struct totals totals;
        uint64_t device_memmap; /* what the struct pages of device memory take, at most */

        /* The largest hot-add there was: one device of those that come as a whole, or one block of those that come in parts.
         * Whoever knows of a larger one that is gone again may set it before stats_finish(). */
        uint64_t largest_add;
        uint64_t next_memmap; /* what another one as large takes for its struct pages … */
        uint64_t next_room;   /* … and what can be had for them in the kernel zones */

        /* Hot-added memory that is meant to be used and is offline: how much, and since when the first of it. */
        uint64_t waiting, waiting_usec;
        uint32_t waiting_first, waiting_last; /* its lowest and highest block */

        struct block run; /* the hot-added device that is being counted */
        uint64_t run_size;
        struct block *newest; /* of each node, the highest hot-added block; parallel to nodes */
        size_t newest_capacity;
        uint16_t slots[NODES_MAX]; /* index into nodes + 1 */
};

/* page_size: bytes, not 0. */
void stats_init(struct stats *s, uint64_t page_size);
void stats_done(struct stats *s);

/* 0 or -ENOMEM. */
int stats_add_zones(struct stats *s, const struct zoneinfo *z);
int stats_add_buddy(struct stats *s, const struct buddyinfo *b);
/* b: index, size, state, zones, nodes, source, device and what its rules may ask for. A block of several nodes counts for the
 * lowest, one of none for the only node there is. waiting_usec: for how long it waits to be used; 0: it does not. */
int stats_add_block(struct stats *s, const struct block *b, enum stats_origin origin, uint64_t waiting_usec);
int stats_add_device(struct stats *s, const struct device_memory *m);
/* policy: NULL is none. platforms: as in struct surroundings. */
void stats_finish(struct stats *s, const struct policy *policy, platform_mask platforms, enum memmap_setting setting);

/* NULL: the node has no memory. */
const struct stats_node *stats_find(const struct stats *s, unsigned node) _pure_;
/* How far what is free in all of the node's zones is above the watermarks low; negative below them. */
int64_t stats_distance(const struct stats_node *n) _pure_;
/* Is there more movable memory than the rule allows for? */
bool stats_is_beyond(const struct stats *s, const struct stats_node *n) _pure_;
/* What the kernel can still have in these zones: what is usable, and file pages, which it would have to drop. */
uint64_t stats_available(const struct stats_zones *z) _pure_;
