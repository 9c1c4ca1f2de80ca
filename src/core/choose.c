/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/choose.h"

#include <string.h>

#include "core/format.h"

static const char *const names[_CHOICE_MAX] = {
        [CHOICE_DEVICE] = "device",
        [CHOICE_BLOCK] = "block",
        [CHOICE_SPARE] = "spare",
        [CHOICE_FIXED] = "fixed",
};

const char *choice_to_string(enum choice c) {
        return c >= 0 && c < _CHOICE_MAX ? names[c] : NULL;
}

/* In the order in which they are tried. */
enum kind {
        KIND_MOVABLE,
        KIND_MOVABLE_DOUBTFUL,
        KIND_KERNEL,
        KIND_KERNEL_DOUBTFUL,
        KIND_HOPELESS,
};

#define COSTS 16
/* Free pages on the CPUs' lists show no flag, as the kernel's own do; of a block they are few. */
#define FEW_PAGES(n_pages) ((n_pages) / 256)
#define UNRANKED UINT32_MAX

static enum kind kind_of(const struct candidate *c, uint64_t n_pages) {
        if (c->zones == ZONE_BIT(ZONE_MOVABLE))
                return c->failed || c->pages.unmovable ? KIND_MOVABLE_DOUBTFUL : KIND_MOVABLE;
        if (c->pages.unmovable)
                return KIND_HOPELESS;
        return c->failed || c->pages.unclear > FEW_PAGES(n_pages) ? KIND_KERNEL_DOUBTFUL : KIND_KERNEL;
}

static uint64_t cost_of(const struct candidate *c) {
        return (uint64_t) c->pages.movable + c->pages.unclear + c->pages.unmovable;
}

/* Ascending: cheap before costly, high addresses before low. */
static uint64_t order_of(uint64_t cost, uint64_t n_pages, uint32_t block) {
        /* Empty ones apart: nothing can keep them from going. */
        uint64_t share = cost && n_pages ? 1 + MIN(cost * COSTS / n_pages, (uint64_t) COSTS) : 0;

        return share << 32 | (UINT32_MAX - block);
}

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int compare_devices(const void *x, const void *y) {
        const struct candidate *a = x, *b = y;
        int r = compare(a->device, b->device);

        return r ?: compare(b->block, a->block);
}

/* Blocks of one device stay together: its highest block is part of their order. */
static int compare_units(const void *x, const void *y) {
        const struct candidate *a = x, *b = y;
        int r = compare(a->kind, b->kind);

        r = r ?: compare(a->order, b->order);
        return r ?: compare(b->block, a->block);
}

static int compare_ranks(const void *x, const void *y) {
        const struct candidate *a = x, *b = y;
        int r = compare(a->rank, b->rank);

        r = r ?: compare(a->kind, b->kind);
        r = r ?: compare(a->order, b->order);
        return r ?: compare(b->block, a->block);
}

static void sort(struct candidate *c, size_t n, int (*by)(const void *, const void *)) {
        if (n > 1)
                qsort(c, n, sizeof(*c), by);
}

/* The blocks of a device, as one: as doubtful as the worst of them, as costly as all of them. */
static void join_device(struct candidate *c, size_t n, uint64_t n_pages) {
        uint64_t cost = 0;
        uint8_t kind = 0;

        for (size_t i = 0; i < n; i++) {
                cost += cost_of(&c[i]);
                kind = MAX(kind, c[i].kind);
        }
        for (size_t i = 0; i < n; i++) {
                c[i].kind = kind;
                c[i].order = order_of(cost / n, n_pages, c[0].block);
        }
}

static void judge_each(struct candidate *c, size_t n, uint64_t n_pages) {
        for (size_t i = 0; i < n; i++)
                if (c[i].rank == UNRANKED) {
                        c[i].kind = (uint8_t) kind_of(&c[i], n_pages);
                        c[i].order = order_of(cost_of(&c[i]), n_pages, c[i].block);
                }
}

/* How many blocks from c on are of one device that may go as a whole; 0: none. */
static size_t whole_device(const struct candidate *c, size_t n) {
        size_t k = 0;

        if (!c->device || c->siblings > n)
                return 0;
        while (k < n && c[k].device == c->device && c[k].rank == UNRANKED)
                k++;
        return k == c->siblings ? k : 0;
}

