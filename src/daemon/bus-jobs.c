/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus-internal.h"

/* ---- to ask for one ----------------------------------------------------------------------------------------------- */

static int read_zone(sd_bus_message *m, bool may_be_any, enum action *ret, sd_bus_error *error) {
        const char *zone;
        int r;

        r = sd_bus_message_read(m, "s", &zone);
        if (r < 0)
                return r;
        if (strcmp(zone, "movable") == 0)
                *ret = ACTION_ONLINE_MOVABLE;
        else if (strcmp(zone, "kernel") == 0)
                *ret = ACTION_ONLINE_KERNEL;
        else if (!*zone && may_be_any)
                *ret = ACTION_ONLINE;
        else
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "the zone is \"kernel\"%s \"movable\"",
                                         may_be_any ? ", \"\" (as the kernel likes) or" : " or");
        return 0;
}

/* {"timeout_usec": t, "all_or_nothing": b} */
static int read_options(sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        const char *key;
        int r, flag;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (strcmp(key, "timeout_usec") == 0) {
                        r = sd_bus_message_read(m, "v", "t", &request->timeout_usec);
                        if (r >= 0 && request->timeout_usec == 0)
                                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "timeout_usec: no time at all");
                } else if (strcmp(key, "all_or_nothing") == 0) {
                        r = sd_bus_message_read(m, "v", "b", &flag);
                        request->all_or_nothing = flag;
                } else
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "there is no such option");
                if (r < 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: of the wrong type", key);
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int start_job(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        char path[BUS_PATH_MAX];
        struct job *j;
        int r;

        request->uid = b->caller_uid;
        r = manager_add_job(b->manager, request, &j);
        switch (r) {
        case -ENOENT:
                return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_BLOCK, "%s: no memory block matches", request->text);
        case -EPERM:
                return sd_bus_error_setf(error, BUS_ERROR_HELD, "%s: a hold is on some of these blocks: release it first",
                                         request->text);
        case -EXDEV:
                return sd_bus_error_setf(error, BUS_ERROR_WRONG_ZONE, "%s: online already, in another zone than asked for: that "
                                         "takes Rezone", request->text);
        case -EBUSY:
                return sd_bus_error_setf(error, BUS_ERROR_BUSY, "too many jobs run; wait for one to end, or cancel it");
        default:
                return r < 0 ? r : sd_bus_reply_method_return(m, "uo", j->id, bus_number_path("job", j->id, path));
        }
}

static int ask(struct bus *b, sd_bus_message *m, enum job_kind kind, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        struct job_request request = { .kind = kind, .selector = &selector, .action = ACTION_LEAVE_OFFLINE };
        int r;

        r = bus_read_selector(m, &selector, &request.text, error);
        /* What is plugged as one is taken away as one, unless told otherwise. */
        request.all_or_nothing = kind == JOB_OFFLINE && selector.kind == SELECTOR_DEVICE;
        if (r >= 0 && kind != JOB_OFFLINE)
                r = read_zone(m, kind == JOB_ONLINE, &request.action, error);
        if (r >= 0)
                r = read_options(m, &request, error);
        if (r < 0 || only_check)
                return r;
        return start_job(b, m, &request, error);
}

int bus_online(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        return ask(b, m, JOB_ONLINE, only_check, error);
}

int bus_offline(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        return ask(b, m, JOB_OFFLINE, only_check, error);
}

int bus_rezone(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        return ask(b, m, JOB_REZONE, only_check, error);
}

/* ---- one of them -------------------------------------------------------------------------------------------------- */

static struct job *find_job(struct bus *b, const char *path) {
        uint32_t id;

        return bus_path_number(path, "job", &id) ? jobs_find(manager_jobs(b->manager), id) : NULL;
}

int bus_find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        (void) bus, (void) interface, (void) error;
        if (!find_job(userdata, path))
                return 0;
        *ret = userdata;
        return 1;
}

/* It may have made room for another while the caller was authorised. */
static int job_of(struct bus *b, sd_bus_message *m, struct job **ret, sd_bus_error *error) {
        *ret = find_job(b, sd_bus_message_get_path(m));
        return *ret ? 0 : sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "this job is no longer remembered");
}

int bus_cancel(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        struct job *j;
        int r;

        r = job_of(b, m, &j, error);
        if (r < 0 || only_check)
                return r;
        manager_cancel_job(b->manager, j);
        return sd_bus_reply_method_return(m, "");
}

int bus_list_items(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        struct writer w;
        struct job *j;
        int r;

        r = job_of(b, m, &j, error);
        if (r < 0 || only_check)
                return r;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(usi)");
        for (size_t i = 0; i < j->n; i++)
                writer_append(&w, "(usi)", j->items[i].block, fate_to_string((enum fate) j->items[i].fate),
                              (int32_t) -j->items[i].error);
        writer_close(&w);
        return writer_reply(&w);
}

static int get_job(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m, void *userdata,
                   sd_bus_error *error) {
        struct bus *b = userdata;
        const struct job *j = find_job(b, path);

        (void) bus, (void) interface, (void) error;
        if (!j)
                return -ENOENT;
        if (strcmp(property, "Id") == 0)
                return sd_bus_message_append(m, "u", j->id);
        if (strcmp(property, "Kind") == 0)
                return sd_bus_message_append(m, "s", job_kind_to_string(j->kind));
        if (strcmp(property, "Selector") == 0)
                return sd_bus_message_append(m, "s", j->selector);
        if (strcmp(property, "Action") == 0)
                return sd_bus_message_append(m, "s", action_to_string(j->action));
        if (strcmp(property, "State") == 0)
                return sd_bus_message_append(m, "s", job_state_to_string(j->state));
        if (strcmp(property, "AllOrNothing") == 0)
                return sd_bus_message_append(m, "b", (int) j->all_or_nothing);
        if (strcmp(property, "Uid") == 0)
                return sd_bus_message_append(m, "u", j->uid);
        if (strcmp(property, "Blocks") == 0)
                return sd_bus_message_append(m, "u", (uint32_t) j->n);
        if (strcmp(property, "Done") == 0)
                return sd_bus_message_append(m, "u", (uint32_t) j->n_done);
        if (strcmp(property, "Failed") == 0)
                return sd_bus_message_append(m, "u", (uint32_t) j->n_failed);
        if (strcmp(property, "StartUSec") == 0)
                return sd_bus_message_append(m, "t", j->start_usec);
        return sd_bus_message_append(m, "t", j->end_usec);
}

const sd_bus_vtable bus_job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Selector", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Action", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("AllOrNothing", "b", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Uid", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartUSec", "t", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("EndUSec", "t", get_job, 0, 0),
        SD_BUS_PROPERTY("State", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blocks", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Done", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Failed", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD("Cancel", "", "", bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("ListItems", "", , "a(usi)", SD_BUS_PARAM(items), bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
