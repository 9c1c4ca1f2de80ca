/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "ctl/verb.h"
#include "host/hold-file.h"
#include "host/rundir.h"

#define HOLDS_PATH "/run/memhpd/" RUNDIR_HOLDS

enum { COL_ID, COL_SELECTOR, COL_LEFT, COL_REASON };

static const struct column columns[] = {
        [COL_ID] = { "ID", "what release takes", .right = true },
        [COL_SELECTOR] = { "SELECTOR", "which blocks wait", .right = false },
        [COL_LEFT] = { "LEFT", "how long it still holds", .right = true },
        [COL_REASON] = { "REASON", "as it was given", .right = false },
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
                r = lock = hold_file_lock(fd);
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

static char *format_left(const struct hold *hold, uint64_t now) {
        uint64_t left = hold->expires_usec > now ? (hold->expires_usec - now + 999999) / 1000000 : 0;

        if (hold->expires_usec == 0)
                return format_text("until released");
        if (left >= 3600)
                return format_text("%" PRIu64 "h %" PRIu64 "min", left / 3600, left % 3600 / 60);
        return left >= 60 ? format_text("%" PRIu64 "min %" PRIu64 "s", left / 60, left % 60)
                          : format_text("%" PRIu64 "s", left);
}

static json_t *json_hold(const struct hold *hold, uint64_t now) {
        uint64_t left = hold_is_over(hold, now) ? 0 : hold->expires_usec - now;
        json_t *object = json_new_object();

        json_set(object, "id", json_unsigned(hold->id));
        json_set(object, "selector", json_text(hold->text));
        json_set(object, "reason", *hold->reason ? json_text(hold->reason) : json_null());
        json_set(object, "left_usec", hold->expires_usec ? json_unsigned(left) : json_null());
        return object;
}

static enum status list_holds(const struct options *o) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_(table_done) struct table t = {};
        _cleanup_close_ int fd = -1;
        json_auto_t *array = NULL;
        uint64_t now = hold_now_usec();
        struct column_choice choice;
        enum status status;

        if (column_choice_parse(&hold_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = open_holds(o, NULL, &fd, &holds);
        if (status != STATUS_DONE)
                return status;
        array = json_new_array();
        table_init(&t, &hold_columns, &choice, o->legend, NULL, 0);
        for (size_t i = 0; i < holds.n; i++) {
                const struct hold *hold = &holds.items[i];
                _cleanup_free_ char *left = format_left(hold, now), *id = format_text("%" PRIu32, hold->id);

                if (hold_is_over(hold, now))
                        continue;
                json_add(array, json_hold(hold, now));
                table_add_row(&t);
                table_set(&t, COL_ID, id);
                table_set(&t, COL_SELECTOR, hold->text);
                table_set(&t, COL_LEFT, left);
                table_set(&t, COL_REASON, hold->reason);
        }
        if (o->json)
                json_print(array);
        else if (json_array_size(array) > 0)
                table_print(&t);
        else if (o->legend)
                puts("No holds.");
        return STATUS_DONE;
}

enum status verb_hold(const struct options *o, char *const *args) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int fd = -1, lock = -1;
        char error[SELECTOR_ERROR_MAX] = "";
        uint64_t expires = 0, duration;
        enum status status;
        int r;

        if (!args[0]) {
                if (!o->duration)
                        return list_holds(o);
                complain("--for: what is to be held? Name a selector");
                return STATUS_USAGE;
        }
        if (o->duration) {
                if (parse_time(o->duration, &duration) < 0 || duration == 0) {
                        complain("--for %s: not a time; write a number and us, ms, s, min or h", o->duration);
                        return STATUS_USAGE;
                }
                if (__builtin_add_overflow(hold_now_usec(), duration, &expires) || expires > INT64_MAX)
                        expires = 0; /* longer than any machine runs */
        }
        status = open_holds(o, &lock, &fd, &holds);
        if (status != STATUS_DONE)
                return status;
        r = holds_add(&holds, args[0], expires, args[1] ?: "", error);
        if (r == -ENOMEM)
                out_of_memory();
        if (r == -ENOSPC) {
                complain("%s: there are %d holds already; release some", args[0], HOLDS_MAX);
                return STATUS_FAILED;
        }
        if (r < 0) {
                complain("%s: not held: %s", args[0], error);
                return STATUS_USAGE;
        }
        status = save(fd, &holds);
        if (status == STATUS_DONE && o->json) {
                json_auto_t *object = json_hold(&holds.items[holds.n - 1], hold_now_usec());

                json_print(object);
        } else if (status == STATUS_DONE)
                printf("hold %" PRIu32 ": new blocks that match %s wait; memhpctl release %" PRIu32 " lets them go\n",
                       holds.last_id, args[0], holds.last_id);
        return status;
}

enum status verb_release(const struct options *o, char *const *args) {
        _cleanup_(holds_done) struct holds holds = {};
        _cleanup_close_ int fd = -1, lock = -1;
        enum status status;
        uint32_t id = 0;

        if (strcmp(args[0], "all") != 0 && (parse_u32(args[0], &id) < 0 || id == 0)) {
                complain("%s: not the number of a hold; \"memhpctl hold\" lists them", args[0]);
                return STATUS_USAGE;
        }
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
