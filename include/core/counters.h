/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How many decisions came of which rule and to which action, since the start: a table of fixed size, whatever policies come
 * and go meanwhile. Pure. */

#include "core/policy.h"

#define COUNTED_RULES 64
#define COUNTED_RULE_NAME_MAX 65 /* a rule's name has 64 characters at most (host/conf-rules.c) */

struct rule_counts {
        char rule[COUNTED_RULE_NAME_MAX]; /* "": no rule */
        uint64_t actions[_ACTION_MAX];
};

struct decision_counts {
        struct rule_counts rules[COUNTED_RULES];
        size_t n, last; /* the one last counted: decisions about one device come in a row */
        struct rule_counts others; /* by rules for which there is no room */
};

/* rule: its name; NULL: none. */
void decision_counts_add(struct decision_counts *c, const char *rule, enum action action);
