# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the scenarios expect memhpd to say, in one place. Tolerant on purpose: wording may improve, facts may not."""

import re

READY = re.compile(r"\bready\b", re.IGNORECASE)


LOST = re.compile(r"\blost race\b", re.IGNORECASE)
WAS_FIRST = re.compile(r"another program was first")


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


# -- memhpd's own affairs

EVENTS_LOST = re.compile(r"^.*\buevents were lost\b.*$", re.IGNORECASE | re.MULTILINE)
SET_OFFLINE = r"was set offline\b.*\bstays offline"
STARTUP_IGNORED = r"left offline\b.*\bstartup is \"ignore\""
WAITS = r"waits: a hold is on it"
STATE_FILE = "/run/memhpd/state"
STATE_REFUSED = re.compile(r"^.*/run/memhpd/state\b.*\b(torn or not written by memhpd|not used)\b.*$", re.MULTILINE)

NOT_KEPT = re.compile(r"^.*/run/memhpd/\w+: cannot be written\b.*$", re.MULTILINE)
KEPT_AGAIN = re.compile(r"^.*/run/memhpd can be written again\b.*$", re.MULTILINE)


# -- the kernel's auto_online_blocks

def auto_online_taken(before, now):
    return re.compile(rf'^.*\bauto_online_blocks was "{before}" and is "{now}".*$', re.MULTILINE)


def auto_online_kept(now):
    return re.compile(rf'^.*\bauto_online_blocks is "{now}".*"keep".*$', re.MULTILINE)


DELEGATED = r"by the kernel\b.*\bdelegated"
NOT_DELEGATED = re.compile(r'^.*\bkernel_auto_online is "delegate", but.*$', re.MULTILINE)


# -- what did not go as wanted

REFUSED = re.compile(r"^.*\bat (0x[0-9a-f]+) of (\S+) was refused by the kernel\b.*$", re.MULTILINE)


def partial(device, online, missing, what):
    """Of a device, so many blocks are online as wanted and so many are not; `what` becomes of it."""
    return re.compile(rf"^.*\b{re.escape(device)}\b.* {online} are online as wanted and {missing} are not\b.*{what}.*$",
                      re.MULTILINE)


KEPT = r'stays so \(on_partial is "keep"\)'
ROLLING_BACK = r'offline again \(on_partial is "rollback"\)'
ROLLED_BACK = r": taken offline again"
ROLLBACK_GOES_ON = re.compile(r"^.*\bwere being taken offline when memhpd ended: going on\b.*$", re.MULTILINE)
NOT_ROLLED_BACK = r"stays online\b.*could not be taken offline again"
REFUSED_WRITE = r'"\w+" failed'


# -- ids of messages and fields of the journal

MESSAGE_ONLINED = "05ee0cafca5542fdb6ce44ab6b3d6730"
MESSAGE_STARTED = "ba477398f76f4f3cb318b236fa25a3d5"
MESSAGE_FAILED = "759f56afd7f64eecb2cb51931c1cfe15"
NOT_WRITABLE = re.compile(r"^.*\bstate of memory blocks cannot be written: .*$", re.MULTILINE)
NO_UEVENTS = re.compile(r"^.*\b(uevents do not arrive|cannot watch for uevents): .*$", re.MULTILINE)
SMALL_BUFFER = re.compile(r"^.*\bkernel queues only \d+ KiB of uevents\b.*$", re.MULTILINE)
HIDDEN_IOMEM = re.compile(r"^.*/proc/iomem shows no addresses\b.*$", re.MULTILINE)
NO_KERNEL_LOG = re.compile(r"^.*\bkernel log cannot be read\b.*$", re.MULTILINE)


# -- others that bring memory online

def rival(place):
    return re.compile(rf"^.*{re.escape(place)}: .*\bmemory\b.*whoever comes first.*$", re.MULTILINE)
