/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/iomem.h"

#include <inttypes.h>

#include "check_util.h"

#define BLOCK_SIZE (UINT64_C(128) << 20)

static void parse_text(const char *text, size_t size, struct iomem *ret) {
        char *copy = check_copy(text, size);
        unsigned line = 0;
        int r = iomem_parse(copy, size, ret, &line);

        free(copy); /* the tree owns what it needs */
        ck_assert_msg(r == 0, "%d, line %u of:\n%.*s", r, line, (int) MIN(size, (size_t) 500), text);
        ck_assert_uint_eq(line, 0); /* untouched */
}

static void check_refused(const char *text, size_t size, unsigned line) {
        struct iomem canary = { .n = 99 }, io = canary;
        char *copy = check_copy(text, size);
        unsigned got = 0;

        ck_assert_int_eq(iomem_parse(copy, size, &io, &got), -EBADMSG);
        ck_assert_msg(got == line, "line %u instead of %u of:\n%.*s", got, line, (int) MIN(size, (size_t) 500), text);
        ck_assert_mem_eq(&io, &canary, sizeof(io));
        free(copy);
}

/* Read a text again in the plainest way, and compare. Returns the number of entries. */
static size_t check_entries(const struct iomem *io, const char *text, size_t size) {
        int levels[32];
        size_t n = 0;

        for (const char *line = text; line < text + size; line = strchr(line, '\n') + 1, n++) {
                uint64_t start, end;
                int depth = 0, at = 0;
                const char *name;

                ck_assert_uint_lt(n, io->n);
                while (line[depth * 2] == ' ')
                        depth++;
                ck_assert_int_eq(sscanf(line, " %" SCNx64 "-%" SCNx64 " : %n", &start, &end, &at), 2);
                ck_assert_uint_eq(io->entries[n].start, start);
                ck_assert_uint_eq(io->entries[n].end, end);
                name = line + at;
                ck_assert_uint_eq(strlen(io->entries[n].name), strcspn(name, "\n"));
                ck_assert_mem_eq(io->entries[n].name, name, strcspn(name, "\n"));
                levels[depth] = (int) n;
                ck_assert_int_eq(io->entries[n].parent, depth ? levels[depth - 1] : -1);
                if (depth)
                        ck_assert_ptr_eq(iomem_parent(io, &io->entries[n]), &io->entries[levels[depth - 1]]);
                else
                        ck_assert_ptr_null(iomem_parent(io, &io->entries[n]));
        }
        ck_assert_uint_eq(io->n, n);
        return n;
}

/* What iomem_find_ram() has to find, by looking at everything: of the system memory that overlaps, what comes first
 * in the range. (System memory does not lie within system memory.) */
static const struct iomem_entry *find_ram_slowly(const struct iomem *io, uint64_t start, uint64_t end) {
        const struct iomem_entry *found = NULL;

        for (size_t i = 0; i < io->n; i++) {
                const struct iomem_entry *e = &io->entries[i];

                if (strncmp(e->name, "System RAM", 10) == 0 && e->start <= end && e->end >= start &&
                    (!found || MAX(e->start, start) < MAX(found->start, start)))
                        found = e;
        }
        return found;
}

static void check_ram(const struct iomem *io, uint64_t address, uint64_t wanted_start, const char *wanted_name,
                      const char *wanted_parent) {
        const struct iomem_entry *e = iomem_find_ram(io, address, address + BLOCK_SIZE - 1), *parent;

        ck_assert_msg(e, "nothing at %#" PRIx64, address);
        ck_assert_uint_eq(e->start, wanted_start);
        ck_assert_str_eq(e->name, wanted_name);
        parent = iomem_parent(io, e);
        if (wanted_parent) {
                ck_assert_ptr_nonnull(parent);
                ck_assert_str_eq(parent->name, wanted_parent);
        } else
                ck_assert_ptr_null(parent);
}

static const struct {
        const char *file;
        size_t n;
} captures[] = { { "iomem-6.18", 27 }, { "iomem-6.1", 49 } };

