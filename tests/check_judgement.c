/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/judgement.h"

#include "check_util.h"
#include "check_blocks.h"
#include "core/basis.h"

static struct rule rules[] = {
        { .name = (char *) "pmem", .file = (char *) "/f", .line = 3, .match = { .sources = SOURCE_BIT(SOURCE_PMEM) },
          .action = ACTION_LEAVE_OFFLINE },
        { .name = (char *) "dimms", .file = (char *) "/f", .line = 4, .match = { .sources = SOURCE_BIT(SOURCE_DIMM) },
          .action = ACTION_ONLINE_MOVABLE, .fallback = ACTION_ONLINE_KERNEL },
        { .name = (char *) "virtio", .file = (char *) "/g", .line = 5, .match = { .sources = SOURCE_BIT(SOURCE_VIRTIO_MEM) },
          .action = ACTION_BALANCE, .balance = { .ratio = 300 } },
        { .name = (char *) "cxl", .file = (char *) "/g", .line = 6, .match = { .sources = SOURCE_BIT(SOURCE_CXL) },
          .action = ACTION_ONLINE_MOVABLE, .balance = { .ratio = 100 } },
        { .name = (char *) "hyperv", .file = (char *) "/g", .line = 7, .match = { .sources = SOURCE_BIT(SOURCE_HYPERV) },
          .action = ACTION_ONLINE },
};

static const struct policy policy = { .rules = rules, .n_rules = ARRAY_SIZE(rules) };

/* 8 GiB of kernel memory, 12 GiB movable. */
static const struct surroundings around = {
        .totals = { .known = true, .all = { .kernel_early = 8 * GIB, .movable = 12 * GIB } },
};

static struct block block_of(enum source source, enum block_state state, zone_mask zones) {
        return (struct block) {
                .index = 32, .start = 32 * BLOCK_SIZE, .size = BLOCK_SIZE, .source = source, .state = state, .zones_known = true,
                .zones = zones, .first_zone = zones ? (enum zone) __builtin_ctz(zones) : _ZONE_INVALID, .tier = -1,
        };
}

#define OFF BLOCK_OFFLINE
#define ON BLOCK_ONLINE
#define YES 1
#define NO 0
#define UNASKED -1

static const struct {
        enum source source;
        enum block_state state;
        zone_mask zones;
        const char *zone;
        int as_wanted;
        const char *reason, *outcome;
} cases[] = {
        { SOURCE_PMEM, OFF, K | M, NULL, YES, "rule \"pmem\" (/f:3) says leave_offline", "offline, as the policy wants it" },
        { SOURCE_PMEM, ON, M, NULL, NO, "rule \"pmem\" (/f:3)", "online in Movable; the policy would leave it offline" },
        { SOURCE_DIMM, OFF, K | M, "Movable", NO, "rule \"dimms\" (/f:4) says online_movable",
          "offline; the policy would put it online in Movable" },
        { SOURCE_DIMM, OFF, K, "Normal", NO, "its fallback is online_kernel", "offline; the policy would put it online in Normal" },
        { SOURCE_DIMM, OFF, 0, NULL, NO, "nor where its fallback wants it", "offline, for want of a zone that the policy allows" },
        { SOURCE_DIMM, ON, M, "Movable", YES, "says online_movable", "online in Movable, as the policy wants it" },
        { SOURCE_DIMM, ON, K, "Movable", YES, "says online_movable",
          "online in Normal, as the rule's fallback online_kernel allows" },
        { SOURCE_DIMM, ON, 0, "Movable", UNASKED, "says online_movable",
          "online in several zones, or with holes; the policy would want Movable" },
        { SOURCE_CXL, OFF, K | M, NULL, NO, "but with it", "offline, for want of kernel memory to go with it" },
        { SOURCE_CXL, ON, K, NULL, NO, "but with it", "online in Normal; the policy would leave it offline" },
        { SOURCE_HYPERV, OFF, K | M, "Normal", NO, "says online", "offline; the policy would put it online in Normal" },
        { SOURCE_HYPERV, OFF, M, "Movable", NO, "says online", "offline; the policy would put it online in Movable" },
        { SOURCE_HYPERV, ON, M, "Movable", YES, "says online", "online in Movable, as the policy wants it" },
        { SOURCE_VIRTIO_MEM, OFF, K | M, "Movable", NO, "says balance: online_movable", "offline; the policy would put it online in Movable" },
        { SOURCE_VIRTIO_MEM, ON, M, "Movable", YES, "says balance", "online in Movable, which a balance may have chosen" },
        { SOURCE_VIRTIO_MEM, ON, K, "Movable", YES, "says balance", "online in Normal, which a balance may have chosen" },
        { SOURCE_BOOT, ON, K, NULL, UNASKED, "no rule matches", "online in Normal since boot, which no policy changes" },
        { SOURCE_UNKNOWN, OFF, K, NULL, YES, "no rule matches", "offline, as the policy wants it" },
        { SOURCE_DIMM, BLOCK_GOING_OFFLINE, K, "Movable", UNASKED, "", "going-offline: nothing to decide now" },
};

