/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What was decided and what became of it: the last HISTORY_MAX reports, in the words people were told, with the figures of
 * then. One report is about the blocks of one device that went the same way, not about one block. Kept in
 * /run/memhpd/history, so that it survives the daemon, but not a reboot:
 *
 *      memhpd-history 1
 *      report ID USEC KIND PRIORITY ADD SOURCE NODE ACTION REASON OUTCOME ZONE ERROR LINE N BLOCKS
 *      balance MOVABLE KERNEL ADDED NODE RATIO HOT
 *      device NAME
 *      rule NAME
 *      file NAME
 *      why …
 *      basis START SIZE TIER PLATFORMS CONDITIONS N
 *      evidence …
 *      passed CONDITION LINE NAME <tab> FILE
 *      text …
 *      end
 *
 * A report ends with its text; what is not known has no line. Pure, without allocation but in format and parse. */

#include "core/basis.h"
#include "core/outcome.h"
#include "core/selector.h"
#include "core/tally.h"

#define HISTORY_MAX 256
#define REPORT_TEXT_MAX 768
#define REPORT_RULE_MAX 64
#define REPORT_FILE_MAX 128
#define REPORT_BLOCKS_MAX 256
#define REPORT_WHY_MAX TALLY_WHY_MAX

/* What people are told, each with a MESSAGE_ID of its own (core/names.h). */
enum report_kind {
        REPORT_ONLINED,
        REPORT_LEFT_OFFLINE,
        REPORT_LOST_RACE,
        REPORT_FAILED,
        REPORT_REMOVED,
        REPORT_CHANGED,
        REPORT_PARTIAL,
        REPORT_HELD,
        REPORT_OFFLINED,
        _REPORT_KIND_MAX,
        _REPORT_KIND_INVALID = -22,
};

const char *report_kind_to_string(enum report_kind k) _const_;
const char *report_kind_message_id(enum report_kind k) _const_;
enum report_kind report_kind_from_string(const char *s) _pure_;
/* Of a MESSAGE_ID; _REPORT_KIND_INVALID: another message of the daemon, or of others. */
enum report_kind report_kind_from_message_id(const char *id) _pure_;

struct report {
        uint64_t id;   /* from 1 since boot */
        uint64_t usec; /* CLOCK_REALTIME */
        enum report_kind kind;
        int priority;  /* as in <syslog.h> */
        uint32_t add;  /* 0: none */
        enum source source;
        int16_t node;  /* -1: unknown */
        enum action action;
        enum reason reason;
        enum outcome outcome;
        enum zone zone; /* where it is online; _ZONE_INVALID: offline or unknown */
        int error;      /* 0 or negative errno */
        uint32_t n_blocks;
        unsigned line;  /* of the rule in its file; 0: no rule */
        struct balance balance; /* what it was judged by, if judged */
        struct basis basis;     /* what it rests on, if known: where rules decided */
        char blocks[REPORT_BLOCKS_MAX]; /* "32-39,48"; cut at a comma where there are too many to name, hence n_blocks */
        char device[DEVICE_NAME_MAX];
        char rule[REPORT_RULE_MAX];
        char file[REPORT_FILE_MAX];
        char why[REPORT_WHY_MAX]; /* why the kernel would not, in its words; "" where it did not say */
        char text[REPORT_TEXT_MAX]; /* the whole line */
};

struct history {
        struct report ring[HISTORY_MAX];
        size_t n;
        uint64_t last_id;
};

/* Takes a copy, numbers it, and makes lines of what should be one. The oldest goes. Returns the copy. */
const struct report *history_add(struct history *h, const struct report *r);
/* The nth oldest of h->n. */
const struct report *history_get(const struct history *h, size_t nth) _pure_;
/* The newest that tells what was decided about the block, and the newest that tells of anything; NULL: none. */
const struct report *history_find_decision(const struct history *h, uint32_t block);
const struct report *history_find_block(const struct history *h, uint32_t block);

/* Is the report about any block that is meant? */
bool report_matches(const struct report *r, const struct selector *s, uint64_t block_size);
bool report_has_block(const struct report *r, uint32_t block);
/* Does it tell what was decided about its blocks? Else that they were unplugged, or how a device fared as a whole. */
bool report_is_decision(const struct report *r) _pure_;
/* Take the next run off its blocks; *p begins as r->blocks. False: that was all, or it makes no sense. */
bool report_next_run(const char **p, struct tally_run *ret);

/* The file's text; free *ret. 0 or -ENOMEM. */
int history_format(const struct history *h, char **ret, size_t *ret_size);
/* 0, -ENOMEM, -EBADMSG: torn or not ours; *ret_line names the line, and *ret is as it was. */
int history_parse(const char *text, size_t size, struct history *ret, unsigned *ret_line);
