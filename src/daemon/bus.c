/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "daemon/bus-internal.h"
#include "daemon/journal.h"

#define RETRY_USEC 2000000

static const char *bus_address(void) {
        return getenv("DBUS_SYSTEM_BUS_ADDRESS");
}

bool bus_is_wanted(const char *root) {
        return strcmp(root, "/") == 0 || bus_address();
}

/* ---- the connection ----------------------------------------------------------------------------------------------- */

static void disconnect(struct bus *b) {
        b->n_late = 0;
        polkit_free(b->polkit);
        b->polkit = NULL;
        b->bus = sd_bus_close_unref(b->bus);
}

/* Not from within a callback of the connection that is to go: a timer does it. */
static void retry_soon(struct bus *b) {
        (void) sd_event_source_set_time_relative(b->retry_timer, RETRY_USEC);
        (void) sd_event_source_set_enabled(b->retry_timer, SD_EVENT_ONESHOT);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;

        (void) m, (void) error;
        journal_print(LOG_NOTICE, MESSAGE_WARNING, "the bus is gone; memory is brought online all the same");
        b->complained = true;
        retry_soon(b);
        return 0;
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        uint32_t answer = 0;

        (void) error;
        if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY)) /* disconnected: that is told */
                return 0;
        if (!e && sd_bus_message_read(m, "u", &answer) > 0 && answer == 1) {
                if (b->complained)
                        journal_print(LOG_NOTICE, MESSAGE_WARNING, "the bus is back");
                b->complained = false;
                return 0;
        }
        if (!b->complained)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "the name " BUS_NAME " cannot be had: %s; memhpctl reads the system "
                              "by itself", e ? e->message ?: e->name : "another program has it");
        b->complained = true;
        retry_soon(b);
        return 0;
}

/* ---- bounds ------------------------------------------------------------------------------------------------------- */

static uint64_t count_unsent(const struct bus *b) {
        uint64_t unsent = 0;

        (void) sd_bus_get_n_queued_write(b->bus, &unsent);
        return unsent;
}

static bool may_tell(const struct bus *b) {
        return b && b->bus && sd_bus_is_ready(b->bus) > 0 && count_unsent(b) < BUS_UNSENT_MAX;
}

bool bus_is_full(struct bus *b) {
        uint64_t unsent = count_unsent(b);

        if (unsent == 0)
                b->n_late = 0;
        return unsent >= BUS_UNSENT_CALLS_MAX || b->n_late >= BUS_LATE_MAX;
}

void bus_note_reply(struct bus *b) {
        b->n_late += count_unsent(b) > 0;
}

/* Before any object is looked for: what sd-bus answers by itself, as introspection, is bounded as well. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;

        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !bus_is_full(b))
                return 0;
        if (!may_tell(b))
                return 1; /* to be refused takes room, too */
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many answers wait for somebody to take them");
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

static const struct {
        const char *prefix;
        const char *interface;
        const sd_bus_vtable *vtable;
        sd_bus_object_find_t find;
        sd_bus_node_enumerator_t enumerate;
} objects[] = {
        { BUS_PATH "/block", BUS_BLOCK, bus_block_vtable, bus_find_block, bus_enumerate_blocks },
        { BUS_PATH "/device", BUS_DEVICE, bus_device_vtable, bus_find_device, bus_enumerate_devices },
        { BUS_PATH "/node", BUS_NODE, bus_node_vtable, bus_find_node, bus_enumerate_nodes },
        { BUS_PATH "/job", BUS_JOB, bus_job_vtable, bus_find_job, bus_enumerate_jobs },
};

int bus_add_objects(struct bus *b) {
        int r;

        r = sd_bus_add_object_vtable(b->bus, NULL, BUS_PATH, BUS_MANAGER, bus_manager_vtable, b);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(objects); i++) {
                r = sd_bus_add_fallback_vtable(b->bus, NULL, objects[i].prefix, objects[i].interface, objects[i].vtable,
                                               objects[i].find, b);
                if (r >= 0)
                        r = sd_bus_add_node_enumerator(b->bus, NULL, objects[i].prefix, objects[i].enumerate, b);
        }
        return r;
}