START_TEST(now) {
        const struct block b = block_of(cases[_i].source, cases[_i].state, cases[_i].zones);
        struct judgement j;

        judge(&policy, &around, &b, &j);
        ck_assert_pstr_eq(j.zone, cases[_i].as_wanted == UNASKED && !j.zone ? NULL : cases[_i].zone);
        ck_assert_str_eq(j.outcome, cases[_i].outcome);
        ck_assert_msg(strstr(j.reason, cases[_i].reason), "\"%s\" in \"%s\"", cases[_i].reason, j.reason);
        ck_assert_int_eq(j.asked, cases[_i].as_wanted != UNASKED);
        ck_assert_int_eq(j.as_wanted, cases[_i].as_wanted == YES);
}
END_TEST

/* What was decided before is not decided again: the figures would be others. */
static const struct {
        struct decision d;
        enum block_state state;
        zone_mask zones;
        int as_wanted;
        const char *outcome;
} then[] = {
        { { ACTION_ONLINE_MOVABLE, REASON_RULE, 1, {} }, ON, M, YES, "online in Movable, as the policy wants it" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 2, {} }, ON, K, YES, "online in Normal, as the policy wants it" },
        { { ACTION_ONLINE_KERNEL, REASON_BALANCED, 2, {} }, ON, M, NO, "online in Movable; the policy would want a kernel zone" },
        { { ACTION_LEAVE_OFFLINE, REASON_RATIO, 3, {} }, OFF, K | M, NO, "offline, for want of kernel memory to go with it" },
        /* Of a rule that is no more. */
        { { ACTION_ONLINE_MOVABLE, REASON_RULE, -1, {} }, ON, M, YES, "online in Movable, as the policy wants it" },
        { { ACTION_ONLINE_KERNEL, REASON_FALLBACK, -1, {} }, ON, K, YES, "online in Normal, as the policy wants it" },
        /* Somebody's doing. */
        { { ACTION_LEAVE_OFFLINE, REASON_ASKED, -1, {} }, OFF, K | M, UNASKED, "offline, as somebody asked" },
        { { ACTION_ONLINE_MOVABLE, REASON_ASKED, -1, {} }, ON, M, UNASKED, "online in Movable, as somebody asked" },
        { { ACTION_ONLINE_MOVABLE, REASON_ASKED, -1, {} }, ON, 0, UNASKED, "online in several zones, or with holes, as somebody asked" },
        { { ACTION_ONLINE_MOVABLE, REASON_ASKED, -1, {} }, ON, K, UNASKED, "online in Normal, by another hand" },
        { { ACTION_ONLINE_MOVABLE, REASON_ASKED, -1, {} }, OFF, K | M, UNASKED, "offline, by another hand" },
        { { ACTION_LEAVE_OFFLINE, REASON_ASKED, -1, {} }, ON, M, UNASKED, "online in Movable, by another hand" },
        { { ACTION_ONLINE_MOVABLE, REASON_UNDONE, -1, {} }, ON, M, UNASKED,
          "online in Movable, as before somebody asked for all of some blocks or none" },
        { { ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF, -1, {} }, OFF, K | M, UNASKED, "offline, as somebody else set it" },
        { { ACTION_LEAVE_OFFLINE, REASON_HANDS_OFF, -1, {} }, ON, K, UNASKED, "online in Normal, by another hand" },
        { { ACTION_LEAVE_OFFLINE, REASON_HELD, -1, {} }, OFF, K | M, UNASKED, "offline, as a hold is on it" },
        { { ACTION_LEAVE_OFFLINE, REASON_ROLLED_BACK, -1, {} }, OFF, K, UNASKED, "offline, as its device could not be had as a whole" },
        { { ACTION_LEAVE_OFFLINE, REASON_STARTUP, -1, {} }, OFF, K, UNASKED, "offline, as it was at the start" },
};

START_TEST(before) {
        const struct block b = block_of(SOURCE_DIMM, then[_i].state, then[_i].zones);
        struct judgement j;

        judge_decision(&policy, &b, &then[_i].d, &j);
        ck_assert_str_eq(j.outcome, then[_i].outcome);
        ck_assert_int_eq(j.asked, then[_i].as_wanted != UNASKED);
        ck_assert_int_eq(j.as_wanted, then[_i].as_wanted == YES);
        ck_assert_int_eq(j.decision.action, then[_i].d.action);
        ck_assert_int_eq(j.decision.reason, then[_i].d.reason);
}
END_TEST

