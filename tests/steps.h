/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between any two system calls of the daemon something may happen: it is killed, the call fails, a block is unplugged. Each
 * call on a file that the daemon makes, and each write to a block's state (fakeroot.h), is a step; one of them, by its number,
 * is the one at which it happens. What tests and the fake kernel do in between does not count.
 *
 * Link with the rig's flags and STEPS_WRAP (Makefile.am). */

#include <limits.h>

/* What happens: 0, and the call goes on, or the error that it meets, which is negative. Runs in the thread that makes the step. */
typedef int (*steps_act_t)(void *userdata);

/* Count from now. at: the number of the step before which it happens, from 1; 0: none; STEPS_ALL: each. */
#define STEPS_ALL UINT_MAX
void steps_begin(unsigned at, steps_act_t act, void *userdata);
/* The steps since then. */
unsigned steps_end(void);
/* What was about to be called when something happened, the last time; "create" is openat() of a file that is to be made. */
const char *steps_call(void);
