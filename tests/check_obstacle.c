/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/obstacle.h"

#include "check_util.h"

static void say(struct obstacles *o, uint64_t usec, const char *text) {
        char record[512];
        struct kernlog_line line;

        snprintf(record, sizeof(record), "4,1,%lu,-;%s\n", usec, text);
        kernlog_parse(record, strlen(record), &line);
        obstacles_add(o, &line);
}

/* Lines as Linux 6.1 and newer kernels print them, and what they are about. */
static const struct {
        const char *text;
        struct kernlog_line line;
} lines[] = {
        { "page:00000000c6d8a2a4 refcount:2 mapcount:1 mapping:0000000000000000 index:0x7f6f pfn:0x12f3a7",
          { .type = KERNLOG_PAGE, .pfn = 0x12f3a7 } },
        { "page: refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x8a000", { .type = KERNLOG_PAGE, .pfn = 0x8a000 } },
        { "migrating pfn 12f3a7 failed ret:-11", { .type = KERNLOG_NOT_MOVED, .pfn = 0x12f3a7, .error = -11 } },
        { "migrating pfn 12f3a7 failed ret:1 ", { .type = KERNLOG_NOT_MOVED, .pfn = 0x12f3a7 } },
        { "failed to isolate pfn ffffffffff", { .type = KERNLOG_NOT_MOVED, .pfn = 0xffffffffff } },
        { "flags: 0x17ffffc0000200(slab|node=0|zone=2|lastcpupid=0x1fffff)", { .type = KERNLOG_FLAGS, .text = "slab" } },
        { "anon flags: 0x200000000080024(referenced|lru|swapbacked|node=0|zone=2)",
          { .type = KERNLOG_FLAGS, .text = "referenced|lru|swapbacked" } },
        { "flags: 0x17ffffc0000000(node=0|zone=2|lastcpupid=0x1fffff)", { .type = KERNLOG_FLAGS, .text = "" } },
        { "flags: 0x17ffffc0000004(referenced)", { .type = KERNLOG_FLAGS, .text = "referenced" } },
        { "aops:shmem_aops ino:41d dentry name:\"dev/zero\"",
          { .type = KERNLOG_FILE, .text = "aops:shmem_aops ino:41d dentry name:\"dev/zero\"" } },
        { "page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 99, tgid 99 (dd), ts 5, free_ts 0",
          { .type = KERNLOG_OWNER, .text = "pid 99, tgid 99 (dd)" } },
        { "page last allocated via order 0, migratetype Movable, gfp_mask 0x8(X), pid 7, ts 5", { .type = KERNLOG_OWNER, .text = "pid 7" } },
        { "page dumped because: unmovable page", { .type = KERNLOG_WHY, .text = "unmovable page" } },
        { "page dumped because: with\ttab and \x80", { .type = KERNLOG_WHY, .text = "with?tab and ?" } },
        /* Nothing of the kind. */
        { "page:00000000c6d8a2a4 is bad", {} },
        { "page:00000000c6d8a2a4 refcount:2 mapcount:1", {} },
        { "page: refcount:1 pfn:", {} },
        { "migrating pfn failed ret:-11", {} },
        { "mem flags: 0x1(lru)", {} },
        { "flags: lru", {} },
        { "raw: 0017ffffc0000000 0000000000000000", {} },
        { "page last allocated via order 0, by nobody", {} },
        { "head:00000000c6d8a2a4 order:9 compound_mapcount:0 compound_pincount:0", {} },
};

START_TEST(test_line) {
        char record[512];
        struct kernlog_line line;

        snprintf(record, sizeof(record), "4,1,77,-;%s\n", lines[_i].text);
        memset(&line, 0xa5, sizeof(line));
        kernlog_parse(record, strlen(record), &line);
        ck_assert_int_eq(line.type, lines[_i].line.type);
        ck_assert_uint_eq(line.pfn, lines[_i].line.pfn);
        ck_assert_int_eq(line.error, lines[_i].line.error);
        ck_assert_str_eq(line.text, lines[_i].line.text);
        ck_assert_uint_eq(line.usec, line.type == KERNLOG_OTHER ? 0 : 77);
}
END_TEST

/* Whatever is longer than there is room for is cut. */
START_TEST(test_long) {
        char record[4096];
        struct kernlog_line line;
        int n = snprintf(record, sizeof(record), "4,1,77,-;page dumped because: ");

        memset(record + n, 'x', sizeof(record) - (size_t) n);
        kernlog_parse(record, sizeof(record), &line);
        ck_assert_int_eq(line.type, KERNLOG_WHY);
        ck_assert_uint_eq(strlen(line.text), KERNLOG_TEXT_MAX - 1);
}
END_TEST

/* ---- put together -------------------------------------------------------------------------------------------------- */

#define BLOCK 32768

static void expect(const struct obstacles *o, uint64_t first, uint64_t since, size_t pages, const char *text) {
        const struct obstacle *found;
        char buf[OBSTACLE_TEXT_MAX];
        size_t n = 0;

        found = obstacles_find(o, first, BLOCK, since, &n);
        if (!text) {
                ck_assert_ptr_null(found);
                return;
        }
        ck_assert_ptr_nonnull(found);
        ck_assert_uint_eq(n, pages);
        obstacle_describe(found, n, buf);
        ck_assert_str_eq(buf, text);
}

