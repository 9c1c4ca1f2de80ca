#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every input of the fuzzers' corpus, and its beginnings, once: as one test of `make check`.
exec "${srcdir:-.}/tests/fuzz/run" "${builddir:-.}" 0
