/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hot-adds that never became memory blocks: the kernel refuses them before there is a device to send an event, and says
 * so in its log alone (check_hotplug_memory_range() and the callers of add_memory()). Pure. */

#include "core/block.h"

enum kernlog_type {
        KERNLOG_OTHER,     /* nothing about a refused hot-add */
        KERNLOG_UNALIGNED, /* the range does not begin and end at a block: block_size, start, size */
        KERNLOG_FAILED,    /* a driver was refused: device, and error where it says one */
};

struct kernlog_line {
        enum kernlog_type type;
        uint64_t usec; /* since boot */
        uint64_t block_size, start, size;
        char device[DEVICE_NAME_MAX];
        int error; /* 0: unknown */
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

/* Take a line in. The range comes first, the driver's complaint a moment later: both make one refusal. */
void refusals_add(struct refusals *r, const struct kernlog_line *line);
/* In the order of time. */
struct refusal *refusals_get(struct refusals *r, size_t i) _pure_;
/* "1 GiB at 0x37fe00000 (PNP0C80:01): not aligned to the block size of 128 MiB …" with what helps. */
void refusal_describe(const struct refusal *r, char *buf, size_t size);
