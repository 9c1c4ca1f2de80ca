/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/memory.h"

#include <link.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "check_util.h"
#include "rig.h"

/* Bringing memory online takes no memory: from the first event of a burst to the last report no page is faulted in and the
 * heap does not grow. Runs as one process: after a fork() every page of the parent's would be faulted in again.
 *
 * Link with the rig's flags and -Wl,--wrap=manager_reserve */

#define BURST 512
#define RULES(action) "reconcile = \"off\"; rules = ({ name = \"all\"; match = { }; action = \"" action "\"; });\n"

struct use {
        long faults;
        long heap;
};

static struct use reserved; /* when all was done, for the next time */

static struct use use_now(void) {
        struct rusage usage;

        ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0); /* of all threads */
        return (struct use) { usage.ru_minflt + usage.ru_majflt, (long) (intptr_t) sbrk(0) };
}

void __real_manager_reserve(struct manager *m);
void __wrap_manager_reserve(struct manager *m);

void __wrap_manager_reserve(struct manager *m) {
        struct use before = use_now(), after;

        ck_assert(!manager_is_started(m) || manager_is_idle(m));
        __real_manager_reserve(m);
        after = use_now();
        reserved.faults += after.faults - before.faults;
        reserved.heap += after.heap - before.heap;
}

/* "VmLck:" and so on, in KiB. */
static unsigned long status_kib(const char *key) {
        unsigned long value = 0;
        char line[256];
        FILE *file = fopen("/proc/self/status", "re");
        bool found = false;

        ck_assert_ptr_nonnull(file);
        while (!found && fgets(line, sizeof(line), file))
                found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%lu", &value) == 1;
        fclose(file);
        ck_assert(found);
        return value;
}

static int count_absent(struct dl_phdr_info *info, size_t size, void *userdata) {
        static const char *const needed[] = { "/libc.", "/ld-", "/libsystemd.", "/libudev." };
        const size_t page = (size_t) sysconf(_SC_PAGESIZE);
        bool is_needed = !*info->dlpi_name;
        size_t *absent = userdata;

        (void) size;
        for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
                is_needed = is_needed || strstr(info->dlpi_name, needed[i]);
        for (int i = 0; is_needed && i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];
                uintptr_t first = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
                size_t n = (info->dlpi_addr + p->p_vaddr + p->p_memsz - first + page - 1) / page;
                unsigned char *present;

                if (p->p_type != PT_LOAD || n == 0)
                        continue;
                present = calloc(n, 1);
                ck_assert_ptr_nonnull(present);
                ck_assert_int_eq(mincore((void *) first, n * page, present), 0);
                for (size_t k = 0; k < n; k++)
                        *absent += !(present[k] & 1);
                free(present);
        }
        return 0;
}

START_TEST(code_is_there_and_stays) {
        size_t absent = 0;

        (void) dl_iterate_phdr(count_absent, &absent);
        ck_assert_uint_eq(absent, 0);
        ck_assert_uint_gt(status_kib("VmLck:"), 1024);
        /* Not the whole of the address space, nor all that libsystemd can do: a few megabytes. */
        ck_assert_msg(status_kib("VmRSS:") < 64 * 1024, "%lu KiB", status_kib("VmRSS:"));
}
END_TEST

START_TEST(reserve_is_there) {
        const size_t size = 1 << 20;
        struct use before, after;
        void *volatile p;

        memory_reserve(size);
        before = use_now();
        p = malloc(size);
        memset(p, 1, size);
        after = use_now();
        ck_assert_int_eq(after.faults, before.faults);
        ck_assert_int_eq(after.heap, before.heap);
        ck_assert((intptr_t) p < after.heap); /* and not a mapping of its own */
        free(p);
        ck_assert_int_eq(use_now().heap, before.heap);
}
END_TEST

static void check_burst(uint32_t first, uint32_t n, const char *zone, const char *name) {
        struct use before, after;

        fakeroot_add_dimm(rig.f, name, first, n, 0); /* what the kernel does is not ours */
        reserved = (struct use) {};
        before = use_now();
        rig_settle();
        after = use_now();
        ck_assert_int_eq(after.faults - before.faults - reserved.faults, 0);
        ck_assert_int_eq(after.heap - before.heap - reserved.heap, 0);
        rig_check_zone(first, n, zone);
}

