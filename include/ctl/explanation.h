/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is known of a block, and what was, or would be, decided about it: from the daemon or from the system itself. */

#include "ctl/answers.h"
#include "ctl/facts.h"

struct explanation {
        struct block block;
        uint32_t add;    /* 0: none, or nobody knows */
        char *evidence;  /* in words */
        json_t *evidence_json;
        json_t *decision; /* NULL: none */
        json_t *rules;    /* NULL: not asked for */
        const char *caveat; /* NULL: none */
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
/* The daemon's, of these blocks. Complains. */
enum status explanations_ask(struct explanations *e, struct client *c, const struct answers *blocks);

/* {"action":…,"zone":…,"rule":…,"reason":…,"now":…,"as_wanted":…,"decided":…,"time_usec":…,"balance":…}; values are taken over. */
json_t *decision_new(const char *action, const char *zone, json_t *rule, const char *reason, const char *now, json_t *as_wanted);
/* The text of one of its keys, "" if it has none. */
const char *decision_text(const json_t *decision, const char *key);
