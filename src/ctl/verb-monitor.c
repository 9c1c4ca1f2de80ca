/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "ctl/client.h"
#include "ctl/moment.h"
#include "ctl/reports.h"
#include "ctl/verb.h"

/* How often a bus, or a daemon, that is gone is looked for. */
#define RETRY_USEC 1000000

/* The daemon's signals (man 5 org.memhp1), and what their arguments are called. */
static const struct kind {
        const char *signal, *event;
        const char *keys[10];
} kinds[] = {
        { "Decided", "decided", { "report" } },
        { "BlockChanged", "block-changed", { "first", "last", "state", "zones" } },
        { "AddCompleted", "add-completed", { "add", "source", "device", "node", "first", "last", "online", "offline", "failed" } },
        { "JobChanged", "job-changed", { "id", "job", "kind", "state", "done", "failed", "blocks" } },
        { "PolicyReloaded", "policy-reloaded", { "accepted", "rules" } },
        { "Alert", "alert", { "alert", "message", "raised" } },
};

struct monitor {
        const struct options *options;
        sd_event *event;
        sd_event_source *retry_timer;
        struct client *client; /* NULL: the bus is gone */
};

/* ---- a line for each ---------------------------------------------------------------------------------------------- */

static long long get_number(const json_t *object, const char *key) {
        return (long long) json_get_integer(object, key);
}

static char *format_blocks(const json_t *line) {
        long long first = get_number(line, "first"), last = get_number(line, "last");

        return first == last ? format_text("block %lld", first) : format_text("blocks %lld-%lld", first, last);
}

static char *format_change(const json_t *line) {
        _cleanup_free_ char *blocks = format_blocks(line);
        const char *zone = json_string_value(json_array_get(json_object_get(line, "zones"), 0));

        if (strcmp(json_get_text(line, "state"), "online") != 0)
                zone = NULL;
        return format_text("%s: %s%s%s", blocks, json_get_text(line, "state"), zone ? " in " : "", zone ?: "");
}

static char *format_add(const json_t *line) {
        _cleanup_free_ char *blocks = format_blocks(line);

        return format_text("hot-add %lld (%s %s, %s) is complete: %lld blocks online, %lld offline, %lld failed", get_number(line, "add"),
                           json_get_text(line, "source"), json_get_text(line, "device"), blocks, get_number(line, "online"),
                           get_number(line, "offline"), get_number(line, "failed"));
}

static char *format_policy(const json_t *line) {
        return json_is_true(json_object_get(line, "accepted")) ? format_text("a policy was loaded, rules: %lld", get_number(line, "rules"))
                                                               : format_text("a policy was refused; the one before stays");
}

/* What it says, without its name. */
static char *format_line(const char *event, const json_t *line) {
        _cleanup_free_ char *rest = NULL;

        if (strcmp(event, "connected") == 0 || strcmp(event, "disconnected") == 0)
                return format_text("%s", json_get_text(line, "message"));
        if (strcmp(event, "decided") == 0)
                return format_text("%s", json_get_text(json_object_get(line, "report"), "message"));
        if (strcmp(event, "block-changed") == 0)
                return format_change(line);
        if (strcmp(event, "add-completed") == 0)
                return format_add(line);
        if (strcmp(event, "job-changed") == 0)
                return format_text("job %lld (%s) is %s: %lld of %lld blocks, %lld failed", get_number(line, "id"), json_get_text(line, "kind"),
                                   json_get_text(line, "state"), get_number(line, "done"), get_number(line, "blocks"),
                                   get_number(line, "failed"));
        if (strcmp(event, "policy-reloaded") == 0)
                return format_policy(line);
        if (strcmp(event, "alert") == 0)
                return format_text("%s: %s%s", json_get_text(line, "alert"), json_get_text(line, "message"),
                                   json_is_true(json_object_get(line, "raised")) ? "" : " (over)");
        rest = json_dumps(json_object_get(line, "arguments"), JSON_COMPACT | JSON_ENCODE_ANY);
        return format_text("%s", rest ?: "");
}

static enum colour line_colour(const char *event, const json_t *line) {
        struct report r;

        if (strcmp(event, "decided") == 0) {
                report_from_json(json_object_get(line, "report"), &r);
                return report_colour(&r);
        }
        if (strcmp(event, "disconnected") == 0 ||
            (strcmp(event, "alert") == 0 && json_is_true(json_object_get(line, "raised"))) ||
            (strcmp(event, "policy-reloaded") == 0 && json_is_false(json_object_get(line, "accepted"))))
                return COLOUR_BAD;
        return COLOUR_NONE;
}

