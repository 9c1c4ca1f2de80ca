/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/map.h"

#include <errno.h>
#include <string.h>

/* With fewer cells a row is no row: blocks are not stretched further. */
#define COLUMNS_MIN 8
#define CELL_SIZE_MAX (UINT64_C(1) << 63)

struct builder {
        struct map map;
        size_t cells_capacity, lines_capacity;
        size_t lines_max;
        map_values urgent;
        /* Of the last cell: bytes of each value; which groups begin and end it, what they have, how often they change. */
        uint64_t bytes[MAP_VALUES_MAX];
        int first_group, last_group;
        uint64_t first_bytes, last_bytes;
        unsigned changes;
};

static uint8_t largest(const uint64_t *bytes, map_values among) {
        uint8_t found = MAP_VALUE_NONE;

        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++)
                if ((among & MAP_VALUE_BIT(v)) && (found == MAP_VALUE_NONE || bytes[v] > bytes[found]))
                        found = v;
        return found;
}

/* next_group: of what comes behind the cell, or none. */
static int choose_group(const struct builder *b, int next_group) {
        const struct map_cell *c = &b->map.cells[b->map.n_cells - 1];
        bool first_has = b->map.n_cells > 1 && c[-1].group == b->first_group, last_has = next_group == b->last_group;

        if (b->changes == 0)
                return b->first_group;
        if (b->changes > 1 || (!first_has && !last_has))
                return MAP_GROUP_SEVERAL;
        if (first_has && last_has)
                return b->first_bytes >= b->last_bytes ? b->first_group : b->last_group;
        return first_has ? b->last_group : b->first_group;
}

#define GROUP_NONE (-2)

static void finish_cell(struct builder *b, int next_group) {
        struct map_cell *c;
        map_values others;

        if (b->map.n_cells == 0)
                return;
        c = &b->map.cells[b->map.n_cells - 1];
        c->value = largest(b->bytes, c->values);
        others = c->values & ~MAP_VALUE_BIT(c->value);
        c->second = largest(b->bytes, others & b->urgent ? others & b->urgent : others);
        c->group = choose_group(b, next_group);
        memset(b->bytes, 0, sizeof(b->bytes));
}

static void begin_groups(struct builder *b, int group) {
        b->first_group = b->last_group = group;
        b->first_bytes = b->last_bytes = 0;
        b->changes = 0;
}

static void add_to_group(struct builder *b, int group, uint64_t bytes) {
        if (group != b->last_group) {
                b->changes++;
                b->last_group = group;
                b->last_bytes = 0;
        }
        b->last_bytes += bytes;
        if (b->changes == 0)
                b->first_bytes += bytes;
}

/* The lines are found when all groups of a cell are known. 0, -ENOMEM, or -E2BIG: too many. */
static int add_lines(struct builder *b) {
        struct map *m = &b->map;
        uint64_t row = 0;

        for (size_t i = 0; i < m->n_cells; i++) {
                const struct map_cell *c = &m->cells[i];
                uint64_t cell_row = c->start / m->cell_size / m->columns;
                struct map_line *last = m->n_lines ? &m->lines[m->n_lines - 1] : NULL;

                if (last && cell_row == row && c->group == last->group) {
                        last->n++;
                        continue;
                }
                if (!GROW(m->lines, m->n_lines, b->lines_capacity))
                        return -ENOMEM;
                m->lines[m->n_lines] = (struct map_line) {
                        .start = cell_row * m->columns * m->cell_size,
                        .cells = i,
                        .n = 1,
                        .group = c->group,
                        .continues = m->n_lines > 0 && cell_row == row,
                        .skips = m->n_lines > 0 && cell_row > row + 1,
                };
                m->n_skips += m->lines[m->n_lines++].skips;
                row = cell_row;
                if (m->n_lines + m->n_skips > b->lines_max)
                        return -E2BIG;
        }
        return 0;
}

