/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From evidence to source: which hot-add path a block took, and the device that was plugged. Pure; host/evidence.h
 * gathers what is judged here. */

#include "core/block.h"
#include "core/iomem.h"

/* Other ways by which plain "System RAM" may arrive on this machine, from what the machine has. */
enum machine {
        MACHINE_PLAIN, /* none of the others: every hot-add path of this machine leaves evidence of its own */
        MACHINE_HYPERV, /* /sys/bus/vmbus: hv_balloon */
        MACHINE_XEN,    /* /sys/hypervisor/type: xen balloon */
        MACHINE_DLPAR,  /* PowerVM logical memory blocks */
        MACHINE_S390,   /* standby memory */
        MACHINE_PROBE,  /* /sys/devices/system/memory/probe: anybody may add anything */
        _MACHINE_MAX,
        _MACHINE_INVALID = -22,
};

const char *machine_to_string(enum machine m) _const_;

/* When the block was first seen. Only a daemon that was there before can tell. */
enum arrival {
        ARRIVAL_UNKNOWN, /* a single look at the system */
        ARRIVAL_BEFORE,  /* was online when the daemon first looked */
        ARRIVAL_HOT,     /* its add event was seen, or it appeared between two looks */
        _ARRIVAL_MAX,
        _ARRIVAL_INVALID = -22,
};

struct evidence {
        char firmware_node[DEVICE_NAME_MAX]; /* target of memoryN/firmware_node, "" without one */
        const struct iomem *iomem;           /* NULL: /proc/iomem could not be read */
        const struct iomem_entry *ram;       /* the system memory the block lies in; NULL: none found */
        enum machine machine;
        enum arrival arrival;
};

struct origin {
        enum source source;
        char device[DEVICE_NAME_MAX]; /* "" if the source has no name for what was plugged */
        uint64_t size; /* of what the device adds in all, bytes; 0: unknown */
};

void source_classify(const struct evidence *e, struct origin *ret);

/* The evidence in words for people: "firmware node PNP0C80:01", "System RAM (kmem) in dax0.0 in Persistent Memory". */
void source_describe(const struct evidence *e, char *buf, size_t size);
