/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/progress.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/terminal.h"

#define LINE_USEC 1000000 /* elsewhere than on a terminal, at most so often */
#define RATE_USEC 200000  /* before that it means nothing */
#define BAR_MIN 8
#define BAR_MAX 40

static uint64_t rate(const struct progress *p) {
        uint64_t usec = p->now_usec - p->start_usec;

        return usec >= RATE_USEC ? (uint64_t) ((double) (p->done * p->block_size) * 1e6 / (double) usec) : 0;
}

/* "12/32 blocks  1.5G/4G  256M/s  block 40" */
static char *format_figures(const struct progress *p) {
        char done[SIZE_TEXT_MAX], wanted[SIZE_TEXT_MAX], bytes[SIZE_TEXT_MAX], speed[SIZE_TEXT_MAX + 8] = "", block[48] = "";
        uint64_t r = rate(p);

        if (r)
                snprintf(speed, sizeof(speed), "  %s/s", format_bytes(r, p->bytes, bytes));
        if (p->current >= 0)
                snprintf(block, sizeof(block), "  block %" PRId64, p->current);
        return format_text("%" PRIu64 "/%" PRIu64 " blocks  %s/%s%s%s%s%s", p->done, p->wanted,
                           format_bytes(p->done * p->block_size, p->bytes, done),
                           format_bytes(p->wanted * p->block_size, p->bytes, wanted), speed, block, *p->state ? "  " : "", p->state);
}

/* Filled in eighths of a character where there are such. */
static void draw_bar(char *buf, size_t size, const struct progress *p, unsigned width, bool unicode) {
        static const char *const parts[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
        uint64_t eighths = p->wanted ? MIN(p->done, p->wanted) * width * 8 / p->wanted : 0, full = eighths / 8;
        unsigned rest = unicode ? (unsigned) (eighths % 8) : 0;
        size_t n = 0;

        for (unsigned i = 0; i < width && n < size; i++) {
                const char *part = i < full ? (unicode ? "█" : "#") : i == full && rest ? parts[rest] : unicode ? " " : ".";

                n += (size_t) snprintf(buf + n, size - n, "%s", part);
        }
}

char *progress_format(const struct progress *p, unsigned width, bool unicode) {
        _cleanup_free_ char *figures = format_figures(p);
        unsigned used = (unsigned) (strlen(p->what) + strlen(figures) + 5), bar_width;
        char bar[4 * BAR_MAX + 1] = "";
        char *line;

        bar_width = width > used ? MIN(width - used, (unsigned) BAR_MAX) : 0;
        if (width == 0 || bar_width < BAR_MIN)
                line = format_text("%s  %s", p->what, figures);
        else {
                draw_bar(bar, sizeof(bar), p, bar_width, unicode);
                line = format_text("%s %s%s%s %s", p->what, unicode ? "▕" : "[", bar, unicode ? "▏" : "]", figures);
        }
        if (width && bar_width < BAR_MIN && strlen(line) > width)
                line[width] = '\0'; /* no bar: every character is one byte */
        return line;
}

static void draw(struct progress *p) {
        _cleanup_free_ char *line = NULL;
        struct terminal t;

        terminal_look(&t);
        line = progress_format(p, t.columns > 1 ? t.columns - 1 : 1, t.unicode);
        printf("\r%s\033[K", line);
        fflush(stdout);
        p->drawn = true;
}

static void print_line(struct progress *p) {
        _cleanup_free_ char *line = NULL;

        if (p->last_usec && (p->now_usec < p->last_usec + LINE_USEC || (p->done == p->last_done && p->current == p->last_current)))
                return;
        line = progress_format(p, 0, false);
        puts(line);
        fflush(stdout);
        p->last_usec = p->now_usec;
        p->last_done = p->done;
        p->last_current = p->current;
}

void progress_show(struct progress *p) {
        if (output_is_terminal() && !output_is_dumb())
                draw(p);
        else
                print_line(p);
}

void progress_clear(struct progress *p) {
        if (!p->drawn)
                return;
        fputs("\r\033[K", stdout);
        fflush(stdout);
        p->drawn = false;
}
