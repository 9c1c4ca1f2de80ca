/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "core/words.h"
#include "ctl/picture.h"
#include "ctl/terminal.h"
#include "ctl/verb.h"

#define WIDTH_MIN 20
#define WIDTH_MAX 400

static json_t *json_value(const struct picture *p, uint8_t value) {
        json_t *object = json_new_object();

        json_set(object, "value", json_text(picture_look(p, value)->name));
        json_set(object, "offline", json_boolean(value_is_offline(value)));
        return object;
}

/* All values of a cell: first the two that are drawn. */
static json_t *json_values(const struct picture *p, const struct map_cell *c) {
        json_t *array = json_new_array();

        json_add(array, json_value(p, c->value));
        if (c->second != MAP_VALUE_NONE)
                json_add(array, json_value(p, c->second));
        for (uint8_t v = 0; v < MAP_VALUES_MAX; v++)
                if ((c->values & MAP_VALUE_BIT(v)) && v != c->value && v != c->second)
                        json_add(array, json_value(p, v));
        return array;
}

static json_t *json_cells(const struct picture *p) {
        json_t *array = json_new_array();

        for (size_t i = 0; i < p->map.n_lines; i++) {
                const struct map_line *l = &p->map.lines[i];

                for (size_t k = 0; k < l->n; k++) {
                        const struct map_cell *c = &p->map.cells[l->cells + k];
                        json_t *object = json_new_object();

                        json_set(object, "start", json_unsigned(c->start));
                        json_set(object, "bytes", json_unsigned(c->bytes));
                        json_set(object, "line", json_unsigned(i));
                        json_set(object, "column", json_unsigned(c->column));
                        json_set(object, "values", json_values(p, c));
                        json_add(array, object);
                }
        }
        return array;
}

static json_t *json_lines(const struct picture *p) {
        json_t *array = json_new_array();

        for (size_t i = 0; i < p->map.n_lines; i++) {
                const struct map_line *l = &p->map.lines[i];
                _cleanup_free_ char *devices = picture_describe_devices(p, l, SIZE_MAX);
                json_t *object = json_new_object();

                json_set(object, "start", json_unsigned(l->start));
                json_set(object, "nodes", l->group >= 0 ? json_nodes(&p->groups[l->group]) : json_null());
                json_set(object, "devices", json_text(devices));
                json_add(array, object);
        }
        return array;
}

static json_t *json_area(const struct picture *p, const struct area *a) {
        json_t *object = json_new_object();
        const struct block *b = &a->block;
        uint8_t value = area_value(a, p->view);

        json_set(object, "start", json_unsigned(a->start));
        json_set(object, "size", json_unsigned(a->last - a->start + 1));
        json_set(object, "value", json_text(picture_look(p, value)->name));
        json_set(object, "state", a->blockless ? json_null() : json_text(block_state_to_string(b->state)));
        json_set(object, "zones", json_zones(b));
        json_set(object, "nodes", json_nodes(&b->nodes));
        json_set(object, "source", json_text(source_to_string(b->source)));
        json_set(object, "device", json_name(b->device));
        return object;
}

/* Between pieces of memory, exactly; what lies before the first and behind the last is no hole. */
static json_t *json_holes(const struct picture *p) {
        json_t *array = json_new_array();

        for (size_t i = 1; i < p->n; i++) {
                const struct area *a = &p->areas[i - 1];
                json_t *object;

                if (p->areas[i].start <= a->last || p->areas[i].start == a->last + 1)
                        continue;
                object = json_new_object();
                json_set(object, "start", json_unsigned(a->last + 1));
                json_set(object, "size", json_unsigned(p->areas[i].start - a->last - 1));
                json_add(array, object);
        }
        return array;
}

