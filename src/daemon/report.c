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

/* "dimm PNP0C80:00: 8 blocks 32-39 (1 GiB), node 1" */
static void format_subject(const struct report_context *c, const struct tally_group *g, const char *blocks, char *buf,
                           size_t size) {
        const char *device = registry_device_name(c->registry, g->key.device);
        char bytes[FORMAT_SIZE_MAX], node[24] = "";

        if (g->key.node >= 0)
                snprintf(node, sizeof(node), ", node %d", g->key.node);
        snprintf(buf, size, "%s%s%s: %u block%s %s (%s)%s: ", source_to_string(g->key.source), device[0] ? " " : "", device,
                 g->n_blocks, g->n_blocks == 1 ? "" : "s", blocks, format_size(g->n_blocks * c->block_size, bytes), node);
}

/* NULL: it was none, or of an earlier policy. */
static const struct rule *find_rule(const struct report_context *c, const struct tally_group *g) {
        return g->key.rule >= 0 && (size_t) g->key.rule < c->policy->n_rules ? &c->policy->rules[g->key.rule] : NULL;
}

/* "rule "dimms" (FILE:12)" */
static void format_rule(const struct report_context *c, const struct tally_group *g, char *buf, size_t size) {
        const struct rule *r = find_rule(c, g);

        if (r)
                snprintf(buf, size, "rule \"%s\" (%s:%u)", r->name, r->file, r->line);
        else
                snprintf(buf, size, "a rule of an earlier policy");
}

static const char *wanted_zone(const struct report_context *c, const struct tally_group *g) {
        const struct rule *r = find_rule(c, g);

        return r ? action_zone_name(r->action) : NULL;
}

/* The text goes behind the subject that is there already. */
static void _printf_(4, 5) report_say(struct report *r, int priority, enum report_kind kind, const char *format, ...) {
        size_t n = strlen(r->text);
        va_list ap;

        r->priority = priority;
        r->kind = kind;
        va_start(ap, format);
        vsnprintf(r->text + n, sizeof(r->text) - n, format, ap);
        va_end(ap);
}

static void compose_left_offline(const struct report_context *c, const struct tally_group *g, const char *rule,
                                 const char *figures, struct report *ret) {
        switch (g->key.reason) {
        case REASON_RULE:
                report_say(ret, LOG_INFO, REPORT_LEFT_OFFLINE, "left offline by %s", rule);
                break;
        case REASON_ZONE_UNAVAILABLE:
                report_say(ret, LOG_WARNING, REPORT_LEFT_OFFLINE,
                         "left offline: %s wants zone %s, which the kernel does not offer for it", rule,
                         wanted_zone(c, g));
                break;
        case REASON_RATIO:
                report_say(ret, LOG_WARNING, REPORT_LEFT_OFFLINE, "left offline by %s: %s", rule, figures);
                break;
        case REASON_HANDS_OFF:
                report_say(ret, LOG_NOTICE, REPORT_CHANGED, "was set offline, by somebody or to be unplugged; it stays offline");
                break;
        case REASON_HELD:
                report_say(ret, LOG_NOTICE, REPORT_HELD, "waits: a hold is on it (memhpctl hold lists them)");
                break;
        case REASON_SOURCE_HIDDEN:
                report_say(ret, LOG_WARNING, REPORT_LEFT_OFFLINE, "left offline: /proc/iomem shows nothing, and %s asks where "
                         "memory comes from", rule);
                break;
        case REASON_ROLLED_BACK:
                report_say(ret, LOG_WARNING, REPORT_PARTIAL, "taken offline again, as its device could not be had as a whole");
                break;
        case REASON_STARTUP:
                report_say(ret, LOG_INFO, REPORT_LEFT_OFFLINE,
                         "left offline: it was offline at the start, and startup is \"ignore\"");
                break;
        default:
                report_say(ret, LOG_NOTICE, REPORT_LEFT_OFFLINE, "left offline: no rule matches");
        }
}

static const char *describe_error(const struct tally_group *g) {
        switch (g->key.error) {
        case 0:
                return g->key.action == ACTION_LEAVE_OFFLINE ? "it is online again" : "it is offline again";
        case -EINTR: /* we do that to what takes too long */
        case -ETIMEDOUT:
                return "timed out";
        case -ECANCELED:
                return "cancelled";
        default:
                return strerror(-g->key.error);
        }
}

/* ": page 0x12f3a7 …", or of the first block where there are more. */
static void format_why(const struct tally_group *g, char *buf, size_t size) {
        buf[0] = '\0';
        if (!g->why[0])
                return;
        if (g->n_blocks == 1)
                snprintf(buf, size, ": %s", g->why);
        else
                snprintf(buf, size, "; of block %" PRIu32 ": %s", g->why_block, g->why);
}

