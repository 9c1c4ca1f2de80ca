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

/* A decision asks many rules about one block: what is the same for all is looked up once. */
void match_subject_init(struct match_subject *s, const struct block *b, platform_mask platforms) {
        *s = (struct match_subject) { .block = b, .platforms = platforms, .first_node = node_set_next(&b->nodes, 0) };
        s->many_nodes = s->first_node >= 0 && node_set_next(&b->nodes, (unsigned) s->first_node + 1) >= 0;
}

static inline bool match_source(const struct match *m, const struct match_subject *s) {
        return !m->sources || (m->sources & SOURCE_BIT(s->block->source));
}

static inline bool match_node(const struct match *m, const struct match_subject *s) {
        if (m->nodes.n == 0)
                return true;
        if (s->first_node < 0 || !ranges_contain(&m->nodes, (unsigned) s->first_node))
                return false;
        for (int node = s->first_node; s->many_nodes && node >= 0;
             node = node_set_next(&s->block->nodes, (unsigned) node + 1))
                if (!ranges_contain(&m->nodes, (unsigned) node))
                        return false;
        return true;
}

static inline bool match_address(const struct match *m, const struct match_subject *s) {
        const struct block *b = s->block;

        if (m->addresses.n == 0)
                return true;
        for (size_t i = 0; i < m->addresses.n; i++)
                if (b->size && b->start >= m->addresses.items[i].first &&
                    b->start + b->size - 1 <= m->addresses.items[i].last)
                        return true;
        return false;
}

static inline bool match_size(const struct match *m, const struct match_subject *s) {
        return m->sizes.n == 0 || (s->block->device_size && ranges_contain(&m->sizes, s->block->device_size));
}

/* fnmatch(3), but most patterns are told from most names by how they begin. */
static bool match_pattern(const char *pattern, const char *name) {
        for (; *pattern && *pattern != '*' && *pattern != '?' && *pattern != '[' && *pattern != '\\'; pattern++, name++)
                if (*pattern != *name)
                        return false;
        return *pattern ? fnmatch(pattern, name, 0) == 0 : !*name;
}

static inline bool match_device(const struct match *m, const struct match_subject *s) {
        if (m->n_devices == 0)
                return true;
        for (size_t i = 0; i < m->n_devices; i++)
                if (s->block->device[0] && match_pattern(m->devices[i], s->block->device))
                        return true;
        return false;
}

static inline bool match_platform(const struct match *m, const struct match_subject *s) {
        return !m->platforms || (m->platforms & s->platforms);
}

static inline bool match_tier(const struct match *m, const struct match_subject *s) {
        return m->tiers.n == 0 || (s->block->tier >= 0 && ranges_contain(&m->tiers, (uint64_t) s->block->tier));
}

static const char *const keys[_MATCH_MAX] = {
        [MATCH_SOURCE] = "source",
        [MATCH_NODE] = "node",
        [MATCH_ADDRESS] = "address",
        [MATCH_SIZE] = "size",
        [MATCH_DEVICE] = "device",
        [MATCH_PLATFORM] = "platform",
        [MATCH_TIER] = "tier",
};

const char *match_key_to_string(enum match_key k) {
        return k >= 0 && k < _MATCH_MAX ? keys[k] : NULL;
}

enum match_key match_key_from_string(const char *s) {
        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (strcmp(keys[k], s) == 0)
                        return k;
        return _MATCH_INVALID;
}

unsigned match_held(const struct match *m, const struct block *b, platform_mask platforms) {
        struct match_subject s;

        match_subject_init(&s, b, platforms);
        return (m->sources && match_source(m, &s) ? MATCH_BIT(MATCH_SOURCE) : 0) |
               (m->nodes.n && match_node(m, &s) ? MATCH_BIT(MATCH_NODE) : 0) |
               (m->addresses.n && match_address(m, &s) ? MATCH_BIT(MATCH_ADDRESS) : 0) |
               (m->sizes.n && match_size(m, &s) ? MATCH_BIT(MATCH_SIZE) : 0) |
               (m->n_devices && match_device(m, &s) ? MATCH_BIT(MATCH_DEVICE) : 0) |
               (m->platforms && match_platform(m, &s) ? MATCH_BIT(MATCH_PLATFORM) : 0) |
               (m->tiers.n && match_tier(m, &s) ? MATCH_BIT(MATCH_TIER) : 0);
}

bool match_subject(const struct match *m, const struct match_subject *s, enum match_key *ret_failed) {
        enum match_key failed;

        if (!match_source(m, s))
                failed = MATCH_SOURCE;
        else if (!match_node(m, s))
                failed = MATCH_NODE;
        else if (!match_address(m, s))
                failed = MATCH_ADDRESS;
        else if (!match_size(m, s))
                failed = MATCH_SIZE;
        else if (!match_device(m, s))
                failed = MATCH_DEVICE;
        else if (!match_platform(m, s))
                failed = MATCH_PLATFORM;
        else if (!match_tier(m, s))
                failed = MATCH_TIER;
        else
                return true;
        if (ret_failed)
                *ret_failed = failed;
        return false;
}

bool match_may_hide(const struct match *m, const struct match_subject *s) {
        return !match_source(m, s) && match_node(m, s) && match_address(m, s) && match_platform(m, s) && match_tier(m, s);
}

bool match_block(const struct match *m, const struct block *b, platform_mask platforms, enum match_key *ret_failed) {
        struct match_subject s;

        match_subject_init(&s, b, platforms);
        return match_subject(m, &s, ret_failed);
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
