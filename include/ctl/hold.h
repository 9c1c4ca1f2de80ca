/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"

/* The holds that the daemon obeys, as "hold --json" prints them: [{"id":…,"selector":…,"reason":…,"left_usec":…}]. Complains. */
enum status holds_ask(struct client *c, json_t **ret);

/* "until released", "1h 5min": of one of them; to be freed. */
char *hold_format_left(const json_t *hold);
