/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A machine to test on: a tree like /sys and /proc in a temporary folder, and the kernel's part in it. Plain files do not
 * behave like sysfs, so sysfs_write_state() is replaced by what the kernel would do; link with
 *
 *      -Wl,--wrap=sysfs_write_state -Wl,--wrap=sysfs_read_text
 *
 * and, for fakeroot_add_dax_state(), -Wl,--wrap=sysfs_write_dax_state
 *
 * Writes may come from any thread; all else is for the test's own. Whatever fails here fails the test. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/sysfs.h"
#include "host/uevent.h"

#define FAKEROOT_BLOCK_SIZE (UINT64_C(128) << 20)
#define FAKEROOT_FOREVER UINT32_MAX  /* times */
#define FAKEROOT_ANY_BLOCK UINT32_MAX

struct fakeroot;

/* By main(), around all tests: a test that fails or crashes leaves its tree behind. */
void fakeroot_begin(void);
void fakeroot_end(void);

enum {
        FAKEROOT_NO_NODES = 1 << 0, /* a kernel without NUMA */
};

struct fakeroot *fakeroot_new(unsigned flags);
struct fakeroot *fakeroot_free(struct fakeroot *f);
const char *fakeroot_path(const struct fakeroot *f);
/* A process that shared the tree since a fork() has changed it, and is gone, wherever it was: a new fake root on the same tree, for
 * which f goes. What is added to it in the same way is adopted as it is; what is only half there becomes whole. */
struct fakeroot *fakeroot_adopt(struct fakeroot *f);

/* ---- memory comes and goes: tree, /proc/iomem and events --------------------------------------------------------- */

/* What comes is brought online at once if auto_online_blocks says so, as the kernel does. */

/* What blocks added from now on are like. */
struct fakeroot_traits {
        const char *zones;       /* the candidates that the kernel has for them; NULL: "Normal Movable" */
        bool zones_hidden;       /* there is no valid_zones */
        bool late_node;          /* the links to node and firmware node come with fakeroot_link() */
        bool late_firmware_node;
};

void fakeroot_set_traits(struct fakeroot *f, const struct fakeroot_traits *traits);

/* Online in Normal, and no events: it was there before. node: -1 for none. */
void fakeroot_add_boot(struct fakeroot *f, uint32_t first, uint32_t n, int node);
void fakeroot_add_dimm(struct fakeroot *f, const char *firmware_node, uint32_t first, uint32_t n, int node);
void fakeroot_add_virtio_mem(struct fakeroot *f, const char *device, uint32_t first, uint32_t n, int node);
/* parent: what the dax device lies in, such as "Persistent Memory". */
void fakeroot_add_kmem(struct fakeroot *f, const char *device, const char *parent, uint32_t first, uint32_t n, int node);
/* The dax device, present or to come, has a state of its own (drivers/dax/kmem.c): a word written there brings all of its
 * blocks online, or meets the error, 0 for none. EBUSY is what kernels say whose rule is that it must be "unplugged" first. */
void fakeroot_add_dax_state(struct fakeroot *f, const char *device, int error);
size_t fakeroot_count_dax_writes(struct fakeroot *f, const char *word);
/* "System RAM (NAME)"; NULL: plain system memory, as balloon drivers add it. */
void fakeroot_add_driver(struct fakeroot *f, const char *name, uint32_t first, uint32_t n, int node);
void fakeroot_link(struct fakeroot *f, uint32_t first, uint32_t n);
bool fakeroot_has_block(struct fakeroot *f, uint32_t block);
void fakeroot_remove(struct fakeroot *f, uint32_t first, uint32_t n);
/* One more node for a block that has one. */
void fakeroot_add_node(struct fakeroot *f, uint32_t block, int node);

/* How often valid_zones was opened before the block had its node: on Linux 6.1 the kernel would be gone. */
unsigned fakeroot_oopses(struct fakeroot *f);

/* From now on the machine has zoneinfo, buddyinfo, meminfo, vmstat and the threads of its nodes, which move with its memory
 * (fakestatistics.h). */
struct fakeroot_statistics {
        bool memmap_on_memory; /* hot-added blocks hold their own struct pages */
        bool memmap_counted;   /* vmstat has nr_memmap_pages */
};