/* Nothing here waits: what is asked of the bus before it is there is sent when it is. */
static int connect_bus(struct bus *b) {
        const char *address = bus_address() ?: "unix:path=/run/dbus/system_bus_socket";
        int r;

        r = sd_bus_new(&b->bus);
        if (r >= 0)
                r = sd_bus_set_address(b->bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(b->bus, true);
        if (r >= 0)
                r = sd_bus_set_watch_bind(b->bus, true);
        if (r >= 0)
                r = sd_bus_add_filter(b->bus, NULL, on_message, b);
        if (r >= 0)
                r = bus_add_objects(b);
        if (r >= 0)
                r = sd_bus_start(b->bus);
        if (r >= 0)
                r = sd_bus_attach_event(b->bus, b->event, BUS_EVENT_PRIORITY);
        if (r >= 0)
                r = polkit_new(b->bus, &b->polkit);
        if (r >= 0)
                r = sd_bus_match_signal(b->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, b);
        if (r >= 0)
                r = sd_bus_request_name_async(b->bus, NULL, BUS_NAME, 0, on_name, b);
        if (r < 0)
                disconnect(b);
        return r;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct bus *b = userdata;
        int r;

        (void) source, (void) usec;
        disconnect(b);
        r = connect_bus(b);
        if (r >= 0)
                return 0;
        if (!b->complained)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "the bus cannot be reached: %s; trying again", strerror(-r));
        b->complained = true;
        retry_soon(b);
        return 0;
}

