/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager_rig.h"

#include <inttypes.h>

#include "host/hold-file.h"
#include "host/rundir.h"

/* The pipeline, from an event to what is written and told. Only that waits had their least length is ever checked.
 *
 * Link with fakeroot's flags and -Wl,--wrap=scan_is_due */

#define MEMORY_DIR "sys/devices/system/memory/"

/* The line as people read it, exactly once. */
static void _printf_(1, 2) check_line(const char *format, ...) {
        char text[1024], line[1100];
        unsigned n;
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        snprintf(line, sizeof(line), "memhpd: %s\n", text);
        n = log_count(line);
        ck_assert_msg(n == 1, "%u times instead of once: %sin:\n%s", n, line, log_text());
}

static void check_no_line(const char *part) {
        ck_assert_msg(log_count(part) == 0, "\"%s\" in:\n%s", part, log_text());
}

/* For what must not happen. */
static void run_for(uint64_t usec) {
        uint64_t end = now_usec() + usec;

        for (uint64_t now; (now = now_usec()) < end;)
                ck_assert_int_ge(sd_event_run(event, end - now), 0);
}

/* In the loop, so many milliseconds from now. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        void (*act)(void) = userdata;

        (void) source, (void) usec;
        act();
        return 0;
}

static void act_later(unsigned msec, void (*act)(void)) {
        ck_assert_int_ge(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, msec * 1000, 1, on_time, (void *) act), 0);
}

static void send_event(enum uevent_type type, uint32_t block) {
        manager_handle_event(m, &(struct uevent) { .type = type, .block = block });
}

#define RETRY(first, max, attempts) \
        QUIET "retry = { first = \"" first "\"; max = \"" max "\"; attempts = " attempts "; }; "
#define DIMMS QUIET RULES(LAST("dimms", "source = \"dimm\";", "online_movable"))

static void use_policy(const char *text) {
        fakeroot_write(f, "policy", text);
}

static void check_write(size_t i, uint32_t block, const char *word) {
        struct fakeroot_write w = fakeroot_get_write(f, i);

        if (w.block != block || strcmp(w.word, word) != 0)
                ck_abort_msg("write %zu: %s to block %u instead of %s to block %u", i, w.word, w.block, word, block);
}

static void check_outcome(uint32_t block, enum outcome outcome) {
        const struct entry *e = entry_of(block);

        ck_assert_ptr_nonnull(e);
        ck_assert_msg(e->outcome == outcome, "block %u: %s instead of %s", block,
                      outcome_to_string((enum outcome) e->outcome), outcome_to_string(outcome));
}

static void check_decision(uint32_t block, enum action action, enum reason reason) {
        const struct entry *e = entry_of(block);

        ck_assert_ptr_nonnull(e);
        ck_assert(e->decided);
        ck_assert_int_eq(e->action, action);
        ck_assert_int_eq(e->reason, reason);
}

/* One after the other, but for the second, which leaves a hole in the zone until the rest is online. */
static void check_burst(uint32_t first, uint32_t n) {
        check_writes(n);
        check_write(0, first, "online_movable");
        for (uint32_t i = 2; i < n; i++)
                check_write(i - 1, first + i, "online_movable");
        check_write(n - 1, first + 1, "online_movable");
        check_zone(first, n, "Movable");
}

/* ---- the start --------------------------------------------------------------------------------------------------- */

#define ALL_MOVABLE QUIET RULES(LAST("all", "", "online_movable"))

START_TEST(boot_memory_is_left_alone) {
        fakeroot_add_boot(f, 0, 12, 0);
        fakeroot_add_boot(f, 16, 4, 1);
        start(ALL_MOVABLE);
        check_writes(0);
        check_zone(0, 12, "Normal");
        check_line("ready: 16 blocks of 128 MiB: 16 online, 0 offline; 1 rules");
        check_no_line("lost race");
        check_no_line("boot");
        ck_assert_uint_eq(manager_registry(m)->n, 16);
        ck_assert_int_eq(entry_of(0)->source, SOURCE_BOOT);
        ck_assert_int_eq(entry_of(19)->node, 1);
        ck_assert(entry_of(19)->at_startup);
}
END_TEST

/* udev replays "add" for all there is while the daemon may be starting. */
START_TEST(old_blocks_are_old_whatever_events_come) {
        fakeroot_add_boot(f, 0, 200, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 300, 4, 0);
        use_policy(QUIET "startup = \"ignore\"; " RULES(LAST("all", "", "online_movable")));
        fakeroot_drop_events(f);
        start_without_running();
        for (uint32_t i = 0; i < 200; i++)
                send_event(i % 2 ? UEVENT_ADD : UEVENT_CHANGED, i);
        for (uint32_t i = 300; i < 304; i++)
                send_event(UEVENT_ADD, i);
        /* Now and in the midst of the first scan. */
        for (int i = 0; i < 8 && !manager_is_idle(m); i++) {
                ck_assert_int_ge(sd_event_run(event, 1000), 0);
                send_event(UEVENT_ADD, 199);
                send_event(UEVENT_ADD, 303);
        }
        settle();
        check_writes(0);
        check_no_line("lost race");
        check_no_line("another program");
        check_zone(300, 4, "");
        ck_assert_int_eq(entry_of(7)->source, SOURCE_BOOT);
        ck_assert_int_eq(entry_of(199)->source, SOURCE_BOOT);
        check_decision(303, ACTION_LEAVE_OFFLINE, REASON_STARTUP);
}
END_TEST

START_TEST(coldplug_brings_online) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_kernel"), 0); /* before our time: not our business */
        start(DIMMS);
        check_writes(7);
        check_zone(32, 1, "Movable");
        check_zone(33, 1, "Normal");
        check_zone(34, 6, "Movable");
        check_zone(0, 4, "Normal");
        check_line("dimm PNP0C80:00: 7 blocks 32,34-39 (896 MiB), node 1: online in Movable by rule \"dimms\" (%s:2)", config);
        check_no_line("lost race");
        ck_assert_uint_eq(manager_counters(m)->onlined, 7);
}
END_TEST

START_TEST(startup_ignore) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        start(QUIET "startup = \"ignore\"; " RULES(LAST("dimms", "source = \"dimm\";", "online_movable")));
        check_writes(0);
        check_line("dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1: left offline: it was offline at the start, "
                   "and startup is \"ignore\"");
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle();
        check_writes(2);
        check_zone(40, 2, "Movable");
        check_zone(32, 8, "");
        fakeroot_overflow(f);
        settle();
        check_writes(2);
        /* Somebody does it by hand: nobody has lost a race. */
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        settle();
        check_no_line("lost race");
        ck_assert_uint_eq(manager_counters(m)->lost_races, 0);
}
END_TEST

START_TEST(no_memory_at_all) {
        start(DIMMS);
        check_line("ready: 0 blocks of 128 MiB: 0 online, 0 offline; 1 rules");
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        settle();
        check_zone(32, 1, "Movable");
}
END_TEST

static void expect_refusal(int error) {
        const struct manager_options options = { .root = fakeroot_path(f), .config = config };

        ck_assert_int_eq(manager_new(event, &options, &m), error);
        ck_assert_ptr_null(m);
}

START_TEST(start_is_refused) {
        use_policy("version = 1;\nrules = ( { name = \"x\"; action = \"explode\"; },\n{ } );\nfoo = 1;\n");
        expect_refusal(-EBADMSG);
        check_line("%s:2: action: \"explode\" is not an action; known are leave_offline, online, online_kernel, "
                   "online_movable, balance", config);
        check_line("%s:3: rule \"rule-2\" has no action", config);
        ck_assert_uint_eq(log_count(":4: the file: \"foo\" is not a key"), 1);
        use_policy(DIMMS);
        fakeroot_unlink(f, MEMORY_DIR "block_size_bytes");
        expect_refusal(-EOPNOTSUPP);
        check_line("cannot use the memory blocks of %s: this kernel has none (CONFIG_MEMORY_HOTPLUG)", fakeroot_path(f));
        fakeroot_write(f, MEMORY_DIR "block_size_bytes", "lots\n");
        expect_refusal(-EIO); /* and not -EBADMSG, which is the policy's */
}
END_TEST

static void check_auto_online(const char *word) {
        char path[512], text[64] = "";
        FILE *file;

        snprintf(path, sizeof(path), "%s/" MEMORY_DIR "auto_online_blocks", fakeroot_path(f));
        file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
        fclose(file);
        text[strcspn(text, "\n")] = '\0';
        ck_assert_str_eq(text, word);
}

/* The kernel's own auto-online steps aside, and is back afterwards. */
START_TEST(rival_in_the_kernel) {
        fakeroot_write(f, MEMORY_DIR "auto_online_blocks", "online_movable\n");
        start(DIMMS);
        check_line("auto_online_blocks was \"online_movable\" and is \"offline\" while memhpd runs");
        check_auto_online("offline");
        rig_stop();
        check_auto_online("online_movable");
        start("kernel_auto_online = \"keep\"; " DIMMS);
        check_auto_online("online_movable");
        check_line("the kernel itself brings new blocks online (auto_online_blocks is \"online_movable\", and "
                   "kernel_auto_online is \"keep\"): the policy comes too late for them");
        rig_stop();
        check_auto_online("online_movable");
}
END_TEST

