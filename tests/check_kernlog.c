/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/kernlog.h"

#include <inttypes.h>

#include "check_util.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- records ------------------------------------------------------------------------------------------------------ */

static void parse(const char *record, size_t size, struct kernlog_line *ret) {
        _cleanup_free_ char *copy = check_copy(record, size);

        memset(ret, 0xa5, sizeof(*ret)); /* nothing is left of what was there */
        kernlog_parse(copy, size, ret);
}

/* The first two were written by Linux 6.1 on QEMU; the texts of the others stand in the source of 6.1, but the last. */
static const struct {
        const char *record;
        struct kernlog_line line;
} records[] = {
        { "3,407,4402138,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x40000000\n",
          { .type = KERNLOG_UNALIGNED, .usec = 4402138, .block_size = 128 * MIB, .start = 0x288200000, .size = GIB } },
        { "3,408,4402327,-;acpi PNP0C80:06: add_memory failed\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0C80:06\n",
          { .type = KERNLOG_FAILED, .usec = 4402327, .device = "PNP0C80:06" } },
        { "3,409,1,-;Block size [0x80000000] unaligned hotplug range: start 0x0, size 0x1",
          { .type = KERNLOG_UNALIGNED, .usec = 1, .block_size = 2 * GIB, .start = 0, .size = 1 } },
        { "3,409,1,-;Block size [0x8000000] unaligned hotplug range: start 0xffffffffffffffff, size 0xffffffffffffffff\n",
          { .type = KERNLOG_UNALIGNED, .usec = 1, .block_size = 128 * MIB, .start = UINT64_MAX, .size = UINT64_MAX } },
        { "4,510,99000000,-;kmem dax0.0: mapping0: 0x140000000-0x1bfffffff memory add failed\n SUBSYSTEM=dax\n",
          { .type = KERNLOG_FAILED, .usec = 99000000, .device = "dax0.0" } },
        { "4,511,99000001,-;virtio_mem virtio0: adding memory failed: -12\n",
          { .type = KERNLOG_FAILED, .usec = 99000001, .device = "virtio0", .error = -12 } },
        { "3,512,99000002,-;hv_balloon: hot_add memory failed error is -17\n",
          { .type = KERNLOG_FAILED, .usec = 99000002, .error = -17 } },
        { "3,513,99000003,-;hv_balloon: hot_add memory failed error: -22\n",
          { .type = KERNLOG_FAILED, .usec = 99000003, .error = -22 } },
        /* More flags, and fields that kernels may add between them and the text. */
        { "3,407,18446744073709551615,-,caller=T1;acpi PNP0C80:06: add_memory failed\n",
          { .type = KERNLOG_FAILED, .usec = UINT64_MAX, .device = "PNP0C80:06" } },
        { "7,0,0,c,new=1,newer=2;acpi PNP0C80:06: add_memory failed\n",
          { .type = KERNLOG_FAILED, .device = "PNP0C80:06" } },
        /* Errors that are none. */
        { "4,1,2,-;virtio_mem virtio0: adding memory failed: -\n", { .type = KERNLOG_FAILED, .usec = 2, .device = "virtio0" } },
        { "4,1,2,-;virtio_mem virtio0: adding memory failed: -4096\n",
          { .type = KERNLOG_FAILED, .usec = 2, .device = "virtio0" } },
        { "4,1,2,-;virtio_mem virtio0: adding memory failed: -99999999999999999999999\n",
          { .type = KERNLOG_FAILED, .usec = 2, .device = "virtio0" } },
        { "4,1,2,-;virtio_mem virtio0: adding memory failed: 12\n", { .type = KERNLOG_FAILED, .usec = 2, .device = "virtio0" } },
        /* The first by Linux 6.1. */
        { "6,441,5000000,-;Built 2 zonelists, mobility grouping on.  Total pages: 524288\n",
          { .type = KERNLOG_ZONELISTS, .usec = 5000000, .zonelists = 2, .total_pages = 524288 } },
        { "6,441,5000000,-;Built 1024 zonelists, mobility grouping off.  Total pages: 18446744073709551615\n",
          { .type = KERNLOG_ZONELISTS, .usec = 5000000, .zonelists = 1024, .total_pages = UINT64_MAX } },
        /* A device that is not where it should be. */
        { "3,1,2,-;add_memory failed\n", { .type = KERNLOG_FAILED, .usec = 2 } },
        { "3,1,2,-; : add_memory failed\n", { .type = KERNLOG_FAILED, .usec = 2 } },
        { "3,1,2,-;some thing PNP0C80:06: add_memory failed\n", { .type = KERNLOG_FAILED, .usec = 2 } },
        { "3,1,2,-;acpi a-device-whose-name-is-longer-than-any-name-in-the-kernel: add_memory failed\n",
          { .type = KERNLOG_FAILED, .usec = 2, .device = "a-device-whose-name-is-longer-than-any-name-in-" } },
};

