/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Takes the snapshots around hot-adds, and keeps what they tell (core/trace.h). Memory that waits comes first: while it
 * does, at most one look is taken, at the first event, when the kernel is still adding and nobody could bring anything
 * online; and none where a look takes long. */

#include "core/trace.h"
#include "daemon/refused.h"
#include "host/evidence.h"
#include "host/snapshots.h"

/* Where zoneinfo takes longer it is not read while memory waits: machines with many nodes and processors. Two dozen
 * microseconds are usual; and whoever writes a state at the first event waits for the kernel to have made all blocks. */
#define TRACER_BUDGET_USEC 1000

struct tracer {
        struct refused *refused;
        struct snapshot_reader reader;
        struct snapshot before; /* the newest from before all adds that are under way */
        struct snapshot first;  /* at the first event since then; usec 0: none */
        struct snapshot now;
        uint32_t costs[2]; /* what the last two took for zoneinfo, microseconds: the lower one is not others' doing */
        struct traces traces;
        bool stale;             /* memory came or went since before, and no add tells of it */
};

/* fs and refused must outlive it. */
void tracer_init(struct tracer *t, const struct sysfs *fs, struct refused *refused);
void tracer_done(struct tracer *t);

/* Nothing is under way: what is now is what the next add is compared with. */
void tracer_look(struct tracer *t);
/* A block came. Returns when, as exact as can be. */
uint64_t tracer_event(struct tracer *t);
/* An add has one more block; came: while the daemon watched, event_usec: by an event of then, 0: without. */
void tracer_join(struct tracer *t, const struct add *a, bool came, uint64_t event_usec);
void tracer_write(struct tracer *t, uint32_t add, uint64_t start_usec, uint64_t write_usec);
/* Somebody else changed the machine's memory. */
void tracer_disturb(struct tracer *t);
/* The add is over. idle: nothing else waits. */
void tracer_close(struct tracer *t, const struct add *a, const struct registry *r, struct evidence_cache *evidence, bool idle);
