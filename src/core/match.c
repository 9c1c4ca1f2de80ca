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

static inline bool match_architecture(const struct match *m, const struct match_subject *s) {
        return !m->architectures || (m->architectures & s->platforms);
}

static inline bool match_tier(const struct match *m, const struct match_subject *s) {
        return m->tiers.n == 0 || (s->block->tier >= 0 && ranges_contain(&m->tiers, (uint64_t) s->block->tier));
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

/* ---- the conditions ----------------------------------------------------------------------------------------------- */

/* In the order in which they are asked: key, its word, whether it is about what hangs on the source, whether m has one, whether
 * that of a covers that of b. To add one: its row, and match_WORD() above. */
#define EACH_CONDITION(ROW)                                                                            \
        ROW(SOURCE, source, true, m->sources != 0, masks_cover(a->sources, b->sources))                \
        ROW(NODE, node, false, m->nodes.n > 0, ranges_cover(&a->nodes, &b->nodes))                     \
        ROW(ADDRESS, address, false, m->addresses.n > 0, addresses_cover(&a->addresses, &b->addresses)) \
        ROW(SIZE, size, true, m->sizes.n > 0, ranges_cover(&a->sizes, &b->sizes))                      \
        ROW(DEVICE, device, true, m->n_devices > 0, devices_cover(a, b))                               \
        ROW(PLATFORM, platform, false, m->platforms != 0, masks_cover(a->platforms, b->platforms))     \
        ROW(TIER, tier, false, m->tiers.n > 0, ranges_cover(&a->tiers, &b->tiers))                     \
        ROW(ARCHITECTURE, architecture, false, m->architectures != 0, masks_cover(a->architectures, b->architectures))

const char *match_key_to_string(enum match_key k) {
#define NAME(key, word, by_source, has, covers) [MATCH_##key] = #word,
        static const char *const names[_MATCH_MAX] = { EACH_CONDITION(NAME) };

        return k >= 0 && k < _MATCH_MAX ? names[k] : NULL;
}

enum match_key match_key_from_string(const char *s) {
        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (strcmp(match_key_to_string(k), s) == 0)
                        return k;
        return _MATCH_INVALID;
}

unsigned match_held(const struct match *m, const struct block *b, platform_mask platforms) {
#define HELD(key, word, by_source, has, covers) | ((has) && match_##word(m, &s) ? MATCH_BIT(MATCH_##key) : 0)
        struct match_subject s;

        match_subject_init(&s, b, platforms);
        return 0 EACH_CONDITION(HELD);
}

bool match_subject(const struct match *m, const struct match_subject *s, enum match_key *ret_failed) {
#define ASK(key, word, by_source, has, covers)     \
        if (!match_##word(m, s)) {                 \
                if (ret_failed)                    \
                        *ret_failed = MATCH_##key; \
                return false;                      \
        }
        EACH_CONDITION(ASK)
        return true;
}

bool match_may_hide(const struct match *m, const struct match_subject *s) {
#define APART(key, word, by_source, has, covers) && ((by_source) || match_##word(m, s))
        return !match_source(m, s) EACH_CONDITION(APART);
}

bool match_block(const struct match *m, const struct block *b, platform_mask platforms, enum match_key *ret_failed) {
        struct match_subject s;

        match_subject_init(&s, b, platforms);
        return match_subject(m, &s, ret_failed);
}

bool match_covers(const struct match *a, const struct match *b) {
#define COVERS(key, word, by_source, has, covers) && (covers)
        return true EACH_CONDITION(COVERS);
}
