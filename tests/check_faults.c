/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <sys/wait.h>

#include "check_util.h"
#include "rig.h"
#include "steps.h"

/* What can go wrong between any two steps of the daemon: it is killed, a call fails, memory is unplugged. Whatever it was and
 * wherever, in the end memory is as the policy and the people want it. The same where other memory takes its place.
 *
 * Link with STEPS_WRAP */

#define STATE "run/memhpd/state"
#define POLICY_WITH(rule) "reconcile = \"off\"; rules = (" rule \
        "{ name = \"devices\"; match = { source = [ \"pmem\" ]; }; action = \"leave_offline\"; }," \
        "{ name = \"movable\"; match = { node = \"1\"; }; action = \"online_movable\"; }," \
        "{ name = \"kernel\"; match = { }; action = \"online_kernel\"; });\n"
#define POLICY POLICY_WITH("")
#define STEPS_LEAST 200 /* or they are not seen */
#define LEFT 33 /* set offline by an administrator, before */

/* From one step to the next that is tried. On another machine (tests/cross.sh) it takes long: some, but with each of the errors, whose
 * number is no multiple of 5. */
static unsigned stride(void) {
        return getenv("MEMHP_EMULATED") ? 5 : 1;
}

static void add_old(void) {
        fakeroot_add_boot(rig.f, 0, 2, 0);
        fakeroot_add_dimm(rig.f, "PNP0C80:00", 32, 3, 0);
}

static void add_new(void) {
        fakeroot_add_dimm(rig.f, "PNP0C80:01", 40, 2, 1);
        fakeroot_add_kmem(rig.f, "dax0.0", "Persistent Memory", 48, 1, 1);
}

/* A machine on which memhpd has run, and somebody has done something. */
static void prepare(void) {
        rig_setup();
        rig_speed = 50;
        add_old();
        rig_start(POLICY);
        ck_assert_int_eq(fakeroot_set_state(rig.f, LEFT, "offline"), 0);
        rig_settle_adds();
        rig_stop();
}

/* From the start to the end. Negative: it did not start. */
static int live(void) {
        int r = rig_try_to_start(POLICY);

        if (r < 0)
                return r;
        rig_settle();
        add_new();
        rig_settle_adds();
        (void) rig_reload();
        rig_settle_adds();
        return 0;
}

static bool is_in(uint32_t first, uint32_t n, const char *zone) {
        for (uint32_t i = first; i < first + n; i++)
                if (strcmp(fakeroot_zone(rig.f, i), zone) != 0)
                        return false;
        return true;
}

static bool is_as_wanted(void) {
        return is_in(0, 2, "Normal") && is_in(32, 1, "Normal") && is_in(34, 1, "Normal") && is_in(40, 2, "Movable") &&
               is_in(48, 1, "");
}

/* What the machine is like in the end, step by step, for whoever has to find out why. */
static void check_end(unsigned at) {
        if (!is_as_wanted())
                ck_abort_msg("step %u (%s): not as wanted; log:\n%s", at, steps_call(), rig_log());
}

static void check_left_alone(unsigned at, int error) {
        /* What is not there for a moment is new when it is. */
        if (!is_in(LEFT, 1, "") && !rig_log_count("treated as new") && error != ENOENT && error != ENODEV)
                ck_abort_msg("step %u (%s): block %u was set offline, and is online; log:\n%s", at, steps_call(), LEFT,
                             rig_log());
}

/* ---- killed ------------------------------------------------------------------------------------------------------- */

static int die(void *userdata) {
        (void) userdata;
        (void) kill(getpid(), SIGKILL);
        return 0;
}

/* False: the daemon lived to its end. */
static bool live_and_die(unsigned at) {
        int status;
        pid_t pid;

        if (rig_fork(&pid)) {
                steps_begin(at, die, NULL);
                if (live() < 0)
                        _exit(EXIT_FAILURE);
                rig_stop();
                _exit(EXIT_SUCCESS);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
                return false;
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "step %u: %d: %s", at, status, rig_log());
        return true;
}

