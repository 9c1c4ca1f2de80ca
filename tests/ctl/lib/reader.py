# SPDX-License-Identifier: LGPL-2.1-or-later
"""What memhpctl has to print of a tree, read from its files in the plainest way: nothing of memhpctl's own is used."""

import os
import re


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


class Resource:
    def __init__(self, start, end, name, parent):
        self.start, self.end, self.name, self.parent = start, end, name, parent

    @property
    def path(self):
        """The name of this and of what it lies in, outwards."""
        return [self.name] + (self.parent.path if self.parent else [])


def read_resources(root):
    """None: there is no /proc/iomem, or it hides its addresses."""
    text = read(os.path.join(root, "proc/iomem"))
    if text is None:
        return None
    resources, levels = [], {}
    for line in text.splitlines():
        blanks, start, end, name = re.fullmatch(r"( *)([0-9a-f]+)-([0-9a-f]+) : (.*)", line).groups()
        depth = len(blanks) // 2
        levels[depth] = Resource(int(start, 16), int(end, 16), name, levels.get(depth - 1) if depth else None)
        resources.append(levels[depth])
    return resources if any(r.end for r in resources) else None


class System:
    def __init__(self, root):
        self.root = root
        self.memory = os.path.join(root, "sys/devices/system/memory")
        self.block_size = int(read(os.path.join(self.memory, "block_size_bytes")), 16)
        self.resources = read_resources(root)
        self.machine = self._machine()
        numbers = [int(n[6:]) for n in os.listdir(self.memory) if re.fullmatch(r"memory\d+", n)]
        self.blocks = [self._block(n) for n in sorted(numbers)]
        page_size = re.search(r"^page_size (\d+)$", read(os.path.join(root, "MANIFEST")) or "", re.MULTILINE)
        self.page_size = int(page_size.group(1)) if page_size else None

    def _has(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def _machine(self):
        if self._has("sys/devices/system/memory/probe"):
            return "probe"
        if self._has("sys/bus/vmbus"):
            return "hyperv"
        if (read(os.path.join(self.root, "sys/hypervisor/type")) or "").strip() == "xen":
            return "xen"
        if self._has("proc/ppc64/lparcfg"):
            return "dlpar"
        return "s390" if self._has("sys/bus/ccw") else "plain"

    def _block(self, number):
        folder = os.path.join(self.memory, f"memory{number}")
        nodes = sorted(int(n[4:]) for n in os.listdir(folder) if re.fullmatch(r"node\d+", n))
        state = read(os.path.join(folder, "state")).strip()
        zones = read(os.path.join(folder, "valid_zones"))
        if not nodes and self._has("sys/devices/system/node"):
            zones = None                # not linked yet: must not be read
        firmware = os.path.join(folder, "firmware_node")
        block = {"block": number, "start": number * self.block_size, "size": self.block_size, "state": state,
                 "removable": read(os.path.join(folder, "removable")) == "1\n" and
                 (bool(nodes) or not self._has("sys/devices/system/node")),
                 "nodes": nodes, "zones": [z for z in (zones or "").split() if z != "none"]}
        ram = self._find_ram(block["start"], block["start"] + self.block_size - 1)
        node_name = os.path.basename(os.readlink(firmware)) if os.path.islink(firmware) else None
        block["source"], block["device"] = self._source(node_name, ram.path if ram else [])
        block["evidence"] = {"firmware_node": node_name, "iomem": " in ".join(ram.path) if ram else None,
                             "machine": self.machine}
        block["zones_known"] = zones is not None
        return block

    def _find_ram(self, start, end):
        found = [r for r in self.resources or [] if r.name.startswith("System RAM") and r.start <= end and r.end >= start]
        return min(found, key=lambda r: max(r.start, start), default=None)

    def _source(self, firmware, path):
        if firmware:
            return "dimm", firmware
        if not path:
            return "unknown", None
        around = path[1:]
        if path[0] == "System RAM":     # where nothing else comes under this plain name, it was there at boot
            return ("boot" if self.machine == "plain" else "unknown"), None
        if path[0] == "System RAM (virtio_mem)":
            return "virtio-mem", next((n for n in around if n.startswith("virtio")), None)
        if path[0] == "System RAM (kmem)":
            device = next((n for n in around if re.fullmatch(r"dax\d+\.\d+", n)), None)
            if any(n.startswith("CXL Window") for n in around):
                return "cxl", device
            if any(n.startswith("Persistent Memory") for n in around):
                return "pmem", device
            return ("hmem" if "Soft Reserved" in around else "dax"), device
        return "driver", re.fullmatch(r"System RAM \((.*)\)", path[0]).group(1)

    # -- what the verbs print

    def show(self):
        keys = ("block", "start", "size", "state", "removable", "nodes", "zones", "source", "device", "evidence")
        return [{**{k: b[k] for k in keys}, "add": None, "decision": None} for b in self.blocks]

    def ranges(self, merge=True):
        keys = ("state", "removable", "nodes", "zones", "source", "device")
        out = []
        for b in self.blocks:
            last = out[-1] if out else None
            alike = {k: b[k] for k in keys + ("zones_known",)}
            if merge and last and last["last"] + 1 == b["block"] and last["alike"] == alike:
                last["last"] = b["block"]
            else:
                out.append({"first": b["block"], "last": b["block"], "alike": alike})
        return [{"start": r["first"] * self.block_size, "size": (r["last"] - r["first"] + 1) * self.block_size,
                 "state": r["alike"]["state"], "removable": r["alike"]["removable"],
                 "blocks": str(r["first"]) if r["first"] == r["last"] else f"{r['first']}-{r['last']}",
                 **{k: r["alike"][k] for k in ("nodes", "zones", "source", "device")}} for r in out]

    def bytes_online(self, online):
        return sum(self.block_size for b in self.blocks if (b["state"] == "online") == online)

    def decisions(self, rules):
        """(block, action, rule) by rules (name, sources or None, nodes or None, action); None is a rule that is missing."""
        answers = []
        for b in self.blocks:
            rule = next((r for r in rules if (r[1] is None or b["source"] in r[1]) and
                         (r[2] is None or (b["nodes"] and set(b["nodes"]) <= set(r[2])))), None)
            action = rule[3] if rule else "leave_offline"
            wanted = {"online_movable": {"Movable"}, "online_kernel": {"DMA", "DMA32", "Normal", "HighMem"}}.get(action)
            if b["state"] == "offline" and b["zones_known"] and wanted and not wanted & set(b["zones"]):
                action = "leave_offline"
            answers.append((b["block"], action, rule[0] if rule else None))
        return answers

    def buddy(self):
        zones = []
        for line in read(os.path.join(self.root, "proc/buddyinfo")).splitlines():
            node, zone, counts = re.fullmatch(r"Node +(\d+), zone +(\S+) +([\d ]*\d) *", line).groups()
            counts = [int(n) for n in counts.split()]
            sizes = [n << order for order, n in enumerate(counts)]
            free = sum(sizes)
            zones.append({"node": int(node), "zone": zone, "free_blocks": counts, "free_pages": free,
                          "largest_order": max((k for k, n in enumerate(counts) if n), default=-1),
                          "unusable": [float(f"{sum(sizes[:k]) / free:.6g}") if free else 1.0
                                       for k in range(len(counts))]})
        return zones

    def zones(self):
        """By indentation, which is another way than memhpctl's: 8 blanks what the watermarks are among, 6 what counts."""
        zones, nodes = [], []
        text = read(os.path.join(self.root, "proc/zoneinfo"))
        for part in re.split(r"^(?=Node )", text, flags=re.MULTILINE)[1:]:
            node, zone = re.match(r"Node (\d+), zone +(\S+)\n", part).groups()
            head, tail = part.split("  pages free ", 1)
            if "per-node stats" in head:
                nodes.append({"node": int(node), "counters": dict(_figures(head, 6))})
            figures = dict(_figures("        free " + tail, 8))
            known = {k: figures.pop(k) for k in ("free", "min", "low", "high", "spanned", "present", "managed")}
            figures.update(_figures(tail, 6))
            figures.update(_figures(tail, 2))
            protection = re.search(r"protection: \((.*)\)", tail).group(1)
            pagesets = []
            for line in re.findall(r"^(?:    cpu|  vm stats threshold| {10,}\w+): +\d+$", tail.partition("  pagesets\n")[2],
                                   re.MULTILINE):
                key, value = line.strip().split(":")
                if key == "cpu":
                    pagesets.append({})
                pagesets[-1][key.replace(" ", "_")] = int(value)
            zones.append({"node": int(node), "zone": zone, **known,
                          "distance": {k: known["free"] - known[k] for k in ("min", "low", "high")},
                          "protection": [int(n) for n in protection.split(", ")], "counters": figures,
                          "pcp_free": sum(p["count"] for p in pagesets), "pagesets": pagesets})
        return zones, nodes


def _figures(text, blanks):
    for key, value in re.findall(rf"^ {{{blanks}}}(\w+):? +(\d+)$", text, re.MULTILINE):
        yield key, int(value)