static void check_parsed(const struct kernlog_line *l, const struct kernlog_line *expected) {
        ck_assert_int_eq(l->type, expected->type);
        ck_assert_uint_eq(l->usec, expected->usec);
        ck_assert_uint_eq(l->block_size, expected->block_size);
        ck_assert_uint_eq(l->start, expected->start);
        ck_assert_uint_eq(l->size, expected->size);
        ck_assert_str_eq(l->device, expected->device);
        ck_assert_int_eq(l->error, expected->error);
        ck_assert_uint_eq(l->zonelists, expected->zonelists);
        ck_assert_uint_eq(l->total_pages, expected->total_pages);
}

START_TEST(test_record) {
        struct kernlog_line line;

        parse(records[_i].record, strlen(records[_i].record), &line);
        check_parsed(&line, &records[_i].line);
}
END_TEST

#define UNALIGNED "Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x40000000\n"
#define FAILED "acpi PNP0C80:06: add_memory failed\n"

static const char *const others[] = {
        /* Whoever may write to /dev/kmsg may say so: LOG_USER and all that is above LOG_KERN. */
        "8,407,4402138,-;" UNALIGNED,
        "11,407,4402138,-;" UNALIGNED,
        "12,408,4402327,-;" FAILED,
        "15,408,4402327,-;" FAILED,
        "191,408,4402327,-;" FAILED,
        "2147483651,408,4402327,-;" FAILED,
        "4294967299,408,4402327,-;" FAILED,
        "18446744073709551619,408,4402327,-;" FAILED,
        "-1,408,4402327,-;" FAILED,
        /* It may say more than one line, too. */
        "12,408,4402327,-;hello\n3,408,4402327,-;" FAILED,
        "6,408,4402327,-;hello\n " FAILED,
        "6,408,4402327,-;systemd[1]: hello\n MESSAGE=" FAILED,
        /* Of other things. */
        "6,1,0,-;Linux version 6.1.0-42-amd64\n",
        "6,440,5000000,-;Fallback order for Node 0: 0 1 \n",
        "12,441,5000000,-;Built 2 zonelists, mobility grouping on.  Total pages: 524288\n",
        "6,441,5000000,-;Rebuilt 2 zonelists, mobility grouping on.  Total pages: 524288\n",
        "6,441,5000000,-;Built many zonelists, mobility grouping on.  Total pages: 524288\n",
        "6,441,5000000,-;Built 4294967296 zonelists, mobility grouping on.  Total pages: 524288\n",
        "6,441,5000000,-;Built 2 zonelists, mobility grouping on.\n",
        "6,441,5000000,-;Built 2 zonelists, mobility grouping on.  Total pages: many\n",
        "6,441,5000000,-;Built 2 zonelists, mobility grouping on.  Total pages: 18446744073709551616\n",
        "6,441,5000000,-;Built 2 houses.  Total pages: 524288\n",
        "6,441,5000000,-;memory add is fine, failed is not\n",
        "6,441,5000000,-;\n",
        /* Not of the form. */
        "", "\n", ";", ",,,;", "3,;", "3,1;", "3,1,2;",
        UNALIGNED, FAILED,
        "3,408,4402327;" FAILED,
        "3,408,;" FAILED,
        "x,408,4402327,-;" FAILED,
        "3,x,4402327,-;" FAILED,
        "3,408,x,-;" FAILED,
        " 3,408,4402327,-;" FAILED,
        "3,408,4402327,-" FAILED,
        "3,408,4402327,-\n;" FAILED,
        "3,408,4402327 ,-;" FAILED,
        /* A range that is none. */
        "3,1,2,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x0\n",
        "3,1,2,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x\n",
        "3,1,2,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000\n",
        "3,1,2,-;Block size [0x8000000] unaligned hotplug range: start , size 0x40000000\n",
        "3,1,2,-;Block size [] unaligned hotplug range: start 0x288200000, size 0x40000000\n",
        "3,1,2,-;unaligned hotplug range: start 0x288200000, size 0x40000000\n",
        "3,1,2,-;Block size [0x8000000] hotplug range: start 0x288200000, size 0x40000000\n",
        "3,1,2,-;Block size [0x8000000] unaligned hotplug range: start 0x10000000000000000, size 0x40000000\n",
};

