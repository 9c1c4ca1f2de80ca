/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/picture.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/run.h"

/* Beyond the zones: what is said of blocks that have none of them. */
enum {
        ZONE_SEVERAL = _ZONE_MAX,
        ZONE_UNKNOWN,
        ZONE_OFFLINE,
        ZONE_GOING,
        ZONE_OTHER,
        _ZONE_LOOKS,
};

static const struct look zone_looks[] = {
        [ZONE_DMA] = { "DMA", 'A', 37, 6, "#2a9d8f", "#3fb8a9" },
        [ZONE_DMA32] = { "DMA32", 'D', 74, 6, "#4f97dc", "#8cc8ff" },
        [ZONE_NORMAL] = { "Normal", 'N', 69, 4, "#1f5bbf", "#4c8df2" },
        [ZONE_HIGHMEM] = { "HighMem", 'H', 105, 4, "#6f63d9", "#8f85ff" },
        [ZONE_MOVABLE] = { "Movable", 'M', 214, 3, "#d17f00", "#f2b53c" },
        [ZONE_DEVICE] = { "device memory", 'P', 134, 5, "#8e55c9", "#b18af2" },
        [ZONE_SEVERAL] = { "several zones", '+', 109, 6, "#7f95a8", "#8ea3b5" },
        [ZONE_UNKNOWN] = { "unknown zone", '?', 246, 7, "#858e97", "#6e7781" },
        [ZONE_OFFLINE] = { "offline", 'o', 250, 7, "#6e7781", "#a3adb8" },
        [ZONE_GOING] = { "going-offline", 'g', 203, 1, "#cf3f53", "#ff7b86" },
        [ZONE_OTHER] = { "other state", 'x', 203, 1, "#cf3f53", "#ff7b86" },
};

enum { STATE_DEVICE = _BLOCK_STATE_MAX, _STATE_LOOKS };

static const struct look state_looks[] = {
        [BLOCK_OFFLINE] = { "offline", 'o', 214, 3, "#d17f00", "#f2b53c" },
        [BLOCK_ONLINE] = { "online", 'O', 69, 4, "#2f6fd0", "#4c8df2" },
        [BLOCK_GOING_OFFLINE] = { "going-offline", 'g', 203, 1, "#cf3f53", "#ff7b86" },
        [BLOCK_STATE_OTHER] = { "other state", 'x', 203, 1, "#cf3f53", "#ff7b86" },
        [STATE_DEVICE] = { "device memory", 'P', 134, 5, "#8e55c9", "#b18af2" },
};

enum { SOURCE_DEVICE = _SOURCE_MAX, _SOURCE_LOOKS };

/* Small letters are what is offline. Kinds that never meet on one machine may share a colour. */
static const struct look source_looks[] = {
        [SOURCE_UNKNOWN] = { "unknown", '?', 246, 7, "#858e97", "#6e7781" },
        [SOURCE_BOOT] = { "boot", 'B', 69, 4, "#2f6fd0", "#4c8df2" },
        [SOURCE_DIMM] = { "dimm", 'D', 214, 3, "#d17f00", "#f2b53c" },
        [SOURCE_VIRTIO_MEM] = { "virtio-mem", 'V', 72, 2, "#3a9a5b", "#55c27c" },
        [SOURCE_PMEM] = { "pmem", 'M', 168, 1, "#d04f8b", "#f27fb4" },
        [SOURCE_CXL] = { "cxl", 'C', 80, 6, "#1698ad", "#45c8da" },
        [SOURCE_HMEM] = { "hmem", 'H', 173, 3, "#c5602a", "#f08d50" },
        [SOURCE_DAX] = { "dax", 'X', 168, 1, "#d04f8b", "#f27fb4" },
        [SOURCE_NVIDIA] = { "nvidia", 'N', 106, 2, "#6f9a00", "#9bcf2a" },
        [SOURCE_DRIVER] = { "driver", 'R', 106, 2, "#6f9a00", "#9bcf2a" },
        [SOURCE_HYPERV] = { "hyperv", 'Y', 72, 2, "#3a9a5b", "#55c27c" },
        [SOURCE_XEN] = { "xen", 'E', 72, 2, "#3a9a5b", "#55c27c" },
        [SOURCE_DLPAR] = { "dlpar", 'L', 72, 2, "#3a9a5b", "#55c27c" },
        [SOURCE_STANDBY] = { "standby", 'S', 72, 2, "#3a9a5b", "#55c27c" },
        [SOURCE_DEVICE] = { "device memory", 'P', 134, 5, "#8e55c9", "#b18af2" },
};

