/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Looks for others that bring memory online (core/rivals.h) where they are kept: udev rules, daxctl's configuration, enabled
 * services. What the kernel itself does is not here: sysfs_read_auto_online(). */

#include "core/rivals.h"
#include "host/sysfs.h"

struct rival {
        enum rival_kind kind;
        char *file;    /* from the root on: "/etc/udev/rules.d/80-memory.rules" */
        unsigned line;
        char *text;    /* what stands there */
        bool certain;  /* false: it depends on what cannot be known here */
};

struct rivals {
        struct rival *items;
        size_t n, capacity;
        char *daxctl_file; /* the rule that hands dax devices to daxctl; NULL: none */
        unsigned daxctl_line;
        char *unread;      /* a file that could not be read; NULL: none */
        int unread_error;
};

/* fs: the root, and what the machine is. 0 or -ENOMEM; *ret is to be freed in every case. */
int rivals_find(const struct sysfs *fs, struct rivals *ret);
void rivals_done(struct rivals *r);
