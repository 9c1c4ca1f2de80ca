/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line: options stand before or after the verb. */

#include <stdio.h>

#include "core/macro.h"

/* Options that some verbs only understand; the others hold for all. */
enum option_group {
        OPTIONS_COLUMNS = 1 << 0,
        OPTIONS_SPLIT = 1 << 1,
        OPTIONS_ALL = 1 << 2,
        OPTIONS_FOR = 1 << 3,
        OPTIONS_HOST = 1 << 4, /* verbs that ask the daemon */
        OPTIONS_WATCH = 1 << 5,
        OPTIONS_TO = 1 << 25, /* a file instead of standard output */
        OPTIONS_MAP = 1 << 10,
        OPTIONS_TIME = 1 << 6, /* which part of the past */
        OPTIONS_JOB = 1 << 16,     /* what changes the state of memory */
        OPTIONS_ZONE = 1 << 17,
        OPTIONS_FORCE = 1 << 18,
        OPTIONS_OFFLINE = 1 << 19,
        OPTIONS_LIST = 1 << 12,
        OPTIONS_MEMMAP = 1 << 20,
};

struct options {
        bool json, legend, pager, bytes, all, direct, help, version, list;
        const char *verb;    /* what is done; "" until it is known */
        const char *columns; /* NULL: the verb's */
        const char *split;   /* NULL: where a shown column changes */
        const char *sysroot; /* "/" unless told */
        const char *config;  /* NULL: the system's */
        const char *host;    /* NULL: this one */
        const char *by;      /* NULL: the verb's own choice */
        const char *svg;     /* NULL: none is written */
        const char *duration; /* NULL: until it is ended */
        const char *since;   /* NULL: from the beginning */
        const char *boot;    /* NULL: this one */
        const char *to;      /* NULL: standard output */
        const char *watch;   /* NULL: once; "": again every two seconds, else so often */
        const char *timeout; /* NULL: as long as it takes */
        const char *zone;    /* NULL: as the kernel likes */
        const char *memmap;  /* NULL: as it is */
        const char *size, *node, *source, *device; /* NULL: not given */
        bool no_wait, all_or_nothing, partial, force, dry_run, eject, no_ask_password;
        unsigned groups;     /* of the options that were given */
};

struct option_spec {
        const char *name;
        const char *argument; /* NULL: none. What it is called in help tells completion what it may be */
        const char *help;
        void (*set)(struct options *o, const char *argument);
        unsigned group; /* 0: every verb takes it */
        char letter;
        bool optional; /* the argument, which then follows a "=" */
};

/* The table, from which help and completion come as well. */
extern const struct option_spec option_specs[];
extern const size_t n_option_specs;

/* Complains and returns -EINVAL on what it does not know. The words that are not options are left in argv, from its
 * begin on and ended by NULL. */
int options_parse(int argc, char **argv, struct options *ret, int *ret_n);

/* Complains and returns -EINVAL if an option was given that the verb does not understand. */
int options_check(const struct options *o, const char *verb, unsigned groups);

/* The lines of --help for the options of these groups and those that hold for all. */
void options_print_help(unsigned groups);
