# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder that looks like /sys and /proc, built in the words of memory hot-plug."""

import os

MIB = 1 << 20
GIB = 1 << 30

ZONEINFO = """\
Node 0, zone   Normal
  per-node stats
      nr_inactive_anon 17
      nr_dirtied   4096
  pages free     1000
        boost    0
        min      10
        low      20
        high     30
        spanned  32768
        present  32000
        managed  31000
        cma      0
        protection: (0, 0, 7)
      nr_free_pages 1000
      nr_zspages   3
  pagesets
    cpu: 0
              count: 5
              high:  378
              batch: 63
  vm stats threshold: 6
  node_unreclaimable:  0
  start_pfn:           4096
Node 1, zone  Movable
  pages free     0
        boost    0
        min      0
        low      0
        high     0
        spanned  0
        present  0
        managed  0
        cma      0
        protection: (0, 0, 0)
"""

BUDDYINFO = """\
Node 0, zone   Normal      4      2      1
Node 1, zone  Movable      0      0      0
"""


def zone_text(node, zone, start, pages, free):
    """A zone's part of /proc/zoneinfo, as long as memhpctl needs it; an empty zone ends early, as the kernel's do."""
    text = (f"Node {node}, zone {zone:>8}\n  pages free     {free}\n        boost    0\n        min      {pages // 500}\n"
            f"        low      {pages // 400}\n        high     {pages // 333}\n        spanned  {pages + 7}\n"
            f"        present  {pages}\n        managed  {pages - pages // 64}\n        cma      0\n"
            f"        protection: (0, 0, {node})\n")
    if not pages:
        return text.replace("spanned  7", "spanned  0")
    return text + (f"      nr_free_pages {free}\n      nr_zspages   0\n  pagesets\n    cpu: 0\n              count:    17\n"
                   f"              high:     186\n              batch:    63\n  vm stats threshold: 4\n"
                   f"  node_unreclaimable:  0\n  start_pfn:           {start}\n")


def device_zone_text(node, spanned):
    """Zone Device spans pages, but has none present."""
    return zone_text(node, "Device", 0, 0, 0).replace("spanned  0", f"spanned  {spanned}")


def buddy_text(node, zone, counts):
    return f"Node {node}, zone {zone:>8} " + "".join(f"{n:6} " for n in counts) + "\n"


class Tree:
    def __init__(self, root, block_size=128 * MIB):
        self.root = root
        self.block_size = block_size
        self.memory = os.path.join(root, "sys/devices/system/memory")
        self.node = os.path.join(root, "sys/devices/system/node")
        os.makedirs(self.memory)
        os.makedirs(self.node)
        os.makedirs(os.path.join(root, "proc"))
        self.write("sys/devices/system/memory/block_size_bytes", f"{self.block_size:x}\n")
        self.write("sys/devices/system/memory/auto_online_blocks", "offline\n")
        self.resources = []

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def remove(self, path):
        os.unlink(os.path.join(self.root, path))

    def add_block(self, number, state="online", zones="Normal", node=0, firmware=None, removable="1"):
        folder = os.path.join(self.memory, f"memory{number}")
        os.mkdir(folder)
        for name, text in (("state", state), ("valid_zones", zones), ("removable", removable)):
            if text is not None:
                with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                    f.write(text + "\n")
        for n in [] if node is None else [node] if isinstance(node, int) else node:
            self.link(number, n)
        if firmware:
            os.symlink(f"../../../LNXSYSTM:00/{firmware}", os.path.join(folder, "firmware_node"))

    def link(self, number, node):
        folder = os.path.join(self.node, f"node{node}")
        os.makedirs(folder, exist_ok=True)
        os.symlink(f"../../node/node{node}", os.path.join(self.memory, f"memory{number}", f"node{node}"))
        os.symlink(f"../../memory/memory{number}", os.path.join(folder, f"memory{number}"))

    def manifest(self, architecture, page_size):
        self.write("MANIFEST", f"kernel 6.12\narchitecture {architecture}\npage_size {page_size}\n")
        return self

    def add_blocks(self, numbers, **facts):
        for number in numbers:
            self.add_block(number, **facts)
        return self

    def resource(self, first, last, *names):
        """Blocks first … last in /proc/iomem: the outermost name first."""
        start, end = first * self.block_size, (last + 1) * self.block_size - 1
        for depth, name in enumerate(names):
            self.resources.append(f"{'  ' * depth}{start:08x}-{end:08x} : {name}\n")
        self.write("proc/iomem", "".join(self.resources))
        return self

    def statistics(self, zoneinfo=ZONEINFO, buddyinfo=BUDDYINFO):
        self.write("proc/zoneinfo", zoneinfo)
        self.write("proc/buddyinfo", buddyinfo)
        return self


def machine(tree):
    """Boot memory, a DIMM, a virtio-mem device, persistent memory as RAM and a driver's own."""
    tree.add_block(0, zones="none")
    tree.add_blocks(range(1, 8))
    tree.add_blocks(range(32, 40), zones="Movable", node=1, firmware="PNP0C80:01")
    tree.add_blocks(range(40, 42), zones="Normal", node=1, firmware="PNP0C80:02")
    tree.add_blocks(range(48, 52), zones="Movable", node=2)
    tree.add_blocks(range(64, 67), state="offline", zones="Normal Movable", node=3)
    tree.add_blocks(range(80, 82), zones="Movable", node=4)
    tree.resource(0, 7, "System RAM")
    tree.resource(32, 39, "System RAM")
    tree.resource(40, 41, "System RAM")
    tree.resource(48, 55, "virtio0", "System RAM (virtio_mem)")
    tree.resource(64, 66, "Persistent Memory", "dax0.0", "System RAM (kmem)")
    tree.resource(80, 81, "System RAM (nvidia)")
    return tree.statistics()
