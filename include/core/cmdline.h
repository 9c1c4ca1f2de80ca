/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's command line (Documentation/admin-guide/kernel-parameters.rst): words, of which some have values; "-" and "_"
 * in names are the same; what follows "--" is not for the kernel. Pure. */

#include <stddef.h>

#include "core/macro.h"

#define CMDLINE_VALUE_MAX 64

/* The value that counts, which is the last; "" if the word has none. A value that is longer is cut. */
bool cmdline_find(const char *text, const char *name, char ret[static CMDLINE_VALUE_MAX]);
