# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures beside figures: what is compared takes turns in one run, and is told as median and range."""

import json
import os
import statistics
import subprocess
import sys
import time


class Skipped(Exception):
    """This machine has not got what the benchmark needs."""


class Cost:
    """What a program took: wall-clock and CPU seconds, peak resident memory in bytes."""

    def __init__(self, wall, user, system, peak):
        self.wall, self.user, self.system, self.peak = wall, user, system, peak

    @property
    def cpu(self):
        return self.user + self.system


def run(builddir, command, environment=None, output=os.devnull):
    """Run it to its end; what it says goes into a file, or is thrown away."""
    done = subprocess.run([os.path.join(builddir, "tests/bench/cost"), output, *map(str, command)], env=environment, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr[-500:]}")
    wall, user, system, peak = (float(word) for word in done.stdout.split())
    return Cost(wall, user, system, peak)


def cpu_seconds(pid):
    """What a process that runs has taken so far, with all its threads: as clock_getcpuclockid() finds that clock."""
    return time.clock_gettime((~pid << 3) | 2)


def rounds(n, peers):
    """{name: [n results]}: every round asks each peer once, beginning with another one each time.

    peers: {name: function without arguments}."""
    names = list(peers)
    results = {name: [] for name in names}
    for turn in range(n):
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            results[name].append(peers[name]())
        sys.stderr.write(f"\r  round {turn + 1} of {n} ")
        sys.stderr.flush()
    sys.stderr.write("\r" + " " * 24 + "\r")
    return results


class Figure:
    """A measure of several peers. goal: (ratio, peer, "at most" or "at least"): ours against that one, in medians."""

    def __init__(self, title, unit, values, ours="memhpd", goal=None, note=""):
        self.title, self.unit, self.values, self.ours, self.goal, self.note = title, unit, values, ours, goal, note

    def median(self, peer):
        return statistics.median(self.values[peer])

    def ratio(self, peer):
        """Ours to the peer's."""
        other = self.median(peer)
        return self.median(self.ours) / other if other else float("inf")

    def verdict(self):
        """None where there is no goal, else (is it met, in words)."""
        if not self.goal:
            return None
        limit, peer, kind = self.goal
        if peer is None:
            value, words = self.median(self.ours), f"{kind} {number(limit)} {self.unit}"
        else:
            value, words = self.ratio(peer), f"{kind} {number(limit)} × {peer}"
        return (value <= limit if kind == "at most" else value >= limit), words

    def lines(self):
        width = max(len(p) for p in self.values)
        yield self.title + (f"  ({self.note})" if self.note else "")
        for peer, values in self.values.items():
            ratio = "" if peer == self.ours or self.ours not in self.values else f"   memhpd is {self.ratio(peer):.3g} × that"
            yield (f"    {peer:{width}}  {number(self.median(peer)):>9} {self.unit}"
                   f"  ({number(min(values))} to {number(max(values))}, n={len(values)}){ratio}")
        verdict = self.verdict()
        if verdict:
            yield f"    goal: {verdict[1]}: {'met' if verdict[0] else 'MISSED'}"

    def as_json(self):
        verdict = self.verdict()
        return {"title": self.title, "unit": self.unit, "note": self.note, "values": self.values,
                "medians": {p: self.median(p) for p in self.values},
                "goal": verdict and {"words": verdict[1], "met": verdict[0]}}


def number(value):
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine():
    """What the figures depend on."""
    cpu = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"kernel": os.uname().release.split("-")[0], "machine": os.uname().machine, "cpu": cpu,
            "processors": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}


def write_json(path, results):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(results, f, indent=2)
        f.write("\n")
