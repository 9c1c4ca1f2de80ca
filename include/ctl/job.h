/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A job of the daemon, followed to its end: a bar on a terminal, lines elsewhere, JSON if asked for. ^C cancels it and waits
 * until the blocks are in a state that holds; a second ^C leaves, and the job goes on. */

#include "ctl/client.h"

/* path: the job's object. Says what becomes of it. STATUS_DONE, STATUS_PARTIAL, STATUS_FAILED; STATUS_NOT_RUNNING if the
 * daemon went away. */
enum status job_follow(const struct options *o, struct client *c, const char *path);
/* The same without a word, but for complaints: STATUS_DONE however it ended. */
enum status job_wait(const struct options *o, struct client *c, const char *path);

/* The job's properties as they are, in JSON's keys. NULL: complained. */
json_t *job_read(struct client *c, const char *path, enum status *ret_status);
