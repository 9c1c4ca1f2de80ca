/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The conditions of a rule: which blocks it is about. Pure. To add a condition: here, its row in match.c, and its key in
 * host/conf-rules.c. */

#include "core/block.h"
#include "core/parse.h"
#include "core/platform.h"

enum match_key {
        MATCH_SOURCE,
        MATCH_NODE,
        MATCH_ADDRESS,
        MATCH_SIZE,
        MATCH_DEVICE,
        MATCH_PLATFORM,
        MATCH_TIER,
        MATCH_ARCHITECTURE,
        _MATCH_MAX,
        _MATCH_INVALID = -22,
};

#define MATCH_BIT(k) (1u << (k))

/* Conditions are ANDed, the values of one are ORed; an empty one matches everything. What is unknown of a block does not
 * match a condition on it. */
struct match {
        source_mask sources;
        struct ranges nodes;      /* a block that spans nodes matches when each of them does */
        struct ranges addresses;  /* the block lies wholly in one of them */
        struct ranges sizes;      /* of the device */
        char **devices;           /* glob patterns, fnmatch(3) */
        size_t n_devices;
        platform_mask platforms;
        struct ranges tiers;      /* memory tiers */
        platform_mask architectures;
};

void match_done(struct match *m);
const char *match_key_to_string(enum match_key k) _const_;
enum match_key match_key_from_string(const char *s) _pure_;

/* If not, *ret_failed (unless NULL) is the first condition that fails. */
bool match_block(const struct match *m, const struct block *b, platform_mask platforms, enum match_key *ret_failed);

/* The same for many rules and one block, which must stay as it is meanwhile. */
struct match_subject {
        const struct block *block;
        platform_mask platforms;
        int first_node; /* -1: unknown */
        bool many_nodes;
};

void match_subject_init(struct match_subject *s, const struct block *b, platform_mask platforms);
bool match_subject(const struct match *m, const struct match_subject *s, enum match_key *ret_failed);
/* The source is not what the rule asks for, but could be, were it known: all that does not hang on it holds. */
bool match_may_hide(const struct match *m, const struct match_subject *s);

/* MATCH_BIT of the conditions that it has, and that hold. */
unsigned match_held(const struct match *m, const struct block *b, platform_mask platforms);

/* Does a match everything that b matches? Then a rule with b, coming later, is never reached. */
bool match_covers(const struct match *a, const struct match *b);
