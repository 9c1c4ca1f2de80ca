# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trace of a hot-add against what the kernel itself says, read before and after without any code of memhpd."""

import re

from .machine import BLOCK, GIB, MIB
from .report import Failed

PAGE = 4096
KERNEL_ZONES = ("DMA", "DMA32", "Normal")
# What a whole Debian takes and gives back within seconds, while it does nothing.
NOISE = 6 * MIB

SCRIPT = r"""
cat /proc/zoneinfo; echo @buddyinfo; cat /proc/buddyinfo; echo @meminfo; cat /proc/meminfo; echo @iomem; cat /proc/iomem
echo @log; dmesg | grep -o 'Built [0-9]* zonelists.*'
echo @threads; for p in /proc/[0-9]*; do [ -r $p/comm ] && cat $p/comm; done 2>/dev/null | grep -E '^k(swap|compact)d'
true
"""


class Figures:
    """One look at the machine. Zones: {(node, zone): {"free", "min", ..., "cpu", "buddy"}}, in pages."""

    def __init__(self, guest):
        text, buddy, meminfo, iomem, log, threads = re.split(r"^@\w+\n", guest.check(SCRIPT), flags=re.MULTILINE)
        self.zones = {}
        for part in re.split(r"^(?=Node )", text, flags=re.MULTILINE):
            head = re.match(r"Node (\d+), zone\s+(\w+)", part)
            if head:
                self.zones[int(head.group(1)), head.group(2)] = _zone(part)
        for line in buddy.splitlines():
            head = re.match(r"Node (\d+), zone\s+(\w+)\s+(.*)", line)
            self.zones[int(head.group(1)), head.group(2)]["buddy"] = [int(n) for n in head.group(3).split()]
        self.maps = {name: int(kib) << 10 for name, kib in re.findall(r"DirectMap(\w+):\s*(\d+) kB", meminfo)}
        self.iomem = iomem.splitlines()
        self.built = log.splitlines()
        self.threads = set(threads.split())

    def lent(self):
        """Bytes of kernel zones that are managed and not free."""
        return PAGE * sum(z["managed"] - z["free"] - z["cpu"] for (_, name), z in self.zones.items() if name in KERNEL_ZONES)

    def zone(self, node, name):
        return self.zones.get((node, name)) or _zone("")


def _zone(part):
    zone = {key: int(value) for key, value in re.findall(r"^\s+(?:pages )?(free|min|low|high|spanned|present|managed)\s+(\d+)$",
                                                         part, flags=re.MULTILINE)}
    zone = {key: zone.get(key, 0) for key in ("free", "min", "low", "high", "spanned", "present", "managed")}
    zone["cpu"] = sum(int(n) for n in re.findall(r"^\s+count:\s+(\d+)$", part, flags=re.MULTILINE))
    zone["buddy"] = []
    return zone


def get(guest, report, add=""):
    """The trace as a whole, and as people see it."""
    trace = guest.ctl(f"trace {add}")
    text = guest.check(guest.ctl_command(f"trace {add}"))
    report.quote(text)
    wide = [line for line in text.splitlines() if len(line) > 80]
    if wide:
        raise Failed(f"wider than 80 columns: {wide[0]}")
    return trace


def wait_over(guest, add):
    guest.wait_until(f"add {add} is over", lambda _: any(
        t["add"] == add and t["state"] == "over" for t in guest.ctl("trace --list")["traces"]), 60)


def _near(report, what, seen, wanted, tolerance):
    if abs(seen - wanted) > tolerance:
        raise Failed(f"{what}: {seen}, the kernel's own figures say {wanted}")
    report.saw(f"{what}: {seen} ({wanted} by the kernel's own figures)")


def expect_place(report, trace, after, blocks):
    """Steps 1 and 2."""
    first, last = min(blocks), max(blocks)
    report.expect_equal("1: range", trace["range"], {"start": first * BLOCK, "end": (last + 1) * BLOCK - 1,
                                                     "block_size": BLOCK, "aligned": True})
    resource = trace["resource"]
    line = f"{resource['start']:08x}-{resource['end']:08x} : {resource['text'].split(' in ')[0]}"
    report.expect(line in [entry.strip() for entry in after.iomem], f"2: /proc/iomem has {line}")
    report.expect(resource["start"] <= first * BLOCK and (not resource["whole"] or resource["end"] >= (last + 1) * BLOCK - 1),
                  "2: the blocks lie in it")


def expect_mapping(report, trace, before, after, size):
    """Step 3. Large pages may be split meanwhile: the sum stays."""
    part = trace["direct_map"]
    report.expect_equal("3: mapped directly", part["total"], size)
    report.expect_equal("3: by the kernel's own figures", sum(after.maps.values()) - sum(before.maps.values()), size)
    for name, grown in part["growth"].items():
        _near(report, f"3: DirectMap{name}", grown, after.maps[name] - before.maps[name], 8 * MIB)


def expect_memmap(report, trace, before, after, size, own=0):
    """Step 4. own: bytes of struct pages that lie in the new memory itself."""
    part = trace["memmap"]
    computed = size // PAGE * 64
    report.expect_equal("4: computed", part["computed"], computed)
    report.expect_equal("4: of its own", part["own"], own)
    report.expect_equal("4: where it lies", part["home"], "itself" if own else "kernel-zones")
    _near(report, f"4: measured ({part['measured_by']})", part["measured"], after.lent() - before.lent(), NOISE)
    _near(report, "4: measured, beside what was computed", part["measured"], computed - own, NOISE)


