/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A line of udev's rules, taken to pieces: KEY{attribute} OPERATOR "value", … Pure. */

#include <stdbool.h>
#include <stddef.h>

#include "core/macro.h"

enum udev_operator {
        UDEV_MATCH,   /* == */
        UDEV_NOMATCH, /* != */
        UDEV_ASSIGN,  /* = and := */
        UDEV_CHANGE,  /* += and -= */
};

const char *udev_operator_to_string(enum udev_operator op) _const_;

struct udev_token {
        char *key, *attribute, *value; /* in the line; attribute is "" where there are no braces */
        enum udev_operator op;
        bool ignore_case; /* i"value" */
};

/* 1: *ret, in place, and *line is behind it · 0: the line ends · -EBADMSG: udev would not understand it. */
int udev_token_take(char **line, struct udev_token *ret);

/* Some keys can only be asked for: a line that assigns to them is one that udev refuses. */
bool udev_token_is_refused(const struct udev_token *t);
/* PROGRAM and IMPORT ask, whatever their operator. */
bool udev_token_is_question(const struct udev_token *t);

/* A value that is a command: does it run this program, wherever that is, with one of these options ("" is none), by itself or as
 * "/bin/sh -c 'COMMAND || :'", which succeeds whatever the program does (*ret_succeeds)? */
bool udev_command_is(const char *value, const char *program, const char *const *options, size_t n_options, bool *ret_succeeds);