static const struct {
        const char *name;
        const struct look *looks;
} views[_VIEW_MAX] = {
        [VIEW_ZONE] = { "zone", zone_looks },
        [VIEW_STATE] = { "state", state_looks },
        [VIEW_SOURCE] = { "source", source_looks },
};

_Static_assert(2 * _ZONE_LOOKS <= MAP_VALUES_MAX && 2 * _SOURCE_LOOKS <= MAP_VALUES_MAX && 2 * _STATE_LOOKS <= MAP_VALUES_MAX,
               "every value has a number");
_Static_assert(ARRAY_SIZE(zone_looks) == _ZONE_LOOKS && ARRAY_SIZE(source_looks) == _SOURCE_LOOKS &&
               ARRAY_SIZE(state_looks) == _STATE_LOOKS, "every value has a look");

const char *view_to_string(enum view v) {
        return v >= 0 && v < _VIEW_MAX ? views[v].name : NULL;
}

enum view view_from_string(const char *s) {
        for (enum view v = 0; v < _VIEW_MAX; v++)
                if (strcmp(views[v].name, s) == 0)
                        return v;
        return _VIEW_INVALID;
}

const struct look *picture_look(const struct picture *p, uint8_t value) {
        return &views[p->view].looks[value / 2];
}

static unsigned zone_of(const struct block *b) {
        static const uint8_t states[_BLOCK_STATE_MAX] = {
                [BLOCK_OFFLINE] = ZONE_OFFLINE, [BLOCK_GOING_OFFLINE] = ZONE_GOING, [BLOCK_STATE_OTHER] = ZONE_OTHER,
        };

        if (b->state != BLOCK_ONLINE)
                return states[b->state];
        if (b->first_zone >= 0 && b->zones)
                return (unsigned) b->first_zone;
        return b->zones_known ? ZONE_SEVERAL : ZONE_UNKNOWN;
}

uint8_t area_value(const struct area *a, enum view view) {
        static const uint8_t devices[_VIEW_MAX] = { ZONE_DEVICE, STATE_DEVICE, SOURCE_DEVICE };
        const struct block *b = &a->block;
        unsigned value;

        if (a->blockless)
                return (uint8_t) (2 * devices[view]);
        value = view == VIEW_ZONE ? zone_of(b) : view == VIEW_STATE ? (unsigned) b->state : (unsigned) b->source;
        return (uint8_t) (2 * value + (b->state != BLOCK_ONLINE));
}

static int find_group(struct picture *p, const struct node_set *nodes) {
        for (size_t i = p->n_groups; i-- > 0;) /* the last one is the likeliest */
                if (node_set_equal(&p->groups[i], nodes))
                        return (int) i;
        if (!GROW(p->groups, p->n_groups, p->groups_capacity))
                out_of_memory();
        p->groups[p->n_groups] = *nodes;
        return (int) p->n_groups++;
}

static void add_area(struct picture *p, const struct area *a) {
        if (!GROW(p->areas, p->n, p->capacity))
                out_of_memory();
        p->areas[p->n] = *a; /* NOLINT(clang-analyzer-core*): GROW() has made room */
        p->areas[p->n++].group = find_group(p, &a->block.nodes);
}

static void add_run(struct picture *p, const struct run *r) {
        struct area *last = p->n ? &p->areas[p->n - 1] : NULL;
        const struct area a = {
                .start = r->block.index * p->block_size,
                .last = r->last * p->block_size + (p->block_size - 1),
                .block = r->block,
        };

        if (last && last->last + 1 == a.start && !(block_compare(&last->block, &a.block) & ~(unsigned) ATTRIBUTE_REMOVABLE))
                last->last = a.last;
        else
                add_area(p, &a);
}

void picture_add_facts(struct picture *p, struct facts *f) {
        struct fact fact;
        struct run run;

        while (facts_next(f, &fact)) {
                run_init(&run, &fact.block);
                add_run(p, &run);
        }
}

