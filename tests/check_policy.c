/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"

#include <ctype.h>

#include "check_util.h"

#include "check_blocks.h"

/* ---- Words ---- */

static const struct {
        enum action action;
        const char *word, *state, *zone_name;
        zone_mask zones;
} actions[] = {
        { ACTION_LEAVE_OFFLINE, "leave_offline", NULL, NULL, 0 },
        { ACTION_ONLINE, "online", "online", "any", ZONES_KERNEL | ZONE_BIT(ZONE_MOVABLE) },
        { ACTION_ONLINE_KERNEL, "online_kernel", "online_kernel", "kernel", ZONES_KERNEL },
        { ACTION_ONLINE_MOVABLE, "online_movable", "online_movable", "Movable", ZONE_BIT(ZONE_MOVABLE) },
        { ACTION_BALANCE, "balance", NULL, "any", ZONES_KERNEL | ZONE_BIT(ZONE_MOVABLE) },
};

START_TEST(test_words) {
        static const char *const strays[] = {
                "", " ", "offline", "Online", "online ", "online_Movable", "movable", "onlin", "0", "\xff",
        };
        static const enum action invalid[] = { _ACTION_MAX, _ACTION_INVALID };

        ck_assert_uint_eq(ARRAY_SIZE(actions), _ACTION_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
                enum action a = actions[i].action;

                ck_assert_str_eq(action_to_string(a), actions[i].word);
                ck_assert_int_eq(action_from_string(actions[i].word), a);
                ck_assert_pstr_eq(action_to_state(a), actions[i].state);
                ck_assert_pstr_eq(action_zone_name(a), actions[i].zone_name);
                ck_assert_uint_eq(action_zones(a), actions[i].zones);
                ck_assert(!(action_zones(a) & ZONE_BIT(ZONE_DEVICE))); /* never ours to give */
        }
        for (size_t i = 0; i < ARRAY_SIZE(strays); i++)
                ck_assert_int_eq(action_from_string(strays[i]), _ACTION_INVALID);
        for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
                ck_assert_ptr_null(action_to_string(invalid[i]));
                ck_assert_ptr_null(action_to_state(invalid[i]));
                ck_assert_ptr_null(action_zone_name(invalid[i]));
                ck_assert_uint_eq(action_zones(invalid[i]), 0);
        }
        ck_assert_int_eq(_ACTION_INVALID, -EINVAL);
        ck_assert_int_eq(_REASON_INVALID, -EINVAL);
}
END_TEST

/* ---- Rules and blocks by hand ---- */

/* Nothing is known of the machine. */
static const struct surroundings nothing;

static struct block block_with(enum source source, const char *nodes, zone_mask zones) {
        struct block b = { .index = 32, .start = 32 * BLOCK_SIZE, .size = BLOCK_SIZE, .tier = -1, .state = BLOCK_OFFLINE, .zones_known = true, .zones = zones, .source = source };
        struct ranges r;

        if (*nodes) {
                ck_assert_int_eq(parse_ranges(nodes, RANGES_NUMBERS, &r), 0);
                for (unsigned n = 0; n < NODES_MAX; n++)
                        if (ranges_contain(&r, n))
                                node_set_add(&b.nodes, n);
                ranges_done(&r);
        }
        b.first_zone = zones & K ? ZONE_NORMAL : zones & M ? ZONE_MOVABLE : _ZONE_INVALID;
        return b;
}

