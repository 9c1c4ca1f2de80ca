/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/parse.h"
#include "ctl/client.h"
#include "ctl/moment.h"
#include "ctl/trace-text.h"
#include "host/processes.h"

enum { COL_ADD, COL_TIME, COL_SOURCE, COL_DEVICE, COL_NODE, COL_BLOCKS, COL_SIZE, COL_ONLINE, COL_ZONE, COL_TOOK, COL_STATE };

static const struct column columns[] = {
        [COL_ADD] = { "ADD", "its number, since boot; none if the kernel refused it", .right = true },
        [COL_TIME] = { "TIME", "of its first event" },
        [COL_SOURCE] = { "SOURCE", "where its memory came from" },
        [COL_DEVICE] = { "DEVICE", "what was plugged as one unit" },
        [COL_NODE] = { "NODE", "NUMA node", .right = true },
        [COL_BLOCKS] = { "BLOCKS", "its memory blocks", .right = true, .spare = 2 },
        [COL_SIZE] = { "SIZE", "all of them", .right = true },
        [COL_ONLINE] = { "ONLINE", "of it, as wanted", .right = true },
        [COL_ZONE] = { "ZONE", "where", .spare = 1 },
        [COL_TOOK] = { "TOOK", "from the first event to the end of the last write", .right = true, .spare = 3 },
        [COL_STATE] = { "STATE", "open: under way; over; refused by the kernel" },
};

const struct column_set trace_columns = { columns, ARRAY_SIZE(columns) };

/* ---- the threads of its node: the daemon sees no processes -------------------------------------------------------------- */

static uint64_t clock_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static json_t *json_thread(const json_t *trace, const struct kernel_thread *thread) {
        uint64_t offset = clock_usec(CLOCK_BOOTTIME) - clock_usec(CLOCK_MONOTONIC);
        uint64_t before = (uint64_t) json_get_integer(trace, "before_usec");
        json_t *object = json_new_object();

        json_set(object, "present", json_boolean(thread->found));
        if (thread->found)
                json_set(object, "new", json_boolean(thread->start_usec + KERNEL_TICK_USEC > before + offset));
        return object;
}

static json_t *json_threads(const json_t *trace, const struct options *o) {
        int64_t node = json_get_integer(trace, "node");
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        struct kernel_thread threads[2] = {};
        json_t *object = json_new_object();
        int r = -ENOENT;

        snprintf(threads[0].name, sizeof(threads[0].name), "kswapd%" PRIu16, (uint16_t) node);
        snprintf(threads[1].name, sizeof(threads[1].name), "kcompactd%" PRIu16, (uint16_t) node);
        if (!o->host && node >= 0) {
                r = sysfs_open_texts("/", &fs);
                if (r >= 0)
                        r = kernel_threads_find(fs, threads, ARRAY_SIZE(threads));
        }
        if (r >= 0) {
                json_set(object, "kswapd", json_thread(trace, &threads[0]));
                json_set(object, "kcompactd", json_thread(trace, &threads[1]));
        } else
                json_set(object, "no_evidence", json_text(node < 0    ? "its node is unknown"
                                                          : o->host   ? "the processes of another host are not looked at"
                                                                      : "the kernel's threads cannot be seen from here"));
        return object;
}

/* ---- one -------------------------------------------------------------------------------------------------------------- */

/* As in memhpctl's other JSON: what has no name is null. */
static void set_null(json_t *object) {
        json_t *device = json_object_get(object, "device");

        if (device && !*json_string_value(device))
                json_set(object, "device", json_null());
}

static enum status print_one(const struct options *o, struct client *c, uint32_t add) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *trace = NULL;
        enum status status;

        status = client_call(c, NULL, NULL, "GetTrace", &reply, "u", add);
        if (status != STATUS_DONE)
                return status;
        trace = client_read_json(reply);
        if (!json_is_object(trace)) {
                complain("trace: the daemon's answer makes no sense");
                return STATUS_FAILED;
        }
        if (strcmp(json_get_text(trace, "state"), "refused") != 0)
                json_set(trace, "threads", json_threads(trace, o));
        if (o->json) {
                set_null(trace);
                json_print(trace);
        } else
                trace_print_text(trace, o);
        return STATUS_DONE;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------- */

