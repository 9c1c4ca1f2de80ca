# SPDX-License-Identifier: LGPL-2.1-or-later
"""Of blocks that an administrator set offline, one is unplugged while memhpd is away: the others stay offline.

A virtio-mem device gives its memory back block by block, and those that are offline first.
"""

from vmlib import admin, claims, contract
from vmlib.machine import GIB

NAME = "shrunk-meanwhile"
MACHINE = {"virtio_mem_max": 4 * GIB, "virtio_mem_node": 2}
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }', reconcile='"1s"')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    device = guest.check("cd /sys/bus/virtio/drivers/virtio_mem && echo virtio[0-9]*").strip()
    guest.start_daemon(POLICY)
    report.did("ask the virtio-mem device of node 2 to grow to 1 GiB; an administrator sets 4 of its blocks offline")
    guest.resize_virtio_mem(GIB)
    after = guest.wait_until("8 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 8)
    numbers = sorted(after.new_since(before))
    by_hand = numbers[2:6]
    admin.set_state(guest, by_hand, "offline")
    claims.expect_told(guest, report, by_hand, device, contract.SET_OFFLINE)

    report.did("stop memhpd; while it is away, the device shrinks by one block")
    guest.stop_daemon()
    guest.resize_virtio_mem(GIB - before.block_size)
    shrunk = guest.wait_until("7 blocks on node 2", lambda view: len(view.of_node(2)) == 7)
    left = [n for n in by_hand if n in shrunk.blocks]
    report.expect_equal("blocks that the administrator set offline and that are still there", len(left), 3)

    report.did("start memhpd")
    guest.start_daemon()
    view = claims.expect_stays(guest, report, shrunk.of_node(2), 1.6, "past a reconcile")
    claims.expect_blocks(report, {n: view.blocks[n] for n in left}, 3, "offline", where=" of the administrator")
    rest = {n: b for n, b in view.of_node(2).items() if n not in left}
    claims.expect_blocks(report, rest, 4, "online", "Movable", " beside them")

    report.did("ask the device to grow to 1 GiB again: the new block goes online")
    guest.resize_virtio_mem(GIB)
    view = guest.wait_until("5 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 5)
    claims.expect_blocks(report, {n: view.blocks[n] for n in left}, 3, "offline", where=" of the administrator")
    claims.expect_same_boot_memory(report, before, view)
    claims.expect_healthy(guest, report)
