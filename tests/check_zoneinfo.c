/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/zoneinfo.h"

#include <ctype.h>
#include <inttypes.h>

#include "check_util.h"

static const char *const captures[] = { "zoneinfo-6.18", "zoneinfo-6.1" };

/* The text in a heap block of just its size, gone before the result is looked at. */
static int parse_copy(const char *text, size_t size, struct zoneinfo *ret, unsigned *ret_line) {
        char *copy = check_copy(text, size);
        int r = zoneinfo_parse(copy, size, ret, ret_line);

        free(copy);
        return r;
}

static void parse_text(const char *text, size_t size, struct zoneinfo *ret) {
        unsigned line = 0;
        int r = parse_copy(text, size, ret, &line);

        ck_assert_msg(r == 0, "%d, line %u of:\n%.*s", r, line, (int) MIN(size, (size_t) 160), text);
        ck_assert_uint_eq(line, 0); /* untouched */
}

static unsigned check_refused(const char *text, size_t size) {
        struct zoneinfo canary = { .n_zones = 99 }, z = canary;
        unsigned line = 0;

        ck_assert_msg(parse_copy(text, size, &z, &line) == -EBADMSG, "not refused:\n%.*s", (int) MIN(size, (size_t) 160), text);
        ck_assert_mem_eq(&z, &canary, sizeof(z));
        return line;
}

/* ---- An independent reading: sscanf(), line by line, and the indentation that the kernel gives ---- */

static const char *const figures[] = { "free", "min", "low", "high", "spanned", "present", "managed" };

static uint64_t figure_of(const struct zone_info *z, size_t i) {
        const uint64_t values[] = { z->free, z->min, z->low, z->high, z->spanned, z->present, z->managed };

        return values[i];
}

struct reader {
        const struct zoneinfo *z;
        size_t zone, node, counter, protection; /* the next of each, one for all zones and nodes */
        uint64_t pcp_free;
        bool in_node, in_pagesets;
        unsigned figures_seen;
};

static void reader_end_zone(struct reader *r) {
        const struct zone_info *z;

        if (r->zone == 0)
                return;
        z = &r->z->zones[r->zone - 1];
        ck_assert_uint_eq(z->pcp_free, r->pcp_free);
        ck_assert_uint_eq(z->counters + z->n_counters, r->counter);
        ck_assert_uint_eq(z->protection + z->n_protection, r->protection);
        for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
                if (!(r->figures_seen & 1u << i))
                        ck_assert_uint_eq(figure_of(z, i), 0);
}

static void reader_expect_counter(struct reader *r, const char *key, uint64_t value) {
        ck_assert_uint_lt(r->counter, r->z->n_counters);
        ck_assert_str_eq(r->z->counters[r->counter].key, key);
        ck_assert_uint_eq(r->z->counters[r->counter].value, value);
        r->counter++;
}

static void reader_line(struct reader *r, const char *line) {
        const struct zone_info *z = r->zone ? &r->z->zones[r->zone - 1] : NULL;
        char key[64], name[64];
        uint64_t value;
        unsigned node;

        if (sscanf(line, "Node %u, zone %63s", &node, name) == 2) {
                reader_end_zone(r);
                ck_assert_uint_lt(r->zone, r->z->n_zones);
                z = &r->z->zones[r->zone++];
                ck_assert_uint_eq(z->node, node);
                ck_assert_str_eq(z->name, name);
                ck_assert_ptr_eq(zoneinfo_find(r->z, node, name), z);
                ck_assert_uint_eq(z->protection, r->protection);
                r->pcp_free = 0;
                r->in_pagesets = false;
                r->figures_seen = 0;
        } else if (strcmp(line, "  per-node stats") == 0) {
                ck_assert_uint_lt(r->node, r->z->n_nodes);
                ck_assert_uint_eq(r->z->nodes[r->node].node, z->node);
                ck_assert_uint_eq(r->z->nodes[r->node].counters, r->counter);
                r->in_node = true;
        } else if (strncmp(line, "        protection: (", 21) == 0) {
                for (const char *p = line + 21; *p != ')'; p += strcspn(p, " )"), p += *p == ' ') {
                        ck_assert_int_eq(sscanf(p, "%" SCNu64, &value), 1);
                        ck_assert_uint_eq(r->z->protections[r->protection], value);
                        r->protection++;
                }
        } else if (strcmp(line, "  pagesets") == 0)
                r->in_pagesets = true;
        else if (strncmp(line, "  vm stats threshold: ", 22) == 0)
                return;
        else if (sscanf(line, "  pages free %" SCNu64, &value) == 1) {
                if (r->in_node) {
                        const struct node_info *n = &r->z->nodes[r->node++];

                        ck_assert_uint_eq(n->counters + n->n_counters, r->counter);
                        r->in_node = false;
                }
                ck_assert_uint_eq(z->counters, r->counter);
                ck_assert_uint_eq(z->free, value);
                r->figures_seen |= 1;
        } else {
                if (sscanf(line, " %63[^: ]%*[: ]%" SCNu64, key, &value) != 2)
                        ck_abort_msg("not understood: %s", line);
                if (r->in_pagesets && line[2] == ' ') {
                        if (strcmp(key, "count") == 0)
                                r->pcp_free += value;
                        return;
                }
                for (size_t i = 0; i < ARRAY_SIZE(figures) && !r->in_node; i++)
                        if (strcmp(key, figures[i]) == 0 && !(r->figures_seen & 1u << i)) {
                                ck_assert_uint_eq(figure_of(z, i), value);
                                r->figures_seen |= 1u << i;
                                return;
                        }
                reader_expect_counter(r, key, value);
        }
}

