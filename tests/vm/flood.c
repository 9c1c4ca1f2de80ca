/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For scenarios in a guest: more of something than anybody needs, until it is told to stop (SIGTERM), and then how much it was.
 *
 *      flood events BLOCK...      has the kernel send "add" and "change" about these blocks in turn, as fast as it can
 *      flood calls A_SECOND       calls memhpd over the system bus, so often: what takes it long, or gives long answers
 *
 * Says "flooding" when it begins. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void on_term(int number) {
        (void) number;
        stopped = 1;
}

static void say_begun(void) {
        puts("flooding");
        fflush(stdout);
}

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

static int flood_events(int n, char **blocks) {
        static const char *const words[] = { "add", "change" };
        uint64_t sent = 0, begun = now_usec();
        int fds[64];

        for (int i = 0; i < n; i++) {
                char path[128];

                snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%s/uevent", blocks[i]);
                fds[i] = open(path, O_WRONLY | O_CLOEXEC);
                if (fds[i] < 0) {
                        perror(path);
                        return EXIT_FAILURE;
                }
        }
        say_begun();
        while (!stopped) {
                const char *word = words[sent / (uint64_t) n % 2];

                if (write(fds[sent % (uint64_t) n], word, strlen(word)) < 0) {
                        perror("flood: uevent");
                        return EXIT_FAILURE;
                }
                sent++;
        }
        printf("%" PRIu64 " events in %" PRIu64 " usec\n", sent, now_usec() - begun);
        return EXIT_SUCCESS;
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

static uint64_t served, refused, failed;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) userdata, (void) error;
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_LIMITS_EXCEEDED))
                refused++;
        else if (sd_bus_message_is_method_error(m, NULL))
                failed++;
        else
                served++;
        return 0;
}

static int call_one(sd_bus *bus, uint64_t i) {
        static const struct {
                const char *interface, *member, *types, *text;
        } calls[] = {
                { "org.memhp1.Manager", "ListBlocks", "s", "all" },
                { "org.memhp1.Manager", "Explain", "sb", "all" },
                { "org.memhp1.Manager", "GetStatus", "", NULL },
                { "org.memhp1.Manager", "GetZones", "", NULL },
                { "org.memhp1.Manager", "ListTraces", "", NULL },
                { "org.freedesktop.DBus.Properties", "GetAll", "s", "org.memhp1.Manager" },
        };
        const size_t k = i % (sizeof(calls) / sizeof(calls[0]));
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, "org.memhp1", "/org/memhp1", calls[k].interface, calls[k].member);
        if (r >= 0)
                r = sd_bus_message_append(m, calls[k].types, calls[k].text, 1);
        if (r >= 0)
                r = sd_bus_call_async(bus, NULL, m, on_answer, NULL, UINT64_MAX);
        sd_bus_message_unref(m);
        return r;
}

static int flood_calls(uint64_t a_second) {
        uint64_t begun, sent = 0;
        sd_bus *bus;
        int r;

        r = sd_bus_open_system(&bus);
        if (r < 0) {
                fprintf(stderr, "flood: no bus: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        say_begun();
        begun = now_usec();
        while (!stopped && r >= 0) {
                uint64_t due = (now_usec() - begun) * a_second / 1000000;

                /* What could not be sent in time is not made up for. */
                if (due > sent + a_second / 4)
                        begun += (due - sent) * 1000000 / a_second;
                else
                        while (sent < due && r >= 0)
                                r = call_one(bus, sent++);
                while (r >= 0 && (r = sd_bus_process(bus, NULL)) > 0)
                        ;
                if (r >= 0)
                        r = sd_bus_wait(bus, 1000);
                if (r == -EINTR)
                        r = 0;
        }
        if (r < 0)
                fprintf(stderr, "flood: %s\n", strerror(-r));
        printf("%" PRIu64 " calls: %" PRIu64 " served, %" PRIu64 " refused, %" PRIu64 " failed\n", sent, served, refused, failed);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        const struct sigaction action = { .sa_handler = on_term };

        sigaction(SIGTERM, &action, NULL);
        if (argc > 2 && argc <= 66 && strcmp(argv[1], "events") == 0)
                return flood_events(argc - 2, argv + 2);
        if (argc == 3 && strcmp(argv[1], "calls") == 0)
                return flood_calls(strtoull(argv[2], NULL, 10));
        fputs("Usage: flood events BLOCK... | flood calls A_SECOND\n", stderr);
        return 2;
}
