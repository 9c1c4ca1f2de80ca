/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/alerts.h"

#include <inttypes.h>

#include "core/format.h"
#include "core/names.h"

struct judgement {
        const struct stats *stats;
        const struct policy *policy;
        uint64_t waiting_max_usec;
};

/* ---- kernel memory ------------------------------------------------------------------------------------------------ */

/* Of so much kernel memory, this part is little: what the struct pages of as much memory again would take. */
#define KERNEL_LOW_PART 64
/* Less than this part of the movable memory is not "free while the kernel has none". */
#define MOVABLE_FREE_PART 16

static bool kernel_is_low(const struct judgement *j, bool raised) {
        const struct stats_zones *kernel = &j->stats->all.kernel, *movable = &j->stats->all.movable;
        uint64_t available = stats_available(kernel), little = kernel->managed / KERNEL_LOW_PART;

        if (raised)
                return available < 2 * little && movable->usable > movable->managed / MOVABLE_FREE_PART / 2;
        return available < little && movable->usable > movable->managed / MOVABLE_FREE_PART;
}

static void describe_kernel(const struct judgement *j, bool raised, char *buf) {
        const struct stats_node *all = &j->stats->all;
        char have[FORMAT_SIZE_MAX], whole[FORMAT_SIZE_MAX], movable[FORMAT_SIZE_MAX];

        snprintf(buf, ALERT_TEXT_MAX, "kernel memory is %snearly exhausted: of %s, %s can still be had, while %s of movable "
                 "memory are free", raised ? "" : "no longer ", format_size(all->kernel.managed, whole),
                 format_size(stats_available(&all->kernel), have), format_size(all->movable.free, movable));
}

/* ---- the ratio ---------------------------------------------------------------------------------------------------- */

/* The machine, else the first node; NULL: all is within. Figures move by whole blocks here, and need no slack. */
static const struct stats_node *find_beyond(const struct stats *s) {
        if (stats_is_beyond(s, &s->all))
                return &s->all;
        for (size_t i = 0; i < s->n; i++)
                if (stats_is_beyond(s, &s->nodes[i]))
                        return &s->nodes[i];
        return NULL;
}

static bool ratio_is_beyond(const struct judgement *j, bool raised) {
        (void) raised;
        return find_beyond(j->stats) != NULL;
}

static void describe_ratio(const struct judgement *j, bool raised, char *buf) {
        const struct stats_node *n = find_beyond(j->stats) ?: &j->stats->all;
        /* NOLINTNEXTLINE(clang-analyzer-core*): there are figures, or there would be no alert */
        const char *rule = j->policy && n->limit.rule >= 0 ? j->policy->rules[n->limit.rule].name : "";
        char where[32] = "of the machine", predicate[64] = "has no kernel memory beside it that counts";

        if (n->node >= 0) /* NOLINT(clang-analyzer-core*): as above */
                snprintf(where, sizeof(where), "on node %d", n->node);
        if (n->percent != UINT64_MAX)
                snprintf(predicate, sizeof(predicate), "is %" PRIu64 " %% of its kernel memory", n->percent);
        if (!raised)
                snprintf(buf, ALERT_TEXT_MAX, "movable memory is within the limits of the rules again; that %s %s", where, predicate);
        else
                snprintf(buf, ALERT_TEXT_MAX, "the movable memory %s %s; rule \"%s\" allows for %u %%", where, predicate, rule,
                         n->limit.balance.ratio);
}

/* ---- what waits --------------------------------------------------------------------------------------------------- */

static bool waits_too_long(const struct judgement *j, bool raised) {
        (void) raised; /* what is online again does not wait: nothing to go back and forth */
        return j->waiting_max_usec && j->stats->waiting_usec >= j->waiting_max_usec;
}

static void format_time(uint64_t usec, char *buf, size_t size) {
        uint64_t s = usec / 1000000;

        if (s >= 7200)
                snprintf(buf, size, "%" PRIu64 " h", s / 3600);
        else if (s >= 120)
                snprintf(buf, size, "%" PRIu64 " min", s / 60);
        else
                snprintf(buf, size, "%" PRIu64 " s", s);
}

static void describe_waiting(const struct judgement *j, bool raised, char *buf) {
        const struct stats *s = j->stats;
        char bytes[FORMAT_SIZE_MAX], since[32];

        format_time(s->waiting_usec, since, sizeof(since));
        if (raised)
                snprintf(buf, ALERT_TEXT_MAX, "hot-added memory waits offline: %s among the blocks %" PRIu32 "-%" PRIu32 ", the "
                         "first of it for %s", format_size(s->waiting, bytes), s->waiting_first, s->waiting_last, since);
        else
                snprintf(buf, ALERT_TEXT_MAX, "no hot-added memory waits offline for so long any more");
}

/* ---- the next add ------------------------------------------------------------------------------------------------- */

static bool next_is_refused(const struct judgement *j, bool raised) {
        const struct stats *s = j->stats;

        return s->next_memmap > s->next_room - (raised ? s->next_room / 5 : 0);
}

static void describe_next(const struct judgement *j, bool raised, char *buf) {
        char add[FORMAT_SIZE_MAX], need[FORMAT_SIZE_MAX], room[FORMAT_SIZE_MAX];

        snprintf(buf, ALERT_TEXT_MAX, "the next hot-add %s be refused: one of %s, as the largest so far, needs %s for its struct "
                 "pages, and the kernel zones have %s", raised ? "is likely to" : "would not",
                 format_size(j->stats->largest_add, add), format_size(j->stats->next_memmap, need),
                 format_size(j->stats->next_room, room));
}

/* ------------------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        const char *message_id;
        /* Is it so? raised: it was, so a little better is not good enough. */
        bool (*judge)(const struct judgement *j, bool raised);
        void (*describe)(const struct judgement *j, bool raised, char *buf);
} kinds[_ALERT_MAX] = {
        [ALERT_KERNEL_LOW] = { "kernel-low", MESSAGE_ALERT_KERNEL_LOW, kernel_is_low, describe_kernel },
        [ALERT_RATIO] = { "ratio", MESSAGE_ALERT_RATIO, ratio_is_beyond, describe_ratio },
        [ALERT_WAITING] = { "waiting", MESSAGE_ALERT_WAITING, waits_too_long, describe_waiting },
        [ALERT_NEXT_ADD] = { "next-add", MESSAGE_ALERT_NEXT_ADD, next_is_refused, describe_next },
};

const char *alert_to_string(enum alert_kind k) {
        return k >= 0 && k < _ALERT_MAX ? kinds[k].name : NULL;
}

const char *alert_message_id(enum alert_kind k) {
        return k >= 0 && k < _ALERT_MAX ? kinds[k].message_id : NULL;
}

unsigned alerts_judge(struct alerts *a, const struct stats *s, const struct policy *policy, uint64_t waiting_max_usec,
                      uint64_t now_usec) {
        const struct judgement j = { s, policy, waiting_max_usec };
        unsigned changed = 0;

        for (enum alert_kind k = 0; k < _ALERT_MAX; k++) {
                struct alert *alert = &a->items[k];
                bool raised = kinds[k].judge(&j, alert->raised);

                if (raised != alert->raised) {
                        alert->raised = raised;
                        alert->since_usec = now_usec;
                        changed |= 1u << k;
                } else if (!raised)
                        continue;
                kinds[k].describe(&j, raised, alert->text);
        }
        return changed;
}