int bus_new(sd_event *event, struct manager *m, struct bus **ret) {
        _cleanup_(bus_freep) struct bus *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->event = sd_event_ref(event);
        b->manager = m;
        /* The first try is an event like any other. */
        r = sd_event_add_time_relative(event, &b->retry_timer, CLOCK_MONOTONIC, 0, 0, on_retry, b);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

void bus_free(struct bus *b) {
        if (!b)
                return;
        disconnect(b); /* what the bus has not taken by now it will not take: nothing here waits for it */
        sd_event_source_unref(b->retry_timer);
        sd_event_unref(b->event);
        free(b);
}

/* ---- signals ------------------------------------------------------------------------------------------------------ */

static void signal_begin(struct bus *b, const char *name, struct writer *w) {
        *w = (struct writer) {};
        w->r = sd_bus_message_new_signal(b->bus, &w->m, BUS_PATH, BUS_MANAGER, name);
}

/* What cannot be sent is not worth failing for. */
static void signal_send(struct bus *b, struct writer *w) {
        if (w->r >= 0)
                (void) sd_bus_send(b->bus, w->m, NULL);
        sd_bus_message_unref(w->m);
}

void bus_tell_report(struct bus *b, const struct report *r) {
        struct writer w;

        if (!may_tell(b))
                return;
        signal_begin(b, "Decided", &w);
        writer_append_report(&w, r);
        signal_send(b, &w);
}

void bus_tell_change(struct bus *b, uint32_t first, uint32_t last, enum block_state state, zone_mask zones) {
        const struct block block = { .zones = zones, .first_zone = zones ? (enum zone) __builtin_ctz(zones) : _ZONE_INVALID };
        struct writer w;

        if (!may_tell(b))
                return;
        signal_begin(b, "BlockChanged", &w);
        writer_append(&w, "uus", first, last, state == _BLOCK_STATE_MAX ? "removed" : block_state_to_string(state));
        writer_append_zones(&w, &block);
        signal_send(b, &w);
}

void bus_tell_add(struct bus *b, const struct add *add) {
        struct writer w;

        if (!may_tell(b))
                return;
        signal_begin(b, "AddCompleted", &w);
        writer_append(&w, "ussiuuuuu", add->number, source_to_string(add->source), bus_text(add->device), (int32_t) add->node,
                      add->first, add->last, add->n_online, add->n_offline, add->n_failed);
        signal_send(b, &w);
}

void bus_tell_job(struct bus *b, const struct job *j) {
        char path[BUS_PATH_MAX];
        struct writer w;

        if (!may_tell(b))
                return;
        bus_number_path("job", j->id, path);
        signal_begin(b, "JobChanged", &w);
        writer_append(&w, "uossuuu", j->id, path, job_kind_to_string(j->kind), job_state_to_string(j->state),
                      (uint32_t) j->n_done, (uint32_t) j->n_failed, (uint32_t) j->n);
        signal_send(b, &w);
        (void) sd_bus_emit_properties_changed(b->bus, path, BUS_JOB, "State", "Done", "Failed", "Current", "Blocks",
                                              "Message", "EndUSec", NULL);
}

void bus_tell_policy(struct bus *b, bool accepted) {
        struct writer w;

        if (!may_tell(b))
                return;
        signal_begin(b, "PolicyReloaded", &w);
        writer_append(&w, "bu", (int) accepted, (uint32_t) manager_policy(b->manager)->n_rules);
        signal_send(b, &w);
        (void) sd_bus_emit_properties_changed(b->bus, BUS_PATH, BUS_MANAGER, "Rules", NULL);
}

void bus_tell_alert(struct bus *b, const char *alert, const char *text, bool raised) {
        struct writer w;

        if (!may_tell(b))
                return;
        signal_begin(b, "Alert", &w);
        writer_append(&w, "ssb", alert, bus_text(text), (int) raised);
        signal_send(b, &w);
}

void bus_tell_holds(struct bus *b) {
        if (may_tell(b))
                (void) sd_bus_emit_properties_changed(b->bus, BUS_PATH, BUS_MANAGER, "Holds", NULL);
}

void bus_note_change(struct bus *b, int node, uint16_t device) {
        if (!b)
                return;
        if (node >= 0)
                node_set_add(&b->changed_nodes, (unsigned) node);
        b->changed_devices[device / 64] |= UINT64_C(1) << (device % 64);
}

#define SUMS "Blocks", "OnlineBytes", "OfflineBytes", "MovableBytes"

/* That they have changed, and not to what: it takes a walk over all blocks, which somebody may want to know. */
static void tell_sums(struct bus *b) {
        const struct registry *registry = manager_registry(b->manager);
        char path[BUS_PATH_MAX];

        for (int n = node_set_next(&b->changed_nodes, 0); n >= 0; n = node_set_next(&b->changed_nodes, (unsigned) n + 1))
                (void) sd_bus_emit_properties_changed(b->bus, bus_number_path("node", (uint32_t) n, path), BUS_NODE, SUMS, NULL);
        for (size_t i = 1; i < registry->n_devices; i++) {
                _cleanup_free_ char *device = NULL;

                if ((b->changed_devices[i / 64] >> (i % 64) & 1) &&
                    sd_bus_path_encode(BUS_PATH "/device", registry->devices[i], &device) >= 0)
                        (void) sd_bus_emit_properties_changed(b->bus, device, BUS_DEVICE, SUMS, "Source", "Nodes", "FirstBlock",
                                                              "LastBlock", NULL);
        }
        memset(&b->changed_nodes, 0, sizeof(b->changed_nodes));
        memset(b->changed_devices, 0, sizeof(b->changed_devices));
}

void bus_tell_status(struct bus *b) {
        struct bus_figures now, before;
        char *names[6] = {};
        size_t n = 0;

        if (!may_tell(b))
                return;
        before = b->told;
        bus_read_figures(b, &now);
        b->told = now;
        if (now.ready != before.ready)
                names[n++] = (char *) "Ready";
        if (now.blocks != before.blocks)
                names[n++] = (char *) "Blocks";
        if (now.pending != before.pending)
                names[n++] = (char *) "Pending";
        if (now.online != before.online)
                names[n++] = (char *) "OnlineBytes";
        if (now.offline != before.offline)
                names[n++] = (char *) "OfflineBytes";
        if (n > 0)
                (void) sd_bus_emit_properties_changed_strv(b->bus, BUS_PATH, BUS_MANAGER, names);
        tell_sums(b);
}
