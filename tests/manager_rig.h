/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The whole daemon but its main(), on a machine made of files. Nothing here depends on how fast the machine is that runs the
 * tests: they wait for what has to come. Included once by each program, after which these are its fixture: rig_setup() and
 * rig_teardown(). Link with fakeroot's flags and -Wl,--wrap=scan_is_due */

#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#include "check_util.h"
#include "daemon/manager-internal.h"
#include "fakeroot.h"

#define PATIENCE_USEC 60000000

static struct fakeroot *f;
static sd_event *event;
static sd_event_source *event_source;
static struct manager *m;
static int log_fd, stderr_fd;
static char config[512];
static bool keep_intervals;

/* Rescans wait for a second since the last one. Here only where a test is about that. */
bool __real_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);
bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when);

bool __wrap_scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when) {
        return __real_scan_is_due(s, keep_intervals ? now : now + SCAN_INTERVAL_USEC, ret_when);
}

/* The sanitizers' words go where the tests' do, not into what the daemon says. */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

static inline void rig_setup(void) {
        f = fakeroot_new(0);
        keep_intervals = false;
        snprintf(config, sizeof(config), "%s/policy", fakeroot_path(f));
        ck_assert_int_eq(sd_event_new(&event), 0);
        stderr_fd = dup(STDERR_FILENO);
        log_fd = memfd_create("log", MFD_CLOEXEC);
        ck_assert(stderr_fd >= 0 && log_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
        if (__sanitizer_set_report_fd)
                __sanitizer_set_report_fd((void *) (intptr_t) stderr_fd);
}

static inline void rig_stop(void) {
        event_source = sd_event_source_unref(event_source);
        manager_free(m);
        m = NULL;
}

static inline void rig_teardown(void) {
        rig_stop();
        (void) dup2(stderr_fd, STDERR_FILENO);
        close(stderr_fd);
        close(log_fd);
        if (__sanitizer_set_report_fd)
                __sanitizer_set_report_fd((void *) (intptr_t) STDERR_FILENO);
        event = sd_event_unref(event);
        f = fakeroot_free(f);
}

/* ---- what it says ------------------------------------------------------------------------------------------------- */

static inline const char *log_text(void) {
        static char *text;
        off_t size = lseek(log_fd, 0, SEEK_END);

        free(text);
        text = malloc((size_t) size + 1);
        ck_assert_ptr_nonnull(text);
        ck_assert_int_eq(pread(log_fd, text, (size_t) size, 0), size);
        text[size] = '\0';
        return text;
}

static inline unsigned log_count(const char *part) {
        unsigned n = 0;

        for (const char *p = log_text(); (p = strstr(p, part)); p += strlen(part))
                n++;
        return n;
}

static inline void check_said(const char *part, unsigned expected) {
        unsigned n = log_count(part);

        ck_assert_msg(n == expected, "%u times instead of %u: \"%s\" in:\n%s", n, expected, part, log_text());
}

/* ---- time passes -------------------------------------------------------------------------------------------------- */

static inline uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* Drive the loop until it is so. */
#define RUN_UNTIL(condition)                                                                         \
        do {                                                                                         \
                uint64_t end_ = now_usec() + PATIENCE_USEC;                                          \
                while (!(condition)) {                                                               \
                        if (now_usec() >= end_ || sd_event_run(event, 100000) < 0)                   \
                                ck_abort_msg("never: %s; log:\n%s", #condition, log_text());         \
                }                                                                                    \
        } while (0)

/* Nothing is under way, neither in the daemon nor in the kernel. */
static inline void settle(void) {
        RUN_UNTIL(manager_is_idle(m) && !fakeroot_has_events(f));
}

/* Every hot-add has ended, and what follows from that as well. Nobody but the manager knows when that is. */
static inline bool adds_are_over(void) {
        for (size_t i = 0; i < m->adds.n; i++)
                if (m->adds.ring[i].number && !m->adds.ring[i].end_usec)
                        return false;
        return true;
}

static inline void settle_adds(void) {
        RUN_UNTIL(manager_is_idle(m) && !fakeroot_has_events(f) && adds_are_over());
}

/* ---- the start ---------------------------------------------------------------------------------------------------- */

static inline int on_kernel_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct uevent e;

        (void) source, (void) fd, (void) revents, (void) userdata;
        for (int i = 0; i < 512 && fakeroot_take_event(f, &e); i++)
                manager_handle_event(m, &e);
        return 0;
}

/* One rule on a line; the first of them is in line 2. */
#define RULE(name, match, action) "{ name = \"" name "\"; match = { " match " }; action = \"" action "\"; },\n"
#define LAST(name, match, action) "{ name = \"" name "\"; match = { " match " }; action = \"" action "\"; }"
#define QUIET "reconcile = \"off\"; "
#define RULES(rules) "rules = (\n" rules " );\n"

static inline void start_without_running(void) {
        const struct manager_options options = { .root = fakeroot_path(f), .config = config };

        ck_assert_msg(manager_new(event, &options, &m) == 0, "%s", log_text());
        ck_assert_int_ge(sd_event_add_io(event, &event_source, fakeroot_event_fd(f), EPOLLIN, on_kernel_event, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_priority(event_source, -10), 0);
        ck_assert_int_eq(manager_start(m), 0);
}

/* What the kernel had to say before, nobody heard. */
static inline void start(const char *policy) {
        fakeroot_write(f, "policy", policy);
        fakeroot_drop_events(f);
        start_without_running();
        settle();
}

/* ---- what is ------------------------------------------------------------------------------------------------------ */

static inline const struct entry *entry_of(uint32_t block) {
        return registry_find(manager_registry(m), block);
}

static inline void check_writes(size_t n) {
        ck_assert_msg(fakeroot_n_writes(f) == n, "%zu writes instead of %zu; log:\n%s", fakeroot_n_writes(f), n, log_text());
}

/* "" for offline. */
static inline void check_zone(uint32_t first, uint32_t n, const char *zone) {
        for (uint32_t i = first; i < first + n; i++)
                if (strcmp(fakeroot_zone(f, i), zone) != 0)
                        ck_abort_msg("block %u is in \"%s\" instead of \"%s\"; log:\n%s", i, fakeroot_zone(f, i), zone,
                                     log_text());
}

/* What is written from the nth on, "32 offline, 33 online_movable". */
static inline void check_written(size_t nth, const char *expected) {
        char seen[4096] = "";

        for (size_t i = nth; i < fakeroot_n_writes(f); i++) {
                struct fakeroot_write w = fakeroot_get_write(f, i);

                snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%u %s", i > nth ? ", " : "", w.block, w.word);
        }
        ck_assert_str_eq(seen, expected);
}
