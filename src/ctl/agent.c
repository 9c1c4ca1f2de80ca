/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>

#include "core/macro.h"

/* It closes the descriptor it is given as soon as polkit knows it. */
#define READY_MSEC 10000

static pid_t agent;

/* Only in a session is there a desktop whose agent could go first, and only there polkit uses one that lets it. */
static bool is_in_session(void) {
        return sd_pid_get_session(0, NULL) >= 0 || sd_uid_get_display(getuid(), NULL) >= 0;
}

_Noreturn static void run_agent(int fd, pid_t parent) {
        char number[16];

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || fcntl(fd, F_SETFD, 0) < 0)
                _exit(EXIT_FAILURE);
        signal(SIGPIPE, SIG_DFL);
        snprintf(number, sizeof(number), "%d", fd);
        (void) execlp("pkttyagent", "pkttyagent", "--notify-fd", number, is_in_session() ? "--fallback" : NULL, (char *) NULL);
        _exit(EXIT_FAILURE);
}

bool agent_open(void) {
        struct pollfd ready = { .events = POLLHUP };
        pid_t parent = getpid();
        int fds[2];

        if (agent > 0)
                return true;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return false;
        (void) fflush(stdout);
        agent = fork();
        if (agent == 0)
                run_agent(fds[1], parent);
        close(fds[1]);
        ready.fd = fds[0];
        if (agent > 0)
                while (poll(&ready, 1, READY_MSEC) < 0 && errno == EINTR)
                        ;
        close(fds[0]);
        return agent > 0;
}

void agent_close(void) {
        if (agent <= 0)
                return;
        (void) kill(agent, SIGTERM);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
        agent = 0;
}
