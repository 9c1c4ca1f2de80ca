/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a tally's group to the report: the line that people read, and what programs search. */

#include "core/history.h"
#include "core/jobs.h"
#include "core/registry.h"
#include "core/tally.h"

struct report_context {
        const struct policy *policy;     /* the groups' rules belong to it */
        const struct registry *registry; /* names of devices */
        uint64_t block_size;
        uint64_t now_usec; /* CLOCK_REALTIME */
};

/* What became of blocks. */
void report_compose(const struct report_context *c, const struct tally_group *g, struct report *ret);
void report_to_journal(const struct report *r);

/* What became of a job, in the journal. */
void report_job(const struct job *j);

/* "1073741824 4294967296 536870912 - 301 0": as in the history's file. */
#define BALANCE_TEXT_MAX 96
void report_format_balance(const struct balance *b, char buf[static BALANCE_TEXT_MAX]);
