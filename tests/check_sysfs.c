/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sysfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "check_util.h"
#include "fakeroot.h"
#include "host/platform.h"
#include "host/surroundings.h"

#define MEMORY_DIR "sys/devices/system/memory/"
#define NODE_DIR "sys/devices/system/node/"

/* The file as it is: check_apply and check_manager have the kernel in between. */
int __real_sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word);

static struct fakeroot *f;
static struct sysfs *fs;

static void setup(void) {
        f = fakeroot_new(0);
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
}

static void teardown(void) {
        sysfs_close(fs);
        f = fakeroot_free(f);
}

/* Open the tree anew: some things are looked at once. */
static int reopen(void) {
        sysfs_close(fs);
        fs = NULL;
        return sysfs_open(fakeroot_path(f), &fs);
}

static struct node_set nodes_of(unsigned a, unsigned b) {
        struct node_set s = {};

        node_set_add(&s, a);
        node_set_add(&s, b);
        return s;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static const struct {
        const char *text;
        int result;
        uint64_t size;
} block_sizes[] = {
        { "8000000\n", 0, UINT64_C(128) << 20 }, /* bare hex, without 0x */
        { "10000000\n", 0, UINT64_C(256) << 20 },
        { "80000000\n", 0, UINT64_C(2) << 30 },
        { "1000000", 0, UINT64_C(16) << 20 },
        { "0\n", -EBADMSG, 0 },
        { "8000001\n", -EBADMSG, 0 },
        { "128M\n", -EBADMSG, 0 },
        { "\n", -EBADMSG, 0 },
        { "", -EBADMSG, 0 },
        { "80000000000000000\n", -EBADMSG, 0 },
};

START_TEST(open_reads_the_block_size) {
        int r;

        fakeroot_write(f, MEMORY_DIR "block_size_bytes", block_sizes[_i].text);
        r = reopen();
        ck_assert_int_eq(r, block_sizes[_i].result);
        if (r < 0) {
                ck_assert_ptr_null(fs); /* outputs are untouched on failure */
                return;
        }
        ck_assert_uint_eq(sysfs_block_size(fs), block_sizes[_i].size);
        ck_assert_str_eq(sysfs_root(fs), fakeroot_path(f));
}
END_TEST

START_TEST(open_needs_memory_blocks) {
        char path[512];

        fakeroot_unlink(f, MEMORY_DIR "block_size_bytes");
        ck_assert_int_eq(reopen(), -EOPNOTSUPP);
        fakeroot_unlink(f, MEMORY_DIR "auto_online_blocks");
        fakeroot_unlink(f, "sys/devices/system/memory");
        ck_assert_int_eq(reopen(), -EOPNOTSUPP);
        snprintf(path, sizeof(path), "%s/nowhere", fakeroot_path(f));
        ck_assert_int_eq(sysfs_open(path, &fs), -ENOENT);
        sysfs_close(NULL);
}
END_TEST

/* ---- which blocks ------------------------------------------------------------------------------------------------ */

START_TEST(indices_come_in_order) {
        static const uint32_t expected[] = { 3, 4, 8, 9, 10, 11, 99, 100, 101, 1000, 4294967295 };
        uint32_t *indices;
        size_t n;

        fakeroot_add_boot(f, 8, 4, 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 99, 3, 0);
        fakeroot_add_boot(f, 3, 2, 0);
        fakeroot_add_boot(f, 1000, 1, 0);
        /* Neither of these is a block, and the largest number is one. */
        fakeroot_write(f, MEMORY_DIR "memory/state", "offline");
        fakeroot_write(f, MEMORY_DIR "memory12x/state", "offline");
        fakeroot_write(f, MEMORY_DIR "memory-1/state", "offline");
        fakeroot_write(f, MEMORY_DIR "memory4294967296/state", "offline");
        fakeroot_write(f, MEMORY_DIR "memory4294967295/state", "offline");
        fakeroot_write(f, MEMORY_DIR "power/control", "auto");
        ck_assert_int_eq(sysfs_read_indices(fs, &indices, &n), 0);
        ck_assert_uint_eq(n, ARRAY_SIZE(expected));
        ck_assert_mem_eq(indices, expected, sizeof(expected));
        free(indices);
}
END_TEST

START_TEST(indices_may_be_none) {
        uint32_t *indices;
        size_t n = 7;

        ck_assert_int_eq(sysfs_read_indices(fs, &indices, &n), 0);
        ck_assert_uint_eq(n, 0);
        free(indices);
}
END_TEST

START_TEST(indices_fill_more_than_a_buffer) {
        uint32_t *indices;
        size_t n;

        fakeroot_add_boot(f, 5, 3000, 0);
        ck_assert_int_eq(sysfs_read_indices(fs, &indices, &n), 0);
        ck_assert_uint_eq(n, 3000);
        for (uint32_t i = 0; i < n; i++)
                ck_assert_uint_eq(indices[i], 5 + i);
        free(indices);
}
END_TEST

START_TEST(node_map_knows_every_link) {
        static const struct node_link expected[] = { { 0, 0 }, { 1, 0 }, { 1, 2 }, { 32, 10 }, { 33, 10 }, { 500, 2 } };
        struct node_map map;

        fakeroot_add_boot(f, 0, 2, 0);
        fakeroot_add_node(f, 1, 2);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 10);
        fakeroot_symlink(f, "../../memory/memory500", NODE_DIR "node2/memory500"); /* its block is gone by now */
        fakeroot_write(f, NODE_DIR "node3/cpulist", "0-3\n");                      /* without memory */
        fakeroot_write(f, NODE_DIR "node1024/memory1", "");                        /* more than there can be */
        fakeroot_write(f, NODE_DIR "node7", "");
        fakeroot_write(f, NODE_DIR "node2/memory_side_cache", "");
        ck_assert_int_eq(sysfs_read_node_map(fs, &map), 0);
        ck_assert_uint_eq(map.n, ARRAY_SIZE(expected));
        for (size_t i = 0; i < map.n; i++) {
                ck_assert_uint_eq(map.links[i].block, expected[i].block);
                ck_assert_uint_eq(map.links[i].node, expected[i].node);
        }
        node_map_done(&map);
        ck_assert_uint_eq(map.n, 0);
        node_map_done(&map);
}
END_TEST

