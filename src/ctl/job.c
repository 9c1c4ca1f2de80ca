/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/job.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "ctl/progress.h"

#define LOOK_USEC 500000 /* also without a signal: it may be lost, and the rate changes */

struct follow {
        const struct options *options;
        struct client *client;
        const char *path;
        sd_event *event;
        sd_event_source *timer;
        json_t *job;  /* as it was last seen */
        char *printed; /* the line of JSON that was last printed */
        struct progress progress;
        unsigned interrupts;
        bool silent, over;
        enum status status;
};

static uint64_t now_usec(struct follow *f) {
        uint64_t now = 0;

        (void) sd_event_now(f->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* ---- what the daemon says ----------------------------------------------------------------------------------------- */

/* The properties of org.memhp1.Job, by the keys of our JSON. */
static const struct {
        const char *property, *key;
} keys[] = {
        { "Id", "job" },         { "Kind", "kind" },     { "Selector", "selector" }, { "State", "state" },
        { "Wanted", "wanted" },  { "Done", "done" },     { "Failed", "failed" },     { "Blocks", "candidates" },
        { "Current", "current" }, { "Message", "message" }, { "AllOrNothing", "all_or_nothing" }, { "Uid", "uid" },
};

json_t *job_read(struct client *c, const char *path, enum status *ret_status) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *all = NULL;
        json_t *job;

        *ret_status = client_call(c, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, "s", BUS_JOB);
        if (*ret_status != STATUS_DONE)
                return NULL;
        all = client_read_json(reply);
        job = json_new_object();
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                json_t *value = json_object_get(all, keys[i].property);

                if (value && strcmp(keys[i].key, "current") == 0 && json_integer_value(value) == UINT32_MAX)
                        value = NULL;
                json_set(job, keys[i].key, value ? json_incref(value) : json_null());
        }
        return job;
}

static const char *text_of(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key)) ?: "";
}

static uint64_t number_of(const json_t *object, const char *key) {
        return (uint64_t) json_integer_value(json_object_get(object, key));
}

static bool is_over(const json_t *job) {
        const char *state = text_of(job, "state");

        return strcmp(state, "running") != 0 && strcmp(state, "undoing") != 0;
}

static enum status read_block_size(struct client *c, uint64_t *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *value = NULL;
        enum status status;

        status = client_call(c, NULL, "org.freedesktop.DBus.Properties", "Get", &reply, "ss", BUS_MANAGER, "BlockSize");
        if (status != STATUS_DONE)
                return status;
        value = client_read_json(reply);
        *ret = (uint64_t) json_integer_value(value);
        return STATUS_DONE;
}

static int compare_items(const void *a, const void *b) {
        uint64_t x = number_of(*(json_t *const *) a, "block"), y = number_of(*(json_t *const *) b, "block");

        return x < y ? -1 : x > y;
}

/* [[block, fate, errno, why], …] to objects, by block. */
static enum status read_items(struct follow *f, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        static const char *const names[] = { "block", "fate", "errno", "why" };
        json_auto_t *rows = NULL, *items = json_new_array();
        _cleanup_free_ json_t **sorted = NULL;
        enum status status;
        size_t n;

        status = client_call(f->client, f->path, BUS_JOB, "ListItems", &reply, NULL);
        if (status != STATUS_DONE)
                return status;
        rows = client_read_json(reply);
        n = json_array_size(rows);
        sorted = calloc(n + 1, sizeof(*sorted));
        if (!sorted)
                out_of_memory();
        for (size_t i = 0; i < n; i++) {
                sorted[i] = json_new_object();
                for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                        json_set(sorted[i], names[k], json_incref(json_array_get(json_array_get(rows, i), k)));
        }
        qsort(sorted, n, sizeof(*sorted), compare_items);
        for (size_t i = 0; i < n; i++)
                json_add(items, sorted[i]);
        *ret = json_incref(items);
        return STATUS_DONE;
}

/* ---- progress ----------------------------------------------------------------------------------------------------- */

static void print_json(struct follow *f) {
        _cleanup_free_ char *line = json_dumps(f->job, JSON_COMPACT);

        if (f->printed && line && strcmp(line, f->printed) == 0)
                return;
        json_print_line(f->job);
        fflush(stdout);
        free(f->printed);
        f->printed = TAKE_PTR(line);
}

