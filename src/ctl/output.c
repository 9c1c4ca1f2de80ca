/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/output.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

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
        struct column_choice c = {};

        if (!list || *list == '+')
                for (; c.n < set->n; c.n++)
                        c.items[c.n] = (unsigned) c.n;
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
        if (!scols_table_new_column(t->scols, name, 0, c->right ? SCOLS_FL_RIGHT : 0))
                out_of_memory();
}

void table_init(struct table *t, const struct column_set *set, const struct column_choice *choice, bool legend,
                const char *const *repeated, size_t n_repeated) {
        *t = (struct table) { .scols = scols_new_table() };
        if (!t->scols)
                out_of_memory();
        for (size_t i = 0; i < COLUMNS_MAX; i++)
                t->position[i] = -1;
        scols_table_enable_noheadings(t->scols, !legend);
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
        if (t->position[column] >= 0 &&
            scols_line_set_data(t->line, (size_t) t->position[column] + nth, text && *text ? text : "-") < 0)
                out_of_memory();
}

void table_set(struct table *t, unsigned column, const char *text) {
        table_set_nth(t, column, 0, text);
}

void table_print(struct table *t) {
        /* A failed write is seen by output_finish(). */
        if (scols_print_table(t->scols) == -ENOMEM)
                out_of_memory();
}

void print_field(const char *key, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                out_of_memory();
        }
        printf("%14s: ", key);
        print_safe(stdout, text);
        putchar('\n');
}

static json_t *json_or_die(json_t *value) {
        if (!value)
                out_of_memory();
        return value;
}

json_t *json_new_object(void) {
        return json_or_die(json_object());
}

json_t *json_new_array(void) {
        return json_or_die(json_array());
}

json_t *json_text(const char *s) {
        json_t *value = json_string(s);
        _cleanup_free_ char *copy = NULL;

        if (value)
                return value;
        /* Not UTF-8. */
        copy = format_text("%s", s);
        for (char *p = copy; *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
        return json_or_die(json_string(copy));
}

json_t *json_name(const char *s) {
        return *s ? json_text(s) : json_null();
}

json_t *json_unsigned(uint64_t value) {
        /* A counter that went below zero is printed by the kernel as a huge number, beyond jansson's integers. */
        return json_or_die(value <= INT64_MAX ? json_integer((json_int_t) value) : json_real((double) value));
}

void json_set(json_t *object, const char *key, json_t *value) {
        json_t *text = json_text(key); /* keys may come from files, too */

        if (json_object_set_new_nocheck(object, json_string_value(text), value) < 0)
                out_of_memory();
        json_decref(text);
}

void json_add(json_t *array, json_t *value) {
        if (json_array_append_new(array, value) < 0)
                out_of_memory();
}

json_t *json_nodes(const struct node_set *nodes) {
        json_t *array = json_new_array();

        for (int n = node_set_next(nodes, 0); n >= 0; n = node_set_next(nodes, (unsigned) n + 1))
                json_add(array, json_integer(n));
        return array;
}

json_t *json_zones(const struct block *b) {
        json_t *array = json_new_array();
        enum zone zones[_ZONE_MAX];
        size_t n = block_list_zones(b, zones);

        for (size_t i = 0; i < n; i++)
                json_add(array, json_text(zone_to_string(zones[i])));
        return array;
}

void json_print(const json_t *root) {
        /* Six digits tell a share of memory well enough, and 0.1 does not become 0.10000000000000001. */
        size_t flags = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6) | JSON_ENCODE_ANY;

        json_dumpf(root, stdout, flags | (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT));
        putchar('\n');
}

int output_finish(void) {
        bool failed = ferror(stdout);

        errno = 0;
        if (fflush(stdout) == 0 && !failed)
                return 0;
        complain("standard output: cannot be written: %s", errno ? strerror(errno) : "an earlier write failed");
        return -EIO;
}
