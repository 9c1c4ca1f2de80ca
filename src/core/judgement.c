/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/judgement.h"

#include <stdarg.h>

/* The zone that the action leads to: exact if the block is there already or the candidates leave no choice. */
static const char *wanted_zone(enum action a, const struct block *b) {
        zone_mask zones = action_zones(a);

        if (a == ACTION_LEAVE_OFFLINE)
                return NULL;
        if (b->zones & zones) {
                /* What plain "online" picks comes first; of what else the action allows there is one at most. */
                if (b->first_zone >= 0 && (ZONE_BIT(b->first_zone) & zones))
                        return zone_to_string(b->first_zone);
                return zone_to_string((enum zone) __builtin_ctz(b->zones & zones));
        }
        return action_zone_name(a);
}

/* "Movable", "a kernel zone", "any zone" */
static const char *wanted_name(enum action a) {
        if (a == ACTION_ONLINE_MOVABLE)
                return zone_to_string(ZONE_MOVABLE);
        return a == ACTION_ONLINE_KERNEL ? "a kernel zone" : "any zone";
}

static const char *where(const struct block *b) {
        if (b->zones)
                return zone_to_string(b->first_zone);
        return b->zones_known ? "several zones, or with holes" : "an unknown zone";
}

static void _printf_(2, 3) set_outcome(struct judgement *j, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(j->outcome, sizeof(j->outcome), format, ap);
        va_end(ap);
}

/* Block online: is it where the policy would have put it? */
static void judge_online(const struct policy *p, const struct block *b, bool anew, struct judgement *j) {
        enum action action = j->decision.action;
        const struct rule *rule = j->decision.rule >= 0 ? &p->rules[j->decision.rule] : NULL;

        if (b->source == SOURCE_BOOT && anew) {
                set_outcome(j, "online in %s since boot, which no policy changes", where(b));
                return;
        }
        if (anew && rule && rule->action == ACTION_BALANCE && action != ACTION_LEAVE_OFFLINE && b->zones) {
                /* What the figures were when it was decided, only the daemon knows; they count this block by now. */
                j->asked = j->as_wanted = true;
                set_outcome(j, "online in %s, which a balance may have chosen", where(b));
                return;
        }
        j->asked = b->zones != 0 || action == ACTION_LEAVE_OFFLINE;
        if (action == ACTION_LEAVE_OFFLINE)
                set_outcome(j, "online in %s; the policy would leave it offline", where(b));
        else if (!j->asked)
                set_outcome(j, "online in %s; the policy would want %s", where(b), wanted_name(action));
        else if (b->zones & action_zones(action)) {
                j->as_wanted = true;
                set_outcome(j, "online in %s, as the policy wants it", where(b));
        } else if (rule && (b->zones & action_zones(rule->fallback))) {
                j->as_wanted = true;
                set_outcome(j, "online in %s, as the rule's fallback %s allows", where(b),
                            action_to_string(rule->fallback));
        } else
                set_outcome(j, "online in %s; the policy would want %s", where(b), wanted_name(action));
}

static void judge_offline(const struct block *b, struct judgement *j) {
        enum action action = j->decision.action;

        j->asked = true;
        j->as_wanted = action == ACTION_LEAVE_OFFLINE && j->decision.reason != REASON_ZONE_UNAVAILABLE &&
                       j->decision.reason != REASON_RATIO;
        if (j->decision.reason == REASON_ZONE_UNAVAILABLE)
                set_outcome(j, "offline, for want of a zone that the policy allows");
        else if (j->decision.reason == REASON_RATIO && action == ACTION_LEAVE_OFFLINE)
                set_outcome(j, "offline, for want of kernel memory to go with it");
        else if (j->as_wanted)
                set_outcome(j, "offline, as the policy wants it");
        else
                set_outcome(j, "offline; the policy would put it online in %s",
                            b->zones & action_zones(action) ? wanted_zone(action, b) : wanted_name(action));
}

/* Whose doing it is, if it is so. */
static const char *whose(const struct decision *d) {
        switch (d->reason) {
        case REASON_HANDS_OFF:
                return "as somebody else set it";
        case REASON_HELD:
                return "as a hold is on it";
        case REASON_ROLLED_BACK:
                return "as its device could not be had as a whole";
        case REASON_STARTUP:
        case REASON_NOT_OFFLINE:
                return "as it was at the start";
        case REASON_UNDONE:
                return "as before somebody asked for all of some blocks or none";
        default:
                return "as somebody asked";
        }
}

/* Somebody decided, or a moment did: the rules have no say. */
static void judge_others(const struct block *b, struct judgement *j) {
        const struct decision *d = &j->decision;
        bool online = b->state == BLOCK_ONLINE, wanted = d->action != ACTION_LEAVE_OFFLINE;
        bool is_so = online == wanted && (!online || !b->zones || (b->zones & action_zones(d->action)));

        set_outcome(j, "%s%s%s%s", online ? "online in " : "offline", online ? where(b) : "", is_so ? ", " : ", by another hand",
                    is_so ? whose(d) : "");
}

static void judge_as(const struct policy *p, const struct block *b, const struct decision *d, bool anew,
                     struct judgement *ret) {
        struct judgement j = { .decision = *d };

        j.zone = wanted_zone(d->action, b);
        decision_describe(p, b, d, j.reason, sizeof(j.reason));
        if ((b->state == BLOCK_ONLINE || b->state == BLOCK_OFFLINE) && !reason_is_of_rules(d->reason))
                judge_others(b, &j);
        else if (b->state == BLOCK_ONLINE)
                judge_online(p, b, anew, &j);
        else if (b->state == BLOCK_OFFLINE)
                judge_offline(b, &j);
        else
                snprintf(j.outcome, sizeof(j.outcome), "%s: nothing to decide now", block_state_to_string(b->state));
        *ret = j;
}

void judge(const struct policy *p, const struct surroundings *s, const struct block *b, struct judgement *ret) {
        struct decision d;

        policy_want(p, b, s, &d);
        judge_as(p, b, &d, true, ret);
}

void judge_decision(const struct policy *p, const struct block *b, const struct decision *d, struct judgement *ret) {
        judge_as(p, b, d, false, ret);
}
