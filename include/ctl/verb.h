/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What memhpctl can do. To add a verb: a function in a file of its own, declared here, and its row in verbs.c. */

#include "ctl/options.h"
#include "ctl/output.h"

/* How memhpctl exits. Whoever finds the reason complains; the status travels up. */
enum status {
        STATUS_DONE = 0,
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_NOT_RUNNING = 3, /* no daemon can be asked */
        STATUS_PARTIAL = 64,    /* as chmem(8) */
};

/* args: the words after the verb, as many as its row allows, ended by NULL. */
typedef enum status (*verb_function)(const struct options *o, char *const *args);

enum status verb_list(const struct options *o, char *const *args);
enum status verb_show(const struct options *o, char *const *args);
enum status verb_explain(const struct options *o, char *const *args);
enum status verb_simulate(const struct options *o, char *const *args);
enum status verb_zones(const struct options *o, char *const *args);
enum status verb_buddy(const struct options *o, char *const *args);
enum status verb_stats(const struct options *o, char *const *args);
enum status verb_metrics(const struct options *o, char *const *args);
enum status verb_map(const struct options *o, char *const *args);
enum status verb_trace(const struct options *o, char *const *args);
enum status verb_doctor(const struct options *o, char *const *args);
enum status verb_import_udev(const struct options *o, char *const *args);
enum status verb_check(const struct options *o, char *const *args);

enum status verb_hold(const struct options *o, char *const *args);
enum status verb_release(const struct options *o, char *const *args);

enum status verb_status(const struct options *o, char *const *args);
enum status verb_history(const struct options *o, char *const *args);
enum status verb_monitor(const struct options *o, char *const *args);
enum status verb_reload(const struct options *o, char *const *args);

enum status verb_online(const struct options *o, char *const *args);
enum status verb_offline(const struct options *o, char *const *args);
enum status verb_rezone(const struct options *o, char *const *args);
enum status verb_configure(const struct options *o, char *const *args);
enum status verb_deconfigure(const struct options *o, char *const *args);
enum status verb_jobs(const struct options *o, char *const *args);
enum status verb_cancel(const struct options *o, char *const *args);

/* For shells: what the last of the words may become (completion/). */
enum status verb_complete(const struct options *o, char *const *args);
enum status verb_help(const struct options *o, char *const *args);

extern const struct column_set trace_columns;
extern const struct column_set offline_columns, jobs_columns;
extern const struct column_set stats_columns, configure_columns;
extern const struct column_set history_columns, hold_columns, list_columns, simulate_columns, zones_columns, buddy_columns;

/* ---- the table of verbs (verbs.c), from which help and completion come as well ------------------------------------- */

enum {
        VERB_SELECTOR = 1 << 0, /* its argument is a selector: help explains them */
        VERB_SPEC = 1 << 1,     /* its arguments are hypothetical hot-adds */
        VERB_NODE = 1 << 2,     /* its argument is a node */
        VERB_FILE = 1 << 3,     /* … a file */
        VERB_HOLD = 1 << 4,     /* … the number of a hold */
        VERB_NAME = 1 << 5,     /* … a verb */
        VERB_PAGER = 1 << 6,    /* what it prints may be long */
        VERB_JOB = 1 << 7,      /* its argument is the number of a job */
        VERB_ADD = 1 << 8,      /* … of a hot-add */
        VERB_HIDDEN = 1 << 9,   /* for other programs: help does not tell of it */
        VERB_RULES = 1 << 11,   /* its arguments are files of udev rules */
};

struct verb {
        const char *name;
        const char *arguments;
        const char *help;
        verb_function run;
        unsigned min_args, max_args;
        unsigned options; /* enum option_group */
        unsigned flags;
        const struct column_set *columns;
};

extern const struct verb verbs[];
extern const size_t n_verbs;

/* Complains, with the nearest name, if there is none. */
const struct verb *verb_find(const char *name);
/* --help, without and with a verb. */
void help_print_overview(void);
void help_print_verb(const struct verb *v);
