/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/balance.h"

#include <inttypes.h>

#include "core/format.h"

static uint64_t side_kernel(const struct totals_side *s, const struct balance_rule *rule) {
        return s->kernel_early + (rule->hot_extends ? s->kernel_hot : 0);
}

/* movable / kernel <= ratio / 100, as the kernel rounds it. */
bool balance_side_allows(const struct totals_side *s, const struct balance_rule *rule, uint64_t bytes, int node,
                         struct balance *ret) {
        uint64_t kernel = side_kernel(s, rule), limit;

        *ret = (struct balance) {
                .movable = s->movable + bytes, .kernel = kernel, .added = bytes, .node = (int16_t) node, .judged = true,
                .hot_counted = rule->hot_extends,
                .ratio = rule->ratio,
        };
        if (kernel == 0 || ret->movable < bytes)
                return false;
        if (__builtin_mul_overflow(kernel, (uint64_t) rule->ratio, &limit))
                return ret->movable / rule->ratio < kernel / 100; /* exabytes: rounded down */
        return ret->movable <= limit / 100;
}

bool balance_allows(const struct totals *t, const struct balance_rule *rule, int node, uint64_t bytes, struct balance *ret) {
        if (!balance_side_allows(&t->all, rule, bytes, -1, ret))
                return false;
        if (!rule->numa_aware || node < 0 || node >= NODES_MAX)
                return true;
        return balance_side_allows(&t->nodes[node], rule, bytes, node, ret);
}

static void each_side(struct totals *t, int node, void (*change)(struct totals_side *s, uint64_t bytes), uint64_t bytes) {
        change(&t->all, bytes);
        if (node >= 0 && node < NODES_MAX)
                change(&t->nodes[node], bytes);
}

static void add_early(struct totals_side *s, uint64_t bytes) {
        s->kernel_early += bytes;
}

static void add_hot(struct totals_side *s, uint64_t bytes) {
        s->kernel_hot += bytes;
}

static void add_movable(struct totals_side *s, uint64_t bytes) {
        s->movable += bytes;
}

static void move_to_hot(struct totals_side *s, uint64_t bytes) {
        bytes = MIN(bytes, s->kernel_early);
        s->kernel_early -= bytes;
        s->kernel_hot += bytes;
}

void totals_add_zone(struct totals *t, unsigned node, enum zone zone, uint64_t present, uint64_t cma) {
        if (zone == ZONE_MOVABLE)
                each_side(t, (int) node, add_movable, present);
        else if (zone >= 0 && (ZONE_BIT(zone) & ZONES_KERNEL)) {
                cma = MIN(cma, present);
                each_side(t, (int) node, add_early, present - cma);
                each_side(t, (int) node, add_movable, cma);
        }
}

void totals_move_to_hot(struct totals *t, int node, uint64_t bytes) {
        each_side(t, node, move_to_hot, bytes);
}

void totals_expect(struct totals *t, int node, bool movable, uint64_t bytes) {
        each_side(t, node, movable ? add_movable : add_hot, bytes);
}

uint64_t balance_percent(uint64_t movable, uint64_t kernel) {
        uint64_t percent;

        if (kernel == 0)
                return UINT64_MAX;
        if (__builtin_mul_overflow(movable, UINT64_C(100), &percent))
                return movable / kernel * 100;
        return percent / kernel;
}

void balance_describe(const struct balance *b, char *buf, size_t size) {
        char movable[FORMAT_SIZE_MAX], kernel[FORMAT_SIZE_MAX], where[32] = "the machine";
        const char *counted = b->hot_counted ? "" : " from boot";

        if (b->node >= 0)
                snprintf(where, sizeof(where), "node %d", b->node);
        if (b->kernel == 0)
                snprintf(buf, size, "with it %s would be movable on %s, beside no kernel memory%s; the limit is %u %%",
                         format_size(b->movable, movable), where, counted, b->ratio);
        else
                snprintf(buf, size, "with it %s would be movable on %s, %" PRIu64 " %% of the %s of kernel memory%s; the limit is "
                         "%u %%", format_size(b->movable, movable), where, balance_percent(b->movable, b->kernel),
                         format_size(b->kernel, kernel), counted, b->ratio);
}

bool balance_equal(const struct balance *a, const struct balance *b) {
        return a->judged == b->judged && (!a->judged || (a->movable == b->movable && a->kernel == b->kernel &&
                                                         a->added == b->added && a->node == b->node && a->ratio == b->ratio));
}
