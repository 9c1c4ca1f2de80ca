/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For benchmarks in a guest: when did the first memory block come, when was the last one online? Listens to the kernel's uevents,
 * ahead of everybody else. Usage: observe BLOCKS SECONDS [WORD]. Says "listening", and when so many blocks are online or the time
 * is over: how many came, how many went online, and the nanoseconds between the first "add" and the last "online". With a WORD it
 * writes that to the state of each block that comes and looks at nothing: the least that user space could do. */

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

static int open_monitor(void) {
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT), size = 64 << 20;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
            bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                perror("observe: uevents");
                exit(EXIT_FAILURE);
        }
        return fd;
}

/* "add@/devices/system/memory/memory32" */
static bool is_event(const char *text, const char *action) {
        size_t n = strlen(action);

        return strncmp(text, action, n) == 0 && strncmp(text + n, "@/devices/system/memory/memory", 30) == 0;
}

/* Refused or not is not ours to know. */
static void write_state(const char *event, const char *word) {
        char path[256];
        int fd;

        snprintf(path, sizeof(path), "/sys%s/state", strchr(event, '@') + 1);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        if (write(fd, word, strlen(word)) < 0)
                errno = 0;
        close(fd);
}

int main(int argc, char **argv) {
        const char *word = argc > 3 ? argv[3] : NULL;
        unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, adds = 0, onlines = 0;
        uint64_t limit = now() + (argc > 2 ? strtoul(argv[2], NULL, 10) : 60) * 1000000000u, first = 0, last = 0;
        const struct sched_param priority = { .sched_priority = 50 };
        int fd = open_monitor();
        char text[8192];

        (void) mlockall(MCL_CURRENT | MCL_FUTURE);
        (void) sched_setscheduler(0, SCHED_FIFO, &priority);
        puts("listening");
        fflush(stdout);
        while (onlines < wanted && now() < limit) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ssize_t n;

                if (poll(&p, 1, 100) <= 0)
                        continue;
                n = recv(fd, text, sizeof(text) - 1, 0);
                if (n <= 0) {
                        fprintf(stderr, "observe: %s\n", n < 0 ? strerror(errno) : "nothing");
                        return EXIT_FAILURE;
                }
                text[n] = '\0';
                if (is_event(text, "add")) {
                        if (adds++ == 0)
                                first = now();
                        if (word)
                                write_state(text, word);
                } else if (is_event(text, "online")) {
                        onlines++;
                        last = now();
                }
        }
        printf("%lu %lu %llu\n", adds, onlines, (unsigned long long) (last - first));
        return onlines == wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}
