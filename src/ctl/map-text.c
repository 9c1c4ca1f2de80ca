/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ctl/picture.h"

#define LINES_MIN 8
#define LINES_MAX 32
#define LINES_AROUND 8 /* heading, legend, prompt */

#define MARGIN_MIN 6
#define GUTTER_WORTH 64 /* with fewer columns, nodes and devices stand above their lines */
#define GUTTER_MIN 24
#define AXIS_WORTH 24
#define BORDER_WORTH 4 /* characters of a block, to see where the next one begins */

enum mark { FULL, FULL_END, HALF, HALF_END, MIXED, HOLE, ABSENT, DOTS, TICK, ALONE, FIRST, BETWEEN, LAST };

static const char *const marks[][2] = {
        [FULL] = { "", "█" },
        [FULL_END] = { "", "▉" },
        [HALF] = { "", "▄" },
        [HALF_END] = { "", "▖" },
        [MIXED] = { "", "▒" },
        [HOLE] = { ".", "·" },
        [ABSENT] = { "-", "╌" },
        [DOTS] = { ":", "⋮" },
        [TICK] = { "|", "╷" },
        [ALONE] = { "-", "─" },
        [FIRST] = { ".", "┐" },
        [BETWEEN] = { "|", "│" },
        [LAST] = { "'", "┘" },
};

#define LETTER_MIXED '*'
#define LETTER_MIXED_OFFLINE '%'

enum { PEN_NONE = -1, PEN_DIM = -2 };

struct canvas {
        const struct picture *p;
        const struct terminal *t;
        unsigned margin, columns; /* characters, of the addresses and of the picture */
        unsigned gutter;          /* 0: none */
        bool bytes;
        int ink, paper;           /* the colours that are set */
};

static void set_colours(struct canvas *c, int ink, int paper) {
        if (c->t->colours == 0 || (ink == c->ink && paper == c->paper))
                return;
        if (c->ink != PEN_NONE || c->paper != PEN_NONE)
                fputs("\033[0m", stdout);
        if (ink == PEN_DIM)
                fputs("\033[2m", stdout);
        else if (ink >= 0)
                printf(c->t->colours == 256 ? "\033[38;5;%dm" : "\033[3%dm", ink);
        if (paper >= 0)
                printf(c->t->colours == 256 ? "\033[48;5;%dm" : "\033[4%dm", paper);
        c->ink = ink;
        c->paper = paper;
}

static int colour_of(const struct canvas *c, uint8_t value) {
        const struct look *look = picture_look(c->p, value);

        return c->t->colours == 256 ? look->colour : look->basic;
}

static bool has_blocks(const struct canvas *c) {
        return c->t->unicode && c->t->colours > 0;
}

static void put_mark(struct canvas *c, enum mark m, unsigned times) {
        for (unsigned i = 0; i < times; i++)
                fputs(marks[m][c->t->unicode], stdout);
}

static void put_blanks(struct canvas *c, unsigned n) {
        if (n == 0)
                return;
        set_colours(c, PEN_NONE, PEN_NONE);
        printf("%*s", (int) n, "");
}

/* Ink and paper of a cell, or of its entry in the legend. */
static void put_cell(struct canvas *c, uint8_t value, uint8_t second, map_values values, unsigned width) {
        const struct look *look = picture_look(c->p, value);
        bool mixed = second != MAP_VALUE_NONE, off = value_is_offline(value), border = width >= BORDER_WORTH;
        /* Of one colour, online and offline: on no paper. */
        int paper = mixed && has_blocks(c) && picture_look(c->p, second) != look ? colour_of(c, second) : PEN_NONE;
        char letter = look->letter;

        set_colours(c, colour_of(c, value), paper);
        if (has_blocks(c)) {
                put_mark(c, mixed ? MIXED : off ? HALF : FULL, width - border);
                if (border)
                        put_mark(c, mixed ? MIXED : off ? HALF_END : FULL_END, 1);
                return;
        }
        if (mixed)
                letter = values & PICTURE_OFFLINE ? LETTER_MIXED_OFFLINE : LETTER_MIXED;
        else if (off && letter >= 'A' && letter <= 'Z')
                letter = (char) (letter + 'a' - 'A');
        for (unsigned i = 0; i < width; i++)
                putchar(border && i == width - 1 ? ' ' : letter);
}

