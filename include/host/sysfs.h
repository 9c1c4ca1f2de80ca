/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The running system, or a captured one: every path below /sys and /proc, relative to one root directory. No other file
 * may name such a path. One struct sysfs may be used by several threads at once: it does not change after sysfs_open().
 * Errors are negative errno.
 *
 * Documentation/ABI/testing/sysfs-devices-memory, drivers/base/memory.c. */

#include <stddef.h>
#include <stdint.h>

#include "core/block.h"
#include "core/source.h"

struct sysfs;

/* root: "/" or a captured tree. -EOPNOTSUPP: the kernel has no memory blocks (no hot-plug support, or not mounted) ·
 * -EBADMSG: block_size_bytes is not a power of two. */
int sysfs_open(const char *root, struct sysfs **ret);
/* For sysfs_read_text() only: also where there are no memory blocks. */
int sysfs_open_texts(const char *root, struct sysfs **ret);
void sysfs_close(struct sysfs *fs);
DEFINE_CLEANUP(struct sysfs, sysfs_close)

uint64_t sysfs_block_size(const struct sysfs *fs) _pure_; /* bytes, as it was at sysfs_open() */
const char *sysfs_root(const struct sysfs *fs) _pure_;

/* The nodes of every block, read at once from the nodes' side: one directory a node instead of one a block. */
struct node_link {
        uint32_t block;
        uint16_t node;
};

struct node_map {
        struct node_link *links; /* by block, then node */
        size_t n;
};

int sysfs_read_node_map(const struct sysfs *fs, struct node_map *ret);
void node_map_done(struct node_map *m);

/* So many at least, by the number of folders: without reading them, and only where the file system counts them. */
bool sysfs_may_have_blocks(const struct sysfs *fs, size_t n);
/* All block numbers, ascending (the directory's order is not numeric). Free *ret. */
int sysfs_read_indices(const struct sysfs *fs, uint32_t **ret, size_t *ret_n);

enum {
        SYSFS_REMOVABLE = 1 << 0, /* read memoryN/removable too */
        SYSFS_IDENTITY = 1 << 1,  /* and the identity */
};

/* State, nodes and zones of a block; source and device are left alone (host/evidence.h). nodes: NULL reads the links of
 * this one block.
 * -ENOENT: the block is gone · -EAGAIN: the kernel has not linked it to its node yet; try again in a millisecond.
 * Until then valid_zones must not be read: on 6.1 that dereferences NULL in the kernel. */
int sysfs_read_block(const struct sysfs *fs, uint32_t index, const struct node_map *nodes, unsigned flags,
                     struct block *ret);

/* As sysfs_read_block(), for a block that was hot-added: such memory belongs to one node (register_memory_blocks_under_node_hotplug()
 * in the kernel's drivers/base/node.c), and if the block has a link to likely_node, the others are not looked for. -1: any. */
int sysfs_read_hot_block(const struct sysfs *fs, uint32_t index, int likely_node, unsigned flags, struct block *ret);

/* As sysfs_read_block(), for a block whose link did not come in time: its nodes and zones stay unknown. */
int sysfs_read_block_state(const struct sysfs *fs, uint32_t index, struct block *ret);

/* State and zones only, without a look at the nodes: for a block whose state was just written, since a write waits until
 * the kernel has linked the block. Zones are read of online blocks only. */
int sysfs_read_block_zones(const struct sysfs *fs, uint32_t index, struct block *ret);

/* One write() of the word. Everything the kernel may answer comes back as it is: -EINVAL -EBUSY -EINTR -ENOMEM -EPERM
 * -ENOENT -ENODEV -EIO …. Blocks as long as the kernel likes; a signal interrupts it. fd: of sysfs_open_state(), and good for
 * one write; negative: it is opened now. */
int sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word);
/* A descriptor. What was opened stays that block's: once it is gone, a write fails with -ENODEV, whatever has come in its place.
 * identity: the block's that is meant (sysfs_read_identity()); 0: whichever is there. -ESTALE: it is another. */
int sysfs_open_state(const struct sysfs *fs, uint32_t index, uint64_t identity);

/* kernfs numbers its inodes anew for whatever is created, so memory that comes back is not mistaken for what went. */
int sysfs_read_identity(const struct sysfs *fs, uint32_t index, uint64_t *ret);

/* The newest kernels bring a dax device's memory online as a whole: /sys/bus/dax/devices/daxX.Y/state. -ENOENT: this one
 * does not, or it is no dax device. */
int sysfs_write_dax_state(const struct sysfs *fs, const char *device, const char *word);
bool sysfs_has_dax_state(const struct sysfs *fs, const char *device);

/* Have the kernel send a uevent about the block ("change"). */
int sysfs_request_uevent(const struct sysfs *fs, uint32_t index);

/* Whether the daemon could write states at all (as root: is /sys mounted read-only?). 0 or -errno. */
int sysfs_check_writable(const struct sysfs *fs);

/* What ACPI says of a device ("PNP0C80:01"): 0 if nothing is plugged there. -ENOENT: it has no such device, or tells nothing. */
int sysfs_read_acpi_status(const struct sysfs *fs, const char *device, uint64_t *ret);

/* Whether uevents can arrive here at all, on the running system. 0 · -ENETUNREACH: this network namespace belongs to a user
 * namespace, to which the kernel sends none · other: there is no socket for them. */
int sysfs_check_uevents(const struct sysfs *fs);

