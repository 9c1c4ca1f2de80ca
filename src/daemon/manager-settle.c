/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new block is there before the kernel has linked it to its node, and long before a DIMM's blocks are linked to the device
 * that they belong to: how long to wait for that, and how to wait. */
#include "daemon/manager-internal.h"

#define SETTLE_CAP_USEC 500000  /* without any event: then a missing link will not come */
#define SETTLE_BLIND_USEC 50000 /* the same where /proc/iomem shows nothing, and memory without a name is the rule */
#define SETTLE_MAX_USEC 4000000 /* of one block, whatever else comes: it must not hold up the others for ever */
#define STEP_USEC 1000
#define STEP_MAX_USEC 10000
#define STEPS 64 /* what comes is met later by this part of the wait at most */

/* Links come while the kernel still adds; without events for a while, they will not come. */
static bool may_settle_until(const struct manager *m, const struct entry *e, uint64_t cap) {
        uint64_t now = manager_now_usec(m);

        return now < m->last_add_usec + cap && (e->stage != STAGE_QUEUED || now < e->next_usec + SETTLE_MAX_USEC);
}

bool manager_may_settle(const struct manager *m, const struct entry *e) {
        return may_settle_until(m, e, SETTLE_CAP_USEC);
}

static bool link_may_come(const struct manager *m, const struct entry *e) {
        const struct evidence_cache *c = &m->evidence;

        return may_settle_until(m, e, c->iomem_valid && !c->iomem.hidden ? SETTLE_CAP_USEC : SETTLE_BLIND_USEC);
}

/* The resource comes before the block, a DIMM's link to its firmware node last of all: until then, it looks like memory
 * from boot. */
bool manager_may_get_source(struct manager *m, const struct entry *e, const struct block *b) {
        if ((b->state != BLOCK_OFFLINE && e->arrival != ARRIVAL_HOT) ||
            (b->source != SOURCE_UNKNOWN && b->source != SOURCE_BOOT) || !link_may_come(m, e))
                return false;
        m->waits_for_source = true;
        m->waiting_block = e->block;
        return true;
}

/* Looking for the link takes a tenth of what looking at the block takes. A block that is gone, and a source that could not be
 * read, are not waited for. */
bool manager_waits_for_source(struct manager *m, const struct entry *e) {
        char firmware_node[DEVICE_NAME_MAX];
        uint64_t identity = 0;

        m->waits_for_source = m->waits_for_source && m->waiting_block == e->block && e->stage == STAGE_QUEUED &&
                              link_may_come(m, e) && !m->evidence.iomem_error &&
                              sysfs_read_identity(m->fs, e->block, &identity) >= 0 && (!e->identity || identity == e->identity) &&
                              sysfs_read_firmware_node(m->fs, e->block, firmware_node) >= 0 && !firmware_node[0];
        return m->waits_for_source;
}

/* A large DIMM takes seconds to come: whoever looks every millisecond takes the processor from the kernel. */
uint64_t manager_settle_step(const struct manager *m, const struct entry *e) {
        uint64_t now = manager_now_usec(m), step = now > e->next_usec ? (now - e->next_usec) / STEPS : 0;

        step = MAX(step, (uint64_t) STEP_USEC);
        return MIN(step, (uint64_t) STEP_MAX_USEC);
}
