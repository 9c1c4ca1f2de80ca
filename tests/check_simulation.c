/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/simulation.h"

#include "check_util.h"

#define K UINT64_C(1024)
#define M (1024 * K)
#define G (1024 * M)

static struct rule rule;
static struct policy policy;
static struct simulation s;
static const uint32_t boot[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static void setup(void) {
        rule = (struct rule) { .name = (char *) "all", .file = (char *) "test.conf", .line = 1, .action = ACTION_ONLINE_KERNEL };
        policy = (struct policy) { .rules = &rule, .n_rules = 1, .startup_apply = true };
        s = (struct simulation) {
                .policy = &policy, .block_size = 128 * M, .page_size = 4 * K, .indices = boot, .n_indices = ARRAY_SIZE(boot),
                .memory = { .known = true, .free = 100 * M, .reclaimable = 100 * M },
        };
        s.around.totals.known = true;
        s.around.totals.all.kernel_early = s.around.totals.nodes[0].kernel_early = G;
}

static struct sim_add simulate(const char *text) {
        static struct sim_spec spec;
        char error[SIM_ERROR_MAX];
        struct sim_add a;

        ck_assert_msg(sim_spec_parse(text, &spec, error) == 0, "%s: %s", text, error);
        simulation_run(&s, &spec, 1, &a);
        return a;
}

static const char *describe(const struct sim_add *a, enum sim_warning w) {
        static char text[512];

        sim_warning_describe(&s, a, w, text, sizeof(text));
        return text;
}

/* ---- what it costs ------------------------------------------------------------------------------------------------- */

/* 64 bytes a page, however large pages are (x86 4K, arm64 16K, arm64 and ppc64 64K), and blocks of 16 MiB to 2 GiB. */
static const struct {
        uint64_t page_size, block_size;
        const char *spec;
        uint64_t blocks, memmap;
} machines[] = {
        { 4 * K, 128 * M, "dimm:4G", 32, 64 * M },
        { 16 * K, 128 * M, "dimm:4G", 32, 16 * M },
        { 64 * K, 128 * M, "dimm:4G", 32, 4 * M },
        { 64 * K, 512 * M, "dimm:4G", 8, 4 * M },
        { 64 * K, 16 * M, "dimm:4G", 256, 4 * M },
        { 4 * K, 2 * G, "dimm:4G", 2, 64 * M },
        { 64 * K, 2 * G, "dimm:64G", 32, 64 * M },
};

START_TEST(cost_goes_by_pages) {
        struct sim_add a;

        s.page_size = machines[_i].page_size;
        s.block_size = machines[_i].block_size;
        s.n_indices = 0;
        a = simulate(machines[_i].spec);
        ck_assert_int_eq(a.refusal, SIM_TAKEN);
        ck_assert_uint_eq(a.memmap, machines[_i].memmap);
        ck_assert_uint_eq(a.size / s.block_size, machines[_i].blocks);
        ck_assert_uint_eq(a.kernel, a.size);
        ck_assert_uint_eq(a.warnings, 0);
        /* What it takes of the memory that there was, it has given when it is online. */
        ck_assert_uint_eq(a.memory_after.free, 100 * M - a.memmap + a.size);
}
END_TEST

START_TEST(file_cache_goes_first) {
        struct sim_add a = simulate("dimm:8G"); /* 128 MiB of struct pages, and 100 are free */

        ck_assert_int_eq(a.refusal, SIM_TAKEN);
        ck_assert_uint_eq(a.warnings, 1u << SIM_WARN_RECLAIM);
        ck_assert_uint_eq(a.memory_after.reclaimable, 100 * M - 28 * M);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_RECLAIM), "need 128 MiB, and only 100 MiB is free"));
}
END_TEST

/* All of it and its struct pages, to the byte. */
START_TEST(what_cannot_be_paid_is_refused) {
        struct sim_add a;

        s.memory = (struct sim_memory) { .known = true, .free = 100 * M, .reclaimable = 28 * M };
        ck_assert_int_eq(simulate("dimm:8G").refusal, SIM_TAKEN);
        setup();
        s.memory = (struct sim_memory) { .known = true, .free = 100 * M, .reclaimable = 28 * M - 1 };
        a = simulate("dimm:8G");
        ck_assert_int_eq(a.refusal, SIM_NO_MEMORY);
        ck_assert_uint_eq(a.refused, 8 * G);
        ck_assert_uint_eq(a.kernel, 0);
        ck_assert_uint_eq(a.warnings, 1u << SIM_WARN_REFUSED);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_REFUSED), "it would be refused"));
        /* Where nobody knows how much there is, nobody says that it is too little. */
        setup();
        s.memory.known = false;
        ck_assert_int_eq(simulate("dimm:8T").refusal, SIM_TAKEN);
}
END_TEST

/* Memory that comes in parts is taken until the kernel has no more for its struct pages. */
START_TEST(a_part_may_be_refused) {
        struct sim_add a;

        policy.rules[0].action = ACTION_ONLINE_MOVABLE; /* which gives the kernel nothing back */
        s.memory = (struct sim_memory) { .known = true, .free = 5 * M }; /* 2 MiB a block */
        a = simulate("virtio-mem:1G");
        ck_assert_int_eq(a.refusal, SIM_NO_MEMORY);
        ck_assert_uint_eq(a.movable, 2 * 128 * M);
        ck_assert_uint_eq(a.refused, 6 * 128 * M);
        ck_assert_int_eq(a.decision.rule, 0);
        ck_assert(a.warnings & 1u << SIM_WARN_REFUSED);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_REFUSED), "768 MiB would be refused"));
}
END_TEST

