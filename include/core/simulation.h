/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the policy would do with memory that nobody has plugged yet: a sequence of hot-adds through the same decision as
 * the daemon's, on running totals. Pure. */

#include "core/policy.h"

/* "dimm:64G@node1@0x100000000" */
struct sim_spec {
        const char *text;
        enum source source;
        uint64_t size;     /* bytes */
        unsigned node;     /* 0 where it is not told */
        bool has_address;
        uint64_t address;
};

#define SIM_SPEC_FORM "SOURCE:SIZE[@nodeN][@ADDRESS], such as dimm:64G@node1"
#define SIM_ERROR_MAX 384

/* -EINVAL: error says what was expected. text is kept, not copied. */
int sim_spec_parse(const char *text, struct sim_spec *ret, char error[static SIM_ERROR_MAX]);

/* Why the kernel would not take it. */
enum sim_refusal {
        SIM_TAKEN,
        SIM_UNALIGNED, /* not whole memory blocks */
        SIM_OVERLAP,   /* there is memory at that address */
        SIM_ADDRESS,   /* beyond what processors can address */
        SIM_NO_MEMORY, /* no memory for its struct pages */
        _SIM_REFUSAL_MAX,
};

const char *sim_refusal_to_string(enum sim_refusal r) _const_; /* NULL for SIM_TAKEN */

enum sim_warning {
        SIM_WARN_REFUSED,      /* all of it, or the rest */
        SIM_WARN_RECLAIM,      /* the kernel has to free memory first for its struct pages */
        SIM_WARN_TRIMMED,      /* only the whole blocks in it are used, or blocks are used in part */
        SIM_WARN_MOVABLE_NODE, /* the node has no kernel memory */
        SIM_WARN_RATIO,        /* beyond max_movable_ratio */
        SIM_WARN_UNLIMITED,    /* no ratio in the rule, and beyond what is usually fine */
        SIM_WARN_NO_RULE,
        SIM_WARN_UNKNOWN,      /* balanced without figures */
        _SIM_WARNING_MAX,
};

const char *sim_warning_to_string(enum sim_warning w) _const_; /* a word for programs */

/* Bytes that struct pages can be had from: free in the kernel zones, and file pages there. */
struct sim_memory {
        bool known;
        uint64_t free, reclaimable;
};

struct sim_add {
        const struct sim_spec *spec;
        uint64_t start, size; /* of the blocks that would be */
        enum sim_refusal refusal;
        struct decision decision; /* of the first block; unless it was refused at once */
        bool has_later;
        struct decision later;    /* of the first block that went another way */
        uint64_t movable, kernel, offline, refused; /* bytes */
        struct totals_side before, after, node_before, node_after;
        uint64_t memmap;          /* bytes of struct pages for all of it */
        struct sim_memory memory_before, memory_after;
        unsigned warnings;        /* 1 << enum sim_warning */
};

struct simulation {
        const struct policy *policy;
        struct surroundings around; /* runs on with each add */
        struct sim_memory memory;   /* likewise */
        int16_t tiers[NODES_MAX];
        uint64_t block_size, page_size;
        const uint32_t *indices; /* the blocks there are, ascending */
        size_t n_indices;
};

/* What one struct page takes on 64-bit kernels. */
#define STRUCT_PAGE_SIZE 64

/* ret: as many as specs. */
void simulation_run(struct simulation *s, const struct sim_spec *specs, size_t n, struct sim_add *ret);

/* The ratio as the add's rule counts kernel memory. */
uint64_t sim_percent(const struct simulation *s, const struct sim_add *a, const struct totals_side *side);

/* One sentence about a warning of the add. */
void sim_warning_describe(const struct simulation *s, const struct sim_add *a, enum sim_warning w, char *buf, size_t size);
