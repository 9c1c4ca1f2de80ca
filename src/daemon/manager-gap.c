/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One block of a large hot-add is brought online after all the others.
 *
 * Whenever memory goes online, the kernel finds out anew whether its zone is without holes: it looks at each page block from the
 * begin of the zone up to the first hole (set_zone_contiguous(), called by move_pfn_range_to_zone() in mm/memory_hotplug.c). Block
 * after block there is none, and the time that a DIMM takes grows with the square of its size. So one is left near the
 * begin of the DIMM until the rest is online. Where the kernel knows better it makes nothing worse. */
#include "daemon/manager-internal.h"

#define GAP_BLOCKS UINT64_C(16) /* with fewer behind it, there is nothing to be gained */

static bool comes_as_a_whole(const struct manager *m, const struct entry *e) {
        return (SOURCE_BIT(e->source) & SOURCES_DAX) && sysfs_has_dax_state(m->fs, registry_device_name(&m->registry, e->device));
}

/* The first of all is not left out: it may be all that there is. */
bool manager_leaves_gap(struct manager *m, struct entry *e) {
        struct add *add = adds_find(&m->adds, e->add);
        const uint32_t *last = queue_nth(&m->todo, GAP_BLOCKS);

        if (!add || add->has_gap || add->n_blocks < 2 || !last || *last != e->block + GAP_BLOCKS || comes_as_a_whole(m, e))
                return false;
        e->stage = STAGE_PUT_OFF;
        add->has_gap = m->has_gaps = true;
        return true;
}

static void fill_gap(struct manager *m, struct entry *e) {
        uint64_t since = e->next_usec;

        manager_enqueue(m, e);
        e->next_usec = since; /* it has waited all the time */
}

void manager_fill_gaps(struct manager *m) {
        bool idle = m->todo.n == 0 && apply_pending(m->apply) == 0;

        if (!m->has_gaps || !(idle || m->gap_is_due))
                return;
        m->has_gaps = m->gap_is_due = false;
        for (size_t i = 0; i < m->registry.n; i++) {
                struct entry *e = &m->registry.entries[i];
                const struct add *add;

                if (e->stage != STAGE_PUT_OFF)
                        continue;
                add = adds_find(&m->adds, e->add);
                if (!idle && add && add->n_pending > 1)
                        m->has_gaps = true;
                else
                        fill_gap(m, e);
        }
}
