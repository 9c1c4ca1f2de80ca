# SPDX-License-Identifier: LGPL-2.1-or-later
"""A rule for node 1 puts a DIMM's memory into zone Normal, while a DIMM on node 2 goes to Movable."""

from vmlib import claims
from vmlib.machine import GIB

NAME = "dimm-kernel"
POLICY = claims.policy(
    '{ name = "node-1"; match = { source = [ "dimm" ]; node = "1"; }; action = "online_kernel"; }',
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    for node, zone, rule, size in ((1, "Normal", "node-1", GIB), (2, "Movable", "dimms", GIB // 2)):
        earlier = guest.look()
        blocks = size // earlier.block_size
        report.did(f"plug a DIMM of {size >> 20} MiB into node {node}")
        guest.plug_dimm(f"d{node}", size, node)
        after = guest.wait_until(f"{blocks} blocks online on node {node}", lambda view, node=node, blocks=blocks: sum(
            b.state == "online" for b in view.of_node(node).values()) == blocks)
        new = after.new_since(earlier)
        claims.expect_blocks(report, new, blocks, "online", zone, f" on node {node}")
        claims.expect_told(guest, report, new, guest.device_of(new), f"online in {zone}")
        # No claim about free pages: kernel memory is allocated from Normal as soon as it is there.
        after = guest.look()
        claims.expect_growth(report, earlier, after, node, zone, blocks)
        other = "Movable" if zone == "Normal" else "Normal"
        report.expect_equal(f"node {node} {other}: present pages", after.zone(node, other).present, 0)
        claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))
        claims.expect_explained(guest, report, min(new), "online_kernel" if zone == "Normal" else "online_movable",
                                rule, zone)

    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
