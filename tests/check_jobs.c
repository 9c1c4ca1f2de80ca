/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/jobs.h"

#include "check_util.h"

#define NOW UINT64_C(1000000)
#define K ZONE_BIT(ZONE_NORMAL)
#define M ZONE_BIT(ZONE_MOVABLE)

static const struct selector everything = { .kind = SELECTOR_ALL };

static struct job_request request_of(enum job_kind kind, enum action action) {
        return (struct job_request) { .kind = kind, .action = action, .selector = &everything, .text = "all", .uid = 1000 };
}

static struct job_item *make_items(uint32_t first, size_t n) {
        struct job_item *items = calloc(n, sizeof(*items));

        CHECK(items);
        for (size_t i = 0; i < n; i++)
                items[i].block = first + (uint32_t) i;
        return items;
}

static struct job *add_job(struct jobs *jobs, const struct job_request *request, size_t n) {
        struct job_item *items = make_items(0, n);
        struct job *j = NULL;

        if (jobs_add(jobs, request, items, n, NOW, &j) < 0)
                free(items);
        return j;
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

START_TEST(words) {
        static const char *const kinds[] = { "online", "offline", "rezone" };
        static const char *const states[] = { "running", "undoing", "done", "partial", "failed", "cancelled", "timed-out" };
        static const char *const fates[] = { "pending", "done", "already", "wrong-zone", "failed", "gone", "skipped", "undone" };

        ck_assert_uint_eq(ARRAY_SIZE(kinds), _JOB_KIND_MAX);
        ck_assert_uint_eq(ARRAY_SIZE(states), _JOB_STATE_MAX);
        ck_assert_uint_eq(ARRAY_SIZE(fates), _FATE_MAX);
        for (int i = 0; i < _JOB_KIND_MAX; i++)
                ck_assert_str_eq(job_kind_to_string((enum job_kind) i), kinds[i]);
        for (int i = 0; i < _JOB_STATE_MAX; i++)
                ck_assert_str_eq(job_state_to_string((enum job_state) i), states[i]);
        for (int i = 0; i < _FATE_MAX; i++)
                ck_assert_str_eq(fate_to_string((enum fate) i), fates[i]);
        ck_assert_ptr_null(job_kind_to_string(_JOB_KIND_MAX));
        ck_assert_ptr_null(job_state_to_string(_JOB_STATE_INVALID));
        ck_assert_ptr_null(fate_to_string(_FATE_MAX));
}
END_TEST

/* ---- one block ---------------------------------------------------------------------------------------------------- */

#define OFF(error) { ACTION_LEAVE_OFFLINE, error }
#define MOVABLE(error) { ACTION_ONLINE_MOVABLE, error }
#define KERNEL(error) { ACTION_ONLINE_KERNEL, error }
#define ANY(error) { ACTION_ONLINE, error }
#define LOST 1 /* in place of an error: it is online elsewhere */
#define SEEN 2 /* in place of an error: it was so already */

struct write {
        enum action action;
        int error;
};

static const struct {
        enum job_kind kind;
        enum action action;
        enum block_state state;
        zone_mask zones;
        struct write writes[5]; /* what is written, and what becomes of it */
        enum fate fate;
        int error;
        enum job_state end;
} blocks[] = {
        { JOB_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE, K | M, { ANY(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K | M, { MOVABLE(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K | M, { MOVABLE(SEEN) }, FATE_DONE, 0, JOB_DONE },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K, { MOVABLE(-EINVAL) }, FATE_FAILED, -EINVAL, JOB_FAILED },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K | M, { MOVABLE(LOST) }, FATE_WRONG_ZONE, -EINVAL, JOB_FAILED },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, M, {}, FATE_ALREADY, 0, JOB_DONE },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, {}, FATE_WRONG_ZONE, 0, JOB_FAILED },
        { JOB_ONLINE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, 0, {}, FATE_ALREADY, 0, JOB_DONE }, /* the kernel does not tell */
        { JOB_ONLINE, ACTION_ONLINE, BLOCK_ONLINE, K, {}, FATE_ALREADY, 0, JOB_DONE },
        { JOB_ONLINE, ACTION_ONLINE_KERNEL, BLOCK_GOING_OFFLINE, K, { KERNEL(-EBUSY) }, FATE_FAILED, -EBUSY, JOB_FAILED },

        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_ONLINE, M, { OFF(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_ONLINE, M, { OFF(SEEN) }, FATE_DONE, 0, JOB_DONE },
        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_ONLINE, M, { OFF(-EBUSY) }, FATE_FAILED, -EBUSY, JOB_FAILED },
        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE, K, {}, FATE_ALREADY, 0, JOB_DONE },
        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_GOING_OFFLINE, K, { OFF(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_STATE_OTHER, K, { OFF(-EINVAL) }, FATE_FAILED, -EINVAL, JOB_FAILED },

        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, { OFF(0), MOVABLE(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, { OFF(SEEN), MOVABLE(SEEN) }, FATE_DONE, 0, JOB_DONE },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, M, {}, FATE_ALREADY, 0, JOB_DONE },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, 0, { OFF(0), MOVABLE(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, { OFF(-EBUSY) }, FATE_FAILED, -EBUSY, JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K | M, { MOVABLE(0) }, FATE_DONE, 0, JOB_DONE },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE, K | M, { MOVABLE(-EINVAL) }, FATE_FAILED, -EINVAL, JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, { OFF(0), MOVABLE(LOST) }, FATE_WRONG_ZONE, -EINVAL, JOB_FAILED },
        /* Back to where it was; if that is refused, anywhere. */
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, K, { OFF(0), MOVABLE(-EINVAL), KERNEL(0) }, FATE_FAILED, -EINVAL,
          JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_KERNEL, BLOCK_ONLINE, M, { OFF(0), KERNEL(-ENOMEM), MOVABLE(LOST) }, FATE_FAILED, -ENOMEM,
          JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_KERNEL, BLOCK_ONLINE, M, { OFF(0), KERNEL(-EINVAL), MOVABLE(-EAGAIN), ANY(0) }, FATE_FAILED,
          -EINVAL, JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_KERNEL, BLOCK_ONLINE, M, { OFF(0), KERNEL(-EINVAL), MOVABLE(-EAGAIN), ANY(-EIO) }, FATE_FAILED,
          -EINVAL, JOB_FAILED },
        { JOB_REZONE, ACTION_ONLINE_MOVABLE, BLOCK_ONLINE, 0, { OFF(0), MOVABLE(-EINVAL), ANY(-EIO) }, FATE_FAILED, -EINVAL,
          JOB_FAILED },
};

