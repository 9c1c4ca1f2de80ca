/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What was decided, and what became of it: from the journal, from the daemon, or from the file it leaves in /run. */

#include "core/history.h"
#include "ctl/client.h"
#include "host/journal-read.h"

struct reports {
        struct report *items; /* the oldest first */
        size_t n, capacity;
};

/* From the journal; where that has none, from the daemon (c may be NULL), else from its file. selector: NULL is all.
 * block_size: what addresses in it are divided by. Complains. */
enum status reports_read(struct reports *r, const struct options *o, struct client *c, const struct journal_query *q,
                         const struct selector *selector, const char *selector_text, uint64_t block_size);
void reports_done(struct reports *r);

/* As it comes over the bus; what it lacks is as if unknown. */
void report_from_json(const json_t *object, struct report *ret);
/* Every key, null for what does not apply. */
json_t *report_to_json(const struct report *r);

/* Of a decision that was judged by figures; null: of others. */
json_t *json_balance(const struct balance *b);

/* "onlined in Movable", "failed: Device or resource busy"; to be freed. */
char *report_format_outcome(const struct report *r);
enum colour report_colour(const struct report *r) _pure_;