/* A hole, with its size in it where there is room. */
static void put_hole(struct canvas *c, enum mark m, unsigned width, uint64_t size) {
        char text[SIZE_TEXT_MAX + 2] = "", bytes[SIZE_TEXT_MAX];
        unsigned length = 0;

        if (size)
                length = (unsigned) snprintf(text, sizeof(text), " %s ", format_bytes(size, c->bytes, bytes));
        set_colours(c, PEN_DIM, PEN_NONE);
        if (length == 0 || width < length + 4) {
                put_mark(c, m, width);
                return;
        }
        put_mark(c, m, (width - length) / 2);
        fputs(text, stdout);
        put_mark(c, m, width - length - (width - length) / 2);
}

static void put_address(struct canvas *c, uint64_t address) {
        char text[ADDRESS_TEXT_MAX];

        set_colours(c, PEN_NONE, PEN_NONE);
        printf("%*s ", (int) c->margin - 1, format_address_within(address, c->bytes, c->margin - 1, text));
}

static unsigned column_of(const struct canvas *c, size_t cell) {
        return c->p->map.cells[cell].column * c->p->map.zoom;
}

/* Where the memory of a line ends, in characters. */
static unsigned end_of(const struct canvas *c, const struct map_line *l) {
        return column_of(c, l->cells + l->n - 1) + c->p->map.zoom;
}

/* How much of the hole before a line lies in the row before and in its own. */
static void split_hole(const struct canvas *c, size_t line, unsigned *ret_trailing, unsigned *ret_leading) {
        const struct map_line *l = &c->p->map.lines[line];

        *ret_trailing = *ret_leading = 0;
        if (line == 0 || l->skips)
                return;
        if (l->continues)
                *ret_trailing = column_of(c, l->cells) - end_of(c, l - 1);
        else {
                *ret_trailing = c->columns - end_of(c, l - 1);
                *ret_leading = column_of(c, l->cells);
        }
}

static void put_line(struct canvas *c, size_t line) {
        const struct map *m = &c->p->map;
        const struct map_line *l = &m->lines[line];
        unsigned trailing, leading, column = column_of(c, l->cells);

        split_hole(c, line, &trailing, &leading);
        put_blanks(c, column - leading);
        put_hole(c, HOLE, leading, leading > trailing ? picture_hole(c->p, line) : 0);
        for (size_t i = l->cells; i < l->cells + l->n; i++) {
                const struct map_cell *cell = &m->cells[i];

                if (column_of(c, i) > column)
                        put_hole(c, HOLE, column_of(c, i) - column, cell->first - cell[-1].last - 1);
                put_cell(c, cell->value, cell->second, cell->values, m->zoom);
                column = column_of(c, i) + m->zoom;
        }
        trailing = leading = 0;
        if (line + 1 < m->n_lines)
                split_hole(c, line + 1, &trailing, &leading);
        put_hole(c, HOLE, trailing, trailing >= leading && trailing ? picture_hole(c->p, line + 1) : 0);
        set_colours(c, PEN_NONE, PEN_NONE);
        if (c->gutter)
                put_blanks(c, c->columns - column - trailing);
}

static bool same_group(const struct map *m, size_t a, size_t b) {
        return a < m->n_lines && b < m->n_lines && m->lines[a].group == m->lines[b].group && m->lines[a].group >= 0;
}

/* "node 1: dimm PNP0C80:00", or what of it differs from the line before. */
static char *describe(const struct canvas *c, size_t line, size_t width) {
        const struct map *m = &c->p->map;
        const struct map_line *l = &m->lines[line];
        _cleanup_free_ char *nodes = NULL, *devices = NULL, *before = NULL;

        nodes = line && same_group(m, line, line - 1) ? format_text("%s", "") : picture_describe_nodes(c->p, l);
        if (strlen(nodes) > width)
                nodes[width] = '\0';
        width -= strlen(nodes);
        if (!*nodes && line) {
                before = picture_describe_devices(c->p, l - 1, SIZE_MAX);
                devices = picture_describe_devices(c->p, l, SIZE_MAX);
                if (strcmp(before, devices) == 0)
                        return format_text("%s", "");
                free(devices);
        }
        devices = picture_describe_devices(c->p, l, *nodes ? (width > 2 ? width - 2 : 0) : width);
        return format_text("%s%s%s", nodes, *nodes && *devices ? ": " : "", devices);
}