START_TEST(killed_at_every_step) {
        bool killed = true;
        unsigned at;

        for (at = 1; killed; at += stride()) {
                prepare();
                killed = live_and_die(at);
                rig.f = fakeroot_adopt(rig.f);
                add_old();
                add_new();
                rig_start(POLICY);
                rig_settle_adds();
                check_end(at);
                if (!is_in(LEFT, 1, ""))
                        ck_abort_msg("step %u: block %u was set offline, and is online; log:\n%s", at, LEFT, rig_log());
                rig_teardown();
        }
        ck_assert_uint_gt(at, STEPS_LEAST);
}
END_TEST

/* ---- a call fails ------------------------------------------------------------------------------------------------- */

static const int errors[] = { EACCES, EAGAIN, EBUSY, EINTR, EINVAL, EIO, EMFILE, ENODEV, ENOENT, ENOMEM, ENOSPC, EPERM };

#define N_ERRORS (sizeof(errors) / sizeof(*errors))

static bool is_full(void) {
        return getenv("MEMHP_FULL") != NULL;
}

static int meet_error(void *userdata) {
        return -*(const int *) userdata;
}

/* False: the daemon lived to its end without it. */
static bool live_and_fail(unsigned at, int error) {
        unsigned steps;
        int r;

        steps_begin(at, meet_error, &error);
        r = live();
        if (r >= 0 && !is_as_wanted()) {
                if (rig_log_count(strerror(error)) == 0)
                        ck_abort_msg("step %u (%s): %s: something was lost, and nothing said; log:\n%s", at, steps_call(),
                                     strerror(error), rig_log());
                /* What the next look finds. */
                manager_handle_event(rig.m, &(struct uevent) { .type = UEVENT_OVERFLOW });
                rig_settle_adds();
                check_end(at);
        }
        check_left_alone(at, error);
        if (r < 0)
                ck_assert_uint_gt(rig_log_count("memhpd: "), 1);
        rig_stop();
        steps = steps_end();
        if (r < 0)
                add_new();
        return steps >= at;
}

/* All of them at every step takes long: some. */
static int choose_error(unsigned at, int round) {
        return errors[is_full() ? (size_t) round : (at * 5 + (unsigned) round * 4) % N_ERRORS];
}

START_TEST(every_call_fails_once) {
        bool failed = true;
        unsigned at;

        for (at = 1; failed; at += stride()) {
                int error = choose_error(at, _i);

                prepare();
                failed = live_and_fail(at, error);
                rig_start(POLICY);
                rig_settle_adds();
                check_end(at);
                check_left_alone(at, error);
                rig_teardown();
        }
        ck_assert_uint_gt(at, STEPS_LEAST);
}
END_TEST

/* ---- memory goes -------------------------------------------------------------------------------------------------- */

static int unplug(void *userdata) {
        const uint32_t *range = userdata;

        fakeroot_remove(rig.f, range[0], range[1]);
        return 0;
}

/* One block, a whole device, and one that was there before. */
static uint32_t ranges[][2] = { { 41, 1 }, { 40, 2 }, { 34, 1 } };

START_TEST(memory_goes_between_any_two_steps) {
        const uint32_t first = ranges[_i][0], n = ranges[_i][1];
        bool gone = true;
        unsigned at;

        for (at = 1; gone; at += stride()) {
                prepare();
                steps_begin(at, unplug, ranges[_i]);
                ck_assert_int_eq(live(), 0);
                gone = steps_end() >= at;
                /* What went before it had come was not there. */
                for (uint32_t i = first; i < first + n; i++) {
                        const struct entry *e = registry_find(manager_registry(rig.m), i);
                        bool is_there = fakeroot_has_block(rig.f, i);

                        if (!e != !is_there)
                                ck_abort_msg("step %u (%s): block %u is %s, and memhpd %s; log:\n%s", at, steps_call(), i,
                                             is_there ? "there" : "gone", e ? "knows it" : "does not know it", rig_log());
                        if (!is_there)
                                fakeroot_add_dimm(rig.f, "PNP0C80:07", i, 1, i < 40 ? 0 : 1);
                }
                rig_settle_adds();
                check_end(at);
                check_left_alone(at, 0);
                rig_teardown();
        }
        ck_assert_uint_gt(at, STEPS_LEAST);
}
END_TEST

