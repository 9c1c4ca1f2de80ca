# SPDX-License-Identifier: LGPL-2.1-or-later
"""With memory_hotplug.memmap_on_memory=1, blocks hold their own page descriptors: online all the same, and told right.

A block of 128 MiB needs 512 pages for the descriptors of its 32768 pages: present, but not managed. Kernels before 6.7
do so only for what is added as a single block. So: four DIMMs of one block, and one of eight.
"""

from vmlib import claims
from vmlib.machine import BLOCK, GIB
from vmlib.report import Failed

NAME = "memmap-on-memory"
MACHINE = {"append": "memory_hotplug.memmap_on_memory=1"}
OWN = claims.PAGES_PER_BLOCK * 64 // 4096       # pages of descriptors in a block
SMALL = 4
POLICY = claims.policy(
    '{ name = "node-2"; match = { source = [ "dimm" ]; node = "2"; }; action = "online_kernel"; }',
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    parameter = guest.check("cat /sys/module/memory_hotplug/parameters/memmap_on_memory").strip()
    report.expect_equal("the kernel's memmap_on_memory", parameter, "Y")
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did(f"plug {SMALL} DIMMs of one block into node 1")
    for n in range(SMALL):
        guest.plug_dimm(f"small{n}", BLOCK, node=1)
    after = settled(guest, 1, SMALL)
    claims.expect_blocks(report, after.of_node(1), SMALL, "online", "Movable", " on node 1")
    claims.expect_growth(report, before, after, 1, "Movable", SMALL, own_memmap=SMALL * OWN)
    claims.expect_statistics_agree(guest, report, 1, "Movable")
    for number, block in after.of_node(1).items():
        claims.expect_told(guest, report, [number], block.firmware, "online in Movable")
        claims.expect_list_agrees(guest, report, after, {number: block}, "dimm", block.firmware)

    report.did("plug a DIMM of 1 GiB into node 2")
    guest.plug_dimm("large", GIB, node=2)
    after = settled(guest, 2, 8)
    new = after.of_node(2)
    claims.expect_blocks(report, new, 8, "online", "Normal", " on node 2")
    missing = after.zone(2, "Normal").present - after.zone(2, "Normal").managed
    if missing not in (0, 8 * OWN):
        raise Failed(f"node 2 Normal: {missing} pages present but not managed: neither 0 nor {8 * OWN}")
    claims.expect_growth(report, before, after, 2, "Normal", 8, own_memmap=missing)
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Normal")
    claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))

    report.did("unplug one of the small ones")
    guest.unplug("small1")
    gone = guest.wait_until("its block is gone", lambda view: len(view.of_node(1)) == SMALL - 1)
    claims.expect_growth(report, before, gone, 1, "Movable", SMALL - 1, own_memmap=(SMALL - 1) * OWN)
    claims.expect_same_boot_memory(report, before, gone)
    claims.expect_healthy(guest, report)


def settled(guest, node, count):
    guest.wait_until(f"{count} blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node).values()) == count)
    # Looked at again: the view above may be from the middle of the last block's way into the zone.
    return guest.look()
