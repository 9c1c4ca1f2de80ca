/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/answers.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/facts.h"

/* What the daemon answers at a time: explanations, and offline blocks whose candidates it looks up. */
#define PART 1024
/* With every rule for each of them, so that there may be a thousand rules. */
#define PART_WITH_RULES 64

void answers_done(struct answers *a) {
        free(a->runs);
        free(a->adds);
        *a = (struct answers) {};
}

/* ---- ranges ------------------------------------------------------------------------------------------------------- */

static void add_run(struct answers *a, const struct run *r, uint32_t add) {
        /* What was asked for in parts. */
        if (a->n && a->adds[a->n - 1] == add && a->runs[a->n - 1].last + UINT64_C(1) == r->block.index &&
            !block_compare(&a->runs[a->n - 1].block, &r->block)) {
                a->runs[a->n - 1].last = r->last;
                return;
        }
        if (!GROW(a->runs, a->n, a->capacity) || !GROW(a->adds, a->n, a->capacity_adds))
                out_of_memory();
        a->runs[a->n] = *r;
        a->adds[a->n++] = add;
}

static void read_zones(const json_t *words, struct block *b) {
        json_t *word;
        size_t i;

        b->zones_known = true;
        b->first_zone = _ZONE_INVALID;
        json_array_foreach(words, i, word) {
                enum zone z = zone_from_string(json_string_value(word) ?: "");

                if (z < 0)
                        continue;
                b->zones |= ZONE_BIT(z);
                if (b->first_zone < 0)
                        b->first_zone = z;
        }
}

static void read_nodes(const json_t *numbers, struct block *b) {
        json_t *number;
        size_t i;

        json_array_foreach(numbers, i, number)
                if (json_integer_value(number) >= 0 && json_integer_value(number) < NODES_MAX)
                        node_set_add(&b->nodes, (unsigned) json_integer_value(number));
}

/* FIRST LAST STATE REMOVABLE ZONES NODES SOURCE DEVICE ADD */
static bool read_row(const json_t *row, uint64_t block_size, struct run *ret, uint32_t *ret_add) {
        const char *state = json_string_value(json_array_get(row, 2)), *source = json_string_value(json_array_get(row, 6)),
                   *device = json_string_value(json_array_get(row, 7));
        struct block b = { .index = (uint32_t) json_integer_value(json_array_get(row, 0)), .size = block_size };
        uint32_t last = (uint32_t) json_integer_value(json_array_get(row, 1));
        enum source s = source ? source_from_string(source) : _SOURCE_INVALID;

        if (json_array_size(row) < 9 || !state || !device || last < b.index)
                return false;
        b.start = b.index * block_size;
        b.state = block_state_from_string(state);
        b.removable = json_is_true(json_array_get(row, 3));
        read_zones(json_array_get(row, 4), &b);
        read_nodes(json_array_get(row, 5), &b);
        b.source = s >= 0 ? s : SOURCE_UNKNOWN; /* of a daemon that knows more than we do */
        snprintf(b.device, sizeof(b.device), "%s", device);
        run_init(ret, &b);
        ret->last = last;
        *ret_add = (uint32_t) json_integer_value(json_array_get(row, 8));
        return true;
}

static enum status ask_ranges(struct answers *a, struct client *c, const char *selector);

/* The candidates of the blocks from first on were not looked up: ask for these blocks alone. */
static enum status ask_rest(struct answers *a, struct client *c, uint32_t first, uint32_t last) {
        enum status s = STATUS_DONE;

        while (s == STATUS_DONE) {
                uint32_t end = last - first >= PART ? first + PART - 1 : last;
                _cleanup_free_ char *part = format_text("%" PRIu32 "-%" PRIu32, first, end);

                s = ask_ranges(a, c, part);
                if (end == last)
                        break;
                first = end + 1;
        }
        return s;
}

static enum status take_row(struct answers *a, struct client *c, struct run *r, uint32_t add, uint64_t *offline) {
        uint64_t n = (uint64_t) r->last - r->block.index + 1, before = *offline;
        uint32_t last = r->last;

