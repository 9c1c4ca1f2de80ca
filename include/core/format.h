/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Figures for people. Pure. */

#include "core/macro.h"

#define FORMAT_SIZE_MAX 16

/* "128 MiB", "1.9 GiB": at most one decimal, none where it is whole. */
const char *format_size(uint64_t bytes, char buf[static FORMAT_SIZE_MAX]);