/* ---- hot-add ----------------------------------------------------------------------------------------------------- */

static const struct {
        const char *action, *zone;
} actions[] = {
        { "online", "Normal" },
        { "online_kernel", "Normal" },
        { "online_movable", "Movable" },
};

START_TEST(add_goes_where_the_policy_says) {
        char policy[256];

        snprintf(policy, sizeof(policy), QUIET RULES("{ name = \"all\"; match = { }; action = \"%s\"; }"),
                 actions[_i].action);
        fakeroot_add_boot(f, 0, 4, 0);
        start(policy);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        settle();
        check_writes(8);
        for (uint32_t i = 0; i < 8; i++) {
                check_write(i, 32 + i, actions[_i].action);
                check_outcome(32 + i, OUTCOME_DONE);
        }
        check_zone(32, 8, actions[_i].zone);
        /* One line for the device. */
        check_line("dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1: online in %s by rule \"all\" (%s:2)", actions[_i].zone,
                   config);
        ck_assert_uint_eq(log_count("PNP0C80:00"), 1);
        ck_assert_uint_eq(manager_counters(m)->writes, 8);
        ck_assert_uint_eq(manager_counters(m)->onlined, 8);
        ck_assert_uint_eq(manager_counters(m)->failed + manager_counters(m)->lost_races, 0);
        ck_assert_uint_eq(manager_counters(m)->events, 16); /* the kernel told of each twice */
}
END_TEST

/* What only tells people something is read once for memory that was added together. */
START_TEST(removable_is_that_of_the_neighbour) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        fakeroot_write_block(f, 32, "removable", "1\n");
        fakeroot_write_block(f, 33, "removable", "0\n");
        settle();
        for (uint32_t i = 32; i < 35; i++)
                ck_assert(entry_of(i)->removable_known && entry_of(i)->removable);
        for (uint32_t i = 40; i < 42; i++)
                ck_assert(entry_of(i)->removable_known && !entry_of(i)->removable);
}
END_TEST

START_TEST(rules_by_source_and_node) {
        start(QUIET RULES(RULE("device-memory", "source = [ \"pmem\", \"cxl\", \"hmem\", \"dax\" ];", "leave_offline")
                          RULE("far", "source = \"dimm\"; node = \"2-3\";", "online_kernel")
                          RULE("dimms", "source = \"dimm\";", "online_movable")
                          LAST("virtual", "source = \"virtio-mem\";", "online")));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 34, 2, 2);
        fakeroot_add_virtio_mem(f, "virtio0", 48, 2, 2);
        settle(); /* what is known of the machine by then, is not all there will be */
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 2, 3);
        settle();
        fakeroot_add_kmem(f, "dax1.0", "CXL Window 0", 66, 2, 3);
        fakeroot_add_driver(f, "nvidia", 80, 2, 4);
        settle();
        check_writes(6);
        check_zone(32, 2, "Movable");
        check_zone(34, 2, "Normal");
        check_zone(48, 2, "Normal");
        check_zone(64, 4, "");
        check_zone(80, 2, "");
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB), node 1: online in Movable by rule \"dimms\" (%s:4)", config);
        check_line("dimm PNP0C80:01: 2 blocks 34-35 (256 MiB), node 2: online in Normal by rule \"far\" (%s:3)", config);
        check_line("virtio-mem virtio0: 2 blocks 48-49 (256 MiB), node 2: online in Normal by rule \"virtual\" (%s:5)", config);
        check_line("pmem dax0.0: 2 blocks 64-65 (256 MiB), node 3: left offline by rule \"device-memory\" (%s:2)", config);
        check_line("cxl dax1.0: 2 blocks 66-67 (256 MiB), node 3: left offline by rule \"device-memory\" (%s:2)", config);
        check_line("driver nvidia: 2 blocks 80-81 (256 MiB), node 4: left offline: no rule matches");
        check_decision(64, ACTION_LEAVE_OFFLINE, REASON_RULE);
        check_decision(80, ACTION_LEAVE_OFFLINE, REASON_NO_RULE);
        check_write(0, 32, "online_movable");
        check_write(2, 34, "online_kernel");
        check_write(4, 48, "online");
}
END_TEST

#define FALLBACK QUIET RULES("{ name = \"dimms\"; action = \"online_movable\"; fallback = \"online_kernel\"; }")

START_TEST(fallback_where_the_zone_is_no_candidate) {
        start(FALLBACK);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones = "Normal" });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        check_writes(2);
        check_write(0, 32, "online_kernel");
        check_zone(32, 2, "Normal");
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB), node 1: online in Normal by the fallback of rule \"dimms\" "
                   "(%s:2), as it cannot go to zone Movable", config);
}
END_TEST

START_TEST(fallback_where_the_kernel_refuses) {
        start(FALLBACK);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones = "Normal", .zones_hidden = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        check_writes(4);
        ck_assert_uint_eq(fakeroot_count_writes(f, 32), 2);
        check_zone(32, 2, "Normal");
        check_decision(32, ACTION_ONLINE_KERNEL, REASON_FALLBACK);
        check_outcome(32, OUTCOME_DONE);
        ck_assert_uint_eq(log_count("by the fallback of rule \"dimms\""), 1);
        check_no_line("failed");
        ck_assert_uint_eq(manager_counters(m)->failed, 0);
}
END_TEST

START_TEST(fallback_that_is_refused_too) {
        start(FALLBACK);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones_hidden = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        fakeroot_fail_writes(f, 32, EINVAL, FAKEROOT_FOREVER);
        settle();
        check_writes(2); /* each once, and not in turns for ever */
        check_write(0, 32, "online_movable");
        check_write(1, 32, "online_kernel");
        check_outcome(32, OUTCOME_FAILED);
        check_line("dimm PNP0C80:00: 1 block 32 (128 MiB), node 1: \"online_kernel\" failed: Invalid argument; left offline, "
                   "though rule \"dimms\" (%s:2) wants it online", config);
}
END_TEST

START_TEST(zone_that_cannot_be_had) {
        start(DIMMS);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones = "Normal" });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        check_writes(0);
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB), node 1: left offline: rule \"dimms\" (%s:2) wants zone Movable, "
                   "which the kernel does not offer for it", config);
}
END_TEST

START_TEST(machine_without_numa) {
        f = fakeroot_free(f);
        f = fakeroot_new(FAKEROOT_NO_NODES);
        snprintf(config, sizeof(config), "%s/policy", fakeroot_path(f));
        fakeroot_add_boot(f, 0, 4, -1);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, -1);
        settle();
        check_zone(32, 2, "Movable");
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB): online in Movable by rule \"dimms\" (%s:2)", config);
}
END_TEST

/* ---- the kernel is not done yet ---------------------------------------------------------------------------------- */

static void link_32_to_39(void) {
        fakeroot_link(f, 32, 8);
}

#define DIMM_ON_NODE_1 \
        QUIET RULES(RULE("dimms", "source = \"dimm\"; node = 1;", "online_movable") LAST("rest", "", "online_kernel"))

static const struct fakeroot_traits late[] = {
        { .late_node = true },
        { .late_firmware_node = true },
        { .late_node = true, .late_firmware_node = true },
        { .late_node = true, .late_firmware_node = true, .zones_hidden = true },
};

START_TEST(late_links_are_waited_for) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(DIMM_ON_NODE_1);
        fakeroot_set_traits(f, &late[_i]);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        act_later(20, link_32_to_39);
        settle();
        check_writes(8);
        check_zone(32, 8, "Movable"); /* and not the rule for the rest */
        if (!late[_i].zones_hidden)
                check_line("dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1: online in Movable by rule \"dimms\" (%s:2)",
                           config);
        check_no_line("several zones"); /* which nobody has seen where there is no valid_zones */
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

/* The same for blocks that only a scan has found. */
START_TEST(late_links_are_waited_for_after_an_overflow) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(DIMM_ON_NODE_1);
        run_for(600000); /* long after the last event */
        fakeroot_set_traits(f, &late[_i]);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        fakeroot_overflow(f);
        act_later(20, link_32_to_39);
        settle();
        check_writes(8);
        check_zone(32, 8, "Movable");
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

START_TEST(late_links_at_the_start) {
        fakeroot_set_traits(f, &late[_i]);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        use_policy(DIMM_ON_NODE_1);
        fakeroot_drop_events(f);
        start_without_running();
        act_later(20, link_32_to_39);
        settle();
        check_writes(8);
        check_zone(32, 8, "Movable");
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

/* Memory is not wasted for a link that never comes. */
START_TEST(links_that_never_come) {
        start(DIMM_ON_NODE_1);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .late_node = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_set_traits(f, &(struct fakeroot_traits) {});
        fakeroot_add_driver(f, NULL, 40, 2, 1); /* plain memory from nobody knows where */
        settle();
        check_zone(32, 2, "Normal"); /* its node is unknown: the rule for node 1 does not hold */
        check_zone(40, 2, "Normal");
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB): online in Normal by rule \"rest\" (%s:3)", config);
        check_line("unknown: 2 blocks 40-41 (256 MiB), node 1: online in Normal by rule \"rest\" (%s:3)", config);
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

/* ---- events ------------------------------------------------------------------------------------------------------ */

