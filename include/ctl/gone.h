/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory that was unplugged: what was decided about it while it was there. */

#include "ctl/explanation.h"
#include "ctl/reports.h"
#include "ctl/run.h"

/* Neighbours with the same past. */
struct gone_run {
        uint32_t first, last;
        size_t *reports; /* which of them are about it, the oldest first */
        size_t n;
        size_t explanation;
};

struct gone {
        struct reports reports;
        struct explanations explanations;
        struct gone_run *runs;
        size_t n, capacity;
        uint64_t block_size;
};

/* What is selected, is not among what is there, and was once. Whole kinds of memory (all, node:, source:) are taken for what is
 * there. Complains. */
enum status gone_read(struct gone *g, const struct options *o, struct client *c, const struct selector *selector,
                      const char *selector_text, uint64_t block_size, const struct run *there, size_t n_there);
void gone_done(struct gone *g);

void gone_print(const struct gone *g, const struct options *o);
/* An object each, as "explain" has them, with "state":"removed". */
void gone_append_json(const struct gone *g, json_t *array);
