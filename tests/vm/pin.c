/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Uses memory of a node in a guest, until it is killed.
 *
 *      pin NODE BLOCK_MIB BLOCK…   a page in each of these blocks that the kernel cannot move: it lies in a pipe, too (vmsplice)
 *      pin --fill NODE MIB         so much of a process, which can be moved
 *      pin --tables NODE MIB       so much of page tables, which cannot, and as much of a process
 *
 * Says "pinned BLOCK PFN" for each, and "ready". */

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096ul
#define CHUNK (4ul << 20)
#define MIB (1ul << 20)
#define TABLE_REACH (2ul << 20)

static void fail(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static void bind_to(unsigned node) {
        unsigned long mask[16] = {};

        mask[node / 64] = 1ul << node % 64;
        if (syscall(SYS_set_mempolicy, MPOL_BIND, mask, sizeof(mask) * 8) < 0)
                fail("set_mempolicy");
}

static char *get(size_t size) {
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                fail("mmap");
        (void) madvise(p, size, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < size; i += PAGE)
                p[i] = 1;
        return p;
}

static uint64_t pfn_of(const char *p) {
        static int fd = -1;
        uint64_t entry;

        if (fd < 0)
                fd = open("/proc/self/pagemap", O_RDONLY);
        if (pread(fd, &entry, sizeof(entry), (off_t) ((uintptr_t) p / PAGE * sizeof(entry))) != sizeof(entry))
                fail("pagemap");
        return entry & ((1ull << 55) - 1);
}

/* Another reference, which no page table knows of. */
static void pin_page(char *p) {
        struct iovec iov = { p, PAGE };
        int fds[2];

        if (pipe(fds) < 0 || vmsplice(fds[1], &iov, 1, 0) != (ssize_t) PAGE)
                fail("vmsplice");
}

/* One page of each block; what else it takes to find them is given back. */
static void pin_blocks(uint64_t block_pages, uint64_t *blocks, int n) {
        char *chunks[4096];
        int n_chunks = 0;

        for (int left = n; left > 0;) {
                char *p = get(CHUNK);

                if (n_chunks == 4096)
                        fail("too many chunks");
                chunks[n_chunks++] = p;
                for (size_t i = 0; i < CHUNK; i += PAGE) {
                        uint64_t pfn = pfn_of(p + i);
                        int k = 0;

                        while (k < n && blocks[k] != pfn / block_pages)
                                k++;
                        if (k == n)
                                continue;
                        blocks[k] = UINT64_MAX;
                        left--;
                        pin_page(p + i);
                        printf("pinned %lu %#lx\n", pfn / block_pages, pfn);
                }
        }
        for (int i = 0; i < n_chunks; i++)
                munmap(chunks[i], CHUNK); /* the pipes keep theirs */
}

/* Each page of the process in a table of its own. */
static void make_tables(unsigned long n) {
        char *p = mmap(NULL, n * TABLE_REACH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                fail("mmap");
        (void) madvise(p, n * TABLE_REACH, MADV_NOHUGEPAGE);
        for (unsigned long i = 0; i < n; i++)
                p[i * TABLE_REACH] = 1;
}

int main(int argc, char **argv) {
        uint64_t blocks[256];

        if (argc == 4 && strcmp(argv[1], "--fill") == 0) {
                bind_to((unsigned) atoi(argv[2]));
                (void) get(strtoul(argv[3], NULL, 10) * MIB);
        } else if (argc == 4 && strcmp(argv[1], "--tables") == 0) {
                bind_to((unsigned) atoi(argv[2]));
                make_tables(strtoul(argv[3], NULL, 10) * MIB / PAGE);
        } else if (argc > 3 && argc < 256) {
                bind_to((unsigned) atoi(argv[1]));
                for (int i = 3; i < argc; i++)
                        blocks[i - 3] = strtoul(argv[i], NULL, 10);
                pin_blocks(strtoul(argv[2], NULL, 10) * MIB / PAGE, blocks, argc - 3);
        } else
                return 2;
        puts("ready");
        fflush(stdout);
        for (;;)
                pause();
}
