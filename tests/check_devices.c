/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager_rig.h"

/* Devices: their blocks go one way, together or not at all; what somebody set offline stays so, whoever starts again; the
 * kernel does it itself, or a device as a whole. The daemon on a machine made of files, as in check_manager.c.
 *
 * Link with fakeroot's flags, -Wl,--wrap=sysfs_write_dax_state and -Wl,--wrap=scan_is_due */

#define AUTO_ONLINE "sys/devices/system/memory/auto_online_blocks"
#define STATE "run/memhpd/state"

/* Once for each start, for instance: from here on. */
static void forget_log(void) {
        ck_assert_int_eq(ftruncate(log_fd, 0), 0);
        ck_assert_int_eq(lseek(log_fd, 0, SEEK_SET), 0);
}

static void reload(const char *policy) {
        fakeroot_write(f, "policy", policy);
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
}

/* All that makes the daemon look again without anything having happened. */
static void look_again(void) {
        fakeroot_overflow(f);
        settle();
        for (size_t i = 0; i < manager_registry(m)->n; i++) {
                uint32_t block = manager_registry(m)->entries[i].block;

                manager_handle_event(m, &(struct uevent) { .type = UEVENT_ADD, .block = block });
                manager_handle_event(m, &(struct uevent) { .type = UEVENT_CHANGED, .block = block });
        }
        settle_adds();
}

/* The write that fakeroot_hold_write() waits for is in the kernel. */
static void wait_held(uint64_t n_writes) {
        RUN_UNTIL(manager_counters(m)->writes == n_writes);
        fakeroot_wait_held(f);
}

static void check_write(size_t i, uint32_t block, const char *word) {
        struct fakeroot_write w = fakeroot_get_write(f, i);

        if (w.block != block || strcmp(w.word, word) != 0)
                ck_abort_msg("write %zu: %s to block %u instead of %s to block %u", i, w.word, w.block, word, block);
}

static void check_decision(uint32_t block, enum action action, enum reason reason) {
        const struct entry *e = registry_find(manager_registry(m), block);

        ck_assert_ptr_nonnull(e);
        ck_assert(e->decided);
        ck_assert_int_eq(e->action, action);
        ck_assert_int_eq(e->reason, reason);
}

static uint32_t add_of(uint32_t block) {
        const struct entry *e = registry_find(manager_registry(m), block);

        ck_assert_ptr_nonnull(e);
        return e->add;
}

/* What the daemon left for the next one. To be freed. */
static char *read_state(void) {
        char path[512], *text = calloc(1, 1 << 16);
        FILE *file;

        ck_assert_ptr_nonnull(text);
        snprintf(path, sizeof(path), "%s/" STATE, fakeroot_path(f));
        file = fopen(path, "re");
        if (file) {
                text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
                fclose(file);
        }
        return text;
}

static bool state_has(const char *part) {
        _cleanup_free_ char *text = read_state();

        return strstr(text, part);
}

#define QUICK "reconcile = \"off\"; retry = { first = \"5ms\"; max = \"5ms\"; attempts = 3; }; "
#define RULE_WITH(name, match, action, more) "{ name = \"" name "\"; match = { " match " }; action = \"" action "\"; " more " }"
#define POLICY(rules) "rules = ( " rules " );\n"
#define MOVABLE QUICK POLICY(RULE_WITH("all", "", "online_movable", ""))
#define ROLLBACK QUICK POLICY(RULE_WITH("all", "", "online_movable", "on_partial = \"rollback\";"))

/* ---- one decision ------------------------------------------------------------------------------------------------- */

/* The last block of the DIMM belongs to two nodes, so that the first rule does not match it. */
#define BY_NODE QUICK POLICY(RULE_WITH("node-1", "node = 1;", "online_movable", "") ", " RULE_WITH("rest", "", "online_kernel", ""))

static void add_spanning_dimm(void) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        fakeroot_add_node(f, 35, 2);
}

START_TEST(device_goes_one_way) {
        if (_i == 0) {
                start(BY_NODE);
                add_spanning_dimm();
        } else {
                add_spanning_dimm(); /* it was there before */
                start(BY_NODE);
        }
        settle_adds();
        check_zone(32, 4, "Movable");
        check_said("PNP0C80:00: 4 blocks 32-35 (512 MiB), node 1: online in Movable by rule \"node-1\"", 1);
        ck_assert_uint_ne(add_of(32), 0);
        ck_assert_uint_eq(add_of(32), add_of(35));
        /* By itself it would go elsewhere. */
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 1, 1);
        fakeroot_add_node(f, 40, 2);
        settle();
        check_zone(40, 1, "Normal");
        ck_assert_uint_eq(add_of(40), add_of(32) + 1);
}
END_TEST

