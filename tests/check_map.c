/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/map.h"

#include "check_util.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define BLOCK (128 * M)
#define URGENT UINT64_C(0xaaaaaaaaaaaaaaaa) /* odd values */

static struct map_piece blocks(uint64_t first, uint64_t n, uint8_t value, int group) {
        return (struct map_piece) { first * BLOCK, (first + n) * BLOCK - 1, value, group };
}

static void layout(const struct map_piece *pieces, size_t n, unsigned width, unsigned lines, struct map *ret) {
        *ret = (struct map) {};
        ck_assert_int_eq(map_layout(pieces, n, BLOCK, width, lines, URGENT, ret), 0);
}

/* -- what holds of every picture */

/* The bytes of a piece that lie in the cell; pieces that overlap are not asked for here. */
static uint64_t overlap(const struct map *m, const struct map_cell *c, const struct map_piece *p) {
        uint64_t end = c->start + (m->cell_size - 1), from = p->start > c->start ? p->start : c->start;
        uint64_t to = p->last < end ? p->last : end;

        return p->start > end || p->last < c->start ? 0 : to - from + 1;
}

/* Counted anew from the pieces: what is in the cell. */
static void check_cell(const struct map *m, const struct map_cell *c, const struct map_piece *pieces, size_t n) {
        uint64_t of_value[MAP_VALUES_MAX] = {}, bytes = 0, first = UINT64_MAX, last = 0;
        map_values values = 0;
        bool grouped = c->group == MAP_GROUP_SEVERAL;

        for (size_t i = 0; i < n; i++) {
                uint64_t some = overlap(m, c, &pieces[i]);

                if (some == 0)
                        continue;
                bytes += some;
                of_value[pieces[i].value] += some;
                values |= MAP_VALUE_BIT(pieces[i].value);
                if (pieces[i].start < first)
                        first = pieces[i].start > c->start ? pieces[i].start : c->start;
                last = pieces[i].last - c->start < m->cell_size ? pieces[i].last : c->start + (m->cell_size - 1);
                grouped = grouped || pieces[i].group == c->group;
        }
        CHECK(bytes > 0 && bytes == c->bytes && values == c->values && first == c->first && last == c->last);
        CHECK(grouped);
        CHECK(values & MAP_VALUE_BIT(c->value));
        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++) {
                CHECK(of_value[v] <= of_value[c->value]);
                CHECK(of_value[v] < of_value[c->value] || v >= c->value);
        }
        if (c->second == MAP_VALUE_NONE) {
                CHECK(values == MAP_VALUE_BIT(c->value));
                return;
        }
        CHECK(c->second != c->value && (values & MAP_VALUE_BIT(c->second)));
        /* What is urgent is seen. */
        if (values & URGENT)
                CHECK((MAP_VALUE_BIT(c->value) | MAP_VALUE_BIT(c->second)) & URGENT);
        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++)
                if (v != c->value && v % 2 == c->second % 2)
                        CHECK(of_value[v] <= of_value[c->second]);
}

static void check_picture(const struct map *m, const struct map_piece *pieces, size_t n, unsigned width, unsigned lines) {
        uint64_t total = 0, drawn = 0;
        size_t cells = 0, skips = 0;

        CHECK(m->columns >= 2 && m->zoom >= 1 && m->zoom <= MAP_ZOOM_MAX && m->columns * m->zoom <= width);
        CHECK((m->columns & (m->columns - 1)) == 0 && (m->cell_size & (m->cell_size - 1)) == 0 && m->cell_size >= BLOCK);
        CHECK(m->zoom == 1 || m->cell_size == BLOCK);
        CHECK(m->n_lines + m->n_skips <= lines);
        for (size_t i = 0; i < m->n_cells; i++) {
                const struct map_cell *c = &m->cells[i];

                CHECK(c->start % m->cell_size == 0);
                CHECK(i == 0 || c->start > c[-1].start);
                CHECK(c->first >= c->start && c->last >= c->first && c->last - c->start < m->cell_size);
                drawn += c->bytes;
        }
        for (size_t i = 0; i < n; i++)
                total += pieces[i].last - pieces[i].start + 1;
        CHECK(drawn == total);
        for (size_t i = 0; i < m->n_lines; i++) {
                const struct map_line *l = &m->lines[i];
                uint64_t row = l->start / m->cell_size / m->columns;

                CHECK(l->cells == cells && l->n > 0);
                CHECK(row * m->columns * m->cell_size == l->start);
                for (size_t k = l->cells; k < l->cells + l->n; k++) {
                        CHECK(m->cells[k].group == l->group && m->cells[k].column < m->columns);
                        CHECK(m->cells[k].start == l->start + m->cells[k].column * m->cell_size);
                }
                if (i > 0) {
                        uint64_t before = l[-1].start / m->cell_size / m->columns;

                        CHECK(l->continues == (row == before) && l->skips == (row > before + 1));
                        CHECK(!l->continues || l->group != l[-1].group);
                } else
                        CHECK(!l->continues && !l->skips);
                skips += l->skips;
                cells += l->n;
        }
        CHECK(cells == m->n_cells && skips == m->n_skips);
}