/* Whatever the block and the policy: it says something, and what it says agrees with the decision. */
START_TEST(any_block) {
        struct prng prng = { 4711 + (unsigned) _i };

        for (unsigned round = 0; round < 5000; round++) {
                struct surroundings s = { .platforms = generate_platforms(&prng) };
                struct rule generated[4] = {};
                struct policy p = { .rules = generated, .n_rules = prng_below(&prng, 5) };
                struct judgement j, again;
                struct decision wanted;
                struct block b;

                for (size_t i = 0; i < p.n_rules; i++) {
                        generated[i] = (struct rule) {
                                .name = (char *) "x", .file = (char *) "/f", .line = (unsigned) i + 1,
                                .action = (enum action) prng_below(&prng, _ACTION_MAX),
                                .fallback = (enum action) prng_below(&prng, ACTION_BALANCE),
                        };
                        if (generated[i].action == ACTION_BALANCE || prng_below(&prng, 3) == 0)
                                generated[i].balance = (struct balance_rule) { .ratio = 1 + prng_below(&prng, 500) };
                        generate_match(&prng, &generated[i].match);
                }
                generate_totals(&prng, &s.totals);
                generate_block(&prng, &b);
                memset(&j, 0x55, sizeof(j));
                judge(&p, &s, &b, &j);
                policy_want(&p, &b, &s, &wanted);
                CHECK(j.decision.action == wanted.action && j.decision.reason == wanted.reason && j.decision.rule == wanted.rule);
                CHECK(strnlen(j.reason, sizeof(j.reason)) < sizeof(j.reason) && j.reason[0]);
                CHECK(strnlen(j.outcome, sizeof(j.outcome)) < sizeof(j.outcome) && j.outcome[0]);
                CHECK((j.zone == NULL) == (wanted.action == ACTION_LEAVE_OFFLINE));
                CHECK(!j.as_wanted || j.asked);
                /* An offline block is as wanted if, and only if, the policy leaves it there of its own will. */
                if (b.state == BLOCK_OFFLINE)
                        CHECK(!j.as_wanted || wanted.action == ACTION_LEAVE_OFFLINE);
                if (b.state == BLOCK_ONLINE && j.as_wanted)
                        CHECK(wanted.action != ACTION_LEAVE_OFFLINE);
                judge_decision(&p, &b, &wanted, &again);
                CHECK(strcmp(again.reason, j.reason) == 0);
                for (size_t i = 0; i < p.n_rules; i++)
                        match_done(&generated[i].match);
        }
}
END_TEST

/* ---- what it rests on --------------------------------------------------------------------------------------------- */

static void check_passed(const struct basis *b, const char *expected) {
        const char *p = b->passed;
        struct basis_rule rule;
        char seen[1024] = "";

        while (basis_next(&p, &rule))
                snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s %s:%u %s; ", rule.name, rule.file, rule.line,
                         match_key_to_string(rule.failed));
        ck_assert_str_eq(seen, expected);
}

START_TEST(rests_on) {
        struct block b = block_of(SOURCE_VIRTIO_MEM, OFF, K | M);
        struct decision d;
        struct basis basis;

        b.device_size = 4 * GIB;
        b.tier = 4;
        policy_decide(&policy, &b, &around, &d);
        ck_assert_int_eq(d.rule, 2);
        basis_init(&basis, &policy, &b, PLATFORM_BIT(PLATFORM_VM), &d, "System RAM\n(virtio_mem)");
        ck_assert(basis.known);
        ck_assert_uint_eq(basis.start, 32 * BLOCK_SIZE);
        ck_assert_uint_eq(basis.device_size, 4 * GIB);
        ck_assert_int_eq(basis.tier, 4);
        ck_assert_uint_eq(basis.platforms, PLATFORM_BIT(PLATFORM_VM));
        ck_assert_uint_eq(basis.conditions, MATCH_BIT(MATCH_SOURCE));
        ck_assert_str_eq(basis.evidence, "System RAM?(virtio_mem)");
        ck_assert_uint_eq(basis.n_passed, 2);
        check_passed(&basis, "pmem /f:3 source; dimms /f:4 source; ");
        /* No rule: all were passed over. */
        b.source = SOURCE_UNKNOWN;
        policy_decide(&policy, &b, &around, &d);
        basis_init(&basis, &policy, &b, 0, &d, "");
        ck_assert_uint_eq(basis.n_passed, ARRAY_SIZE(rules));
        ck_assert_uint_eq(basis.conditions, 0);
        check_passed(&basis, "pmem /f:3 source; dimms /f:4 source; virtio /g:5 source; cxl /g:6 source; hyperv /g:7 source; ");
}
END_TEST