void picture_add_answers(struct picture *p, const struct answers *a) {
        for (size_t i = 0; i < a->n; i++)
                add_run(p, &a->runs[i]);
}

void picture_add_device_memory(struct picture *p, const struct device_memory *m) {
        for (size_t i = 0; i < m->n; i++) {
                const struct device_range *d = &m->ranges[i];
                struct area a = {
                        .start = d->start,
                        .last = d->start + (d->size - 1),
                        .blockless = true,
                        .block = { .source = d->kind, .first_zone = _ZONE_INVALID },
                };

                snprintf(a.block.device, sizeof(a.block.device), "%.*s", DEVICE_NAME_MAX - 1, d->holder);
                if (d->node >= 0)
                        node_set_add(&a.block.nodes, (unsigned) d->node);
                add_area(p, &a);
        }
}

static int compare_areas(const void *a, const void *b) {
        const struct area *x = a, *y = b;

        return x->start < y->start ? -1 : x->start > y->start;
}

void picture_init(struct picture *p, enum view view, uint64_t block_size) {
        *p = (struct picture) { .view = view, .block_size = block_size };
}

void picture_sum_up(struct picture *p) {
        if (p->n)
                qsort(p->areas, p->n, sizeof(*p->areas), compare_areas);
        for (size_t i = 0; i < p->n; i++) {
                uint8_t value = area_value(&p->areas[i], p->view);

                p->totals[value] += p->areas[i].last - p->areas[i].start + 1;
                p->used |= MAP_VALUE_BIT(value);
        }
}

void picture_done(struct picture *p) {
        map_done(&p->map);
        free(p->areas);
        free(p->groups);
        *p = (struct picture) {};
}

/* A node needs a line, and mostly two: rows do not begin where it does. Of a machine with that many nodes the picture may
 * be longer than the screen. */
#define GROUPS_LINES_MAX 160

void picture_layout(struct picture *p, unsigned width, unsigned lines) {
        _cleanup_free_ struct map_piece *pieces = calloc(p->n + 1, sizeof(*pieces));
        unsigned of_groups = (unsigned) MIN(2 * p->n_groups, (size_t) GROUPS_LINES_MAX);

        if (!pieces)
                out_of_memory();
        for (size_t i = 0; i < p->n; i++)
                pieces[i] = (struct map_piece) {
                        .start = p->areas[i].start,
                        .last = p->areas[i].last,
                        .value = area_value(&p->areas[i], p->view),
                        .group = p->areas[i].group,
                };
        map_done(&p->map);
        if (map_layout(pieces, p->n, p->block_size, width, MAX(lines, of_groups), PICTURE_OFFLINE, &p->map) < 0)
                out_of_memory(); /* what else may fail does so by the caller's fault */
}

const struct area *picture_area_at(const struct picture *p, uint64_t address) {
        size_t low = 0, high = p->n; /* the area is in [low, high) */

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (p->areas[middle].start <= address)
                        low = middle;
                else
                        high = middle;
        }
        return &p->areas[low];
}

uint64_t picture_hole(const struct picture *p, size_t line) {
        const struct map_cell *c = &p->map.cells[p->map.lines[line].cells];

        return line == 0 ? c->first : c->first - c[-1].last - 1;
}

static bool is_in(const struct picture *p, const struct map_line *line, const struct area *a) {
        const struct map_cell *cells = &p->map.cells[line->cells];

        return a->last >= cells[0].first && a->start <= cells[line->n - 1].last &&
               (line->group == a->group || line->group == MAP_GROUP_SEVERAL);
}

char *picture_describe_nodes(const struct picture *p, const struct map_line *line) {
        _cleanup_free_ char *text = NULL;
        struct node_set nodes = {};

        for (size_t i = 0; i < p->n; i++)
                if (is_in(p, line, &p->areas[i]))
                        for (size_t w = 0; w < ARRAY_SIZE(nodes.words); w++)
                                nodes.words[w] |= p->areas[i].block.nodes.words[w];
        text = format_nodes(&nodes);
        if (!*text)
                return TAKE_PTR(text);
        return format_text("node%s %s", strpbrk(text, ",-") ? "s" : "", text);
}

enum { DEVICES_MAX = 32 };

