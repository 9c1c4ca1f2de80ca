/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A memory block as user space meets it (/sys/devices/system/memory/memoryN), and the words for it. Facts only: no
 * opinion, no I/O. Documentation/admin-guide/mm/memory-hotplug.rst. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

/* memoryN/state. Kernels may invent words; they are kept apart from "offline", which is the one state acted on. */
enum block_state {
        BLOCK_OFFLINE,
        BLOCK_ONLINE,
        BLOCK_GOING_OFFLINE,
        BLOCK_STATE_OTHER,
        _BLOCK_STATE_MAX,
        _BLOCK_STATE_INVALID = -22,
};

/* include/linux/mmzone.h, enum zone_type. Which of them exist differs between architectures. */
enum zone {
        ZONE_DMA,
        ZONE_DMA32,
        ZONE_NORMAL,
        ZONE_HIGHMEM,
        ZONE_MOVABLE,
        ZONE_DEVICE,
        _ZONE_MAX,
        _ZONE_INVALID = -22,
};

typedef uint8_t zone_mask;
#define ZONE_BIT(z) ((zone_mask) (1u << (z)))
/* The zones that "online_kernel" may choose from. */
#define ZONES_KERNEL ((zone_mask) (ZONE_BIT(ZONE_DMA) | ZONE_BIT(ZONE_DMA32) | ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_HIGHMEM)))

/* Where a block came from. core/source.h decides it. To add one: here, its word in block.c, its evidence in source.c. */
enum source {
        SOURCE_UNKNOWN, /* the evidence is missing: never a guess */
        SOURCE_BOOT,
        SOURCE_DIMM,
        SOURCE_VIRTIO_MEM,
        SOURCE_PMEM,
        SOURCE_CXL,
        SOURCE_HMEM,
        SOURCE_DAX,
        SOURCE_NVIDIA, /* coherent memory of a GPU: "System RAM (NVIDIA)" */
        SOURCE_DRIVER, /* another driver that names its memory: "System RAM (NAME)"; the device is NAME */
        SOURCE_HYPERV,
        SOURCE_XEN,
        SOURCE_DLPAR,
        SOURCE_STANDBY,
        _SOURCE_MAX,
        _SOURCE_INVALID = -22,
};

typedef uint32_t source_mask;
#define SOURCE_BIT(s) ((source_mask) 1 << (s))

/* Those that are dax devices to the kernel. */
#define SOURCES_DAX (SOURCE_BIT(SOURCE_PMEM) | SOURCE_BIT(SOURCE_CXL) | SOURCE_BIT(SOURCE_HMEM) | SOURCE_BIT(SOURCE_DAX))

const char *block_state_to_string(enum block_state s) _const_;
enum block_state block_state_from_string(const char *s) _pure_; /* never invalid: unknown words are OTHER */
const char *zone_to_string(enum zone z) _const_;
enum zone zone_from_string(const char *s) _pure_;
enum zone zone_from_stringn(const char *s, size_t n) _pure_;
const char *source_to_string(enum source s) _const_;
enum source source_from_string(const char *s) _pure_;

/* A set of NUMA nodes. 1024 is the largest MAX_NUMNODES of any architecture (CONFIG_NODES_SHIFT=10). */
#define NODES_MAX 1024

struct node_set {
        uint64_t words[NODES_MAX / 64];
};

static inline void node_set_add(struct node_set *s, unsigned node) {
        s->words[node / 64] |= UINT64_C(1) << (node % 64);
}

static inline bool node_set_has(const struct node_set *s, unsigned node) {
        return node < NODES_MAX && (s->words[node / 64] >> (node % 64) & 1);
}

/* The lowest node that is at least from, or -1. Loop: for (n = node_set_next(s, 0); n >= 0; n = node_set_next(s, n + 1)) */
int node_set_next(const struct node_set *s, unsigned from) _pure_;
bool node_set_equal(const struct node_set *a, const struct node_set *b) _pure_;

#define DEVICE_NAME_MAX 48 /* with NUL; longer names are cut, which no kernel name comes near */

struct block {
        uint32_t index; /* N of memoryN; the address is N × block size */
        uint64_t start, size; /* bytes */
        enum block_state state;
        bool removable;  /* memoryN/removable: constant 1 on current kernels */
        bool zones_known; /* valid_zones existed and could be read */
        zone_mask zones; /* online: the zone, or none of them ("none": several zones or holes) · offline: the candidates */
        enum zone first_zone; /* of zones, in the kernel's order: what a plain "online" picks; _ZONE_INVALID if empty */
        struct node_set nodes; /* empty: unknown, or a machine without NUMA */
        enum source source;
        bool at_startup; /* was there when the daemon first looked */
        bool hands_off;  /* somebody else set it offline since: it is theirs */
        bool held;       /* a hold is on it: it waits */
        bool source_hidden; /* the source is unknown only for want of evidence that others could see */
        bool rolled_back; /* its device could not be had as a whole, and on_partial is "rollback" */
        uint64_t identity; /* of the block device: another number once it was unplugged and plugged again; 0: not asked for */
        int16_t tier;         /* of its node; -1: unknown */
        uint64_t device_size; /* what its device adds in all, in bytes; 0: unknown */
        uint64_t device_movable, device_kernel; /* bytes of its device that are online already; 0 where nobody counted */
        char device[DEVICE_NAME_MAX]; /* what was plugged as one unit; "" if the source has no name for it */
};

/* The text of valid_zones ("Normal Movable", "none") into zones_known, zones and first_zone. Words that are not zones
 * are skipped: a kernel with a new zone must not make the block unreadable. */
void block_parse_zones(struct block *b, const char *text);
