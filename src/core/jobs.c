/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/jobs.h"

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

/* ---- the jobs there are ------------------------------------------------------------------------------------------- */

static void job_done(struct job *j) {
        free(j->items);
        free(j->whys);
        *j = (struct job) {};
}

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

bool job_is_over(const struct job *j) {
        return j->state != JOB_RUNNING && j->state != JOB_UNDOING;
}

static bool is_running(const struct job *j) {
        return j->id && !job_is_over(j);
}

struct job *jobs_first_running(struct jobs *jobs) {
        struct job *first = NULL;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (is_running(&jobs->slots[i]) && !jobs->slots[i].dry_run && (!first || jobs->slots[i].id < first->id))
                        first = &jobs->slots[i];
        return first;
}

/* Whoever only wants to see does not wait for what others do. */
struct job *jobs_first_to_look(struct jobs *jobs) {
        struct job *first = NULL, *turn;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (is_running(&jobs->slots[i]) && jobs->slots[i].dry_run && (!first || jobs->slots[i].id < first->id))
                        first = &jobs->slots[i];
        if (first)
                return first;
        turn = jobs_first_running(jobs);
        return turn && turn->state == JOB_RUNNING && !turn->looked ? turn : NULL;
}

size_t jobs_count_running(const struct jobs *jobs) {
        size_t n = 0;

        for (size_t i = 0; i < JOBS_MAX; i++)
                n += is_running(&jobs->slots[i]);
        return n;
}

static struct job *free_slot(struct jobs *jobs) {
        struct job *slot = NULL;

        for (size_t i = 0; i < JOBS_MAX; i++) {
                struct job *j = &jobs->slots[i];

                if (!is_running(j) && (!slot || j->id < slot->id))
                        slot = j;
        }
        return slot;
}

int jobs_add(struct jobs *jobs, enum job_kind kind, enum action action, uint32_t uid, struct job_item *items, size_t n,
             struct job **ret) {
        size_t of_uid = 0;
        struct job *j;

        for (size_t i = 0; i < JOBS_MAX; i++)
                of_uid += is_running(&jobs->slots[i]) && jobs->slots[i].uid == uid;
        if (of_uid >= JOBS_OF_UID_MAX || jobs_count_running(jobs) >= JOBS_RUNNING_MAX)
                return -EBUSY;
        j = free_slot(jobs);
        job_done(j);
        *j = (struct job) {
                .id = ++jobs->last_id, .kind = kind, .action = action, .uid = uid, .items = items, .n = n, .wanted = n,
                .looked = kind == JOB_ONLINE,
        };
        *ret = j;
        return 0;
}

/* ---- one job ------------------------------------------------------------------------------------------------------ */

enum step {
        STEP_FIRST,
        STEP_MOVE,    /* rezone: it is offline; to the new zone */
        STEP_RESTORE, /* rezone: the new zone was refused; back to the old one */
        STEP_UNDO,
        STEP_UNDO_RESTORE, /* it is offline; back to where it was */
};

/* Where it was, or wherever the kernel likes. */
static enum action restoring(const struct job_item *item) {
        if (item->before & ZONE_BIT(ZONE_MOVABLE))
                return ACTION_ONLINE_MOVABLE;
        return item->before & ZONES_KERNEL ? ACTION_ONLINE_KERNEL : ACTION_ONLINE;
}

static void settle(struct job *j, struct job_item *item, enum fate fate, int error) {
        item->fate = (uint8_t) fate;
        item->error = (int16_t) error;
        if (fate == FATE_DONE || fate == FATE_ALREADY)
                j->n_done++;
        else if (fate == FATE_FAILED || fate == FATE_WRONG_ZONE)
                j->n_failed++;
}

static void finish(struct job *j) {
        size_t n_skipped = 0;

        for (size_t i = 0; i < j->n; i++)
                n_skipped += j->items[i].fate == FATE_SKIPPED;
        if (j->ending != JOB_RUNNING)
                j->state = j->ending;
        else if (j->n_done >= j->wanted || (!j->ranked && j->n_failed == 0 && n_skipped == 0 && j->n_done))
                j->state = JOB_DONE;
        else
                j->state = j->n_done ? JOB_PARTIAL : JOB_FAILED;
}

static void skip_rest(struct job *j) {
        for (size_t i = 0; i < j->n; i++)
                if (j->items[i].fate == FATE_PENDING)
                        j->items[i].fate = FATE_SKIPPED;
        j->next = j->n;
}

/* A candidate that fails has others behind it. */
static bool falls_short(const struct job *j) {
        return j->ranked ? j->next >= j->n && j->n_done < j->wanted : j->n_failed > 0;
}

static bool must_undo(const struct job *j) {
        return j->state == JOB_RUNNING && j->all_or_nothing && (falls_short(j) || j->ending != JOB_RUNNING);
}

/* From the last that was done to the first. */
static struct job_item *next_to_undo(struct job *j) {
        while (j->next > 0)
                if (j->items[--j->next].fate == FATE_DONE)
                        return &j->items[j->next];
        return NULL;
}

struct job_item *job_next(struct job *j) {
        struct job_item *item;