static void show(struct follow *f) {
        const json_t *current = json_object_get(f->job, "current");
        struct progress *p = &f->progress;
        bool undoing = strcmp(text_of(f->job, "state"), "undoing") == 0;

        if (f->silent)
                return;
        if (f->options->json) {
                print_json(f);
                return;
        }
        p->what = text_of(f->job, "kind");
        p->done = number_of(f->job, "done");
        p->wanted = number_of(f->job, "wanted");
        p->current = json_is_integer(current) ? json_integer_value(current) : -1;
        p->state = undoing ? "undoing" : f->interrupts ? "cancelling" : p->current < 0 ? "waiting" : "";
        p->now_usec = now_usec(f);
        progress_show(p);
}

static void look(struct follow *f) {
        enum status status;
        json_t *job;

        job = job_read(f->client, f->path, &status);
        if (!job) {
                progress_clear(&f->progress);
                f->status = status;
                f->over = true;
                return;
        }
        json_decref(f->job);
        f->job = job;
        if (is_over(job))
                f->over = true;
        else
                show(f);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) m, (void) error;
        look(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) usec;
        look(userdata);
        (void) sd_event_source_set_time_relative(source, LOOK_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct follow *f = userdata;

        (void) source, (void) info;
        if (f->interrupts++ == 0) {
                f->status = client_call(f->client, f->path, BUS_JOB, "Cancel", NULL, NULL);
                if (f->status == STATUS_DONE) {
                        look(f);
                        return 0;
                }
        }
        progress_clear(&f->progress);
        complain("job %" PRIu64 " goes on; \"memhpctl jobs %" PRIu64 "\" follows it", number_of(f->job, "job"),
                 number_of(f->job, "job"));
        f->status = STATUS_FAILED;
        f->over = true;
        return 0;
}

/* ---- what became of it -------------------------------------------------------------------------------------------- */

static const char *error_text(int error) {
        switch (error) {
        case ETIMEDOUT:
                return "timed out";
        case ECANCELED:
                return "cancelled";
        default:
                return strerror(error);
        }
}

/* "offline", "stays online: Device or resource busy: page …": of one block. */
static char *describe_fate(const char *kind, const json_t *item) {
        const char *fate = text_of(item, "fate"), *why = text_of(item, "why");
        bool offline = strcmp(kind, "offline") == 0, rezone = strcmp(kind, "rezone") == 0;
        int error = (int) number_of(item, "errno");

        if (strcmp(fate, "done") == 0)
                return format_text("%s%s%s", rezone ? "moved" : kind, error ? ", and could not be brought back: " : "",
                                   error ? error_text(error) : "");
        if (strcmp(fate, "already") == 0)
                return format_text("was so before");
        if (strcmp(fate, "wrong-zone") == 0)
                return format_text("online in another zone: \"memhpctl rezone\" moves it");
        if (strcmp(fate, "failed") == 0)
                return format_text("%s: %s%s%s", offline ? "stays online" : rezone ? "not moved" : "stays offline", error_text(error),
                                   *why ? ": " : "", why);
        if (strcmp(fate, "gone") == 0)
                return format_text("unplugged meanwhile");
        if (strcmp(fate, "undone") == 0)
                return format_text("as before again");
        return format_text("%s", strcmp(fate, "skipped") == 0 ? "not tried" : fate);
}

/* A line for neighbours with the same fate. */
static void print_fates(const json_t *job, const json_t *items) {
        const char *kind = text_of(job, "kind");
        size_t n = json_array_size(items);

        for (size_t i = 0, k; i < n; i = k) {
                uint64_t first = number_of(json_array_get(items, i), "block"), last = first;
                _cleanup_free_ char *text = describe_fate(kind, json_array_get(items, i)), *blocks = NULL;

                for (k = i + 1; k < n && number_of(json_array_get(items, k), "block") == last + 1; k++, last++) {
                        _cleanup_free_ char *other = describe_fate(kind, json_array_get(items, k));

                        if (strcmp(text, other) != 0)
                                break;
                }
                blocks = first == last ? format_text("%" PRIu64, first) : format_text("%" PRIu64 "-%" PRIu64, first, last);
                print_paragraph(2, "%s: %s", blocks, text);
        }
}

static const char *result_word(const char *kind) {
        return strcmp(kind, "rezone") == 0 ? "moved" : kind;
}

