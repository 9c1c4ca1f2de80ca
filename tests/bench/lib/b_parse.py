# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs to understand /proc/zoneinfo and /proc/buddyinfo, beside getting hold of such a text (tests/bench/zoneinfo.c)."""

import re
import subprocess

from .measure import Figure

NAME = "parse"
MACHINES = ((1, 8, None), (64, 512, (1, "read through a pipe", "at most")))


def measure(place, turns):
    program = place.program("tests/bench/zoneinfo")
    for nodes, cpus, goal in ((1, 8, None), (4, 8, MACHINES[1][2])) if place.tiny else MACHINES:
        both, kernel, size = {}, {}, 0
        for _ in range(turns):
            out = subprocess.run([program, str(nodes), str(cpus)], stdout=subprocess.PIPE, check=True, text=True).stdout
            size = sum(int(n) for n in re.findall(r"^(?:zone|buddy)info: (\d+) KiB$", out, re.M))
            _collect(both, out.split("/proc/zoneinfo of this machine")[0], first_only=True)
            _collect(kernel, out.split("/proc/zoneinfo of this machine")[-1].split("/proc/buddyinfo")[0])
        yield Figure(f"zoneinfo and buddyinfo of {nodes} nodes and {cpus} CPUs ({size} KiB): parse", "us",
                     {"memhpd": both.pop("parse"), **both}, goal=goal)
    if kernel:
        yield Figure("zoneinfo of this machine: parse", "us", {"memhpd": kernel.pop("parse"), **kernel},
                     goal=(1, "read from the kernel", "at most"))


def _collect(values, text, first_only=False):
    """Medians by what they are of; of several texts, their sum."""
    sums = {}
    for usec, what in re.findall(r"^ *([\d.]+) us .* ns/byte  (.*)$", text, re.M):
        if first_only and what.startswith("peer") and what in sums:
            continue
        sums[what] = sums.get(what, 0) + float(usec)
    for what, usec in sums.items():
        values.setdefault(what, []).append(usec)
