/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/apply.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check_util.h"
#include "fakeroot.h"

#define PATIENCE_MSEC 60000 /* what should happen, happens far sooner */

static struct fakeroot *f;
static struct sysfs *fs;
static struct apply *a;

static void setup(void) {
        f = fakeroot_new(0);
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        ck_assert_int_eq(apply_new(fs, &a), 0);
}

static void teardown(void) {
        apply_free(a);
        sysfs_close(fs);
        f = fakeroot_free(f);
}

static void submit(uint32_t block, enum action action) {
        const struct apply_job job = { .block = block, .action = action };

        ck_assert_int_eq(apply_submit(a, &job), 0);
}

static bool is_readable(int timeout_msec) {
        struct pollfd p = { .fd = apply_fd(a), .events = POLLIN };
        int r = poll(&p, 1, timeout_msec);

        ck_assert_int_ge(r, 0);
        return r > 0;
}

/* As the event loop does it: wait for the descriptor, then take one. */
static struct apply_result take(void) {
        struct apply_result result;

        memset(&result, 0xa5, sizeof(result));
        ck_assert_msg(is_readable(PATIENCE_MSEC), "no result comes");
        ck_assert(apply_take(a, &result));
        return result;
}

static uint64_t now_msec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

/* ---- what is written, and what is made of it --------------------------------------------------------------------- */

static const struct {
        enum action action;
        const char *word;
        enum zone zone;
} words[] = {
        { ACTION_ONLINE, "online", ZONE_NORMAL },
        { ACTION_ONLINE_KERNEL, "online_kernel", ZONE_NORMAL },
        { ACTION_ONLINE_MOVABLE, "online_movable", ZONE_MOVABLE },
};

START_TEST(write_is_judged_done) {
        struct apply_result result;
        struct fakeroot_write w;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 0);
        submit(33, words[_i].action);
        result = take();
        ck_assert_uint_eq(result.block, 33);
        ck_assert_int_eq(result.action, words[_i].action);
        ck_assert_int_eq(result.outcome, OUTCOME_DONE);
        ck_assert_int_eq(result.error, 0);
        ck_assert_int_eq(result.state, BLOCK_ONLINE);
        ck_assert(result.zones_known);
        ck_assert_uint_eq(result.zones, ZONE_BIT(words[_i].zone));
        ck_assert_uint_eq(fakeroot_n_writes(f), 1);
        w = fakeroot_get_write(f, 0);
        ck_assert_uint_eq(w.block, 33);
        ck_assert_str_eq(w.word, words[_i].word);
        ck_assert(!fakeroot_is_online(f, 32));
}
END_TEST

static const struct {
        int error;
        enum outcome outcome;
} errors[] = {
        { EBUSY, OUTCOME_BUSY },   { EAGAIN, OUTCOME_BUSY },  { EINTR, OUTCOME_BUSY },     { ENOMEM, OUTCOME_BUSY },
        { EIO, OUTCOME_BUSY },     { EINVAL, OUTCOME_FAILED }, { EPERM, OUTCOME_FAILED }, { EACCES, OUTCOME_FAILED },
        { EHWPOISON, OUTCOME_FAILED }, { EROFS, OUTCOME_FAILED },
};

START_TEST(errors_are_judged) {
        struct apply_result result;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_fail_writes(f, 32, errors[_i].error, 1);
        submit(32, ACTION_ONLINE_MOVABLE);
        result = take();
        ck_assert_int_eq(result.outcome, errors[_i].outcome);
        ck_assert_int_eq(result.error, -errors[_i].error);
        ck_assert_int_eq(result.state, BLOCK_OFFLINE);
        ck_assert_uint_eq(result.zones, 0);
        /* The writer is none the worse for it. */
        submit(32, ACTION_ONLINE_MOVABLE);
        ck_assert_int_eq(take().outcome, OUTCOME_DONE);
        ck_assert_str_eq(fakeroot_zone(f, 32), "Movable");
}
END_TEST

