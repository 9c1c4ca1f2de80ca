/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Did you mean …? Pure. */

#include "core/macro.h"

/* The closest of the candidates to what was typed, NULL if none is close. */
const char *closest_word(const char *typed, const char *const *candidates, size_t n) _pure_;
