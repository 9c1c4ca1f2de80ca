/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager.h"

#include "check_util.h"
#include "manager_rig.h"

/* Memory that is to go offline: which of it, is there room for what is in it, and why it stays. On a machine made of files. */

#define KEEP QUIET RULES(LAST("dimms", "source = \"dimm\";", "online_movable"))
#define BLOCK_PAGES 32768u

static int ask(struct job_request request, const char *selector, struct job **ret) {
        struct selector s;
        char error[SELECTOR_ERROR_MAX];
        int r;

        ck_assert_int_eq(selector_parse(selector, &s, error), 0);
        request.kind = JOB_OFFLINE;
        request.action = ACTION_LEAVE_OFFLINE;
        request.selector = &s;
        request.text = selector;
        r = manager_add_job(m, &request, ret);
        selector_done(&s);
        return r;
}

static struct job *take_offline(struct job_request request, const char *selector) {
        struct job *j;

        ck_assert_int_eq(ask(request, selector, &j), 0);
        return j;
}

static void run(const struct job *j) {
        RUN_UNTIL(job_is_over(j) && manager_is_idle(m) && !fakeroot_has_events(f));
}

static void check_job(const struct job *j, enum job_state state, size_t n_done, size_t n_failed) {
        ck_assert_msg(j->state == state && j->n_done == n_done && j->n_failed == n_failed,
                      "%s, %zu done, %zu failed (%s); log:\n%s", job_state_to_string(j->state), j->n_done, j->n_failed, j->message,
                      log_text());
}

/* The candidates as "41! 40! 39? x7": chosen with their device, chosen, a spare, not tried. */
static const char *candidates(const struct job *j) {
        static char text[512];
        const struct candidate *c;
        size_t n;

        c = manager_job_candidates(m, j, &n);
        ck_assert_ptr_nonnull(c);
        text[0] = '\0';
        for (size_t i = 0; i < n; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%u%s", i ? " " : "",
                         c[i].choice == CHOICE_FIXED ? "x" : "", c[i].block,
                         c[i].choice == CHOICE_DEVICE ? "!" : c[i].choice == CHOICE_SPARE ? "?" : "");
        return text;
}

/* Node 0's Normal and node 1's Movable, with so many pages free. */
static void set_free(uint64_t normal, uint64_t movable) {
        char text[2048];

        snprintf(text, sizeof(text),
                 "Node 0, zone   Normal\n  pages free     %lu\n        min      0\n        low      0\n        high     0\n"
                 "        spanned  131072\n        present  131072\n        managed  131072\n        cma      0\n"
                 "        protection: (0, 0)\n      nr_free_pages %lu\n  pagesets\n  start_pfn:           0\n"
                 "Node 0, zone  Movable\n  pages free     0\n        min      0\n        low      0\n        high     0\n"
                 "        spanned  0\n        present  0\n        managed  0\n        cma      0\n        protection: (0, 0)\n"
                 "Node 1, zone   Normal\n  pages free     0\n        min      0\n        low      0\n        high     0\n"
                 "        spanned  0\n        present  0\n        managed  0\n        cma      0\n        protection: (0, 0)\n"
                 "Node 1, zone  Movable\n  pages free     %lu\n        min      0\n        low      0\n        high     0\n"
                 "        spanned  262144\n        present  262144\n        managed  262144\n        cma      0\n"
                 "        protection: (0, 0)\n      nr_free_pages %lu\n  pagesets\n  start_pfn:           0\n",
                 normal, normal, movable, movable);
        fakeroot_write(f, "proc/zoneinfo", text);
}

/* Boot memory, a DIMM of four blocks and one of two, all online, the DIMMs in Movable on node 1. */
static void two_dimms(void) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        for (uint32_t block = 0; block < 4; block++)
                fakeroot_set_pages(f, block, 0, 0, 1);
        for (uint32_t block = 32; block < 36; block++)
                fakeroot_set_pages(f, block, 0, 0, 0);
        for (uint32_t block = 40; block < 42; block++)
                fakeroot_set_pages(f, block, 0, 0, 0);
        start(KEEP);
        check_zone(32, 4, "Movable");
        check_zone(40, 2, "Movable");
        check_writes(6);
}

/* ---- an amount ---------------------------------------------------------------------------------------------------- */

