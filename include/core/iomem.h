/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/iomem as a tree (kernel/resource.c, r_show: two blanks of indentation a level, "%0*llx-%0*llx : name").
 * Pure; allocates two arrays, not per line. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

struct iomem_entry {
        uint64_t start, end; /* inclusive */
        const char *name;    /* owned by the tree */
        int parent;          /* index into entries, -1 at the top */
};

struct iomem {
        struct iomem_entry *entries; /* in the file's order, which is by start, parents first */
        size_t n;
        char *text;
        bool hidden; /* every address is zero: the file was opened without CAP_SYS_ADMIN, nothing can be found in it */
};

/* 0, -ENOMEM, -EBADMSG (the text is not of the form; *ret_line names the line, from 1). */
int iomem_parse(const char *text, size_t size, struct iomem *ret, unsigned *ret_line);
void iomem_done(struct iomem *io);

/* The system memory that overlaps [start, end], innermost: the entry whose name begins with "System RAM". NULL: none. */
const struct iomem_entry *iomem_find_ram(const struct iomem *io, uint64_t start, uint64_t end) _pure_;
const struct iomem_entry *iomem_parent(const struct iomem *io, const struct iomem_entry *e) _pure_;
