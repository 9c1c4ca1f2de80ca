/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hot-adds: the blocks that came together because one thing was plugged. They are decided together, reported together,
 * and numbered from 1 since boot. Bounded: the last ADDS_MAX are kept. No clock: now is a parameter (monotonic). */

#include "core/basis.h"

#define ADDS_MAX 64

struct add {
        uint32_t number;
        enum source source;
        char device[DEVICE_NAME_MAX]; /* "" if the source has no name for it: adjacent blocks of one node then */
        int16_t node;                 /* of the first block; -1: unknown */
        bool at_startup;              /* was there, offline, when the daemon first looked */
        uint32_t first, last;         /* the lowest and the highest block */
        uint32_t n_blocks, n_pending; /* pending: without a final outcome yet */
        uint32_t n_online, n_offline, n_failed; /* as wanted · left offline as decided · neither */
        uint64_t start_usec, last_usec; /* the first and the newest block came */
        uint64_t end_usec;              /* the last outcome was final; 0: not yet */
        bool decided;                   /* the decision of its first block, which holds for all of them */
        struct decision decision;
        struct basis basis;             /* what the newest decision by rules rests on … */
        int basis_rule;                 /* … and the rule that made it; -1: none matched */
        uint64_t decided_size;          /* what the decision is about, bytes: the device, seen yet or not */
        bool rolling_back;
        bool has_gap; /* one of its blocks was put off until the others are online */
        bool overruled; /* the policy changed meanwhile: once it is taken back, it gets another try */
};

struct adds {
        struct add ring[ADDS_MAX];
        size_t n;
        uint32_t last_number; /* to go on counting after a restart */
};

/* The open add that the block belongs to, or a new one. Counts the block as pending. */
struct add *adds_join(struct adds *a, const struct block *b, uint64_t now);
struct add *adds_find(struct adds *a, uint32_t number) _pure_;

enum add_fate {
        ADD_FATE_ONLINE,
        ADD_FATE_OFFLINE, /* as decided */
        ADD_FATE_FAILED,
        ADD_FATE_GONE, /* unplugged before it had one */
};

/* One block has its final outcome. */
void add_settle(struct add *a, enum add_fate fate, uint64_t now);
/* Nothing is pending and nothing new came for a moment. */
bool add_is_over(const struct add *a, uint64_t now) _pure_;

/* Blocks of one add may come this far apart. Longer than the kernel takes between two blocks of a device; short enough
 * for people to take two things plugged one after the other for two. */
#define ADD_QUIET_USEC 50000
