/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/evidence.h"

#include "check_util.h"
#include "fakeroot.h"

#define MEMORY_DIR "sys/devices/system/memory/"

static struct fakeroot *f;
static struct sysfs *fs;
static struct evidence_cache cache;

static void open_tree(void) {
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        evidence_init(&cache, fs);
}

static void close_tree(void) {
        evidence_done(&cache);
        sysfs_close(fs);
}

static void setup(void) {
        f = fakeroot_new(0);
        open_tree();
}

static void teardown(void) {
        close_tree();
        f = fakeroot_free(f);
}

/* What the machine is, is looked at once. */
static void reopen(void) {
        close_tree();
        open_tree();
}

static struct block origin_of(uint32_t index, enum arrival arrival) {
        struct block b = { .index = index, .state = BLOCK_OFFLINE };

        memset(b.device, 'x', sizeof(b.device));
        ck_assert_int_eq(evidence_read_origin(&cache, arrival, &b), 0);
        return b;
}

static void check_origin(uint32_t index, enum arrival arrival, enum source source, const char *device) {
        struct block b = origin_of(index, arrival);

        ck_assert_msg(b.source == source, "block %u: %s instead of %s", index, source_to_string(b.source),
                      source_to_string(source));
        ck_assert_str_eq(b.device, device);
}

static void check_reads(unsigned n) {
        ck_assert_uint_eq(fakeroot_iomem_reads(f), n);
}

/* ---- every source ------------------------------------------------------------------------------------------------ */

