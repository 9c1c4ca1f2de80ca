/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Holds: blocks that match one wait, whatever the policy says, until it is released or expires. They are kept in
 * /run/memhpd/holds, so they survive the daemon, but not a reboot:
 *
 *      memhpd-holds 1
 *      last ID
 *      hold ID EXPIRES SELECTOR REASON …
 *      end
 *
 * EXPIRES is in microseconds of CLOCK_BOOTTIME (which no change of the date moves), 0: never. Pure; now is a parameter. */

#include "core/selector.h"

#define HOLDS_MAX 64
#define HOLD_SELECTOR_MAX 128
#define HOLD_REASON_MAX 128

struct hold {
        uint32_t id; /* from 1 */
        uint64_t expires_usec;
        char text[HOLD_SELECTOR_MAX]; /* the selector as it was written */
        char reason[HOLD_REASON_MAX]; /* may be "" */
        struct selector selector;
};

struct holds {
        struct hold *items; /* in the order of their ids */
        size_t n, capacity;
        uint32_t last_id;
};

void holds_done(struct holds *h);

/* 0, -ENOMEM, -EBADMSG: torn or not ours; *ret_line names the line. */
int holds_parse(const char *text, size_t size, struct holds *ret, unsigned *ret_line);
/* The file's text, without what has expired; free *ret. 0 or -ENOMEM. */
int holds_format(const struct holds *h, uint64_t now, char **ret, size_t *ret_size);

/* -EINVAL: error says what is wrong with the selector or the reason · -ENOSPC: there are HOLDS_MAX · -ENOMEM */
int holds_add(struct holds *h, const char *selector, uint64_t expires_usec, const char *reason,
              char error[static SELECTOR_ERROR_MAX]);
/* False: there is none with this id. */
bool holds_remove(struct holds *h, uint32_t id);

bool hold_is_over(const struct hold *hold, uint64_t now) _pure_;
/* The first hold in force that the block matches, NULL: none. */
const struct hold *holds_find(const struct holds *h, const struct block *b, uint64_t block_size, uint64_t now);
/* When the next one expires, UINT64_MAX: never. */
uint64_t holds_next_expiry(const struct holds *h, uint64_t now) _pure_;
