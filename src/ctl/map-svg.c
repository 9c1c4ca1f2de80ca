/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "ctl/picture.h"

/* The document's own units, which are pixels where nobody scales it. */
#define COLUMNS 64
#define COLUMN 10
#define LINES_MAX 32
#define LINE 22
#define BAR 17 /* of a line */
#define LEFT 92
#define RIGHT 300
#define EDGE 24 /* around everything */
#define TOP 104
#define WIDTH (LEFT + COLUMNS * COLUMN + RIGHT)
#define CHARACTER 7.3 /* of small text, at most */
#define LEGEND_LINE 26

#define ADDRESS_ROOM 10 /* characters that stand left of a row */
#define COLUMNS_LABEL 6 /* what a hole must have to bear its size */

struct svg {
        FILE *f;
        const struct picture *p;
};

static void put_text(struct svg *s, const char *text) {
        for (; *text; text++)
                switch (*text) {
                case '&': fputs("&amp;", s->f); break;
                case '<': fputs("&lt;", s->f); break;
                case '>': fputs("&gt;", s->f); break;
                default: fputc(*text, s->f);
                }
}

static double x_of(unsigned column) {
        return LEFT + (double) column * COLUMN;
}

static unsigned column_of(const struct svg *s, size_t cell) {
        return s->p->map.cells[cell].column * s->p->map.zoom;
}

/* -- the style: a class for each value, in two sets of colours */

static void put_colours(struct svg *s, bool dark) {
        const char *indent = dark ? "      " : "    ";

        fprintf(s->f, "%s.ground { fill: %s } .text { fill: %s } .soft { fill: %s } .rule { stroke: %s } .gap { "
                      "stroke: %s }\n",
                indent, dark ? "#0d1117" : "#ffffff", dark ? "#e6edf3" : "#1f2328", dark ? "#9aa4af" : "#59636e",
                dark ? "#4a525c" : "#c3ccd5", dark ? "#0d1117" : "#ffffff");
        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++) {
                const struct look *look;

                if (!(s->p->used & MAP_VALUE_BIT(v)))
                        continue;
                look = picture_look(s->p, v);
                fprintf(s->f, "%s.v%u { fill: %s } .s%u { stroke: %s }\n", indent, v, dark ? look->dark : look->light, v,
                        dark ? look->dark : look->light);
        }
}

static void put_style(struct svg *s) {
        fputs("  <style>\n"
              "    text { font-family: ui-sans-serif, system-ui, \"Segoe UI\", Roboto, \"Helvetica Neue\", Arial, "
              "sans-serif; font-size: 12.5px }\n"
              "    .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", "
              "monospace; font-size: 12px }\n"
              "    .head { font-size: 19px; font-weight: 600 } .strong { font-weight: 600 } .end { text-anchor: end }\n"
              "    .middle { text-anchor: middle } .rule { fill: none } .gap { fill: none; stroke-width: 1.5 }\n"
              "    .dots { stroke-dasharray: 1.5 4; stroke-width: 2; stroke-linecap: round }\n", s->f);
        put_colours(s, false);
        fputs("    @media (prefers-color-scheme: dark) {\n", s->f);
        put_colours(s, true);
        fputs("    }\n  </style>\n", s->f);
}

/* How a value, or two of them, are filled: plain where it is online, stripes else. */
static void put_fill_id(struct svg *s, uint8_t value, uint8_t second) {
        if (second == MAP_VALUE_NONE)
                fprintf(s->f, "p%u", value);
        else
                fprintf(s->f, "p%u-%u", value, second);
}

static void put_pattern(struct svg *s, uint8_t value, uint8_t second) {
        bool mixed = second != MAP_VALUE_NONE;
        unsigned size = mixed ? 7 : 6;

        fputs("    <pattern id=\"", s->f);
        put_fill_id(s, value, second);
        fprintf(s->f, "\" width=\"%u\" height=\"%u\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
                "<rect width=\"%u\" height=\"%u\" class=\"", size, size, size, size);
        if (mixed && !value_is_offline(value))
                fprintf(s->f, "v%u", value);
        else
                fputs("ground", s->f);
        fprintf(s->f, "\"/><rect width=\"%s\" height=\"%u\" class=\"", mixed ? "3.5" : "2.4", size);
        if (mixed && value_is_offline(value))
                fprintf(s->f, "v%u\"/></pattern>\n", value_is_offline(second) ? value : second);
        else if (mixed && picture_look(s->p, value) == picture_look(s->p, second))
                fputs("ground\"/></pattern>\n", s->f);
        else
                fprintf(s->f, "v%u\"/></pattern>\n", mixed ? second : value);
}

