/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a tally's group to the line that people read and the fields that programs search. */

#include "core/registry.h"
#include "core/tally.h"

struct report_context {
        const struct policy *policy;     /* the groups' rules belong to it */
        const struct registry *registry; /* names of devices */
        uint64_t block_size;
};

/* What became of new blocks. */
void report_group(const struct report_context *c, const struct tally_group *g);
void report_tally(const struct report_context *c, const struct tally *t);