void fakeroot_keep_statistics(struct fakeroot *f, const struct fakeroot_statistics *statistics);

enum fakeroot_iomem {
        FAKEROOT_IOMEM_SHOWN,
        FAKEROOT_IOMEM_HIDDEN, /* zeros, as without CAP_SYS_ADMIN */
        FAKEROOT_IOMEM_MISSING,
        FAKEROOT_IOMEM_MALFORMED, /* in line 2 */
};

void fakeroot_set_iomem(struct fakeroot *f, enum fakeroot_iomem mode);
/* How often the daemon has read it. */
unsigned fakeroot_iomem_reads(const struct fakeroot *f);

/* /proc/kpageflags, which there is from the first call on: of the block, so many pages are of processes, so many are file
 * cache, so many cannot be moved, and the rest is free. Of other blocks nothing is known. */
void fakeroot_set_pages(struct fakeroot *f, uint32_t block, uint32_t anonymous, uint32_t cache, uint32_t unmovable);

/* Anything else below the root: a file of its own, a link, a directory. Folders above it are made. */
void fakeroot_write(struct fakeroot *f, const char *path, const char *text);
void fakeroot_write_block(struct fakeroot *f, uint32_t block, const char *attribute, const char *text);
void fakeroot_symlink(struct fakeroot *f, const char *target, const char *path);
void fakeroot_unlink(struct fakeroot *f, const char *path);
/* memoryN/NAME: "sys/devices/system/memory/memory32/state". The buffer is the next call's, too. */
const char *fakeroot_block_path(uint32_t block, const char *attribute);

/* ---- states ------------------------------------------------------------------------------------------------------ */

/* Another program writes the state; 0 or what the kernel answers. Not recorded, and no errors are injected. */
int fakeroot_set_state(struct fakeroot *f, uint32_t block, const char *word);
bool fakeroot_is_online(struct fakeroot *f, uint32_t block);
/* "Movable"; "" while offline. */
const char *fakeroot_zone(struct fakeroot *f, uint32_t block);

/* What the next writes to the block meet, in place of success … */
void fakeroot_fail_writes(struct fakeroot *f, uint32_t block, int error, uint32_t times);
/* … just before (the write then takes its course) … */
void fakeroot_compete(struct fakeroot *f, uint32_t block, const char *word);
void fakeroot_vanish_before_write(struct fakeroot *f, uint32_t block);
/* … and between the write and whatever the writer does next. */
void fakeroot_compete_after(struct fakeroot *f, uint32_t block, const char *word);
void fakeroot_vanish_after_write(struct fakeroot *f, uint32_t block);
void fakeroot_clear_faults(struct fakeroot *f);

/* The next write to the block (or any) stays in the kernel until released, or until a signal interrupts it. */
void fakeroot_hold_write(struct fakeroot *f, uint32_t block);
void fakeroot_wait_held(struct fakeroot *f);
bool fakeroot_is_held(struct fakeroot *f);
void fakeroot_release_write(struct fakeroot *f);
/* Every write takes so long. */
void fakeroot_set_write_time(struct fakeroot *f, unsigned usec);

struct fakeroot_write {
        uint32_t block;
        char word[20];
        int result;
        uint64_t usec; /* CLOCK_MONOTONIC, when it was over */
};

size_t fakeroot_n_writes(struct fakeroot *f);
struct fakeroot_write fakeroot_get_write(struct fakeroot *f, size_t i);
size_t fakeroot_count_writes(struct fakeroot *f, uint32_t block);

/* Called by the thread that writes a state, before what the kernel does (an error, which is negative, is all that happens then)
 * and after it. NULL: nobody listens. */
struct fakeroot_hooks {
        int (*before_write)(void);
        void (*after_write)(void);
};

extern struct fakeroot_hooks fakeroot_hooks;

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* The kernel tells of everything that happens. Readable while events wait. */
int fakeroot_event_fd(const struct fakeroot *f);
bool fakeroot_take_event(struct fakeroot *f, struct uevent *ret);
bool fakeroot_has_events(struct fakeroot *f);
/* Nobody listened. */
void fakeroot_drop_events(struct fakeroot *f);
/* Those that wait were too many: all that is left of them is word of it. */
void fakeroot_overflow(struct fakeroot *f);