/* The last component of memoryN/firmware_node, "" where there is none. */
int sysfs_read_firmware_node(const struct sysfs *fs, uint32_t index, char ret[static DEVICE_NAME_MAX]);

/* False: no block has one, as there is no ACPI memory device (drivers/acpi/acpi_memhotplug.c), which comes before its blocks.
 * Of a captured tree without ACPI devices nobody can tell. */
bool sysfs_may_have_firmware_nodes(const struct sysfs *fs);

/* auto_online_blocks: what the kernel itself does with new blocks. */
#define AUTO_ONLINE_WORD_MAX 32
const char *sysfs_auto_online_path(void) _const_; /* for messages */
int sysfs_read_auto_online(const struct sysfs *fs, char ret[static AUTO_ONLINE_WORD_MAX]);
int sysfs_write_auto_online(const struct sysfs *fs, const char *word);

/* Where the kernel puts the struct pages of hot-added memory: its parameter memory_hotplug.memmap_on_memory, "Y", "N" or
 * "force". -ENOENT: the kernel is older than it, or has no hot-plug, or it was not captured. */
#define PARAMETER_WORD_MAX 32
int sysfs_read_memmap_on_memory(const struct sysfs *fs, char ret[static PARAMETER_WORD_MAX]);

/* The memory tier of each node (/sys/devices/virtual/memory_tiering), -1 where there is none. */
void sysfs_read_tiers(const struct sysfs *fs, int16_t ret[static NODES_MAX]);

/* What the firmware calls the machine's maker and product (DMI), "" where there is none. */
#define FIRMWARE_NAME_MAX 64
void sysfs_read_firmware_names(const struct sysfs *fs, char ret_vendor[static FIRMWARE_NAME_MAX],
                               char ret_product[static FIRMWARE_NAME_MAX]);
/* /sys/hypervisor/type; on s390 the control program that /proc/sysinfo names, or "LPAR" without one; "" where there is none. */
void sysfs_read_hypervisor(const struct sysfs *fs, char ret[static FIRMWARE_NAME_MAX]);

enum machine sysfs_read_machine(const struct sysfs *fs);

/* The line "KEY WORD" of a capture's MANIFEST; -ENOENT: it has none. */
int sysfs_read_capture_word(const struct sysfs *fs, const char *key, char *buf, size_t size);
/* The same, of "page_size N". */
int sysfs_read_capture_page_size(const struct sysfs *fs, uint64_t *ret);

/* Whole text files; free *ret. */
enum sysfs_text {
        SYSFS_IOMEM,     /* /proc/iomem */
        SYSFS_ZONEINFO,  /* /proc/zoneinfo */
        SYSFS_BUDDYINFO, /* /proc/buddyinfo */
        SYSFS_CMDLINE,   /* /proc/cmdline: the kernel's command line */
        SYSFS_MEMINFO,   /* /proc/meminfo */
        SYSFS_VMSTAT,    /* /proc/vmstat */
        _SYSFS_TEXT_MAX,
};

const char *sysfs_text_path(enum sysfs_text which) _const_; /* for messages */
/* A descriptor of the running system's, or negative errno. What its reader is shown goes by who opened it. */
int sysfs_open_text(enum sysfs_text which);
/* From now on read this descriptor, from its beginning each time, instead of opening the file: it was opened by somebody who
 * is shown more. It belongs to fs. Before anybody else uses fs. */
void sysfs_set_text(struct sysfs *fs, enum sysfs_text which, int fd);
int sysfs_read_text(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size);
/* For those who read it without an allocation: a descriptor, or negative errno. */
int sysfs_open_text_of(const struct sysfs *fs, enum sysfs_text which);

/* /proc/kpageflags (host/pageflags.h). A descriptor or negative errno. */
int sysfs_open_page_flags(const struct sysfs *fs);

/* Whether we may have ACPI eject the device (PNP0C80:01), and the request to do so: the firmware is told to let go of it, and
 * the kernel takes offline what is not. -ENOENT: it is no ACPI device, or cannot be ejected · -EACCES */
int sysfs_check_eject(const struct sysfs *fs, const char *device);
int sysfs_eject(const struct sysfs *fs, const char *device);

/* Standby memory (s390, Linux 6.19): what the machine keeps ready must be configured before it is a memory block that can be
 * online. Every block that there is or could be has a folder /sys/firmware/memory/memoryN; boot memory is configured from the
 * beginning (drivers/s390/char/sclp_mem.c). */
struct standby_block {
        bool configured;
        bool memmap_on_memory; /* its struct pages lie in itself, or will */
};

/* As sysfs_read_indices(). -ENOENT: this machine has nothing of the kind. */
int sysfs_read_standby_indices(const struct sysfs *fs, uint32_t **ret, size_t *ret_n);
/* -EBADMSG: neither 0 nor 1. */
int sysfs_read_standby(const struct sysfs *fs, uint32_t index, struct standby_block *ret);
/* What the kernel answers comes back as it is. To deconfigure: -EBUSY where the block is not offline. To configure: -EIO where the
 * machine refuses. What is as it should be already is no error. */
int sysfs_write_standby_config(const struct sysfs *fs, uint32_t index, bool configured);
/* Before it is configured; -EBUSY afterwards. */
int sysfs_write_standby_memmap(const struct sysfs *fs, uint32_t index, bool memmap_on_memory);

/* The folder with one for each process, for host/processes.h. */
int sysfs_open_processes(const struct sysfs *fs);
