# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that is in use has nowhere to go: memhpctl offline refuses, says the numbers, and nobody is killed. With --force it
tries all the same. When there is room again, it is not refused."""

import re

from vmlib import bus, claims
from vmlib.machine import GIB, MIB
from vmlib.report import Failed

NAME = "offline-pressure"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')
USED = 900      # MiB of the DIMM
LEFT = 300      # MiB free elsewhere


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did(f"plug a DIMM of 1 GiB into node 1, {USED} MiB of it are in use; boot memory is locked until {LEFT} MiB are free")
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(1).values()) == 8)
    fill = bus.fill(guest, 1, USED)
    hog = bus.fill(guest, 0, free_mib(guest.look(), 0) - LEFT, name="hog")
    bus.wait_name(guest)
    view = guest.look()
    report.saw(f"free: node 0 {free_mib(view, 0)} MiB, node 1 {free_mib(view, 1)} MiB")

    report.did("memhpctl offline device:PNP0C80:00")
    status, out = bus.people(guest, "offline device:PNP0C80:00")
    report.quote(out)
    report.expect_equal("exit status", status, 1)
    said = re.search(r"there is no room: (\d+(?:\.\d)?) MiB would have to move, and the zones(?: of the nodes other than 1)? have room for "
                     r"(\d+(?:\.\d)?) MiB", out)
    if not said:
        raise Failed("it does not say the numbers")
    need, room = (float(n) for n in said.groups())
    report.expect(USED <= need <= USED + 20, f"what would have to move is what is in use: {need:g} MiB")
    report.expect(0 < room <= free_mib(view, 0) + 50, f"and there is less room than is free: {room:g} MiB")
    claims.expect_blocks(report, guest.look().of_node(1), 8, "online", "Movable", " as before")
    expect_nobody_killed(guest, report)

    report.did("as much as has room goes without --force")
    result = bus.ask(guest, "offline --size 128M --node 1")
    report.expect_equal("exit status", result.status, 0)

    report.expect_equal("kernel complaints until now", guest.trouble(), [])
    report.did("memhpctl offline device:PNP0C80:00 --force --partial --timeout 15s")
    result = bus.ask(guest, "offline device:PNP0C80:00 --force --partial --timeout 15s")
    fates = list(result.fates().values())
    report.saw(f"{result.job['state']}: {fates.count('done') + fates.count('already')} blocks offline, {fates.count('failed')} failed")
    report.expect(fates.count("done") > 0, "it has tried")
    report.saw(f"killed for want of memory: {killed(guest)}")
    guest.excuse_trouble()     # the kernel tells of that with a call trace

    report.did("what was in use is given back: now there is room")
    for holder in (fill, hog):
        if guest.run(f"kill -0 $(cat {holder.pid_file})")[0] == 0:
            holder.let_go()
    result = bus.ask(guest, "offline device:PNP0C80:00")
    report.expect_equal("exit status", result.status, 0)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def free_mib(view, node):
    return sum(zone.free for (n, _), zone in view.zones.items() if n == node) * 4096 // MIB


def killed(guest):
    return int(guest.check("dmesg | grep -c 'Out of memory: Killed' || true").strip())


def expect_nobody_killed(guest, report):
    report.expect_equal("killed for want of memory", killed(guest), 0)
