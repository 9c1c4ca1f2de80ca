/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/survey.h"

#include <errno.h>
#include <sched.h>

#define PIECE 32         /* blocks taken at a time */
#define THREAD_WORTH 128 /* a thread costs as much as looking at a few blocks */

static int read_item(const struct survey *s, struct survey_item *item) {
        unsigned flags = s->flags & SURVEY_REMOVABLE ? SYSFS_REMOVABLE : 0;
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

        while ((first = atomic_fetch_add(&s->next, PIECE)) < s->n)
                for (size_t i = first; i < MIN(first + PIECE, s->n); i++)
                        s->items[i].error = read_item(s, &s->items[i]);
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

        available = MIN(available, (size_t) SURVEY_THREADS_MAX);
        return available > 1 ? MIN(available, n / THREAD_WORTH) : 0;
}

void survey_begin(struct survey *s) {
        size_t n = count_threads(s->n);

        atomic_store(&s->next, 0);
        /* Where there can be no thread, survey_end() does it all. */
        for (s->n_threads = 0; s->n_threads < n; s->n_threads++)
                if (pthread_create(&s->threads[s->n_threads], NULL, work_apart, s) != 0)
                        break;
}

void survey_end(struct survey *s) {
        work(s);
        while (s->n_threads > 0)
                (void) pthread_join(s->threads[--s->n_threads], NULL);
}