START_TEST(node_map_is_empty_without_numa) {
        struct node_map map;

        f = fakeroot_free(f);
        f = fakeroot_new(FAKEROOT_NO_NODES);
        ck_assert_int_eq(reopen(), 0);
        fakeroot_add_boot(f, 0, 2, 0);
        ck_assert_int_eq(sysfs_read_node_map(fs, &map), 0);
        ck_assert_uint_eq(map.n, 0);
        node_map_done(&map);
}
END_TEST

/* ---- one block --------------------------------------------------------------------------------------------------- */

START_TEST(block_tells_its_facts) {
        struct node_set nodes = nodes_of(1, 3);
        struct node_map map;
        struct block b;

        fakeroot_add_boot(f, 30, 1, 1);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones = "Movable Normal" });
        fakeroot_add_dimm(f, "PNP0C80:00", 31, 1, 1);
        fakeroot_add_node(f, 31, 3);
        ck_assert_int_eq(sysfs_read_node_map(fs, &map), 0);
        /* By its own links and by the nodes' lists: the same. */
        for (int i = 0; i < 2; i++) {
                memset(&b, 0xa5, sizeof(b));
                ck_assert_int_eq(sysfs_read_block(fs, 31, i ? &map : NULL, 0, &b), 0);
                ck_assert_uint_eq(b.index, 31);
                ck_assert_int_eq(b.state, BLOCK_OFFLINE);
                ck_assert(b.zones_known);
                ck_assert_uint_eq(b.zones, ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE));
                ck_assert_int_eq(b.first_zone, ZONE_MOVABLE);
                ck_assert(node_set_equal(&b.nodes, &nodes));
                ck_assert_int_eq(b.source, SOURCE_UNKNOWN);
                ck_assert_str_eq(b.device, "");
                ck_assert(!b.removable && !b.at_startup && !b.hands_off);

                ck_assert_int_eq(sysfs_read_block(fs, 30, i ? &map : NULL, 0, &b), 0);
                ck_assert_int_eq(b.state, BLOCK_ONLINE);
                ck_assert_uint_eq(b.zones, ZONE_BIT(ZONE_NORMAL));
                ck_assert_int_eq(b.first_zone, ZONE_NORMAL);
                ck_assert_int_eq(node_set_next(&b.nodes, 0), 1);
        }
        node_map_done(&map);
}
END_TEST

