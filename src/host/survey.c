/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/survey.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define AHEAD 512        /* blocks read at a time: enough for the processors to share, little memory */
#define PIECE 32         /* blocks that one of them takes */
#define THREADS_MAX 8    /* beyond that they wait for each other in the kernel */
#define THREAD_WORTH 128 /* a thread costs as much as looking at a few blocks */

#define LISTING_WORTH 1024 /* blocks from which on a thread is worth it to list them */

struct node_listing {
        const struct sysfs *fs;
        struct node_map map;
        int error;
};

struct survey {
        const struct sysfs *fs;
        const struct node_map *nodes;
        unsigned flags;
        const uint32_t *indices;
        size_t n, next; /* indices[next] is the first that nobody looks at yet */
        size_t trusted; /* what comes before indices[trusted] may be old */
        struct survey_item *items; /* looked at: items[at] comes next */
        size_t n_items, at;
        struct survey_item *ahead; /* being looked at */
        size_t n_ahead;
        atomic_size_t next_ahead;
        pthread_t threads[THREADS_MAX];
        size_t n_threads;
        struct survey_item room[2][AHEAD];
};

static void *list_nodes(void *userdata) {
        struct node_listing *l = userdata;

        l->error = sysfs_read_node_map(l->fs, &l->map);
        return NULL;
}

int survey_list(const struct sysfs *fs, size_t worth, uint32_t **ret, size_t *ret_n, struct node_map *ret_nodes) {
        struct node_listing nodes = { .fs = fs };
        _cleanup_free_ uint32_t *indices = NULL;
        pthread_t thread;
        bool apart;
        size_t n;
        int r;

        apart = sysfs_may_have_blocks(fs, MAX(worth, (size_t) LISTING_WORTH)) &&
                pthread_create(&thread, NULL, list_nodes, &nodes) == 0;
        r = sysfs_read_indices(fs, &indices, &n);
        if (apart)
                (void) pthread_join(thread, NULL);
        else if (r >= 0 && n >= worth)
                (void) list_nodes(&nodes);
        if (r >= 0)
                r = nodes.error;
        if (r < 0) {
                node_map_done(&nodes.map);
                return r;
        }
        *ret = TAKE_PTR(indices);
        *ret_n = n;
        *ret_nodes = nodes.map;
        return 0;
}

static int read_item(const struct survey *s, struct survey_item *item) {
        unsigned flags = (s->flags & SURVEY_REMOVABLE ? SYSFS_REMOVABLE : 0) | (s->flags & SURVEY_IDENTITY ? SYSFS_IDENTITY : 0);
        int r;

        r = sysfs_read_block(s->fs, item->index, s->nodes, flags, &item->block);
        /* The block came after the map was made, or a captured tree has the links on the blocks' side only. */
        if (r == -EAGAIN && s->nodes)
                r = sysfs_read_block(s->fs, item->index, NULL, flags, &item->block);
        if (r == -EAGAIN && (s->flags & SURVEY_UNLINKED))
                r = sysfs_read_block_state(s->fs, item->index, &item->block);
        item->firmware_node[0] = '\0';
        if (r >= 0 && (s->flags & SURVEY_FIRMWARE_NODE))
                r = sysfs_read_firmware_node(s->fs, item->index, item->firmware_node);
        return r;
}

static void work(struct survey *s) {
        size_t first;

        while ((first = atomic_fetch_add(&s->next_ahead, PIECE)) < s->n_ahead)
                for (size_t i = first; i < MIN(first + PIECE, s->n_ahead); i++)
                        s->ahead[i].error = read_item(s, &s->ahead[i]);
}

/* With a table of descriptors of its own, a thread shares no lock and no counter with the others. */
static void *work_apart(void *userdata) {
        (void) unshare(CLONE_FILES);
        work(userdata);
        return NULL;
}

static size_t count_threads(size_t n) {
        cpu_set_t cpus;
        size_t available = sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (size_t) CPU_COUNT(&cpus);

        available = MIN(available, (size_t) THREADS_MAX);
        return available > 1 ? MIN(available, n / THREAD_WORTH) : 0;
}

static void begin(struct survey *s) {
        size_t n_threads;

        s->n_ahead = MIN(s->n - s->next, (size_t) AHEAD);
        for (size_t i = 0; i < s->n_ahead; i++)
                s->ahead[i].index = s->indices[s->next++];
        atomic_store(&s->next_ahead, 0);
        n_threads = count_threads(s->n_ahead);
        /* Where there can be no thread, end() does it all. */
        while (s->n_threads < n_threads && pthread_create(&s->threads[s->n_threads], NULL, work_apart, s) == 0)
                s->n_threads++;
}

static void end(struct survey *s) {
        work(s);
        while (s->n_threads > 0)
                (void) pthread_join(s->threads[--s->n_threads], NULL);
}

int survey_new(const struct sysfs *fs, const struct node_map *nodes, unsigned flags, const uint32_t *indices, size_t n,
               struct survey **ret) {
        struct survey *s = malloc(sizeof(*s)); /* its room is not touched before it is needed */

        if (!s)
                return -ENOMEM;
        s->fs = fs;
        s->nodes = nodes;
        s->flags = flags;
        s->indices = indices;
        s->n = n;
        s->next = s->trusted = s->n_items = s->at = s->n_threads = 0;
        s->items = s->room[0];
        s->ahead = s->room[1];
        begin(s);
        *ret = s;
        return 0;
}

void survey_free(struct survey *s) {
        if (!s)
                return;
        end(s);
        free(s);
}

const struct survey_item *survey_next(struct survey *s) {
        struct survey_item *item;

        if (s->at == s->n_items) {
                struct survey_item *done = s->ahead;

                end(s);
                s->ahead = s->items;
                s->items = done;
                s->n_items = s->n_ahead;
                s->at = 0;
                if (s->n_items == 0)
                        return NULL;
                begin(s); /* the next ones, while these are being worked on */
        }
        item = &s->items[s->at++];
        if (s->next - s->n_ahead - s->n_items + s->at <= s->trusted)
                item->error = -ESTALE;
        return item;
}

void survey_distrust(struct survey *s) {
        s->trusted = s->next;
}
