/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a command takes: runs it with its output in a file, and prints seconds of wall clock, of user and of system CPU, and
 * bytes of peak resident memory. Usage: cost FILE COMMAND [ARGUMENT...]. A small program of its own, since a child's peak begins with what its parent had. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "core/macro.h"

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) {
        return (double) t.tv_sec + (double) t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
        struct rusage usage;
        double start = now();
        pid_t pid;
        int status;

        if (argc < 3)
                return 2;
        pid = fork();
        if (pid == 0) {
                int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);

                if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
                        execvp(argv[2], argv + 2);
                fprintf(stderr, "%s: %s\n", fd < 0 ? argv[1] : argv[2], strerror(errno));
                _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
                return EXIT_FAILURE;
        printf("%.9f %.6f %.6f %ld\n", now() - start, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss * 1024);
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