START_TEST(block_zones_follow_its_state) {
        struct block b;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), 0);
        ck_assert_int_eq(b.state, BLOCK_OFFLINE);
        ck_assert(!b.zones_known); /* candidates are not read here: the node may be missing */
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online_movable"), 0);
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), 0);
        ck_assert_int_eq(b.state, BLOCK_ONLINE);
        ck_assert(b.zones_known);
        ck_assert_uint_eq(b.zones, ZONE_BIT(ZONE_MOVABLE));
        fakeroot_write_block(f, 32, "valid_zones", "none\n"); /* several zones, or holes */
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), 0);
        ck_assert(b.zones_known);
        ck_assert_uint_eq(b.zones, 0);
        ck_assert_int_eq(b.first_zone, _ZONE_INVALID);
}
END_TEST

START_TEST(block_waits_for_its_node) {
        struct node_map map;
        struct block b;

        fakeroot_set_traits(f, &(struct fakeroot_traits) { .late_node = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        memset(&b, 0xa5, sizeof(b));
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), -EAGAIN);
        ck_assert_uint_eq(b.index, 0xa5a5a5a5);
        ck_assert_int_eq(sysfs_read_node_map(fs, &map), 0);
        ck_assert_int_eq(sysfs_read_block(fs, 32, &map, SYSFS_REMOVABLE, &b), -EAGAIN);
        node_map_done(&map);
        ck_assert_int_eq(sysfs_read_block_state(fs, 32, &b), 0);
        ck_assert_int_eq(b.state, BLOCK_OFFLINE);
        ck_assert(!b.zones_known);
        ck_assert_int_eq(node_set_next(&b.nodes, 0), -1);
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), 0);
        ck_assert_uint_eq(fakeroot_oopses(f), 0); /* nobody has even opened valid_zones */

        fakeroot_link(f, 32, 1);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), 0);
        ck_assert(b.zones_known);
        ck_assert_uint_eq(b.zones, ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE));
        ck_assert_int_eq(node_set_next(&b.nodes, 0), 1);
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

START_TEST(hot_block_of_the_likely_node) {
        struct block b;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 1);
        ck_assert_int_eq(sysfs_read_hot_block(fs, 32, 1, 0, &b), 0);
        ck_assert_int_eq(node_set_next(&b.nodes, 0), 1);
        ck_assert_int_eq(node_set_next(&b.nodes, 2), -1);
        ck_assert(b.zones_known);
        for (int likely = -1; likely < 3; likely += 3) { /* it is another's: then it is looked for */
                memset(&b, 0, sizeof(b));
                ck_assert_int_eq(sysfs_read_hot_block(fs, 32, likely, 0, &b), 0);
                ck_assert_int_eq(node_set_next(&b.nodes, 0), 1);
                ck_assert_int_eq(node_set_next(&b.nodes, 2), -1);
        }
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .late_node = true });
        fakeroot_add_dimm(f, "PNP0C80:01", 33, 1, 1);
        ck_assert_int_eq(sysfs_read_hot_block(fs, 33, 1, 0, &b), -EAGAIN);
        ck_assert_int_eq(sysfs_read_hot_block(fs, 34, 1, 0, &b), -ENOENT);
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

/* The guard itself works: else the tests above and in check_manager would prove nothing. */
START_TEST(oopses_are_noticed) {
        char path[512];
        int fd;

        fakeroot_set_traits(f, &(struct fakeroot_traits) { .late_node = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 1);
        snprintf(path, sizeof(path), "%s/%s", fakeroot_path(f), fakeroot_block_path(33, "valid_zones"));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_uint_eq(fakeroot_oopses(f), 1);
        fakeroot_link(f, 32, 2);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_uint_eq(fakeroot_oopses(f), 1);
}
END_TEST

START_TEST(block_needs_no_node_without_numa) {
        struct block b;

        f = fakeroot_free(f);
        f = fakeroot_new(FAKEROOT_NO_NODES);
        ck_assert_int_eq(reopen(), 0);
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, -1);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), 0);
        ck_assert(b.zones_known);
        ck_assert_int_eq(node_set_next(&b.nodes, 0), -1);
}
END_TEST

