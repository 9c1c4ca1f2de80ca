/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Points in time, for people: microseconds of CLOCK_REALTIME, in the time zone of whoever reads. */

#include <stdint.h>

#include "core/macro.h"

#define MOMENT_TEXT_MAX 32
/* "2026-03-01 12:30:05" */
const char *moment_format(uint64_t usec, char buf[static MOMENT_TEXT_MAX]);

/* "2026-03-01 12:30:05" or less of it, "12:30", "today", "yesterday", "@1767225600", or how long ago: "2h". now: what that is
 * counted from. 0 or -EINVAL. */
int moment_parse(const char *text, uint64_t now, uint64_t *ret);

uint64_t moment_now(void);
