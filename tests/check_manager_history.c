/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager.h"

#include "check_util.h"
#include "host/rundir.h"
#include "manager_rig.h"

/* What was decided is kept: over restarts, however they come, and with what it rests on. */

#define POLICY QUIET RULES(RULE("pmem", "source = \"pmem\";", "leave_offline") LAST("dimms", "node = \"1\"; source = \"dimm\";", "online_movable"))
#define HISTORY "/run/memhpd/" RUNDIR_HISTORY

/* The file as it is now. */
static bool read_kept(struct history *ret) {
        char path[600], *text;
        unsigned line;
        long size;
        FILE *file;
        int r;

        snprintf(path, sizeof(path), "%s" HISTORY, fakeroot_path(f));
        file = fopen(path, "re");
        if (!file)
                return false;
        ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
        size = ftell(file);
        rewind(file);
        text = malloc((size_t) size + 1);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(fread(text, 1, (size_t) size, file), (size_t) size);
        fclose(file);
        r = history_parse(text, (size_t) size, ret, &line);
        ck_assert_msg(r == 0, "line %u of:\n%.*s", line, (int) size, text);
        free(text);
        return true;
}

static bool is_kept(uint64_t id) {
        static struct history kept;

        return read_kept(&kept) && kept.last_id == id;
}

static void check_dimm(uint32_t block, uint64_t id) {
        const struct report *r = history_find_decision(manager_history(m), block);

        ck_assert(r && r->id == id);
        ck_assert_str_eq(r->blocks, "32-35");
        ck_assert_str_eq(r->rule, "dimms");
        ck_assert_str_eq(r->file, config);
        ck_assert_uint_eq(r->line, 3);
        ck_assert_int_eq(r->outcome, OUTCOME_DONE);
        ck_assert_int_eq(r->zone, ZONE_MOVABLE);
        ck_assert(r->basis.known);
        ck_assert_uint_eq(r->basis.start, 32 * FAKEROOT_BLOCK_SIZE);
        ck_assert_uint_eq(r->basis.device_size, 4 * FAKEROOT_BLOCK_SIZE);
        ck_assert_uint_eq(r->basis.conditions, MATCH_BIT(MATCH_SOURCE) | MATCH_BIT(MATCH_NODE));
        ck_assert_uint_eq(r->basis.n_passed, 1);
        ck_assert(strncmp(r->basis.passed, "source 2 pmem\t", strlen("source 2 pmem\t")) == 0);
        ck_assert_str_eq(r->basis.evidence, "firmware node PNP0C80:00");
}

START_TEST(survives_a_restart) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        start(POLICY);
        RUN_UNTIL(manager_history(m)->n == 1);
        check_dimm(33, 1);
        rig_stop();
        start(POLICY);
        check_dimm(33, 1);
        fakeroot_remove(f, 32, 4);
        RUN_UNTIL(manager_history(m)->n == 2);
        ck_assert_int_eq(history_find_block(manager_history(m), 33)->kind, REPORT_REMOVED);
        rig_stop();
        start(POLICY);
        check_dimm(33, 1); /* though it is gone */
        ck_assert_uint_eq(manager_history(m)->last_id, 2);
}
END_TEST

/* Whoever is killed has written it before. */
START_TEST(survives_a_kill) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(POLICY);
        for (uint32_t i = 0; i < 3; i++) {
                fakeroot_add_dimm(f, "PNP0C80:00", 32 + i, 1, 1);
                RUN_UNTIL(manager_history(m)->last_id == 2 * i + 1);
                RUN_UNTIL(is_kept(2 * i + 1));
                fakeroot_remove(f, 32 + i, 1);
                RUN_UNTIL(is_kept(2 * i + 2));
        }
}
END_TEST

START_TEST(torn) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_write(f, "run/memhpd/" RUNDIR_HISTORY, "memhpd-history 1\nreport 1 2 onli");
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        start(POLICY);
        check_said("/run/memhpd/" RUNDIR_HISTORY ":2: not used: torn or not written by memhpd", 1);
        RUN_UNTIL(manager_history(m)->n == 1);
        check_dimm(35, 1);
        rig_stop();
        ck_assert(is_kept(1));
}
END_TEST

/* A rule that another policy has not got, and figures that are others by now. */
START_TEST(of_another_policy) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        start(POLICY);
        RUN_UNTIL(manager_history(m)->n == 1);
        fakeroot_write(f, "policy", QUIET RULES(LAST("other", "", "online_kernel")));
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        check_dimm(32, 1);
        ck_assert_int_eq(entry_of(32)->rule, -1);
}
END_TEST

/* Blocks of a device that came in parts go by different rules, and each report tells its own. */
START_TEST(each_its_own) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(QUIET RULES(RULE("low", "address = \"0-5G\";", "online_movable") LAST("high", "address = \"5G-\";", "balance")));
        fakeroot_add_virtio_mem(f, "virtio0", 36, 2, 0);
        settle();
        fakeroot_add_virtio_mem(f, "virtio1", 80, 2, 0);
        settle();
        RUN_UNTIL(manager_history(m)->n == 2);
        ck_assert_str_eq(history_find_decision(manager_history(m), 36)->rule, "low");
        ck_assert_uint_eq(history_find_decision(manager_history(m), 36)->basis.n_passed, 0);
        ck_assert_str_eq(history_find_decision(manager_history(m), 81)->rule, "high");
        ck_assert_uint_eq(history_find_decision(manager_history(m), 81)->basis.n_passed, 1);
        ck_assert_uint_eq(history_find_decision(manager_history(m), 81)->basis.conditions, MATCH_BIT(MATCH_ADDRESS));
}
END_TEST

/* Others were first, or somebody asked: no rule decided, and none is told; where one did, it is. */
START_TEST(others) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_compete(f, 32, "online_kernel");
        start(POLICY);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        RUN_UNTIL(manager_history(m)->n == 1);
        ck_assert_int_eq(history_get(manager_history(m), 0)->kind, REPORT_LOST_RACE);
        ck_assert(history_get(manager_history(m), 0)->basis.known);
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0);
        RUN_UNTIL(manager_history(m)->n == 2);
        ck_assert_int_eq(history_get(manager_history(m), 1)->kind, REPORT_CHANGED);
        ck_assert(!history_get(manager_history(m), 1)->basis.known);
        fakeroot_remove(f, 32, 1);
        RUN_UNTIL(manager_history(m)->n == 3);
        ck_assert(!history_get(manager_history(m), 2)->basis.known);
}
END_TEST

int main(void) {
        Suite *s = suite_create("manager-history");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "history", rig_setup, rig_teardown);
        tcase_add_test(c, survives_a_restart);
        tcase_add_test(c, survives_a_kill);
        tcase_add_test(c, torn);
        tcase_add_test(c, of_another_policy);
        tcase_add_test(c, each_its_own);
        tcase_add_test(c, others);
        r = check_run(s);
        fakeroot_end();
        return r;
}
