/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "core/format.h"
#include "core/names.h"
#include "daemon/journal.h"

#define BLOCKS_MAX 256

/* "dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1" */
static void format_subject(const struct report_context *c, const struct tally_group *g, const char *blocks, char *buf,
                           size_t size) {
        const char *device = registry_device_name(c->registry, g->key.device);
        char bytes[FORMAT_SIZE_MAX], node[24] = "";

        if (g->key.node >= 0)
                snprintf(node, sizeof(node), ", node %d", g->key.node);
        snprintf(buf, size, "%s%s%s: %u block%s %s (%s)%s", source_to_string(g->key.source), device[0] ? " " : "", device,
                 g->n_blocks, g->n_blocks == 1 ? "" : "s", blocks, format_size(g->n_blocks * c->block_size, bytes), node);
}

/* "rule "dimms" (FILE:12)" */
static void format_rule(const struct report_context *c, const struct tally_group *g, char *buf, size_t size) {
        const struct rule *r;

        if (g->key.rule < 0 || (size_t) g->key.rule >= c->policy->n_rules) {
                snprintf(buf, size, "a rule of an earlier policy");
                return;
        }
        r = &c->policy->rules[g->key.rule];
        snprintf(buf, size, "rule \"%s\" (%s:%u)", r->name, r->file, r->line);
}

static const char *wanted_zone(const struct report_context *c, const struct tally_group *g) {
        return g->key.rule >= 0 ? action_zone_name(c->policy->rules[g->key.rule].action) : NULL;
}

struct line {
        int priority;
        const char *message_id;
        char text[768];
};

static void _printf_(4, 5) line_set(struct line *l, int priority, const char *message_id, const char *format, ...) {
        va_list ap;

        l->priority = priority;
        l->message_id = message_id;
        va_start(ap, format);
        vsnprintf(l->text, sizeof(l->text), format, ap);
        va_end(ap);
}

static void compose_left_offline(const struct report_context *c, const struct tally_group *g, const char *rule,
                                 const char *figures, struct line *ret) {
        switch (g->key.reason) {
        case REASON_RULE:
                line_set(ret, LOG_INFO, MESSAGE_LEFT_OFFLINE, "left offline by %s", rule);
                break;
        case REASON_ZONE_UNAVAILABLE:
                line_set(ret, LOG_WARNING, MESSAGE_LEFT_OFFLINE,
                         "left offline: %s wants zone %s, which the kernel does not offer for it", rule,
                         wanted_zone(c, g));
                break;
        case REASON_RATIO:
                line_set(ret, LOG_WARNING, MESSAGE_LEFT_OFFLINE, "left offline by %s: %s", rule, figures);
                break;
        case REASON_HANDS_OFF:
                line_set(ret, LOG_NOTICE, MESSAGE_CHANGED, "was set offline, by somebody or to be unplugged; it stays offline");
                break;
        case REASON_HELD:
                line_set(ret, LOG_NOTICE, MESSAGE_HELD, "waits: a hold is on it (memhpctl hold lists them)");
                break;
        case REASON_SOURCE_HIDDEN:
                line_set(ret, LOG_WARNING, MESSAGE_LEFT_OFFLINE, "left offline: /proc/iomem shows nothing, and %s asks where "
                         "memory comes from", rule);
                break;
        case REASON_ROLLED_BACK:
                line_set(ret, LOG_WARNING, MESSAGE_PARTIAL, "taken offline again, as its device could not be had as a whole");
                break;
        case REASON_STARTUP:
                line_set(ret, LOG_INFO, MESSAGE_LEFT_OFFLINE,
                         "left offline: it was offline at the start, and startup is \"ignore\"");
                break;
        default:
                line_set(ret, LOG_NOTICE, MESSAGE_LEFT_OFFLINE, "left offline: no rule matches");
        }
}