START_TEST(unmovable) {
        struct obstacles o = {};

        say(&o, 100, "page:0 refcount:1 mapcount:0 mapping:0 index:0x0 pfn:0x12f3a7");
        expect(&o, 0x128000, 0, 0, NULL); /* not yet known why it is told of */
        say(&o, 100, "flags: 0x17ffffc0000200(slab|node=0|zone=2)");
        say(&o, 100, "raw: 0017ffffc0000000");
        say(&o, 101, "page dumped because: unmovable page");
        say(&o, 101, "page_owner tracks the page as allocated");
        say(&o, 101, "page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 99, tgid 99 (dd), ts 5");
        expect(&o, 0x128000, 100, 1, "page 0x12f3a7 cannot be moved (the kernel: unmovable page; allocated by pid 99, tgid 99 (dd); "
               "flags slab)");
        /* By time and by place. */
        expect(&o, 0x128000, 101, 0, NULL);
        expect(&o, 0x120000, 0, 0, NULL);
        expect(&o, 0x130000, 0, 0, NULL);
}
END_TEST

/* It tries again and again: one page, and the newest time. */
START_TEST(migration_failure) {
        struct obstacles o = {};

        for (uint64_t usec = 100; usec < 105; usec++) {
                say(&o, usec, "migrating pfn 12f3a7 failed ret:-11");
                say(&o, usec, "page:0 refcount:3 mapcount:1 mapping:0 index:0x0 pfn:0x12f3a7");
                say(&o, usec, "aops:ext4_da_aops ino:c dentry name:\"log\"");
                say(&o, usec, "flags: 0x1(lru|node=0)");
                say(&o, usec, "page dumped because: migration failure");
        }
        ck_assert_uint_eq(o.n, 1);
        ck_assert_uint_eq(o.ring[0].times, 5);
        expect(&o, 0x128000, 104, 1, "page 0x12f3a7 could not be moved (the kernel: migration failure, Resource temporarily unavailable; "
               "aops:ext4_da_aops ino:c dentry name:\"log\"; flags lru)");
        say(&o, 200, "failed to isolate pfn 12f3a8");
        say(&o, 200, "page:0 refcount:3 mapcount:1 mapping:0 index:0x0 pfn:0x12f3a8");
        say(&o, 200, "page dumped because: isolation failed");
        expect(&o, 0x128000, 104, 2, "page 0x12f3a8 could not be moved (the kernel: isolation failed) and 1 more pages");
        /* One that cannot be moved at all says more than one that could not just then. */
        say(&o, 201, "page:0 refcount:3 mapcount:1 mapping:0 index:0x0 pfn:0x128000");
        say(&o, 201, "page dumped because: unmovable page");
        say(&o, 202, "migrating pfn 12f3a7 failed ret:-11");
        expect(&o, 0x128000, 104, 3, "page 0x128000 cannot be moved (the kernel: unmovable page) and 2 more pages");
}
END_TEST

/* The description was suppressed, as there were too many. */
START_TEST(without_description) {
        struct obstacles o = {};

        say(&o, 5, "migrating pfn 8000 failed ret:-16");
        expect(&o, 0x8000, 0, 1, "page 0x8000 could not be moved (the kernel does not say why, Device or resource busy)");
}
END_TEST

/* Pages are described for other troubles, too; lines without a page before them are nobody's. */
START_TEST(others) {
        struct obstacles o = {};

        say(&o, 5, "page dumped because: unmovable page");
        say(&o, 5, "flags: 0x1(lru)");
        say(&o, 5, "aops:x");
        ck_assert_uint_eq(o.n, 0);
        say(&o, 5, "page:0 refcount:0 mapcount:-128 mapping:0 index:0x0 pfn:0x8001");
        say(&o, 5, "page dumped because: nonzero mapcount");
        expect(&o, 0x8000, 0, 0, NULL);
        say(&o, 5, "Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x40000000");
        say(&o, 5, "acpi PNP0C80:06: add_memory failed");
        ck_assert_uint_eq(o.n, 1);
}
END_TEST

/* The newest are kept. */
START_TEST(many) {
        struct obstacles o = {};
        char text[64];

        for (uint64_t i = 0; i < 3 * OBSTACLES_MAX; i++) {
                snprintf(text, sizeof(text), "migrating pfn %lx failed ret:-11", 0x8000 + i);
                say(&o, i, text);
                ck_assert_uint_eq(o.n, MIN(i + 1, (uint64_t) OBSTACLES_MAX));
        }
        expect(&o, 0x8000, 0, OBSTACLES_MAX, "page 0x80bf could not be moved (the kernel does not say why, Resource temporarily "
               "unavailable) and 63 more pages");
}
END_TEST

/* However long all of it is, it is a text. */
START_TEST(longest) {
        struct obstacle o = { .pfn = UINT64_MAX, .error = -11, .times = 1 };
        char buf[OBSTACLE_TEXT_MAX];

        memset(o.why, 'w', sizeof(o.why) - 1);
        memset(o.flags, 'f', sizeof(o.flags) - 1);
        memset(o.file, 'a', sizeof(o.file) - 1);
        memset(o.owner, 'o', sizeof(o.owner) - 1);
        for (int i = 0; i < 4; i++) {
                memset(buf, 'x', sizeof(buf));
                obstacle_describe(&o, SIZE_MAX, buf);
                ck_assert_uint_lt(strnlen(buf, sizeof(buf)), sizeof(buf));
                *(char *[]) { o.why, o.flags, o.file, o.owner }[i] = '\0';
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("obstacle");
        TCase *c = check_case(s, "lines");

        tcase_add_loop_test(c, test_line, 0, ARRAY_SIZE(lines));
        tcase_add_test(c, test_long);
        c = check_case(s, "obstacles");
        tcase_add_test(c, unmovable);
        tcase_add_test(c, migration_failure);
        tcase_add_test(c, without_description);
        tcase_add_test(c, others);
        tcase_add_test(c, many);
        tcase_add_test(c, longest);
        return check_run(s);
}
