/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/surroundings.h"

static bool is_on_its_way(const struct entry *e) {
        return (e->stage == STAGE_APPLYING || e->stage == STAGE_PUT_OFF || e->stage == STAGE_RETRY) && e->state != BLOCK_ONLINE;
}

/* Zoneinfo knows neither which kernel memory was hot-added, nor what was decided and is not yet done. */
static void adjust_totals(struct manager *m) {
        const uint64_t block_size = sysfs_block_size(m->fs);
        struct totals *t = &m->around.totals;

        for (size_t i = 0; i < m->registry.n; i++) {
                const struct entry *e = &m->registry.entries[i];

                if (e->state == BLOCK_ONLINE && entry_is_hot(e) && (e->zones & ZONES_KERNEL))
                        totals_move_to_hot(t, e->node, block_size);
                else if (is_on_its_way(e) && e->action != ACTION_LEAVE_OFFLINE)
                        totals_expect(t, e->node, e->action == ACTION_ONLINE_MOVABLE, block_size);
        }
        for (size_t i = 0; i < m->adds.n; i++) {
                const struct add *a = &m->adds.ring[i];
                uint64_t seen = a->n_blocks * block_size;

                if (a->number && !a->end_usec && a->decided && a->decision.action != ACTION_LEAVE_OFFLINE &&
                    a->decided_size > seen)
                        totals_expect(t, a->node, a->decision.action == ACTION_ONLINE_MOVABLE, a->decided_size - seen);
        }
}

const struct surroundings *manager_around(struct manager *m, bool fresh) {
        unsigned line;
        int r;

        if (!fresh && !m->around_stale && m->around.totals.known)
                return &m->around;
        r = surroundings_read_totals(m->fs, m->page_size, &m->around.totals, &line);
        if (r < 0)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "%s cannot be used (%s, line %u): \"balance\" gives kernel memory",
                              sysfs_text_path(SYSFS_ZONEINFO), strerror(-r), line);
        else
                adjust_totals(m);
        sysfs_read_tiers(m->fs, m->tiers);
        m->around_stale = false;
        return &m->around;
}

void manager_note_disturbance(struct manager *m) {
        m->around_stale = true;
        tracer_disturb(&m->tracer);
        manager_wake_report(m);
}

void manager_look_around(struct manager *m) {
        if (m->started && m->todo.n == 0 && apply_pending(m->apply) == 0)
                tracer_look(&m->tracer);
}

void manager_expect(struct manager *m, const struct block *b, const struct decision *d, uint64_t bytes) {
        if (d->action != ACTION_LEAVE_OFFLINE)
                totals_expect(&m->around.totals, node_set_next(&b->nodes, 0), d->action == ACTION_ONLINE_MOVABLE, bytes);
}
