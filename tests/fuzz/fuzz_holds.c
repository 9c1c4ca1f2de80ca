/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/holds.h"

/* What was read is written and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = NULL;
        struct holds h = {}, again = {};
        unsigned line = 0;
        size_t n;

        if (holds_parse((const char *) data, size, &h, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        CLAIM(h.n <= HOLDS_MAX);
        if (holds_format(&h, 0, &text, &n) >= 0) {
                CLAIM(holds_parse(text, n, &again, &line) >= 0 && again.n == h.n);
                for (size_t i = 0; i < h.n; i++)
                        CLAIM(h.items[i].id == again.items[i].id && strcmp(h.items[i].text, again.items[i].text) == 0);
                holds_done(&again);
        }
        holds_done(&h);
        return 0;
}
