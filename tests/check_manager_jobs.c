/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager.h"

#include "check_util.h"
#include "manager_rig.h"

/* What people ask for, on a machine made of files. */

#define LEAVE QUIET RULES(LAST("dimms", "source = \"dimm\";", "leave_offline"))
#define MOVABLE QUIET RULES(LAST("dimms", "source = \"dimm\";", "online_movable"))
#define KERNEL QUIET "retry = { first = \"20ms\"; max = \"20ms\"; attempts = 100; }; " \
        RULES(LAST("dimms", "source = \"dimm\";", "online_kernel"))

static int ask(const struct job_request *request, const char *selector, struct job **ret) {
        struct job_request r = *request;
        struct selector s;
        char error[SELECTOR_ERROR_MAX];
        int result;

        ck_assert_int_eq(selector_parse(selector, &s, error), 0);
        r.selector = &s;
        r.text = selector;
        result = manager_add_job(m, &r, ret);
        selector_done(&s);
        return result;
}

static struct job *ask_for(enum job_kind kind, enum action action, const char *selector) {
        struct job *j;

        ck_assert_int_eq(ask(&(struct job_request) { .kind = kind, .action = action }, selector, &j), 0);
        return j;
}

#define online_movable(selector) ask_for(JOB_ONLINE, ACTION_ONLINE_MOVABLE, selector)
#define take_offline(selector) ask_for(JOB_OFFLINE, ACTION_LEAVE_OFFLINE, selector)
#define to_kernel(selector) ask_for(JOB_REZONE, ACTION_ONLINE_KERNEL, selector)
#define to_movable(selector) ask_for(JOB_REZONE, ACTION_ONLINE_MOVABLE, selector)

static void check_job(const struct job *j, enum job_state state, size_t n_done, size_t n_failed) {
        ck_assert_msg(j->state == state && j->n_done == n_done && j->n_failed == n_failed,
                      "%s, %zu done, %zu failed instead of %s, %zu, %zu; log:\n%s", job_state_to_string(j->state), j->n_done,
                      j->n_failed, job_state_to_string(state), n_done, n_failed, log_text());
}

static void check_fate(const struct job *j, uint32_t block, enum fate fate, int error) {
        for (size_t i = 0; i < j->n; i++)
                if (j->items[i].block == block) {
                        ck_assert_msg(j->items[i].fate == fate && j->items[i].error == error, "block %u: %s, %d", block,
                                      fate_to_string((enum fate) j->items[i].fate), j->items[i].error);
                        return;
                }
        ck_abort_msg("block %u is not in the job", block);
}

static void check_asked(uint32_t first, uint32_t n, enum reason reason, bool hands_off) {
        for (uint32_t i = first; i < first + n; i++) {
                const struct entry *e = entry_of(i);

                CHECK(e && e->decided && e->rule == -1 && e->stage == STAGE_IDLE);
                ck_assert_msg(e->reason == reason && e->hands_off == hands_off, "block %u: %s%s", i,
                              reason_to_string((enum reason) e->reason), e->hands_off ? ", hands off" : "");
        }
}

static bool has_ended(const struct job *j) {
        return job_is_over(j) && manager_is_idle(m) && !fakeroot_has_events(f);
}

static void one_dimm(const char *policy) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        start(policy);
}

static void look_again(void) {
        fakeroot_overflow(f);
        settle();
}

/* ---- as asked ----------------------------------------------------------------------------------------------------- */

START_TEST(online) {
        struct job *j;

        one_dimm(LEAVE);
        check_writes(0);
        j = online_movable("32-34");
        check_job(j, JOB_RUNNING, 0, 0);
        check_writes(0); /* not before the call was answered */
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 3, 0);
        check_written(0, "32 online_movable, 33 online_movable, 34 online_movable");
        check_zone(35, 1, "");
        check_asked(32, 3, REASON_ASKED, false);
        RUN_UNTIL(log_count("dimm PNP0C80:00: 3 blocks 32-34 (384 MiB), node 1: online in Movable, as somebody asked"));
        look_again();
        check_writes(3);
        /* What is so already is not written. */
        j = online_movable("device:PNP0C80:00");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 4, 0);
        check_fate(j, 33, FATE_ALREADY, 0);
        check_fate(j, 35, FATE_DONE, 0);
        check_written(3, "35 online_movable");
}
END_TEST

