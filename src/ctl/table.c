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

static void add_column(struct table *t, const struct column *c, const char *name) {
        size_t n = scols_table_get_ncols(t->scols);

        if (n == TABLE_COLUMNS_MAX)
                return; /* table_set_nth() knows */
        if (!scols_table_new_column(t->scols, name, 0, (c->right ? SCOLS_FL_RIGHT : 0) | (c->wrap ? SCOLS_FL_WRAP : 0)))
                out_of_memory();
        t->widths[n] = t->legend ? text_width(name) : 0;
}

void table_init(struct table *t, const struct column_set *set, const struct column_choice *choice, bool legend,
                const char *const *repeated, size_t n_repeated) {
        *t = (struct table) { .scols = scols_new_table(), .set = set, .legend = legend, .may_hide = !choice->explicit,
                              .n_repeated = n_repeated };
        if (!t->scols)
                out_of_memory();
        for (size_t i = 0; i < COLUMNS_MAX; i++)
                t->position[i] = -1;
        scols_table_enable_noheadings(t->scols, !legend);
        scols_table_enable_colors(t->scols, *colour_end() != '\0');
        for (size_t i = 0; i < choice->n; i++) {
                const struct column *c = &set->items[choice->items[i]];

                t->position[choice->items[i]] = (int) scols_table_get_ncols(t->scols);
                if (!c->repeated)
                        add_column(t, c, c->name);
                else
                        for (size_t k = 0; k < n_repeated; k++)
                                add_column(t, c, repeated[k]);
        }
}

void table_done(struct table *t) {
        scols_unref_table(t->scols);
        *t = (struct table) {};
}

void table_add_row(struct table *t) {
        t->line = scols_table_new_line(t->scols, NULL);
        if (!t->line)
                out_of_memory();
}

void table_set_nth(struct table *t, unsigned column, size_t nth, const char *text) {
        size_t n = (size_t) t->position[column] + nth;

        if (t->position[column] < 0 || n >= scols_table_get_ncols(t->scols))
                return;
        if (!text || !*text)
                text = "-";
        if (scols_line_set_data(t->line, n, text) < 0)
                out_of_memory();
        t->widths[n] = MAX(t->widths[n], text_width(text));
}

void table_set(struct table *t, unsigned column, const char *text) {
        table_set_nth(t, column, 0, text);
}

void table_colour(struct table *t, unsigned column, enum colour c) {
        static const char *const names[_COLOUR_MAX] = { "green", "yellow", "red", "bold", "halfbright" };
        struct libscols_cell *cell;

        if (c >= _COLOUR_MAX || t->position[column] < 0)
                return;
        cell = scols_line_get_cell(t->line, (size_t) t->position[column]);
        if (cell && scols_cell_set_color(cell, names[c]) == -ENOMEM)
                out_of_memory();
}

/* ---- on a terminal ------------------------------------------------------------------------------------------------ */

/* Columns that wrap give way as far as their headings. */
static size_t table_width(const struct table *t) {
        size_t width = 0;

        for (size_t i = 0; i < scols_table_get_ncols(t->scols); i++) {
                struct libscols_column *c = scols_table_get_column(t->scols, i);

                if (scols_column_is_hidden(c))
                        continue;
                width += (width ? 1 : 0) + (scols_column_is_wrap(c) ? MIN(t->widths[i], (size_t) 20) : t->widths[i]);
        }
        return width;
}

/* The next column of the set that may go; -1: none. */
static int find_spare(const struct table *t) {
        int found = -1;

        for (unsigned i = 0; i < t->set->n; i++) {
                const struct column *c = &t->set->items[i];

                if (c->spare && t->position[i] >= 0 && (found < 0 || c->spare > t->set->items[found].spare) &&
                    !scols_column_is_hidden(scols_table_get_column(t->scols, (size_t) t->position[i])))
                        found = (int) i;
        }
        return found;
}

static void hide(struct table *t, unsigned column) {
        size_t n = t->set->items[column].repeated ? t->n_repeated : 1;

        for (size_t k = 0; k < n && (size_t) t->position[column] + k < scols_table_get_ncols(t->scols); k++)
                (void) scols_column_set_flags(scols_table_get_column(t->scols, (size_t) t->position[column] + k),
                                              SCOLS_FL_HIDDEN);
}

void table_print(struct table *t) {
        size_t width = (size_t) output_width();
        _cleanup_free_ char *hidden = NULL;
        int spare;

        if (width > 0) {
                while (t->may_hide && table_width(t) > width && (spare = find_spare(t)) >= 0) {
                        char *longer = format_text("%s%s%s", hidden ?: "", hidden ? "," : "", t->set->items[spare].name);

                        free(hidden);
                        hidden = longer;
                        hide(t, (unsigned) spare);
                }
                (void) scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_ALWAYS);
                (void) scols_table_set_termwidth(t->scols, width);
        }
        /* A failed write is seen by output_finish(). */
        if (scols_print_table(t->scols) == -ENOMEM)
                out_of_memory();
        if (hidden && t->legend)
                printf("%s(not shown, as the terminal is narrow: %s; see -o)%s\n", colour_begin(COLOUR_FAINT), hidden, colour_end());
}
