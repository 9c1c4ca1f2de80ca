/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/room.h"

#include <errno.h>
#include <string.h>

#include "core/format.h"

/* What is taken from a zone. */
struct taken {
        uint64_t pages, free, file, move; /* where somebody looked */
        uint64_t unseen;                  /* pages of blocks where nobody could */
};

struct room_zone {
        unsigned node;
        enum zone zone;
        uint64_t free, low, managed, file;
        uint64_t keep[2]; /* free pages that are not to be had: by what comes from kernel zones, by what comes from Movable */
        struct taken taken;
};

struct room {
        size_t n;
        unsigned n_nodes; /* with memory */
        struct room_zone zones[];
};

enum { FROM_KERNEL, FROM_MOVABLE };

static uint64_t counter(const struct zoneinfo *info, const struct zone_info *z, const char *key) {
        for (size_t i = 0; i < z->n_counters; i++)
                if (strcmp(info->counters[z->counters + i].key, key) == 0)
                        return info->counters[z->counters + i].value;
        return 0;
}

/* The place of a zone among those of its node, which is the same in every node, and the order of "protection". */
static int zone_place(const struct zoneinfo *info, const char *name) {
        int place = 0;

        for (size_t i = 0; i < info->n_zones && info->zones[i].node == info->zones[0].node; i++, place++)
                if (strcmp(info->zones[i].name, name) == 0)
                        return place;
        return -1;
}

static uint64_t protection(const struct zoneinfo *info, const struct zone_info *z, int place) {
        return place >= 0 && (size_t) place < z->n_protection ? info->protections[z->protection + (size_t) place] : 0;
}

int room_new(const struct zoneinfo *info, struct room **ret) {
        int normal = zone_place(info, "Normal"), movable = zone_place(info, "Movable");
        struct room *r = calloc(1, sizeof(*r) + info->n_zones * sizeof(r->zones[0]));
        struct node_set nodes = {};

        if (!r)
                return -ENOMEM;
        for (size_t i = 0; i < info->n_zones; i++) {
                const struct zone_info *z = &info->zones[i];
                enum zone zone = zone_from_string(z->name);

                if (zone < 0 || zone == ZONE_DEVICE || z->present == 0 || z->node >= NODES_MAX)
                        continue;
                r->n_nodes += !node_set_has(&nodes, z->node);
                node_set_add(&nodes, z->node);
                r->zones[r->n++] = (struct room_zone) {
                        .node = z->node, .zone = zone, .free = z->free, .low = z->low, .managed = z->managed,
                        .file = counter(info, z, "nr_zone_active_file") + counter(info, z, "nr_zone_inactive_file"),
                        .keep = { z->high + protection(info, z, normal), z->high + protection(info, z, movable) },
                };
        }
        *ret = r;
        return 0;
}

void room_free(struct room *r) {
        free(r);
}

void room_take(struct room *r, unsigned node, enum zone zone, uint64_t n_pages, const struct page_counts *pages) {
        for (size_t i = 0; i < r->n; i++) {
                struct taken *t = &r->zones[i].taken;

                if (r->zones[i].node != node || r->zones[i].zone != zone)
                        continue;
                if (!pages || !pages->known) {
                        t->unseen += n_pages;
                        return;
                }
                t->pages += n_pages;
                t->free += pages->free;
                t->file += pages->file;
                /* What cannot be moved will be told by the kernel; what no flag tells of is free, or cannot be moved. */
                t->move += pages->movable - pages->file;
                return;
        }
}

static uint64_t less(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

/* The worst that blocks may hold where nobody looked: whatever is in use in their zone. */
static void assume(const struct room_zone *z, struct taken *ret) {
        struct taken t = z->taken;
        uint64_t used = less(less(z->managed, z->free + z->file), t.move), rest;

        if (t.unseen) {
                uint64_t move = MIN(t.unseen, used);

                rest = t.unseen - move;
                t.move += move;
                t.free += MIN(rest, less(z->free, t.free));
                t.file += less(rest, z->free);
        }
        *ret = t;
}

static bool takes_from(const struct room_zone *z, int from) {
        return from == FROM_MOVABLE || (ZONE_BIT(z->zone) & ZONES_KERNEL);
}

/* leave: the node that is left; -1: any. */
static void sum_up(const struct room *r, int from, int leave, struct shortage *ret) {
        struct shortage s = { .left = (int16_t) leave, .kernel_only = from == FROM_KERNEL };

        for (size_t i = 0; i < r->n; i++) {
                const struct room_zone *z = &r->zones[i];
                struct taken t;
                uint64_t file;

                assume(z, &t);
                /* Room for what comes from kernel zones is judged without what comes from Movable, which has it first. */
                if (takes_from(z, from) && (leave < 0 || z->node == (unsigned) leave)) {
                        s.need += t.move;
                        s.guessed = s.guessed || t.unseen;
                }
                if (!takes_from(z, from) || (leave >= 0 && r->n_nodes > 1 && z->node == (unsigned) leave))
                        continue;
                s.free += less(less(z->free, t.free), z->keep[from]);
                file = less(z->file, t.file);
                s.cache += file - MIN(file / 2, z->low); /* as MemAvailable: some of it is in use */
        }
        *ret = s;
}

static uint64_t missing(const struct shortage *s) {
        return less(s->need, s->free + s->cache);
}

bool room_suffices(const struct room *r, struct shortage *ret) {
        struct shortage worst = {}, s;

        for (int from = FROM_KERNEL; from <= FROM_MOVABLE; from++) {
                sum_up(r, from, -1, &s);
                if (missing(&s) > missing(&worst))
                        worst = s;
                for (size_t i = 0; i < r->n && r->n_nodes > 1; i++) {
                        sum_up(r, from, (int) r->zones[i].node, &s);
                        if (missing(&s) > missing(&worst))
                                worst = s;
                }
        }
        if (missing(&worst) == 0)
                return true;
        *ret = worst;
        return false;
}

void shortage_describe(const struct shortage *s, uint64_t page_size, char *buf, size_t size) {
        char need[FORMAT_SIZE_MAX], room[FORMAT_SIZE_MAX], free[FORMAT_SIZE_MAX], cache[FORMAT_SIZE_MAX], node[48] = "";

        if (s->left >= 0)
                snprintf(node, sizeof(node), " of the nodes other than %d", s->left);
        snprintf(buf, size, "%s%s would have to move, and %s zones%s have room for %s (%s free beyond their watermarks, %s of file "
                 "cache that can be dropped)", s->guessed ? "up to " : "", format_size(s->need * page_size, need),
                 s->kernel_only ? "the kernel" : "the", node, format_size((s->free + s->cache) * page_size, room),
                 format_size(s->free * page_size, free), format_size(s->cache * page_size, cache));
}
