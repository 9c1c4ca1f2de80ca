# SPDX-License-Identifier: LGPL-2.1-or-later
"""Claims several scenarios make, each checked against the kernel's own state."""

import time

from . import admin, contract
from .guest import summary
from .machine import BLOCK, MIB
from .report import Failed

PAGES_PER_BLOCK = BLOCK // 4096


def policy(*rules, **settings):
    """A configuration with these rules, one a line, and settings like reconcile='"1s"'."""
    lines = "".join(f"{key} = {value};\n" for key, value in settings.items())
    return f"version = 1;\n{lines}rules = (\n  " + ",\n  ".join(rules) + "\n);\n"


def expect_untouched_kernel_default(guest, report):
    """Onlining by the kernel itself would make every scenario pass without memhpd."""
    out = guest.check("cat /sys/devices/system/memory/auto_online_blocks").strip()
    report.expect_equal("the kernel's own auto-online before memhpd starts", out, "offline")


def expect_block_size(view):
    if view.block_size != BLOCK:
        raise Failed(f"block size is {view.block_size // MIB} MiB: the scenarios count in 128 MiB blocks")


def expect_blocks(report, blocks, count, state, zone=None, where=""):
    """Exactly `count` blocks, all in this state (and zone)."""
    wrong = [b for b in blocks.values() if b.state != state or (zone and b.zone != zone)]
    text = f"{count} blocks{where}: {state}{' in ' + zone if zone else ''}"
    if len(blocks) != count or wrong:
        raise Failed(f"{text}, expected; the kernel has {summary(blocks.values())}")
    report.saw(f"{text} ({numbers(blocks)})")


def expect_growth(report, before, after, node, zone, blocks, own_memmap=0):
    """The zone grew by exactly these blocks: zoneinfo, and the free pages of the buddy lists.

    own_memmap: pages of these blocks that hold their own page descriptors, so that nobody can have them."""
    pages = blocks * PAGES_PER_BLOCK
    old, new = before.zone(node, zone), after.zone(node, zone)
    report.expect_equal(f"node {node} {zone}: present pages grew by", new.present - old.present, pages)
    report.expect_equal(f"node {node} {zone}: managed pages grew by", new.managed - old.managed, pages - own_memmap)
    # A page given back to a CPU's own list is free as well, but neither in the buddy lists nor in nr_free_pages.
    buddy = new.buddy_pages - old.buddy_pages
    per_cpu = new.per_cpu - old.per_cpu
    report.saw(f"node {node} {zone}: free pages in buddyinfo grew by {buddy}, in the per-CPU lists by {per_cpu}")
    return buddy, per_cpu


def expect_told(guest, report, blocks, device, outcome, start=0):
    """memhpd's log says it of exactly these blocks, and the lines name the device."""
    wanted = set(blocks)
    guest.wait_log(f"{device}, blocks {numbers(wanted)}: {outcome}",
                   lambda log: contract.settled_blocks(log[start:], device, outcome) >= wanted)
    log = guest.log()[start:]
    told = contract.settled_blocks(log, device, outcome)
    if told != wanted:
        raise Failed(f"memhpd says {outcome} of blocks {numbers(told)} of {device}, but it is {numbers(wanted)}")
    lines = contract.settled(device, outcome).findall(log)
    report.quote("\n".join(lines[:4]))
    return lines


def expect_same_boot_memory(report, before, after):
    """State and zone of every block that was there before."""
    for number, old in before.blocks.items():
        new = after.blocks.get(number)
        if new is None or (new.state, new.zones) != (old.state, old.zones):
            raise Failed(f"block {number} of the boot memory changed: it was {old!r}, is {new!r}")
    report.saw(f"{len(before.blocks)} blocks of boot memory: untouched")


def expect_stays(guest, report, blocks, seconds, why):
    """State and zone of these blocks do not change for so long, though memhpd looks at them meanwhile."""
    before = guest.look()
    reads = admin.reads(guest)
    time.sleep(seconds)
    reads = admin.reads(guest) - reads
    after = guest.look()
    for number in blocks:
        old, new = before.blocks[number], after.blocks.get(number)
        if new is None or (new.state, new.zones) != (old.state, old.zones):
            raise Failed(f"block {number} did not stay as it was: it was {old!r}, is {new!r}")
    if reads < len(before.blocks):
        raise Failed(f"memhpd read {reads} times within {seconds} s: that was no look at {len(before.blocks)} blocks")
    report.saw(f"the same {seconds:g} s later, though memhpd looked again ({reads} reads): {why}")
    return after


