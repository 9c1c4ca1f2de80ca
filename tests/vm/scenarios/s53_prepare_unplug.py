# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole DIMM is taken offline before it is unplugged: memhpd does not bring it back, not at a reconcile, a reload or a restart;
then it is pulled at once. Another one goes with --eject, which has ACPI power it off."""

import time

from vmlib import bus, claims, contract
from vmlib.machine import GIB

NAME = "prepare-unplug"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }', reconcile='"1s"')
LATER = 1.6


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did("plug two DIMMs of 1 GiB; half a gigabyte of the first is in use")
    first = plug(guest, "d0", 1)
    second = plug(guest, "d1", 2)
    device, other = guest.device_of(first), guest.device_of(second)
    fill = bus.fill(guest, 1, 512)
    bus.wait_name(guest)

    report.did(f"memhpctl offline device:{device}")
    status, out = bus.people(guest, f"offline device:{device}")
    report.quote(out)
    report.expect_equal("exit status", status, 0)
    report.expect("8 blocks (1G) offline" in out and "it can be unplugged" in out, "it says that it can be pulled")
    claims.expect_stays(guest, report, first, LATER, "past a reconcile")
    mark = len(guest.log())
    guest.signal_daemon("HUP")
    guest.wait_log("that it reloaded", lambda log: contract.RELOADED.search(log[mark:]))
    claims.expect_stays(guest, report, first, LATER, "past a reload")
    guest.stop_daemon()
    guest.start_daemon()
    claims.expect_stays(guest, report, first, LATER, "past a restart")
    view = guest.look()
    claims.expect_blocks(report, {n: view.blocks[n] for n in first}, 8, "offline", where=f" of {device}")

    report.did("unplug it")
    started = time.monotonic()
    guest.unplug("d0")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(1))
    report.saw(f"gone after {time.monotonic() - started:.1f} s")

    report.did("one that comes in its place is new: the policy decides about it")
    plug(guest, "d2", 1)

    report.did(f"memhpctl offline device:{other} --eject")
    bus.wait_name(guest)
    status, out = bus.people(guest, f"offline device:{other} --eject")
    report.quote(out)
    report.expect_equal("exit status", status, 0)
    report.expect(f"{other}: ejected" in out, "it says so")
    guest.qemu.wait_event(("DEVICE_DELETED",), lambda data: data.get("device") == "d1", 30, "the DIMM leaves")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(2))
    report.saw("QEMU let it go, though nobody had asked it to")

    report.did("what cannot be ejected is refused before anything is touched")
    status, out = bus.people(guest, "offline device:nothing --eject")
    report.expect_equal("exit status", status, 1)
    report.quote(out)
    fill.let_go()
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def plug(guest, name, node):
    before = guest.look()
    guest.plug_dimm(name, GIB, node=node)
    view = guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(node).values()) == 8)
    return view.new_since(before)
