/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/history.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/parse.h"

/* The history as a file. */

static const char head[] = "memhpd-history 1";

/* ---- text --------------------------------------------------------------------------------------------------------- */

/* Numbers of nodes and tiers: "-" is none. */
static void put_small(FILE *f, int number) {
        if (number >= 0)
                fprintf(f, " %d", number);
        else
                fputs(" -", f);
}

static const char *platform_word(int i) {
        return platform_to_string((enum platform) i);
}

static const char *match_word(int i) {
        return match_key_to_string((enum match_key) i);
}

/* The words of the bits, "-" for none. */
static void put_words(FILE *f, uint32_t mask, const char *(*word)(int i)) {
        const char *separator = " ";

        if (!mask)
                fputs(" -", f);
        for (int i = 0; i < 32; i++)
                if ((mask >> i & 1) && word(i)) {
                        fprintf(f, "%s%s", separator, word(i));
                        separator = ",";
                }
}

static void put_balance(FILE *f, const struct balance *b) {
        fprintf(f, "balance %" PRIu64 " %" PRIu64 " %" PRIu64, b->movable, b->kernel, b->added);
        put_small(f, b->node);
        fprintf(f, " %u %d\n", b->ratio, b->hot_counted);
}

static void put_basis(FILE *f, const struct basis *b) {
        fprintf(f, "basis %" PRIu64 " %" PRIu64, b->start, b->device_size);
        put_small(f, b->tier);
        put_words(f, b->platforms, platform_word);
        put_words(f, b->conditions, match_word);
        fprintf(f, " %" PRIu32 "\n", b->n_passed);
        if (*b->evidence)
                fprintf(f, "evidence %s\n", b->evidence);
        for (const char *p = b->passed; *p; p += strcspn(p, "\n") + 1)
                fprintf(f, "passed %.*s\n", (int) strcspn(p, "\n"), p);
}

static void put_report(FILE *f, const struct report *r) {
        fprintf(f, "report %" PRIu64 " %" PRIu64 " %s %d %" PRIu32 " %s", r->id, r->usec, report_kind_to_string(r->kind),
                r->priority, r->add, source_to_string(r->source));
        put_small(f, r->node);
        fprintf(f, " %s %s %s %s %d %u %" PRIu32 " %s\n", action_to_string(r->action), reason_to_string(r->reason),
                outcome_to_string(r->outcome), zone_to_string(r->zone) ?: "-", -r->error, r->line, r->n_blocks,
                *r->blocks ? r->blocks : "-");
        if (r->balance.judged)
                put_balance(f, &r->balance);
        if (*r->device)
                fprintf(f, "device %s\n", r->device);
        if (*r->rule)
                fprintf(f, "rule %s\n", r->rule);
        if (*r->file)
                fprintf(f, "file %s\n", r->file);
        if (*r->why)
                fprintf(f, "why %s\n", r->why);
        if (r->basis.known)
                put_basis(f, &r->basis);
        fprintf(f, "text %s\n", r->text);
}

int history_format(const struct history *h, char **ret, size_t *ret_size) {
        char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "%s\n", head);
        for (size_t i = 0; i < h->n; i++)
                put_report(f, history_get(h, i));
        fputs("end\n", f);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        *ret_size = size;
        return 0;
}

/* The words of a line, one after the other; once one is not as it should be, all that follow are nothing. */
struct line {
        const char *p, *end;
        bool bad;
};

static void take_word(struct line *l, char *ret, size_t size) {
        const char *word;
        size_t n;

        ret[0] = '\0';
        if (l->bad || !word_next(&l->p, l->end, &word, &n) || n >= size) {
                l->bad = true;
                return;
        }
        memcpy(ret, word, n);
        ret[n] = '\0';
}

static uint64_t take_number(struct line *l, uint64_t max) {
        const char *word;
        uint64_t value;
        size_t n;

        if (l->bad || !word_next(&l->p, l->end, &word, &n) || parse_u64n(word, n, &value) < 0 || value > max) {
                l->bad = true;
                return 0;
        }
        return value;
}