/* Another policy, another way; but still one. */
START_TEST(device_goes_one_way_after_a_reload) {
        start(QUICK POLICY(RULE_WITH("wait", "", "leave_offline", "")));
        add_spanning_dimm();
        settle_adds();
        check_writes(0);
        reload(BY_NODE);
        check_zone(32, 4, "Movable");
}
END_TEST

/* Nothing is decided otherwise, and nothing reported: it ends all the same, and is not open for what comes later. */
START_TEST(reload_that_changes_nothing) {
        uint32_t number;

        start(QUICK POLICY(RULE_WITH("pmem", "source = \"pmem\";", "online", "")));
        add_spanning_dimm();
        settle_adds();
        reload(QUICK POLICY(RULE_WITH("cxl", "source = \"cxl\";", "online", "")));
        settle_adds();
        check_said("left offline: no rule matches", 1);
        number = add_of(35);
        ck_assert_uint_eq(add_of(32), number);
        fakeroot_add_dimm(f, "PNP0C80:00", 36, 1, 1);
        settle_adds();
        ck_assert_uint_eq(add_of(36), number + 1);
}
END_TEST

/* Half of it comes while the rest is being brought online. */
START_TEST(device_that_comes_in_parts) {
        start(BY_NODE);
        fakeroot_hold_write(f, 33);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        wait_held(2);
        fakeroot_add_dimm(f, "PNP0C80:00", 34, 2, 2); /* for which the rest is meant */
        RUN_UNTIL(manager_counters(m)->writes == 4);
        fakeroot_release_write(f);
        settle_adds();
        check_zone(32, 4, "Movable");
        ck_assert_uint_eq(add_of(32), add_of(35));
        /* Once that has ended, what the device brings then is another matter. */
        fakeroot_add_dimm(f, "PNP0C80:00", 36, 2, 2);
        settle();
        check_zone(36, 2, "Normal");
        ck_assert_uint_eq(add_of(36), add_of(32) + 1);
}
END_TEST

/* No name, but neighbours: one. What lies apart, or in another node, is another. */
START_TEST(neighbours_without_a_name) {
        fakeroot_write(f, "sys/bus/vmbus/x", "");
        start(MOVABLE);
        fakeroot_add_driver(f, NULL, 32, 3, 1);
        fakeroot_add_driver(f, NULL, 40, 2, 1);
        fakeroot_add_driver(f, NULL, 42, 2, 2);
        settle();
        check_zone(32, 3, "Movable");
        ck_assert_uint_eq(add_of(32), 1);
        ck_assert_uint_eq(add_of(34), 1);
        ck_assert_uint_eq(add_of(40), 2);
        ck_assert_uint_eq(add_of(41), 2);
        ck_assert_uint_eq(add_of(42), 3);
}
END_TEST

/* The second half cannot go where the first went: a device in two zones is what nobody wants, fallback or not. */
START_TEST(device_that_cannot_go_one_way) {
        start(QUICK POLICY(RULE_WITH("all", "", "online_movable", "fallback = \"online_kernel\";")));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones = "Normal" });
        fakeroot_add_dimm(f, "PNP0C80:00", 34, 2, 1);
        settle_adds();
        check_zone(32, 2, "Movable");
        check_zone(34, 2, "");
        check_decision(34, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE);
        check_said("memhpd: dimm PNP0C80:00: of 4 blocks 2 are online as wanted and 2 are not; it stays so "
                   "(on_partial is \"keep\")\n", 1);
}
END_TEST

/* ---- partial ------------------------------------------------------------------------------------------------------ */

#define KEPT "memhpd: dimm PNP0C80:00: of 4 blocks 3 are online as wanted and 1 are not; it stays so (on_partial is \"keep\")\n"
#define TAKEN_BACK "memhpd: dimm PNP0C80:00: of 4 blocks 3 are online as wanted and 1 are not; taking all of it offline again " \
        "(on_partial is \"rollback\")\n"

/* For good at once, or after all attempts. */
static const struct {
        int error;
        uint32_t times;
        size_t writes;
} failures[] = { { EPERM, 1, 1 }, { EBUSY, 3, 3 } };