START_TEST(test_other) {
        static const struct kernlog_line none = { .type = KERNLOG_OTHER };
        struct kernlog_line line;

        parse(others[_i], strlen(others[_i]), &line);
        ck_assert_int_eq(line.type, KERNLOG_OTHER);
        ck_assert_str_eq(line.device, none.device);
}
END_TEST

/* A record that is cut short is not one that says something else. */
START_TEST(test_truncated) {
        for (size_t i = 0; i < ARRAY_SIZE(records); i++)
                for (size_t cut = 0; cut < strlen(records[i].record); cut++) {
                        struct kernlog_line line;

                        parse(records[i].record, cut, &line);
                        CHECK(line.type == KERNLOG_OTHER || line.type == records[i].line.type);
                        CHECK(strlen(line.device) < sizeof(line.device));
                        CHECK(line.type != KERNLOG_UNALIGNED || line.start == records[i].line.start);
                }
}
END_TEST

START_TEST(test_huge) {
        size_t size = 1 << 20;
        _cleanup_free_ char *record = malloc(size);
        struct kernlog_line line;

        ck_assert_ptr_nonnull(record);
        for (int fill = 0; fill < 256; fill += 5) {
                memset(record, fill, size);
                memcpy(record, "3,408,4402327,-;", 16);
                kernlog_parse(record, size, &line);
                ck_assert_int_eq(line.type, KERNLOG_OTHER);
                memcpy(record + 16, FAILED, sizeof(FAILED) - 2);
                kernlog_parse(record, size, &line);
                ck_assert_int_eq(line.type, KERNLOG_FAILED);
                ck_assert_str_eq(line.device, "PNP0C80:06");
        }
        memset(record, '9', size);
        kernlog_parse(record, size, &line);
        ck_assert_int_eq(line.type, KERNLOG_OTHER);
        memset(record, ',', size);
        kernlog_parse(record, size, &line);
        ck_assert_int_eq(line.type, KERNLOG_OTHER);
}
END_TEST

START_TEST(test_garbage) {
        struct prng prng = { 41 };

        for (int round = 0; round < 200000; round++) {
                const char *record = records[prng_below(&prng, ARRAY_SIZE(records))].record;
                size_t size = strlen(record);
                _cleanup_free_ char *copy = check_copy(record, size);
                struct kernlog_line line;

                for (unsigned i = 0; i <= prng_below(&prng, 4); i++)
                        copy[prng_below(&prng, (unsigned) size)] =
                                prng_below(&prng, 2) ? "0123456789,;:-[ \nxf"[prng_below(&prng, 19)] : (char) prng_next(&prng);
                kernlog_parse(copy, size, &line);
                CHECK(line.type <= KERNLOG_ZONELISTS && line.error <= 0 && line.error > -4096);
                CHECK(memchr(line.device, '\0', sizeof(line.device)));
                CHECK(line.type != KERNLOG_UNALIGNED || line.size > 0);
        }
}
END_TEST

/* ---- refusals ----------------------------------------------------------------------------------------------------- */

static struct kernlog_line unaligned(uint64_t usec, uint64_t start) {
        return (struct kernlog_line) {
                .type = KERNLOG_UNALIGNED, .usec = usec, .block_size = 128 * MIB, .start = start, .size = GIB,
        };
}

static struct kernlog_line failed(uint64_t usec, const char *device, int error) {
        struct kernlog_line l = { .type = KERNLOG_FAILED, .usec = usec, .error = error };

        snprintf(l.device, sizeof(l.device), "%s", device);
        return l;
}

#define SECOND UINT64_C(1000000)

