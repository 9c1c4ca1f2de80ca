/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One thing that somebody asked for: to bring blocks online, to take them offline, to move them to another zone. Block by
 * block; a job can be stopped between two blocks, or while the kernel works on one. Pure: the manager (daemon/manager-jobs.c)
 * says how a block is and what became of a write; here it is decided what to write next. now is a parameter (monotonic).
 *
 *      item = job_next()                    whose turn it is; or the job is over
 *      job_begin(how it is)   → write       or its fate is known already
 *      job_continue(outcome)  → write …     until its fate is known */

#include "core/outcome.h"

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
        JOB_DONE,      /* every block is as asked for, or gone */
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
        uint8_t step;   /* enum step of job.c */
        uint8_t before; /* zone_mask: where it was online; 0: the kernel does not tell */
        bool was_online : 1;
        bool was_hands_off : 1;
};

struct job_why {
        uint32_t block;
        char text[JOB_WHY_MAX];
};

struct job {
        uint32_t id; /* from 1; 0: the slot is free */
        enum job_kind kind;
        enum job_state state;
        enum action action;
        bool all_or_nothing, force, dry_run;
        bool ranked;            /* the items are candidates for what is wanted, the best first */
        bool looked;            /* its blocks were looked at, or need not be: it may begin */
        enum job_state ending; /* the state it ends with when it was stopped, else JOB_RUNNING */
        char selector[JOB_SELECTOR_MAX];
        uint32_t uid;
        uint64_t start_usec, end_usec, deadline_usec; /* 0: not yet, never */
        uint64_t told_usec;     /* for the manager: when it was last told of, */
        bool untold;            /* and whether there is more to tell */
        struct job_item *items; /* in the order in which they are worked on */
        struct job_item *current; /* whose turn it is; NULL: none's */
        size_t n, next;
        size_t n_done, n_failed, n_gone; /* done counts what was so before, too */
        size_t wanted;
        char message[JOB_MESSAGE_MAX]; /* why it did not begin, or ended early; "" */
        struct job_why *whys;
        size_t n_whys;
};

bool job_is_over(const struct job *j) _pure_;
bool job_is_running(const struct job *j) _pure_;
void job_done(struct job *j);

/* The block to work on now; NULL: there is none, and the job is over. */
struct job_item *job_next(struct job *j, uint64_t now);
/* Not now: it is the next again. */
void job_postpone(struct job *j);
/* The block's turn has come, and this is how it is. True: *ret is to be written. False: its fate is known already. */
bool job_begin(struct job *j, const struct block *b, enum action *ret);
/* What became of the write. True: *ret is to be written next. False: its fate is known. */
bool job_continue(struct job *j, enum outcome outcome, int error, enum action *ret);
/* It cannot even be looked at. */
void job_fail(struct job *j, int error);
/* It is not there any more. */
void job_forget(struct job *j);
/* The block, whether its turn has come or not, was unplugged: nothing that was meant for it must meet what comes in its place. */
void job_forget_block(struct job *j, uint32_t block);
/* Stop: blocks whose turn has not come are skipped. The block whose turn it is takes its course, and what must be undone is.
 * Nothing happens to a job that is being undone. ending: JOB_CANCELLED or JOB_TIMED_OUT. */
void job_stop(struct job *j, enum job_state ending, uint64_t now);

/* Nothing is done at all, and this is why. */
void job_refuse(struct job *j, const char *message, uint64_t now);
/* Its blocks were looked at, and that is all it is for. message: "" or what would keep it from being done. */
void job_end_look(struct job *j, const char *message, uint64_t now);
/* No more blocks are tried. What was done stays, unless it is all or nothing. */
void job_give_up(struct job *j, const char *message);

/* Why the block failed, in words. Kept for the first JOB_WHYS_MAX. */
void job_explain(struct job *j, uint32_t block, const char *text);
/* "" where nobody knows. */
const char *job_why(const struct job *j, uint32_t block) _pure_;

/* If it is offline now, is it meant to stay so, whatever the policy says? */
bool job_rests_offline(const struct job *j, const struct job_item *item) _pure_;
