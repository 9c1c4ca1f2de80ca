/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gathers what core/source.h judges: a block's firmware node and its place in /proc/iomem. The tree is read when first
 * needed and kept until evidence_expire(), since a DIMM of 512 blocks is one entry. */

#include "core/source.h"
#include "host/sysfs.h"

struct evidence_cache {
        const struct sysfs *fs;
        struct iomem iomem;
        bool iomem_valid;
        bool iomem_complete; /* nothing was added since it was read */
        int iomem_error;     /* negative errno: why /proc/iomem cannot be used */
        unsigned iomem_line; /* and the line, if it is -EBADMSG */
        enum machine machine;
};

void evidence_init(struct evidence_cache *c, const struct sysfs *fs);
void evidence_done(struct evidence_cache *c);

/* Memory was added: read the tree again when something is not found in it. */
void evidence_note_add(struct evidence_cache *c);
/* Memory went: read it again in any case. Pointers into it become invalid. */
void evidence_expire(struct evidence_cache *c);

/* The evidence for one block; it points into the cache. -ENOENT: the block is gone. */
int evidence_read(struct evidence_cache *c, uint32_t index, enum arrival arrival, struct evidence *ret);
/* The same where the firmware node is known already, and in *e. */
void evidence_complete(struct evidence_cache *c, uint32_t index, enum arrival arrival, struct evidence *e);

/* Evidence and judgement into b->source and b->device. */
int evidence_read_origin(struct evidence_cache *c, enum arrival arrival, struct block *b);
void evidence_find_origin(struct evidence_cache *c, enum arrival arrival, const char firmware_node[static DEVICE_NAME_MAX],
                          struct block *b);
