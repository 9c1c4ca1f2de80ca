/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's statistics of the memory that a fake root has: zoneinfo, buddyinfo, meminfo, vmstat, and the threads of its
 * nodes. Simple rules, so that tests can say by hand what must come of them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_BLOCK_PAGES 32768u
#define FAKE_MEMMAP_PAGES 512u  /* a block's struct pages: of node 0's Normal, or of itself */
#define FAKE_LENT_PAGES 20000u  /* of node 0's Normal, to others */
#define FAKE_CPU_PAGES 63u      /* of each zone's free pages, on the list of a CPU */
#define FAKE_ORDERS 11u

/* Blocks of a node that are online in one zone. */
struct fake_zone {
        int node;
        const char *name;
        uint32_t first, last; /* the lowest and the highest */
        uint32_t n, n_hot;    /* in all, and those that were hot-added */
};

struct fake_memory {
        const struct fake_zone *zones;
        size_t n_zones;
        uint32_t n_boot, n_hot; /* blocks, online or not */
        bool memmap_on_memory;  /* hot-added blocks hold their own struct pages */
        bool memmap_counted;    /* as kernels since 6.11 do */
};

/* The texts; each to be freed. */
char *fake_zoneinfo(const struct fake_memory *m);
char *fake_buddyinfo(const struct fake_memory *m);
char *fake_meminfo(const struct fake_memory *m);
char *fake_vmstat(const struct fake_memory *m);
/* /proc/PID/stat of a thread of the kernel that was started just now. */
char *fake_thread_stat(unsigned pid, const char *name);