/* It stays so, whoever looks and whoever starts again, until somebody wants it otherwise. */
START_TEST(offline) {
        struct job *j;

        one_dimm(MOVABLE);
        check_writes(4);
        j = take_offline("33-35");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 3, 0);
        check_written(4, "35 offline, 34 offline, 33 offline"); /* from above */
        check_asked(33, 3, REASON_ASKED, true);
        RUN_UNTIL(log_count("dimm PNP0C80:00: 3 blocks 33-35 (384 MiB), node 1: offline, as somebody asked; it stays so"));
        look_again();
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        rig_stop();
        start(MOVABLE);
        look_again();
        check_writes(7);
        check_zone(33, 3, "");
        j = online_movable("all");
        RUN_UNTIL(has_ended(j));
        check_zone(33, 3, "Movable");
        check_asked(33, 3, REASON_ASKED, false);
        check_job(j, JOB_PARTIAL, 4, 4); /* all of it: what was there at boot is elsewhere */
        check_fate(j, 0, FATE_WRONG_ZONE, 0);
}
END_TEST

/* What is offline by a rule is offline by somebody's wish from then on. */
START_TEST(offline_already) {
        struct job *j;

        one_dimm(LEAVE);
        j = take_offline("32");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 1, 0);
        check_writes(0);
        check_asked(32, 1, REASON_ASKED, true);
        RUN_UNTIL(log_count("1 block 32 (128 MiB), node 1: offline, as somebody asked; it stays so"));
        fakeroot_write(f, "policy", MOVABLE);
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        check_zone(32, 1, "");
        check_zone(33, 3, "Movable");
}
END_TEST

START_TEST(rezone) {
        struct job *j;

        one_dimm(MOVABLE);
        j = to_kernel("device:PNP0C80:00");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 4, 0);
        check_written(4, "35 offline, 35 online_kernel, 34 offline, 34 online_kernel, 33 offline, 33 online_kernel, 32 offline, "
                         "32 online_kernel");
        check_zone(32, 4, "Normal");
        check_asked(32, 4, REASON_ASKED, false);
        RUN_UNTIL(log_count("4 blocks 32-35 (512 MiB), node 1: online in Normal, as somebody asked"));
        check_said("offline", 1); /* "ready: … 0 offline": what is on the way is not told */
        look_again();
        check_writes(12);
}
END_TEST

/* ---- not as asked ------------------------------------------------------------------------------------------------- */

START_TEST(rezone_that_is_refused) {
        const struct fakeroot_traits traits = { .zones = "Normal" };
        struct job *j;

        fakeroot_set_traits(f, &traits);
        one_dimm(KERNEL);
        j = to_movable("32");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_FAILED, 0, 1);
        check_fate(j, 32, FATE_FAILED, -EINVAL);
        check_written(4, "32 offline, 32 online_movable, 32 online_kernel");
        check_zone(32, 1, "Normal");
        check_asked(32, 1, REASON_ASKED, false);
        ck_assert_int_eq(entry_of(32)->outcome, OUTCOME_FAILED);
        RUN_UNTIL(log_count("1 block 32 (128 MiB), node 1: stays online in Normal: somebody asked for \"online_movable\": "
                            "Invalid argument"));
        look_again();
        check_writes(7);
}
END_TEST

