/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/problems.h"

#include <string.h>

void problems_addv(struct problems *p, bool warning, const char *file, unsigned line, const char *format, va_list ap) {
        struct problem problem = { .line = line, .warning = warning };

        if (!warning)
                p->n_errors++;
        if (!warning ? p->n_errors > PROBLEMS_MAX : p->n >= PROBLEMS_MAX + MIN(p->n_errors, (size_t) PROBLEMS_MAX))
                return;
        if (!GROW(p->items, p->n, p->capacity))
                return;
        problem.file = strdup(file);
        if (!problem.file || vasprintf(&problem.text, format, ap) < 0) {
                free(problem.file);
                return;
        }
        /* It quotes what people wrote, and goes to logs and terminals: one line, without control characters. */
        for (char *c = problem.text; *c; c++)
                if ((unsigned char) *c < 0x20 || *c == 0x7f)
                        *c = '?';
        p->items[p->n++] = problem;
}

void problems_add(struct problems *p, bool warning, const char *file, unsigned line, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        problems_addv(p, warning, file, line, format, ap);
        va_end(ap);
}

void problems_done(struct problems *p) {
        for (size_t i = 0; i < p->n; i++) {
                free(p->items[i].file);
                free(p->items[i].text);
        }
        free(p->items);
        *p = (struct problems) {};
}

void problems_print(const struct problems *p, FILE *f) {
        for (size_t i = 0; i < p->n; i++) {
                fprintf(f, "%s:", p->items[i].file);
                if (p->items[i].line)
                        fprintf(f, "%u:", p->items[i].line);
                fprintf(f, " %s%s\n", p->items[i].warning ? "warning: " : "", p->items[i].text);
        }
        if (p->n_errors > PROBLEMS_MAX)
                fprintf(f, "and %zu errors more\n", p->n_errors - PROBLEMS_MAX);
        if (p->n_errors > 0 && p->n == 0)
                fprintf(f, "out of memory while reading the configuration\n");
}