/* Devices of this kind, as many as fit. Returns how many blocks that is. */
static size_t take_devices(struct candidate *c, size_t n, enum kind kind, size_t wanted, uint32_t *rank) {
        size_t taken = 0;

        sort(c, n, compare_units);
        for (size_t i = 0, k; i < n; i += MAX(k, (size_t) 1)) {
                k = whole_device(&c[i], n - i);
                if (k == 0 || k > wanted - taken || c[i].kind != kind)
                        continue;
                for (size_t j = i; j < i + k; j++) {
                        c[j].choice = CHOICE_DEVICE;
                        c[j].rank = (*rank)++;
                }
                taken += k;
        }
        return taken;
}

static size_t take_blocks(struct candidate *c, size_t n, enum kind kind, size_t wanted, uint32_t *rank) {
        size_t taken = 0;

        sort(c, n, compare_ranks);
        for (size_t i = 0; i < n && taken < wanted; i++)
                if (c[i].rank == UNRANKED && c[i].kind == kind) {
                        c[i].choice = CHOICE_BLOCK;
                        c[i].rank = (*rank)++;
                        taken++;
                }
        return taken;
}

static void judge_devices(struct candidate *c, size_t n, uint64_t n_pages) {
        sort(c, n, compare_devices);
        for (size_t i = 0, k; i < n; i += k) {
                for (k = 1; i + k < n && c[i].device && c[i + k].device == c[i].device;)
                        k++;
                if (c[i].rank == UNRANKED && k > 1)
                        join_device(&c[i], k, n_pages);
        }
}

size_t choose(struct candidate *c, size_t n, uint64_t n_pages, size_t wanted) {
        size_t taken = 0, worth = 0;
        uint32_t rank = 0;

        for (size_t i = 0; i < n; i++) {
                c[i].rank = UNRANKED;
                c[i].choice = CHOICE_SPARE;
        }
        for (enum kind kind = KIND_MOVABLE; kind < KIND_HOPELESS && taken < wanted; kind++) {
                judge_each(c, n, n_pages);
                judge_devices(c, n, n_pages);
                taken += take_devices(c, n, kind, wanted - taken, &rank);
                judge_each(c, n, n_pages);
                taken += take_blocks(c, n, kind, wanted - taken, &rank);
        }
        judge_each(c, n, n_pages);
        sort(c, n, compare_ranks);
        for (size_t i = 0; i < n; i++)
                if (c[i].rank == UNRANKED && c[i].kind == KIND_HOPELESS)
                        c[i].choice = CHOICE_FIXED;
                else
                        worth++;
        return worth;
}

void candidate_describe(const struct candidate *c, uint64_t page_size, char *buf, size_t size) {
        char move[FORMAT_SIZE_MAX], stay[FORMAT_SIZE_MAX], pages[160] = "nobody could look into it";
        const char *zone = "zone unknown", *what;
        uint64_t n_pages = (uint64_t) c->pages.free + c->pages.movable + c->pages.unmovable + c->pages.unclear + c->pages.absent;
        size_t n;

        if (c->zones && !(c->zones & (c->zones - 1)))
                zone = zone_to_string((enum zone) __builtin_ctz(c->zones));
        if (c->pages.known) {
                n = (size_t) snprintf(pages, sizeof(pages), "%u%% free, %s to move",
                                      (unsigned) (n_pages ? c->pages.free * UINT64_C(100) / n_pages : 0),
                                      format_size(c->pages.movable * page_size, move));
                if (c->pages.unmovable)
                        snprintf(pages + n, sizeof(pages) - n, ", %s that cannot be moved",
                                 format_size(c->pages.unmovable * page_size, stay));
        }
        switch ((enum choice) c->choice) {
        case CHOICE_DEVICE:
                what = "all of its device goes";
                break;
        case CHOICE_SPARE:
                what = c->failed ? "only if others fail, as it did before" : "only if others fail";
                break;
        case CHOICE_FIXED:
                what = "not tried";
                break;
        default:
                what = c->failed ? "chosen, though it failed before" : "chosen";
        }
        snprintf(buf, size, "%s, %s; %s", zone, pages, what);
}
