/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* --watch: the same again every few seconds. On a terminal in its place, on a screen of its own that goes away at the end;
 * elsewhere, and as JSON, one after the other without any escape code. */

#include "ctl/output.h"
#include "ctl/verb.h"

/* Print to stdout what is to be seen. seconds: since the time before; 0: this is the first. Complaints end it. */
typedef enum status (*watch_function)(void *userdata, double seconds);

/* Once, without --watch. Until ^C, which is STATUS_DONE, until printing fails, or until whoever reads the output goes away. */
enum status watch_run(const struct options *o, watch_function print, void *userdata);

/* While watching, a line with the key "time_usec" more. */
void watch_print_json(const struct options *o, json_t *root);
