/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What memhpctl can do. To add a verb: a function in a file of its own, declared here, and its row in main.c. */

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
enum status verb_check(const struct options *o, char *const *args);

enum status verb_hold(const struct options *o, char *const *args);
enum status verb_release(const struct options *o, char *const *args);

extern const struct column_set hold_columns, list_columns, simulate_columns, zones_columns, buddy_columns;