/* ---- other memory comes in its place ------------------------------------------------------------------------------ */

static bool replaced;
static size_t written[2]; /* before */

static int replace(void *userdata) {
        (void) userdata;
        if (!fakeroot_has_block(rig.f, 40) || !fakeroot_has_block(rig.f, 41))
                return 0;
        replaced = true;
        fakeroot_remove(rig.f, 40, 2);
        fakeroot_add_kmem(rig.f, "dax1.0", "Persistent Memory", 40, 2, 1);
        for (uint32_t i = 0; i < 2; i++)
                written[i] = fakeroot_count_writes(rig.f, 40 + i);
        return 0;
}

/* The policy wants the one in Movable and the other offline: what was decided about the one must not meet the other, not even for
 * a moment. */
START_TEST(memory_is_replaced_between_any_two_steps) {
        unsigned n = 0;
        bool gone = true;

        for (unsigned at = 1; gone; at += is_full() ? 1 : 3) {
                prepare();
                replaced = false;
                steps_begin(at, replace, NULL);
                ck_assert_int_eq(live(), 0);
                gone = steps_end() >= at;
                rig_settle_adds();
                if (!is_in(40, 2, replaced ? "" : "Movable") || !is_in(34, 1, "Normal"))
                        ck_abort_msg("step %u (%s): not as wanted; log:\n%s", at, steps_call(), rig_log());
                for (uint32_t i = 0; replaced && i < 2; i++)
                        if (fakeroot_count_writes(rig.f, 40 + i) != written[i])
                                ck_abort_msg("step %u (%s): what was meant for a DIMM was written to persistent memory; log:\n%s",
                                             at, steps_call(), rig_log());
                n += replaced;
                rig_teardown();
        }
        ck_assert_uint_gt(n, 10);
}
END_TEST

/* ---- a reload ----------------------------------------------------------------------------------------------------- */

/* The rules are the same, but in other places; and a file with errors changes nothing. */
static const char *const reloads[] = {
        POLICY,
        POLICY_WITH("{ name = \"none\"; match = { node = \"7\"; }; action = \"leave_offline\"; },"),
        "rules = (",
};

#define MANY 200

/* After each turn of the loop while memory comes. */
START_TEST(reload_in_the_midst) {
        bool amid = true;

        for (unsigned turns = 0; amid; turns++) {
                prepare();
                rig_start(POLICY);
                add_new();
                fakeroot_add_dimm(rig.f, "PNP0C80:02", 100, MANY, 1); /* more than is looked at in one turn */
                for (unsigned i = 0; i < turns; i++)
                        rig_turn();
                amid = !rig_is_settled();
                fakeroot_write(rig.f, "policy", reloads[_i]);
                ck_assert_int_eq(rig_reload(), _i == 2 ? -EBADMSG : 0);
                rig_settle_adds();
                check_end(turns);
                check_left_alone(turns, 0);
                rig_check_zone(100, MANY, "Movable");
                for (uint32_t block = 100; block < 100 + MANY; block++)
                        CHECK(fakeroot_count_writes(rig.f, block) == 1);
                rig_teardown();
        }
}
END_TEST

/* ---- the date ----------------------------------------------------------------------------------------------------- */

/* Six hours ahead, six hours back, whenever anybody looks. */
static int64_t jump(void) {
        static bool ahead;

        ahead = !ahead;
        return (ahead ? 1 : -1) * INT64_C(6) * 3600;
}