START_TEST(add_that_comes_twice) {
        start(QUIET RULES(RULE("pmem", "source = \"pmem\";", "leave_offline") LAST("rest", "", "online_movable")));
        fakeroot_hold_write(f, 33);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 2, 1);
        send_event(UEVENT_ADD, 32); /* before its event, and that is still to come */
        send_event(UEVENT_ADD, 32);
        RUN_UNTIL(manager_counters(m)->writes == 3);
        fakeroot_wait_held(f);
        for (uint32_t i = 32; i < 35; i++) /* one is done, one at the writer, one waits for it */
                send_event(UEVENT_ADD, i);
        run_for(20000);
        fakeroot_release_write(f);
        settle();
        for (int i = 0; i < 3; i++) {
                for (uint32_t block = 32; block < 35; block++)
                        send_event(UEVENT_ADD, block);
                send_event(UEVENT_ADD, 64);
                settle();
        }
        check_writes(3);
        check_zone(64, 2, "");
        ck_assert_uint_eq(log_count("dimm PNP0C80:00"), 1);
        ck_assert_uint_eq(log_count("pmem dax0.0"), 1);
}
END_TEST

START_TEST(change_of_a_block_nobody_told_of) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        fakeroot_drop_events(f);
        send_event(UEVENT_CHANGED, 32);
        settle();
        check_writes(1);
        check_zone(32, 1, "Movable");
        check_zone(33, 3, "");
        send_event(UEVENT_REMOVE, 99);
        send_event(UEVENT_CHANGED, 99);
        send_event(UEVENT_ADD, 100); /* of what is gone already */
        settle();
        ck_assert_ptr_null(entry_of(99));
        ck_assert_ptr_null(entry_of(100));
        check_no_line("99");
}
END_TEST

START_TEST(burst_is_served_in_order) {
        enum { N = 4096 };

        fakeroot_add_boot(f, 0, 8, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 1000, N, 1);
        settle();
        check_burst(1000, N);
        ck_assert_uint_eq(manager_counters(m)->onlined, N);
        ck_assert_uint_eq(manager_counters(m)->rescans, 1); /* the first look */
        ck_assert_uint_le(fakeroot_iomem_reads(f), 20);
}
END_TEST

/* A device that is too small to gain by it, and one that is not. */
START_TEST(burst_leaves_a_gap) {
        const uint32_t n = (uint32_t) _i;
        char line[64];

        fakeroot_add_boot(f, 0, 8, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, n, 1);
        settle();
        if (n >= 18)
                check_burst(32, n);
        else
                for (uint32_t i = 0; i < n; i++)
                        check_write(i, 32 + i, "online_movable");
        snprintf(line, sizeof(line), "dimm PNP0C80:00: %u blocks 32-%u ", n, 31 + n);
        ck_assert_uint_eq(log_count(line), 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 132, n, 1); /* each device for itself */
        fakeroot_add_dimm(f, "PNP0C80:02", 232, n, 2);
        settle();
        check_writes(3 * n);
        check_zone(132, n, "Movable");
        check_zone(232, n, "Movable");
        if (n >= 18)
                ck_assert(fakeroot_get_write(f, n + 1).block == 134 && fakeroot_get_write(f, 3 * n - 1).block == 233);
}
END_TEST

/* What was put off is unplugged, or set online by somebody else, before it has its turn. */
START_TEST(gap_is_filled_by_others) {
        fakeroot_add_boot(f, 0, 8, 0);
        start(DIMMS);
        fakeroot_hold_write(f, 40);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 20, 1);
        RUN_UNTIL(fakeroot_is_held(f));
        ck_assert(m->has_gaps && entry_of(33)->stage == STAGE_PUT_OFF);
        if (_i == 0)
                fakeroot_remove(f, 33, 1);
        else
                ck_assert_int_eq(fakeroot_set_state(f, 33, "online_movable"), 0);
        fakeroot_release_write(f);
        settle();
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), 0);
        check_zone(34, 18, "Movable");
        if (_i)
                check_outcome(33, OUTCOME_ALREADY);
        check_writes(19);
}
END_TEST

/* The same at the start, with memory that nobody saw come; and where the device is decided as a whole by what there is room for, which
 * is no longer so when most of it is online. */
START_TEST(gap_is_judged_as_decided) {
        fakeroot_add_boot(f, 0, 10, 0);
        fakeroot_keep_statistics(f, &(struct fakeroot_statistics) {});
        fakeroot_write(f, "policy", QUIET RULES("{ name = \"all\"; match = { source = \"dimm\"; }; action = \"balance\"; numa_aware = false; "
                                                "on_partial = \"rollback\"; }"));
        fakeroot_hold_write(f, 40);
        if (_i == 0)
                fakeroot_add_dimm(f, "PNP0C80:00", 32, 20, 1);
        fakeroot_drop_events(f);
        start_without_running();
        RUN_UNTIL(m->started);
        if (_i == 1) {
                settle();
                fakeroot_add_dimm(f, "PNP0C80:00", 32, 20, 1);
        }
        RUN_UNTIL(fakeroot_is_held(f));
        ck_assert(m->has_gaps && entry_of(33)->stage == STAGE_PUT_OFF);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_movable"), 0);
        RUN_UNTIL(entry_of(33)->stage == STAGE_IDLE);
        fakeroot_release_write(f);
        settle_adds();
        check_zone(32, 20, "Movable");
        check_no_line("lost race");
        check_no_line("of 20 blocks");
}
END_TEST

/* A block that goes wrong for a while does not keep the other from its turn. */
START_TEST(gap_beside_a_retry) {
        fakeroot_add_boot(f, 0, 8, 0);
        start("retry = { first = \"1h\"; max = \"1h\"; attempts = 3; }; " DIMMS);
        fakeroot_fail_writes(f, 40, EBUSY, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 20, 1);
        RUN_UNTIL(fakeroot_is_online(f, 33));
        ck_assert(entry_of(40)->stage == STAGE_RETRY);
}
END_TEST

START_TEST(overflow_finds_everything) {
        fakeroot_add_boot(f, 0, 8, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 300, 1);
        fakeroot_overflow(f);
        settle();
        check_writes(300);
        for (uint32_t i = 0; i < 300; i++)
                check_write(i, 32 + i, "online_movable");
        check_zone(32, 300, "Movable");
        check_line("uevents were lost: looking at every block again");
        check_line("dimm PNP0C80:00: 300 blocks 32-331 (37.5 GiB), node 1: online in Movable by rule \"dimms\" (%s:2)", config);
        ck_assert_uint_eq(manager_counters(m)->overflows, 1);
        ck_assert_uint_eq(manager_counters(m)->rescans, 2);
}
END_TEST

/* Unplugged and plugged again, and nobody heard of either: it is not what an administrator set offline. */
START_TEST(overflow_finds_what_was_replaced) {
        start(QUIET RULES(RULE("pmem", "source = \"pmem\";", "leave_offline") LAST("rest", "", "online_movable")));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        settle();
        fakeroot_remove(f, 32, 2);
        fakeroot_remove(f, 40, 2);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 40, 2, 1);
        fakeroot_overflow(f);
        settle();
        check_writes(6);
        check_zone(32, 2, "Movable");
        check_zone(40, 2, "");
        check_decision(40, ACTION_LEAVE_OFFLINE, REASON_RULE);
        check_no_line("was set offline");
}
END_TEST

static void overflow_again(void) {
        fakeroot_overflow(f);
}

/* They come in swarms; a look for each would be one too many. */
START_TEST(overflows_are_answered_together) {
        uint64_t began = now_usec();

        keep_intervals = true;
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        fakeroot_overflow(f);
        for (unsigned i = 0; i < 50; i++)
                act_later(10 * i, overflow_again);
        settle();
        check_zone(32, 4, "Movable");
        /* Half a second of them, or more where the machine is slow: one look a second, and the first. */
        ck_assert_uint_ge(manager_counters(m)->rescans, 2);
        ck_assert_uint_le(manager_counters(m)->rescans, 2 + (now_usec() - began) / SCAN_INTERVAL_USEC);
}
END_TEST

START_TEST(overflow_forgets_what_is_gone) {
        fakeroot_add_boot(f, 0, 8, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle();
        fakeroot_remove(f, 32, 3);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 2, 1);
        fakeroot_overflow(f);
        settle();
        check_writes(6);
        ck_assert_uint_eq(manager_registry(m)->n, 11);
        ck_assert_ptr_null(entry_of(34));
        ck_assert_ptr_nonnull(entry_of(35));
        check_zone(40, 2, "Movable");
}
END_TEST

/* What comes and goes while everything is looked at is not on the list that was made before. */
START_TEST(events_while_a_scan_is_under_way) {
        fakeroot_add_boot(f, 1000, 1000, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 3000, 4, 1);
        fakeroot_overflow(f);
        /* A few steps into the scan, in any case before its end. */
        RUN_UNTIL(manager_counters(m)->rescans == 2);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 4, 1);
        fakeroot_add_dimm(f, "PNP0C80:02", 4000, 4, 1);
        fakeroot_remove(f, 3001, 1);
        settle();
        check_zone(32, 4, "Movable");
        check_zone(3000, 1, "Movable");
        check_zone(3002, 2, "Movable");
        check_zone(4000, 4, "Movable");
        ck_assert_ptr_null(entry_of(3001));
        ck_assert_uint_eq(manager_registry(m)->n, 1011);
        check_writes(11);
}
END_TEST

