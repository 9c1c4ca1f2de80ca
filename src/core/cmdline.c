/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/cmdline.h"

#include <ctype.h>
#include <string.h>

/* Blanks within quotes belong to the word. */
static const char *word_end(const char *p) {
        bool quoted = false;

        for (; *p && (quoted || !isspace((unsigned char) *p)); p++)
                quoted ^= *p == '"';
        return p;
}

static bool same_name(const char *a, const char *b, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
                        return false;
        return true;
}

bool cmdline_find(const char *text, const char *name, char ret[static CMDLINE_VALUE_MAX]) {
        size_t length = strlen(name);
        bool found = false;

        for (const char *p = text, *end; *p; p = end) {
                size_t n = 0;

                while (isspace((unsigned char) *p))
                        p++;
                end = word_end(p);
                if (end - p == 2 && memcmp(p, "--", 2) == 0)
                        break;
                if (*p == '"') /* "name=value" */
                        p++;
                if ((size_t) (end - p) < length || !same_name(p, name, length) ||
                    (p + length < end && p[length] != '='))
                        continue;
                for (const char *v = p + length + (p + length < end); v < end && n < CMDLINE_VALUE_MAX - 1; v++)
                        if (*v != '"')
                                ret[n++] = *v;
                ret[n] = '\0';
                found = true;
        }
        return found;
}
