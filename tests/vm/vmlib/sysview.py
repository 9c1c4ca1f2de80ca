# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel itself says, read without any code of memhpd: the truth the scenarios compare with."""

import re

# One command for everything, so that the parts belong together. valid_zones is read only when the node link is there:
# kernels up to 6.1 at least crash when it is read earlier.
SCRIPT = r"""
cd /sys/devices/system/memory
echo "@block_size $(cat block_size_bytes)"
for m in memory[0-9]*; do
        [ -d "$m" ] || continue
        state=; zones=; nodes=
        read -r state <$m/state
        for n in $m/node[0-9]*; do [ -e "$n" ] && nodes="$nodes${nodes:+,}${n##*/node}"; done
        [ -n "$nodes" ] && read -r zones <$m/valid_zones
        echo "@block ${m#memory}|$state|$zones|$nodes"
done 2>/dev/null
# All links in one go: a process for each would take longer than memhpd needs to put the block online.
echo "@firmware"; ls -ld memory[0-9]*/firmware_node 2>/dev/null
echo "@zoneinfo"; cat /proc/zoneinfo
echo "@buddyinfo"; cat /proc/buddyinfo
echo "@iomem"; cat /proc/iomem
"""


class Block:
    def __init__(self, number, state, zones, nodes):
        self.number = number
        self.state = state
        self.zones = zones          # online: the zone it is in; offline: the zones it could go to
        self.nodes = nodes
        self.firmware = None        # the kernel's name of the DIMM it belongs to

    @property
    def zone(self):
        return self.zones[0] if self.state == "online" and len(self.zones) == 1 else None

    def __repr__(self):
        return f"{self.number}:{self.state}/{self.zone or '-'}"


class Zone:
    """Pages, as /proc/zoneinfo has them, and the free pages in the buddy lists by /proc/buddyinfo."""

    def __init__(self):
        self.present = self.managed = self.spanned = self.free = 0
        self.per_cpu = 0            # free, but in the per-CPU lists: the buddy lists do not have them
        self.buddy = []

    @property
    def buddy_pages(self):
        return sum(count << order for order, count in enumerate(self.buddy))


class View:
    def __init__(self, text):
        self.blocks = {}
        self.zones = {}
        self.iomem = []
        self.block_size = 0
        section = None
        node = zone = None
        for line in text.splitlines():
            if line.startswith("@block_size "):
                self.block_size = int(line.split()[1], 16)
            elif line.startswith("@block "):
                self._add_block(line[len("@block "):])
            elif line.startswith("@"):
                section = line[1:]
            elif section == "firmware":
                link = re.search(r"\bmemory(\d+)/firmware_node -> (?:.*/)?([^/]+)$", line)
                if link and int(link.group(1)) in self.blocks:
                    self.blocks[int(link.group(1))].firmware = link.group(2)
            elif section == "zoneinfo":
                head = re.match(r"Node (\d+), zone\s+(\w+)", line)
                if head:
                    node, zone = int(head.group(1)), head.group(2)
                else:
                    self._add_zone_line(node, zone, line.split())
            elif section == "buddyinfo":
                head = re.match(r"Node (\d+), zone\s+(\w+)\s+(.*)", line)
                if head:
                    counts = [int(n) for n in head.group(3).split()]
                    self.zone(int(head.group(1)), head.group(2)).buddy = counts
            elif section == "iomem":
                self.iomem.append(line)

    def _add_block(self, text):
        number, state, zones, nodes = text.split("|")
        zones = [z for z in zones.split() if z != "none"]
        nodes = [int(n) for n in nodes.split(",") if n]
        self.blocks[int(number)] = Block(int(number), state, zones, nodes)

    def _add_zone_line(self, node, name, words):
        zone = self.zone(node, name)
        if words[:2] == ["pages", "free"]:
            zone.free = int(words[2])
        elif len(words) == 2 and words[0] in ("spanned", "present", "managed"):
            setattr(zone, words[0], int(words[1]))
        elif len(words) == 2 and words[0] == "count:":
            zone.per_cpu += int(words[1])

    def zone(self, node, name):
        """The zone; a zone without pages when the kernel has none of that name."""
        return self.zones.setdefault((node, name), Zone())

    def of_node(self, node, since=None):
        """The blocks of a node, without those in the earlier view `since`."""
        old = since.blocks if since else {}
        return {n: b for n, b in self.blocks.items() if b.nodes == [node] and n not in old}

    def new_since(self, earlier):
        return {n: b for n, b in self.blocks.items() if n not in earlier.blocks}
