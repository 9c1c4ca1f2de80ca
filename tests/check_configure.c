/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configure and deconfigure where the kernel has its say: it refuses what a plain file takes. Link with
 * -Wl,--wrap=sysfs_write_standby_config -Wl,--wrap=sysfs_write_standby_memmap */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check_util.h"
#include "ctl/output.h"
#include "ctl/verb.h"
#include "fakeroot.h"

#define STANDBY_DIR "sys/firmware/memory/"

static struct fakeroot *f;
static struct options options;
static int broken; /* the block that the machine refuses */
static char order[256]; /* of what was written */

int __real_sysfs_write_standby_config(const struct sysfs *fs, uint32_t index, bool configured);
int __wrap_sysfs_write_standby_config(const struct sysfs *fs, uint32_t index, bool configured);
int __real_sysfs_write_standby_memmap(const struct sysfs *fs, uint32_t index, bool memmap_on_memory);
int __wrap_sysfs_write_standby_memmap(const struct sysfs *fs, uint32_t index, bool memmap_on_memory);

static void note(const char *what, uint32_t index, bool value) {
        size_t n = strlen(order);

        snprintf(order + n, sizeof(order) - n, "%s%u=%d ", what, index, value);
}

/* drivers/s390/char/sclp_mem.c: what is online cannot be taken, and the machine may refuse. */
int __wrap_sysfs_write_standby_config(const struct sysfs *fs, uint32_t index, bool configured) {
        struct block b;

        note("config", index, configured);
        if ((int) index == broken)
                return -EIO;
        if (!configured && sysfs_read_block_state(fs, index, &b) >= 0 && b.state != BLOCK_OFFLINE)
                return -EBUSY;
        return __real_sysfs_write_standby_config(fs, index, configured);
}

int __wrap_sysfs_write_standby_memmap(const struct sysfs *fs, uint32_t index, bool memmap_on_memory) {
        struct standby_block b;

        note("memmap", index, memmap_on_memory);
        ck_assert_int_eq(sysfs_read_standby(fs, index, &b), 0);
        return b.configured ? -EBUSY : __real_sysfs_write_standby_memmap(fs, index, memmap_on_memory);
}

static void add_standby(uint32_t index, const char *config, const char *memmap) {
        char path[128];

        snprintf(path, sizeof(path), STANDBY_DIR "memory%u/config", index);
        fakeroot_write(f, path, config);
        snprintf(path, sizeof(path), STANDBY_DIR "memory%u/memmap_on_memory", index);
        fakeroot_write(f, path, memmap);
}

static void setup(void) {
        f = fakeroot_new(0);
        fakeroot_add_boot(f, 0, 2, 0);
        add_standby(0, "1\n", "0\n");
        add_standby(1, "1\n", "0\n");
        for (uint32_t i = 16; i < 20; i++)
                add_standby(i, "0\n", "1\n");
        options = (struct options) { .sysroot = fakeroot_path(f), .verb = "configure" };
        broken = -1;
        order[0] = '\0';
}

static void teardown(void) {
        f = fakeroot_free(f);
}

/* What it says on standard error. */
static const char *run(verb_function verb, const char *selector, enum status expected) {
        char *args[] = { (char *) selector, NULL };
        static char said[4096];
        FILE *file = tmpfile();
        int before = dup(STDERR_FILENO);
        enum status status;
        size_t n;

        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
        status = verb(&options, args);
        fflush(stderr);
        dup2(before, STDERR_FILENO);
        close(before);
        rewind(file);
        n = fread(said, 1, sizeof(said) - 1, file);
        said[n] = '\0';
        fclose(file);
        ck_assert_msg(status == expected, "status %d, and it said: %s", status, said);
        return said;
}

static void expect_config(uint32_t index, bool configured, bool memmap) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        struct standby_block b;

        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        ck_assert_int_eq(sysfs_read_standby(fs, index, &b), 0);
        ck_assert_int_eq(b.configured, configured);
        ck_assert_int_eq(b.memmap_on_memory, memmap);
}

START_TEST(online_memory_stays_configured) {
        const char *said = run(verb_deconfigure, "1", STATUS_FAILED);

        ck_assert_ptr_nonnull(strstr(said, "block 1: not deconfigured: it is online; memhpctl offline"));
        expect_config(1, true, false);
        ck_assert_int_eq(fakeroot_set_state(f, 1, "offline"), 0);
        ck_assert_str_eq(run(verb_deconfigure, "1", STATUS_DONE), "");
        expect_config(1, false, false);
}
END_TEST

START_TEST(one_refused_block_does_not_keep_the_others) {
        const char *said;

        broken = 17;
        said = run(verb_configure, "16-19", STATUS_PARTIAL);
        ck_assert_ptr_nonnull(strstr(said, "block 17: not configured: Input/output error"));
        ck_assert_str_eq(order, "config16=1 config17=1 config18=1 config19=1 ");
        expect_config(16, true, true);
        expect_config(17, false, true);
        expect_config(19, true, true);
        run(verb_configure, "17", STATUS_FAILED);
}
END_TEST

START_TEST(where_the_descriptions_lie_is_said_first) {
        options.memmap = "no";
        run(verb_configure, "16", STATUS_DONE);
        ck_assert_str_eq(order, "memmap16=0 config16=1 ");
        expect_config(16, true, false);
        /* It is so already: nothing is written. */
        order[0] = '\0';
        run(verb_configure, "16", STATUS_DONE);
        ck_assert_str_eq(order, "");
        /* It cannot be moved any more, and nothing is tried. */
        options.memmap = "yes";
        ck_assert_ptr_nonnull(strstr(run(verb_configure, "16", STATUS_FAILED), "in the other way; deconfigure it first"));
        ck_assert_str_eq(order, "");
        expect_config(16, true, false);
}
END_TEST

START_TEST(many_refusals_are_counted) {
        const char *said, *at;
        unsigned n = 0;

        fakeroot_add_boot(f, 100, 20, 0);
        for (uint32_t i = 100; i < 120; i++)
                add_standby(i, "1\n", "0\n");
        said = run(verb_deconfigure, "100-119", STATUS_FAILED);
        for (at = said; (at = strstr(at, "it is online")); at++)
                n++;
        ck_assert_uint_eq(n, 8);
        ck_assert_ptr_nonnull(strstr(said, "20 blocks in all were not deconfigured"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("configure");
        TCase *t = check_case_in(s, "the kernel refuses", setup, teardown);
        int r;

        tcase_add_test(t, online_memory_stays_configured);
        tcase_add_test(t, one_refused_block_does_not_keep_the_others);
        tcase_add_test(t, where_the_descriptions_lie_is_said_first);
        tcase_add_test(t, many_refusals_are_counted);

        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