static const struct {
        enum action action, fallback;
        bool zones_known;
        zone_mask zones;
        enum action decided;
        enum reason reason;
} fallback_rows[] = {
        /* the zone is among the candidates */
        { ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE, true, K | M, ACTION_ONLINE_MOVABLE, REASON_RULE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, true, K | M, ACTION_ONLINE_KERNEL, REASON_RULE },
        { ACTION_ONLINE, ACTION_LEAVE_OFFLINE, true, K, ACTION_ONLINE, REASON_RULE },
        { ACTION_ONLINE, ACTION_LEAVE_OFFLINE, true, M, ACTION_ONLINE, REASON_RULE },
        { ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL, true, M, ACTION_ONLINE_MOVABLE, REASON_RULE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, true, ZONE_BIT(ZONE_DMA), ACTION_ONLINE_KERNEL, REASON_RULE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, true, ZONE_BIT(ZONE_DMA32), ACTION_ONLINE_KERNEL, REASON_RULE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, true, ZONE_BIT(ZONE_HIGHMEM), ACTION_ONLINE_KERNEL, REASON_RULE },
        /* it is not: the fallback, if that can be had */
        { ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL, true, K, ACTION_ONLINE_KERNEL, REASON_FALLBACK },
        { ACTION_ONLINE_MOVABLE, ACTION_ONLINE, true, K, ACTION_ONLINE, REASON_FALLBACK },
        { ACTION_ONLINE_KERNEL, ACTION_ONLINE_MOVABLE, true, M, ACTION_ONLINE_MOVABLE, REASON_FALLBACK },
        { ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE, true, K, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, true, M, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE },
        { ACTION_ONLINE_MOVABLE, ACTION_ONLINE_MOVABLE, true, K, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE },
        /* "none", and a zone that nobody may have */
        { ACTION_ONLINE, ACTION_ONLINE_KERNEL, true, 0, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE },
        { ACTION_ONLINE, ACTION_ONLINE_MOVABLE, true, D, ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE },
        /* no candidates are known: the write has to tell */
        { ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL, false, 0, ACTION_ONLINE_MOVABLE, REASON_RULE },
        { ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE, false, 0, ACTION_ONLINE_KERNEL, REASON_RULE },
        { ACTION_ONLINE, ACTION_LEAVE_OFFLINE, false, 0, ACTION_ONLINE, REASON_RULE },
        /* to leave it needs no zone */
        { ACTION_LEAVE_OFFLINE, ACTION_LEAVE_OFFLINE, true, K | M, ACTION_LEAVE_OFFLINE, REASON_RULE },
        { ACTION_LEAVE_OFFLINE, ACTION_ONLINE_MOVABLE, true, M, ACTION_LEAVE_OFFLINE, REASON_RULE },
        { ACTION_LEAVE_OFFLINE, ACTION_ONLINE_MOVABLE, true, 0, ACTION_LEAVE_OFFLINE, REASON_RULE },
        { ACTION_LEAVE_OFFLINE, ACTION_LEAVE_OFFLINE, false, 0, ACTION_LEAVE_OFFLINE, REASON_RULE },
};

START_TEST(test_fallback) {
        struct block b = block_with(SOURCE_DIMM, "1", fallback_rows[_i].zones);
        /* a rule behind it that would take anything must not be asked */
        struct rule rules[] = {
                { .name = (char *) "a", .action = fallback_rows[_i].action, .fallback = fallback_rows[_i].fallback },
                { .name = (char *) "b", .action = ACTION_ONLINE, .fallback = ACTION_ONLINE },
        };
        struct policy p = { .rules = rules, .n_rules = 2, .startup_apply = true };
        struct decision d = { .action = _ACTION_INVALID, .reason = _REASON_INVALID, .rule = 99 };

        b.zones_known = fallback_rows[_i].zones_known;
        policy_decide(&p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, fallback_rows[_i].decided);
        ck_assert_int_eq(d.reason, fallback_rows[_i].reason);
        ck_assert_int_eq(d.rule, 0);
}
END_TEST

/* A device is judged as a whole, but what comes in parts part by part; and only where figures are asked. */
START_TEST(test_parts) {
        struct rule rules[] = {
                { .action = ACTION_BALANCE, .balance = { .ratio = 301 } },
                { .action = ACTION_ONLINE_MOVABLE, .balance = { .ratio = 301 } },
                { .action = ACTION_ONLINE_MOVABLE },
                { .action = ACTION_BALANCE }, /* movable_ratio = 0 */
        };
        const struct policy p = { .rules = rules, .n_rules = ARRAY_SIZE(rules) };

        for (enum source s = 0; s < _SOURCE_MAX; s++) {
                bool dynamic = s == SOURCE_VIRTIO_MEM || s == SOURCE_HYPERV || s == SOURCE_XEN;
                struct block b = block_with(s, "0", K | M);

                ck_assert_int_eq(source_is_dynamic(s), dynamic);
                ck_assert_uint_eq(block_balance_size(&b), BLOCK_SIZE); /* all that is known */
                b.device_size = 8 * GIB;
                ck_assert_uint_eq(block_balance_size(&b), dynamic ? BLOCK_SIZE : 8 * GIB);
                for (int rule = -1; rule <= (int) p.n_rules; rule++) {
                        const struct decision first = { .action = ACTION_ONLINE_MOVABLE, .rule = rule };

                        ck_assert_int_eq(policy_goes_by_parts(&p, &b, &first), dynamic && (rule == 0 || rule == 1 || rule == 3));
                }
        }
}
END_TEST

