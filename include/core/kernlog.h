/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel says in its log alone. Pure.
 *  - Hot-adds that never became memory blocks: they are refused before there is a device to send an event
 *    (check_hotplug_memory_range() and the callers of add_memory()).
 *  - Why a block cannot be taken offline (mm/memory_hotplug.c, mm/debug.c: dump_page()): core/obstacle.h puts these lines
 *    together.
 *  - That the zonelists were built anew (mm/page_alloc.c). */

#include "core/block.h"

enum kernlog_type {
        KERNLOG_OTHER,     /* nothing of interest */
        KERNLOG_UNALIGNED, /* the range does not begin and end at a block: block_size, start, size */
        KERNLOG_FAILED,    /* a driver was refused: device, and error where it says one */
        KERNLOG_NOT_MOVED, /* a page could not be moved away: pfn, error (0: it could not even be isolated) */
        KERNLOG_PAGE,      /* a page is described, in this line and those that follow: pfn */
        KERNLOG_FLAGS,     /* … the names of its flags: text */
        KERNLOG_FILE,      /* … the file it belongs to: text */
        KERNLOG_OWNER,     /* … who allocated it, if the kernel keeps track (page_owner=on): text */
        KERNLOG_WHY,       /* … why it is described: text; the last line of a description */
        KERNLOG_ZONELISTS, /* memory came online in a zone that had none: zonelists and total_pages */
};

#define KERNLOG_TEXT_MAX 96

struct kernlog_line {
        enum kernlog_type type;
        uint64_t usec; /* since boot */
        uint64_t block_size, start, size;
        char device[DEVICE_NAME_MAX];
        int error; /* 0: unknown */
        uint64_t pfn;
        char text[KERNLOG_TEXT_MAX];
        uint32_t zonelists;
        uint64_t total_pages;
};

/* One record of /dev/kmsg: "PRIORITY,SEQUENCE,USEC,FLAGS;MESSAGE\n DICTIONARY…". Never fails: what cannot be read is
 * KERNLOG_OTHER. Lines of user space (which may say anything) are KERNLOG_OTHER, too. */
void kernlog_parse(const char *record, size_t size, struct kernlog_line *ret);

#define REFUSALS_MAX 16

/* A refused hot-add, put together from the lines about it. */
struct refusal {
        uint64_t usec;
        uint64_t block_size, start, size; /* size 0: the range is unknown */
        char device[DEVICE_NAME_MAX];     /* "": unknown */
        int error;
        bool told; /* people were told of it */
};

struct refusals {
        struct refusal ring[REFUSALS_MAX];
        size_t n;       /* kept */
        uint64_t total; /* since boot, as far as the log reaches */
};

/* Take a line in, of any type. The range comes first, the driver's complaint a moment later: both make one refusal. */
void refusals_add(struct refusals *r, const struct kernlog_line *line);
/* In the order of time. */
struct refusal *refusals_get(struct refusals *r, size_t i) _pure_;
/* "1 GiB at 0x37fe00000 (PNP0C80:01): not aligned to the block size of 128 MiB …" with what helps. */
void refusal_describe(const struct refusal *r, char *buf, size_t size);
