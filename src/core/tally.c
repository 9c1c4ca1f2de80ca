/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/tally.h"

#include <inttypes.h>

static bool key_equal(const struct tally_key *a, const struct tally_key *b) {
        return a->add == b->add && a->source == b->source && a->device == b->device && a->node == b->node && a->rule == b->rule &&
               a->action == b->action && a->reason == b->reason && a->outcome == b->outcome && a->zone == b->zone &&
               a->error == b->error && a->explained == b->explained && balance_equal(&a->balance, &b->balance);
}

/* Blocks come in order, mostly: extend a run at either end, join two, or begin another. */
static bool add_block(struct tally_group *g, uint32_t block) {
        struct tally_run *before = NULL, *after = NULL;

        for (size_t i = 0; i < g->n_runs; i++) {
                struct tally_run *run = &g->runs[i];

                if (block >= run->first && block <= run->last)
                        return true;
                if (block > run->last && block - 1 == run->last)
                        before = run;
                if (block < run->first && block + 1 == run->first)
                        after = run;
        }
        if (before && after) {
                before->last = after->last;
                *after = g->runs[--g->n_runs];
        } else if (before)
                before->last = block;
        else if (after)
                after->first = block;
        else if (g->n_runs < TALLY_RUNS)
                g->runs[g->n_runs++] = (struct tally_run) { .first = block, .last = block };
        else
                return false;
        g->n_blocks++;
        return true;
}

static struct tally_group *find_group(struct tally *t, const struct tally_key *key) {
        for (size_t i = 0; i < t->n; i++)
                if (key_equal(&t->groups[i].key, key))
                        return &t->groups[i];
        return NULL;
}

bool tally_add(struct tally *t, const struct tally_key *key, uint32_t block, uint64_t write_usec) {
        struct tally_group *g = find_group(t, key);

        if (!g) {
                if (t->n == TALLY_GROUPS)
                        return false;
                g = &t->groups[t->n++];
                *g = (struct tally_group) { .key = *key };
        }
        if (!add_block(g, block))
                return false;
        g->write_usec += write_usec;
        return true;
}

void tally_explain(struct tally *t, const struct tally_key *key, uint32_t block, const char *why) {
        struct tally_group *g = find_group(t, key);

        if (!g || g->why[0])
                return;
        g->why_block = block;
        snprintf(g->why, sizeof(g->why), "%s", why);
}

void tally_clear(struct tally *t) {
        t->n = 0;
}

void tally_format_blocks(const struct tally_group *g, char *buf, size_t size) {
        size_t used = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < g->n_runs; i++) {
                const struct tally_run *r = &g->runs[i];
                int n;

                if (r->last != r->first)
                        n = snprintf(buf + used, size - used, "%s%" PRIu32 "-%" PRIu32, i ? "," : "", r->first, r->last);
                else
                        n = snprintf(buf + used, size - used, "%s%" PRIu32, i ? "," : "", r->first);
                if (n < 0 || (size_t) n >= size - used) {
                        buf[used] = '\0'; /* rather none than another number */
                        return;
                }
                used += (size_t) n;
        }
}
