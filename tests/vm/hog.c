/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Makes a guest short of what hot-add needs. "hog FREE_MIB": lock memory until no more than that is free, say "full", and
 * keep it. "hog --node N FREE_MIB": the same with the memory of one node. "hog --burn N": N processes that never sleep. All
 * until they are killed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB (1024ul * 1024)

static int node = -1; /* all of them */

static unsigned long free_mib(void) {
        char path[64] = "/proc/meminfo", line[128];
        unsigned long kib = 0;
        FILE *f;

        if (node >= 0)
                snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "MemFree: %lu", &kib) == 1 || sscanf(line, "Node %*d MemFree: %lu", &kib) == 1)
                        break;
        if (!f || fclose(f) != 0 || kib == 0)
                exit(EXIT_FAILURE);
        return kib / 1024;
}

static void fill(unsigned long keep) {
        for (unsigned long now; (now = free_mib()) > keep;) {
                /* Not by much too much: what the kernel keeps at hand for each CPU is not free either. */
                unsigned long size = now - keep > 64 ? (now - keep) / 2 * MIB : MIB;
                void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

                if (p == MAP_FAILED)
                        exit(EXIT_FAILURE);
                memset(p, 1, size);
        }
        puts("full");
        fflush(stdout);
        for (;;)
                pause();
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "--burn") == 0) {
                for (int n = atoi(argv[2]); n > 1 && fork() > 0; n--)
                        ;
                for (volatile unsigned long i = 0;; i++)
                        ;
        }
        if (argc == 4 && strcmp(argv[1], "--node") == 0) {
                unsigned long mask;

                node = atoi(argv[2]);
                mask = 1ul << node;
                if (syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &mask, 8 * sizeof(mask)) != 0) {
                        perror("set_mempolicy");
                        return EXIT_FAILURE;
                }
                argv += 2;
                argc -= 2;
        }
        if (argc != 2)
                return 2;
        fill(strtoul(argv[1], NULL, 10));
}
