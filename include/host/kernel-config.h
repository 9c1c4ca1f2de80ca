/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration that the running kernel (or that of a capture) was built with, where distributions keep it. */

#include "host/sysfs.h"

struct kernel_config_line {
        char file[128]; /* "/boot/config-6.1.0-18-amd64" */
        unsigned line;
        char text[128]; /* "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE=y" */
};

/* The line that sets the option, or that says it is not set. 0 · -ENOENT: nothing is said, or there is no such file. */
int kernel_config_find(const struct sysfs *fs, const char *option, struct kernel_config_line *ret);
