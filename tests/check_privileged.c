/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/privileged.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "host/kmsg.h"
#include "host/sysfs.h"

#include "check_util.h"

#define FIRST_HANDED 3 /* SD_LISTEN_FDS_START */

/* Check's own files may have the numbers that descriptors are handed over with: such tests end as processes of their own. */
#define MUST(condition)                                                                     \
        do {                                                                                \
                if (!(condition)) {                                                         \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
                        _exit(1);                                                           \
                }                                                                           \
        } while (0)

static void run_apart(void (*test)(int i), int i) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0) {
                test(i);
                _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        ck_assert_int_eq(status, 0);
}

static int file_with(const char *text) {
        int fd = memfd_create("handed", MFD_CLOEXEC);

        CHECK(fd >= 0);
        CHECK(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
        return fd;
}

static int uevent_socket(unsigned groups) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        CHECK(fd >= 0);
        CHECK(bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0);
        return fd;
}

static ino_t id(int fd) {
        struct stat st;

        MUST(fstat(fd, &st) == 0);
        return st.st_ino;
}

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

/* As the service manager does it, from FIRST_HANDED on. They are known by their inodes then. */
static void hand_over(const int *fds, int n, const char *names) {
        char number[16];

        for (int i = 0; i < n; i++)
                MUST(fcntl(fds[i], F_DUPFD, 100 + i) == 100 + i && close(fds[i]) == 0);
        for (int i = 0; i < n; i++)
                MUST(dup2(100 + i, FIRST_HANDED + i) >= 0 && close(100 + i) == 0);
        snprintf(number, sizeof(number), "%d", n);
        setenv("LISTEN_FDS", number, 1);
        snprintf(number, sizeof(number), "%d", (int) getpid());
        setenv("LISTEN_PID", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
}

/* ---- texts from a descriptor -------------------------------------------------------------------------------------- */

static void expect_text(struct sysfs *fs, const char *wanted) {
        size_t size;
        char *text;

        ck_assert_int_eq(sysfs_read_text(fs, SYSFS_IOMEM, &text, &size), 0);
        ck_assert_uint_eq(size, strlen(wanted));
        ck_assert(memcmp(text, wanted, size) == 0);
        free(text);
}

START_TEST(test_text_is_read_anew_each_time) {
        struct sysfs *fs;
        int fd = file_with("0-f : one\n");

        ck_assert_int_eq(sysfs_open_texts("/", &fs), 0);
        sysfs_set_text(fs, SYSFS_IOMEM, fd);
        expect_text(fs, "0-f : one\n");
        expect_text(fs, "0-f : one\n");
        ck_assert_int_eq(write(fd, "10-1f : two\n", 12), 12); /* memory was added; the descriptor stands at its end */
        expect_text(fs, "0-f : one\n10-1f : two\n");
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        expect_text(fs, "");
        sysfs_close(fs);
        ck_assert(!is_open(fd));
}
END_TEST

START_TEST(test_text_larger_than_a_read) {
        size_t size = 300000;
        char *big = malloc(size + 1);
        struct sysfs *fs;

        CHECK(big);
        for (size_t i = 0; i < size; i++)
                big[i] = (char) ('a' + i % 23);
        big[size] = '\0';
        ck_assert_int_eq(sysfs_open_texts("/", &fs), 0);
        sysfs_set_text(fs, SYSFS_IOMEM, file_with(big));
        expect_text(fs, big);
        expect_text(fs, big);
        sysfs_close(fs);
        free(big);
}
END_TEST

START_TEST(test_kernel_log_from_its_beginning) {
        int fd = file_with("6,1,1,-;one\n");
        struct kernlog_line line;

        ck_assert_int_eq(kmsg_next(fd, &line), 0); /* at the end */
        ck_assert_int_eq(kmsg_rewind(fd), 0);
        ck_assert_int_eq(kmsg_next(fd, &line), 1);
        ck_assert_int_eq(kmsg_next(fd, &line), 0);
        ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
        ck_assert_int_eq(kmsg_rewind(fd), -EBADF);
}
END_TEST

/* ---- what the service manager hands over -------------------------------------------------------------------------- */

static void descriptors_by_name(int i) {
        const int fds[] = { file_with("other"), uevent_socket(1), file_with("kmsg"), file_with("iomem") };
        const ino_t ids[] = { id(fds[0]), id(fds[1]), id(fds[2]), id(fds[3]) };
        struct privileged p;

        (void) i;
        hand_over(fds, 4, "something:uevents:kmsg:iomem");
        privileged_open("/", &p);
        MUST(id(p.iomem_fd) == ids[3]);
        MUST(id(p.kmsg_fd) == ids[2]);
        MUST(p.monitor_error == 0);
        MUST(id(uevent_monitor_fd(p.monitor)) == ids[1]);
        MUST(fcntl(uevent_monitor_fd(p.monitor), F_GETFL) & O_NONBLOCK);
        MUST(fcntl(uevent_monitor_fd(p.monitor), F_GETFD) & FD_CLOEXEC);
        MUST(!is_open(FIRST_HANDED) || id(FIRST_HANDED) != ids[0]);
        MUST(!getenv("LISTEN_FDS"));
        privileged_done(&p);
        for (int fd = FIRST_HANDED; fd < FIRST_HANDED + 4; fd++)
                MUST(!is_open(fd));
}

static void a_name_counts_once(int i) {
        const int fds[] = { file_with("first"), file_with("second") };
        const ino_t first = id(fds[0]), second = id(fds[1]);
        struct privileged p;

        (void) i;
        hand_over(fds, 2, "iomem:iomem");
        privileged_open("/", &p);
        MUST(id(p.iomem_fd) == first);
        MUST(!is_open(FIRST_HANDED + 1) || id(FIRST_HANDED + 1) != second);
        privileged_done(&p);
}

/* What is not what it is called must not be taken for silence. */
static void uevents_from_something_else(int i) {
        const int fds[] = { i == 0 ? file_with("file") : i == 1 ? socket(AF_UNIX, SOCK_DGRAM, 0) : uevent_socket(i == 2 ? 0 : 2) };
        const int errors[] = { -ENOTSOCK, -EPROTOTYPE, -EPROTOTYPE, -EPROTOTYPE };
        struct privileged p;

        hand_over(fds, 1, "uevents");
        privileged_open("/", &p);
        MUST(!p.monitor);
        MUST(p.monitor_error == errors[i]);
        privileged_done(&p);
}

static void by_hand(int i) {
        struct privileged p;

        (void) i;
        unsetenv("LISTEN_FDS");
        privileged_open("/", &p);
        MUST(p.iomem_fd >= 0);
        MUST(p.monitor_error == 0);
        MUST(uevent_monitor_receive_buffer(p.monitor) > 0);
        privileged_done(&p);
        MUST(p.iomem_fd == -ENOENT);
}

static void captured_machines_need_nothing(int i) {
        const int fds[] = { file_with("iomem") };
        struct privileged p;

        (void) i;
        hand_over(fds, 1, "iomem");
        privileged_open("/nowhere", &p);
        MUST(p.iomem_fd < 0);
        MUST(p.kmsg_fd < 0);
        MUST(!p.monitor);
        privileged_done(&p);
}

/* The service manager's part: takes every message, and lets go of what came with it after the last (BARRIER=1). Each text with
 * the inode of its descriptor into seen. */
static void keep_store(int fd, char *seen, size_t size) {
        int barrier = -1;

        seen[0] = '\0';
        while (barrier < 0) {
                _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) * 4];
                char text[256];
                struct iovec iov = { text, sizeof(text) - 1 };
                struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
                ssize_t n = recvmsg(fd, &m, 0);
                int given = -1;

                MUST(n > 0);
                text[n] = '\0';
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                                memcpy(&given, CMSG_DATA(c), sizeof(given));
                if (strcmp(text, "BARRIER=1") == 0)
                        barrier = given;
                for (char *p = text; (p = strchr(p, '\n'));)
                        *p = ' ';
                snprintf(seen + strlen(seen), size - strlen(seen), "%s %ju\n", text,
                         given >= 0 && barrier < 0 ? (uintmax_t) id(given) : 0);
                if (given >= 0)
                        close(given);
        }
}