START_TEST(block_without_valid_zones) {
        struct block b;

        fakeroot_set_traits(f, &(struct fakeroot_traits) { .zones_hidden = true });
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), 0);
        ck_assert(!b.zones_known);
        ck_assert_uint_eq(b.zones, 0);
        ck_assert_int_eq(b.first_zone, _ZONE_INVALID);
        ck_assert_int_eq(fakeroot_set_state(f, 32, "online"), 0);
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), 0);
        ck_assert_int_eq(b.state, BLOCK_ONLINE);
        ck_assert(!b.zones_known);
}
END_TEST

START_TEST(block_that_is_gone) {
        struct node_map map;
        struct block b;
        char node[DEVICE_NAME_MAX];

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(sysfs_read_node_map(fs, &map), 0);
        fakeroot_remove(f, 32, 1);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), -ENOENT);
        ck_assert_int_eq(sysfs_read_block(fs, 32, &map, 0, &b), -ENOENT);
        ck_assert_int_eq(sysfs_read_block_state(fs, 32, &b), -ENOENT);
        ck_assert_int_eq(sysfs_read_block_zones(fs, 32, &b), -ENOENT);
        ck_assert_int_eq(__real_sysfs_write_state(fs, 32, -1, "online"), -ENOENT);
        ck_assert_int_eq(sysfs_read_firmware_node(fs, 32, node), 0);
        ck_assert_str_eq(node, "");
        node_map_done(&map);
}
END_TEST

static const struct {
        const char *text;
        enum block_state state;
} states[] = {
        { "offline\n", BLOCK_OFFLINE },
        { "online\n", BLOCK_ONLINE },
        { "going-offline\n", BLOCK_GOING_OFFLINE },
        { "ERROR-UNKNOWN-7\n", BLOCK_STATE_OTHER },
        { "offline-ish\n", BLOCK_STATE_OTHER },
        { "online_movable\n", BLOCK_STATE_OTHER },
        { "", BLOCK_STATE_OTHER },
};

START_TEST(state_words) {
        struct block b;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_write_block(f, 32, "state", states[_i].text);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), 0);
        ck_assert_int_eq(b.state, states[_i].state);
}
END_TEST

START_TEST(state_that_cannot_be_read) {
        struct block b;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_unlink(f, fakeroot_block_path(32, "state"));
        fakeroot_write_block(f, 32, "state/x", "");
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), -EISDIR);
}
END_TEST

START_TEST(removable_is_read_on_demand) {
        struct block b;

        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, SYSFS_REMOVABLE, &b), 0);
        ck_assert(!b.removable); /* not every kernel has it */
        fakeroot_write_block(f, 32, "removable", "1\n");
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, SYSFS_REMOVABLE, &b), 0);
        ck_assert(b.removable);
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, 0, &b), 0);
        ck_assert(!b.removable);
        fakeroot_write_block(f, 32, "removable", "0\n");
        ck_assert_int_eq(sysfs_read_block(fs, 32, NULL, SYSFS_REMOVABLE, &b), 0);
        ck_assert(!b.removable);
}
END_TEST

