/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a block cannot be taken offline, put together from the kernel's own words about the pages that stay. Pure. */

#include "core/kernlog.h"

#define OBSTACLES_MAX 64
#define OBSTACLE_TEXT_MAX 256

struct obstacle {
        uint64_t usec; /* since boot, of the newest line about it */
        uint64_t pfn;
        int error;                   /* of moving it; 0: unknown */
        uint32_t times;              /* the kernel said so */
        char why[KERNLOG_TEXT_MAX];  /* "unmovable page", "migration failure", "isolation failed"; "" until it is known */
        char flags[KERNLOG_TEXT_MAX];
        char file[KERNLOG_TEXT_MAX];
        char owner[KERNLOG_TEXT_MAX];
};

struct obstacles {
        struct obstacle ring[OBSTACLES_MAX];
        size_t n;
        uint64_t total;
        size_t open; /* the one that lines are about now, plus 1; 0: none */
};

/* Take a line in; what is not about a page that stays is ignored. */
void obstacles_add(struct obstacles *o, const struct kernlog_line *line);

/* The page among [first, first + n) that the kernel named since then: one that it calls unmovable rather than one that it
 * could not move just then, and the newest of these. NULL: none. *ret_pages: how many different ones there are. */
const struct obstacle *obstacles_find(const struct obstacles *o, uint64_t first, uint64_t n, uint64_t since_usec, size_t *ret_pages);

/* "page 0x12f3a7 cannot be moved (the kernel: "unmovable page"; flags slab; allocated by dd, pid 99)" */
void obstacle_describe(const struct obstacle *o, size_t n_pages, char buf[static OBSTACLE_TEXT_MAX]);