static const struct {
        const char *theirs;
        enum action ours;
        enum outcome outcome;
        enum zone zone;
} races[] = {
        { "online_movable", ACTION_ONLINE_MOVABLE, OUTCOME_ALREADY, ZONE_MOVABLE },
        { "online_kernel", ACTION_ONLINE_MOVABLE, OUTCOME_WRONG_ZONE, ZONE_NORMAL },
        { "online", ACTION_ONLINE_KERNEL, OUTCOME_ALREADY, ZONE_NORMAL },
        { "online_movable", ACTION_ONLINE_KERNEL, OUTCOME_WRONG_ZONE, ZONE_MOVABLE },
        { "online_movable", ACTION_ONLINE, OUTCOME_ALREADY, ZONE_MOVABLE },
        { "online_kernel", ACTION_ONLINE, OUTCOME_ALREADY, ZONE_NORMAL },
};

START_TEST(races_are_judged) {
        struct apply_result result;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_compete(f, 32, races[_i].theirs);
        submit(32, races[_i].ours);
        result = take();
        ck_assert_int_eq(result.outcome, races[_i].outcome);
        ck_assert_int_eq(result.error, -EINVAL);
        ck_assert_int_eq(result.state, BLOCK_ONLINE);
        ck_assert_uint_eq(result.zones, ZONE_BIT(races[_i].zone));
        ck_assert_uint_eq(fakeroot_n_writes(f), 1); /* it stays as it is */
        ck_assert_str_eq(fakeroot_zone(f, 32), zone_to_string(races[_i].zone));
}
END_TEST

/* The error is not the last word: the block is. */
START_TEST(error_and_yet_online) {
        struct apply_result result;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_fail_writes(f, 32, EBUSY, 1);
        fakeroot_compete_after(f, 32, "online_movable");
        submit(32, ACTION_ONLINE_MOVABLE);
        result = take();
        ck_assert_int_eq(result.outcome, OUTCOME_ALREADY);
        ck_assert_int_eq(result.error, -EBUSY);
}
END_TEST

START_TEST(online_without_valid_zones) {
        struct apply_result result;

        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones_hidden = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        submit(32, ACTION_ONLINE_MOVABLE);
        result = take();
        ck_assert_int_eq(result.outcome, OUTCOME_DONE);
        ck_assert(!result.zones_known);
        ck_assert_uint_eq(result.zones, 0);
}
END_TEST

/* Gone before, gone under the write with what the kernel answers then, gone after. */
START_TEST(block_vanishes) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        if (_i == 0)
                fakeroot_remove(f, 32, 1);
        if (_i == 1)
                fakeroot_vanish_before_write(f, 32);
        if (_i == 2)
                fakeroot_fail_writes(f, 32, ENODEV, 1);
        if (_i >= 2)
                fakeroot_vanish_after_write(f, 32);
        submit(32, ACTION_ONLINE_MOVABLE);
        ck_assert_int_eq(take().outcome, OUTCOME_GONE);
}
END_TEST

/* ---- many -------------------------------------------------------------------------------------------------------- */

#define MANY 10000

START_TEST(results_come_in_order) {
        struct apply_result result;
        uint32_t next = 0;

        fakeroot_add_dimm(f, "PNP0C80:00", 100, MANY, 0);
        for (uint32_t i = 0; i < MANY; i++)
                submit(100 + i, i % 3 ? ACTION_ONLINE_MOVABLE : ACTION_ONLINE_KERNEL);
        /* Taken in gulps, as the loop does. */
        while (next < MANY) {
                ck_assert_msg(is_readable(PATIENCE_MSEC), "stopped after %u", next);
                for (int i = 0; i < 512 && apply_take(a, &result); i++) {
                        ck_assert_uint_eq(result.block, 100 + next);
                        ck_assert_int_eq(result.outcome, OUTCOME_DONE);
                        next++;
                }
        }
        ck_assert_uint_eq(apply_pending(a), 0);
        ck_assert(!is_readable(0));
        ck_assert_uint_eq(fakeroot_n_writes(f), MANY);
        for (uint32_t i = 0; i < MANY; i++) {
                struct fakeroot_write w = fakeroot_get_write(f, i);

                ck_assert_uint_eq(w.block, 100 + i);
                ck_assert_str_eq(w.word, i % 3 ? "online_movable" : "online_kernel");
        }
}
END_TEST