/* Somebody asked, over the bus: no rule has a say. */
static void compose_asked(const struct tally_group *g, const char *zone, const char *why, struct report *ret) {
        bool offline = g->key.action == ACTION_LEAVE_OFFLINE;

        switch (g->key.outcome) {
        case OUTCOME_GONE:
                report_say(ret, LOG_INFO, REPORT_REMOVED, "unplugged");
                break;
        case OUTCOME_DONE:
        case OUTCOME_ALREADY:
                if (offline)
                        report_say(ret, LOG_INFO, REPORT_OFFLINED, "offline, as somebody asked; it stays so");
                else
                        report_say(ret, LOG_INFO, REPORT_ONLINED, "online in %s, as somebody asked", zone);
                break;
        case OUTCOME_WRONG_ZONE:
                report_say(ret, LOG_WARNING, REPORT_LOST_RACE, "lost race: another program brought it online in %s first; "
                           "somebody asked for zone %s. It stays as it is", zone, action_zone_name(g->key.action));
                break;
        default:
                if (offline)
                        report_say(ret, LOG_WARNING, REPORT_FAILED, "stays online in %s: somebody asked to take it offline: %s%s",
                                   zone, describe_error(g), why);
                else if (g->key.zone >= 0)
                        report_say(ret, LOG_WARNING, REPORT_FAILED, "stays online in %s: somebody asked for \"%s\": %s%s", zone,
                                   action_to_state(g->key.action), describe_error(g), why);
                else
                        report_say(ret, LOG_WARNING, REPORT_FAILED, "is not online as somebody asked (\"%s\"): %s",
                                   action_to_state(g->key.action), describe_error(g));
        }
}

/* Somebody asked for all blocks or none. */
static void compose_undone(const struct tally_group *g, const char *zone, struct report *ret) {
        bool offline = g->key.action == ACTION_LEAVE_OFFLINE;

        if (g->key.outcome == OUTCOME_GONE)
                report_say(ret, LOG_INFO, REPORT_REMOVED, "unplugged");
        else if (g->key.error)
                report_say(ret, LOG_WARNING, REPORT_FAILED, "could not be brought back to how it was, though somebody asked for all "
                           "or none of a number of blocks: %s", describe_error(g));
        else if (offline)
                report_say(ret, LOG_NOTICE, REPORT_OFFLINED, "offline again: somebody asked for all or none of a number of blocks, "
                           "and not all could be had");
        else
                report_say(ret, LOG_NOTICE, REPORT_ONLINED, "online in %s again: somebody asked for all or none of a number of "
                           "blocks, and not all could be had", zone);
}

static void compose(const struct report_context *c, const struct tally_group *g, struct report *ret) {
        const char *zone = zone_to_string(g->key.zone) ?: "a zone that the kernel does not name";
        const char *state = action_to_state(g->key.action);
        const char *error = describe_error(g);
        char rule[256], figures[256] = "there would be too much movable memory", why[600], kernel[TALLY_WHY_MAX + 48];

        format_rule(c, g, rule, sizeof(rule));
        format_why(g, kernel, sizeof(kernel));
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

        if (g->key.reason == REASON_ASKED) {
                compose_asked(g, zone, kernel, ret);
                return;
        }
        if (g->key.reason == REASON_UNDONE) {
                compose_undone(g, zone, ret);
                return;
        }
        switch (g->key.outcome) {
        case OUTCOME_NONE:
                compose_left_offline(c, g, rule, figures, ret);
                break;
        case OUTCOME_DONE:
                report_say(ret, LOG_INFO, REPORT_ONLINED, "online in %s %s", zone, why);
                break;
        case OUTCOME_GONE:
                report_say(ret, LOG_INFO, REPORT_REMOVED, "unplugged");
                break;
        case OUTCOME_DELEGATED:
                report_say(ret, LOG_INFO, REPORT_ONLINED, "online in %s as %s wants, by the kernel, to which it is delegated",
                         zone, rule);
                break;
        case OUTCOME_ALREADY:
                report_say(ret, LOG_INFO, REPORT_ONLINED,
                         "online in %s as %s wants, though another program was first", zone, rule);
                break;
        case OUTCOME_WRONG_ZONE:
                if (g->key.action == ACTION_LEAVE_OFFLINE)
                        report_say(ret, LOG_WARNING, REPORT_LOST_RACE,
                                 "lost race: another program brought it online in %s; %s leaves it offline. "
                                 "It stays as it is", zone, g->key.reason == REASON_NO_RULE ? "that no rule matches" : rule);
                else
                        report_say(ret, LOG_WARNING, REPORT_LOST_RACE,
                                 "lost race: another program brought it online in %s first; %s wants zone %s. "
                                 "It stays as it is", zone, rule, action_zone_name(g->key.action));
                break;
        case OUTCOME_BUSY:
                if (!state)
                        report_say(ret, LOG_NOTICE, REPORT_FAILED, "cannot be read: %s; trying again", error);
                else
                        report_say(ret, LOG_NOTICE, REPORT_FAILED, "\"%s\" refused: %s; trying again", state, error);
                break;
        default:
                if (g->key.reason == REASON_ROLLED_BACK)
                        report_say(ret, LOG_ERR, REPORT_PARTIAL, "stays online in %s: it could not be taken offline again: %s%s",
                                 zone, error, kernel);
                else if (!state)
                        report_say(ret, LOG_ERR, REPORT_FAILED, "cannot be read: %s; left as it is", error);
                else
                        report_say(ret, LOG_ERR, REPORT_FAILED, "\"%s\" failed: %s; left offline, though %s wants it online",
                                 state, error, rule);
        }
}

