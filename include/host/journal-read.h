/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the daemon told the journal, back as reports (core/history.h). Only what root wrote counts: anybody may log with our
 * MESSAGE_IDs. */

#include "core/history.h"

struct journal_query {
        const char *boot;    /* NULL: this one, or the last one of a captured system · "all" · "-1": the one before …, or its id */
        uint64_t since_usec; /* CLOCK_REALTIME */
};

/* Calls take() for each report, the oldest first; its id is 0. root: "/", or a captured system with a var/log/journal.
 * 0 · -ENOENT: there is no journal, nothing in it about this time, or it is not for this user's eyes · -ENODATA: there was no such
 * boot · -EINVAL: the boot is neither a number nor an id. */
int journal_read(const char *root, const struct journal_query *q, void (*take)(const struct report *r, void *userdata),
                 void *userdata);