START_TEST(jobs_come_while_others_are_under_way) {
        uint32_t taken = 0;

        fakeroot_add_dimm(f, "PNP0C80:00", 0, 2000, 0);
        for (uint32_t i = 0; i < 2000; i++) {
                struct apply_result result;

                submit(i, ACTION_ONLINE_MOVABLE);
                while (i % 7 == 0 && apply_take(a, &result))
                        ck_assert_uint_eq(result.block, taken++);
        }
        while (taken < 2000)
                ck_assert_uint_eq(take().block, taken++);
        ck_assert_uint_eq(fakeroot_n_writes(f), 2000);
}
END_TEST

/* ---- counting and waking ----------------------------------------------------------------------------------------- */

START_TEST(nothing_is_pending_at_first) {
        struct apply_result result;

        ck_assert_uint_eq(apply_pending(a), 0);
        ck_assert(!is_readable(0));
        ck_assert(!apply_take(a, &result));
        ck_assert(!is_readable(0));
}
END_TEST

START_TEST(pending_until_taken) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 0);
        fakeroot_hold_write(f, 33);
        for (uint32_t i = 32; i < 35; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        ck_assert_uint_eq(apply_pending(a), 3);
        fakeroot_wait_held(f);
        ck_assert(is_readable(PATIENCE_MSEC)); /* the first is done, the second in the kernel */
        ck_assert_uint_eq(apply_pending(a), 3);
        ck_assert_uint_eq(take().block, 32);
        ck_assert_uint_eq(apply_pending(a), 2);
        ck_assert(!is_readable(0));
        fakeroot_release_write(f);
        ck_assert_uint_eq(take().block, 33);
        ck_assert_uint_eq(take().block, 34);
        ck_assert_uint_eq(apply_pending(a), 0);
        ck_assert(!is_readable(0));
}
END_TEST

START_TEST(readable_while_results_wait) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 0);
        for (uint32_t i = 32; i < 35; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        for (uint64_t end = now_msec() + PATIENCE_MSEC; fakeroot_n_writes(f) < 3 && now_msec() < end;)
                usleep(1000);
        for (size_t left = 3; left > 0; left--) {
                ck_assert(is_readable(PATIENCE_MSEC));
                (void) take();
                ck_assert_uint_eq(apply_pending(a), left - 1);
        }
        ck_assert(!is_readable(0));
        submit(32, ACTION_ONLINE_MOVABLE);
        ck_assert_int_eq(take().outcome, OUTCOME_ALREADY);
}
END_TEST

/* One waits at the kernel, one for it, one is done: neither is heard of again. */
START_TEST(cancelled_is_not_heard_of) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 5, 0);
        fakeroot_hold_write(f, 33);
        for (uint32_t i = 32; i < 37; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        fakeroot_wait_held(f);
        ck_assert(is_readable(PATIENCE_MSEC));
        apply_cancel(a, 32);
        ck_assert(!is_readable(0));
        apply_cancel(a, 33);
        apply_cancel(a, 35);
        apply_cancel(a, 99);
        ck_assert_uint_eq(apply_pending(a), 2);
        submit(33, ACTION_ONLINE_KERNEL); /* another block in the same place */
        fakeroot_release_write(f);
        ck_assert_uint_eq(take().block, 34);
        ck_assert_uint_eq(take().block, 36);
        ck_assert_int_eq(take().action, ACTION_ONLINE_KERNEL);
        ck_assert_uint_eq(apply_pending(a), 0);
        ck_assert(!is_readable(0));
        ck_assert(!fakeroot_is_online(f, 35));
        ck_assert_uint_eq(fakeroot_count_writes(f, 35), 0);
}
END_TEST

