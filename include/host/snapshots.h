/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Takes snapshots (core/snapshot.h) of the running system, or a captured one. Allocates nothing: what is read goes through
 * one buffer, whatever the size of the files. Nor does the kernel from the second time on, since the files stay open, and
 * with them the buffers it fills. */

#include "core/snapshot.h"
#include "host/sysfs.h"

/* The longest line of the files is shorter by far: buddyinfo's, some 200 bytes. */
#define SNAPSHOT_BUFFER_SIZE 32768

struct snapshot_reader {
        const struct sysfs *fs;
        int fds[_SNAPSHOT_FILE_MAX];
        char buf[SNAPSHOT_BUFFER_SIZE];
};

/* fs must outlive it. */
void snapshot_reader_init(struct snapshot_reader *r, const struct sysfs *fs);
void snapshot_reader_done(struct snapshot_reader *r);

#define SNAPSHOT_FILE_BIT(f) (1u << (f))
#define SNAPSHOT_ALL_FILES (SNAPSHOT_FILE_BIT(_SNAPSHOT_FILE_MAX) - 1)

/* Of these files; never fails: what cannot be read is unknown, and errors says why. */
void snapshot_take(struct snapshot_reader *r, unsigned files, struct snapshot *ret);
