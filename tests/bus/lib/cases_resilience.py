# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus is absent, comes late, goes, comes back, hangs: memory is brought online all the same, and jobs go on."""

import os
import signal
import time

from .rig import NOBODY, OTHER
from .wire import Client

SETUP = "boot 0-31 0; dimm PNP0C80:01 32-39 1"


def _bus_again(rig):
    path = f"{rig.folder}/socket"
    if os.path.exists(path):
        os.unlink(path)
    rig.start_bus()
    rig.wait_for_name("org.memhp1")


def case_resilience_bus_comes_late(checks, rig):
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    memhpd.process.wait_for("8 blocks 32-39")
    checks.expect(True, "memory is online before there is a bus")
    rig.start_bus()
    rig.wait_for_name("org.memhp1")
    client = Client(rig, NOBODY)
    checks.equal("who comes with it is served", client.properties("/org/memhp1", "Manager")["Blocks"], 40)
    checks.equal("and told what was decided before", client.manager("GetHistory", "st", ["all", 0])[0][0]["blocks"], "32-39")


def case_resilience_no_bus_at_all(checks, rig):
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    begun = time.monotonic()
    checks.equal("ends well", memhpd.end(), 0)
    checks.expect(time.monotonic() - begun < 20, "and waits for no bus", time.monotonic() - begun)


def case_resilience_bus_restarts(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    rig.wait_for_name("org.memhp1")
    root = Client(rig)
    memhpd.do("hold 38")
    path = root.manager("Offline", "sa{sv}", ["36-39", {}])[1]
    memhpd.until("held", "yes")
    for how, block in ((signal.SIGTERM, 37), (signal.SIGKILL, 36)):
        memhpd.do(f"hold {block}")      # memory that comes makes the one that hangs now give way
        rig.bus.end(how)
        memhpd.do(f"dimm PNP0C80:{how:02} {48 + how}-{48 + how} 1")
        memhpd.until(f"zone {48 + how}", "Movable")
        checks.expect(True, f"memory is brought online without a bus ({how.name})")
        _bus_again(rig)
        checks.equal("the job is still there", Client(rig, NOBODY).properties(path, "Job")["State"], "running")
    rig.bus.end(signal.SIGKILL)
    memhpd.do("release")
    memhpd.until("zone 36", "")
    checks.expect(True, "it goes on without a bus")
    _bus_again(rig)
    ear = Client(rig, NOBODY)
    checks.equal("and is told of afterwards", ear.properties(path, "Job")["State"], "done")
    ear.listen()
    memhpd.do("dimm PNP0C80:99 99-99 1")
    checks.equal("signals are sent again", ear.heard("AddCompleted", lambda s: s.body[4] == 99).body[2], "PNP0C80:99")
    checks.expect(any("the bus is gone" in line for line in memhpd.process.said + _rest(memhpd)), "the journal tells of it")


def _rest(memhpd):
    """What it has said meanwhile."""
    lines = []
    while not memhpd.process.lines.empty():
        lines.append(memhpd.process.lines.get())
    return lines


def case_resilience_calls_when_the_bus_restarts(checks, rig):
    """Who was waiting for polkit is forgotten with their bus, and nothing is done."""
    rig.start_bus()
    stub = rig.start_stub("hang")
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    rig.wait_for_name("org.memhp1")
    client = Client(rig, NOBODY)
    for _ in range(8):
        client.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "Offline", "sa{sv}", ["39", {}])
        stub.wait_for("^check")
    rig.bus.end(signal.SIGKILL)
    stub.end(signal.SIGKILL)
    _bus_again(rig)
    checks.equal("nothing was done", memhpd.do("zone 39"), "Movable")
    checks.equal("others are served", len(Client(rig).manager("Offline", "sa{sv}", ["39", {}])), 2)
    memhpd.until("zone 39", "")


def case_resilience_bus_hangs(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    rig.wait_for_name("org.memhp1")
    root = Client(rig)
    memhpd.do("hold 39")
    path = root.manager("Offline", "sa{sv}", ["36-39", {}])[1]
    memhpd.until("held", "yes")
    rig.bus.kill(signal.SIGSTOP)
    memhpd.do("release")
    memhpd.until("zone 36", "")
    checks.expect(True, "a job goes on")
    # More signals than any socket takes: others' doing is told block by block.
    memhpd.do("dimm PNP0C80:02 1000-1199 1")
    memhpd.until("zone 1199", "Movable")
    for round_ in range(12):
        for block in range(1000, 1200, 2):
            memhpd.do(f"set {block} {'online_movable' if round_ % 2 else 'offline'}")
    memhpd.do("dimm PNP0C80:03 2000-2003 1")
    memhpd.until("zone 2003", "Movable")
    checks.expect(True, "memory is brought online")
    rig.bus.kill(signal.SIGCONT)
    client = Client(rig, OTHER)
    checks.equal("afterwards all is told", (client.properties(path, "Job")["State"], client.properties("/org/memhp1", "Manager")["Blocks"]), ("done", 244))
    rig.bus.kill(signal.SIGSTOP)
    for block in range(1000, 1200, 2):
        memhpd.do(f"set {block} offline")
    begun = time.monotonic()
    checks.equal("it ends well", memhpd.end(), 0)
    checks.expect(time.monotonic() - begun < 30, "and does not wait for the bus", time.monotonic() - begun)
    rig.bus.kill(signal.SIGCONT)


def case_resilience_bus_hangs_from_the_start(checks, rig):
    """It takes the connection, and never says a word."""
    rig.start_bus()
    rig.bus.kill(signal.SIGSTOP)
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    memhpd.do("dimm PNP0C80:02 48-49 1")
    memhpd.until("zone 49", "Movable")
    checks.expect(True, "memory is brought online")
    rig.bus.kill(signal.SIGCONT)
    rig.wait_for_name("org.memhp1")
    checks.expect(True, "it comes when the bus does")
    rig.bus.kill(signal.SIGSTOP)
    checks.equal("ends well", memhpd.end(), 0)
    rig.bus.kill(signal.SIGCONT)


def case_resilience_the_name_is_taken(checks, rig):
    rig.start_bus()
    probe = rig.start_probe()
    memhpd = rig.start_memhpd(setup=SETUP)
    memhpd.until("zone 39", "Movable")
    memhpd.process.wait_for("the name org.memhp1 cannot be had: another program has it")
    checks.expect(True, "memory is brought online, and the journal tells what is wrong")
    probe.end()
    rig.wait_for_name("org.memhp1")
    checks.equal("it takes the name when it can", Client(rig, NOBODY).properties("/org/memhp1", "Manager")["Ready"], True)