/* The lines about each CPU, walked over later: key and number of each, and no others. */
static void check_pagesets(const struct zoneinfo *z, const char *text, size_t size) {
        const struct zone_info *zone = z->zones;
        struct lines pagesets = {};
        bool inside = false;

        for (const char *line = text; line < text + size; line = strchr(line, '\n') + 1) {
                const char *key, *figure;
                uint64_t value, seen;
                char *end;
                size_t n;

                if (strncmp(line, "Node ", 5) == 0) {
                        ck_assert(!pageset_next(&pagesets, &key, &n, &seen));
                        zoneinfo_pagesets(z, zone++, &pagesets);
                        inside = false;
                        continue;
                }
                if (strncmp(line, "  pagesets\n", 11) == 0) {
                        inside = true;
                        continue;
                }
                if (!inside || (line[2] != ' ' && strncmp(line, "  vm stats", 10) != 0))
                        continue;
                line += strspn(line, " ");
                figure = strchr(line, ':') + 1;
                value = strtoull(figure, &end, 10); /* sscanf() would measure all that follows, each time */
                CHECK(end > figure);
                CHECK(pageset_next(&pagesets, &key, &n, &seen));
                CHECK(n == (size_t) (figure - 1 - line));
                CHECK(memcmp(key, line, n) == 0);
                CHECK(seen == value);
        }
}

/* Every figure of the text, in its place; and nothing that is not in the text. */
static void check_against_text(const struct zoneinfo *z, const char *text, size_t size) {
        struct reader r = { .z = z };
        char line[256];

        for (const char *p = text; p < text + size; p = strchr(p, '\n') + 1) {
                size_t n = strcspn(p, "\n");

                CHECK(n < sizeof(line));
                memcpy(line, p, n);
                line[n] = '\0';
                reader_line(&r, line);
        }
        reader_end_zone(&r);
        ck_assert_uint_eq(r.zone, z->n_zones);
        ck_assert_uint_eq(r.node, z->n_nodes);
        ck_assert_uint_eq(r.counter, z->n_counters);
        ck_assert_uint_eq(r.protection, z->n_protections);
        check_pagesets(z, text, size);
}

static const uint64_t *counter_of(const struct zoneinfo *z, size_t first, size_t n, const char *key) {
        for (size_t i = first; i < first + n; i++)
                if (strcmp(z->counters[i].key, key) == 0)
                        return &z->counters[i].value;
        return NULL;
}

static void check_counter(const struct zoneinfo *z, size_t first, size_t n, const char *key, uint64_t value) {
        const uint64_t *found = counter_of(z, first, n, key);

        ck_assert_msg(found, "no %s", key);
        ck_assert_uint_eq(*found, value);
}

START_TEST(test_capture) {
        struct zoneinfo z;
        size_t size;
        char *text = check_read_data(captures[_i], &size);

        parse_text(text, size, &z);
        check_against_text(&z, text, size);
        zoneinfo_done(&z);
        free(text);
}
END_TEST

/* Figures of the captures, written down by hand: what both readings could get wrong alike. */
struct zone_row {
        unsigned node;
        const char *name;
        uint64_t free, min, low, high, spanned, present, managed, pcp_free;
        uint64_t protection[5];
        uint64_t start_pfn; /* UINT64_MAX: the zone is not populated and has none */
};

#define NONE UINT64_MAX

