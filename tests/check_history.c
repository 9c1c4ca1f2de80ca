/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/history.h"

#include "check_util.h"
#include "core/names.h"

#define BLOCK_SIZE (UINT64_C(128) << 20)
#define HEAD "memhpd-history 1\n"

static struct history *new_history(void) {
        struct history *h = calloc(1, sizeof(*h));

        CHECK(h);
        return h;
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

START_TEST(words) {
        static const struct {
                enum report_kind kind;
                const char *word, *message_id;
        } kinds[] = {
                { REPORT_ONLINED, "onlined", MESSAGE_ONLINED },
                { REPORT_LEFT_OFFLINE, "left-offline", MESSAGE_LEFT_OFFLINE },
                { REPORT_LOST_RACE, "lost-race", MESSAGE_LOST_RACE },
                { REPORT_FAILED, "failed", MESSAGE_FAILED },
                { REPORT_REMOVED, "removed", MESSAGE_REMOVED },
                { REPORT_CHANGED, "changed", MESSAGE_CHANGED },
                { REPORT_PARTIAL, "partial", MESSAGE_PARTIAL },
                { REPORT_HELD, "held", MESSAGE_HELD },
                { REPORT_OFFLINED, "offlined", MESSAGE_OFFLINED },
        };

        ck_assert_uint_eq(ARRAY_SIZE(kinds), _REPORT_KIND_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                ck_assert_str_eq(report_kind_to_string(kinds[i].kind), kinds[i].word);
                ck_assert_str_eq(report_kind_message_id(kinds[i].kind), kinds[i].message_id);
                ck_assert_int_eq(report_kind_from_string(kinds[i].word), kinds[i].kind);
                ck_assert_int_eq(report_kind_from_message_id(kinds[i].message_id), kinds[i].kind);
        }
        ck_assert_ptr_null(report_kind_to_string(_REPORT_KIND_MAX));
        ck_assert_ptr_null(report_kind_message_id(_REPORT_KIND_INVALID));
        ck_assert_int_eq(report_kind_from_string(""), _REPORT_KIND_INVALID);
        ck_assert_int_eq(report_kind_from_message_id(MESSAGE_STARTED), _REPORT_KIND_INVALID);
}
END_TEST

/* ---- the ring ----------------------------------------------------------------------------------------------------- */

/* As many as there is room for, the oldest first, each with the next number. */
START_TEST(ring) {
        struct history *h = new_history();
        struct report r = { .zone = _ZONE_INVALID };

        for (uint64_t id = 1; id <= 3 * HISTORY_MAX + 7; id++) {
                const struct report *kept;

                r.usec = id * 10;
                kept = history_add(h, &r);
                CHECK(kept->id == id && kept->usec == id * 10 && r.id == 0);
                CHECK(h->n == MIN(id, (uint64_t) HISTORY_MAX) && h->last_id == id);
                for (size_t i = 0; i < h->n; i++)
                        CHECK(history_get(h, i)->id == id - h->n + 1 + i && history_get(h, i)->usec == 10 * history_get(h, i)->id);
        }
        free(h);
}
END_TEST

START_TEST(one_line_each) {
        struct history *h = new_history();
        struct report r = { .blocks = "1", .device = "a\nb", .rule = "\t", .file = "x\x7f", .why = "\x01", .text = "end\nend" };
        const struct report *kept = history_add(h, &r);

        ck_assert_str_eq(kept->device, "a?b");
        ck_assert_str_eq(kept->rule, "?");
        ck_assert_str_eq(kept->file, "x?");
        ck_assert_str_eq(kept->why, "?");
        ck_assert_str_eq(kept->text, "end?end");
        free(h);
}
END_TEST

static void add(struct history *h, enum report_kind kind, enum reason reason, const char *blocks) {
        struct report r = { .kind = kind, .reason = reason, .zone = _ZONE_INVALID, .node = -1 };

        snprintf(r.blocks, sizeof(r.blocks), "%s", blocks);
        (void) history_add(h, &r);
}

static uint64_t id_of(const struct report *r) {
        return r ? r->id : 0;
}

START_TEST(newest_of_a_block) {
        struct history *h = new_history();

        add(h, REPORT_ONLINED, REASON_RULE, "32-39,48");     /* 1 */
        add(h, REPORT_LEFT_OFFLINE, REASON_NO_RULE, "49");   /* 2 */
        add(h, REPORT_CHANGED, REASON_HANDS_OFF, "33");      /* 3 */
        add(h, REPORT_PARTIAL, REASON_RULE, "32-39");        /* 4: of the device as a whole */
        add(h, REPORT_PARTIAL, REASON_ROLLED_BACK, "34");    /* 5 */
        add(h, REPORT_REMOVED, REASON_NO_RULE, "32-34");     /* 6 */
        add(h, REPORT_ONLINED, REASON_RULE, "4294967295");   /* 7 */
        ck_assert_uint_eq(id_of(history_find_decision(h, 32)), 1);
        ck_assert_uint_eq(id_of(history_find_block(h, 32)), 6);
        ck_assert_uint_eq(id_of(history_find_decision(h, 33)), 3);
        ck_assert_uint_eq(id_of(history_find_decision(h, 34)), 5);
        ck_assert_uint_eq(id_of(history_find_block(h, 35)), 4);
        ck_assert_uint_eq(id_of(history_find_decision(h, 35)), 1);
        ck_assert_uint_eq(id_of(history_find_decision(h, 48)), 1);
        ck_assert_uint_eq(id_of(history_find_decision(h, 49)), 2);
        ck_assert_uint_eq(id_of(history_find_decision(h, UINT32_MAX)), 7);
        for (uint32_t block = 40; block < 48; block++)
                ck_assert_ptr_null(history_find_block(h, block));
        ck_assert_ptr_null(history_find_block(h, 31));
        ck_assert_ptr_null(history_find_block(h, 0));
        free(h);
}
END_TEST

/* Runs against a set of blocks. */
START_TEST(runs) {
        struct prng prng = { 42 + (unsigned) _i };

        for (unsigned round = 0; round < 2000; round++) {
                struct report r = {};
                bool has[64] = {};
                const char *p = r.blocks;
                struct tally_run run;
                unsigned n = 0, seen = 0;

                for (unsigned i = 0; i < 64; i++)
                        has[i] = prng_below(&prng, 3) == 0;
                for (unsigned i = 0, k; i < 64; i = k) {
                        for (k = i + 1; has[i] && k < 64 && has[k]; k++)
                                ;
                        if (!has[i])
                                continue;
                        n++;
                        snprintf(r.blocks + strlen(r.blocks), sizeof(r.blocks) - strlen(r.blocks), k > i + 1 ? "%s%u-%u" : "%s%u",
                                 n > 1 ? "," : "", i, k - 1);
                }
                for (unsigned i = 0; i < 64; i++)
                        CHECK(report_has_block(&r, i) == has[i]);
                CHECK(!report_has_block(&r, 64));
                for (; report_next_run(&p, &run); seen++)
                        CHECK(run.first <= run.last && has[run.first] && has[run.last]);
                CHECK(seen == n && !*p);
        }
}
END_TEST

START_TEST(runs_that_make_no_sense) {
        static const char *const texts[] = { "-", "-1", "1-", "a", "2-1", "1,,2", "1,", ",1", ",", "1-2,", "4294967296", "1-4294967296", " 1", "+1", "1 " };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                const char *p = texts[i];
                struct tally_run run;

                while (report_next_run(&p, &run))
                        CHECK(run.first <= run.last);
                ck_assert_msg(*p, "\"%s\" is taken", texts[i]);
        }
}
END_TEST