        if (r->block.state != BLOCK_ONLINE)
                *offline += n;
        if (r->block.state == BLOCK_ONLINE || *offline <= PART) {
                add_run(a, r, add);
                return STATUS_DONE;
        }
        if (before < PART) {
                r->last = r->block.index + (uint32_t) (PART - before) - 1;
                add_run(a, r, add);
                return ask_rest(a, c, r->last + 1, last);
        }
        return ask_rest(a, c, r->block.index, last);
}

static enum status ask_ranges(struct answers *a, struct client *c, const char *selector) {
        json_auto_t *rows = NULL;
        enum status s = STATUS_DONE;
        uint64_t offline = 0;
        struct run run;
        json_t *row;
        uint32_t add;
        size_t i;

        s = client_ask(c, "ListRanges", &rows, "s", selector);
        json_array_foreach(rows, i, row)
                if (s == STATUS_DONE && read_row(row, a->block_size, &run, &add))
                        s = take_row(a, c, &run, add, &offline);
        return s;
}

enum status answers_ask_any(struct answers *a, struct client *c, const char *selector) {
        _cleanup_(selector_done) struct selector parsed = {};
        json_auto_t *size = NULL;
        enum status s;

        *a = (struct answers) {};
        /* What is no selector is refused in the same words with a daemon and without. */
        s = selector_read(selector, &parsed);
        if (s == STATUS_DONE)
                s = client_get(c, NULL, NULL, "BlockSize", &size);
        if (s != STATUS_DONE)
                return s;
        a->block_size = json_integer_value(size) > 0 ? (uint64_t) json_integer_value(size) : 1;
        return ask_ranges(a, c, selector ?: "all");
}

enum status answers_ask(struct answers *a, struct client *c, const char *selector) {
        enum status s = answers_ask_any(a, c, selector);

        if (s != STATUS_DONE || a->n > 0 || !selector)
                return s;
        complain("%s: no memory block matches", selector);
        return STATUS_FAILED;
}

/* ---- explanations ------------------------------------------------------------------------------------------------- */

/* A block that went away meanwhile has none. */
static size_t take_part(const struct answers *a, size_t run, const json_t *explanations,
                        void (*take)(const struct block *b, const json_t *explanation, void *userdata), void *userdata) {
        json_t *x;
        size_t i;

        json_array_foreach(explanations, i, x) {
                uint32_t index = (uint32_t) json_integer_value(json_object_get(x, "block"));
                struct block b;

                while (run < a->n && a->runs[run].last < index)
                        run++;
                if (run == a->n)
                        break;
                if (index < a->runs[run].block.index)
                        continue; /* it came meanwhile */
                b = a->runs[run].block;
                b.index = index;
                b.start = index * a->block_size;
                take(&b, x, userdata);
        }
        return run;
}

/* "32-39,48" of at most so many blocks, and of a selector's length; moves on to where the next part begins. */
static char *next_part(const struct answers *a, size_t *run, uint32_t *next, size_t left) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                out_of_memory();
        for (unsigned n = 0; *run < a->n && left > 0 && n < 32; n++) {
                uint32_t first = MAX(*next, a->runs[*run].block.index), last = a->runs[*run].last;

                if (last - first >= left)
                        last = first + (uint32_t) left - 1;
                fprintf(f, "%s%" PRIu32 "-%" PRIu32, n ? "," : "", first, last);
                left -= last - first + 1;
                *next = last + 1;
                if (last == a->runs[*run].last)
                        ++*run;
        }
        if (fclose(f) != 0)
                out_of_memory();
        return text;
}

enum status answers_explain(const struct answers *a, struct client *c, bool all_rules,
                            void (*take)(const struct block *b, const json_t *explanation, void *userdata), void *userdata) {
        enum status s = STATUS_DONE;
        size_t run = 0, taken = 0;
        uint32_t next = 0;

        while (run < a->n && s == STATUS_DONE) {
                _cleanup_free_ char *part = next_part(a, &run, &next, all_rules ? PART_WITH_RULES : PART);
                json_auto_t *explanations = NULL;

                s = client_ask(c, "Explain", &explanations, "sb", part, (int) all_rules);
                if (s == STATUS_DONE)
                        taken = take_part(a, taken, explanations, take, userdata);
        }
        return s;
}
