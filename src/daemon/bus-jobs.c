/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
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

/* The options of a job, each of which some kinds of jobs take. */
static int read_amount(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        const uint64_t block_size = sysfs_block_size(manager_sysfs(b->manager));
        uint64_t size = 0;
        int r = sd_bus_message_read(m, "v", "t", &size);

        if (r < 0)
                return r;
        if (size == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "size: nothing at all");
        request->wanted = (size_t) MIN((size - 1) / block_size + 1, (uint64_t) UINT32_MAX);
        return r;
}

static int read_timeout(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        int r = sd_bus_message_read(m, "v", "t", &request->timeout_usec);

        (void) b;
        if (r >= 0 && request->timeout_usec == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "timeout_usec: no time at all");
        return r;
}

static int read_node(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        uint32_t node = 0;
        int r = sd_bus_message_read(m, "v", "u", &node);

        (void) b;
        if (r >= 0 && node >= NODES_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "node: %" PRIu32 " is beyond any node (%d)", node,
                                         NODES_MAX - 1);
        request->on_node = true;
        request->node = node;
        return r;
}

static int read_source(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        const char *word = NULL;
        enum source source;
        int r = sd_bus_message_read(m, "v", "s", &word);

        (void) b;
        if (r < 0)
                return r;
        source = source_from_string(word);
        if (source < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "source: no such source");
        request->sources = SOURCE_BIT(source);
        return r;
}

static int read_device(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        int r = sd_bus_message_read(m, "v", "s", &request->device);

        (void) b;
        if (r >= 0 && (!*bus_text(request->device) || strlen(request->device) >= DEVICE_NAME_MAX))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "device: not the name of a device");
        return r;
}

static int read_flag(sd_bus_message *m, bool *ret) {
        int flag = 0, r = sd_bus_message_read(m, "v", "b", &flag);

        if (r >= 0)
                *ret = flag;
        return r;
}

static int read_all_or_nothing(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        (void) b, (void) error;
        return read_flag(m, &request->all_or_nothing);
}

static int read_force(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        (void) b, (void) error;
        return read_flag(m, &request->force);
}

static int read_dry_run(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        (void) b, (void) error;
        return read_flag(m, &request->dry_run);
}

#define KIND(k) (1u << (k))

static const struct option {
        const char *key;
        unsigned kinds;
        int (*read)(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error);
} options[] = {
        { "timeout_usec", KIND(JOB_ONLINE) | KIND(JOB_OFFLINE) | KIND(JOB_REZONE), read_timeout },
        { "all_or_nothing", KIND(JOB_ONLINE) | KIND(JOB_OFFLINE) | KIND(JOB_REZONE), read_all_or_nothing },
        { "force", KIND(JOB_OFFLINE) | KIND(JOB_REZONE), read_force },
        { "dry_run", KIND(JOB_OFFLINE) | KIND(JOB_REZONE), read_dry_run },
        { "size", KIND(JOB_OFFLINE), read_amount },
        { "node", KIND(JOB_OFFLINE), read_node },
        { "source", KIND(JOB_OFFLINE), read_source },
        { "device", KIND(JOB_OFFLINE), read_device },
};

static int read_option(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        const char *key;
        int r = sd_bus_message_read(m, "s", &key);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                if (strcmp(options[i].key, key) != 0 || !(options[i].kinds & KIND(request->kind)))
                        continue;
                r = options[i].read(b, m, request, error);
                if (r < 0 && !sd_bus_error_is_set(error))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: of the wrong type", key);
                return r;
        }
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "there is no such option");
}