static void print_json(const struct picture *p) {
        json_auto_t *root = json_new_object();
        json_t *ranges = json_new_array();

        for (size_t i = 0; i < p->n; i++)
                json_add(ranges, json_area(p, &p->areas[i]));
        json_set(root, "by", json_text(view_to_string(p->view)));
        json_set(root, "block_size", json_unsigned(p->block_size));
        json_set(root, "cell_size", json_unsigned(p->map.cell_size));
        json_set(root, "columns", json_unsigned(p->map.columns));
        json_set(root, "lines", json_lines(p));
        json_set(root, "cells", json_cells(p));
        json_set(root, "ranges", ranges);
        json_set(root, "holes", json_holes(p));
        json_print(root);
}

static enum status parse_view(const struct options *o, enum view *ret) {
        const char *names[_VIEW_MAX], *close;
        enum view v = o->by ? view_from_string(o->by) : VIEW_ZONE;

        if (v < 0) {
                for (enum view i = 0; i < _VIEW_MAX; i++)
                        names[i] = view_to_string(i);
                close = closest_word(o->by, names, ARRAY_SIZE(names));
                complain("--by %s: not zone, state or source%s%s%s", o->by, close ? "; did you mean \"" : "", close ?: "",
                         close ? "\"?" : "");
                return STATUS_USAGE;
        }
        if (o->svg && o->json) {
                complain("--svg: not together with --json");
                return STATUS_USAGE;
        }
        *ret = v;
        return STATUS_DONE;
}

/* Of the system by itself. */
static enum status read_system(struct picture *p, struct facts *f, enum view view, const struct options *o) {
        _cleanup_(blockless_done) struct blockless besides = {};
        enum status s;

        s = facts_open(f, o->sysroot, NULL, FACTS_ORIGIN);
        if (s != STATUS_DONE)
                return s;
        picture_init(p, view, f->block_size);
        picture_add_facts(p, f);
        s = blockless_read(&besides, f);
        picture_add_device_memory(p, &besides.device);
        return facts_status(f) != STATUS_DONE ? STATUS_FAILED : s;
}

/* Of the daemon, which sees what is hidden from others. It is not asked about what is no block. */
static enum status ask_daemon(struct picture *p, struct client *c, enum view view, const struct options *o) {
        _cleanup_(blockless_done) struct blockless besides = {};
        _cleanup_(answers_done) struct answers a = {};
        enum status s;

        s = answers_ask_any(&a, c, NULL);
        if (s != STATUS_DONE)
                return s;
        picture_init(p, view, a.block_size);
        picture_add_answers(p, &a);
        if (o->host)
                return STATUS_DONE;
        s = blockless_read_alone(&besides, o->sysroot);
        picture_add_device_memory(p, &besides.device);
        return s;
}

static enum status draw(struct picture *p, const struct options *o) {
        struct terminal terminal;

        picture_sum_up(p);
        if (o->svg)
                return map_write_svg(p, o);
        terminal_look(&terminal);
        terminal.columns = MAX(terminal.columns, (unsigned) WIDTH_MIN);
        terminal.columns = MIN(terminal.columns, (unsigned) WIDTH_MAX);
        map_layout_text(p, &terminal, o);
        if (o->json)
                print_json(p);
        else
                map_print_text(p, &terminal, o);
        return STATUS_DONE;
}

enum status verb_map(const struct options *o, char *const *args) {
        _cleanup_(picture_done) struct picture picture = {};
        _cleanup_(client_closep) struct client *c = NULL;
        _cleanup_(facts_done) struct facts facts = {};
        enum status s, drawn;
        enum view view;

        (void) args;
        s = parse_view(o, &view);
        if (s == STATUS_DONE)
                s = client_find(o, &c);
        if (s == STATUS_DONE)
                s = c ? ask_daemon(&picture, c, view, o) : read_system(&picture, &facts, view, o);
        if (picture.block_size == 0)
                return s;
        drawn = draw(&picture, o);
        if (!c && !o->json && !o->svg)
                facts_hint(&facts);
        return drawn != STATUS_DONE ? drawn : s;
}
