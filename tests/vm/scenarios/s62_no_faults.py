# SPDX-License-Identifier: LGPL-2.1-or-later
"""512 blocks arrive at once: from the first event to the last report memhpd faults in no page and its heap does not grow."""

from vmlib import claims, contract, process
from vmlib.machine import GIB

NAME = "no-faults"
# One struct page for each page of what comes is taken from here.
MACHINE = {"boot_memory": 3 * GIB}
SIZE, BLOCKS = 64 * GIB, 512
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    first = process.look(guest, guest.daemon_pid)
    report.saw(f"memhpd is ready: {first}")
    report.expect(first.locked > 1024 * 1024, "what it has touched is locked in memory")

    report.did("plug a DIMM of 64 GiB")
    guest.plug_dimm("d0", SIZE, node=1)
    guest.wait_log("all blocks are online", lambda log:
                   len(contract.settled_blocks(log, "PNP0C80:00", "online in Movable")) == BLOCKS, timeout=120)
    last = process.look(guest, guest.daemon_pid)
    claims.expect_blocks(report, guest.look().new_since(before), BLOCKS, "online", "Movable")
    report.saw(f"afterwards: {last}")
    report.expect_equal("page faults of all threads meanwhile", last.faults - first.faults, 0)
    report.expect_equal("bytes of data more", last.data - first.data, 0)
    report.expect_equal("descriptors more", last.descriptors - first.descriptors, 0)
    claims.expect_healthy(guest, report)
