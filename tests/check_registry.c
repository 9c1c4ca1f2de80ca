/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/registry.h"


#include "check_util.h"

/* The largest machines have this many blocks, and this is what the daemon may spend on knowing them. */
#define BLOCKS_LARGEST 524288
#define BYTES_LARGEST (32u * 1024 * 1024)

START_TEST(test_entry_size) {
        struct registry r = {};

        ck_assert_uint_le(sizeof(struct entry), 64);
        for (uint32_t i = 0; i < BLOCKS_LARGEST; i++)
                ck_assert_ptr_nonnull(registry_insert(&r, i));
        ck_assert_uint_le(r.capacity * sizeof(struct entry), BYTES_LARGEST);
        registry_done(&r);
        ck_assert_uint_eq(r.n, 0);
        ck_assert_ptr_null(r.entries);
        registry_done(&r);
}
END_TEST

/* Every value that the daemon stores fits into the field that is meant for it. */
START_TEST(test_field_widths) {
        struct entry e = {};

        e.block = UINT32_MAX;
        ck_assert_uint_eq(e.block, UINT32_MAX);
        e.node = NODES_MAX - 1;
        ck_assert_int_eq(e.node, NODES_MAX - 1);
        e.error = -4095; /* the kernel's MAX_ERRNO */
        ck_assert_int_eq(e.error, -4095);
        e.attempts = 100; /* the most that retry.attempts may be */
        ck_assert_uint_eq(e.attempts, 100);
        ck_assert_int_le(_BLOCK_STATE_MAX, UINT8_MAX);
        ck_assert_int_le(_SOURCE_MAX, UINT8_MAX);
        ck_assert_int_le(_ARRIVAL_MAX, UINT8_MAX);
        ck_assert_int_le(_STAGE_MAX, UINT8_MAX);
        ck_assert_int_le(_ACTION_MAX, UINT8_MAX);
        ck_assert_int_le(_REASON_MAX, UINT8_MAX);
        ck_assert_int_le(_OUTCOME_MAX, UINT8_MAX);
}
END_TEST

/* ---- against a reference ---------------------------------------------------------------------------------------------- */

#define REFERENCE 512

struct reference {
        bool present[REFERENCE], seen[REFERENCE];
        uint64_t mark[REFERENCE];
        uint32_t numbers[REFERENCE]; /* ascending: what block i of the reference is called */
};

static void compare(const struct registry *r, const struct reference *ref) {
        size_t n = 0;

        for (size_t i = 0; i < REFERENCE; i++) {
                struct entry *e = registry_find(r, ref->numbers[i]);

                ck_assert_int_eq(e != NULL, ref->present[i]);
                if (!e)
                        continue;
                ck_assert_ptr_eq(e, &r->entries[n]); /* by number, without gaps */
                ck_assert_uint_eq(e->block, ref->numbers[i]);
                ck_assert_uint_eq(e->next_usec, ref->mark[i]);
                ck_assert_int_eq(e->seen, ref->seen[i]);
                n++;
        }
        ck_assert_uint_eq(r->n, n);
}

static void insert(struct registry *r, struct reference *ref, size_t i, uint64_t mark) {
        struct entry *e = registry_insert(r, ref->numbers[i]);

        ck_assert_ptr_nonnull(e);
        ck_assert_uint_eq(e->block, ref->numbers[i]);
        if (!ref->present[i]) { /* new: nothing is known of it */
                const struct entry blank = { .block = ref->numbers[i], .node = -1, .rule = -1 };

                ck_assert_uint_eq(e->next_usec, 0);
                ck_assert_int_eq(e->node, blank.node);
                ck_assert_int_eq(e->rule, blank.rule);
                ck_assert_uint_eq(e->stage, STAGE_IDLE);
                ck_assert_uint_eq(e->state, BLOCK_OFFLINE);
                ck_assert_uint_eq(e->source, SOURCE_UNKNOWN);
                ck_assert(!e->decided && !e->known && !e->at_startup && !e->hands_off && !e->seen);
                ck_assert_uint_eq(e->attempts, 0);
                ck_assert_int_eq(e->error, 0);
                ref->present[i] = true;
                ref->seen[i] = false;
        } else
                ck_assert_uint_eq(e->next_usec, ref->mark[i]); /* there was one: untouched */
        e->next_usec = ref->mark[i] = mark;
}

struct swept {
        const struct reference *ref;
        size_t n;
        uint32_t last;
};

static void on_gone(struct entry *e, void *userdata) {
        struct swept *s = userdata;
        size_t i = 0;

        while (i < REFERENCE && s->ref->numbers[i] != e->block)
                i++;
        ck_assert_uint_lt(i, REFERENCE);
        ck_assert(s->ref->present[i] && !s->ref->seen[i]);
        ck_assert_uint_eq(e->next_usec, s->ref->mark[i]);
        ck_assert(s->n == 0 || e->block > s->last);
        s->last = e->block;
        s->n++;
}

