# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees of machines that are not at hand, each as odd as its kind is."""

import os
import shutil

from .tree import GIB, MIB, buddy_text, device_zone_text, zone_text


def power(ctl):
    """A PowerVM partition: 64 KiB pages, logical memory blocks of 16 MiB, of which some were removed and some just came."""
    tree = ctl.tree(block_size=16 * MIB).manifest("ppc64le", 65536)
    tree.add_blocks(range(0, 64), zones="Normal", node=0)
    tree.add_blocks(range(64, 100), zones="Normal", node=2)
    tree.add_blocks(range(128, 200), zones="Movable", node=2)
    tree.add_blocks(range(240, 256), zones="Normal Movable", node=2, state="offline")
    tree.resource(0, 99, "System RAM").resource(128, 255, "System RAM")
    tree.write("proc/ppc64/lparcfg", "")
    return tree.statistics(zone_text(0, "Normal", 0, 16384, 2000) + zone_text(2, "Normal", 16384, 9216, 100) +
                           zone_text(2, "Movable", 32768, 18432, 18000) + device_zone_text(2, 0),
                           buddy_text(0, "Normal", [3, 0, 1, 9, 0, 0, 2, 0, 7]) +
                           buddy_text(2, "Normal", [1, 2, 3, 4, 5, 0, 0, 0, 0]) +
                           buddy_text(2, "Movable", [0, 0, 0, 0, 0, 0, 0, 0, 70]))


def arm(ctl):
    """An arm64 server: 16 KiB pages, memory from 1 GiB on, a hole of terabytes, a DIMM and a virtio-mem device."""
    tree = ctl.tree().manifest("aarch64", 16384)
    tree.add_blocks(range(8, 24), node=0)
    tree.add_blocks(range(16777216, 16777224), zones="Movable", node=1, firmware="PNP0C80:00")
    tree.add_blocks(range(20000000, 20000003), zones="Movable Normal", node=1, state="offline")
    tree.resources += ["40000000-bfffffff : System RAM\n", "  40210000-41cdffff : Kernel code\n",
                       "  41ce0000-420effff : reserved\n", "  b9000000-b91fffff : reserved\n"]
    tree.resource(16777216, 16777223, "System RAM")
    tree.resource(20000000, 20000031, "virtio3", "System RAM (virtio_mem)")
    return tree.statistics(zone_text(0, "DMA", 65536, 131072, 1000) + zone_text(1, "Movable", 137438953472, 65536, 65000),
                           buddy_text(0, "DMA", [0, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) +
                           buddy_text(1, "Movable", [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 31]))


def mainframe(ctl):
    """A s390 guest: blocks of 256 MiB, half of them standby, of which /proc/iomem knows nothing."""
    tree = ctl.tree(block_size=256 * MIB).manifest("s390x", 4096)
    tree.add_blocks(range(0, 8))
    tree.add_blocks(range(8, 16), zones="Normal Movable", state="offline")
    tree.resource(0, 7, "System RAM")
    tree.write("sys/bus/ccw/drivers_autoprobe", "1\n")
    return tree.statistics(zone_text(0, "DMA", 0, 524288, 4000) + zone_text(0, "Normal", 524288, 0, 0),
                           buddy_text(0, "DMA", [0] * 8 + [15, 0]))


def gaps(ctl):
    """Holes everywhere, blocks of several nodes, states that few have seen."""
    tree = ctl.tree()
    tree.add_block(3, zones="none", node=[0, 1, 7])
    tree.add_block(4, zones="none", node=[0, 1])
    tree.add_blocks([5, 6, 8, 9, 11], node=[0, 1])
    tree.add_blocks([12, 13], node=1023)
    tree.add_block(14, state="going-offline", zones="Movable", node=1023)
    tree.add_blocks([15, 16], state="offline", zones="Movable Normal", node=1023)
    tree.add_blocks([17, 18], state="offline", zones="Normal Movable", node=1023)
    tree.add_blocks([99, 1000000], removable="0")
    tree.add_block(1000001, removable=None)
    tree.resource(3, 4, "System RAM").resource(5, 14, "System RAM").resource(99, 99, "System RAM (device)")
    tree.resource(1000000, 1000000, "Persistent Memory", "dax9.9", "System RAM (kmem)")
    return tree


def large(ctl):
    """Blocks of 2 GiB, eight nodes, CXL and soft reserved memory as system memory, some left offline."""
    tree = ctl.tree(block_size=2 * GIB).manifest("x86_64", 4096)
    tree.add_block(0, zones="none")
    for node in range(8):
        tree.add_blocks(range(2 + node * 32, 2 + (node + 1) * 32), node=node, zones="Normal" if node < 6 else "Movable")
    tree.add_blocks(range(2048, 2056), node=8, zones="Movable")
    tree.add_blocks(range(2056, 2064), node=9, zones="Movable Normal", state="offline")
    tree.resource(0, 0, "System RAM").resource(2, 257, "System RAM")
    tree.resource(2048, 2055, "CXL Window 0", "region0", "dax0.0", "System RAM (kmem)")
    tree.resource(2056, 2063, "hmem.0", "Soft Reserved", "dax1.0", "System RAM (kmem)")
    return tree.statistics(zone_text(0, "Normal", 1 << 20, 1 << 24, 1 << 20), buddy_text(0, "Normal", [0] * 10 + [1024]))


def no_numa(ctl):
    """A kernel without NUMA: no node has a folder, no block a link."""
    tree = ctl.tree().add_blocks(range(0, 40), node=None)
    tree.add_blocks(range(48, 50), node=None, state="offline", zones="Normal Movable", firmware="PNP0C80:0a")
    shutil.rmtree(tree.node)
    return tree.resource(0, 39, "System RAM").resource(48, 49, "System RAM")


def dangling(ctl, blocks, without="node1"):
    """Links to nodes that were not captured: to node 1, or to all of them."""
    tree = ctl.tree().add_blocks(range(0, blocks), node=0).add_blocks(range(100, 100 + blocks), node=1, zones="Movable")
    shutil.rmtree(os.path.join(tree.node, without))
    return tree.resource(0, blocks - 1, "System RAM").resource(100, 99 + blocks, "System RAM")


def bare(ctl):
    """Nothing but the blocks' states."""
    tree = ctl.tree().add_blocks(range(0, 34), node=0, zones=None, removable=None)
    tree.add_blocks(range(40, 44), node=0, zones=None, removable=None, state="offline")
    return tree


def device_memory(ctl, spanned=(0, 1 << 19)):
    """An fsdax namespace and a dax device that nothing turned into system memory, beside one that is."""
    tree = ctl.tree().manifest("x86_64", 4096).add_blocks(range(0, 8)).add_blocks(range(48, 56), node=1, state="offline",
                                                                                    zones="Normal Movable")
    tree.resource(0, 7, "System RAM").resource(32, 47, "Persistent Memory", "namespace0.0")
    tree.resource(48, 55, "Persistent Memory", "dax1.0", "System RAM (kmem)")
    tree.resource(64, 71, "CXL Window 0", "region0", "dax2.0")
    return tree.statistics(zone_text(0, "Normal", 0, 262144, 100) +
                           "".join(device_zone_text(n, pages) for n, pages in enumerate(spanned)),
                           buddy_text(0, "Normal", [100]))