START_TEST(test_first_match_wins) {
        struct rule rules[] = {
                { .match.sources = SOURCE_BIT(SOURCE_PMEM), .action = ACTION_LEAVE_OFFLINE },
                { .match.sources = SOURCE_BIT(SOURCE_DIMM) | SOURCE_BIT(SOURCE_PMEM), .action = ACTION_ONLINE_MOVABLE },
                { .action = ACTION_ONLINE_KERNEL },
        };
        struct policy p = { .rules = rules, .n_rules = 3 };
        struct decision d;
        struct block b;

        b = block_with(SOURCE_PMEM, "0", K | M);
        policy_decide(&p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, ACTION_LEAVE_OFFLINE);
        ck_assert_int_eq(d.reason, REASON_RULE);
        ck_assert_int_eq(d.rule, 0);
        b = block_with(SOURCE_DIMM, "0", K | M);
        policy_decide(&p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, ACTION_ONLINE_MOVABLE);
        ck_assert_int_eq(d.rule, 1);
        b = block_with(SOURCE_UNKNOWN, "", K | M);
        policy_decide(&p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, ACTION_ONLINE_KERNEL);
        ck_assert_int_eq(d.rule, 2);
        p.n_rules = 2;
        policy_decide(&p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, ACTION_LEAVE_OFFLINE);
        ck_assert_int_eq(d.reason, REASON_NO_RULE);
        ck_assert_int_eq(d.rule, -1);
}
END_TEST

START_TEST(test_new_policy) {
        struct policy *p = policy_new();
        struct block b = block_with(SOURCE_DIMM, "1", K | M);
        struct decision d;

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(p->n_rules, 0);
        ck_assert_uint_gt(p->retry.attempts, 0);
        ck_assert_uint_gt(p->retry.first_usec, 0);
        ck_assert_uint_ge(p->retry.max_usec, p->retry.first_usec);
        policy_decide(p, &b, &nothing, &d);
        ck_assert_int_eq(d.action, ACTION_LEAVE_OFFLINE);
        ck_assert_int_eq(d.reason, REASON_NO_RULE);
        policy_free(p);
        policy_free(NULL);
}
END_TEST

/* ---- Properties, over rules and blocks of all kinds ---- */

#define RULES_MAX 8

/* Conditions are drawn twice in half of the cases, so that not too few rules match anything. */
static void generate_rule(struct prng *p, struct rule *ret) {
        struct rule r = { .line = prng_below(p, 1000), .action = (enum action) prng_below(p, _ACTION_MAX) };

        ck_assert_int_gt(asprintf(&r.name, "rule-%u", prng_below(p, 1000)), 0);
        ck_assert_int_gt(asprintf(&r.file, "%u.conf", prng_below(p, 1000)), 0);
        r.fallback = prng_below(p, 2) ? (enum action) prng_below(p, ACTION_BALANCE) : ACTION_LEAVE_OFFLINE;
        r.balance = (struct balance_rule) { .numa_aware = prng_below(p, 2), .hot_extends = prng_below(p, 2) };
        if (r.action == ACTION_BALANCE || (r.action == ACTION_ONLINE_MOVABLE && prng_below(p, 2)))
                r.balance.ratio = prng_below(p, 2) ? 301 : 1 + prng_below(p, 1000);
        if (prng_below(p, 3))
                generate_match(p, &r.match);
        *ret = r;
}

