# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd finds DIMMs of which a part is online already: the rest follows, and that part is not counted twice.

What is known last may count first: kernel memory is behind the block that is decided.

So it is with the kernel's own policy: it asks for room for what is left of the DIMM, and what is beside kernel memory
becomes kernel memory.
"""

from vmlib import claims
from vmlib.balance import MEMORY
from vmlib.machine import GIB, MIB

NAME = "balance-rest"
MACHINE = {"boot_memory": GIB}
POLICY = claims.policy('{ name = "balanced"; match = { }; action = "balance"; movable_ratio = 120; numa_aware = false; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    base = guest.look()
    claims.expect_block_size(base)
    report.did("a DIMM of 896 MiB, 4 of its 7 blocks put online in Movable by hand; one of 256 MiB, the second in Normal")
    guest.plug_dimm("d0", 896 * MIB, 1)
    guest.wait_until("its blocks", lambda v: len(v.new_since(base)) == 7)
    guest.plug_dimm("d1", 256 * MIB, 2)
    added = guest.wait_until("all blocks", lambda v: len(v.new_since(base)) == 9)
    first = min(added.new_since(base))
    for n in range(4):
        guest.check(f"echo online_movable >{MEMORY}/memory{first + n}/state")
    guest.check(f"echo online_kernel >{MEMORY}/memory{first + 8}/state")

    report.did("start memhpd, rule balance, 120 %: 87 % with all of the first DIMM, 112 % with the second one")
    guest.start_daemon(POLICY)
    after = guest.wait_until("all online", lambda v: all(b.state == "online" for b in v.blocks.values()))
    report.quote(guest.wait_log("both DIMMs", lambda log: "PNP0C80:00" in log and "PNP0C80:01" in log and log))
    claims.expect_blocks(report, after.of_node(1), 7, "online", "Movable", " of the first DIMM")
    claims.expect_blocks(report, after.of_node(2), 2, "online", "Normal", " of the second DIMM")
    claims.expect_same_boot_memory(report, base, after)
    claims.expect_healthy(guest, report)
