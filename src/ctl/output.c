/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

static struct {
        bool terminal, dumb, colours;
        int width, height;
} sink;

void output_init(void) {
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
        struct winsize size = {};

        sink.terminal = isatty(STDOUT_FILENO);
        sink.dumb = !term || !*term || strcmp(term, "dumb") == 0;
        sink.colours = sink.terminal && !sink.dumb && !(no_color && *no_color);
        if (!sink.terminal)
                return;
        (void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        sink.width = size.ws_col > 0 ? size.ws_col : 80;
        sink.height = size.ws_row > 0 ? size.ws_row : 24;
}

bool output_is_terminal(void) {
        return sink.terminal;
}

bool output_is_dumb(void) {
        return sink.dumb;
}

int output_width(void) {
        return sink.width;
}

int output_height(void) {
        return sink.height;
}

const char *colour_begin(enum colour c) {
        static const char *const codes[_COLOUR_MAX] = { "\033[32m", "\033[33m", "\033[1;31m", "\033[1m", "\033[2m" };

        return sink.colours && c < _COLOUR_MAX ? codes[c] : "";
}

const char *colour_end(void) {
        return sink.colours ? "\033[0m" : "";
}

/* From the column on where the cursor is; a word that is wider than a line has one for itself. width: 0 is endless. */
static void print_wrapped(int column, int width, const char *text) {
        _cleanup_free_ char *copy = format_text("%s", text);
        int used = column;

        if (width == 0) {
                print_safe(stdout, text);
                return;
        }
        for (char *rest = copy, *word; (word = strsep(&rest, " "));) {
                int n = (int) text_width(word);

                if (used > column && used + 1 + n > width) {
                        printf("\n%*s", column, "");
                        used = column;
                } else if (used > column) {
                        putchar(' ');
                        used++;
                }
                print_safe(stdout, word);
                used += n;
        }
}

void print_item(const char *name, int name_width, const char *text) {
        bool fits = (int) strlen(name) <= name_width;

        printf("  %-*s", name_width, name);
        if (!fits)
                printf("\n  %*s", name_width, "");
        putchar(' ');
        print_wrapped(name_width + 3, sink.width ?: 80, text);
        putchar('\n');
}

static void _printf_(3, 0) print_paragraph_va(enum colour c, int indent, const char *format, va_list ap) {
        _cleanup_free_ char *text = format_text_va(format, ap);

        printf("%*s%s", indent, "", colour_begin(c));
        print_wrapped(indent, sink.width, text);
        printf("%s\n", c < _COLOUR_MAX ? colour_end() : "");
}

void print_paragraph(int indent, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_paragraph_va(COLOUR_NONE, indent, format, ap);
        va_end(ap);
}

void print_paragraph_in(enum colour c, int indent, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_paragraph_va(c, indent, format, ap);
        va_end(ap);
}

static void _printf_(3, 0) print_field_va(enum colour c, const char *key, const char *format, va_list ap) {
        _cleanup_free_ char *text = format_text_va(format, ap);

        printf("%14s%s ", key, *key ? ":" : " "); /* without one, it goes on with the one before */
        fputs(colour_begin(c), stdout);
        print_wrapped(16, sink.width, text);
        fputs(c < _COLOUR_MAX ? colour_end() : "", stdout);
        putchar('\n');
}

void print_field(const char *key, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_field_va(COLOUR_NONE, key, format, ap);
        va_end(ap);
}

void print_field_in(enum colour c, const char *key, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_field_va(c, key, format, ap);
        va_end(ap);
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

json_t *json_platforms(platform_mask platforms) {
        json_t *array = json_new_array();

        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (platforms & PLATFORM_BIT(p))
                        json_add(array, json_text(platform_to_string(p)));
        return array;
}

static void dump(const json_t *root, size_t layout) {
        /* Six digits tell a share of memory well enough, and 0.1 does not become 0.10000000000000001. */
        json_dumpf(root, stdout, JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6) | JSON_ENCODE_ANY | layout);
        putchar('\n');
}

uint64_t json_get_unsigned(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);

        if (json_is_real(value))
                return json_real_value(value) >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t) json_real_value(value);
        return (uint64_t) json_integer_value(value);
}

int64_t json_get_integer(const json_t *object, const char *key) {
        return (int64_t) json_integer_value(json_object_get(object, key));
}

const char *json_get_text(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key)) ?: "";
}

bool json_get_bool(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

void json_print(const json_t *root) {
        dump(root, sink.terminal ? JSON_INDENT(2) : JSON_COMPACT);
}

void json_print_line(const json_t *root) {
        dump(root, JSON_COMPACT);
}

int output_finish(void) {
        bool failed = ferror(stdout);

        errno = 0;
        if (fflush(stdout) == 0 && !failed)
                return 0;
        complain("standard output: cannot be written: %s", errno ? strerror(errno) : "an earlier write failed");
        return -EIO;
}
