/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel log, for the one thing that is said nowhere else: that a hot-add was refused (core/kernlog.h).
 * Documentation/ABI/testing/dev-kmsg. */

#include "core/kernlog.h"

/* A descriptor at the oldest record still there, or negative errno (-EPERM without the right to read it). It becomes
 * readable when there is more. root: "/" or a captured tree, where the file ends. */
int kmsg_open(const char *root);
/* The same for a descriptor that somebody else opened, and may have read. 0 or negative errno. */
int kmsg_rewind(int fd);

/* The next record: 1 and *ret, which mostly is KERNLOG_OTHER · 0: none now · negative errno. Records that were overwritten
 * before they could be read are skipped. */
int kmsg_next(int fd, struct kernlog_line *ret);
