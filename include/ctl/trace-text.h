/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The trace of a hot-add for people: 80 columns wide, or as wide as the terminal where that is narrower. trace: what GetTrace
 * of org.memhp1.Manager returns, and "threads". */

#include "ctl/output.h"
#include "ctl/options.h"

void trace_print_text(const json_t *trace, const struct options *o);

#define DURATION_TEXT_MAX 32
/* "850us", "1.5ms", "312ms", "4.2s", "12min 5s", "3h 20min". Returns buf. */
const char *format_duration(uint64_t usec, char buf[static DURATION_TEXT_MAX]);