static const struct {
        const char *selector;
        bool matches;
} selectors[] = {
        { "all", true },           { "32", true },         { "39", true },      { "40-47", false },  { "0-31,40-47", false },
        { "0-32", true },          { "48-", true },        { "49-", false },    { "add:3", true },   { "add:1-2,4-", false },
        { "node:1", true },        { "node:0,2", false },  { "source:dimm", true }, { "source:pmem,cxl", false },
        { "device:PNP0C80:01", true }, { "device:PNP0C80:0", false }, { "addr:4G-", true }, { "addr:0-4G", false },
        { "addr:5G-6G", false },   { "addr:6G-6145M", true }, { "addr:0-18446744073709551615", true },
};

/* Of blocks 32-39 and 48, each of 128 MiB. */
START_TEST(selected) {
        const struct report r = { .blocks = "32-39,48", .add = 3, .node = 1, .source = SOURCE_DIMM, .device = "PNP0C80:01" };
        const struct report nobody = { .node = -1 };
        char error[SELECTOR_ERROR_MAX];
        struct selector s;

        ck_assert_msg(selector_parse(selectors[_i].selector, &s, error) == 0, "%s", error);
        ck_assert_msg(report_matches(&r, &s, BLOCK_SIZE) == selectors[_i].matches, "%s", selectors[_i].selector);
        /* What is not known is not matched. */
        ck_assert_int_eq(report_matches(&nobody, &s, BLOCK_SIZE), s.kind == SELECTOR_ALL);
        selector_done(&s);
}
END_TEST

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static const struct report whole = {
        .usec = 1700000000000000, .kind = REPORT_ONLINED, .priority = 6, .add = 3, .source = SOURCE_DIMM, .node = 1,
        .action = ACTION_ONLINE_MOVABLE, .reason = REASON_BALANCED, .outcome = OUTCOME_DONE, .zone = ZONE_MOVABLE, .error = -22,
        .n_blocks = 9, .line = 12,
        .balance = { .movable = 3, .kernel = 2, .node = -1, .judged = true, .hot_counted = true, .ratio = 301, .added = 1 },
        .basis = { .known = true, .start = 4294967296, .device_size = 1073741824, .tier = 4,
                   .platforms = PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_KVM),
                   .conditions = MATCH_BIT(MATCH_SOURCE) | MATCH_BIT(MATCH_NODE), .n_passed = 2,
                   .passed = "source 4 device-memory\t/etc/a b.conf\nsize 9 two words\t/x\n",
                   .evidence = "firmware node PNP0C80:01" },
        .blocks = "32-39,48", .device = "PNP0C80:01", .rule = "all the rest", .file = "/etc/memhp/memhpd.conf",
        .why = "page 0x12", .text = "dimm PNP0C80:01: 9 blocks",
};