START_TEST(test_capture_entries) {
        struct iomem io;
        size_t size;
        char *text = check_read_data(captures[_i].file, &size);

        parse_text(text, size, &io);
        ck_assert(!io.hidden);
        ck_assert_uint_eq(check_entries(&io, text, size), captures[_i].n);
        for (uint64_t a = 0; a < UINT64_C(1) << 35; a += BLOCK_SIZE)
                ck_assert_ptr_eq(iomem_find_ram(&io, a, a + BLOCK_SIZE - 1), find_ram_slowly(&io, a, a + BLOCK_SIZE - 1));
        iomem_done(&io);
        free(text);
}
END_TEST

/* An x86 machine with boot memory only. */
START_TEST(test_capture_boot) {
        struct iomem io;
        size_t size;
        char *text = check_read_data("iomem-6.18", &size);

        parse_text(text, size, &io);
        check_ram(&io, 0, 0x1000, "System RAM", NULL); /* the first page is reserved */
        check_ram(&io, BLOCK_SIZE, 0x100000, "System RAM", NULL);
        check_ram(&io, 0xb8000000, 0x100000, "System RAM", NULL);
        check_ram(&io, 0x100000000, 0x100000000, "System RAM", NULL);
        check_ram(&io, 0x638000000, 0x100000000, "System RAM", NULL);
        ck_assert_ptr_null(iomem_find_ram(&io, 0xc0000000, 0xc7ffffff)); /* PCI */
        ck_assert_ptr_null(iomem_find_ram(&io, 0xf8000000, 0xffffffff));
        ck_assert_ptr_null(iomem_find_ram(&io, 0x640000000, 0x647ffffff)); /* beyond */
        ck_assert_ptr_null(iomem_find_ram(&io, UINT64_MAX - BLOCK_SIZE + 1, UINT64_MAX));
        iomem_done(&io);
        free(text);
}
END_TEST

/* A guest with a DIMM, virtio-mem, an NVDIMM turned into system memory, and soft reserved memory likewise. */
START_TEST(test_capture_hotplug) {
        struct iomem io;
        size_t size;
        char *text = check_read_data("iomem-6.1", &size);

        parse_text(text, size, &io);
        check_ram(&io, 32 * BLOCK_SIZE, 0x100000000, "System RAM", NULL); /* the DIMM: nothing tells it from boot memory */
        check_ram(&io, 40 * BLOCK_SIZE, 0x140000000, "System RAM (virtio_mem)", "virtio0");
        check_ram(&io, 43 * BLOCK_SIZE, 0x140000000, "System RAM (virtio_mem)", "virtio0");
        ck_assert_ptr_null(iomem_find_ram(&io, 44 * BLOCK_SIZE, 45 * BLOCK_SIZE - 1)); /* not plugged */
        ck_assert_ptr_null(iomem_find_ram(&io, 56 * BLOCK_SIZE, 57 * BLOCK_SIZE - 1)); /* the NVDIMM's labels and memmap */
        check_ram(&io, 57 * BLOCK_SIZE, 0x1c8000000, "System RAM (kmem)", "dax1.0");
        check_ram(&io, 71 * BLOCK_SIZE, 0x1c8000000, "System RAM (kmem)", "dax1.0");
        ck_assert_ptr_null(iomem_find_ram(&io, 72 * BLOCK_SIZE, 73 * BLOCK_SIZE - 1));
        check_ram(&io, 4 * BLOCK_SIZE, 0x100000, "System RAM", NULL);
        check_ram(&io, 5 * BLOCK_SIZE, 0x28000000, "System RAM (kmem)", "dax0.0");
        check_ram(&io, 6 * BLOCK_SIZE, 0x30000000, "System RAM", NULL);
        iomem_done(&io);
        free(text);
}
END_TEST

/* The trees of drivers that no machine at hand has, as the kernel's documentation and its developers show them. */
static const char cxl_tree[] =
        "490000000-50fffffff : CXL Window 0\n"
        "  490000000-50fffffff : region0\n"
        "    490000000-50fffffff : dax0.0\n"
        "      490000000-50fffffff : System RAM (kmem)\n"
        "a90000000-b8fffffff : Soft Reserved\n"
        "  a90000000-b8fffffff : CXL Window 1\n"
        "    a90000000-b8fffffff : dax1.0\n"
        "      a90000000-b8fffffff : System RAM (kmem)\n";