/* What was missed, and what has failed. */
START_TEST(reconcile_looks_now_and_then) {
        start("reconcile = \"1s\"; " RULES(LAST("dimms", "source = \"dimm\";", "online_movable")));
        fakeroot_fail_writes(f, 31, EPERM, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 31, 1, 1);
        RUN_UNTIL(entry_of(31) && entry_of(31)->outcome == OUTCOME_FAILED);
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 4, 1);
        fakeroot_drop_events(f); /* and not even an overflow */
        RUN_UNTIL(fakeroot_is_online(f, 31) && fakeroot_is_online(f, 35));
        settle();
        check_writes(6);
        ck_assert_uint_ge(manager_counters(m)->rescans, 2);
        check_outcome(31, OUTCOME_DONE);
        RUN_UNTIL(manager_counters(m)->rescans >= 3); /* it goes on, and there is nothing more to do */
        settle();
        check_writes(6);
}
END_TEST

/* ---- errors ------------------------------------------------------------------------------------------------------ */

#define DIMMS_RETRY(first, max, attempts) \
        RETRY(first, max, attempts) RULES(LAST("dimms", "source = \"dimm\";", "online_movable"))

START_TEST(busy_and_then_not) {
        static const uint64_t delays_usec[] = { 20000, 40000, 80000, 80000 };

        start(DIMMS_RETRY("20ms", "80ms", "10"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_fail_writes(f, 33, EBUSY, 4);
        RUN_UNTIL(fakeroot_is_online(f, 33));
        settle();
        ck_assert_uint_eq(fakeroot_count_writes(f, 32), 1);
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), 5);
        /* The first for either, then those of 33. Timers are never early, but the loop's clock may be a little behind. */
        for (size_t i = 0; i < ARRAY_SIZE(delays_usec); i++) {
                uint64_t waited = fakeroot_get_write(f, i + 2).usec - fakeroot_get_write(f, i + 1).usec;

                ck_assert_msg(waited >= delays_usec[i] * 3 / 4, "retry %zu came after %" PRIu64 " us", i + 1, waited);
        }
        check_outcome(33, OUTCOME_DONE);
        ck_assert_uint_eq(entry_of(33)->attempts, 0);
        /* The kernel's time counts, whatever it answered. */
        ck_assert_uint_eq(manager_counters(m)->online_time.n, fakeroot_n_writes(f));
        ck_assert_uint_eq(manager_counters(m)->offline_time.n, 0);
        /* People hear of the first attempt, and how it ended. */
        check_line("dimm PNP0C80:00: 1 block 33 (128 MiB), node 1: \"online_movable\" refused: Device or resource busy; "
                   "trying again");
        check_line("dimm PNP0C80:00: 1 block 33 (128 MiB), node 1: online in Movable by rule \"dimms\" (%s:2)", config);
        ck_assert_uint_eq(manager_counters(m)->failed, 0);
        ck_assert_uint_eq(manager_counters(m)->onlined, 2);
}
END_TEST

