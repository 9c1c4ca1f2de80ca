/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/hold.h"
#include "ctl/verb.h"
#include "host/hold-file.h"
#include "host/rundir.h"

#define HOLDS_PATH "/run/memhpd/" RUNDIR_HOLDS

enum { COL_ID, COL_SELECTOR, COL_LEFT, COL_REASON };

static const struct column columns[] = {
        [COL_ID] = { "ID", "what release takes", .right = true },
        [COL_SELECTOR] = { "SELECTOR", "which blocks wait", .right = false },
        [COL_LEFT] = { "LEFT", "how long it still holds", .right = true },
        [COL_REASON] = { "REASON", "as it was given", .wrap = true },
};

const struct column_set hold_columns = { columns, ARRAY_SIZE(columns) };

/* The folder and what it holds, locked where the file is to be changed (ret_lock is not NULL). Complains. */
static enum status open_holds(const struct options *o, int *ret_lock, int *ret_fd, struct holds *ret) {
        _cleanup_close_ int fd = -1, lock = -1;
        unsigned line = 0;
        int r;

        fd = ret_lock ? rundir_open(o->sysroot) : rundir_find(o->sysroot);
        if (fd == -ENOENT && !ret_lock && access(o->sysroot, F_OK) == 0) {
                *ret = (struct holds) {};
                return STATUS_DONE;
        }
        r = fd;
        if (r >= 0 && ret_lock)
                r = lock = hold_file_lock(fd, true);
        if (r >= 0)
                r = hold_file_read(fd, ret, &line);
        if (r == -ENOMEM)
                out_of_memory();
        if (r == -EBADMSG)
                complain(HOLDS_PATH ":%u: torn or not written by memhpctl; remove the file to begin anew", line);
        else if (r < 0)
                complain(HOLDS_PATH ": %s", strerror(-r));
        if (r < 0)
                return STATUS_FAILED;
        *ret_fd = TAKE_FD(fd);
        if (ret_lock)
                *ret_lock = TAKE_FD(lock);
        return STATUS_DONE;
}

static enum status save(int fd, const struct holds *h) {
        int r = hold_file_write(fd, h);

        if (r >= 0)
                return STATUS_DONE;
        complain(HOLDS_PATH ": cannot be written: %s: nothing has changed", strerror(-r));
        return STATUS_FAILED;
}

char *hold_format_left(const json_t *hold) {
        const json_t *value = json_object_get(hold, "left_usec");
        uint64_t left = ((uint64_t) json_integer_value(value) + 999999) / 1000000;

        if (!json_is_integer(value))
                return format_text("until released");
        if (left >= 3600)
                return format_text("%" PRIu64 "h %" PRIu64 "min", left / 3600, left % 3600 / 60);
        return left >= 60 ? format_text("%" PRIu64 "min %" PRIu64 "s", left / 60, left % 60)
                          : format_text("%" PRIu64 "s", left);
}

/* left_usec: UINT64_MAX is until it is released. */
static json_t *json_hold(uint32_t id, const char *selector, const char *reason, uint64_t left_usec) {
        json_t *object = json_new_object();

        json_set(object, "id", json_unsigned(id));
        json_set(object, "selector", json_text(selector));
        json_set(object, "reason", json_name(reason));
        json_set(object, "left_usec", left_usec == UINT64_MAX ? json_null() : json_unsigned(left_usec));
        return object;
}

static uint64_t hold_left(const struct hold *hold, uint64_t now) {
        if (!hold->expires_usec)
                return UINT64_MAX;
        return hold_is_over(hold, now) ? 0 : hold->expires_usec - now;
}

/* ---- which there are ---------------------------------------------------------------------------------------------- */

enum status holds_ask(struct client *c, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *selector, *reason;
        json_t *array;
        uint64_t left;
        enum status s;
        uint32_t id;

        s = client_call(c, NULL, "org.freedesktop.DBus.Properties", "Get", &reply, "ss", BUS_MANAGER, "Holds");
        if (s != STATUS_DONE)
                return s;
        array = json_new_array();
        if (sd_bus_message_enter_container(reply, 'v', "a(usts)") > 0 && sd_bus_message_enter_container(reply, 'a', "(usts)") > 0)
                while (sd_bus_message_read(reply, "(usts)", &id, &selector, &left, &reason) > 0)
                        json_add(array, json_hold(id, selector, reason, left));
        *ret = array;
        return STATUS_DONE;
}

static enum status read_holds(const struct options *o, json_t **ret) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int fd = -1;
        uint64_t now = hold_now_usec();
        enum status status;
        json_t *array;

        status = open_holds(o, NULL, &fd, &holds);
        if (status != STATUS_DONE)
                return status;
        array = json_new_array();
        for (size_t i = 0; i < holds.n; i++)
                if (!hold_is_over(&holds.items[i], now))
                        json_add(array, json_hold(holds.items[i].id, holds.items[i].text, holds.items[i].reason,
                                                  hold_left(&holds.items[i], now)));
        *ret = array;
        return STATUS_DONE;
}