def expect_healthy(guest, report):
    """At the end: the daemon lives, ends when asked to, and the kernel had nothing to complain about."""
    report.expect(guest.daemon_alive(), "memhpd is alive")
    seconds = guest.stop_daemon()
    report.saw(f"memhpd ended {seconds:.1f} s after SIGTERM")


# -- memhpctl's JSON against the kernel

def expect_list_agrees(guest, report, view, blocks, source, device):
    """`memhpctl list --all --json` tells state, zone, node, source and device of these blocks as they are."""
    answer = guest.ctl("list --all")
    if answer["block_size"] != view.block_size:
        raise Failed(f"memhpctl list: block_size {answer['block_size']}, the kernel says {view.block_size}")
    seen = {int(r["blocks"]): r for r in answer["ranges"]}
    if set(seen) != set(view.blocks):
        raise Failed(f"memhpctl list: blocks {sorted(seen)}, the kernel has {sorted(view.blocks)}")
    for kind in ("online", "offline"):
        real = sum(view.block_size for b in view.blocks.values() if b.state == kind)
        if answer[kind] != real:
            raise Failed(f"memhpctl list: {answer[kind]} bytes {kind}, the kernel has {real}")
    for number, block in blocks.items():
        line = seen[number]
        wanted = {"start": number * view.block_size, "size": view.block_size, "state": block.state,
                  "nodes": block.nodes, "source": source, "device": device}
        if block.state == "online":
            wanted["zones"] = block.zones
        for key, value in wanted.items():
            if line.get(key) != value:
                raise Failed(f"memhpctl list: block {number}: {key} is {line.get(key)!r}, expected {value!r}")
    report.saw(f"memhpctl list: the same, source {source}, device {device}")
    return answer


def expect_statistics_agree(guest, report, node, zone):
    """`memhpctl zones` and `buddy` against zoneinfo and buddyinfo, to the page (for a zone nothing uses)."""
    view = guest.look()
    real = view.zone(node, zone)
    told = _of(guest.ctl("zones")["zones"], node, zone, "zones")
    for key in ("present", "managed", "spanned", "free"):
        if told[key] != getattr(real, key):
            raise Failed(f"memhpctl zones: node {node} {zone}: {key} {told[key]}, zoneinfo {getattr(real, key)}")
    told = _of(guest.ctl("buddy")["zones"], node, zone, "buddy")
    if told["free_blocks"] != real.buddy or told["free_pages"] != real.buddy_pages:
        raise Failed(f"memhpctl buddy: node {node} {zone}: {told['free_blocks']}, buddyinfo {real.buddy}")
    report.saw(f"memhpctl zones, buddy: node {node} {zone} the same to the page")


def _of(zones, node, zone, verb):
    for entry in zones:
        if entry["node"] == node and entry["zone"] == zone:
            return entry
    raise Failed(f"memhpctl {verb}: node {node} {zone} is missing")


def expect_explained(guest, report, block, action, rule, zone=None):
    """`memhpctl explain`: what was decided about a block, and by which rule."""
    answer = guest.ctl(f"explain {block}")
    if isinstance(answer, list):
        answer = answer[0]
    seen = (answer.get("block"), answer.get("action"), (answer.get("rule") or {}).get("name"))
    if seen != (block, action, rule):
        raise Failed(f"memhpctl explain {block}: {seen}, expected {(block, action, rule)}")
    if zone and answer.get("zone") != zone:
        raise Failed(f"memhpctl explain {block}: zone {answer.get('zone')!r}, expected {zone!r}")
    report.saw(f"memhpctl explain {block}: {action} by rule \"{rule}\": {answer.get('reason')}")
    return answer


def numbers(blocks):
    """Block numbers in short: `32-39,64`."""
    parts, run = [], []
    for number in sorted(blocks) + [None]:
        if run and number != run[-1] + 1:
            parts.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]))
            run = []
        if number is not None:
            run.append(number)
    return ",".join(parts) or "none"