/* A machine that nobody would build. */
static size_t invent(struct prng *r, struct map_piece *pieces, size_t max, bool whole) {
        uint64_t at = prng_below(r, 3) ? 0 : prng_number(r) >> 30;
        size_t n = prng_below(r, (unsigned) max);
        unsigned spread = 1 + prng_below(r, 30);

        for (size_t i = 0; i < n; i++) {
                uint64_t size = 1 + (prng_number(r) >> 54) * (prng_below(r, 8) ? 1 : 300);

                if (prng_below(r, 3) == 0)
                        at += prng_next(r) >> (64 - spread);
                pieces[i] = blocks(at, size, (uint8_t) prng_below(r, 1 + prng_below(r, MAP_VALUES_MAX)), (int) prng_below(r, 4));
                at += size;
                if (!whole && prng_below(r, 2)) {
                        pieces[i].start += prng_below(r, 100 << 20);
                        pieces[i].last -= prng_below(r, 20 << 20);
                }
        }
        return n;
}

START_TEST(test_properties) {
        enum { PIECES = 60 };
        struct prng r = { (uint64_t) _i * 77 + 5 };
        struct map_piece pieces[PIECES];

        for (unsigned width = 20; width <= 400; width++) {
                size_t n = invent(&r, pieces, PIECES, _i % 2);
                unsigned lines = 4 + prng_below(&r, 60);
                struct map m;

                layout(pieces, n, width, lines, &m);
                check_picture(&m, pieces, n, width, lines);
                for (size_t i = 0; i < m.n_cells; i++)
                        check_cell(&m, &m.cells[i], pieces, n);
                map_done(&m);
        }
}
END_TEST

/* Every block is in one cell, and in that alone. */
START_TEST(test_blocks) {
        enum { PIECES = 40 };
        struct prng r = { 99 };
        struct map_piece pieces[PIECES];

        for (unsigned run = 0; run < 100; run++) {
                size_t n = invent(&r, pieces, PIECES, true);
                struct map m;

                layout(pieces, n, 20 + prng_below(&r, 381), 4 + prng_below(&r, 40), &m);
                for (size_t i = 0; i < n; i++)
                        for (uint64_t block = pieces[i].start; block <= pieces[i].last; block += BLOCK) {
                                size_t found = 0;

                                for (size_t k = 0; k < m.n_cells; k++)
                                        if (block >= m.cells[k].first && block + BLOCK - 1 <= m.cells[k].last) {
                                                found++;
                                                CHECK(m.cells[k].values & MAP_VALUE_BIT(pieces[i].value));
                                        } else
                                                CHECK(block + BLOCK - 1 < m.cells[k].start ||
                                                      block > m.cells[k].start + (m.cell_size - 1));
                                CHECK(found == 1);
                                if (block - pieces[i].start > 50 * BLOCK)
                                        break;
                        }
                map_done(&m);
        }
}
END_TEST

/* More lines never make the picture coarser. */
START_TEST(test_finer) {
        enum { PIECES = 60 };
        struct prng r = { 4711 };
        struct map_piece pieces[PIECES];

        for (unsigned run = 0; run < 200; run++) {
                size_t n = invent(&r, pieces, PIECES, true);
                uint64_t cell = UINT64_MAX;
                unsigned zoom = 0;

                for (unsigned lines = 4; lines < 100; lines += 7) {
                        struct map m;

                        layout(pieces, n, 100, lines, &m);
                        CHECK(m.cell_size <= cell && (m.cell_size < cell || m.zoom >= zoom));
                        cell = m.cell_size;
                        zoom = m.zoom;
                        map_done(&m);
                }
        }
}
END_TEST

/* -- machines */