static enum outcome outcome_of(int error) {
        return error == 0 ? OUTCOME_DONE : error == SEEN ? OUTCOME_ALREADY : error == LOST ? OUTCOME_WRONG_ZONE
               : error == -EINVAL ? OUTCOME_FAILED : OUTCOME_BUSY;
}

START_TEST(one_block) {
        const struct block b = { .state = blocks[_i].state, .zones = blocks[_i].zones };
        const struct job_request request = request_of(blocks[_i].kind, blocks[_i].action);
        struct jobs jobs = {};
        struct job *j = add_job(&jobs, &request, 1);
        const struct job_item *item = job_next(j, NOW);
        enum action action;
        size_t n = 0;
        bool more;

        ck_assert_ptr_eq(item, &j->items[0]);
        for (more = job_begin(j, &b, &action); more; n++) {
                const struct write *w = &blocks[_i].writes[n];

                ck_assert_msg(n < ARRAY_SIZE(blocks[_i].writes), "no end of writes");
                ck_assert_int_eq(action, w->action);
                more = job_continue(j, outcome_of(w->error), w->error > 0 ? -EINVAL : w->error, &action);
        }
        ck_assert_msg(n == 0 || n == ARRAY_SIZE(blocks[_i].writes) || blocks[_i].writes[n].action == 0, "a write is missing");
        ck_assert_int_eq(item->fate, blocks[_i].fate);
        ck_assert_int_eq(item->error, blocks[_i].error);
        ck_assert_ptr_null(job_next(j, NOW + 5));
        ck_assert_int_eq(j->state, blocks[_i].end);
        ck_assert_uint_eq(j->end_usec, NOW + 5);
        jobs_done(&jobs);
}
END_TEST

