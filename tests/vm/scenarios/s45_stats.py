# SPDX-License-Identifier: LGPL-2.1-or-later
"""`memhpctl stats` is what the kernel's own files say, before a DIMM, after it, and after it is gone; what its struct pages
cost is what the kernel has less.

The DIMM of 2 GiB goes to node 1, which has nothing else: a node without kernel memory. Half of another one stays offline.
"""

from vmlib import admin, claims, stats
from vmlib.machine import GIB, MIB

NAME = "stats"
MACHINE = {"append": stats.APPEND}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; fallback = "online_kernel"; '
                       'max_movable_ratio = 400; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    answer = stats.expect_agree(guest, report, {})
    report.expect_equal("nodes with memory", [n["node"] for n in answer["nodes"]], [0])
    report.expect_equal("hot-added", answer["machine"]["hot_added"], 0)
    report.expect_equal("memmap_on_memory", answer["memmap_on_memory"], False)
    report.expect_equal("the limit a DIMM would go by", answer["machine"]["ratio"]["limit_percent"], 400)

    report.did("plug a DIMM of 2 GiB into node 1")
    free = stats.bytes_of(guest.look(), stats.KERNEL_ZONES, "free")
    guest.plug_dimm("d0", 2 * GIB, node=1)
    view = guest.wait_until("16 blocks online", lambda v: sum(b.state == "online" for b in v.of_node(1).values()) == 16)
    devices = {guest.device_of(view.new_since(before))}
    answer = stats.expect_agree(guest, report, devices)
    node = stats.node_of(answer, 1)
    cost = free - stats.bytes_of(guest.look(), stats.KERNEL_ZONES, "free")
    report.saw(f"memhpctl says that its struct pages take {node['memmap']['bytes'] // MIB} MiB; the kernel zones have "
               f"{cost / MIB:.1f} MiB less free")
    report.expect(28 * MIB <= cost <= 44 * MIB, "that is what they take, give or take what others take and give")
    report.expect_equal("where they are", node["memmap"], {"bytes": 32 * MIB, "inside": 0})
    report.expect_equal("ratio of a node without kernel memory", (node["ratio"]["percent"], node["movable_only"]), (None, True))
    kernel = stats.bytes_of(view, stats.KERNEL_ZONES, "present")
    report.expect_equal("ratio of the machine", answer["machine"]["ratio"]["percent"], 2 * GIB * 100 // kernel)
    report.expect_equal("largest free order of the empty node", node["largest_order"], 10)
    report.expect_equal("another one", (answer["next_add"]["size"], answer["next_add"]["memmap"]), (2 * GIB, 32 * MIB))
    report.expect_equal("alerts", answer["alerts"], [])

    report.did("set two of its blocks offline")
    blocks = sorted(view.new_since(before))[-2:]
    admin.set_state(guest, blocks, "offline")
    answer = stats.expect_agree(guest, report, devices)
    report.expect_equal("offline", answer["machine"]["offline"], 2 * view.block_size)

    report.did("unplug it")
    guest.unplug("d0")
    guest.wait_until("its blocks are gone", lambda v: not v.new_since(before))
    answer = stats.expect_agree(guest, report, {})
    report.expect_equal("nodes with memory", [n["node"] for n in answer["nodes"]], [0])
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
