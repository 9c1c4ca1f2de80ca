/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is known of a block, and what was, or would be, decided about it: from the daemon, from the system itself, or from what
 * was told of memory that is gone. */

#include "core/history.h"
#include "core/judgement.h"
#include "ctl/answers.h"
#include "ctl/facts.h"

struct explanation {
        struct block block;
        uint32_t add;         /* 0: none, or nobody knows */
        char *evidence;       /* in words; "": nobody knows */
        json_t *evidence_json;
        json_t *decision;     /* decision_new(); NULL: none */
        json_t *basis;        /* {"facts":…,"platforms":…,"conditions":…}: what it rests on; NULL: no rule, or nobody knows */
        json_t *rules;        /* NULL: not asked for */
        const char *caveat;   /* NULL: none */
};

struct explanations {
        struct explanation *items;
        size_t n, capacity;
        bool all_rules;
};

void explanations_done(struct explanations *e);
/* Room for one more, empty. */
struct explanation *explanations_add(struct explanations *e);

/* The facts, and no decision. */
void explanation_set_fact(struct explanation *x, const struct fact *fact);
/* What the policy of the files says of them now. */
void explanation_set_judgement(struct explanation *x, const struct policy *p, const struct surroundings *s, bool all_rules);
/* Of a block that is gone: by what was told of it. */
void explanation_set_report(struct explanation *x, const struct report *r, bool all_rules);
/* What the daemon says of a block. */
void explanation_set_answer(struct explanation *x, const json_t *answer, bool all_rules);
/* The daemon's, of these blocks. Complains. */
enum status explanations_ask(struct explanations *e, struct client *c, const struct answers *blocks);

/* Lines for people, below a heading, and the object of --json. */
void explanation_print(const struct explanation *x);
json_t *explanation_to_json(const struct explanation *x);
/* Is everything that is told of one what is told of the other? */
bool explanation_equal(const struct explanation *a, const struct explanation *b);