/* Who may bring a block online again: the policy, unless somebody wanted it offline. */
START_TEST(rest) {
        static const struct {
                enum job_kind kind;
                enum block_state state;
                bool hands_off, rests;
        } cases[] = {
                { JOB_OFFLINE, BLOCK_ONLINE, false, true },  { JOB_OFFLINE, BLOCK_OFFLINE, false, true },
                { JOB_ONLINE, BLOCK_OFFLINE, false, false }, { JOB_ONLINE, BLOCK_OFFLINE, true, true },
                { JOB_REZONE, BLOCK_ONLINE, false, false },  { JOB_REZONE, BLOCK_OFFLINE, true, true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct block b = { .state = cases[i].state, .zones = K, .hands_off = cases[i].hands_off };
                const struct job_request request = request_of(cases[i].kind, ACTION_ONLINE_MOVABLE);
                struct jobs jobs = {};
                struct job *j = add_job(&jobs, &request, 1);
                const struct job_item *item = job_next(j, NOW);
                enum action action;

                (void) job_begin(j, &b, &action);
                ck_assert_int_eq(job_rests_offline(j, item), cases[i].rests);
                jobs_done(&jobs);
        }
}
END_TEST

/* ---- how many ----------------------------------------------------------------------------------------------------- */

START_TEST(limits) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *first = NULL;

        for (uint32_t i = 0; i < JOBS_RUNNING_MAX; i++) {
                struct job *j;

                request.uid = i / JOBS_OF_UID_MAX;
                j = add_job(&jobs, &request, 3);
                CHECK(j && j->id == i + 1);
                first = first ?: j;
                if (i == JOBS_OF_UID_MAX - 1) {
                        ck_assert_ptr_null(add_job(&jobs, &request, 1)); /* one user's share */
                        ck_assert_uint_eq(jobs_count_running(&jobs), JOBS_OF_UID_MAX);
                }
        }
        request.uid = 99;
        ck_assert_ptr_null(add_job(&jobs, &request, 1)); /* all there are */
        ck_assert_ptr_eq(jobs_first_running(&jobs), first);
        job_stop(first, JOB_CANCELLED, NOW);
        ck_assert_int_eq(first->state, JOB_CANCELLED);
        ck_assert_uint_eq(jobs_first_running(&jobs)->id, 2);
        ck_assert_ptr_nonnull(add_job(&jobs, &request, 1));
        ck_assert_ptr_eq(jobs_find(&jobs, 1), first); /* still remembered */
        ck_assert_ptr_null(jobs_find(&jobs, 0));
        ck_assert_ptr_null(jobs_find(&jobs, 1000));
        jobs_done(&jobs);
}
END_TEST

/* Those that are over are remembered while there is room, the oldest is forgotten first; those that run are not. */
START_TEST(oldest_goes) {
        const struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};

        ck_assert_uint_eq(add_job(&jobs, &request, 1)->id, 1); /* goes on */
        for (uint32_t id = 2; id < 3 * JOBS_MAX; id++) {
                job_stop(add_job(&jobs, &request, 1), JOB_CANCELLED, NOW);
                for (uint32_t k = 1; k <= id; k++)
                        ck_assert_msg((jobs_find(&jobs, k) != NULL) == (k == 1 || k + JOBS_MAX - 1 > id), "%u, %u", id, k);
        }
        ck_assert_uint_eq(jobs_first_running(&jobs)->id, 1);
        jobs_done(&jobs);
}
END_TEST

START_TEST(blocks_in_all) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *a, *b;

        a = add_job(&jobs, &request, JOBS_ITEMS_MAX / 2);
        b = add_job(&jobs, &request, JOBS_ITEMS_MAX / 2);
        ck_assert(a && b);
        ck_assert_ptr_null(add_job(&jobs, &request, 1));
        ck_assert_ptr_eq(jobs_find(&jobs, 2), b);
        job_stop(a, JOB_CANCELLED, NOW);
        ck_assert_ptr_nonnull(add_job(&jobs, &request, 1));
        ck_assert_ptr_null(jobs_find(&jobs, 1)); /* gave way */
        ck_assert_ptr_null(add_job(&jobs, &request, JOBS_ITEMS_MAX));
        ck_assert_ptr_nonnull(jobs_find(&jobs, 2)); /* whoever is refused has no one forgotten */
        jobs_done(&jobs);
}
END_TEST