/* Against the conditions, told again. */
START_TEST(any_basis) {
        struct prng prng = { 99 + (unsigned) _i };

        for (unsigned round = 0; round < 3000; round++) {
                struct surroundings s = { .platforms = generate_platforms(&prng) };
                struct rule generated[6] = {};
                struct policy p = { .rules = generated, .n_rules = prng_below(&prng, 7) };
                struct basis_rule passed;
                struct decision d;
                struct basis basis;
                struct block b;
                const char *text = basis.passed;
                uint32_t n = 0;

                for (size_t i = 0; i < p.n_rules; i++) {
                        generated[i] = (struct rule) { .name = (char *) "x", .file = (char *) "/f", .line = (unsigned) i + 1,
                                                       .action = ACTION_ONLINE };
                        generate_match(&prng, &generated[i].match);
                }
                generate_block(&prng, &b);
                policy_want(&p, &b, &s, &d);
                basis_init(&basis, &p, &b, s.platforms, &d, "e");
                for (; basis_next(&text, &passed); n++) {
                        CHECK(passed.line >= 1 && passed.line <= p.n_rules && (d.rule < 0 || passed.line <= (unsigned) d.rule));
                        CHECK(first_failed(&generated[passed.line - 1].match, &b, s.platforms) == (int) passed.failed);
                }
                CHECK(!*text && n == basis.n_passed);
                CHECK(n == (d.rule >= 0 ? (uint32_t) d.rule : (uint32_t) p.n_rules));
                if (d.rule >= 0 && d.reason != REASON_SOURCE_HIDDEN) {
                        const struct match *m = &generated[d.rule].match;

                        CHECK(basis.conditions == ((m->sources ? MATCH_BIT(MATCH_SOURCE) : 0u) | (m->nodes.n ? MATCH_BIT(MATCH_NODE) : 0u) |
                                                   (m->addresses.n ? MATCH_BIT(MATCH_ADDRESS) : 0u) |
                                                   (m->sizes.n ? MATCH_BIT(MATCH_SIZE) : 0u) |
                                                   (m->n_devices ? MATCH_BIT(MATCH_DEVICE) : 0u) |
                                                   (m->platforms ? MATCH_BIT(MATCH_PLATFORM) : 0u) |
                                                   (m->tiers.n ? MATCH_BIT(MATCH_TIER) : 0u) |
                      (m->architectures ? MATCH_BIT(MATCH_ARCHITECTURE) : 0u)));
                }
                for (size_t i = 0; i < p.n_rules; i++)
                        match_done(&generated[i].match);
        }
}
END_TEST

/* As many rules as there is room for, each as a whole, and how many there were. */
START_TEST(many_rules) {
        static struct rule many[100];
        const struct policy p = { .rules = many, .n_rules = ARRAY_SIZE(many) };
        const struct block b = block_of(SOURCE_DIMM, OFF, K);
        char name[100], file[200];
        struct basis_rule passed;
        struct decision d;
        struct basis basis;
        const char *text;
        unsigned n = 0;

        memset(name, 'n', sizeof(name) - 1);
        memset(file, 'f', sizeof(file) - 1);
        name[sizeof(name) - 1] = file[sizeof(file) - 1] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (struct rule) { .name = name, .file = file, .line = (unsigned) i, .match = { .sources = SOURCE_BIT(SOURCE_CXL) } };
        policy_want(&p, &b, &around, &d);
        basis_init(&basis, &p, &b, 0, &d, file);
        ck_assert_uint_eq(basis.n_passed, 100);
        ck_assert_uint_lt(strlen(basis.evidence), sizeof(basis.evidence));
        for (text = basis.passed; basis_next(&text, &passed); n++)
                ck_assert(passed.line == n && strlen(passed.name) == 63 && strlen(passed.file) == 127);
        ck_assert(!*text && n >= 4 && n < 10);
}
END_TEST

int main(void) {
        Suite *s = suite_create("judgement");
        TCase *c;

        c = check_case(s, "judgement");
        tcase_add_loop_test(c, now, 0, ARRAY_SIZE(cases));
        tcase_add_loop_test(c, before, 0, ARRAY_SIZE(then));
        tcase_add_loop_test(c, any_block, 0, 8);
        c = check_case(s, "basis");
        tcase_add_test(c, rests_on);
        tcase_add_loop_test(c, any_basis, 0, 8);
        tcase_add_test(c, many_rules);
        return check_run(s);
}
