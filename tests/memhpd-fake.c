/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memhpd as it is shipped, in a process of its own, on a machine made of files: src/daemon/main.c with fakeroot in the
 * kernel's place. Tests in other processes play the hardware and the administrator:
 *
 *      MEMHP_FAKE_SETUP="boot 0-31 0; dimm PNP0C80:01 32-39 1"   what is there at the start
 *      MEMHP_FAKE_SOCKET=PATH   a datagram is a command, and is answered to its sender: what was asked for, or ""
 *
 * Link with fakeroot's flags and -Wl,--wrap=manager_new -Wl,--wrap=manager_free -Wl,--wrap=_ck_assert_failed */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/macro.h"
#include "daemon/manager.h"
#include "fakeroot.h"

static struct fakeroot *f;
static struct manager *manager;
static sd_event_source *event_source, *command_source;
static int command_fd = -1;
static char answer[512];

/* What fakeroot finds impossible fails a test, and here the test is somewhere else. */
void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...) _printf_(4, 5);

void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...) {
        va_list ap;

        va_start(ap, msg);
        fprintf(stderr, "memhpd-fake: %s:%d: %s: ", file, line, expr);
        vfprintf(stderr, msg, ap);
        fputc('\n', stderr);
        va_end(ap);
        abort();
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

static bool come_and_go(const char *text) {
        char what[16], name[64];
        uint32_t first, last;
        int node;

        if (sscanf(text, "boot %" SCNu32 "-%" SCNu32 " %d", &first, &last, &node) == 3)
                fakeroot_add_boot(f, first, last - first + 1, node);
        else if (sscanf(text, "remove %" SCNu32 "-%" SCNu32, &first, &last) == 2)
                fakeroot_remove(f, first, last - first + 1);
        else if (sscanf(text, "%15s %63s %" SCNu32 "-%" SCNu32 " %d", what, name, &first, &last, &node) != 5)
                return false;
        else if (strcmp(what, "dimm") == 0)
                fakeroot_add_dimm(f, name, first, last - first + 1, node);
        else if (strcmp(what, "virtio-mem") == 0)
                fakeroot_add_virtio_mem(f, name, first, last - first + 1, node);
        else if (strcmp(what, "kmem") == 0)
                fakeroot_add_kmem(f, name, "Persistent Memory", first, last - first + 1, node);
        else
                return false;
        return true;
}

/* "statistics", "statistics on-memory", "statistics counted": fakeroot_keep_statistics(). */
static bool keep_statistics(const char *text) {
        static const char word[] = "statistics";
        const char *how = text + strlen(word);

        if (strncmp(text, word, strlen(word)) != 0)
                return false;
        fakeroot_keep_statistics(f, &(struct fakeroot_statistics) {
                .memmap_on_memory = strcmp(how, " on-memory") == 0, .memmap_counted = strcmp(how, " counted") == 0,
        });
        return true;
}

/* How the kernel answers to writes. */
static bool behave(const char *text) {
        uint32_t block, times, anonymous, cache, unmovable;
        unsigned usec;
        int error;

        if (sscanf(text, "fail %" SCNu32 " %d %" SCNu32, &block, &error, &times) == 3)
                fakeroot_fail_writes(f, block, error, times);
        else if (sscanf(text, "hold %" SCNu32, &block) == 1)
                fakeroot_hold_write(f, block);
        else if (strcmp(text, "release") == 0)
                fakeroot_release_write(f);
        else if (sscanf(text, "write-time %u", &usec) == 1)
                fakeroot_set_write_time(f, usec);
        else if (sscanf(text, "pages %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &block, &anonymous, &cache, &unmovable) == 4)
                fakeroot_set_pages(f, block, anonymous, cache, unmovable);
        else if (strcmp(text, "no-faults") == 0)
                fakeroot_clear_faults(f);
        else if (strcmp(text, "overflow") == 0)
                fakeroot_overflow(f);
        else
                return false;
        return true;
}

static bool look(const char *text) {
        uint32_t block;

        if (strcmp(text, "root") == 0)
                snprintf(answer, sizeof(answer), "%s", fakeroot_path(f));
        else if (strcmp(text, "held") == 0)
                snprintf(answer, sizeof(answer), "%s", fakeroot_is_held(f) ? "yes" : "no");
        else if (sscanf(text, "zone %" SCNu32, &block) == 1)
                snprintf(answer, sizeof(answer), "%s", fakeroot_zone(f, block));
        else if (sscanf(text, "writes %" SCNu32, &block) == 1)
                snprintf(answer, sizeof(answer), "%zu", fakeroot_count_writes(f, block));
        else if (strcmp(text, "writes") == 0)
                snprintf(answer, sizeof(answer), "%zu", fakeroot_n_writes(f));
        else
                return false;
        return true;
}

/* Another program writes to the state ("set 32 offline"), or any file of the tree is another ("file PATH TEXT"). */
static bool change(const char *text) {
        char word[32], path[256];
        uint32_t block;
        int n = 0;

        if (sscanf(text, "set %" SCNu32 " %31s", &block, word) == 2)
                snprintf(answer, sizeof(answer), "%d", fakeroot_set_state(f, block, word));
        else if (sscanf(text, "file %255s%n", path, &n) == 1 && text[n] == ' ')
                fakeroot_write(f, path, text + n + 1);
        else
                return false;
        return true;
}

static void obey(const char *text) {
        answer[0] = '\0';
        if (!come_and_go(text) && !keep_statistics(text) && !behave(text) && !look(text) && !change(text))
                snprintf(answer, sizeof(answer), "unknown: %.200s", text);
}

static int on_command(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static char text[65536];
        struct sockaddr_un from;
        socklen_t size = sizeof(from);
        ssize_t n;

        (void) source, (void) revents, (void) userdata;
        n = recvfrom(fd, text, sizeof(text) - 1, 0, (struct sockaddr *) &from, &size);
        if (n < 0)
                return 0;
        text[n] = '\0';
        obey(text);
        (void) sendto(fd, answer, strlen(answer), 0, (struct sockaddr *) &from, size);
        return 0;
}

static int on_kernel_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct uevent e;

        (void) source, (void) fd, (void) revents, (void) userdata;
        while (fakeroot_take_event(f, &e))
                manager_handle_event(manager, &e);
        return 0;
}

/* ---- in main()'s way ---------------------------------------------------------------------------------------------- */

static void set_up(void) {
        const char *setup = getenv("MEMHP_FAKE_SETUP");
        char *copy = strdup(setup ? setup : "boot 0-31 0"), *rest = copy;

        if (!copy)
                abort();
        fakeroot_begin();
        f = fakeroot_new(0);
        for (char *command; (command = strsep(&rest, ";"));) {
                obey(command + strspn(command, " "));
                if (answer[0]) {
                        fprintf(stderr, "memhpd-fake: %s\n", answer);
                        abort();
                }
        }
        free(copy);
        fakeroot_drop_events(f);
}

static int listen_to(sd_event *event, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        command_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (command_fd < 0 || bind(command_fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                perror(path);
                abort();
        }
        return sd_event_add_io(event, &command_source, command_fd, EPOLLIN, on_command, NULL);
}

int __real_manager_new(sd_event *event, const struct manager_options *options, struct manager **ret);
int __wrap_manager_new(sd_event *event, const struct manager_options *options, struct manager **ret);
void __real_manager_free(struct manager *m);
void __wrap_manager_free(struct manager *m);

int __wrap_manager_new(sd_event *event, const struct manager_options *options, struct manager **ret) {
        const char *path = getenv("MEMHP_FAKE_SOCKET");
        struct manager_options fake = *options;
        int r;

        set_up();
        fake.root = fakeroot_path(f);
        fake.privileged = NULL;
        r = __real_manager_new(event, &fake, &manager);
        if (r >= 0)
                r = sd_event_add_io(event, &event_source, fakeroot_event_fd(f), EPOLLIN, on_kernel_event, NULL);
        if (r >= 0)
                r = sd_event_source_set_priority(event_source, -10);
        if (r >= 0 && path)
                r = listen_to(event, path);
        if (r < 0) {
                f = fakeroot_free(f);
                fakeroot_end();
                return r;
        }
        *ret = manager;
        return 0;
}

void __wrap_manager_free(struct manager *m) {
        sd_event_source_unref(event_source);
        sd_event_source_unref(command_source);
        __real_manager_free(m);
        if (command_fd >= 0)
                close(command_fd);
        f = fakeroot_free(f);
        fakeroot_end();
}
