/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/parse.h"
#include "ctl/job.h"

enum { COL_ID, COL_KIND, COL_SELECTOR, COL_STATE, COL_DONE, COL_FAILED, COL_WANTED, COL_USER, COL_MESSAGE };

static const struct column columns[] = {
        [COL_ID] = { "ID", "its number", .right = true },
        [COL_KIND] = { "KIND", "online, offline or rezone" },
        [COL_SELECTOR] = { "SELECTOR", "of which blocks" },
        [COL_STATE] = { "STATE", "running, or how it ended" },
        [COL_DONE] = { "DONE", "blocks that are as asked for", .right = true },
        [COL_FAILED] = { "FAILED", "blocks that could not be had", .right = true },
        [COL_WANTED] = { "WANTED", "blocks that were asked for", .right = true },
        [COL_USER] = { "UID", "who asked", .right = true, .spare = 1 },
        [COL_MESSAGE] = { "MESSAGE", "why it did not begin, or ended early", .wrap = true },
};

const struct column_set jobs_columns = { columns, ARRAY_SIZE(columns) };

static void set_number(struct table *t, unsigned column, const json_t *job, const char *key) {
        _cleanup_free_ char *text = format_text("%" PRIu64, (uint64_t) json_integer_value(json_object_get(job, key)));

        table_set(t, column, text);
}

static void add_row(struct table *t, const json_t *job) {
        static const struct {
                unsigned column;
                const char *key;
        } texts[] = { { COL_KIND, "kind" }, { COL_SELECTOR, "selector" }, { COL_STATE, "state" }, { COL_MESSAGE, "message" } },
          numbers[] = { { COL_ID, "job" }, { COL_DONE, "done" }, { COL_FAILED, "failed" }, { COL_WANTED, "wanted" }, { COL_USER, "uid" } };

        table_add_row(t);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                table_set(t, texts[i].column, json_string_value(json_object_get(job, texts[i].key)));
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                set_number(t, numbers[i].column, job, numbers[i].key);
}

static enum status read_jobs(struct client *c, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        enum status status;

        status = client_call(c, NULL, NULL, "ListJobs", &reply, NULL);
        if (status == STATUS_DONE)
                *ret = client_read_json(reply);
        return status;
}

static enum status list(const struct options *o, struct client *c) {
        _cleanup_(table_done) struct table t = {};
        struct column_choice choice;
        json_auto_t *jobs = NULL;
        enum status status;

        if (column_choice_parse(&jobs_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = read_jobs(c, &jobs);
        if (status != STATUS_DONE)
                return status;
        table_init(&t, &jobs_columns, &choice, o->legend, NULL, 0);
        for (size_t i = 0; i < json_array_size(jobs); i++)
                add_row(&t, json_array_get(jobs, i));
        if (o->json)
                json_print(jobs);
        else if (json_array_size(jobs) > 0)
                table_print(&t);
        else if (o->legend)
                puts("Nobody has asked for anything.");
        return STATUS_DONE;
}

#define JOB_PATH_MAX 64

/* The daemon, and the object of the job with this number. */
static enum status find(const struct options *o, const char *id, struct client **ret, char ret_path[static JOB_PATH_MAX]) {
        json_auto_t *jobs = NULL;
        enum status status;
        uint32_t number;

        if (parse_u32(id, &number) < 0 || number == 0) {
                complain("%s: not the number of a job; \"memhpctl jobs\" lists them", id);
                return STATUS_USAGE;
        }
        status = client_open(o, ret);
        if (status == STATUS_DONE)
                status = read_jobs(*ret, &jobs);
        if (status != STATUS_DONE)
                return status;
        for (size_t i = 0; i < json_array_size(jobs); i++)
                if (json_integer_value(json_object_get(json_array_get(jobs, i), "job")) == number) {
                        snprintf(ret_path, JOB_PATH_MAX, BUS_PATH "/job/%" PRIu32, number);
                        return STATUS_DONE;
                }
        complain("%s: there is no such job, or it is not remembered any more; \"memhpctl jobs\" lists them", id);
        return STATUS_FAILED;
}

enum status verb_jobs(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        char path[JOB_PATH_MAX];
        enum status status;

        status = args[0] ? find(o, args[0], &c, path) : client_open(o, &c);
        if (status != STATUS_DONE)
                return status;
        return args[0] ? job_follow(o, c, path) : list(o, c);
}

enum status verb_cancel(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        char path[JOB_PATH_MAX];
        enum status status;

        status = find(o, args[0], &c, path);
        return status == STATUS_DONE ? client_call(c, path, BUS_JOB, "Cancel", NULL, NULL) : status;
}