START_TEST(a_whole_device) {
        struct job *j;

        two_dimms();
        fakeroot_set_pages(f, 40, 9000, 0, 0); /* it fits, so it goes, though others are emptier */
        j = take_offline((struct job_request) { .wanted = 2 }, "all");
        run(j);
        check_job(j, JOB_DONE, 2, 0);
        check_written(6, "41 offline, 40 offline");
        ck_assert_str_eq(candidates(j), "41! 40! 35? 34? 33? 32? x3 x2 x1 x0");
        RUN_UNTIL(log_count("job 1: offline all: done: of 2 blocks 2 are as asked for, 0 failed"));
}
END_TEST

START_TEST(the_emptiest) {
        struct job *j;

        two_dimms();
        fakeroot_set_pages(f, 41, 9000, 0, 0);
        fakeroot_set_pages(f, 40, 9000, 0, 0);
        fakeroot_set_pages(f, 35, 5000, 0, 0);
        j = take_offline((struct job_request) { .wanted = 3 }, "device:PNP0C80:00");
        run(j);
        check_job(j, JOB_DONE, 3, 0);
        check_written(6, "34 offline, 33 offline, 32 offline");
}
END_TEST

/* A block that cannot be had has others behind it. */
START_TEST(spares) {
        struct job *j;

        two_dimms();
        fakeroot_fail_writes(f, 41, EBUSY, FAKEROOT_FOREVER);
        j = take_offline((struct job_request) { .wanted = 2 }, "all");
        run(j);
        check_job(j, JOB_DONE, 2, 1);
        check_written(6, "41 offline, 40 offline, 35 offline");

        /* The next time, it is the last to be tried. */
        j = take_offline((struct job_request) { .wanted = 4 }, "all");
        run(j);
        check_job(j, JOB_PARTIAL, 3, 1);
        check_written(9, "34 offline, 33 offline, 32 offline, 41 offline");
}
END_TEST

START_TEST(all_or_nothing) {
        struct job *j;

        two_dimms();
        fakeroot_fail_writes(f, 35, EBUSY, FAKEROOT_FOREVER);
        fakeroot_fail_writes(f, 32, EBUSY, FAKEROOT_FOREVER);
        j = take_offline((struct job_request) { .wanted = 3, .all_or_nothing = true }, "all");
        run(j);
        check_job(j, JOB_DONE, 3, 1); /* a spare makes up for it */
        check_written(6, "41 offline, 40 offline, 35 offline, 34 offline");
        j = take_offline((struct job_request) { .wanted = 2, .all_or_nothing = true }, "node:1");
        run(j);
        check_job(j, JOB_FAILED, 0, 2);
        check_written(10, "33 offline, 32 offline, 35 offline, 33 online_movable");
}
END_TEST

START_TEST(more_than_there_is) {
        struct job *j;

        two_dimms();
        j = take_offline((struct job_request) { .wanted = 9, .all_or_nothing = true }, "all");
        run(j);
        check_job(j, JOB_FAILED, 0, 0);
        check_writes(6);
        ck_assert_str_eq(j->message, "of 9 blocks that are wanted, only 6 can be expected to go offline");
        j = take_offline((struct job_request) { .wanted = 9 }, "all");
        run(j);
        check_job(j, JOB_PARTIAL, 6, 0);
        j = take_offline((struct job_request) { .wanted = 1 }, "all");
        run(j);
        check_job(j, JOB_FAILED, 0, 0);
        ck_assert_str_eq(j->message, "none of the 4 online blocks can be expected to go offline");
        check_writes(12);
        ck_assert_int_eq(ask((struct job_request) { .wanted = 1 }, "device:PNP0C80:00", &j), -ENOENT); /* nothing is online */
}
END_TEST

START_TEST(only_some) {
        struct job *j;

        two_dimms();
        j = take_offline((struct job_request) { .wanted = 1, .device = "PNP0C80:00" }, "all");
        run(j);
        check_written(6, "35 offline");
        j = take_offline((struct job_request) { .wanted = 1, .sources = SOURCE_BIT(SOURCE_DIMM), .on_node = true, .node = 1 }, "32-33");
        run(j);
        check_written(7, "33 offline");
        ck_assert_int_eq(ask((struct job_request) { .on_node = true, .node = 7 }, "all", &j), -ENOENT);
        ck_assert_int_eq(ask((struct job_request) { .sources = SOURCE_BIT(SOURCE_CXL) }, "all", &j), -ENOENT);
        ck_assert_int_eq(ask((struct job_request) { .device = "PNP0C80:02" }, "all", &j), -ENOENT);
        j = take_offline((struct job_request) { .device = "PNP0C80:01" }, "all");
        run(j);
        check_written(8, "41 offline, 40 offline");
}
END_TEST

