/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Configuration files to an immutable policy. The only user of libconfig. man 5 memhpd.conf. */

#include <sys/stat.h>

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

/* One open file's settings and rules into the policy: the grammar. path is for messages. */
void conf_parse(FILE *f, const char *path, struct policy *policy, struct problems *problems);

/* NULL, or what makes the file unfit to be trusted with the machine's memory. */
const char *conf_unsafe_reason(const struct stat *st);
