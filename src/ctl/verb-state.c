/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* online, offline, rezone: jobs of the daemon. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/parse.h"
#include "ctl/job.h"
#include "host/sysfs.h"

enum { COL_BLOCK, COL_NODE, COL_ZONE, COL_SOURCE, COL_DEVICE, COL_FREE, COL_MOVE, COL_FIXED, COL_CHOICE, COL_WHY };

static const struct column columns[] = {
        [COL_BLOCK] = { "BLOCK", "the block, the best first", .right = true },
        [COL_NODE] = { "NODE", "its NUMA node", .right = true, .spare = 3 },
        [COL_ZONE] = { "ZONE", "where it is online" },
        [COL_SOURCE] = { "SOURCE", "where the memory came from", .spare = 4 },
        [COL_DEVICE] = { "DEVICE", "what was plugged as one unit", .spare = 2 },
        [COL_FREE] = { "FREE", "nobody uses it", .right = true },
        [COL_MOVE] = { "MOVE", "would have to move elsewhere", .right = true },
        [COL_FIXED] = { "FIXED", "cannot be moved", .right = true },
        [COL_CHOICE] = { "CHOICE", "device: it goes, with all of its device; block: it goes; spare: it goes if another cannot; "
                                   "fixed: it is not tried" },
        [COL_WHY] = { "WHY", "why, in words", .optional = true, .wrap = true },
};

const struct column_set offline_columns = { columns, ARRAY_SIZE(columns) };

/* What is asked for, as the arguments of the method. */
struct request {
        const struct options *options;
        const char *method;
        const char *selector;
        const char *zone; /* NULL: the method has none */
        uint64_t timeout_usec, size;
        uint32_t node;
};

/* ---- the command line --------------------------------------------------------------------------------------------- */

static enum status wrong(const char *option, const char *value, const char *expected) {
        complain("--%s %s: %s", option, value, expected);
        return STATUS_USAGE;
}

static enum status parse_options(const struct options *o, struct request *r) {
        const char *node = o->node;