/* Neither there nor back: the policy does what it can. */
START_TEST(rezone_that_loses_the_block) {
        struct job *j;

        one_dimm(KERNEL);
        fakeroot_hold_write(f, 32);
        j = to_movable("32");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_hold_write(f, 32);
        fakeroot_release_write(f);
        RUN_UNTIL(fakeroot_is_held(f) && fakeroot_n_writes(f) == 5); /* it is offline */
        ck_assert(!entry_of(32)->hands_off);
        fakeroot_fail_writes(f, 32, ENOMEM, FAKEROOT_FOREVER);
        fakeroot_release_write(f);
        RUN_UNTIL(job_is_over(j));
        check_job(j, JOB_FAILED, 0, 1);
        check_fate(j, 32, FATE_FAILED, -ENOMEM);
        check_zone(32, 1, "");
        RUN_UNTIL(log_count("1 block 32 (128 MiB), node 1: is not online as somebody asked (\"online_movable\"): "
                            "Cannot allocate memory"));
        fakeroot_clear_faults(f);
        RUN_UNTIL(fakeroot_is_online(f, 32));
        check_zone(32, 1, "Normal");
        settle();
        ck_assert_int_eq(entry_of(32)->reason, REASON_RULE);
}
END_TEST

START_TEST(online_that_fails) {
        struct job *j;

        one_dimm(LEAVE);
        fakeroot_fail_writes(f, 33, EBUSY, 1);
        fakeroot_compete(f, 34, "online_kernel");
        j = online_movable("32-35");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_PARTIAL, 2, 2);
        check_fate(j, 33, FATE_FAILED, -EBUSY);
        check_fate(j, 34, FATE_WRONG_ZONE, -EINVAL);
        check_asked(32, 4, REASON_ASKED, false);
        ck_assert_int_eq(entry_of(33)->outcome, OUTCOME_FAILED); /* nobody tries again */
        RUN_UNTIL(log_count("1 block 33 (128 MiB), node 1: is not online as somebody asked (\"online_movable\"): "
                            "Device or resource busy"));
        RUN_UNTIL(log_count("1 block 34 (128 MiB), node 1: lost race: another program brought it online in Normal first; somebody "
                            "asked for zone Movable. It stays as it is"));
}
END_TEST

START_TEST(offline_all_or_nothing) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_fail_writes(f, 33, EBUSY, 1);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_OFFLINE, .all_or_nothing = true }, "device:PNP0C80:00", &j), 0);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_FAILED, 0, 1);
        check_written(4, "35 offline, 34 offline, 33 offline, 34 online_movable, 35 online_movable");
        check_fate(j, 32, FATE_SKIPPED, 0);
        check_fate(j, 33, FATE_FAILED, -EBUSY);
        check_fate(j, 34, FATE_UNDONE, 0);
        check_zone(32, 4, "Movable");
        check_asked(34, 2, REASON_UNDONE, false);
        RUN_UNTIL(log_count("2 blocks 34-35 (256 MiB), node 1: online in Movable again: somebody asked for all or none of a number "
                            "of blocks, and not all could be had"));
        RUN_UNTIL(log_count("1 block 33 (128 MiB), node 1: stays online in Movable: somebody asked to take it offline: Device or "
                            "resource busy"));
        check_said("as somebody asked; it stays so", 1); /* told of 34 and 35 before they were brought back */
        look_again();
        check_writes(9);
}
END_TEST

START_TEST(online_all_or_nothing) {
        struct job *j;

        one_dimm(LEAVE);
        j = take_offline("33"); /* somebody's */
        RUN_UNTIL(has_ended(j));
        fakeroot_fail_writes(f, 35, EIO, 1);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_ONLINE, .action = ACTION_ONLINE, .all_or_nothing = true }, "32-35", &j),
                         0);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_FAILED, 0, 1);
        check_written(0, "32 online, 33 online, 34 online, 35 online, 34 offline, 33 offline, 32 offline");
        check_asked(33, 1, REASON_UNDONE, true); /* as it was */
        check_asked(32, 1, REASON_UNDONE, false);
        RUN_UNTIL(log_count("3 blocks 32-34 (384 MiB), node 1: offline again: somebody asked for all or none of a number of blocks, "
                            "and not all could be had"));
}
END_TEST

/* ---- no end ------------------------------------------------------------------------------------------------------- */

