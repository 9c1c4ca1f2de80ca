/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon is root, which is who may write the states of memory blocks, and has no capability at all (capabilities(7)).
 * What takes one to be opened, and none to be used, is opened beforehand: in the service by a process that does nothing else
 * and leaves the descriptors with the service manager (FDSTORE= in sd_notify(3)), which hands them to the daemon
 * (sd_listen_fds(3)); without a service manager by the daemon itself, before it drops all that it has. */

#include "host/uevent.h"

/* What the descriptors are called. */
#define PRIVILEGED_IOMEM "iomem"     /* /proc/iomem, which shows addresses to those that have CAP_SYS_ADMIN when they open it */
#define PRIVILEGED_KMSG "kmsg"       /* the kernel log: CAP_SYSLOG */
#define PRIVILEGED_UEVENTS "uevents" /* a socket with room for many uevents: CAP_NET_ADMIN */

/* Whoever takes one of these out is its owner, and leaves a negative number or NULL. */
struct privileged {
        int iomem_fd, kmsg_fd;          /* negative errno: cannot be had */
        struct uevent_monitor *monitor; /* NULL: monitor_error says why */
        int monitor_error;
};

/* root: anything but "/" needs nothing of this, and gets nothing. To be done before there are threads. */
void privileged_open(const char *root, struct privileged *ret);
void privileged_done(struct privileged *p);

/* Leave copies with the service manager, instead of those it had from before. -ENOTCONN: there is none · others: it may have
 * some of them. */
int privileged_hand_over(const struct privileged *p);

/* Give up all capabilities for good. 0, or -errno: some are left. */
int privileges_drop(void);