/* Which lines are of one node, and what they are of. */
static void put_gutter(struct canvas *c, size_t line) {
        _cleanup_free_ char *text = describe(c, line, c->gutter - 3);
        bool up = line > 0 && same_group(&c->p->map, line, line - 1), down = same_group(&c->p->map, line, line + 1);

        set_colours(c, PEN_DIM, PEN_NONE);
        putchar(' ');
        put_mark(c, up ? (down ? BETWEEN : LAST) : (down ? FIRST : ALONE), 1);
        set_colours(c, PEN_NONE, PEN_NONE);
        if (*text)
                printf(" %s", text);
}

/* In place of the rows before this line. */
static void put_skip(struct canvas *c, size_t line) {
        set_colours(c, PEN_DIM, PEN_NONE);
        printf("%*s", (int) c->margin - 2, "");
        put_mark(c, DOTS, 1);
        putchar(' ');
        put_hole(c, ABSENT, c->columns, picture_hole(c->p, line));
        if (c->gutter && same_group(&c->p->map, line, line - 1)) {
                putchar(' ');
                put_mark(c, BETWEEN, 1);
        }
        set_colours(c, PEN_NONE, PEN_NONE);
        putchar('\n');
}

static void put_heading(struct canvas *c, size_t line) {
        _cleanup_free_ char *text = describe(c, line, c->margin + c->columns);

        if (*text)
                printf("%s\n", text);
}

/* Offsets within a row, at each quarter. */
static void put_axis(struct canvas *c) {
        const struct map *m = &c->p->map;
        unsigned at = 0;

        if (c->columns < AXIS_WORTH)
                return;
        set_colours(c, PEN_DIM, PEN_NONE);
        printf("%*s", (int) c->margin, "");
        for (unsigned quarter = 1; quarter < 4; quarter++) {
                unsigned column = m->columns / 4 * quarter * m->zoom;
                char text[ADDRESS_TEXT_MAX];

                format_address(m->cell_size * (m->columns / 4 * quarter), c->bytes, text);
                if (column < at || strlen(text) + 3 > c->columns / 4)
                        continue;
                printf("%*s", (int) (column - at), "");
                put_mark(c, TICK, 1);
                printf("+%s", text);
                at = column + 2 + (unsigned) strlen(text);
        }
        set_colours(c, PEN_NONE, PEN_NONE);
        putchar('\n');
}

struct legend {
        struct canvas *c;
        unsigned width, at; /* characters of a line, and of the last one */
        bool begins;        /* an entry: no blank yet */
};

/* Broken at blanks where it has to be. */
static void put_words(struct legend *g, const char *text) {
        while (*text) {
                unsigned n = (unsigned) strcspn(text, " ");

                if (g->at > 0 && g->at + 1 + n > g->width) {
                        putchar('\n');
                        g->at = 0;
                } else if (!g->begins) {
                        putchar(' ');
                        g->at++;
                }
                fwrite(text, 1, n, stdout);
                g->at += n;
                g->begins = false;
                text += n + (text[n] == ' ');
        }
}

/* Room for an entry: on this line, if it fits there. */
static void begin_entry(struct legend *g, size_t length) {
        if (g->at > 0 && g->at + 2 + length <= g->width) {
                fputs("  ", stdout);
                g->at += 2;
        } else if (g->at > 0) {
                putchar('\n');
                g->at = 0;
        }
        g->begins = true;
}

static void end_sample(struct legend *g) {
        set_colours(g->c, PEN_NONE, PEN_NONE);
        g->at++;
        g->begins = false;
}

static void put_value(struct legend *g, uint8_t value) {
        char text[64], size[SIZE_TEXT_MAX];
        const struct canvas *c = g->c;

        snprintf(text, sizeof(text), "%s%s %s", picture_look(c->p, value)->name,
                 c->p->view == VIEW_SOURCE && value_is_offline(value) ? " offline" : "",
                 format_bytes(c->p->totals[value], c->bytes, size));
        begin_entry(g, strlen(text) + 2);
        put_cell(g->c, value, MAP_VALUE_NONE, 0, 1);
        end_sample(g);
        put_words(g, text);
}

static void put_sample(struct legend *g, const char *sample, const char *text) {
        begin_entry(g, strlen(text) + 2);
        fputs(sample, stdout);
        end_sample(g);
        put_words(g, text);
}