START_TEST(cancel_while_the_kernel_hangs) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 34);
        j = take_offline("device:PNP0C80:00");
        RUN_UNTIL(fakeroot_is_held(f));
        manager_cancel_job(m, j);
        check_job(j, JOB_RUNNING, 1, 0); /* until the kernel has let go */
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_CANCELLED, 1, 1);
        check_fate(j, 35, FATE_DONE, 0);
        check_fate(j, 34, FATE_FAILED, -ECANCELED);
        check_fate(j, 33, FATE_SKIPPED, 0);
        check_zone(32, 3, "Movable");
        check_asked(34, 1, REASON_ASKED, false);
        RUN_UNTIL(log_count("1 block 34 (128 MiB), node 1: stays online in Movable: somebody asked to take it offline: cancelled"));
        manager_cancel_job(m, j); /* once more */
        check_job(j, JOB_CANCELLED, 1, 1);
}
END_TEST

START_TEST(time_is_up_while_the_kernel_hangs) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 34);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_OFFLINE, .timeout_usec = 200000 }, "32-34", &j), 0);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_TIMED_OUT, 0, 1);
        check_fate(j, 34, FATE_FAILED, -ETIMEDOUT);
        check_fate(j, 32, FATE_SKIPPED, 0);
        ck_assert(j->end_usec >= j->start_usec + 200000);
        check_zone(32, 4, "Movable");
}
END_TEST

/* The policy's patience is for a block; the job goes on with the next. */
START_TEST(a_block_takes_too_long) {
        struct job *j;

        one_dimm("offline_timeout = \"1s\"; " MOVABLE);
        fakeroot_hold_write(f, 34);
        j = take_offline("33-34");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_PARTIAL, 1, 1);
        check_fate(j, 34, FATE_FAILED, -ETIMEDOUT);
        check_zone(33, 1, "");
        RUN_UNTIL(log_count("stays online in Movable: somebody asked to take it offline: timed out"));
}
END_TEST

/* What has to be undone takes as long as it takes, though the time for the job is up. */
START_TEST(undo_after_time_is_up) {
        struct job *j;

        one_dimm(LEAVE);
        fakeroot_hold_write(f, 34);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_ONLINE, .action = ACTION_ONLINE_MOVABLE, .timeout_usec = 100000,
                                                     .all_or_nothing = true }, "32-34", &j), 0);
        RUN_UNTIL(fakeroot_is_held(f) && j->ending == JOB_TIMED_OUT); /* bringing online is never interrupted */
        fakeroot_hold_write(f, 33);
        fakeroot_release_write(f);
        RUN_UNTIL(fakeroot_is_held(f) && j->state == JOB_UNDOING);
        manager_cancel_job(m, j);
        for (int i = 0; i < 5; i++)
                (void) sd_event_run(event, 60000);
        ck_assert(fakeroot_is_held(f));
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_TIMED_OUT, 0, 0);
        check_zone(32, 3, "");
        check_asked(32, 3, REASON_UNDONE, false);
}
END_TEST

/* Those who wait behind another need not wait for it to end. */
START_TEST(those_who_wait_are_free_to_go) {
        struct job *first, *second, *third;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        first = take_offline("34-35");
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_OFFLINE, .timeout_usec = 50000 }, "33", &second), 0);
        third = take_offline("32");
        RUN_UNTIL(fakeroot_is_held(f) && job_is_over(second));
        check_job(second, JOB_TIMED_OUT, 0, 0);
        ck_assert(fakeroot_is_held(f));
        manager_cancel_job(m, third);
        check_job(third, JOB_CANCELLED, 0, 0);
        check_job(first, JOB_RUNNING, 0, 0);
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(first));
        check_job(first, JOB_DONE, 2, 0);
        check_zone(32, 2, "Movable");
}
END_TEST

START_TEST(the_daemon_stops_meanwhile) {
        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        take_offline("32-35");
        take_offline("32");
        RUN_UNTIL(fakeroot_is_held(f));
        rig_stop();
        check_zone(32, 4, "Movable");
}
END_TEST

