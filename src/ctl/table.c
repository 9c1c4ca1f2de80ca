/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <strings.h>

#include "ctl/output.h"

static int column_find(const struct column_set *set, const char *name, size_t n) {
        for (size_t i = 0; i < set->n; i++)
                if (strlen(set->items[i].name) == n && strncasecmp(set->items[i].name, name, n) == 0)
                        return (int) i;
        return -EINVAL;
}

static int complain_column(const struct column_set *set, const char *name, size_t n) {
        _cleanup_free_ char *known = format_text("%s", "");

        for (size_t i = 0; i < set->n; i++) {
                char *longer = format_text("%s %s", known, set->items[i].name);

                free(known);
                known = longer;
        }
        complain("%.*s: no such column; there are%s", (int) n, name, known);
        return -EINVAL;
}

int column_choice_parse(const struct column_set *set, const char *list, struct column_choice *ret) {
        struct column_choice c = { .explicit = list && *list != '+' };

        if (!list || *list == '+')
                for (size_t i = 0; i < set->n; i++)
                        if (!set->items[i].optional)
                                c.items[c.n++] = (unsigned) i;
        for (const char *p = list ? list + (*list == '+') : NULL; p; p++) {
                const char *end = strchrnul(p, ',');
                int column = column_find(set, p, (size_t) (end - p));

                if (column < 0)
                        return complain_column(set, p, (size_t) (end - p));
                if (!column_choice_has(&c, (unsigned) column))
                        c.items[c.n++] = (unsigned) column;
                p = end;
                if (!*p)
                        break;
        }
        *ret = c;
        return 0;
}

bool column_choice_has(const struct column_choice *c, unsigned column) {
        for (size_t i = 0; i < c->n; i++)
                if (c->items[i] == column)
                        return true;
        return false;
}

static uint32_t table_text(struct table *t, const char *text) {
        size_t n = strlen(text) + 1, at = t->n_texts;

        while (t->capacity_texts < at + n || !t->texts)
                if (!GROW(t->texts, t->capacity_texts, t->capacity_texts))
                        out_of_memory();
        memcpy(t->texts + at, text, n);
        t->n_texts += n;
        return (uint32_t) at;
}

static void add_column(struct table *t, const struct column *c, const char *name) {
        if (t->n_columns == TABLE_COLUMNS_MAX)
                return; /* table_set_nth() knows */
        t->columns[t->n_columns] = c;
        t->names[t->n_columns] = name;
        t->widths[t->n_columns++] = t->legend ? text_width(name) : 0;
}

void table_init(struct table *t, const struct column_set *set, const struct column_choice *choice, bool legend,
                const char *const *repeated, size_t n_repeated) {
        *t = (struct table) { .set = set, .legend = legend, .may_hide = !choice->explicit, .n_repeated = n_repeated };
        for (size_t i = 0; i < COLUMNS_MAX; i++)
                t->position[i] = -1;
        for (size_t i = 0; i < choice->n; i++) {
                const struct column *c = &set->items[choice->items[i]];

                t->position[choice->items[i]] = (int) t->n_columns;
                for (size_t k = 0; k < (c->repeated ? n_repeated : 1); k++)
                        add_column(t, c, c->repeated ? repeated[k] : c->name);
        }
        (void) table_text(t, "-"); /* where nothing was set: at 0 */
}

void table_done(struct table *t) {
        free(t->cells);
        free(t->texts);
        *t = (struct table) {};
}

/* Kept once where the cell above says the same, as most do. */
static uint32_t keep_text(struct table *t, size_t column, const char *text) {
        const struct cell *above = t->n_cells >= 2 * t->n_columns ? &t->cells[t->n_cells - 2 * t->n_columns + column] : NULL;

        return above && strcmp(t->texts + above->text, text) == 0 ? above->text : table_text(t, text);
}

void table_add_row(struct table *t) {
        for (size_t i = 0; i < t->n_columns; i++) {
                if (!GROW(t->cells, t->n_cells, t->capacity_cells))
                        out_of_memory();
                t->cells[t->n_cells++] = (struct cell) { 0, COLOUR_NONE };
        }
}

static struct cell *last_cell(const struct table *t, unsigned column, size_t nth) {
        size_t n = (size_t) t->position[column] + nth;

        return t->position[column] < 0 || n >= t->n_columns ? NULL : &t->cells[t->n_cells - t->n_columns + n];
}

void table_set_nth(struct table *t, unsigned column, size_t nth, const char *text) {
        size_t n = (size_t) t->position[column] + nth;
        struct cell *cell = last_cell(t, column, nth);

        if (!cell)
                return;
        if (!text || !*text)
                text = "-";
        cell->text = keep_text(t, n, text);
        t->widths[n] = MAX(t->widths[n], text_width(text));
}

void table_set(struct table *t, unsigned column, const char *text) {
        table_set_nth(t, column, 0, text);
}

void table_colour(struct table *t, unsigned column, enum colour c) {
        struct cell *cell = last_cell(t, column, 0);

        if (cell)
                cell->colour = (uint8_t) c;
}

/* ---- elsewhere than on a terminal --------------------------------------------------------------------------------- */

/* There are neither colours nor an edge, but there may be half a million lines. */