START_TEST(partial_keep) {
        start(MOVABLE);
        fakeroot_fail_writes(f, 33, failures[_i].error, failures[_i].times);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        RUN_UNTIL(log_count(KEPT));
        settle_adds();
        check_said(KEPT, 1);
        check_said("of 4 blocks", 1);
        check_zone(32, 1, "Movable");
        check_zone(33, 1, "");
        check_zone(34, 2, "Movable");
        check_writes(3 + failures[_i].writes);
        /* The next look is another try; that it went well is told, and the warning is not repeated. */
        fakeroot_overflow(f);
        settle_adds();
        check_zone(32, 4, "Movable");
        check_said("of 4 blocks", 1);
}
END_TEST

/* Nothing is online, so there is nothing that is only partly so. */
START_TEST(all_failed) {
        start(_i ? ROLLBACK : MOVABLE);
        fakeroot_fail_writes(f, FAKEROOT_ANY_BLOCK, EPERM, 4);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle_adds();
        check_said("of 4 blocks", 0);
        check_writes(4);
        fakeroot_overflow(f);
        settle_adds();
        check_zone(32, 4, "Movable");
}
END_TEST

/* Unplugged, or set offline by somebody, is not failed. */
START_TEST(part_is_gone) {
        start(ROLLBACK);
        if (_i)
                fakeroot_compete_after(f, 33, "offline");
        else
                fakeroot_vanish_before_write(f, 33);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle_adds();
        check_said("of 4 blocks", 0);
        check_zone(32, 1, "Movable");
        check_zone(34, 2, "Movable");
        check_writes(4);
}
END_TEST

static void partly_fail(const char *policy, int error, uint32_t times) {
        start(policy);
        fakeroot_fail_writes(f, 33, error, times);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        RUN_UNTIL(log_count(TAKEN_BACK));
        settle_adds();
}

START_TEST(rollback) {
        size_t n = 3 + failures[_i].writes;

        partly_fail(ROLLBACK, failures[_i].error, failures[_i].times);
        check_said(TAKEN_BACK, 1);
        check_zone(32, 4, "");
        check_writes(n + 3);
        check_write(n, 35, "offline"); /* the last first */
        check_write(n + 1, 34, "offline");
        check_write(n + 2, 32, "offline");
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), failures[_i].writes); /* which was not online */
        for (uint32_t i = 32; i < 36; i++)
                check_decision(i, ACTION_LEAVE_OFFLINE, REASON_ROLLED_BACK);
        ck_assert_uint_eq(manager_counters(m)->offline_time.n, 3);
        check_said("(384 MiB), node 1: taken offline again, as its device could not be had as a whole", 1);
        check_said("taken offline again", 1);
        check_said("\"online_movable\" failed: ", 1);
        check_said("was set offline", 0); /* it was us */
        /* And it stays so, though it would work now … */
        look_again();
        check_writes(n + 3);
        check_said("of 4 blocks", 1);
        /* … until somebody brings it online, or it is plugged anew. */
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        settle_adds();
        check_zone(32, 1, "Normal");
        check_said("lost race", 0);
        fakeroot_remove(f, 32, 4);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle_adds();
        check_zone(32, 4, "Movable");
        check_said("of 4 blocks", 1);
}
END_TEST

/* The very same rule changes nothing. Another one is another try, and if that fails, too, it is taken back again. */
#define OTHER_ROLLBACK QUICK POLICY(RULE_WITH("all", "", "online_kernel", "on_partial = \"rollback\";"))

START_TEST(rollback_and_reload) {
        partly_fail(ROLLBACK, EPERM, 1 + (uint32_t) _i);
        reload(ROLLBACK);
        settle_adds();
        check_writes(7);
        check_zone(32, 4, "");
        reload(OTHER_ROLLBACK);
        settle_adds();
        if (_i) {
                RUN_UNTIL(log_count(TAKEN_BACK) == 2);
                settle_adds();
                check_zone(32, 4, "");
                check_writes(14);
                check_write(11, 35, "offline");
        } else {
                check_zone(32, 4, "Normal");
                check_said(TAKEN_BACK, 1);
        }
}
END_TEST