/* ---- others ------------------------------------------------------------------------------------------------------- */

static size_t nth_write(uint32_t block, const char *word) {
        for (size_t i = 0; i < fakeroot_n_writes(f); i++)
                if (fakeroot_get_write(f, i).block == block && strcmp(fakeroot_get_write(f, i).word, word) == 0)
                        return i;
        ck_abort_msg("%s was never written to block %u", word, block);
        return 0;
}

/* Memory that comes goes before memory that is given back. */
START_TEST(hot_add_between_two_blocks) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        j = take_offline("33-35");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        RUN_UNTIL(apply_pending(m->apply) == 3 || !fakeroot_is_held(f));
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 3, 0);
        ck_assert_uint_lt(nth_write(35, "offline"), nth_write(40, "online_movable"));
        ck_assert_uint_lt(nth_write(41, "online_movable"), nth_write(34, "offline"));
}
END_TEST

/* … also where the kernel cannot empty a block, and would be in its way for a minute: that block has its turn again. */
START_TEST(hot_add_while_the_kernel_hangs) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        j = take_offline("33-35");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 3, 0);
        check_fate(j, 35, FATE_DONE, 0);
        check_written(4, "35 offline, 40 online_movable, 41 online_movable, 35 offline, 34 offline, 33 offline");
        ck_assert_int_eq(fakeroot_get_write(f, 4).result, -EINTR);
        check_said("timed out", 0);
}
END_TEST

/* The whole of what comes goes first, with the block of it that is last. */
START_TEST(large_hot_add_while_the_kernel_hangs) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        j = take_offline("35");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_hold_write(f, 35); /* its next turn, too */
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 20, 1);
        RUN_UNTIL(fakeroot_is_online(f, 41));
        check_zone(40, 20, "Movable");
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 1, 0);
}
END_TEST

/* Who is in the way may be stopped for good meanwhile. */
START_TEST(cancel_of_what_is_in_the_way) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        j = take_offline("33-35");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_hold_write(f, 40);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        RUN_UNTIL(fakeroot_is_held(f) && fakeroot_n_writes(f) == 5);
        fakeroot_hold_write(f, 35); /* it will hang again */
        manager_cancel_job(m, j);
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_CANCELLED, 0, 1);
        check_fate(j, 35, FATE_FAILED, -ECANCELED);
        check_zone(32, 4, "Movable");
        check_zone(40, 2, "Movable");
}
END_TEST

/* What comes in the place of what was unplugged has nothing to do with the job. */
START_TEST(unplugged_and_replaced) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_add_dimm(f, "PNP0C80:01", 36, 4, 1);
        settle();
        check_writes(8);
        fakeroot_hold_write(f, _i ? 35 : 39);
        j = take_offline("32-39");
        RUN_UNTIL(fakeroot_is_held(f)); /* with a block that stays, or with one that goes */
        fakeroot_remove(f, 32, 4);
        fakeroot_add_dimm(f, "PNP0C80:02", 32, 4, 0);
        RUN_UNTIL(entry_of(35) && entry_of(35)->node == 0);
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 4, 0);
        for (uint32_t i = 32; i < 36; i++)
                check_fate(j, i, FATE_GONE, 0);
        check_zone(36, 4, "");
        check_zone(32, 4, "Movable");
}
END_TEST

START_TEST(all_of_it_is_unplugged) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 35);
        j = take_offline("device:PNP0C80:00");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_remove(f, 32, 4);
        RUN_UNTIL(!entry_of(32));
        RUN_UNTIL(job_is_over(j)); /* before the kernel is done with what is not there any more */
        check_job(j, JOB_DONE, 0, 0);
        fakeroot_release_write(f);
        settle();
}
END_TEST

