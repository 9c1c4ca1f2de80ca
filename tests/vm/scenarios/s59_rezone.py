# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl rezone moves memory that is in use to another zone; a block that cannot be emptied stays where it is, and one that cannot
go where it should comes back to where it was."""

from vmlib import admin, bus, claims
from vmlib.machine import GIB
from vmlib.report import Skipped

NAME = "rezone"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }', offline_timeout='"4s"')
ENOMEM = -12


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did("plug a DIMM of 1 GiB into node 1, online in Movable, 200 MiB of it in use, and a page in block 34 pinned")
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(1).values()) == 8)
    fill = bus.fill(guest, 1, 200)
    pin = bus.pin(guest, 1, [34])
    bus.wait_name(guest)

    report.did("memhpctl rezone 32-35 --zone kernel")
    status, out = bus.people(guest, "rezone 32-35 --zone kernel")
    report.quote(out)
    report.expect_equal("exit status", status, 64)
    expect_zones(guest, report, {32: "Normal", 33: "Normal", 34: "Movable", 35: "Normal", 36: "Movable"})
    report.expect(f"34: not moved: timed out: page {pin.pages()[34]:#x} could not be moved" in out, "why block 34 stays")

    report.did("and back, with the page let go")
    pin.let_go()
    result = bus.ask(guest, "rezone 32-35 --zone movable")
    report.expect_equal("exit status", result.status, 0)
    expect_zones(guest, report, {n: "Movable" for n in range(32, 40)})
    try:
        admin.prepare_failures(guest)
    except Skipped as missing:
        report.saw(f"not tried: a zone that is refused, as {missing}")
    else:
        refused(guest, report)
    fill.let_go()
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def refused(guest, report):
    report.did("the kernel refuses to bring anything online (ENOMEM)")
    admin.fail(guest, "MEM_GOING_ONLINE", ENOMEM)
    result = bus.ask(guest, "rezone 39 --zone kernel")
    report.saw(f"{result.job['state']}: {result.whys()}")
    report.expect_equal("exit status", result.status, 1)
    admin.fail(guest, "MEM_GOING_ONLINE", 0)
    report.did("as soon as it does not, the policy has it back")
    guest.wait_until("block 39 is online", lambda view: view.blocks[39].zone == "Movable")


def expect_zones(guest, report, zones):
    view = guest.look()
    report.expect_equal("zones", {n: view.blocks[n].zone for n in zones}, zones)
