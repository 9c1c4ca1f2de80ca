/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The statistics of core/stats.h as the JSON of "stats": the daemon's, which has seen more, else what the system itself tells.
 * memhpctl(1) has the keys. */

#include "ctl/client.h"
#include "ctl/verb.h"

/* Complains. *ret is to be unreferenced. */
enum status stats_get(const struct options *o, json_t **ret);
/* Of this daemon. */
enum status stats_get_from(struct client *c, json_t **ret);

/* Figures of an object; 0 where there is none. */
bool json_is_known(const json_t *object, const char *key); /* neither missing nor null */
