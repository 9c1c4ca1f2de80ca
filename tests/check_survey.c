/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/survey.h"

#include "check_util.h"
#include "fakeroot.h"

/* More than are looked at at a time, several times over; the last batch is not full. */
#define N_BLOCKS 1700

static struct fakeroot *f;
static struct sysfs *fs;
static struct node_map nodes;
static uint32_t *indices;
static size_t n_indices;
static struct survey *survey;

static void setup(void) {
        f = fakeroot_new(0);
}

static void teardown(void) {
        survey_free(survey);
        survey = NULL;
        free(indices);
        indices = NULL;
        node_map_done(&nodes);
        sysfs_close(fs);
        f = fakeroot_free(f);
}

static void list(void) {
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        ck_assert_int_eq(sysfs_read_indices(fs, &indices, &n_indices), 0);
        ck_assert_int_eq(sysfs_read_node_map(fs, &nodes), 0);
}

static void begin(const struct node_map *map, unsigned flags) {
        ck_assert_int_eq(survey_new(fs, map, flags, indices, n_indices, &survey), 0);
}

/* As sysfs_read_block() says it, one by one. */
static void check_item(const struct survey_item *item, uint32_t index) {
        struct block b;

        ck_assert_uint_eq(item->index, index);
        ck_assert_int_eq(item->error, 0);
        ck_assert_int_eq(sysfs_read_block(fs, index, NULL, SYSFS_REMOVABLE, &b), 0);
        ck_assert_uint_eq(item->block.index, index);
        ck_assert_int_eq(item->block.state, b.state);
        ck_assert_uint_eq(item->block.zones, b.zones);
        ck_assert_int_eq(item->block.removable, b.removable);
        ck_assert(node_set_equal(&item->block.nodes, &b.nodes));
}

START_TEST(every_block_once_and_in_order) {
        const struct survey_item *item;
        size_t n = 0;

        fakeroot_add_boot(f, 0, 100, 0);
        fakeroot_add_dimm(f, "PNP0C80:01", 200, N_BLOCKS - 100, 1);
        list();
        begin(_i & 1 ? &nodes : NULL, SURVEY_REMOVABLE | (_i & 2 ? SURVEY_FIRMWARE_NODE : 0));
        while ((item = survey_next(survey))) {
                ck_assert_uint_lt(n, n_indices);
                check_item(item, indices[n]);
                ck_assert_str_eq(item->firmware_node, (_i & 2) && item->index >= 200 ? "PNP0C80:01" : "");
                n++;
        }
        ck_assert_uint_eq(n, N_BLOCKS);
        ck_assert_ptr_null(survey_next(survey));
}
END_TEST

/* As the two listings say it one after the other; node 1's blocks come before node 0's, too. */
START_TEST(listed_at_once) {
        _cleanup_free_ uint32_t *at_once = NULL;
        struct node_map map;
        size_t n;

        fakeroot_add_boot(f, 0, 100, 0);
        fakeroot_add_dimm(f, "PNP0C80:01", 200, _i ? N_BLOCKS : 40, 1);
        fakeroot_add_dimm(f, "PNP0C80:02", 5000, 50, 0);
        list();
        ck_assert_int_eq(survey_list(fs, 100, &at_once, &n, &map), 0);
        ck_assert_uint_eq(n, n_indices);
        ck_assert_mem_eq(at_once, indices, n * sizeof(*indices));
        ck_assert_uint_eq(map.n, nodes.n);
        for (size_t i = 0; i < map.n; i++) {
                ck_assert_uint_eq(map.links[i].block, nodes.links[i].block);
                ck_assert_uint_eq(map.links[i].node, nodes.links[i].node);
                ck_assert(i == 0 || map.links[i - 1].block < map.links[i].block);
        }
        node_map_done(&map);
}
END_TEST