/* ---- where it is --------------------------------------------------------------------------------------------------- */

static const struct {
        const char *spec;
        enum sim_refusal refusal;
        uint64_t start, size; /* of what is taken */
        bool trimmed;
} places[] = {
        { "dimm:1G", SIM_TAKEN, G, G, false },             /* behind what there is */
        { "dimm:1G@0x80000000", SIM_TAKEN, 2 * G, G, false },
        { "dimm:1000M", SIM_UNALIGNED, 0, 0, false },
        { "dimm:1G@0x80000001", SIM_UNALIGNED, 0, 0, false },
        { "pmem:1000M@0x80000000", SIM_TAKEN, 2 * G, 896 * M, true }, /* inward */
        { "pmem:1G@0x81000000", SIM_TAKEN, 2 * G + 128 * M, 7 * 128 * M, true },
        { "pmem:100M@0x81000000", SIM_UNALIGNED, 0, 0, false }, /* no whole block in it */
        { "virtio-mem:1000M@0x80000000", SIM_TAKEN, 2 * G, G, true }, /* its last block in part */
        { "dimm:1G@0x0", SIM_OVERLAP, 0, 0, false },
        { "dimm:128M@0x38000000", SIM_OVERLAP, 0, 0, false }, /* the last block that there is */
        { "dimm:128M@0x40000000", SIM_TAKEN, G, 128 * M, false },
        { "dimm:8P@0x80000000", SIM_ADDRESS, 0, 0, false },
        { "dimm:1G@0xffffffffc0000000", SIM_ADDRESS, 0, 0, false },
};

START_TEST(places_of_blocks) {
        struct sim_add a;

        s.memory.known = false;
        a = simulate(places[_i].spec);
        ck_assert_msg(a.refusal == places[_i].refusal, "%s: %d", places[_i].spec, a.refusal);
        if (a.refusal != SIM_TAKEN) {
                ck_assert_uint_eq(a.refused, a.size);
                ck_assert_uint_ne(*describe(&a, SIM_WARN_REFUSED), 0);
                return;
        }
        ck_assert_uint_eq(a.start, places[_i].start);
        ck_assert_uint_eq(a.size, places[_i].size);
        ck_assert_int_eq((a.warnings >> SIM_WARN_TRIMMED) & 1, places[_i].trimmed);
}
END_TEST

/* Two in one command are two: they cannot have the same place, and follow each other. */
START_TEST(one_after_the_other) {
        struct sim_spec specs[3];
        char error[SIM_ERROR_MAX];
        struct sim_add adds[3];

        ck_assert_int_eq(sim_spec_parse("dimm:1G", &specs[0], error), 0);
        ck_assert_int_eq(sim_spec_parse("dimm:1G", &specs[1], error), 0);
        ck_assert_int_eq(sim_spec_parse("dimm:1G@0x60000000", &specs[2], error), 0); /* in the midst of the first */
        simulation_run(&s, specs, 3, adds);
        ck_assert_uint_eq(adds[0].start, G);
        ck_assert_uint_eq(adds[1].start, 2 * G);
        ck_assert_int_eq(adds[2].refusal, SIM_OVERLAP);
}
END_TEST

/* ---- what to say --------------------------------------------------------------------------------------------------- */

START_TEST(warnings_of_ratios) {
        struct sim_add a;

        rule.action = ACTION_ONLINE_MOVABLE; /* without a limit */
        a = simulate("dimm:4G");
        ck_assert_uint_eq(a.warnings, 0); /* 400 % */
        a = simulate("dimm:1G");
        ck_assert_uint_eq(a.warnings, 1u << SIM_WARN_UNLIMITED);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_UNLIMITED), "MOVABLE:KERNEL would be 500 %"));
        /* A node without kernel memory */
        setup();
        rule.action = ACTION_ONLINE_MOVABLE;
        a = simulate("dimm:1G@node3");
        ck_assert_uint_eq(a.warnings, 1u << SIM_WARN_MOVABLE_NODE);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_MOVABLE_NODE), "node 3 would be movable-only"));
        /* A machine without any that counts */
        setup();
        rule.action = ACTION_ONLINE_MOVABLE;
        s.around.totals.all.kernel_early = 0;
        a = simulate("dimm:1G");
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_UNLIMITED), "no kernel memory that counts"));
        /* Nobody knows */
        setup();
        rule.action = ACTION_BALANCE;
        rule.balance.ratio = 301;
        s.around.totals.known = false;
        a = simulate("dimm:1G");
        ck_assert(a.warnings & 1u << SIM_WARN_UNKNOWN);
        ck_assert_ptr_nonnull(strstr(describe(&a, SIM_WARN_UNKNOWN), "nothing can be balanced"));
        /* No rule */
        setup();
        policy.n_rules = 0;
        a = simulate("dimm:1G");
        ck_assert_uint_eq(a.warnings, 1u << SIM_WARN_NO_RULE);
        ck_assert_uint_eq(a.offline, G);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("simulation");
        TCase *c;

        c = check_case_in(suite, "what it costs", setup, NULL);
        tcase_add_loop_test(c, cost_goes_by_pages, 0, ARRAY_SIZE(machines));
        tcase_add_test(c, file_cache_goes_first);
        tcase_add_test(c, what_cannot_be_paid_is_refused);
        tcase_add_test(c, a_part_may_be_refused);
        c = check_case_in(suite, "where it is", setup, NULL);
        tcase_add_loop_test(c, places_of_blocks, 0, ARRAY_SIZE(places));
        tcase_add_test(c, one_after_the_other);
        c = check_case_in(suite, "what to say", setup, NULL);
        tcase_add_test(c, warnings_of_ratios);
        return check_run(suite);
}