        if (o->timeout && (parse_time(o->timeout, &r->timeout_usec) < 0 || r->timeout_usec == 0))
                return wrong("timeout", o->timeout, "not a time; write a number and us, ms, s, min or h");
        if (o->size && (parse_size(o->size, &r->size) < 0 || r->size == 0))
                return wrong("size", o->size, "not a size; write a number and K, M, G, T or P");
        if (node && strncmp(node, "node", 4) == 0)
                node += node[4] == ':' ? 5 : 4;
        if (node && (parse_u32(node, &r->node) < 0 || r->node >= NODES_MAX))
                return wrong("node", o->node, "not the number of a node");
        if (o->source && source_from_string(o->source) < 0)
                return wrong("source", o->source, "no such source; memhpctl list shows them");
        if (o->all_or_nothing && o->partial) {
                complain("--all-or-nothing, --partial: not both");
                return STATUS_USAGE;
        }
        return STATUS_DONE;
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */

static int append_option(sd_bus_message *m, const char *key, const char *type, const void *value) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, *type, value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_flag(sd_bus_message *m, const char *key, bool flag) {
        const int value = flag;

        return append_option(m, key, "b", &value);
}

static int append_options(sd_bus_message *m, const struct request *request) {
        const struct options *o = request->options;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && o->timeout)
                r = append_option(m, "timeout_usec", "t", &request->timeout_usec);
        if (r >= 0 && (o->all_or_nothing || o->partial))
                r = append_flag(m, "all_or_nothing", o->all_or_nothing);
        if (r >= 0 && o->force)
                r = append_flag(m, "force", true);
        if (r >= 0 && o->dry_run)
                r = append_flag(m, "dry_run", true);
        if (r >= 0 && o->size)
                r = append_option(m, "size", "t", &request->size);
        if (r >= 0 && o->node)
                r = append_option(m, "node", "u", &request->node);
        if (r >= 0 && o->source)
                r = append_option(m, "source", "s", o->source);
        if (r >= 0 && o->device)
                r = append_option(m, "device", "s", o->device);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int fill(sd_bus_message *m, void *userdata) {
        const struct request *request = userdata;
        int r;

        r = sd_bus_message_append(m, "s", request->selector);
        if (r >= 0 && request->zone)
                r = sd_bus_message_append(m, "s", request->zone);
        return r < 0 ? r : append_options(m, request);
}

/* ---- a dry run ---------------------------------------------------------------------------------------------------- */

static void set_bytes(const struct options *o, struct table *t, unsigned column, const json_t *c, const char *key) {
        const json_t *value = json_object_get(c, key);
        char buf[SIZE_TEXT_MAX];

        table_set(t, column, value ? format_bytes((uint64_t) json_integer_value(value), o->bytes, buf) : NULL);
}

static void add_row(const struct options *o, struct table *t, const json_t *c) {
        static const struct {
                unsigned column;
                const char *key;
        } texts[] = {
                { COL_ZONE, "zone" }, { COL_SOURCE, "source" }, { COL_DEVICE, "device" }, { COL_CHOICE, "choice" }, { COL_WHY, "why" },
        };
        _cleanup_free_ char *block = format_text("%" PRIu64, (uint64_t) json_integer_value(json_object_get(c, "block")));
        json_int_t node = json_integer_value(json_object_get(c, "node"));
        _cleanup_free_ char *node_text = node >= 0 ? format_text("%" PRIu64, (uint64_t) node) : NULL;

        table_add_row(t);
        table_set(t, COL_BLOCK, block);
        table_set(t, COL_NODE, node_text);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                table_set(t, texts[i].column, json_string_value(json_object_get(c, texts[i].key)));
        set_bytes(o, t, COL_FREE, c, "free");
        set_bytes(o, t, COL_MOVE, c, "movable");
        set_bytes(o, t, COL_FIXED, c, "unmovable");
}

static void print_candidates(const struct options *o, const struct column_choice *choice, const json_t *job,
                             const json_t *candidates) {
        _cleanup_(table_done) struct table t = {};
        const char *message = json_string_value(json_object_get(job, "message")) ?: "";

        table_init(&t, &offline_columns, choice, o->legend, NULL, 0);
        for (size_t i = 0; i < json_array_size(candidates); i++)
                add_row(o, &t, json_array_get(candidates, i));
        table_print(&t);
        if (*message)
                print_paragraph(0, "This would be refused: %s", message);
}

static enum status show_candidates(const struct options *o, struct client *c, const char *path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *job = NULL, *candidates = NULL;
        struct column_choice choice;
        enum status status;

        if (column_choice_parse(&offline_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = job_wait(o, c, path);
        if (status != STATUS_DONE)
                return status;
        job = job_read(c, path, &status);
        if (job)
                status = client_call(c, path, BUS_JOB, "ListCandidates", &reply, NULL);
        if (status != STATUS_DONE)
                return status;
        candidates = client_read_json(reply);
        if (o->json) {
                json_set(job, "candidates", json_incref(candidates));
                json_print(job);
        } else
                print_candidates(o, &choice, job, candidates);
        return STATUS_DONE;
}

/* ---- the verbs ---------------------------------------------------------------------------------------------------- */

static enum status run(struct client *c, const struct request *request) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const struct options *o = request->options;
        const char *path;
        enum status status;
        uint32_t id;

        status = client_call_filled(c, request->method, fill, (void *) request, &reply);
        if (status != STATUS_DONE)
                return status;
        if (sd_bus_message_read(reply, "uo", &id, &path) < 0) {
                complain("%s: the daemon answers in another way than expected", o->verb);
                return STATUS_FAILED;
        }
        if (o->dry_run)
                return show_candidates(o, c, path);
        if (!o->no_wait)
                return job_follow(o, c, path);
        if (o->json) {
                json_auto_t *job = job_read(c, path, &status);

                if (job)
                        json_print_line(job);
        } else
                printf("job %" PRIu32 "\n", id);
        return status;
}

static enum status start(const struct options *o, struct request *request) {
        _cleanup_(client_closep) struct client *c = NULL;
        enum status status;

        request->options = o;
        status = parse_options(o, request);
        if (status == STATUS_DONE)
                status = client_open(o, &c);
        return status == STATUS_DONE ? run(c, request) : status;
}

static enum status check_zone(const struct options *o, bool needed) {
        if (!o->zone && !needed)
                return STATUS_DONE;
        if (o->zone && (strcmp(o->zone, "movable") == 0 || strcmp(o->zone, "kernel") == 0))
                return STATUS_DONE;
        if (o->zone)
                return wrong("zone", o->zone, "no such zone; it is movable or kernel");
        complain("%s: to which zone? --zone movable or --zone kernel", o->verb);
        return STATUS_USAGE;
}

enum status verb_online(const struct options *o, char *const *args) {
        struct request request = { .method = "Online", .selector = args[0], .zone = o->zone ?: "" };
        enum status status = check_zone(o, false);

        return status == STATUS_DONE ? start(o, &request) : status;
}

enum status verb_rezone(const struct options *o, char *const *args) {
        struct request request = { .method = "Rezone", .selector = args[0], .zone = o->zone };
        enum status status = check_zone(o, true);

        return status == STATUS_DONE ? start(o, &request) : status;
}

/* Before anything is changed. */
static enum status check_eject(const struct options *o, const char *selector, const struct sysfs *fs, const char **ret_device) {
        const char *device = strncmp(selector, "device:", 7) == 0 ? selector + 7 : NULL;
        int r;

        if (!device || o->size || o->node || o->source || o->device || o->dry_run || o->no_wait || o->host || o->partial) {
                complain("--eject: it takes a whole device of this machine: memhpctl offline device:PNP0C80:01 --eject");
                return STATUS_USAGE;
        }
        r = sysfs_check_eject(fs, device);
        if (r < 0) {
                complain("%s: cannot be ejected: %s; nothing has changed", device,
                         r == -ENOENT ? "ACPI knows no way to" : strerror(-r));
                return STATUS_FAILED;
        }
        *ret_device = device;
        return STATUS_DONE;
}

/* As root, by ourselves: the daemon may write the states of memory blocks, and nothing else of the machine. */
static enum status offline_and_eject(const struct options *o, struct request *request) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        const char *device;
        enum status status;
        int r;

        r = sysfs_open_texts("/", &fs);
        if (r < 0) {
                complain("/: %s", strerror(-r));
                return STATUS_FAILED;
        }
        status = check_eject(o, request->selector, fs, &device);
        if (status == STATUS_DONE)
                status = start(o, request);
        if (status != STATUS_DONE)
                return status;
        r = sysfs_eject(fs, device);
        if (r < 0) {
                complain("%s: offline, but not ejected: %s", device, strerror(-r));
                return STATUS_PARTIAL;
        }
        if (!o->json)
                printf("%s: ejected\n", device);
        return STATUS_DONE;
}

enum status verb_offline(const struct options *o, char *const *args) {
        struct request request = { .method = "Offline", .selector = args[0] ?: "all" };

        if (!args[0] && !o->size && !o->node && !o->source && !o->device) {
                complain("offline: which memory? Name a selector, or an amount: --size 4G");
                return STATUS_USAGE;
        }
        return o->eject ? offline_and_eject(o, &request) : start(o, &request);
}
