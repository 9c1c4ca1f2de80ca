/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/trace-text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "ctl/moment.h"
#include "ctl/terminal.h"

#define NAME_WIDTH 11
#define BAR_MAX 60

const char *format_duration(uint64_t usec, char buf[static DURATION_TEXT_MAX]) {
        if (usec < 1000)
                snprintf(buf, DURATION_TEXT_MAX, "%" PRIu64 "us", usec);
        else if (usec < 1000000)
                snprintf(buf, DURATION_TEXT_MAX, "%.*fms", usec < 100000 && usec / 100 % 10 ? 1 : 0, (double) (usec / 100) / 10);
        else if (usec < 60000000)
                snprintf(buf, DURATION_TEXT_MAX, "%.*fs", usec / 100000 % 10 ? 1 : 0, (double) (usec / 100000) / 10);
        else if (usec < UINT64_C(3600000000))
                snprintf(buf, DURATION_TEXT_MAX, "%" PRIu64 "min %" PRIu64 "s", usec / 60000000, usec / 1000000 % 60);
        else
                snprintf(buf, DURATION_TEXT_MAX, "%" PRIu64 "h %" PRIu64 "min", usec / UINT64_C(3600000000), usec / 60000000 % 60);
        return buf;
}

/* ---- figures ------------------------------------------------------------------------------------------------------- */

/* "+1.5G", "-12K", "0". */
static const char *format_change(int64_t bytes, const struct options *o, char buf[static SIZE_TEXT_MAX]) {
        char size[SIZE_TEXT_MAX];

        if (bytes == 0)
                return "0";
        format_bytes(bytes < 0 ? -(uint64_t) bytes : (uint64_t) bytes, o->bytes, size);
        snprintf(buf, SIZE_TEXT_MAX, "%c%.*s", bytes < 0 ? '-' : '+', SIZE_TEXT_MAX - 2, size);
        return buf;
}

static const char *format_size_of(const json_t *object, const char *key, const struct options *o,
                                  char buf[static SIZE_TEXT_MAX]) {
        return format_bytes((uint64_t) json_get_integer(object, key), o->bytes, buf);
}

static const char *duration_of(const json_t *object, const char *key, char buf[static DURATION_TEXT_MAX]) {
        return format_duration((uint64_t) json_get_integer(object, key), buf);
}

static char *format_addresses(const json_t *part) {
        return format_text("0x%" PRIx64 "-0x%" PRIx64, (uint64_t) json_get_integer(part, "start"),
                           (uint64_t) json_get_integer(part, "end"));
}

/* One step: its number and name, and a sentence. */
static void _printf_(2, 3) print_step(const char *name, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = format_text_va(format, ap);
        va_end(ap);
        print_item(name, NAME_WIDTH, text);
}

/* The part of the trace, if it has evidence; if not, it is said. */
static const json_t *get_part(const json_t *trace, const char *key, const char *name) {
        const json_t *part = json_object_get(trace, key), *why = json_object_get(part, "no_evidence");

        if (part && !why)
                return part;
        fputs(colour_begin(COLOUR_FAINT), stdout);
        print_step(name, "no evidence: %s", json_string_value(why) ?: "the daemon is older than memhpctl");
        fputs(colour_end(), stdout);
        return NULL;
}

/* ---- steps 1 to 5 --------------------------------------------------------------------------------------------------- */

static void print_heading(const json_t *trace, const struct options *o) {
        const char *device = json_get_text(trace, "device");
        int64_t first = json_get_integer(trace, "first"), last = json_get_integer(trace, "last"), node;
        _cleanup_free_ char *blocks = first == last ? format_text("block %" PRId64, first)
                                                    : format_text("blocks %" PRId64 "-%" PRId64, first, last);
        char time[MOMENT_TEXT_MAX], size[SIZE_TEXT_MAX], where[32] = "";

        node = json_get_integer(trace, "node");
        if (node >= 0)
                snprintf(where, sizeof(where), ", node %" PRId64, node);
        fputs(colour_begin(COLOUR_STRONG), stdout);
        print_paragraph(0, "add %" PRId64 ": %s%s%s%s, %s (%s), %s", json_get_integer(trace, "add"),
                        json_get_text(trace, "source"), *device ? " " : "", device, where, blocks,
                        format_size_of(trace, "size", o, size),
                        moment_format((uint64_t) json_get_integer(trace, "time_usec"), time));
        fputs(colour_end(), stdout);
}

