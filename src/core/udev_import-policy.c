/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/udev_import.h"

#define ALL_KINDS ((1u << UDEV_KINDS) - 1)

enum platform udev_kind_platform(size_t kind) {
        static const enum platform kinds[UDEV_KINDS] = {
                PLATFORM_BAREMETAL, PLATFORM_KVM,    PLATFORM_QEMU,    PLATFORM_MICROSOFT, PLATFORM_XEN,  PLATFORM_VMWARE,
                PLATFORM_ORACLE,    PLATFORM_POWERVM, PLATFORM_ZVM,    PLATFORM_AMAZON,    PLATFORM_OTHER,
        };

        return kinds[kind];
}

void udev_origins_add(struct udev_origin *origins, size_t *n, struct udev_origin origin) {
        size_t i = 0;

        while (i < *n && (origins[i].file < origin.file || (origins[i].file == origin.file && origins[i].line < origin.line)))
                i++;
        if (*n == UDEV_ORIGINS_MAX || (i < *n && origins[i].file == origin.file && origins[i].line == origin.line))
                return;
        memmove(&origins[i + 1], &origins[i], (*n - i) * sizeof(*origins));
        origins[i] = origin;
        (*n)++;
}

static bool is_same(const struct udev_outcome *a, const struct udev_outcome *b) {
        return a->action == b->action && a->fallback == b->fallback;
}

static bool is_same_column(const struct udev_outcome *a, const struct udev_outcome *b) {
        for (size_t k = 0; k < UDEV_KINDS; k++)
                if (!is_same(&a[k], &b[k]))
                        return false;
        return true;
}

/* Of all virtual machines, "vm" is the word. */
static platform_mask platforms_of(unsigned kinds) {
        platform_mask mask = 0;

        if (kinds == (ALL_KINDS & ~1u)) /* the first is bare metal */
                return PLATFORM_BIT(PLATFORM_VM);
        for (size_t k = 0; k < UDEV_KINDS && kinds != ALL_KINDS; k++)
                if (kinds & 1u << k)
                        mask |= PLATFORM_BIT(udev_kind_platform(k));
        return mask;
}

/* Architectures on which the same happens, and what happens. */
struct group {
        unsigned members, n;
        struct udev_outcome *column;
};

static int add_rule(struct udev_import *u, const struct group *g, struct udev_outcome (*outcomes)[UDEV_KINDS],
                    const struct udev_outcome *what, unsigned kinds, bool last_group) {
        struct udev_import_rule rule = {
                .platforms = platforms_of(kinds),
                .architectures = last_group ? 0 : (platform_mask) g->members << PLATFORM_X86,
                .action = what->action < 0 ? ACTION_LEAVE_OFFLINE : what->action,
                .fallback = what->fallback < 0 ? ACTION_LEAVE_OFFLINE : what->fallback,
        };

        for (size_t a = 0; a < UDEV_ARCHITECTURES; a++)
                for (size_t k = 0; k < UDEV_KINDS; k++)
                        if ((g->members & 1u << a) && is_same(&outcomes[a][k], what))
                                for (size_t i = 0; i < outcomes[a][k].n_origins; i++)
                                        udev_origins_add(rule.origins, &rule.n_origins, outcomes[a][k].origins[i]);
        if (!GROW(u->rules, u->n_rules, u->capacity_rules))
                return -ENOMEM;
        u->rules[u->n_rules++] = rule;
        return 0;
}

static unsigned kinds_like(const struct udev_outcome *column, const struct udev_outcome *what) {
        unsigned kinds = 0;

        for (size_t k = 0; k < UDEV_KINDS; k++)
                if (is_same(&column[k], what))
                        kinds |= 1u << k;
        return kinds;
}

/* What happens on most kinds stands last, without naming them. */
static int add_group(struct udev_import *u, const struct group *g, struct udev_outcome (*outcomes)[UDEV_KINDS], bool last_group) {
        const struct udev_outcome *usual = &g->column[0];
        unsigned done;
        int r = 0;

        for (size_t k = 1; k < UDEV_KINDS; k++)
                if (__builtin_popcount(kinds_like(g->column, &g->column[k])) > __builtin_popcount(kinds_like(g->column, usual)))
                        usual = &g->column[k];
        done = kinds_like(g->column, usual);
        for (size_t k = 0; k < UDEV_KINDS && r >= 0; k++) {
                unsigned kinds = kinds_like(g->column, &g->column[k]);

                if (done & 1u << k)
                        continue;
                r = add_rule(u, g, outcomes, &g->column[k], kinds, last_group);
                done |= kinds;
        }
        return r < 0 ? r : add_rule(u, g, outcomes, usual, ALL_KINDS, last_group);
}

int udev_import_rules(struct udev_outcome outcomes[static UDEV_ARCHITECTURES][UDEV_KINDS], struct udev_import *u) {
        struct group groups[UDEV_ARCHITECTURES] = {};
        size_t n = 0, largest = 0;
        int r = 0;

        for (size_t a = 0; a < UDEV_ARCHITECTURES; a++) {
                size_t i = 0;

                while (i < n && !is_same_column(groups[i].column, outcomes[a]))
                        i++;
                if (i == n)
                        groups[n++].column = outcomes[a];
                groups[i].members |= 1u << a;
                groups[i].n++;
                if (groups[i].n > groups[largest].n)
                        largest = i;
        }
        for (size_t i = 0; i < n && r >= 0; i++)
                if (i != largest)
                        r = add_group(u, &groups[i], outcomes, false);
        return r < 0 ? r : add_group(u, &groups[largest], outcomes, true);
}
