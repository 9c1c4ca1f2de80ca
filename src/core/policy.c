/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"

#include <string.h>

static const struct {
        const char *name;
        const char *state;     /* what is written to memoryN/state */
        const char *zone_name;
        zone_mask zones;       /* what fulfils it */
} actions[_ACTION_MAX] = {
        [ACTION_LEAVE_OFFLINE] = { "leave_offline", NULL, NULL, 0 },
        [ACTION_ONLINE] = { "online", "online", "any", ZONES_KERNEL | ZONE_BIT(ZONE_MOVABLE) },
        [ACTION_ONLINE_KERNEL] = { "online_kernel", "online_kernel", "kernel", ZONES_KERNEL },
        [ACTION_ONLINE_MOVABLE] = { "online_movable", "online_movable", "Movable", ZONE_BIT(ZONE_MOVABLE) },
};

static bool action_is_valid(enum action a) {
        return a >= 0 && a < _ACTION_MAX;
}

const char *action_to_string(enum action a) {
        return action_is_valid(a) ? actions[a].name : NULL;
}

enum action action_from_string(const char *s) {
        for (enum action a = 0; a < _ACTION_MAX; a++)
                if (strcmp(actions[a].name, s) == 0)
                        return a;
        return _ACTION_INVALID;
}

const char *action_to_state(enum action a) {
        return action_is_valid(a) ? actions[a].state : NULL;
}

zone_mask action_zones(enum action a) {
        return action_is_valid(a) ? actions[a].zones : 0;
}

const char *action_zone_name(enum action a) {
        return action_is_valid(a) ? actions[a].zone_name : NULL;
}

const char *match_key_to_string(enum match_key k) {
        static const char *const names[_MATCH_MAX] = {
                [MATCH_SOURCE] = "source",
                [MATCH_NODE] = "node",
        };

        return k >= 0 && k < _MATCH_MAX ? names[k] : NULL;
}

enum auto_online auto_online_from_string(const char *s) {
        static const char *const names[_AUTO_ONLINE_MAX] = {
                [AUTO_ONLINE_MANAGE] = "manage",
                [AUTO_ONLINE_KEEP] = "keep",
                [AUTO_ONLINE_DELEGATE] = "delegate",
        };

        for (enum auto_online a = 0; a < _AUTO_ONLINE_MAX; a++)
                if (strcmp(names[a], s) == 0)
                        return a;
        return _AUTO_ONLINE_INVALID;
}

struct policy *policy_new(void) {
        struct policy *p = malloc(sizeof(*p));

        if (p)
                *p = (struct policy) {
                        .retry = { .first_usec = 200000, .max_usec = 30000000, .attempts = 10 },
                        .startup_apply = true,
                        .reconcile_usec = 600000000,
                        .offline_timeout_usec = 60000000,
                };
        return p;
}

void policy_free(struct policy *p) {
        if (!p)
                return;
        for (size_t i = 0; i < p->n_rules; i++) {
                free(p->rules[i].name);
                free(p->rules[i].file);
                ranges_done(&p->rules[i].match.nodes);
        }
        free(p->rules);
        free(p);
}

static bool match_source(const struct match *m, const struct block *b) {
        return !m->sources || (m->sources & SOURCE_BIT(b->source));
}

static bool match_node(const struct match *m, const struct block *b) {
        int node = node_set_next(&b->nodes, 0);

        if (m->nodes.n == 0)
                return true;
        if (node < 0)
                return false;
        for (; node >= 0; node = node_set_next(&b->nodes, (unsigned) node + 1))
                if (!ranges_contain(&m->nodes, (unsigned) node))
                        return false;
        return true;
}

bool rule_match(const struct rule *r, const struct block *b, enum match_key *ret_failed) {
        static bool (*const conditions[_MATCH_MAX])(const struct match *m, const struct block *b) = {
                [MATCH_SOURCE] = match_source,
                [MATCH_NODE] = match_node,
        };

        for (enum match_key k = 0; k < _MATCH_MAX; k++)
                if (!conditions[k](&r->match, b)) {
                        if (ret_failed)
                                *ret_failed = k;
                        return false;
                }
        return true;
}

/* Also by several together: 0-3 by 0-1,2-3. */
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

bool match_covers(const struct match *a, const struct match *b) {
        if (a->sources && (b->sources == 0 || (b->sources & ~a->sources)))
                return false;
        if (a->nodes.n == 0)
                return true;
        for (size_t i = 0; i < b->nodes.n; i++)
                if (!range_is_covered(&a->nodes, &b->nodes.items[i]))
                        return false;
        return b->nodes.n > 0;
}

/* Where the kernel names no candidates (valid_zones may be absent), the write itself has to tell. */
static bool action_is_possible(enum action a, const struct block *b) {
        return a == ACTION_LEAVE_OFFLINE || !b->zones_known || (b->zones & actions[a].zones);
}