/* Three of four blocks are online, and the last is at the kernel, which will refuse it. */
static void hold_the_last(void) {
        start(ROLLBACK);
        fakeroot_hold_write(f, 35);
        fakeroot_fail_writes(f, 35, EPERM, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        wait_held(4);
}

/* Of those that are taken back then, from above, the write to 33 is held. */
static void hold_rollback(void) {
        hold_the_last();
        fakeroot_hold_write(f, 33);
        fakeroot_release_write(f);
        RUN_UNTIL(log_count(TAKEN_BACK));
}

/* It is taken back as a whole before it has another try, as one. */
START_TEST(rollback_and_reload_in_the_midst) {
        hold_rollback();
        fakeroot_wait_held(f);
        fakeroot_write(f, "policy", OTHER_ROLLBACK);
        ck_assert_int_eq(manager_reload(m), 0);
        fakeroot_release_write(f);
        RUN_UNTIL(fakeroot_is_online(f, 32) && fakeroot_is_online(f, 33) && fakeroot_is_online(f, 34) && fakeroot_is_online(f, 35));
        settle_adds();
        check_zone(32, 4, "Normal");
        check_said("384 MiB), node 1: taken offline again", 1);
        check_said(TAKEN_BACK, 1);
}
END_TEST

/* The same for a daemon that starts again: it knows what the last one did, until the rule is another one. */
START_TEST(rollback_and_restart) {
        partly_fail(ROLLBACK, EPERM, 1);
        rig_stop();
        start(ROLLBACK);
        settle_adds();
        check_writes(7);
        check_zone(32, 4, "");
        check_said("was set offline", 0);
        if (_i) {
                reload(ROLLBACK);
                settle_adds();
                check_writes(7);
        }
        reload(OTHER_ROLLBACK);
        settle_adds();
        check_zone(32, 4, "Normal");
}
END_TEST

/* It is stopped in the midst of a rollback, or right after a write that nobody took note of: what it set offline itself
 * must not look like an administrator's doing afterwards. */
START_TEST(stopped_while_rolling_back) {
        hold_rollback();
        if (_i)
                RUN_UNTIL(registry_find(manager_registry(m), 34)->state == BLOCK_OFFLINE);
        fakeroot_wait_held(f);
        fakeroot_release_write(f);
        for (uint64_t end = now_usec() + PATIENCE_USEC; fakeroot_is_online(f, 32) && now_usec() < end;)
                usleep(1000); /* without the loop */
        rig_stop();
        check_zone(32, 4, "");
        forget_log();
        start(MOVABLE);
        settle_adds();
        check_said("was set offline", 0);
        reload(QUICK POLICY(RULE_WITH("other", "", "online_movable", "")));
        settle_adds();
        check_zone(32, 4, "Movable");
}
END_TEST

#define GOES_ON "being taken offline when memhpd ended: going on with that"

/* It is stopped while some are online still: whoever starts next takes those offline, too, and then it is as after any rollback. */
START_TEST(rollback_goes_on) {
        hold_rollback();
        fakeroot_wait_held(f);
        rig_stop();
        check_zone(32, 2, "Movable");
        check_zone(34, 2, "");
        forget_log();
        start(ROLLBACK);
        settle_adds();
        check_zone(32, 4, "");
        check_said("2 blocks of a device that could not be had as a whole were " GOES_ON, 1);
        check_said("was set offline", 0);
        look_again();
        check_zone(32, 4, "");
        if (_i) {
                rig_stop();
                forget_log();
                start(ROLLBACK);
                settle_adds();
                check_said(GOES_ON, 0);
                check_zone(32, 4, "");
        }
        reload(OTHER_ROLLBACK);
        settle_adds();
        check_zone(32, 4, "Normal");
}
END_TEST

#define STUCK "1 block 33 (128 MiB), node 1: stays online in Movable: it could not be taken offline again: "

/* The kernel may refuse, or wait for pages that nobody lets go: the others do not wait with it for ever. */
START_TEST(rollback_of_a_stubborn_block) {
        uint64_t began;

        start("offline_timeout = \"1s\"; " ROLLBACK);
        fakeroot_hold_write(f, 35);
        fakeroot_fail_writes(f, 35, EPERM, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        wait_held(4);
        if (_i)
                fakeroot_hold_write(f, 33);
        else
                fakeroot_fail_writes(f, 33, EBUSY, 1);
        fakeroot_release_write(f);
        began = now_usec();
        RUN_UNTIL(fakeroot_count_writes(f, 32) == 2);
        if (_i)
                ck_assert_uint_ge(now_usec() - began, 1000000);
        settle_adds();
        check_zone(32, 1, "");
        check_zone(33, 1, "Movable");
        check_zone(34, 2, "");
        check_said(STUCK, 1);
        check_said(_i ? STUCK "timed out" : STUCK "Device or resource busy", 1);
        check_said("(256 MiB), node 1: taken offline again", 1);
        check_writes(7);
        look_again();
        check_writes(7);
        check_zone(33, 1, "Movable");
}
END_TEST

/* Unplugged while it is taken back. */
START_TEST(rollback_of_what_is_gone) {
        hold_the_last();
        fakeroot_vanish_before_write(f, 33);
        fakeroot_release_write(f);
        RUN_UNTIL(fakeroot_count_writes(f, 32) == 2);
        settle_adds();
        check_zone(32, 1, "");
        check_zone(34, 2, "");
        ck_assert_ptr_null(registry_find(manager_registry(m), 33));
        check_said("stays online", 0);
}
END_TEST

/* Another program was first at one block: ours are taken back, and theirs stays as they made it. */
START_TEST(rollback_after_a_lost_race) {
        start(ROLLBACK);
        fakeroot_compete(f, 33, "online_kernel");
        fakeroot_compete(f, 34, "online_movable"); /* as wanted, but not by us */
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        RUN_UNTIL(log_count(TAKEN_BACK));
        settle_adds();
        check_zone(32, 1, "");
        check_zone(33, 1, "Normal");
        check_zone(34, 1, "Movable");
        check_zone(35, 1, "");
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), 1);
        ck_assert_uint_eq(fakeroot_count_writes(f, 34), 1);
        check_said("lost race", 1);
        look_again();
        check_zone(33, 1, "Normal");
        check_writes(6);
}
END_TEST

