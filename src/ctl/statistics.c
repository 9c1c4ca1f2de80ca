/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/facts.h"

static enum status parse_nodes(struct statistics *s, const char *text) {
        const char *list = strncmp(text, "node:", 5) == 0 ? text + 5 : text;
        int r;

        r = parse_ranges(list, RANGES_NUMBERS, &s->nodes);
        if (r == -ENOMEM)
                out_of_memory();
        if (r < 0) {
                complain("%s: not a node: expected a number, or several as in 0-3,8", text);
                return STATUS_USAGE;
        }
        s->nodes_text = list;
        return STATUS_DONE;
}

uint64_t system_page_size(const char *sysroot) {
        static const char key[] = "page_size ";
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        char text[1024], *p = text;
        uint64_t size;
        ssize_t n;

        if (strcmp(sysroot, "/") == 0)
                return (uint64_t) sysconf(_SC_PAGESIZE);
        path = format_text("%s/MANIFEST", sysroot);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        text[MAX(n, (ssize_t) 0)] = '\0';
        for (char *line; (line = strsep(&p, "\n"));)
                if (strncmp(line, key, strlen(key)) == 0 && parse_u64(line + strlen(key), &size) >= 0 &&
                    size >= 1024 && (size & (size - 1)) == 0)
                        return size;
        return 0;
}

enum status statistics_open(struct statistics *s, const struct options *o, const char *nodes) {
        enum status status;
        int r;

        *s = (struct statistics) {};
        if (nodes) {
                status = parse_nodes(s, nodes);
                if (status != STATUS_DONE)
                        return status;
        }
        r = sysfs_open_texts(o->sysroot, &s->fs);
        if (r < 0) {
                complain("%s: cannot be opened: %s", o->sysroot, strerror(-r));
                return STATUS_FAILED;
        }
        s->page_size = system_page_size(o->sysroot);
        return STATUS_DONE;
}

enum status statistics_read(struct statistics *s, enum sysfs_text which) {
        int r;

        free(TAKE_PTR(s->text));
        r = sysfs_read_text(s->fs, which, &s->text, &s->size);
        if (r >= 0)
                return STATUS_DONE;
        complain("%s: cannot be read: %s", sysfs_text_path(which), strerror(-r));
        return STATUS_FAILED;
}

void statistics_done(struct statistics *s) {
        sysfs_close(s->fs);
        free(s->text);
        ranges_done(&s->nodes);
}

bool statistics_has_node(const struct statistics *s, unsigned node) {
        return s->nodes.n == 0 || ranges_contain(&s->nodes, node);
}

enum status statistics_malformed(int error, enum sysfs_text which, unsigned line) {
        if (error == -ENOMEM)
                out_of_memory();
        complain("%s:%u: malformed, or cut short: nothing is told from it", sysfs_text_path(which), line);
        return STATUS_FAILED;
}

enum status statistics_no_node(const struct statistics *s, enum sysfs_text which) {
        complain("node %s: not in %s", s->nodes_text, sysfs_text_path(which));
        return STATUS_FAILED;
}

const char *format_pages(const struct statistics *s, uint64_t pages, bool bytes, char buf[static SIZE_TEXT_MAX]) {
        uint64_t size;

        if (s->page_size && !__builtin_mul_overflow(pages, s->page_size, &size))
                return format_bytes(size, bytes, buf);
        snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 "%s", pages, s->page_size ? "p" : "");
        return buf;
}

const char *format_pages_signed(const struct statistics *s, int64_t pages, bool bytes, char buf[static SIZE_TEXT_MAX]) {
        char text[SIZE_TEXT_MAX];

        format_pages(s, pages < 0 ? -(uint64_t) pages : (uint64_t) pages, bytes, text);
        snprintf(buf, SIZE_TEXT_MAX, "%s%.*s", pages < 0 ? "-" : pages > 0 ? "+" : "", SIZE_TEXT_MAX - 2, text);
        return buf;
}

const char *format_pages_change(const struct statistics *s, uint64_t pages, uint64_t before, bool bytes,
                                char buf[static CHANGE_TEXT_MAX]) {
        char now[SIZE_TEXT_MAX], change[SIZE_TEXT_MAX];

        format_pages(s, pages, bytes, now);
        if (pages == before)
                snprintf(buf, CHANGE_TEXT_MAX, "%s", now);
        else
                snprintf(buf, CHANGE_TEXT_MAX, "%s(%s)", now, format_pages_signed(s, (int64_t) (pages - before), bytes, change));
        return buf;
}

const char *format_count_change(uint64_t count, uint64_t before, char buf[static CHANGE_TEXT_MAX]) {
        if (count == before)
                snprintf(buf, CHANGE_TEXT_MAX, "%" PRIu64, count);
        else
                snprintf(buf, CHANGE_TEXT_MAX, "%" PRIu64 "(%+" PRId64 ")", count, (int64_t) (count - before));
        return buf;
}

const char *format_pages_rate(const struct statistics *s, int64_t pages, double seconds, bool bytes,
                              char buf[static CHANGE_TEXT_MAX]) {
        char text[SIZE_TEXT_MAX];
        int64_t rate = seconds > 0 ? (int64_t) ((double) pages / seconds) : 0;

        if (rate == 0)
                snprintf(buf, CHANGE_TEXT_MAX, "-");
        else
                snprintf(buf, CHANGE_TEXT_MAX, "%s/s", format_pages_signed(s, rate, bytes, text));
        return buf;
}

void statistics_print_legend(const struct statistics *s, const struct options *o) {
        if (o->legend && !s->page_size)
                puts("\nFigures are pages: this captured system does not tell how large they are.");
}
