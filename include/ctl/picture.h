/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a map shows, whatever it is drawn with: the memory of the system as areas, the value of each by zone, state or
 * source, and its layout (core/map.h). */

#include "core/map.h"
#include "ctl/answers.h"
#include "ctl/blockless.h"
#include "ctl/facts.h"
#include "ctl/terminal.h"

enum view {
        VIEW_ZONE, /* of what is online; the states of the rest */
        VIEW_STATE,
        VIEW_SOURCE, /* and whether it is online */
        _VIEW_MAX,
        _VIEW_INVALID = -22,
};

const char *view_to_string(enum view v) _const_;
enum view view_from_string(const char *s) _pure_;

/* Neighbouring blocks that are alike, or a piece of device memory. */
struct area {
        uint64_t start, last; /* bytes, last included */
        struct block block;   /* the first; of device memory, what it has of one: source, device, nodes */
        bool blockless;       /* device memory */
        int group;            /* which set of nodes */
};

struct picture {
        enum view view;
        uint64_t block_size;
        struct area *areas; /* by address */
        size_t n, capacity;
        struct node_set *groups;
        size_t n_groups, groups_capacity;
        struct map map;
        uint64_t totals[MAP_VALUES_MAX]; /* bytes of each value */
        map_values used;
};

/* Empty; then what there is, in any order but the blocks in theirs; then picture_sum_up(). */
void picture_init(struct picture *p, enum view view, uint64_t block_size);
void picture_add_facts(struct picture *p, struct facts *f);
void picture_add_answers(struct picture *p, const struct answers *a);
void picture_add_device_memory(struct picture *p, const struct device_memory *m);
void picture_sum_up(struct picture *p);
void picture_done(struct picture *p);

/* For a picture of so many characters and lines: more lines if there are many nodes. */
void picture_layout(struct picture *p, unsigned width, unsigned lines);

/* Values are numbers of the view; what is offline has a number of its own (value_is_offline()), and is never hidden. */
struct look {
        const char *name;
        char letter;     /* where there are no colours */
        uint8_t colour;  /* of 256 */
        uint8_t basic;   /* of 8 */
        const char *light, *dark; /* on a light and on a dark ground, "#rrggbb" */
};

const struct look *picture_look(const struct picture *p, uint8_t value) _pure_;
#define PICTURE_OFFLINE UINT64_C(0xaaaaaaaaaaaaaaaa) /* these numbers */
static inline bool value_is_offline(uint8_t value) {
        return value & 1;
}
uint8_t area_value(const struct area *a, enum view view) _pure_;

/* The last area that begins there or before. */
const struct area *picture_area_at(const struct picture *p, uint64_t address) _pure_;
/* Bytes of nothing between this line and the one before it. */
uint64_t picture_hole(const struct picture *p, size_t line) _pure_;
/* "node 1", "nodes 0-1"; "" if they are unknown. To be freed. */
char *picture_describe_nodes(const struct picture *p, const struct map_line *line);
/* "boot, dimm PNP0C80:00, PNP0C80:01", or "boot, dimm x2" where that does not fit: so many characters at most, all printable
 * ASCII. To be freed. */
char *picture_describe_devices(const struct picture *p, const struct map_line *line, size_t width);

/* "5.5G" where that is exact, else "5632M": addresses are not rounded. 0x… if bytes. */
#define ADDRESS_TEXT_MAX 32
const char *format_address(uint64_t address, bool bytes, char buf[static ADDRESS_TEXT_MAX]);
/* "~512P" if it is longer than that. */
const char *format_address_within(uint64_t address, bool bytes, size_t room, char buf[static ADDRESS_TEXT_MAX]);

/* In characters, to standard output. */
void map_layout_text(struct picture *p, const struct terminal *t, const struct options *o);
void map_print_text(const struct picture *p, const struct terminal *t, const struct options *o);

/* As a document, to the file o->svg; "-" is standard output. Complains. */
enum status map_write_svg(struct picture *p, const struct options *o);