START_TEST(busy_for_ever) {
        start(DIMMS_RETRY("5ms", "10ms", "4"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_fail_writes(f, 32, EBUSY, FAKEROOT_FOREVER);
        RUN_UNTIL(entry_of(32) && entry_of(32)->outcome == OUTCOME_FAILED);
        settle();
        ck_assert_uint_eq(fakeroot_count_writes(f, 32), 4);
        check_zone(33, 1, "Movable");
        check_line("dimm PNP0C80:00: 1 block 32 (128 MiB), node 1: \"online_movable\" failed: Device or resource busy; "
                   "left offline, though rule \"dimms\" (%s:2) wants it online", config);
        ck_assert_uint_eq(log_count("trying again"), 1);
        ck_assert_uint_eq(manager_counters(m)->failed, 1);
        run_for(200000);
        ck_assert_uint_eq(fakeroot_count_writes(f, 32), 4);

        /* The next look at everything is another chance, with all its attempts. */
        fakeroot_clear_faults(f);
        fakeroot_fail_writes(f, 32, EBUSY, 3);
        fakeroot_overflow(f);
        RUN_UNTIL(fakeroot_is_online(f, 32));
        settle();
        ck_assert_uint_eq(fakeroot_count_writes(f, 32), 8);
        ck_assert_uint_eq(fakeroot_count_writes(f, 33), 1);
        check_outcome(32, OUTCOME_DONE);
        ck_assert_uint_eq(manager_counters(m)->failed, 1);
}
END_TEST

static const struct {
        int error;
        bool passes;
} errors[] = {
        { EBUSY, true },   { EAGAIN, true },  { EINTR, true },      { ENOMEM, true }, { EIO, true },
        { EINVAL, false }, { EPERM, false }, { EHWPOISON, false }, { EROFS, false },
};

START_TEST(errors_that_pass_are_tried_again) {
        start(DIMMS_RETRY("2ms", "2ms", "3"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        fakeroot_fail_writes(f, 32, errors[_i].error, 1);
        if (errors[_i].passes)
                RUN_UNTIL(fakeroot_is_online(f, 32));
        else
                RUN_UNTIL(entry_of(32) && entry_of(32)->outcome == OUTCOME_FAILED);
        settle();
        run_for(20000);
        check_writes(errors[_i].passes ? 2 : 1);
        ck_assert_uint_eq(manager_counters(m)->failed, errors[_i].passes ? 0 : 1);
        ck_assert_uint_eq(log_count("\" failed: "), errors[_i].passes ? 0 : 1);
        ck_assert_uint_eq(log_count("refused: "), errors[_i].passes ? 1 : 0);
}
END_TEST

/* The timer for the first of them is set again for the second. */
START_TEST(busy_at_different_times) {
        start(DIMMS_RETRY("150ms", "1s", "10"));
        fakeroot_fail_writes(f, FAKEROOT_ANY_BLOCK, EBUSY, 2);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        RUN_UNTIL(entry_of(32) && entry_of(32)->stage == STAGE_RETRY);
        run_for(75000);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 1, 1);
        RUN_UNTIL(fakeroot_is_online(f, 32) && fakeroot_is_online(f, 40));
        settle();
        check_writes(4);
}
END_TEST

/* Retries of one do not hold up the rest. */
START_TEST(busy_block_in_a_crowd) {
        start(DIMMS_RETRY("1h", "1h", "3"));
        fakeroot_fail_writes(f, 40, EBUSY, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 64, 1);
        settle();
        check_writes(64);
        check_zone(32, 8, "Movable");
        check_zone(40, 1, "");
        check_zone(41, 55, "Movable");
        ck_assert_int_eq(entry_of(40)->stage, STAGE_RETRY);
        ck_assert(manager_is_idle(m));
}
END_TEST

START_TEST(state_that_cannot_be_read) {
        start(DIMMS_RETRY("1ms", "1ms", "3"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_unlink(f, fakeroot_block_path(32, "state"));
        fakeroot_write_block(f, 32, "state/x", "");
        RUN_UNTIL(entry_of(32) && entry_of(32)->outcome == OUTCOME_FAILED);
        settle();
        check_zone(33, 1, "Movable");
        ck_assert_uint_eq(log_count("block 32 (128 MiB)"), 2);
        ck_assert_uint_eq(log_count("cannot be read: Is a directory; trying again"), 1);
        ck_assert_uint_eq(log_count("cannot be read: Is a directory; left as it is"), 1);
        check_no_line("an earlier policy"); /* there was none */
}
END_TEST

START_TEST(state_that_cannot_be_read_for_a_while) {
        start(DIMMS_RETRY("20ms", "20ms", "100"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_unlink(f, fakeroot_block_path(32, "state"));
        fakeroot_write_block(f, 32, "state/x", "");
        RUN_UNTIL(log_count("cannot be read: Is a directory; trying again") == 1);
        fakeroot_unlink(f, fakeroot_block_path(32, "state/x"));
        fakeroot_unlink(f, fakeroot_block_path(32, "state"));
        fakeroot_write_block(f, 32, "state", "offline\n");
        RUN_UNTIL(fakeroot_is_online(f, 32));
        settle();
        check_zone(32, 2, "Movable");
        check_outcome(32, OUTCOME_DONE);
        check_no_line("left as it is");
}
END_TEST

/* ---- unplugged --------------------------------------------------------------------------------------------------- */

static void check_forgotten(uint32_t block) {
        ck_assert_ptr_null(entry_of(block));
        check_no_line("failed");
        check_no_line("refused");
        ck_assert_uint_eq(manager_counters(m)->failed, 0);
}

/* As each of them notices it: the first look, the writer before or after its write, a retry. */
START_TEST(gone_is_forgotten) {
        start(DIMMS_RETRY("20ms", "20ms", "5"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        switch (_i) {
        case 0:
                fakeroot_drop_events(f);
                fakeroot_remove(f, 33, 1);
                fakeroot_drop_events(f);
                for (uint32_t i = 32; i < 36; i++)
                        send_event(UEVENT_ADD, i);
                break;
        case 1:
                fakeroot_vanish_before_write(f, 33);
                break;
        case 2:
                fakeroot_fail_writes(f, 33, ENODEV, 1);
                fakeroot_vanish_after_write(f, 33);
                break;
        case 3:
                fakeroot_vanish_after_write(f, 33);
                break;
        case 4:
                fakeroot_add_virtio_mem(f, "virtio0", 64, 1, 1);
                fakeroot_remove(f, 64, 1); /* its add and its remove are met together */
                fakeroot_remove(f, 33, 1);
                break;
        case 5:
                fakeroot_hold_write(f, 32);
                RUN_UNTIL(manager_counters(m)->writes == 4);
                fakeroot_wait_held(f);
                fakeroot_remove(f, 33, 1); /* it waits for the writer */
                RUN_UNTIL(!fakeroot_has_events(f));
                fakeroot_release_write(f);
                break;
        }
        settle();
        check_forgotten(33);
        ck_assert_uint_eq(manager_registry(m)->n, 3);
        check_zone(32, 1, "Movable");
        check_zone(34, 2, "Movable");
        ck_assert_uint_eq(log_count("32,34-35"), 1);
}
END_TEST

START_TEST(gone_while_waiting_for_a_retry) {
        start(DIMMS_RETRY("20ms", "20ms", "5"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_fail_writes(f, 33, EBUSY, FAKEROOT_FOREVER);
        RUN_UNTIL(fakeroot_count_writes(f, 33) >= 2);
        fakeroot_remove(f, 33, 1);
        if (_i)
                fakeroot_drop_events(f); /* the retry finds out by itself */
        RUN_UNTIL(!entry_of(33));
        settle();
        run_for(50000);
        ck_assert_ptr_null(entry_of(33));
        ck_assert_uint_eq(manager_counters(m)->failed, 0);
}
END_TEST

START_TEST(gone_device_is_forgotten) {
        fakeroot_add_boot(f, 0, 4, 0);
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        settle();
        fakeroot_remove(f, 32, 8);
        settle();
        check_forgotten(32);
        ck_assert_uint_eq(manager_registry(m)->n, 4);
        check_writes(8);
        /* And comes back as if it had never been there. */
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        settle();
        check_writes(16);
        check_zone(32, 8, "Movable");
}
END_TEST

#define BY_SOURCE                                                                                              \
        QUIET RULES(RULE("virtual", "source = \"virtio-mem\";", "online_movable")                              \
                    RULE("dimms", "source = \"dimm\";", "online_kernel") LAST("rest", "", "leave_offline"))

START_TEST(other_memory_in_the_same_place) {
        start(BY_SOURCE);
        fakeroot_add_virtio_mem(f, "virtio0", 32, 4, 1);
        settle();
        check_zone(32, 4, "Movable");
        fakeroot_remove(f, 32, 4);
        if (_i)
                settle(); /* or all of it at once */
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 2);
        settle();
        check_writes(4);
        check_zone(32, 4, "");
        check_line("pmem dax0.0: 4 blocks 32-35 (512 MiB), node 2: left offline by rule \"rest\" (%s:4)", config);
        fakeroot_remove(f, 32, 4);
        if (_i)
                settle();
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle();
        check_writes(8);
        check_zone(32, 4, "Normal");
}
END_TEST

/* The same when it is the writer who noticed that the first was gone. */
START_TEST(other_memory_where_the_writer_met_a_gap) {
        start(BY_SOURCE);
        for (uint32_t i = 32; i < 36; i++)
                fakeroot_vanish_before_write(f, i);
        fakeroot_hold_write(f, 35);
        fakeroot_add_virtio_mem(f, "virtio0", 32, 4, 1);
        RUN_UNTIL(manager_counters(m)->writes == 4);
        /* Results first: the remove events come when all of it is known to be gone. */
        ck_assert_int_eq(sd_event_source_set_enabled(event_source, SD_EVENT_OFF), 0);
        fakeroot_wait_held(f);
        fakeroot_release_write(f);
        RUN_UNTIL(manager_registry(m)->n == 0);
        ck_assert_int_eq(sd_event_source_set_enabled(event_source, SD_EVENT_ON), 0);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 2);
        settle();
        check_zone(32, 4, "");
        check_line("pmem dax0.0: 4 blocks 32-35 (512 MiB), node 2: left offline by rule \"rest\" (%s:4)", config);
}
END_TEST

/* What was still at the writer belonged to memory that is no more. */
START_TEST(other_memory_while_the_writer_is_behind) {
        start(BY_SOURCE);
        fakeroot_hold_write(f, 32);
        fakeroot_add_virtio_mem(f, "virtio0", 32, 4, 1);
        RUN_UNTIL(manager_counters(m)->writes == 4);
        fakeroot_wait_held(f);
        fakeroot_fail_writes(f, 32, ENODEV, 1); /* as the kernel answers when the block is gone by then */
        fakeroot_remove(f, 32, 4);
        if (_i == 0)
                fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        else
                fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 2);
        RUN_UNTIL(!fakeroot_has_events(f) && entry_of(35) && entry_of(35)->decided);
        fakeroot_release_write(f);
        settle();
        check_no_line("failed");
        check_no_line("another program");
        ck_assert_uint_eq(log_count("virtio0"), 1); /* unplugged */
        if (_i == 0) {
                check_zone(32, 4, "Normal");
                check_line("dimm PNP0C80:00: 4 blocks 32-35 (512 MiB), node 1: online in Normal by rule \"dimms\" (%s:3)", config);
                ck_assert_uint_eq(manager_counters(m)->onlined, 4);
        } else {
                check_zone(32, 4, "");
                check_line("pmem dax0.0: 4 blocks 32-35 (512 MiB), node 2: left offline by rule \"rest\" (%s:4)", config);
        }
}
END_TEST

/* ---- others ------------------------------------------------------------------------------------------------------ */

#define FIRST_32 "dimm PNP0C80:00: 1 block 32 (128 MiB), node 1: "

START_TEST(race_lost_at_the_writer) {
        start(DIMMS);
        fakeroot_compete(f, 32, "online_kernel");
        fakeroot_compete(f, 33, "online_movable");
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        settle();
        check_writes(3);
        check_zone(32, 1, "Normal");
        check_zone(33, 2, "Movable");
        check_outcome(32, OUTCOME_WRONG_ZONE);
        check_outcome(33, OUTCOME_ALREADY);
        check_outcome(34, OUTCOME_DONE);
        check_line(FIRST_32 "lost race: another program brought it online in Normal first; rule \"dimms\" (%s:2) wants zone "
                   "Movable. It stays as it is", config);
        check_line("dimm PNP0C80:00: 1 block 33 (128 MiB), node 1: online in Movable as rule \"dimms\" (%s:2) wants, though "
                   "another program was first", config);
        check_line("dimm PNP0C80:00: 1 block 34 (128 MiB), node 1: online in Movable by rule \"dimms\" (%s:2)", config);
        ck_assert_uint_eq(manager_counters(m)->lost_races, 1);
        ck_assert_uint_eq(manager_counters(m)->onlined, 1);
        ck_assert_uint_eq(manager_counters(m)->failed, 0);

        /* Never flipped, however often it is met again. */
        fakeroot_overflow(f);
        send_event(UEVENT_ADD, 32);
        send_event(UEVENT_CHANGED, 32);
        settle();
        check_writes(3);
        check_zone(32, 1, "Normal");
        ck_assert_uint_eq(log_count("lost race"), 1);
}
END_TEST

START_TEST(race_lost_before_it_began) {
        uint64_t lost;

        start(QUIET RULES(RULE("dimms", "source = \"dimm\";", "online_movable") LAST("pmem", "source = \"pmem\";", "leave_offline")));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 1, 2);
        fakeroot_add_driver(f, "nvidia", 80, 1, 2);
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "online_movable"), 0);
        ck_assert_int_eq(fakeroot_set_state(f, 64, "online_movable"), 0);
        ck_assert_int_eq(fakeroot_set_state(f, 80, "online"), 0);
        settle();
        check_writes(0);
        check_line(FIRST_32 "lost race: another program brought it online in Normal first; rule \"dimms\" (%s:2) wants zone "
                   "Movable. It stays as it is", config);
        check_line("dimm PNP0C80:00: 1 block 33 (128 MiB), node 1: online in Movable as rule \"dimms\" (%s:2) wants, though "
                   "another program was first", config);
        check_line("pmem dax0.0: 1 block 64 (128 MiB), node 2: lost race: another program brought it online in Movable; rule "
                   "\"pmem\" (%s:3) leaves it offline. It stays as it is", config);
        check_no_line("earlier policy"); /* about the one that no rule matches */
        lost = manager_counters(m)->lost_races;
        ck_assert(lost == 2 || lost == 3);
        fakeroot_overflow(f);
        settle();
        ck_assert_uint_eq(manager_counters(m)->lost_races, lost); /* once is enough */
        check_writes(0);
}
END_TEST

START_TEST(race_lost_while_waiting_for_a_retry) {
        start(DIMMS_RETRY("1h", "1h", "5"));
        fakeroot_fail_writes(f, 32, EBUSY, 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        settle();
        ck_assert_int_eq(entry_of(32)->stage, STAGE_RETRY);
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        settle();
        ck_assert_int_eq(entry_of(32)->stage, STAGE_IDLE);
        check_outcome(32, OUTCOME_WRONG_ZONE);
        check_writes(1);
        ck_assert_uint_eq(log_count("lost race"), 1);
}
END_TEST

#define SET_OFFLINE FIRST_32 "was set offline, by somebody or to be unplugged; it stays offline"

/* The administrator's word is the last one: whatever comes, it stays offline. */
static void check_hands_off(size_t writes) {
        check_line(SET_OFFLINE);
        check_decision(32, ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF);
        send_event(UEVENT_ADD, 32);
        send_event(UEVENT_CHANGED, 32);
        settle();
        fakeroot_overflow(f);
        settle();
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        check_writes(writes);
        check_zone(32, 1, "");
        check_line(SET_OFFLINE);
}

START_TEST(set_offline_by_others) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0);
        settle();
        check_hands_off(2);
        check_zone(33, 1, "Movable");

        /* Online again by their hand, in whatever zone: theirs as well. */
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        settle();
        check_no_line("lost race");
        check_writes(2);
        /* Another piece of memory in the same place is not theirs any more. */
        fakeroot_remove(f, 32, 2);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        check_writes(4);
        check_zone(32, 2, "Movable");
}
END_TEST

START_TEST(set_offline_by_others_unheard) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0);
        fakeroot_overflow(f);
        settle();
        check_hands_off(2);
}
END_TEST

START_TEST(boot_memory_set_offline_by_others) {
        fakeroot_add_boot(f, 32, 2, 1);
        start(ALL_MOVABLE);
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0);
        settle();
        fakeroot_overflow(f);
        settle();
        check_writes(0);
        check_line("boot: 1 block 32 (128 MiB), node 1: was set offline, by somebody or to be unplugged; it stays offline");
        check_zone(32, 1, "");
}
END_TEST

/* They were so quick that the writer finds it offline after a write that went well. */
START_TEST(set_offline_by_others_at_once) {
        start(DIMMS_RETRY("5ms", "5ms", "5"));
        fakeroot_compete_after(f, 32, "offline");
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        settle();
        run_for(50000);
        settle();
        check_writes(1);
        check_zone(32, 1, "");
        check_no_line("Success");
        check_hands_off(1);
}
END_TEST

/* They were quick once more: the writer has seen it online, but nobody has asked the writer yet. */
START_TEST(set_offline_by_others_before_we_knew) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        RUN_UNTIL(manager_counters(m)->writes == 1);
        for (uint64_t end = now_usec() + PATIENCE_USEC; !fakeroot_is_online(f, 32) && now_usec() < end;)
                usleep(1000);
        usleep(100000); /* without the loop */
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0);
        settle();
        ck_assert_int_eq(entry_of(32)->state, BLOCK_OFFLINE);
        check_hands_off(1);
}
END_TEST