START_TEST(burst_takes_no_memory) {
        fakeroot_add_boot(rig.f, 0, 8, 0);
        rig_start(RULES("online_movable"));
        check_burst(32, BURST, "Movable", "PNP0C80:00");
}
END_TEST

/* One after the other: the reserve is filled up again in between. */
START_TEST(bursts_take_no_memory) {
        fakeroot_add_boot(rig.f, 0, 8, 0);
        rig_start(RULES("online_kernel"));
        for (uint32_t i = 0; i < 8; i++) {
                char name[32];

                snprintf(name, sizeof(name), "PNP0C80:%02x", i);
                check_burst(32 + i * BURST, BURST, "Normal", name);
        }
}
END_TEST

/* Asks for /proc/zoneinfo, and more of it than the machine that runs the test has. */
START_TEST(balanced_burst_takes_no_memory) {
        char *text = malloc(1 << 20);
        size_t n = 0;

        ck_assert_ptr_nonnull(text);
        for (unsigned node = 0; node < 64; node++) {
                n += (size_t) sprintf(text + n, "Node %u, zone   Normal\n  pages free     1000\n        boost    0\n"
                                      "        min      100\n        low      125\n        high     150\n"
                                      "        spanned  3276800\n        present  3276800\n        managed  3200000\n"
                                      "        cma      0\n        protection: (0, 0, 0)\n", node);
                for (unsigned counter = 0; counter < 100; counter++)
                        n += (size_t) sprintf(text + n, "      nr_counter_%u %u\n", counter, counter);
                n += (size_t) sprintf(text + n, "  pagesets\n  node_unreclaimable:  0\n  start_pfn:           4096\n");
        }
        ck_assert_uint_lt(n, 1 << 20);
        fakeroot_write(rig.f, "proc/zoneinfo", text);
        free(text);
        fakeroot_add_boot(rig.f, 0, 8, 0);
        rig_start(RULES("balance"));
        check_burst(32, BURST, "Normal", "PNP0C80:00");
        ck_assert_uint_eq(rig_log_count("of the 12.5 GiB of kernel memory"), 1);
}
END_TEST

/* Every place of the history is taken: its file is as long as it gets. */
START_TEST(burst_after_many_takes_no_memory) {
        fakeroot_add_boot(rig.f, 0, 8, 0);
        rig_start("reconcile = \"off\"; rules = ({ name = \"" "a-name-as-long-as-names-are-allowed-to-be-and-then-some" "\"; "
                  "match = { }; action = \"online_movable\"; });\n");
        for (uint32_t i = 0; i < 300; i++) {
                char name[32];

                snprintf(name, sizeof(name), "PNP0C80:%02x", i % 128);
                fakeroot_add_dimm(rig.f, name, 32 + 2 * i, 1, 0);
        }
        rig_settle();
        check_burst(1000, BURST, "Movable", "PNP0C80:ff");
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test) {
        TCase *c = check_case(s, name);

        tcase_add_checked_fixture(c, rig_setup, rig_teardown);
        tcase_add_test(c, test);
}

int main(void) {
        SRunner *runner;
        Suite *s;
        int r;

#ifdef __SANITIZE_ADDRESS__
        printf("SKIP: the address sanitizer locks nothing and has a heap of its own\n");
        return 77;
#endif
        if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload")) {
                printf("SKIP: valgrind's own page faults would be counted\n");
                return 77;
        }
        if (getenv("MEMHP_EMULATED")) { /* tests/cross.sh */
                printf("SKIP: %s: its own page faults would be counted\n", getenv("MEMHP_EMULATED"));
                return 77;
        }
        memory_prepare();
        r = memory_lock();
        if (r == -EPERM) {
                printf("SKIP: memory cannot be locked here (ulimit -l)\n");
                return 77;
        }
        s = suite_create("memory");
        fakeroot_begin();
        add(s, "code", code_is_there_and_stays);
        add(s, "reserve", reserve_is_there);
        add(s, "burst", burst_takes_no_memory);
        add(s, "bursts", bursts_take_no_memory);
        add(s, "balance", balanced_burst_takes_no_memory);
        add(s, "history", burst_after_many_takes_no_memory);
        runner = srunner_create(s);
        srunner_set_fork_status(runner, CK_NOFORK);
        srunner_run_all(runner, CK_NORMAL);
        r = r < 0 || srunner_ntests_failed(runner) > 0 || srunner_ntests_run(runner) == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        srunner_free(runner);
        fakeroot_end();
        return r;
}
