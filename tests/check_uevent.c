/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/uevent.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_util.h"

/* Who may tell memhpd that memory has come: the kernel, and nobody else, whatever rights they have. In a network namespace of
 * its own, so that what is said here is heard by nobody else. Needs root. */

#define KERNEL 1
#define UDEV 2
#define SKIPPED 77
#define NOBODY 65534

static const char forged[] = "add@/devices/system/memory/memory77\0ACTION=add\0DEVPATH=/devices/system/memory/memory77\0"
                             "SUBSYSTEM=memory\0SEQNUM=1";

static struct uevent_monitor *m;

static int netlink_socket(unsigned groups) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        CHECK(fd >= 0);
        CHECK(bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0);
        return fd;
}

/* 0: its own socket; 1: one that the service manager gave. */
static void open_monitor(int i) {
        CHECK(unshare(CLONE_NEWNET) == 0);
        ck_assert_int_eq(uevent_monitor_new(i ? netlink_socket(KERNEL) : -1, 1 << 20, &m), 0);
}

static uint32_t port_of(int fd) {
        struct sockaddr_nl address = {};
        socklen_t size = sizeof(address);

        CHECK(getsockname(fd, (struct sockaddr *) &address, &size) == 0);
        return address.nl_pid;
}

/* 0 or negative errno. */
static int say(uint32_t port, unsigned groups) {
        const struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };
        int fd = netlink_socket(0), r;

        r = sendto(fd, forged, sizeof(forged), 0, (const struct sockaddr *) &to, sizeof(to)) < 0 ? -errno : 0;
        close(fd);
        return r;
}

static bool is_readable(void) {
        struct pollfd p = { .fd = uevent_monitor_fd(m), .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

static void expect_ignored(void) {
        struct uevent e = { .block = 4711 };

        ck_assert_msg(is_readable(), "it did not even arrive: this proves nothing");
        ck_assert_int_eq(uevent_receive(m, &e), 0);
        ck_assert_uint_eq(e.block, 4711);
        ck_assert(!is_readable());
        uevent_monitor_free(m);
}

START_TEST(sent_to_the_monitor_alone) {
        open_monitor(_i);
        ck_assert_int_eq(say(port_of(uevent_monitor_fd(m)), 0), 0);
        expect_ignored();
}
END_TEST

START_TEST(sent_to_the_kernels_group) {
        open_monitor(_i);
        ck_assert_int_eq(say(0, KERNEL), 0);
        expect_ignored();
}
END_TEST

/* The daemon is not in it: what rules do with an event is nothing to it. */
START_TEST(sent_to_udevs_group) {
        open_monitor(_i);
        (void) say(0, UDEV);
        ck_assert(!is_readable());
        uevent_monitor_free(m);
}
END_TEST

/* Others cannot even send. */
START_TEST(sent_by_nobody) {
        uint32_t port;
        int status;
        pid_t pid;

        open_monitor(_i);
        port = port_of(uevent_monitor_fd(m));
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
                _exit(setresuid(NOBODY, NOBODY, NOBODY) < 0 ? 1 : say(port, 0) != -EPERM ? 2 : say(0, KERNEL) != -EPERM ? 3 : 0);
        CHECK(waitpid(pid, &status, 0) == pid);
        ck_assert_int_eq(status, 0);
        ck_assert(!is_readable());
        uevent_monitor_free(m);
}
END_TEST

/* What is refused does not hide what comes behind it. */
START_TEST(many_at_once) {
        struct uevent e;

        open_monitor(_i);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(say(0, KERNEL), 0);
        for (int i = 0; i < 100 && is_readable(); i++)
                ck_assert_int_eq(uevent_receive(m, &e), 0);
        ck_assert(!is_readable());
        uevent_monitor_free(m);
}
END_TEST

/* False: this machine has no namespaces for us. */
static bool may_unshare(void) {
        pid_t pid = fork();
        int status = 1;

        if (pid == 0)
                _exit(unshare(CLONE_NEWNET) < 0);
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void) {
        Suite *s = suite_create("uevent");
        TCase *c;

        if (!may_unshare()) {
                puts("skip: a network namespace of its own takes root");
                return SKIPPED;
        }
        c = check_case(s, "forged");
        tcase_add_loop_test(c, sent_to_the_monitor_alone, 0, 2);
        tcase_add_loop_test(c, sent_to_the_kernels_group, 0, 2);
        tcase_add_loop_test(c, sent_to_udevs_group, 0, 2);
        tcase_add_loop_test(c, sent_by_nobody, 0, 2);
        tcase_add_loop_test(c, many_at_once, 0, 2);
        return check_run(s);
}
