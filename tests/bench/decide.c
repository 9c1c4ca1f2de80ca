/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one decision costs with 100 rules of which the last one matches, beside what else one could do: a scan that
 * compares sources and nodes alone, and one that asks fnmatch() for a pattern in each rule. Not a test: it prints
 * medians of 9 rounds that take turns, in ns. Usage: decide [DECISIONS-A-ROUND] */

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/policy.h"

#define N_RULES 100
#define ROUNDS 9

static struct rule rules[N_RULES];
static struct policy policy = { .rules = rules, .n_rules = N_RULES, .startup_apply = true };
static struct surroundings around;
static struct block blocks[64];
static struct range node_items[N_RULES], address_items[N_RULES], size_items[N_RULES], tier_items[N_RULES];
static char *patterns[N_RULES];
static volatile unsigned sink;

static void empty_matches(void) {
        for (size_t i = 0; i < N_RULES; i++)
                rules[i].match = (struct match) {};
}

/* Each rule is about another source: the first condition fails. */
static void use_sources(void) {
        empty_matches();
        for (size_t i = 0; i + 1 < N_RULES; i++)
                rules[i].match.sources = SOURCE_BIT(SOURCE_PMEM);
}

/* Six conditions, of which the last one fails; no names. */
static void use_conditions(void) {
        empty_matches();
        for (size_t i = 0; i + 1 < N_RULES; i++) {
                node_items[i] = (struct range) { 0, 7 };
                address_items[i] = (struct range) { 0, UINT64_MAX };
                size_items[i] = (struct range) { 1, UINT64_MAX };
                tier_items[i] = (struct range) { 100, 200 };
                rules[i].match = (struct match) {
                        .sources = SOURCE_BIT(SOURCE_DIMM), .platforms = PLATFORM_BIT(PLATFORM_VM),
                        .nodes = { &node_items[i], 1 }, .addresses = { &address_items[i], 1 },
                        .sizes = { &size_items[i], 1 }, .tiers = { &tier_items[i], 1 },
                };
        }
}

/* A pattern for the device in each: what costs most. */
static void use_patterns(void) {
        empty_matches();
        for (size_t i = 0; i + 1 < N_RULES; i++) {
                rules[i].match.devices = &patterns[i];
                rules[i].match.n_devices = 1;
        }
}

static unsigned decide(const struct block *b) {
        struct decision d;

        policy_decide(&policy, b, &around, &d);
        return (unsigned) d.rule;
}

static unsigned scan(const struct block *b) {
        for (unsigned i = 0; i < N_RULES; i++)
                if (!rules[i].match.sources || (rules[i].match.sources & SOURCE_BIT(b->source)))
                        return i;
        return N_RULES;
}

static unsigned names(const struct block *b) {
        for (unsigned i = 0; i + 1 < N_RULES; i++)
                if (fnmatch(patterns[i], b->device, 0) == 0)
                        return i;
        return N_RULES;
}

static const struct {
        const char *name;
        void (*prepare)(void);
        unsigned (*run)(const struct block *b);
} variants[] = {
        { "policy_decide, 99 rules for other sources", use_sources, decide },
        { "policy_decide, 99 rules with six conditions", use_conditions, decide },
        { "policy_decide, 99 rules with a device pattern", use_patterns, decide },
        { "peer: linear scan of sources only", use_sources, scan },
        { "peer: fnmatch only, 99 patterns", use_patterns, names },
};

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static double now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

int main(int argc, char **argv) {
        unsigned n = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 100000;
        static double ns[ARRAY_SIZE(variants)][ROUNDS];

        if (n == 0)
                n = 1;
        around.platforms = PLATFORM_BIT(PLATFORM_VM);
        around.totals.known = true;
        totals_add_zone(&around.totals, 0, ZONE_NORMAL, UINT64_C(1) << 40, 0);
        for (size_t i = 0; i < N_RULES; i++) {
                rules[i] = (struct rule) { .name = (char *) "rule", .file = (char *) "file", .action = ACTION_ONLINE };
                if (asprintf(&patterns[i], "dax%zu.*", i) < 0)
                        return EXIT_FAILURE;
        }
        rules[N_RULES - 1].action = ACTION_BALANCE;
        rules[N_RULES - 1].balance = (struct balance_rule) { .ratio = 301, .numa_aware = true };
        for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
                blocks[i] = (struct block) { .index = (uint32_t) i, .start = i << 27, .size = 1 << 27,
                                             .state = BLOCK_OFFLINE, .zones_known = true, .first_zone = ZONE_NORMAL,
                                             .zones = ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE),
                                             .source = SOURCE_DIMM, .tier = 4, .device_size = UINT64_C(1) << 33,
                                             .device = "PNP0C80:01" };
                node_set_add(&blocks[i].nodes, i % 2);
        }
        for (unsigned round = 0; round < ROUNDS; round++)
                for (size_t v = 0; v < ARRAY_SIZE(variants); v++) {
                        double start;

                        variants[v].prepare();
                        start = now_ns();
                        for (unsigned i = 0; i < n; i++)
                                sink += variants[v].run(&blocks[i % ARRAY_SIZE(blocks)]);
                        ns[v][round] = (now_ns() - start) / n;
                }
        for (size_t v = 0; v < ARRAY_SIZE(variants); v++) {
                qsort(ns[v], ROUNDS, sizeof(ns[v][0]), compare);
                printf("%8.1f ns  (%.1f to %.1f)  %s\n", ns[v][ROUNDS / 2], ns[v][0], ns[v][ROUNDS - 1], variants[v].name);
        }
        empty_matches();
        for (size_t i = 0; i < N_RULES; i++)
                free(patterns[i]);
        return EXIT_SUCCESS;
}