static const struct zone_row rows_6_18[] = {
        { 0, "DMA", 3840, 57, 71, 85, 4095, 3998, 3840, 0, { 0, 3019, 4427, 4427, 4427 }, 1 },
        { 0, "DMA32", 772918, 11483, 14353, 17223, 1044480, 782336, 772918, 0, { 0, 0, 1408, 1408, 1408 }, 4096 },
        { 0, "Normal", 179029, 5355, 6693, 8031, 5505024, 5505024, 360448, 1720 + 476, {}, 1048576 },
        { 0, "Movable", 0, 32, 32, 32, 0, 0, 0, 0, {}, NONE },
        { 0, "Device", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
};

static const struct zone_row rows_6_1[] = {
        { 0, "DMA", 3808, 95, 118, 141, 4095, 3998, 3840, 0, { 0, 752, 752, 752, 752 }, 1 },
        { 0, "DMA32", 164579, 4794, 5992, 7190, 258014, 225246, 192652, 2843 + 308, {}, 4096 },
        { 0, "Normal", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
        { 0, "Movable", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
        { 0, "Device", 0, 0, 0, 0, 32768, 0, 0, 0, {}, NONE }, /* device memory: spanned, never present */
        { 1, "DMA", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
        { 1, "DMA32", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
        { 1, "Normal", 0, 0, 0, 0, 0, 0, 0, 0, {}, NONE },
        { 1, "Movable", 196608, 4892, 6115, 7338, 262144, 196608, 196608, 0, {}, 1048576 },
        { 1, "Device", 0, 0, 0, 0, 524288, 0, 0, 0, {}, NONE },
};

static void check_row(const struct zoneinfo *z, const struct zone_info *zone, const struct zone_row *row) {
        ck_assert_uint_eq(zone->node, row->node);
        ck_assert_str_eq(zone->name, row->name);
        ck_assert_uint_eq(zone->free, row->free);
        ck_assert_uint_eq(zone->min, row->min);
        ck_assert_uint_eq(zone->low, row->low);
        ck_assert_uint_eq(zone->high, row->high);
        ck_assert_uint_eq(zone->spanned, row->spanned);
        ck_assert_uint_eq(zone->present, row->present);
        ck_assert_uint_eq(zone->managed, row->managed);
        ck_assert_uint_eq(zone->pcp_free, row->pcp_free);
        ck_assert_uint_eq(zone->n_protection, 5);
        for (size_t k = 0; k < 5; k++)
                ck_assert_uint_eq(z->protections[zone->protection + k], row->protection[k]);
        if (row->start_pfn == NONE)
                ck_assert_ptr_null(counter_of(z, zone->counters, zone->n_counters, "start_pfn"));
        else
                check_counter(z, zone->counters, zone->n_counters, "start_pfn", row->start_pfn);
        check_counter(z, zone->counters, zone->n_counters, "boost", 0);
        check_counter(z, zone->counters, zone->n_counters, "cma", 0);
}

START_TEST(test_capture_6_18) {
        struct zoneinfo z;
        size_t size;
        char *text = check_read_data("zoneinfo-6.18", &size);

        parse_text(text, size, &z);
        ck_assert_uint_eq(z.n_zones, ARRAY_SIZE(rows_6_18));
        for (size_t i = 0; i < z.n_zones; i++)
                check_row(&z, &z.zones[i], &rows_6_18[i]);
        ck_assert_uint_eq(z.n_nodes, 1);
        ck_assert_uint_eq(z.nodes[0].node, 0);
        ck_assert_ptr_null(zoneinfo_find(&z, 1, "DMA"));
        ck_assert_ptr_null(zoneinfo_find(&z, 0, "DMA3"));
        ck_assert_ptr_null(zoneinfo_find(&z, 0, "HighMem"));
        zoneinfo_done(&z);
        free(text);
}
END_TEST

START_TEST(test_capture_6_1) {
        struct zoneinfo z;
        size_t size;
        char *text = check_read_data("zoneinfo-6.1", &size);

        parse_text(text, size, &z);
        ck_assert_uint_eq(z.n_zones, ARRAY_SIZE(rows_6_1));
        for (size_t i = 0; i < z.n_zones; i++)
                check_row(&z, &z.zones[i], &rows_6_1[i]);
        /* node 1 has none but movable memory: its statistics come with that zone */
        ck_assert_uint_eq(z.n_nodes, 2);
        ck_assert_uint_eq(z.nodes[0].node, 0);
        ck_assert_uint_eq(z.nodes[1].node, 1);
        check_counter(&z, z.nodes[1].counters, z.nodes[1].n_counters, "nr_file_pages", 0);
        ck_assert_ptr_null(counter_of(&z, z.nodes[1].counters, z.nodes[1].n_counters, "nr_free_pages"));
        ck_assert_ptr_eq(zoneinfo_find(&z, 1, "Movable"), &z.zones[8]);
        zoneinfo_done(&z);
        free(text);
}
END_TEST

/* ---- Files of kernels that are not at hand, printed from a model as mm/vmstat.c of the time printed them ---- */

enum era {
        ERA_3_2,  /* no per-node stats, no "managed", counters before "protection:", populated zones only */
        ERA_3_10, /* "managed" */
        ERA_4_8,  /* per-node stats, "node_scanned", lines after start_pfn, zones without memory printed in full */
        ERA_4_18, /* "protection:" before the counters; zones without memory end there */
        ERA_6_18,
        ERA_7,    /* lines after start_pfn, and keys that nobody knows */
        _ERA_MAX,
};

struct model_zone {
        unsigned node;
        const char *name;
        uint64_t figures[ARRAY_SIZE(figures)], pcp_free;
        bool populated, first_of_node;
};

struct model {
        enum era era;
        unsigned cpus;
        size_t n_zones;
        struct model_zone zones[64];
        char *text, *end;
};

static uint64_t pages(struct prng *p) {
        return prng_number(p) >> 8;
}

static void print_counters(struct prng *p, struct model *m, const char *indent, const char *prefix) {
        for (unsigned i = 0; i < 6; i++)
                m->end += sprintf(m->end, "%s%s%-9u %" PRIu64 "\n", indent, prefix, i, pages(p));
}

static void print_zone(struct prng *p, struct model *m, struct model_zone *z) {
        static const char *const after_high[_ERA_MAX] = {
                [ERA_3_2] = "        scanned  0\n",  [ERA_3_10] = "        scanned  0\n", [ERA_4_8] = "   node_scanned  0\n",
                [ERA_4_18] = "",                      [ERA_6_18] = "        promo    9\n", [ERA_7] = "        promo    9\n",
        };
        const char *indent = m->era < ERA_4_8 ? "    " : "      ";
        bool protection_last = m->era < ERA_4_18, managed = m->era >= ERA_3_10;

        m->end += sprintf(m->end, "Node %u, zone %8s\n", z->node, z->name);
        if (z->first_of_node && m->era >= ERA_4_8) {
                m->end += sprintf(m->end, "  per-node stats\n");
                print_counters(p, m, "      ", "nr_node_");
                /* a zone's words, but not a zone's figures */
                m->end += sprintf(m->end, "      free         5\n      present      6\n");
        }
        for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
                if (strcmp(figures[i], "managed") == 0 && !managed)
                        continue;
                m->end += sprintf(m->end, i == 0 ? "  pages %s     %" PRIu64 "\n" : "        %-8s %" PRIu64 "\n",
                                  figures[i], z->figures[i]);
                if (m->era >= ERA_6_18 && i == 0)
                        m->end += sprintf(m->end, "        boost    0\n");
                if (strcmp(figures[i], "high") == 0)
                        m->end = stpcpy(m->end, after_high[m->era]);
        }
        if (m->era == ERA_7)
                m->end += sprintf(m->end, "        novelty  18446744073709551615\n");
        if (protection_last)
                print_counters(p, m, indent, "nr_zone_");
        m->end += sprintf(m->end, "        protection: (0, %" PRIu64 ", %" PRIu64 ", 0)\n", pages(p), pages(p));
        if (!z->populated && m->era >= ERA_4_18)
                return;
        if (!protection_last)
                print_counters(p, m, indent, "nr_zone_");
        m->end += sprintf(m->end, "  pagesets\n");
        for (unsigned cpu = 0; cpu < m->cpus; cpu++) {
                uint64_t count = prng_below(p, 5000);

                z->pcp_free += count;
                m->end += sprintf(m->end, "    cpu: %u\n              count: %" PRIu64 "\n", cpu, count);
                m->end += sprintf(m->end, "              high:  %u\n              batch: 63\n", 3346 + cpu);
                if (m->era == ERA_3_2) /* as with CONFIG_NUMA, long ago */
                        m->end += sprintf(m->end, "            numa_hit:       77\n");
                if (m->era >= ERA_6_18)
                        m->end += sprintf(m->end, "              high_min: 35\n              high_max: 240\n");
                if (m->era == ERA_7)
                        m->end += sprintf(m->end, "              novelty:  99\n");
                m->end += sprintf(m->end, "  vm stats threshold: 24\n");
        }
        m->end += sprintf(m->end, m->era < ERA_4_8 ? "  all_unreclaimable: 0\n" : "  node_unreclaimable:  0\n");
        m->end += sprintf(m->end, m->era < ERA_4_8 ? "  start_pfn:         4096\n" : "  start_pfn:           4096\n");
        if (m->era < ERA_4_8)
                m->end += sprintf(m->end, "  inactive_ratio:    11\n");
        if (m->era == ERA_4_8)
                m->end += sprintf(m->end, "  node_inactive_ratio: 0\n");
        if (m->era == ERA_7)
                m->end += sprintf(m->end, "  reserved_highatomic: 5120\n  free_highatomic:     2081\n");
}

static void model_init(struct model *m, struct prng *p, enum era era, unsigned nodes, unsigned cpus) {
        static const char *const names[] = { "DMA", "DMA32", "Normal", "Movable", "Device" };

        *m = (struct model) { .era = era, .cpus = cpus };
        m->text = m->end = malloc((size_t) nodes * ARRAY_SIZE(names) * (4096 + cpus * 256));
        ck_assert_ptr_nonnull(m->text);
        for (unsigned node = 0; node < nodes; node++) {
                bool first = true;

                for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                        struct model_zone *z = &m->zones[m->n_zones];

                        *z = (struct model_zone) { .node = node * 3, .name = names[i] };
                        z->populated = i == 2 || prng_below(p, 2);
                        if (!z->populated && era < ERA_4_8)
                                continue;
                        z->first_of_node = first && z->populated;
                        first = first && !z->populated;
                        for (size_t k = 0; k < ARRAY_SIZE(figures); k++)
                                z->figures[k] = z->populated || k < 5 ? pages(p) + 1 : 0;
                        if (era == ERA_3_2)
                                z->figures[6] = 0;
                        print_zone(p, m, z);
                        m->n_zones++;
                }
        }
        ck_assert_uint_le(m->n_zones, ARRAY_SIZE(m->zones));
}

static void check_model(const struct zoneinfo *z, const struct model *m, size_t n_zones) {
        ck_assert_uint_eq(z->n_zones, n_zones);
        for (size_t i = 0; i < n_zones; i++) {
                ck_assert_uint_eq(z->zones[i].node, m->zones[i].node);
                ck_assert_str_eq(z->zones[i].name, m->zones[i].name);
                for (size_t k = 0; k < ARRAY_SIZE(figures); k++)
                        ck_assert_uint_eq(figure_of(&z->zones[i], k), m->zones[i].figures[k]);
                ck_assert_uint_eq(z->zones[i].n_protection, 4);
                ck_assert_uint_eq(z->zones[i].pcp_free, m->zones[i].pcp_free);
        }
}

START_TEST(test_eras) {
        static const unsigned cpus[] = { 1, 2, 7, 512 };
        struct prng p = { 100 + (unsigned) _i };

        for (size_t c = 0; c < ARRAY_SIZE(cpus); c++)
                for (unsigned nodes = 1; nodes <= 8; nodes += c == 3 ? 7 : 1) {
                        struct zoneinfo z;
                        struct model m;

                        model_init(&m, &p, (enum era) _i, nodes, cpus[c]);
                        parse_text(m.text, (size_t) (m.end - m.text), &z);
                        check_model(&z, &m, m.n_zones);
                        check_against_text(&z, m.text, (size_t) (m.end - m.text));
                        ck_assert_uint_eq(z.n_nodes, _i < ERA_4_8 ? 0 : nodes);
                        /* what is no figure is kept, also where it is new; what belongs to a CPU is not the zone's */
                        for (size_t i = 0; i < z.n_zones; i++) {
                                size_t first = z.zones[i].counters, n = z.zones[i].n_counters;

                                ck_assert_ptr_null(counter_of(&z, first, n, "batch"));
                                ck_assert_ptr_null(counter_of(&z, first, n, "cpu"));
                                ck_assert_ptr_null(counter_of(&z, first, n, "high"));
                                if (!m.zones[i].populated)
                                        continue;
                                check_counter(&z, first, n, "start_pfn", 4096);
                                if (_i < ERA_4_8)
                                        check_counter(&z, first, n, "inactive_ratio", 11);
                                if (_i == ERA_4_8)
                                        check_counter(&z, first, n, "node_scanned", 0);
                                if (_i == ERA_7) {
                                        check_counter(&z, first, n, "novelty", UINT64_MAX);
                                        check_counter(&z, first, n, "reserved_highatomic", 5120);
                                        check_counter(&z, first, n, "free_highatomic", 2081);
                                }
                        }
                        zoneinfo_done(&z);
                        free(m.text);
                }
}
END_TEST

/* ---- Truncation and corruption ---- */

static bool starts_zone(const char *p, const char *end) {
        return p == end || strncmp(p, "Node ", 5) == 0;
}

/* Cut a real file at every byte. Only where a zone has ended is there a result, and then it is the zones before. */
START_TEST(test_every_truncation) {
        size_t size;
        char *text = check_read_data(captures[_i], &size);
        unsigned zones = 0;

        for (size_t cut = 0; cut <= size; cut++) {
                struct zoneinfo z;

                if (cut == 0 || text[cut - 1] != '\n' || !starts_zone(text + cut, text + size)) {
                        ck_assert_uint_eq(check_refused(text, cut), check_line_at(text, cut));
                        continue;
                }
                parse_text(text, cut, &z);
                ck_assert_uint_eq(z.n_zones, ++zones);
                check_against_text(&z, text, cut);
                zoneinfo_done(&z);
        }
        ck_assert_uint_eq(zones, _i == 0 ? ARRAY_SIZE(rows_6_18) : ARRAY_SIZE(rows_6_1));
        free(text);
}
END_TEST

/* The same for the other eras. Where lines follow start_pfn, or zones without memory are printed in full, a cut among
 * those can't be told from a kernel that does not print them: then, too, all that was read is right. */
START_TEST(test_every_truncation_of_eras) {
        struct prng p = { 200 + (unsigned) _i };
        struct model m;
        size_t size;
        unsigned zones = 0;

        model_init(&m, &p, (enum era) _i, 2, 2);
        size = (size_t) (m.end - m.text);
        for (size_t cut = 0; cut <= size; cut++) {
                bool line_end = cut > 0 && m.text[cut - 1] == '\n';
                struct zoneinfo z;
                unsigned line = 0;
                int r;

                if (line_end && starts_zone(m.text + cut, m.end)) {
                        parse_text(m.text, cut, &z);
                        check_model(&z, &m, ++zones);
                        check_against_text(&z, m.text, cut);
                        zoneinfo_done(&z);
                        continue;
                }
                r = parse_copy(m.text, cut, &z, &line);
                if (r < 0) {
                        ck_assert_int_eq(r, -EBADMSG);
                        ck_assert_uint_eq(line, check_line_at(m.text, cut));
                        continue;
                }
                ck_assert(line_end);
                ck_assert(_i < ERA_4_18 || _i == ERA_7);
                ck_assert_uint_eq(z.n_zones, zones + 1);
                if (m.zones[zones].populated) {
                        const struct zone_info *last = &z.zones[zones];

                        check_model(&z, &m, zones + 1);
                        ck_assert_ptr_nonnull(counter_of(&z, last->counters, last->n_counters, "start_pfn"));
                }
                check_against_text(&z, m.text, cut);
                zoneinfo_done(&z);
        }
        ck_assert_uint_eq(zones, m.n_zones);
        free(m.text);
}
END_TEST

/* What a result promises, whatever it was made of. */
static void check_sound(const struct zoneinfo *z, size_t size) {
        CHECK(z->n_zones > 0);
        for (size_t i = 0; i < z->n_zones; i++) {
                const struct zone_info *zone = &z->zones[i];

                CHECK(strlen(zone->name) < size);
                CHECK(strlen(zone->name) > 0);
                CHECK(zone->counters + zone->n_counters <= z->n_counters);
                CHECK(zone->protection + zone->n_protection <= z->n_protections);
        }
        for (size_t i = 0; i < z->n_nodes; i++)
                CHECK(z->nodes[i].counters + z->nodes[i].n_counters <= z->n_counters);
        for (size_t i = 0; i < z->n_counters; i++)
                CHECK(strlen(z->counters[i].key) < size);
}

START_TEST(test_every_corruption) {
        static const char bytes[] = { '\0', '\n', ' ', '9', ':', 'x', '\xff' };
        size_t size;
        char *text = check_read_data(captures[_i], &size);
        unsigned refused = 0, accepted = 0;

        for (size_t at = 0; at < size; at++) {
                unsigned damaged = check_line_at(text, at + 1);

                for (size_t b = 0; b < sizeof(bytes); b++) {
                        char *copy = check_copy(text, size);
                        struct zoneinfo z;
                        unsigned line = 0;
                        int r;

                        copy[at] = bytes[b];
                        r = zoneinfo_parse(copy, size, &z, &line);
                        free(copy);
                        if (r < 0) {
                                CHECK(r == -EBADMSG);
                                CHECK(bytes[b] == '\0' ? line == damaged : line >= damaged);
                                refused++;
                                continue;
                        }
                        CHECK(bytes[b] != '\0');
                        check_sound(&z, size);
                        zoneinfo_done(&z);
                        accepted++;
                }
        }
        ck_assert_uint_gt(refused, size);
        ck_assert_uint_gt(accepted, size);
        free(text);
}
END_TEST

/* A letter in the place of any digit of any figure: that line is refused. */
START_TEST(test_every_digit) {
        size_t size, digits = 0;
        char *text = check_read_data(captures[_i], &size);
        const char *line = text;

        for (size_t at = 0; at < size; at++) {
                char kept = text[at];
                const char *key_end;

                if (at > 0 && text[at - 1] == '\n')
                        line = text + at;
                key_end = line + strspn(line, " ");
                key_end += strcspn(key_end, " \n");
                if (!isdigit((unsigned char) kept) || text + at < key_end)
                        continue;
                /* a zone's name may have digits; the threshold is no figure of the memory's */
                if (line[0] == 'N' && memchr(line, ',', (size_t) (text + at - line)))
                        continue;
                if (strncmp(line, "  vm stats", 10) == 0)
                        continue;
                text[at] = 'o';
                ck_assert_uint_eq(check_refused(text, size), check_line_at(text, at + 1));
                text[at] = kept;
                digits++;
        }
        ck_assert_uint_gt(digits, 400);
        free(text);
}
END_TEST

/* ---- Lines that must not be there, or must ---- */

#define ZONE_HEAD "Node 0, zone   Normal\n"
#define ZONE_PAGES                                                                                                   \
        "  pages free     9\n        min      1\n        low      2\n        high     3\n        spanned  20\n"     \
        "        present  10\n        managed  8\n"
#define ZONE_REST                                                                                                    \
        "        protection: (0, 7)\n      nr_free_pages 9\n  pagesets\n    cpu: 0\n              count:    4\n"    \
        "  vm stats threshold: 4\n  node_unreclaimable:  0\n  start_pfn:           1\n"
#define ZONE_EMPTY                                                                                                   \
        "  pages free     0\n        min      0\n        low      0\n        high     0\n        spanned  0\n"      \
        "        present  0\n        managed  0\n        protection: (0, 0)\n"
#define WITH_PROTECTION(text) ZONE_HEAD ZONE_PAGES "        protection: " text "\n  pagesets\n  start_pfn:           1\n"
#define TEXT(s) s, sizeof(s) - 1

static const struct {
        const char *text;
        size_t size;
        unsigned line;
} garbage[] = {
        { TEXT(""), 1 },
        { TEXT("\n"), 1 },
        { TEXT("\0"), 1 },
        { TEXT("garbage\n"), 1 },
        { TEXT("Node"), 1 },
        { TEXT("Node\n"), 1 },
        { TEXT("Node 0, zone Normal\n"), 1 },
        { TEXT("Node 0 zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node 0x zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node 0; zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node , zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node x, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node -1, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node 4294967296, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node 18446744073709551616, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("Node 0, zone\n" ZONE_EMPTY), 1 },
        { TEXT("Node 0, zone  \n" ZONE_EMPTY), 1 },
        { TEXT("Node 0, zone Normal Movable\n" ZONE_EMPTY), 1 },
        { TEXT("Node 0, Zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT(" Node 0, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT("node 0, zone Normal\n" ZONE_EMPTY), 1 },
        { TEXT(ZONE_EMPTY), 1 },
        { TEXT("  per-node stats\n" ZONE_HEAD ZONE_EMPTY), 1 },
        { TEXT(ZONE_HEAD "  per-node\n" ZONE_EMPTY), 2 },
        { TEXT(ZONE_HEAD "  per-node stats 1\n" ZONE_EMPTY), 2 },
        { TEXT(ZONE_HEAD "  per-node stats\n      a 1\n  per-node stats\n" ZONE_EMPTY), 4 },
        { TEXT(ZONE_HEAD "      nr_free_pages 1\n" ZONE_EMPTY), 2 },
        { TEXT(ZONE_HEAD "        protection: (0)\n"), 2 },
        { TEXT(ZONE_HEAD "  pagesets\n"), 2 },
        { TEXT(ZONE_HEAD ZONE_PAGES "  pagesets\n" ZONE_REST), 9 }, /* no protection */
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_PAGES ZONE_REST), 9 },
        { TEXT(ZONE_HEAD ZONE_PAGES "        present  11\n" ZONE_REST), 9 }, /* which of the two? */
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST ZONE_PAGES ZONE_REST), 17 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_HEAD ZONE_EMPTY), 9 },      /* the first zone stops too soon */
        { TEXT(ZONE_HEAD ZONE_PAGES "        protection: (0, 7)\n" ZONE_HEAD ZONE_EMPTY), 10 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST "\n"), 17 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST "junk\n"), 17 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST "Node 1, zone\n"), 17 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST "Node 1, zone Normal\n"), 17 },
        { TEXT(ZONE_HEAD ZONE_PAGES ZONE_REST "  key only\n"), 17 },
        { TEXT(WITH_PROTECTION("0, 7")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7")), 9 },
        { TEXT(WITH_PROTECTION("0, 7)")), 9 },
        { TEXT(WITH_PROTECTION("()")), 9 },
        { TEXT(WITH_PROTECTION("(")), 9 },
        { TEXT(WITH_PROTECTION("")), 9 },
        { TEXT(WITH_PROTECTION("(0,7)")), 9 },
        { TEXT(WITH_PROTECTION("(0, )")), 9 },
        { TEXT(WITH_PROTECTION("(, 7)")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7,)")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7, )")), 9 },
        { TEXT(WITH_PROTECTION("(0 7)")), 9 },
        { TEXT(WITH_PROTECTION("(0;7)")), 9 },
        { TEXT(WITH_PROTECTION("[0, 7]")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7]")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7) ")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7) 1")), 9 },
        { TEXT(WITH_PROTECTION("(0, -7)")), 9 },
        { TEXT(WITH_PROTECTION("(0, x)")), 9 },
        { TEXT(WITH_PROTECTION("(0, 18446744073709551616)")), 9 },
        { TEXT(WITH_PROTECTION("(0, 7)\n        protection: (0, 7)")), 10 },
};