START_TEST(firmware_node_is_the_last_component) {
        char node[DEVICE_NAME_MAX];

        fakeroot_add_boot(f, 0, 1, 0);
        fakeroot_add_dimm(f, "PNP0C80:1f", 32, 1, 0);
        memset(node, 'x', sizeof(node));
        ck_assert_int_eq(sysfs_read_firmware_node(fs, 32, node), 0);
        ck_assert_str_eq(node, "PNP0C80:1f");
        ck_assert_int_eq(sysfs_read_firmware_node(fs, 0, node), 0);
        ck_assert_str_eq(node, "");
        /* A name that is too long is cut, and one without a folder is whole. */
        fakeroot_symlink(f, "../a-name-that-no-kernel-comes-near-and-that-goes-on-and-on",
                         fakeroot_block_path(0, "firmware_node"));
        ck_assert_int_eq(sysfs_read_firmware_node(fs, 0, node), 0);
        ck_assert_str_eq(node, "a-name-that-no-kernel-comes-near-and-that-goes-");
        fakeroot_unlink(f, fakeroot_block_path(0, "firmware_node"));
        fakeroot_symlink(f, "bare", fakeroot_block_path(0, "firmware_node"));
        ck_assert_int_eq(sysfs_read_firmware_node(fs, 0, node), 0);
        ck_assert_str_eq(node, "bare");
}
END_TEST

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void check_file(const char *path, const char *expected) {
        char full[512], text[64] = "";
        FILE *file;
        size_t n;

        snprintf(full, sizeof(full), "%s/%s", fakeroot_path(f), path);
        file = fopen(full, "re");
        ck_assert_ptr_nonnull(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[n] = '\0';
        ck_assert_str_eq(text, expected);
}

START_TEST(write_is_the_bare_word) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 2, 0);
        fakeroot_write_block(f, 32, "state", "a text longer than the word\n");
        ck_assert_int_eq(__real_sysfs_write_state(fs, 32, -1, "online_movable"), 0);
        check_file(fakeroot_block_path(32, "state"), "online_movable");
        check_file(fakeroot_block_path(33, "state"), "offline\n");
}
END_TEST

START_TEST(write_says_what_the_kernel_says) {
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        fakeroot_unlink(f, fakeroot_block_path(32, "state"));
        ck_assert_int_eq(__real_sysfs_write_state(fs, 32, -1, "online"), -ENOENT);
        /* A file whose write fails: every byte is too much. */
        fakeroot_symlink(f, "/dev/full", fakeroot_block_path(32, "state"));
        ck_assert_int_eq(__real_sysfs_write_state(fs, 32, -1, "online"), -ENOSPC);
}
END_TEST

START_TEST(writable_or_not) {
        char path[512];
        bool root = geteuid() == 0;

        ck_assert_int_eq(sysfs_check_writable(fs), 0); /* no blocks, nothing to write */
        fakeroot_add_dimm(f, "PNP0C80:00", 32, 1, 0);
        ck_assert_int_eq(sysfs_check_writable(fs), 0);
        /* Attributes that share a text share a file: give this one its own. */
        fakeroot_write_block(f, 32, "state", "offline\n");
        snprintf(path, sizeof(path), "%s/%s", fakeroot_path(f), fakeroot_block_path(32, "state"));
        ck_assert_int_eq(chmod(path, 0444), 0);
        if (root)
                ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(sysfs_check_writable(fs), -EACCES);
        if (root)
                ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(chmod(path, 0644), 0);
        ck_assert_int_eq(sysfs_check_writable(fs), 0);
}
END_TEST

/* ---- the machine ------------------------------------------------------------------------------------------------- */

static const struct {
        const char *path, *text;
        enum machine machine;
} machines[] = {
        { "sys/kernel/x", "", MACHINE_PLAIN },
        { "sys/bus/vmbus/drivers_probe", "", MACHINE_HYPERV },
        { "sys/hypervisor/type", "xen\n", MACHINE_XEN },
        { "sys/hypervisor/type", "kvm\n", MACHINE_PLAIN },
        { "proc/ppc64/lparcfg", "", MACHINE_DLPAR },
        { "sys/bus/ccw/drivers_probe", "", MACHINE_S390 },
        { MEMORY_DIR "probe", "", MACHINE_PROBE },
};

START_TEST(machine_is_recognised) {
        fakeroot_write(f, machines[_i].path, machines[_i].text);
        ck_assert_int_eq(sysfs_read_machine(fs), machines[_i].machine);
}
END_TEST

