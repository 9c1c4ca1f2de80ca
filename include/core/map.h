/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The physical address space laid out as a picture: pieces of memory in, cells out. Pure; allocates two arrays.
 *
 * Rows cover equal ranges of addresses, each from a multiple of its size on, so that a column is the same offset in every
 * row. Rows without memory are left out: memory at high addresses does not squash the rest. A row is made of cells, 2^n of
 * them, so that rows begin at round addresses; a cell is one block, some characters wide, or 2^n blocks in one character:
 * the least that keeps the picture within its lines. A line is what one group (NUMA node) has of a row: where the group
 * changes, a new line begins at that column.
 *
 * A cell that mixes values shows two of them: the one that most of its bytes have (of equals, the lower), and of the others
 * an urgent one if there is any, else the one with most bytes. So what is urgent is never hidden, however little it is.
 * A cell in which one group ends and another begins is of the one that has more of it, unless the other has no cell of
 * its own beside it; one that mixes groups in another way is of none. A hole in a cell that has memory is not shown. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

#define MAP_VALUES_MAX 64
#define MAP_VALUE_NONE UINT8_MAX
#define MAP_GROUP_SEVERAL (-1)
#define MAP_ZOOM_MAX 8

typedef uint64_t map_values;
#define MAP_VALUE_BIT(v) (UINT64_C(1) << (v))

struct map_piece {
        uint64_t start, last; /* bytes, last included */
        uint8_t value;        /* below MAP_VALUES_MAX */
        int group;            /* from 0 */
};

struct map_cell {
        uint64_t start;       /* its address; its size is that of all cells */
        uint64_t first, last; /* of the memory in it */
        uint64_t bytes;       /* of memory in it */
        map_values values;    /* all there are */
        uint8_t value, second; /* MAP_VALUE_NONE: no second */
        int group;            /* or MAP_GROUP_SEVERAL */
        uint32_t column;      /* in cells */
};

struct map_line {
        uint64_t start;  /* address of column 0 */
        size_t cells, n; /* which: at least one; columns that have none are holes */
        int group;
        bool continues;  /* the same row as the line before */
        bool skips;      /* rows were left out before it: to be told by a line of its own */
};

struct map {
        uint64_t cell_size; /* bytes */
        unsigned columns;   /* cells of a row */
        unsigned zoom;      /* characters of a cell: more than one only if it is one block */
        struct map_cell *cells; /* by address; only those with memory */
        size_t n_cells;
        struct map_line *lines;
        size_t n_lines, n_skips; /* their sum is within what was asked for */
};

/* pieces: by address; what overlaps an earlier one is passed over. block_size: a power of two. width: characters that a row
 * may have, at least 2. lines: at least 4. 0, -EINVAL or -ENOMEM. */
int map_layout(const struct map_piece *pieces, size_t n, uint64_t block_size, unsigned width, unsigned lines,
               map_values urgent, struct map *ret);
void map_done(struct map *m);
