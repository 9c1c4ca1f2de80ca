/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What kind of machine this is, found out without asking anybody: the processor's hypervisor leaf where root is "/", the
 * names that the firmware gives, /sys/hypervisor. The words are those of systemd-detect-virt(1). */

#include "core/platform.h"
#include "host/sysfs.h"

platform_mask platform_read(const struct sysfs *fs);

#define MACHINE_NAME_MAX 65 /* with NUL, as utsname's */
/* As uname -m prints it, of a capture as it was there; "": unknown. */
void platform_read_machine(const struct sysfs *fs, char ret[static MACHINE_NAME_MAX]);