START_TEST(test_cxl) {
        struct iomem io;
        const struct iomem_entry *e;

        parse_text(cxl_tree, strlen(cxl_tree), &io);
        ck_assert_uint_eq(check_entries(&io, cxl_tree, strlen(cxl_tree)), 8);
        check_ram(&io, 0x490000000, 0x490000000, "System RAM (kmem)", "dax0.0");
        check_ram(&io, 0x508000000, 0x490000000, "System RAM (kmem)", "dax0.0");
        ck_assert_ptr_null(iomem_find_ram(&io, 0x510000000, 0x517ffffff));
        check_ram(&io, 0xb88000000, 0xa90000000, "System RAM (kmem)", "dax1.0");
        e = iomem_find_ram(&io, 0xb88000000, 0xb8fffffff);
        e = iomem_parent(&io, iomem_parent(&io, e));
        ck_assert_str_eq(e->name, "CXL Window 1");
        ck_assert_str_eq(iomem_parent(&io, e)->name, "Soft Reserved");
        iomem_done(&io);
}
END_TEST

/* One block can hold several pieces; what is found is the first. */
static const char holes_tree[] =
        "00000000-00000fff : Reserved\n"
        "00001000-0009fbff : System RAM\n"
        "00100000-02ffffff : System RAM\n"
        "  01000000-01ffffff : Kernel code\n"
        "03000000-030fffff : Reserved\n"
        "03100000-07efffff : System RAM\n"
        "  03200000-032fffff : Crash kernel\n"
        "07f00000-07ffffff : ACPI Tables\n"
        "08000000-0fffefff : Reserved\n"
        "0ffff000-0fffffff : System RAM\n"
        "18000000-18000000 : System RAM\n"
        "20000000-27ffffff : virtio1\n"
        "  20000000-23ffffff : System RAM (virtio_mem)\n"
        "  26000000-27ffffff : System RAM (virtio_mem)\n"
        "fffffffff8000000-ffffffffffffffff : System RAM\n";

START_TEST(test_holes) {
        struct iomem io;

        parse_text(holes_tree, strlen(holes_tree), &io);
        check_entries(&io, holes_tree, strlen(holes_tree));
        check_ram(&io, 0, 0x1000, "System RAM", NULL);
        check_ram(&io, 0x8000000, 0xffff000, "System RAM", NULL); /* the last page of the block */
        ck_assert_ptr_null(iomem_find_ram(&io, 0x10000000, 0x17ffffff));
        check_ram(&io, 0x18000000, 0x18000000, "System RAM", NULL); /* one byte */
        ck_assert_ptr_null(iomem_find_ram(&io, 0x18000001, 0x1fffffff));
        check_ram(&io, 0x20000000, 0x20000000, "System RAM (virtio_mem)", "virtio1");
        ck_assert_ptr_null(iomem_find_ram(&io, 0x24000000, 0x25ffffff));
        check_ram(&io, UINT64_C(0xfffffffff8000000), UINT64_C(0xfffffffff8000000), "System RAM", NULL);
        /* a range that begins in the kernel's code lies in its memory all the same; also behind it */
        ck_assert_uint_eq(iomem_find_ram(&io, 0x1800000, 0x18fffff)->start, 0x100000);
        ck_assert_uint_eq(iomem_find_ram(&io, 0x2000000, 0x2000fff)->start, 0x100000);
        ck_assert_uint_eq(iomem_find_ram(&io, 0x3250000, 0x3250000)->start, 0x3100000);
        ck_assert_ptr_null(iomem_find_ram(&io, 0x3000000, 0x30fffff));
        for (uint64_t size = 0x1000; size <= 0x8000000; size <<= 1)
                for (uint64_t a = 0; a < 0x30000000; a += MAX(size, UINT64_C(0x20000)))
                        CHECK(iomem_find_ram(&io, a, a + size - 1) == find_ram_slowly(&io, a, a + size - 1));
        iomem_done(&io);
}
END_TEST

/* Opened without CAP_SYS_ADMIN, every address reads as zero: nothing can be found, and nothing must be. */
START_TEST(test_hidden) {
        static const char text[] =
                "00000000-00000000 : Reserved\n"
                "00000000-00000000 : System RAM\n"
                "  00000000-00000000 : Kernel code\n"
                "00000000-00000000 : System RAM\n";
        static const char shown[] = "00000000-00000000 : Reserved\n00000001-00000002 : System RAM\n";
        struct iomem io;

        parse_text(text, strlen(text), &io);
        ck_assert(io.hidden);
        ck_assert_uint_eq(check_entries(&io, text, strlen(text)), 4);
        ck_assert_ptr_null(iomem_find_ram(&io, 0, BLOCK_SIZE - 1));
        ck_assert_ptr_null(iomem_find_ram(&io, 0, 0));
        ck_assert_ptr_null(iomem_find_ram(&io, BLOCK_SIZE, 2 * BLOCK_SIZE - 1));
        iomem_done(&io);

        parse_text(shown, strlen(shown), &io);
        ck_assert(!io.hidden);
        iomem_done(&io);
}
END_TEST