static void rule_done(struct rule *r) {
        free(r->name);
        free(r->file);
        match_done(&r->match);
}

static void generate_surroundings(struct prng *p, struct surroundings *ret) {
        generate_totals(p, &ret->totals);
        ret->platforms = generate_platforms(p);
}

static struct policy *generate_policy(struct prng *p) {
        struct policy *policy = calloc(1, sizeof(*policy));

        ck_assert_ptr_nonnull(policy);
        policy->rules = calloc(RULES_MAX, sizeof(*policy->rules));
        ck_assert_ptr_nonnull(policy->rules);
        policy->n_rules = prng_below(p, RULES_MAX);
        policy->startup_apply = prng_below(p, 4);
        for (size_t i = 0; i < policy->n_rules; i++)
                generate_rule(p, &policy->rules[i]);
        return policy;
}

static bool same(const struct decision *a, const struct decision *b) {
        return a->action == b->action && a->reason == b->reason && a->rule == b->rule &&
               a->balance.movable == b->balance.movable && a->balance.kernel == b->balance.kernel &&
               a->balance.node == b->balance.node && a->balance.ratio == b->balance.ratio;
}

static bool available(enum action a, const struct block *b) {
        return a == ACTION_LEAVE_OFFLINE || !b->zones_known || (action_zones(a) & b->zones);
}

/* With the block in Movable, is the ratio of the rule kept? */
static bool within(const struct rule *r, const struct block *b, const struct surroundings *s) {
        static struct totals after;
        int node = node_set_next(&b->nodes, 0);
        bool dynamic = b->source == SOURCE_VIRTIO_MEM || b->source == SOURCE_HYPERV || b->source == SOURCE_XEN;

        after = s->totals;
        totals_expect(&after, node, true, !dynamic && b->device_size > b->size ? b->device_size : b->size);
        return totals_within(&after, &r->balance, node);
}

/* If the source were the right one, and device and size with it. */
static bool could_match(const struct match *m, const struct block *b, platform_mask platforms) {
        struct match rest = *m;

        rest.sources = 0;
        rest.sizes.n = rest.n_devices = 0;
        return first_failed(&rest, b, platforms) < 0;
}

