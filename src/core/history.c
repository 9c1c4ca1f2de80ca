/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/history.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/names.h"
#include "core/parse.h"

static const char head[] = "memhpd-history 1";

static const struct {
        const char *word, *message_id;
} kinds[_REPORT_KIND_MAX] = {
        [REPORT_ONLINED] = { "onlined", MESSAGE_ONLINED },
        [REPORT_LEFT_OFFLINE] = { "left-offline", MESSAGE_LEFT_OFFLINE },
        [REPORT_LOST_RACE] = { "lost-race", MESSAGE_LOST_RACE },
        [REPORT_FAILED] = { "failed", MESSAGE_FAILED },
        [REPORT_REMOVED] = { "removed", MESSAGE_REMOVED },
        [REPORT_CHANGED] = { "changed", MESSAGE_CHANGED },
        [REPORT_PARTIAL] = { "partial", MESSAGE_PARTIAL },
        [REPORT_HELD] = { "held", MESSAGE_HELD },
        [REPORT_OFFLINED] = { "offlined", MESSAGE_OFFLINED },
};

const char *report_kind_to_string(enum report_kind k) {
        return k >= 0 && k < _REPORT_KIND_MAX ? kinds[k].word : NULL;
}

const char *report_kind_message_id(enum report_kind k) {
        return k >= 0 && k < _REPORT_KIND_MAX ? kinds[k].message_id : NULL;
}

enum report_kind report_kind_from_message_id(const char *id) {
        for (enum report_kind k = 0; k < _REPORT_KIND_MAX; k++)
                if (strcmp(kinds[k].message_id, id) == 0)
                        return k;
        return _REPORT_KIND_INVALID;
}

/* ---- the ring ----------------------------------------------------------------------------------------------------- */

const struct report *history_add(struct history *h, const struct report *r) {
        struct report *slot = &h->ring[h->last_id % HISTORY_MAX];

        *slot = *r;
        slot->id = ++h->last_id;
        if (h->n < HISTORY_MAX)
                h->n++;
        return slot;
}

const struct report *history_get(const struct history *h, size_t nth) {
        return &h->ring[(h->last_id - h->n + nth) % HISTORY_MAX];
}

const struct report *history_find_block(const struct history *h, uint32_t block) {
        for (size_t i = h->n; i > 0; i--) {
                const struct report *r = history_get(h, i - 1);

                if (report_has_block(r, block))
                        return r;
        }
        return NULL;
}

/* Take the next run off "32-39,48". */
static bool next_run(const char **p, struct tally_run *ret) {
        uint64_t first, last;
        size_t n = strcspn(*p, "-,");

        if (parse_u64n(*p, n, &first) < 0 || first > UINT32_MAX)
                return false;
        *p += n;
        last = first;
        if (**p == '-') {
                n = strcspn(++*p, ",");
                if (parse_u64n(*p, n, &last) < 0 || last > UINT32_MAX || last < first)
                        return false;
                *p += n;
        }
        if (**p == ',')
                ++*p;
        *ret = (struct tally_run) { (uint32_t) first, (uint32_t) last };
        return true;
}

bool report_has_block(const struct report *r, uint32_t block) {
        const char *p = r->blocks;
        struct tally_run run;

        while (next_run(&p, &run))
                if (block >= run.first && block <= run.last)
                        return true;
        return false;
}

static bool run_matches(const struct tally_run *run, const struct selector *s, uint64_t block_size) {
        uint64_t unit = s->kind == SELECTOR_ADDRESS ? block_size : 1;

        for (size_t i = 0; i < s->ranges.n; i++)
                if (s->ranges.items[i].first / unit <= run->last && s->ranges.items[i].last / unit >= run->first)
                        return true;
        return false;
}

