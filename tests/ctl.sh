#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line on fake and captured trees, as one test of `make check`.
exec python3 -B "${srcdir:-.}/tests/ctl/run" "${builddir:-.}/memhpctl"
