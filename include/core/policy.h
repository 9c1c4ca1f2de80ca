/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The decision: an immutable policy and the facts of a block in, an action and its reason out. Pure: no I/O, no clock,
 * no allocation, no logging. Total and deterministic: every block gets exactly one decision. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/balance.h"
#include "core/match.h"

/* To add one: here, and its row in policy.c. */
enum action {
        ACTION_LEAVE_OFFLINE,
        ACTION_ONLINE,         /* the zone that the kernel picks */
        ACTION_ONLINE_KERNEL,  /* any zone but Movable */
        ACTION_ONLINE_MOVABLE,
        ACTION_BALANCE,        /* movable while the machine can bear it, else as kernel memory; only in rules */
        _ACTION_MAX,
        _ACTION_INVALID = -22,
};

const char *action_to_string(enum action a) _const_;
enum action action_from_string(const char *s) _pure_;
/* The word for memoryN/state; NULL for ACTION_LEAVE_OFFLINE and ACTION_BALANCE, which becomes another when decided. */
const char *action_to_state(enum action a) _const_;
/* The zones that fulfil the action: what to verify after the write. 0 for ACTION_LEAVE_OFFLINE. */
zone_mask action_zones(enum action a) _const_;
/* "Movable", "kernel" or "any" for people; NULL for ACTION_LEAVE_OFFLINE. */
const char *action_zone_name(enum action a) _const_;

struct rule {
        char *name;
        char *file; /* where it was written */
        unsigned line;
        struct match match;
        enum action action;
        enum action fallback; /* if the action's zone cannot be had */
        struct balance_rule balance; /* ACTION_BALANCE: its limit · ACTION_ONLINE_MOVABLE: ratio 0, or max_movable_ratio */
        bool rollback;        /* on_partial: a device whose blocks cannot all be had as wanted is taken offline again */
};

/* What memhpd does with the kernel's own auto-online. */
enum auto_online {
        AUTO_ONLINE_MANAGE,   /* off while the daemon runs */
        AUTO_ONLINE_KEEP,     /* left alone */
        AUTO_ONLINE_DELEGATE, /* where one action covers everything, the kernel does it; else as MANAGE */
        _AUTO_ONLINE_MAX,
        _AUTO_ONLINE_INVALID = -22,
};

enum auto_online auto_online_from_string(const char *s) _pure_;

struct retry {
        uint64_t first_usec, max_usec;
        unsigned attempts; /* in all, the first included */
};

#define UNIT_NAME_MAX 256 /* with NUL, as systemd's */
/* When to look for what somebody should know (core/alerts.h). */
struct alert_settings {
        uint64_t interval_usec; /* also without any event; 0: no */
        uint64_t waiting_usec;  /* hot-added memory may be offline for so long; 0: for ever */
};

struct policy {
        struct rule *rules; /* the first match wins */
        size_t n_rules, capacity_rules;
        char **files; /* where it was read from, in that order */
        size_t n_files, capacity_files;
        struct retry retry;
        bool startup_apply;      /* decide blocks that are offline when the daemon starts */
        enum auto_online auto_online;
        uint64_t offline_timeout_usec; /* how long the kernel may try to empty a block */
        uint64_t reconcile_usec; /* how often to look at every block again; 0: never */
        char on_add_completed[UNIT_NAME_MAX]; /* the unit of systemd to start after each hot-add; "": none */
        struct alert_settings alerts;
};

/* A service or a target by its full name, in the characters that systemd allows. */
bool unit_name_is_valid(const char *name) _pure_;

/* What holds where the configuration is silent, without rules. NULL: no memory. */
struct policy *policy_new(void);

void policy_free(struct policy *p);
DEFINE_CLEANUP(struct policy, policy_free)

enum reason {
        REASON_RULE,             /* the rule's action */
        REASON_FALLBACK,         /* the rule's fallback: its action's zone is not among the block's candidates */
        REASON_BALANCED,         /* what the rule's "balance" came to: see the figures */
        REASON_RATIO,            /* the rule's fallback: as movable memory it would be beyond max_movable_ratio */
        REASON_ZONE_UNAVAILABLE, /* neither the action nor the fallback can be had: left offline */
        REASON_NO_RULE,          /* no rule matches: left offline */
        REASON_HANDS_OFF,        /* somebody else set it offline: the administrator wins */
        REASON_HELD,             /* a hold is on it: it waits */
        REASON_SOURCE_HIDDEN,    /* the rule asks for a source, and there is no evidence to be had: left offline */
        REASON_ROLLED_BACK,      /* its device could not be had as a whole */
        REASON_STARTUP,          /* was offline when the daemon started, and startup = "ignore" */
        REASON_NOT_OFFLINE,      /* the block is not offline: nothing to decide */
        REASON_ASKED,            /* somebody asked for it, whatever the policy says */
        REASON_UNDONE,           /* somebody asked for all of some blocks or none, and not all could be had */
        _REASON_MAX,
        _REASON_INVALID = -22,
};

const char *reason_to_string(enum reason r) _const_; /* a word for programs */
enum reason reason_from_string(const char *s) _pure_;
/* Were the rules asked? */
bool reason_is_of_rules(enum reason r) _const_;

struct decision {
        enum action action;
        enum reason reason;
        int rule; /* index into the policy's rules, -1: none */
        struct balance balance; /* REASON_BALANCED, REASON_RATIO: the figures; ratio 0: none were known or needed */
};

/* What is around a block, as far as rules ask. */
struct surroundings {
        platform_mask platforms;
        struct totals totals;
};

/* What needs no rule (the block is not offline, somebody's, held, …). False: the rules are to be asked, and *ret is as it was. */
bool policy_decide_without_rules(const struct policy *p, const struct block *b, struct decision *ret);

/* What to do with the block now. A block that is not offline is never touched. */
void policy_decide(const struct policy *p, const struct block *b, const struct surroundings *s, struct decision *ret);

/* The same for a further block of a device whose first block was decided before: a device goes one way. Where this block
 * cannot, it is left offline (REASON_ZONE_UNAVAILABLE). */
void policy_decide_alike(const struct policy *p, const struct block *b, const struct decision *first, struct decision *ret);

/* Memory of such a source comes and goes in parts: each part is balanced by itself, not the device as a whole. */
bool source_is_dynamic(enum source s) _const_;
/* After this decision about a device's first block: is each further block decided by itself? Else alike. */
bool policy_goes_by_parts(const struct policy *p, const struct block *b, const struct decision *first) _pure_;
/* What a balance has to find room for when this block is decided: what is left of the device, or the block. */
uint64_t block_balance_size(const struct block *b) _pure_;

/* The one action that every block gets, whatever it is; false: it depends. */
bool policy_is_uniform(const struct policy *p, enum action *ret);

/* What the policy wants for such a block, whatever its state: to tell whether one that others onlined is as wanted. */
void policy_want(const struct policy *p, const struct block *b, const struct surroundings *s, struct decision *ret);

/* The reason in a sentence, for logs and explain: "rule "dimms" (FILE:12) says online_movable". */
void decision_describe(const struct policy *p, const struct block *b, const struct decision *d, char *buf, size_t size);
