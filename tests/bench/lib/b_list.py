# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listing the blocks of very large machines, read from the system."""

import re
import subprocess

from .measure import Figure, Skipped, rounds, run

NAME = "list"
SIZES = (16384, 131072, 524288)
COLUMNS = "RANGE,SIZE,STATE,REMOVABLE,BLOCK,NODE,ZONES"     # those of ours that lsmem has, too


def system_calls(command):
    """How many a run makes, in all its threads."""
    try:
        done = subprocess.run(["strace", "-f", "-c", "-o", "/dev/stdout", *command], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False)
    except FileNotFoundError as error:
        raise Skipped("no strace (Debian: strace)") from error
    total = re.search(r"^\s*100\.00\s+\S+\s+\S+\s+(\d+).*total$", done.stdout, re.M)
    if not total:
        raise Skipped("strace cannot trace here")
    return int(total.group(1))


def measure(place, turns):
    sizes = (64, 512) if place.tiny else SIZES
    lsmem, bare = place.peer("lsmem", "util-linux"), place.program("tests/bench/bare")
    memhpctl = place.program("memhpctl")
    for blocks in sizes:
        root = place.tree(blocks)
        for title, theirs, ours in (
                ("ranges", ["--output", COLUMNS], ["list"]),
                ("a line a block", ["--all", "--output", COLUMNS], ["--all", "-o", COLUMNS, "list"])):
            if title != "ranges" and blocks == max(SIZES) and not place.full:
                continue        # a minute more
            commands = {"memhpd": [memhpctl, "--sysroot", root] + ours, "lsmem": [lsmem, "--sysroot", root] + theirs,
                        "bare loop": [bare, root]}
            costs = rounds(turns, {peer: lambda c=command: run(place.builddir, c) for peer, command in commands.items()})
            walls = {peer: [c.wall for c in each] for peer, each in costs.items()}
            yield Figure(f"list of {blocks} blocks, {title}", "s", walls, goal=(1 / 3, "lsmem", "at most"))
            if title == "ranges":
                yield Figure(f"list of {blocks} blocks, beside a bare loop", "s",
                             {p: walls[p] for p in ("memhpd", "bare loop")}, goal=(1.15, "bare loop", "at most"))
            yield Figure(f"list of {blocks} blocks, {title}: peak memory", "MiB",
                         {p: [c.peak / (1 << 20) for c in costs[p]] for p in ("memhpd", "lsmem")}, goal=(1, "lsmem", "at most"))
        if blocks == min(sizes):
            yield Figure(f"list of {blocks} blocks: system calls a block", "calls",
                         {p: [system_calls(commands[p]) / blocks] for p in commands}, goal=(10.05, None, "at most"),
                         note="beyond 10 a block: what does not grow with them")