/* The lines of one, or of two; in the order of the log. */
static const struct {
        struct {
                char what; /* U or F; 0: none */
                uint64_t usec;
                const char *device;
                int error;
        } lines[4];
        struct {
                uint64_t usec;
                const char *device;
                bool has_range;
                int error;
        } refusals[4];
        unsigned n;
} stories[] = {
        { { { 'U', 100, "", 0 } }, { { 100, "", true, 0 } }, 1 },
        { { { 'F', 100, "A", -12 } }, { { 100, "A", false, -12 } }, 1 },
        /* The range, and then who complains. */
        { { { 'U', 100, "", 0 }, { 'F', 289, "A", 0 } }, { { 100, "A", true, 0 } }, 1 },
        { { { 'U', 100, "", 0 }, { 'F', 100, "A", -22 } }, { { 100, "A", true, -22 } }, 1 },
        { { { 'U', 100, "", 0 }, { 'F', 100 + SECOND, "A", 0 } }, { { 100, "A", true, 0 } }, 1 },
        { { { 'U', 100, "", 0 }, { 'F', 101 + SECOND, "A", 0 } }, { { 100, "", true, 0 }, { 101 + SECOND, "A", false, 0 } }, 2 },
        /* The other way round they are two things. */
        { { { 'F', 100, "A", -12 }, { 'U', 289, "", 0 } }, { { 100, "A", false, -12 }, { 289, "", true, 0 } }, 2 },
        { { { 'F', 100, "A", -12 }, { 'U', 289, "", 0 }, { 'F', 290, "B", 0 } },
          { { 100, "A", false, -12 }, { 289, "B", true, 0 } }, 2 },
        /* Two at once. */
        { { { 'U', 100, "", 0 }, { 'F', 200, "A", 0 }, { 'U', 300, "", 0 }, { 'F', 400, "B", 0 } },
          { { 100, "A", true, 0 }, { 300, "B", true, 0 } }, 2 },
        /* Two mappings of one device: two ranges. */
        { { { 'U', 100, "", 0 }, { 'F', 200, "dax0.0", 0 }, { 'U', 300, "", 0 }, { 'F', 400, "dax0.0", 0 } },
          { { 100, "dax0.0", true, 0 }, { 300, "dax0.0", true, 0 } }, 2 },
        { { { 'U', 100, "", 0 }, { 'U', 150, "", 0 }, { 'F', 200, "dax0.0", 0 } },
          { { 100, "", true, 0 }, { 150, "dax0.0", true, 0 } }, 2 },
        /* The same complaint again says nothing new at once, and does later. */
        { { { 'F', 100, "A", -12 }, { 'F', 200, "A", -12 }, { 'F', 300, "A", -12 } }, { { 100, "A", false, -12 } }, 1 },
        { { { 'F', 100, "A", -12 }, { 'F', 101 + SECOND, "A", -12 } },
          { { 100, "A", false, -12 }, { 101 + SECOND, "A", false, -12 } }, 2 },
        { { { 'F', 100, "A", -12 }, { 'F', 200, "B", -12 } }, { { 100, "A", false, -12 }, { 200, "B", false, -12 } }, 2 },
};

START_TEST(test_story) {
        struct refusals r = {};

        for (size_t i = 0; i < 4 && stories[_i].lines[i].what; i++) {
                struct kernlog_line line = stories[_i].lines[i].what == 'U'
                        ? unaligned(stories[_i].lines[i].usec, i * GIB)
                        : failed(stories[_i].lines[i].usec, stories[_i].lines[i].device, stories[_i].lines[i].error);

                refusals_add(&r, &line);
                refusals_add(&r, &(struct kernlog_line) { .type = KERNLOG_OTHER, .usec = line.usec, .device = "X" });
                refusals_add(&r, &(struct kernlog_line) { .type = KERNLOG_ZONELISTS, .usec = line.usec, .device = "X" });
        }
        ck_assert_uint_eq(r.n, stories[_i].n);
        ck_assert_uint_eq(r.total, stories[_i].n);
        for (size_t i = 0; i < r.n; i++) {
                const struct refusal *refusal = refusals_get(&r, i);

                ck_assert_uint_eq(refusal->usec, stories[_i].refusals[i].usec);
                ck_assert_str_eq(refusal->device, stories[_i].refusals[i].device);
                ck_assert_uint_eq(refusal->size, stories[_i].refusals[i].has_range ? GIB : 0);
                ck_assert_uint_eq(refusal->block_size, stories[_i].refusals[i].has_range ? 128 * MIB : 0);
                ck_assert_int_eq(refusal->error, stories[_i].refusals[i].error);
                ck_assert(!refusal->told);
        }
}
END_TEST