/* What the figures are worth. */
static void print_caveats(const json_t *trace) {
        char age[DURATION_TEXT_MAX], look[DURATION_TEXT_MAX];

        if (json_get_integer(trace, "before_usec"))
                print_paragraph(0, "Compared with the machine as it was %s before; a look at it takes %s.",
                                duration_of(trace, "before_age_usec", age), duration_of(trace, "look_usec", look));
        fputs(colour_begin(COLOUR_NOTICE), stdout);
        if (json_get_bool(trace, "overlaps"))
                print_paragraph(0, "Another hot-add was under way at the same time: differences are of both.");
        if (json_get_bool(trace, "disturbed"))
                print_paragraph(0, "Somebody else changed the memory meanwhile: differences are of that, too.");
        fputs(colour_end(), stdout);
}

static void print_range(const json_t *trace, const struct options *o) {
        const json_t *range = get_part(trace, "range", "1 range");
        _cleanup_free_ char *addresses = NULL;
        char size[SIZE_TEXT_MAX];

        if (!range)
                return;
        addresses = format_addresses(range);
        print_step("1 range", "%s, %s at blocks of %s", addresses,
                   json_get_bool(range, "aligned") ? "begins and ends" : "does not begin and end",
                   format_size_of(range, "block_size", o, size));
}

static void print_resource(const json_t *trace) {
        const json_t *part = get_part(trace, "resource", "2 resource");
        _cleanup_free_ char *addresses = NULL;

        if (!part)
                return;
        addresses = format_addresses(part);
        print_step("2 resource", "%s %s%s", addresses, json_get_text(part, "text"),
                   json_get_bool(part, "whole") ? "" : " (of the first block)");
}

static void print_mapping(const json_t *trace, const struct options *o) {
        const json_t *part = get_part(trace, "direct_map", "3 mapping"), *value;
        _cleanup_free_ char *sizes = format_text("%s", "");
        const char *key;
        char change[SIZE_TEXT_MAX];

        if (!part)
                return;
        json_object_foreach((json_t *) json_object_get(part, "growth"), key, value) {
                char *longer = format_text("%s%s%s %s", sizes, *sizes ? ", " : "", key,
                                           format_change(json_integer_value(value), o, change));

                free(sizes);
                sizes = longer;
        }
        print_step("3 mapping", "%s mapped directly (%s)",
                   format_change(json_get_integer(part, "total"), o, change), sizes);
}

static void print_memmap(const json_t *trace, const struct options *o) {
        static const struct {
                const char *word, *text;
        } measures[] = {
                { "kernel-count", "as the kernel counts it" },
                { "first-event", "more in use in the kernel's zones at the first event" },
                { "end", "more in use in the kernel's zones when it was over" },
        }, homes[] = {
                { "kernel-zones", "from memory that was online already" },
                { "itself", "in the new memory itself (memmap_on_memory)" },
                { "unknown", "where it lies, the figures do not tell" },
        };
        const json_t *part = get_part(trace, "memmap", "4 memmap");
        char computed[SIZE_TEXT_MAX], measured[SIZE_TEXT_MAX], own[SIZE_TEXT_MAX];
        const char *by = "", *home = "";

        if (!part)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(measures); i++)
                if (strcmp(measures[i].word, json_get_text(part, "measured_by")) == 0)
                        by = measures[i].text;
        for (size_t i = 0; i < ARRAY_SIZE(homes); i++)
                if (strcmp(homes[i].word, json_get_text(part, "home")) == 0)
                        home = homes[i].text;
        print_step("4 memmap", "%s computed (64 bytes for each of %" PRId64 " pages)",
                   format_size_of(part, "computed", o, computed), json_get_integer(part, "pages"));
        print_step("", "%s measured: %s", format_change(json_get_integer(part, "measured"), o, measured), by);
        if (json_get_integer(part, "own"))
                print_step("", "%s present and not managed", format_change(json_get_integer(part, "own"), o, own));
        print_step("", "%s", home);
}

static void print_created(const json_t *trace) {
        const json_t *part = get_part(trace, "created", "5 blocks");
        char span[DURATION_TEXT_MAX];

        if (part)
                print_step("5 blocks", "%" PRId64 " created, %" PRId64 " events within %s", json_get_integer(part, "came"),
                           json_get_integer(part, "events"), duration_of(part, "span_usec", span));
}

/* ---- step 6 ---------------------------------------------------------------------------------------------------------- */

static void print_chosen(const json_t *trace) {
        const json_t *part = get_part(trace, "chosen", "6 onlining"), *value;
        _cleanup_free_ char *zones = format_text("%s", "");
        const char *key;

        if (!part)
                return;
        json_object_foreach((json_t *) json_object_get(part, "zones"), key, value) {
                char *longer = format_text("%s%s%" JSON_INTEGER_FORMAT " in %s", zones, *zones ? ", " : "",
                                           json_integer_value(value), key);

                free(zones);
                zones = longer;
        }
        print_step("6 onlining", "%s of %" PRId64 " blocks online", zones, json_get_integer(trace, "n_blocks"));
}

