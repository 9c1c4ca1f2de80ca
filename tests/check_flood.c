/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check_util.h"

#include <sys/eventfd.h>

#include "daemon/bus.h"
#include "manager_rig.h"

/* Events, work and calls that have no end: whatever comes in between gets its turn all the same. The kernel's socket is played
 * here, so that the daemon's own way of receiving is what is tested. Nothing is timed: what starves would wait for ever.
 *
 * Link also with -Wl,--wrap=uevent_receive -Wl,--wrap=uevent_monitor_fd -Wl,--wrap=uevent_monitor_expect
 * -Wl,--wrap=uevent_monitor_free -Wl,--wrap=uevent_monitor_receive_buffer -Wl,--wrap=sysfs_request_uevent */

/* ---- the kernel's socket ------------------------------------------------------------------------------------------ */

static struct {
        enum { QUIET_SOCKET, WITHOUT_END, ONE_A_TURN } how;
        struct uevent event; /* the flood: this one, again and again, over n blocks */
        uint32_t n, next;
        bool pause;
        int fd; /* readable for ever */
        unsigned calls;
} flood = { .fd = -1 };

int __wrap_uevent_receive(struct uevent_monitor *monitor, struct uevent *ret);
int __wrap_uevent_monitor_fd(const struct uevent_monitor *monitor);
int __wrap_uevent_monitor_expect(struct uevent_monitor *monitor, uint32_t block, int timeout_msec);
void __wrap_uevent_monitor_free(struct uevent_monitor *monitor);
size_t __wrap_uevent_monitor_receive_buffer(const struct uevent_monitor *monitor);
int __wrap_sysfs_request_uevent(const struct sysfs *fs, uint32_t block);

int __wrap_uevent_receive(struct uevent_monitor *monitor, struct uevent *ret) {
        (void) monitor;
        flood.pause = flood.how == ONE_A_TURN && !flood.pause;
        if (flood.how == ONE_A_TURN && !flood.pause)
                return 0;
        /* What is real stands in the queue among the others. */
        if ((flood.how == QUIET_SOCKET || flood.calls++ % 16 == 0) && fakeroot_take_event(f, ret))
                return 1;
        if (flood.how == QUIET_SOCKET)
                return 0;
        *ret = flood.event;
        ret->block += flood.next++ % flood.n;
        return 1;
}

int __wrap_uevent_monitor_fd(const struct uevent_monitor *monitor) {
        (void) monitor;
        return flood.fd;
}

int __wrap_uevent_monitor_expect(struct uevent_monitor *monitor, uint32_t block, int timeout_msec) {
        (void) monitor, (void) block, (void) timeout_msec;
        return 0;
}

void __wrap_uevent_monitor_free(struct uevent_monitor *monitor) {
        (void) monitor;
}

size_t __wrap_uevent_monitor_receive_buffer(const struct uevent_monitor *monitor) {
        (void) monitor;
        return SIZE_MAX;
}

int __wrap_sysfs_request_uevent(const struct sysfs *fs, uint32_t block) {
        (void) fs, (void) block;
        return 0;
}

/* How often a block was looked at for a change. */
static unsigned n_looks;

int __real_sysfs_read_block_zones(const struct sysfs *fs, uint32_t index, struct block *ret);
int __wrap_sysfs_read_block_zones(const struct sysfs *fs, uint32_t index, struct block *ret);

int __wrap_sysfs_read_block_zones(const struct sysfs *fs, uint32_t index, struct block *ret) {
        n_looks++;
        return __real_sysfs_read_block_zones(fs, index, ret);
}

/* ---- others ------------------------------------------------------------------------------------------------------- */

static unsigned n_words, n_ticks;
static int words_fd = -1;
static sd_event_source *words_source, *ticks_source;

static int on_words(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source, (void) fd, (void) revents, (void) userdata;
        n_words++;
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec, (void) userdata;
        n_ticks++;
        return 0;
}

