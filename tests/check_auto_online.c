/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/auto-online.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check_util.h"
#include "fakeroot.h"
#include "host/conf.h"
#include "host/rundir.h"

/* Link with fakeroot's flags and -Wl,--wrap=sysfs_write_auto_online */

#define AUTO_ONLINE "sys/devices/system/memory/auto_online_blocks"
#define RECORD "run/memhpd/" RUNDIR_AUTO_ONLINE

static struct fakeroot *f;
static struct sysfs *fs;
static int dir, log_fd, stderr_fd;
static int write_error;  /* what the kernel answers to a write; 0: it obeys */
static unsigned n_writes;
static const char *never; /* a word that must not be written, not even for a moment */
static bool unrecorded; /* it was written while nothing told what it was before */

static void read_file(const char *path, char ret[static 128]) {
        char whole[512];
        FILE *file;

        snprintf(whole, sizeof(whole), "%s/%s", fakeroot_path(f), path);
        ret[0] = '\0';
        file = fopen(whole, "re");
        if (!file)
                return;
        ret[fread(ret, 1, 127, file)] = '\0';
        fclose(file);
}

int __real_sysfs_write_auto_online(const struct sysfs *s, const char *word);
int __wrap_sysfs_write_auto_online(const struct sysfs *s, const char *word);

int __wrap_sysfs_write_auto_online(const struct sysfs *s, const char *word) {
        char record[128];

        n_writes++;
        CHECK(!never || strcmp(word, never) != 0);
        read_file(RECORD, record);
        unrecorded = unrecorded || !record[0];
        return write_error ? -write_error : __real_sysfs_write_auto_online(s, word);
}

