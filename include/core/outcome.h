/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What became of a write to memoryN/state. The kernel's errno alone does not tell: EINVAL also means "already online". So
 * the block is read back and judged here. Pure. */

#include "core/block.h"
#include "core/policy.h"

enum outcome {
        OUTCOME_NONE,       /* nothing was tried */
        OUTCOME_DONE,       /* online as wanted, by our write */
        OUTCOME_ALREADY,    /* online as wanted, by somebody else */
        OUTCOME_DELEGATED,  /* online as wanted, by the kernel, to which it is delegated */
        OUTCOME_WRONG_ZONE, /* online, but not as wanted: somebody else was first. It stays as it is */
        OUTCOME_BUSY,       /* still offline; may succeed later */
        OUTCOME_GONE,       /* unplugged meanwhile: not an error */
        OUTCOME_FAILED,     /* still offline; trying again would not help by itself */
        _OUTCOME_MAX,
        _OUTCOME_INVALID = -22,
};

const char *outcome_to_string(enum outcome o) _const_;
enum outcome outcome_from_string(const char *s) _pure_;

/* error: what the write returned, 0 or negative errno · after: the block as read back, NULL if it is gone. */
enum outcome outcome_judge(enum action action, int error, const struct block *after);

/* The same for a block that was to go offline: DONE, ALREADY, BUSY, GONE or FAILED. */
enum outcome outcome_judge_offline(int error, const struct block *after);

/* A block that is online for others' doing, against what the policy wants. */
enum outcome outcome_judge_online(enum action wanted, const struct block *b);
