/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which blocks to take offline where only an amount is asked for: those that are most likely to be had, and cheapest. In this
 * order:
 *  1. zone Movable before kernel zones; blocks that failed before, or hold pages that stay, after the others of their kind;
 *  2. devices that go as a whole, and fit, before single blocks: what is left can then be unplugged;
 *  3. empty blocks, then the less there is to move, in sixteenths of a block;
 *  4. the highest address first.
 * Blocks of kernel zones with pages that are known to stay are not tried at all. Pure. */

#include "core/block.h"
#include "core/pages.h"

enum choice {
        CHOICE_DEVICE, /* its device goes as a whole */
        CHOICE_BLOCK,
        CHOICE_SPARE,  /* tried if one that was chosen cannot be had */
        CHOICE_FIXED,  /* not tried */
        _CHOICE_MAX,
        _CHOICE_INVALID = -22,
};

const char *choice_to_string(enum choice c) _const_;

/* An online block. */
struct candidate {
        uint32_t block;
        uint32_t siblings; /* blocks of its device that are online, it among them */
        uint16_t device;   /* 0: none that has a name */
        int16_t node;      /* -1: unknown */
        uint8_t zones;     /* zone_mask; 0: the kernel does not tell */
        bool failed;       /* it was to go offline before, and could not */
        uint8_t choice;    /* enum choice: what came of it */
        uint8_t kind;      /* for choose() alone, as are those that follow */
        uint32_t rank;
        uint64_t order;    /* of its device among devices */
        struct page_counts pages;
};

/* Sorts what is to be tried to the front, in that order, and says of each what it is. n_pages: of a block. wanted: blocks.
 * Returns how many are worth a try; the first wanted of them are chosen. */
size_t choose(struct candidate *c, size_t n, uint64_t n_pages, size_t wanted);

/* "Movable, 97% free, 4 MiB to move, all of its device goes" */
void candidate_describe(const struct candidate *c, uint64_t page_size, char *buf, size_t size);
