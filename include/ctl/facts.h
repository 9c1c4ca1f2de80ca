/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The selected blocks of the system, one after the other in one pass (read ahead by all processors), with the evidence of where each came from. Blocks
 * that vanish meanwhile are skipped; what cannot be read is complained about, and shows in facts_status(). */

#include "core/selector.h"
#include "ctl/verb.h"
#include "host/evidence.h"
#include "host/survey.h"

enum {
        FACTS_REMOVABLE = 1 << 0,
        FACTS_ORIGIN = 1 << 1, /* source, device and evidence; implied by selectors that ask for them */
};

struct fact {
        struct block block;
        struct evidence evidence; /* points into the facts; empty without FACTS_ORIGIN */
};

struct facts {
        struct sysfs *fs;
        uint64_t block_size;
        struct evidence_cache evidence;
        struct selector selector;
        const char *selector_text; /* NULL: none was given */
        unsigned needs;
        struct node_map nodes;
        bool has_map, has_firmware_nodes;
        uint32_t *indices;
        size_t n;
        struct survey *survey; /* NULL: not begun */
        int16_t tiers[NODES_MAX];
        bool has_tiers;
        size_t n_found, n_failed;
};

/* selector: NULL is all. */
enum status facts_open(struct facts *f, const char *sysroot, const char *selector, unsigned needs);
void facts_done(struct facts *f);
bool facts_next(struct facts *f, struct fact *ret);
/* After the last block: whether there was any, and whether all could be read. Complains. */
enum status facts_status(const struct facts *f);
/* On stderr, why sources are unknown: once, and only if it is for want of /proc/iomem. */
void facts_hint(const struct facts *f);

/* A selector of the command line; NULL is all. Complains. To be freed with selector_done(). */
enum status selector_read(const char *text, struct selector *ret);

/* Open the system; complains. */
enum status system_open(const char *sysroot, struct sysfs **ret);

#define EVIDENCE_TEXT_MAX 512
/* As in source_describe(), but only the place in /proc/iomem; false if there is none. */
bool evidence_describe_iomem(const struct evidence *e, char buf[static EVIDENCE_TEXT_MAX]);
json_t *json_evidence(const struct evidence *e);
