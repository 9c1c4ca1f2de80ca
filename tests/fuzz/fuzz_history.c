/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/history.h"

/* What was read is written and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct history h, again;
        _cleanup_free_ char *text = NULL, *text_again = NULL;
        unsigned line = 0;
        size_t n, n_again;

        memset(&h, 0, sizeof(h));
        memset(&again, 0, sizeof(again));
        if (history_parse((const char *) data, size, &h, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        CLAIM(h.n <= HISTORY_MAX);
        for (size_t i = 0; i < h.n; i++) {
                const struct report *r = history_get(&h, i);

                CLAIM(r->kind >= 0 && r->kind < _REPORT_KIND_MAX && memchr(r->text, 0, sizeof(r->text)));
        }
        if (history_format(&h, &text, &n) < 0)
                return 0;
        CLAIM(history_parse(text, n, &again, &line) >= 0 && again.n == h.n);
        CLAIM(history_format(&again, &text_again, &n_again) < 0 || (n == n_again && memcmp(text, text_again, n) == 0));
        return 0;
}