static void print_times(const json_t *trace, const char *key, const char *name) {
        const json_t *part = get_part(trace, key, name);
        char min[DURATION_TEXT_MAX], median[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

        if (part)
                print_step(name, "min %s, median %s, max %s, of %" PRId64 " blocks", duration_of(part, "min_usec", min),
                           duration_of(part, "median_usec", median), duration_of(part, "max_usec", max),
                           json_get_integer(part, "blocks"));
}

/* From begin to end, of all there is: at least one character, however short. */
static void print_bar(const char *name, uint64_t begin, uint64_t end, uint64_t all, unsigned width, bool unicode) {
        unsigned from = (unsigned) ((long double) begin * width / all), to = (unsigned) ((long double) end * width / all);

        from = MIN(from, width - 1);
        to = MIN(to, width);
        to = MAX(to, from + 1);
        printf("  %-*s ", NAME_WIDTH, name);
        for (unsigned i = 0; i < to; i++)
                fputs(i < from ? " " : unicode ? "\u2588" : "#", stdout);
        putchar('\n');
}

/* When what happened, from the first event to the end of the last write. */
static void print_course(const json_t *trace) {
        const json_t *created = json_object_get(trace, "created"), *written = json_object_get(trace, "written");
        uint64_t events = (uint64_t) json_get_integer(created, "span_usec"), end = (uint64_t) json_get_integer(written, "end_usec");
        char text[DURATION_TEXT_MAX];
        struct terminal t;
        unsigned width;

        if (end == 0 || json_object_get(created, "no_evidence"))
                return;
        terminal_look(&t);
        width = MAX(t.columns, 40u) - NAME_WIDTH - 4;
        width = MIN(width, (unsigned) BAR_MAX);
        print_step("", "0%*s", (int) width - 1, format_duration(end, text));
        print_bar("events", 0, events, end, width, t.unicode);
        print_bar("writes", (uint64_t) json_get_integer(written, "begin_usec"), end, end, width, t.unicode);
}

static void print_zonelists(const json_t *trace) {
        const json_t *part = get_part(trace, "zonelists", "zonelists");

        if (part)
                print_step("zonelists", "built %" PRId64 " times, the last time %" PRId64 " of %" PRId64 " pages",
                           json_get_integer(part, "rebuilt"), json_get_integer(part, "zonelists"),
                           json_get_integer(part, "total_pages"));
}

static void print_threads(const json_t *trace) {
        const json_t *part = get_part(trace, "threads", "threads"), *thread;
        const char *name;

        if (!part)
                return;
        json_object_foreach((json_t *) part, name, thread)
                print_step(name == json_object_iter_key(json_object_iter((json_t *) part)) ? "threads" : "", "%s%" PRId64 " %s", name,
                           json_get_integer(trace, "node"),
                           !json_get_bool(thread, "present") ? "is not there"
                           : json_get_bool(thread, "new")    ? "is there, and was started meanwhile"
                                                             : "is there, and was before");
}

enum { ZONE_NODE, ZONE_NAME, ZONE_FIGURES };

static const struct column growth_columns[] = {
        { "NODE", "", .right = true },    { "ZONE", "" },
        { "SPANNED", "", .right = true }, { "PRESENT", "", .right = true },
        { "MANAGED", "", .right = true }, { "FREE", "", .right = true },
}, mark_columns[] = {
        { "NODE", "", .right = true },     { "ZONE", "" },
        { "WMARK MIN", "", .right = true }, { "LOW", "", .right = true }, { "HIGH", "", .right = true },
}, order_columns[] = {
        { "NODE", "", .right = true },     { "ZONE", "" },
        { "", "", .right = true, .repeated = true },
};

static void add_zone(struct table *t, const json_t *zone) {
        char node[32];

        snprintf(node, sizeof(node), "%" PRId64, json_get_integer(zone, "node"));
        table_add_row(t);
        table_set(t, ZONE_NODE, node);
        table_set(t, ZONE_NAME, json_get_text(zone, "zone"));
}

static void init_table(struct table *t, const struct column_set *set, const char *const *repeated, size_t n) {
        struct column_choice choice;

        (void) column_choice_parse(set, NULL, &choice);
        putchar('\n');
        table_init(t, set, &choice, true, repeated, n);
}

static void print_growth(const json_t *trace, const struct options *o) {
        static const struct column_set set = { growth_columns, ARRAY_SIZE(growth_columns) };
        static const char *const keys[] = { "spanned", "present", "managed", "free" };
        const json_t *part = get_part(trace, "growth", "growth"), *zone;
        _cleanup_(table_done) struct table t = {};
        char change[SIZE_TEXT_MAX];
        size_t i;

        if (!part)
                return;
        init_table(&t, &set, NULL, 0);
        json_array_foreach(json_object_get(part, "zones"), i, zone) {
                add_zone(&t, zone);
                for (unsigned k = 0; k < ARRAY_SIZE(keys); k++)
                        table_set(&t, ZONE_FIGURES + k, format_change(json_get_integer(zone, keys[k]), o, change));
        }
        table_print(&t);
        if (json_get_integer(part, "left_out"))
                printf("(%" PRId64 " more zones)\n", json_get_integer(part, "left_out"));
}

static void format_mark(const json_t *mark, const struct options *o, char buf[static SIZE_TEXT_MAX]) {
        uint64_t bytes = (uint64_t) json_integer_value(mark);

        if (bytes)
                format_bytes(bytes, o->bytes, buf);
        else
                strcpy(buf, "0");
}

static void print_watermarks(const json_t *trace, const struct options *o) {
        static const struct column_set set = { mark_columns, ARRAY_SIZE(mark_columns) };
        static const char *const keys[] = { "min", "low", "high" };
        const json_t *part = json_object_get(trace, "watermarks"), *zone;
        _cleanup_(table_done) struct table t = {};
        size_t i;

        if (!json_object_get(part, "zones"))
                return; /* growth says why */
        init_table(&t, &set, NULL, 0);
        json_array_foreach(json_object_get(part, "zones"), i, zone) {
                add_zone(&t, zone);
                for (unsigned k = 0; k < ARRAY_SIZE(keys); k++) {
                        const json_t *mark = json_object_get(zone, keys[k]);
                        char before[SIZE_TEXT_MAX], after[SIZE_TEXT_MAX], text[2 * SIZE_TEXT_MAX + 8];

                        format_mark(json_array_get(mark, 0), o, before);
                        format_mark(json_array_get(mark, 1), o, after);
                        snprintf(text, sizeof(text), "%s to %s", before, after);
                        table_set(&t, ZONE_FIGURES + k, text);
                }
        }
        table_print(&t);
}

#define ORDERS_MAX 16

static void print_free_blocks(const json_t *trace, const struct options *o) {
        static const struct column_set set = { order_columns, ARRAY_SIZE(order_columns) };
        const json_t *part = get_part(trace, "free_blocks", "free blocks"), *zones = json_object_get(part, "zones"), *zone;
        const uint64_t page_size = (uint64_t) json_get_integer(trace, "page_size");
        size_t i, orders = MIN(json_array_size(json_object_get(json_array_get(zones, 0), "orders")), (size_t) ORDERS_MAX);
        _cleanup_(table_done) struct table t = {};
        char headings[ORDERS_MAX][SIZE_TEXT_MAX];
        const char *names[ORDERS_MAX];

        if (orders == 0)
                return;
        for (size_t k = 0; k < orders; k++)
                names[k] = format_bytes(page_size << k, o->bytes, headings[k]);
        fputs("\nNew free blocks, by their size:", stdout);
        init_table(&t, &set, names, orders);
        json_array_foreach(zones, i, zone) {
                add_zone(&t, zone);
                for (size_t k = 0; k < orders; k++) {
                        json_int_t n = json_integer_value(json_array_get(json_object_get(zone, "orders"), k));
                        char text[32];

                        snprintf(text, sizeof(text), n ? "%+" JSON_INTEGER_FORMAT : "0", n);
                        table_set_nth(&t, ZONE_FIGURES, k, text);
                }
        }
        table_print(&t);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static void print_refusal(const json_t *trace, const struct options *o) {
        char time[MOMENT_TEXT_MAX];

        printf("%sa hot-add that the kernel refused, %s%s\n", colour_begin(COLOUR_BAD),
               moment_format((uint64_t) json_get_integer(trace, "time_usec"), time), colour_end());
        print_range(trace, o);
        print_step("refused", "%s", json_get_text(trace, "refused"));
        print_step("", "Nothing of the other steps happened.");
}

void trace_print_text(const json_t *trace, const struct options *o) {
        if (strcmp(json_get_text(trace, "state"), "refused") == 0) {
                print_refusal(trace, o);
                return;
        }
        print_heading(trace, o);
        print_caveats(trace);
        putchar('\n');
        print_range(trace, o);
        print_resource(trace);
        print_mapping(trace, o);
        print_memmap(trace, o);
        print_created(trace);
        print_chosen(trace);
        print_times(trace, "queued", "queued");
        print_times(trace, "written", "written");
        print_course(trace);
        print_zonelists(trace);
        print_threads(trace);
        print_growth(trace, o);
        print_watermarks(trace, o);
        print_free_blocks(trace, o);
}