START_TEST(date_jumps) {
        rig_date = jump;
        prepare();
        fakeroot_fail_writes(rig.f, 40, EBUSY, 3);
        ck_assert_int_eq(live(), 0);
        RIG_RUN_UNTIL(is_as_wanted());
        rig_settle_adds();
        check_left_alone(0, 0);
        ck_assert_uint_eq(rig_log_count("trying again"), 1);
        rig_stop();
        rig_teardown();
        rig_date = NULL;
}
END_TEST

/* Whoever stops while the kernel is busy waits for a second, not for a date. */
START_TEST(date_jumps_while_it_stops) {
        uint64_t begin;

        rig_date = jump;
        prepare();
        rig_speed = 1;
        ck_assert_int_eq(rig_try_to_start(POLICY), 0);
        rig_settle();
        fakeroot_hold_write(rig.f, 40);
        add_new();
        RIG_RUN_UNTIL(fakeroot_is_held(rig.f));
        begin = rig_now_usec();
        rig_stop();
        ck_assert_uint_ge(rig_now_usec() - begin, 1000000);
        rig_teardown();
        rig_date = NULL;
}
END_TEST

/* ---- no room below /run ------------------------------------------------------------------------------------------- */

static int meet_full_disk(void *userdata) {
        (void) userdata;
        return strcmp(steps_call(), "create") == 0 ? -ENOSPC : 0;
}

static char *read_state(void) {
        char path[512], *text = calloc(1, 4096);
        FILE *f;

        ck_assert_ptr_nonnull(text);
        snprintf(path, sizeof(path), "%s/" STATE, fakeroot_path(rig.f));
        f = fopen(path, "re");
        ck_assert_msg(f && fread(text, 1, 4095, f) > 0, "%s: %s", path, strerror(errno));
        fclose(f);
        return text;
}

/* Memory comes online all the same, what was kept stays, it is said once, and made up for when there is room. */
START_TEST(run_is_full) {
        char *before, *after;

        prepare();
        before = read_state();
        steps_begin(STEPS_ALL, meet_full_disk, NULL);
        ck_assert_int_eq(live(), 0);
        RIG_RUN_UNTIL(rig_log_count("cannot be written: No space left on device") > 0);
        ck_assert(is_as_wanted());
        check_left_alone(0, 0);
        ck_assert_int_eq(fakeroot_set_state(rig.f, 41, "offline"), 0);
        for (unsigned i = 0; i < 100; i++)
                rig_turn();
        after = read_state();
        ck_assert_str_eq(before, after);
        free(after);
        ck_assert_uint_eq(rig_log_count(STATE ": cannot be written"), 1);
        (void) steps_end();
        RIG_RUN_UNTIL(rig_log_count("/run/memhpd can be written again") == 1);
        after = read_state();
        ck_assert_ptr_nonnull(strstr(after, "\nhands-off 41-41 "));
        free(after);
        free(before);
        rig_teardown();
}
END_TEST

int main(void) {
        Suite *s = suite_create("faults");
        TCase *c;
        int r;

        c = check_case(s, "killed");
        tcase_add_test(c, killed_at_every_step);
        c = check_case(s, "errors");
        tcase_add_loop_test(c, every_call_fails_once, 0, is_full() ? (int) N_ERRORS : 2);
        c = check_case(s, "unplugged");
        tcase_add_loop_test(c, memory_goes_between_any_two_steps, 0, sizeof(ranges) / sizeof(*ranges));
        c = check_case(s, "replaced");
        tcase_add_test(c, memory_is_replaced_between_any_two_steps);
        c = check_case(s, "reload");
        tcase_add_loop_test(c, reload_in_the_midst, 0, sizeof(reloads) / sizeof(*reloads));
        c = check_case(s, "date");
        tcase_add_test(c, date_jumps);
        tcase_add_test(c, date_jumps_while_it_stops);
        c = check_case(s, "full");
        tcase_add_test(c, run_is_full);
        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
