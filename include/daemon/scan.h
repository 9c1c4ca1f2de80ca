/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A look at every block: at the start, after lost events, after a reload, and now and then. Taken in small steps, so that
 * events are served in between. */

#include "host/survey.h"

/* Rescans begin at most this often, however many events are lost. */
#define SCAN_INTERVAL_USEC 1000000

struct scan {
        bool requested;
        bool active;
        uint64_t begun_usec; /* of the last one; 0: never */
        uint32_t *indices;
        size_t n, next;
        struct node_map nodes;
        struct survey *survey; /* of the first look; NULL: who visits looks by itself */
};

void scan_done(struct scan *s);
void scan_request(struct scan *s);
/* May the requested scan begin now? If not, *ret_when is when. */
bool scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);
/* Read which blocks there are. first: every one of them will have to be looked at. On failure nothing is active, and the
 * request stands. */
int scan_begin(struct scan *s, const struct sysfs *fs, bool first, uint64_t now);
/* Is the block still to come? */
bool scan_lists(const struct scan *s, uint32_t block) _pure_;
/* The next block, and what it was like a moment ago (NULL: look yourself; good until the next call). False: that was all, and
 * the scan is over. */
bool scan_next(struct scan *s, uint32_t *ret, const struct survey_item **ret_item);
/* An event came: what was looked at ahead may be old. */
void scan_note_event(struct scan *s);
