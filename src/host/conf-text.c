/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
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

static void check_text(struct scanner *s);

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

static void check_include(struct scanner *s, const char *name, size_t size) {
        _cleanup_free_ char *path = strndup(name, size), *text = NULL;
        struct scanner inner = { .path = path, .line = 1, .depth = s->depth + 1, .problems = s->problems };
        size_t n;

        if (!path)
                return;
        if (inner.depth > INCLUDE_DEPTH_MAX) {
                problems_add(s->problems, false, s->path, s->line, "includes are nested more than %d deep",
                             INCLUDE_DEPTH_MAX);
                return;
        }
        if (conf_read_file(path, false, s->problems, &text, &n) <= 0)
                return;
        inner.p = text;
        inner.end = text + n;
        check_text(&inner);
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

static void check_text(struct scanner *s) {
        const char *text = s->p;

        while (s->p < s->end) {
                const char *start = s->p;
                unsigned line = s->line;

                if (*start == '\0') {
                        problems_add(s->problems, false, s->path, line, "a NUL byte: this is not a text file");
                        return;
                }
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
                        const char *quote = memchr(start, '"', (size_t) (s->end - start));
                        const char *name = quote ? quote + 1 : s->end;
                        const char *close = memchr(name, '"', (size_t) (s->end - name));

                        if (close && !memchr(start, '\n', (size_t) (close - start)))
                                check_include(s, name, (size_t) (close - name));
                        skip_line(s);
                } else {
                        s->line += *start == '\n';
                        s->p++;
                }
        }
}

void conf_check_text(const char *text, size_t size, const char *path, struct problems *problems) {
        struct scanner s = { .p = text, .end = text + size, .path = path, .line = 1, .problems = problems };

        check_text(&s);
}