/* ---- what outlives the daemon ------------------------------------------------------------------------------------- */

/* It ends well, or is killed: then the file tells what was so at some time before. */
static void end_daemon(bool killed) {
        _cleanup_free_ char *before = NULL;

        if (killed)
                before = read_state();
        rig_stop();
        if (killed)
                fakeroot_write(f, STATE, before);
        forget_log();
}

START_TEST(hands_off_outlives_the_daemon) {
        start(MOVABLE);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle();
        ck_assert_int_eq(fakeroot_set_state(f, 33, "offline"), 0);
        ck_assert_int_eq(fakeroot_set_state(f, 34, "offline"), 0);
        RUN_UNTIL(state_has("hands-off 33-33") && state_has("hands-off 34-34"));
        for (int i = 0; i < 3; i++) { /* as often as you like */
                end_daemon(_i);
                start(MOVABLE);
                settle_adds();
                check_zone(33, 2, "");
                check_decision(33, ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF);
                check_said("2 blocks 33-34 (256 MiB), node 1: was set offline", 1);
                RUN_UNTIL(state_has("hands-off 33-33") && state_has("hands-off 34-34"));
        }
        /* Its neighbour goes; the administrator's word about this one holds. */
        end_daemon(_i);
        fakeroot_remove(f, 34, 2);
        start(MOVABLE);
        settle_adds();
        check_zone(33, 1, "");
        check_writes(4);
        /* Online by hand: no longer theirs to keep offline, and a restart knows. */
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_kernel"), 0);
        RUN_UNTIL(!state_has("hands-off"));
        end_daemon(_i);
        start(MOVABLE);
        settle_adds();
        check_zone(33, 1, "Normal");
        check_said("lost race", 0);
}
END_TEST

/* Set offline while nobody watched; and memory that is not the same is nobody's. */
START_TEST(restart_meets_what_happened) {
        start(MOVABLE);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        fakeroot_add_dimm(f, "PNP0C80:02", 48, 1, 1);
        settle();
        ck_assert_int_eq(fakeroot_set_state(f, 40, "offline"), 0);
        RUN_UNTIL(state_has("hands-off 40-40") && state_has("online 48-48"));
        end_daemon(_i);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "offline"), 0);
        fakeroot_remove(f, 40, 2);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1); /* in the same place */
        fakeroot_remove(f, 48, 1);
        fakeroot_add_dimm(f, "PNP0C80:02", 48, 1, 1);
        fakeroot_add_dimm(f, "PNP0C80:03", 56, 1, 1);
        start(MOVABLE);
        settle_adds();
        check_zone(32, 1, "Movable");
        check_zone(33, 1, "");
        check_decision(33, ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF);
        check_zone(40, 2, "Movable");
        check_zone(48, 1, "Movable");
        check_zone(56, 1, "Movable");
        check_writes(5 + 4);
}
END_TEST

/* What came while it was away was hot-added, though nobody saw it come; what was left offline before was, too. */
START_TEST(restart_knows_what_is_new) {
        if (_i)
                fakeroot_write(f, "sys/bus/vmbus/x", "");
        fakeroot_add_boot(f, 0, 4, 0);
        start(QUICK POLICY(RULE_WITH("wait", "", "leave_offline", "")));
        fakeroot_add_driver(f, NULL, 32, 2, 1);
        settle_adds();
        end_daemon(false);
        fakeroot_add_driver(f, NULL, 40, 2, 1);
        start(QUICK POLICY(RULE_WITH("balloon", "source = [ \"hyperv\", \"unknown\" ];", "online_movable", "") ", "
                          RULE_WITH("boot", "source = \"boot\";", "online_kernel", "")));
        settle_adds();
        ck_assert_int_eq(registry_find(manager_registry(m), 40)->source, _i ? SOURCE_HYPERV : SOURCE_UNKNOWN);
        check_zone(32, 2, "Movable");
        check_zone(40, 2, "Movable");
        check_zone(0, 4, "Normal");
}
END_TEST