/* A daemon that was not there is no excuse. */
START_TEST(set_offline_by_others_while_we_were_away) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        settle();
        ck_assert_int_eq(fakeroot_set_state(f, 32, "offline"), 0); /* we saw it, */
        settle();
        rig_stop();
        ck_assert_int_eq(fakeroot_set_state(f, 33, "offline"), 0); /* we did not, */
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 1, 1);              /* and this is new */
        start(DIMMS);
        check_writes(4);
        check_zone(32, 2, "");
        check_zone(34, 1, "Movable");
        check_zone(40, 1, "Movable");
}
END_TEST

/* ---- holds ------------------------------------------------------------------------------------------------------- */

static int open_run(void) {
        int fd = rundir_open(fakeroot_path(f));

        ck_assert_int_ge(fd, 0);
        return fd;
}

/* As "memhpctl hold" does. usec: from now; 0: until released. */
static uint32_t hold(const char *selector, uint64_t usec) {
        int fd = open_run();
        struct holds h;
        char error[SELECTOR_ERROR_MAX];
        unsigned line;
        uint32_t id;

        ck_assert_int_eq(hold_file_read(fd, &h, &line), 0);
        ck_assert_int_eq(holds_add(&h, selector, usec ? hold_now_usec() + usec : 0, "as agreed", error), 0);
        ck_assert_int_eq(hold_file_write(fd, &h), 0);
        id = h.last_id;
        holds_done(&h);
        close(fd);
        return id;
}

static void release_hold(uint32_t id) {
        int fd = open_run();
        struct holds h;
        unsigned line;

        ck_assert_int_eq(hold_file_read(fd, &h, &line), 0);
        ck_assert(holds_remove(&h, id));
        ck_assert_int_eq(hold_file_write(fd, &h), 0);
        holds_done(&h);
        close(fd);
}

#define WAITS "waits: a hold is on it (memhpctl hold lists them)"
#define HELD_DIMM "dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1: "

/* The new DIMM on node 1 waits, the one on node 2 does not. */
static void meet_hold(void) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 64, 4, 2);
        settle();
        check_writes(4);
        check_zone(32, 8, "");
        check_zone(64, 4, "Movable");
        check_decision(35, ACTION_LEAVE_OFFLINE, REASON_HELD);
        check_line(HELD_DIMM WAITS);
}

static void check_released(void) {
        RUN_UNTIL(fakeroot_is_online(f, 32));
        settle();
        check_writes(12);
        check_zone(32, 8, "Movable");
        check_line(HELD_DIMM "online in Movable by rule \"dimms\" (%s:2)", config);
        ck_assert_uint_eq(log_count(WAITS), 1);
        check_no_line("lost race");
        check_no_line("are online as wanted and");
}

static void overflow_some(unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                fakeroot_overflow(f);
                settle();
        }
}

/* Set before the daemon started, or while it runs. */
START_TEST(hold_until_released) {
        uint32_t id = 0;

        fakeroot_add_boot(f, 0, 4, 1);
        if (_i == 0)
                id = hold("node:1", 0);
        start(DIMMS);
        if (_i == 1) {
                id = hold("node:1", 0);
                run_for(50000);
                settle();
        }
        meet_hold();
        overflow_some(3); /* nothing is said or written again */
        check_writes(4);
        ck_assert_uint_eq(log_count(WAITS), 1);
        release_hold(id);
        check_released();
        check_zone(0, 4, "Normal");
}
END_TEST

START_TEST(hold_until_the_file_is_gone) {
        (void) hold("device:PNP0C80:00", 0);
        start(DIMMS);
        meet_hold();
        fakeroot_unlink(f, "run/memhpd/holds");
        check_released();
}
END_TEST

START_TEST(hold_until_it_expires) {
        uint64_t begun = hold_now_usec();

        start(DIMMS);
        (void) hold("node:1", 400000);
        (void) hold("node:1", 1); /* long over when it is seen */
        run_for(50000);
        settle();
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 64, 4, 2);
        RUN_UNTIL(fakeroot_is_online(f, 32));
        ck_assert_uint_ge(hold_now_usec(), begun + 400000);
        settle();
        check_writes(12);
        check_zone(32, 8, "Movable");
        check_line(HELD_DIMM "online in Movable by rule \"dimms\" (%s:2)", config);
}
END_TEST

/* One hold ends, another stays. */
START_TEST(holds_overlap) {
        uint32_t first = hold("node:1", 0), second = hold("32-39", 0);

        start(DIMMS);
        meet_hold();
        release_hold(first);
        run_for(50000);
        settle();
        check_writes(4);
        check_zone(32, 8, "");
        release_hold(second);
        check_released();
}
END_TEST

START_TEST(hold_survives_the_daemon) {
        uint32_t id = hold("node:1", 0);

        start(DIMMS);
        meet_hold();
        rig_stop();
        start_without_running();
        settle();
        check_writes(4);
        check_zone(32, 8, "");
        check_decision(35, ACTION_LEAVE_OFFLINE, REASON_HELD);
        ck_assert_uint_eq(log_count(WAITS), 2); /* a daemon each */
        release_hold(id);
        RUN_UNTIL(fakeroot_is_online(f, 39));
        settle();
        check_writes(12);
        check_zone(32, 8, "Movable");
        check_line(HELD_DIMM "online in Movable by rule \"dimms\" (%s:2)", config);
}
END_TEST

static const char *const torn[] = { "", "memhpd-holds 1\nlast 1\n", "memhpd-holds 1\nlast 1\nhold 1 0 nod:1\nend\n", "\xff\xfe\n" };

START_TEST(torn_holds_stay) {
        int fd;

        (void) hold("node:1", 0);
        start(DIMMS);
        fd = open_run();
        ck_assert_int_eq(rundir_write(fd, RUNDIR_HOLDS, torn[_i], strlen(torn[_i])), 0);
        RUN_UNTIL(log_count("not used: torn or not written by memhpctl; the holds stay as they were"));
        meet_hold();
        overflow_some(1);
        check_writes(4);
        ck_assert_uint_eq(log_count("not used"), 1);
        ck_assert_int_eq(rundir_remove(fd, RUNDIR_HOLDS), 0);
        close(fd);
        check_released();
}
END_TEST