START_TEST(auto_online_is_read) {
        char text[AUTO_ONLINE_WORD_MAX];

        ck_assert_int_eq(sysfs_read_auto_online(fs, text), 0);
        ck_assert_str_eq(text, "offline");
        ck_assert_int_eq(sysfs_write_auto_online(fs, "online_kernel"), 0);
        ck_assert_int_eq(sysfs_read_auto_online(fs, text), 0);
        ck_assert_str_eq(text, "online_kernel");
        fakeroot_write(f, MEMORY_DIR "auto_online_blocks", "online_movable\n");
        ck_assert_int_eq(sysfs_read_auto_online(fs, text), 0);
        ck_assert_str_eq(text, "online_movable");
        fakeroot_unlink(f, MEMORY_DIR "auto_online_blocks");
        ck_assert_int_eq(sysfs_read_auto_online(fs, text), -ENOENT);
}
END_TEST

/* ---- text files -------------------------------------------------------------------------------------------------- */

static const size_t text_sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 3000001 };

START_TEST(text_is_read_whole) {
        size_t size = text_sizes[_i], n;
        char *big = malloc(size + 1), *text;

        ck_assert_ptr_nonnull(big);
        for (size_t i = 0; i < size; i++)
                big[i] = (char) ('!' + i % 90);
        big[size] = '\0';
        fakeroot_write(f, "proc/zoneinfo", big);
        ck_assert_int_eq(sysfs_read_text(fs, SYSFS_ZONEINFO, &text, &n), 0);
        ck_assert_uint_eq(n, size);
        ck_assert(memcmp(text, big, size) == 0);
        free(text);
        free(big);
}
END_TEST

START_TEST(text_that_is_missing) {
        char *text = NULL;
        size_t n;

        ck_assert_int_eq(sysfs_read_text(fs, SYSFS_BUDDYINFO, &text, &n), -ENOENT);
        ck_assert_ptr_null(text);
        fakeroot_write(f, "proc/buddyinfo/x", "");
        ck_assert_int_eq(sysfs_read_text(fs, SYSFS_BUDDYINFO, &text, &n), -EISDIR);
        ck_assert_str_eq(sysfs_text_path(SYSFS_IOMEM), "/proc/iomem");
        ck_assert_str_eq(sysfs_text_path(SYSFS_ZONEINFO), "/proc/zoneinfo");
        ck_assert_str_eq(sysfs_text_path(SYSFS_BUDDYINFO), "/proc/buddyinfo");
        ck_assert_ptr_null(sysfs_text_path(_SYSFS_TEXT_MAX));
}
END_TEST

/* ---- what is around the blocks ------------------------------------------------------------------------------------- */

#define TIERS "sys/devices/virtual/memory_tiering/"

START_TEST(tiers_of_nodes) {
        static int16_t tiers[NODES_MAX];

        sysfs_read_tiers(fs, tiers);
        for (unsigned n = 0; n < NODES_MAX; n++)
                ck_assert_int_eq(tiers[n], -1); /* older kernels have none */
        fakeroot_write(f, TIERS "memory_tier4/nodelist", "0-1,5\n");
        fakeroot_write(f, TIERS "memory_tier22/nodelist", "2\n");
        fakeroot_write(f, TIERS "memory_tier7/nodelist", "\n");
        fakeroot_write(f, TIERS "memory_tierX/nodelist", "3\n");
        fakeroot_write(f, TIERS "uevent", "");
        sysfs_read_tiers(fs, tiers);
        ck_assert_int_eq(tiers[0], 4);
        ck_assert_int_eq(tiers[1], 4);
        ck_assert_int_eq(tiers[5], 4);
        ck_assert_int_eq(tiers[2], 22);
        ck_assert_int_eq(tiers[3], -1);
        ck_assert_int_eq(tiers[4], -1);
        ck_assert_int_eq(tiers[NODES_MAX - 1], -1);
}
END_TEST

#define VM PLATFORM_BIT(PLATFORM_VM)

