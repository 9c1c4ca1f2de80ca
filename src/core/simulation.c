/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/simulation.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "core/words.h"

/* What is usually fine without anybody's limit, percent: Documentation/admin-guide/mm/memory-hotplug.rst. */
#define RATIO_FINE 400
/* 52 bits of physical address are the most that processors have. */
#define ADDRESS_END (UINT64_C(1) << 52)

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static int parse_source(const char *s, size_t n, enum source *ret, char error[static SIM_ERROR_MAX]) {
        const char *known[_SOURCE_MAX], *close;
        size_t n_known = 0, length;
        char word[32];

        snprintf(word, sizeof(word), "%.*s", (int) MIN(n, sizeof(word) - 1), s);
        *ret = source_from_string(word);
        if (*ret >= 0 && *ret != SOURCE_BOOT)
                return 0;
        for (int i = 0; i < _SOURCE_MAX; i++)
                if (i != SOURCE_BOOT)
                        known[n_known++] = source_to_string((enum source) i);
        close = closest_word(word, known, n_known);
        length = (size_t) snprintf(error, SIM_ERROR_MAX, "\"%s\" is not a source of hot-added memory%s%s%s; known are", word,
                                   close ? "; did you mean \"" : "", close ?: "", close ? "\"?" : "");
        for (size_t i = 0; i < n_known && length < SIM_ERROR_MAX; i++)
                length += (size_t) snprintf(error + length, SIM_ERROR_MAX - length, "%s %s", i ? "," : "", known[i]);
        return -EINVAL;
}

static int parse_place(const char *s, struct sim_spec *spec, bool *has_node, char error[static SIM_ERROR_MAX]) {
        uint64_t number;

        if (strncmp(s, "node", 4) == 0) {
                if (parse_u64(s + 4, &number) < 0 || number >= NODES_MAX) {
                        snprintf(error, SIM_ERROR_MAX, "\"%s\" is not a node; expected node0 to node%d", s, NODES_MAX - 1);
                        return -EINVAL;
                }
                if (*has_node) {
                        snprintf(error, SIM_ERROR_MAX, "\"%s\": one node is enough", s);
                        return -EINVAL;
                }
                *has_node = true;
                spec->node = (unsigned) number;
                return 0;
        }
        if (spec->has_address || parse_size(s, &spec->address) < 0) {
                snprintf(error, SIM_ERROR_MAX, "\"%s\": expected %s, such as 0x100000000 or 4G", s,
                         spec->has_address ? "one address only" : "nodeN or an address");
                return -EINVAL;
        }
        spec->has_address = true;
        return 0;
}

