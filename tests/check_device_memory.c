/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/device_memory.h"

#include <inttypes.h>

#include "check_util.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* As a 6.1 kernel prints it: in the order of address an NVDIMM as system memory, one as fsdax, one as devdax with its
 * struct pages in itself, another fsdax one, and one that is in raw mode and thus looks like fsdax. */
static const char vm_iomem[] =
        "00001000-0009fbff : System RAM\n"
        "00100000-3ffdefff : System RAM\n"
        "  01000000-01e01d31 : Kernel code\n"
        "100000000-13fffffff : System RAM\n"
        "140000000-1bfffffff : Persistent Memory\n"
        "  140000000-1401fffff : namespace0.0\n"
        "  148000000-1bfffffff : dax0.0\n"
        "    148000000-1bfffffff : System RAM (kmem)\n"
        "1c0000000-1ffffffff : Persistent Memory\n"
        "  1c0000000-1ffffffff : namespace1.0\n"
        "200000000-23fffffff : Persistent Memory\n"
        "  200000000-2011fffff : namespace2.0\n"
        "  201200000-23fffffff : dax2.0\n"
        "240000000-27fffffff : Persistent Memory\n"
        "  240000000-27fffffff : namespace3.0\n"
        "280000000-2881fffff : Persistent Memory\n"
        "  280000000-2881fffff : namespace4.0\n"
        "400000000-4ffffffff : virtio1\n"
        "  400000000-41fffffff : System RAM (virtio_mem)\n";

static void parse_iomem(const char *text, struct iomem *ret) {
        unsigned line = 0;

        ck_assert_msg(iomem_parse(text, strlen(text), ret, &line) == 0, "line %u of:\n%s", line, text);
}

/* Nodes 0 … 3 with a zone Normal, of which nobody asks, and a zone Device that spans so much. */
static void make_zoneinfo(const uint64_t spanned[static 4], struct zoneinfo *ret) {
        char text[8192];
        unsigned line = 0;
        size_t n = 0;

        for (unsigned node = 0; node < 4; node++)
                for (unsigned device = 0; device < 2; device++)
                        n += (size_t) snprintf(text + n, sizeof(text) - n,
                                               "Node %u, zone   %s\n  pages free     0\n        boost    0\n"
                                               "        min      0\n        low      0\n        high     0\n        spanned  %" PRIu64 "\n"
                                               "        present  0\n        managed  0\n        cma      0\n"
                                               "        protection: (0, 0)\n",
                                               node, device ? "Device" : "Normal", device ? spanned[node] : 777);
        ck_assert_msg(zoneinfo_parse(text, n, ret, &line) == 0, "line %u of:\n%s", line, text);
}

struct expected {
        uint64_t start, size;
        const char *holder;
        enum source kind;
        bool memmap_inside;
};

/* Find and compare; ends at an entry without a holder. node: of all of them. */
static void check_found(const char *iomem_text, const uint64_t spanned[static 4], uint64_t page_size, uint64_t memmap_bytes,
                        int node, const struct expected *expected) {
        struct device_memory m = { .n = 99 };
        struct zoneinfo z;
        struct iomem io;
        size_t n = 0;

        parse_iomem(iomem_text, &io);
        make_zoneinfo(spanned, &z);
        ck_assert_int_eq(device_memory_find(&io, &z, page_size, &m), 0);
        for (; expected[n].holder; n++) {
                ck_assert_msg(n < m.n, "%s is missing", expected[n].holder);
                ck_assert_str_eq(m.ranges[n].holder, expected[n].holder);
                ck_assert_uint_eq(m.ranges[n].start, expected[n].start);
                ck_assert_uint_eq(m.ranges[n].size, expected[n].size);
                ck_assert_msg(m.ranges[n].kind == expected[n].kind, "%s: %s", expected[n].holder,
                              source_to_string(m.ranges[n].kind));
                ck_assert_int_eq(m.ranges[n].node, node);
                ck_assert_msg(m.ranges[n].memmap_inside == expected[n].memmap_inside, "%s", expected[n].holder);
        }
        ck_assert_msg(m.n == n, "%s is too much", m.n > n ? m.ranges[n].holder : "");
        ck_assert_uint_eq(m.memmap_bytes, memmap_bytes);
        device_memory_done(&m);
        ck_assert_ptr_null(m.ranges);
        zoneinfo_done(&z);
        iomem_done(&io);
}