START_TEST(numbers_begin_anew) {
        const struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = { .last_id = UINT32_MAX - 1 };

        ck_assert_uint_eq(add_job(&jobs, &request, 1)->id, UINT32_MAX);
        ck_assert_uint_eq(add_job(&jobs, &request, 1)->id, 1);
        ck_assert_uint_eq(jobs_first_running(&jobs)->id, UINT32_MAX);
        jobs.last_id = UINT32_MAX - 1;
        ck_assert_uint_eq(add_job(&jobs, &request, 1)->id, 2); /* not one that is taken */
        jobs_done(&jobs);
}
END_TEST

START_TEST(deadlines) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *j;

        ck_assert(jobs_next_deadline(&jobs) == UINT64_MAX);
        ck_assert_uint_eq(add_job(&jobs, &request, 1)->deadline_usec, 0);
        request.timeout_usec = 500;
        ck_assert_uint_eq((j = add_job(&jobs, &request, 1))->deadline_usec, NOW + 500);
        request.timeout_usec = 700;
        ck_assert_uint_eq(add_job(&jobs, &request, 1)->deadline_usec, NOW + 700);
        request.timeout_usec = UINT64_MAX;
        ck_assert_uint_eq(add_job(&jobs, &request, 1)->deadline_usec, 0); /* longer than there is time */
        ck_assert_uint_eq(jobs_next_deadline(&jobs), NOW + 500);
        job_stop(j, JOB_TIMED_OUT, NOW + 500);
        ck_assert_uint_eq(jobs_next_deadline(&jobs), NOW + 700);
        jobs_done(&jobs);
}
END_TEST

/* ---- stop, postpone, unplug --------------------------------------------------------------------------------------- */

static const struct block online = { .state = BLOCK_ONLINE, .zones = M, .zones_known = true };
static const struct block offline = { .state = BLOCK_OFFLINE, .zones = K | M, .zones_known = true };

static void take_offline(struct job *j, int error) {
        enum action action;

        ck_assert_ptr_nonnull(job_next(j, NOW));
        ck_assert(job_begin(j, &online, &action));
        ck_assert_int_eq(action, ACTION_LEAVE_OFFLINE);
        ck_assert(!job_continue(j, error ? OUTCOME_BUSY : OUTCOME_DONE, error, &action));
}

static void check_fates(const struct job *j, const char *expected) {
        char seen[128] = "";

        for (size_t i = 0; i < j->n; i++)
                snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%s", i ? " " : "",
                         fate_to_string((enum fate) j->items[i].fate));
        ck_assert_str_eq(seen, expected);
}

START_TEST(stop_between_blocks) {
        const struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *j = add_job(&jobs, &request, 3);

        take_offline(j, 0);
        job_stop(j, JOB_TIMED_OUT, NOW + 7);
        ck_assert_int_eq(j->state, JOB_TIMED_OUT); /* at once: it waits for nobody */
        ck_assert_uint_eq(j->end_usec, NOW + 7);
        check_fates(j, "done skipped skipped");
        ck_assert_ptr_null(job_next(j, NOW + 9));
        ck_assert_uint_eq(j->end_usec, NOW + 7);
        job_stop(j, JOB_CANCELLED, NOW + 9);
        ck_assert_int_eq(j->state, JOB_TIMED_OUT);
        jobs_done(&jobs);
}
END_TEST

START_TEST(stop_while_a_block_is_written) {
        const struct job_request request = request_of(JOB_REZONE, ACTION_ONLINE_KERNEL);
        struct jobs jobs = {};
        struct job *j = add_job(&jobs, &request, 2);
        enum action action;

        ck_assert_ptr_nonnull(job_next(j, NOW));
        ck_assert(job_begin(j, &online, &action));
        job_stop(j, JOB_CANCELLED, NOW);
        ck_assert_int_eq(j->state, JOB_RUNNING);
        /* It was taken offline in spite of it all: it is not left there. */
        ck_assert(job_continue(j, OUTCOME_DONE, 0, &action));
        ck_assert_int_eq(action, ACTION_ONLINE_KERNEL);
        ck_assert(!job_continue(j, OUTCOME_DONE, 0, &action));
        ck_assert_ptr_null(job_next(j, NOW + 1));
        ck_assert_int_eq(j->state, JOB_CANCELLED);
        check_fates(j, "done skipped");
        jobs_done(&jobs);
}
END_TEST

