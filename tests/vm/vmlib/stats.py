# SPDX-License-Identifier: LGPL-2.1-or-later
"""`memhpctl stats` against the kernel's own numbers, alerts in memhpd's log, and guests short of kernel memory."""

import re

from . import claims
from .report import Failed

PAGE = 4096
KERNEL_ZONES = ("DMA", "DMA32", "Normal")
NODES = "/sys/devices/system/node"
# Huge pages would make the kernel of so small a guest keep a lot for itself.
APPEND = "transparent_hugepage=never"


def bytes_of(view, zones, key, node=None):
    return PAGE * sum(getattr(zone, key) for (n, name), zone in view.zones.items()
                      if name in zones and (node is None or n == node))


def node_of(answer, number):
    found = [n for n in answer["nodes"] if n["node"] == number]
    if len(found) != 1:
        raise Failed(f"memhpctl stats: node {number}: {len(found)} entries")
    return found[0]


def expect_agree(guest, report, sources):
    """Every figure that zoneinfo, buddyinfo and the blocks have, to the byte. sources: device -> boot or hot_added, of what
    is not boot memory. Returns the answer."""
    before = guest.look()
    answer = guest.ctl("stats")
    after = guest.look()
    for node in answer["nodes"]:
        _expect_node(node, before, after, sources)
    for kind, zones in (("kernel", KERNEL_ZONES), ("movable", ("Movable",))):
        for key in ("present", "managed"):
            _same(f"machine: {kind} {key}", answer["machine"][kind][key], bytes_of(after, zones, key))
    only = guest.check(f"cat {NODES}/has_memory {NODES}/has_normal_memory").split()
    movable_only = _numbers(only[0]) - _numbers(only[1] if len(only) > 1 else "")
    _same("movable-only nodes", {n["node"] for n in answer["nodes"] if n["movable_only"]}, movable_only)
    report.saw(f"memhpctl stats: {len(answer['nodes'])} nodes, blocks, zones and free blocks as the kernel has them; "
               f"movable-only: {sorted(movable_only) or 'none'}")
    return answer


def _expect_node(node, before, after, sources):
    number = node["node"]
    blocks = after.of_node(number)
    for key, state in (("online", True), ("offline", False)):
        _same(f"node {number}: {key}", node[key],
              sum(after.block_size for b in blocks.values() if (b.state == "online") == state))
    hot = sum(after.block_size for b in blocks.values() if b.firmware in sources)
    _same(f"node {number}: boot", node["boot"], len(blocks) * after.block_size - hot)
    _same(f"node {number}: hot_added", node["hot_added"], hot)
    _same(f"node {number}: memmap", node["memmap"]["bytes"], hot // 64)
    for kind, zones in (("kernel", KERNEL_ZONES), ("movable", ("Movable",))):
        for key in ("present", "managed"):
            _same(f"node {number}: {kind} {key}", node[kind][key], bytes_of(after, zones, key, number))
        # What is free goes up and down while one looks.
        low, high = sorted(bytes_of(view, zones, "free", number) for view in (before, after))
        if not low - (4 << 20) <= node[kind]["free"] <= high + (4 << 20):
            raise Failed(f"memhpctl stats: node {number}: {kind} free {node[kind]['free']}, the kernel had {low} to {high}")


def _same(what, told, real):
    if told != real:
        raise Failed(f"memhpctl stats: {what}: {told}, the kernel says {real}")


def _numbers(text):
    numbers = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def starve(guest, report, mib, node=0):
    """Lock the memory of a node until so much is free; the hog's process id."""
    guest.check("rm -f /run/hog")
    pid = int(guest.check(f"hog --node {node} {mib} >/run/hog 2>&1 </dev/null & echo $!"))
    guest.check("for i in $(seq 1200); do grep -q full /run/hog && exit 0; sleep 0.1; done; cat /run/hog; exit 1", 130)
    free = bytes_of(guest.look(), KERNEL_ZONES, "free", node) >> 20
    report.saw(f"{free} MiB of node {node} are free")
    return pid


def expect_alert(guest, report, pattern, start=0, timeout=60):
    """The line of memhpd's log, once and no more."""
    match = guest.wait_log(f"an alert: {pattern}", lambda log: re.search(rf"^.*{pattern}.*$", log[start:], re.MULTILINE), timeout)
    report.quote(claims.contract.without_prefix(match.group(0)))
    return match


def count(guest, pattern):
    return len(re.findall(pattern, guest.log()))