static size_t print_deep(char *buf, unsigned levels) {
        char *p = buf;

        for (unsigned i = 0; i < levels; i++)
                p += sprintf(p, "%*s%08x-%08x : %s\n", (int) i * 2, "", i, 0x10000000 - i,
                             i + 1 == levels ? "System RAM" : "bus");
        return (size_t) (p - buf);
}

START_TEST(test_deep) {
        char text[4096];
        struct iomem io;
        size_t size = print_deep(text, 9); /* 8 is the most that kernels print, counted from 0 */

        parse_text(text, size, &io);
        ck_assert_uint_eq(check_entries(&io, text, size), 9);
        ck_assert_ptr_eq(iomem_find_ram(&io, 0x1000, 0x1fff), &io.entries[8]);
        iomem_done(&io);

        /* deeper ones share the last level: as siblings of their parent, but with their own addresses */
        strcpy(text, "00-ff : a\n  00-ff : b\n  10-1f : in b\n  20-2f : System RAM\n");
        parse_text(text, strlen(text), &io);
        ck_assert_ptr_eq(iomem_find_ram(&io, 0x20, 0x27), &io.entries[3]);
        iomem_done(&io);

        /* far beyond any kernel: refused, not written past some array */
        for (unsigned levels = 17; levels < 40; levels++) {
                unsigned line = 0;

                size = print_deep(text, levels);
                ck_assert_int_eq(iomem_parse(text, size, &io, &line), -EBADMSG);
                ck_assert_uint_ge(line, 10);
                ck_assert_uint_le(line, levels);
        }
}
END_TEST

#define TEXT(s) s, sizeof(s) - 1

static const struct {
        const char *text;
        size_t size;
        unsigned line;
} garbage[] = {
        { TEXT(""), 1 },
        { TEXT("\n"), 1 },
        { TEXT("\0"), 1 },
        { TEXT("\0\n"), 1 },
        { TEXT("0-1 : a"), 1 },
        { TEXT("0-1 : a\n\n"), 2 },
        { TEXT("0-1 : a\n2-3 : b"), 2 },
        { TEXT("0-1 : a\n2-3 : \0b\n"), 2 },
        { TEXT("0-1 : a\n2\0-3 : b\n4-5 : c\n"), 2 },
        { TEXT("0-1 : a\ngarbage\n"), 2 },
        { TEXT("0-1 : a\n0x2-0x3 : b\n"), 2 },
        { TEXT("0-1 : a\n2-3: b\n"), 2 },
        { TEXT("0-1 : a\n2-3 :b\n"), 2 },
        { TEXT("0-1 : a\n2-3 b\n"), 2 },
        { TEXT("0-1 : a\n2 : b\n"), 2 },
        { TEXT("0-1 : a\n2 : b-c\n"), 2 },
        { TEXT("0-1 : a\n2- : b\n"), 2 },
        { TEXT("0-1 : a\n-3 : b\n"), 2 },
        { TEXT("0-1 : a\n- : b\n"), 2 },
        { TEXT("0-1 : a\n : b\n"), 2 },
        { TEXT("0-1 : a\n2--3 : b\n"), 2 },
        { TEXT("0-1 : a\n2-3-4 : b\n"), 2 },
        { TEXT("0-1 : a\n+2-3 : b\n"), 2 },
        { TEXT("0-1 : a\n2-g : b\n"), 2 },
        { TEXT("0-1 : a\n3-2 : b\n"), 2 },                 /* ends before it starts */
        { TEXT("10-1f : a\n0-f : b\n"), 2 },               /* not in order */
        { TEXT("10-1f : a\n  0-f : b\n"), 2 },
        { TEXT("  0-1 : a\n"), 1 },                        /* nobody's child */
        { TEXT("0-9 : a\n    1-2 : b\n"), 2 },             /* a level is skipped */
        { TEXT("0-9 : a\n 1-2 : b\n"), 2 },                /* half a level */
        { TEXT("0-9 : a\n\t1-2 : b\n"), 2 },
        { TEXT("0-9 : a\n  0-1 : b\n2-3 : c\n    2-3 : d\n"), 4 },
        { TEXT("0-9 : a\n10000000000000000-1ffffffffffffffff : b\n"), 2 }, /* 65 bits */
        { TEXT("0-fffffffffffffffff : a\n"), 1 },
        { TEXT("Node 0, zone      DMA\n"), 1 },
};