START_TEST(stop_undoes_what_was_all_or_nothing) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        enum action action;
        struct job *j;

        request.all_or_nothing = true;
        j = add_job(&jobs, &request, 3);
        take_offline(j, 0);
        take_offline(j, 0);
        job_stop(j, JOB_CANCELLED, NOW);
        ck_assert(!job_is_over(j));
        for (uint32_t block = 2; block-- > 0;) { /* the last first */
                ck_assert_uint_eq(job_next(j, NOW)->block, block);
                ck_assert_int_eq(j->state, JOB_UNDOING);
                job_stop(j, JOB_TIMED_OUT, NOW); /* changes nothing */
                ck_assert(job_begin(j, &offline, &action));
                ck_assert_int_eq(action, ACTION_ONLINE_MOVABLE);
                ck_assert(!job_continue(j, OUTCOME_DONE, 0, &action));
        }
        ck_assert_ptr_null(job_next(j, NOW));
        ck_assert_int_eq(j->state, JOB_CANCELLED);
        check_fates(j, "undone undone skipped");
        ck_assert_uint_eq(j->n_done, 0);
        jobs_done(&jobs);
}
END_TEST

START_TEST(undo_where_some_were_so_before) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        enum action action;
        struct job *j;

        request.all_or_nothing = true;
        j = add_job(&jobs, &request, 4);
        ck_assert_ptr_nonnull(job_next(j, NOW));
        ck_assert(!job_begin(j, &offline, &action)); /* already */
        take_offline(j, 0);
        take_offline(j, -EBUSY);
        ck_assert_uint_eq(job_next(j, NOW)->block, 1);
        ck_assert(job_begin(j, &offline, &action));
        ck_assert(!job_continue(j, OUTCOME_DONE, 0, &action));
        ck_assert_ptr_null(job_next(j, NOW));
        check_fates(j, "already undone failed skipped");
        ck_assert_int_eq(j->state, JOB_FAILED); /* all was undone, though one is as asked for */
        jobs_done(&jobs);
}
END_TEST

START_TEST(undo_that_fails) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        enum action action;
        struct job *j;

        request.all_or_nothing = true;
        j = add_job(&jobs, &request, 3);
        take_offline(j, 0);
        take_offline(j, 0);
        take_offline(j, -EBUSY);
        ck_assert_uint_eq(job_next(j, NOW)->block, 1);
        ck_assert(!job_begin(j, &online, &action)); /* somebody did it meanwhile */
        ck_assert_uint_eq(job_next(j, NOW)->block, 0);
        ck_assert(job_begin(j, &offline, &action));
        ck_assert(job_continue(j, OUTCOME_FAILED, -EINVAL, &action));
        ck_assert_int_eq(action, ACTION_ONLINE);
        ck_assert(!job_continue(j, OUTCOME_BUSY, -ENOMEM, &action));
        ck_assert_ptr_null(job_next(j, NOW));
        check_fates(j, "done undone failed");
        ck_assert_int_eq(j->items[0].error, -ENOMEM);
        ck_assert_int_eq(j->state, JOB_PARTIAL);
        jobs_done(&jobs);
}
END_TEST

START_TEST(postpone) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *j;

        request.all_or_nothing = true;
        j = add_job(&jobs, &request, 3);
        for (int i = 0; i < 3; i++) {
                ck_assert_uint_eq(job_next(j, NOW)->block, 0);
                job_postpone(j);
        }
        take_offline(j, 0);
        ck_assert_uint_eq(job_next(j, NOW)->block, 1);
        job_postpone(j);
        take_offline(j, -EBUSY);
        for (int i = 0; i < 3; i++) {
                ck_assert_uint_eq(job_next(j, NOW)->block, 0); /* undone */
                job_postpone(j);
        }
        ck_assert_int_eq(j->state, JOB_UNDOING);
        jobs_done(&jobs);
}
END_TEST

