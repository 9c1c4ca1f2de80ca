# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the scenarios expect memhpd to say, in one place. Tolerant on purpose: wording may improve, facts may not."""

import re

READY = re.compile(r"\bready\b", re.IGNORECASE)


LOST = re.compile(r"\blost race\b", re.IGNORECASE)


def settled(device, outcome):
    """A line about blocks of a device that are all settled; `outcome` is a pattern like `online in Movable`."""
    return re.compile(rf"^.*\b{re.escape(device)}\b.*{outcome}.*$", re.MULTILINE)


def settled_blocks(log, device, outcome):
    """The blocks all those lines are about."""
    found = set()
    for line in settled(device, outcome).findall(log):
        if not LOST.search(line):
            found |= blocks_of(line)
    return found


def lost_blocks(log):
    """Block number -> the line that says that somebody else put it online in another zone first."""
    lost = {}
    for line in log.splitlines():
        if LOST.search(line):
            for number in blocks_of(line):
                lost[number] = line
    return lost


def blocks_of(line):
    """The blocks a line is about: `8 blocks 32-39,41 (…)`, `block 33: …`."""
    numbers = set()
    for text in re.findall(r"\bblocks? (\d[\d,-]*)", line):
        for part in text.strip(",-").split(","):
            first, _, last = part.partition("-")
            numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


RELOADED = re.compile(r"\breload(ed)?\b|\bpolicy\b.*\bloaded\b", re.IGNORECASE)


def without_prefix(line):
    """A log line without what names the program."""
    return re.sub(r"^memhpd(\[\d+\])?: ", "", line)
