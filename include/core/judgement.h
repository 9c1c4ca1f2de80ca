/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A block and the policy, for people: what the policy wants, and whether the block is so. Pure. */

#include "core/policy.h"

struct judgement {
        struct decision decision; /* for an offline block what is to be done, for others what the policy would want */
        const char *zone;         /* where it goes or is, "kernel" or "any" if only that is known; NULL: left offline */
        bool asked;               /* false: it is not the policy's to say, or it cannot tell */
        bool as_wanted;           /* if asked */
        char reason[1024];        /* which rule says what */
        char outcome[192];        /* how the block is, and whether that is as wanted */
};

void judge(const struct policy *p, const struct surroundings *s, const struct block *b, struct judgement *ret);
/* The same for a decision that was made before: it is not made again by the figures of now. */
void judge_decision(const struct policy *p, const struct block *b, const struct decision *d, struct judgement *ret);