/* The last sixteen, the oldest first. What people were told of is not told of anew when it moves. */
START_TEST(test_ring) {
        struct refusals r = {};

        for (uint64_t i = 0; i < 5 * REFUSALS_MAX + 3; i++) {
                struct kernlog_line line = unaligned(i * 10 * SECOND, i * GIB);

                refusals_add(&r, &line);
                refusals_get(&r, r.n - 1)->told = i % 2;
                ck_assert_uint_eq(r.total, i + 1);
                ck_assert_uint_eq(r.n, MIN(i + 1, (uint64_t) REFUSALS_MAX));
                for (size_t k = 0; k < r.n; k++) {
                        uint64_t number = i + 1 - r.n + k;

                        ck_assert_uint_eq(refusals_get(&r, k)->start, number * GIB);
                        ck_assert_int_eq(refusals_get(&r, k)->told, number % 2);
                }
        }
        /* The complaint about the last one is the last one's, and one that comes late has taken its place from none. */
        refusals_add(&r, &(struct kernlog_line) { .type = KERNLOG_FAILED, .usec = (r.total - 1) * 10 * SECOND + 5, .device = "A" });
        ck_assert_str_eq(refusals_get(&r, REFUSALS_MAX - 1)->device, "A");
        ck_assert_uint_eq(r.total, 5 * REFUSALS_MAX + 3);
        refusals_add(&r, &(struct kernlog_line) { .type = KERNLOG_FAILED, .usec = r.total * 10 * SECOND, .device = "B" });
        ck_assert_str_eq(refusals_get(&r, REFUSALS_MAX - 1)->device, "B");
        ck_assert_uint_eq(refusals_get(&r, REFUSALS_MAX - 1)->size, 0);
        ck_assert_str_eq(refusals_get(&r, REFUSALS_MAX - 2)->device, "A");
        ck_assert(!refusals_get(&r, REFUSALS_MAX - 1)->told);
}
END_TEST

/* ---- what people read --------------------------------------------------------------------------------------------- */

static const struct {
        struct refusal refusal;
        const char *parts[4];
} texts[] = {
        { { .block_size = 128 * MIB, .start = 0x288200000, .size = GIB, .device = "PNP0C80:06" },
          { "1 GiB at 0x288200000 of PNP0C80:06 ", "multiple of the block size (128 MiB)", "Plug it at an aligned address" } },
        { { .block_size = 2 * GIB, .start = 0x1000, .size = 129 * MIB, .error = -22 },
          { "129 MiB at 0x1000 of an unknown device ", "(2 GiB)" } },
        { { .device = "virtio0", .error = -12 }, { "memory of virtio0 ", "Cannot allocate memory", "see its log" } },
        { { .device = "PNP0C80:06" }, { "memory of PNP0C80:06 was refused by the kernel; see its log" } },
        { { .error = -17 }, { "memory of an unknown device ", "File exists" } },
        { {}, { "memory of an unknown device was refused" } },
};

START_TEST(test_describe) {
        char text[512];

        refusal_describe(&texts[_i].refusal, text, sizeof(text));
        for (size_t i = 0; i < 4 && texts[_i].parts[i]; i++)
                ck_assert_msg(strstr(text, texts[_i].parts[i]), "\"%s\" is not in \"%s\"", texts[_i].parts[i], text);
        ck_assert_ptr_null(strstr(text, "null"));
}
END_TEST

/* In whatever room there is; and in the room that its users have, whole. */
START_TEST(test_describe_fits) {
        struct refusal longest = { .block_size = UINT64_MAX - 1, .start = UINT64_MAX, .size = UINT64_MAX - 1, .error = -4095 };
        char whole[512];

        memset(longest.device, 'w', sizeof(longest.device) - 1);
        for (int ranged = 0; ranged < 2; ranged++) {
                if (ranged)
                        longest.size = 0;
                refusal_describe(&longest, whole, sizeof(whole));
                ck_assert_uint_lt(strlen(whole), sizeof(whole) - 1);
                for (size_t size = 1; size < sizeof(whole); size++) {
                        _cleanup_free_ char *text = malloc(size); /* the sanitizers see the first byte beyond it */

                        ck_assert_ptr_nonnull(text);
                        refusal_describe(&longest, text, size);
                        CHECK(strncmp(text, whole, size - 1) == 0 && text[MIN(size - 1, strlen(whole))] == '\0');
                }
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("kernlog");
        TCase *c = check_case(s, "records");

        tcase_add_loop_test(c, test_record, 0, ARRAY_SIZE(records));
        tcase_add_loop_test(c, test_other, 0, ARRAY_SIZE(others));
        tcase_add_test(c, test_truncated);
        tcase_add_test(c, test_huge);
        tcase_add_test(c, test_garbage);
        c = check_case(s, "refusals");
        tcase_add_loop_test(c, test_story, 0, ARRAY_SIZE(stories));
        tcase_add_test(c, test_ring);
        c = check_case(s, "texts");
        tcase_add_loop_test(c, test_describe, 0, ARRAY_SIZE(texts));
        tcase_add_test(c, test_describe_fits);
        return check_run(s);
}
