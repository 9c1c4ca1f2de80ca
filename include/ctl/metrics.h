/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that "metrics" tells, family by family: of the machine (the JSON of stats), of zones and free blocks as the kernel
 * has them, and of the daemon (GetStatus as JSON). */

#include <jansson.h>
#include <stdio.h>

#include "core/buddyinfo.h"
#include "core/zoneinfo.h"

void metrics_put_stats(FILE *f, const json_t *stats);
void metrics_put_zones(FILE *f, const struct zoneinfo *z, uint64_t page_size);
void metrics_put_buddy(FILE *f, const struct buddyinfo *b);
/* status: NULL, no daemon answers. */
void metrics_put_daemon(FILE *f, const char *version, const json_t *status);
