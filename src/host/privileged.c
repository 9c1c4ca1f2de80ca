/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/privileged.h"

#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>

#include "host/kmsg.h"
#include "host/sysfs.h"

#define RECEIVE_BUFFER (128u * 1024 * 1024)
#define BARRIER_TIMEOUT_USEC 10000000

struct handed {
        int iomem_fd, kmsg_fd, uevents_fd;
};

/* Names that say nothing to us are closed, so that nothing leaks. */
static void take_handed(struct handed *ret) {
        const struct {
                const char *name;
                int *fd;
        } wanted[] = {
                { PRIVILEGED_IOMEM, &ret->iomem_fd },
                { PRIVILEGED_KMSG, &ret->kmsg_fd },
                { PRIVILEGED_UEVENTS, &ret->uevents_fd },
        };
        char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names);

        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
                        if (*wanted[k].fd < 0 && strcmp(names[i], wanted[k].name) == 0) {
                                *wanted[k].fd = fd;
                                fd = -1;
                                break;
                        }
                closep(&fd);
                free(names[i]);
        }
        free(names);
}

void privileged_open(const char *root, struct privileged *ret) {
        struct privileged p = { .iomem_fd = -ENOENT, .kmsg_fd = -ENOENT, .monitor_error = -ENOENT };
        struct handed handed = { -1, -1, -1 };

        if (strcmp(root, "/") == 0) {
                take_handed(&handed);
                p.iomem_fd = handed.iomem_fd >= 0 ? handed.iomem_fd : sysfs_open_text(SYSFS_IOMEM);
                p.kmsg_fd = handed.kmsg_fd;
                if (p.kmsg_fd >= 0 && kmsg_rewind(p.kmsg_fd) < 0)
                        closep(&p.kmsg_fd), p.kmsg_fd = -1;
                if (p.kmsg_fd < 0)
                        p.kmsg_fd = kmsg_open(root);
                p.monitor_error = uevent_monitor_new(handed.uevents_fd, RECEIVE_BUFFER, &p.monitor);
        }
        *ret = p;
}

void privileged_done(struct privileged *p) {
        closep(&p->iomem_fd);
        closep(&p->kmsg_fd);
        uevent_monitor_free(p->monitor);
        *p = (struct privileged) { .iomem_fd = -ENOENT, .kmsg_fd = -ENOENT, .monitor_error = -ENOENT };
}

static int store(const char *name, int fd) {
        char text[64];
        int r;

        if (fd < 0)
                return 0;
        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        r = sd_notify(false, text);
        if (r == 0)
                return -ENOTCONN;
        if (r < 0)
                return r;
        /* FDPOLL: a log that was overrun, or a full socket, is no reason to forget it. */
        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        r = sd_pid_notify_with_fds(0, false, text, &fd, 1);
        return MIN(r, 0);
}

int privileged_hand_over(const struct privileged *p) {
        int r;

        r = store(PRIVILEGED_IOMEM, p->iomem_fd);
        if (r >= 0)
                r = store(PRIVILEGED_KMSG, p->kmsg_fd);
        if (r >= 0)
                r = store(PRIVILEGED_UEVENTS, p->monitor ? uevent_monitor_fd(p->monitor) : -1);
        /* Whose process has ended is nobody to the service manager, and so would be what it sent. */
        if (r >= 0)
                r = sd_notify_barrier(false, BARRIER_TIMEOUT_USEC);
        return MIN(r, 0);
}

int privileges_drop(void) {
        bool bounded;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (capng_get_caps_process() < 0)
                return -EIO;
        /* As in the service, whose seccomp filter does not even know the system call that drops them. */
        if (capng_have_permitted_capabilities() == CAPNG_NONE)
                return 0;
        bounded = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
        capng_clear(CAPNG_SELECT_ALL);
        if (capng_apply(bounded ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) != 0 || capng_get_caps_process() < 0 ||
            capng_have_permitted_capabilities() != CAPNG_NONE)
                return -EPERM;
        return 0;
}
