#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How much of the code the tests run: tests/coverage.sh [--report-only] [BUILD-FOLDER]. Builds without optimisation and with gcc's
# counters, runs `make check`, prints a table of lines and branches for each folder, and for each file what is not reached
# (BUILD-FOLDER/coverage.txt, and one page a file in BUILD-FOLDER/coverage/). Fails if less than this is reached:
#
#   src/core    lines 95 %, branches 95 %     what decides
#   everything  lines 85 %, branches 85 %
#
# Branches are counted as the program has them at -O0: each && || ?: if, loop and switch, both ways. What only the compiler
# makes is left out: branches of lines without code of their own (gcovr --exclude-unreachable-branches) and the way out
# of a call that throws (--exclude-throw-branches; C has none). There is no assert() in the code, and no line is excluded by a
# comment. What the tests of virtual machines run is not counted, nor what a program runs that ends by a signal.
set -u
cd "$(dirname "$0")/.." || exit 1

core_lines=95 core_branches=95 all_lines=85 all_branches=85

report_only=
if [ "${1-}" = --report-only ]; then
        report_only=yes
        shift
fi
build=$(realpath -m "${1:-build-coverage}")

build_and_run() {
        mkdir -p "$build" || return 1
        if [ ! -e "$build/config.status" ]; then
                [ -e configure ] || autoreconf -fi || return 1
                (cd "$build" && "$OLDPWD/configure" --prefix=/usr --sysconfdir=/etc --enable-werror \
                        CFLAGS="-O0 -g --coverage -fprofile-update=atomic" LDFLAGS=--coverage) || return 1
        fi
        find "$build" -name '*.gcda' -delete
        make -C "$build" -j2 all && make -C "$build" -j2 check TESTS= || return 1
        # Programs without root's rights count, too, and must not complain where tests look for what they say.
        find "$build" -name '*.gcno' | while IFS= read -r notes; do
                : >"${notes%.gcno}.gcda" && chmod a+rw "${notes%.gcno}.gcda"
        done
        make -C "$build" -j2 -k check
}

measure() {
        rm -f "$build"/*conftest* # of configure
        mkdir -p "$build/coverage" &&
                gcovr --root . --object-directory "$build" --filter src/ --filter include/ \
                        --exclude-unreachable-branches --exclude-throw-branches --gcov-ignore-parse-errors \
                        --json-summary "$build/coverage.json" --txt "$build/coverage.txt" \
                        --html-details "$build/coverage/index.html" "$build"
}

# "FOLDER lines branches", then what is below its threshold; 1 if anything is.
judge() {
        python3 -B - "$build/coverage.json" $core_lines $core_branches $all_lines $all_branches <<'END'
import collections
import json
import sys

need = dict(zip(("core lines", "core branches", "all lines", "all branches"), map(float, sys.argv[2:])))
with open(sys.argv[1], encoding="utf-8") as f:
    files = json.load(f)["files"]
sums = collections.defaultdict(lambda: [0, 0, 0, 0])
for file in files:
    folder = "/".join(file["filename"].split("/")[:2])
    for name in (folder, "everything"):
        for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            sums[name][i] += file[key]


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


print(f"{'folder':16} {'lines':>22} {'branches':>22}")
for name in sorted(sums, key=lambda n: (n == "everything", n)):
    a, b, c, d = sums[name]
    print(f"{name:16} {percent(a, b):6.2f} % {a:6}/{b:<6} {percent(c, d):6.2f} % {c:6}/{d:<6}")
below = []
for what, name in (("core", "src/core"), ("all", "everything")):
    a, b, c, d = sums[name]
    if not b or not d:
        below.append(f"{name}: nothing was measured")
    for kind, got in (("lines", percent(a, b)), ("branches", percent(c, d))):
        if got < need[f"{what} {kind}"]:
            below.append(f"{name}: {got:.2f} % of the {kind} are reached, {need[f'{what} {kind}']:g} % are wanted")
print("\nleast reached:")
for file in sorted(files, key=lambda x: percent(x["branch_covered"], x["branch_total"]))[:10]:
    print(f"  {file['filename']:34} lines {percent(file['line_covered'], file['line_total']):6.2f} %, "
          f"branches {percent(file['branch_covered'], file['branch_total']):6.2f} %")
for line in below:
    print(f"coverage: {line}")
sys.exit(1 if below else 0)
END
}

status=0
if [ -z "$report_only" ]; then
        build_and_run || status=1
fi
measure || { echo "coverage: could not be measured"; exit 1; }
judge || status=1
if [ "$status" -ne 0 ] && [ -z "$report_only" ]; then
        echo "coverage: less than it should be, or a test failed: $(grep -l ':global-test-result: *FAIL' "$build"/tests/*.trs 2>/dev/null | tr '\n' ' ')"
fi
exit "$status"