def expect_first_look(report, trace):
    """Nothing was online when the first event came. A guest that has to wait for its host does without that look."""
    part = trace["memmap"]
    if "kernel_zones_first_event" in part:
        report.expect_equal("4: it was measured at", part["measured_by"], "first-event")
        _near(report, "4: at the first event", part["kernel_zones_first_event"], part["computed"] - part["own"], NOISE)
    else:
        report.expect_equal("4: looks take long on this machine: it was measured at", part["measured_by"], "end")


def expect_blocks(report, trace, blocks):
    """Step 5."""
    report.expect_equal("5: blocks, and events received", [trace["created"][k] for k in ("came", "events")],
                        [len(blocks), len(blocks)])
    report.expect(trace["created"]["span_usec"] <= trace["written"]["end_usec"], "5: the events came before the end")


def expect_onlining(report, trace, before, after, node, zone, count):
    """Step 6."""
    report.expect_equal("6: chosen", trace["chosen"]["zones"], {zone: count})
    for key in ("queued", "written"):
        times = trace[key]
        report.expect_equal(f"6: {key}: blocks", times["blocks"], count)
        report.expect(0 <= times["min_usec"] <= times["median_usec"] <= times["max_usec"],
                      f"6: {key}: {times['min_usec']}, {times['median_usec']}, {times['max_usec']} us")
    times = trace["written"]
    took = times["end_usec"] - times["begin_usec"]
    report.expect(times["min_usec"] * count <= took, f"6: one writer: {count} writes took {took} us, one after the other")

    seen = {(z["node"], z["zone"]): z for z in trace["growth"]["zones"]}
    for (n, name), now in after.zones.items():
        old = before.zone(n, name)
        for key in ("spanned", "present", "managed"):
            real = PAGE * (now[key] - old[key])
            if (seen[n, name][key] if (n, name) in seen else 0) != real:
                raise Failed(f"6: node {n} {name}: {key} grew by {real}, the trace has {seen.get((n, name))}")
    grown = seen[node, zone]
    report.saw(f"6: node {node} {zone}: spanned {grown['spanned']}, present {grown['present']}, managed {grown['managed']}; "
               "the same as the kernel's for all zones")
    old, now = before.zone(node, zone), after.zone(node, zone)
    _near(report, f"6: node {node} {zone}: free", grown["free"], PAGE * (now["free"] + now["cpu"] - old["free"] - old["cpu"]),
          NOISE)
    expect_free_blocks(report, trace, old, now, node, zone)
    marks = {(z["node"], z["zone"]): z for z in trace["watermarks"]["zones"]}
    for where, z in marks.items():
        for key in ("min", "low", "high"):
            real = [PAGE * before.zone(*where)[key], PAGE * after.zone(*where)[key]]
            if z[key] != real:
                raise Failed(f"6: node {where[0]} {where[1]}: watermark {key} {z[key]}, the kernel's {real}")
    moved = [w for w in after.zones if before.zone(*w)["high"] != after.zone(*w)["high"]]
    report.expect(set(moved) <= set(marks), f"6: watermarks of {len(marks)} zones as the kernel's; {len(moved)} have moved")


def expect_free_blocks(report, trace, old, now, node, zone):
    orders = next(z["orders"] for z in trace["free_blocks"]["zones"] if (z["node"], z["zone"]) == (node, zone))
    real = [n - o for n, o in zip(now["buddy"], old["buddy"] or [0] * len(now["buddy"]))]
    report.saw(f"6: new free blocks by order: {orders}; by the kernel's own figures {real}")
    report.expect_equal("6: orders", len(orders), len(real))
    _near(report, "6: largest free blocks", orders[-1], real[-1], 2)
    _near(report, "6: free blocks together", sum(n << k for k, n in enumerate(orders)) * PAGE,
          sum(n << k for k, n in enumerate(real)) * PAGE, NOISE)


def expect_kernel_said(report, trace, before, after, node):
    """Step 6: zonelists and threads."""
    built = after.built[len(before.built):]
    part = trace["zonelists"]
    if built:
        report.expect_equal("6: zonelists were built, says the log", part["rebuilt"], len(built))
        wanted = f"Built {part['zonelists']} zonelists, mobility grouping on.  Total pages: {part['total_pages']}"
        report.expect_equal("6: the last time", built[-1], wanted)
    else:
        report.expect("does not say" in part.get("no_evidence", ""), "6: no zonelists were built, and it says so")
    for name in ("kswapd", "kcompactd"):
        thread, real = trace["threads"][name], f"{name}{node}"
        report.expect_equal(f"6: {real} is there", thread["present"], real in after.threads)
        if thread["present"]:
            report.expect_equal(f"6: {real} was started by it", thread["new"], real not in before.threads)


def expect_alone(report, trace):
    report.expect_equal("nobody else was there", [trace["overlaps"], trace["disturbed"]], [False, False])


def size_text(size):
    return f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"
