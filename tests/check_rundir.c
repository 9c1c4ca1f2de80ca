/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/rundir.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "check_util.h"

#define FILE_SIZE_LARGEST (16 * 1024 * 1024)

static char root[128];
static int dir;
static atomic_uint *skipped; /* shared with the tests' own processes */

static void skip(const char *what) {
        (*skipped)++;
        printf("skipped: %s: %s\n", what, strerror(errno));
        fflush(stdout);
}

static void setup(void) {
        const char *folder = getenv("TMPDIR");
        char path[160];

        snprintf(root, sizeof(root), "%s/memhp-rundir.XXXXXX", folder ? folder : "/tmp");
        ck_assert_ptr_nonnull(mkdtemp(root));
        snprintf(path, sizeof(path), "%s/run", root);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        dir = rundir_open(root);
        ck_assert_int_ge(dir, 0);
}

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st, (void) ftw;
        return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void teardown(void) {
        close(dir);
        (void) nftw(root, delete_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text, mode_t mode) {
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(fchmod(fd, mode), 0);
        close(fd);
}

static void check_read(const char *name, const char *text) {
        _cleanup_free_ char *read_back = NULL;
        size_t size;

        ck_assert_int_eq(rundir_read(dir, name, &read_back, &size), 0);
        ck_assert_uint_eq(size, strlen(text));
        ck_assert_str_eq(read_back, text);
}

/* And nothing is given back. */
static void check_refused(const char *name, int error) {
        char *text = root;
        size_t size = 17;

        ck_assert_int_eq(rundir_read(dir, name, &text, &size), error);
        ck_assert_ptr_eq(text, root);
        ck_assert_uint_eq(size, 17);
}

static unsigned count_files(void) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fdopendir(fd);
        unsigned n = 0;

        ck_assert_ptr_nonnull(d);
        for (const struct dirent *e; (e = readdir(d));)
                n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
        closedir(d);
        return n;
}

/* ---- the folder --------------------------------------------------------------------------------------------------- */

