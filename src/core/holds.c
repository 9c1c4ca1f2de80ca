/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/holds.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char head[] = "memhpd-holds 1";

static void hold_done(struct hold *hold) {
        selector_done(&hold->selector);
}

void holds_done(struct holds *h) {
        for (size_t i = 0; i < h->n; i++)
                hold_done(&h->items[i]);
        free(h->items);
        *h = (struct holds) {};
}

/* One line of printable ASCII, whatever the locale: it is written to a file of lines, to logs and to terminals. */
static bool is_clean(const char *s, size_t size, bool blanks) {
        for (size_t i = 0; i < size; i++)
                if (s[i] < ' ' || s[i] > '~' || (s[i] == ' ' && !blanks))
                        return false;
        return true;
}

static int hold_init(struct hold *ret, uint32_t id, const char *selector, uint64_t expires_usec, const char *reason,
                     char error[static SELECTOR_ERROR_MAX]) {
        struct hold hold = { .id = id, .expires_usec = expires_usec };
        int r;

        if (strlen(selector) >= sizeof(hold.text) || !is_clean(selector, strlen(selector), false)) {
                snprintf(error, SELECTOR_ERROR_MAX, "a selector of at most %zu characters without blanks",
                         sizeof(hold.text) - 1);
                return -EINVAL;
        }
        if (strlen(reason) >= sizeof(hold.reason) || !is_clean(reason, strlen(reason), true)) {
                snprintf(error, SELECTOR_ERROR_MAX, "a reason is one line of at most %zu printable ASCII characters",
                         sizeof(hold.reason) - 1);
                return -EINVAL;
        }
        r = selector_parse(selector, &hold.selector, error);
        if (r < 0)
                return r;
        if (hold.selector.kind == SELECTOR_ADD) {
                selector_done(&hold.selector);
                snprintf(error, SELECTOR_ERROR_MAX, "a hold is about what is to come, which has no number yet; "
                         "name a device, node, source, address or blocks");
                return -EINVAL;
        }
        strcpy(hold.text, selector);
        strcpy(hold.reason, reason);
        *ret = hold;
        return 0;
}

static int append(struct holds *h, struct hold *hold) {
        if (h->n >= HOLDS_MAX || !GROW(h->items, h->n, h->capacity)) {
                hold_done(hold);
                return h->n >= HOLDS_MAX ? -ENOSPC : -ENOMEM;
        }
        h->items[h->n++] = *hold;
        return 0;
}

int holds_add(struct holds *h, const char *selector, uint64_t expires_usec, const char *reason,
              char error[static SELECTOR_ERROR_MAX]) {
        struct hold hold;
        int r;

        if (h->last_id == UINT32_MAX)
                return -ENOSPC;
        r = hold_init(&hold, h->last_id + 1, selector, expires_usec, reason, error);
        if (r >= 0)
                r = append(h, &hold);
        if (r >= 0)
                h->last_id++;
        return r;
}

bool holds_remove(struct holds *h, uint32_t id) {
        for (size_t i = 0; i < h->n; i++)
                if (h->items[i].id == id) {
                        hold_done(&h->items[i]);
                        h->n--;
                        memmove(h->items + i, h->items + i + 1, (h->n - i) * sizeof(*h->items));
                        return true;
                }
        return false;
}

/* "hold ID EXPIRES SELECTOR REASON …" behind the first word. */
static int parse_hold(struct holds *h, const char *rest, const char *end) {
        const char *id, *expires, *selector;
        size_t id_size, expires_size, selector_size;
        char error[SELECTOR_ERROR_MAX], text[HOLD_SELECTOR_MAX], reason[HOLD_REASON_MAX];
        uint64_t number, usec;
        struct hold hold;
        int r;

        if (!word_next(&rest, end, &id, &id_size) || parse_u64n(id, id_size, &number) < 0 || number == 0 ||
            number > UINT32_MAX || !word_next(&rest, end, &expires, &expires_size) ||
            parse_u64n(expires, expires_size, &usec) < 0 || !word_next(&rest, end, &selector, &selector_size) ||
            selector_size >= sizeof(text))
                return -EBADMSG;
        rest += rest < end;
        if ((size_t) (end - rest) >= sizeof(reason) || (h->n && number <= h->items[h->n - 1].id))
                return -EBADMSG;
        snprintf(text, sizeof(text), "%.*s", (int) selector_size, selector);
        snprintf(reason, sizeof(reason), "%.*s", (int) (end - rest), rest);
        r = hold_init(&hold, (uint32_t) number, text, usec, reason, error);
        if (r >= 0)
                r = append(h, &hold);
        return r == -EINVAL || r == -ENOSPC ? -EBADMSG : r;
}

static int parse_line(struct holds *h, unsigned number, const char *line, size_t size, bool *ended) {
        const char *rest = line, *end = line + size, *key, *word;
        size_t key_size, n;
        uint64_t last;

        if (*ended)
                return -EBADMSG;
        if (number == 1)
                return span_is(line, size, head) ? 0 : -EBADMSG;
        if (span_is(line, size, "end")) {
                *ended = true;
                return 0;
        }
        if (!word_next(&rest, end, &key, &key_size))
                return -EBADMSG;
        if (span_is(key, key_size, "hold"))
                return parse_hold(h, rest, end);
        if (!span_is(key, key_size, "last") || !word_next(&rest, end, &word, &n) || parse_u64n(word, n, &last) < 0 ||
            last > UINT32_MAX || word_next(&rest, end, &word, &n))
                return -EBADMSG;
        h->last_id = (uint32_t) last;
        return 0;
}

int holds_parse(const char *text, size_t size, struct holds *ret, unsigned *ret_line) {
        struct holds h = {};
        struct lines lines;
        const char *line;
        bool ended = false;
        size_t n;
        int r;

        lines_init(&lines, text, size);
        while ((r = lines_next(&lines, &line, &n)) > 0) {
                r = parse_line(&h, lines.number, line, n, &ended);
                if (r < 0)
                        break;
        }
        if (r >= 0 && (!ended || (h.n && h.items[h.n - 1].id > h.last_id)))
                r = -EBADMSG;
        if (r < 0) {
                *ret_line = MAX(lines.number, 1u);
                holds_done(&h);
                return r;
        }
        *ret = h;
        return 0;
}

int holds_format(const struct holds *h, uint64_t now, char **ret, size_t *ret_size) {
        char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "%s\nlast %" PRIu32 "\n", head, h->last_id);
        for (size_t i = 0; i < h->n; i++) {
                const struct hold *hold = &h->items[i];

                if (!hold_is_over(hold, now))
                        fprintf(f, "hold %" PRIu32 " %" PRIu64 " %s%s%s\n", hold->id, hold->expires_usec, hold->text,
                                *hold->reason ? " " : "", hold->reason);
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

bool hold_is_over(const struct hold *hold, uint64_t now) {
        return hold->expires_usec != 0 && hold->expires_usec <= now;
}

const struct hold *holds_find(const struct holds *h, const struct block *b, uint64_t block_size, uint64_t now) {
        for (size_t i = 0; i < h->n; i++)
                if (!hold_is_over(&h->items[i], now) && selector_match(&h->items[i].selector, b, block_size))
                        return &h->items[i];
        return NULL;
}

uint64_t holds_next_expiry(const struct holds *h, uint64_t now) {
        uint64_t next = UINT64_MAX;

        for (size_t i = 0; i < h->n; i++)
                if (h->items[i].expires_usec > now)
                        next = MIN(next, h->items[i].expires_usec);
        return next;
}