static void setup(void) {
        f = fakeroot_new(0);
        ck_assert_int_eq(sysfs_open(fakeroot_path(f), &fs), 0);
        dir = rundir_open(fakeroot_path(f));
        ck_assert_int_ge(dir, 0);
        write_error = 0;
        n_writes = 0;
        never = NULL;
        unrecorded = false;
        stderr_fd = dup(STDERR_FILENO);
        log_fd = memfd_create("log", MFD_CLOEXEC);
        ck_assert(stderr_fd >= 0 && log_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
}

static void teardown(void) {
        (void) dup2(stderr_fd, STDERR_FILENO);
        close(stderr_fd);
        close(log_fd);
        close(dir);
        sysfs_close(fs);
        f = fakeroot_free(f);
}

static void check_log(const char *part, bool expected) {
        char text[4096];
        ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

        ck_assert_int_ge(n, 0);
        text[n] = '\0';
        ck_assert_msg((strstr(text, part) != NULL) == expected, "\"%s\"%s in: %s", part, expected ? " is not" : "", text);
}

static void forget_log(void) {
        ck_assert_int_eq(ftruncate(log_fd, 0), 0);
        ck_assert_int_eq(lseek(log_fd, 0, SEEK_SET), 0);
}

static void check_word(const char *word) {
        char text[128];

        read_file(AUTO_ONLINE, text);
        text[strcspn(text, "\n")] = '\0';
        ck_assert_str_eq(text, word);
}

static void check_record(const char *text) {
        char record[128];

        read_file(RECORD, record);
        ck_assert_str_eq(record, text);
}

static void set_word(const char *word) {
        char line[64];

        snprintf(line, sizeof(line), "%s\n", word);
        fakeroot_write(f, AUTO_ONLINE, line);
}

static bool take(const char *policy) {
        _cleanup_(problems_done) struct problems problems = {};
        _cleanup_(policy_freep) struct policy *p = policy_new();

        conf_parse(policy, "policy", p, &problems);
        ck_assert_uint_eq(problems.n, 0);
        return auto_online_take(fs, dir, p);
}

#define SETTING(word) "kernel_auto_online = \"" word "\"; "
#define MOVABLE "rules = ( { action = \"online_movable\"; } );"
#define KERNEL "rules = ( { action = \"online_kernel\"; } );"
#define PLAIN "rules = ( { action = \"online\"; } );"
#define NOTHING "rules = ( { action = \"leave_offline\"; } );"
#define MIXED "rules = ( { match = { source = \"pmem\"; }; action = \"leave_offline\"; }, { action = \"online\"; } );"
#define SAME "rules = ( { match = { source = \"pmem\"; }; action = \"online\"; }, { action = \"online\"; } );"
#define SOME "rules = ( { match = { source = \"dimm\"; }; action = \"online\"; } );"

/* ---- what is set, and put back ------------------------------------------------------------------------------------ */

static const struct {
        const char *before, *policy, *meanwhile;
        bool delegated;
        const char *said; /* NULL: nothing */
} rows[] = {
        { "offline", SETTING("manage") MOVABLE, "offline", false, NULL },
        { "online", SETTING("manage") MOVABLE, "offline", false, "was \"online\" and is \"offline\" while memhpd runs" },
        { "online_kernel", SETTING("manage") MIXED, "offline", false, "was \"online_kernel\" and is \"offline\"" },
        { "online_movable", SETTING("manage") MOVABLE, "offline", false, "was \"online_movable\" and is \"offline\"" },
        { "online", MOVABLE, "offline", false, "was \"online\" and is \"offline\"" }, /* which is the default */
        { "offline", SETTING("keep") MOVABLE, "offline", false, NULL },
        { "online", SETTING("keep") MOVABLE, "online", false, "the policy comes too late" },
        { "online_movable", SETTING("keep") MOVABLE, "online_movable", false, "the policy comes too late" },
        /* One action for everything. */
        { "offline", SETTING("delegate") MOVABLE, "online_movable", true, "was \"offline\" and is \"online_movable\"" },
        { "offline", SETTING("delegate") KERNEL, "online_kernel", true, "was \"offline\" and is \"online_kernel\"" },
        { "offline", SETTING("delegate") PLAIN, "online", true, "was \"offline\" and is \"online\"" },
        { "offline", SETTING("delegate") SAME, "online", true, "was \"offline\" and is \"online\"" },
        { "online", SETTING("delegate") PLAIN, "online", true, NULL },
        { "online", SETTING("delegate") NOTHING, "offline", true, "was \"online\" and is \"offline\"" },
        { "online", SETTING("delegate"), "offline", true, "was \"online\" and is \"offline\"" }, /* no rules */
        { "online_movable", SETTING("delegate") KERNEL, "online_kernel", true, "is \"online_kernel\"" },
        /* Different things for different memory: as "manage". */
        { "offline", SETTING("delegate") MIXED, "offline", false, "memhpd brings it online itself" },
        { "online", SETTING("delegate") MIXED, "offline", false, "memhpd brings it online itself" },
        { "online", SETTING("delegate") SOME, "offline", false, "memhpd brings it online itself" },
};

START_TEST(test_take_and_restore) {
        set_word(rows[_i].before);
        ck_assert_int_eq(take(rows[_i].policy), rows[_i].delegated);
        check_word(rows[_i].meanwhile);
        ck_assert(!unrecorded);
        if (rows[_i].said)
                check_log(rows[_i].said, true);
        else
                check_log("memhpd", false);
        if (strcmp(rows[_i].before, rows[_i].meanwhile) == 0) { /* there was nothing to do */
                ck_assert_uint_eq(n_writes, 0);
                check_record("");
        }
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word(rows[_i].before);
        check_record("");
        /* Again, as the service's ExecStopPost does after a clean end. */
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word(rows[_i].before);
}
END_TEST

/* From every policy to every other: at the end it is what it was. */
START_TEST(test_reload) {
        set_word("online_kernel");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                bool keep = strncmp(rows[i].policy, SETTING("keep"), strlen(SETTING("keep"))) == 0;

                never = NULL;
                (void) take(rows[_i].policy);
                /* From the one to the other at once: memory may be added at any time. */
                never = keep || strcmp(rows[i].meanwhile, "online_kernel") == 0 ? NULL : "online_kernel";
                (void) take(rows[i].policy);
                check_word(keep ? "online_kernel" : rows[i].meanwhile);
                n_writes = 0;
                (void) take(rows[i].policy);
                ck_assert_uint_eq(n_writes, 0);
        }
        never = NULL;
        ck_assert(!unrecorded);
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online_kernel");
}
END_TEST