static void check_decision(const struct policy *policy, const struct block *b, const struct surroundings *s,
                           const struct decision *d) {
        const struct rule *r = d->rule >= 0 ? &policy->rules[d->rule] : NULL;
        int wanted_rule = -1;
        enum match_key failed;

        /* total: one of the actions, one of the reasons, and a rule that exists */
        ck_assert_int_ge(d->action, 0);
        ck_assert_int_lt(d->action, _ACTION_MAX);
        ck_assert_int_ge(d->reason, 0);
        ck_assert_int_lt(d->reason, _REASON_MAX);
        ck_assert_int_ge(d->rule, -1);
        ck_assert_int_lt(d->rule, (int) policy->n_rules);

        /* a block that is not offline is never touched */
        if (b->state != BLOCK_OFFLINE) {
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d->reason, REASON_NOT_OFFLINE);
                ck_assert_int_eq(d->rule, -1);
                return;
        }
        /* nor one that somebody else set offline, or that is none of the daemon's business */
        if (b->hands_off || b->held || b->rolled_back || (b->at_startup && !policy->startup_apply)) {
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d->reason, b->hands_off     ? REASON_HANDS_OFF
                                            : b->held        ? REASON_HELD
                                            : b->rolled_back ? REASON_ROLLED_BACK
                                                             : REASON_STARTUP);
                ck_assert_int_eq(d->rule, -1);
                return;
        }
        /* never a zone that the kernel does not offer */
        ck_assert(available(d->action, b));

        for (size_t i = 0; i < policy->n_rules && wanted_rule < 0; i++) {
                int expected = first_failed(&policy->rules[i].match, b, s->platforms);

                failed = _MATCH_INVALID;
                ck_assert_int_eq(match_block(&policy->rules[i].match, b, s->platforms, &failed), expected < 0);
                ck_assert_int_eq(failed, expected < 0 ? (int) _MATCH_INVALID : expected);
                if (b->source_hidden && expected == MATCH_SOURCE && could_match(&policy->rules[i].match, b, s->platforms)) {
                        ck_assert_int_eq(d->rule, (int) i);
                        ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                        ck_assert_int_eq(d->reason, REASON_SOURCE_HIDDEN);
                        return;
                }
                if (expected < 0)
                        wanted_rule = (int) i;
        }
        ck_assert_int_eq(d->rule, wanted_rule);
        if (wanted_rule < 0) {
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d->reason, REASON_NO_RULE);
                return;
        }
        /* what becomes of a block is one of the things that can be written; a balance is decided */
        ck_assert_int_ne(d->action, ACTION_BALANCE);
        switch (d->reason) {
        case REASON_RULE:
                ck_assert_int_eq(d->action, r->action);
                /* the guard is kept, where there are figures */
                if (d->action == ACTION_ONLINE_MOVABLE && r->balance.ratio && s->totals.known)
                        ck_assert(within(r, b, s));
                break;
        case REASON_BALANCED:
                ck_assert_int_eq(r->action, ACTION_BALANCE);
                ck_assert(d->action == ACTION_ONLINE_MOVABLE || d->action == ACTION_ONLINE_KERNEL);
                /* never beyond the ratio, and not below it without need */
                if (d->action == ACTION_ONLINE_MOVABLE)
                        ck_assert(s->totals.known && within(r, b, s));
                else
                        ck_assert(!s->totals.known || !within(r, b, s) || !available(ACTION_ONLINE_MOVABLE, b));
                break;
        case REASON_RATIO:
                ck_assert_int_eq(r->action, ACTION_ONLINE_MOVABLE);
                ck_assert(r->balance.ratio && s->totals.known && !within(r, b, s));
                if (r->fallback == ACTION_ONLINE_KERNEL && available(ACTION_ONLINE_KERNEL, b))
                        ck_assert_int_eq(d->action, ACTION_ONLINE_KERNEL);
                else
                        ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                break;
        case REASON_FALLBACK:
                ck_assert(!available(r->action == ACTION_BALANCE ? ACTION_ONLINE_KERNEL : r->action, b));
                ck_assert_int_eq(d->action, r->fallback);
                ck_assert_int_ne(d->action, ACTION_LEAVE_OFFLINE);
                break;
        case REASON_ZONE_UNAVAILABLE:
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert(!available(r->action == ACTION_BALANCE ? ACTION_ONLINE_KERNEL : r->action, b));
                ck_assert(r->fallback == ACTION_LEAVE_OFFLINE || !available(r->fallback, b));
                break;
        default:
                ck_abort_msg("reason %d", d->reason);
        }
}

static void check_alike(const struct policy *policy, const struct block *b, const struct decision *first,
                        const struct decision *d) {
        if (b->state != BLOCK_OFFLINE || b->hands_off || b->held || b->rolled_back || (b->at_startup && !policy->startup_apply)) {
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d->rule, -1);
        } else if (available(first->action, b))
                ck_assert(same(d, first));
        else {
                ck_assert_int_eq(d->action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d->reason, REASON_ZONE_UNAVAILABLE);
                ck_assert_int_eq(d->rule, first->rule);
        }
}