START_TEST(gone_while_it_is_written) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_vanish_before_write(f, 35);
        fakeroot_vanish_after_write(f, 34);
        fakeroot_remove(f, 32, 1);
        j = take_offline("32-35");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 1, 0);
        check_fate(j, 33, FATE_DONE, 0);
        for (uint32_t i = 34; i < 36; i++)
                check_fate(j, i, FATE_GONE, 0);
}
END_TEST

/* The policy is at it: after that. */
START_TEST(after_the_policy) {
        struct job *j;

        one_dimm(MOVABLE);
        fakeroot_hold_write(f, 40);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        j = take_offline("40");
        for (int i = 0; i < 3; i++)
                (void) sd_event_run(event, 10000);
        check_job(j, JOB_RUNNING, 0, 0);
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 1, 0);
        check_zone(40, 1, "");
        check_zone(41, 1, "Movable");
}
END_TEST

/* A block that the policy tries again and again is whoever's who asks. */
START_TEST(in_place_of_a_retry) {
        struct job *j;

        one_dimm("retry = { first = \"1h\"; max = \"1h\"; attempts = 3; }; " MOVABLE);
        fakeroot_fail_writes(f, 40, EBUSY, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        RUN_UNTIL(entry_of(40) && entry_of(40)->stage == STAGE_RETRY && fakeroot_is_online(f, 41));
        ck_assert(!adds_are_over());
        j = _i ? take_offline("40") : ask_for(JOB_ONLINE, ACTION_ONLINE_KERNEL, "40");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 1, 0);
        check_zone(40, 1, _i ? "" : "Normal");
        check_asked(40, 1, REASON_ASKED, _i);
        RUN_UNTIL(adds_are_over());
        ck_assert_uint_eq(m->adds.ring[1].n_online, _i ? 1 : 2);
        ck_assert_uint_eq(m->adds.ring[1].n_offline, _i ? 1 : 0);
}
END_TEST

/* A device is taken back while a job is at one of its blocks: that one stays the job's. */
START_TEST(beside_a_rollback) {
        struct job *j;

        fakeroot_add_boot(f, 0, 4, 0);
        start("retry = { first = \"1h\"; max = \"1h\"; attempts = 3; }; " QUIET
              RULES("{ name = \"dimms\"; match = { source = \"dimm\"; }; action = \"online_movable\"; on_partial = \"rollback\"; }"));
        fakeroot_fail_writes(f, 34, EBUSY, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        RUN_UNTIL(entry_of(34) && entry_of(34)->stage == STAGE_RETRY && fakeroot_is_online(f, 32) && fakeroot_is_online(f, 33) &&
                  entry_of(33)->stage == STAGE_IDLE);
        fakeroot_hold_write(f, 33);
        j = take_offline("33");
        RUN_UNTIL(fakeroot_is_held(f));
        ck_assert_int_eq(fakeroot_set_state(f, 34, "online_kernel"), 0);
        RUN_UNTIL(entry_of(32)->rolling_back);
        ck_assert(!entry_of(33)->rolling_back);
        fakeroot_release_write(f);
        RUN_UNTIL(has_ended(j) && !fakeroot_is_online(f, 32));
        check_job(j, JOB_DONE, 1, 0);
        check_zone(33, 1, "");
        check_asked(33, 1, REASON_ASKED, true);
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), 2); /* online, and offline once */
        ck_assert(entry_of(32)->reason == REASON_ROLLED_BACK);
}
END_TEST

START_TEST(refused) {
        const struct job_request movable = { .kind = JOB_ONLINE, .action = ACTION_ONLINE_MOVABLE };
        char error[SELECTOR_ERROR_MAX];
        struct job *j = NULL;
        uint32_t id;

        one_dimm(LEAVE);
        ck_assert_int_eq(ask(&movable, "99", &j), -ENOENT);
        ck_assert_int_eq(ask(&movable, "0-3", &j), -EXDEV);
        ck_assert_int_eq(manager_add_hold(m, "33", 0, "", &id, error), 0);
        ck_assert_int_eq(ask(&movable, "32-34", &j), -EPERM);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_REZONE, .action = ACTION_ONLINE_MOVABLE }, "all", &j), -EPERM);
        ck_assert_int_eq(ask(&(struct job_request) { .kind = JOB_OFFLINE }, "33", &j), 0); /* that is no hold's business */
        ck_assert_int_eq(ask(&movable, "32", &j), 0);
        settle();
        ck_assert_int_eq(manager_remove_hold(m, id), 0);
        settle();
        for (int i = 0; i < JOBS_OF_UID_MAX; i++)
                ck_assert_int_eq(ask(&movable, "33", &j), 0);
        ck_assert_int_eq(ask(&movable, "33", &j), -EBUSY);
        settle();
        ck_assert_int_eq(ask(&movable, "33", &j), 0);
}
END_TEST