static char *format_zone_names(const json_t *zones) {
        char *text = format_text("%s", "");
        const json_t *value;
        const char *zone;

        json_object_foreach((json_t *) zones, zone, value) {
                char *longer = format_text("%s%s%s", text, *text ? "/" : "", zone);

                free(text);
                text = longer;
        }
        return text;
}

static void set_text(struct table *t, unsigned column, char *text) {
        table_set(t, column, text);
        free(text);
}

static void add_row(struct table *t, const json_t *trace, const struct options *o) {
        int64_t node = json_get_integer(trace, "node"), first = json_get_integer(trace, "first"),
                last = json_get_integer(trace, "last"), size = json_get_integer(trace, "size");
        const char *state = json_get_text(trace, "state");
        bool refused = strcmp(state, "refused") == 0;
        char text[64];

        table_add_row(t);
        table_set(t, COL_TIME, moment_format((uint64_t) json_get_integer(trace, "time_usec"), text));
        table_set(t, COL_DEVICE, json_get_text(trace, "device"));
        table_set(t, COL_SIZE, size ? format_bytes((uint64_t) size, o->bytes, text) : "");
        table_set(t, COL_STATE, state);
        table_colour(t, COL_STATE, refused ? COLOUR_BAD : strcmp(state, "open") == 0 ? COLOUR_NOTICE : COLOUR_NONE);
        if (refused) {
                for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
                        if (i != COL_TIME && i != COL_DEVICE && i != COL_SIZE && i != COL_STATE)
                                table_set(t, i, "");
                return;
        }
        set_text(t, COL_ADD, format_text("%" PRId64, json_get_integer(trace, "add")));
        table_set(t, COL_SOURCE, json_get_text(trace, "source"));
        set_text(t, COL_NODE, node < 0 ? format_text("%s", "") : format_text("%" PRId64, node));
        set_text(t, COL_BLOCKS, first == last ? format_text("%" PRId64, first) : format_text("%" PRId64 "-%" PRId64, first, last));
        set_text(t, COL_ONLINE, format_text("%" PRId64 "/%" PRId64, json_get_integer(trace, "online"),
                                            json_get_integer(trace, "n_blocks")));
        set_text(t, COL_ZONE, format_zone_names(json_object_get(json_object_get(trace, "chosen"), "zones")));
        table_set(t, COL_TOOK, format_duration((uint64_t) json_get_integer(trace, "duration_usec"), text));
}

static enum status print_list(const struct options *o, struct client *c, const struct column_choice *choice) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_done) struct table t = {};
        json_auto_t *traces = NULL;
        enum status status;
        json_t *trace;
        size_t i;

        status = client_call(c, NULL, NULL, "ListTraces", &reply, "");
        if (status != STATUS_DONE)
                return status;
        traces = client_read_json(reply);
        if (!json_is_array(traces)) {
                complain("trace: the daemon's answer makes no sense");
                return STATUS_FAILED;
        }
        if (o->json) {
                json_auto_t *root = json_new_object();

                json_array_foreach(traces, i, trace)
                        set_null(trace);
                json_set(root, "traces", json_incref(traces));
                json_print(root);
                return STATUS_DONE;
        }
        table_init(&t, &trace_columns, choice, o->legend, NULL, 0);
        json_array_foreach(traces, i, trace)
                add_row(&t, trace, o);
        table_print(&t);
        return STATUS_DONE;
}

/* "3", or "add:3" as in selectors. */
static bool parse_add(const char *text, uint32_t *ret) {
        static const char prefix[] = "add:";

        if (strncmp(text, prefix, strlen(prefix)) == 0)
                text += strlen(prefix);
        return parse_u32(text, ret) >= 0 && *ret > 0;
}

enum status verb_trace(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        struct column_choice choice;
        enum status status;
        uint32_t add = 0;

        if (column_choice_parse(&trace_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        if (args[0] && o->list) {
                complain("trace: --list is all of them, and add %s is one", args[0]);
                return STATUS_USAGE;
        }
        if (o->columns && !o->list) {
                complain("--output: the trace of one hot-add is no table; with --list there is one");
                return STATUS_USAGE;
        }
        if (args[0] && !parse_add(args[0], &add)) {
                complain("%s: not the number of a hot-add; \"memhpctl trace --list\" shows them", args[0]);
                return STATUS_USAGE;
        }
        status = client_open(o, &c);
        if (status != STATUS_DONE)
                return status;
        return o->list ? print_list(o, c, &choice) : print_one(o, c, add);
}
