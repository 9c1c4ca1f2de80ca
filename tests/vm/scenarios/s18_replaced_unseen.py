# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DIMM is replaced while memhpd's buffer overflows: it misses that, and still sees that the blocks are other ones.

An administrator had set two blocks of the first DIMM offline. What comes in its place has the same block numbers, but
nobody has decided anything about it.
"""

from vmlib import admin, claims, contract, starved
from vmlib.guest import summary
from vmlib.machine import GIB

NAME = "replaced-unseen"
FULL_ONLY = True
BLOCKS = 256
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    starved.start_daemon(guest, report, POLICY)
    report.did("plug a DIMM of 32 GiB into node 1; an administrator sets two of its blocks offline")
    guest.plug_dimm("d1", 32 * GIB, node=1)
    first = wait_online(guest, BLOCKS).new_since(before)
    claims.expect_blocks(report, first, BLOCKS, "online", "Movable", " on node 1")
    by_hand = sorted(first)[8:10]
    admin.set_state(guest, by_hand, "offline")
    claims.expect_told(guest, report, by_hand, guest.device_of(first), contract.SET_OFFLINE)

    report.did("stop memhpd; the DIMM is unplugged, and another one plugged in its place; let memhpd go on")
    guest.signal_daemon("STOP")
    guest.unplug("d1")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(1))
    guest.plug_dimm("d1", 32 * GIB, node=1)
    again = guest.wait_until(f"{BLOCKS} blocks on node 1", lambda view: len(view.of_node(1)) == BLOCKS).of_node(1)
    report.expect_equal("block numbers, as before", claims.numbers(again), claims.numbers(first))
    report.saw(summary(again.values()))
    starved.expect_overflow(guest, report, 3 * BLOCKS)
    mark = len(guest.log())
    guest.signal_daemon("CONT")
    report.quote(guest.wait_log("that uevents were lost", contract.EVENTS_LOST.search).group(0))
    after = wait_online(guest, BLOCKS)
    claims.expect_blocks(report, after.of_node(1), BLOCKS, "online", "Movable", " on node 1")
    claims.expect_told(guest, report, again, guest.device_of(again), "online in Movable", mark)
    claims.expect_same_boot_memory(report, before, after)
    claims.expect_healthy(guest, report)


def wait_online(guest, count):
    return guest.wait_until(f"{count} blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == count, 120)
