/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* OpenMetrics text, version 1.0.0, of the kind that Prometheus' older text parser takes as well: no types that one does not
 * know, no timestamps. A family is begun, then come its samples; openmetrics_end() ends the text. */

#include <stdint.h>
#include <stdio.h>

#include "core/macro.h"

struct label {
        const char *name, *value; /* any bytes: what is no UTF-8 becomes "?" */
};

/* unit: NULL, or what the name ends with. type: gauge, counter, histogram. */
void openmetrics_family(FILE *f, const char *name, const char *type, const char *unit, const char *help);
/* suffix: "", "_total", "_bucket" … */
void openmetrics_unsigned(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, uint64_t value);
void openmetrics_signed(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, int64_t value);
void openmetrics_real(FILE *f, const char *name, const char *suffix, const struct label *labels, size_t n, double value);
void openmetrics_end(FILE *f);
