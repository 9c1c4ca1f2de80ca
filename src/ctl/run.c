/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/run.h"

#include <inttypes.h>
#include <string.h>

unsigned block_compare(const struct block *a, const struct block *b) {
        unsigned differ = 0;

        if (a->state != b->state)
                differ |= ATTRIBUTE_STATE;
        if (a->removable != b->removable)
                differ |= ATTRIBUTE_REMOVABLE;
        if (!node_set_equal(&a->nodes, &b->nodes))
                differ |= ATTRIBUTE_NODE;
        if (a->zones_known != b->zones_known || a->zones != b->zones || a->first_zone != b->first_zone)
                differ |= ATTRIBUTE_ZONES;
        if (a->source != b->source)
                differ |= ATTRIBUTE_SOURCE;
        if (strcmp(a->device, b->device) != 0)
                differ |= ATTRIBUTE_DEVICE;
        return differ;
}

void run_init(struct run *r, const struct block *b) {
        *r = (struct run) { .block = *b, .last = b->index };
}

bool run_extend(struct run *r, const struct block *b, unsigned split) {
        const struct run next = { .block = *b, .last = b->index };

        return run_join(r, &next, split);
}

bool run_join(struct run *r, const struct run *next, unsigned split) {
        const struct block *b = &next->block;
        unsigned differ;

        if (b->index != (uint64_t) r->last + 1)
                return false;
        differ = block_compare(&r->block, b);
        if (differ & split)
                return false;
        r->last = next->last;
        r->mixed |= differ | next->mixed;
        if (differ & ATTRIBUTE_NODE)
                for (int n = node_set_next(&b->nodes, 0); n >= 0; n = node_set_next(&b->nodes, (unsigned) n + 1))
                        node_set_add(&r->block.nodes, (unsigned) n);
        if (differ & ATTRIBUTE_ZONES) {
                r->block.zones |= b->zones;
                if (r->block.first_zone < 0)
                        r->block.first_zone = b->first_zone;
                r->block.zones_known = r->block.zones_known && b->zones_known;
        }
        return true;
}

const char *run_format_blocks(const struct run *r, char buf[static RUN_TEXT_MAX]) {
        if (r->last == r->block.index)
                snprintf(buf, RUN_TEXT_MAX, "%" PRIu32, r->last);
        else
                snprintf(buf, RUN_TEXT_MAX, "%" PRIu32 "-%" PRIu32, r->block.index, r->last);
        return buf;
}

const char *run_format_address(const struct run *r, uint64_t block_size, char buf[static RUN_TEXT_MAX]) {
        snprintf(buf, RUN_TEXT_MAX, "0x%016" PRIx64 "-0x%016" PRIx64, r->block.index * block_size,
                 r->last * block_size + block_size - 1);
        return buf;
}

uint64_t run_size(const struct run *r, uint64_t block_size) {
        return ((uint64_t) r->last - r->block.index + 1) * block_size;
}
