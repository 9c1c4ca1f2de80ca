/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/uevent.h"

#include <errno.h>
#include <libudev.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "core/parse.h"

struct uevent_monitor {
        struct udev *udev;
        struct udev_monitor *monitor;
};

static void udev_device_unrefp(struct udev_device **d) {
        udev_device_unref(*d);
}

int uevent_monitor_new(size_t receive_buffer, struct uevent_monitor **ret) {
        _cleanup_(uevent_monitor_freep) struct uevent_monitor *m = NULL;
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
        (void) udev_monitor_set_receive_buffer_size(m->monitor, (int) MIN(receive_buffer, (size_t) INT_MAX));
        r = udev_monitor_enable_receiving(m->monitor);
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

static bool translate(struct udev_device *d, struct uevent *ret) {
        const char *action = udev_device_get_action(d), *name = udev_device_get_sysname(d);
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
                        if (translate(d, ret))
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