static int add_cell(struct builder *b, uint64_t index, int group) {
        struct map *m = &b->map;

        finish_cell(b, group);
        begin_groups(b, group);
        /* More cells than the lines can hold: no need to go on. */
        if (m->n_cells == b->lines_max * m->columns)
                return -E2BIG;
        if (!GROW(m->cells, m->n_cells, b->cells_capacity))
                return -ENOMEM;
        m->cells[m->n_cells++] = (struct map_cell) {
                .start = index * m->cell_size,
                .column = (uint32_t) (index % m->columns),
        };
        return 0;
}

static int add_piece(struct builder *b, const struct map_piece *p, uint64_t start) {
        struct map *m = &b->map;
        uint64_t first = start / m->cell_size, last = p->last / m->cell_size;
        int r;

        for (uint64_t index = first;; index++) {
                uint64_t from = index == first ? start : index * m->cell_size;
                uint64_t to = index == last ? p->last : index * m->cell_size + (m->cell_size - 1);
                struct map_cell *c = m->n_cells ? &m->cells[m->n_cells - 1] : NULL;

                if (!c || c->start / m->cell_size != index) {
                        r = add_cell(b, index, p->group);
                        if (r < 0)
                                return r;
                        c = &m->cells[m->n_cells - 1];
                        c->first = from;
                }
                add_to_group(b, p->group, to - from + 1);
                c->last = to;
                c->bytes += to - from + 1;
                c->values |= MAP_VALUE_BIT(p->value);
                b->bytes[p->value] += to - from + 1;
                if (index == last)
                        return 0;
        }
}

static int build(struct builder *b, const struct map_piece *pieces, size_t n) {
        bool any = false;
        uint64_t end = 0; /* the last byte that is taken */
        int r;

        b->map.n_cells = b->map.n_lines = b->map.n_skips = 0;
        memset(b->bytes, 0, sizeof(b->bytes));
        for (size_t i = 0; i < n; i++) {
                const struct map_piece *p = &pieces[i];

                if (any && p->last <= end)
                        continue;
                r = add_piece(b, p, any && p->start <= end ? end + 1 : p->start);
                if (r < 0)
                        return r;
                end = p->last;
                any = true;
        }
        finish_cell(b, GROUP_NONE);
        return add_lines(b);
}

/* From blocks that are as wide as they may be to cells that hold as many blocks as they have to. */
static int search(struct builder *b, const struct map_piece *pieces, size_t n, uint64_t block_size, unsigned width) {
        struct map *m = &b->map;
        int r;

        m->cell_size = block_size;
        for (m->columns = COLUMNS_MIN; m->columns <= width / 2; m->columns *= 2) {
                m->zoom = MIN(width / m->columns, (unsigned) MAP_ZOOM_MAX);
                r = build(b, pieces, n);
                if (r != -E2BIG)
                        return r;
        }
        m->zoom = 1;
        for (m->columns = 2; m->columns <= width / 2;)
                m->columns *= 2;
        for (;; m->cell_size *= 2) {
                r = build(b, pieces, n);
                /* Of the largest size there are two cells at most, hence two lines. */
                if (r != -E2BIG || m->cell_size == CELL_SIZE_MAX)
                        return r;
        }
}

int map_layout(const struct map_piece *pieces, size_t n, uint64_t block_size, unsigned width, unsigned lines,
               map_values urgent, struct map *ret) {
        struct builder b = { .lines_max = lines, .urgent = urgent };
        int r;

        if (width < 2 || lines < 4 || block_size == 0 || (block_size & (block_size - 1)))
                return -EINVAL;
        r = search(&b, pieces, n, block_size, width);
        if (r < 0) {
                map_done(&b.map);
                return r;
        }
        *ret = b.map;
        return 0;
}

void map_done(struct map *m) {
        free(m->cells);
        free(m->lines);
        *m = (struct map) {};
}