#define IGNORE "startup = \"ignore\"; " MOVABLE

/* What was offline before the first start is, and stays, what was offline before the first start. */
START_TEST(startup_over_restarts) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        start(IGNORE);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle();
        for (int i = 0; i < 3; i++) {
                RUN_UNTIL(state_has("startup 32-33") && state_has("online 40-41"));
                end_daemon(_i);
                fakeroot_add_dimm(f, "PNP0C80:02", 48 + (uint32_t) i, 1, 1); /* came while it was away: that is new */
                start(IGNORE);
                settle_adds();
                check_zone(32, 2, "");
                check_decision(32, ACTION_LEAVE_OFFLINE, REASON_STARTUP);
                check_zone(48 + (uint32_t) i, 1, "Movable");
                RUN_UNTIL(state_has("online 48"));
        }
        reload(MOVABLE); /* the setting is what keeps it, nothing else */
        settle_adds();
        check_zone(32, 2, "Movable");
        check_zone(0, 4, "Normal");
}
END_TEST

static const char *const torn[] = {
        "", "memhpd-state 1\n", "memhpd-state 1\nadds 3\nhands-off 32-33 ", "memhpd-state 9\nend\n", "\177ELF",
        "memhpd-state 1\nadds 3\nstartup 32-33 0\nend\nend\n",
};

/* A file that is not what we wrote tells nothing, and nothing is lost for that. */
START_TEST(torn_state) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_write(f, STATE, torn[_i]);
        start(MOVABLE);
        settle_adds();
        check_zone(32, 2, "Movable");
        check_said("torn or not written by memhpd", 1);
        RUN_UNTIL(state_has("online 32-33") && state_has("end\n"));
}
END_TEST

/* It is ours by its form, and says what cannot be. */
START_TEST(hostile_state) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_write(f, STATE, "memhpd-state 1\nadds 4294967295\nhands-off 0-4294967295 0\nend\n");
        start(MOVABLE);
        settle_adds();
        check_zone(32, 2, "Movable");
        ck_assert_uint_ne(add_of(32), 0);
        ck_assert_uint_eq(add_of(32), add_of(33));
}
END_TEST

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

/* They go on over restarts, and only hot-adds have one. */
START_TEST(numbers) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(MOVABLE);
        ck_assert_uint_eq(add_of(0), 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle_adds();
        ck_assert_uint_eq(add_of(33), 1);
        rig_stop();
        start(MOVABLE);
        ck_assert_uint_eq(add_of(33), 0); /* it was online when this one came */
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle_adds();
        ck_assert_uint_eq(add_of(41), 2);
        /* Memory from boot that somebody sets offline was not hot-added by that. */
        ck_assert_int_eq(fakeroot_set_state(f, 3, "offline"), 0);
        settle();
        look_again();
        ck_assert_uint_eq(add_of(3), 0);
        fakeroot_add_dimm(f, "PNP0C80:02", 48, 2, 1);
        settle();
        ck_assert_uint_eq(add_of(49), 3);
}
END_TEST

/* More than are kept: another look at what waits does not make them new. */
START_TEST(numbers_of_many) {
        enum { N = 100 };
        char device[32];

        start(QUICK POLICY(RULE_WITH("wait", "", "leave_offline", "")));
        for (uint32_t i = 0; i < N; i++) {
                snprintf(device, sizeof(device), "PNP0C80:%02x", i);
                fakeroot_add_dimm(f, device, 100 + 4 * i, 2, 1);
        }
        settle_adds();
        for (int round = 0; round < 2; round++) {
                for (uint32_t i = 0; i < N; i++)
                        ck_assert_uint_eq(add_of(101 + 4 * i), i + 1);
                look_again();
        }
}
END_TEST

/* ---- the kernel does it ------------------------------------------------------------------------------------------- */

#define DELEGATE "kernel_auto_online = \"delegate\"; "