START_TEST(test_open) {
        char path[160];
        struct stat st;
        int again;

        ck_assert_int_eq(fstat(dir, &st), 0);
        ck_assert(S_ISDIR(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07022, 0);
        again = rundir_open(root); /* it is there already */
        ck_assert_int_ge(again, 0);
        close(again);
        snprintf(path, sizeof(path), "%s/nowhere", root);
        ck_assert_int_eq(rundir_open(path), -ENOENT);
        snprintf(path, sizeof(path), "%s/run", root);
        ck_assert_int_eq(rundir_open(path), -ENOENT); /* no "run" in it */
}
END_TEST

/* It could be anybody's folder. */
START_TEST(test_open_refuses) {
        char path[160], target[160];

        snprintf(path, sizeof(path), "%s/run/memhpd", root);
        snprintf(target, sizeof(target), "%s/elsewhere", root);
        ck_assert_int_eq(rmdir(path), 0);
        if (_i) {
                ck_assert_int_eq(mkdir(target, 0755), 0);
                ck_assert_int_eq(symlink(target, path), 0);
        } else
                ck_assert_int_eq(mknod(path, S_IFREG | 0644, 0), 0);
        ck_assert_int_lt(rundir_open(root), 0);
}
END_TEST

/* ---- written whole or not at all ---------------------------------------------------------------------------------- */

static const mode_t umasks[] = { 0, 022, 077 };

START_TEST(test_write) {
        struct stat st;

        umask(umasks[_i]);
        ck_assert_int_eq(rundir_write(dir, "state", "", 0), 0);
        check_read("state", "");
        ck_assert_int_eq(rundir_write(dir, "state", "a longer text\n", 14), 0);
        check_read("state", "a longer text\n");
        ck_assert_int_eq(rundir_write(dir, "state", "short\nand not written", 6), 0);
        check_read("state", "short\n");
        ck_assert_int_eq(fstatat(dir, "state", &st, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert_uint_eq(st.st_mode, S_IFREG | (0644 & ~umasks[_i]));
        ck_assert_uint_eq(count_files(), 1);
        ck_assert_int_eq(rundir_remove(dir, "state"), 0);
        check_refused("state", -ENOENT);
        ck_assert_int_eq(rundir_remove(dir, "state"), 0);
        ck_assert_uint_eq(count_files(), 0);
}
END_TEST

/* Who has the old one open keeps it as it was: it is never written to. */
START_TEST(test_replaces) {
        char text[16] = "";
        int old;

        ck_assert_int_eq(rundir_write(dir, "state", "before\n", 7), 0);
        old = openat(dir, "state", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(old, 0);
        ck_assert_int_eq(rundir_write(dir, "state", "now\n", 4), 0);
        ck_assert_int_eq(read(old, text, sizeof(text)), 7);
        ck_assert_str_eq(text, "before\n");
        close(old);
        check_read("state", "now\n");
}
END_TEST

#define ROUNDS 400
#define LARGE 300000

static atomic_bool stop;

/* 'a' × LARGE and 'b' × LARGE / 3 in turns. */
static void *write_for_ever(void *userdata) {
        char *text = userdata;

        for (int i = 0; !stop; i++) {
                memset(text, i % 2 ? 'b' : 'a', LARGE);
                CHECK(rundir_write(dir, "state", text, i % 2 ? LARGE / 3 : LARGE) == 0);
        }
        return NULL;
}

START_TEST(test_readers_see_no_part) {
        _cleanup_free_ char *buf = malloc(LARGE);
        unsigned seen[2] = {};
        pthread_t writer;

        ck_assert_ptr_nonnull(buf);
        memset(buf, 'a', LARGE);
        ck_assert_int_eq(rundir_write(dir, "state", buf, LARGE), 0);
        stop = false;
        ck_assert_int_eq(pthread_create(&writer, NULL, write_for_ever, buf), 0);
        /* Until both were seen, whatever else the machine does. */
        for (int i = 0; i < ROUNDS || !seen[0] || !seen[1]; i++) {
                _cleanup_free_ char *text = NULL;
                size_t size;
                char c;

                CHECK(rundir_read(dir, "state", &text, &size) == 0);
                CHECK(size > 0);
                c = text[0];
                CHECK(size == (c == 'a' ? LARGE : LARGE / 3) && strlen(text) == size);
                for (size_t k = 0; k < size; k++)
                        CHECK(text[k] == c);
                seen[c != 'a']++;
        }
        stop = true;
        pthread_join(writer, NULL);
}
END_TEST

/* What a daemon that was killed in the midst of it left, or somebody put there, does not stand in the way … */
START_TEST(test_leftovers) {
        put("victim", "not yours\n", 0644);
        put("state", "old\n", 0644);
        switch (_i) {
        case 0:
                put(".state.new", "half of a te", 0644);
                break;
        case 1:
                ck_assert_int_eq(symlinkat("victim", dir, ".state.new"), 0);
                break;
        case 2:
                ck_assert_int_eq(linkat(dir, "victim", dir, ".state.new", 0), 0);
                break;
        case 3:
                ck_assert_int_eq(mkfifoat(dir, ".state.new", 0666), 0);
                break;
        case 4:
                ck_assert_int_eq(symlinkat("nowhere", dir, ".state.new"), 0);
                break;
        }
        check_read("state", "old\n"); /* it counts for nothing */
        ck_assert_int_eq(rundir_write(dir, "state", "new\n", 4), 0);
        check_read("state", "new\n");
        check_read("victim", "not yours\n");
        ck_assert_uint_eq(count_files(), 2);
}
END_TEST

/* … and what does, does no harm. */
START_TEST(test_leftover_folder) {
        put("state", "old\n", 0644);
        ck_assert_int_eq(mkdirat(dir, ".state.new", 0755), 0);
        ck_assert_int_lt(rundir_write(dir, "state", "new\n", 4), 0);
        check_read("state", "old\n");
}
END_TEST

/* A link in the file's place is replaced, and not followed. */
START_TEST(test_write_over_link) {
        put("victim", "not yours\n", 0644);
        ck_assert_int_eq(symlinkat("victim", dir, "state"), 0);
        ck_assert_int_eq(rundir_write(dir, "state", "new\n", 4), 0);
        check_read("victim", "not yours\n");
        check_read("state", "new\n");
}
END_TEST

/* A folder in the file's place: nothing is left behind. */
START_TEST(test_write_over_folder) {
        ck_assert_int_eq(mkdirat(dir, "state", 0755), 0);
        ck_assert_int_lt(rundir_write(dir, "state", "new\n", 4), 0);
        ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(test_full) {
        _cleanup_free_ char *large = malloc(LARGE);
        char path[160];

        snprintf(path, sizeof(path), "%s/run/memhpd", root);
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", path, "tmpfs", 0, "size=64k,mode=0755") < 0) {
                skip("a full folder, which takes a file system of its own");
                return;
        }
        close(dir);
        dir = rundir_open(root);
        ck_assert_int_ge(dir, 0);
        memset(large, 'x', LARGE);
        put("state", "old\n", 0644);
        ck_assert_int_eq(rundir_write(dir, "state", large, LARGE), -ENOSPC);
        check_read("state", "old\n");
        ck_assert_uint_eq(count_files(), 1); /* the half that was written is gone, too */
        ck_assert_int_eq(rundir_write(dir, "state", "new\n", 4), 0);
        check_read("state", "new\n");
        close(dir);
        dir = -1;
        (void) umount(path);
}
END_TEST

/* ---- read with distrust ------------------------------------------------------------------------------------------- */

static const struct {
        mode_t mode;
        bool taken;
} modes[] = {
        { 0644, true }, { 0600, true }, { 0755, true }, { 0444, true },
        { 0664, false }, { 0646, false }, { 0666, false }, { 0620, false }, { 0602, false }, { 0777, false },
};

START_TEST(test_mode) {
        put("state", "text\n", modes[_i].mode);
        if (modes[_i].taken)
                check_read("state", "text\n");
        else
                check_refused("state", -EPERM);
}
END_TEST

START_TEST(test_owner) {
        put("state", "text\n", 0644);
        if (fchownat(dir, "state", geteuid() == 65534 ? 65533 : 65534, (gid_t) -1, AT_SYMLINK_NOFOLLOW) < 0) {
                skip("a file of somebody else");
                return;
        }
        check_refused("state", -EPERM);
        /* It need not be the group's. */
        ck_assert_int_eq(fchownat(dir, "state", 0, 65534, AT_SYMLINK_NOFOLLOW), 0);
        check_read("state", "text\n");
}
END_TEST

START_TEST(test_no_plain_file) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        put("victim", "text\n", 0644);
        switch (_i) {
        case 0:
                ck_assert_int_eq(symlinkat("victim", dir, "state"), 0);
                break;
        case 1:
                ck_assert_int_eq(symlinkat("nowhere", dir, "state"), 0);
                break;
        case 2:
                ck_assert_int_eq(mkfifoat(dir, "state", 0644), 0); /* nobody writes: it must not wait */
                break;
        case 3:
                ck_assert_int_eq(mkdirat(dir, "state", 0755), 0);
                break;
        case 4:
                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                ck_assert_int_ge(fd, 0);
                snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/state", dir);
                ck_assert_int_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
                close(fd);
                break;
        }
        check_refused("state", -EPERM);
}
END_TEST

static const struct {
        off_t size;
        bool taken;
} sizes[] = {
        { 0, true }, { 1, true }, { FILE_SIZE_LARGEST, true }, { FILE_SIZE_LARGEST + 1, false }, { INT64_C(1) << 40, false },
};

START_TEST(test_size) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int fd;

        put("state", "", 0644);
        fd = openat(dir, "state", O_WRONLY | O_CLOEXEC);
        if (ftruncate(fd, sizes[_i].size) < 0) {
                skip("a file of a tebibyte");
                return;
        }
        close(fd);
        if (!sizes[_i].taken) {
                check_refused("state", -EFBIG);
                return;
        }
        ck_assert_int_eq(rundir_read(dir, "state", &text, &size), 0);
        ck_assert_int_eq(size, sizes[_i].size);
        ck_assert_int_eq(text[size], '\0');
}
END_TEST

/* Bytes are bytes; it is for the parsers to say what they think of them. */
START_TEST(test_bytes) {
        char all[512];
        _cleanup_free_ char *text = NULL;
        size_t size;

        for (size_t i = 0; i < sizeof(all); i++)
                all[i] = (char) i;
        ck_assert_int_eq(rundir_write(dir, "state", all, sizeof(all)), 0);
        ck_assert_int_eq(rundir_read(dir, "state", &text, &size), 0);
        ck_assert_uint_eq(size, sizeof(all));
        ck_assert_mem_eq(text, all, size);
        ck_assert_int_eq(text[size], '\0');
}
END_TEST

int main(void) {
        Suite *s = suite_create("rundir");
        TCase *c;
        int r;

        c = check_case_in(s, "folder", setup, teardown);
        tcase_add_test(c, test_open);
        tcase_add_loop_test(c, test_open_refuses, 0, 2);
        c = check_case_in(s, "write", setup, teardown);
        tcase_add_loop_test(c, test_write, 0, ARRAY_SIZE(umasks));
        tcase_add_test(c, test_replaces);
        tcase_add_test(c, test_readers_see_no_part);
        tcase_add_loop_test(c, test_leftovers, 0, 5);
        tcase_add_test(c, test_leftover_folder);
        tcase_add_test(c, test_write_over_link);
        tcase_add_test(c, test_write_over_folder);
        tcase_add_test(c, test_full);
        c = check_case_in(s, "read", setup, teardown);
        tcase_add_loop_test(c, test_mode, 0, ARRAY_SIZE(modes));
        tcase_add_test(c, test_owner);
        tcase_add_loop_test(c, test_no_plain_file, 0, 5);
        tcase_add_loop_test(c, test_size, 0, ARRAY_SIZE(sizes));
        tcase_add_test(c, test_bytes);

        skipped = mmap(NULL, sizeof(*skipped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (skipped == MAP_FAILED)
                return EXIT_FAILURE;
        r = check_run(s);
        printf("%u skipped\n", *skipped);
        return r;
}
