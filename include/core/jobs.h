/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What people ask for: to bring blocks online, to take them offline, to move them to another zone. Block by block, one at
 * a time; a job can be stopped between two blocks, or while the kernel works on one. Bounded, and pure: the manager
 * (daemon/manager-jobs.c) says how a block is and what became of a write; here it is decided what to write next. */

#include "core/outcome.h"
#include "core/selector.h"

#define JOBS_MAX 64         /* kept, running or not */
#define JOBS_RUNNING_MAX 16
#define JOBS_OF_UID_MAX 8   /* running */
#define JOB_SELECTOR_MAX 128
#define JOB_MESSAGE_MAX 512
#define JOB_WHYS_MAX 64 /* blocks of a job whose failure is explained, at most */
#define JOB_WHY_MAX 256

enum job_kind {
        JOB_ONLINE,
        JOB_OFFLINE,
        JOB_REZONE, /* offline, then online elsewhere; back to the old zone if that fails */
        _JOB_KIND_MAX,
        _JOB_KIND_INVALID = -22,
};

enum job_state {
        JOB_RUNNING,
        JOB_UNDOING,   /* all or nothing: what was done is undone */
        JOB_DONE,      /* every block is as asked for */
        JOB_PARTIAL,   /* some are, some are not */
        JOB_FAILED,    /* none is, or all was undone */
        JOB_CANCELLED,
        JOB_TIMED_OUT,
        _JOB_STATE_MAX,
        _JOB_STATE_INVALID = -22,
};

/* What became of a block. */
enum fate {
        FATE_PENDING,
        FATE_DONE,
        FATE_ALREADY,    /* it was so before */
        FATE_WRONG_ZONE, /* online, but in another zone than asked for: rezone moves it */
        FATE_FAILED,
        FATE_GONE,       /* unplugged meanwhile */
        FATE_SKIPPED,    /* the job ended before its turn */
        FATE_UNDONE,     /* was done, and is as before again */
        _FATE_MAX,
        _FATE_INVALID = -22,
};

const char *job_kind_to_string(enum job_kind k) _const_;
const char *job_state_to_string(enum job_state s) _const_;
const char *fate_to_string(enum fate f) _const_;

struct job_item {
        uint32_t block;
        int16_t error;  /* of the write that decided its fate */
        uint8_t fate;
        uint8_t step;   /* enum step of jobs.c */
        uint8_t before; /* zone_mask: where it was online; 0: it was offline, or the kernel does not tell */
};

struct job_why {
        uint32_t block;
        char text[JOB_WHY_MAX];
};

struct job {
        uint32_t id; /* from 1; 0: the slot is free */
        enum job_kind kind;
        enum job_state state;
        enum action action;   /* what the blocks are to become */
        bool all_or_nothing;
        bool force;             /* whether or not there is room for what has to move */
        bool dry_run;           /* look at the blocks, and no more */
        bool ranked;            /* the items are candidates, the best first */
        bool looked;            /* its blocks were looked at, or need not be: it may begin */
        enum job_state ending; /* the state it ends with when it was stopped */
        char selector[JOB_SELECTOR_MAX];
        uint32_t uid;         /* who asked */
        uint64_t start_usec, end_usec, deadline_usec; /* CLOCK_MONOTONIC; 0: not yet, never */
        struct job_item *items; /* in the order in which they are worked on */
        size_t n, next;
        size_t n_done, n_failed; /* done counts what was so before, too */
        size_t wanted;          /* so many done are enough */
        char message[JOB_MESSAGE_MAX]; /* why it did not begin, or ended early; "" */
        struct job_why *whys;
        size_t n_whys;
};

struct jobs {
        struct job slots[JOBS_MAX];
        uint32_t last_id;
};

void jobs_done(struct jobs *jobs);
struct job *jobs_find(struct jobs *jobs, uint32_t id) _pure_;
/* The running job that came first, whose turn it is; NULL: none runs. Those that only look at blocks do not count. */
struct job *jobs_first_running(struct jobs *jobs) _pure_;
/* The job whose blocks are to be looked at; NULL: none. */
struct job *jobs_first_to_look(struct jobs *jobs) _pure_;
size_t jobs_count_running(const struct jobs *jobs) _pure_;

/* A new job of these blocks; items are taken over. The oldest that is over gives up its slot. -EBUSY: too many run. */
int jobs_add(struct jobs *jobs, enum job_kind kind, enum action action, uint32_t uid, struct job_item *items, size_t n,
             struct job **ret);

bool job_is_over(const struct job *j) _pure_;

/* The block to work on now; NULL: there is none, and the job is over. */
struct job_item *job_next(struct job *j);
/* The block's turn has come, and this is how it is. True: *ret is to be written. False: its fate is known already. */
bool job_begin(struct job *j, struct job_item *item, const struct block *b, enum action *ret);
/* What became of the write. True: *ret is to be written next. False: its fate is known. */
bool job_continue(struct job *j, struct job_item *item, enum outcome outcome, int error, enum action *ret);
/* The block was unplugged. */
void job_forget(struct job *j, struct job_item *item);
/* Stop: blocks whose turn has not come are skipped. ending: JOB_CANCELLED or JOB_TIMED_OUT. */
void job_stop(struct job *j, enum job_state ending);
/* Nothing is done at all, and this is why. */
void job_refuse(struct job *j, const char *message);
/* Its blocks were looked at, and that is all it is for. message: "" or what would keep it from being done. */
void job_end_look(struct job *j, const char *message);
/* No more blocks are tried. What was done stays, unless it is all or nothing. */
void job_give_up(struct job *j, const char *message);

/* Why the block failed, in words. Kept for the first JOB_WHYS_MAX. */
void job_explain(struct job *j, uint32_t block, const char *text);
/* "" where nobody knows. */
const char *job_why(const struct job *j, uint32_t block) _pure_;