/* What there is of a line, each device once. More than DEVICES_MAX are counted only, maybe more than once. */
struct devices {
        const struct area *items[DEVICES_MAX];
        size_t n, more;
        size_t of_source[_SOURCE_MAX];
};

static bool same_device(const struct area *a, const struct area *b) {
        return a->block.source == b->block.source && strcmp(a->block.device, b->block.device) == 0;
}

static void find_devices(const struct picture *p, const struct map_line *line, struct devices *ret) {
        *ret = (struct devices) {};
        for (size_t i = 0; i < p->n; i++) {
                const struct area *a = &p->areas[i];
                bool known = false;

                if (!is_in(p, line, a))
                        continue;
                for (size_t k = 0; k < ret->n && !known; k++)
                        known = same_device(ret->items[k], a);
                if (known)
                        continue;
                ret->of_source[a->block.source]++;
                if (ret->n < DEVICES_MAX)
                        ret->items[ret->n++] = a;
                else
                        ret->more++;
        }
}

/* Names come from files that others write. */
static void append(char **text, const char *comma, const char *a, const char *blank, const char *b) {
        char *longer = format_text("%s%s%s%s%s", *text, **text ? comma : "", a, blank, b);

        for (char *p = longer; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        free(*text);
        *text = longer;
}

/* "boot, dimm PNP0C80:00, PNP0C80:01" */
static char *list_devices(const struct devices *d) {
        char *text = format_text("%s", "");

        for (size_t i = 0; i < d->n; i++) {
                const struct block *b = &d->items[i]->block;
                bool alike = i > 0 && *b->device && d->items[i - 1]->block.source == b->source;

                append(&text, ", ", alike ? "" : source_to_string(b->source), alike || !*b->device ? "" : " ", b->device);
        }
        return text;
}

/* "boot, dimm x2" */
static char *count_devices(const struct devices *d) {
        char *text = format_text("%s", ""), number[24];

        for (enum source s = 0; s < _SOURCE_MAX; s++) {
                if (d->of_source[s] == 0)
                        continue;
                snprintf(number, sizeof(number), "x%zu", d->of_source[s]);
                append(&text, ", ", source_to_string(s), d->of_source[s] > 1 ? " " : "", d->of_source[s] > 1 ? number : "");
        }
        return text;
}

char *picture_describe_devices(const struct picture *p, const struct map_line *line, size_t width) {
        struct devices d;
        char *text;

        find_devices(p, line, &d);
        text = list_devices(&d);
        if (strlen(text) > width && d.n == 1) { /* the name says more than the source */
                free(text);
                text = format_text("%s", "");
                append(&text, "", d.items[0]->block.device, "", "");
        } else if (strlen(text) > width || d.more) {
                free(text);
                text = count_devices(&d);
        }
        if (strlen(text) > width)
                text[width] = '\0';
        return text;
}

const char *format_address(uint64_t address, bool bytes, char buf[static ADDRESS_TEXT_MAX]) {
        static const char suffixes[] = "BKMGTPE";
        unsigned unit = 0;

        if (bytes) {
                snprintf(buf, ADDRESS_TEXT_MAX, "0x%" PRIx64, address);
                return buf;
        }
        while (unit < 6 && address && !(address & 1023))
                address >>= 10, unit++;
        /* Halves and quarters are written as such. */
        if (unit < 6 && address >= 1024 && address % 256 == 0) {
                unsigned quarters = (unsigned) (address % 1024 / 256);

                snprintf(buf, ADDRESS_TEXT_MAX, "%" PRIu64 ".%s%c", address / 1024,
                         quarters == 1 ? "25" : quarters == 2 ? "5" : "75", suffixes[unit + 1]);
        } else if (address == 0)
                snprintf(buf, ADDRESS_TEXT_MAX, "0");
        else
                snprintf(buf, ADDRESS_TEXT_MAX, "%" PRIu64 "%c", address, suffixes[unit]);
        return buf;
}

const char *format_address_within(uint64_t address, bool bytes, size_t room, char buf[static ADDRESS_TEXT_MAX]) {
        char size[SIZE_TEXT_MAX];

        if (strlen(format_address(address, bytes, buf)) > room)
                snprintf(buf, ADDRESS_TEXT_MAX, "~%s", format_bytes(address, false, size));
        return buf;
}