/* Somebody calls over the bus all the time. */
static void speak(void) {
        ck_assert_int_ge(sd_event_add_io(event, &words_source, words_fd, EPOLLIN, on_words, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_priority(words_source, BUS_EVENT_PRIORITY), 0);
}

/* Signals and timers have this rank. */
static void tick(void) {
        ck_assert_int_ge(sd_event_add_time(event, &ticks_source, CLOCK_MONOTONIC, 0, 1, on_tick, NULL), 0);
}

/* Boot memory, and eight blocks that are left offline. */
static void begin(void) {
        const struct manager_options options = { .root = fakeroot_path(f), .config = config };

        flood.how = QUIET_SOCKET; /* also where one test after the other runs in one process */
        flood.calls = 0;
        flood.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        words_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        ck_assert(flood.fd >= 0 && words_fd >= 0);
        fakeroot_add_boot(f, 0, 8, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 16, 8, 2);
        fakeroot_drop_events(f);
        fakeroot_write(f, "policy", QUIET RULES(RULE("none", "node = \"2\";", "leave_offline") LAST("dimms", "source = \"dimm\";", "online_movable")));
        ck_assert_msg(manager_new(event, &options, &m) == 0, "%s", log_text());
        m->monitor = (struct uevent_monitor *) &flood;
        ck_assert_int_eq(manager_start(m), 0);
        RUN_UNTIL(manager_is_idle(m));
}

static void flood_setup(void) {
        rig_setup();
        n_words = n_ticks = 0;
        begin();
}

static void flood_teardown(void) {
        words_source = sd_event_source_unref(words_source);
        ticks_source = sd_event_source_unref(ticks_source);
        rig_stop();
        close(flood.fd);
        close(words_fd);
        rig_teardown();
}

static void start_flood(int how, enum uevent_type type, uint32_t first, uint32_t n) {
        flood.event = (struct uevent) { .type = type, .block = first };
        flood.n = n;
        flood.how = how;
}

static uint32_t n_movable(uint32_t first, uint32_t n) {
        uint32_t found = 0;

        for (uint32_t i = first; i < first + n; i++)
                found += strcmp(fakeroot_zone(f, i), "Movable") == 0;
        return found;
}

/* A hot-add meanwhile, and all others, too. */
static void check_all_go_on(void) {
        fakeroot_add_dimm(f, "PNP0C80:01", 32, 4, 1);
        RUN_UNTIL(strcmp(fakeroot_zone(f, 35), "Movable") == 0);
        check_zone(32, 4, "Movable");
        tick();
        RUN_UNTIL(n_ticks > 0);
        speak();
        RUN_UNTIL(n_words > 2);
        fakeroot_add_dimm(f, "PNP0C80:02", 40, 4, 1); /* beside the words, too */
        RUN_UNTIL(strcmp(fakeroot_zone(f, 43), "Movable") == 0);
        RUN_UNTIL(log_count("4 blocks 40-43") == 1);
        fakeroot_add_dimm(f, "PNP0C80:03", 100, 30, 1); /* so large that one block comes after the others */
        RUN_UNTIL(n_movable(100, 30) == 30);
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

START_TEST(events_without_end) {
        start_flood(WITHOUT_END, UEVENT_CHANGED, 0, 8);
        check_all_go_on();
}
END_TEST

/* What is told again and again is looked at once a turn, and all of it is counted. */
START_TEST(events_without_news) {
        uint64_t before = manager_counters(m)->events;
        unsigned looks;

        start_flood(WITHOUT_END, UEVENT_CHANGED, 0, 8);
        n_looks = 0;
        RUN_UNTIL(flood.calls >= 16384);
        looks = n_looks;
        ck_assert_uint_gt(looks, 0);
        ck_assert_uint_le(looks, flood.calls / 32);
        ck_assert_uint_eq(manager_counters(m)->events - before, flood.calls);
        fakeroot_set_state(f, 3, "offline");
        RUN_UNTIL(entry_of(3)->state == BLOCK_OFFLINE);
}
END_TEST

/* Each time the queue is empty for a moment: nothing ever looks like a flood. */
START_TEST(one_event_after_the_other) {
        start_flood(ONE_A_TURN, UEVENT_CHANGED, 0, 8);
        check_all_go_on();
}
END_TEST

/* Every block has to be looked at and decided again, as ever. */
START_TEST(work_without_end) {
        start_flood(WITHOUT_END, UEVENT_ADD, 16, 8);
        check_all_go_on();
        check_zone(16, 8, "");
}
END_TEST

START_TEST(blocks_that_are_not_there) {
        start_flood(WITHOUT_END, UEVENT_ADD, 1000000, 4096);
        check_all_go_on();
        flood.how = QUIET_SOCKET;
        RUN_UNTIL(manager_is_idle(m));
        ck_assert_uint_eq(manager_registry(m)->n, 54); /* nothing is kept of them */
}
END_TEST

START_TEST(lost_events_without_end) {
        start_flood(WITHOUT_END, UEVENT_OVERFLOW, 0, 1);
        check_all_go_on();
}
END_TEST

/* Between an event and what is done about it nobody who calls is heard, or a few where the machine is so slow that it is their turn
 * at each step. */
START_TEST(words_without_end) {
        unsigned before;

        speak();
        for (uint32_t block = 48; block < 64; block++) {
                RUN_UNTIL(manager_is_idle(m) && n_words > 0);
                before = n_words;
                fakeroot_add_dimm(f, "PNP0C80:03", block, 1, 1);
                RUN_UNTIL(entry_of(block) && entry_of(block)->stage != STAGE_QUEUED);
                ck_assert_uint_le(n_words - before, 4);
                RUN_UNTIL(strcmp(fakeroot_zone(f, block), "Movable") == 0);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("flood");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "flood", flood_setup, flood_teardown);
        tcase_add_test(c, events_without_end);
        tcase_add_test(c, events_without_news);
        tcase_add_test(c, one_event_after_the_other);
        tcase_add_test(c, work_without_end);
        tcase_add_test(c, blocks_that_are_not_there);
        tcase_add_test(c, lost_events_without_end);
        tcase_add_test(c, words_without_end);
        r = check_run(s);
        fakeroot_end();
        return r;
}
