/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that goes to standard output: tables through libsmartcols, JSON through jansson, "key: value" lines. On a
 * terminal there is colour, and tables keep to its width; elsewhere neither. */

#include <jansson.h>

#include "core/block.h"
#include "core/platform.h"
#include "ctl/text.h"

/* Look at what standard output is, before a pager takes its place. */
void output_init(void);
bool output_is_terminal(void);
/* In characters; 0: not a terminal. */
int output_width(void);
int output_height(void);
/* It can neither colour nor move the cursor. */
bool output_is_dumb(void);

enum colour {
        COLOUR_GOOD,
        COLOUR_NOTICE, /* worth a look */
        COLOUR_BAD,
        COLOUR_STRONG,
        COLOUR_FAINT,
        _COLOUR_MAX,
        COLOUR_NONE,
};

/* What begins it, and what ends it; "" where there are no colours: not a terminal, $NO_COLOR. */
const char *colour_begin(enum colour c);
const char *colour_end(void);

/* The columns a verb can print: the header, -o and --help all come from here. */
struct column {
        const char *name;
        const char *help;
        bool right;    /* numbers */
        bool repeated; /* stands for several columns, whose names are known at run time */
        bool optional; /* shown only if it is asked for */
        bool wrap;     /* text: goes on in the next line, where the terminal is too narrow */
        unsigned spare; /* goes where the terminal is too narrow, the highest first; 0: stays */
};

struct column_set {
        const struct column *items;
        size_t n;
};

#define COLUMNS_MAX 16

/* Which of them, in which order. */
struct column_choice {
        unsigned items[COLUMNS_MAX];
        size_t n;
        bool explicit; /* somebody named them: all of them stay */
};

/* "RANGE,SIZE", or "+SIZE" to add to the usual ones; NULL is those. Complains and returns -EINVAL if there is no such column. */
int column_choice_parse(const struct column_set *set, const char *list, struct column_choice *ret);
bool column_choice_has(const struct column_choice *c, unsigned column) _pure_;

#define TABLE_COLUMNS_MAX 96

struct table {
        const struct column_set *set;
        bool may_hide, legend;
        int position[COLUMNS_MAX]; /* where a column of the set is shown, -1: it is not */
        size_t n_columns, n_repeated;
        const struct column *columns[TABLE_COLUMNS_MAX]; /* what is shown, */
        const char *names[TABLE_COLUMNS_MAX];            /* its headings, which must outlive the table, */
        size_t widths[TABLE_COLUMNS_MAX];                /* and how wide it is, in characters */
        struct cell {
                uint32_t text; /* where in texts */
                uint8_t colour; /* enum colour */
        } *cells; /* row by row */
        size_t n_cells, capacity_cells;
        char *texts;
        size_t n_texts, capacity_texts;
};

/* repeated: the names of what a repeated column stands for. */
void table_init(struct table *t, const struct column_set *set, const struct column_choice *choice, bool legend,
                const char *const *repeated, size_t n_repeated);
void table_done(struct table *t);
void table_add_row(struct table *t);
/* The cell of the last row. Without text it says "-": an empty one would shift the words of the line. */
void table_set(struct table *t, unsigned column, const char *text);
void table_set_nth(struct table *t, unsigned column, size_t nth, const char *text);
void table_colour(struct table *t, unsigned column, enum colour c);
/* On a terminal: no wider than that, as far as spare columns and those that wrap allow; a line below says what is missing. */
void table_print(struct table *t);

/* "  name  text", for lists of help: the text is wrapped into a column of its own. */
void print_item(const char *name, int name_width, const char *text);

/* A line; on a terminal, as many as it takes. So are values of fields. */
void print_paragraph(int indent, const char *format, ...) _printf_(2, 3);
void print_paragraph_in(enum colour c, int indent, const char *format, ...) _printf_(3, 4);

/* "           key: value" */
void print_field(const char *key, const char *format, ...) _printf_(2, 3);
void print_field_in(enum colour c, const char *key, const char *format, ...) _printf_(3, 4);

/* JSON. Values are taken over, and no function fails: see out_of_memory(). */
json_t *json_new_object(void);
json_t *json_new_array(void);
json_t *json_text(const char *s);          /* bytes that are no UTF-8 become "?" */
json_t *json_name(const char *s);          /* null for "" */
json_t *json_unsigned(uint64_t value);
void json_set(json_t *object, const char *key, json_t *value);
void json_add(json_t *array, json_t *value);
json_t *json_nodes(const struct node_set *nodes);
json_t *json_zones(const struct block *b);
json_t *json_platforms(platform_mask platforms); /* their words, architectures among them */
/* Of an object: 0, "" and false where the key is not there or is of another type. */
int64_t json_get_integer(const json_t *object, const char *key);
uint64_t json_get_unsigned(const json_t *object, const char *key);
const char *json_get_text(const json_t *object, const char *key);
bool json_get_bool(const json_t *object, const char *key);
void json_print(const json_t *root);
/* In one line, also on a terminal: one of several objects. */
void json_print_line(const json_t *root);

/* What was printed has reached its file; complains if not. To be called once, at the end. 0 or -errno. */
int output_finish(void);
