/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"

#include <inttypes.h>
#include <string.h>

#include "core/format.h"

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
        [ACTION_BALANCE] = { "balance", NULL, "any", ZONES_KERNEL | ZONE_BIT(ZONE_MOVABLE) },
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

static const char *const reasons[_REASON_MAX] = {
        [REASON_RULE] = "rule",
        [REASON_FALLBACK] = "fallback",
        [REASON_BALANCED] = "balanced",
        [REASON_RATIO] = "ratio",
        [REASON_ZONE_UNAVAILABLE] = "zone-unavailable",
        [REASON_NO_RULE] = "no-rule",
        [REASON_HANDS_OFF] = "hands-off",
        [REASON_HELD] = "held",
        [REASON_SOURCE_HIDDEN] = "source-hidden",
        [REASON_ROLLED_BACK] = "rolled-back",
        [REASON_STARTUP] = "startup",
        [REASON_NOT_OFFLINE] = "not-offline",
        [REASON_ASKED] = "asked",
        [REASON_UNDONE] = "undone",
};

const char *reason_to_string(enum reason r) {
        return r >= 0 && r < _REASON_MAX ? reasons[r] : NULL;
}

enum reason reason_from_string(const char *s) {
        for (enum reason r = 0; r < _REASON_MAX; r++)
                if (strcmp(reasons[r], s) == 0)
                        return r;
        return _REASON_INVALID;
}

bool reason_is_of_rules(enum reason r) {
        return r == REASON_RULE || r == REASON_FALLBACK || r == REASON_BALANCED || r == REASON_RATIO ||
               r == REASON_ZONE_UNAVAILABLE || r == REASON_NO_RULE || r == REASON_SOURCE_HIDDEN;
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
                        .alerts = { .interval_usec = 60000000, .waiting_usec = 3600000000 },
                };
        return p;
}

static bool ends_with(const char *name, size_t n, const char *suffix) {
        size_t k = strlen(suffix);

        return n > k && strcmp(name + n - k, suffix) == 0;
}

bool unit_name_is_valid(const char *name) {
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
        size_t n = strspn(name, allowed);
        const char *at = strchr(name, '@');

        if (name[n] != '\0' || n >= UNIT_NAME_MAX || (!ends_with(name, n, ".service") && !ends_with(name, n, ".target")))
                return false;
        return !at || (at > name && at[1] != '.'); /* "x@.service" is a template: nothing to start */
}

void policy_free(struct policy *p) {
        if (!p)
                return;
        for (size_t i = 0; i < p->n_rules; i++) {
                free(p->rules[i].name);
                free(p->rules[i].file);
                match_done(&p->rules[i].match);
        }
        for (size_t i = 0; i < p->n_files; i++)
                free(p->files[i]);
        free(p->files);
        free(p->rules);
        free(p);
}

/* Where the kernel names no candidates (valid_zones may be absent), the write itself has to tell. */
static bool action_is_possible(enum action a, const struct block *b) {
        return a == ACTION_LEAVE_OFFLINE || !b->zones_known || (b->zones & actions[a].zones);
}

bool source_is_dynamic(enum source s) {
        return s == SOURCE_VIRTIO_MEM || s == SOURCE_HYPERV || s == SOURCE_XEN;
}

uint64_t block_balance_size(const struct block *b) {
        if (source_is_dynamic(b->source) || b->device_size <= b->device_movable)
                return b->size;
        return MAX(b->device_size - b->device_movable, b->size);
}

bool policy_goes_by_parts(const struct policy *p, const struct block *b, const struct decision *first) {
        const struct rule *r = first->rule >= 0 && (size_t) first->rule < p->n_rules ? &p->rules[first->rule] : NULL;

        return r && source_is_dynamic(b->source) && (r->action == ACTION_BALANCE || r->balance.ratio);
}

static bool fits(const struct rule *r, const struct block *b, const struct surroundings *s, struct decision *d) {
        return balance_allows(&s->totals, &r->balance, node_set_next(&b->nodes, 0), block_balance_size(b), &d->balance);
}