/* Nobody can look: by zone and address alone. */
START_TEST(without_page_flags) {
        struct job *j;

        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        start(KEEP);
        j = take_offline((struct job_request) { .wanted = 3 }, "all");
        run(j);
        check_job(j, JOB_DONE, 3, 0);
        check_written(2, "33 offline, 32 offline, 3 offline");
}
END_TEST

/* ---- a dry run ---------------------------------------------------------------------------------------------------- */

START_TEST(dry_run) {
        struct job *j, *other;
        size_t n;

        two_dimms();
        fakeroot_set_pages(f, 35, 100, 0, 0);
        j = take_offline((struct job_request) { .wanted = 1, .dry_run = true }, "all");
        ck_assert_ptr_null(manager_job_candidates(m, j, &n));
        run(j);
        check_job(j, JOB_DONE, 0, 0);
        ck_assert_str_eq(j->message, "");
        check_writes(6);
        ck_assert_str_eq(candidates(j), "41 40? 34? 33? 32? 35? x3 x2 x1 x0");
        check_said("job 1", 0); /* nothing happened */

        /* What was seen of one job is forgotten with the next. */
        other = take_offline((struct job_request) { .dry_run = true }, "33,35");
        run(other);
        ck_assert_str_eq(candidates(other), "35 33");
        ck_assert_ptr_null(manager_job_candidates(m, j, &n));
}
END_TEST

/* It does not wait for the jobs before it. */
START_TEST(dry_run_meanwhile) {
        struct job *j, *dry;

        two_dimms();
        fakeroot_hold_write(f, 35);
        j = take_offline((struct job_request) {}, "35");
        RUN_UNTIL(fakeroot_is_held(f));
        dry = take_offline((struct job_request) { .wanted = 1, .dry_run = true }, "all");
        RUN_UNTIL(job_is_over(dry));
        check_job(j, JOB_RUNNING, 0, 0);
        fakeroot_release_write(f);
        run(j);
        check_job(j, JOB_DONE, 1, 0);
}
END_TEST

START_TEST(cancelled_before_it_began) {
        struct job *j, *dry;

        two_dimms();
        j = take_offline((struct job_request) {}, "35");
        dry = take_offline((struct job_request) { .dry_run = true }, "35");
        manager_cancel_job(m, j);
        manager_cancel_job(m, dry);
        run(j);
        check_job(j, JOB_CANCELLED, 0, 0);
        check_job(dry, JOB_CANCELLED, 0, 0);
        check_writes(6);
}
END_TEST

/* ---- room --------------------------------------------------------------------------------------------------------- */

START_TEST(no_room) {
        struct job *j;

        two_dimms();
        fakeroot_set_pages(f, 40, 300, 0, 0);
        fakeroot_set_pages(f, 41, 213, 5000, 0);
        set_free(512, 100000);
        j = take_offline((struct job_request) {}, "40-41"); /* 513 pages, and 512 free where they may go */
        run(j);
        check_job(j, JOB_FAILED, 0, 0);
        check_writes(6);
        check_zone(40, 2, "Movable");
        ck_assert_ptr_nonnull(strstr(j->message, "there is no room: 2 MiB would have to move, and the zones of the nodes other than 1 "
                                     "have room for 2 MiB"));
        RUN_UNTIL(log_count("job 1: offline 40-41: failed: of 2 blocks 0 are as asked for, 0 failed; there is no room"));

        /* A dry run says so. */
        j = take_offline((struct job_request) { .dry_run = true }, "40-41");
        run(j);
        check_job(j, JOB_DONE, 0, 0);
        ck_assert_ptr_nonnull(strstr(j->message, "there is no room"));

        j = take_offline((struct job_request) { .force = true }, "40-41");
        run(j);
        check_job(j, JOB_DONE, 2, 0);
}
END_TEST

START_TEST(just_enough_room) {
        struct job *j;

        two_dimms();
        fakeroot_set_pages(f, 40, 300, 0, 0);
        fakeroot_set_pages(f, 41, 212, 5000, 0);
        set_free(512, 100000);
        j = take_offline((struct job_request) {}, "40-41");
        run(j);
        check_job(j, JOB_DONE, 2, 0);
}
END_TEST

