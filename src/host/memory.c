/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/memory.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/macro.h"

#define TOUCH_STEP 1024 /* no page is smaller */

static char *heap_start; /* NULL: memory is not locked */

void memory_prepare(void) {
        const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

#ifdef M_ARENA_MAX /* glibc's */
        (void) mallopt(M_ARENA_MAX, 1);
        (void) mallopt(M_MMAP_MAX, 0);
        (void) mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
        (void) setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

/* What runs between an event and its write: this program (which has no name here) and these. What libsystemd links for
 * other purposes (compressed journals, …) takes more than all of them together, and stays out. */
static bool is_needed(const char *object) {
        static const char *const names[] = { "/libc.", "/ld-", "/libsystemd.", "/libudev." };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strstr(object, names[i]))
                        return true;
        return !*object;
}

static int keep_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        const uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
        int *error = userdata;

        (void) size;
        for (int i = 0; i < info->dlpi_phnum && is_needed(info->dlpi_name); i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];
                uintptr_t start = info->dlpi_addr + p->p_vaddr, first = start & ~(page - 1);

                /* Also reads all of it, and takes copies of what may be written. */
                if (p->p_type == PT_LOAD && p->p_memsz > 0 &&
                    mlock((const void *) first, start + p->p_memsz - first) < 0)
                        *error = -errno;
        }
        return 0;
}

/* Without the right, a limit holds for all that is ever mapped: the heap could not grow beyond it any more. */
static bool may_keep_all(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
        struct rlimit limit;

        if (getrlimit(RLIMIT_MEMLOCK, &limit) >= 0 && limit.rlim_cur == RLIM_INFINITY)
                return true;
        return syscall(SYS_capget, &header, data) == 0 &&
               data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

/* Also where somebody allocated before memory_prepare(). */
static char *find_heap_start(void) {
        const size_t page = (size_t) sysconf(_SC_PAGESIZE);
        char *p = sbrk(0);
        unsigned char present;

        p -= (uintptr_t) p % page;
        while (mincore(p - page, page, &present) == 0)
                p -= page;
        return p;
}

int memory_lock(void) {
        int error = 0;

        if (!may_keep_all())
                return -EPERM;
        /* Whatever is touched stays, now and later; what never is takes nothing. */
        if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
                return -errno;
        (void) dl_iterate_phdr(keep_object, &error);
        if (error < 0) {
                (void) munlockall();
                return error;
        }
        memory_touch_stack();
        heap_start = find_heap_start();
        return 0;
}

/* True: it was there before. What the heap has to grow by stays. */
static bool make_room(size_t bytes) {
        const void *end = sbrk(0);
        void *volatile p = malloc(bytes); /* or the compiler sees that nobody needs it */

        free(p);
        return sbrk(0) == end;
}

void memory_reserve(size_t bytes) {
        if (!heap_start)
                return;
        if (!make_room(bytes))
                (void) make_room(2 * bytes); /* so that little use does not make it grow each time */
        (void) mlock(heap_start, (size_t) ((char *) sbrk(0) - heap_start));
}

/* Inlined, it would be part of its caller's frame, and what the caller calls would have another part of the stack. */
_noinline_ void memory_touch_stack(void) {
        volatile char stack[MEMORY_STACK_TOUCHED];

        for (size_t i = 0; i < sizeof(stack); i += TOUCH_STEP)
                stack[i] = 0;
}