START_TEST(unplugged) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *one, *whole;

        one = add_job(&jobs, &request, 4);
        request.all_or_nothing = true;
        whole = add_job(&jobs, &request, 4);
        take_offline(one, 0);
        take_offline(whole, 0);
        ck_assert_uint_eq(job_next(one, NOW)->block, 1);
        jobs_forget_block(&jobs, 0); /* done, and to be undone maybe */
        jobs_forget_block(&jobs, 1); /* at work */
        jobs_forget_block(&jobs, 3); /* to come */
        jobs_forget_block(&jobs, 77);
        ck_assert_ptr_null(one->current);
        check_fates(one, "done gone pending gone");
        check_fates(whole, "gone gone pending gone");
        ck_assert_uint_eq(one->n_done, 1);
        ck_assert_uint_eq(whole->n_done, 0);
        take_offline(one, 0);
        ck_assert_ptr_null(job_next(one, NOW));
        ck_assert_int_eq(one->state, JOB_DONE);
        take_offline(whole, -EBUSY);
        ck_assert_ptr_null(job_next(whole, NOW)); /* nothing is left to undo */
        ck_assert_int_eq(whole->state, JOB_FAILED);
        jobs_forget_block(&jobs, 2); /* of jobs that are over */
        check_fates(one, "done gone done gone");
        jobs_done(&jobs);
}
END_TEST

/* All of it is gone: what was to be taken away is, what was to be used is not. */
START_TEST(all_unplugged) {
        static const struct {
                enum job_kind kind;
                enum job_state end;
        } cases[] = { { JOB_OFFLINE, JOB_DONE }, { JOB_ONLINE, JOB_FAILED }, { JOB_REZONE, JOB_FAILED } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct job_request request = request_of(cases[i].kind, ACTION_ONLINE_MOVABLE);
                struct jobs jobs = {};
                struct job *j = add_job(&jobs, &request, 2);

                ck_assert_ptr_nonnull(job_next(j, NOW));
                job_forget(j);
                jobs_forget_block(&jobs, 1);
                ck_assert_ptr_null(job_next(j, NOW));
                ck_assert_int_eq(j->state, cases[i].end);
                jobs_done(&jobs);
        }
}
END_TEST

START_TEST(enough_is_enough) {
        struct job_request request = request_of(JOB_OFFLINE, ACTION_LEAVE_OFFLINE);
        struct jobs jobs = {};
        struct job *j;

        request.wanted = 2;
        request.all_or_nothing = true;
        j = add_job(&jobs, &request, 5);
        take_offline(j, -EBUSY); /* others may do as well */
        take_offline(j, 0);
        take_offline(j, -EBUSY);
        take_offline(j, 0);
        ck_assert_ptr_null(job_next(j, NOW));
        ck_assert_int_eq(j->state, JOB_DONE);
        check_fates(j, "failed done failed done skipped");
        /* … until there are too few of them. */
        j = add_job(&jobs, &request, 3);
        take_offline(j, 0);
        take_offline(j, -EBUSY);
        ck_assert_uint_eq(job_next(j, NOW)->block, 2);
        job_fail(j, -EIO);
        ck_assert_uint_eq(job_next(j, NOW)->block, 0);
        ck_assert_int_eq(j->state, JOB_UNDOING);
        job_fail(j, -EIO);
        ck_assert_ptr_null(job_next(j, NOW));
        ck_assert_int_eq(j->state, JOB_PARTIAL);
        jobs_done(&jobs);
}
END_TEST

/* ---- any jobs, any machine ---------------------------------------------------------------------------------------- */

#define BLOCKS 12

/* A machine of a few blocks: where each is online (0: offline), whether it is there, and how often writes fail. */
struct world {
        struct prng prng;
        zone_mask zones[BLOCKS], before[BLOCKS];
        bool there[BLOCKS];
        unsigned failing; /* percent */
        unsigned n_writes[BLOCKS];
};

/* What the kernel does with it. */
static enum outcome write_state(struct world *w, uint32_t block, enum action action, int *ret_error) {
        zone_mask wanted = action_zones(action);

        CHECK(w->there[block]);
        w->n_writes[block]++;
        *ret_error = 0;
        if (prng_below(&w->prng, 100) < w->failing) {
                *ret_error = prng_below(&w->prng, 2) ? -EBUSY : -EINVAL;
                if (action == ACTION_LEAVE_OFFLINE || prng_below(&w->prng, 4))
                        return *ret_error == -EBUSY ? OUTCOME_BUSY : OUTCOME_FAILED;
                w->zones[block] = prng_below(&w->prng, 2) ? K : M; /* others were first */
                return w->zones[block] & wanted ? OUTCOME_ALREADY : OUTCOME_WRONG_ZONE;
        }
        if (action == ACTION_LEAVE_OFFLINE) {
                CHECK(w->zones[block]); /* nobody writes "offline" to what is offline */
                w->zones[block] = 0;
        } else {
                CHECK(!w->zones[block]); /* nor "online" to what is online */
                w->zones[block] = wanted & K ? K : M;
        }
        return OUTCOME_DONE;
}

