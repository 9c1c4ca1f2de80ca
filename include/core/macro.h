/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Scope-bound cleanup and the few helpers that every room uses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _const_ __attribute__((const))
#define _pure_ __attribute__((pure))
#define _noinline_ __attribute__((noinline))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define MAX(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })

/* Hand ownership out of a variable that a cleanup attribute guards. */
#define TAKE(var, none) ({ __typeof__(var) *_p = &(var), _v = *_p; *_p = (none); _v; })
#define TAKE_PTR(p) TAKE(p, NULL)
#define TAKE_FD(fd) TAKE(fd, -1)

/* Define f##p, the cleanup handler of a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, f)              \
        static inline void f##p(type **p) {  \
                if (*p)                      \
                        f(*p);               \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

DEFINE_CLEANUP(FILE, fclose)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Make room for one more element of an array that grows by doubling. Evaluates to false when memory is out; the
 * array is then unchanged. */
#define GROW(array, n, capacity) \
        ((n) < (capacity) || grow((void **) &(array), &(capacity), sizeof((array)[0])))

static inline bool grow(void **array, size_t *capacity, size_t size) {
        size_t wanted = *capacity ? *capacity * 2 : 16;
        void *p = reallocarray(*array, wanted, size);

        if (!p)
                return false;
        *array = p;
        *capacity = wanted;
        return true;
}
