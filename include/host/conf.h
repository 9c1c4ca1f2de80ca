/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Configuration files to an immutable policy. The only user of libconfig. man 5 memhpd.conf. */

#include "core/policy.h"
#include "core/problems.h"

/* Where the policy is looked for when no file is named; the first that exists is the main file. */
#define CONF_MAIN SYSCONFDIR "/memhp/memhpd.conf"
#define CONF_VENDOR VENDORCONFDIR "/memhp/memhpd.conf"

/* Load the policy: the main file (path, or NULL for CONF_MAIN, else CONF_VENDOR) and, unless a path was given, the
 * drop-ins NAME.conf of memhpd.conf.d beside them (and in /run), whose rules come before the main file's. root: "/" or the
 * tree to look in. A file is refused unless root (or the caller) owns it and nobody else may write to it.
 * 0 · -EBADMSG: there are errors in *ret_problems, and no policy · -ENOMEM. Problems are to be freed in every case. */
int conf_load(const char *root, const char *path, struct policy **ret, struct problems *ret_problems);

/* One file's settings and rules into the policy: the grammar. path is for messages. */
void conf_parse(const char *text, const char *path, struct policy *policy, struct problems *problems);

/* What libconfig takes for the end of a file without a word: a string or a comment that is never closed. Also refuses NUL
 * bytes, and files that are included and are not fit to be. text[size] is a NUL byte, and not of the text. */
void conf_check_text(const char *text, size_t size, const char *path, struct problems *problems);

/* Read a file whole. 1: *ret, to be freed · 0: absent, which may be · -EBADMSG: refused, *problems says why · -ENOMEM */
int conf_read_file(const char *path, bool may_be_absent, struct problems *problems, char **ret, size_t *ret_size);
