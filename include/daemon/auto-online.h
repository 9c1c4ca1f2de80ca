/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's own auto-online (auto_online_blocks): out of the way while memhpd runs, and back as it was when memhpd
 * does not run any more, however it ended. What it was is kept in /run/memhpd before anything is changed. */

#include "core/policy.h"
#include "host/sysfs.h"

/* Set it as the policy wants. dir_fd: of /run/memhpd. True: the kernel brings everything online as the policy wants
 * ("delegate"). Says what is in the way. */
bool auto_online_take(const struct sysfs *fs, int dir_fd, const struct policy *p);

/* Put back what was there, unless somebody changed it since. Does nothing when nothing was taken. */
int auto_online_restore(const struct sysfs *fs, int dir_fd);
