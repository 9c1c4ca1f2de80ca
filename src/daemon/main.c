/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memhp-build.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "core/names.h"
#include "daemon/auto-online.h"
#include "daemon/journal.h"
#include "daemon/manager.h"
#include "host/memory.h"
#include "host/rundir.h"

/* sysexits.h: systemd shows the names, and Restart= may tell them from a crash: trying again does not help. */
#define EXIT_CONFIG 78
#define EXIT_NOPERM 77

static const char help_text[] =
        "Usage: memhpd [OPTION…]\n"
        "Bring hot-added memory online as the policy says.\n"
        "\n"
        "  -c, --config=FILE    read the policy from FILE alone\n"
        "      --sysroot=DIR    work on the tree below DIR instead of the running system;\n"
        "                       nothing is watched there\n"
        "      --hand-over      open what takes privileges, leave it with the service manager\n"
        "                       for the daemon, and exit; for the beginning of the service\n"
        "      --restore        put the kernel's auto_online_blocks back as it was before\n"
        "                       memhpd changed it, and exit; for the end of the service\n"
        "  -h, --help           show this and exit\n"
        "  -V, --version        show the version and exit\n"
        "\n"
        "SIGHUP loads the policy again, SIGTERM and SIGINT stop. See memhpd(8).\n";

enum task { TASK_RUN, TASK_HAND_OVER, TASK_RESTORE };

/* 1: go on · 0: done · negative: wrong usage */
static int parse_arguments(int argc, char **argv, struct manager_options *ret, enum task *ret_task) {
        enum { OPTION_SYSROOT = 256, OPTION_HAND_OVER, OPTION_RESTORE };
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "sysroot", required_argument, NULL, OPTION_SYSROOT },
                { "hand-over", no_argument, NULL, OPTION_HAND_OVER },
                { "restore", no_argument, NULL, OPTION_RESTORE },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        ret->config = optarg;
                        break;
                case OPTION_SYSROOT:
                        ret->root = optarg;
                        break;
                case OPTION_HAND_OVER:
                        *ret_task = TASK_HAND_OVER;
                        break;
                case OPTION_RESTORE:
                        *ret_task = TASK_RESTORE;
                        break;
                case 'h':
                        fputs(help_text, stdout);
                        return 0;
                case 'V':
                        puts(PACKAGE_STRING);
                        return 0;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "memhpd: %s: unexpected argument\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) source, (void) si;
        (void) sd_notify(false, "RELOADING=1");
        (void) manager_reload(userdata); /* it has said what is wrong; the policy of before stays */
        if (manager_is_started(userdata)) /* else it will say so itself */
                (void) sd_notify(false, "READY=1");
        return 0;
}

static int block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

/* First of all: what is done with capabilities had better be little. */
static int open_privileged(const char *root, struct privileged *ret) {
        int r;

        privileged_open(root, ret);
        r = privileges_drop();
        if (r < 0)
                journal_print(LOG_ERR, MESSAGE_FAILED, "not started: capabilities cannot be dropped: %s", strerror(-r));
        return r;
}

static int run(struct manager_options options) {
        _cleanup_(privileged_done) struct privileged privileged = {};
        _cleanup_(manager_freep) struct manager *m = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r;

        r = open_privileged(options.root, &privileged);
        if (r < 0)
                return r;
        options.privileged = &privileged;
        r = block_signals();
        if (r >= 0)
                r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "cannot set up the event loop: %s", strerror(-r));
                return r;
        }
        r = memory_lock();
        if (r < 0)
                journal_print(LOG_NOTICE, MESSAGE_WARNING, "memory cannot be locked: %s (LimitMEMLOCK=infinity); where memory is "
                              "scarce, new memory may come online late", strerror(-r));
        r = journal_start();
        if (r < 0)
                journal_print(LOG_NOTICE, MESSAGE_WARNING, "no thread for messages: %s; a journal that hangs holds memhpd up",
                              strerror(-r));
        r = manager_new(event, &options, &m);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, m);
        if (r >= 0)
                r = manager_start(m);
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "not started%s",
                              r == -EBADMSG ? ": the policy has errors" : "");
                return r;
        }
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1");
        return r;
}

/* The one thing that is done with privileges in the service. */
static int hand_over(const char *root) {
        _cleanup_(privileged_done) struct privileged privileged = {};
        int r;

        privileged_open(root, &privileged);
        r = privileged_hand_over(&privileged);
        if (r == -ENOTCONN)
                journal_print(LOG_ERR, MESSAGE_FAILED, "nothing handed over: no service manager listens ($NOTIFY_SOCKET)");
        else if (r < 0)
                journal_print(LOG_ERR, MESSAGE_FAILED, "not all handed over to the service manager: %s", strerror(-r));
        return r;
}

/* Also where the daemon could not be started at all: needs neither a policy nor an event loop. */
static int restore(const char *root) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        _cleanup_close_ int dir_fd = -1;
        int r;

        r = sysfs_open(root, &fs);
        if (r < 0)
                return r == -EOPNOTSUPP ? 0 : r; /* nothing there that could have been changed */
        dir_fd = rundir_open(root);
        return dir_fd < 0 ? dir_fd : auto_online_restore(fs, dir_fd);
}

static int exit_status(int r) {
        switch (r) {
        case -EBADMSG:
                return EXIT_CONFIG;
        case -EACCES:
        case -EPERM:
        case -EROFS:
        case -ENOTCONN:
        case -EAFNOSUPPORT: /* no socket for uevents */
        case -EPROTONOSUPPORT:
        case -EPROTOTYPE:
                return EXIT_NOPERM;
        default:
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
}

int main(int argc, char **argv) {
        struct manager_options options = { .root = "/" };
        enum task task = TASK_RUN;
        int r;

        r = parse_arguments(argc, argv, &options, &task);
        if (r <= 0)
                return r < 0 ? 2 : EXIT_SUCCESS;
        switch (task) {
        case TASK_HAND_OVER:
                return hand_over(options.root) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case TASK_RESTORE:
                return restore(options.root) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        default:
                memory_prepare();
                r = run(options);
                journal_stop();
                return exit_status(r);
        }
}