static void decide(const struct policy *p, const struct block *b, struct decision *ret) {
        struct decision d = { .action = ACTION_LEAVE_OFFLINE, .reason = REASON_NO_RULE, .rule = -1 };

        for (size_t i = 0; i < p->n_rules; i++) {
                const struct rule *r = &p->rules[i];

                if (!rule_match(r, b, NULL))
                        continue;
                d.rule = (int) i;
                if (action_is_possible(r->action, b)) {
                        d.action = r->action;
                        d.reason = REASON_RULE;
                } else if (r->fallback != ACTION_LEAVE_OFFLINE && action_is_possible(r->fallback, b)) {
                        d.action = r->fallback;
                        d.reason = REASON_FALLBACK;
                } else
                        d.reason = REASON_ZONE_UNAVAILABLE;
                break;
        }
        *ret = d;
}

void policy_decide(const struct policy *p, const struct block *b, struct decision *ret) {
        struct decision d = { .action = ACTION_LEAVE_OFFLINE, .rule = -1 };

        if (b->state != BLOCK_OFFLINE)
                d.reason = REASON_NOT_OFFLINE;
        else if (b->hands_off)
                d.reason = REASON_HANDS_OFF;
        else if (b->rolled_back)
                d.reason = REASON_ROLLED_BACK;
        else if (b->at_startup && !p->startup_apply)
                d.reason = REASON_STARTUP;
        else
                decide(p, b, &d);
        *ret = d;
}

/* Whether the rules were asked at all. */
static bool is_by_rules(const struct decision *d) {
        return d->reason == REASON_RULE || d->reason == REASON_FALLBACK || d->reason == REASON_ZONE_UNAVAILABLE ||
               d->reason == REASON_NO_RULE;
}

void policy_decide_alike(const struct policy *p, const struct block *b, const struct decision *first,
                         struct decision *ret) {
        struct decision d;

        policy_decide(p, b, &d);
        if (is_by_rules(&d)) {
                d = *first;
                if (!action_is_possible(d.action, b)) {
                        d.action = ACTION_LEAVE_OFFLINE;
                        d.reason = REASON_ZONE_UNAVAILABLE;
                }
        }
        *ret = d;
}

bool policy_is_uniform(const struct policy *p, enum action *ret) {
        const struct match all = {};
        enum action action = ACTION_LEAVE_OFFLINE; /* what no rule matches */

        for (size_t i = 0; i < p->n_rules; i++) {
                if (i == 0)
                        action = p->rules[i].action;
                else if (p->rules[i].action != action)
                        return false;
                if (match_covers(&p->rules[i].match, &all)) {
                        *ret = action;
                        return true;
                }
        }
        if (action != ACTION_LEAVE_OFFLINE)
                return false;
        *ret = action;
        return true;
}

void policy_want(const struct policy *p, const struct block *b, struct decision *ret) {
        struct block candidate = *b;

        /* An online block names the zone it is in, not those it could have been in. */
        if (b->state != BLOCK_OFFLINE)
                candidate.zones_known = false;
        decide(p, &candidate, ret);
}

void decision_describe(const struct policy *p, const struct block *b, const struct decision *d, char *buf, size_t size) {
        const struct rule *r = d->rule >= 0 && (size_t) d->rule < p->n_rules ? &p->rules[d->rule] : NULL;

        switch (d->reason) {
        case REASON_RULE:
                snprintf(buf, size, "rule \"%s\" (%s:%u) says %s", r->name, r->file, r->line, action_to_string(d->action));
                break;
        case REASON_FALLBACK:
                snprintf(buf, size, "rule \"%s\" (%s:%u) says %s, but the block cannot go to zone %s; its fallback is %s",
                         r->name, r->file, r->line, action_to_string(r->action), action_zone_name(r->action),
                         action_to_string(d->action));
                break;
        case REASON_ZONE_UNAVAILABLE:
                snprintf(buf, size, "rule \"%s\" (%s:%u) says %s, but the block cannot go to zone %s%s; left offline",
                         r->name, r->file, r->line, action_to_string(r->action), action_zone_name(r->action),
                         r->fallback == ACTION_LEAVE_OFFLINE ? "" : ", nor where its fallback wants it");
                break;
        case REASON_NO_RULE:
                snprintf(buf, size, "no rule matches; left offline");
                break;
        case REASON_HANDS_OFF:
                snprintf(buf, size, "somebody else set it offline; it stays so");
                break;
        case REASON_ROLLED_BACK:
                snprintf(buf, size, "its device could not be brought online as a whole, and on_partial is \"rollback\"; "
                                    "left offline");
                break;
        case REASON_STARTUP:
                snprintf(buf, size, "it was offline when the daemon started, and startup is \"ignore\"; left offline");
                break;
        case REASON_NOT_OFFLINE:
                snprintf(buf, size, "the block is %s: nothing to decide", block_state_to_string(b->state));
                break;
        default:
                snprintf(buf, size, "unknown reason");
        }
}
