/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sums up what became of blocks, so that people read one line a device instead of one a block. Pure, without allocation:
 * a fixed number of groups, each with a fixed number of runs of blocks; whoever adds prints a group that is full. */

#include "core/outcome.h"

#define TALLY_GROUPS 16
#define TALLY_RUNS 16

struct tally_key {
        enum source source;
        uint32_t add;
        uint16_t device;
        int16_t node;
        int16_t rule;
        enum action action;
        enum reason reason;
        enum outcome outcome;
        enum zone zone; /* where it is online; _ZONE_INVALID: offline or unknown */
        int error;
        bool explained;         /* the kernel gave a reason: TALLY_WHY_MAX */
        struct balance balance; /* what a device as a whole was judged by */
};

#define TALLY_WHY_MAX 256

struct tally_run {
        uint32_t first, last;
};

struct tally_group {
        struct tally_key key;
        uint32_t n_blocks;
        uint8_t n_runs;
        struct tally_run runs[TALLY_RUNS];
        uint64_t write_usec; /* spent by the kernel in all of their writes */
        uint32_t why_block;  /* the first that was explained … */
        char why[TALLY_WHY_MAX]; /* … and how */
};

struct tally {
        struct tally_group groups[TALLY_GROUPS];
        size_t n;
};

/* false: no room, nothing was added; print the groups, clear the tally and add again. */
bool tally_add(struct tally *t, const struct tally_key *key, uint32_t block, uint64_t write_usec);
/* Why the block that was just added failed. */
void tally_explain(struct tally *t, const struct tally_key *key, uint32_t block, const char *why);
void tally_clear(struct tally *t);

/* "32-39,48": the runs of a group, those that there is room for. */
void tally_format_blocks(const struct tally_group *g, char *buf, size_t size);
