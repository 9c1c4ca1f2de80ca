/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small files below /run/memhpd that outlive the daemon, but not a reboot. Written whole or not at all; read with distrust. */

#include <stddef.h>

#include "core/macro.h"

#define RUNDIR_STATE "state"             /* core/state.h */
#define RUNDIR_HOLDS "holds"             /* core/holds.h */
#define RUNDIR_HISTORY "history"         /* core/history.h */
#define RUNDIR_HOLDS_LOCK ".holds.lock"
#define RUNDIR_AUTO_ONLINE "auto_online" /* what auto_online_blocks was before memhpd changed it */

/* The directory, made if need be. A descriptor, or negative errno. root: "/" or the tree to look in. */
int rundir_open(const char *root);
/* The same for those who only read: -ENOENT where it was never made. */
int rundir_find(const char *root);

/* Be told of files that come and go there: the folder's path, to be freed. */
char *rundir_path(const char *root);

/* By a new file that replaces the old one: whoever reads sees either. */
int rundir_write(int dir_fd, const char *name, const char *text, size_t size);

/* Free *ret (it ends with a NUL that *ret_size does not count). -ENOENT: there is none · -EPERM: not a plain file of root
 * (or of the caller) that nobody else may write · -EFBIG: larger than any of ours. */
int rundir_read(int dir_fd, const char *name, char **ret, size_t *ret_size);

/* -ENOENT is not an error here. */
int rundir_remove(int dir_fd, const char *name);
