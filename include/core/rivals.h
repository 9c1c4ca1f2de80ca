/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who else brings memory online, read from their files: udev rules, daxctl's configuration, units. Pure. */

#include "core/udev_rules.h"

enum rival_kind {
        RIVAL_RULE,    /* a udev rule writes the state of new blocks */
        RIVAL_PROGRAM, /* a udev rule runs a program for new blocks that looks as if it did */
        RIVAL_DAXCTL,  /* daxctl brings the memory of a dax device online when that appears */
        RIVAL_UNIT,    /* a service does */
        _RIVAL_MAX,
        _RIVAL_INVALID = -22,
};

const char *rival_kind_to_string(enum rival_kind k) _const_; /* a word for programs */

/* line, what stands there, whether it applies for certain. */
typedef void (*rival_function)(enum rival_kind kind, unsigned line, const char *text, bool certain, void *userdata);

/* For an event of a memory block: does it write the block's state, or run a program that looks as if it did? */
bool udev_effect_is_state(const struct udev_effect *e) _pure_;
bool udev_effect_is_onliner(const struct udev_effect *e) _pure_;

struct rival_machine {
        const char *architecture, *sys_vendor, *product_name; /* NULL: unknown */
};

/* A file of udev rules. *ret_daxctl: the line that hands dax devices to daxctl and so to its configuration, if there is one;
 * untouched else. 0 or -ENOMEM, as for all of these. */
int rivals_in_rules(const char *text, size_t size, const struct rival_machine *m, rival_function found, void *userdata,
                    unsigned *ret_daxctl);
/* A file of /etc/daxctl.conf.d: what is brought online once a rule hands devices over. */
int rivals_in_daxctl_conf(const char *text, size_t size, rival_function found, void *userdata);
/* A service of systemd: the commands it starts. */
int rivals_in_unit(const char *text, size_t size, rival_function found, void *userdata);