static void put_patterns(struct svg *s) {
        const struct map *m = &s->p->map;
        map_values done[MAP_VALUES_MAX] = {};

        fputs("  <defs>\n", s->f);
        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++)
                if ((s->p->used & MAP_VALUE_BIT(v)) && value_is_offline(v))
                        put_pattern(s, v, MAP_VALUE_NONE);
        for (size_t i = 0; i < m->n_cells; i++) {
                const struct map_cell *c = &m->cells[i];

                if (c->second == MAP_VALUE_NONE || (done[c->value] & MAP_VALUE_BIT(c->second)))
                        continue;
                done[c->value] |= MAP_VALUE_BIT(c->second);
                put_pattern(s, c->value, c->second);
        }
        fputs("  </defs>\n", s->f);
}

/* A box of one kind; the caller ends the element. */
static void begin_box(struct svg *s, double x, double y, double width, double height, uint8_t value, uint8_t second) {
        bool striped = second != MAP_VALUE_NONE || value_is_offline(value);

        /* Stripes need an edge, which lies inside. */
        if (striped)
                x += 0.6, y += 0.6, width -= 1.2, height -= 1.2;
        fprintf(s->f, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"2.5\" ", x, y, width, height);
        if (!striped) {
                fprintf(s->f, "class=\"v%u\"", value);
                return;
        }
        fputs("fill=\"url(#", s->f);
        put_fill_id(s, value, second);
        fprintf(s->f, ")\" class=\"s%u\" stroke-width=\"1.2\"", value);
}

/* -- a line */

/* Cells of one device that look the same and lie side by side are one box. */
static size_t run_end(const struct svg *s, size_t first, size_t end) {
        const struct map_cell *cells = s->p->map.cells;
        const struct area *a = picture_area_at(s->p, cells[first].first), *b;
        size_t i;

        for (i = first + 1; i < end; i++) {
                if (cells[i].column != cells[i - 1].column + 1 || cells[i].value != cells[first].value ||
                    cells[i].second != cells[first].second)
                        break;
                b = picture_area_at(s->p, cells[i].first);
                if (b->block.source != a->block.source || strcmp(b->block.device, a->block.device) != 0)
                        break;
        }
        return i;
}

/* What a pointer that rests on the box is told. */
static void put_tooltip(struct svg *s, size_t first, size_t end) {
        const struct map_cell *cells = s->p->map.cells;
        struct map_line part = { .cells = first, .n = end - first, .group = MAP_GROUP_SEVERAL };
        _cleanup_free_ char *devices = picture_describe_devices(s->p, &part, 96), *nodes = picture_describe_nodes(s->p, &part);
        char size[FORMAT_SIZE_MAX];
        uint64_t bytes = 0;

        for (size_t i = first; i < end; i++)
                bytes += cells[i].bytes;
        fprintf(s->f, "<title>0x%" PRIx64 "-0x%" PRIx64 ", %s: %s", cells[first].first, cells[end - 1].last,
                format_size(bytes, size), picture_look(s->p, cells[first].value)->name);
        if (cells[first].second != MAP_VALUE_NONE)
                fprintf(s->f, " and %s%s", picture_look(s->p, cells[first].second)->name,
                        s->p->view == VIEW_SOURCE && value_is_offline(cells[first].second) ? " (offline)" : "");
        fprintf(s->f, "; %s%s", nodes, *nodes ? "; " : "");
        put_text(s, devices);
        fputs("</title>", s->f);
}

