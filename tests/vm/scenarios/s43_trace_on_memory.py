# SPDX-License-Identifier: LGPL-2.1-or-later
"""Traces with memory_hotplug.memmap_on_memory=1: a DIMM of one block holds its own struct pages, and its trace says so.

Kernels before 6.7 do so only for what is added as a single block: the trace of a larger one shows where its went.
"""

from vmlib import claims, tracing
from vmlib.machine import BLOCK, MIB

NAME = "trace-memmap-on-memory"
WHOLE_SYSTEM = True
MACHINE = {"append": "memory_hotplug.memmap_on_memory=1"}
OWN = 2 * MIB       # of 128 MiB
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    report.expect_equal("the kernel's memmap_on_memory",
                        guest.check("cat /sys/module/memory_hotplug/parameters/memmap_on_memory").strip(), "Y")
    guest.start_daemon(POLICY)
    plug(guest, report, 1, 1)
    plug(guest, report, 2, 4)


def plug(guest, report, add, count):
    report.did(f"plug a DIMM of {count} blocks into node {add}")
    view, before = guest.look(), tracing.Figures(guest)
    guest.plug_dimm(f"d{add}", count * BLOCK, node=add)
    tracing.wait_over(guest, add)
    after = tracing.Figures(guest)
    new = guest.look().new_since(view)
    claims.expect_blocks(report, new, count, "online", "Movable", f" on node {add}")
    zone = after.zone(add, "Movable")
    own = 4096 * (zone["present"] - zone["managed"])
    report.expect(own in (0, count * OWN), f"the kernel put {own} bytes of struct pages into it")
    trace = tracing.get(guest, report)
    tracing.expect_alone(report, trace)
    tracing.expect_place(report, trace, after, new)
    tracing.expect_mapping(report, trace, before, after, count * BLOCK)
    tracing.expect_memmap(report, trace, before, after, count * BLOCK, own)
    tracing.expect_first_look(report, trace)
    tracing.expect_blocks(report, trace, new)
    tracing.expect_onlining(report, trace, before, after, add, "Movable", count)
    tracing.expect_kernel_said(report, trace, before, after, add)
    if count == 1:
        report.expect_equal("a single block holds its own", own, OWN)