/* Each seed is a test of its own, so that a failure names it. */
START_TEST(test_properties) {
        struct prng p = { 1000 + (unsigned) _i };
        unsigned reasons[_REASON_MAX] = {};
        static struct surroundings around, around_before;

        for (unsigned round = 0; round < 80; round++) {
                struct policy *policy = generate_policy(&p);

                for (unsigned i = 0; i < 40; i++) {
                        struct decision d, again, longer, shorter, wanted;
                        struct block b, before, further;
                        struct rule last;

                        generate_block(&p, &b);
                        generate_surroundings(&p, &around);
                        before = b;
                        around_before = around;
                        memset(&d, 0xa5, sizeof(d));
                        memset(&again, 0x5a, sizeof(again));
                        policy_decide(policy, &b, &around, &d);
                        check_decision(policy, &b, &around, &d);
                        reasons[d.reason]++;

                        /* deterministic, and the block stays as it was */
                        policy_decide(policy, &b, &around, &again);
                        ck_assert(same(&d, &again));
                        ck_assert_mem_eq(&b, &before, sizeof(b));
                        CHECK(memcmp(&around, &around_before, sizeof(around)) == 0);

                        /* what a block is decided by does not depend on what does not concern it */
                        b.index ^= 1;
                        b.removable = !b.removable;
                        b.identity++;
                        policy_decide(policy, &b, &around, &again);
                        ck_assert(same(&d, &again));
                        b = before;

                        /* a rule behind never changes what one in front decided */
                        generate_rule(&p, &last);
                        policy->rules[policy->n_rules++] = last;
                        policy_decide(policy, &b, &around, &longer);
                        check_decision(policy, &b, &around, &longer);
                        if (d.reason != REASON_NO_RULE)
                                ck_assert(same(&d, &longer));
                        else
                                ck_assert(longer.rule == -1 || longer.rule == (int) policy->n_rules - 1);
                        policy->n_rules--;
                        rule_done(&last);

                        /* nor do rules behind the one that decided */
                        if (d.rule >= 0) {
                                size_t n = policy->n_rules;

                                policy->n_rules = (size_t) d.rule + 1;
                                policy_decide(policy, &b, &around, &shorter);
                                ck_assert(same(&d, &shorter));
                                policy->n_rules = n;
                        }

                        /* a further block of the device goes the same way, or none; and is not touched if it must not be */
                        generate_block(&p, &further);
                        memset(&again, 0x5a, sizeof(again));
                        policy_decide_alike(policy, &further, &d, &again);
                        check_alike(policy, &further, &d, &again);

                        /* what is wanted of a block is what would be decided if it had just been added; of one that
                         * is not offline, the candidates are not known */
                        policy_want(policy, &b, &around, &wanted);
                        if (b.state != BLOCK_OFFLINE) {
                                b.state = BLOCK_OFFLINE;
                                b.zones_known = false;
                        }
                        b.at_startup = b.hands_off = b.held = b.rolled_back = false;
                        policy_decide(policy, &b, &around, &again);
                        ck_assert(same(&wanted, &again));
                }
                policy_free(policy);
        }
        ck_assert_uint_eq(reasons[REASON_ASKED] + reasons[REASON_UNDONE], 0); /* it is never the policy that asks */
        for (enum reason r = 0; r < _REASON_MAX; r++)
                ck_assert_msg(r == REASON_ASKED || r == REASON_UNDONE || reasons[r] >= 3,
                              "reason %d came up %u times: too seldom to test it", r, reasons[r]);
}
END_TEST

/* What comes first is told: a block that is not offline is not "left offline" for another reason. */
START_TEST(test_left_alone) {
        struct rule rule = { .action = ACTION_ONLINE };

        for (unsigned bits = 0; bits < 32; bits++) {
                struct policy p = { .rules = &rule, .n_rules = 1, .startup_apply = bits & 1 };
                struct block b = block_with(SOURCE_DIMM, "1", K | M);
                struct decision d;

                b.at_startup = bits & 2;
                b.hands_off = bits & 4;
                b.held = bits & 16;
                b.state = bits & 8 ? BLOCK_ONLINE : BLOCK_OFFLINE;
                policy_decide(&p, &b, &nothing, &d);
                ck_assert_int_eq(d.reason, bits & 8          ? REASON_NOT_OFFLINE
                                           : bits & 4        ? REASON_HANDS_OFF
                                           : bits & 16       ? REASON_HELD
                                           : (bits & 3) == 2 ? REASON_STARTUP
                                                             : REASON_RULE);
                ck_assert_int_eq(d.action, d.reason == REASON_RULE ? ACTION_ONLINE : ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d.rule, d.reason == REASON_RULE ? 0 : -1);
                policy_want(&p, &b, &nothing, &d);
                ck_assert_int_eq(d.action, ACTION_ONLINE);
                ck_assert_int_eq(d.reason, REASON_RULE);
        }
}
END_TEST

