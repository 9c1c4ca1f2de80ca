/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The policy as the command line sees it: loaded anew, from the files. */

#include "core/policy.h"
#include "ctl/verb.h"
#include "host/conf.h"

/* path: NULL is the system's. Complains about errors only. */
enum status policy_open(const char *sysroot, const char *path, struct policy **ret);

/* {"name":…,"file":…,"line":…} */
json_t *json_rule(const struct rule *r);

/* Every problem (or every error) as FILE:LINE: message on stderr. */
void complain_problems(const struct problems *p, bool errors_only);