bool report_matches(const struct report *r, const struct selector *s, uint64_t block_size) {
        const char *p = r->blocks;
        struct tally_run run;

        switch (s->kind) {
        case SELECTOR_ALL:
                return true;
        case SELECTOR_ADD:
                return r->add && ranges_contain(&s->ranges, r->add);
        case SELECTOR_NODE:
                return r->node >= 0 && ranges_contain(&s->ranges, (uint64_t) r->node);
        case SELECTOR_DEVICE:
                return strcmp(r->device, s->device) == 0;
        case SELECTOR_SOURCE:
                return s->sources & SOURCE_BIT(r->source);
        default:
                while (next_run(&p, &run))
                        if (run_matches(&run, s, block_size))
                                return true;
                return false;
        }
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static void put_report(FILE *f, const struct report *r) {
        fprintf(f, "report %" PRIu64 " %" PRIu64 " %s %d %" PRIu32 " %s ", r->id, r->usec, kinds[r->kind].word, r->priority,
                r->add, source_to_string(r->source));
        if (r->node >= 0)
                fprintf(f, "%d ", r->node);
        else
                fputs("- ", f);
        fprintf(f, "%s %s %s %s %d %u %" PRIu32 " %s\n", action_to_string(r->action), reason_to_string(r->reason),
                outcome_to_string(r->outcome), zone_to_string(r->zone) ?: "-", -r->error, r->line, r->n_blocks, r->blocks);
        if (r->balance.judged) {
                fprintf(f, "balance %" PRIu64 " %" PRIu64 " %" PRIu64 " ", r->balance.movable, r->balance.kernel,
                        r->balance.added);
                if (r->balance.node >= 0)
                        fprintf(f, "%d", r->balance.node);
                else
                        fputc('-', f);
                fprintf(f, " %u %d\n", r->balance.ratio, r->balance.hot_counted);
        }
        if (*r->device)
                fprintf(f, "device %s\n", r->device);
        if (*r->rule)
                fprintf(f, "rule %s\n", r->rule);
        if (*r->file)
                fprintf(f, "file %s\n", r->file);
        if (*r->why)
                fprintf(f, "why %s\n", r->why);
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
static int16_t take_node(struct line *l) {
        char word[8];
        uint32_t node;

        take_word(l, word, sizeof(word));
        if (l->bad || strcmp(word, "-") == 0)
                return -1;
        l->bad = parse_u32(word, &node) < 0 || node >= NODES_MAX;
        return l->bad ? -1 : (int16_t) node;
}

static int checked(struct line *l, int value) {
        l->bad = l->bad || value < 0;
        return l->bad ? 0 : value;
}

static enum report_kind kind_from_string(const char *word) {
        for (enum report_kind k = 0; k < _REPORT_KIND_MAX; k++)
                if (strcmp(kinds[k].word, word) == 0)
                        return k;
        return _REPORT_KIND_INVALID;
}

static bool line_is_over(struct line *l) {
        const char *word;
        size_t n;

        return !l->bad && !word_next(&l->p, l->end, &word, &n);
}

static bool parse_report(struct line *l, struct report *ret) {
        struct report r = {};
        char word[32];

        r.id = take_number(l, UINT64_MAX);
        r.usec = take_number(l, UINT64_MAX);
        take_word(l, word, sizeof(word));
        r.kind = (enum report_kind) checked(l, kind_from_string(word));
        r.priority = (int) take_number(l, 7);
        r.add = (uint32_t) take_number(l, UINT32_MAX);
        take_word(l, word, sizeof(word));
        r.source = (enum source) checked(l, source_from_string(word));
        r.node = take_node(l);
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
        take_word(l, r.blocks, sizeof(r.blocks));
        if (!line_is_over(l))
                return false;
        *ret = r;
        return true;
}

static bool parse_balance(struct line *l, struct balance *ret) {
        struct balance b = { .judged = true };

        b.movable = take_number(l, UINT64_MAX);
        b.kernel = take_number(l, UINT64_MAX);
        b.added = take_number(l, UINT64_MAX);
        b.node = take_node(l);
        b.ratio = (unsigned) take_number(l, UINT32_MAX);
        b.hot_counted = take_number(l, 1);
        if (!line_is_over(l))
                return false;
        *ret = b;
        return true;
}

/* The rest of the line as it is; control characters cannot be ours. */
static bool take_rest(struct line *l, char *ret, size_t size) {
        size_t n;

        if (l->p < l->end && *l->p == ' ')
                l->p++;
        n = (size_t) (l->end - l->p);
        if (n == 0 || n >= size)
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

static bool parse_line(struct history_parser *p, const char *text, size_t size) {
        struct line l = { text, text + size, false };
        struct report *r = &p->report;
        char key[16];

        if (p->ended)
                return false;
        take_word(&l, key, sizeof(key));
        if (!p->in_report) {
                if (strcmp(key, "end") == 0)
                        return p->ended = line_is_over(&l);
                return p->in_report = strcmp(key, "report") == 0 && parse_report(&l, r) && r->id > 0 &&
                                      (p->out->n == 0 || r->id == p->out->last_id + 1);
        }
        if (strcmp(key, "balance") == 0)
                return parse_balance(&l, &r->balance);
        if (strcmp(key, "device") == 0)
                return take_rest(&l, r->device, sizeof(r->device));
        if (strcmp(key, "rule") == 0)
                return take_rest(&l, r->rule, sizeof(r->rule));
        if (strcmp(key, "file") == 0)
                return take_rest(&l, r->file, sizeof(r->file));
        if (strcmp(key, "why") == 0)
                return take_rest(&l, r->why, sizeof(r->why));
        if (strcmp(key, "text") != 0 || !take_rest(&l, r->text, sizeof(r->text)))
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
