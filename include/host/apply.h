/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one writer. Every write to memoryN/state takes one lock in the kernel (device_hotplug_lock) and may block for as
 * long as a hot-add does, so all of them go through one thread, in order (but what goes online goes before what goes
 * offline), and never through the event loop. That thread does nothing but write: files are opened before their turn, and
 * after the write the block is read back and judged (core/outcome.h) by whoever takes the result, while the next one is at
 * the kernel. */

#include "core/outcome.h"
#include "host/sysfs.h"

struct apply_job {
        uint32_t block;
        uint64_t identity;  /* of the very block that it was decided about; if another has come in its place, the outcome is GONE.
                             * 0: whichever is there */
        enum action action; /* ACTION_LEAVE_OFFLINE: take it offline */
        uint32_t job;       /* of core/jobs.h that asked for it; 0: the policy did. Comes back with the result */
        char dax[24];       /* the dax device it belongs to, "" for others: brought online as a whole where the kernel can */
};

struct apply_result {
        uint32_t block;
        uint32_t job;
        enum action action;
        enum outcome outcome;
        int error;              /* of the write: 0 or negative errno */
        enum block_state state; /* as read back */
        bool zones_known;
        zone_mask zones;
        uint64_t start_usec; /* CLOCK_MONOTONIC: when the write began */
        uint64_t write_usec; /* how long the kernel took */
};

struct apply;

/* fs must outlive it. Starts the thread; all signals are blocked in it. */
int apply_new(const struct sysfs *fs, struct apply **ret);
/* The block being written is finished (or interrupted, if the kernel takes longer than a second); the rest is dropped. */
void apply_free(struct apply *a);
DEFINE_CLEANUP(struct apply, apply_free)

/* Becomes readable when there are results. */
int apply_fd(const struct apply *a) _pure_;
/* Room for n jobs in all that bring memory online. 0 or -ENOMEM. */
int apply_reserve(struct apply *a, size_t n);
/* 0, -ENOMEM: nothing was queued. */
int apply_submit(struct apply *a, const struct apply_job *job);
/* The block is gone: drop its jobs and results. A write that is under way takes its course, without a result. */
void apply_cancel(struct apply *a, uint32_t block);
/* The job at the kernel right now, and since when (CLOCK_MONOTONIC). False: none. */
bool apply_current(struct apply *a, struct apply_job *ret, uint64_t *ret_since_usec);
/* Is the dax device being brought online as a whole, or was it just? Then its blocks that are found online are our doing. */
bool apply_brings_whole(struct apply *a, const char *dax);
/* Interrupt the write that is under way: it ends with -EINTR, if the kernel allows. */
void apply_interrupt(struct apply *a);
/* Does memory that is to be used wait for a write that takes memory offline? Then that write is interrupted, without a result,
 * and has its turn again. A signal may come a moment too early: ask again. */
bool apply_preempt(struct apply *a);
/* Jobs whose results were not taken yet. */
size_t apply_pending(struct apply *a);
bool apply_take(struct apply *a, struct apply_result *ret);