/* Only what is chosen counts. */
START_TEST(room_for_an_amount) {
        struct job *j;

        two_dimms();
        for (uint32_t block = 32; block < 36; block++)
                fakeroot_set_pages(f, block, 20000, 0, 0);
        set_free(100, 100000);
        j = take_offline((struct job_request) { .wanted = 2 }, "all");
        run(j);
        check_job(j, JOB_DONE, 2, 0);
        check_written(6, "41 offline, 40 offline");
        j = take_offline((struct job_request) { .wanted = 1 }, "all");
        run(j);
        check_job(j, JOB_FAILED, 0, 0);
        check_writes(8);
}
END_TEST

/* Others take it meanwhile: the job ends before the block that has none any more. */
START_TEST(room_goes) {
        struct job *j;

        two_dimms();
        for (uint32_t block = 32; block < 36; block++)
                fakeroot_set_pages(f, block, 100, 0, 0);
        set_free(10000, 100000);
        fakeroot_hold_write(f, 34);
        j = take_offline((struct job_request) {}, "32-35");
        RUN_UNTIL(fakeroot_is_held(f));
        set_free(50, 100000);
        fakeroot_release_write(f);
        run(j);
        check_job(j, JOB_PARTIAL, 2, 1);
        check_written(6, "35 offline, 34 offline");
        ck_assert_ptr_nonnull(strstr(j->message, "there is no room"));
        ck_assert_ptr_nonnull(strstr(job_why(j, 33), "there is no room"));
        ck_assert_str_eq(job_why(j, 34), "");
        RUN_UNTIL(log_count("stays online in Movable: somebody asked to take it offline: Cannot allocate memory: there is no room"));
}
END_TEST

START_TEST(room_goes_and_all_is_undone) {
        struct job *j;

        two_dimms();
        for (uint32_t block = 32; block < 36; block++)
                fakeroot_set_pages(f, block, 100, 0, 0);
        set_free(10000, 100000);
        fakeroot_hold_write(f, 34);
        j = take_offline((struct job_request) { .all_or_nothing = true }, "device:PNP0C80:00");
        RUN_UNTIL(fakeroot_is_held(f));
        set_free(50, 100000);
        fakeroot_release_write(f);
        run(j);
        check_job(j, JOB_FAILED, 0, 1);
        check_zone(32, 4, "Movable");
}
END_TEST

/* Without figures nobody is kept from anything. */
START_TEST(room_unknown) {
        struct job *j;

        two_dimms();
        fakeroot_set_pages(f, 40, BLOCK_PAGES, 0, 0);
        fakeroot_write(f, "proc/zoneinfo", "Node 0, zone   Normal\n  nonsense\n");
        j = take_offline((struct job_request) {}, "40");
        run(j);
        check_job(j, JOB_DONE, 1, 0);
}
END_TEST

/* ---- why it stays -------------------------------------------------------------------------------------------------- */

/* As Linux 6.1 prints it. The log's clock is far ahead of ours, so that nothing in it is from before. */
#define KERNEL_SAYS(pfn, what)                                                                                          \
        "4,1,999999999999,-;page:00000000c6d8a2a4 refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:" pfn "\n"     \
        "4,2,999999999999,-;flags: 0x17ffffc0000200(slab|node=1|zone=2|lastcpupid=0x1fffff)\n"                              \
        "4,3,999999999999,-;raw: 0017ffffc0000000 0000000000000000 dead000000000122 0000000000000000\n"                     \
        "4,4,999999999999,-;page dumped because: " what "\n"

START_TEST(the_kernels_reason) {
        const struct history *h;
        struct job *j;

        /* Of block 33, one page before it and one behind it; and a page of it that is dumped for another reason. */
        fakeroot_write(f, "dev/kmsg", KERNEL_SAYS("0x107fff", "unmovable page") KERNEL_SAYS("0x108123", "unmovable page")
                                      KERNEL_SAYS("0x108124", "bad page") KERNEL_SAYS("0x110000", "migration failure"));
        two_dimms();
        fakeroot_fail_writes(f, 33, EBUSY, FAKEROOT_FOREVER);
        fakeroot_fail_writes(f, 35, EBUSY, FAKEROOT_FOREVER);
        j = take_offline((struct job_request) {}, "33,35");
        run(j);
        check_job(j, JOB_FAILED, 0, 2);
        ck_assert_str_eq(job_why(j, 33), "page 0x108123 cannot be moved (the kernel: unmovable page; flags slab)");
        ck_assert_str_eq(job_why(j, 35), ""); /* of which it said nothing */
        RUN_UNTIL(log_count("1 block 33 (128 MiB), node 1: stays online in Movable: somebody asked to take it offline: Device or "
                            "resource busy: page 0x108123 cannot be moved (the kernel: unmovable page; flags slab)"));
        RUN_UNTIL(log_count("1 block 35 (128 MiB), node 1: stays online in Movable: somebody asked to take it offline: Device or "
                            "resource busy\n"));
        h = manager_history(m);
        ck_assert_str_eq(history_find_block(h, 33)->why, "page 0x108123 cannot be moved (the kernel: unmovable page; flags slab)");
        ck_assert_str_eq(history_find_block(h, 35)->why, "");
}
END_TEST

