/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What must outlive the daemon, not the machine: which blocks it left online, and which an administrator took offline.
 * So that after a restart, a block that is offline can be told from one that is new. Text to struct and back; pure.
 *
 *      memhpd-state 1
 *      adds LAST
 *      online FIRST-LAST IDENTITY
 *      hands-off FIRST-LAST IDENTITY
 *      startup FIRST-LAST IDENTITY
 *      rolled-back FIRST-LAST IDENTITY
 *      rolling-back FIRST-LAST IDENTITY
 *      end
 *
 * IDENTITY (hexadecimal) stands for the very memory block devices of the run (state_identity()): memory that was
 * unplugged and plugged again is not what it was, whatever its number. */

#include "core/registry.h"

enum saved_kind {
        SAVED_ONLINE,    /* was online when the daemon was last there */
        SAVED_HANDS_OFF, /* somebody set it offline */
        SAVED_STARTUP,   /* is offline since before the first start of the daemon */
        SAVED_ROLLED_BACK, /* its device could not be had as a whole */
        SAVED_ROLLING_BACK, /* the same, but it was still online */
        _SAVED_MAX,
};

struct saved_run {
        uint32_t first, last;
        enum saved_kind kind;
        uint64_t identity;
};

struct saved_state {
        uint32_t last_add;
        struct saved_run *runs; /* ascending, disjoint */
        size_t n;
};

/* The file's text; free *ret. 0 or -ENOMEM. */
int state_format(const struct registry *r, uint32_t last_add, char **ret, size_t *ret_size);

/* 0, -ENOMEM, -EBADMSG: torn or not ours; *ret_line names the line. Runs out of order or overlapping are not ours. */
int state_parse(const char *text, size_t size, struct saved_state *ret, unsigned *ret_line);
void saved_state_done(struct saved_state *s);

/* NULL: nothing is known of the block. */
const struct saved_run *saved_state_find(const struct saved_state *s, uint32_t block) _pure_;

/* Fold one more block into the identity of a run; begin with STATE_IDENTITY_INIT. identity: what the file system calls
 * this memory block device (an inode number, which sysfs does not use again soon). */
#define STATE_IDENTITY_INIT UINT64_C(14695981039346656037)
uint64_t state_identity(uint64_t so_far, uint32_t block, uint64_t identity) _const_;
