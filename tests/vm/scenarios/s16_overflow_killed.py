# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd is killed (SIGKILL) in the middle of a burst that overflowed its buffer, and started again: all go online."""

from vmlib import claims, contract, starved
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "overflow-killed"
FULL_ONLY = True
MACHINE = {"boot_memory": 2 * GIB}
BLOCKS = 608
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    starved.start_daemon(guest, report, POLICY)
    report.did("stop memhpd and plug a DIMM of 44 GiB into node 1 and one of 32 GiB into node 2")
    guest.signal_daemon("STOP")
    guest.plug_dimm("d1", 44 * GIB, node=1)
    guest.plug_dimm("d2", 32 * GIB, node=2)
    guest.wait_until(f"{BLOCKS} blocks", lambda view: len(view.new_since(before)) == BLOCKS, 120)
    starved.expect_overflow(guest, report, BLOCKS)

    report.did("let it go on, and kill it when 50 blocks are online")
    guest.signal_daemon("CONT")
    guest.wait_until("50 blocks online", lambda view: online(view, before) >= 50, 60, pause=0)
    guest.kill_daemon()
    count = online(guest.look(), before)
    report.saw(f"killed with {count} of {BLOCKS} blocks online")
    if not 50 <= count < BLOCKS:
        raise Failed(f"it was not in the middle: {count} of {BLOCKS} blocks were online")

    report.did("start memhpd again")
    guest.start_daemon()
    guest.wait_until(f"{BLOCKS} blocks online", lambda view: online(view, before) == BLOCKS, 120, pause=1)
    after = guest.look()
    for node, blocks in ((1, 352), (2, 256)):
        claims.expect_blocks(report, after.of_node(node), blocks, "online", "Movable", f" on node {node}")
        claims.expect_growth(report, before, after, node, "Movable", blocks)
    claims.expect_same_boot_memory(report, before, after)
    report.expect(not contract.lost_blocks(guest.log()), "memhpd takes nothing of its earlier work for a lost race")
    claims.expect_healthy(guest, report)


def online(view, before):
    return sum(b.state == "online" for b in view.new_since(before).values())
