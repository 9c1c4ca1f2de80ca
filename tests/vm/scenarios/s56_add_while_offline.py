# SPDX-License-Identifier: LGPL-2.1-or-later
"""While a large DIMM is taken offline, which takes long as it is full, another one is plugged: its blocks are online long before
that is over, and memhpctl is answered at once all the time."""

import re
import time

from vmlib import bus, claims
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "add-while-offline"
MACHINE = {"boot_memory": 3 * GIB}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')
USED = 1800


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did(f"plug a DIMM of 2 GiB into node 1; {USED} MiB of it are in use")
    guest.plug_dimm("d0", 2 * GIB, node=1)
    guest.wait_until("16 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(1).values()) == 16)
    fill = bus.fill(guest, 1, USED)
    bus.wait_name(guest)

    report.did("memhpctl offline device:PNP0C80:00; as soon as it has begun, plug a DIMM of 1 GiB into node 2")
    guest.check("memhpctl offline device:PNP0C80:00 --no-wait")
    guest.wait_until("two blocks are done", lambda view: done(guest) >= 2, pause=0.05)
    mark = len(guest.log())
    plugged = time.monotonic()
    guest.plug_dimm("d1", GIB, node=2)
    slowest = 0.0
    while True:
        started = time.monotonic()
        finished = done(guest)
        slowest = max(slowest, time.monotonic() - started)
        view = guest.look()
        online = sum(b.zone == "Movable" for b in view.of_node(2).values())
        if online == 8:
            break
        if time.monotonic() - plugged > 120:
            raise Failed(f"{online} of 8 blocks are online")
    report.saw(f"its 8 blocks are online {time.monotonic() - plugged:.1f} s after it was plugged; then, {finished} of 16 blocks of the "
               "other one were offline")
    report.expect(finished < 16, "before the job was over")
    report.saw(f"the slowest answer to memhpctl took {slowest:.2f} s, its start included")
    line = guest.wait_log("that they are online", lambda log: re.search(r"^.*8 blocks .*node 2: online in Movable.*$", log[mark:], re.MULTILINE))
    report.quote(line.group(0))

    result = bus.ask(guest, "jobs 1", 120)
    report.expect_equal("the job ends well", (result.status, result.job["done"]), (0, 16))
    report.saw(f"{time.monotonic() - plugged:.1f} s after the DIMM was plugged")
    fill.let_go()
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def done(guest):
    return guest.ctl("jobs")[0]["done"]
