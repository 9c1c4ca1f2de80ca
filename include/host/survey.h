/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Many blocks one after the other, looked at ahead by as many threads as there are processors: a large machine has half a
 * million of them, and what each takes is system calls. */

#include "host/sysfs.h"

struct survey_item {
        uint32_t index;
        int error; /* 0 or negative errno, as of sysfs_read_block(); the rest is valid if it is 0. -ESTALE: look again */
        struct block block;
        char firmware_node[DEVICE_NAME_MAX]; /* "" unless asked for */
};

enum {
        SURVEY_REMOVABLE = 1 << 0,
        SURVEY_IDENTITY = 1 << 1,
        SURVEY_FIRMWARE_NODE = 1 << 2,
        SURVEY_UNLINKED = 1 << 3, /* a block without a node is no error: its nodes and zones stay unknown */
};

/* All block numbers, ascending, and the nodes of all of them (empty if there are fewer than `worth` blocks): two listings that
 * need not wait for each other. A block that comes meanwhile may be in one of them only. Free *ret, node_map_done(ret_nodes). */
int survey_list(const struct sysfs *fs, size_t worth, uint32_t **ret, size_t *ret_n, struct node_map *ret_nodes);

struct survey;

/* nodes: NULL, or the nodes of all blocks; who is not among them is looked at by itself. Both they and the indices must stay as
 * they are until the survey is freed. 0 or -ENOMEM. */
int survey_new(const struct sysfs *fs, const struct node_map *nodes, unsigned flags, const uint32_t *indices, size_t n,
               struct survey **ret);
void survey_free(struct survey *s);
DEFINE_CLEANUP(struct survey, survey_free)

/* The next block of the indices, good until the next call; NULL: that was all. */
const struct survey_item *survey_next(struct survey *s);
/* Something has changed: what was looked at before is -ESTALE. */
void survey_distrust(struct survey *s);
