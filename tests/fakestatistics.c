/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fakestatistics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *begin(char **text, size_t *size) {
        FILE *file = open_memstream(text, size);

        if (!file)
                abort();
        return file;
}

static uint64_t present_pages(const struct fake_zone *z) {
        return (uint64_t) z->n * FAKE_BLOCK_PAGES;
}

static uint64_t managed_pages(const struct fake_memory *m, const struct fake_zone *z) {
        return present_pages(z) - (m->memmap_on_memory ? (uint64_t) z->n_hot * FAKE_MEMMAP_PAGES : 0);
}

/* With those on the list of a CPU. */
static uint64_t free_pages(const struct fake_memory *m, const struct fake_zone *z) {
        uint64_t lent = 0;

        if (z->node == 0 && strcmp(z->name, "Normal") == 0)
                lent = FAKE_LENT_PAGES + (m->memmap_on_memory ? 0 : (uint64_t) m->n_hot * FAKE_MEMMAP_PAGES);
        return managed_pages(m, z) - lent;
}

char *fake_zoneinfo(const struct fake_memory *m) {
        char *text;
        size_t size;
        FILE *file = begin(&text, &size);

        for (size_t i = 0; i < m->n_zones; i++) {
                const struct fake_zone *z = &m->zones[i];
                uint64_t managed = managed_pages(m, z);

                fprintf(file, "Node %d, zone %8s\n  per-node stats\n      nr_inactive_anon 1\n"
                        "  pages free     %" PRIu64 "\n        boost    0\n        min      %" PRIu64 "\n"
                        "        low      %" PRIu64 "\n        high     %" PRIu64 "\n        spanned  %" PRIu64 "\n"
                        "        present  %" PRIu64 "\n        managed  %" PRIu64 "\n        cma      0\n"
                        "        protection: (0, 0, 0)\n      nr_free_pages 1\n  pagesets\n    cpu: 0\n"
                        "              count: %u\n              high:  378\n              batch: 63\n"
                        "  vm stats threshold: 6\n  node_unreclaimable:  0\n  start_pfn:           %" PRIu64 "\n",
                        z->node, z->name, free_pages(m, z) - FAKE_CPU_PAGES, managed / 512, managed / 400, managed / 300,
                        (uint64_t) (z->last - z->first + 1) * FAKE_BLOCK_PAGES, present_pages(z), managed, FAKE_CPU_PAGES,
                        (uint64_t) z->first * FAKE_BLOCK_PAGES);
        }
        fclose(file);
        return text;
}

/* In blocks as large as can be. */
char *fake_buddyinfo(const struct fake_memory *m) {
        char *text;
        size_t size;
        FILE *file = begin(&text, &size);

        for (size_t i = 0; i < m->n_zones; i++) {
                uint64_t pages = free_pages(m, &m->zones[i]) - FAKE_CPU_PAGES;

                fprintf(file, "Node %d, zone %8s ", m->zones[i].node, m->zones[i].name);
                for (unsigned order = 0; order < FAKE_ORDERS - 1; order++)
                        fprintf(file, "%6" PRIu64 " ", pages >> order & 1);
                fprintf(file, "%6" PRIu64 " \n", pages >> (FAKE_ORDERS - 1));
        }
        fclose(file);
        return text;
}

char *fake_meminfo(const struct fake_memory *m) {
        char *text;
        size_t size;
        FILE *file = begin(&text, &size);

        fprintf(file, "MemTotal:       %8u kB\nDirectMap4k:       28672 kB\nDirectMap2M:    %8" PRIu64 " kB\n"
                "DirectMap1G:    %8" PRIu64 " kB\n", (m->n_boot + m->n_hot) * 131072,
                (uint64_t) m->n_boot * 131072 - 28672, (uint64_t) m->n_hot * 131072);
        fclose(file);
        return text;
}

char *fake_vmstat(const struct fake_memory *m) {
        char *text;
        size_t size;
        FILE *file = begin(&text, &size);

        fprintf(file, "nr_free_pages 1\nnr_zone_inactive_anon 2\n");
        if (m->memmap_counted)
                fprintf(file, "nr_memmap_pages %" PRIu64 "\nnr_memmap_boot_pages %" PRIu64 "\n",
                        (uint64_t) m->n_hot * FAKE_MEMMAP_PAGES, (uint64_t) m->n_boot * FAKE_MEMMAP_PAGES);
        fclose(file);
        return text;
}

char *fake_thread_stat(unsigned pid, const char *name) {
        struct timespec now;
        uint64_t ticks;
        char *text;

        clock_gettime(CLOCK_BOOTTIME, &now);
        ticks = (uint64_t) now.tv_sec * (uint64_t) sysconf(_SC_CLK_TCK) +
                (uint64_t) now.tv_nsec * (uint64_t) sysconf(_SC_CLK_TCK) / 1000000000;
        if (asprintf(&text, "%u (%s) S %d 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 %" PRIu64 " 0 0 18446744073709551615 0 0\n",
                     pid, name, pid == 2 ? 0 : 2, ticks) < 0)
                abort();
        return text;
}