static void put_box(struct svg *s, size_t first, size_t end, double y) {
        const struct map *m = &s->p->map;
        const struct map_cell *c = &m->cells[first];
        double x = x_of(column_of(s, first)), width = (double) (end - first) * m->zoom * COLUMN;

        fputs("  ", s->f);
        begin_box(s, x, y, width, BAR, c->value, c->second);
        fputs(">", s->f);
        put_tooltip(s, first, end);
        fputs("</rect>\n", s->f);
        if (m->zoom == 1 || end - first < 2)
                return;
        fputs("  <path class=\"gap\" d=\"", s->f);
        for (size_t i = first + 1; i < end; i++)
                fprintf(s->f, "M%g %gv%d", x_of(column_of(s, i)), y, BAR);
        fputs("\"/>\n", s->f);
}

/* From column to column; with its size where there is room. */
static void put_hole(struct svg *s, unsigned from, unsigned to, double y, uint64_t size) {
        double middle = y + BAR / 2.0, left = x_of(from) + 5, right = x_of(to) - 5, centre = (left + right) / 2;
        char text[FORMAT_SIZE_MAX];
        double half;

        if (to <= from)
                return;
        format_size(size, text);
        half = size && to - from >= COLUMNS_LABEL ? (double) strlen(text) * CHARACTER / 2 + 6 : 0;
        if (half > 0 && right - left > 2 * half + 10) {
                fprintf(s->f, "  <path class=\"rule dots\" d=\"M%g %gH%gM%g %gH%g\"/>\n", left, middle, centre - half,
                        centre + half, middle, right);
                fprintf(s->f, "  <text class=\"soft middle\" x=\"%g\" y=\"%g\">%s</text>\n", centre, middle + 4.5, text);
                return;
        }
        if (right > left)
                fprintf(s->f, "  <path class=\"rule dots\" d=\"M%g %gH%g\"/>\n", left, middle, right);
}

static double line_y(const struct svg *s, size_t line) {
        size_t above = line;

        for (size_t i = 0; i <= line; i++)
                above += s->p->map.lines[i].skips;
        return TOP + (double) above * LINE;
}

static void put_line(struct svg *s, size_t line) {
        const struct map *m = &s->p->map;
        const struct map_line *l = &m->lines[line];
        double y = line_y(s, line);
        char text[ADDRESS_TEXT_MAX];

        if (!l->continues)
                fprintf(s->f, "  <text class=\"mono soft end\" x=\"%d\" y=\"%g\">%s</text>\n", LEFT - 12, y + 13,
                        format_address_within(l->start, false, ADDRESS_ROOM, text));
        for (size_t i = l->cells, end; i < l->cells + l->n; i = end) {
                end = run_end(s, i, l->cells + l->n);
                put_box(s, i, end, y);
                if (end < l->cells + l->n)
                        put_hole(s, column_of(s, end - 1) + m->zoom, column_of(s, end), y,
                                 m->cells[end].first - m->cells[end - 1].last - 1);
        }
}

/* What lies between a line and the one before it. */
static void put_hole_before(struct svg *s, size_t line) {
        const struct map *m = &s->p->map;
        const struct map_line *l = &m->lines[line];
        unsigned end = column_of(s, l->cells - 1) + m->zoom, begin = column_of(s, l->cells);
        uint64_t size = picture_hole(s->p, line);
        double y = line_y(s, line);

        if (l->skips) {
                fprintf(s->f, "  <text class=\"mono soft end\" x=\"%d\" y=\"%g\">&#8942;</text>\n", LEFT - 12, y - LINE + 13);
                put_hole(s, 0, m->columns * m->zoom, y - LINE, size);
        } else if (l->continues)
                put_hole(s, end, begin, line_y(s, line - 1), size);
        else {
                unsigned trailing = m->columns * m->zoom - end;

                put_hole(s, end, m->columns * m->zoom, line_y(s, line - 1), trailing >= begin ? size : 0);
                put_hole(s, 0, begin, y, trailing >= begin ? 0 : size);
        }
}

/* -- beside, above and below */

static bool same_group(const struct map *m, size_t a, size_t b) {
        return a < m->n_lines && b < m->n_lines && m->lines[a].group == m->lines[b].group && m->lines[a].group >= 0;
}

