/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ctl/client.h"
#include "ctl/hold.h"
#include "ctl/moment.h"
#include "ctl/reports.h"
#include "ctl/verb.h"

static const char *plural(uint64_t n) {
        return n == 1 ? "" : "s";
}

/* [["dimm",N,N],…] into [{"source":"dimm","online":N,"offline":N},…] */
static json_t *name_sources(const json_t *rows) {
        json_t *array = json_new_array(), *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                json_t *object = json_new_object();

                json_set(object, "source", json_incref(json_array_get(row, 0)));
                json_set(object, "online", json_incref(json_array_get(row, 1)));
                json_set(object, "offline", json_incref(json_array_get(row, 2)));
                json_add(array, object);
        }
        return array;
}

/* Every key of a report, not only those that apply. */
static json_t *complete_reports(const json_t *reports) {
        json_t *array = json_new_array(), *item;
        struct report r;
        size_t i;

        json_array_foreach(reports, i, item) {
                report_from_json(item, &r);
                json_add(array, report_to_json(&r));
        }
        return array;
}

static enum status read_status(struct client *c, json_t **ret) {
        json_auto_t *status = NULL, *holds = NULL;
        enum status s;

        s = client_ask(c, "GetStatus", &status, "");
        if (s == STATUS_DONE)
                s = holds_ask(c, &holds);
        if (s != STATUS_DONE)
                return s;
        json_set(status, "running", json_true());
        json_set(status, "sources", name_sources(json_object_get(status, "sources")));
        json_set(status, "last_errors", complete_reports(json_object_get(status, "last_errors")));
        json_set(status, "holds", json_incref(holds));
        *ret = TAKE_PTR(status);
        return STATUS_DONE;
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

static void print_policy(const json_t *status) {
        _cleanup_free_ char *files = format_text("%s", "");
        uint64_t n = json_get_unsigned(status, "rules");
        json_t *file;
        size_t i;

        json_array_foreach(json_object_get(status, "policy_files"), i, file) {
                char *longer = format_text("%s%s%s", files, *files ? ", " : "", json_string_value(file) ?: "?");

                free(files);
                files = longer;
        }
        print_field("policy", "%llu rule%s, from %s", (unsigned long long) n, plural(n), *files ? files : "no file");
}

static void print_memory(const json_t *status, bool bytes) {
        char online[SIZE_TEXT_MAX], offline[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];
        uint64_t n = json_get_unsigned(status, "blocks");
        json_t *source;
        size_t i;

        print_field("memory", "%s online, %s offline; %llu block%s of %s", format_bytes(json_get_unsigned(status, "online"), bytes, online),
                    format_bytes(json_get_unsigned(status, "offline"), bytes, offline), (unsigned long long) n, plural(n),
                    format_bytes(json_get_unsigned(status, "block_size"), bytes, size));
        json_array_foreach(json_object_get(status, "sources"), i, source) {
                uint64_t on = json_get_unsigned(source, "online"), off = json_get_unsigned(source, "offline");

                print_field(i ? "" : "sources", "%s: %s%s%s%s%s", json_get_text(source, "source"),
                            on ? format_bytes(on, bytes, online) : "", on ? " online" : "", on && off ? ", " : "",
                            off ? format_bytes(off, bytes, offline) : "", off ? " offline" : "");
        }
}

static void print_blocks(const json_t *status) {
        uint64_t pending = json_get_unsigned(status, "pending"), retrying = json_get_unsigned(status, "retrying"),
                 failed = json_get_unsigned(status, "failed"), hands_off = json_get_unsigned(status, "hands_off");

        if (retrying)
                print_field_in(COLOUR_NOTICE, "pending", "%llu block%s, %llu of them to be tried again", (unsigned long long) pending,
                               plural(pending), (unsigned long long) retrying);
        else if (pending)
                print_field("pending", "%llu block%s", (unsigned long long) pending, plural(pending));
        else
                print_field("pending", "none");
        if (failed)
                print_field_in(COLOUR_BAD, "failed", "%llu block%s; memhpctl history tells why", (unsigned long long) failed,
                               plural(failed));
        else
                print_field("failed", "none");
        if (hands_off)
                print_field("hands off", "%llu block%s that somebody set offline, and that stay so", (unsigned long long) hands_off,
                            plural(hands_off));
}

static void print_holds(const json_t *status) {
        const json_t *holds = json_object_get(status, "holds");
        uint64_t held = json_get_unsigned(status, "held");
        json_t *hold;
        size_t i;

        if (json_array_size(holds) == 0)
                print_field("holds", "none");
        json_array_foreach(holds, i, hold) {
                const char *reason = json_get_text(hold, "reason");
                _cleanup_free_ char *left = hold_format_left(hold);

                print_field_in(COLOUR_NOTICE, i ? "" : "holds", "%llu: %s, %s%s%s", (unsigned long long) json_get_unsigned(hold, "id"),
                               json_get_text(hold, "selector"), left, *reason ? ": " : "", reason);
        }
        if (held)
                print_field_in(COLOUR_NOTICE, "", "%llu block%s wait%s", (unsigned long long) held, plural(held), held == 1 ? "s" : "");
}

/* Who else brings memory online. */
static void print_rivals(const json_t *status) {
        uint64_t lost = json_get_unsigned(json_object_get(status, "counters"), "lost_races");
        const char *word = json_get_text(status, "auto_online_blocks");
        bool delegated = json_is_true(json_object_get(status, "delegated"));
        bool kernel = *word && strcmp(word, "offline") != 0 && !delegated;

        if (delegated)
                print_field("delegated", "the kernel brings memory online, as the policy wants (auto_online_blocks is \"%s\")", word);
        if (kernel)
                print_field_in(COLOUR_BAD, "rivals", "the kernel brings memory online by itself: auto_online_blocks is \"%s\"; "
                               "kernel_auto_online = \"manage\" in the configuration sees to it", word);
        if (lost)
                print_field_in(COLOUR_NOTICE, kernel ? "" : "rivals", "another program was first %llu time%s; memhpctl history tells where",
                               (unsigned long long) lost, plural(lost));
        if (!kernel && !lost)
                print_field("rivals", "none seen");
}

static void print_counters(const json_t *status) {
        const json_t *c = json_object_get(status, "counters");
        uint64_t overflows = json_get_unsigned(c, "overflows"), adds = json_get_unsigned(status, "adds"), jobs = json_get_unsigned(status, "jobs");

        if (jobs)
                print_field("jobs", "%llu", (unsigned long long) jobs);
        print_field("hot-adds", "%llu since boot", (unsigned long long) adds);
        print_field("so far", "%llu writes, %llu blocks brought online, %llu failed", (unsigned long long) json_get_unsigned(c, "writes"),
                    (unsigned long long) json_get_unsigned(c, "onlined"), (unsigned long long) json_get_unsigned(c, "failed"));
        if (overflows)
                print_field_in(COLOUR_NOTICE, "overflows", "%llu: events were lost, and everything was looked at again",
                               (unsigned long long) overflows);
}

static void print_errors(const json_t *status) {
        char when[MOMENT_TEXT_MAX];
        struct report r;
        json_t *item;
        size_t i;

        json_array_foreach(json_object_get(status, "last_errors"), i, item) {
                report_from_json(item, &r);
                print_field_in(report_colour(&r), i ? "" : "last errors", "%s %s", moment_format(r.usec, when), r.text);
        }
}

static void print_text(const json_t *status, const struct options *o) {
        bool ready = json_is_true(json_object_get(status, "ready"));

        fputs("memhpd ", stdout);
        print_safe(stdout, json_get_text(status, "version"));
        printf(": %s%s%s\n", colour_begin(ready ? COLOUR_GOOD : COLOUR_NOTICE),
               ready ? "running" : "starting, it takes its first look", colour_end());
        print_policy(status);
        print_memory(status, o->bytes);
        print_blocks(status);
        print_holds(status);
        print_rivals(status);
        print_counters(status);
        print_errors(status);
}

enum status verb_status(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        json_auto_t *status = NULL;
        enum status s;

        (void) args;
        s = client_open(o, &c);
        if (s == STATUS_DONE)
                s = read_status(c, &status);
        if (s == STATUS_NOT_RUNNING && o->json) {
                status = json_new_object();
                json_set(status, "running", json_false());
                json_print(status);
        }
        if (s != STATUS_DONE)
                return s;
        if (o->json)
                json_print(status);
        else
                print_text(status, o);
        return STATUS_DONE;
}