#define WHOLE                                                                                                          \
        "report 1 1700000000000000 onlined 6 3 dimm 1 online_movable balanced done Movable 22 12 9 32-39,48\n"         \
        "balance 3 2 1 - 301 1\n"                                                                                      \
        "device PNP0C80:01\n"                                                                                          \
        "rule all the rest\n"                                                                                          \
        "file /etc/memhp/memhpd.conf\n"                                                                                \
        "why page 0x12\n"                                                                                              \
        "basis 4294967296 1073741824 4 vm,kvm source,node 2\n"                                                         \
        "evidence firmware node PNP0C80:01\n"                                                                          \
        "passed source 4 device-memory\t/etc/a b.conf\n"                                                               \
        "passed size 9 two words\t/x\n"                                                                                \
        "text dimm PNP0C80:01: 9 blocks\n"

static char *format(const struct history *h, size_t *ret_size) {
        char *text = NULL;

        ck_assert_int_eq(history_format(h, &text, ret_size), 0);
        ck_assert_uint_eq(strlen(text), *ret_size);
        return text;
}

START_TEST(as_text) {
        struct history *h = new_history();
        struct report bare = { .node = -1, .zone = _ZONE_INVALID };
        size_t size;
        char *text = format(h, &size);

        ck_assert_str_eq(text, HEAD "end\n");
        free(text);
        (void) history_add(h, &whole);
        (void) history_add(h, &bare);
        text = format(h, &size);
        ck_assert_str_eq(text, HEAD WHOLE "report 2 0 onlined 0 0 unknown - leave_offline rule none - 0 0 0 -\ntext \nend\n");
        free(text);
        free(h);
}
END_TEST

static bool same_basis(const struct basis *a, const struct basis *b) {
        return a->known == b->known &&
               (!a->known || (a->start == b->start && a->device_size == b->device_size && a->tier == b->tier &&
                              a->platforms == b->platforms && a->conditions == b->conditions && a->n_passed == b->n_passed &&
                              strcmp(a->passed, b->passed) == 0 && strcmp(a->evidence, b->evidence) == 0));
}

static bool same(const struct report *a, const struct report *b) {
        return a->id == b->id && a->usec == b->usec && a->kind == b->kind && a->priority == b->priority && a->add == b->add &&
               a->source == b->source && a->node == b->node && a->action == b->action && a->reason == b->reason &&
               a->outcome == b->outcome && a->zone == b->zone && a->error == b->error && a->n_blocks == b->n_blocks &&
               a->line == b->line && balance_equal(&a->balance, &b->balance) && a->balance.hot_counted == b->balance.hot_counted &&
               same_basis(&a->basis, &b->basis) && strcmp(a->blocks, b->blocks) == 0 && strcmp(a->device, b->device) == 0 &&
               strcmp(a->rule, b->rule) == 0 && strcmp(a->file, b->file) == 0 && strcmp(a->why, b->why) == 0 &&
               strcmp(a->text, b->text) == 0;
}