static const struct expected vm_expected[] = {
        { 0x1c0000000, GIB, "namespace1.0", SOURCE_PMEM, false },
        { 0x201200000, GIB - 18 * MIB, "dax2.0", SOURCE_PMEM, true },
        { 0x240000000, GIB, "namespace3.0", SOURCE_PMEM, false },
        { 0x280000000, 130 * MIB, "namespace4.0", SOURCE_PMEM, false },
        {},
};

static const struct expected nothing[] = { {} };

START_TEST(test_real) {
        static const uint64_t spanned[4] = { 0, 524288, 1310720, 0 };

        /* 2178 MiB of them in RAM, for all that is known: a 64th of that */
        check_found(vm_iomem, spanned, 4096, 2178 * MIB / 64, -1, vm_expected);
        /* pages of an unknown size: all that the zones span */
        check_found(vm_iomem, spanned, 0, (524288 + 1310720) * 64, -1, vm_expected);
        /* the zones say less than the sum */
        check_found(vm_iomem, (uint64_t[4]) { 0, 1000, 0, 500 }, 4096, 1500 * 64, -1, vm_expected);
        /* a page of 64 KiB, of which the last may be a part */
        check_found(vm_iomem, spanned, 65536, 2178 * MIB / 65536 * 64, -1, vm_expected);
}
END_TEST

START_TEST(test_node) {
        for (unsigned node = 0; node < 4; node++) {
                uint64_t spanned[4] = {};

                spanned[node] = 1 << 20;
                check_found(vm_iomem, spanned, 4096, 2178 * MIB / 64, (int) node, vm_expected);
        }
        check_found(vm_iomem, (uint64_t[4]) { 1, 0, 0, 1 << 20 }, 4096, 2178 * MIB / 64, -1, vm_expected);
        check_found(vm_iomem, (uint64_t[4]) { 1, 1, 1, 1 << 20 }, 4096, 2178 * MIB / 64, -1, vm_expected);
}
END_TEST

/* Without a zone Device that spans anything there are no struct pages: nothing was hot-added. */
START_TEST(test_nothing) {
        static const char hidden[] = "00000000-00000000 : Persistent Memory\n  00000000-00000000 : namespace0.0\n";
        static const char plain[] = "00100000-3ffdefff : System RAM\n";

        check_found(vm_iomem, (uint64_t[4]) {}, 4096, 0, -1, nothing);
        check_found(plain, (uint64_t[4]) { 77 }, 4096, 0, -1, nothing);
        check_found(hidden, (uint64_t[4]) { 77 }, 4096, 0, -1, nothing);
}
END_TEST

START_TEST(test_no_zone_device) {
        size_t size, line_size;
        char *text = check_read_data("zoneinfo-6.18", &size);
        struct device_memory m;
        struct zoneinfo z;
        unsigned line = 0;
        struct iomem io;

        ck_assert_int_eq(zoneinfo_parse(text, size, &z, &line), 0);
        free(text);
        text = check_read_data("iomem-6.1", &line_size);
        ck_assert_int_eq(iomem_parse(text, line_size, &io, &line), 0);
        free(text);
        ck_assert_int_eq(device_memory_find(&io, &z, 4096, &m), 0);
        ck_assert_uint_eq(m.n, 0);
        ck_assert_uint_eq(m.memmap_bytes, 0);
        device_memory_done(&m);
        iomem_done(&io);
        zoneinfo_done(&z);
}
END_TEST

