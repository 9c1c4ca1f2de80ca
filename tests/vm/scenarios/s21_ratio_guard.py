# SPDX-License-Identifier: LGPL-2.1-or-later
"""max_movable_ratio: DIMMs go to Movable up to the limit, beyond it to the fallback, and the log says the figures.

A reload with a larger limit lets the next DIMM in; without a fallback a DIMM beyond the limit stays offline.
"""

import re

from vmlib import claims, contract
from vmlib.machine import GIB, MIB

NAME = "ratio-guard"
MACHINE = {"boot_memory": GIB}


def policy(limit, fallback):
    fallback = f'fallback = "{fallback}"; ' if fallback else ""
    return claims.policy(f'{{ name = "guarded"; match = {{ source = "dimm"; }}; action = "online_movable"; '
                         f'{fallback}max_movable_ratio = {limit}; }}')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    base = guest.look()
    claims.expect_block_size(base)
    kernel = kernel_pages(base) * 4096
    report.saw(f"{kernel >> 10} KiB of kernel memory from boot")

    report.did("limit 100 %, fallback online_kernel")
    guest.start_daemon(policy(100, "online_kernel"))
    add(guest, report, "d0", GIB // 2, 1, "Movable")
    line = add(guest, report, "d1", GIB // 2, 1, "Normal")
    percent = GIB * 100 // kernel
    expect_figures(report, line, "1 GiB", percent, 100)
    add(guest, report, "d2", 384 * MIB, 2, "Movable")       # smaller, so it fits: one refusal does not end it

    report.did("limit 200 %: the next DIMM of that size goes to Movable; the one beyond has no fallback any more")
    reload(guest, policy(200, None))
    add(guest, report, "d3", GIB // 2, 1, "Movable")
    line = add(guest, report, "d4", GIB, 2, None)
    expect_figures(report, line, None, (GIB * 2 + 384 * MIB) * 100 // kernel, 200)
    view = guest.look()
    movable = sum(z.present for (_, name), z in view.zones.items() if name == "Movable") * 4096
    report.saw(f"in the end {movable >> 20} MiB are movable, {movable * 100 // kernel} %")
    report.expect(movable * 100 <= kernel * 200, "that is within the limit")

    report.did("limit 300 %: a reload decides what is still offline")
    reload(guest, policy(300, None))
    guest.wait_until("the last DIMM online", lambda v: all(
        b.zone == "Movable" for n, b in v.blocks.items() if n in view.blocks and view.blocks[n].state == "offline"))
    claims.expect_same_boot_memory(report, base, guest.look())
    claims.expect_healthy(guest, report)


def kernel_pages(view):
    return sum(z.present for (_, name), z in view.zones.items() if name in ("DMA", "DMA32", "Normal"))


def reload(guest, text):
    mark = len(guest.log())
    guest.write_file(guest.config, text)
    guest.signal_daemon("HUP")
    guest.wait_log("that it reloaded", lambda log: contract.RELOADED.search(log[mark:]))


def add(guest, report, name, size, node, zone):
    """Plug a DIMM; memhpd's line about it. Without a zone it has to stay offline."""
    before, mark = guest.look(), len(guest.log())
    count = size // before.block_size
    guest.plug_dimm(name, size, node)
    if zone:
        guest.wait_until(f"{name} online", lambda v: sum(
            b.state == "online" for b in v.new_since(before).values()) == count)
    else:
        guest.wait_until(f"{name} there", lambda v: len(v.new_since(before)) == count)
    new = {}

    def said(log):
        new.update(guest.look().new_since(before))
        found = [line for line in log[mark:].splitlines() if guest.device_of(new) in line]
        return found and found[-1]
    line = guest.wait_log(f"something about {name}", said)
    claims.expect_blocks(report, new, count, "online" if zone else "offline", zone, f" of {name} on node {node}")
    report.quote(line)
    return line


def expect_figures(report, line, movable, percent, limit):
    report.expect(re.search(rf"\b{percent} %.*\b{limit} %", line) and (not movable or movable in line),
                  f"the line says {percent} % and the limit, {limit} %")
