/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/openmetrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* How many bytes the UTF-8 character at s takes; 0: it is none. */
static size_t character_size(const char *s) {
        const unsigned char *p = (const unsigned char *) s;
        size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        /* Longer than need be, surrogates, beyond what there is. */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;
        return n;
}

static void put_escaped(FILE *f, const char *s) {
        while (*s) {
                size_t n = character_size(s);

                if (n == 0) {
                        fputc('?', f);
                        s++;
                        continue;
                }
                if (*s == '\\' || *s == '"')
                        fputc('\\', f);
                if (*s == '\n')
                        fputs("\\n", f);
                else
                        fwrite(s, 1, n, f);
                s += n;
        }
}

void openmetrics_family(FILE *f, const char *name, const char *type, const char *unit, const char *help) {
        fprintf(f, "# TYPE %s %s\n", name, type);
        if (unit)
                fprintf(f, "# UNIT %s %s\n", name, unit);
        fprintf(f, "# HELP %s ", name);
        put_escaped(f, help);
        fputc('\n', f);
}

static void put_name(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n) {
        fprintf(f, "%s%s", name, suffix);
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "%c%s=\"", i ? ',' : '{', labels[i].name);
                put_escaped(f, labels[i].value);
                fputc('"', f);
        }
        if (n)
                fputc('}', f);
}

void openmetrics_unsigned(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, uint64_t value) {
        put_name(f, name, suffix, labels, n);
        fprintf(f, " %" PRIu64 "\n", value);
}

void openmetrics_signed(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, int64_t value) {
        put_name(f, name, suffix, labels, n);
        fprintf(f, " %" PRId64 "\n", value);
}

void openmetrics_real(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, double value) {
        put_name(f, name, suffix, labels, n);
        if (isinf(value))
                fprintf(f, " %cInf\n", value < 0 ? '-' : '+');
        else
                fprintf(f, " %.9g\n", value);
}

void openmetrics_end(FILE *f) {
        fputs("# EOF\n", f);
}