/* "-" is none. */
static int16_t take_small(struct line *l, uint32_t end) {
        char word[8];
        uint32_t number;

        take_word(l, word, sizeof(word));
        if (l->bad || strcmp(word, "-") == 0)
                return -1;
        l->bad = parse_u32(word, &number) < 0 || number >= end;
        return l->bad ? -1 : (int16_t) number;
}

static int checked(struct line *l, int value) {
        l->bad = l->bad || value < 0;
        return l->bad ? 0 : value;
}

static int platform_number(const char *word) {
        return platform_from_string(word);
}

static int match_number(const char *word) {
        return match_key_from_string(word);
}

/* "vm,kvm" */
static uint32_t take_words(struct line *l, int (*number)(const char *word)) {
        char words[160], *rest = words;
        uint32_t mask = 0;

        take_word(l, words, sizeof(words));
        if (l->bad || strcmp(words, "-") == 0)
                return 0;
        for (char *word; (word = strsep(&rest, ","));)
                mask |= UINT32_C(1) << checked(l, number(word));
        return mask;
}

/* As tally_format_blocks() writes them, or none. */
static void take_blocks(struct line *l, char *ret, size_t size) {
        const char *p = ret;
        struct tally_run run;

        take_word(l, ret, size);
        if (strcmp(ret, "-") == 0)
                ret[0] = '\0';
        while (report_next_run(&p, &run))
                ;
        l->bad = l->bad || *p;
}

static bool line_is_over(struct line *l) {
        const char *word;
        size_t n;

        return !l->bad && !word_next(&l->p, l->end, &word, &n);
}

static bool parse_report(struct line *l, struct report *ret) {
        struct report r = {};
        char word[32];

        r.id = take_number(l, INT64_MAX);
        r.usec = take_number(l, UINT64_MAX);
        take_word(l, word, sizeof(word));
        r.kind = (enum report_kind) checked(l, report_kind_from_string(word));
        r.priority = (int) take_number(l, 7);
        r.add = (uint32_t) take_number(l, UINT32_MAX);
        take_word(l, word, sizeof(word));
        r.source = (enum source) checked(l, source_from_string(word));
        r.node = take_small(l, NODES_MAX);
        take_word(l, word, sizeof(word));
        r.action = (enum action) checked(l, action_from_string(word));
        take_word(l, word, sizeof(word));
        r.reason = (enum reason) checked(l, reason_from_string(word));
        take_word(l, word, sizeof(word));
        r.outcome = (enum outcome) checked(l, outcome_from_string(word));
        take_word(l, word, sizeof(word));
        r.zone = strcmp(word, "-") == 0 ? _ZONE_INVALID : (enum zone) checked(l, zone_from_string(word));
        r.error = -(int) take_number(l, 4095);
        r.line = (unsigned) take_number(l, UINT32_MAX);
        r.n_blocks = (uint32_t) take_number(l, UINT32_MAX);
        take_blocks(l, r.blocks, sizeof(r.blocks));
        if (!line_is_over(l))
                return false;
        *ret = r; /* what belonged to the one before is gone */
        return true;
}

static bool parse_balance(struct line *l, struct balance *ret) {
        struct balance b = { .judged = true };

        b.movable = take_number(l, UINT64_MAX);
        b.kernel = take_number(l, UINT64_MAX);
        b.added = take_number(l, UINT64_MAX);
        b.node = take_small(l, NODES_MAX);
        b.ratio = (unsigned) take_number(l, UINT32_MAX);
        b.hot_counted = take_number(l, 1);
        if (!line_is_over(l))
                return false;
        *ret = b;
        return true;
}

static bool parse_basis(struct line *l, struct basis *ret) {
        struct basis b = { .known = true };

        b.start = take_number(l, UINT64_MAX);
        b.device_size = take_number(l, UINT64_MAX);
        b.tier = take_small(l, INT16_MAX);
        b.platforms = take_words(l, platform_number);
        b.conditions = take_words(l, match_number);
        b.n_passed = (uint32_t) take_number(l, UINT32_MAX);
        if (!line_is_over(l))
                return false;
        *ret = b;
        return true;
}