/* Where nothing is known of the machine's memory, kernel memory is what cannot break it. */
static void decide_balance(const struct rule *r, const struct block *b, const struct surroundings *s, struct decision *d) {
        bool movable = s->totals.known && fits(r, b, s, d), whole = b->device_kernel == 0 || source_is_dynamic(b->source);

        d->action = ACTION_ONLINE_KERNEL;
        d->reason = REASON_BALANCED;
        if (movable && whole && action_is_possible(ACTION_ONLINE_MOVABLE, b))
                d->action = ACTION_ONLINE_MOVABLE;
        else if (movable)
                d->balance = (struct balance) { .node = -1, .ratio = r->balance.ratio }; /* not a matter of figures */
}

static void decide_by_rule(const struct rule *r, const struct block *b, const struct surroundings *s, struct decision *d) {
        enum reason reason = REASON_FALLBACK;

        d->action = r->action;
        d->reason = REASON_RULE;
        if (r->action == ACTION_BALANCE)
                decide_balance(r, b, s, d);
        else if (r->action == ACTION_ONLINE_MOVABLE && r->balance.ratio && s->totals.known && !fits(r, b, s, d)) {
                d->action = _ACTION_INVALID;
                reason = REASON_RATIO;
        } else
                d->balance = (struct balance) {};
        if (d->action >= 0 && action_is_possible(d->action, b))
                return;
        /* Beyond the ratio the zone must not be Movable by another way. */
        if (reason == REASON_RATIO && r->fallback != ACTION_ONLINE_KERNEL) {
                d->action = ACTION_LEAVE_OFFLINE;
                d->reason = reason;
        } else if (r->fallback != ACTION_LEAVE_OFFLINE && action_is_possible(r->fallback, b)) {
                d->action = r->fallback;
                d->reason = reason;
        } else {
                d->action = ACTION_LEAVE_OFFLINE;
                d->reason = reason == REASON_RATIO ? REASON_RATIO : REASON_ZONE_UNAVAILABLE;
        }
}

static void decide(const struct policy *p, const struct block *b, const struct surroundings *s, struct decision *ret) {
        struct decision d = { .action = ACTION_LEAVE_OFFLINE, .reason = REASON_NO_RULE, .rule = -1 };
        struct match_subject subject;

        match_subject_init(&subject, b, s->platforms);
        for (size_t i = 0; i < p->n_rules; i++) {
                if (b->source_hidden && match_may_hide(&p->rules[i].match, &subject)) {
                        /* It may be what this rule is about: device memory put online by mistake is hard to take back. */
                        d.reason = REASON_SOURCE_HIDDEN;
                        d.rule = (int) i;
                        break;
                }
                if (!match_subject(&p->rules[i].match, &subject, NULL))
                        continue;
                d.rule = (int) i;
                decide_by_rule(&p->rules[i], b, s, &d);
                break;
        }
        *ret = d;
}

bool policy_decide_without_rules(const struct policy *p, const struct block *b, struct decision *ret) {
        struct decision d = { .action = ACTION_LEAVE_OFFLINE, .rule = -1 };

        if (b->state != BLOCK_OFFLINE)
                d.reason = REASON_NOT_OFFLINE;
        else if (b->hands_off)
                d.reason = REASON_HANDS_OFF;
        else if (b->held)
                d.reason = REASON_HELD;
        else if (b->rolled_back)
                d.reason = REASON_ROLLED_BACK;
        else if (b->at_startup && !p->startup_apply)
                d.reason = REASON_STARTUP;
        else
                return false;
        *ret = d;
        return true;
}

void policy_decide(const struct policy *p, const struct block *b, const struct surroundings *s, struct decision *ret) {
        if (!policy_decide_without_rules(p, b, ret))
                decide(p, b, s, ret);
}

void policy_decide_alike(const struct policy *p, const struct block *b, const struct decision *first, struct decision *ret) {
        struct decision d = *first;

        if (policy_decide_without_rules(p, b, ret))
                return;
        if (!action_is_possible(d.action, b)) {
                d.action = ACTION_LEAVE_OFFLINE;
                d.reason = REASON_ZONE_UNAVAILABLE;
        }
        *ret = d;
}

