/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What core/stats.h is made of, as far as the kernel's files tell it. The blocks are the caller's to add. */

#include "core/stats.h"
#include "host/sysfs.h"

/* Begins the statistics with zones, free blocks and device memory. /proc/buddyinfo and /proc/iomem may be missing, or not for
 * this user's eyes; then what they tell is missing. Others: negative errno, *ret_which is the file and *ret_line its line,
 * if that is malformed. In every case stats_done(). */
int stats_read(const struct sysfs *fs, uint64_t page_size, struct stats *ret, enum sysfs_text *ret_which, unsigned *ret_line);

enum memmap_setting memmap_setting_read(const struct sysfs *fs);
