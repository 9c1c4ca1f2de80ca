/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/counters.h"

#include <string.h>

static struct rule_counts *find(struct decision_counts *c, const char *rule) {
        if (c->last < c->n && strcmp(c->rules[c->last].rule, rule) == 0)
                return &c->rules[c->last];
        for (size_t i = 0; i < c->n; i++)
                if (strcmp(c->rules[i].rule, rule) == 0) {
                        c->last = i;
                        return &c->rules[i];
                }
        if (c->n == COUNTED_RULES)
                return &c->others;
        c->last = c->n++;
        snprintf(c->rules[c->last].rule, sizeof(c->rules[c->last].rule), "%s", rule);
        return &c->rules[c->last];
}

void decision_counts_add(struct decision_counts *c, const char *rule, enum action action) {
        if (action >= 0 && action < _ACTION_MAX)
                find(c, rule ?: "")->actions[action]++;
}
