#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon on a bus of its own, with the real polkit, as one test of `make check`.
exec python3 -B "${srcdir:-.}/tests/bus/run" "${builddir:-.}"
