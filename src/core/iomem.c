/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/iomem.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"

/* The kernel prints at most MAX_IORES_LEVEL (5, or 8 since 6.13) levels; deeper entries share the last one. */
#define DEPTH_MAX 16

/* "  START-END : NAME" → depth, entry. The line lies in a writable copy, so its newline becomes the name's NUL. */
static int parse_entry(char *line, size_t size, unsigned *ret_depth, struct iomem_entry *ret) {
        static const char separator[] = " : ";
        char *end = line + size, *p = line, *dash, *colon;
        int r;

        while (p < end && *p == ' ')
                p++;
        dash = memchr(p, '-', (size_t) (end - p));
        colon = memmem(p, (size_t) (end - p), separator, strlen(separator));
        if ((p - line) % 2 != 0 || !dash || !colon || dash > colon)
                return -EBADMSG;
        r = parse_hexn(p, (size_t) (dash - p), &ret->start);
        if (r >= 0)
                r = parse_hexn(dash + 1, (size_t) (colon - dash - 1), &ret->end);
        if (r < 0 || ret->end < ret->start)
                return -EBADMSG;
        *end = '\0';
        ret->name = colon + strlen(separator);
        *ret_depth = (unsigned) (p - line) / 2;
        return 0;
}

int iomem_parse(const char *text, size_t size, struct iomem *ret, unsigned *ret_line) {
        _cleanup_(iomem_done) struct iomem io = { .hidden = true };
        int last[DEPTH_MAX]; /* the last entry of each level on the path to here */
        unsigned depth_max = 0;
        size_t capacity = 0, n;
        struct lines lines;
        const char *line;
        int r;

        io.text = malloc(size ?: 1);
        if (!io.text)
                return -ENOMEM;
        if (size)
                memcpy(io.text, text, size);

        lines_init(&lines, io.text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                struct iomem_entry e;
                unsigned depth;

                r = parse_entry(io.text + (line - io.text), n, &depth, &e);
                /* A level cannot be skipped, and starts only grow: iomem_find_ram() relies on both. */
                if (r >= 0 && (depth > depth_max || depth >= DEPTH_MAX ||
                               (io.n && e.start < io.entries[io.n - 1].start)))
                        r = -EBADMSG;
                if (r < 0)
                        break;
                e.parent = depth ? last[depth - 1] : -1;
                if (!GROW(io.entries, io.n, capacity))
                        return -ENOMEM;
                last[depth] = (int) io.n;
                depth_max = depth + 1;
                if (e.end)
                        io.hidden = false;
                io.entries[io.n++] = e;
        }
        if (r >= 0 && io.n == 0)
                r = -EBADMSG;
        if (r < 0) {
                *ret_line = MAX(lines.number, 1u);
                return r;
        }
        *ret = io;
        io = (struct iomem) {};
        return 0;
}

void iomem_done(struct iomem *io) {
        free(io->entries);
        free(io->text);
        *io = (struct iomem) {};
}

const struct iomem_entry *iomem_parent(const struct iomem *io, const struct iomem_entry *e) {
        return e->parent < 0 ? NULL : &io->entries[e->parent];
}

static bool is_ram(const struct iomem_entry *e) {
        return strncmp(e->name, "System RAM", strlen("System RAM")) == 0;
}

const struct iomem_entry *iomem_find_ram(const struct iomem *io, uint64_t start, uint64_t end) {
        const struct iomem_entry *e;
        size_t low = 0, high = io->n;

        if (io->hidden)
                return NULL;
        while (low < high) { /* the first entry that starts after start */
                size_t middle = low + (high - low) / 2;

                if (io->entries[middle].start <= start)
                        low = middle + 1;
                else
                        high = middle;
        }
        /* What starts earlier and reaches into the range is the entry before or one of its parents … */
        for (e = low ? &io->entries[low - 1] : NULL; e; e = iomem_parent(io, e))
                if (e->end >= start && is_ram(e))
                        return e;
        /* … and a boot block may begin with reserved memory. */
        for (; low < io->n && io->entries[low].start <= end; low++)
                if (is_ram(&io->entries[low]))
                        return &io->entries[low];
        return NULL;
}
