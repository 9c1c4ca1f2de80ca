/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/uevent.h"

#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/parse.h"

#define KERNEL_GROUP 1 /* udevd's own messages come in another */

struct uevent_monitor {
        struct udev *udev;
        struct udev_monitor *monitor;
};

static void udev_device_unrefp(struct udev_device **d) {
        udev_device_unref(*d);
}

/* Sender's credentials are what libudev knows the kernel's messages by, and it must not wait for one. */
static int prepare_socket(int fd) {
        struct sockaddr_nl address = {};
        socklen_t size = sizeof(address), int_size = sizeof(int);
        int protocol = -1, on = 1, flags;

        if (getsockname(fd, (struct sockaddr *) &address, &size) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &int_size) < 0)
                return -errno;
        if (address.nl_family != AF_NETLINK || protocol != NETLINK_KOBJECT_UEVENT || !(address.nl_groups & KERNEL_GROUP))
                return -EPROTOTYPE;
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return -errno;
        return 0;
}

/* libudev opens its socket itself and cannot be given another. But it knows it by its number only, so another one may take
 * its place under that number. */
static int replace_socket(struct udev_monitor *monitor, int fd) {
        int r;

        r = prepare_socket(fd);
        if (r < 0)
                return r;
        return dup3(fd, udev_monitor_get_fd(monitor), O_CLOEXEC) < 0 ? -errno : 0;
}

int uevent_monitor_new(int fd, size_t receive_buffer, struct uevent_monitor **ret) {
        _cleanup_(uevent_monitor_freep) struct uevent_monitor *m = NULL;
        _cleanup_close_ int given = fd;
        int r;

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->udev = udev_new();
        if (!m->udev)
                return -errno;
        m->monitor = udev_monitor_new_from_netlink(m->udev, "kernel");
        if (!m->monitor)
                return -errno;
        r = udev_monitor_filter_add_match_subsystem_devtype(m->monitor, "memory", NULL);
        if (r < 0)
                return r;
        /* Without CAP_NET_ADMIN the kernel grants less (net.core.rmem_max); an overflow is then met by a rescan. */
        if (given < 0)
                (void) udev_monitor_set_receive_buffer_size(m->monitor, (int) MIN(receive_buffer, (size_t) INT_MAX));
        r = udev_monitor_enable_receiving(m->monitor);
        if (r >= 0 && given >= 0)
                r = replace_socket(m->monitor, given);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

void uevent_monitor_free(struct uevent_monitor *m) {
        if (!m)
                return;
        udev_monitor_unref(m->monitor);
        udev_unref(m->udev);
        free(m);
}

int uevent_monitor_fd(const struct uevent_monitor *m) {
        return udev_monitor_get_fd(m->monitor);
}

size_t uevent_monitor_receive_buffer(const struct uevent_monitor *m) {
        socklen_t size = sizeof(int);
        int value = 0;

        return getsockopt(uevent_monitor_fd(m), SOL_SOCKET, SO_RCVBUF, &value, &size) < 0 ? 0 : (size_t) value;
}

bool uevent_translate(const char *action, const char *name, struct uevent *ret) {
        uint32_t block;

        if (!action || !name || strncmp(name, "memory", strlen("memory")) != 0 ||
            parse_u32(name + strlen("memory"), &block) < 0)
                return false;
        ret->block = block;
        ret->type = strcmp(action, "add") == 0      ? UEVENT_ADD
                    : strcmp(action, "remove") == 0 ? UEVENT_REMOVE
                                                    : UEVENT_CHANGED;
        return true;
}

int uevent_receive(struct uevent_monitor *m, struct uevent *ret) {
        for (;;) {
                _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

                errno = 0;
                d = udev_monitor_receive_device(m->monitor);
                if (d) {
                        if (uevent_translate(udev_device_get_action(d), udev_device_get_sysname(d), ret))
                                return 1;
                        continue;
                }
                /* libudev also returns NULL for messages it refuses: not from the kernel, malformed, filtered. */
                switch (errno) {
                case ENOBUFS:
                        *ret = (struct uevent) { .type = UEVENT_OVERFLOW };
                        return 1;
                case EAGAIN:
                        return 0;
                case EINTR:
                        continue;
                case EBADF:
                case ENOTSOCK:
                case ENOTCONN:
                        return -errno;
                default:
                        /* A refused message leaves errno at random; whether there is another only a poll tells. */
                        return 0;
                }
        }
}

static uint64_t now_msec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

int uevent_monitor_expect(struct uevent_monitor *m, uint32_t block, int timeout_msec) {
        const uint64_t end = now_msec() + (uint64_t) timeout_msec;
        struct pollfd p = { .fd = uevent_monitor_fd(m), .events = POLLIN };
        struct uevent event = {};
        int r;

        for (;;) {
                uint64_t now = now_msec();

                r = uevent_receive(m, &event);
                if (r < 0)
                        return r;
                if (r > 0 && (event.type == UEVENT_OVERFLOW || event.block == block))
                        return 0;
                if (r == 0 && now >= end)
                        return -ETIMEDOUT;
                if (r == 0 && poll(&p, 1, (int) (end - now)) < 0 && errno != EINTR)
                        return -errno;
        }
}