/* Without rules, everything is left as it is. */
START_TEST(test_empty_policy) {
        struct policy empty = {};
        struct prng p = { 7 };

        for (unsigned i = 0; i < 2000; i++) {
                struct decision d;
                struct block b;

                generate_block(&p, &b);
                policy_decide(&empty, &b, &nothing, &d);
                ck_assert_int_eq(d.action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d.reason, b.state != BLOCK_OFFLINE ? REASON_NOT_OFFLINE
                                           : b.hands_off            ? REASON_HANDS_OFF
                                           : b.held                 ? REASON_HELD
                                           : b.rolled_back          ? REASON_ROLLED_BACK
                                           : b.at_startup           ? REASON_STARTUP
                                                                    : REASON_NO_RULE);
                policy_want(&empty, &b, &nothing, &d);
                ck_assert_int_eq(d.action, ACTION_LEAVE_OFFLINE);
                ck_assert_int_eq(d.reason, REASON_NO_RULE);
        }
}
END_TEST

/* ---- Descriptions ---- */

static const struct {
        struct decision decision;
        enum action action, fallback; /* the rule's */
        enum block_state state;
        const char *text;
} described_rows[] = {
        { { ACTION_ONLINE_MOVABLE, REASON_RULE, 0 }, ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_movable" },
        { { ACTION_LEAVE_OFFLINE, REASON_RULE, 0 }, ACTION_LEAVE_OFFLINE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says leave_offline" },
        { { ACTION_ONLINE_KERNEL, REASON_FALLBACK, 0 }, ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_movable, but the block cannot go to zone Movable; its fallback is "
          "online_kernel" },
        { { ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE, 0 }, ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_movable, but the block cannot go to zone Movable; left offline" },
        { { ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE, 0 }, ACTION_ONLINE_KERNEL, ACTION_ONLINE_MOVABLE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_kernel, but the block cannot go to zone kernel, nor where its fallback "
          "wants it; left offline" },
        { { ACTION_ONLINE_MOVABLE, REASON_BALANCED, 0, { 2 * GIB, 4 * GIB, -1, true, false, 301 } }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE,
          BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance: online_movable, as with it 2 GiB would be movable on the machine, 50 % of "
          "the 4 GiB of kernel memory from boot; the limit is 301 %" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 0, { GIB, 0, 1, true, false, 301 } }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance: online_kernel, as with it 1 GiB would be movable on node 1, beside no "
          "kernel memory from boot; the limit is 301 %" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 0, { GIB, 0, 1, true, false, 0 } }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance: online_kernel, as with it 1 GiB would be movable on node 1, beside no "
          "kernel memory from boot; the limit is 0 %" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 0, { 0, 0, -1, false, false, 301 } }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance: online_kernel, as the block cannot go to zone Movable, or a part of its "
          "device is kernel memory already" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 0, {} }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance: online_kernel, as the machine's memory is unknown" },
        { { ACTION_LEAVE_OFFLINE, REASON_ZONE_UNAVAILABLE, 0, {} }, ACTION_BALANCE, ACTION_LEAVE_OFFLINE, BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says balance, but the block cannot go to zone kernel; left offline" },
        { { ACTION_ONLINE_KERNEL, REASON_RATIO, 0, { 5 * GIB, GIB, -1, true, false, 400 } }, ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL,
          BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_movable, but with it 5 GiB would be movable on the machine, 500 % of the "
          "1 GiB of kernel memory from boot; the limit is 400 %; its fallback is online_kernel" },
        { { ACTION_LEAVE_OFFLINE, REASON_RATIO, 0, { 5 * GIB, GIB, -1, true, false, 400 } }, ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE,
          BLOCK_OFFLINE,
          "rule \"dimms\" (10-site.conf:12) says online_movable, but with it 5 GiB would be movable on the machine, 500 % of the "
          "1 GiB of kernel memory from boot; the limit is 400 %; left offline" },
        { { ACTION_LEAVE_OFFLINE, REASON_NO_RULE, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE,
          "no rule matches; left offline" },
        { { ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE,
          "somebody else set it offline; it stays so" },
        { { ACTION_LEAVE_OFFLINE, REASON_STARTUP, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE,
          "it was offline when the daemon started, and startup is \"ignore\"; left offline" },
        { { ACTION_LEAVE_OFFLINE, REASON_NOT_OFFLINE, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_ONLINE,
          "the block is online: nothing to decide" },
        { { ACTION_LEAVE_OFFLINE, REASON_NOT_OFFLINE, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_GOING_OFFLINE,
          "the block is going-offline: nothing to decide" },
        { { ACTION_LEAVE_OFFLINE, _REASON_MAX, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE, "unknown reason" },
        { { ACTION_LEAVE_OFFLINE, _REASON_INVALID, -1 }, ACTION_ONLINE, ACTION_ONLINE, BLOCK_OFFLINE, "unknown reason" },
};

/* Every size of buffer, from none: what fits of the sentence, ended by NUL, and not a byte beyond. */
START_TEST(test_describe) {
        struct rule rule = { .name = (char *) "dimms",
                             .file = (char *) "10-site.conf",
                             .line = 12,
                             .action = described_rows[_i].action,
                             .fallback = described_rows[_i].fallback };
        struct policy policy = { .rules = &rule, .n_rules = 1 };
        struct block b = { .state = described_rows[_i].state };
        size_t length = strlen(described_rows[_i].text);

        for (size_t size = 0; size < length + 10; size++) {
                char *buf = malloc(size + 1);

                ck_assert_ptr_nonnull(buf);
                memset(buf, 'Z', size + 1);
                decision_describe(&policy, &b, &described_rows[_i].decision, buf, size);
                ck_assert_msg(buf[size] == 'Z', "a buffer of %zu is overrun", size);
                if (size > 0) {
                        ck_assert_uint_eq(strnlen(buf, size), MIN(size - 1, length));
                        ck_assert_mem_eq(buf, described_rows[_i].text, MIN(size - 1, length));
                }
                free(buf);
        }
}
END_TEST

/* Whatever is decided can be told, and names the rule; also one whose name means something to printf(). */
START_TEST(test_describe_all) {
        struct prng p = { 8 };
        unsigned told = 0;

        for (unsigned round = 0; round < 300; round++) {
                struct policy *policy = generate_policy(&p);

                if (policy->n_rules > 0)
                        strcpy(policy->rules[0].name, "%s%n"); /* no longer than what stands there */
                for (unsigned i = 0; i < 20; i++) {
                        struct decision d;
                        struct block b;
                        char text[512], small[17];

                        generate_block(&p, &b);
                        policy_decide(policy, &b, &nothing, &d);
                        decision_describe(policy, &b, &d, text, sizeof(text));
                        ck_assert_uint_gt(strlen(text), 10);
                        ck_assert_ptr_null(strstr(text, "null"));
                        if (d.rule >= 0) {
                                ck_assert_ptr_nonnull(strstr(text, policy->rules[d.rule].name));
                                ck_assert_ptr_nonnull(strstr(text, policy->rules[d.rule].file));
                                told++;
                        }
                        memset(small, 'Z', sizeof(small));
                        decision_describe(policy, &b, &d, small, sizeof(small) - 1);
                        ck_assert_int_eq(small[16], 'Z');
                        ck_assert_int_eq(small[15], '\0');
                }
                policy_free(policy);
        }
        ck_assert_uint_gt(told, 1000);
}
END_TEST

int main(void) {
        Suite *s = suite_create("policy");
        TCase *c;

        c = check_case(s, "words");
        tcase_add_test(c, test_words);

        c = check_case(s, "rules");
        tcase_add_loop_test(c, test_fallback, 0, ARRAY_SIZE(fallback_rows));
        tcase_add_test(c, test_first_match_wins);
        tcase_add_test(c, test_parts);
        tcase_add_test(c, test_new_policy);

        c = check_case(s, "properties");
        tcase_add_loop_test(c, test_properties, 0, 20);
        tcase_add_test(c, test_empty_policy);
        tcase_add_test(c, test_left_alone);

        c = check_case(s, "descriptions");
        tcase_add_loop_test(c, test_describe, 0, ARRAY_SIZE(described_rows));
        tcase_add_test(c, test_describe_all);
        return check_run(s);
}