static void compose(const struct report_context *c, const struct tally_group *g, struct line *ret) {
        const char *zone = zone_to_string(g->key.zone) ?: "a zone that the kernel does not name";
        const char *state = action_to_state(g->key.action);
        const char *error = g->key.error ? strerror(-g->key.error) : "it is offline again";
        char rule[256], figures[256] = "there would be too much movable memory", why[600];

        format_rule(c, g, rule, sizeof(rule));
        if (g->key.balance.judged)
                balance_describe(&g->key.balance, figures, sizeof(figures));
        if (g->key.reason == REASON_FALLBACK)
                snprintf(why, sizeof(why), "by the fallback of %s, as it cannot go to zone %s", rule, wanted_zone(c, g));
        else if (g->key.reason == REASON_RATIO)
                snprintf(why, sizeof(why), "by the fallback of %s, as %s", rule, figures);
        else if (g->key.balance.judged)
                snprintf(why, sizeof(why), "by %s: %s", rule, figures);
        else
                snprintf(why, sizeof(why), "by %s", rule);

        switch (g->key.outcome) {
        case OUTCOME_NONE:
                compose_left_offline(c, g, rule, figures, ret);
                break;
        case OUTCOME_DONE:
                line_set(ret, LOG_INFO, MESSAGE_ONLINED, "online in %s %s", zone, why);
                break;
        case OUTCOME_GONE:
                line_set(ret, LOG_INFO, MESSAGE_REMOVED, "unplugged");
                break;
        case OUTCOME_DELEGATED:
                line_set(ret, LOG_INFO, MESSAGE_ONLINED, "online in %s as %s wants, by the kernel, to which it is delegated",
                         zone, rule);
                break;
        case OUTCOME_ALREADY:
                line_set(ret, LOG_INFO, MESSAGE_ONLINED,
                         "online in %s as %s wants, though another program was first", zone, rule);
                break;
        case OUTCOME_WRONG_ZONE:
                if (g->key.action == ACTION_LEAVE_OFFLINE)
                        line_set(ret, LOG_WARNING, MESSAGE_LOST_RACE,
                                 "lost race: another program brought it online in %s; %s leaves it offline. "
                                 "It stays as it is", zone, g->key.reason == REASON_NO_RULE ? "that no rule matches" : rule);
                else
                        line_set(ret, LOG_WARNING, MESSAGE_LOST_RACE,
                                 "lost race: another program brought it online in %s first; %s wants zone %s. "
                                 "It stays as it is", zone, rule, action_zone_name(g->key.action));
                break;
        case OUTCOME_BUSY:
                line_set(ret, LOG_NOTICE, MESSAGE_FAILED, "\"%s\" refused: %s; trying again", state, error);
                break;
        default:
                if (g->key.reason == REASON_ROLLED_BACK)
                        line_set(ret, LOG_ERR, MESSAGE_PARTIAL, "stays online in %s: it could not be taken offline again: %s",
                                 zone, g->key.error == -EINTR ? "timed out" : error);
                else if (!state)
                        line_set(ret, LOG_ERR, MESSAGE_FAILED, "cannot be read: %s; left as it is", error);
                else
                        line_set(ret, LOG_ERR, MESSAGE_FAILED, "\"%s\" failed: %s; left offline, though %s wants it online",
                                 state, error, rule);
        }
}

void report_group(const struct report_context *c, const struct tally_group *g) {
        const char *device = registry_device_name(c->registry, g->key.device);
        char blocks[BLOCKS_MAX], subject[BLOCKS_MAX + 128], error[16], add[16];
        struct line line;

        tally_format_blocks(g, blocks, sizeof(blocks));
        format_subject(c, g, blocks, subject, sizeof(subject));
        compose(c, g, &line);
        snprintf(error, sizeof(error), "%d", -g->key.error);
        snprintf(add, sizeof(add), "%" PRIu32, g->key.add);

        const struct journal_field fields[] = {
                { FIELD_BLOCK, blocks },
                { FIELD_DEVICE, device[0] ? device : NULL },
                { FIELD_ADD, g->key.add ? add : NULL },
                { FIELD_SOURCE, source_to_string(g->key.source) },
                { FIELD_RULE, g->key.rule >= 0 ? c->policy->rules[g->key.rule].name : NULL },
                { FIELD_ACTION, action_to_string(g->key.action) },
                { FIELD_ZONE, zone_to_string(g->key.zone) },
                { FIELD_OUTCOME, outcome_to_string(g->key.outcome) },
                { "ERRNO", g->key.error ? error : NULL },
        };
        journal_send(line.priority, line.message_id, fields, ARRAY_SIZE(fields), "%s: %s", subject, line.text);
}

void report_tally(const struct report_context *c, const struct tally *t) {
        for (size_t i = 0; i < t->n; i++)
                report_group(c, &t->groups[i]);
}
