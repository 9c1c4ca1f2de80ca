/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much movable memory a machine can bear for the kernel memory it has: the arithmetic of the kernel's own
 * online_policy=auto-movable (mm/memory_hotplug.c, auto_movable_can_online_movable()), on present memory. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/block.h"

/* Bytes of present memory. */
struct totals_side {
        uint64_t kernel_early; /* in kernel zones since boot; CMA is movable to the kernel, and is counted there */
        uint64_t kernel_hot;   /* hot-added, in kernel zones */
        uint64_t movable;
};

struct totals {
        bool known; /* else nothing can be balanced */
        struct totals_side all;
        struct totals_side nodes[NODES_MAX];
};

struct balance_rule {
        unsigned ratio;   /* MOVABLE : KERNEL, percent */
        bool numa_aware;  /* on the block's node, too */
        bool hot_extends; /* hot-added kernel memory counts as kernel memory; to the kernel's own policy it does not */
};

/* The figures of a judgement, where it was tightest. */
struct balance {
        uint64_t movable; /* with what is to be added */
        uint64_t kernel;
        int16_t node;     /* -1: the whole machine */
        bool judged;      /* else there are no figures */
        bool hot_counted; /* kernel includes what was hot-added */
        unsigned ratio;   /* the limit */
        uint64_t added;   /* what is to be added: before, movable was less by so much */
};

/* May so many bytes more go to Movable on this node (-1: unknown)? *ret are the figures it was judged by: those of the
 * first limit that does not hold, or of the last one looked at. */
bool balance_allows(const struct totals *t, const struct balance_rule *rule, int node, uint64_t bytes, struct balance *ret);

/* The same for one side alone; node is noted in *ret. */
bool balance_side_allows(const struct totals_side *s, const struct balance_rule *rule, uint64_t bytes, int node,
                         struct balance *ret);

/* The zones' memory of /proc/zoneinfo before anything hot-added is told apart: all of the kernel's is early. */
void totals_add_zone(struct totals *t, unsigned node, enum zone zone, uint64_t present, uint64_t cma);
/* A hot-added block in a kernel zone: it is among the early ones until now. */
void totals_move_to_hot(struct totals *t, int node, uint64_t bytes);
/* Memory that is on its way into a zone. */
void totals_expect(struct totals *t, int node, bool movable, uint64_t bytes);

/* The figures in a clause: "with it 2 GiB would be movable on node 1, …". */
void balance_describe(const struct balance *b, char *buf, size_t size);
bool balance_equal(const struct balance *a, const struct balance *b) _pure_;

/* Percent, UINT64_MAX where there is no kernel memory at all. */
uint64_t balance_percent(uint64_t movable, uint64_t kernel) _const_;
