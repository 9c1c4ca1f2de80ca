/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What there is besides memory blocks: device memory that was hot-added only, and hot-adds that the kernel refused. */

#include "core/device_memory.h"
#include "core/kernlog.h"
#include "ctl/facts.h"

struct blockless {
        struct iomem iomem; /* unless the facts have it */
        struct zoneinfo zoneinfo;
        struct device_memory device;
        struct refusals refusals;
        int kmsg_error; /* negative errno: why the kernel log cannot be read */
};

/* Complains about what is malformed; what is not there or not for this user's eyes is left out silently. */
enum status blockless_read(struct blockless *b, const struct facts *f);
/* Of a system that is not read otherwise. */
enum status blockless_read_alone(struct blockless *b, const char *sysroot);
void blockless_done(struct blockless *b);

/* Paragraphs below a listing; nothing if there is neither. */
void blockless_print(struct blockless *b, const struct options *o);
/* On stderr, why no refused hot-adds are told of. */
void blockless_hint(const struct blockless *b, const struct options *o);
/* The keys device_memory, device_memory_memmap_bytes and refused. */
void blockless_set_json(struct blockless *b, json_t *object);
