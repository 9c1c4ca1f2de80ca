/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/reports.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "host/rundir.h"

void reports_done(struct reports *r) {
        free(r->items);
        *r = (struct reports) {};
}

static void add(struct reports *r, const struct report *report) {
        if (!GROW(r->items, r->n, r->capacity))
                out_of_memory();
        r->items[r->n++] = *report;
}

/* ---- from where --------------------------------------------------------------------------------------------------- */

struct filter {
        struct reports *reports;
        const struct selector *selector;
        uint64_t block_size, since_usec;
};

static void take(const struct report *r, void *userdata) {
        struct filter *f = userdata;

        if (r->usec >= f->since_usec && (!f->selector || report_matches(r, f->selector, f->block_size)))
                add(f->reports, r);
}

/* What a boot before this one left is known to the journal alone. */
static bool is_this_boot(const struct journal_query *q) {
        return !q->boot || strcmp(q->boot, "all") == 0 || strcmp(q->boot, "0") == 0;
}

static enum status from_daemon(struct filter *f, struct client *c, const char *selector) {
        json_auto_t *array = NULL;
        struct report r;
        enum status s;
        json_t *item;
        size_t i;

        s = client_ask(c, "GetHistory", &array, "st", selector ?: "all", f->since_usec);
        if (s != STATUS_DONE)
                return s;
        json_array_foreach(array, i, item) {
                report_from_json(item, &r);
                add(f->reports, &r);
        }
        return STATUS_DONE;
}

static enum status from_file(struct filter *f, const char *root) {
        _cleanup_free_ struct history *h = calloc(1, sizeof(*h));
        _cleanup_close_ int fd = rundir_find(root);
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r = fd;

        if (!h)
                out_of_memory();
        if (r >= 0)
                r = rundir_read(fd, RUNDIR_HISTORY, &text, &size);
        if (r >= 0)
                r = history_parse(text, size, h, &line);
        if (r == -ENOENT)
                return STATUS_DONE;
        if (r < 0) {
                complain("/run/memhpd/" RUNDIR_HISTORY ": %s", r == -EBADMSG ? "torn, or not memhpd's" : strerror(-r));
                return STATUS_FAILED;
        }
        for (size_t i = 0; i < h->n; i++)
                take(history_get(h, i), f);
        return STATUS_DONE;
}

enum status reports_read(struct reports *r, const struct options *o, struct client *c, const struct journal_query *q,
                         const struct selector *selector, const char *selector_text, uint64_t block_size) {
        struct filter f = { r, selector, block_size, q->since_usec };
        int error;

        /* The journal of another host is not here to be read. */
        error = o->host ? -ENOENT : journal_read(o->sysroot, q, take, &f);
        if (error >= 0)
                return STATUS_DONE;
        if (error == -EINVAL) {
                complain("--boot %s: neither a number (0 is this one, -1 the one before) nor the id of a boot, nor \"all\"", q->boot);
                return STATUS_USAGE;
        }
        if (error == -ENODATA && !is_this_boot(q)) {
                complain("--boot %s: the journal does not go back so far", q->boot);
                return STATUS_FAILED;
        }
        if (error == -ENOMEM)
                out_of_memory();
        if (error != -ENOENT && error != -ENODATA)
                complain("journal: cannot be read: %s", strerror(-error));
        if (!is_this_boot(q))
                return STATUS_DONE;
        return c ? from_daemon(&f, c, selector_text) : from_file(&f, o->sysroot);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static uint64_t get_number(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);

        return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t) json_integer_value(value) : 0;
}

static int get_word(const json_t *object, const char *key, int from_string(const char *s), int none) {
        const char *text = json_string_value(json_object_get(object, key));
        int value = text ? from_string(text) : -EINVAL;

        return value < 0 ? none : value;
}

static void get_text(const json_t *object, const char *key, char *ret, size_t size) {
        snprintf(ret, size, "%s", json_string_value(json_object_get(object, key)) ?: "");
}

/* Enumerations are ints of one size, but the functions are not of one type. */
#define WORD(type) static int type##_word(const char *s) { return (int) type##_from_string(s); }
WORD(report_kind)
WORD(source)
WORD(action)
WORD(reason)
WORD(outcome)
WORD(zone)

static int16_t get_node(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);

        return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < NODES_MAX
               ? (int16_t) json_integer_value(value) : -1;
}

static void get_balance(const json_t *object, struct balance *ret) {
        const json_t *b = json_object_get(object, "balance");

        if (!json_is_object(b))
                return;
        *ret = (struct balance) {
                .judged = true,
                .movable = get_number(b, "movable"),
                .kernel = get_number(b, "kernel"),
                .added = get_number(b, "added"),
                .node = get_node(b, "node"),
                .ratio = (uint32_t) get_number(b, "limit_percent"),
                .hot_counted = json_is_true(json_object_get(b, "hot_counted")),
        };
}