/* Only what is offline waits, and what an administrator wanted offline is no hold's business, before or after. */
START_TEST(hold_touches_nothing_else) {
        uint32_t id;

        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        settle();
        check_writes(4);
        ck_assert_int_eq(fakeroot_set_state(f, 33, "offline"), 0);
        settle();
        id = hold("all", 0);
        run_for(50000);
        settle();
        overflow_some(1);
        check_writes(4);
        check_zone(32, 1, "Movable");
        check_zone(34, 2, "Movable");
        check_decision(33, ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF);
        check_no_line(WAITS);
        release_hold(id);
        run_for(50000);
        settle();
        check_writes(4);
        check_zone(33, 1, "");
}
END_TEST

/* Somebody brings online by hand what waits: that is theirs to do. */
START_TEST(held_block_is_brought_online_by_others) {
        uint32_t id = hold("node:1", 0);

        start(DIMMS);
        meet_hold();
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_kernel"), 0);
        settle();
        check_zone(32, 1, "Normal");
        check_no_line("lost race");
        release_hold(id);
        RUN_UNTIL(fakeroot_is_online(f, 39));
        settle();
        check_zone(32, 1, "Normal");
        check_zone(33, 7, "Movable");
        check_writes(11);
}
END_TEST

START_TEST(held_block_is_unplugged) {
        uint32_t id = hold("node:1", 0);

        start(DIMMS);
        meet_hold();
        fakeroot_remove(f, 32, 8);
        settle();
        ck_assert_ptr_null(entry_of(32));
        release_hold(id);
        run_for(50000);
        settle();
        check_writes(4);
}
END_TEST

/* A part of a device waits: no reason to take back the rest. */
START_TEST(hold_of_a_part) {
        uint32_t id = hold("32-33", 0);

        start(QUIET RULES("{ name = \"dimms\"; action = \"online_movable\"; on_partial = \"rollback\"; }"));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        settle();
        run_for(300000);
        settle();
        check_writes(6);
        check_zone(32, 2, "");
        check_zone(34, 6, "Movable");
        check_line("dimm PNP0C80:00: 2 blocks 32-33 (256 MiB), node 1: " WAITS);
        check_no_line("are online as wanted and");
        release_hold(id);
        RUN_UNTIL(fakeroot_is_online(f, 33));
        settle();
        check_writes(8);
        check_zone(32, 8, "Movable");
        check_no_line("are online as wanted and");
}
END_TEST

/* ---- evidence that is hidden ------------------------------------------------------------------------------------- */

/* It may be device memory: a rule about sources is not passed over for want of evidence. */
START_TEST(hidden_evidence_leaves_offline) {
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_set_iomem(f, FAKEROOT_IOMEM_HIDDEN);
        start(QUIET RULES(RULE("node-2", "node = 2;", "online_movable") RULE("cxl", "source = \"cxl\"; node = 3;", "leave_offline")
                          RULE("pmem", "source = \"pmem\"; node = \"0-2\";", "leave_offline")
                          LAST("all", "", "online_movable")));
        fakeroot_add_virtio_mem(f, "virtio0", 48, 2, 1);
        fakeroot_add_virtio_mem(f, "virtio1", 64, 2, 2);
        fakeroot_add_virtio_mem(f, "virtio2", 80, 2, 4); /* no rule about sources is about node 4 */
        settle();
        check_zone(48, 2, "");
        check_zone(64, 2, "Movable");
        check_zone(80, 2, "Movable");
        check_decision(48, ACTION_LEAVE_OFFLINE, REASON_SOURCE_HIDDEN);
        check_writes(4);
        ck_assert_uint_eq(log_count("left offline: /proc/iomem shows nothing, and rule \"pmem\""), 1);
}
END_TEST

/* ---- reload ------------------------------------------------------------------------------------------------------ */

START_TEST(reload_decides_anew) {
        start(QUIET RULES(RULE("dimms", "source = \"dimm\";", "online_movable") LAST("rest", "", "leave_offline")));
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        fakeroot_add_virtio_mem(f, "virtio0", 48, 2, 1);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 2, 2);
        settle();
        check_writes(2);
        use_policy(QUIET RULES(RULE("pmem", "source = \"pmem\";", "leave_offline") LAST("all", "", "online_kernel")));
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        check_line("policy loaded: 2 rules");
        check_writes(4);
        check_zone(32, 2, "Movable"); /* what is online stays where it is */
        check_zone(48, 2, "Normal");
        check_zone(64, 2, "");
        check_line("virtio-mem virtio0: 2 blocks 48-49 (256 MiB), node 1: online in Normal by rule \"all\" (%s:3)", config);
        check_line("pmem dax0.0: 2 blocks 64-65 (256 MiB), node 2: left offline by rule \"pmem\" (%s:2)", config);
        check_no_line("lost race");
        /* New memory meets the new policy. */
        fakeroot_add_dimm(f, "PNP0C80:01", 34, 1, 1);
        settle();
        check_zone(34, 1, "Normal");
        /* The same policy again is no news. */
        ck_assert_int_eq(manager_reload(m), 0);
        settle();
        check_writes(5);
        ck_assert_uint_eq(log_count("by rule \"pmem\""), 1);
}
END_TEST

START_TEST(reload_of_a_bad_file) {
        start(DIMMS);
        use_policy("rules = (\n{ name = \"dimms\"; action = \"online_kernel\"; }\n{ action = 7; } );\n");
        ck_assert_int_eq(manager_reload(m), -EBADMSG);
        check_line("%s:3: syntax error", config);
        check_line("the new policy was refused; the one before stays");
        use_policy("rules = ( { name = \"dimms\"; action = \"online_kernl\"; } );\n");
        ck_assert_int_eq(manager_reload(m), -EBADMSG);
        fakeroot_unlink(f, "policy");
        ck_assert_int_eq(manager_reload(m), -EBADMSG);
        ck_assert_uint_eq(log_count("No such file or directory"), 1);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        settle();
        check_zone(32, 2, "Movable");
        ck_assert_uint_eq(manager_counters(m)->rescans, 1);
}
END_TEST

/* What is at the writer was decided by a rule that is no more. */
START_TEST(reload_while_writes_are_under_way) {
        start(DIMMS);
        fakeroot_hold_write(f, 32);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        RUN_UNTIL(manager_counters(m)->writes == 4);
        fakeroot_wait_held(f);
        use_policy(QUIET RULES(LAST("others", "", "leave_offline")));
        ck_assert_int_eq(manager_reload(m), 0);
        fakeroot_compete(f, 33, "online_kernel");
        fakeroot_fail_writes(f, 34, EINVAL, 1);
        fakeroot_fail_writes(f, 35, EBUSY, 1);
        fakeroot_release_write(f);
        settle();
        RUN_UNTIL(entry_of(35)->stage == STAGE_IDLE); /* the retry has met the new policy */
        fakeroot_overflow(f);
        settle();
        check_zone(32, 1, "Movable");
        check_zone(33, 1, "Normal");
        check_zone(34, 2, "");
        check_writes(4);
        check_line(FIRST_32 "online in Movable by a rule of an earlier policy");
        check_no_line("null");
        check_decision(34, ACTION_LEAVE_OFFLINE, REASON_RULE);
        check_decision(35, ACTION_LEAVE_OFFLINE, REASON_RULE);
        ck_assert_uint_ge(log_count("left offline by rule \"others\""), 1);
}
END_TEST

/* ---- what people read -------------------------------------------------------------------------------------------- */

/* Slow as they may be, they are one device. */
START_TEST(report_waits_for_the_whole_device) {
        start(DIMMS);
        fakeroot_set_write_time(f, 80000);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 3, 1);
        settle();
        check_line("dimm PNP0C80:00: 3 blocks 32-34 (384 MiB), node 1: online in Movable by rule \"dimms\" (%s:2)", config);
}
END_TEST

/* A device whose blocks take their time is heard of before the last of them is done. */
START_TEST(report_does_not_wait_for_ever) {
        start(DIMMS);
        fakeroot_set_write_time(f, 5000);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 600, 1);
        RUN_UNTIL(fakeroot_n_writes(f) >= 480);
        ck_assert_msg(log_count("online in Movable by rule") >= 1, "nothing in 2.4 s; log:\n%s", log_text());
}
END_TEST

/* More devices at once than a tally has groups. */
START_TEST(report_of_many_devices) {
        char device[32];

        start(QUIET RULES(LAST("all", "", "online_movable")));
        for (uint32_t i = 0; i < 40; i++) {
                snprintf(device, sizeof(device), "PNP0C80:%02x", i);
                fakeroot_add_dimm(f, device, 100 + 4 * i, 2, (int) (i % 4));
        }
        settle();
        check_writes(80);
        for (uint32_t i = 0; i < 40; i++) {
                snprintf(device, sizeof(device), "dimm PNP0C80:%02x: ", i);
                ck_assert_uint_eq(log_count(device), 1);
        }
}
END_TEST

START_TEST(describe_in_a_line) {
        char text[256];

        fakeroot_add_boot(f, 0, 4, 0);
        start(QUIET RULES(LAST("pmem", "source = \"pmem\";", "leave_offline")));
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 2, 2);
        settle();
        manager_describe(m, text, sizeof(text));
        ck_assert_str_eq(text, "6 blocks of 128 MiB: 4 online, 2 offline; 1 rules");
}
END_TEST

