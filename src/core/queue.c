/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/queue.h"

#include <errno.h>
#include <string.h>

static void *queue_at(const struct queue *q, size_t i) {
        return (char *) q->items + (q->head + i) % q->capacity * q->item_size;
}

int queue_reserve(struct queue *q, size_t n) {
        size_t capacity = MAX(q->capacity, (size_t) 64);
        void *items;

        if (n <= q->capacity)
                return 0;
        while (capacity < n)
                capacity *= 2;
        items = reallocarray(NULL, capacity, q->item_size);
        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < q->n; i++)
                memcpy((char *) items + i * q->item_size, queue_at(q, i), q->item_size);
        free(q->items);
        q->items = items;
        q->capacity = capacity;
        q->head = 0;
        return 0;
}

void queue_push(struct queue *q, const void *item) {
        memcpy(queue_at(q, q->n++), item, q->item_size);
}

bool queue_pop(struct queue *q, void *ret) {
        if (q->n == 0)
                return false;
        memcpy(ret, queue_at(q, 0), q->item_size);
        q->head = (q->head + 1) % q->capacity;
        q->n--;
        return true;
}

const void *queue_peek(const struct queue *q) {
        return queue_nth(q, 0);
}

void *queue_nth(const struct queue *q, size_t n) {
        return n < q->n ? queue_at(q, n) : NULL;
}

void queue_done(struct queue *q) {
        free(q->items);
        *q = (struct queue) { .item_size = q->item_size };
}
