/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before a job takes memory offline: a look into the blocks it is about, in small steps, since each takes a millisecond. Then
 * it is known which are the best, where only an amount is asked for, and whether there is room for what has to move. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/room.h"
#include "daemon/manager-internal.h"
#include "host/pageflags.h"

#define STEP_USEC 2000

/* That of the loop stands still while a handler runs. */
static uint64_t clock_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static uint64_t pages_of_block(const struct manager *m) {
        return sysfs_block_size(m->fs) / m->page_size;
}

static void look_into(const struct manager *m, uint32_t block, struct page_counts *ret) {
        const uint64_t size = sysfs_block_size(m->fs);

        *ret = (struct page_counts) {};
        if (m->page_flags_fd >= 0)
                (void) pageflags_read(m->page_flags_fd, block * size, size, m->page_size, ret); /* else nobody knows */
}

/* ---- is there room? ----------------------------------------------------------------------------------------------- */

/* Without the figures nobody can tell; then the kernel finds out. */
static bool open_room(const struct manager *m, struct room **ret) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line;
        size_t size;

        return sysfs_read_text(m->fs, SYSFS_ZONEINFO, &text, &size) >= 0 && zoneinfo_parse(text, size, &info, &line) >= 0 &&
               room_new(&info, ret) >= 0;
}

static void take(const struct manager *m, struct room *r, const struct candidate *c) {
        if (c->zones)
                room_take(r, c->node >= 0 ? (unsigned) c->node : 0, (enum zone) __builtin_ctz(c->zones), pages_of_block(m),
                          &c->pages);
}

static bool room_holds(const struct manager *m, const struct candidate *c, size_t n, char *text, size_t size) {
        static const char head[] = "there is no room: ";
        const size_t length = MIN(sizeof(head) - 1, size);
        _cleanup_(room_freep) struct room *r = NULL;
        struct shortage s;

        if (!open_room(m, &r))
                return true;
        for (size_t i = 0; i < n; i++)
                take(m, r, &c[i]);
        if (room_suffices(r, &s))
                return true;
        snprintf(text, size, "%s", head);
        shortage_describe(&s, m->page_size, text + length, size - length);
        return false;
}

bool manager_has_room(struct manager *m, const struct entry *e, char *text, size_t size) {
        struct candidate c = { .block = e->block, .node = e->node, .zones = e->zones };

        look_into(m, e->block, &c.pages);
        return room_holds(m, &c, 1, text, size);
}

/* ---- the look ----------------------------------------------------------------------------------------------------- */

static bool failed_before(const struct entry *e) {
        return e->decided && e->outcome == OUTCOME_FAILED && e->action == ACTION_LEAVE_OFFLINE;
}

/* Blocks of several zones, or with holes, cannot go offline; older kernels do not tell the zone of any. */
static bool may_go(const struct manager *m, const struct entry *e) {
        struct block b;

        if (e->zones & (e->zones - 1))
                return false;
        return e->zones || sysfs_read_block_zones(m->fs, e->block, &b) < 0 || !b.zones_known;
}

static int count_siblings(const struct manager *m, uint32_t **ret) {
        uint32_t *counts = calloc(m->registry.n_devices + 1, sizeof(*counts));

        if (!counts)
                return -ENOMEM;
        for (size_t i = 0; i < m->registry.n; i++) {
                const struct entry *e = &m->registry.entries[i];

                if (e->state != BLOCK_OFFLINE && e->device <= m->registry.n_devices)
                        counts[e->device]++;
        }
        *ret = counts;
        return 0;
}

static int begin(struct manager *m, struct job *j) {
        _cleanup_free_ uint32_t *siblings = NULL;
        struct look *l = &m->look;
        int r;

        r = count_siblings(m, &siblings);
        if (r < 0)
                return r;
        free(l->items);
        *l = (struct look) { .job = j->id, .items = calloc(MAX(j->n, (size_t) 1), sizeof(*l->items)) };
        if (!l->items)
                return -ENOMEM;
        for (size_t i = 0; i < j->n; i++) {
                const struct entry *e = registry_find(&m->registry, j->items[i].block);

                if (!e || e->state != BLOCK_ONLINE || (j->ranked && !may_go(m, e)))
                        continue;
                l->items[l->n++] = (struct candidate) {
                        .block = e->block, .siblings = siblings[e->device], .device = e->device, .node = e->node,
                        .zones = e->zones, .failed = failed_before(e), .choice = CHOICE_BLOCK,
                };
        }
        l->active = true;
        return 0;
}

/* The candidates that are worth a try take the place of all that were selected. */
static void rank(struct manager *m, struct job *j, char *text, size_t size) {
        struct look *l = &m->look;
        size_t worth = choose(l->items, l->n, pages_of_block(m), j->wanted);

        for (size_t i = 0; i < worth; i++)
                j->items[i] = (struct job_item) { .block = l->items[i].block };
        j->n = worth;
        if (worth == 0)
                snprintf(text, size, "none of the %zu online blocks can be expected to go offline", l->n);
        else if (worth < j->wanted && j->all_or_nothing)
                snprintf(text, size, "of %zu blocks that are wanted, only %zu can be expected to go offline", j->wanted, worth);
}

static void end(struct manager *m, struct job *j) {
        char text[JOB_MESSAGE_MAX] = "";
        struct look *l = &m->look;
        bool impossible;

        l->active = false;
        j->looked = true;
        if (j->ranked)
                rank(m, j, text, sizeof(text));
        impossible = text[0];
        if (!impossible)
                (void) room_holds(m, l->items, j->ranked ? MIN(j->n, j->wanted) : l->n, text, sizeof(text));
        if (j->dry_run)
                job_end_look(j, text, manager_now_usec(m));
        else if (text[0] && (impossible || !j->force))
                job_refuse(j, text, manager_now_usec(m));
}

/* The one that was begun, if it still is to be looked at. */
static struct job *find_job(struct manager *m) {
        struct job *j = m->look.active ? jobs_find(&m->jobs, m->look.job) : NULL;

        return j && !job_is_over(j) && !j->looked ? j : jobs_first_to_look(&m->jobs);
}

bool manager_look(struct manager *m) {
        const uint64_t start = clock_usec();
        struct job *j = find_job(m);
        struct look *l = &m->look;

        if (!j)
                return false;
        if ((!l->active || l->job != j->id) && begin(m, j) < 0) {
                job_refuse(j, "out of memory", manager_now_usec(m));
                return j->untold = true;
        }
        while (l->next < l->n) {
                look_into(m, l->items[l->next].block, &l->items[l->next].pages);
                l->next++;
                if (clock_usec() - start >= STEP_USEC)
                        return true;
        }
        end(m, j);
        return j->untold = true;
}

const struct candidate *manager_job_candidates(const struct manager *m, const struct job *j, size_t *ret_n) {
        if (m->look.job != j->id || m->look.active)
                return NULL;
        *ret_n = m->look.n;
        return m->look.items;
}
