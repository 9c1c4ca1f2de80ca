# SPDX-License-Identifier: LGPL-2.1-or-later
"""Half of 4 GiB is to go, from a DIMM with pinned pages in some of its blocks: memhpctl offline --size beside chmem -d, by blocks
tried, time, and memory freed.

The same twice, each time by either of them on a DIMM that was made alike: in Normal, where page tables keep blocks and the kernel
says so at once; in Movable, where it tries without end to move pages that are pinned.
"""

import re
import time

from vmlib import admin, bus, claims
from vmlib.machine import GIB, MIB

NAME = "size-vs-chmem"
FULL_ONLY = True
LIMIT = 600
MACHINE = {"boot_memory": 2 * GIB}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "leave_offline"; }', offline_timeout='"5s"')
BLOCKS, WANTED = 32, 16
PINNED = (31, 30, 28, 24, 20)   # of the DIMM's blocks, which whoever goes from above meets first
SPARE = 6               # MiB of a block that the kernel keeps for itself, and more
PATIENCE = 60           # seconds for chmem


class Outcome:
    def __init__(self, who, tried, seconds, freed, remark=""):
        self.who, self.tried, self.seconds, self.freed, self.remark = who, tried, seconds, freed, remark

    def __str__(self):
        return (f"{self.who:22} {self.tried:3} blocks tried, {self.tried - self.freed:2} in vain, {self.seconds:6.1f} s, "
                f"{self.freed * 128:5} MiB of {WANTED * 128} freed{self.remark}")


def play(guest, report):
    if guest.run("command -v chmem")[0] != 0:
        report.saw("no chmem to put into the guest (Debian: util-linux): memhpctl alone")
    bus.start(guest)
    guest.start_daemon(POLICY)
    bus.wait_name(guest)
    before = guest.look()
    outcomes = []
    for zone in ("Normal", "Movable"):
        for who in ("chmem", "memhpctl"):
            report.did(f"a DIMM of 4 GiB, online in {zone}, pages that stay in {len(PINNED)} of its blocks; {who}")
            first = prepare(guest, zone)
            outcomes.append((zone, TAKE[who](guest, first, zone)))
            report.saw(str(outcomes[-1][1]))
            claims.expect_same_boot_memory(report, before, guest.look())
            guest = guest.another(**MACHINE)
            bus.start(guest)
            guest.start_daemon(POLICY)
            bus.wait_name(guest)
    report.did("side by side")
    for zone, outcome in outcomes:
        report.saw(f"{zone:8} {outcome}")
    by = {(zone, o.who): o for zone, o in outcomes}
    for zone in ("Normal", "Movable"):
        mine, theirs = by[zone, "memhpctl"], by[zone, "chmem"]
        report.expect_equal(f"{zone}: memhpctl freed what was asked for", mine.freed, WANTED)
        report.expect(mine.freed >= theirs.freed, "no less than chmem")
        report.expect(mine.tried - mine.freed <= theirs.tried - theirs.freed, "with no more attempts in vain")


def prepare(guest, zone):
    """The first block of a DIMM of 32 blocks, all online. Those that are to have pages that stay come first, so that there is
    no other memory of the node for these pages."""
    known = guest.look()
    guest.plug_dimm("d0", 4 * GIB, node=1)
    view = guest.wait_until("32 blocks", lambda view: len(view.new_since(known)) == BLOCKS)
    first = min(view.new_since(known))
    pinned = [first + n for n in PINNED]
    if zone == "Normal":
        for n, block in enumerate(pinned):
            # Nothing is free on the node but what the kernel does not give, and the new block.
            free = guest.look().zone(1, "Normal").free * 4096 // MIB
            full = bus.fill(guest, 1, free - SPARE * n, name="full") if n else None
            admin.set_state(guest, [block], "online_kernel")
            bus.tables(guest, 1, SPARE * n + 8, name=f"tables{n}")
            if full:
                full.let_go()
    else:
        admin.set_state(guest, pinned, "online_movable")
        bus.pin(guest, 1, pinned)
    admin.set_state(guest, sorted(set(range(first, first + BLOCKS)) - set(pinned)),
                    "online_kernel" if zone == "Normal" else "online_movable")
    return first


def offline_of(guest, first):
    view = guest.look()
    return [n for n in range(first, first + BLOCKS) if view.blocks[n].state == "offline"]


def take_with_chmem(guest, first, zone):
    started = time.monotonic()
    status, out = guest.run(f"timeout -s INT {PATIENCE} chmem -v -d 2G -z {zone} 2>&1", PATIENCE + 20)
    seconds = time.monotonic() - started
    freed = offline_of(guest, first)
    in_vain = len(re.findall(r"disable failed", out))
    hung = seconds >= PATIENCE
    del status
    return Outcome("chmem", len(freed) + in_vain + hung, seconds, len(freed),
                   f"; ended after {PATIENCE} s, as the kernel does not give up" if hung else "")


def take_with_memhpctl(guest, first, zone):
    del zone
    started = time.monotonic()
    result = bus.ask(guest, "offline --size 2G --node 1", 180)
    seconds = time.monotonic() - started
    fates = list(result.fates().values())
    return Outcome("memhpctl", fates.count("done") + fates.count("failed"), seconds, len(offline_of(guest, first)))


TAKE = {"chmem": take_with_chmem, "memhpctl": take_with_memhpctl}
