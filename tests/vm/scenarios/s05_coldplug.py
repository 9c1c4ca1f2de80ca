# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd starts after the memory was added: it finds the offline blocks, and leaves boot memory alone."""

import time

from vmlib import claims, contract
from vmlib.machine import GIB

NAME = "coldplug"
POLICY = claims.policy('{ name = "all-movable"; match = { }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)

    report.did("plug a DIMM of 1 GiB into node 1, with no memhpd around")
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks on node 1", lambda view: len(view.of_node(1)) == 8)
    time.sleep(2)
    added = guest.look()
    claims.expect_blocks(report, added.new_since(before), 8, "offline", where=" on node 1, two seconds later")

    report.did("start memhpd; its rule wants all memory in Movable, and boot memory is not")
    guest.start_daemon(POLICY)
    guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    after = guest.look()
    new = after.new_since(before)
    claims.expect_blocks(report, new, 8, "online", "Movable", " on node 1")
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable")
    claims.expect_growth(report, before, after, 1, "Movable", 8)
    claims.expect_same_boot_memory(report, before, after)
    report.expect(not contract.lost_blocks(guest.log()), "memhpd calls nothing of that a lost race")
    claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))

    report.did("start it again: everything is as it wants it, so nothing happens")
    guest.stop_daemon()
    guest.start_daemon()
    time.sleep(2)
    claims.expect_same_boot_memory(report, after, guest.look())
    claims.expect_healthy(guest, report)