/* Takes line over. */
static void print_line(struct monitor *m, const char *event, json_t *line) {
        char when[MOMENT_TEXT_MAX];
        uint64_t now = moment_now();

        json_set(line, "time_usec", json_unsigned(now));
        json_set(line, "event", json_text(event));
        if (m->options->json)
                json_print_line(line);
        else {
                _cleanup_free_ char *text = format_line(event, line);
                enum colour c = line_colour(event, line);

                printf("%s %s%-15s ", moment_format(now, when), colour_begin(c), event);
                print_safe(stdout, text);
                printf("%s\n", c < _COLOUR_MAX ? colour_end() : "");
        }
        json_decref(line);
        /* Nobody reads any more: output_finish() says so. */
        if (fflush(stdout) != 0 || ferror(stdout))
                (void) sd_event_exit(m->event, 0);
}

static void print_connection(struct monitor *m, bool connected, const char *why) {
        json_t *line = json_new_object();

        json_set(line, "message", json_text(why));
        print_line(m, connected ? "connected" : "disconnected", line);
}

/* ---- signals ------------------------------------------------------------------------------------------------------ */

/* Every key of a report, as history prints them. */
static json_t *complete(const char *key, json_t *value) {
        struct report r;

        if (strcmp(key, "report") != 0)
                return value;
        report_from_json(value, &r);
        json_decref(value);
        return report_to_json(&r);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name = sd_bus_message_get_member(message);
        struct monitor *m = userdata;
        const struct kind *kind = NULL;
        json_t *line, *rest, *value;

        (void) error;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].signal, name) == 0)
                        kind = &kinds[i];
        line = json_new_object();
        for (size_t i = 0; kind && kind->keys[i] && (value = client_read_json(message)); i++)
                json_set(line, kind->keys[i], complete(kind->keys[i], value));
        /* Of a daemon that knows more than we do. */
        if (!kind) {
                rest = json_new_array();
                while ((value = client_read_json(message)))
                        json_add(rest, value);
                json_set(line, "arguments", rest);
        }
        print_line(m, kind ? kind->event : name, line);
        return 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;

        (void) error;
        if (sd_bus_message_read(message, "sss", &name, &old, &new) < 0 || strcmp(name, BUS_NAME) != 0)
                return 0;
        if (*new)
                print_connection(userdata, true, "memhpd runs");
        else
                print_connection(userdata, false, "memhpd is gone; waiting for it");
        return 0;
}

/* Not from within a callback of the connection that is to go: a timer does the rest. */
static void retry_soon(struct monitor *m) {
        (void) sd_event_source_set_time_relative(m->retry_timer, RETRY_USEC);
        (void) sd_event_source_set_enabled(m->retry_timer, SD_EVENT_ONESHOT);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) message, (void) error;
        print_connection(userdata, false, "the bus is gone; waiting for it");
        retry_soon(userdata);
        return 0;
}

static int follow(struct monitor *m) {
        sd_bus *bus = client_bus(m->client);
        int r;

        r = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, NULL, on_signal, m);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" BUS_NAME "'", on_owner, m);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, m);
        if (r >= 0)
                r = sd_bus_attach_event(bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                print_connection(m, true, "memhpd runs");
        return r;
}

static void disconnect(struct monitor *m) {
        if (m->client && client_bus(m->client))
                (void) sd_bus_detach_event(client_bus(m->client));
        client_close(m->client);
        m->client = NULL;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct monitor *m = userdata;

        (void) source, (void) usec;
        disconnect(m);
        if (!client_try_open(m->options, &m->client) || follow(m) < 0)
                retry_soon(m);
        return 0;
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

static void monitor_done(struct monitor *m) {
        disconnect(m);
        sd_event_source_unref(m->retry_timer);
        sd_event_unref(m->event);
}

/* ^C and the like are how it ends. */
static int add_signals(struct monitor *m) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
        sigset_t mask;
        int r = 0;

        sigemptyset(&mask);
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                sigaddset(&mask, numbers[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(numbers); i++)
                r = sd_event_add_signal(m->event, NULL, numbers[i], NULL, NULL);
        return r;
}

enum status verb_monitor(const struct options *o, char *const *args) {
        _cleanup_(monitor_done) struct monitor m = { .options = o };
        enum status s;
        int r;

        (void) args;
        r = sd_event_new(&m.event);
        if (r >= 0)
                r = add_signals(&m);
        if (r >= 0)
                r = sd_event_add_time_relative(m.event, &m.retry_timer, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry, &m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m.retry_timer, SD_EVENT_OFF);
        if (r >= 0) {
                s = client_open(o, &m.client);
                if (s != STATUS_DONE)
                        return s;
                r = follow(&m);
        }
        if (r >= 0)
                r = sd_event_loop(m.event);
        if (r >= 0)
                return STATUS_DONE;
        complain("monitor: %s", strerror(-r));
        return STATUS_FAILED;
}
