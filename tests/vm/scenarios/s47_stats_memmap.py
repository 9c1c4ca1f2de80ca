# SPDX-License-Identifier: LGPL-2.1-or-later
"""With memmap_on_memory, `memhpctl stats` tells that struct pages lie in the new memory, and how much: what the kernel zones
did not have to give.

Kernels before 6.7 do so only for what is added as a single block: four DIMMs of one block.
"""

from vmlib import claims, stats
from vmlib.machine import BLOCK, MIB

NAME = "stats-memmap"
MACHINE = {"append": f"{stats.APPEND} memory_hotplug.memmap_on_memory=1"}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    report.did("plug four DIMMs of one block into node 1")
    free = stats.bytes_of(guest.look(), stats.KERNEL_ZONES, "free")
    for n in range(4):
        guest.plug_dimm(f"d{n}", BLOCK, node=1)
    view = guest.wait_until("4 blocks online", lambda v: sum(b.state == "online" for b in v.of_node(1).values()) == 4)
    cost = free - stats.bytes_of(guest.look(), stats.KERNEL_ZONES, "free")
    answer = stats.expect_agree(guest, report, {b.firmware for b in view.new_since(before).values()})
    node = stats.node_of(answer, 1)
    report.expect_equal("the kernel's setting", answer["memmap_on_memory"], True)
    report.expect_equal("struct pages, and where they are", node["memmap"], {"bytes": 8 * MIB, "inside": 8 * MIB})
    report.saw(f"the kernel zones have {cost / MIB:.1f} MiB less free")
    report.expect(cost < 8 * MIB, "less than the struct pages would take there")
    report.expect_equal("another one takes none of them", (answer["next_add"]["size"], answer["next_add"]["memmap"]), (BLOCK, 0))

    report.did("set one of them offline: it is in no zone then, and nobody can tell")
    guest.check(f"echo offline >/sys/devices/system/memory/memory{min(view.new_since(before))}/state")
    answer = guest.ctl("stats")
    report.expect_equal("struct pages", stats.node_of(answer, 1)["memmap"], {"bytes": 8 * MIB, "inside": None})
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
