/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is wrong with files that people write: every problem, in the order met, so that one pass tells all. */

#include <stdarg.h>

#include "core/macro.h"

#define PROBLEMS_MAX 1000 /* of errors, and of warnings, that are kept: nobody reads more */

struct problem {
        char *file;
        unsigned line; /* 0: the file as a whole */
        char *text;
        bool warning; /* what was read can be used all the same */
};

struct problems {
        struct problem *items;
        size_t n, capacity;
        size_t n_errors; /* those that are not warnings; counted even where there is no room for the text */
};

void problems_done(struct problems *p);
void problems_add(struct problems *p, bool warning, const char *file, unsigned line, const char *format, ...)
        _printf_(5, 6);
void problems_addv(struct problems *p, bool warning, const char *file, unsigned line, const char *format, va_list ap)
        _printf_(5, 0);
/* "FILE:LINE: message", one a line. */
void problems_print(const struct problems *p, FILE *f);
