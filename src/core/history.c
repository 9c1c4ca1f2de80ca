/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/history.h"

#include <string.h>

#include "core/names.h"
#include "core/parse.h"

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

enum report_kind report_kind_from_string(const char *s) {
        for (enum report_kind k = 0; k < _REPORT_KIND_MAX; k++)
                if (strcmp(kinds[k].word, s) == 0)
                        return k;
        return _REPORT_KIND_INVALID;
}

enum report_kind report_kind_from_message_id(const char *id) {
        for (enum report_kind k = 0; k < _REPORT_KIND_MAX; k++)
                if (strcmp(kinds[k].message_id, id) == 0)
                        return k;
        return _REPORT_KIND_INVALID;
}

/* ---- the ring ----------------------------------------------------------------------------------------------------- */

/* Devices are named by the kernel and files by people, and both end in lines. */
static void clean(char *s) {
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        *s = '?';
}

const struct report *history_add(struct history *h, const struct report *r) {
        struct report *slot = &h->ring[h->last_id % HISTORY_MAX];

        *slot = *r;
        clean(slot->device);
        clean(slot->rule);
        clean(slot->file);
        clean(slot->why);
        clean(slot->text);
        slot->id = ++h->last_id;
        if (h->n < HISTORY_MAX)
                h->n++;
        return slot;
}

const struct report *history_get(const struct history *h, size_t nth) {
        return &h->ring[(h->last_id - h->n + nth) % HISTORY_MAX];
}

bool report_is_decision(const struct report *r) {
        return r->kind != REPORT_REMOVED && (r->kind != REPORT_PARTIAL || r->reason == REASON_ROLLED_BACK);
}

static const struct report *find(const struct history *h, uint32_t block, bool only_decisions) {
        for (size_t i = h->n; i > 0; i--) {
                const struct report *r = history_get(h, i - 1);

                if ((!only_decisions || report_is_decision(r)) && report_has_block(r, block))
                        return r;
        }
        return NULL;
}

const struct report *history_find_decision(const struct history *h, uint32_t block) {
        return find(h, block, true);
}

const struct report *history_find_block(const struct history *h, uint32_t block) {
        return find(h, block, false);
}

bool report_next_run(const char **p, struct tally_run *ret) {
        size_t n = strcspn(*p, ","), first_size = strcspn(*p, "-,");
        uint64_t first, last;

        if (parse_u64n(*p, first_size, &first) < 0)
                return false;
        last = first;
        if (first_size < n && parse_u64n(*p + first_size + 1, n - first_size - 1, &last) < 0)
                return false;
        if (first > last || last > UINT32_MAX || ((*p)[n] && !(*p)[n + 1]))
                return false;
        *p += n + ((*p)[n] == ',');
        *ret = (struct tally_run) { (uint32_t) first, (uint32_t) last };
        return true;
}

bool report_has_block(const struct report *r, uint32_t block) {
        const char *p = r->blocks;
        struct tally_run run;

        while (report_next_run(&p, &run))
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
                while (report_next_run(&p, &run))
                        if (run_matches(&run, s, block_size))
                                return true;
                return false;
        }
}
