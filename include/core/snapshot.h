/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the machine's memory is at one moment, of the figures that a hot-add moves. Taken from the text of the kernel's files
 * line by line, into a struct of a fixed size: nothing is allocated, since it is taken while memory waits to be brought
 * online. All of the files, with all that is in them, are core/zoneinfo.h's and core/buddyinfo.h's. Pure. */

#include "core/block.h"

#define SNAPSHOT_ZONES_MAX 256 /* that hold memory */
#define SNAPSHOT_ORDERS_MAX 16
#define SNAPSHOT_MAPS_MAX 4

enum snapshot_file {
        SNAPSHOT_ZONEINFO,
        SNAPSHOT_BUDDYINFO, /* after zoneinfo */
        SNAPSHOT_MEMINFO,
        SNAPSHOT_VMSTAT,
        _SNAPSHOT_FILE_MAX,
};

struct snapshot_zone {
        int16_t node;
        uint8_t zone; /* enum zone */
        uint64_t free, pcp; /* pages: in the buddy allocator, and on the lists of the CPUs */
        uint64_t min, low, high, spanned, present, managed; /* pages */
        uint64_t free_blocks[SNAPSHOT_ORDERS_MAX];
};

/* What the kernel maps directly with pages of one size. */
struct snapshot_map {
        char name[8]; /* "2M", as the kernel names it */
        uint64_t bytes;
};

struct snapshot {
        uint64_t usec;      /* CLOCK_MONOTONIC; 0: never taken */
        uint32_t costs[_SNAPSHOT_FILE_MAX]; /* microseconds that reading each file took */
        int errors[_SNAPSHOT_FILE_MAX]; /* 0, or why the file's figures are not known; -ENODATA: nobody looked */
        struct snapshot_zone zones[SNAPSHOT_ZONES_MAX];
        size_t n_zones, n_dropped; /* dropped: for want of room */
        unsigned orders;           /* that buddyinfo has */
        struct snapshot_map maps[SNAPSHOT_MAPS_MAX];
        size_t n_maps;
        bool has_memmap;       /* the kernel counts what it takes for struct pages, since 6.11 */
        uint64_t memmap_pages; /* for memory that came after boot */
        int kernlog_error;     /* of the kernel log, as in errors */
        uint64_t rebuilds;     /* how often it said that zonelists were built, since the daemon reads it */
        uint32_t zonelists;    /* and the last time: how many, */
        uint64_t total_pages;  /* of how many pages */
};

/* Everything unknown. */
void snapshot_init(struct snapshot *s);

/* Where in a file the reader is; {} at its beginning. */
struct snapshot_cursor {
        struct snapshot_zone zone; /* the one being read, if in_zone */
        bool in_zone, in_pages;
        unsigned figures; /* of it that were seen */
};

/* The next line, without its newline. 0, -EBADMSG: malformed. */
int snapshot_add_line(struct snapshot *s, enum snapshot_file file, struct snapshot_cursor *c, const char *line, size_t size);
/* The file is over. 0, -EBADMSG: too early. */
int snapshot_end_file(struct snapshot *s, enum snapshot_file file, struct snapshot_cursor *c);

/* NULL: it holds no memory. */
const struct snapshot_zone *snapshot_find(const struct snapshot *s, int node, enum zone zone) _pure_;
