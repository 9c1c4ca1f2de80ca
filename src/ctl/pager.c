/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/macro.h"
#include "ctl/output.h"

static struct {
        pid_t pid; /* 0: there is none */
        int stdout_fd, stderr_fd; /* as they were; -1: the same still */
} pager = { .stdout_fd = -1, .stderr_fd = -1 };

/* Another user asked, through somebody else's rights. */
static bool is_elevated(void) {
        return getuid() != geteuid() || getenv("SUDO_UID") || getenv("PKEXEC_UID") || getenv("DOAS_USER");
}

/* NULL: whatever there is; "": none. */
static const char *chosen_pager(void) {
        const char *command = getenv("MEMHP_PAGER") ?: getenv("PAGER");

        if (command && (!*command || strcmp(command, "cat") == 0))
                return "";
        return is_elevated() ? NULL : command;
}

/* Without a shell: words, and nothing that means something. Returns if there is no such program. */
static void exec_words(const char *command) {
        char *words[16] = {}, *rest = strdup(command);
        size_t n = 0;

        for (char *word; n < ARRAY_SIZE(words) - 1 && (word = strsep(&rest, " \t"));)
                if (*word)
                        words[n++] = word;
        if (n > 0)
                (void) execvp(words[0], words);
}

_Noreturn static void run_pager(int fd, pid_t parent) {
        const char *command = chosen_pager();
        char buf[4096];
        ssize_t n;

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(fd, STDIN_FILENO) < 0)
                _exit(EXIT_FAILURE);
        signal(SIGPIPE, SIG_DFL);
        /* Quit if it fits, colours, long lines cut, no clearing of the screen, ^C ends it. */
        (void) setenv("LESS", getenv("MEMHP_LESS") ?: "FRSXMK", true);
        if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
                (void) setenv("LESSCHARSET", "utf-8", false);
        if (is_elevated())
                (void) setenv("LESSSECURE", "1", true);
        if (command)
                exec_words(command);
        (void) execlp("less", "less", (char *) NULL);
        if (!is_elevated())
                (void) execlp("more", "more", (char *) NULL);
        while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
                if (write(STDOUT_FILENO, buf, (size_t) n) != n)
                        _exit(EXIT_FAILURE);
        _exit(EXIT_SUCCESS);
}

/* What stands behind a descriptor is now the pipe; *ret_before is what was there. */
static void redirect(FILE *f, int fd, int *ret_before) {
        (void) fflush(f);
        *ret_before = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
        if (*ret_before >= 0)
                (void) dup2(fd, fileno(f));
}

static void restore(FILE *f, int *before) {
        (void) fflush(f);
        if (*before >= 0) {
                (void) dup2(*before, fileno(f));
                close(TAKE_FD(*before));
        }
}

void pager_open(void) {
        const char *command = chosen_pager();
        pid_t parent = getpid();
        int fds[2];

        if (!output_is_terminal() || output_is_dumb() || (command && !*command) || pipe2(fds, O_CLOEXEC) < 0)
                return;
        pager.pid = fork();
        if (pager.pid == 0)
                run_pager(fds[0], parent);
        close(fds[0]);
        if (pager.pid > 0) {
                redirect(stdout, fds[1], &pager.stdout_fd);
                if (isatty(STDERR_FILENO))
                        redirect(stderr, fds[1], &pager.stderr_fd);
        } else
                pager.pid = 0;
        close(fds[1]);
}

bool pager_close(void) {
        int status;

        if (pager.pid == 0)
                return false;
        /* ^C is for the reader now. */
        signal(SIGINT, SIG_IGN);
        restore(stdout, &pager.stdout_fd);
        restore(stderr, &pager.stderr_fd);
        while (waitpid(pager.pid, &status, 0) < 0 && errno == EINTR)
                ;
        pager.pid = 0;
        return true;
}