void report_compose(const struct report_context *c, const struct tally_group *g, struct report *ret) {
        const struct rule *rule = find_rule(c, g);

        *ret = (struct report) {
                .usec = c->now_usec,
                .add = g->key.add,
                .source = g->key.source,
                .node = g->key.node,
                .action = g->key.action,
                .reason = g->key.reason,
                .outcome = g->key.outcome,
                .zone = g->key.zone,
                .error = g->key.error,
                .n_blocks = g->n_blocks,
                .balance = g->key.balance,
        };
        tally_format_blocks(g, ret->blocks, sizeof(ret->blocks));
        snprintf(ret->why, sizeof(ret->why), "%s", g->why);
        snprintf(ret->device, sizeof(ret->device), "%s", registry_device_name(c->registry, g->key.device));
        if (rule) {
                snprintf(ret->rule, sizeof(ret->rule), "%s", rule->name);
                snprintf(ret->file, sizeof(ret->file), "%s", rule->file);
                ret->line = rule->line;
        }
        format_subject(c, g, ret->blocks, ret->text, sizeof(ret->text));
        compose(c, g, ret);
}

void report_format_balance(const struct balance *b, char buf[static BALANCE_TEXT_MAX]) {
        char node[8] = "-";

        if (b->node >= 0)
                snprintf(node, sizeof(node), "%d", b->node);
        snprintf(buf, BALANCE_TEXT_MAX, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s %u %d", b->movable, b->kernel, b->added, node,
                 b->ratio, b->hot_counted);
}

void report_to_journal(const struct report *r) {
        char error[16], add[16], node[8], line[16], balance[BALANCE_TEXT_MAX];

        snprintf(error, sizeof(error), "%d", -r->error);
        snprintf(add, sizeof(add), "%" PRIu32, r->add);
        snprintf(node, sizeof(node), "%d", r->node);
        snprintf(line, sizeof(line), "%u", r->line);
        report_format_balance(&r->balance, balance);

        const struct journal_field fields[] = {
                { FIELD_BLOCK, r->blocks },
                { FIELD_DEVICE, r->device[0] ? r->device : NULL },
                { FIELD_ADD, r->add ? add : NULL },
                { FIELD_SOURCE, source_to_string(r->source) },
                { FIELD_NODE, r->node >= 0 ? node : NULL },
                { FIELD_RULE, r->rule[0] ? r->rule : NULL },
                { FIELD_FILE, r->rule[0] ? r->file : NULL },
                { FIELD_LINE, r->rule[0] ? line : NULL },
                { FIELD_ACTION, action_to_string(r->action) },
                { FIELD_REASON, reason_to_string(r->reason) },
                { FIELD_BALANCE, r->balance.judged ? balance : NULL },
                { FIELD_ZONE, zone_to_string(r->zone) },
                { FIELD_OUTCOME, outcome_to_string(r->outcome) },
                { FIELD_WHY, r->why[0] ? r->why : NULL },
                { "ERRNO", r->error ? error : NULL },
        };
        journal_send(r->priority, report_kind_message_id(r->kind), fields, ARRAY_SIZE(fields), "%s", r->text);
}

void report_job(const struct job *j) {
        char id[16], uid[24] = "";
        const struct journal_field fields[] = {
                { FIELD_JOB, id },
                { FIELD_OUTCOME, job_state_to_string(j->state) },
        };

        snprintf(id, sizeof(id), "%" PRIu32, j->id);
        if (j->uid != 0 && j->uid != UINT32_MAX)
                snprintf(uid, sizeof(uid), " for user %" PRIu32, j->uid);
        journal_send(j->state == JOB_DONE ? LOG_INFO : LOG_NOTICE, MESSAGE_JOB, fields, ARRAY_SIZE(fields),
                     "job %s%s: %s %s: %s: of %zu blocks %zu are as asked for, %zu failed%s%s", id, uid,
                     job_kind_to_string(j->kind), j->selector, job_state_to_string(j->state), j->wanted, j->n_done, j->n_failed,
                     j->message[0] ? "; " : "", j->message);
}