START_TEST(test_small) {
        const struct map_piece pieces[] = { blocks(0, 8, 0, 0), blocks(32, 8, 2, 1), blocks(41, 15, 3, 1) };
        struct map m;

        layout(pieces, 3, 70, 16, &m);
        check_picture(&m, pieces, 3, 70, 16);
        ck_assert_uint_eq(m.columns, 8);
        ck_assert_uint_eq(m.zoom, 8);
        ck_assert_uint_eq(m.cell_size, BLOCK);
        ck_assert_uint_eq(m.n_lines, 4);
        ck_assert_uint_eq(m.n_skips, 1);
        ck_assert(m.lines[1].skips && !m.lines[2].skips);
        ck_assert_uint_eq(m.lines[1].start, 4 * G);
        ck_assert_uint_eq(m.cells[m.lines[2].cells].column, 1);
        map_done(&m);
        layout(pieces, 3, 20, 16, &m);
        ck_assert_uint_eq(m.columns * m.zoom, 16);
        map_done(&m);
}
END_TEST

/* One block far away does not cost the others their place. */
START_TEST(test_far) {
        struct map_piece pieces[] = { blocks(0, 64, 0, 0), blocks(1 << 30, 1, 1, 1) };
        struct map near, far;

        layout(pieces, 1, 64, 16, &near);
        layout(pieces, 2, 64, 16, &far);
        ck_assert_uint_eq(near.cell_size, far.cell_size);
        ck_assert_uint_eq(near.zoom, far.zoom);
        ck_assert_uint_eq(far.n_lines, near.n_lines + 1);
        ck_assert(far.lines[far.n_lines - 1].skips);
        map_done(&near);
        map_done(&far);
}
END_TEST

/* 131072 blocks, one of them offline: it is seen. */
START_TEST(test_large) {
        const struct map_piece pieces[] = {
                blocks(0, 65536, 0, 0), blocks(65536, 1000, 2, 1), blocks(66536, 1, 3, 1), blocks(66537, 64535, 2, 1),
        };
        size_t seen = 0;
        struct map m;

        layout(pieces, 4, 64, 16, &m);
        check_picture(&m, pieces, 4, 64, 16);
        ck_assert_uint_eq(m.zoom, 1);
        for (size_t i = 0; i < m.n_cells; i++)
                if (m.cells[i].second == 3) {
                        ck_assert_uint_eq(m.cells[i].value, 2);
                        seen++;
                }
        ck_assert_uint_eq(seen, 1);
        map_done(&m);
}
END_TEST

/* 131072 blocks of which each is unlike its neighbours. */
START_TEST(test_alternating) {
        enum { N = 131072 };
        struct map_piece *pieces = calloc(N, sizeof(*pieces));
        struct map m;

        ck_assert_ptr_nonnull(pieces);
        for (unsigned i = 0; i < N; i++)
                pieces[i] = blocks(2 * i, 1, i % 3, (int) (i % 2));
        layout(pieces, N, 100, 20, &m);
        check_picture(&m, pieces, N, 100, 20);
        ck_assert_int_eq(m.lines[0].group, MAP_GROUP_SEVERAL);
        map_done(&m);
        free(pieces);
}
END_TEST

START_TEST(test_groups) {
        /* Cells of four blocks, as 8 lines of 16 are too few for more than 128 blocks. */
        static const struct {
                uint64_t sizes[4];
                int groups[4], cells[4]; /* the groups of the pieces, and of the first cells; -9: whatever */
        } rows[] = {
                { { 5, 600 }, { 0, 1 }, { 0, 1, 1, 1 } },   /* a quarter and three quarters: to who has more */
                { { 7, 600 }, { 0, 1 }, { 0, 0, 1, 1 } },
                { { 6, 600 }, { 0, 1 }, { 0, 0, 1, 1 } },   /* half and half: to the first */
                { { 1, 600 }, { 0, 1 }, { 0, 1, 1, 1 } },   /* else the first had none */
                { { 4, 1, 600 }, { 0, 1, 2 }, { 0, 1, 2, 2 } },
                { { 5, 1, 600 }, { 0, 1, 2 }, { 0, MAP_GROUP_SEVERAL, 2, 2 } },
                { { 4, 1, 600 }, { 0, 1, 0 }, { 0, 1, 0, 0 } }, /* what begins there has no other cell */
                { { 5, 1, 600 }, { 0, 1, 0 }, { 0, MAP_GROUP_SEVERAL, 0, 0 } },
                { { 4, 601, 1 }, { 0, 1, 2 }, { 0, 1, 1, 1 } },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct map_piece pieces[4];
                uint64_t at = 0;
                size_t n = 0;
                struct map m;

                for (; n < 4 && rows[i].sizes[n]; n++) {
                        pieces[n] = blocks(at, rows[i].sizes[n], 0, rows[i].groups[n]);
                        at += rows[i].sizes[n];
                }
                layout(pieces, n, 16, 13, &m);
                ck_assert_uint_eq(m.cell_size, 4 * BLOCK);
                for (size_t k = 0; k < 4; k++)
                        ck_assert_msg(m.cells[k].group == rows[i].cells[k], "row %zu, cell %zu: %d", i, k, m.cells[k].group);
                map_done(&m);
        }
}
END_TEST