static void print_holds(const json_t *holds, const struct column_choice *choice, const struct options *o) {
        _cleanup_(table_done) struct table t;
        json_t *hold;
        size_t i;

        table_init(&t, &hold_columns, choice, o->legend, NULL, 0);
        json_array_foreach(holds, i, hold) {
                _cleanup_free_ char *left = hold_format_left(hold),
                                    *id = format_text("%lld", (long long) json_integer_value(json_object_get(hold, "id")));

                table_add_row(&t);
                table_set(&t, COL_ID, id);
                table_set(&t, COL_SELECTOR, json_string_value(json_object_get(hold, "selector")));
                table_set(&t, COL_LEFT, left);
                table_set(&t, COL_REASON, json_string_value(json_object_get(hold, "reason")));
        }
        table_print(&t);
}

static enum status list_holds(const struct options *o) {
        _cleanup_(client_closep) struct client *c = NULL;
        json_auto_t *holds = NULL;
        struct column_choice choice;
        enum status status;

        if (column_choice_parse(&hold_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = client_find(o, &c);
        if (status == STATUS_DONE)
                status = c ? holds_ask(c, &holds) : read_holds(o, &holds);
        if (status != STATUS_DONE)
                return status;
        if (o->json)
                json_print(holds);
        else if (json_array_size(holds) > 0)
                print_holds(holds, &choice, o);
        else if (o->legend)
                puts("No holds.");
        return STATUS_DONE;
}

/* ---- a new one, and an end ---------------------------------------------------------------------------------------- */

static enum status complain_hold(int error, const char *selector, const char *why) {
        if (error == -ENOMEM)
                out_of_memory();
        if (error == -ENOSPC) {
                complain("%s: there are %d holds already; release some", selector, HOLDS_MAX);
                return STATUS_FAILED;
        }
        complain("%s: not held: %s", selector, why);
        return STATUS_USAGE;
}

/* What is wrong with it is told as it is told without a daemon. */
static enum status ask_hold(struct client *c, const char *selector, const char *reason, uint64_t duration, uint32_t *ret_id,
                            uint64_t *ret_left) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(holds_done) struct holds trial = {};
        char error[SELECTOR_ERROR_MAX] = "";
        enum status status;
        int r;

        r = holds_add(&trial, selector, 0, reason, error);
        if (r < 0)
                return complain_hold(r, selector, error);
        status = client_call(c, NULL, NULL, "Hold", &reply, "sts", selector, duration, reason);
        if (status == STATUS_DONE && sd_bus_message_read(reply, "u", ret_id) < 0)
                status = STATUS_FAILED;
        *ret_left = duration && duration <= INT64_MAX ? duration : UINT64_MAX;
        return status;
}

static enum status write_hold(const struct options *o, const char *selector, const char *reason, uint64_t duration,
                              uint32_t *ret_id, uint64_t *ret_left) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int fd = -1, lock = -1;
        char error[SELECTOR_ERROR_MAX] = "";
        uint64_t expires = 0;
        enum status status;
        int r;

        if (duration && (__builtin_add_overflow(hold_now_usec(), duration, &expires) || expires > INT64_MAX))
                expires = 0; /* longer than any machine runs */
        status = open_holds(o, &lock, &fd, &holds);
        if (status != STATUS_DONE)
                return status;
        r = holds_add(&holds, selector, expires, reason, error);
        if (r < 0)
                return complain_hold(r, selector, error);
        *ret_id = holds.last_id;
        status = save(fd, &holds);
        *ret_left = hold_left(&holds.items[holds.n - 1], hold_now_usec());
        return status;
}

enum status verb_hold(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        const char *reason = args[0] && args[1] ? args[1] : "";
        uint64_t duration = 0, left = 0;
        enum status status;
        uint32_t id = 0;

        if (!args[0]) {
                if (!o->duration)
                        return list_holds(o);
                complain("--for: what is to be held? Name a selector");
                return STATUS_USAGE;
        }
        if (o->duration && (parse_time(o->duration, &duration) < 0 || duration == 0)) {
                complain("--for %s: not a time; write a number and us, ms, s, min or h", o->duration);
                return STATUS_USAGE;
        }
        status = client_find(o, &c);
        if (status == STATUS_DONE)
                status = c ? ask_hold(c, args[0], reason, duration, &id, &left)
                           : write_hold(o, args[0], reason, duration, &id, &left);
        if (status == STATUS_DONE && o->json) {
                json_auto_t *object = json_hold(id, args[0], reason, left);

                json_print(object);
        } else if (status == STATUS_DONE)
                printf("hold %" PRIu32 ": new blocks that match %s wait; memhpctl release %" PRIu32 " lets them go\n", id, args[0],
                       id);
        return status;
}

static enum status remove_hold(const struct options *o, uint32_t id) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int fd = -1, lock = -1;
        enum status status;

        status = open_holds(o, &lock, &fd, &holds);
        if (status != STATUS_DONE)
                return status;
        if (id == 0)
                while (holds.n > 0)
                        (void) holds_remove(&holds, holds.items[0].id);
        else if (!holds_remove(&holds, id)) {
                complain("%" PRIu32 ": there is no such hold; \"memhpctl hold\" lists them", id);
                return STATUS_FAILED;
        }
        return save(fd, &holds);
}

enum status verb_release(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        enum status status;
        uint32_t id = 0; /* all */

        if (strcmp(args[0], "all") != 0 && (parse_u32(args[0], &id) < 0 || id == 0)) {
                complain("%s: not the number of a hold; \"memhpctl hold\" lists them", args[0]);
                return STATUS_USAGE;
        }
        status = client_find(o, &c);
        if (status != STATUS_DONE)
                return status;
        return c ? client_call(c, NULL, NULL, "Release", NULL, "u", id) : remove_hold(o, id);
}