START_TEST(delegated) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(DELEGATE MOVABLE);
        check_said("auto_online_blocks was \"offline\" and is \"online_movable\" while memhpd runs", 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle_adds();
        check_zone(32, 4, "Movable");
        check_writes(0);
        check_said("dimm PNP0C80:00: 4 blocks 32-35 (512 MiB), node 1: online in Movable as rule \"all\" (", 1);
        check_said(" wants, by the kernel, to which it is delegated\n", 1);
        check_said("another program", 0);
        ck_assert_uint_eq(manager_counters(m)->lost_races, 0);
        /* Where the kernel did not get it done, the daemon does. */
        fakeroot_write(f, AUTO_ONLINE, "offline\n");
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle_adds();
        check_zone(40, 2, "Movable");
        check_writes(2);
        /* And another program is another program. */
        fakeroot_write(f, AUTO_ONLINE, "online_kernel\n");
        fakeroot_add_dimm(f, "PNP0C80:02", 48, 2, 1);
        settle_adds();
        check_zone(48, 2, "Normal");
        check_said("lost race", 1);
}
END_TEST

START_TEST(not_delegated_any_more) {
        start(DELEGATE MOVABLE);
        reload(MOVABLE);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle_adds();
        check_writes(2);
        check_zone(32, 2, "Movable");
        fakeroot_write(f, AUTO_ONLINE, "online_movable\n"); /* by somebody else */
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle_adds();
        check_writes(2);
        check_said("though another program was first", 1);
        check_said("delegated\n", 0);
}
END_TEST

/* ---- dax devices as a whole --------------------------------------------------------------------------------------- */

START_TEST(dax_as_a_whole) {
        size_t n;

        fakeroot_add_dax_state(f, "dax0.0", 0);
        if (_i) {
                fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
                start(MOVABLE);
        } else {
                start(MOVABLE);
                fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        }
        settle_adds();
        check_zone(32, 4, "Movable");
        ck_assert_uint_ge(fakeroot_count_dax_writes(f, "online_movable"), 1);
        check_writes(0); /* not block by block */
        check_said("another program", 0);
        /* Those that were online before it came to them are reported with the others. */
        if (!_i)
                check_said("pmem dax0.0: 4 blocks 32-35 (512 MiB), node 1: online in Movable by rule \"all\"", 1);
        /* A device without is served as ever, and a DIMM has none, whatever it is called. */
        n = fakeroot_count_dax_writes(f, "online_movable");
        fakeroot_add_kmem(f, "dax1.0", "CXL Window 0", 48, 2, 1);
        fakeroot_add_dimm(f, "dax0.0", 56, 1, 1);
        settle_adds();
        check_zone(48, 2, "Movable");
        check_zone(56, 1, "Movable");
        check_writes(3);
        ck_assert_uint_eq(fakeroot_count_dax_writes(f, "online_movable"), n);
}
END_TEST

/* The kernel will have it unplugged first, or does not want at all: block by block. */
static const int refusals[] = { EBUSY, EINVAL, EROFS, ENXIO };

START_TEST(dax_block_by_block) {
        start(MOVABLE);
        fakeroot_add_dax_state(f, "dax0.0", refusals[_i]);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        settle_adds();
        ck_assert_uint_ge(fakeroot_count_dax_writes(f, "online_movable"), 1);
        check_zone(32, 4, "Movable");
        check_writes(4);
        check_write(0, 32, "online_movable");
        check_said("pmem dax0.0: 4 blocks 32-35 (512 MiB), node 1: online in Movable by rule \"all\"", 1);
        check_said("failed", 0);
        check_said("another program", 0);
        /* So what somebody else brings online of it is not our doing. */
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 48, 1, 1);
        ck_assert_int_eq(fakeroot_set_state(f, 48, "online_movable"), 0);
        settle_adds();
        check_said("another program", 1);
}
END_TEST

/* One block of it was somebody's: theirs stays, and the rest is ours. */
START_TEST(dax_partly_taken) {
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_kernel"), 0);
        fakeroot_add_dax_state(f, "dax0.0", 0);
        start(MOVABLE);
        settle_adds();
        check_zone(32, 1, "Movable");
        check_zone(33, 1, "Normal");
        check_zone(34, 2, "Movable");
        check_writes(0);
}
END_TEST

/* Offline it goes block by block: the device's "unplugged" would take the blocks away altogether. And the device still says
 * "online_movable" then, where writing that again does nothing. */
START_TEST(dax_rolled_back) {
        start(ROLLBACK);
        fakeroot_add_dax_state(f, "dax0.0", EBUSY);
        fakeroot_fail_writes(f, 33, EPERM, 1);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        RUN_UNTIL(log_count("pmem dax0.0: of 4 blocks 3 are online as wanted and 1 are not; taking all"));
        settle_adds();
        check_zone(32, 4, "");
        check_writes(7);
        ck_assert_uint_eq(fakeroot_count_dax_writes(f, "offline"), 0);
        ck_assert_uint_eq(fakeroot_count_dax_writes(f, "unplugged"), 0);
}
END_TEST