/* ---- the daemon was killed ---------------------------------------------------------------------------------------- */

START_TEST(test_killed) {
        set_word("online");
        (void) take(SETTING("manage") MOVABLE);
        check_record("online offline\n");
        if (_i) { /* the next start finds what the last has left */
                forget_log();
                (void) take(_i == 1 ? SETTING("manage") MOVABLE : SETTING("keep") MOVABLE);
                check_word(_i == 1 ? "offline" : "online");
                check_record(_i == 1 ? "online offline\n" : "");
        }
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online");
        check_record("");
}
END_TEST

/* Between the record and the write. */
START_TEST(test_killed_before_the_write) {
        set_word("online");
        ck_assert_int_eq(rundir_write(dir, RUNDIR_AUTO_ONLINE, "online offline\n", 15), 0);
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online");
        check_record("");
        ck_assert_uint_eq(n_writes, 0);
}
END_TEST

/* ---- others ------------------------------------------------------------------------------------------------------- */

/* What an administrator chose meanwhile is not undone, whether memhpd ends well or is killed and comes back. */
START_TEST(test_administrator) {
        set_word("online");
        (void) take(SETTING("manage") MOVABLE);
        set_word("online_kernel");
        if (_i) {
                (void) take(SETTING("manage") MOVABLE);
                check_word("offline");
                check_record("online_kernel offline\n");
        }
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online_kernel");
        check_record("");
}
END_TEST

/* A way that only newer kernels know is not ours to change, since it could not be put back. */
START_TEST(test_unknown_word) {
        set_word("online_somewhere");
        ck_assert(!take(SETTING("manage") MOVABLE));
        ck_assert(!take(SETTING("delegate") MOVABLE));
        check_word("online_somewhere");
        check_record("");
        check_log("auto_online_blocks is \"online_somewhere\", which memhpd does not know and leaves alone", true);
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online_somewhere");
}
END_TEST

/* ---- the record is not what it should be -------------------------------------------------------------------------- */

static const char *const hostile[] = {
        "", "\n", "online\n", "online offline online_kernel\n", "online offline x", "offline\n\n\n",
        "Online offline\n", "online-kernel offline\n", "online_movable\n", "online off\n", "on offline\n",
        "/etc/passwd offline\n", "online_movablexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx offline\n",
        "online offlinexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", "%s %n\n", "online,offline\n",
};

static void put_hostile(int i) {
        static char large[100000];

        if (i < (int) ARRAY_SIZE(hostile)) {
                ck_assert_int_eq(rundir_write(dir, RUNDIR_AUTO_ONLINE, hostile[i], strlen(hostile[i])), 0);
                return;
        }
        switch (i - (int) ARRAY_SIZE(hostile)) {
        case 0:
                ck_assert_int_eq(rundir_write(dir, RUNDIR_AUTO_ONLINE, "online offline\0\n", 16), 0);
                break;
        case 1:
                memset(large, 'x', sizeof(large));
                ck_assert_int_eq(rundir_write(dir, RUNDIR_AUTO_ONLINE, large, sizeof(large)), 0);
                break;
        case 2: /* anybody may write to it */
                ck_assert_int_eq(rundir_write(dir, RUNDIR_AUTO_ONLINE, "online offline\n", 15), 0);
                ck_assert_int_eq(fchmodat(dir, RUNDIR_AUTO_ONLINE, 0666, 0), 0);
                break;
        case 3:
                ck_assert_int_eq(rundir_write(dir, "elsewhere", "online offline\n", 15), 0);
                ck_assert_int_eq(symlinkat("elsewhere", dir, RUNDIR_AUTO_ONLINE), 0);
                break;
        case 4:
                ck_assert_int_eq(mkfifoat(dir, RUNDIR_AUTO_ONLINE, 0644), 0);
                break;
        }
}

