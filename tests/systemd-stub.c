/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What memhpd asks of systemd, on the tests' bus: org.freedesktop.systemd1, whose StartUnit says "start NAME MODE", knows no
 * unit whose name begins with "missing", and never answers for "hangs.service". */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

static int on_start(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *mode;
        int r;

        (void) userdata;
        r = sd_bus_message_read(m, "ss", &name, &mode);
        if (r < 0)
                return r;
        printf("start %s %s\n", name, mode);
        fflush(stdout);
        if (strncmp(name, "missing", 7) == 0)
                return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not found.", name);
        if (strcmp(name, "hangs.service") == 0)
                return 1;
        return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int main(void) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", vtable, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r < 0) {
                fprintf(stderr, "systemd-stub: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        puts("ready");
        fflush(stdout);
        (void) sd_event_loop(event);
        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
}