static void print_cell(const struct table *t, size_t column, const char *text) {
        size_t padding = t->widths[column] - MIN(t->widths[column], text_width(text));
        bool right = t->columns[column]->right, last = column + 1 == t->n_columns;

        for (size_t i = 0; right && i < padding; i++)
                putchar(' ');
        print_safe(stdout, text);
        for (size_t i = 0; !right && !last && i < padding; i++)
                putchar(' ');
        putchar(last ? '\n' : ' ');
}

static void print_plain(const struct table *t) {
        for (size_t i = 0; t->legend && t->n_cells && i < t->n_columns; i++)
                print_cell(t, i, t->names[i]);
        for (size_t i = 0; i < t->n_cells; i++)
                print_cell(t, i % t->n_columns, t->texts + t->cells[i].text); /* NOLINT(clang-analyzer-core*): a cell has a column */
}

/* ---- on a terminal ------------------------------------------------------------------------------------------------ */

struct view {
        const struct table *table;
        struct libscols_table *scols;
        bool hidden[TABLE_COLUMNS_MAX];
};

/* Columns that wrap give way as far as their headings. */
static size_t view_width(const struct view *v) {
        const struct table *t = v->table;
        size_t width = 0;

        for (size_t i = 0; i < t->n_columns; i++)
                if (!v->hidden[i])
                        width += (width ? 1 : 0) + (t->columns[i]->wrap ? MIN(t->widths[i], (size_t) 20) : t->widths[i]);
        return width;
}

/* The next column of the set that may go; -1: none. */
static int find_spare(const struct view *v) {
        const struct table *t = v->table;
        int found = -1;

        for (unsigned i = 0; i < t->set->n; i++) {
                const struct column *c = &t->set->items[i];

                if (c->spare && t->position[i] >= 0 && (found < 0 || c->spare > t->set->items[found].spare) &&
                    !v->hidden[t->position[i]])
                        found = (int) i;
        }
        return found;
}

static void hide(struct view *v, unsigned column) {
        const struct table *t = v->table;
        size_t first = (size_t) t->position[column], n = t->set->items[column].repeated ? t->n_repeated : 1;

        for (size_t i = first; i < first + n && i < t->n_columns; i++)
                v->hidden[i] = true;
}

/* To be freed: the names of what had to go, or NULL. */
static char *hide_spare(struct view *v, size_t width) {
        char *hidden = NULL;
        int spare;

        while (v->table->may_hide && view_width(v) > width && (spare = find_spare(v)) >= 0) {
                char *longer = format_text("%s%s%s", hidden ?: "", hidden ? "," : "", v->table->set->items[spare].name);

                free(hidden);
                hidden = longer;
                hide(v, (unsigned) spare);
        }
        return hidden;
}

static void fill(struct view *v) {
        static const char *const colours[_COLOUR_MAX] = { "green", "yellow", "red", "bold", "halfbright" };
        const struct table *t = v->table;
        struct libscols_line *line = NULL;
        int r = 0;

        for (size_t i = 0; i < t->n_columns; i++) {
                const struct column *c = t->columns[i];
                int flags = (c->right ? SCOLS_FL_RIGHT : 0) | (c->wrap ? SCOLS_FL_WRAP : 0) | (v->hidden[i] ? SCOLS_FL_HIDDEN : 0);

                if (!scols_table_new_column(v->scols, t->names[i], 0, flags))
                        out_of_memory();
        }
        for (size_t i = 0; i < t->n_cells && r >= 0; i++) {
                /* NOLINTNEXTLINE(clang-analyzer-core*): a cell has a column */
                if (i % t->n_columns == 0 && !(line = scols_table_new_line(v->scols, NULL)))
                        out_of_memory();
                r = scols_line_set_data(line, i % t->n_columns, t->texts + t->cells[i].text);
                if (r >= 0 && t->cells[i].colour < _COLOUR_MAX)
                        r = scols_cell_set_color(scols_line_get_cell(line, i % t->n_columns), colours[t->cells[i].colour]);
        }
        if (r < 0)
                out_of_memory();
}

static void print_on_terminal(const struct table *t, size_t width) {
        struct view v = { .table = t, .scols = scols_new_table() };
        _cleanup_free_ char *hidden = NULL;

        if (!v.scols)
                out_of_memory();
        hidden = hide_spare(&v, width);
        scols_table_enable_noheadings(v.scols, !t->legend);
        scols_table_enable_colors(v.scols, *colour_end() != '\0');
        (void) scols_table_set_termforce(v.scols, SCOLS_TERMFORCE_ALWAYS);
        (void) scols_table_set_termwidth(v.scols, width);
        fill(&v);
        /* A failed write is seen by output_finish(). */
        if (scols_print_table(v.scols) == -ENOMEM)
                out_of_memory();
        scols_unref_table(v.scols);
        if (hidden && t->legend)
                printf("%s(not shown, as the terminal is narrow: %s; see -o)%s\n", colour_begin(COLOUR_FAINT), hidden, colour_end());
}

void table_print(struct table *t) {
        size_t width = (size_t) output_width();

        if (width > 0)
                print_on_terminal(t, width);
        else
                print_plain(t);
}