static bool is_whole_device(const json_t *job) {
        return strcmp(text_of(job, "kind"), "offline") == 0 && strncmp(text_of(job, "selector"), "device:", 7) == 0 &&
               strcmp(text_of(job, "state"), "done") == 0 && number_of(job, "wanted") == number_of(job, "candidates");
}

static void print_result(struct follow *f, const json_t *items) {
        uint64_t done = number_of(f->job, "done"), wanted = number_of(f->job, "wanted");
        const char *kind = text_of(f->job, "kind"), *state = text_of(f->job, "state"), *message = text_of(f->job, "message");
        char bytes[SIZE_TEXT_MAX];
        bool good = strcmp(state, "done") == 0;

        if (good)
                printf("%" PRIu64 " block%s (%s) %s\n", done, done == 1 ? "" : "s",
                       format_bytes(done * f->progress.block_size, f->options->bytes, bytes), result_word(kind));
        else if (done)
                printf("%s: %" PRIu64 " of %" PRIu64 " blocks (%s) %s\n", strcmp(state, "partial") == 0 ? "partly done" : state, done,
                       wanted, format_bytes(done * f->progress.block_size, f->options->bytes, bytes), result_word(kind));
        fflush(stdout);
        if (!good && (!done || *message))
                complain("%s %s: %s%s%s", kind, text_of(f->job, "selector"), done ? "ended early" : state,
                         *message ? ": " : ": nothing has changed", message);
        if (!good || f->options->all)
                print_fates(f->job, items);
        if (is_whole_device(f->job))
                print_paragraph(0, "%s is offline as a whole, and stays so whatever the policy says: it can be unplugged.",
                                text_of(f->job, "selector") + 7);
}

static enum status finish(struct follow *f) {
        json_auto_t *items = NULL;
        enum status status;

        progress_clear(&f->progress);
        status = read_items(f, &items);
        if (status != STATUS_DONE)
                return status;
        json_set(f->job, "bytes", json_unsigned(number_of(f->job, "done") * f->progress.block_size));
        json_set(f->job, "items", json_incref(items));
        if (f->options->json)
                json_print_line(f->job);
        else
                print_result(f, items);
        if (strcmp(text_of(f->job, "state"), "done") == 0)
                return STATUS_DONE;
        return number_of(f->job, "done") ? STATUS_PARTIAL : STATUS_FAILED;
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

static int watch(struct follow *f) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_new(&f->event);
        if (r >= 0)
                r = sd_event_add_signal(f->event, NULL, SIGINT, on_interrupt, f);
        if (r >= 0)
                r = sd_event_add_time_relative(f->event, &f->timer, CLOCK_MONOTONIC, 0, 0, on_timer, f);
        if (r >= 0)
                r = sd_bus_attach_event(client_bus(f->client), f->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal(client_bus(f->client), NULL, BUS_NAME, f->path, "org.freedesktop.DBus.Properties",
                                        "PropertiesChanged", on_signal, f);
        return r;
}

static void follow_done(struct follow *f) {
        (void) sd_bus_detach_event(client_bus(f->client));
        sd_event_source_unref(f->timer);
        sd_event_unref(f->event);
        json_decref(f->job);
        free(f->printed);
}

static enum status loop(struct follow *f) {
        int r;

        r = watch(f);
        if (r >= 0) {
                f->progress.start_usec = now_usec(f);
                /* Not until sd_event_exit(), which closes the bus. */
                while (r >= 0 && !f->over)
                        r = sd_event_run(f->event, UINT64_MAX);
        }
        if (r < 0) {
                complain("%s: the job cannot be followed: %s; it goes on", f->options->verb, strerror(-r));
                return STATUS_FAILED;
        }
        return f->status;
}

enum status job_follow(const struct options *o, struct client *c, const char *path) {
        _cleanup_(follow_done) struct follow f = { .options = o, .client = c, .path = path, .progress.bytes = o->bytes };
        enum status status;

        status = read_block_size(c, &f.progress.block_size);
        if (status == STATUS_DONE)
                status = loop(&f);
        return status == STATUS_DONE ? finish(&f) : status;
}

enum status job_wait(const struct options *o, struct client *c, const char *path) {
        _cleanup_(follow_done) struct follow f = { .options = o, .client = c, .path = path, .silent = true };

        return loop(&f);
}
