/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/job.h"

#include <errno.h>

static const char *const kinds[_JOB_KIND_MAX] = {
        [JOB_ONLINE] = "online",
        [JOB_OFFLINE] = "offline",
        [JOB_REZONE] = "rezone",
};

static const char *const states[_JOB_STATE_MAX] = {
        [JOB_RUNNING] = "running",
        [JOB_UNDOING] = "undoing",
        [JOB_DONE] = "done",
        [JOB_PARTIAL] = "partial",
        [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
        [JOB_TIMED_OUT] = "timed-out",
};

static const char *const fates[_FATE_MAX] = {
        [FATE_PENDING] = "pending",
        [FATE_DONE] = "done",
        [FATE_ALREADY] = "already",
        [FATE_WRONG_ZONE] = "wrong-zone",
        [FATE_FAILED] = "failed",
        [FATE_GONE] = "gone",
        [FATE_SKIPPED] = "skipped",
        [FATE_UNDONE] = "undone",
};

const char *job_kind_to_string(enum job_kind k) {
        return k >= 0 && k < _JOB_KIND_MAX ? kinds[k] : NULL;
}

const char *job_state_to_string(enum job_state s) {
        return s >= 0 && s < _JOB_STATE_MAX ? states[s] : NULL;
}

const char *fate_to_string(enum fate f) {
        return f >= 0 && f < _FATE_MAX ? fates[f] : NULL;
}

void job_done(struct job *j) {
        free(j->items);
        free(j->whys);
        *j = (struct job) {};
}

bool job_is_over(const struct job *j) {
        return j->state != JOB_RUNNING && j->state != JOB_UNDOING;
}

bool job_is_running(const struct job *j) {
        return j->id && !job_is_over(j);
}

/* ---- one block's fate --------------------------------------------------------------------------------------------- */

enum step {
        STEP_ONLY,        /* it takes one write */
        STEP_LEAVE,       /* rezone: offline … */
        STEP_MOVE,        /* … and to the new zone */
        STEP_RESTORE,     /* back to where it was … */
        STEP_RESTORE_ANY, /* … or, if that is refused, online at all */
};

static void settle(struct job *j, enum fate fate, int error) {
        struct job_item *item = j->current;

        item->fate = (uint8_t) fate;
        item->error = (int16_t) error;
        j->n_done += fate == FATE_DONE || fate == FATE_ALREADY;
        j->n_failed += fate == FATE_FAILED || fate == FATE_WRONG_ZONE;
        j->current = NULL;
}

/* What cannot be undone stays done. */
static void settle_undone(struct job *j, bool good, int error) {
        struct job_item *item = j->current;

        if (good) {
                item->fate = FATE_UNDONE;
                j->n_done--;
        } else
                item->error = (int16_t) error;
        j->current = NULL;
}

static bool write_next(struct job_item *item, enum step step, enum action action, enum action *ret) {
        item->step = (uint8_t) step;
        *ret = action;
        return true;
}

/* Where it was, or wherever the kernel likes. */
static bool restore(struct job_item *item, enum action *ret) {
        if (item->before & ZONE_BIT(ZONE_MOVABLE))
                return write_next(item, STEP_RESTORE, ACTION_ONLINE_MOVABLE, ret);
        if (item->before & ZONES_KERNEL)
                return write_next(item, STEP_RESTORE, ACTION_ONLINE_KERNEL, ret);
        return write_next(item, STEP_RESTORE_ANY, ACTION_ONLINE, ret);
}

static bool begin_online(struct job *j, const struct block *b, enum action *ret) {
        if (b->state != BLOCK_ONLINE)
                return write_next(j->current, STEP_ONLY, j->action, ret);
        settle(j, !b->zones || (b->zones & action_zones(j->action)) ? FATE_ALREADY : FATE_WRONG_ZONE, 0);
        return false;
}

static bool begin_offline(struct job *j, const struct block *b, enum action *ret) {
        if (b->state != BLOCK_OFFLINE)
                return write_next(j->current, STEP_ONLY, ACTION_LEAVE_OFFLINE, ret);
        settle(j, FATE_ALREADY, 0);
        return false;
}

/* A block that is offline is only brought online. */
static bool begin_rezone(struct job *j, const struct block *b, enum action *ret) {
        if (b->state != BLOCK_ONLINE)
                return write_next(j->current, STEP_ONLY, j->action, ret);
        if (!(b->zones & action_zones(j->action)))
                return write_next(j->current, STEP_LEAVE, ACTION_LEAVE_OFFLINE, ret);
        settle(j, FATE_ALREADY, 0);
        return false;
}

/* What somebody else undid, or did otherwise since, needs no undoing. */
static bool begin_undo(struct job *j, const struct block *b, enum action *ret) {
        bool online = b->state == BLOCK_ONLINE;

        if (online == (j->kind == JOB_OFFLINE)) {
                settle_undone(j, true, 0);
                return false;
        }
        return online ? write_next(j->current, STEP_LEAVE, ACTION_LEAVE_OFFLINE, ret) : restore(j->current, ret);
}

bool job_begin(struct job *j, const struct block *b, enum action *ret) {
        if (j->state == JOB_UNDOING)
                return begin_undo(j, b, ret);
        j->current->was_online = b->state == BLOCK_ONLINE;
        j->current->was_hands_off = b->hands_off;
        j->current->before = b->state == BLOCK_ONLINE ? b->zones : 0;
        switch (j->kind) {
        case JOB_OFFLINE:
                return begin_offline(j, b, ret);
        case JOB_REZONE:
                return begin_rezone(j, b, ret);
        default:
                return begin_online(j, b, ret);
        }
}

/* It was to go offline, first of all. */
static bool continue_leaving(struct job *j, bool good, int error, enum action *ret) {
        if (good && j->state == JOB_UNDOING && j->current->was_online)
                return restore(j->current, ret);
        if (good && j->state != JOB_UNDOING)
                return write_next(j->current, STEP_MOVE, j->action, ret);
        if (j->state == JOB_UNDOING)
                settle_undone(j, good, error);
        else
                settle(j, FATE_FAILED, error);
        return false;
}

bool job_continue(struct job *j, enum outcome outcome, int error, enum action *ret) {
        bool good = outcome == OUTCOME_DONE || outcome == OUTCOME_ALREADY, elsewhere = outcome == OUTCOME_WRONG_ZONE;
        struct job_item *item = j->current;

        switch ((enum step) item->step) {
        case STEP_LEAVE:
                return continue_leaving(j, good, error, ret);
        case STEP_MOVE:
                if (!good && !elsewhere) {
                        item->error = (int16_t) error; /* what to tell, whatever comes of the way back */
                        return restore(item, ret);
                }
                break;
        case STEP_RESTORE:
                if (!good && !elsewhere)
                        return write_next(item, STEP_RESTORE_ANY, ACTION_ONLINE, ret);
                /* fall through */
        case STEP_RESTORE_ANY:
                if (j->state == JOB_UNDOING)
                        settle_undone(j, good || elsewhere, error);
                else
                        settle(j, FATE_FAILED, item->error);
                return false;
        default:
                break;
        }
        settle(j, good ? FATE_DONE : elsewhere ? FATE_WRONG_ZONE : FATE_FAILED, good ? 0 : error);
        return false;
}

void job_fail(struct job *j, int error) {
        if (j->state == JOB_UNDOING)
                settle_undone(j, false, error);
        else
                settle(j, FATE_FAILED, error);
}

static void item_forget(struct job *j, struct job_item *item) {
        j->n_done -= item->fate == FATE_DONE;
        item->fate = FATE_GONE;
        j->n_gone++;
}

void job_forget(struct job *j) {
        item_forget(j, j->current);
        j->current = NULL;
}

void job_forget_block(struct job *j, uint32_t block) {
        for (size_t i = 0; i < j->n; i++) {
                struct job_item *item = &j->items[i];

                if (item->block != block)
                        continue;
                /* What is done matters no more, unless it is to be undone. */
                if (item == j->current)
                        job_forget(j);
                else if (item->fate == FATE_PENDING || (item->fate == FATE_DONE && j->all_or_nothing))
                        item_forget(j, item);
        }
}

bool job_rests_offline(const struct job *j, const struct job_item *item) {
        return j->kind == JOB_OFFLINE || (!item->was_online && item->was_hands_off);
}

/* ---- one block after the other ------------------------------------------------------------------------------------ */

/* What is gone is wanted no more. */
static bool has_enough(const struct job *j) {
        return j->n_done + j->n_gone >= j->wanted;
}

static bool is_as_asked(const struct job *j) {
        return has_enough(j) && (j->n_done || j->kind == JOB_OFFLINE);
}

static void finish(struct job *j, uint64_t now) {
        bool undone = j->state == JOB_UNDOING;
        size_t n_left = 0;

        for (size_t i = 0; undone && i < j->n; i++)
                n_left += j->items[i].fate == FATE_DONE;
        if (j->ending != JOB_RUNNING)
                j->state = j->ending;
        else if (undone)
                j->state = n_left ? JOB_PARTIAL : JOB_FAILED;
        else if (is_as_asked(j))
                j->state = JOB_DONE;
        else
                j->state = j->n_done ? JOB_PARTIAL : JOB_FAILED;
        j->end_usec = now;
}

static void skip_rest(struct job *j) {
        for (; j->next < j->n; j->next++)
                if (j->items[j->next].fate == FATE_PENDING)
                        j->items[j->next].fate = FATE_SKIPPED;
}

/* Nothing that is still to come could make it whole. */
static bool must_undo(const struct job *j) {
        return j->all_or_nothing && (j->ending != JOB_RUNNING || j->n_failed + j->wanted > j->n ||
                                     (j->next >= j->n && !has_enough(j)));
}

static struct job_item *take_next(struct job *j) {
        if (has_enough(j))
                skip_rest(j);
        while (j->next < j->n)
                if (j->items[j->next++].fate == FATE_PENDING)
                        return &j->items[j->next - 1];
        return NULL;
}

/* From the last that was done to the first. */
static struct job_item *take_next_to_undo(struct job *j) {
        while (j->next > 0)
                if (j->items[--j->next].fate == FATE_DONE)
                        return &j->items[j->next];
        return NULL;
}

struct job_item *job_next(struct job *j, uint64_t now) {
        if (job_is_over(j))
                return NULL;
        if (j->state == JOB_RUNNING && must_undo(j)) {
                skip_rest(j);
                j->state = JOB_UNDOING;
        }
        j->current = j->state == JOB_UNDOING ? take_next_to_undo(j) : take_next(j);
        if (!j->current)
                finish(j, now);
        return j->current;
}

void job_postpone(struct job *j) {
        if (j->state == JOB_UNDOING)
                j->next++;
        else
                j->next--;
        j->current = NULL;
}

void job_stop(struct job *j, enum job_state ending, uint64_t now) {
        if (j->state != JOB_RUNNING || j->ending != JOB_RUNNING)
                return;
        j->ending = ending;
        j->looked = true; /* at what is left, which is nothing */
        skip_rest(j);
        /* Where nothing is under way, it need not wait for those before it. */
        if (!j->current && !(j->all_or_nothing && j->n_done))
                finish(j, now);
}

static void set_message(struct job *j, const char *message) {
        snprintf(j->message, sizeof(j->message), "%s", message);
}

void job_refuse(struct job *j, const char *message, uint64_t now) {
        set_message(j, message);
        skip_rest(j);
        j->looked = true;
        j->state = JOB_FAILED;
        j->end_usec = now;
}

void job_end_look(struct job *j, const char *message, uint64_t now) {
        set_message(j, message);
        j->looked = true;
        j->state = JOB_DONE;
        j->end_usec = now;
}

void job_give_up(struct job *j, const char *message) {
        if (j->state != JOB_RUNNING)
                return;
        set_message(j, message);
        skip_rest(j);
}

void job_explain(struct job *j, uint32_t block, const char *text) {
        struct job_why *whys;

        if (j->n_whys == JOB_WHYS_MAX)
                return;
        whys = reallocarray(j->whys, j->n_whys + 1, sizeof(*whys));
        if (!whys)
                return; /* the error is known all the same */
        j->whys = whys;
        j->whys[j->n_whys].block = block;
        snprintf(j->whys[j->n_whys++].text, sizeof(whys->text), "%s", text);
}

const char *job_why(const struct job *j, uint32_t block) {
        for (size_t i = j->n_whys; i > 0; i--)
                if (j->whys[i - 1].block == block)
                        return j->whys[i - 1].text;
        return "";
}