/* -- the ends of the numbers */

START_TEST(test_ends) {
        const struct map_piece top[] = {
                { 0, UINT64_MAX / 2, 0, 0 }, { UINT64_MAX / 2 + 1, UINT64_MAX, 1, 1 },
        };
        const struct map_piece last = { UINT64_MAX - BLOCK + 1, UINT64_MAX, 0, 0 };
        const struct map_piece bytes[] = { { 0, 0, 0, 0 }, { 1, 1, 1, 1 }, { UINT64_MAX, UINT64_MAX, 2, 2 } };
        struct map m;

        layout(NULL, 0, 80, 4, &m);
        ck_assert_uint_eq(m.n_cells + m.n_lines, 0);
        map_done(&m);
        layout(top, 2, 80, 4, &m);
        ck_assert_uint_le(m.n_lines, 4);
        map_done(&m);
        layout(&last, 1, 80, 4, &m);
        check_picture(&m, &last, 1, 80, 4);
        ck_assert_uint_eq(m.n_cells, 1);
        map_done(&m);
        layout(bytes, 3, 2, 4, &m);
        ck_assert_uint_eq(m.cells[0].bytes, 2);
        ck_assert_int_eq(m.cells[0].group, MAP_GROUP_SEVERAL);
        ck_assert_uint_eq(m.cells[1].last, UINT64_MAX);
        map_done(&m);
}
END_TEST

/* /proc/iomem is somebody else's: pieces that overlap are drawn once. */
START_TEST(test_overlap) {
        const struct map_piece pieces[] = { blocks(0, 8, 0, 0), blocks(2, 3, 1, 1), blocks(4, 8, 2, 0), blocks(4, 8, 3, 0) };
        uint64_t bytes = 0;
        struct map m;

        layout(pieces, 4, 80, 16, &m);
        ck_assert_uint_eq(m.n_cells, 12);
        for (size_t i = 0; i < m.n_cells; i++) {
                bytes += m.cells[i].bytes;
                ck_assert_uint_eq(m.cells[i].value, i < 8 ? 0 : 2);
        }
        ck_assert_uint_eq(bytes, 12 * BLOCK);
        map_done(&m);
}
END_TEST

START_TEST(test_invalid) {
        struct map m = { .zoom = 77 };

        ck_assert_int_eq(map_layout(NULL, 0, 0, 80, 16, 0, &m), -EINVAL);
        ck_assert_int_eq(map_layout(NULL, 0, 3 * M, 80, 16, 0, &m), -EINVAL);
        ck_assert_int_eq(map_layout(NULL, 0, BLOCK, 1, 16, 0, &m), -EINVAL);
        ck_assert_int_eq(map_layout(NULL, 0, BLOCK, 80, 3, 0, &m), -EINVAL);
        ck_assert_uint_eq(m.zoom, 77);
}
END_TEST

int main(void) {
        Suite *s = suite_create("map");
        TCase *properties = check_case(s, "properties"), *machines = check_case(s, "machines"), *ends = check_case(s, "ends");

        tcase_add_loop_test(properties, test_properties, 0, 8);
        tcase_add_test(properties, test_blocks);
        tcase_add_test(properties, test_finer);
        tcase_add_test(machines, test_small);
        tcase_add_test(machines, test_far);
        tcase_add_test(machines, test_large);
        tcase_add_test(machines, test_alternating);
        tcase_add_test(machines, test_groups);
        tcase_add_test(ends, test_ends);
        tcase_add_test(ends, test_overlap);
        tcase_add_test(ends, test_invalid);
        return check_run(s);
}
