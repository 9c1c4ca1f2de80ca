/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of host/sysfs.h share: sysfs.c has the memory blocks, sysfs-nodes.c which node each belongs to, sysfs-machine.c
 * the machine around them. Nobody else looks here. */

#include "host/sysfs.h"

struct sysfs {
        int root_fd;
        int memory_fd;
        uint64_t block_size;
        bool has_nodes; /* the kernel has NUMA: blocks get a link to their node */
        int text_fds[_SYSFS_TEXT_MAX]; /* negative: opened by its path, each time */
        char root[];
};

/* An attribute: one read() gives it whole, the newline is cut. sysfs attributes are at most a page. */
int sysfs_attribute_read(int dir_fd, const char *path, char *buf, size_t size);
/* One write() of the word. O_TRUNC means nothing to sysfs; in a captured tree it keeps the old word's tail from showing. */
int sysfs_attribute_write(int dir_fd, const char *path, const char *word);

/* Walk a directory without opendir()'s buffer on the heap: the daemon does it for every block that arrives. Stops when
 * visit() returns non-zero, and returns that. */
int sysfs_each_entry(int dir_fd, const char *path, int (*visit)(const char *name, void *userdata), void *userdata);

/* The numbers of the entries "memoryN" of a directory, ascending. Free *ret. */
int sysfs_read_indices_of(int dir_fd, const char *path, uint32_t **ret, size_t *ret_n);

/* "memory32" with the prefix "memory" → 32. */
bool sysfs_parse_numbered(const char *name, const char *prefix, uint32_t *ret);

/* Whether the kernel has NUMA. */
bool sysfs_has_nodes(int root_fd);
/* For sysfs_each_entry(): adds "node3" and its like to the struct node_set. */
int sysfs_visit_node(const char *name, void *userdata);
/* Adds the block's nodes. */
void node_map_get(const struct node_map *m, uint32_t block, struct node_set *ret);
