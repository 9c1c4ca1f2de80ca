/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The jobs there are: bounded in all and for each user, one at a time in the order in which they were asked for. What is over
 * is kept until its slot is needed. */

#include "core/job.h"
#include "core/selector.h"

#define JOBS_MAX 64         /* kept, running or not */
#define JOBS_RUNNING_MAX 16
#define JOBS_OF_UID_MAX 8   /* running */
#define JOBS_ITEMS_MAX (1u << 20) /* of all that are kept: jobs that are over give way */

struct job_request {
        enum job_kind kind;
        enum action action; /* what the blocks are to become */
        const struct selector *selector;
        const char *text;   /* the selector as it was written, shorter than JOB_SELECTOR_MAX */
        uint32_t uid;       /* who asks */
        uint64_t timeout_usec; /* for all of it; 0: none */
        bool all_or_nothing;
        bool force;         /* whether or not there is room for what has to move */
        bool dry_run;       /* look at the blocks, and no more */
        size_t wanted;      /* so many of them are enough, the best; 0: all */
        /* Of what is selected, only this. */
        bool on_node;
        unsigned node;       /* if on_node */
        source_mask sources; /* 0: any */
        const char *device;  /* NULL: any */
};

struct jobs {
        struct job slots[JOBS_MAX];
        uint32_t last_id;
};

void jobs_done(struct jobs *jobs);
struct job *jobs_find(struct jobs *jobs, uint32_t id) _pure_;
/* The running job that came first, whose turn it is; NULL: none runs. Those that only look at blocks do not count. */
struct job *jobs_first_running(struct jobs *jobs) _pure_;
/* The job whose blocks are to be looked at before it can begin; NULL: none. */
struct job *jobs_first_to_look(struct jobs *jobs) _pure_;
size_t jobs_count_running(const struct jobs *jobs) _pure_;
/* Of the running jobs; UINT64_MAX: none has one. */
uint64_t jobs_next_deadline(const struct jobs *jobs) _pure_;

/* A new job of these blocks; items are taken over. Jobs that are over give up their slots, the oldest first. -EBUSY: too many
 * run, in all or of this user, or with too many blocks. */
int jobs_add(struct jobs *jobs, const struct job_request *request, struct job_item *items, size_t n, uint64_t now,
             struct job **ret);
/* job_forget_block() for each that runs. */
void jobs_forget_block(struct jobs *jobs, uint32_t block);
