#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The benchmarks, tried with small systems and one round: each gives its figures, and what it measures tells of the whole
# system. No time is judged. Virtual machines are left out.
set -eu
: "${srcdir:=.}"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
command -v lsmem >/dev/null || { echo "skipped: no lsmem (Debian: util-linux)"; exit 77; }
command -v busctl >/dev/null && command -v dbus-daemon >/dev/null || { echo "skipped: no dbus-daemon or busctl"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

names="list daemon decide parse"
! command -v prometheus-node-exporter >/dev/null || names="$names scrape"
"$srcdir/tests/bench/run" --builddir "$PWD" --tiny --rounds 1 --json "$out/json" --markdown "$out/table" $names

python3 - "$out/json" "$out/table" $names <<'END'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    results = json.load(f)
with open(sys.argv[2], encoding="utf-8") as f:
    rows = [line for line in f if line.startswith("| ") and not line.startswith("| measure")]
assert not results["failed"], results["failed"]
skipped = [s for s in results["skipped"]]
for s in skipped:
    print(f"skipped: {s['benchmark']}: {s['why']}")
count = {}
for figure in results["figures"]:
    count[figure["benchmark"]] = count.get(figure["benchmark"], 0) + 1
    for peer, values in figure["values"].items():
        # What a block takes is a difference, and of so few of them less than what a busy machine adds.
        least = -1e6 if figure["title"].startswith("CPU a block") else 0
        assert values and all(isinstance(v, (int, float)) and v >= least for v in values), (figure["title"], peer, values)
    assert set(figure["medians"]) == set(figure["values"]), figure["title"]
# At least so many; udevd's memory comes on top where it can be had.
for name, least in {"list": 11, "daemon": 7, "decide": 3, "parse": 3, "scrape": 2}.items():
    if name in sys.argv[3:] and name not in [s["benchmark"] for s in skipped]:
        assert count.get(name, 0) >= least, (name, count)
goals = sum(1 for figure in results["figures"] if figure["goal"])
assert len(rows) == goals, (len(rows), goals)
print(f"{len(results['figures'])} figures, {goals} of them with a goal")
END
