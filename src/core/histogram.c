/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/histogram.h"

/* From a block that costs nothing to the offline_timeout. */
const uint64_t histogram_bounds_usec[HISTOGRAM_BUCKETS] = {
        100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
        100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000, UINT64_MAX,
};

void histogram_add(struct histogram *h, uint64_t usec) {
        size_t i = 0;

        while (usec > histogram_bounds_usec[i])
                i++;
        h->counts[i]++;
        h->n++;
        if (__builtin_add_overflow(h->sum_usec, usec, &h->sum_usec))
                h->sum_usec = UINT64_MAX;
}

uint64_t histogram_cumulative(const struct histogram *h, size_t bucket) {
        uint64_t n = 0;

        for (size_t i = 0; i <= bucket; i++)
                n += h->counts[i];
        return n;
}