/* What it lies in: the innermost that has a name for it. */
START_TEST(test_kinds) {
        static const char text[] =
                "100000000-1ffffffff : CXL Window 0\n"
                "  100000000-17fffffff : region0\n"
                "    100000000-17fffffff : dax0.0\n"
                "  180000000-1ffffffff : region1\n" /* nobody maps it: no struct pages */
                "200000000-2ffffffff : hmem.0\n"
                "  200000000-2ffffffff : Soft Reserved\n"
                "    200000000-2ffffffff : dax1.0\n"
                "300000000-3ffffffff : Soft Reserved\n"
                "  300000000-3ffffffff : CXL Window 1\n"
                "    300000000-3ffffffff : region2\n"
                "      300000000-3ffffffff : dax2.0\n"
                "400000000-4ffffffff : somewhere\n"
                "  400000000-43fffffff : dax3.0\n"
                "  440000000-4ffffffff : namespace3.1\n"
                "500000000-5ffffffff : Persistent Memory (legacy)\n"
                "  500000000-53fffffff : namespace4.0\n"
                "  540000000-57fffffff : namespace4.1\n"
                "600000000-6ffffffff : CXL Window 2\n"
                "  600000000-6ffffffff : Persistent Memory\n"
                "    600000000-6ffffffff : namespace5.0\n"
                "7000000000-70ffffffff : dax7.10\n";
        static const struct expected expected[] = {
                { 0x100000000, 2 * GIB, "dax0.0", SOURCE_CXL, false },
                { 0x200000000, 4 * GIB, "dax1.0", SOURCE_HMEM, false },
                { 0x300000000, 4 * GIB, "dax2.0", SOURCE_CXL, false },
                { 0x400000000, GIB, "dax3.0", SOURCE_DAX, false },
                { 0x440000000, 3 * GIB, "namespace3.1", SOURCE_PMEM, false },
                { 0x500000000, GIB, "namespace4.0", SOURCE_PMEM, false },
                { 0x540000000, GIB, "namespace4.1", SOURCE_PMEM, false },
                { 0x600000000, 4 * GIB, "namespace5.0", SOURCE_PMEM, false },
                { 0x7000000000, 4 * GIB, "dax7.10", SOURCE_DAX, false },
                {},
        };

        check_found(text, (uint64_t[4]) { 0, 1 << 30 }, 4096, 24 * GIB / 64, 1, expected);
}
END_TEST

/* A device in several ranges, of which kmem could only use the second. */
START_TEST(test_system_ram) {
        static const char text[] =
                "100000000-1ffffffff : Soft Reserved\n"
                "  100000000-1007fffff : dax0.0\n"
                "  140000000-1bfffffff : dax0.0\n"
                "    140000000-1bfffffff : System RAM (kmem)\n"
                "  1c0000000-1ffffffff : dax0.00\n" /* another name */
                "200000000-2ffffffff : Persistent Memory\n"
                "  200000000-23fffffff : dax1.0\n"
                "    200000000-23fffffff : some driver\n" /* claimed, but not as memory */
                "  240000000-27fffffff : dax1.1\n"
                "    240000000-27fffffff : System RAM\n";
        static const struct expected expected[] = {
                { 0x1c0000000, GIB, "dax0.00", SOURCE_HMEM, false },
                { 0x200000000, GIB, "dax1.0", SOURCE_PMEM, false },
                {},
        };

        check_found(text, (uint64_t[4]) { 0, 0, 1 << 30 }, 4096, 2 * GIB / 64, 2, expected);
}
END_TEST

