/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/state.h"

/* Runs are in order and do not overlap, and each is found by every block of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct saved_state s = {};
        unsigned line = 0;

        if (state_parse((const char *) data, size, &s, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        for (size_t i = 0; i < s.n; i++) {
                CLAIM(s.runs[i].first <= s.runs[i].last && s.runs[i].kind < _SAVED_MAX);
                CLAIM(i == 0 || s.runs[i - 1].last < s.runs[i].first);
                CLAIM(saved_state_find(&s, s.runs[i].first) == &s.runs[i] && saved_state_find(&s, s.runs[i].last) == &s.runs[i]);
        }
        saved_state_done(&s);
        return 0;
}