START_TEST(test_garbage) {
        unsigned line = check_refused(garbage[_i].text, garbage[_i].size);

        ck_assert_msg(line == garbage[_i].line, "line %u instead of %u of:\n%s", line, garbage[_i].line, garbage[_i].text);
}
END_TEST

/* The frame of the table above is itself in order. */
START_TEST(test_frame) {
        static const char text[] = ZONE_HEAD ZONE_PAGES ZONE_REST "Node 1, zone Weird\n" ZONE_EMPTY;
        static const char protected[] = WITH_PROTECTION("(0, 7, 8)");
        struct zoneinfo z;

        parse_text(protected, strlen(protected), &z);
        check_against_text(&z, protected, strlen(protected));
        ck_assert_uint_eq(z.n_protections, 3);
        zoneinfo_done(&z);

        parse_text(text, strlen(text), &z);
        check_against_text(&z, text, strlen(text));
        ck_assert_uint_eq(z.n_zones, 2);
        ck_assert_uint_eq(z.zones[0].pcp_free, 4);
        ck_assert_str_eq(z.zones[1].name, "Weird"); /* a zone that nobody knows is a zone */
        ck_assert_ptr_eq(zoneinfo_find(&z, 1, "Weird"), &z.zones[1]);
        ck_assert_ptr_null(zoneinfo_find(&z, 0, "Weird"));
        ck_assert_ptr_null(zoneinfo_find(&z, 1, "Normal"));
        ck_assert_ptr_null(zoneinfo_find(&z, 2, "Weird"));
        zoneinfo_done(&z);
        zoneinfo_done(&z);
        ck_assert_ptr_null(z.zones);
}
END_TEST

