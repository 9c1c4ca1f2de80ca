/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* From here on what goes to standard output goes through a pager, if that is a terminal: $MEMHP_PAGER, $PAGER, less or more.
 * Without any, and where one of the two is "" or "cat", it goes to the terminal as before. Whoever is not himself (sudo) gets
 * less alone, with LESSSECURE: no shell out of a pager that runs as root. */
void pager_open(void);

/* Wait until the reader has read. False: there was none. */
bool pager_close(void);