/* All but the first are met when the first has brought them online. */
START_TEST(dax_met_online) {
        struct uevent e;

        start(MOVABLE);
        fakeroot_add_dax_state(f, "dax0.0", 0);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        ck_assert(fakeroot_take_event(f, &e));
        fakeroot_drop_events(f);
        manager_handle_event(m, &e);
        RUN_UNTIL(fakeroot_is_online(f, 35));
        for (e.block = 33; e.block < 36; e.block++)
                manager_handle_event(m, &e);
        settle_adds();
        check_writes(0);
        check_said("another program", 0);
        ck_assert_uint_eq(manager_counters(m)->onlined, 4);
        ck_assert_uint_eq(add_of(32), add_of(35));
        /* What another program does with another device is its own. */
        fakeroot_add_kmem(f, "dax1.0", "Persistent Memory", 48, 1, 1);
        ck_assert_int_eq(fakeroot_set_state(f, 48, "online_movable"), 0);
        settle_adds();
        check_said("another program", 1);
}
END_TEST

START_TEST(dax_set_offline_and_replugged) {
        start(MOVABLE);
        fakeroot_add_dax_state(f, "dax0.0", 0);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        settle_adds();
        check_writes(0);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "offline"), 0);
        settle_adds();
        look_again();
        check_zone(33, 1, "");
        fakeroot_remove(f, 32, 4);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 1);
        settle_adds();
        check_zone(32, 4, "Movable"); /* by the blocks, since the device says it is so already */
        check_said("another program", 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("devices");
        TCase *c;
        int r;

        c = check_case_in(s, "one decision", rig_setup, rig_teardown);
        tcase_add_loop_test(c, device_goes_one_way, 0, 2);
        tcase_add_test(c, device_goes_one_way_after_a_reload);
        tcase_add_test(c, reload_that_changes_nothing);
        tcase_add_test(c, device_that_comes_in_parts);
        tcase_add_test(c, neighbours_without_a_name);
        tcase_add_test(c, device_that_cannot_go_one_way);
        c = check_case_in(s, "partial", rig_setup, rig_teardown);
        tcase_add_loop_test(c, partial_keep, 0, ARRAY_SIZE(failures));
        tcase_add_loop_test(c, all_failed, 0, 2);
        tcase_add_loop_test(c, part_is_gone, 0, 2);
        c = check_case_in(s, "rollback", rig_setup, rig_teardown);
        tcase_add_loop_test(c, rollback, 0, ARRAY_SIZE(failures));
        tcase_add_loop_test(c, rollback_and_reload, 0, 2);
        tcase_add_test(c, rollback_and_reload_in_the_midst);
        tcase_add_loop_test(c, rollback_and_restart, 0, 2);
        tcase_add_loop_test(c, stopped_while_rolling_back, 0, 2);
        tcase_add_loop_test(c, rollback_goes_on, 0, 2);
        tcase_add_loop_test(c, rollback_of_a_stubborn_block, 0, 2);
        tcase_add_test(c, rollback_of_what_is_gone);
        tcase_add_test(c, rollback_after_a_lost_race);
        c = check_case_in(s, "restart", rig_setup, rig_teardown);
        tcase_add_loop_test(c, hands_off_outlives_the_daemon, 0, 2);
        tcase_add_loop_test(c, restart_meets_what_happened, 0, 2);
        tcase_add_loop_test(c, restart_knows_what_is_new, 0, 2);
        tcase_add_loop_test(c, startup_over_restarts, 0, 2);
        tcase_add_loop_test(c, torn_state, 0, ARRAY_SIZE(torn));
        tcase_add_test(c, hostile_state);
        c = check_case_in(s, "numbers", rig_setup, rig_teardown);
        tcase_add_test(c, numbers);
        tcase_add_test(c, numbers_of_many);
        c = check_case_in(s, "delegate", rig_setup, rig_teardown);
        tcase_add_test(c, delegated);
        tcase_add_test(c, not_delegated_any_more);
        c = check_case_in(s, "dax", rig_setup, rig_teardown);
        tcase_add_loop_test(c, dax_as_a_whole, 0, 2);
        tcase_add_loop_test(c, dax_block_by_block, 0, ARRAY_SIZE(refusals));
        tcase_add_test(c, dax_partly_taken);
        tcase_add_test(c, dax_rolled_back);
        tcase_add_test(c, dax_met_online);
        tcase_add_test(c, dax_set_offline_and_replugged);

        unsetenv("JOURNAL_STREAM");
        unsetenv("NOTIFY_SOCKET");
        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