/* What is given back has to wait, even when the kernel is at it; and it has its turn again. */
START_TEST(preempted) {
        const struct timespec moment = { .tv_nsec = 10000000 };

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 0);
        for (uint32_t i = 32; i < 34; i++) {
                ck_assert_int_eq(fakeroot_set_state(f, i, "online_movable"), 0);
                fakeroot_hold_write(f, i);
        }
        ck_assert(!apply_preempt(a));
        submit(32, ACTION_LEAVE_OFFLINE);
        submit(33, ACTION_LEAVE_OFFLINE);
        fakeroot_wait_held(f);
        ck_assert(!apply_preempt(a)); /* nothing waits for it but its like */
        submit(34, ACTION_ONLINE_MOVABLE);
        submit(35, ACTION_ONLINE_MOVABLE);
        while (apply_preempt(a))
                (void) nanosleep(&moment, NULL);
        ck_assert_uint_eq(take().block, 34);
        ck_assert_uint_eq(take().block, 35);
        fakeroot_wait_held(f); /* the second one now */
        apply_interrupt(a);
        while (!is_readable(10)) /* for good */
                apply_interrupt(a);
        ck_assert_int_eq(take().error, -EINTR);
        ck_assert_int_eq(take().error, 0);
        ck_assert(!fakeroot_is_online(f, 32) && fakeroot_is_online(f, 33));
        ck_assert_uint_eq(apply_pending(a), 0);
}
END_TEST

START_TEST(write_time_is_the_kernels) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_set_write_time(f, 20000);
        submit(32, ACTION_ONLINE_MOVABLE);
        ck_assert_uint_ge(take().write_usec, 20000);
}
END_TEST

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void end(void) {
        apply_free(a);
        a = NULL;
}

START_TEST(free_without_a_job) {
        apply_free(NULL);
        end();
}
END_TEST

START_TEST(free_drops_what_waits) {
        uint64_t start;

        fakeroot_add_dimm(f, "PNP0C80:00", 0, 5000, 0);
        fakeroot_set_write_time(f, 20000); /* 100 s in all */
        for (uint32_t i = 0; i < 5000; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        start = now_msec();
        end();
        ck_assert_uint_lt(now_msec() - start, 30000);
        ck_assert_uint_lt(fakeroot_n_writes(f), 2500);
}
END_TEST

/* What is under way is finished: it takes less than a second, so nobody interrupts it. */
START_TEST(free_finishes_the_write) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 0);
        fakeroot_set_write_time(f, 200000);
        submit(32, ACTION_ONLINE_MOVABLE);
        submit(33, ACTION_ONLINE_MOVABLE);
        (void) take();
        end();
        ck_assert_str_eq(fakeroot_zone(f, 32), "Movable");
        for (size_t i = 0; i < fakeroot_n_writes(f); i++)
                ck_assert_int_eq(fakeroot_get_write(f, i).result, 0);
}
END_TEST

START_TEST(free_interrupts_what_does_not_end) {
        uint64_t start;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 0);
        fakeroot_hold_write(f, 33);
        for (uint32_t i = 32; i < 35; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        fakeroot_wait_held(f);
        start = now_msec();
        end();
        ck_assert_uint_ge(now_msec() - start, 900); /* it was given its second */
        ck_assert_uint_lt(now_msec() - start, 30000);
        ck_assert_uint_eq(fakeroot_n_writes(f), 2);
        ck_assert_int_eq(fakeroot_get_write(f, 1).result, -EINTR);
        ck_assert(!fakeroot_is_online(f, 33));
        ck_assert(!fakeroot_is_online(f, 34));
}
END_TEST

/* The daemon's signals are the event loop's. */
START_TEST(signals_stay_with_the_loop) {
        sigset_t set;
        int sig;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_hold_write(f, 32);
        submit(32, ACTION_ONLINE_MOVABLE);
        fakeroot_wait_held(f);
        ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
        ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
        ck_assert_int_eq(sigwait(&set, &sig), 0);
        ck_assert_int_eq(sigwait(&set, &sig), 0);
        fakeroot_release_write(f);
        ck_assert_int_eq(take().outcome, OUTCOME_DONE); /* not interrupted */
}
END_TEST

/* ---- files are opened before their turn -------------------------------------------------------------------------- */