static const struct {
        const char *figure;
        int r;
} figure_rows[] = {
        { "18446744073709551615", 0 },
        { "0", 0 },
        { "18446744073709551616", -EBADMSG },
        { "99999999999999999999999999", -EBADMSG },
        { "-1", -EBADMSG },
        { "+1", -EBADMSG },
        { "0x10", -EBADMSG },
        { "1.5", -EBADMSG },
        { "1 2", -EBADMSG },
        { "1 kB", -EBADMSG },
        { "", -EBADMSG },
        { "none", -EBADMSG },
};

/* A figure out of range or of another form, in every place where one may stand. */
START_TEST(test_figures) {
        static const char *const formats[] = {
                ZONE_HEAD "  per-node stats\n      nr_x %s\n" ZONE_PAGES ZONE_REST,
                ZONE_HEAD "  pages free     %s\n        min      1\n        low      2\n        high     3\n"
                          "        spanned  20\n        present  10\n        managed  8\n" ZONE_REST,
                ZONE_HEAD ZONE_PAGES "        cma      %s\n" ZONE_REST,
                ZONE_HEAD ZONE_PAGES "        protection: (0, 7)\n      nr_x %s\n  pagesets\n  start_pfn:  1\n",
                ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n    cpu: 0\n       count:    %s\n  start_pfn:  1\n",
                ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n    cpu: 0\n       high:     %s\n  start_pfn:  1\n",
                ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n    cpu: %s\n       high:     1\n  start_pfn:  1\n",
                ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n  start_pfn:           %s\n",
        };

        for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
                const char *at = strstr(formats[i], "%s");
                char text[1024];
                struct zoneinfo z;
                size_t before = (size_t) (at - formats[i]);
                size_t size = (size_t) sprintf(text, "%.*s%s%s", (int) before, formats[i], figure_rows[_i].figure, at + 2);

                if (figure_rows[_i].r == 0) {
                        parse_text(text, size, &z);
                        check_against_text(&z, text, size);
                        zoneinfo_done(&z);
                } else
                        ck_assert_uint_eq(check_refused(text, size), check_line_at(formats[i], before + 1));
        }
}
END_TEST