START_TEST(test_garbage) {
        check_refused(garbage[_i].text, garbage[_i].size, garbage[_i].line);
}
END_TEST

/* Nothing but its length is odd about a name. */
START_TEST(test_names) {
        static const char text[] = "0-1 : PCI Bus 0000:00\n2-3 : a : b\n4-5 : c-d\n6-7 : \n8-9 :  x \na-b : \xc3\xa9\x1b[31m\n";
        static const char *const names[] = { "PCI Bus 0000:00", "a : b", "c-d", "", " x ", "\xc3\xa9\x1b[31m" };
        struct iomem io;
        char *longer = malloc(70000);

        parse_text(text, strlen(text), &io);
        ck_assert_uint_eq(io.n, ARRAY_SIZE(names));
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                ck_assert_str_eq(io.entries[i].name, names[i]);
        iomem_done(&io);

        ck_assert_ptr_nonnull(longer);
        memset(longer, 'x', 70000);
        memcpy(longer, "0-1 : ", 6);
        longer[69999] = '\n';
        parse_text(longer, 70000, &io);
        ck_assert_uint_eq(strlen(io.entries[0].name), 70000 - 7);
        iomem_done(&io);
        free(longer);
}
END_TEST

/* Cut a real file at every byte: an error that names the line, or, at the end of a line, the entries before it. */
START_TEST(test_every_truncation) {
        size_t size, whole = 0;
        char *text = check_read_data(captures[_i].file, &size);

        for (size_t cut = 0; cut <= size; cut++) {
                struct iomem io;

                if (cut == 0 || text[cut - 1] != '\n') {
                        check_refused(text, cut, check_line_at(text, cut));
                        continue;
                }
                parse_text(text, cut, &io);
                ck_assert_uint_eq(check_entries(&io, text, cut), ++whole);
                iomem_done(&io);
        }
        ck_assert_uint_eq(whole, captures[_i].n);
        free(text);
}
END_TEST

/* Any byte of a real file, replaced: whatever comes of it, it is no crash, and a tree is still one. */
START_TEST(test_every_corruption) {
        static const char bytes[] = { '\0', '\n', ' ', '-', ':', '0', 'f', 'g', '\xff' };
        size_t size;
        char *text = check_read_data(captures[_i].file, &size);
        unsigned refused = 0, accepted = 0;

        for (size_t at = 0; at < size; at++)
                for (size_t b = 0; b < sizeof(bytes); b++) {
                        char *copy = check_copy(text, size);
                        unsigned line = 0;
                        struct iomem io;
                        int r;

                        copy[at] = bytes[b];
                        r = iomem_parse(copy, size, &io, &line);
                        free(copy);
                        if (r < 0) {
                                CHECK(r == -EBADMSG);
                                /* the line itself, or one that no longer fits behind it */
                                CHECK(line >= check_line_at(text, at + 1) && line <= captures[_i].n + 1);
                                refused++;
                                continue;
                        }
                        CHECK(bytes[b] != '\0');
                        accepted++;
                        for (size_t i = 0; i < io.n; i++) {
                                CHECK(io.entries[i].parent < (int) i);
                                CHECK(io.entries[i].start <= io.entries[i].end);
                                CHECK(strlen(io.entries[i].name) < size);
                        }
                        for (uint64_t a = 0; a < UINT64_C(1) << 33; a += BLOCK_SIZE)
                                (void) iomem_find_ram(&io, a, a + BLOCK_SIZE - 1);
                        iomem_done(&io);
                }
        ck_assert_uint_gt(refused, size);  /* both happen, and often */
        ck_assert_uint_gt(accepted, size);
        free(text);
}
END_TEST