/* What was said of the same page long ago is of another attempt. */
START_TEST(an_old_reason) {
        struct job *j;

        fakeroot_write(f, "dev/kmsg", "4,1,5,-;page:0 refcount:1 mapcount:0 mapping:0 index:0x0 pfn:0x108123\n"
                                      "4,4,5,-;page dumped because: unmovable page\n");
        two_dimms();
        fakeroot_fail_writes(f, 33, EBUSY, FAKEROOT_FOREVER);
        j = take_offline((struct job_request) {}, "33");
        run(j);
        ck_assert_str_eq(job_why(j, 33), "");
}
END_TEST

/* The same goes for a device that memhpd itself takes back. */
START_TEST(reason_of_a_rollback) {
        fakeroot_write(f, "dev/kmsg", KERNEL_SAYS("0x100001", "migration failure"));
        fakeroot_add_boot(f, 0, 4, 0);
        start("retry = { first = \"1ms\"; max = \"1ms\"; attempts = 1; }; " QUIET
              RULES("{ name = \"dimms\"; match = { }; action = \"online_movable\"; on_partial = \"rollback\"; }"));
        fakeroot_hold_write(f, 33);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        RUN_UNTIL(fakeroot_is_held(f)); /* 32 is online */
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_kernel"), 0);
        fakeroot_fail_writes(f, 32, EBUSY, FAKEROOT_FOREVER);
        fakeroot_release_write(f);
        RUN_UNTIL(log_count("could not be taken offline again: Device or resource busy: page 0x100001 could not be moved (the kernel: "
                            "migration failure; flags slab)"));
}
END_TEST

/* ---- meanwhile ----------------------------------------------------------------------------------------------------- */

/* Memory that comes is brought online before the next block goes offline. */
START_TEST(hot_add_in_between) {
        struct job *j;

        two_dimms();
        fakeroot_hold_write(f, 35);
        j = take_offline((struct job_request) {}, "32-35");
        RUN_UNTIL(fakeroot_is_held(f));
        fakeroot_add_dimm(f, "PNP0C80:02", 50, 3, 1);
        RUN_UNTIL(!fakeroot_has_events(f));
        fakeroot_release_write(f);
        run(j);
        check_job(j, JOB_DONE, 4, 0);
        check_written(6, "35 offline, 50 online_movable, 51 online_movable, 52 online_movable, 34 offline, 33 offline, 32 offline");
}
END_TEST

int main(void) {
        Suite *s = suite_create("manager_look");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "amount", rig_setup, rig_teardown);
        tcase_add_test(c, a_whole_device);
        tcase_add_test(c, the_emptiest);
        tcase_add_test(c, spares);
        tcase_add_test(c, all_or_nothing);
        tcase_add_test(c, more_than_there_is);
        tcase_add_test(c, only_some);
        tcase_add_test(c, without_page_flags);
        c = check_case_in(s, "dry", rig_setup, rig_teardown);
        tcase_add_test(c, dry_run);
        tcase_add_test(c, dry_run_meanwhile);
        tcase_add_test(c, cancelled_before_it_began);
        c = check_case_in(s, "room", rig_setup, rig_teardown);
        tcase_add_test(c, no_room);
        tcase_add_test(c, just_enough_room);
        tcase_add_test(c, room_for_an_amount);
        tcase_add_test(c, room_goes);
        tcase_add_test(c, room_goes_and_all_is_undone);
        tcase_add_test(c, room_unknown);
        c = check_case_in(s, "why", rig_setup, rig_teardown);
        tcase_add_test(c, the_kernels_reason);
        tcase_add_test(c, an_old_reason);
        tcase_add_test(c, reason_of_a_rollback);
        c = check_case_in(s, "meanwhile", rig_setup, rig_teardown);
        tcase_add_test(c, hot_add_in_between);
        r = check_run(s);
        fakeroot_end();
        return r;
}