/* The counts of all CPUs together must fit as well. */
START_TEST(test_pcp_overflow) {
        static const char text[] = ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n"
                                   "    cpu: 0\n              count: 18446744073709551615\n"
                                   "    cpu: 1\n              count: 1\n  start_pfn:           1\n";

        ck_assert_uint_eq(check_refused(text, strlen(text)), 14);
}
END_TEST

/* What looks like the other lines about a CPU and is not: read in one go or not, it is refused. */
static const struct {
        const char *lines;
        bool good;
} pageset_rows[] = {
        { "              count:    7\n              high:     1\n", true },
        { "              count:    000000000000000000007\n", true },
        { "              count:    18446744073709551615\n", false }, /* with the 4 of before it does not fit */
        { "              a_very_long_key_that_no_kernel_has_ever_had_for_the_lists_of_a_cpu_or_anything_else: 1\n", true },
        { "              Count:    1\n", true },
        { "              count     1\n", true }, /* not among the figures, but a key and a number */
        { "              count:\n", false },
        { "              count:    \n", false },
        { "              count:    x\n", false },
        { "              count:    1x\n", false },
        { "              count:    1 2\n", false },
        { "              count:    -1\n", false },
        { "              count:    18446744073709551616\n", false },
        { "              :         1\n", true },
        { "              \n", false },
        { "    cpu: x\n", false },
        { "    cpu: 1 1\n", false },
        { "    cpu:\n", false },
        { "  vm stats threshold: many\n", true }, /* as ever: no figure of the memory's */
};

