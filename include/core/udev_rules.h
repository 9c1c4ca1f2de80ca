/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rules of udev(7), as far as it takes to tell what they do when a device is added: conditions, jumps, assignments. Pure;
 * allocates one copy of the text. What depends on things that cannot be known here (properties, programs, other devices)
 * may or may not be so, and is told as such. */

#include <stdbool.h>
#include <stddef.h>

#include "core/macro.h"

struct udev_attribute {
        const char *name, *value; /* NULL: it exists, whatever its value */
};

/* Every condition that is asked and of which it is known whether it is met; != is asked as ==. */
typedef void (*udev_question_function)(const char *key, const char *attribute, const char *value, unsigned line, bool met,
                                       void *userdata);

/* The device that is added, and the machine. NULL: unknown. */
struct udev_event {
        const char *action; /* NULL: "add" */
        const char *subsystem, *kernel, *devpath; /* "memory", "memory32", "/devices/system/memory/memory32" */
        const struct udev_attribute *attributes;
        size_t n_attributes;
        bool alone; /* no device above it: what is asked of its parents is asked of itself */
        const char *architecture; /* as uname -m prints it */
        const char *virtualization; /* as systemd-detect-virt prints it */
        const char *sys_vendor, *product_name; /* of the firmware */
        bool strict;      /* a rule that may apply does not; what it would do is told with what is unknown */
        bool ignore_exit; /* programs that are known never fail */
        udev_question_function asked; /* NULL: nobody wants to know */
};

/* A memory block that was just added, on a machine of which nothing is known. */
void udev_event_init_memory(struct udev_event *ret);

struct udev_effect {
        const char *key, *attribute, *value; /* ATTR{state}="online"; attribute is "" where there are no braces */
        const char *expanded; /* the value with the property in it; NULL: that is unknown */
        unsigned line, first_line; /* where it stands, and where its rule begins, in one of several lines */
        bool certain;  /* false: the rule may apply */
        const char *unknown_key, *unknown_attribute, *unknown_operator, *unknown_value; /* strict: the condition for which the rule is left out */
};

typedef void (*udev_effect_function)(const struct udev_effect *e, void *userdata);

/* All assignments (GOTO among them), and programs that are run to know something (PROGRAM, IMPORT), of the rules that may apply, in their
 * order. What udev does not understand it passes over, and so does this. 0 or -ENOMEM. */
int udev_rules_run(const char *text, size_t size, const struct udev_event *event, udev_effect_function effect, void *userdata);