void report_from_json(const json_t *object, struct report *ret) {
        const json_t *rule = json_object_get(object, "rule");

        *ret = (struct report) {
                .id = get_number(object, "id"),
                .usec = get_number(object, "time_usec"),
                .kind = (enum report_kind) get_word(object, "event", report_kind_word, REPORT_CHANGED),
                .priority = (int) get_number(object, "priority"),
                .add = (uint32_t) get_number(object, "add"),
                .source = (enum source) get_word(object, "source", source_word, SOURCE_UNKNOWN),
                .node = get_node(object, "node"),
                .action = (enum action) get_word(object, "action", action_word, ACTION_LEAVE_OFFLINE),
                .reason = (enum reason) get_word(object, "reason", reason_word, REASON_NO_RULE),
                .outcome = (enum outcome) get_word(object, "outcome", outcome_word, OUTCOME_NONE),
                .zone = (enum zone) get_word(object, "zone", zone_word, _ZONE_INVALID),
                .error = -(int) get_number(object, "errno"),
                .n_blocks = (uint32_t) get_number(object, "n_blocks"),
                .line = (unsigned) get_number(rule, "line"),
        };
        get_balance(object, &ret->balance);
        get_text(object, "blocks", ret->blocks, sizeof(ret->blocks));
        get_text(object, "device", ret->device, sizeof(ret->device));
        get_text(object, "message", ret->text, sizeof(ret->text));
        get_text(object, "why", ret->why, sizeof(ret->why));
        get_text(rule, "name", ret->rule, sizeof(ret->rule));
        get_text(rule, "file", ret->file, sizeof(ret->file));
}

static json_t *json_percent(uint64_t movable, uint64_t kernel) {
        uint64_t percent = balance_percent(movable, kernel);

        return percent != UINT64_MAX ? json_unsigned(percent) : json_null();
}

json_t *json_balance(const struct balance *b) {
        json_t *object;

        if (!b->judged)
                return json_null();
        object = json_new_object();
        json_set(object, "movable", json_unsigned(b->movable));
        json_set(object, "kernel", json_unsigned(b->kernel));
        json_set(object, "added", json_unsigned(b->added));
        json_set(object, "percent_before", json_percent(b->movable - MIN(b->added, b->movable), b->kernel));
        json_set(object, "percent_after", json_percent(b->movable, b->kernel));
        json_set(object, "limit_percent", json_unsigned(b->ratio));
        json_set(object, "node", b->node >= 0 ? json_integer(b->node) : json_null());
        json_set(object, "hot_counted", json_boolean(b->hot_counted));
        return object;
}

json_t *report_to_json(const struct report *r) {
        json_t *object = json_new_object(), *rule = json_null();

        if (*r->rule) {
                rule = json_new_object();
                json_set(rule, "name", json_text(r->rule));
                json_set(rule, "file", json_text(r->file));
                json_set(rule, "line", json_unsigned(r->line));
        }
        json_set(object, "time_usec", json_unsigned(r->usec));
        json_set(object, "event", json_text(report_kind_to_string(r->kind)));
        json_set(object, "priority", json_integer(r->priority));
        json_set(object, "blocks", json_text(r->blocks));
        json_set(object, "n_blocks", json_unsigned(r->n_blocks));
        json_set(object, "add", r->add ? json_unsigned(r->add) : json_null());
        json_set(object, "source", json_text(source_to_string(r->source)));
        json_set(object, "device", json_name(r->device));
        json_set(object, "node", r->node >= 0 ? json_integer(r->node) : json_null());
        json_set(object, "rule", rule);
        /* Of what is gone nothing was decided. */
        json_set(object, "action", r->outcome == OUTCOME_GONE ? json_null() : json_text(action_to_string(r->action)));
        json_set(object, "reason", r->outcome == OUTCOME_GONE ? json_null() : json_text(reason_to_string(r->reason)));
        json_set(object, "outcome", json_text(outcome_to_string(r->outcome)));
        json_set(object, "zone", r->zone >= 0 ? json_text(zone_to_string(r->zone)) : json_null());
        json_set(object, "errno", r->error ? json_integer(-r->error) : json_null());
        json_set(object, "why", json_name(r->why));
        json_set(object, "balance", json_balance(&r->balance));
        json_set(object, "message", json_text(r->text));
        return object;
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

char *report_format_outcome(const struct report *r) {
        const char *kind = report_kind_to_string(r->kind), *zone = r->zone >= 0 ? zone_to_string(r->zone) : NULL;

        if (r->error && r->kind != REPORT_ONLINED)
                return format_text("%s: %s", kind, strerror(-r->error));
        return zone ? format_text("%s in %s", kind, zone) : format_text("%s", kind);
}

enum colour report_colour(const struct report *r) {
        if (r->priority <= LOG_ERR)
                return COLOUR_BAD;
        return r->priority <= LOG_WARNING ? COLOUR_NOTICE : COLOUR_NONE;
}
