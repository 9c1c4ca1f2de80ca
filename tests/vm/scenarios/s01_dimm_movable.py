# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DIMM of 1 GiB on node 1 goes online in Movable, and the zone grows by exactly that much.

Compared are present and managed pages of /proc/zoneinfo, and the sum over /proc/buddyinfo. Node 1 is empty before and
nothing runs there, so all its free pages should be in the buddy lists. Pages in the per-CPU lists of the zone are
counted too, as they would be missing from both; nothing else is allowed to be missing.
"""

from vmlib import claims
from vmlib.machine import GIB

NAME = "dimm-movable"
BLOCKS = 8
POLICY = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did("plug a DIMM of 1 GiB into node 1")
    guest.plug_dimm("d0", GIB, node=1)
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == BLOCKS)
    new = after.new_since(before)
    claims.expect_blocks(report, new, BLOCKS, "online", "Movable", " on node 1")
    report.expect_equal("nodes of the new blocks", {n for b in new.values() for n in b.nodes}, {1})
    lines = claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable")
    report.expect_equal("lines memhpd needed for a DIMM", len(lines), 1)

    # Looked at again: the view above may be from the middle of the last block's way into the zone.
    after = guest.look()
    buddy, per_cpu = claims.expect_growth(report, before, after, 1, "Movable", BLOCKS)
    pages = BLOCKS * claims.PAGES_PER_BLOCK
    report.expect_equal("buddyinfo and per-CPU lists together", buddy + per_cpu, pages)
    report.expect_equal("node 1 Movable: free by zoneinfo and by buddyinfo", after.zone(1, "Movable").free,
                        after.zone(1, "Movable").buddy_pages)
    report.expect_equal("node 1 Normal: present pages", after.zone(1, "Normal").present, 0)
    claims.expect_same_boot_memory(report, before, after)

    first = min(new)
    claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))
    claims.expect_statistics_agree(guest, report, 1, "Movable")
    claims.expect_explained(guest, report, first, "online_movable", "dimms", "Movable")
    claims.expect_healthy(guest, report)
