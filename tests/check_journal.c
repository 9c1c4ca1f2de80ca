/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/journal.h"

#include <fcntl.h>
#include <syslog.h>

#include "check_util.h"
#include "core/names.h"
#include "rig.h"

/* Whoever listens may be stopped: nobody waits for him, and what was said is not lost, as far as there is room. */

static int stderr_fd, pipe_fds[2];

/* A pipe that takes no more. */
static void fill_pipe(void) {
        static char text[4096];

        memset(text, '.', sizeof(text));
        text[sizeof(text) - 1] = '\n';
        ck_assert_int_ge(fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096), 4096);
        ck_assert_int_ge(fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK), 0);
        while (write(pipe_fds[1], text, sizeof(text)) > 0)
                ;
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_ge(fcntl(pipe_fds[1], F_SETFL, 0), 0);
}

static void redirect(void) {
        ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        stderr_fd = dup(STDERR_FILENO);
        ck_assert(stderr_fd >= 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
}

static void restore(void) {
        (void) dup2(stderr_fd, STDERR_FILENO);
        close(pipe_fds[1]);
}

/* The next line that is not the filling. */
static const char *next_line(FILE *f) {
        static char line[8192];

        do
                if (!fgets(line, sizeof(line), f))
                        return NULL;
        while (line[0] == '.');
        line[strcspn(line, "\n")] = '\0';
        return line;
}

START_TEST(lines_wait_and_are_counted) {
        const struct journal_field field = { "MEMHP_X", "y" };
        char expected[64];
        FILE *f;

        redirect();
        fill_pipe();
        ck_assert_int_eq(journal_start(), 0);
        /* One may be with the thread. */
        for (unsigned i = 0; i < JOURNAL_WAITING_MAX + 11; i++)
                journal_send(LOG_INFO, MESSAGE_STARTED, &field, 1, "line %u", i);
        f = fdopen(pipe_fds[0], "re");
        ck_assert_ptr_nonnull(f);
        for (unsigned i = 0; i < JOURNAL_WAITING_MAX; i++) {
                snprintf(expected, sizeof(expected), "memhpd: line %u", i);
                ck_assert_str_eq(next_line(f), expected);
        }
        journal_stop();
        journal_print(LOG_INFO, MESSAGE_STARTED, "the last one");
        restore();
        for (const char *line = next_line(f); line && strcmp(line, "memhpd: the last one") != 0; line = next_line(f)) {
                unsigned lost;

                if (sscanf(line, "memhpd: %u messages were lost", &lost) == 1)
                        ck_assert_uint_ge(lost, 10);
                else
                        ck_assert_str_eq(line, "memhpd: line 64");
        }
        fclose(f);
}
END_TEST

START_TEST(nobody_waits_for_a_reader) {
        redirect();
        fill_pipe();
        ck_assert_int_eq(journal_start(), 0);
        rig_speed = 50;
        rig.f = fakeroot_new(0);
        snprintf(rig.config, sizeof(rig.config), "%s/policy", fakeroot_path(rig.f));
        ck_assert_int_eq(sd_event_new(&rig.event), 0);
        fakeroot_add_boot(rig.f, 0, 4, 0);
        rig_start("reconcile = \"off\"; rules = ({ name = \"all\"; match = { }; action = \"online_movable\"; });\n");
        for (uint32_t i = 0; i < 100; i++) {
                char name[32];

                snprintf(name, sizeof(name), "PNP0C80:%02x", i);
                fakeroot_add_dimm(rig.f, name, 32 + 2 * i, 1, 0);
                rig_settle();
                rig_check_zone(32 + 2 * i, 1, "Movable");
        }
        rig_stop();
        journal_stop(); /* in vain, and not for long */
        rig.event = sd_event_unref(rig.event);
        rig.f = fakeroot_free(rig.f);
        restore();
        close(pipe_fds[0]);
}
END_TEST

int main(void) {
        Suite *s = suite_create("journal");
        TCase *c;
        int r;

        c = check_case(s, "waiting");
        tcase_add_test(c, lines_wait_and_are_counted);
        tcase_add_test(c, nobody_waits_for_a_reader);
        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