static const struct {
        const char *vendor, *product, *hypervisor; /* NULL: there is none */
        platform_mask platforms;
        const char *sysinfo;
} platform_rows[] = {
        { NULL, NULL, NULL, 0, NULL },
        { "Dell Inc.\n", "PowerEdge R750\n", NULL, PLATFORM_BIT(PLATFORM_BAREMETAL), NULL },
        { "QEMU\n", "Standard PC (Q35 + ICH9, 2009)\n", NULL, VM | PLATFORM_BIT(PLATFORM_QEMU), NULL },
        { "Red Hat\n", "KVM\n", NULL, VM | PLATFORM_BIT(PLATFORM_KVM), NULL },
        { "Microsoft Corporation\n", "Virtual Machine\n", NULL, VM | PLATFORM_BIT(PLATFORM_MICROSOFT), NULL },
        { "VMware, Inc.\n", "VMware7,1\n", NULL, VM | PLATFORM_BIT(PLATFORM_VMWARE), NULL },
        { "innotek GmbH\n", "VirtualBox\n", NULL, VM | PLATFORM_BIT(PLATFORM_ORACLE), NULL },
        { "Amazon EC2\n", "m5.large\n", NULL, VM | PLATFORM_BIT(PLATFORM_AMAZON), NULL },
        { "Xen\n", "HVM domU\n", "xen\n", VM | PLATFORM_BIT(PLATFORM_XEN), NULL },
        { NULL, NULL, "xen\n", VM | PLATFORM_BIT(PLATFORM_XEN), NULL },
        { NULL, NULL, NULL, VM | PLATFORM_BIT(PLATFORM_ZVM), "Type: 3931\n\nVM00 Name: LINUX1\nVM00 Control Program: z/VM    7.3.0\n" },
        { NULL, NULL, NULL, VM | PLATFORM_BIT(PLATFORM_KVM), "VM00 Control Program: KVM/Linux\n" },
        { NULL, NULL, NULL, PLATFORM_BIT(PLATFORM_BAREMETAL), "Type: 3931\nLPAR Number: 7\n" },
};

START_TEST(platform_of_a_capture) {
        if (platform_rows[_i].vendor)
                fakeroot_write(f, "sys/class/dmi/id/sys_vendor", platform_rows[_i].vendor);
        if (platform_rows[_i].product)
                fakeroot_write(f, "sys/class/dmi/id/product_name", platform_rows[_i].product);
        if (platform_rows[_i].hypervisor)
                fakeroot_write(f, "sys/hypervisor/type", platform_rows[_i].hypervisor);
        if (platform_rows[_i].sysinfo)
                fakeroot_write(f, "proc/sysinfo", platform_rows[_i].sysinfo);
        ck_assert_uint_eq(platform_read(fs), platform_rows[_i].platforms);
}
END_TEST

START_TEST(architecture_of_a_capture) {
        char machine[MACHINE_NAME_MAX] = "x";

        platform_read_machine(fs, machine);
        ck_assert_str_eq(machine, "");
        fakeroot_write(f, "MANIFEST", "kernel 6.1\narchitecture ppc64le\n");
        platform_read_machine(fs, machine);
        ck_assert_str_eq(machine, "ppc64le");
        ck_assert_uint_eq(platform_read(fs), PLATFORM_BIT(PLATFORM_PPC64_LE));
        fakeroot_write(f, "MANIFEST", "kernel 6.1\narchitecture vax\n");
        ck_assert_uint_eq(platform_read(fs), 0);
}
END_TEST

START_TEST(page_size_of_a_capture) {
        ck_assert_uint_eq(surroundings_page_size(fs), 4096);
        fakeroot_write(f, "MANIFEST", "kernel 6.1\npage_size 65536\n");
        ck_assert_uint_eq(surroundings_page_size(fs), 65536);
        fakeroot_write(f, "MANIFEST", "page_size 0\n");
        ck_assert_uint_eq(surroundings_page_size(fs), 4096);
        fakeroot_write(f, "MANIFEST", "page_size 5000\n");
        ck_assert_uint_eq(surroundings_page_size(fs), 4096);
}
END_TEST

#define ZONE(node, name, present, cma)                                                              \
        "Node " #node ", zone " #name "\n  pages free     1\n        min      1\n        low      1\n" \
        "        high     1\n        spanned  " #present "\n        present  " #present "\n"          \
        "        managed  " #present "\n        cma      " #cma "\n        protection: (0, 0)\n"     \
        "      nr_free_pages 1\n  pagesets\n    cpu: 0\n              count:    1\n  start_pfn:           4096\n"

