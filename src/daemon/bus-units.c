/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever has to know that there is more memory: a unit of systemd, started over the bus. Nothing is forked here. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "daemon/bus-internal.h"
#include "daemon/journal.h"

/* systemd answers once the unit is queued, not when it has started; at boot the bus may not be there yet. */
#define START_TIMEOUT_USEC UINT64_C(90000000)

struct start {
        uint32_t add;
        char unit[UNIT_NAME_MAX];
};

static void complain(const char *unit, uint32_t add, const char *why) {
        char number[16];
        const struct journal_field fields[] = { { FIELD_UNIT, unit }, { FIELD_ADD, number } };

        snprintf(number, sizeof(number), "%" PRIu32, add);
        journal_send(LOG_WARNING, MESSAGE_UNIT, fields, ARRAY_SIZE(fields), "%s: could not be started after add %" PRIu32 ": %s; the "
                     "memory is in use all the same", unit, add, why);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const struct start *start = userdata;

        (void) error;
        if (e)
                complain(start->unit, start->add, bus_text(e->message ?: e->name));
        return 0;
}

static int call(struct bus *b, struct start *start) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus_slot *slot = NULL;
        int r;

        r = sd_bus_message_new_method_call(b->bus, &m, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", "StartUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", start->unit, "replace");
        if (r >= 0)
                r = sd_bus_call_async(b->bus, &slot, m, on_started, start, START_TIMEOUT_USEC);
        if (r < 0)
                return r;
        (void) sd_bus_slot_set_destroy_callback(slot, free);
        (void) sd_bus_slot_set_floating(slot, true);
        sd_bus_slot_unref(slot);
        return 0;
}

void bus_start_unit(struct bus *b, const char *unit, uint32_t add) {
        struct start *start = b && b->bus && !bus_is_full(b) ? calloc(1, sizeof(*start)) : NULL;
        int r = b && b->bus ? -ENOBUFS : -ENOTCONN;

        if (start) {
                start->add = add;
                snprintf(start->unit, sizeof(start->unit), "%s", unit);
                r = call(b, start);
        }
        if (r >= 0)
                return;
        free(start);
        complain(unit, add, r == -ENOTCONN ? "there is no bus" : strerror(-r));
}