/* Many blocks that need no write: others get their turn all the same. */
START_TEST(in_small_steps) {
        struct job *j;

        fakeroot_add_boot(f, 0, 1000, 0);
        start(MOVABLE);
        j = ask_for(JOB_ONLINE, ACTION_ONLINE, "all");
        for (size_t before = 0; !job_is_over(j); before = j->n_done) {
                ck_assert_int_ge(sd_event_run(event, 100000), 0);
                ck_assert_uint_le(j->n_done - before, 100);
        }
        check_job(j, JOB_DONE, 1000, 0);
}
END_TEST

/* Nobody to talk to: all goes on, to the end. */
START_TEST(without_a_bus) {
        char address[512];
        struct job *j;

        snprintf(address, sizeof(address), "unix:path=%s/bus", fakeroot_path(f));
        ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        one_dimm(MOVABLE);
        ck_assert_ptr_nonnull(m->bus);
        check_zone(32, 4, "Movable");
        j = take_offline("32-33");
        RUN_UNTIL(has_ended(j));
        check_job(j, JOB_DONE, 2, 0);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle();
        check_zone(40, 2, "Movable");
        rig_stop(); /* at once, though the bus has not come yet */
        ck_assert_int_eq(unsetenv("DBUS_SYSTEM_BUS_ADDRESS"), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("manager-jobs");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "done", rig_setup, rig_teardown);
        tcase_add_test(c, online);
        tcase_add_test(c, offline);
        tcase_add_test(c, offline_already);
        tcase_add_test(c, rezone);
        c = check_case_in(s, "failed", rig_setup, rig_teardown);
        tcase_add_test(c, rezone_that_is_refused);
        tcase_add_test(c, rezone_that_loses_the_block);
        tcase_add_test(c, online_that_fails);
        tcase_add_test(c, offline_all_or_nothing);
        tcase_add_test(c, online_all_or_nothing);
        c = check_case_in(s, "time", rig_setup, rig_teardown);
        tcase_add_test(c, cancel_while_the_kernel_hangs);
        tcase_add_test(c, time_is_up_while_the_kernel_hangs);
        tcase_add_test(c, a_block_takes_too_long);
        tcase_add_test(c, undo_after_time_is_up);
        tcase_add_test(c, those_who_wait_are_free_to_go);
        tcase_add_test(c, the_daemon_stops_meanwhile);
        c = check_case_in(s, "others", rig_setup, rig_teardown);
        tcase_add_test(c, hot_add_between_two_blocks);
        tcase_add_test(c, hot_add_while_the_kernel_hangs);
        tcase_add_test(c, large_hot_add_while_the_kernel_hangs);
        tcase_add_test(c, cancel_of_what_is_in_the_way);
        tcase_add_loop_test(c, unplugged_and_replaced, 0, 2);
        tcase_add_test(c, all_of_it_is_unplugged);
        tcase_add_test(c, gone_while_it_is_written);
        tcase_add_test(c, after_the_policy);
        tcase_add_loop_test(c, in_place_of_a_retry, 0, 2);
        tcase_add_test(c, beside_a_rollback);
        tcase_add_test(c, refused);
        tcase_add_test(c, in_small_steps);
        tcase_add_test(c, without_a_bus);
        r = check_run(s);
        fakeroot_end();
        return r;
}