int sim_spec_parse(const char *text, struct sim_spec *ret, char error[static SIM_ERROR_MAX]) {
        struct sim_spec spec = { .text = text };
        const char *colon = strchr(text, ':'), *p;
        bool has_node = false;
        char part[64];

        if (!colon) {
                snprintf(error, SIM_ERROR_MAX, "expected " SIM_SPEC_FORM);
                return -EINVAL;
        }
        if (parse_source(text, (size_t) (colon - text), &spec.source, error) < 0)
                return -EINVAL;
        p = colon;
        for (unsigned i = 0; *p; i++) {
                size_t n = strcspn(++p, "@");

                snprintf(part, sizeof(part), "%.*s", (int) MIN(n, sizeof(part) - 1), p);
                p += n;
                if (i == 0) {
                        if (parse_size(part, &spec.size) >= 0 && spec.size > 0)
                                continue;
                        snprintf(error, SIM_ERROR_MAX, "\"%s\" is not a size; expected a number and K, M, G or T", part);
                        return -EINVAL;
                }
                if (parse_place(part, &spec, &has_node, error) < 0)
                        return -EINVAL;
        }
        *ret = spec;
        return 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

const char *sim_refusal_to_string(enum sim_refusal r) {
        static const char *const names[_SIM_REFUSAL_MAX] = {
                [SIM_UNALIGNED] = "unaligned",
                [SIM_OVERLAP] = "overlap",
                [SIM_ADDRESS] = "address",
                [SIM_NO_MEMORY] = "no-memory",
        };

        return r >= 0 && r < _SIM_REFUSAL_MAX ? names[r] : NULL;
}

const char *sim_warning_to_string(enum sim_warning w) {
        static const char *const names[_SIM_WARNING_MAX] = {
                [SIM_WARN_REFUSED] = "refused",
                [SIM_WARN_RECLAIM] = "reclaim",
                [SIM_WARN_TRIMMED] = "trimmed",
                [SIM_WARN_MOVABLE_NODE] = "movable-only-node",
                [SIM_WARN_RATIO] = "ratio",
                [SIM_WARN_UNLIMITED] = "no-limit",
                [SIM_WARN_NO_RULE] = "no-rule",
                [SIM_WARN_UNKNOWN] = "no-figures",
        };

        return w >= 0 && w < _SIM_WARNING_MAX ? names[w] : NULL;
}

static const struct rule *add_rule(const struct simulation *s, const struct sim_add *a) {
        return a->refusal == SIM_TAKEN || a->refused < a->size
                       ? (a->decision.rule >= 0 ? &s->policy->rules[a->decision.rule] : NULL)
                       : NULL;
}

uint64_t sim_percent(const struct simulation *s, const struct sim_add *a, const struct totals_side *side) {
        const struct rule *rule = add_rule(s, a);

        return balance_percent(side->movable,
                               side->kernel_early + (rule && rule->balance.hot_extends ? side->kernel_hot : 0));
}

static void describe_refusal(const struct simulation *s, const struct sim_add *a, char *buf, size_t size) {
        char need[FORMAT_SIZE_MAX], free_now[FORMAT_SIZE_MAX], cache[FORMAT_SIZE_MAX], rest[FORMAT_SIZE_MAX],
                block[FORMAT_SIZE_MAX];

        switch (a->refusal) {
        case SIM_UNALIGNED:
                snprintf(buf, size, "the kernel would refuse it: start 0x%" PRIx64 " and size 0x%" PRIx64
                         " are not multiples of the block size, %s", a->start, a->size, format_size(s->block_size, block));
                break;
        case SIM_OVERLAP:
                snprintf(buf, size, "the kernel would refuse it: there is memory already in 0x%" PRIx64 "-0x%" PRIx64,
                         a->start, a->start + a->size - 1);
                break;
        case SIM_ADDRESS:
                snprintf(buf, size, "the kernel would refuse it: it ends beyond 4 PiB, where no processor has addresses");
                break;
        default:
                snprintf(buf, size, "would exhaust the kernel zones: its struct pages need %s, and %s is free there and %s is "
                         "file cache; %s would be refused", format_size(a->memmap, need),
                         format_size(a->memory_before.free, free_now), format_size(a->memory_before.reclaimable, cache),
                         a->refused < a->size ? format_size(a->refused, rest) : "it");
                break;
        }
}

void sim_warning_describe(const struct simulation *s, const struct sim_add *a, enum sim_warning w, char *buf, size_t size) {
        char need[FORMAT_SIZE_MAX], now[FORMAT_SIZE_MAX];
        uint64_t percent = sim_percent(s, a, &a->after);

        *buf = '\0';
        switch (w) {
        case SIM_WARN_REFUSED:
                describe_refusal(s, a, buf, size);
                break;
        case SIM_WARN_RECLAIM:
                snprintf(buf, size, "its struct pages need %s, and only %s is free in the kernel zones: the kernel has to drop "
                         "file cache first", format_size(a->memmap, need), format_size(a->memory_before.free, now));
                break;
        case SIM_WARN_TRIMMED:
                snprintf(buf, size, "of 0x%" PRIx64 " bytes the kernel would make blocks of %s", a->spec->size,
                         format_size(a->size, now));
                break;
        case SIM_WARN_MOVABLE_NODE:
                snprintf(buf, size, "node %u would be movable-only: its page tables, slab and pinned pages come from other nodes",
                         a->spec->node);
                break;
        case SIM_WARN_RATIO:
                snprintf(buf, size, "beyond max_movable_ratio: %s", a->offline ? "left offline" : "the fallback applies");
                break;
        case SIM_WARN_UNLIMITED:
                if (percent == UINT64_MAX)
                        snprintf(buf, size, "the machine would have no kernel memory that counts, and the rule sets no limit");
                else
                        snprintf(buf, size, "MOVABLE:KERNEL would be %" PRIu64 " %%, and the rule sets no limit; up to %d %% is "
                                 "usually fine", percent, RATIO_FINE);
                break;
        case SIM_WARN_NO_RULE:
                snprintf(buf, size, "no rule matches: it would stay offline, and cost its struct pages");
                break;
        case SIM_WARN_UNKNOWN:
                snprintf(buf, size, "the memory of the zones is unknown here: nothing can be balanced");
                break;
        default:
                break;
        }
}

/* ---- one add ------------------------------------------------------------------------------------------------------ */

static void warn(struct sim_add *a, enum sim_warning w) {
        a->warnings |= 1u << w;
}

/* The kernel takes whole blocks. dax devices are cut to those within them, virtio-mem fills its last one in part. */
static void place(const struct simulation *s, const struct sim_spec *spec, uint64_t behind, struct sim_add *a) {
        const uint64_t mask = s->block_size - 1;
        uint64_t end, start = spec->has_address ? spec->address : behind;

        a->start = start;
        a->size = spec->size;
        if (__builtin_add_overflow(start, spec->size - 1, &end) || end >= ADDRESS_END - s->block_size) {
                a->refusal = SIM_ADDRESS;
                return;
        }
        end++;
        if (!(start & mask) && !(end & mask))
                return;
        if (SOURCES_DAX & SOURCE_BIT(spec->source)) {
                start = (start + mask) & ~mask;
                end &= ~mask;
        } else if (spec->source == SOURCE_VIRTIO_MEM) {
                start = (start + mask) & ~mask;
                end = (start + spec->size + mask) & ~mask;
        } else {
                a->refusal = SIM_UNALIGNED;
                return;
        }
        if (start >= end) {
                a->refusal = SIM_UNALIGNED;
                return;
        }
        a->start = start;
        a->size = end - start;
        warn(a, SIM_WARN_TRIMMED);
}

static bool is_taken(const struct simulation *s, const struct sim_add *a, const struct sim_add *earlier, size_t n) {
        uint64_t first = a->start / s->block_size, last = (a->start + a->size - 1) / s->block_size;

        for (size_t i = 0; i < s->n_indices; i++)
                if (s->indices[i] >= first && s->indices[i] <= last)
                        return true;
        for (size_t i = 0; i < n; i++)
                if (earlier[i].refused < earlier[i].size && a->start < earlier[i].start + earlier[i].size &&
                    earlier[i].start < a->start + a->size)
                        return true;
        return false;
}

/* Struct pages are there before the memory is. */
static bool pay(struct simulation *s, uint64_t bytes, struct sim_add *a) {
        uint64_t cost = bytes / s->page_size * STRUCT_PAGE_SIZE;
        struct sim_memory *m = &s->memory;

        if (!m->known)
                return true;
        if (cost > m->free && cost - m->free > m->reclaimable)
                return false;
        if (cost > m->free) {
                m->reclaimable -= cost - m->free;
                warn(a, SIM_WARN_RECLAIM);
        }
        m->free -= MIN(cost, m->free);
        return true;
}

static void make_block(const struct simulation *s, const struct sim_add *a, uint64_t offset, struct block *ret) {
        *ret = (struct block) {
                .start = a->start + offset,
                .size = s->block_size,
                .state = BLOCK_OFFLINE,
                .zones_known = true,
                .zones = ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE),
                .first_zone = ZONE_NORMAL,
                .source = a->spec->source,
                .tier = s->tiers[a->spec->node],
                .device_size = a->size,
                .device = "(simulated)",
        };
        ret->index = (uint32_t) (ret->start / s->block_size);
        node_set_add(&ret->nodes, a->spec->node);
}

