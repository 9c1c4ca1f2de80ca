/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/parse.h"

static const char head[] = "memhpd-state 1";

uint64_t state_identity(uint64_t so_far, uint32_t block, uint64_t identity) {
        const uint64_t words[] = { block, identity };
        const unsigned char *p = (const unsigned char *) words;

        for (size_t i = 0; i < sizeof(words); i++) /* FNV-1a */
                so_far = (so_far ^ p[i]) * UINT64_C(1099511628211); /* NOLINT(clang-analyzer-core*): words are set */
        return so_far;
}

static const char *const kinds[_SAVED_MAX] = {
        [SAVED_ONLINE] = "online",
        [SAVED_HANDS_OFF] = "hands-off",
        [SAVED_STARTUP] = "startup",
        [SAVED_ROLLED_BACK] = "rolled-back",
        [SAVED_ROLLING_BACK] = "rolling-back",
};

/* _SAVED_MAX: nothing about it needs to be remembered. */
static enum saved_kind entry_kind(const struct entry *e) {
        if (!e->known)
                return _SAVED_MAX;
        if (e->rolling_back)
                return SAVED_ROLLING_BACK;
        if (e->state != BLOCK_OFFLINE) /* also on its way there, by somebody's will and not by ours */
                return SAVED_ONLINE;
        return e->hands_off     ? SAVED_HANDS_OFF
               : e->rolled_back ? SAVED_ROLLED_BACK
               : e->at_startup  ? SAVED_STARTUP
                                : _SAVED_MAX;
}

/* What somebody set offline, or was or is taken back, is kept block by block: that a neighbour was unplugged meanwhile does not
 * make it new memory. */
static bool same_run(const struct entry *a, const struct entry *b) {
        enum saved_kind kind = entry_kind(a);

        return kind != SAVED_HANDS_OFF && kind != SAVED_ROLLED_BACK && kind != SAVED_ROLLING_BACK && a->block + 1 == b->block &&
               kind == entry_kind(b) && a->add == b->add && a->device == b->device;
}

int state_format(const struct registry *r, uint32_t last_add, char **ret, size_t *ret_size) {
        char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "%s\nadds %" PRIu32 "\n", head, last_add);
        for (size_t i = 0; i < r->n;) {
                const struct entry *first = &r->entries[i], *last = first;
                uint64_t identity = STATE_IDENTITY_INIT;

                for (; i < r->n && (i == (size_t) (first - r->entries) || same_run(last, &r->entries[i])); i++) {
                        last = &r->entries[i];
                        identity = state_identity(identity, last->block, last->identity);
                }
                if (entry_kind(first) != _SAVED_MAX)
                        fprintf(f, "%s %" PRIu32 "-%" PRIu32 " %" PRIx64 "\n", kinds[entry_kind(first)], first->block,
                                last->block, identity);
        }
        fputs("end\n", f);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        *ret_size = size;
        return 0;
}

static int parse_run(const char *range, size_t n, struct saved_run *ret) {
        const char *dash = memchr(range, '-', n);
        uint64_t first, last;

        if (!dash || parse_u64n(range, (size_t) (dash - range), &first) < 0 ||
            parse_u64n(dash + 1, (size_t) (range + n - dash - 1), &last) < 0 || last < first || last > UINT32_MAX)
                return -EBADMSG;
        ret->first = (uint32_t) first;
        ret->last = (uint32_t) last;
        return 0;
}

struct state_parser {
        struct saved_state out;
        size_t capacity;
        bool ended;
};

static int parse_line(struct state_parser *p, unsigned number, const char *line, size_t size) {
        const char *rest = line, *end = line + size, *key, *value, *identity, *extra;
        size_t key_size, value_size, identity_size, extra_size;
        struct saved_run run = {};
        uint64_t adds;

        if (p->ended)
                return -EBADMSG;
        if (number == 1)
                return span_is(line, size, head) ? 0 : -EBADMSG;
        if (span_is(line, size, "end")) {
                p->ended = true;
                return 0;
        }
        if (!word_next(&rest, end, &key, &key_size) || !word_next(&rest, end, &value, &value_size))
                return -EBADMSG;
        if (span_is(key, key_size, "adds")) {
                if (parse_u64n(value, value_size, &adds) < 0 || adds > UINT32_MAX ||
                    word_next(&rest, end, &extra, &extra_size))
                        return -EBADMSG;
                p->out.last_add = (uint32_t) adds;
                return 0;
        }
        while (run.kind < _SAVED_MAX && !span_is(key, key_size, kinds[run.kind]))
                run.kind++;
        if (run.kind == _SAVED_MAX || parse_run(value, value_size, &run) < 0 ||
            !word_next(&rest, end, &identity, &identity_size) || parse_hexn(identity, identity_size, &run.identity) < 0 ||
            word_next(&rest, end, &extra, &extra_size))
                return -EBADMSG;
        if (p->out.n && run.first <= p->out.runs[p->out.n - 1].last)
                return -EBADMSG;
        if (!GROW(p->out.runs, p->out.n, p->capacity))
                return -ENOMEM;
        p->out.runs[p->out.n++] = run;
        return 0;
}

int state_parse(const char *text, size_t size, struct saved_state *ret, unsigned *ret_line) {
        struct state_parser p = {};
        struct lines lines;
        const char *line;
        size_t n;
        int r;

        lines_init(&lines, text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                r = parse_line(&p, lines.number, line, n);
                if (r < 0)
                        break;
        }
        if (r >= 0 && !p.ended) /* torn */
                r = -EBADMSG;
        if (r < 0) {
                *ret_line = MAX(lines.number, 1u);
                saved_state_done(&p.out);
                return r;
        }
        *ret = p.out;
        return 0;
}

void saved_state_done(struct saved_state *s) {
        free(s->runs);
        *s = (struct saved_state) {};
}

const struct saved_run *saved_state_find(const struct saved_state *s, uint32_t block) {
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->runs[middle].last < block)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < s->n && s->runs[low].first <= block ? &s->runs[low] : NULL;
}