        if (job_is_over(j))
                return NULL;
        if (must_undo(j)) {
                skip_rest(j);
                j->state = JOB_UNDOING;
        }
        if (j->state == JOB_UNDOING) {
                item = next_to_undo(j);
                if (item)
                        return item;
        } else {
                if (j->n_done >= j->wanted)
                        skip_rest(j);
                while (j->next < j->n)
                        if (j->items[j->next++].fate == FATE_PENDING)
                                return &j->items[j->next - 1];
        }
        finish(j);
        return NULL;
}

static bool begin_online(struct job *j, struct job_item *item, const struct block *b, enum action *ret) {
        if (b->state != BLOCK_ONLINE) {
                *ret = j->action;
                return true;
        }
        settle(j, item, !b->zones || (b->zones & action_zones(j->action)) ? FATE_ALREADY : FATE_WRONG_ZONE, 0);
        return false;
}

static bool begin_offline(struct job *j, struct job_item *item, const struct block *b, enum action *ret) {
        if (b->state == BLOCK_OFFLINE) {
                settle(j, item, FATE_ALREADY, 0);
                return false;
        }
        *ret = ACTION_LEAVE_OFFLINE;
        return true;
}

/* A block that is offline is only brought online. */
static bool begin_rezone(struct job *j, struct job_item *item, const struct block *b, enum action *ret) {
        if (b->state == BLOCK_ONLINE && (b->zones & action_zones(j->action))) {
                settle(j, item, FATE_ALREADY, 0);
                return false;
        }
        item->step = b->state == BLOCK_ONLINE ? STEP_FIRST : STEP_MOVE;
        *ret = b->state == BLOCK_ONLINE ? ACTION_LEAVE_OFFLINE : j->action;
        return true;
}

/* What somebody else undid needs no undoing. */
static bool begin_undo(struct job *j, struct job_item *item, const struct block *b, enum action *ret) {
        bool online = b->state == BLOCK_ONLINE;

        if (online == (j->kind == JOB_OFFLINE)) {
                item->fate = FATE_UNDONE;
                j->n_done--;
                return false;
        }
        item->step = online ? STEP_UNDO : STEP_UNDO_RESTORE;
        *ret = online ? ACTION_LEAVE_OFFLINE : restoring(item);
        return true;
}

bool job_begin(struct job *j, struct job_item *item, const struct block *b, enum action *ret) {
        if (j->state == JOB_UNDOING)
                return begin_undo(j, item, b, ret);
        item->before = b->state == BLOCK_ONLINE ? b->zones : 0;
        switch (j->kind) {
        case JOB_OFFLINE:
                return begin_offline(j, item, b, ret);
        case JOB_REZONE:
                return begin_rezone(j, item, b, ret);
        default:
                return begin_online(j, item, b, ret);
        }
}

/* What cannot be undone stays done. */
static void settle_undone(struct job *j, struct job_item *item, bool good, int error) {
        if (good) {
                item->fate = FATE_UNDONE;
                j->n_done--;
        } else
                item->error = (int16_t) error;
}

bool job_continue(struct job *j, struct job_item *item, enum outcome outcome, int error, enum action *ret) {
        bool good = outcome == OUTCOME_DONE || outcome == OUTCOME_ALREADY;

        switch ((enum step) item->step) {
        case STEP_FIRST:
                if (j->kind == JOB_REZONE && good) {
                        item->step = STEP_MOVE;
                        *ret = j->action;
                        return true;
                }
                settle(j, item, good ? FATE_DONE : outcome == OUTCOME_WRONG_ZONE ? FATE_WRONG_ZONE : FATE_FAILED, error);
                return false;
        case STEP_MOVE:
                if (!good && item->before && outcome != OUTCOME_WRONG_ZONE) {
                        item->step = STEP_RESTORE;
                        item->error = (int16_t) error; /* what to tell, whatever comes of the way back */
                        *ret = restoring(item);
                        return true;
                }
                settle(j, item, good ? FATE_DONE : outcome == OUTCOME_WRONG_ZONE ? FATE_WRONG_ZONE : FATE_FAILED, error);
                return false;
        case STEP_RESTORE:
                settle(j, item, FATE_FAILED, item->error);
                return false;
        case STEP_UNDO:
                if (good && item->before && j->kind == JOB_REZONE) {
                        item->step = STEP_UNDO_RESTORE;
                        *ret = restoring(item);
                        return true;
                }
                settle_undone(j, item, good, error);
                return false;
        default:
                settle_undone(j, item, good, error);
                return false;
        }
}

void job_forget(struct job *j, struct job_item *item) {
        if (item->fate == FATE_DONE || item->fate == FATE_ALREADY)
                j->n_done--;
        item->fate = FATE_GONE;
}

void job_stop(struct job *j, enum job_state ending) {
        if (j->state != JOB_RUNNING)
                return;
        j->ending = ending;
        j->looked = true; /* at what is left, which is nothing */
        skip_rest(j);
        if (j->dry_run)
                j->state = ending;
}

static void set_message(struct job *j, const char *message) {
        snprintf(j->message, sizeof(j->message), "%s", message);
}

void job_refuse(struct job *j, const char *message) {
        set_message(j, message);
        skip_rest(j);
        j->looked = true;
        j->state = JOB_FAILED;
}

void job_end_look(struct job *j, const char *message) {
        set_message(j, message);
        j->looked = true;
        j->state = JOB_DONE;
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