static size_t count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/* Done, cancelled while waiting, cancelled when done, vanished, left behind: no descriptor stays, and few are open at a time. */
START_TEST(descriptors_are_closed) {
        size_t before = count_fds();

        fakeroot_add_dimm(f, "PNP0C80:00", 0, 100, 0);
        fakeroot_hold_write(f, 0);
        for (uint32_t i = 0; i < 100; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        fakeroot_wait_held(f);
        ck_assert_uint_gt(count_fds(), before);
        ck_assert_uint_le(count_fds(), before + 16);
        for (uint32_t i = 1; i < 20; i++)
                apply_cancel(a, i);
        fakeroot_release_write(f);
        for (uint32_t i = 20; i < 90; i++)
                (void) take();
        for (uint32_t i = 90; i < 95; i++)
                apply_cancel(a, i);
        while (apply_pending(a) > 0)
                (void) take();
        ck_assert_uint_eq(count_fds(), before);
        for (uint32_t i = 0; i < 100; i++)
                submit(i, ACTION_ONLINE_MOVABLE);
        apply_free(a);
        a = NULL;
        ck_assert_uint_lt(count_fds(), before);
        ck_assert_int_eq(apply_new(fs, &a), 0);
}
END_TEST

/* Nobody plays the kernel here (another name of the root): what is written is in the file, and nothing else. */
START_TEST(what_was_opened_is_written) {
        char path[512], text[32];
        struct sysfs *plain;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 40, 0);
        for (uint32_t i = 32; i < 72; i++) /* a file of its own for each */
                fakeroot_write_block(f, i, "state", "a word that is long\n");
        snprintf(path, sizeof(path), "%s/.", fakeroot_path(f));
        ck_assert_int_eq(sysfs_open(path, &plain), 0);
        apply_free(a);
        ck_assert_int_eq(apply_new(plain, &a), 0);
        for (uint32_t i = 32; i < 72; i++)
                submit(i, i % 2 ? ACTION_ONLINE : ACTION_ONLINE_MOVABLE);
        while (apply_pending(a) > 0)
                (void) take();
        apply_free(a);
        a = NULL;
        sysfs_close(plain);
        for (uint32_t i = 32; i < 72; i++) {
                FILE *file;

                snprintf(path, sizeof(path), "%s/%s", fakeroot_path(f), fakeroot_block_path(i, "state"));
                file = fopen(path, "re");
                ck_assert_ptr_nonnull(file);
                ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
                fclose(file);
                ck_assert_str_eq(text, i % 2 ? "online" : "online_movable");
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("apply");
        TCase *c;
        int r;

        c = check_case_in(s, "judging", setup, teardown);
        tcase_add_loop_test(c, write_is_judged_done, 0, ARRAY_SIZE(words));
        tcase_add_loop_test(c, errors_are_judged, 0, ARRAY_SIZE(errors));
        tcase_add_loop_test(c, races_are_judged, 0, ARRAY_SIZE(races));
        tcase_add_test(c, error_and_yet_online);
        tcase_add_test(c, online_without_valid_zones);
        tcase_add_loop_test(c, block_vanishes, 0, 4);
        c = check_case_in(s, "many", setup, teardown);
        tcase_add_test(c, results_come_in_order);
        tcase_add_test(c, jobs_come_while_others_are_under_way);
        c = check_case_in(s, "pending", setup, teardown);
        tcase_add_test(c, nothing_is_pending_at_first);
        tcase_add_test(c, pending_until_taken);
        tcase_add_test(c, readable_while_results_wait);
        tcase_add_test(c, cancelled_is_not_heard_of);
        tcase_add_test(c, preempted);
        tcase_add_test(c, write_time_is_the_kernels);
        c = check_case_in(s, "ahead", setup, teardown);
        tcase_add_test(c, descriptors_are_closed);
        tcase_add_test(c, what_was_opened_is_written);
        c = check_case_in(s, "free", setup, teardown);
        tcase_add_test(c, free_without_a_job);
        tcase_add_test(c, free_drops_what_waits);
        tcase_add_test(c, free_finishes_the_write);
        tcase_add_test(c, free_interrupts_what_does_not_end);
        tcase_add_test(c, signals_stay_with_the_loop);

        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