START_TEST(test_pageset_lines) {
        static const char before[] = ZONE_HEAD ZONE_PAGES "        protection: (0)\n  pagesets\n    cpu: 0\n"
                                     "              count:    4\n              high:     1\n";
        char text[1024];
        struct zoneinfo z;
        size_t size = (size_t) sprintf(text, "%s%s%s", before, pageset_rows[_i].lines,
                                       "    cpu: 1\n              count:    1\n  start_pfn:           1\n");

        if (!pageset_rows[_i].good) {
                ck_assert_uint_eq(check_refused(text, size), check_line_at(text, sizeof(before)));
                return;
        }
        parse_text(text, size, &z);
        ck_assert_uint_eq(z.zones[0].pcp_free, strstr(text, "7\n   ") ? 4 + 7 + 1 : 4 + 1);
        ck_assert_uint_eq(zone_counter(&z, &z.zones[0], "start_pfn"), 1);
        zoneinfo_done(&z);
}
END_TEST

/* Taken over, or still the caller's. */
START_TEST(test_take) {
        size_t size;
        char *text = check_read_data("zoneinfo-6.1", &size), *copy = check_copy(text, size), *mine = copy;
        unsigned line = 0;
        struct zoneinfo z;

        ck_assert_int_eq(zoneinfo_parse_take(&mine, size - 1, &z, &line), -EBADMSG);
        ck_assert_ptr_eq(mine, copy);
        ck_assert_uint_eq(line, check_line_at(text, size - 1));
        free(mine);
        mine = check_copy(text, size);
        ck_assert_int_eq(zoneinfo_parse_take(&mine, size, &z, &line), 0);
        ck_assert_ptr_null(mine);
        check_against_text(&z, text, size);
        ck_assert_uint_eq(node_counter(&z, &z.nodes[0], "nr_file_pages"), *counter_of(&z, z.nodes[0].counters,
                                                                                    z.nodes[0].n_counters, "nr_file_pages"));
        ck_assert_uint_eq(node_counter(&z, &z.nodes[0], "nr_free_pages"), 0);
        ck_assert_uint_eq(zone_counter(&z, &z.zones[1], "nr_free_pages"), 164579);
        zoneinfo_done(&z);
        free(text);
}
END_TEST

