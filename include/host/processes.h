/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Threads of the kernel, by name. */

#include "host/sysfs.h"

struct kernel_thread {
        char name[16]; /* to be looked for: "kswapd1" */
        bool found;
        uint64_t start_usec; /* CLOCK_BOOTTIME, as exact as the kernel's clock ticks: KERNEL_TICK_USEC */
};

#define KERNEL_TICK_USEC (1000000 / (uint64_t) sysconf(_SC_CLK_TCK))

/* Looks for all of them in one pass over all processes. -EACCES: none of the kernel's can be seen (hidepid, a container). */
int kernel_threads_find(const struct sysfs *fs, struct kernel_thread *threads, size_t n);