/* Trees as the kernel could print them, of any shape: what is found is what a look at everything finds. */
static char *print_tree(struct prng *p, char *out, unsigned depth, uint64_t start, uint64_t end, bool in_ram) {
        while (start < end && prng_below(p, 8)) {
                uint64_t first = start + prng_next(p) % (end - start), last = first + prng_next(p) % (end - first);
                bool ram = !in_ram && prng_below(p, 3) == 0;

                out += sprintf(out, "%*s%08" PRIx64 "-%08" PRIx64 " : %s\n", (int) depth * 2, "", first, last,
                               ram ? "System RAM (kmem)" : "other");
                if (depth < 5)
                        out = print_tree(p, out, depth + 1, first, last, in_ram || ram);
                start = last + 1;
        }
        return out;
}

START_TEST(test_generated_trees) {
        static char text[1 << 22];
        struct prng p = { 3 };
        unsigned found = 0, missed = 0;

        for (unsigned round = 0; round < 1000; round++) {
                char *end = print_tree(&p, text, 0, 0, 100000, false);
                struct iomem io;

                if (end == text)
                        continue;
                ck_assert(end < text + sizeof(text));
                parse_text(text, (size_t) (end - text), &io);
                check_entries(&io, text, (size_t) (end - text));
                for (unsigned i = 0; i < 50; i++) {
                        uint64_t start = prng_below(&p, 100000), last = start + prng_below(&p, 1000);
                        const struct iomem_entry *e = iomem_find_ram(&io, start, last);

                        ck_assert_msg(e == find_ram_slowly(&io, start, last), "%" PRIx64 "-%" PRIx64 " in\n%.500s", start,
                                      last, text);
                        *(e ? &found : &missed) += 1;
                }
                iomem_done(&io);
        }
        ck_assert_uint_gt(found, 1000);
        ck_assert_uint_gt(missed, 1000);
}
END_TEST

START_TEST(test_huge) {
        enum { ENTRIES = 100000 };
        char *text = malloc(ENTRIES * 64), *p = text;
        struct iomem io;
        unsigned line = 0;

        ck_assert_ptr_nonnull(text);
        for (uint64_t i = 0; i < ENTRIES; i++)
                p += sprintf(p, "%s%08" PRIx64 "-%08" PRIx64 " : %s\n", i % 2 ? "  " : "", i / 2 * BLOCK_SIZE,
                             (i / 2 + 1) * BLOCK_SIZE - 1, i % 2 ? "System RAM (virtio_mem)" : "virtio0");
        parse_text(text, (size_t) (p - text), &io);
        ck_assert_uint_eq(io.n, ENTRIES);
        for (uint64_t i = 0; i < ENTRIES / 2; i++)
                CHECK(iomem_find_ram(&io, i * BLOCK_SIZE, (i + 1) * BLOCK_SIZE - 1) == &io.entries[i * 2 + 1]);
        iomem_done(&io);
        p[-1] = '?';
        ck_assert_int_eq(iomem_parse(text, (size_t) (p - text), &io, &line), -EBADMSG);
        ck_assert_uint_eq(line, ENTRIES);
        free(text);
}
END_TEST

START_TEST(test_done_twice) {
        struct iomem io = {};

        iomem_done(&io);
        parse_text("0-1 : a\n", 8, &io);
        iomem_done(&io);
        iomem_done(&io);
        ck_assert_ptr_null(io.entries);
        ck_assert_uint_eq(io.n, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("iomem");
        TCase *c;

        c = check_case(s, "trees");
        tcase_add_loop_test(c, test_capture_entries, 0, ARRAY_SIZE(captures));
        tcase_add_test(c, test_capture_boot);
        tcase_add_test(c, test_capture_hotplug);
        tcase_add_test(c, test_cxl);
        tcase_add_test(c, test_holes);
        tcase_add_test(c, test_hidden);
        tcase_add_test(c, test_deep);
        tcase_add_test(c, test_names);
        tcase_add_test(c, test_generated_trees);
        tcase_add_test(c, test_huge);
        tcase_add_test(c, test_done_twice);

        c = check_case(s, "garbage");
        tcase_add_loop_test(c, test_garbage, 0, ARRAY_SIZE(garbage));
        tcase_add_loop_test(c, test_every_truncation, 0, ARRAY_SIZE(captures));
        tcase_add_loop_test(c, test_every_corruption, 0, ARRAY_SIZE(captures));
        return check_run(s);
}