static struct block look_at(const struct world *w, uint32_t block) {
        return (struct block) {
                .index = block, .state = w->zones[block] ? BLOCK_ONLINE : BLOCK_OFFLINE, .zones_known = true,
                .zones = w->zones[block] ?: K | M,
        };
}

static size_t count_fates(const struct job *j, enum fate fate) {
        size_t n = 0;

        for (size_t i = 0; i < j->n; i++)
                n += j->items[i].fate == fate;
        return n;
}

static void check_counts(const struct job *j) {
        CHECK(j->n_done == count_fates(j, FATE_DONE) + count_fates(j, FATE_ALREADY));
        CHECK(j->n_failed == count_fates(j, FATE_FAILED) + count_fates(j, FATE_WRONG_ZONE));
        CHECK(j->n_gone == count_fates(j, FATE_GONE));
        CHECK(!j->current || (j->current >= j->items && j->current < j->items + j->n));
}

static bool is_wanted(const struct world *w, const struct job *j, uint32_t block) {
        return j->kind == JOB_OFFLINE ? !w->zones[block] : (w->zones[block] & action_zones(j->action)) != 0;
}

/* When it is over, what is told of each block is so. */
static void check_fate(const struct world *w, const struct job *j, const struct job_item *item) {
        uint32_t block = item->block;

        CHECK(item->fate != FATE_PENDING && w->n_writes[block] <= 7);
        if (!w->there[block])
                return; /* unplugged before or after: nothing can be told from it */
        switch ((enum fate) item->fate) {
        case FATE_DONE:
                CHECK(is_wanted(w, j, block) || (j->all_or_nothing && item->error));
                break;
        case FATE_ALREADY:
                CHECK(w->n_writes[block] == 0 && is_wanted(w, j, block));
                break;
        case FATE_WRONG_ZONE:
                CHECK(w->zones[block] && !is_wanted(w, j, block));
                break;
        case FATE_FAILED:
                CHECK(item->error < 0);
                /* Whoever fails to move memory does not take it away, if the kernel lets them. */
                CHECK(w->failing || j->kind != JOB_REZONE || w->zones[block] == w->before[block]);
                break;
        case FATE_SKIPPED:
                CHECK(w->n_writes[block] == 0 && w->zones[block] == w->before[block]);
                break;
        case FATE_UNDONE:
                CHECK((w->zones[block] != 0) == (w->before[block] != 0));
                CHECK(w->failing || w->zones[block] == w->before[block]);
                break;
        default: /* gone, but for what is there */
                ck_abort_msg("block %u: %s", block, fate_to_string((enum fate) item->fate));
        }
}

/* From what became of the blocks alone. */
static enum job_state expected_end(const struct job *j) {
        size_t n_done = count_fates(j, FATE_DONE), n_good = n_done + count_fates(j, FATE_ALREADY);
        size_t n_failed = count_fates(j, FATE_FAILED) + count_fates(j, FATE_WRONG_ZONE), n_gone = count_fates(j, FATE_GONE);

        if (j->ending != JOB_RUNNING)
                return j->ending;
        if (j->all_or_nothing && n_failed + j->wanted > j->n)
                return n_done ? JOB_PARTIAL : JOB_FAILED;
        if (n_good + n_gone >= j->wanted)
                return n_good || j->kind == JOB_OFFLINE ? JOB_DONE : JOB_FAILED;
        return n_good ? JOB_PARTIAL : JOB_FAILED;
}

static void check_end(const struct world *w, const struct job *j) {
        for (size_t i = 0; i < j->n; i++)
                check_fate(w, j, &j->items[i]);
        CHECK(j->end_usec > 0);
        CHECK(j->state == expected_end(j));
        if (j->all_or_nothing && j->state != JOB_DONE)
                for (size_t i = 0; i < j->n; i++) /* nothing is left that could have been undone */
                        CHECK(j->items[i].fate != FATE_DONE || j->items[i].error);
}

