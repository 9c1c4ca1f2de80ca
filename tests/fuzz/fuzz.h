/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A target is one function that takes whatever comes: libFuzzer calls it with inputs that it makes up (configure
 * --enable-fuzzers), tests/fuzz/replay.c with those of the corpus. Beside crashes, leaks and what the sanitizers find, each
 * target claims something of its own. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLAIM(condition)                                                                  \
        do {                                                                              \
                if (!(condition)) {                                                       \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
                        abort();                                                          \
                }                                                                         \
        } while (0)

/* The input as a string: NUL bytes end it. To be freed. */
static inline char *fuzz_string(const uint8_t *data, size_t size) {
        char *s = malloc(size + 1);

        if (!s)
                abort();
        memcpy(s, data, size);
        s[size] = '\0';
        return s;
}

/* How many lines a text has; an unfinished one counts. */
static inline size_t fuzz_lines(const uint8_t *data, size_t size) {
        size_t n = size && data[size - 1] != '\n';

        for (size_t i = 0; i < size; i++)
                n += data[i] == '\n';
        return n;
}
