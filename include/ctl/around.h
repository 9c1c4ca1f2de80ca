/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is around the blocks of a system, for rules that ask: its platform, and the memory of its zones. */

#include "core/policy.h"
#include "ctl/verb.h"
#include "host/sysfs.h"

/* Complains. Figures that cannot be had leave totals.known false. */
enum status around_read(const char *sysroot, struct surroundings *ret);
