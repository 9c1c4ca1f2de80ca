/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The holds as they are kept (core/holds.h): memhpctl writes them, the daemon watches the folder and reads them. */

#include "core/holds.h"

/* CLOCK_BOOTTIME, microseconds. */
uint64_t hold_now_usec(void);

/* None where there is no file. -EBADMSG: not ours, *ret_line names the line · others as of rundir_read(). */
int hold_file_read(int dir_fd, struct holds *ret, unsigned *ret_line);
int hold_file_write(int dir_fd, const struct holds *h);

/* A descriptor: until it is closed, nobody else who locks changes the file. Whoever may not write cannot lock either.
 * wait: for another who has locked it, however long; otherwise -EBUSY. */
int hold_file_lock(int dir_fd, bool wait);