static void handed_to_the_service_manager(int i) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct privileged p = { .iomem_fd = file_with("iomem"), .kmsg_fd = i ? -EPERM : file_with("kmsg") };
        char seen[2048], wanted[2048], kmsg[256];
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        socklen_t size = sizeof(address);
        pid_t pid;
        int status;

        MUST(uevent_monitor_new(-1, 4096, &p.monitor) == 0);
        unsetenv("NOTIFY_SOCKET");
        MUST(privileged_hand_over(&p) == -ENOTCONN);

        MUST(bind(fd, (struct sockaddr *) &address, sizeof(sa_family_t)) == 0 && /* the kernel finds an abstract name */
             getsockname(fd, (struct sockaddr *) &address, &size) == 0);
        address.sun_path[0] = '@';
        address.sun_path[size - sizeof(sa_family_t)] = '\0';
        setenv("NOTIFY_SOCKET", address.sun_path, 1);
        pid = fork();
        MUST(pid >= 0);
        if (pid == 0)
                _exit(privileged_hand_over(&p) == 0 ? 0 : 1);
        keep_store(fd, seen, sizeof(seen));
        MUST(waitpid(pid, &status, 0) == pid && status == 0);
        snprintf(kmsg, sizeof(kmsg), "FDSTOREREMOVE=1 FDNAME=kmsg 0\nFDSTORE=1 FDPOLL=0 FDNAME=kmsg %ju\n",
                 i ? 0 : (uintmax_t) id(p.kmsg_fd));
        snprintf(wanted, sizeof(wanted), "FDSTOREREMOVE=1 FDNAME=iomem 0\nFDSTORE=1 FDPOLL=0 FDNAME=iomem %ju\n%s"
                 "FDSTOREREMOVE=1 FDNAME=uevents 0\nFDSTORE=1 FDPOLL=0 FDNAME=uevents %ju\nBARRIER=1 0\n",
                 (uintmax_t) id(p.iomem_fd), i ? "" : kmsg, (uintmax_t) id(uevent_monitor_fd(p.monitor)));
        if (strcmp(seen, wanted) != 0)
                fprintf(stderr, "%s instead of\n%s", seen, wanted);
        MUST(strcmp(seen, wanted) == 0);
        privileged_done(&p);
}