static void generate_text(struct prng *p, char *buf, size_t size) {
        size_t n = prng_below(p, 3) ? prng_below(p, (unsigned) size) : 0;

        for (size_t i = 0; i < n; i++) {
                buf[i] = (char) (' ' + prng_below(p, 95));
                if (prng_below(p, 16) == 0)
                        buf[i] = (char) (128 + prng_below(p, 128)); /* whatever alphabet */
        }
        buf[n] = '\0';
}

static void generate_basis(struct prng *p, struct basis *ret) {
        struct basis b = { .known = true, .start = prng_number(p), .device_size = prng_number(p) };

        b.tier = (int16_t) (prng_below(p, 2) ? -1 : (int) prng_below(p, 1000));
        b.platforms = prng_below(p, 1u << _PLATFORM_MAX);
        b.conditions = prng_below(p, 1u << _MATCH_MAX);
        b.n_passed = (uint32_t) prng_number(p);
        for (unsigned n = prng_below(p, 12); n > 0; n--) {
                struct basis_rule rule = { .failed = (enum match_key) prng_below(p, _MATCH_MAX), .line = (unsigned) prng_number(p) };

                generate_text(p, rule.name, sizeof(rule.name));
                generate_text(p, rule.file, sizeof(rule.file));
                if (rule.name[0] && rule.file[0])
                        (void) basis_add(&b, &rule);
        }
        generate_text(p, b.evidence, sizeof(b.evidence));
        *ret = b;
}

static void generate(struct prng *p, struct report *ret) {
        struct report r = {
                .usec = prng_number(p), .kind = (enum report_kind) prng_below(p, _REPORT_KIND_MAX), .priority = (int) prng_below(p, 8),
                .add = (uint32_t) prng_number(p), .source = (enum source) prng_below(p, _SOURCE_MAX),
                .node = (int16_t) ((int) prng_below(p, NODES_MAX + 1) - 1), .action = (enum action) prng_below(p, _ACTION_MAX),
                .reason = (enum reason) prng_below(p, _REASON_MAX), .outcome = (enum outcome) prng_below(p, _OUTCOME_MAX),
                .zone = prng_below(p, 3) ? (enum zone) prng_below(p, _ZONE_MAX) : _ZONE_INVALID, .error = -(int) prng_below(p, 4096),
                .n_blocks = (uint32_t) prng_number(p), .line = (unsigned) prng_number(p),
        };

        if (prng_below(p, 2))
                r.balance = (struct balance) {
                        .judged = true, .movable = prng_number(p), .kernel = prng_number(p), .added = prng_number(p),
                        .node = (int16_t) ((int) prng_below(p, 9) - 1), .ratio = (unsigned) prng_number(p),
                        .hot_counted = prng_below(p, 2),
                };
        if (prng_below(p, 2))
                generate_basis(p, &r.basis);
        if (prng_below(p, 8)) {
                struct tally_group g = { .n_runs = (uint8_t) (1 + prng_below(p, TALLY_RUNS)) };

                for (unsigned i = 0; i < g.n_runs; i++) {
                        g.runs[i].first = (uint32_t) prng_number(p);
                        g.runs[i].last = g.runs[i].first + MIN(prng_below(p, 100), UINT32_MAX - g.runs[i].first);
                }
                tally_format_blocks(&g, r.blocks, sizeof(r.blocks));
        }
        generate_text(p, r.device, sizeof(r.device));
        generate_text(p, r.rule, sizeof(r.rule));
        if (r.rule[0])
                generate_text(p, r.file, sizeof(r.file));
        generate_text(p, r.why, sizeof(r.why));
        generate_text(p, r.text, sizeof(r.text));
        *ret = r;
}

static void check_same(const struct history *a, const struct history *b) {
        CHECK(a->n == b->n && (a->n == 0 || a->last_id == b->last_id));
        for (size_t i = 0; i < a->n; i++)
                CHECK(same(history_get(a, i), history_get(b, i)));
}

