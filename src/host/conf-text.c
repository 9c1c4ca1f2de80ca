/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "host/conf.h"

/* libconfig's own limit. */
#define INCLUDE_DEPTH_MAX 10

/* The grammar's tokens as far as they can hide others: strings, comments, and includes. */
struct scanner {
        const char *p, *end;
        const char *path;
        unsigned line, depth;
        struct problems *problems;
};

static bool check_text(struct scanner *s);

/* To just behind the closing mark; false: there is none. */
static bool skip_past(struct scanner *s, const char *mark) {
        for (size_t n = strlen(mark); s->p < s->end; s->p++) {
                if (*s->p == '\n')
                        s->line++;
                if ((size_t) (s->end - s->p) >= n && memcmp(s->p, mark, n) == 0) {
                        s->p += n;
                        return true;
                }
                if (mark[0] == '"' && *s->p == '\\' && s->p + 1 < s->end)
                        s->p++;
        }
        return false;
}

static void skip_line(struct scanner *s) {
        s->p = memchr(s->p, '\n', (size_t) (s->end - s->p)) ?: s->end;
}

/* libconfig keeps 32 bits of a number that is not marked as longer ("5L"). */
static void check_number(struct scanner *s) {
        const char *start = s->p;
        size_t size;
        char *end;
        long long value;

        s->p += *s->p == '-' || *s->p == '+';
        while (s->p < s->end && (isalnum((unsigned char) *s->p) || *s->p == '.'))
                s->p++;
        size = (size_t) (s->p - start);
        errno = 0;
        value = strtoll(start, &end, memchr(start, 'x', size) || memchr(start, 'X', size) ? 16 : 10);
        if (end == s->p && (errno || value > INT_MAX || value < INT_MIN))
                problems_add(s->problems, false, s->path, s->line, "%.*s is too large a number", (int) MIN(size, (size_t) 32), start);
}

/* Names may hold digits. */
static void skip_name(struct scanner *s) {
        while (s->p < s->end && (isalnum((unsigned char) *s->p) || strchr("-_*", *s->p)))
                s->p++;
}

/* false: they are nested too deep; what is left need not be looked at. */
static bool check_include(struct scanner *s, const char *name, size_t size) {
        _cleanup_free_ char *path = strndup(name, size), *text = NULL;
        struct scanner inner = { .path = path, .line = 1, .depth = s->depth + 1, .problems = s->problems };
        size_t n;

        if (!path || memchr(name, '\\', size) || memchr(name, '\n', size) || *name != '/') {
                problems_add(s->problems, false, s->path, s->line, "an included file is named by its whole path, /…");
                return true;
        }
        if (inner.depth > INCLUDE_DEPTH_MAX) {
                problems_add(s->problems, false, s->path, s->line, "includes are nested more than %d deep",
                             INCLUDE_DEPTH_MAX);
                return false;
        }
        if (conf_read_file(path, false, s->problems, &text, &n) <= 0)
                return true;
        inner.p = text;
        inner.end = text + n;
        return check_text(&inner);
}

/* @include "PATH", first on its line */
static bool is_include(const struct scanner *s, const char *text) {
        static const char word[] = "@include";
        const char *p = s->p;

        if ((size_t) (s->end - p) < strlen(word) || memcmp(p, word, strlen(word)) != 0)
                return false;
        while (p > text && (p[-1] == ' ' || p[-1] == '\t'))
                p--;
        return p == text || p[-1] == '\n';
}

static bool check_text(struct scanner *s) {
        const char *text = s->p, *nul = memchr(s->p, '\0', (size_t) (s->end - s->p));

        /* Wherever it stands: libconfig is given a string, which ends there. */
        if (nul) {
                for (const char *p = text; p < nul; p++)
                        s->line += *p == '\n';
                problems_add(s->problems, false, s->path, s->line, "a NUL byte: this is not a text file");
                return true;
        }
        while (s->p < s->end) {
                const char *start = s->p;
                unsigned line = s->line;

                if (*start == '#' || (start[0] == '/' && s->end - start > 1 && start[1] == '/'))
                        skip_line(s);
                else if (start[0] == '/' && s->end - start > 1 && start[1] == '*') {
                        s->p += 2;
                        if (!skip_past(s, "*/"))
                                problems_add(s->problems, false, s->path, line, "a comment that is never closed");
                } else if (*start == '"') {
                        s->p++;
                        if (!skip_past(s, "\""))
                                problems_add(s->problems, false, s->path, line, "a string that is never closed");
                } else if (is_include(s, text)) {
                        const char *name = start + strlen("@include"), *close;

                        while (name < s->end && (*name == ' ' || *name == '\t'))
                                name++;
                        close = name < s->end && *name == '"' ? memchr(name + 1, '"', (size_t) (s->end - name - 1)) : NULL;
                        if (close && !check_include(s, name + 1, (size_t) (close - name - 1)))
                                return false;
                        s->p = close ? close + 1 : name;
                } else if (isdigit((unsigned char) *start) ||
                           ((*start == '-' || *start == '+') && s->end - start > 1 && isdigit((unsigned char) start[1])))
                        check_number(s);
                else if (isalpha((unsigned char) *start) || *start == '*')
                        skip_name(s);
                else {
                        s->line += *start == '\n';
                        s->p++;
                }
        }
        return true;
}

void conf_check_text(const char *text, size_t size, const char *path, struct problems *problems) {
        struct scanner s = { .p = text, .end = text + size, .path = path, .line = 1, .problems = problems };

        (void) check_text(&s);
}
