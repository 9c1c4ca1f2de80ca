/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/adds.h"

#include <string.h>

static bool add_takes(const struct add *a, const struct block *b) {
        if (a->number == 0 || a->end_usec || a->rolling_back || a->source != b->source || a->at_startup != b->at_startup)
                return false;
        if (b->device[0] || a->device[0])
                return strcmp(a->device, b->device) == 0;
        return a->node == node_set_next(&b->nodes, 0) &&
               (b->index == a->last + UINT64_C(1) || b->index + UINT64_C(1) == a->first);
}

struct add *adds_join(struct adds *a, const struct block *b, uint64_t now) {
        struct add *add = NULL;

        for (size_t i = 0; i < a->n && !add; i++)
                if (add_takes(&a->ring[i], b))
                        add = &a->ring[i];
        if (!add) {
                if (a->last_number == UINT32_MAX) /* of a file, hardly by counting; 0 is none */
                        a->last_number = 0;
                /* The slot of the oldest, open or not: what is bounded cannot wait. */
                add = &a->ring[a->last_number % ADDS_MAX];
                if (a->n < ADDS_MAX)
                        a->n = MAX(a->n, (size_t) (a->last_number % ADDS_MAX) + 1);
                *add = (struct add) {
                        .number = ++a->last_number,
                        .source = b->source,
                        .node = (int16_t) node_set_next(&b->nodes, 0),
                        .at_startup = b->at_startup,
                        .first = b->index,
                        .last = b->index,
                        .start_usec = now,
                };
                memcpy(add->device, b->device, sizeof(add->device));
        }
        add->first = MIN(add->first, b->index);
        add->last = MAX(add->last, b->index);
        add->last_usec = now;
        add->n_blocks++;
        add->n_pending++;
        return add;
}

struct add *adds_find(struct adds *a, uint32_t number) {
        for (size_t i = 0; i < a->n; i++)
                if (a->ring[i].number == number && number != 0)
                        return &a->ring[i];
        return NULL;
}

void add_settle(struct add *a, enum add_fate fate, uint64_t now) {
        if (a->n_pending == 0)
                return;
        a->n_pending--;
        a->n_online += fate == ADD_FATE_ONLINE;
        a->n_offline += fate == ADD_FATE_OFFLINE;
        a->n_failed += fate == ADD_FATE_FAILED;
        a->last_usec = now;
}

bool add_is_over(const struct add *a, uint64_t now) {
        return a->n_pending == 0 && now >= a->last_usec + ADD_QUIET_USEC;
}
