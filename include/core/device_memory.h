/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory that was hot-added only: it has struct pages (zone Device), so that files and programs can map it directly, but
 * never becomes memory blocks, and nothing puts it online. Pure.
 *
 * What the kernel shows of it (seen on 6.1): in /proc/iomem an fsdax namespace as "namespaceX.Y", a devdax one as "daxX.Y"
 * behind a header "namespaceX.Y"; in /proc/zoneinfo how many pages each node's zone Device spans, with present 0 and
 * without its begin. What cannot be known from that:
 *  - A namespace in raw or sector mode looks like an fsdax one and has no struct pages; so does the header of a dax device
 *    that has no driver. Where zone Device spans nothing anywhere, there is none of any kind.
 *  - A zone Device never shrinks, spans the holes between its parts, and spans devices other than these (peer-to-peer
 *    PCI, memory of GPUs), which are not told of here.
 *  - The struct pages of an fsdax namespace may lie in itself ("ndctl create-namespace -M dev"). Of a devdax one, a
 *    header too large for anything else tells. And since 5.17 the kernel gives the memory of most struct pages of a
 *    devdax one back. Hence what they take is a bound: 64 bytes a page. */

#include "core/block.h"
#include "core/iomem.h"
#include "core/zoneinfo.h"

struct device_range {
        uint64_t start, size; /* of the holder, without its header */
        const char *holder;   /* "namespace0.0", "dax0.0"; owned by the iomem */
        enum source kind;     /* what it lies in: SOURCE_PMEM, SOURCE_CXL, SOURCE_HMEM; SOURCE_DAX: none of these */
        int node;             /* -1: cannot be known */
        bool memmap_inside;   /* its struct pages lie in itself; false: unknown */
};

struct device_memory {
        struct device_range *ranges; /* by address */
        size_t n;
        uint64_t memmap_bytes; /* what the struct pages of them all take of the system's memory, at most */
};

/* dax devices that are system memory are left out: they are memory blocks. page_size: 0 is unknown, which makes the bound
 * wider. 0 or -ENOMEM. */
int device_memory_find(const struct iomem *io, const struct zoneinfo *z, uint64_t page_size, struct device_memory *ret);
void device_memory_done(struct device_memory *m);
