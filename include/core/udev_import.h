/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* udev rules that bring memory online, as a policy: the rules are run for a new block on every kind of machine that a policy
 * can tell, and what they come to is put into the fewest rules of a policy. What no policy can say is told. Pure; allocates. */

#include "core/policy.h"

struct udev_import_file {
        const char *text;
        size_t size;
};

struct udev_origin {
        unsigned file, line; /* index of the file */
};

#define UDEV_ORIGINS_MAX 16

/* The first that matches decides, as in a policy; the last matches everything. */
struct udev_import_rule {
        platform_mask platforms, architectures; /* 0: all */
        enum action action, fallback;
        struct udev_origin origins[UDEV_ORIGINS_MAX]; /* of what decides; more are left out */
        size_t n_origins;                             /* 0: no udev rule is about them */
};

/* What could not be translated. */
enum udev_note_kind {
        UDEV_NOTE_WRITE,    /* hangs on what nobody knows here: the write is left out */
        UDEV_NOTE_VALUE,    /* … the property keeps its value */
        UDEV_NOTE_JUMP,     /* … the jump is not taken */
        UDEV_NOTE_WORD,     /* what is written is not known, or no state */
        UDEV_NOTE_NEVER,    /* asks for a machine that no policy can tell: taken as not met */
        UDEV_NOTE_NUMBER,   /* asks for blocks by number or path: left out */
        UDEV_NOTE_PROGRAM,  /* runs a program that looks as if it brought memory online */
        UDEV_NOTE_AGAIN,    /* brings online what somebody sets offline, too */
        UDEV_NOTE_EXIT,     /* systemd-detect-virt fails where there is no virtualization, and the rule with it */
        _UDEV_NOTE_MAX,
        _UDEV_NOTE_INVALID = -22,
};

struct udev_note {
        enum udev_note_kind kind;
        struct udev_origin at;
        char *subject; /* the piece of the rule: ATTR{valid_zones}=="*Movable*" */
};

struct udev_import {
        struct udev_import_rule *rules;
        size_t n_rules, capacity_rules;
        struct udev_note *notes; /* by file and line */
        size_t n_notes, capacity_notes;
        bool brings_online; /* any of the rules, anywhere */
};

/* The files in the order in which udev reads them: by name. 0 or -ENOMEM. */
int udev_import(const struct udev_import_file *files, size_t n, struct udev_import *ret);
void udev_import_done(struct udev_import *u);

const char *udev_note_reason(enum udev_note_kind k) _const_;      /* "… hangs on what a policy cannot ask for" */
const char *udev_note_consequence(enum udev_note_kind k) _const_; /* "the write is left out" */

/* ---- between the two halves (udev_import.c, udev_import-policy.c) --------------------------------------------------- */

#define UDEV_KINDS 11 /* of machines: what it runs on */
#define UDEV_ARCHITECTURES (_PLATFORM_MAX - PLATFORM_X86)

/* What udev does with a new block on one kind of machine. */
struct udev_outcome {
        enum action action, fallback; /* _ACTION_INVALID: nothing, which is to leave it offline */
        struct udev_origin origins[UDEV_ORIGINS_MAX];
        size_t n_origins;
};

/* The platform of a kind. */
enum platform udev_kind_platform(size_t kind) _const_;
void udev_origins_add(struct udev_origin *origins, size_t *n, struct udev_origin origin);
/* The rules, from what happens on each kind of machine. 0 or -ENOMEM. */
int udev_import_rules(struct udev_outcome outcomes[static UDEV_ARCHITECTURES][UDEV_KINDS], struct udev_import *u);
