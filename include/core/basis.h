/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a decision by rules rests on, to be told later, when neither the block nor the policy need be there any more. Pure. */

#include "core/policy.h"

#define BASIS_EVIDENCE_MAX 256
#define BASIS_PASSED_MAX 1024

struct basis {
        bool known;
        uint64_t start;       /* the address of the block that was decided, the first of its device */
        uint64_t device_size; /* bytes, 0: unknown */
        int16_t tier;         /* -1: unknown */
        platform_mask platforms;
        unsigned conditions;  /* MATCH_BIT: those of the rule that decided, which all held */
        uint32_t n_passed;    /* rules before it, or all where none matched … */
        char passed[BASIS_PASSED_MAX]; /* … the first of them: "source 12 NAME\tFILE\n" is condition, line, name and file */
        char evidence[BASIS_EVIDENCE_MAX]; /* what the source rests on */
};

/* Of a decision about such a block by one of the policy's rules, or since no rule matched. */
void basis_init(struct basis *ret, const struct policy *p, const struct block *b, platform_mask platforms,
                const struct decision *d, const char *evidence);

struct basis_rule {
        enum match_key failed; /* the first of its conditions that did not hold */
        unsigned line;
        char name[64], file[128]; /* cut if longer */
};

/* Take the next rule off what was passed over; *p begins as basis->passed. False: that was all that is known, or it makes
 * no sense. */
bool basis_next(const char **p, struct basis_rule *ret);
/* One more at the end of it; false: no room. */
bool basis_add(struct basis *b, const struct basis_rule *rule);
