/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How long something took, counted in fixed buckets: what a day of writes costs to keep is what one costs. Pure. */

#include "core/macro.h"

#define HISTOGRAM_BUCKETS 18

/* Upper bounds, which belong to their bucket, ascending; the last is UINT64_MAX, that is none. */
extern const uint64_t histogram_bounds_usec[HISTOGRAM_BUCKETS];

struct histogram {
        uint64_t counts[HISTOGRAM_BUCKETS]; /* of each bucket alone */
        uint64_t n;
        uint64_t sum_usec; /* stays at UINT64_MAX rather than wrap */
};

void histogram_add(struct histogram *h, uint64_t usec);
/* How many took at most histogram_bounds_usec[bucket]: as OpenMetrics wants them. */
uint64_t histogram_cumulative(const struct histogram *h, size_t bucket) _pure_;