static void sweep(struct registry *r, struct reference *ref) {
        struct swept s = { .ref = ref };
        size_t gone = 0;

        for (size_t i = 0; i < REFERENCE; i++)
                gone += ref->present[i] && !ref->seen[i];
        registry_sweep(r, on_gone, &s);
        ck_assert_uint_eq(s.n, gone);
        for (size_t i = 0; i < REFERENCE; i++) {
                ref->present[i] = ref->present[i] && ref->seen[i];
                ref->seen[i] = false;
        }
}

START_TEST(test_random) {
        struct prng prng = { 1000 + (unsigned) _i };
        struct reference ref = {};
        struct registry r = {};

        /* Dense, sparse, and up to the last number there can be. */
        for (uint32_t i = 0; i < REFERENCE; i++)
                ref.numbers[i] = _i % 3 == 0 ? i : _i % 3 == 1 ? i * 7919 : UINT32_MAX - (REFERENCE - 1 - i) * 3;
        compare(&r, &ref);
        for (int step = 0; step < 4000; step++) {
                size_t i = prng_below(&prng, REFERENCE);
                struct entry *e;

                switch (prng_below(&prng, 16)) {
                case 0 ... 7:
                        insert(&r, &ref, i, prng_next(&prng));
                        break;
                case 8 ... 11: /* absent ones, too */
                        registry_remove(&r, ref.numbers[i]);
                        ref.present[i] = ref.seen[i] = false;
                        break;
                case 12 ... 14:
                        e = registry_find(&r, ref.numbers[i]);
                        if (e)
                                e->seen = ref.seen[i] = true;
                        break;
                default:
                        if (prng_below(&prng, 16) == 0)
                                sweep(&r, &ref);
                }
                if (step % 64 == 0)
                        compare(&r, &ref);
        }
        compare(&r, &ref);
        sweep(&r, &ref);
        compare(&r, &ref);
        registry_done(&r);
}
END_TEST

START_TEST(test_sweep_ends) {
        struct reference ref = {};
        struct registry r = {};

        for (uint32_t i = 0; i < REFERENCE; i++)
                ref.numbers[i] = i;
        sweep(&r, &ref); /* nothing is there */
        for (size_t i = 0; i < 100; i++) {
                insert(&r, &ref, i, i);
                registry_find(&r, (uint32_t) i)->seen = ref.seen[i] = true;
        }
        sweep(&r, &ref); /* all were seen: they stay */
        compare(&r, &ref);
        ck_assert_uint_eq(r.n, 100);
        sweep(&r, &ref); /* and what was seen is forgotten: none was */
        ck_assert_uint_eq(r.n, 0);
        compare(&r, &ref);
        registry_done(&r);
}
END_TEST

/* ---- names of devices -------------------------------------------------------------------------------------------------- */

START_TEST(test_devices) {
        struct registry r = {};
        uint16_t dimm, dax;

        ck_assert_uint_eq(registry_device(&r, ""), 0);
        ck_assert_str_eq(registry_device_name(&r, 0), "");
        dimm = registry_device(&r, "PNP0C80:01");
        dax = registry_device(&r, "dax0.0");
        ck_assert_uint_ne(dimm, 0);
        ck_assert_uint_ne(dax, 0);
        ck_assert_uint_ne(dimm, dax);
        ck_assert_uint_eq(registry_device(&r, ""), 0);
        ck_assert_str_eq(registry_device_name(&r, 0), "");
        ck_assert_str_eq(registry_device_name(&r, dimm), "PNP0C80:01");
        ck_assert_str_eq(registry_device_name(&r, dax), "dax0.0");
        ck_assert_uint_eq(registry_device(&r, "PNP0C80:01"), dimm);
        ck_assert_uint_eq(registry_device(&r, "dax0.0"), dax);
        ck_assert_uint_ne(registry_device(&r, "PNP0C80:0"), dimm);
        ck_assert_str_eq(registry_device_name(&r, UINT16_MAX), "");
        registry_done(&r);
        ck_assert_str_eq(registry_device_name(&r, dimm), "");
}
END_TEST

/* Cut, but one name all the same: not another with each block. */
START_TEST(test_long_device) {
        struct registry r = {};
        char name[2 * DEVICE_NAME_MAX];
        uint16_t number;

        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        number = registry_device(&r, name);
        ck_assert_uint_eq(strlen(registry_device_name(&r, number)), DEVICE_NAME_MAX - 1);
        ck_assert_uint_eq(registry_device(&r, name), number);
        name[DEVICE_NAME_MAX - 1] = '\0';
        ck_assert_uint_eq(registry_device(&r, name), number);
        registry_done(&r);
}
END_TEST

