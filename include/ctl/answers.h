/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Blocks as the daemon knows them, in the shape in which facts.h reads them from the system. */

#include "ctl/client.h"
#include "ctl/run.h"

/* The selected blocks, neighbours that are alike as one run, in order. NULL is all. Complains, also if there are none. */
struct answers {
        struct run *runs;
        uint32_t *adds; /* the hot-add of each run, 0: none */
        size_t n, capacity, capacity_adds;
        uint64_t block_size;
};

enum status answers_ask(struct answers *a, struct client *c, const char *selector);
/* The same, but that there are none is no error. */
enum status answers_ask_any(struct answers *a, struct client *c, const char *selector);
void answers_done(struct answers *a);

/* What the daemon explains of each of these blocks (org.memhp1.Manager.Explain), in order. take() does not keep it. Complains. */
enum status answers_explain(const struct answers *a, struct client *c, bool all_rules,
                            void (*take)(const struct block *b, const json_t *explanation, void *userdata), void *userdata);
