/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/scan.h"

struct rig rig;
void (*rig_enter)(bool daemon);

static void enter(bool daemon) {
        if (rig_enter)
                rig_enter(daemon);
}

/* Rescans wait for a second since the last one. Not here. */
bool __real_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);
bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);

bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when) {
        return __real_scan_is_due(s, now + SCAN_INTERVAL_USEC, ret_when);
}

unsigned rig_speed = 1;
int64_t (*rig_date)(void);

/* The daemon's clock and its timers: CLOCK_MONOTONIC, so many times as fast. */
int __real_sd_event_now(sd_event *e, clockid_t clock, uint64_t *ret);
int __wrap_sd_event_now(sd_event *e, clockid_t clock, uint64_t *ret);
int __real_sd_event_source_get_time(sd_event_source *s, uint64_t *ret);
int __wrap_sd_event_source_get_time(sd_event_source *s, uint64_t *ret);
int __real_sd_event_source_set_time(sd_event_source *s, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *s, uint64_t usec);
int __real_sd_event_source_set_time_relative(sd_event_source *s, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *s, uint64_t usec);

static unsigned speed_of(sd_event_source *s) {
        clockid_t clock = CLOCK_REALTIME;

        (void) sd_event_source_get_time_clock(s, &clock);
        return clock == CLOCK_MONOTONIC ? rig_speed : 1;
}

int __wrap_sd_event_now(sd_event *e, clockid_t clock, uint64_t *ret) {
        int r = __real_sd_event_now(e, clock, ret);

        if (r >= 0 && clock == CLOCK_MONOTONIC)
                *ret *= rig_speed;
        if (r >= 0 && clock == CLOCK_REALTIME && rig_date)
                *ret += (uint64_t) (rig_date() * 1000000);
        return r;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = __real_clock_gettime(clock, ret);

        if (r == 0 && clock == CLOCK_REALTIME && rig_date)
                ret->tv_sec += rig_date();
        return r;
}

int __wrap_sd_event_source_get_time(sd_event_source *s, uint64_t *ret) {
        int r = __real_sd_event_source_get_time(s, ret);

        if (r >= 0 && *ret != UINT64_MAX)
                *ret *= speed_of(s);
        return r;
}

int __wrap_sd_event_source_set_time(sd_event_source *s, uint64_t usec) {
        return __real_sd_event_source_set_time(s, usec / speed_of(s));
}

int __wrap_sd_event_source_set_time_relative(sd_event_source *s, uint64_t usec) {
        return __real_sd_event_source_set_time_relative(s, usec / speed_of(s));
}

/* The sanitizers' words go where the tests' do, not into what the daemon says. */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

void rig_setup(void) {
        rig.f = fakeroot_new(0);
        snprintf(rig.config, sizeof(rig.config), "%s/policy", fakeroot_path(rig.f));
        ck_assert_int_eq(sd_event_new(&rig.event), 0);
        rig.stderr_fd = dup(STDERR_FILENO);
        rig.log_fd = memfd_create("log", MFD_CLOEXEC);
        ck_assert(rig.stderr_fd >= 0 && rig.log_fd >= 0 && dup2(rig.log_fd, STDERR_FILENO) >= 0);
        if (__sanitizer_set_report_fd)
                __sanitizer_set_report_fd((void *) (intptr_t) rig.stderr_fd);
}

void rig_stop(void) {
        rig.event_source = sd_event_source_unref(rig.event_source);
        enter(true);
        manager_free(TAKE_PTR(rig.m));
        enter(false);
}

void rig_teardown(void) {
        rig_stop();
        (void) dup2(rig.stderr_fd, STDERR_FILENO);
        close(rig.stderr_fd);
        close(rig.log_fd);
        if (__sanitizer_set_report_fd)
                __sanitizer_set_report_fd((void *) (intptr_t) STDERR_FILENO);
        rig.event = sd_event_unref(rig.event);
        rig.f = fakeroot_free(rig.f);
}

static int on_kernel_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct uevent e;

        (void) source, (void) fd, (void) revents, (void) userdata;
        for (int i = 0; i < 512 && fakeroot_take_event(rig.f, &e); i++)
                manager_handle_event(rig.m, &e);
        return 0;
}

static int start(void) {
        const struct manager_options options = { .root = fakeroot_path(rig.f), .config = rig.config };
        int r;

        enter(true);
        r = manager_new(rig.event, &options, &rig.m);
        if (r >= 0)
                r = manager_start(rig.m);
        enter(false);
        return r;
}

int rig_try_to_start(const char *policy) {
        int r;

        fakeroot_write(rig.f, "policy", policy);
        fakeroot_drop_events(rig.f);
        r = start();
        if (r < 0) {
                rig_stop();
                return r;
        }
        ck_assert_int_ge(sd_event_add_io(rig.event, &rig.event_source, fakeroot_event_fd(rig.f), EPOLLIN, on_kernel_event, NULL),
                         0);
        ck_assert_int_ge(sd_event_source_set_priority(rig.event_source, -10), 0);
        return 0;
}

void rig_start(const char *policy) {
        int r = rig_try_to_start(policy);

        ck_assert_msg(r == 0, "%s: %s", strerror(-r), rig_log());
        rig_settle();
}

int rig_reload(void) {
        int r;

        enter(true);
        r = manager_reload(rig.m);
        enter(false);
        return r;
}

bool rig_fork(pid_t *ret) {
        *ret = fork();
        ck_assert_int_ge(*ret, 0);
        if (*ret > 0)
                return false;
        ck_assert_int_eq(sd_event_new(&rig.event), 0); /* that of the parent is the parent's */
        return true;
}

static bool adds_are_over(void) {
        struct adds *adds = manager_adds(rig.m);

        for (size_t i = 0; i < adds->n; i++)
                if (adds->ring[i].number && !adds->ring[i].end_usec)
                        return false;
        return true;
}

void rig_settle_adds(void) {
        RIG_RUN_UNTIL(rig_is_settled() && adds_are_over());
}

void rig_turn(void) {
        int r;

        enter(true);
        r = sd_event_run(rig.event, 100000);
        enter(false);
        if (r < 0)
                ck_abort_msg("the event loop has ended");
}

bool rig_is_settled(void) {
        return manager_is_idle(rig.m) && !fakeroot_has_events(rig.f);
}

void rig_settle(void) {
        RIG_RUN_UNTIL(rig_is_settled());
}

uint64_t rig_now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

const char *rig_log(void) {
        static char text[1 << 18];
        ssize_t n = pread(rig.log_fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                ck_abort_msg("the log cannot be read");
        text[n] = '\0';
        return text;
}

unsigned rig_log_count(const char *part) {
        unsigned n = 0;

        for (const char *p = rig_log(); (p = strstr(p, part)); p += strlen(part))
                n++;
        return n;
}

void rig_check_zone(uint32_t first, uint32_t n, const char *zone) {
        for (uint32_t i = first; i < first + n; i++)
                if (strcmp(fakeroot_zone(rig.f, i), zone) != 0)
                        ck_abort_msg("block %u is in \"%s\" instead of \"%s\"; log:\n%s", i, fakeroot_zone(rig.f, i), zone,
                                     rig_log());
}
