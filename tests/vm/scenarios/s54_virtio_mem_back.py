# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtio-mem device is given back to the host: memhpctl offline device:virtio0, then the host asks for all of it."""

from vmlib import bus, claims
from vmlib.machine import GIB

NAME = "virtio-mem-back"
MACHINE = {"virtio_mem_max": 4 * GIB, "virtio_mem_node": 2}
POLICY = claims.policy('{ name = "vm"; match = { source = [ "virtio-mem" ]; }; action = "online_movable"; }', reconcile='"1s"')


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did("the host gives 2 GiB; 700 MiB of it are in use")
    guest.resize_virtio_mem(2 * GIB)
    view = guest.wait_until("16 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(2).values()) == 16)
    new = view.new_since(before)
    fill = bus.fill(guest, 2, 700)
    bus.wait_name(guest)

    report.did("half of it, by size")
    result = bus.ask(guest, "offline --size 1G --source virtio-mem")
    report.expect_equal("exit status", result.status, 0)
    view = guest.look()
    report.expect_equal("blocks that are offline", sum(b.state == "offline" for b in view.of_node(2).values()), 8)

    report.did("all of it")
    fill.let_go()
    device = guest.ctl("list source:virtio-mem")["ranges"][0]["device"]
    status, out = bus.people(guest, f"offline device:{device}")
    report.quote(out)
    report.expect_equal("exit status", status, 0)
    claims.expect_stays(guest, report, new, 1.6, "past a reconcile")

    report.did("the host takes it back")
    guest.resize_virtio_mem(0)
    guest.wait_until("no block is left", lambda view: not view.of_node(2))
    report.saw("all blocks are gone")
    report.did("and gives some again: new memory, for the policy to decide about")
    guest.resize_virtio_mem(GIB)
    guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(2).values()) == 8)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