static void put_mixed(struct legend *g) {
        bool mixed = false, offline = false;

        for (size_t i = 0; i < g->c->p->map.n_cells; i++) {
                const struct map_cell *cell = &g->c->p->map.cells[i];

                if (cell->second == MAP_VALUE_NONE)
                        continue;
                *(cell->values & PICTURE_OFFLINE ? &offline : &mixed) = true;
        }
        if (has_blocks(g->c)) {
                if (mixed || offline)
                        put_sample(g, marks[MIXED][1], "several of these");
                return;
        }
        if (mixed)
                put_sample(g, (char[]) { LETTER_MIXED, 0 }, "several of these");
        if (offline)
                put_sample(g, (char[]) { LETTER_MIXED_OFFLINE, 0 }, "several, some offline");
}

static void put_scale(struct legend *g) {
        const struct map *m = &g->c->p->map;
        char text[96], size[SIZE_TEXT_MAX];

        format_bytes(m->cell_size, g->c->bytes, size);
        if (m->zoom > 1)
                snprintf(text, sizeof(text), "%u columns: one block of %s", m->zoom, size);
        else if (m->cell_size == g->c->p->block_size)
                snprintf(text, sizeof(text), "1 column: one block of %s", size);
        else
                snprintf(text, sizeof(text), "1 column: %s, %llu blocks", size,
                         (unsigned long long) (m->cell_size / g->c->p->block_size));
        begin_entry(g, strlen(text));
        put_words(g, text);
}

static void put_legend(struct canvas *c) {
        struct legend g = { .c = c, .width = c->margin + c->columns + c->gutter };
        const struct picture *p = c->p;

        if (p->map.n_lines)
                putchar('\n');
        for (unsigned v = 0; v < MAP_VALUES_MAX; v++)
                if (p->used & MAP_VALUE_BIT(v))
                        put_value(&g, (uint8_t) v);
        put_mixed(&g);
        if (p->map.n_lines > 1)
                put_sample(&g, marks[HOLE][c->t->unicode], "nothing there");
        put_scale(&g);
        putchar('\n');
}

/* How many columns the picture has, and how many what stands beside it; the addresses are as wide as they have to be. */
static void divide(struct canvas *c) {
        unsigned width = c->t->columns;

        c->gutter = width >= GUTTER_WORTH ? GUTTER_MIN : 0;
        c->columns = width - c->margin - c->gutter;
}

/* What the longest address takes, with a blank; not more than a third of the line. */
static unsigned measure_addresses(const struct canvas *c) {
        char text[ADDRESS_TEXT_MAX];
        unsigned width = MARGIN_MIN - 1, most = c->t->columns / 3;

        for (size_t i = 0; i < c->p->map.n_lines; i++)
                width = MAX(width, (unsigned) strlen(format_address(c->p->map.lines[i].start, c->bytes, text)));
        return MIN(width + 1, most);
}

static void canvas_init(struct canvas *c, const struct picture *p, const struct terminal *t, const struct options *o) {
        *c = (struct canvas) {
                .p = p, .t = t, .margin = MARGIN_MIN, .bytes = o->bytes, .ink = PEN_NONE, .paper = PEN_NONE,
        };
}

void map_layout_text(struct picture *p, const struct terminal *t, const struct options *o) {
        unsigned lines = t->lines > LINES_AROUND ? t->lines - LINES_AROUND : 0, wanted;
        struct canvas c;

        lines = MAX(lines, (unsigned) LINES_MIN);
        lines = MIN(lines, (unsigned) LINES_MAX);
        canvas_init(&c, p, t, o);
        for (;;) {
                divide(&c);
                picture_layout(p, c.columns, lines);
                wanted = measure_addresses(&c);
                if (wanted <= c.margin)
                        return;
                c.margin = wanted;
        }
}

void map_print_text(const struct picture *p, const struct terminal *t, const struct options *o) {
        struct canvas c;

        canvas_init(&c, p, t, o);
        c.margin = measure_addresses(&c);
        divide(&c);
        c.columns = p->map.columns * p->map.zoom;
        if (c.gutter)
                c.gutter = t->columns - c.margin - c.columns;
        if (o->legend && p->map.n_lines)
                put_axis(&c);
        for (size_t i = 0; i < p->map.n_lines; i++) {
                if (p->map.lines[i].skips)
                        put_skip(&c, i);
                if (!c.gutter)
                        put_heading(&c, i);
                if (p->map.lines[i].continues)
                        put_blanks(&c, c.margin);
                else
                        put_address(&c, p->map.lines[i].start);
                put_line(&c, i);
                if (c.gutter)
                        put_gutter(&c, i);
                putchar('\n');
        }
        if (o->legend)
                put_legend(&c);
}
