/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/device_memory.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define STRUCT_PAGE_SIZE UINT64_C(64)

static uint64_t add(uint64_t a, uint64_t b) {
        uint64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t memmap_size(uint64_t pages) {
        uint64_t size;

        return __builtin_mul_overflow(pages, STRUCT_PAGE_SIZE, &size) ? UINT64_MAX : size;
}

static bool has_prefix(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* "dax2.0" with the prefix "dax": "2.0", NULL for other names. The first number is the region's, in namespaces, too. */
static const char *parse_name(const char *name, const char *prefix) {
        const char *numbers, *p;

        if (!has_prefix(name, prefix))
                return NULL;
        p = numbers = name + strlen(prefix);
        if (!isdigit((unsigned char) *p))
                return NULL;
        p += strspn(p, "0123456789");
        return *p == '.' && p[1] && !p[1 + strspn(p + 1, "0123456789")] ? numbers : NULL;
}

static bool same_region(const char *numbers, const char *others) {
        size_t n = strcspn(numbers, ".");

        return strncmp(numbers, others, n + 1) == 0;
}

/* Is a part of the dax device system memory? Then its driver is kmem, and none of it is in zone Device: a device may
 * consist of several ranges, of which kmem leaves out those that are too small. */
static bool is_system_ram(const struct iomem *io, const char *holder) {
        for (size_t i = 0; i < io->n; i++) {
                const struct iomem_entry *parent = iomem_parent(io, &io->entries[i]);

                if (parent && has_prefix(io->entries[i].name, "System RAM") && strcmp(parent->name, holder) == 0)
                        return true;
        }
        return false;
}

/* A devdax namespace keeps its first part to itself, and the dax device has the rest. Entry i is the dax device. */
static const struct iomem_entry *find_header(const struct iomem *io, size_t i) {
        const struct iomem_entry *dax = &io->entries[i], *before = i ? &io->entries[i - 1] : NULL;
        const char *numbers, *others;

        if (!before || before->parent != dax->parent || before->end >= dax->start)
                return NULL;
        numbers = parse_name(before->name, "namespace");
        others = parse_name(dax->name, "dax");
        return numbers && others && same_region(numbers, others) ? before : NULL;
}

static bool is_header(const struct iomem *io, size_t i) {
        return i + 1 < io->n && parse_name(io->entries[i + 1].name, "dax") &&
               find_header(io, i + 1) == &io->entries[i];
}

/* A header that only describes the namespace (-M mem) ends at the first multiple of the device's alignment, so it is never
 * larger than what the device's begin is a multiple of. One that is holds the struct pages, too (-M dev). */
static bool holds_memmap(const struct iomem_entry *header, const struct iomem_entry *dax) {
        return header && header->start < dax->start && dax->start - header->start > (dax->start & -dax->start);
}

static enum source kind_of(const struct iomem *io, const struct iomem_entry *e) {
        static const struct {
                const char *prefix;
                enum source kind;
        } parents[] = {
                { "Persistent Memory", SOURCE_PMEM },
                { "CXL Window", SOURCE_CXL },
                { "Soft Reserved", SOURCE_HMEM },
        };
        enum source kind = parse_name(e->name, "namespace") ? SOURCE_PMEM : SOURCE_DAX;

        for (const struct iomem_entry *p = iomem_parent(io, e); p; p = iomem_parent(io, p))
                for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
                        if (has_prefix(p->name, parents[i].prefix))
                                return parents[i].kind; /* the innermost, as in core/source.c */
        return kind;
}

/* How far all zones Device span, and the node of the only one that spans anything; -1 if there are several. */
static uint64_t device_pages(const struct zoneinfo *z, int *ret_node) {
        uint64_t pages = 0;
        int node = -1;

        for (size_t i = 0; i < z->n_zones; i++) {
                const struct zone_info *zone = &z->zones[i];

                if (strcmp(zone->name, "Device") != 0 || zone->spanned == 0)
                        continue;
                node = pages == 0 ? (int) zone->node : -1;
                pages = add(pages, zone->spanned);
        }
        *ret_node = node;
        return pages;
}

int device_memory_find(const struct iomem *io, const struct zoneinfo *z, uint64_t page_size, struct device_memory *ret) {
        _cleanup_(device_memory_done) struct device_memory m = {};
        uint64_t pages, needed = 0;
        size_t capacity = 0;
        int node;

        pages = device_pages(z, &node);
        for (size_t i = 0; i < io->n && pages && !io->hidden; i++) {
                const struct iomem_entry *e = &io->entries[i], *header = NULL;
                bool is_dax = parse_name(e->name, "dax");
                uint64_t begin;

                if (is_dax ? is_system_ram(io, e->name) : !parse_name(e->name, "namespace") || is_header(io, i))
                        continue;
                if (!GROW(m.ranges, m.n, capacity))
                        return -ENOMEM;
                if (is_dax)
                        header = find_header(io, i);
                m.ranges[m.n++] = (struct device_range) {
                        .start = e->start,
                        .size = add(e->end - e->start, 1),
                        .holder = e->name,
                        .kind = kind_of(io, e),
                        .node = node,
                        .memmap_inside = holds_memmap(header, e),
                };
                if (holds_memmap(header, e) || page_size == 0)
                        continue;
                begin = header ? header->start : e->start; /* the header has struct pages as well */
                needed = add(needed, add((e->end - begin) / page_size, 1));
        }
        if (m.n)
                m.memmap_bytes = memmap_size(page_size ? MIN(pages, needed) : pages);
        *ret = m;
        m = (struct device_memory) {};
        return 0;
}

void device_memory_done(struct device_memory *m) {
        free(m->ranges);
        *m = (struct device_memory) {};
}