/* Which namespaces are the header of the dax device behind them, and what their size tells. */
START_TEST(test_headers) {
        static const char text[] =
                "100000000-1ffffffff : Persistent Memory\n"
                "  100000000-1001fffff : namespace0.0\n" /* -M mem, aligned to 2 MiB */
                "  100200000-13fffffff : dax0.0\n"
                "  140000000-17fffffff : namespace0.1\n" /* -M mem, aligned to 1 GiB: 1 GiB of header */
                "  180000000-1bfffffff : dax0.1\n"
                "  1c0000000-1dfffffff : namespace0.2\n" /* fsdax */
                "  1e0000000-1ffffffff : namespace0.3\n"
                "200000000-2ffffffff : Persistent Memory\n"
                "  200000000-201ffffff : namespace1.0\n" /* -M dev, aligned to 2 MiB: 32 MiB are no multiple of it alone */
                "  202200000-23fffffff : dax1.0\n"
                "  240000000-27fffffff : namespace2.0\n" /* of another region: no header */
                "  280000000-2bfffffff : dax1.1\n"
                "  2c0000000-2dfffffff : namespace1.2\n" /* the dax device behind it lies elsewhere */
                "300000000-3ffffffff : Persistent Memory\n"
                "  300000000-3ffffffff : dax1.2\n"
                "400000000-4ffffffff : Persistent Memory\n"
                "  400000000-43fffffff : namespace1.3\n" /* region 1 is not region 10 */
                "  440000000-47fffffff : dax10.0\n"
                "  480000000-4bfffffff : region4\n"
                "    480000000-4bfffffff : namespace4.0\n" /* not beside the dax device */
                "  4c0000000-4dfffffff : dax4.0\n"
                "  4e0000000-4ffffffff : namespace5.0\n" /* nor before it */
                "  4e0000000-4ffffffff : dax5.0\n";
        static const struct expected expected[] = {
                { 0x100200000, GIB - 2 * MIB, "dax0.0", SOURCE_PMEM, false },
                { 0x180000000, GIB, "dax0.1", SOURCE_PMEM, false },
                { 0x1c0000000, GIB / 2, "namespace0.2", SOURCE_PMEM, false },
                { 0x1e0000000, GIB / 2, "namespace0.3", SOURCE_PMEM, false },
                { 0x202200000, GIB - 34 * MIB, "dax1.0", SOURCE_PMEM, true },
                { 0x240000000, GIB, "namespace2.0", SOURCE_PMEM, false },
                { 0x280000000, GIB, "dax1.1", SOURCE_PMEM, false },
                { 0x2c0000000, GIB / 2, "namespace1.2", SOURCE_PMEM, false },
                { 0x300000000, 4 * GIB, "dax1.2", SOURCE_PMEM, false },
                { 0x400000000, GIB, "namespace1.3", SOURCE_PMEM, false },
                { 0x440000000, GIB, "dax10.0", SOURCE_PMEM, false },
                { 0x480000000, GIB, "namespace4.0", SOURCE_PMEM, false },
                { 0x4c0000000, GIB / 2, "dax4.0", SOURCE_PMEM, false },
                { 0x4e0000000, GIB / 2, "namespace5.0", SOURCE_PMEM, false },
                { 0x4e0000000, GIB / 2, "dax5.0", SOURCE_PMEM, false },
                {},
        };
        /* all but dax1.0, the headers of the others included: they have struct pages as well */
        uint64_t size = GIB + 2 * GIB + GIB + GIB + GIB + GIB / 2 + 4 * GIB + 4 * GIB + GIB / 2;

        check_found(text, (uint64_t[4]) { 1 << 30 }, 4096, size / 64, 0, expected);
}
END_TEST

START_TEST(test_names) {
        static const char text[] =
                "0-f : dax\n10-1f : dax0\n20-2f : dax0.\n30-3f : dax.0\n40-4f : dax0.0x\n50-5f : daxe.0\n"
                "60-6f : namespace0\n70-7f : namespace0.0 \n80-8f : namespacex.0\n90-9f : \na0-af : xdax0.0\n"
                "b0-bf : dax 0.0\nc0-cf : namespace-1.0\nd0-df : dax0.0.0\n";

        check_found(text, (uint64_t[4]) { 1 << 30 }, 4096, 0, -1, nothing);
}
END_TEST