START_TEST(few_blocks_need_no_listing_of_nodes) {
        _cleanup_free_ uint32_t *at_once = NULL;
        struct node_map map;
        size_t n;

        fakeroot_add_boot(f, 0, 100, 0);
        list();
        ck_assert_int_eq(survey_list(fs, 101, &at_once, &n, &map), 0);
        ck_assert_uint_eq(n, 100);
        ck_assert_uint_eq(map.n, 0);
}
END_TEST

START_TEST(nothing_there) {
        list();
        begin(&nodes, 0);
        ck_assert_ptr_null(survey_next(survey));
}
END_TEST

START_TEST(what_is_asked_for) {
        fakeroot_add_boot(f, 0, 2, 0);
        list();
        begin(&nodes, SURVEY_IDENTITY);
        ck_assert_uint_ne(survey_next(survey)->block.identity, 0);
        survey_free(survey);
        begin(&nodes, 0);
        ck_assert_uint_eq(survey_next(survey)->block.identity, 0);
}
END_TEST

START_TEST(a_block_that_is_gone) {
        fakeroot_add_boot(f, 0, 8, 0);
        list();
        fakeroot_remove(f, 3, 1);
        begin(&nodes, 0);
        for (uint32_t i = 0; i < 8; i++)
                ck_assert_int_eq(survey_next(survey)->error, i == 3 ? -ENOENT : 0);
}
END_TEST

START_TEST(a_block_without_a_node) {
        const struct survey_item *item;

        fakeroot_add_boot(f, 0, 1, 0);
        fakeroot_set_traits(f, &(struct fakeroot_traits) { .late_node = true });
        fakeroot_add_dimm(f, "PNP0C80:01", 1, 1, 0);
        list();
        begin(&nodes, _i ? SURVEY_UNLINKED : 0);
        ck_assert_int_eq(survey_next(survey)->error, 0);
        item = survey_next(survey);
        ck_assert_int_eq(item->error, _i ? 0 : -EAGAIN);
        if (_i)
                ck_assert_int_eq(item->block.state, BLOCK_OFFLINE);
        ck_assert_uint_eq(fakeroot_oopses(f), 0);
}
END_TEST

/* Events come while blocks are looked at ahead: those are stale, the ones after them are not. */
START_TEST(distrust) {
        const struct survey_item *item;
        size_t n_stale = 0, n = 0;
        bool fresh = false;

        fakeroot_add_boot(f, 0, N_BLOCKS, 0);
        list();
        begin(&nodes, 0);
        for (; n < 100; n++)
                ck_assert_int_eq(survey_next(survey)->error, 0);
        survey_distrust(survey);
        while ((item = survey_next(survey))) {
                ck_assert_uint_eq(item->index, indices[n++]);
                if (item->error == -ESTALE) {
                        ck_assert_msg(!fresh, "block %u is stale, one before it was not", item->index);
                        n_stale++;
                        continue;
                }
                fresh = true;
                check_item(item, item->index);
        }
        ck_assert_uint_eq(n, N_BLOCKS);
        ck_assert(fresh);
        ck_assert_uint_gt(n_stale, 0);
        ck_assert_uint_lt(n_stale, 1100);
}
END_TEST

/* Whoever ends in the middle leaves no thread behind (the sanitizers would tell of what it touches). */
START_TEST(ended_early) {
        fakeroot_add_boot(f, 0, N_BLOCKS, 0);
        list();
        begin(&nodes, 0);
        for (int i = 0; i < _i; i++)
                ck_assert_int_eq(survey_next(survey)->error, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("survey");
        TCase *c = check_case(s, "survey");
        int r;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_loop_test(c, every_block_once_and_in_order, 0, 4);
        tcase_add_loop_test(c, listed_at_once, 0, 2);
        tcase_add_test(c, few_blocks_need_no_listing_of_nodes);
        tcase_add_test(c, nothing_there);
        tcase_add_test(c, what_is_asked_for);
        tcase_add_test(c, a_block_that_is_gone);
        tcase_add_loop_test(c, a_block_without_a_node, 0, 2);
        tcase_add_test(c, distrust);
        tcase_add_loop_test(c, ended_early, 0, 3);

        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