START_TEST(totals_of_zones) {
        static struct totals t;
        unsigned line;

        ck_assert_int_lt(surroundings_read_totals(fs, 4096, &t, &line), 0);
        ck_assert(!t.known);
        fakeroot_write(f, "proc/zoneinfo", ZONE(0, DMA32, 1000, 0) ZONE(0, Normal, 5000, 200) ZONE(0, Movable, 300, 0)
                                           ZONE(1, Movable, 7000, 0) ZONE(1, Device, 900, 0));
        ck_assert_int_eq(surroundings_read_totals(fs, 4096, &t, &line), 0);
        ck_assert(t.known);
        ck_assert_uint_eq(t.nodes[0].kernel_early, 5800 * 4096);
        ck_assert_uint_eq(t.nodes[0].movable, 500 * 4096);
        ck_assert_uint_eq(t.nodes[1].kernel_early, 0);
        ck_assert_uint_eq(t.nodes[1].movable, 7000 * 4096);
        ck_assert_uint_eq(t.all.kernel_early, 5800 * 4096);
        ck_assert_uint_eq(t.all.kernel_hot, 0);
        ck_assert_uint_eq(t.all.movable, 7500 * 4096);
        fakeroot_write(f, "proc/zoneinfo", "Node 0, zone Normal\n  nonsense\n");
        ck_assert_int_eq(surroundings_read_totals(fs, 4096, &t, &line), -EBADMSG);
        ck_assert(!t.known && t.all.movable == 0);
        ck_assert_uint_gt(line, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("sysfs");
        TCase *c;
        int r;

        c = check_case_in(s, "open", setup, teardown);
        tcase_add_loop_test(c, open_reads_the_block_size, 0, ARRAY_SIZE(block_sizes));
        tcase_add_test(c, open_needs_memory_blocks);
        c = check_case_in(s, "which blocks", setup, teardown);
        tcase_add_test(c, indices_come_in_order);
        tcase_add_test(c, indices_may_be_none);
        tcase_add_test(c, indices_fill_more_than_a_buffer);
        tcase_add_test(c, node_map_knows_every_link);
        tcase_add_test(c, node_map_is_empty_without_numa);
        c = check_case_in(s, "one block", setup, teardown);
        tcase_add_test(c, block_tells_its_facts);
        tcase_add_test(c, block_zones_follow_its_state);
        tcase_add_test(c, block_waits_for_its_node);
        tcase_add_test(c, hot_block_of_the_likely_node);
        tcase_add_test(c, oopses_are_noticed);
        tcase_add_test(c, block_needs_no_node_without_numa);
        tcase_add_test(c, block_without_valid_zones);
        tcase_add_test(c, block_that_is_gone);
        tcase_add_loop_test(c, state_words, 0, ARRAY_SIZE(states));
        tcase_add_test(c, state_that_cannot_be_read);
        tcase_add_test(c, removable_is_read_on_demand);
        tcase_add_test(c, firmware_node_is_the_last_component);
        c = check_case_in(s, "write", setup, teardown);
        tcase_add_test(c, write_is_the_bare_word);
        tcase_add_test(c, write_says_what_the_kernel_says);
        tcase_add_test(c, writable_or_not);
        c = check_case_in(s, "machine", setup, teardown);
        tcase_add_loop_test(c, machine_is_recognised, 0, ARRAY_SIZE(machines));
        tcase_add_test(c, auto_online_is_read);
        c = check_case_in(s, "around", setup, teardown);
        tcase_add_test(c, tiers_of_nodes);
        tcase_add_loop_test(c, platform_of_a_capture, 0, ARRAY_SIZE(platform_rows));
        tcase_add_test(c, page_size_of_a_capture);
        tcase_add_test(c, architecture_of_a_capture);
        tcase_add_test(c, totals_of_zones);
        c = check_case_in(s, "text", setup, teardown);
        tcase_add_loop_test(c, text_is_read_whole, 0, ARRAY_SIZE(text_sizes));
        tcase_add_test(c, text_that_is_missing);

        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