static void unplug(struct world *w, struct jobs *jobs, uint32_t block) {
        w->there[block] = false;
        w->zones[block] = 0;
        jobs_forget_block(jobs, block);
}

/* One block, as the manager does it. */
static void work(struct world *w, struct jobs *jobs, struct job *j, struct job_item *item) {
        struct block b = look_at(w, item->block);
        enum action action;

        if (prng_below(&w->prng, 6) == 0) {
                job_postpone(j);
                CHECK(job_next(j, NOW) == item);
        }
        if (!w->there[item->block]) {
                job_forget(j);
                return;
        }
        for (bool more = job_begin(j, &b, &action); more;) {
                enum outcome outcome;
                int error;

                if (prng_below(&w->prng, 40) == 0)
                        job_stop(j, prng_below(&w->prng, 2) ? JOB_CANCELLED : JOB_TIMED_OUT, NOW);
                if (prng_below(&w->prng, 40) == 0) {
                        unplug(w, jobs, item->block);
                        CHECK(!j->current);
                        return;
                }
                CHECK(j->current == item);
                outcome = write_state(w, item->block, action, &error);
                more = job_continue(j, outcome, error, &action);
                check_counts(j);
        }
        CHECK(!j->current);
}

START_TEST(any_job) {
        for (unsigned round = 0; round < 20000; round++) {
                struct world w = { .prng = { UINT64_C(88172645463325252) + round * 2654435761u + (unsigned) _i } };
                struct job_request request = request_of((enum job_kind) prng_below(&w.prng, _JOB_KIND_MAX), 0);
                struct jobs jobs = {};
                struct job_item *item;
                unsigned turns = 0;
                struct job *j;

                request.action = request.kind == JOB_OFFLINE ? ACTION_LEAVE_OFFLINE
                                 : prng_below(&w.prng, 2)    ? ACTION_ONLINE_MOVABLE
                                                             : ACTION_ONLINE_KERNEL;
                request.all_or_nothing = prng_below(&w.prng, 2);
                request.wanted = prng_below(&w.prng, 4) ? 0 : 1 + prng_below(&w.prng, BLOCKS + 2);
                w.failing = prng_below(&w.prng, 3) ? prng_below(&w.prng, 60) : 0;
                for (uint32_t i = 0; i < BLOCKS; i++) {
                        w.there[i] = true;
                        w.zones[i] = w.before[i] = prng_below(&w.prng, 3) == 0 ? 0 : prng_below(&w.prng, 2) ? K : M;
                }
                j = add_job(&jobs, &request, 1 + prng_below(&w.prng, BLOCKS));
                while ((item = job_next(j, NOW))) {
                        CHECK(++turns <= 4 * BLOCKS);
                        work(&w, &jobs, j, item);
                        check_counts(j);
                        if (prng_below(&w.prng, 60) == 0)
                                job_stop(j, JOB_CANCELLED, NOW);
                        if (prng_below(&w.prng, 30) == 0)
                                unplug(&w, &jobs, prng_below(&w.prng, BLOCKS));
                }
                CHECK(job_is_over(j) && !j->current);
                check_counts(j);
                check_end(&w, j);
                jobs_done(&jobs);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("jobs");
        TCase *c;

        c = check_case(s, "block");
        tcase_add_test(c, words);
        tcase_add_loop_test(c, one_block, 0, ARRAY_SIZE(blocks));
        tcase_add_test(c, rest);
        c = check_case(s, "bounds");
        tcase_add_test(c, limits);
        tcase_add_test(c, oldest_goes);
        tcase_add_test(c, blocks_in_all);
        tcase_add_test(c, numbers_begin_anew);
        tcase_add_test(c, deadlines);
        c = check_case(s, "course");
        tcase_add_test(c, stop_between_blocks);
        tcase_add_test(c, stop_while_a_block_is_written);
        tcase_add_test(c, stop_undoes_what_was_all_or_nothing);
        tcase_add_test(c, undo_where_some_were_so_before);
        tcase_add_test(c, undo_that_fails);
        tcase_add_test(c, postpone);
        tcase_add_test(c, unplugged);
        tcase_add_test(c, all_unplugged);
        tcase_add_test(c, enough_is_enough);
        c = check_case(s, "any");
        tcase_add_loop_test(c, any_job, 0, 4);
        return check_run(s);
}
