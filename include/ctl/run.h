/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Neighbouring blocks that have the same attributes, as one. */

#include "core/block.h"

/* What may tell two neighbours apart. */
enum attribute {
        ATTRIBUTE_STATE = 1 << 0,
        ATTRIBUTE_REMOVABLE = 1 << 1,
        ATTRIBUTE_NODE = 1 << 2,
        ATTRIBUTE_ZONES = 1 << 3,
        ATTRIBUTE_SOURCE = 1 << 4,
        ATTRIBUTE_DEVICE = 1 << 5,
        ATTRIBUTES_ALL = (1 << 6) - 1,
};

struct run {
        struct block block; /* the first; nodes and zones are those of all */
        uint32_t last;
        unsigned mixed;     /* attributes that are not the same for all */
};

/* The attributes in which they differ. */
unsigned block_compare(const struct block *a, const struct block *b) _pure_;

void run_init(struct run *r, const struct block *b);
/* Take the block in, if it comes next and none of these attributes differs. */
bool run_extend(struct run *r, const struct block *b, unsigned split);
/* The same for all blocks of another run. */
bool run_join(struct run *r, const struct run *next, unsigned split);

#define RUN_TEXT_MAX 48
/* "32-63" and "0x0000000100000000-0x00000001ffffffff" */
const char *run_format_blocks(const struct run *r, char buf[static RUN_TEXT_MAX]);
const char *run_format_address(const struct run *r, uint64_t block_size, char buf[static RUN_TEXT_MAX]);
uint64_t run_size(const struct run *r, uint64_t block_size) _pure_;
