/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a hot-add did to the machine: the difference of two snapshots, one from before it and one from when it was over, and
 * what was measured in between. The last TRACES_MAX are kept, those of the adds that core/adds.h keeps. Figures are pages
 * and microseconds (CLOCK_MONOTONIC), and differences have a sign: memory shrinks, too. Pure; no clock, no allocation. */

#include "core/adds.h"
#include "core/registry.h"
#include "core/snapshot.h"

#define TRACES_MAX ADDS_MAX
#define TRACE_ZONES_MAX 12
#define TRACE_TEXT_MAX 192

/* Of the blocks of an add, one figure each. */
struct trace_times {
        uint32_t n;                /* 0: nothing was measured */
        uint32_t min, median, max; /* median: the lower one of two */
};

/* A zone whose figures moved, or of the add's node. */
struct trace_zone {
        int16_t node;
        uint8_t zone; /* enum zone */
        int64_t spanned, present, managed, free; /* free: with the lists of the CPUs */
        uint64_t min[2], low[2], high[2];        /* before and after */
        int64_t free_blocks[SNAPSHOT_ORDERS_MAX];
};

struct trace_map {
        char name[8];
        int64_t bytes;
};

/* What the kernel zones have lent: managed and not free. Struct pages come from there, if not from the new memory. */
struct trace_lent {
        uint64_t usec; /* of the look; 0: there was none */
        int64_t pages; /* more than before the add */
};

enum trace_resource_state {
        TRACE_RESOURCE_UNKNOWN, /* not looked up yet */
        TRACE_RESOURCE_FOUND,
        TRACE_RESOURCE_GONE,    /* with the blocks */
        TRACE_RESOURCE_HIDDEN,  /* the file shows no addresses */
        TRACE_RESOURCE_ABSENT,  /* the file has none */
        TRACE_RESOURCE_ERROR,
};

struct trace_resource {
        enum trace_resource_state state;
        int error;           /* TRACE_RESOURCE_ERROR: negative errno */
        bool whole;          /* all of the add lies in it, not only its first block */
        uint64_t start, end; /* inclusive */
        char text[96];       /* its name, and what it lies in */
};

struct trace {
        uint32_t add;     /* its number; 0: an empty slot */
        int16_t node;     /* of its first block; -1: unknown */
        bool over;
        bool busy;        /* when it was over, there was other memory to see to: nobody looked */
        bool overlaps;    /* another add was under way meanwhile: differences are of both */
        bool disturbed;   /* somebody else changed the machine's memory meanwhile: differences are of that, too */
        uint64_t start_usec;  /* its first block was met */
        uint64_t time_usec;   /* CLOCK_REALTIME: its first event, or that */
        uint64_t before_usec, after_usec; /* the snapshots; 0: none */
        uint32_t look_usec;   /* what the last of them took */
        uint32_t n_came;      /* blocks that came since the snapshot before; the others were there */
        uint32_t n_events;    /* of them, those the kernel told of */
        uint64_t first_event_usec, last_event_usec;
        uint64_t first_write_usec, last_write_usec; /* begin of the first, end of the last; 0: nothing was written */
        struct trace_times queued, written; /* from the event to the write, and in it, each block's last */
        uint32_t zone_blocks[_ZONE_MAX];    /* how many blocks are online in which zone, at the end */
        int errors[_SNAPSHOT_FILE_MAX];     /* why a file's differences are not known; 0: they are */
        int first_error;                    /* of zoneinfo, at the first event */
        struct trace_lent lent_first, lent; /* at the first event, when the kernel has added but nothing is online; and after */
        bool has_memmap;
        int64_t memmap_pages; /* by the kernel's own count of what struct pages take */
        struct trace_map maps[SNAPSHOT_MAPS_MAX];
        size_t n_maps;
        struct trace_zone zones[TRACE_ZONES_MAX];
        size_t n_zones, n_dropped;
        unsigned orders;
        int kernlog_error;
        uint64_t rebuilds, total_pages; /* how often zonelists were built; of how many pages, the last time */
        uint32_t zonelists;             /* and how many */
        struct trace_resource resource;
};

struct traces {
        struct trace ring[TRACES_MAX];
        size_t n_open;
};

/* Begin with an add's first block; time: CLOCK_REALTIME. Those still open overlap with it. */
struct trace *traces_open(struct traces *t, const struct add *a, const struct snapshot *before, uint64_t now, uint64_t time);
struct trace *traces_find(struct traces *t, uint32_t add) _pure_;
/* Somebody else changed the machine's memory. */
void traces_disturb(struct traces *t);

/* A block of it came while the daemon watched. event_usec: when the kernel's word of it was received; 0: it never was. */
void trace_note_block(struct trace *t, uint64_t event_usec);
/* One of its blocks was written to. */
void trace_note_write(struct trace *t, uint64_t start_usec, uint64_t write_usec);
/* The look at the first event: zoneinfo only. */
void trace_note_first(struct trace *t, const struct snapshot *before, const struct snapshot *first);
/* It is over, and closed: what became of its blocks, and the differences. after: NULL if nobody looked. */
void traces_finish(struct traces *t, struct trace *trace, const struct registry *r, const struct add *a,
                   const struct snapshot *before, const struct snapshot *after);

uint32_t snapshot_cost_usec(const struct snapshot *s) _pure_;
/* How many pages of kernel zones are managed and not free. */
uint64_t snapshot_lent_pages(const struct snapshot *s) _pure_;

/* ---- what it says --------------------------------------------------------------------------------------------------- */

/* Parts of a trace, each with evidence or without. */
enum trace_part {
        TRACE_PART_RESOURCE,
        TRACE_PART_DIRECT_MAP,
        TRACE_PART_MEMMAP, /* measured */
        TRACE_PART_EVENTS,
        TRACE_PART_QUEUED, /* and written */
        TRACE_PART_ZONE,
        TRACE_PART_GROWTH, /* and watermarks */
        TRACE_PART_FREE_BLOCKS,
        TRACE_PART_ZONELISTS,
        _TRACE_PART_MAX,
};

/* Is there evidence? If not, why says why. */
bool trace_has(const struct trace *t, const struct add *a, enum trace_part part, char why[static TRACE_TEXT_MAX]);

enum trace_memmap_by {
        TRACE_MEMMAP_COUNTED, /* by the kernel */
        TRACE_MEMMAP_FIRST,   /* what kernel zones had lent more at the first event */
        TRACE_MEMMAP_AFTER,   /* … and when it was over */
};

/* The best measure of what its struct pages take, where trace_has(TRACE_PART_MEMMAP). */
int64_t trace_memmap_pages(const struct trace *t, const struct add *a, enum trace_memmap_by *ret_by);

enum trace_memmap_home {
        TRACE_HOME_UNKNOWN,
        TRACE_HOME_KERNEL, /* memory that was online already */
        TRACE_HOME_ITSELF, /* the new memory (memmap_on_memory) */
};

/* Where they lie. computed: the pages that they take. */
enum trace_memmap_home trace_memmap_home(const struct trace *t, const struct add *a, uint64_t computed);
/* Present pages that are not managed, of all that came to zones. */
int64_t trace_own_pages(const struct trace *t) _pure_;

/* Pages to bytes, as large as it goes. */
int64_t trace_bytes(int64_t pages, uint64_t page_size) _const_;