/* The lines of a node are held together by a bracket; what is new in a line stands beside it. */
static void put_beside(struct svg *s, size_t line) {
        const struct map *m = &s->p->map;
        const struct map_line *l = &m->lines[line];
        double x = x_of(COLUMNS) + 12, y = line_y(s, line), bottom;
        bool first = line == 0 || !same_group(m, line, line - 1);
        _cleanup_free_ char *nodes = NULL, *devices = NULL, *before = NULL;
        size_t last = line, room = 36;

        if (first) {
                while (same_group(m, last + 1, line))
                        last++;
                bottom = line_y(s, last) + BAR;
                fprintf(s->f, "  <path class=\"rule\" stroke-width=\"1.5\" d=\"M%g %gh5V%gh-5\"/>\n", x, y + 1, bottom - 1);
                nodes = picture_describe_nodes(s->p, l);
                if (strlen(nodes) > 30)
                        strcpy(nodes + 27, "...");
                room -= strlen(nodes);
        } else
                before = picture_describe_devices(s->p, l - 1, SIZE_MAX);
        devices = picture_describe_devices(s->p, l, SIZE_MAX);
        if (before && strcmp(before, devices) == 0)
                return;
        free(devices);
        devices = picture_describe_devices(s->p, l, room);
        fprintf(s->f, "  <text x=\"%g\" y=\"%g\">", x + 14, y + 13);
        if (nodes && *nodes)
                fprintf(s->f, "<tspan class=\"text strong\">%s</tspan><tspan class=\"soft\" dx=\"8\">", nodes);
        else
                fputs("<tspan class=\"soft\">", s->f);
        put_text(s, devices);
        fputs("</tspan></text>\n", s->f);
}

static void put_axis(struct svg *s) {
        const struct map *m = &s->p->map;
        char text[ADDRESS_TEXT_MAX];

        for (unsigned quarter = 0; quarter < 4; quarter++) {
                double x = x_of(COLUMNS / 4 * quarter);

                format_address(m->cell_size * (m->columns / 4 * quarter), false, text);
                fprintf(s->f, "  <path class=\"rule\" d=\"M%g %dv6\"/>\n", x + 0.5, TOP - 12);
                fprintf(s->f, "  <text class=\"mono soft\" x=\"%g\" y=\"%d\">+%s</text>\n", x + 5, TOP - 9, text);
        }
}

static void sum_up(const struct picture *p, uint64_t *ret_online, uint64_t *ret_offline, uint64_t *ret_device) {
        *ret_online = *ret_offline = *ret_device = 0;
        for (size_t i = 0; i < p->n; i++) {
                const struct area *a = &p->areas[i];

                *(a->blockless ? ret_device : a->block.state == BLOCK_ONLINE ? ret_online : ret_offline) +=
                        a->last - a->start + 1;
        }
}

static void put_summary(struct svg *s) {
        char online[FORMAT_SIZE_MAX], offline[FORMAT_SIZE_MAX], device[FORMAT_SIZE_MAX], block[FORMAT_SIZE_MAX];
        uint64_t sums[3];

        sum_up(s->p, &sums[0], &sums[1], &sums[2]);
        fprintf(s->f, "%s online, %s offline", format_size(sums[0], online), format_size(sums[1], offline));
        if (sums[2])
                fprintf(s->f, ", %s device memory", format_size(sums[2], device));
        fprintf(s->f, ", in blocks of %s.", format_size(s->p->block_size, block));
}

struct legend {
        struct svg *s;
        double top, x;
        unsigned line;
};

/* Where the next entry stands: on this line if it fits there. */
static double begin_entry(struct legend *g, size_t length) {
        double width = (double) length * CHARACTER + 48, x = g->x;

        if (x > LEFT && x + width > WIDTH - EDGE) {
                g->line++;
                x = LEFT;
        }
        g->x = x + width;
        return x;
}

static void put_entry(struct legend *g, const char *name, const char *more, uint8_t value, uint8_t second) {
        double x = begin_entry(g, strlen(name) + 1 + strlen(more)), y = g->top + g->line * LEGEND_LINE;
        struct svg *s = g->s;

        fputs("  ", s->f);
        begin_box(s, x, y, 20, BAR - 3, value, second);
        fprintf(s->f, "/>\n  <text x=\"%g\" y=\"%g\"><tspan class=\"text\">%s</tspan><tspan "
                      "class=\"soft\"%s>%s</tspan></text>\n",
                x + 28, y + 11.5, name, *more ? " dx=\"6\"" : "", more);
}