#define N_HOSTILE ((int) ARRAY_SIZE(hostile) + 5)

START_TEST(test_hostile_restore) {
        set_word("offline");
        put_hostile(_i);
        ck_assert_int_lt(auto_online_restore(fs, dir), 0);
        check_word("offline");
        ck_assert_uint_eq(n_writes, 0);
        check_log("auto_online_blocks cannot be put back as it was: ", true);
}
END_TEST

/* It is replaced by a good one. */
START_TEST(test_hostile_take) {
        set_word("online_movable");
        put_hostile(_i);
        (void) take(SETTING("manage") MOVABLE);
        check_word("offline");
        check_record("online_movable offline\n");
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online_movable");
}
END_TEST

/* ---- what cannot be done ------------------------------------------------------------------------------------------ */

/* What cannot be put back is not changed. */
START_TEST(test_no_record) {
        set_word("online");
        if (_i) {
                fakeroot_write(f, RECORD "/x", ""); /* a folder that is not empty is in the way */
        } else {
                close(dir);
                dir = -ENOENT;
        }
        ck_assert(!take(SETTING("manage") MOVABLE));
        check_word("online");
        check_log("auto_online_blocks stays \"online\", since what it was could not be kept", true);
        ck_assert(!take(SETTING("delegate") KERNEL));
        check_word("online");
        ck_assert(take(SETTING("delegate") PLAIN)); /* which it does already */
        ck_assert_uint_eq(n_writes, 0);
        if (!_i)
                ck_assert_int_eq(auto_online_restore(fs, dir), 0);
}
END_TEST

START_TEST(test_kernel_refuses) {
        set_word("online");
        write_error = EROFS;
        ck_assert(!take(SETTING("delegate") KERNEL));
        check_log("auto_online_blocks cannot be set to \"online_kernel\": Read-only file system", true);
        check_record(""); /* nothing was changed, so there is nothing to put back */
        write_error = 0;
        (void) take(SETTING("manage") KERNEL);
        write_error = EROFS;
        ck_assert(!take(SETTING("delegate") KERNEL)); /* what it was is still known */
        ck_assert_int_eq(auto_online_restore(fs, dir), -EROFS);
        check_record("online offline\n"); /* another chance */
        write_error = 0;
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
        check_word("online");
}
END_TEST

START_TEST(test_kernel_without_it) {
        fakeroot_unlink(f, AUTO_ONLINE);
        ck_assert(!take(SETTING("manage") MOVABLE));
        ck_assert(!take(SETTING("delegate") MOVABLE));
        ck_assert(!take(SETTING("keep") MOVABLE));
        check_record("");
        check_log("memhpd", false);
        ck_assert_int_eq(auto_online_restore(fs, dir), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("auto-online");
        TCase *c;
        int r;

        c = check_case_in(s, "take and restore", setup, teardown);
        tcase_add_loop_test(c, test_take_and_restore, 0, ARRAY_SIZE(rows));
        tcase_add_loop_test(c, test_reload, 0, ARRAY_SIZE(rows));
        c = check_case_in(s, "killed", setup, teardown);
        tcase_add_loop_test(c, test_killed, 0, 3);
        tcase_add_test(c, test_killed_before_the_write);
        c = check_case_in(s, "others", setup, teardown);
        tcase_add_loop_test(c, test_administrator, 0, 2);
        tcase_add_test(c, test_unknown_word);
        c = check_case_in(s, "hostile", setup, teardown);
        tcase_add_loop_test(c, test_hostile_restore, 0, N_HOSTILE);
        tcase_add_loop_test(c, test_hostile_take, 0, N_HOSTILE);
        c = check_case_in(s, "cannot", setup, teardown);
        tcase_add_loop_test(c, test_no_record, 0, 2);
        tcase_add_test(c, test_kernel_refuses);
        tcase_add_test(c, test_kernel_without_it);

        unsetenv("JOURNAL_STREAM");
        fakeroot_begin();
        r = check_run(s);
        fakeroot_end();
        return r;
}
