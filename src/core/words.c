/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/words.h"

#include <string.h>

/* Insertions, deletions, replacements and swaps of neighbours; words longer than the table are far from everything. */
static unsigned word_distance(const char *a, const char *b) {
        enum { MAX_LENGTH = 24 };
        unsigned d[MAX_LENGTH + 1][MAX_LENGTH + 1];
        size_t n = strlen(a), m = strlen(b);

        if (n > MAX_LENGTH || m > MAX_LENGTH)
                return UINT32_MAX;
        for (unsigned i = 0; i <= n; i++)
                for (unsigned j = 0; j <= m; j++) {
                        if (i == 0 || j == 0) {
                                d[i][j] = i + j;
                                continue;
                        }
                        d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
                        d[i][j] = MIN(d[i][j], d[i - 1][j] + 1);
                        d[i][j] = MIN(d[i][j], d[i][j - 1] + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
                }
        return d[n][m];
}

const char *closest_word(const char *typed, const char *const *candidates, size_t n) {
        unsigned best_distance = 3;
        const char *best = NULL;

        for (size_t i = 0; i < n; i++) {
                unsigned distance = word_distance(typed, candidates[i]);
                bool begins = typed[0] && strncmp(candidates[i], typed, strlen(typed)) == 0;

                /* A word is close if at most a third of it differs, or if it was cut short. */
                if (begins)
                        distance = 0;
                else if (distance > (strlen(candidates[i]) + 2) / 3)
                        continue;
                if (distance < best_distance) {
                        best_distance = distance;
                        best = candidates[i];
                }
        }
        return best;
}