static double put_legend(struct svg *s, double top) {
        struct legend g = { .s = s, .top = top, .x = LEFT };
        const struct map *m = &s->p->map;
        char text[96], size[FORMAT_SIZE_MAX];
        const struct map_cell *mixed = NULL;

        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++) {
                if (!(s->p->used & MAP_VALUE_BIT(v)))
                        continue;
                snprintf(text, sizeof(text), "%s%s", picture_look(s->p, v)->name,
                         s->p->view == VIEW_SOURCE && value_is_offline(v) ? " offline" : "");
                put_entry(&g, text, format_size(s->p->totals[v], size), v, MAP_VALUE_NONE);
        }
        for (size_t i = 0; i < m->n_cells && !mixed; i++)
                if (m->cells[i].second != MAP_VALUE_NONE)
                        mixed = &m->cells[i];
        if (mixed)
                put_entry(&g, "two colours: several in one place", "", mixed->value, mixed->second);
        return top + (g.line + 1) * LEGEND_LINE;
}

static double bottom_of(const struct svg *s) {
        return s->p->map.n_lines ? line_y(s, s->p->map.n_lines - 1) + LINE : TOP;
}

/* The document's height is known when its legend is: that is drawn first, into memory. */
static void put_document(struct svg *s, const char *legend, double height) {
        fprintf(s->f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %g\" width=\"%d\" height=\"%g\" role=\"img\" "
                "aria-labelledby=\"map-title map-desc\">\n"
                "  <title id=\"map-title\">Physical memory by %s</title>\n  <desc id=\"map-desc\">", WIDTH, height, WIDTH, height,
                view_to_string(s->p->view));
        put_summary(s);
        fputs(" Addresses rise from left to right and from top to bottom; rows without memory are left out.</desc>\n", s->f);
        put_style(s);
        put_patterns(s);
        fprintf(s->f, "  <rect class=\"ground\" width=\"%d\" height=\"%g\" rx=\"10\"/>\n", WIDTH, height);
        fprintf(s->f, "  <text class=\"text head\" x=\"%d\" y=\"42\">Physical memory by %s</text>\n", LEFT,
                view_to_string(s->p->view));
        fprintf(s->f, "  <text class=\"soft\" x=\"%d\" y=\"64\">", LEFT);
        put_summary(s);
        fputs("</text>\n", s->f);
        if (s->p->map.n_lines)
                put_axis(s);
        for (size_t i = 0; i < s->p->map.n_lines; i++) {
                if (i > 0)
                        put_hole_before(s, i);
                put_line(s, i);
                put_beside(s, i);
        }
        fputs(legend, s->f);
        fputs("</svg>\n", s->f);
}

static void draw(FILE *f, const struct picture *p) {
        struct svg s = { .p = p };
        _cleanup_free_ char *legend = NULL;
        double height;
        size_t size;

        s.f = open_memstream(&legend, &size);
        if (!s.f)
                out_of_memory();
        height = put_legend(&s, bottom_of(&s) + 22);
        if (fclose(s.f) != 0)
                out_of_memory();
        s.f = f;
        put_document(&s, legend, height + EDGE - 8);
}

enum status map_write_svg(struct picture *p, const struct options *o) {
        _cleanup_fclose_ FILE *f = NULL;
        FILE *closed;

        picture_layout(p, COLUMNS, LINES_MAX);
        if (strcmp(o->svg, "-") == 0) {
                draw(stdout, p);
                return STATUS_DONE; /* output_finish() looks whether it was written */
        }
        f = fopen(o->svg, "we");
        if (!f) {
                complain("%s: cannot be written: %s", o->svg, strerror(errno));
                return STATUS_FAILED;
        }
        draw(f, p);
        errno = EIO;
        closed = TAKE_PTR(f);
        if (ferror(closed) | fclose(closed)) {
                complain("%s: cannot be written: %s", o->svg, strerror(errno));
                return STATUS_FAILED;
        }
        return STATUS_DONE;
}
