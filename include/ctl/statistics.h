/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs that print the kernel's statistics files have in common. */

#include "core/parse.h"
#include "ctl/verb.h"
#include "host/sysfs.h"

struct statistics {
        struct sysfs *fs;
        char *text; /* the file */
        size_t size;
        uint64_t page_size; /* 0: unknown */
        struct ranges nodes; /* empty: all */
        const char *nodes_text;
};

/* In bytes; a captured system tells it in its MANIFEST, if at all (tests/capture.sh). 0: unknown. */
uint64_t system_page_size(const char *sysroot);

/* nodes: "1", "0-3,8", "node:1" or NULL. Complains. */
enum status statistics_open(struct statistics *s, const struct options *o, const char *nodes);
/* Its text, anew. Complains. */
enum status statistics_read(struct statistics *s, enum sysfs_text which);
void statistics_done(struct statistics *s);
bool statistics_has_node(const struct statistics *s, unsigned node) _pure_;
/* The file could not be parsed. */
enum status statistics_malformed(int error, enum sysfs_text which, unsigned line);
/* None of its nodes was asked for. */
enum status statistics_no_node(const struct statistics *s, enum sysfs_text which);

/* Pages as a size, or as their number if it is not known how large they are. */
const char *format_pages(const struct statistics *s, uint64_t pages, bool bytes, char buf[static SIZE_TEXT_MAX]);
/* The same for a difference: "+16M", "-3". */
const char *format_pages_signed(const struct statistics *s, int64_t pages, bool bytes, char buf[static SIZE_TEXT_MAX]);

#define CHANGE_TEXT_MAX (2 * SIZE_TEXT_MAX)
/* While watching: "1.2G(+16M)", the change in parentheses if there is one. */
const char *format_pages_change(const struct statistics *s, uint64_t pages, uint64_t before, bool bytes,
                                char buf[static CHANGE_TEXT_MAX]);
const char *format_count_change(uint64_t count, uint64_t before, char buf[static CHANGE_TEXT_MAX]);
/* "+8M/s"; "-" where nothing changed. */
const char *format_pages_rate(const struct statistics *s, int64_t pages, double seconds, bool bytes,
                              char buf[static CHANGE_TEXT_MAX]);

/* The line under a table whose figures are pages. */
void statistics_print_legend(const struct statistics *s, const struct options *o);
