/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/kpageflags: what each page is used for (core/pages.h). For root alone; a descriptor keeps the right to read it, so
 * one that was opened by somebody else serves as well. */

#include "core/pages.h"
#include "host/sysfs.h"

/* A descriptor, or negative errno: then nobody knows. */
int pageflags_open(const struct sysfs *fs);

/* The pages of the block [start, start + size), in bytes. Takes a millisecond or so for 128 MiB. 0 or negative errno. */
int pageflags_read(int fd, uint64_t start, uint64_t size, uint64_t page_size, struct page_counts *ret);