/* Whatever was told comes back. */
START_TEST(there_and_back) {
        struct prng prng = { 1000 + (unsigned) _i };
        unsigned n_of[4] = { 0, 1, HISTORY_MAX / 2, 2 * HISTORY_MAX + 3 };

        for (size_t k = 0; k < ARRAY_SIZE(n_of); k++) {
                struct history *h = new_history(), *back = new_history();
                char *text, *copy;
                unsigned line = 0;
                size_t size;

                h->last_id = prng_below(&prng, 2) ? prng_number(&prng) >> 8 : 0;
                for (unsigned i = 0; i < n_of[k]; i++) {
                        struct report r;

                        generate(&prng, &r);
                        (void) history_add(h, &r);
                }
                text = format(h, &size);
                copy = check_copy(text, size);
                if (history_parse(copy, size, back, &line) < 0) {
                        const char *at = text;

                        while (line-- > 1)
                                at = strchr(at, '\n') + 1;
                        ck_abort_msg("refused: %.*s", (int) strcspn(at, "\n"), at);
                }
                check_same(h, back);
                free(copy);
                free(text);
                free(back);
                free(h);
        }
}
END_TEST

/* A daemon that was killed while it wrote leaves the file of before; but should it be torn, it is refused, and the line
 * told. */
START_TEST(torn) {
        struct history *h = new_history(), *back = new_history();
        struct prng prng = { 77 };
        struct report r;
        size_t size;
        char *text;

        (void) history_add(h, &whole);
        for (int i = 0; i < 3; i++) {
                generate(&prng, &r);
                (void) history_add(h, &r);
        }
        text = format(h, &size);
        for (size_t cut = 0; cut < size; cut++) {
                char *copy = check_copy(text, cut);
                unsigned line = 0;

                back->n = 99;
                CHECK(history_parse(copy, cut, back, &line) == -EBADMSG);
                CHECK(back->n == 99); /* as it was */
                ck_assert_uint_eq(line, cut == 0 ? 1 : check_line_at(text, cut));
                free(copy);
        }
        free(text);
        free(back);
        free(h);
}
END_TEST

#define R "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\n"
#define T "text x\n"

static const struct {
        const char *text;
        unsigned line;
} bad[] = {
        { "", 1 },
        { "\n", 1 },
        { "memhpd-history 2\nend\n", 1 },
        { " memhpd-history 1\nend\n", 1 },
        { HEAD, 1 },
        { HEAD "end", 2 },
        { HEAD "end \nx\n", 3 },
        { HEAD "end x\n", 2 },
        { HEAD "end\nend\n", 3 },
        { HEAD "end\n\n", 3 },
        { HEAD "\nend\n", 2 },
        { HEAD T "end\n", 2 },
        { HEAD "device x\nend\n", 2 },
        { HEAD R "end\n", 3 },
        { HEAD R T R T "end\n", 4 }, /* the same number again */
        { HEAD "report 0 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 9223372036854775808 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32\n" T "end\n", 2 },
        { HEAD "report 5 -1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 shredded 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 8 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 4294967296 dimm 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 floppy 1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1024 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm -1 online_movable rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 maybe rule done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable whim done Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule perhaps Movable 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Twilight 0 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 4096 12 9 32-39\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 39-32\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 x\n" T "end\n", 2 },
        { HEAD "report 5 1 onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39 40\n" T "end\n", 2 },
        { HEAD R "balance 1 2 3 - 301\n" T "end\n", 3 },
        { HEAD R "balance 1 2 3 - 301 2\n" T "end\n", 3 },
        { HEAD R "balance 1 2 3 - 301 1 1\n" T "end\n", 3 },
        { HEAD R "device a\x01\n" T "end\n", 3 },
        { HEAD R "device 123456789012345678901234567890123456789012345678\n" T "end\n", 3 },
        { HEAD R "colour red\n" T "end\n", 3 },
        { HEAD R "evidence x\n" T "end\n", 3 }, /* of what? */
        { HEAD R "passed source 4 a\tb\n" T "end\n", 3 },
        { HEAD R "basis 1 2 - - -\n" T "end\n", 3 },
        { HEAD R "basis 1 2 - vm,moon - 0\n" T "end\n", 3 },
        { HEAD R "basis 1 2 - vm colour 0\n" T "end\n", 3 },
        { HEAD R "basis 1 2 40000 vm - 0\n" T "end\n", 3 },
        { HEAD R "basis 1 2 - vm - 0 0\n" T "end\n", 3 },
        { HEAD R "basis 1 2 - vm - 0\npassed colour 4 a\tb\n" T "end\n", 4 },
        { HEAD R "basis 1 2 - vm - 0\npassed source x a\tb\n" T "end\n", 4 },
        { HEAD R "basis 1 2 - vm - 0\npassed source 4 ab\n" T "end\n", 4 },
        { HEAD R "basis 1 2 - vm - 0\npassed source 4 a\tb\tc\x01\n" T "end\n", 4 },
        { HEAD R "basis 1 2 - vm - 0\npassed source 4 \tb\n" T "end\n", 4 },
};