/* "CONDITION LINE NAME <tab> FILE" */
static bool parse_passed(struct line *l, struct basis *b) {
        char text[BASIS_PASSED_MAX];
        struct basis_rule rule;
        const char *p = text;
        size_t n;

        l->p += l->p < l->end && *l->p == ' ';
        n = (size_t) (l->end - l->p);
        if (!b->known || n + 2 > sizeof(text))
                return false;
        for (size_t i = 0; i < n; i++)
                if (((unsigned char) l->p[i] < ' ' && l->p[i] != '\t') || l->p[i] == 0x7f)
                        return false;
        memcpy(text, l->p, n);
        memcpy(text + n, "\n", 2);
        return basis_next(&p, &rule) && !*p && basis_add(b, &rule);
}

/* The rest of the line as it is; control characters cannot be ours. */
static bool take_rest(struct line *l, char *ret, size_t size) {
        size_t n;

        l->p += l->p < l->end && *l->p == ' ';
        n = (size_t) (l->end - l->p);
        if (n >= size)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) l->p[i] < ' ' || l->p[i] == 0x7f)
                        return false;
        memcpy(ret, l->p, n);
        ret[n] = '\0';
        return true;
}

struct history_parser {
        struct history *out;
        struct report report;
        bool in_report, ended;
};

/* What belongs to a report, but for its text. */
static bool parse_part(struct line *l, const char *key, struct report *r) {
        const struct {
                const char *key;
                char *text;
                size_t size;
        } texts[] = {
                { "device", r->device, sizeof(r->device) },
                { "rule", r->rule, sizeof(r->rule) },
                { "file", r->file, sizeof(r->file) },
                { "why", r->why, sizeof(r->why) },
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (strcmp(texts[i].key, key) == 0)
                        return take_rest(l, texts[i].text, texts[i].size);
        if (strcmp(key, "balance") == 0)
                return parse_balance(l, &r->balance);
        if (strcmp(key, "basis") == 0)
                return parse_basis(l, &r->basis);
        if (strcmp(key, "evidence") == 0)
                return r->basis.known && take_rest(l, r->basis.evidence, sizeof(r->basis.evidence));
        return strcmp(key, "passed") == 0 && parse_passed(l, &r->basis);
}

static bool parse_line(struct history_parser *p, const char *text, size_t size) {
        struct line l = { text, text + size, false };
        struct report *r = &p->report;
        char key[16];

        if (p->ended)
                return false;
        take_word(&l, key, sizeof(key));
        if (!p->in_report && strcmp(key, "end") == 0)
                return p->ended = line_is_over(&l);
        if (!p->in_report)
                return p->in_report = strcmp(key, "report") == 0 && parse_report(&l, r) && r->id > 0 &&
                                      (p->out->n == 0 || r->id == p->out->last_id + 1);
        if (strcmp(key, "text") != 0)
                return parse_part(&l, key, r);
        if (!take_rest(&l, r->text, sizeof(r->text)))
                return false;
        p->in_report = false;
        p->out->last_id = r->id - 1;
        (void) history_add(p->out, r);
        return true;
}

int history_parse(const char *text, size_t size, struct history *ret, unsigned *ret_line) {
        struct history_parser p = { .out = calloc(1, sizeof(*ret)) };
        struct lines lines;
        const char *line;
        size_t n;
        int r;

        if (!p.out)
                return -ENOMEM;
        lines_init(&lines, text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0)
                if (lines.number == 1 ? !span_is(line, n, head) : !parse_line(&p, line, n)) {
                        r = -EBADMSG;
                        break;
                }
        if (r >= 0 && !p.ended) /* torn */
                r = -EBADMSG;
        if (r < 0)
                *ret_line = MAX(lines.number, 1u);
        else
                *ret = *p.out;
        free(p.out);
        return r;
}