bool policy_is_uniform(const struct policy *p, enum action *ret) {
        const struct match all = {};
        enum action action = ACTION_LEAVE_OFFLINE; /* what no rule matches */

        for (size_t i = 0; i < p->n_rules; i++) {
                if (p->rules[i].action == ACTION_BALANCE || p->rules[i].balance.ratio)
                        return false; /* the kernel would have to count as memhpd does */
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

void policy_want(const struct policy *p, const struct block *b, const struct surroundings *s, struct decision *ret) {
        struct block candidate = *b;

        /* An online block names the zone it is in, not those it could have been in. */
        if (b->state != BLOCK_OFFLINE)
                candidate.zones_known = false;
        decide(p, &candidate, s, ret);
}

static void describe_by_rule(const struct rule *r, const struct decision *d, char *buf, size_t size) {
        const char *said = action_to_string(r->action), *done = action_to_string(d->action);
        /* A balance can always do with kernel memory. */
        const char *zone = action_zone_name(r->action == ACTION_BALANCE ? ACTION_ONLINE_KERNEL : r->action);
        char figures[256] = "the machine's memory is unknown";
        int n = snprintf(buf, size, "rule \"%s\" (%s:%u) says %s", r->name, r->file, r->line, said);

        if (n < 0 || (size_t) n >= size)
                return;
        buf += n;
        size -= (size_t) n;
        if (d->balance.node < 0 && !d->balance.judged)
                snprintf(figures, sizeof(figures), "the block cannot go to zone Movable, or a part of its device is kernel "
                         "memory already");
        if (d->balance.judged)
                balance_describe(&d->balance, figures, sizeof(figures));
        switch (d->reason) {
        case REASON_BALANCED:
                snprintf(buf, size, ": %s, as %s", done, figures);
                break;
        case REASON_RATIO:
                snprintf(buf, size, ", but %s; %s%s", figures,
                         d->action == ACTION_LEAVE_OFFLINE ? "left offline" : "its fallback is ",
                         d->action == ACTION_LEAVE_OFFLINE ? "" : done);
                break;
        case REASON_FALLBACK:
                snprintf(buf, size, ", but the block cannot go to zone %s; its fallback is %s", zone, done);
                break;
        case REASON_SOURCE_HIDDEN:
                snprintf(buf, size, ", but for which memory cannot be told, as /proc/iomem shows nothing; left offline");
                break;
        case REASON_ZONE_UNAVAILABLE:
                snprintf(buf, size, ", but the block cannot go to zone %s%s; left offline", zone,
                         r->fallback == ACTION_LEAVE_OFFLINE ? "" : ", nor where its fallback wants it");
                break;
        default:
                break;
        }
}

void decision_describe(const struct policy *p, const struct block *b, const struct decision *d, char *buf, size_t size) {
        const char *text;

        if (d->rule >= 0 && (size_t) d->rule < p->n_rules) {
                describe_by_rule(&p->rules[d->rule], d, buf, size);
                return;
        }
        switch (d->reason) {
        case REASON_NO_RULE:
                text = "no rule matches; left offline";
                break;
        case REASON_HANDS_OFF:
                text = "somebody else set it offline; it stays so";
                break;
        case REASON_HELD:
                text = "a hold is on it (see memhpctl hold); left offline until it is released";
                break;
        case REASON_ROLLED_BACK:
                text = "its device could not be brought online as a whole, and on_partial is \"rollback\"; left offline";
                break;
        case REASON_STARTUP:
                text = "it was offline when the daemon started, and startup is \"ignore\"; left offline";
                break;
        case REASON_ASKED:
                text = "somebody asked for it";
                break;
        case REASON_UNDONE:
                text = "somebody asked for all of some blocks or none, and not all could be had";
                break;
        case REASON_NOT_OFFLINE:
                snprintf(buf, size, "the block is %s: nothing to decide", block_state_to_string(b->state));
                return;
        default:
                text = "unknown reason";
        }
        snprintf(buf, size, "%s", text);
}
