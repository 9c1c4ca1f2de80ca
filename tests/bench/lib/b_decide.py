# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one decision costs among 100 rules, and that it allocates nothing (tests/bench/decide.c, tests/check_alloc.c)."""

import re
import subprocess

from .measure import Figure

NAME = "decide"


def measure(place, turns):
    program = place.program("tests/bench/decide")
    values = {}
    for _ in range(turns):
        out = subprocess.run([program] + (["500"] if place.tiny else []), stdout=subprocess.PIPE, check=True, text=True).stdout
        for ns, what in re.findall(r"^\s*([\d.]+) ns\s+\(.*?\)\s+(.*)$", out, re.M):
            values.setdefault(what, []).append(float(ns))
    for what, series in values.items():
        if what.startswith("policy_decide"):
            peers = {p: v for p, v in values.items() if p.startswith("peer")}
            yield Figure(f"a decision: {what.split(', ', 1)[1]}", "ns", {"memhpd": series, **peers}, goal=(1000, None, "at most"))
