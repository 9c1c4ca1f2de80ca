/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Many blocks at once, by as many threads as there are processors: a large machine has half a million of them, and what each
 * takes is system calls. */

#include <pthread.h>
#include <stdatomic.h>

#include "host/sysfs.h"

#define SURVEY_THREADS_MAX 8 /* beyond that they wait for each other in the kernel */

struct survey_item {
        uint32_t index;   /* which block; the rest is filled in */
        int error;        /* 0 or negative errno, as of sysfs_read_block(); the others are valid if it is 0 */
        struct block block;
        char firmware_node[DEVICE_NAME_MAX];
};

enum {
        SURVEY_REMOVABLE = 1 << 0,
        SURVEY_FIRMWARE_NODE = 1 << 1,
        SURVEY_UNLINKED = 1 << 2, /* a block without a node is no error: its nodes and zones stay unknown */
};

/* One look at n blocks. Set what is above the line, and begin; the items are the survey's until it has ended. */
struct survey {
        const struct sysfs *fs;
        const struct node_map *nodes; /* NULL, or the nodes of all blocks; who is not among them is looked at by itself */
        unsigned flags;
        struct survey_item *items;
        size_t n;
        /* ---- */
        atomic_size_t next;
        pthread_t threads[SURVEY_THREADS_MAX];
        size_t n_threads;
};

/* The other processors are at it, and the caller may do something else. */
void survey_begin(struct survey *s);
/* Take part until it is done. */
void survey_end(struct survey *s);