static void account(struct simulation *s, struct sim_add *a, const struct decision *d, uint64_t bytes) {
        bool movable = d->action == ACTION_ONLINE_MOVABLE;

        if (d->action == ACTION_LEAVE_OFFLINE) {
                a->offline += bytes;
                return;
        }
        *(movable ? &a->movable : &a->kernel) += bytes;
        totals_expect(&s->around.totals, (int) a->spec->node, movable, bytes);
        if (!movable)
                s->memory.free += bytes;
}

static bool same_way(const struct decision *a, const struct decision *b) {
        return a->action == b->action && a->rule == b->rule && a->reason == b->reason;
}

/* As the daemon: the first block decides for its device, but what comes in parts is balanced part by part. */
static void decide_blocks(struct simulation *s, struct sim_add *a) {
        bool dynamic = source_is_dynamic(a->spec->source);
        struct decision d;
        struct block b;

        if (!dynamic && !pay(s, a->size, a)) {
                a->refusal = SIM_NO_MEMORY;
                return;
        }
        for (uint64_t offset = 0; offset < a->size; offset += s->block_size) {
                if (dynamic && !pay(s, s->block_size, a)) {
                        a->refusal = SIM_NO_MEMORY;
                        a->refused = a->size - offset;
                        return;
                }
                make_block(s, a, offset, &b);
                if (offset == 0) {
                        policy_decide(s->policy, &b, &s->around, &a->decision);
                        d = a->decision;
                } else if (policy_goes_by_parts(s->policy, &b, &a->decision))
                        policy_decide(s->policy, &b, &s->around, &d);
                else
                        policy_decide_alike(s->policy, &b, &a->decision, &d);
                if (!a->has_later && !same_way(&a->decision, &d)) {
                        a->has_later = true;
                        a->later = d;
                }
                account(s, a, &d, s->block_size);
        }
}

