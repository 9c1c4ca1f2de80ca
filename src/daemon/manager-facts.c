/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/manager-internal.h"

/* What was added right before it, most likely of the same device: what is alike in all of it need not be read for each block. */
static const struct entry *entry_before(const struct manager *m, const struct entry *e) {
        const struct entry *near = e->arrival == ARRIVAL_HOT && e->block > 0 ? registry_find(&m->registry, e->block - 1) : NULL;

        return near && near->known && near->arrival == ARRIVAL_HOT && near->node >= 0 && !near->several_nodes ? near : NULL;
}

int manager_read_facts(struct manager *m, struct entry *e, const struct survey_item *item, struct block *ret) {
        const struct entry *near = entry_before(m, e);
        bool inherits = near && near->removable_known, complete = true, is_new = !e->known;
        struct block b;
        int r;

        if (!item && manager_waits_for_source(m, e))
                return -EAGAIN;
        if (item) {
                b = item->block;
                r = item->error;
        } else
                r = sysfs_read_hot_block(m->fs, e->block, near ? near->node : -1,
                                         (e->identity ? 0 : SYSFS_IDENTITY) | (e->removable_known || inherits ? 0 : SYSFS_REMOVABLE), &b);
        if (r == -EAGAIN && !manager_may_settle(m, e)) {
                r = sysfs_read_block_state(m->fs, e->block, &b);
                complete = false;
        }
        if (r < 0)
                return r;
        if (!e->known && !m->started && b.state == BLOCK_ONLINE)
                e->arrival = ARRIVAL_BEFORE; /* by whom, nobody can tell */
        if (!e->known && !m->started && b.state == BLOCK_OFFLINE && m->evidence.machine != MACHINE_PLAIN)
                e->arrival = ARRIVAL_HOT; /* what balloons and standby memory look like before anybody used them */
        if (item)
                evidence_find_origin(&m->evidence, (enum arrival) e->arrival, item->firmware_node, &b);
        else
                r = evidence_read_origin(&m->evidence, (enum arrival) e->arrival, &b);
        if (r < 0)
                return r;
        if (manager_may_get_source(m, e, &b))
                return -EAGAIN;

        if (b.state == BLOCK_ONLINE)
                e->hands_off = e->rolled_back = false;
        else
                e->rolling_back = false;
        e->node = (int16_t) node_set_next(&b.nodes, 0);
        b.tier = e->node >= 0 ? m->tiers[e->node] : -1;
        b.at_startup = e->at_startup;
        b.hands_off = e->hands_off;
        b.rolled_back = e->rolled_back;
        b.held = b.state == BLOCK_OFFLINE && holds_find(&m->holds, &b, sysfs_block_size(m->fs), hold_now_usec());
        if (b.state == BLOCK_OFFLINE && !b.held && e->decided && e->reason == REASON_HELD)
                e->add = 0; /* released, it is another add, decided as one */
        e->known = true;
        if (b.identity)
                e->identity = b.identity;
        if (!e->removable_known && complete) {
                e->removable = inherits && !item ? near->removable : b.removable;
                e->removable_known = true;
        }
        e->several_nodes = e->node >= 0 && node_set_next(&b.nodes, (unsigned) e->node + 1) >= 0;
        e->state = b.state;
        e->zones = b.state == BLOCK_ONLINE ? b.zones : 0;
        e->source = b.source;
        e->device = registry_device(&m->registry, b.device);
        if (is_new)
                manager_note_change(m, e, false);
        *ret = b;
        return 0;
}