START_TEST(test_handed_to_the_service_manager) {
        run_apart(handed_to_the_service_manager, _i);
}
END_TEST

START_TEST(test_descriptors_by_name) {
        run_apart(descriptors_by_name, _i);
}
END_TEST

START_TEST(test_a_name_counts_once) {
        run_apart(a_name_counts_once, _i);
}
END_TEST

START_TEST(test_uevents_from_something_else) {
        run_apart(uevents_from_something_else, _i);
}
END_TEST

START_TEST(test_by_hand) {
        run_apart(by_hand, _i);
}
END_TEST

START_TEST(test_captured_machines_need_nothing) {
        run_apart(captured_machines_need_nothing, _i);
}
END_TEST

/* ---- capabilities ------------------------------------------------------------------------------------------------- */

/* The lines of /proc/self/status that begin so are all zero, as far as they count. */
static bool has_none(const char *prefix) {
        FILE *f = fopen("/proc/self/status", "r");
        unsigned long long set;
        char line[256];
        bool none = false;

        CHECK(f);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, prefix, strlen(prefix)) == 0 && sscanf(line + strlen(prefix), ":%llx", &set) == 1)
                        none = set == 0;
        fclose(f);
        return none;
}

START_TEST(test_nothing_is_left) {
        bool full = !has_none("CapEff");

        ck_assert_int_eq(privileges_drop(), 0);
        ck_assert(has_none("CapEff") && has_none("CapPrm") && has_none("CapInh") && has_none("CapAmb"));
        ck_assert_msg(!full || has_none("CapBnd"), "the bounding set is not empty");
        ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        ck_assert_int_eq(privileges_drop(), 0); /* as in the service, which starts with nothing */
}
END_TEST

int main(void) {
        Suite *s = suite_create("privileged");
        TCase *c;

        c = check_case(s, "descriptors");
        tcase_add_test(c, test_text_is_read_anew_each_time);
        tcase_add_test(c, test_text_larger_than_a_read);
        tcase_add_test(c, test_kernel_log_from_its_beginning);
        c = check_case(s, "handed over");
        tcase_add_test(c, test_descriptors_by_name);
        tcase_add_test(c, test_a_name_counts_once);
        tcase_add_loop_test(c, test_uevents_from_something_else, 0, 4);
        tcase_add_test(c, test_by_hand);
        tcase_add_loop_test(c, test_handed_to_the_service_manager, 0, 2);
        tcase_add_test(c, test_captured_machines_need_nothing);
        c = check_case(s, "capabilities");
        tcase_add_test(c, test_nothing_is_left);
        return check_run(s);
}