/* It says at its start who else brings memory online, by file and line. */
START_TEST(rivals_are_named) {
        static const char rule[] = "SUBSYSTEM==\"memory\", ACTION==\"add\", \\\n  ATTR{state}=\"online\"\n";

        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_write(f, "usr/lib/udev/rules.d/80-harmless.rules", "SUBSYSTEM==\"cpu\", ATTR{online}=\"1\"\n");
        fakeroot_write(f, "usr/lib/udev/rules.d/81-hidden.rules", rule);
        fakeroot_symlink(f, "/dev/null", "etc/udev/rules.d/81-hidden.rules");
        start(DIMMS);
        check_no_line("rules.d");
        rig_stop();
        fakeroot_write(f, "etc/udev/rules.d/82-rival.rules", rule);
        fakeroot_write(f, "etc/udev/rules.d/83-maybe.rules", "SUBSYSTEM==\"memory\", ENV{X}==\"\033\", ATTR{state}=\"\033[31m\"\n");
        start(DIMMS);
        check_line("/etc/udev/rules.d/82-rival.rules:2: a udev rule sets the state of new memory (ATTR{state}=\"online\"): whoever comes "
                   "first decides; \"memhpctl doctor\" tells what helps");
        check_line("/etc/udev/rules.d/83-maybe.rules:1: a udev rule sets the state of new memory, if it applies (ATTR{state}=\"?[31m\"): "
                   "whoever comes first decides; \"memhpctl doctor\" tells what helps");
        ck_assert_uint_eq(log_count("rules.d"), 2);
}
END_TEST

/* ---- the end, and the large -------------------------------------------------------------------------------------- */

START_TEST(stop_with_a_write_that_does_not_end) {
        uint64_t began;

        start(DIMMS);
        fakeroot_hold_write(f, 33);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        RUN_UNTIL(manager_counters(m)->writes == 4);
        fakeroot_wait_held(f);
        began = now_usec();
        rig_stop();
        ck_assert_uint_lt(now_usec() - began, 30000000);
        check_writes(2);
        check_zone(33, 3, "");
        /* The next start meets what was left. */
        start(DIMMS);
        check_zone(32, 4, "Movable");
        check_writes(5);
}
END_TEST

START_TEST(stop_at_any_time) {
        start(DIMMS);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 500, 1);
        fakeroot_fail_writes(f, 40, EBUSY, FAKEROOT_FOREVER);
        for (int i = 0; i < 3 * _i; i++)
                ck_assert_int_ge(sd_event_run(event, 0), 0);
        rig_stop();
        manager_free(NULL);
}
END_TEST

/* 16 TiB. */
START_TEST(coldplug_of_a_large_machine) {
        enum { BOOT = 122880, N = 131072 };

        fakeroot_add_boot(f, 0, BOOT, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", BOOT, N - BOOT, 1);
        start(DIMMS);
        ck_assert_uint_eq(manager_registry(m)->n, N);
        check_burst(BOOT, N - BOOT);
        ck_assert_uint_eq(manager_counters(m)->onlined, N - BOOT);
        ck_assert_uint_eq(log_count("131072 blocks of 128 MiB: "), 1);
        check_no_line("lost race");
        ck_assert_uint_le(fakeroot_iomem_reads(f), 10);
}
END_TEST

int main(void) {
        Suite *s = suite_create("manager");
        TCase *c;
        int r;

        c = check_case_in(s, "start", rig_setup, rig_teardown);
        tcase_add_test(c, boot_memory_is_left_alone);
        tcase_add_test(c, old_blocks_are_old_whatever_events_come);
        tcase_add_test(c, coldplug_brings_online);
        tcase_add_test(c, startup_ignore);
        tcase_add_test(c, no_memory_at_all);
        tcase_add_test(c, start_is_refused);
        tcase_add_test(c, rival_in_the_kernel);
        c = check_case_in(s, "hot-add", rig_setup, rig_teardown);
        tcase_add_loop_test(c, add_goes_where_the_policy_says, 0, ARRAY_SIZE(actions));
        tcase_add_test(c, removable_is_that_of_the_neighbour);
        tcase_add_test(c, rules_by_source_and_node);
        tcase_add_test(c, fallback_where_the_zone_is_no_candidate);
        tcase_add_test(c, fallback_where_the_kernel_refuses);
        tcase_add_test(c, fallback_that_is_refused_too);
        tcase_add_test(c, zone_that_cannot_be_had);
        tcase_add_test(c, machine_without_numa);
        c = check_case_in(s, "late links", rig_setup, rig_teardown);
        tcase_add_loop_test(c, late_links_are_waited_for, 0, ARRAY_SIZE(late));
        tcase_add_loop_test(c, late_links_are_waited_for_after_an_overflow, 1, 3);
        tcase_add_loop_test(c, late_links_at_the_start, 0, ARRAY_SIZE(late));
        tcase_add_test(c, links_that_never_come);
        c = check_case_in(s, "events", rig_setup, rig_teardown);
        tcase_add_test(c, add_that_comes_twice);
        tcase_add_test(c, change_of_a_block_nobody_told_of);
        tcase_add_test(c, burst_is_served_in_order);
        tcase_add_loop_test(c, burst_leaves_a_gap, 16, 20);
        tcase_add_loop_test(c, gap_is_filled_by_others, 0, 2);
        tcase_add_loop_test(c, gap_is_judged_as_decided, 0, 2);
        tcase_add_test(c, gap_beside_a_retry);
        tcase_add_test(c, overflow_finds_everything);
        tcase_add_test(c, overflows_are_answered_together);
        tcase_add_test(c, overflow_forgets_what_is_gone);
        tcase_add_test(c, overflow_finds_what_was_replaced);
        tcase_add_test(c, events_while_a_scan_is_under_way);
        tcase_add_test(c, reconcile_looks_now_and_then);
        c = check_case_in(s, "errors", rig_setup, rig_teardown);
        tcase_add_test(c, busy_and_then_not);
        tcase_add_test(c, busy_for_ever);
        tcase_add_loop_test(c, errors_that_pass_are_tried_again, 0, ARRAY_SIZE(errors));
        tcase_add_test(c, busy_at_different_times);
        tcase_add_test(c, busy_block_in_a_crowd);
        tcase_add_test(c, state_that_cannot_be_read);
        tcase_add_test(c, state_that_cannot_be_read_for_a_while);
        c = check_case_in(s, "unplugged", rig_setup, rig_teardown);
        tcase_add_loop_test(c, gone_is_forgotten, 0, 6);
        tcase_add_loop_test(c, gone_while_waiting_for_a_retry, 0, 2);
        tcase_add_test(c, gone_device_is_forgotten);
        tcase_add_loop_test(c, other_memory_in_the_same_place, 0, 2);
        tcase_add_test(c, other_memory_where_the_writer_met_a_gap);
        tcase_add_loop_test(c, other_memory_while_the_writer_is_behind, 0, 2);
        c = check_case_in(s, "others", rig_setup, rig_teardown);
        tcase_add_test(c, race_lost_at_the_writer);
        tcase_add_test(c, race_lost_before_it_began);
        tcase_add_test(c, race_lost_while_waiting_for_a_retry);
        tcase_add_test(c, set_offline_by_others);
        tcase_add_test(c, set_offline_by_others_unheard);
        tcase_add_test(c, boot_memory_set_offline_by_others);
        tcase_add_test(c, set_offline_by_others_at_once);
        tcase_add_test(c, set_offline_by_others_before_we_knew);
        tcase_add_test(c, set_offline_by_others_while_we_were_away);
        c = check_case_in(s, "holds", rig_setup, rig_teardown);
        tcase_add_loop_test(c, hold_until_released, 0, 2);
        tcase_add_test(c, hold_until_the_file_is_gone);
        tcase_add_test(c, hold_until_it_expires);
        tcase_add_test(c, holds_overlap);
        tcase_add_test(c, hold_survives_the_daemon);
        tcase_add_loop_test(c, torn_holds_stay, 0, ARRAY_SIZE(torn));
        tcase_add_test(c, hold_touches_nothing_else);
        tcase_add_test(c, held_block_is_brought_online_by_others);
        tcase_add_test(c, held_block_is_unplugged);
        tcase_add_test(c, hold_of_a_part);
        c = check_case_in(s, "hidden", rig_setup, rig_teardown);
        tcase_add_test(c, hidden_evidence_leaves_offline);
        c = check_case_in(s, "reload", rig_setup, rig_teardown);
        tcase_add_test(c, reload_decides_anew);
        tcase_add_test(c, reload_of_a_bad_file);
        tcase_add_test(c, reload_while_writes_are_under_way);
        c = check_case_in(s, "report", rig_setup, rig_teardown);
        tcase_add_test(c, report_waits_for_the_whole_device);
        tcase_add_test(c, report_does_not_wait_for_ever);
        tcase_add_test(c, report_of_many_devices);
        tcase_add_test(c, describe_in_a_line);
        tcase_add_test(c, rivals_are_named);
        c = check_case_in(s, "stop", rig_setup, rig_teardown);
        tcase_add_test(c, stop_with_a_write_that_does_not_end);
        tcase_add_loop_test(c, stop_at_any_time, 0, 8);
        c = check_case_in(s, "large", rig_setup, rig_teardown);
        tcase_add_test(c, coldplug_of_a_large_machine);

        unsetenv("JOURNAL_STREAM");
        unsetenv("NOTIFY_SOCKET");
        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
