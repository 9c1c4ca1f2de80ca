/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reads what rules may ask about the machine as a whole (struct surroundings): its kind, and the memory of its zones. */

#include "core/policy.h"
#include "core/simulation.h"
#include "core/zoneinfo.h"
#include "host/sysfs.h"

/* The memory of /proc/zoneinfo, all kernel memory as early. Unreadable or malformed: totals.known is false, and the error
 * is returned; *ret_line names the line of -EBADMSG. */
int surroundings_read_totals(const struct sysfs *fs, uint64_t page_size, struct totals *ret, unsigned *ret_line);

/* The page size of the running system, or of a capture (its MANIFEST; 4096 where it does not say). */
uint64_t surroundings_page_size(const struct sysfs *fs);

/* What struct pages can be had from: the kernel zones of /proc/zoneinfo. Unreadable or malformed: not known. */
void surroundings_read_memory(const struct sysfs *fs, uint64_t page_size, struct sim_memory *ret);
