/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A first-in-first-out queue of items of one size, in a ring that grows by doubling and never shrinks. */

#include "core/macro.h"

struct queue {
        void *items;
        size_t item_size; /* set it before the first use */
        size_t capacity, head, n;
};

void queue_done(struct queue *q);
/* Room for n items in all. 0 or -ENOMEM, the queue is then unchanged. */
int queue_reserve(struct queue *q, size_t n);
/* Room must have been reserved. */
void queue_push(struct queue *q, const void *item);
bool queue_pop(struct queue *q, void *ret);
/* The oldest item; NULL when empty. */
const void *queue_peek(const struct queue *q) _pure_;
/* The nth oldest, to be changed in place; NULL: there are not so many. */
void *queue_nth(const struct queue *q, size_t n) _pure_;