/* Figures that no machine has. */
START_TEST(test_extremes) {
        static const char all[] = "0-ffffffffffffffff : namespace0.0\n  0-ffffffffffffffff : dax0.0\n";
        static const struct expected expected[] = {
                { 0, UINT64_MAX, "namespace0.0", SOURCE_PMEM, false },
                { 0, UINT64_MAX, "dax0.0", SOURCE_DAX, false },
                {},
        };

        check_found(all, (uint64_t[4]) { 0, UINT64_MAX }, 0, UINT64_MAX, 1, expected);
        check_found(all, (uint64_t[4]) { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, 1, UINT64_MAX, -1, expected);
        check_found(all, (uint64_t[4]) { 0, 0, UINT64_MAX }, UINT64_C(1) << 63, 4 * 64, 2, expected);
}
END_TEST

/* Any lines in any order: every range told of is one of the file, no memory block's, and the bound is one. */
START_TEST(test_properties) {
        static const char *const names[] = {
                "namespace0.0", "namespace1.0", "dax0.0", "dax1.0", "dax1.1", "System RAM (kmem)", "System RAM",
                "Persistent Memory", "CXL Window 0", "Soft Reserved", "Reserved",
        };
        struct prng prng = { .state = 2024 };
        size_t found = 0;

        for (unsigned round = 0; round < 20000; round++) {
                uint64_t start = 0, spanned[4] = {};
                unsigned depth = 0, lines = 1 + prng_below(&prng, 12);
                struct device_memory m;
                struct zoneinfo z;
                struct iomem io;
                char text[2048];
                size_t n = 0;

                for (unsigned i = 0; i < lines; i++) {
                        uint64_t size = (uint64_t) (1 + prng_below(&prng, 64)) << 21;

                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%*s%08" PRIx64 "-%08" PRIx64 " : %s\n",
                                               (int) depth * 2, "", start, start + size - 1,
                                               names[prng_below(&prng, ARRAY_SIZE(names))]);
                        depth = prng_below(&prng, MIN(depth + 2, 5u));
                        if (prng_below(&prng, 2))
                                start += size;
                }
                spanned[prng_below(&prng, 4)] = prng_below(&prng, 1 << 20);
                parse_iomem(text, &io);
                make_zoneinfo(spanned, &z);
                CHECK(device_memory_find(&io, &z, 4096, &m) == 0);
                found += m.n;
                CHECK(m.n == 0 || spanned[0] + spanned[1] + spanned[2] + spanned[3] > 0);
                CHECK(m.memmap_bytes <= (spanned[0] + spanned[1] + spanned[2] + spanned[3]) * 64);
                for (size_t i = 0; i < m.n; i++) {
                        const struct device_range *d = &m.ranges[i];
                        bool listed = false;

                        CHECK(spanned[d->node] > 0);
                        for (size_t k = 0; k < io.n; k++) {
                                const struct iomem_entry *parent = iomem_parent(&io, &io.entries[k]);

                                listed |= io.entries[k].name == d->holder && io.entries[k].start == d->start &&
                                          io.entries[k].end == d->start + d->size - 1;
                                CHECK(!parent || strncmp(io.entries[k].name, "System RAM", 10) != 0 ||
                                      strcmp(parent->name, d->holder) != 0 || strncmp(d->holder, "dax", 3) != 0);
                        }
                        CHECK(listed);
                        CHECK(i == 0 || m.ranges[i - 1].start <= d->start);
                }
                device_memory_done(&m);
                zoneinfo_done(&z);
                iomem_done(&io);
        }
        ck_assert_uint_gt(found, 5000);
}
END_TEST

int main(void) {
        Suite *s = suite_create("device_memory");
        TCase *c;

        c = check_case(s, "a virtual machine's");
        tcase_add_test(c, test_real);
        tcase_add_test(c, test_node);
        tcase_add_test(c, test_nothing);
        tcase_add_test(c, test_no_zone_device);

        c = check_case(s, "what is told of");
        tcase_add_test(c, test_kinds);
        tcase_add_test(c, test_system_ram);
        tcase_add_test(c, test_headers);
        tcase_add_test(c, test_names);

        c = check_case(s, "whatever there is");
        tcase_add_test(c, test_extremes);
        tcase_add_test(c, test_properties);
        return check_run(s);
}