static void judge(struct simulation *s, struct sim_add *a) {
        const struct rule *rule = add_rule(s, a);

        if (a->refusal != SIM_TAKEN)
                warn(a, SIM_WARN_REFUSED);
        if (a->refused == a->size)
                return;
        if (!rule)
                warn(a, SIM_WARN_NO_RULE);
        if (a->decision.reason == REASON_RATIO || (a->has_later && a->later.reason == REASON_RATIO))
                warn(a, SIM_WARN_RATIO);
        if (rule && !s->around.totals.known && (rule->action == ACTION_BALANCE || rule->balance.ratio))
                warn(a, SIM_WARN_UNKNOWN);
        if (!a->movable || !s->around.totals.known)
                return;
        if (a->node_after.kernel_early + a->node_after.kernel_hot == 0)
                warn(a, SIM_WARN_MOVABLE_NODE);
        if (rule && rule->action != ACTION_BALANCE && !rule->balance.ratio && sim_percent(s, a, &a->after) > RATIO_FINE)
                warn(a, SIM_WARN_UNLIMITED);
}

static void run_one(struct simulation *s, const struct sim_spec *spec, uint64_t behind, const struct sim_add *earlier,
                    size_t n_earlier, struct sim_add *ret) {
        struct sim_add a = { .spec = spec, .decision = { .action = ACTION_LEAVE_OFFLINE, .rule = -1 } };
        const struct totals *t = &s->around.totals;

        a.before = t->all;
        a.node_before = t->nodes[spec->node];
        a.memory_before = s->memory;
        place(s, spec, behind, &a);
        if (a.refusal == SIM_TAKEN && is_taken(s, &a, earlier, n_earlier))
                a.refusal = SIM_OVERLAP;
        a.memmap = a.size / s->page_size * STRUCT_PAGE_SIZE;
        if (a.refusal == SIM_TAKEN)
                decide_blocks(s, &a);
        if (a.refusal != SIM_TAKEN && a.refused == 0)
                a.refused = a.size;
        a.after = t->all;
        a.node_after = t->nodes[spec->node];
        a.memory_after = s->memory;
        judge(s, &a);
        *ret = a;
}

void simulation_run(struct simulation *s, const struct sim_spec *specs, size_t n, struct sim_add *ret) {
        uint64_t behind = s->n_indices ? ((uint64_t) s->indices[s->n_indices - 1] + 1) * s->block_size : 0;

        for (size_t i = 0; i < n; i++) {
                run_one(s, &specs[i], behind, ret, i, &ret[i]);
                if (ret[i].refused < ret[i].size)
                        behind = MAX(behind, ret[i].start + ret[i].size);
        }
}