/* Where numbers are out there is no name, and those that were given keep theirs. */
START_TEST(test_many_devices) {
        struct registry r = {};
        char name[DEVICE_NAME_MAX];
        uint16_t number;

        ck_assert(GROW(r.devices, r.n_devices, r.capacity_devices));
        r.n_devices = UINT16_MAX; /* not one by one: each looks through all */
        r.devices = realloc(r.devices, (UINT16_MAX + 8) * sizeof(*r.devices));
        ck_assert_ptr_nonnull(r.devices);
        r.capacity_devices = UINT16_MAX + 8;
        memset(r.devices, 0, (UINT16_MAX + 8) * sizeof(*r.devices));
        for (size_t i = 1; i < UINT16_MAX; i++)
                snprintf(r.devices[i], DEVICE_NAME_MAX, "dax%zu.0", i);

        number = registry_device(&r, "last");
        ck_assert_uint_eq(number, UINT16_MAX);
        ck_assert_str_eq(registry_device_name(&r, number), "last");
        ck_assert_uint_eq(registry_device(&r, "one more"), 0);
        ck_assert_uint_eq(registry_device(&r, "last"), number);
        ck_assert_uint_eq(r.n_devices, UINT16_MAX + 1);
        ck_assert_str_eq(registry_device_name(&r, 0), "");
        snprintf(name, sizeof(name), "dax%d.0", 777);
        ck_assert_uint_eq(registry_device(&r, name), 777);
        registry_done(&r);
}
END_TEST

/* ---- retries ----------------------------------------------------------------------------------------------------------- */

static const struct {
        uint64_t first, max;
        unsigned attempts;
        uint64_t delay;
} retry_rows[] = {
        { 200000, 30000000, 0, 200000 },
        { 200000, 30000000, 1, 200000 },
        { 200000, 30000000, 2, 400000 },
        { 200000, 30000000, 3, 800000 },
        { 200000, 30000000, 8, 25600000 },
        { 200000, 30000000, 9, 30000000 },
        { 200000, 30000000, 10, 30000000 },
        { 200000, 30000000, 100, 30000000 },
        { 200000, 30000000, UINT32_MAX, 30000000 },
        { 1000, 1000, 1, 1000 },
        { 1000, 1000, 50, 1000 },
        { 1000, 3600000000, 22, 2097152000 },
        { 1000, 3600000000, 23, 3600000000 },
        { 3600000000, 3600000000, 100, 3600000000 },
        { 5000, 1000, 1, 1000 }, /* at most max, whatever first is */
        { 1, UINT64_MAX, 64, UINT64_C(1) << 63 },
        { 1, UINT64_MAX, 65, UINT64_MAX },
        { 1, UINT64_MAX, 66, UINT64_MAX },
        { 3, UINT64_MAX - 1, 1000, UINT64_MAX - 1 },
        { UINT64_MAX / 2 + 1, UINT64_MAX, 2, UINT64_MAX },
        { UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX },
};

START_TEST(test_retry_delay) {
        const struct retry retry = { .first_usec = retry_rows[_i].first, .max_usec = retry_rows[_i].max, .attempts = 10 };

        ck_assert_uint_eq(retry_delay_usec(&retry, retry_rows[_i].attempts), retry_rows[_i].delay);
}
END_TEST

/* Never shorter than before, never longer than max, and twice as long until then. */
START_TEST(test_retry_steps) {
        struct prng prng = { 7 };

        for (int round = 0; round < 1000; round++) {
                struct retry retry = { .first_usec = 1 + prng_number(&prng), .attempts = 10 };
                uint64_t before;

                retry.max_usec = MAX(retry.first_usec, prng_number(&prng));
                before = retry_delay_usec(&retry, 1);
                ck_assert_uint_eq(before, retry.first_usec);
                for (unsigned attempts = 2; attempts < 130; attempts++) {
                        uint64_t delay = retry_delay_usec(&retry, attempts);

                        ck_assert_uint_eq(delay, before > retry.max_usec / 2 ? retry.max_usec : before * 2);
                        before = delay;
                }
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("registry");
        TCase *c;

        c = check_case(s, "entries");
        tcase_add_test(c, test_entry_size);
        tcase_add_test(c, test_field_widths);
        tcase_add_loop_test(c, test_random, 0, 12);
        tcase_add_test(c, test_sweep_ends);

        c = check_case(s, "devices");
        tcase_add_test(c, test_devices);
        tcase_add_test(c, test_long_device);
        tcase_add_test(c, test_many_devices);

        c = check_case(s, "retries");
        tcase_add_loop_test(c, test_retry_delay, 0, ARRAY_SIZE(retry_rows));
        tcase_add_test(c, test_retry_steps);
        return check_run(s);
}
