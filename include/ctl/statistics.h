/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs that print the kernel's statistics files have in common. */

#include "core/parse.h"
#include "ctl/verb.h"
#include "host/sysfs.h"

struct statistics {
        char *text; /* the file */
        size_t size;
        uint64_t page_size; /* 0: unknown */
        struct ranges nodes; /* empty: all */
        const char *nodes_text;
};

/* In bytes; a captured system tells it in its MANIFEST, if at all (tests/capture.sh). 0: unknown. */
uint64_t system_page_size(const char *sysroot);

/* nodes: "1", "0-3,8", "node:1" or NULL. Complains. */
enum status statistics_open(struct statistics *s, const struct options *o, enum sysfs_text which, const char *nodes);
void statistics_done(struct statistics *s);
bool statistics_has_node(const struct statistics *s, unsigned node) _pure_;
/* The file could not be parsed. */
enum status statistics_malformed(int error, enum sysfs_text which, unsigned line);
/* None of its nodes was asked for. */
enum status statistics_no_node(const struct statistics *s, enum sysfs_text which);

/* Pages as a size, or as their number if it is not known how large they are. */
const char *format_pages(const struct statistics *s, uint64_t pages, bool bytes, char buf[static SIZE_TEXT_MAX]);
/* The line under a table whose figures are pages. */
void statistics_print_legend(const struct statistics *s, const struct options *o);