static int read_options(struct bus *b, sd_bus_message *m, struct job_request *request, sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_option(b, m, request, error);
                if (r >= 0)
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
        if (r >= 0 && strlen(request.text) >= JOB_SELECTOR_MAX)
                r = bus_refuse_long_selector(error, JOB_SELECTOR_MAX - 1);
        /* What is plugged as one is taken away as one, unless told otherwise. */
        request.all_or_nothing = kind == JOB_OFFLINE && selector.kind == SELECTOR_DEVICE;
        if (r >= 0 && kind != JOB_OFFLINE)
                r = read_zone(m, kind == JOB_ONLINE, &request.action, error);
        if (r >= 0)
                r = read_options(b, m, &request, error);
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

/* ---- all of them -------------------------------------------------------------------------------------------------- */

static void append_job(struct writer *w, const struct job *j) {
        writer_open(w, 'a', "{sv}");
        writer_put(w, "job", "u", j->id);
        writer_put(w, "kind", "s", job_kind_to_string(j->kind));
        writer_put(w, "selector", "s", bus_text(j->selector));
        writer_put(w, "state", "s", job_state_to_string(j->state));
        writer_put(w, "wanted", "u", (uint32_t) j->wanted);
        writer_put(w, "done", "u", (uint32_t) j->n_done);
        writer_put(w, "failed", "u", (uint32_t) j->n_failed);
        writer_put(w, "dry_run", "b", (int) j->dry_run);
        writer_put(w, "uid", "u", j->uid);
        if (j->current)
                writer_put(w, "current", "u", j->current->block);
        writer_put(w, "message", "s", bus_text(j->message));
        writer_close(w);
}

static int compare_jobs(const void *a, const void *b) {
        uint32_t x = (*(struct job *const *) a)->id, y = (*(struct job *const *) b)->id;

        return x < y ? -1 : x > y;
}

int bus_list_jobs(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        struct jobs *jobs = manager_jobs(b->manager);
        const struct job *sorted[JOBS_MAX];
        struct writer w;
        size_t n = 0;

        (void) error;
        if (only_check)
                return 0;
        for (size_t i = 0; i < JOBS_MAX; i++)
                if (jobs->slots[i].id)
                        sorted[n++] = &jobs->slots[i];
        if (n > 1)
                qsort(sorted, n, sizeof(sorted[0]), compare_jobs);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        for (size_t i = 0; i < n; i++)
                append_job(&w, sorted[i]);
        writer_close(&w);
        return writer_reply(&w);
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
        writer_open(&w, 'a', "(usis)");
        for (size_t i = 0; i < j->n; i++)
                writer_append(&w, "(usis)", j->items[i].block, fate_to_string((enum fate) j->items[i].fate),
                              (int32_t) -j->items[i].error, bus_text(job_why(j, j->items[i].block)));
        writer_close(&w);
        return writer_reply(&w);
}

/* Of many candidates the best are told: a bus takes no longer message. */
#define CANDIDATES_MAX 32768

static void put_pages(struct writer *w, const struct page_counts *p, uint64_t page_size) {
        if (!p->known)
                return;
        writer_put(w, "free", "t", p->free * page_size);
        writer_put(w, "movable", "t", p->movable * page_size);
        writer_put(w, "cache", "t", p->file * page_size);
        writer_put(w, "unmovable", "t", p->unmovable * page_size);
        writer_put(w, "unclear", "t", p->unclear * page_size);
}

static void append_candidate(struct bus *b, struct writer *w, const struct candidate *c) {
        const struct registry *registry = manager_registry(b->manager);
        const struct entry *e = registry_find(registry, c->block);
        const uint64_t page_size = manager_page_size(b->manager);
        enum zone zone = c->zones ? (enum zone) __builtin_ctz(c->zones) : _ZONE_INVALID;
        char why[256];

        candidate_describe(c, page_size, why, sizeof(why));
        writer_open(w, 'a', "{sv}");
        writer_put(w, "block", "u", c->block);
        writer_put(w, "node", "i", (int32_t) c->node);
        writer_put(w, "zone", "s", zone_to_string(zone) ?: "");
        writer_put(w, "source", "s", e ? source_to_string((enum source) e->source) : "unknown");
        writer_put(w, "device", "s", bus_text(registry_device_name(registry, c->device)));
        writer_put(w, "choice", "s", choice_to_string((enum choice) c->choice));
        put_pages(w, &c->pages, page_size);
        writer_put(w, "why", "s", why);
        writer_close(w);
}

int bus_list_candidates(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct candidate *candidates;
        struct writer w;
        struct job *j;
        size_t n;
        int r;

        r = job_of(b, m, &j, error);
        if (r < 0 || only_check)
                return r;
        candidates = manager_job_candidates(b->manager, j, &n);
        if (!candidates)
                return sd_bus_error_setf(error, BUS_ERROR_BUSY, "what was seen of this job's blocks is not known yet, or not any more");
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        for (size_t i = 0; i < MIN(n, (size_t) CANDIDATES_MAX); i++)
                append_candidate(b, &w, &candidates[i]);
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
        if (strcmp(property, "Force") == 0)
                return sd_bus_message_append(m, "b", (int) j->force);
        if (strcmp(property, "DryRun") == 0)
                return sd_bus_message_append(m, "b", (int) j->dry_run);
        if (strcmp(property, "Current") == 0)
                return sd_bus_message_append(m, "u", j->current ? j->current->block : UINT32_MAX);
        if (strcmp(property, "Wanted") == 0)
                return sd_bus_message_append(m, "u", (uint32_t) j->wanted);
        if (strcmp(property, "Message") == 0)
                return sd_bus_message_append(m, "s", bus_text(j->message));
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
        SD_BUS_PROPERTY("Force", "b", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("DryRun", "b", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Uid", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartUSec", "t", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("EndUSec", "t", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Wanted", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Current", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Message", "s", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blocks", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Done", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Failed", "u", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD("Cancel", "", "", bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("ListItems", "", , "a(usis)", SD_BUS_PARAM(items), bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("ListCandidates", "", , "aa{sv}", SD_BUS_PARAM(candidates), bus_dispatch,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
