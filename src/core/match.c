/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/match.h"

#include <fnmatch.h>
#include <string.h>

void match_done(struct match *m) {
        ranges_done(&m->nodes);
        ranges_done(&m->addresses);
        ranges_done(&m->sizes);
        ranges_done(&m->tiers);
        for (size_t i = 0; i < m->n_devices; i++)
                free(m->devices[i]);
        free(m->devices);
        *m = (struct match) {};
}

/* ---- does it match? ----------------------------------------------------------------------------------------------- */

static bool match_source(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) platforms;
        return !m->sources || (m->sources & SOURCE_BIT(b->source));
}

static bool match_node(const struct match *m, const struct block *b, platform_mask platforms) {
        int node = node_set_next(&b->nodes, 0);

        (void) platforms;
        if (m->nodes.n == 0)
                return true;
        if (node < 0)
                return false;
        for (; node >= 0; node = node_set_next(&b->nodes, (unsigned) node + 1))
                if (!ranges_contain(&m->nodes, (unsigned) node))
                        return false;
        return true;
}

static bool match_address(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) platforms;
        if (m->addresses.n == 0)
                return true;
        for (size_t i = 0; i < m->addresses.n; i++)
                if (b->size && b->start >= m->addresses.items[i].first &&
                    b->start + b->size - 1 <= m->addresses.items[i].last)
                        return true;
        return false;
}

static bool match_size(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) platforms;
        return m->sizes.n == 0 || (b->device_size && ranges_contain(&m->sizes, b->device_size));
}

static bool match_device(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) platforms;
        if (m->n_devices == 0)
                return true;
        for (size_t i = 0; i < m->n_devices; i++)
                if (b->device[0] && fnmatch(m->devices[i], b->device, 0) == 0)
                        return true;
        return false;
}

static bool match_platform(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) b;
        return !m->platforms || (m->platforms & platforms);
}

static bool match_tier(const struct match *m, const struct block *b, platform_mask platforms) {
        (void) platforms;
        return m->tiers.n == 0 || (b->tier >= 0 && ranges_contain(&m->tiers, (uint64_t) b->tier));
}

static const struct {
        const char *name;
        bool (*match)(const struct match *m, const struct block *b, platform_mask platforms);
} conditions[_MATCH_MAX] = {
        [MATCH_SOURCE] = { "source", match_source },
        [MATCH_NODE] = { "node", match_node },
        [MATCH_ADDRESS] = { "address", match_address },
        [MATCH_SIZE] = { "size", match_size },
        [MATCH_DEVICE] = { "device", match_device },
        [MATCH_PLATFORM] = { "platform", match_platform },
        [MATCH_TIER] = { "tier", match_tier },
};

const char *match_key_to_string(enum match_key k) {
        return k >= 0 && k < _MATCH_MAX ? conditions[k].name : NULL;
}

bool match_block(const struct match *m, const struct block *b, platform_mask platforms, enum match_key *ret_failed) {
        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (!conditions[k].match(m, b, platforms)) {
                        if (ret_failed)
                                *ret_failed = k;
                        return false;
                }
        return true;
}

/* ---- does one match all that another does? ------------------------------------------------------------------------ */

/* Several ranges may cover one together. */
static bool range_is_covered(const struct ranges *by, const struct range *r) {
        uint64_t first = r->first;

        for (size_t i = 0; i < by->n;) {
                if (by->items[i].first > first || by->items[i].last < first) {
                        i++;
                        continue;
                }
                if (by->items[i].last >= r->last)
                        return true;
                first = by->items[i].last + 1;
                i = 0;
        }
        return false;
}

static bool ranges_cover(const struct ranges *a, const struct ranges *b) {
        if (a->n == 0)
                return true;
        for (size_t i = 0; i < b->n; i++)
                if (!range_is_covered(a, &b->items[i]))
                        return false;
        return b->n > 0;
}

/* For addresses a block lies in one range as a whole, so ranges do not cover together. */
static bool addresses_cover(const struct ranges *a, const struct ranges *b) {
        if (a->n == 0)
                return true;
        for (size_t i = 0; i < b->n; i++) {
                bool covered = false;

                for (size_t j = 0; j < a->n && !covered; j++)
                        covered = a->items[j].first <= b->items[i].first && a->items[j].last >= b->items[i].last;
                if (!covered)
                        return false;
        }
        return b->n > 0;
}

static bool masks_cover(uint32_t a, uint32_t b) {
        return !a || (b && !(b & ~a));
}

/* Only patterns that are the same, and "*", are known to cover: this is for a warning. */
static bool devices_cover(const struct match *a, const struct match *b) {
        if (a->n_devices == 0)
                return true;
        for (size_t i = 0; i < b->n_devices; i++) {
                bool covered = false;

                for (size_t j = 0; j < a->n_devices && !covered; j++)
                        covered = strcmp(a->devices[j], "*") == 0 || strcmp(a->devices[j], b->devices[i]) == 0;
                if (!covered)
                        return false;
        }
        return b->n_devices > 0;
}

bool match_covers(const struct match *a, const struct match *b) {
        return masks_cover(a->sources, b->sources) && ranges_cover(&a->nodes, &b->nodes) &&
               addresses_cover(&a->addresses, &b->addresses) && ranges_cover(&a->sizes, &b->sizes) && devices_cover(a, b) &&
               masks_cover(a->platforms, b->platforms) && ranges_cover(&a->tiers, &b->tiers);
}