START_TEST(refused) {
        struct history *h = new_history();
        unsigned line = 0;
        char *copy = check_copy(bad[_i].text, strlen(bad[_i].text));

        ck_assert_int_eq(history_parse(copy, strlen(bad[_i].text), h, &line), -EBADMSG);
        ck_assert_uint_eq(line, bad[_i].line);
        ck_assert_uint_eq(h->n, 0);
        free(copy);
        free(h);
}
END_TEST

/* Any byte wrong: refused, or taken for something that can be written again. */
START_TEST(any_byte) {
        static const char bytes[] = { '\0', '\n', ' ', '\t', '0', '9', '-', ',', 'x', '\x7f', '\xff' };
        const char *text = HEAD WHOLE "report 2 0 onlined 0 0 unknown - leave_offline rule none - 0 0 0 -\ntext \nend\n";
        size_t size = strlen(text);

        for (size_t at = 0; at < size; at++)
                for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
                        struct history *h = new_history(), *back = new_history();
                        char *copy = check_copy(text, size), *again;
                        unsigned line = 0;
                        size_t again_size;

                        copy[at] = bytes[i];
                        if (history_parse(copy, size, h, &line) == 0) {
                                again = format(h, &again_size);
                                ck_assert_msg(history_parse(again, again_size, back, &line) == 0, "%s", copy);
                                ck_assert_msg(same(history_get(h, 0), history_get(back, 0)), "%.*s", (int) size, copy);
                                check_same(h, back);
                                free(again);
                        } else
                                CHECK(line >= 1 && line <= 16 && h->n == 0);
                        free(copy);
                        free(back);
                        free(h);
                }
}
END_TEST

/* More than there is room for: the newest are kept. */
START_TEST(longer_than_the_ring) {
        struct history *h = new_history();
        char *text = NULL;
        unsigned line;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(f);
        fputs(HEAD, f);
        for (unsigned i = 1; i <= HISTORY_MAX + 5; i++)
                fprintf(f, "report %u %u onlined 6 3 dimm 1 online_movable rule done Movable 0 12 9 32-39\ntext %u\n", i, i, i);
        fputs("end\n", f);
        fclose(f);
        ck_assert_int_eq(history_parse(text, size, h, &line), 0);
        ck_assert_uint_eq(h->n, HISTORY_MAX);
        ck_assert_uint_eq(history_get(h, 0)->id, 6);
        ck_assert_str_eq(history_get(h, HISTORY_MAX - 1)->text, "261");
        (void) history_add(h, &whole);
        ck_assert_uint_eq(h->last_id, HISTORY_MAX + 6);
        free(text);
        free(h);
}
END_TEST

int main(void) {
        Suite *s = suite_create("history");
        TCase *c;

        c = check_case(s, "reports");
        tcase_add_test(c, words);
        tcase_add_test(c, ring);
        tcase_add_test(c, one_line_each);
        tcase_add_test(c, newest_of_a_block);
        tcase_add_loop_test(c, runs, 0, 4);
        tcase_add_test(c, runs_that_make_no_sense);
        tcase_add_loop_test(c, selected, 0, ARRAY_SIZE(selectors));
        c = check_case(s, "file");
        tcase_add_test(c, as_text);
        tcase_add_loop_test(c, there_and_back, 0, 8);
        tcase_add_test(c, torn);
        tcase_add_loop_test(c, refused, 0, ARRAY_SIZE(bad));
        tcase_add_test(c, any_byte);
        tcase_add_test(c, longer_than_the_ring);
        return check_run(s);
}
