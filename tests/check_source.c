/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/source.h"

#include <inttypes.h>

#include "check_util.h"

#define BLOCK_SIZE (UINT64_C(128) << 20)
#define GIB (UINT64_C(1) << 30)

static void parse_tree(const char *text, size_t size, struct iomem *ret) {
        unsigned line;

        ck_assert_int_eq(iomem_parse(text, size, ret, &line), 0);
}

static struct evidence evidence_at(const struct iomem *io, uint64_t address) {
        struct evidence e = { .iomem = io };

        e.ram = iomem_find_ram(io, address, address + BLOCK_SIZE - 1);
        return e;
}

static void check_origin(const struct evidence *e, enum source source, const char *device, uint64_t device_size) {
        struct origin o;

        memset(&o, 0xa5, sizeof(o));
        source_classify(e, &o);
        ck_assert_msg(o.source == source, "%s instead of %s (at %s)", source_to_string(o.source), source_to_string(source),
                      e->ram ? e->ram->name : "nothing");
        ck_assert_str_eq(o.device, device);
        ck_assert_uint_eq(o.size, device_size);
}

/* A guest with everything: a DIMM, virtio-mem, an NVDIMM and soft reserved memory turned into system memory. */
static const struct {
        uint32_t block;
        const char *firmware_node;
        enum arrival arrival;
        enum source source;
        const char *device;
        uint64_t size; /* of the device */
} capture_rows[] = {
        { 0, "", ARRIVAL_UNKNOWN, SOURCE_BOOT, "", 0 },
        { 1, "", ARRIVAL_BEFORE, SOURCE_BOOT, "", 0 },
        { 1, "", ARRIVAL_HOT, SOURCE_UNKNOWN, "", 0x27f00000 }, /* this machine has no path that adds memory silently */
        { 32, "PNP0C80:00", ARRIVAL_UNKNOWN, SOURCE_DIMM, "PNP0C80:00", GIB },
        { 32, "PNP0C80:00", ARRIVAL_BEFORE, SOURCE_DIMM, "PNP0C80:00", GIB },
        { 39, "PNP0C80:00", ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00", GIB },
        { 40, "", ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0", 2 * GIB },
        { 43, "", ARRIVAL_UNKNOWN, SOURCE_VIRTIO_MEM, "virtio0", 2 * GIB },
        { 43, "", ARRIVAL_BEFORE, SOURCE_VIRTIO_MEM, "virtio0", 2 * GIB },
        { 57, "", ARRIVAL_HOT, SOURCE_PMEM, "dax1.0", 0x78000000 },
        { 71, "", ARRIVAL_UNKNOWN, SOURCE_PMEM, "dax1.0", 0x78000000 },
        { 71, "", ARRIVAL_BEFORE, SOURCE_PMEM, "dax1.0", 0x78000000 },
        { 5, "", ARRIVAL_HOT, SOURCE_HMEM, "dax0.0", 0x8000000 },
        { 5, "", ARRIVAL_BEFORE, SOURCE_HMEM, "dax0.0", 0x8000000 },
        { 44, "", ARRIVAL_HOT, SOURCE_UNKNOWN, "", 0 }, /* not in there at all */
        { 44, "", ARRIVAL_UNKNOWN, SOURCE_UNKNOWN, "", 0 },
        { 44, "", ARRIVAL_BEFORE, SOURCE_BOOT, "", 0 },
};

START_TEST(test_capture) {
        struct iomem io;
        struct evidence e;
        size_t size;
        char *text = check_read_data("iomem-6.1", &size);

        parse_tree(text, size, &io);
        e = evidence_at(&io, capture_rows[_i].block * BLOCK_SIZE);
        strcpy(e.firmware_node, capture_rows[_i].firmware_node);
        e.arrival = capture_rows[_i].arrival;
        check_origin(&e, capture_rows[_i].source, capture_rows[_i].device, capture_rows[_i].size);
        iomem_done(&io);
        free(text);
}
END_TEST

/* The block asked about starts at 4G. "" as a device: none is known. */
#define AT UINT64_C(0x100000000)
#define A "100000000-13fffffff : "
#define RAM "100000000-13fffffff : System RAM"

static const struct {
        const char *tree;
        enum source source;
        const char *device;
        uint64_t size; /* of the device */
} tree_rows[] = {
        /* virtio-mem */
        { "100000000-1ffffffff : virtio3\n  " RAM " (virtio_mem)\n", SOURCE_VIRTIO_MEM, "virtio3", 4 * GIB },
        { "0f0000000-1ffffffff : virtio3\n  " RAM " (virtio_mem)\n", SOURCE_VIRTIO_MEM, "virtio3", AT + AT - 0xf0000000 },
        { RAM " (virtio_mem)\n", SOURCE_VIRTIO_MEM, "", GIB }, /* the driver is gone, the memory is not */
        { "100000000-1ffffffff : PCI Bus 0000:00\n  " RAM " (virtio_mem)\n", SOURCE_VIRTIO_MEM, "", GIB },

        /* kmem: by what the dax device lies in */
        { A "Persistent Memory\n  " A "dax1.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "dax1.0", GIB },
        { "0f0000000-1ffffffff : Persistent Memory\n  0f0000000-0f01fffff : namespace0.0\n"
          "  0f0200000-1ffffffff : dax0.12\n    " RAM " (kmem)\n",
          SOURCE_PMEM, "dax0.12", GIB },
        { A "Persistent Memory (legacy)\n  " A "dax0.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "dax0.0", GIB },
        { A "CXL Window 0\n  " A "region0\n    " A "dax0.0\n      " RAM " (kmem)\n", SOURCE_CXL, "dax0.0", GIB },
        { A "CXL Window 10\n  " A "dax2.3\n    " RAM " (kmem)\n", SOURCE_CXL, "dax2.3", GIB },
        { A "Soft Reserved\n  " A "dax1.0\n    " RAM " (kmem)\n", SOURCE_HMEM, "dax1.0", GIB },
        { A "Soft Reserved\n  " A "hmem.0\n    " A "dax1.0\n      " RAM " (kmem)\n", SOURCE_HMEM, "dax1.0", GIB },
        { A "hmem.0\n  " A "Soft Reserved\n    " A "dax0.0\n      " RAM " (kmem)\n", SOURCE_HMEM, "dax0.0", GIB },
        /* A CXL window is often soft reserved by the firmware as well; kernels nest the two either way. */
        { A "Soft Reserved\n  " A "CXL Window 0\n    " A "dax1.0\n      " RAM " (kmem)\n", SOURCE_CXL, "dax1.0", GIB },
        { A "Soft Reserved\n  " A "CXL Window 0\n    " A "region0\n      " A "dax0.0\n        " RAM " (kmem)\n",
          SOURCE_CXL, "dax0.0", GIB },
        { A "CXL Window 0\n  " A "Soft Reserved\n    " A "region0\n      " A "dax0.0\n        " RAM " (kmem)\n",
          SOURCE_CXL, "dax0.0", GIB },
        { A "CXL Window 0\n  " A "Soft Reserved\n    " A "dax0.0\n      " RAM " (kmem)\n", SOURCE_CXL, "dax0.0", GIB },
        { A "CXL Window 0\n  " A "Persistent Memory\n    " A "dax0.0\n      " RAM " (kmem)\n", SOURCE_PMEM, "dax0.0", GIB },
        { A "dax6.0\n  " RAM " (kmem)\n", SOURCE_DAX, "dax6.0", GIB },
        { A "dax0.0\n  " A "dax1.0\n    " RAM " (kmem)\n", SOURCE_DAX, "dax1.0", GIB },
        { A "PCI Bus 0000:00\n  " A "dax6.0\n    " RAM " (kmem)\n", SOURCE_DAX, "dax6.0", GIB },
        { RAM " (kmem)\n", SOURCE_DAX, "", GIB },
        { A "region0\n  " A "dax3.1\n    " RAM " (kmem)\n", SOURCE_DAX, "dax3.1", GIB },

        /* what looks like a dax device and is none */
        { A "Persistent Memory\n  " A "dax\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax0\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax0.\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax0.0x\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax0.0.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "daxx.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "dax0.-1\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "ndax0.0\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "da\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "Persistent Memory\n  " A "\n    " RAM " (kmem)\n", SOURCE_PMEM, "", GIB },
        { A "persistent memory\n  " A "dax0.0\n    " RAM " (kmem)\n", SOURCE_DAX, "dax0.0", GIB },
        { A "namespace0.0\n  " A "dax0.0\n    " A "bus\n      " RAM " (kmem)\n", SOURCE_DAX, "dax0.0", GIB },

        /* other drivers that name their memory */
        { RAM " (NVIDIA)\n", SOURCE_NVIDIA, "NVIDIA", GIB },
        { A "PCI Bus\n  " RAM " (some driver)\n", SOURCE_DRIVER, "some driver", GIB },
        { RAM " (KMEM)\n", SOURCE_DRIVER, "KMEM", GIB },
        { RAM " (kmem2)\n", SOURCE_DRIVER, "kmem2", GIB },
        { RAM " (a(b)c)\n", SOURCE_DRIVER, "a(b)c", GIB },
        { RAM " ()\n", SOURCE_DRIVER, "", GIB },

        /* names that no kernel gives: the evidence is missing, so it is unknown, and above all not of the boot */
        { RAM " (kmem\n", SOURCE_UNKNOWN, "", GIB },
        { RAM "(kmem)\n", SOURCE_UNKNOWN, "", GIB },
        { RAM " \n", SOURCE_UNKNOWN, "", GIB },
        { RAM " )(\n", SOURCE_UNKNOWN, "", GIB },
        { RAM "disk\n", SOURCE_UNKNOWN, "", GIB },

        { RAM "\n", SOURCE_BOOT, "", 0 },
        { A "PCI Bus\n", SOURCE_UNKNOWN, "", 0 },
        { A "Persistent Memory\n", SOURCE_UNKNOWN, "", 0 },
};

START_TEST(test_trees) {
        struct iomem io;
        struct evidence e;

        parse_tree(tree_rows[_i].tree, strlen(tree_rows[_i].tree), &io);
        e = evidence_at(&io, AT);
        check_origin(&e, tree_rows[_i].source, tree_rows[_i].device, tree_rows[_i].size);
        /* The machine and the arrival matter to plain memory alone. */
        if (e.ram && strcmp(e.ram->name, "System RAM") != 0)
                for (enum machine m = 0; m < _MACHINE_MAX; m++)
                        for (enum arrival a = 0; a < _ARRIVAL_MAX; a++) {
                                e.machine = m;
                                e.arrival = a;
                                check_origin(&e, tree_rows[_i].source, tree_rows[_i].device, tree_rows[_i].size);
                        }
        /* A firmware node outdoes all else. */
        strcpy(e.firmware_node, "PNP0C80:01");
        check_origin(&e, SOURCE_DIMM, "PNP0C80:01", e.ram ? GIB : 0);
        iomem_done(&io);
}
END_TEST

/* Plain "System RAM" without a firmware node: every combination of machine and arrival. */
static const struct {
        enum machine machine;
        enum source at[_ARRIVAL_MAX]; /* unknown, before, hot */
} plain_rows[] = {
        { MACHINE_PLAIN, { SOURCE_BOOT, SOURCE_BOOT, SOURCE_UNKNOWN } },
        { MACHINE_HYPERV, { SOURCE_UNKNOWN, SOURCE_BOOT, SOURCE_HYPERV } },
        { MACHINE_XEN, { SOURCE_UNKNOWN, SOURCE_BOOT, SOURCE_XEN } },
        { MACHINE_DLPAR, { SOURCE_UNKNOWN, SOURCE_BOOT, SOURCE_DLPAR } },
        { MACHINE_S390, { SOURCE_UNKNOWN, SOURCE_BOOT, SOURCE_STANDBY } },
        { MACHINE_PROBE, { SOURCE_UNKNOWN, SOURCE_BOOT, SOURCE_UNKNOWN } },
};

START_TEST(test_plain) {
        struct iomem io;
        struct evidence e;

        ck_assert_uint_eq(ARRAY_SIZE(plain_rows), _MACHINE_MAX);
        parse_tree(RAM "\n", strlen(RAM "\n"), &io);
        e = evidence_at(&io, AT);
        e.machine = plain_rows[_i].machine;
        for (e.arrival = 0; e.arrival < _ARRIVAL_MAX; e.arrival++)
                check_origin(&e, plain_rows[_i].at[e.arrival], "", plain_rows[_i].at[e.arrival] == SOURCE_BOOT ? 0 : GIB);
        iomem_done(&io);
}
END_TEST

/* No /proc/iomem, or one that hides its addresses: nothing but the firmware node and the arrival is left. */
START_TEST(test_no_iomem) {
        struct iomem hidden;
        struct evidence e = {};

        parse_tree("0-0 : System RAM\n", 17, &hidden);
        for (unsigned i = 0; i < 2; i++) {
                e.iomem = i ? &hidden : NULL;
                e.ram = i ? iomem_find_ram(&hidden, 0, BLOCK_SIZE - 1) : NULL;
                for (e.machine = 0; e.machine < _MACHINE_MAX; e.machine++)
                        for (e.arrival = 0; e.arrival < _ARRIVAL_MAX; e.arrival++) {
                                check_origin(&e, e.arrival == ARRIVAL_BEFORE ? SOURCE_BOOT : SOURCE_UNKNOWN, "", 0);
                                strcpy(e.firmware_node, "PNP0C80:07");
                                check_origin(&e, SOURCE_DIMM, "PNP0C80:07", 0);
                                e.firmware_node[0] = '\0';
                        }
        }
        iomem_done(&hidden);
}
END_TEST

/* Names longer than there is room for are cut, and end. */
START_TEST(test_long_names) {
        for (size_t length = DEVICE_NAME_MAX - 3; length < 3 * DEVICE_NAME_MAX; length++) {
                char digits[4 * DEVICE_NAME_MAX], tree[1024], wanted[5 * DEVICE_NAME_MAX];
                struct evidence e;
                struct iomem io;

                memset(digits, '7', length);
                digits[length] = '\0';

                snprintf(tree, sizeof(tree), A "dax%s.0\n  " RAM " (kmem)\n", digits);
                parse_tree(tree, strlen(tree), &io);
                e = evidence_at(&io, AT);
                snprintf(wanted, sizeof(wanted), "dax%s.0", digits);
                wanted[DEVICE_NAME_MAX - 1] = '\0';
                check_origin(&e, SOURCE_DAX, wanted, GIB);
                iomem_done(&io);

                snprintf(tree, sizeof(tree), A "virtio%s\n  " RAM " (virtio_mem)\n", digits);
                parse_tree(tree, strlen(tree), &io);
                e = evidence_at(&io, AT);
                snprintf(wanted, sizeof(wanted), "virtio%s", digits);
                wanted[DEVICE_NAME_MAX - 1] = '\0';
                check_origin(&e, SOURCE_VIRTIO_MEM, wanted, GIB);
                iomem_done(&io);

                snprintf(tree, sizeof(tree), RAM " (%s)\n", digits);
                parse_tree(tree, strlen(tree), &io);
                e = evidence_at(&io, AT);
                digits[MIN(length, (size_t) DEVICE_NAME_MAX - 1)] = '\0';
                check_origin(&e, SOURCE_DRIVER, digits, GIB);
                iomem_done(&io);
        }
}
END_TEST

/* Every size of buffer, from none: what fits of the sentence, ended by NUL, and not a byte beyond. */
static void check_description(const struct evidence *e, const char *wanted) {
        size_t length = strlen(wanted);

        for (size_t size = 0; size < length + 10; size++) {
                char *buf = malloc(size + 1);

                ck_assert_ptr_nonnull(buf);
                memset(buf, 'Z', size + 1);
                source_describe(e, buf, size);
                ck_assert_msg(buf[size] == 'Z', "\"%s\": a buffer of %zu is overrun", wanted, size);
                if (size > 0) {
                        ck_assert_uint_eq(strnlen(buf, size), MIN(size - 1, length));
                        ck_assert_mem_eq(buf, wanted, MIN(size - 1, length));
                }
                free(buf);
        }
}

static const struct {
        const char *tree, *firmware_node, *text;
} described_rows[] = {
        { RAM "\n", "", "System RAM" },
        { RAM "\n", "PNP0C80:01", "firmware node PNP0C80:01" },
        { A "virtio0\n  " RAM " (virtio_mem)\n", "", "System RAM (virtio_mem) in virtio0" },
        { A "Persistent Memory\n  " A "dax0.0\n    " RAM " (kmem)\n", "", "System RAM (kmem) in dax0.0 in Persistent Memory" },
        { A "CXL Window 0\n  " A "region0\n    " A "dax0.0\n      " RAM " (kmem)\n", "",
          "System RAM (kmem) in dax0.0 in region0 in CXL Window 0" },
        { A "%s%n\n  " RAM " (%s)\n", "", "System RAM (%s) in %s%n" },
        { A "PCI Bus\n", "", "no firmware node, not in /proc/iomem" },
        { "0-0 : System RAM\n", "", "/proc/iomem hides its addresses from this process" },
        { NULL, "", "/proc/iomem cannot be read" },
        { NULL, "PNP0C80:01", "firmware node PNP0C80:01" },
};

START_TEST(test_describe) {
        struct evidence e = {};
        struct iomem io = {};

        if (described_rows[_i].tree) {
                parse_tree(described_rows[_i].tree, strlen(described_rows[_i].tree), &io);
                e = evidence_at(&io, AT);
        }
        strcpy(e.firmware_node, described_rows[_i].firmware_node);
        check_description(&e, described_rows[_i].text);
        iomem_done(&io);
}
END_TEST

int main(void) {
        Suite *s = suite_create("source");
        TCase *c;

        c = check_case(s, "sources");
        tcase_add_loop_test(c, test_capture, 0, ARRAY_SIZE(capture_rows));
        tcase_add_loop_test(c, test_trees, 0, ARRAY_SIZE(tree_rows));
        tcase_add_loop_test(c, test_plain, 0, ARRAY_SIZE(plain_rows));
        tcase_add_test(c, test_no_iomem);
        tcase_add_test(c, test_long_names);

        c = check_case(s, "descriptions");
        tcase_add_loop_test(c, test_describe, 0, ARRAY_SIZE(described_rows));
        return check_run(s);
}
