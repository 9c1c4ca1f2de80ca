/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For scenarios in a guest: more of something than anybody needs, until it is told to stop (SIGTERM), and then how much it was.
 *
 *      flood events BLOCK...      has the kernel send "add" and "change" about these blocks in turn, as fast as it can
 *      flood calls A_SECOND       calls memhpd over the system bus, so often: what takes it long, or gives long answers
 *      flood bus A_SECOND         calls the bus itself so often, which never reaches memhpd
 *
 * Says "flooding" when it begins. And beside it, ahead of everybody else:
 *
 *      flood watch                how long it is from the first event of a new block until the block is online, once
 *
 * Blocks of one digit are none for it: the kernel does not even wake it for what is sent about them. Says "watching". */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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
        else if (sd_bus_message_is_method_error(m, NULL)) {
                if (failed++ == 0)
                        printf("failed: %s\n", sd_bus_message_get_error(m)->name);
        } else
                served++;
        return 0;
}

struct call {
        const char *interface, *member, *types, *text;
};

struct callee {
        const char *name, *path;
        const struct call *calls;
        size_t n;
};

static const struct callee memhpd = {
        "org.memhp1", "/org/memhp1",
        (const struct call[]) {
                { "org.memhp1.Manager", "ListBlocks", "s", "all" },
                { "org.memhp1.Manager", "Explain", "sb", "all" },
                { "org.memhp1.Manager", "GetStatus", "", NULL },
                { "org.memhp1.Manager", "GetZones", "", NULL },
                { "org.memhp1.Manager", "ListTraces", "", NULL },
                { "org.freedesktop.DBus.Properties", "GetAll", "s", "org.memhp1.Manager" },
        }, 6,
};

static const struct callee the_bus = {
        "org.freedesktop.DBus", "/org/freedesktop/DBus",
        (const struct call[]) { { "org.freedesktop.DBus", "ListNames", "", NULL } }, 1,
};

static int call_one(sd_bus *bus, const struct callee *callee, uint64_t i) {
        const struct call *call = &callee->calls[i % callee->n];
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, callee->name, callee->path, call->interface, call->member);
        if (r >= 0)
                r = sd_bus_message_append(m, call->types, call->text, 1);
        if (r >= 0)
                r = sd_bus_call_async(bus, NULL, m, on_answer, NULL, UINT64_MAX);
        sd_bus_message_unref(m);
        return r;
}

static int flood_calls(const struct callee *callee, uint64_t a_second) {
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
                                r = call_one(bus, callee, sent++);
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

/* ---- watching ----------------------------------------------------------------------------------------------------- */

#define BLOCK_PATH "@/devices/system/memory/memory"

/* No "change", and no "add" whose block has one digit: "add@/devices/system/memory/memory7" ends after 34 bytes. */
static int open_monitor(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'c', 4, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 2),
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 34),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
            bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                perror("flood: uevents");
                exit(EXIT_FAILURE);
        }
        return fd;
}

static int watch(void) {
        const struct sched_param priority = { .sched_priority = 50 };
        uint64_t came = 0;
        char text[8192];
        int fd = open_monitor();

        (void) mlockall(MCL_CURRENT | MCL_FUTURE);
        (void) sched_setscheduler(0, SCHED_FIFO, &priority);
        puts("watching");
        fflush(stdout);
        while (!stopped) {
                ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

                if (n <= 0)
                        continue;
                text[n] = '\0';
                if (came == 0 && strncmp(text, "add" BLOCK_PATH, strlen("add" BLOCK_PATH)) == 0)
                        came = now_usec();
                if (came > 0 && strncmp(text, "online" BLOCK_PATH, strlen("online" BLOCK_PATH)) == 0) {
                        printf("%" PRIu64 " usec\n", now_usec() - came);
                        return EXIT_SUCCESS;
                }
        }
        return EXIT_FAILURE;
}

int main(int argc, char **argv) {
        const struct sigaction action = { .sa_handler = on_term };

        sigaction(SIGTERM, &action, NULL);
        if (argc > 2 && argc <= 66 && strcmp(argv[1], "events") == 0)
                return flood_events(argc - 2, argv + 2);
        if (argc == 3 && strcmp(argv[1], "calls") == 0)
                return flood_calls(&memhpd, strtoull(argv[2], NULL, 10));
        if (argc == 3 && strcmp(argv[1], "bus") == 0)
                return flood_calls(&the_bus, strtoull(argv[2], NULL, 10));
        if (argc == 2 && strcmp(argv[1], "watch") == 0)
                return watch();
        fputs("Usage: flood events BLOCK... | flood calls|bus A_SECOND | flood watch\n", stderr);
        return 2;
}
