/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which blocks are meant: the same words on the command line, on the bus and in the configuration. Pure.
 *
 *   32-63,70 · device:dax0.0 · node:1 · source:pmem · add:3 · addr:4G-8G · all
 *
 * Nodes, adds and addresses may be lists of ranges and sources a list, too. */

#include "core/block.h"
#include "core/parse.h"

enum selector_kind {
        SELECTOR_ALL,
        SELECTOR_BLOCKS,
        SELECTOR_DEVICE,
        SELECTOR_NODE,
        SELECTOR_SOURCE,
        SELECTOR_ADD,     /* one hot-add; which block belongs to which only a daemon knows: matches nothing here */
        SELECTOR_ADDRESS, /* blocks that overlap the range; its end does not belong to it */
        _SELECTOR_MAX,
        _SELECTOR_INVALID = -22,
};

struct selector {
        enum selector_kind kind;
        struct ranges ranges; /* of blocks, nodes, adds or bytes */
        source_mask sources;
        char device[DEVICE_NAME_MAX];
};

#define SELECTOR_ERROR_MAX 256

/* 0, -ENOMEM, or -EINVAL: error then says what was expected. */
int selector_parse(const char *text, struct selector *ret, char error[static SELECTOR_ERROR_MAX]);
void selector_done(struct selector *s);

/* False if the block's number alone rules it out, so that its facts need not be read. */
bool selector_may_match(const struct selector *s, uint32_t index, uint64_t block_size) _pure_;
bool selector_match(const struct selector *s, const struct block *b, uint64_t block_size) _pure_;

/* Does it name one block by its number? */
bool selector_is_single(const struct selector *s) _pure_;
