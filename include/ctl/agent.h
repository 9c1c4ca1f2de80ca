/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* polkit's agent for terminals, pkttyagent(1), so that somebody can be asked for a password where no desktop does it: once
 * for all calls of this process. False: it cannot be started. */
bool agent_open(void);
void agent_close(void);