START_TEST(sources_of_a_whole_machine) {
        fakeroot_add_boot(f, 0, 8, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        fakeroot_add_dimm(f, "PNP0C80:01", 40, 8, 1);
        fakeroot_add_virtio_mem(f, "virtio3", 48, 4, 0);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 4, 2);
        fakeroot_add_kmem(f, "dax1.0", "CXL Window 0", 72, 4, 3);
        fakeroot_add_kmem(f, "dax2.0", "Soft Reserved", 80, 4, 3);
        fakeroot_add_kmem(f, "dax3.0", "Something New", 88, 4, 3);
        fakeroot_add_driver(f, "nvidia", 96, 4, 4);

        check_origin(0, ARRIVAL_BEFORE, SOURCE_BOOT, "");
        check_origin(7, ARRIVAL_UNKNOWN, SOURCE_BOOT, "");
        check_origin(32, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
        check_origin(39, ARRIVAL_BEFORE, SOURCE_DIMM, "PNP0C80:00");
        check_origin(40, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:01");
        check_origin(48, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio3");
        check_origin(51, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio3");
        check_origin(64, ARRIVAL_HOT, SOURCE_PMEM, "dax0.0");
        check_origin(75, ARRIVAL_HOT, SOURCE_CXL, "dax1.0");
        check_origin(83, ARRIVAL_HOT, SOURCE_HMEM, "dax2.0");
        check_origin(88, ARRIVAL_HOT, SOURCE_DAX, "dax3.0");
        check_origin(96, ARRIVAL_HOT, SOURCE_DRIVER, "nvidia");
        check_reads(1); /* for all of them */
}
END_TEST

static const struct {
        const char *path, *text;
        enum source hot;
} machines[] = {
        { "sys/kernel/x", "", SOURCE_UNKNOWN },
        { "sys/bus/vmbus/drivers_probe", "", SOURCE_HYPERV },
        { "sys/hypervisor/type", "xen\n", SOURCE_XEN },
        { "proc/ppc64/lparcfg", "", SOURCE_DLPAR },
        { "sys/bus/ccw/drivers_probe", "", SOURCE_STANDBY },
        { MEMORY_DIR "probe", "", SOURCE_UNKNOWN },
};

START_TEST(plain_memory_depends_on_the_machine) {
        fakeroot_write(f, machines[_i].path, machines[_i].text);
        fakeroot_add_driver(f, NULL, 32, 1, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 40, 1, 0);
        reopen();
        check_origin(32, ARRIVAL_HOT, machines[_i].hot, "");
        check_origin(32, ARRIVAL_BEFORE, SOURCE_BOOT, "");
        check_origin(32, ARRIVAL_UNKNOWN, _i == 0 ? SOURCE_BOOT : SOURCE_UNKNOWN, "");
        check_origin(40, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
}
END_TEST

START_TEST(evidence_is_what_was_found) {
        struct evidence e;

        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 64, 4, 2);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(evidence_read(&cache, 65, ARRIVAL_HOT, &e), 0);
        ck_assert_str_eq(e.firmware_node, "");
        ck_assert_ptr_eq(e.iomem, &cache.iomem);
        ck_assert_str_eq(e.ram->name, "System RAM (kmem)");
        ck_assert_uint_eq(e.ram->start, 64 * FAKEROOT_BLOCK_SIZE);
        ck_assert_uint_eq(e.ram->end, 68 * FAKEROOT_BLOCK_SIZE - 1);
        ck_assert_int_eq(e.machine, MACHINE_PLAIN);
        ck_assert_int_eq(e.arrival, ARRIVAL_HOT);
        ck_assert_int_eq(evidence_read(&cache, 32, ARRIVAL_UNKNOWN, &e), 0);
        ck_assert_str_eq(e.firmware_node, "PNP0C80:00");
        ck_assert_int_eq(e.arrival, ARRIVAL_UNKNOWN);
}
END_TEST

/* Blocks are numbers of 32 bits; addresses are not. */
START_TEST(addresses_beyond_32_bits) {
        fakeroot_add_virtio_mem(f, "virtio0", 130000, 4, 0);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 130000 - 32768, 4, 0);
        check_origin(130000, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0");
        check_origin(130000 - 32768 + 3, ARRIVAL_HOT, SOURCE_PMEM, "dax0.0");
        check_origin(130004, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
}
END_TEST

/* ---- how often /proc/iomem is read ------------------------------------------------------------------------------- */

START_TEST(iomem_is_read_when_needed) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 8, 1);
        check_reads(0);
        for (uint32_t i = 32; i < 40; i++)
                check_origin(i, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
        check_reads(1);

        /* What is not in it, and nothing was added: it is believed. */
        check_origin(100, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_origin(101, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_reads(1);

        /* Another device: read once, for the first of its blocks. */
        fakeroot_add_virtio_mem(f, "virtio0", 100, 4, 1);
        for (uint32_t i = 100; i < 104; i++) {
                evidence_note_add(&cache);
                check_origin(i, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0");
        }
        check_reads(2);
        /* What was there before is still found without. */
        check_origin(32, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
        check_reads(2);
}
END_TEST

START_TEST(iomem_is_read_once_in_vain) {
        fakeroot_add_boot(f, 0, 1, 0);
        check_origin(0, ARRIVAL_BEFORE, SOURCE_BOOT, "");
        check_reads(1);
        evidence_note_add(&cache);
        check_origin(200, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_origin(201, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_reads(2);
        evidence_note_add(&cache);
        check_origin(200, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_reads(3);
}
END_TEST

START_TEST(iomem_is_read_again_after_a_removal) {
        fakeroot_add_virtio_mem(f, "virtio0", 32, 4, 0);
        check_origin(32, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0");
        check_reads(1);
        fakeroot_remove(f, 32, 4);
        evidence_expire(&cache);
        fakeroot_add_kmem(f, "dax0.0", "Persistent Memory", 32, 4, 0);
        evidence_note_add(&cache);
        check_origin(32, ARRIVAL_HOT, SOURCE_PMEM, "dax0.0");
        check_origin(35, ARRIVAL_HOT, SOURCE_PMEM, "dax0.0");
        check_reads(2);
        evidence_expire(&cache);
        evidence_expire(&cache);
        check_reads(2); /* not before somebody asks */
}
END_TEST

/* ---- what it may look like --------------------------------------------------------------------------------------- */

static const struct {
        enum fakeroot_iomem mode;
        int error;
        unsigned line;
} bad_iomems[] = {
        { FAKEROOT_IOMEM_HIDDEN, 0, 0 },
        { FAKEROOT_IOMEM_MISSING, -ENOENT, 0 },
        { FAKEROOT_IOMEM_MALFORMED, -EBADMSG, 2 },
};

/* Served all the same: a DIMM is known by its link, boot memory by being there, and the rest is not guessed at. */
START_TEST(iomem_that_is_of_no_use) {
        struct evidence e;

        fakeroot_set_iomem(f, bad_iomems[_i].mode);
        fakeroot_add_boot(f, 0, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 4, 1);
        fakeroot_add_virtio_mem(f, "virtio0", 48, 4, 1);
        check_origin(0, ARRIVAL_BEFORE, SOURCE_BOOT, "");
        check_origin(33, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
        check_origin(48, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        check_origin(49, ARRIVAL_UNKNOWN, SOURCE_UNKNOWN, "");
        check_reads(1); /* and not again for every block */
        ck_assert_int_eq(cache.iomem_error, bad_iomems[_i].error);
        ck_assert(cache.iomem_valid == (bad_iomems[_i].error == 0));
        if (bad_iomems[_i].line)
                ck_assert_uint_eq(cache.iomem_line, bad_iomems[_i].line);
        ck_assert_int_eq(evidence_read(&cache, 48, ARRIVAL_HOT, &e), 0);
        ck_assert_ptr_null(e.ram);
        ck_assert(bad_iomems[_i].error == 0 || !e.iomem);

        /* It comes right: the next memory is found, and so is what was missed. */
        fakeroot_set_iomem(f, FAKEROOT_IOMEM_SHOWN);
        evidence_note_add(&cache);
        check_origin(48, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0");
        ck_assert_int_eq(cache.iomem_error, 0);
        check_reads(2);
}
END_TEST

/* It was good and is not any more: what was read before is not kept as if it still held. */
START_TEST(iomem_that_goes_bad) {
        fakeroot_add_virtio_mem(f, "virtio0", 48, 4, 1);
        check_origin(48, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio0");
        fakeroot_set_iomem(f, bad_iomems[_i].mode);
        fakeroot_add_virtio_mem(f, "virtio1", 64, 4, 1);
        evidence_note_add(&cache);
        check_origin(64, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
        ck_assert_int_eq(cache.iomem_error, bad_iomems[_i].error);
        fakeroot_set_iomem(f, FAKEROOT_IOMEM_SHOWN);
        evidence_expire(&cache);
        check_origin(64, ARRIVAL_HOT, SOURCE_VIRTIO_MEM, "virtio1");
        ck_assert_int_eq(cache.iomem_error, 0);
}
END_TEST

START_TEST(block_that_is_gone_has_no_origin_of_its_own) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        check_origin(32, ARRIVAL_HOT, SOURCE_DIMM, "PNP0C80:00");
        fakeroot_remove(f, 32, 1);
        evidence_expire(&cache);
        check_origin(32, ARRIVAL_HOT, SOURCE_UNKNOWN, "");
}
END_TEST

int main(void) {
        Suite *s = suite_create("evidence");
        TCase *c;
        int r;

        c = check_case_in(s, "sources", setup, teardown);
        tcase_add_test(c, sources_of_a_whole_machine);
        tcase_add_loop_test(c, plain_memory_depends_on_the_machine, 0, ARRAY_SIZE(machines));
        tcase_add_test(c, evidence_is_what_was_found);
        tcase_add_test(c, addresses_beyond_32_bits);
        tcase_add_test(c, block_that_is_gone_has_no_origin_of_its_own);
        c = check_case_in(s, "iomem", setup, teardown);
        tcase_add_test(c, iomem_is_read_when_needed);
        tcase_add_test(c, iomem_is_read_once_in_vain);
        tcase_add_test(c, iomem_is_read_again_after_a_removal);
        tcase_add_loop_test(c, iomem_that_is_of_no_use, 0, ARRAY_SIZE(bad_iomems));
        tcase_add_loop_test(c, iomem_that_goes_bad, 0, ARRAY_SIZE(bad_iomems));

        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
