/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/jobs.h"

#include <errno.h>

void jobs_done(struct jobs *jobs) {
        for (size_t i = 0; i < JOBS_MAX; i++)
                job_done(&jobs->slots[i]);
}

struct job *jobs_find(struct jobs *jobs, uint32_t id) {
        for (size_t i = 0; i < JOBS_MAX && id; i++)
                if (jobs->slots[i].id == id)
                        return &jobs->slots[i];
        return NULL;
}

/* Numbers may begin anew after the last: which of two came first is told by their distance. */
static bool came_before(const struct job *a, const struct job *b) {
        return b->id - a->id < UINT32_MAX / 2;
}

struct job *jobs_first_running(struct jobs *jobs) {
        struct job *first = NULL;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (job_is_running(&jobs->slots[i]) && !jobs->slots[i].dry_run && (!first || came_before(&jobs->slots[i], first)))
                        first = &jobs->slots[i];
        return first;
}

/* Whoever only wants to see does not wait for what others do. */
struct job *jobs_first_to_look(struct jobs *jobs) {
        struct job *first = NULL, *turn;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (job_is_running(&jobs->slots[i]) && jobs->slots[i].dry_run && (!first || came_before(&jobs->slots[i], first)))
                        first = &jobs->slots[i];
        if (first)
                return first;
        turn = jobs_first_running(jobs);
        return turn && !turn->looked ? turn : NULL;
}

size_t jobs_count_running(const struct jobs *jobs) {
        size_t n = 0;

        for (size_t i = 0; i < JOBS_MAX; i++)
                n += job_is_running(&jobs->slots[i]);
        return n;
}

uint64_t jobs_next_deadline(const struct jobs *jobs) {
        uint64_t next = UINT64_MAX;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (job_is_running(&jobs->slots[i]) && jobs->slots[i].deadline_usec && jobs->slots[i].ending == JOB_RUNNING)
                        next = MIN(next, jobs->slots[i].deadline_usec);
        return next;
}

static struct job *oldest_that_is_over(struct jobs *jobs) {
        struct job *oldest = NULL;

        for (size_t i = 0; i < JOBS_MAX; i++) {
                struct job *j = &jobs->slots[i];

                if (j->id && job_is_over(j) && (!oldest || came_before(j, oldest)))
                        oldest = j;
        }
        return oldest;
}

/* A slot, and room for so many items. NULL: there is none. */
static struct job *make_room(struct jobs *jobs, size_t n) {
        for (;;) {
                struct job *slot = NULL, *oldest;
                size_t total = n;

                for (size_t i = 0; i < JOBS_MAX; i++) {
                        total += jobs->slots[i].n;
                        if (!slot && jobs->slots[i].id == 0)
                                slot = &jobs->slots[i];
                }
                if (slot && total <= JOBS_ITEMS_MAX)
                        return slot;
                oldest = oldest_that_is_over(jobs);
                if (!oldest)
                        return NULL;
                job_done(oldest);
        }
}

static bool may_run(const struct jobs *jobs, uint32_t uid, size_t n_items) {
        size_t n = 0, of_uid = 0;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (job_is_running(&jobs->slots[i])) {
                        n++;
                        of_uid += jobs->slots[i].uid == uid;
                        n_items += jobs->slots[i].n;
                }
        return n < JOBS_RUNNING_MAX && of_uid < JOBS_OF_UID_MAX && n_items <= JOBS_ITEMS_MAX;
}

static uint32_t next_id(struct jobs *jobs) {
        do
                jobs->last_id++;
        while (jobs->last_id == 0 || jobs_find(jobs, jobs->last_id));
        return jobs->last_id;
}

int jobs_add(struct jobs *jobs, const struct job_request *request, struct job_item *items, size_t n, uint64_t now,
             struct job **ret) {
        struct job *j;

        /* First, so that nobody who is refused makes the daemon forget what it was asked before. */
        if (!may_run(jobs, request->uid, n) || !(j = make_room(jobs, n)))
                return -EBUSY;
        *j = (struct job) {
                .id = next_id(jobs), .kind = request->kind, .action = request->action, .uid = request->uid,
                .all_or_nothing = request->all_or_nothing, .force = request->force, .dry_run = request->dry_run,
                .start_usec = now, .items = items, .n = n, .wanted = request->wanted ?: n, .ranked = request->wanted,
                .looked = request->kind == JOB_ONLINE,
        };
        if (request->timeout_usec && __builtin_add_overflow(now, request->timeout_usec, &j->deadline_usec))
                j->deadline_usec = 0; /* longer than any machine runs */
        snprintf(j->selector, sizeof(j->selector), "%s", request->text);
        *ret = j;
        return 0;
}

void jobs_forget_block(struct jobs *jobs, uint32_t block) {
        for (size_t i = 0; i < JOBS_MAX; i++)
                if (job_is_running(&jobs->slots[i]))
                        job_forget_block(&jobs->slots[i], block);
}
