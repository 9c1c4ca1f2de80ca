/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* New memory comes when there is hardly any left: what the daemon needs to bring it online has to be there before. */

#include <stddef.h>

/* First of all: one heap, which gives nothing back, so that what was once allocated can be had again without asking the
 * kernel; and the right to keep any amount of memory, if the process may give it to itself. mallopt(3), setrlimit(2). */
void memory_prepare(void);

/* Keep in memory whatever was and will be touched, and touch now the code that brings memory online. Capabilities that are to
 * be dropped must have been. 0, or negative errno and nothing is kept: -EPERM without CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK,
 * which memory_prepare() gives whoever may raise it. mlockall(2). */
int memory_lock(void);

/* So many more bytes of the heap can be had without asking the kernel, and all of the heap is there, whether it was touched or
 * not. Where memory is not locked, it does nothing. */
void memory_reserve(size_t bytes);

/* For a thread that is about to work: so much of its stack is there. */
#define MEMORY_STACK_TOUCHED (128u * 1024)
void memory_touch_stack(void);
