/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/obstacle.h"

#include <inttypes.h>
#include <string.h>

static const char unmovable[] = "unmovable page";

/* dump_page() is for other troubles, too. */
static bool is_about_offline(const char *why) {
        return strcmp(why, unmovable) == 0 || strcmp(why, "migration failure") == 0 || strcmp(why, "isolation failed") == 0;
}

static struct obstacle *get(struct obstacles *o, size_t i) {
        return &o->ring[(o->total - o->n + i) % OBSTACLES_MAX];
}

static void open_page(struct obstacles *o, const struct kernlog_line *line) {
        struct obstacle *page = NULL;

        for (size_t i = o->n; i > 0 && !page; i--)
                if (get(o, i - 1)->pfn == line->pfn)
                        page = get(o, i - 1);
        if (!page) {
                o->total++;
                o->n = MIN(o->n + 1, (size_t) OBSTACLES_MAX);
                page = get(o, o->n - 1);
                *page = (struct obstacle) { .pfn = line->pfn };
        }
        page->usec = line->usec;
        o->open = (size_t) (page - o->ring) + 1;
}

static void take_text(char ret[static KERNLOG_TEXT_MAX], const struct kernlog_line *line) {
        memcpy(ret, line->text, KERNLOG_TEXT_MAX);
}

void obstacles_add(struct obstacles *o, const struct kernlog_line *line) {
        struct obstacle *page = o->open ? &o->ring[o->open - 1] : NULL;

        switch (line->type) {
        case KERNLOG_NOT_MOVED:
                open_page(o, line);
                page = &o->ring[o->open - 1];
                page->times++;
                page->error = line->error;
                return;
        case KERNLOG_PAGE:
                /* Described for the first time, or right after it was said that it stays. */
                open_page(o, line);
                return;
        case KERNLOG_FLAGS:
                if (page)
                        take_text(page->flags, line);
                return;
        case KERNLOG_FILE:
                if (page)
                        take_text(page->file, line);
                return;
        case KERNLOG_WHY:
                if (!page || !is_about_offline(line->text))
                        return;
                take_text(page->why, line);
                page->times += page->times == 0 || strcmp(page->why, unmovable) == 0;
                return;
        case KERNLOG_OWNER: /* comes after the reason */
                if (page)
                        take_text(page->owner, line);
                return;
        default:
                return;
        }
}

static bool is_unmovable(const struct obstacle *o) {
        return strcmp(o->why, unmovable) == 0;
}

const struct obstacle *obstacles_find(const struct obstacles *o, uint64_t first, uint64_t n, uint64_t since_usec, size_t *ret_pages) {
        const struct obstacle *best = NULL;
        size_t pages = 0;

        for (size_t i = 0; i < o->n; i++) {
                const struct obstacle *page = get((struct obstacles *) o, i);

                if (page->pfn - first >= n || page->usec < since_usec || page->times == 0)
                        continue;
                pages++;
                if (!best || is_unmovable(page) > is_unmovable(best) ||
                    (is_unmovable(page) == is_unmovable(best) && page->usec >= best->usec))
                        best = page;
        }
        if (best)
                *ret_pages = pages;
        return best;
}

void obstacle_describe(const struct obstacle *o, size_t n_pages, char buf[static OBSTACLE_TEXT_MAX]) {
        size_t n;

        n = (size_t) snprintf(buf, OBSTACLE_TEXT_MAX, "page 0x%" PRIx64 " %s (", o->pfn,
                              is_unmovable(o) ? "cannot be moved" : "could not be moved");
        if (o->why[0])
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, "the kernel: %s", o->why);
        else
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, "the kernel does not say why");
        if (o->error && n < OBSTACLE_TEXT_MAX)
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, ", %s", strerror(-o->error));
        if (o->owner[0] && n < OBSTACLE_TEXT_MAX)
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, "; allocated by %s", o->owner);
        if (o->file[0] && n < OBSTACLE_TEXT_MAX)
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, "; %s", o->file);
        if (o->flags[0] && n < OBSTACLE_TEXT_MAX)
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, "; flags %s", o->flags);
        if (n < OBSTACLE_TEXT_MAX)
                n += (size_t) snprintf(buf + n, OBSTACLE_TEXT_MAX - n, ")");
        if (n_pages > 1 && n < OBSTACLE_TEXT_MAX)
                snprintf(buf + n, OBSTACLE_TEXT_MAX - n, " and %zu more pages", n_pages - 1);
}