/* A zone that lacks one of the figures every kernel prints is not a zone with a zero there: 0 would be a wrong number.
 * Renamed by a kernel to come, dropped, or damaged: all the same. "managed" alone may be missing, before 3.8. */
static void check_without(const char *text, size_t size, const char *at, bool optional) {
        const char *next_zone = memmem(at, (size_t) (text + size - at), "\nNode", 5);
        struct zoneinfo z;
        unsigned line;

        if (optional) {
                parse_text(text, size, &z);
                zoneinfo_done(&z);
                return;
        }
        line = check_refused(text, size);
        ck_assert_uint_ge(line, check_line_at(text, (size_t) (at - text) + 1));
        ck_assert_uint_le(line, next_zone ? check_line_at(text, (size_t) (next_zone - text) + 2) : check_line_at(text, size));
}

START_TEST(test_missing_figure) {
        size_t size, cut, zones = 0;
        char *text = check_read_data("zoneinfo-6.18", &size), *end = text + size, *at = text, *copy;
        bool optional = strcmp(figures[_i], "managed") == 0;
        char pattern[32];

        snprintf(pattern, sizeof(pattern), _i == 0 ? "\n  pages %s " : "\n        %s ", figures[_i]);
        while ((at = memmem(at, (size_t) (end - at), pattern, strlen(pattern)))) {
                at++;
                /* under another name … */
                copy = check_copy(text, size);
                copy[at - text + (ptrdiff_t) strlen(pattern) - 3] = '_';
                check_without(copy, size, copy + (at - text), optional);
                free(copy);

                /* … and not at all */
                copy = check_copy(text, size);
                cut = strcspn(at, "\n") + 1;
                memmove(copy + (at - text), at + cut, (size_t) (end - at) - cut);
                check_without(copy, size - cut, copy + (at - text), optional);
                free(copy);
                zones++;
        }
        ck_assert_uint_eq(zones, ARRAY_SIZE(rows_6_18));
        free(text);
}
END_TEST

/* Megabytes, as the largest machines print. */
START_TEST(test_huge) {
        enum { COPIES = 4 };
        struct prng p = { 4 };
        struct zoneinfo z;
        struct model m;
        char *text, *end;
        size_t size;

        model_init(&m, &p, ERA_6_18, 8, 512);
        size = (size_t) (m.end - m.text);
        text = end = malloc(size * COPIES);
        ck_assert_ptr_nonnull(text);
        for (unsigned i = 0; i < COPIES; i++)
                end = mempcpy(end, m.text, size);
        ck_assert_uint_gt(end - text, 1 << 22);
        parse_text(text, size * COPIES, &z);
        ck_assert_uint_eq(z.n_zones, COPIES * m.n_zones);
        ck_assert_uint_eq(z.n_nodes, COPIES * 8);
        zoneinfo_done(&z);
        ck_assert_uint_eq(check_refused(text, size * COPIES - 1), check_line_at(text, size * COPIES));
        free(text);
        free(m.text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("zoneinfo");
        TCase *c;

        c = check_case(s, "captures");
        tcase_add_loop_test(c, test_capture, 0, ARRAY_SIZE(captures));
        tcase_add_test(c, test_capture_6_18);
        tcase_add_test(c, test_capture_6_1);
        tcase_add_test(c, test_take);

        c = check_case(s, "kernels of all times");
        tcase_add_loop_test(c, test_eras, 0, _ERA_MAX);
        tcase_add_test(c, test_huge);

        c = check_case(s, "truncation");
        tcase_add_loop_test(c, test_every_truncation, 0, ARRAY_SIZE(captures));
        tcase_add_loop_test(c, test_every_truncation_of_eras, 0, _ERA_MAX);

        c = check_case(s, "corruption");
        tcase_add_loop_test(c, test_every_corruption, 0, ARRAY_SIZE(captures));
        tcase_add_loop_test(c, test_every_digit, 0, ARRAY_SIZE(captures));
        tcase_add_test(c, test_frame);
        tcase_add_loop_test(c, test_garbage, 0, ARRAY_SIZE(garbage));
        tcase_add_loop_test(c, test_figures, 0, ARRAY_SIZE(figure_rows));
        tcase_add_loop_test(c, test_pageset_lines, 0, ARRAY_SIZE(pageset_rows));
        tcase_add_test(c, test_pcp_overflow);
        tcase_add_loop_test(c, test_missing_figure, 0, ARRAY_SIZE(figures));
        return check_run(s);
}
