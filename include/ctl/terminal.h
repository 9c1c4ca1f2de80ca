/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much a picture on standard output may use. */

#include "core/macro.h"

struct terminal {
        unsigned columns, lines; /* $COLUMNS and $LINES, else the terminal's, else 80 and 24 */
        unsigned colours;        /* 0: none (no terminal, NO_COLOR, TERM=dumb), 8 or 256 */
        bool unicode;            /* the locale is UTF-8, and TERM is not dumb */
};

void terminal_look(struct terminal *ret);
