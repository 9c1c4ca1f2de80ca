# SPDX-License-Identifier: LGPL-2.1-or-later
"""Traces of a virtio-mem device that grows block by block, and of a DIMM that comes at the same time."""

from vmlib import claims, tracing
from vmlib.machine import GIB, MIB

NAME = "trace-virtio-mem"
WHOLE_SYSTEM = True
MACHINE = {"virtio_mem_max": 4 * GIB, "virtio_mem_node": 2}
POLICY = claims.policy(
    '{ name = "slices"; match = { source = [ "virtio-mem" ]; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "online_movable"; }')


def play(guest, report):
    guest.start_daemon(POLICY)
    view, before = guest.look(), tracing.Figures(guest)
    report.did("the host gives 512 MiB to the virtio-mem device of node 2")
    guest.resize_virtio_mem(512 * MIB)
    guest.wait_until("4 blocks online on node 2", lambda v: online(v, 2) == 4)
    tracing.wait_over(guest, newest(guest))
    after = tracing.Figures(guest)
    new = guest.look().new_since(view)
    claims.expect_blocks(report, new, 4, "online", "Movable", " on node 2")
    traces = guest.ctl("trace --list")["traces"]
    report.expect_equal("blocks of all traces", sum(t["n_blocks"] for t in traces), 4)
    if len(traces) == 1:
        one_add(guest, report, before, after, new)
    else:
        report.saw(f"the host was slow: it took {len(traces)} hot-adds")
    both(guest, report)


def one_add(guest, report, before, after, new):
    trace = tracing.get(guest, report)
    tracing.expect_alone(report, trace)
    tracing.expect_place(report, trace, after, new)
    report.expect(trace["resource"]["text"].startswith("System RAM (virtio_mem) in virtio"), "2: in the device")
    tracing.expect_mapping(report, trace, before, after, 512 * MIB)
    tracing.expect_memmap(report, trace, before, after, 512 * MIB)
    report.expect_equal("4: what comes in parts is measured at its", trace["memmap"]["measured_by"], "end")
    tracing.expect_blocks(report, trace, new)
    tracing.expect_onlining(report, trace, before, after, 2, "Movable", 4)
    tracing.expect_kernel_said(report, trace, before, after, 2)


def both(guest, report):
    report.did("512 MiB more, and a DIMM of 1 GiB for node 1 right behind")
    first = newest(guest) + 1
    guest.resize_virtio_mem(GIB)
    guest.plug_dimm("d1", GIB, node=1)
    guest.wait_until("8 blocks online on both nodes", lambda v: online(v, 1) == 8 and online(v, 2) == 8)
    tracing.wait_over(guest, newest(guest))
    guest.wait_until("all are over", lambda _: all(t["state"] == "over" for t in guest.ctl("trace --list")["traces"]))
    traces = [t for t in guest.ctl("trace --list")["traces"] if t["add"] >= first]
    report.quote(guest.check(guest.ctl_command("trace --list")))
    report.expect_equal("sources", {t["source"] for t in traces}, {"dimm", "virtio-mem"})
    for t in traces:
        trace = guest.ctl(f"trace {t['add']}")
        report.expect_equal(f"add {t['add']}, {t['source']}: times are of its own blocks", trace["written"]["blocks"],
                            t["n_blocks"])
    overlapping = [t["add"] for t in traces if t["overlaps"]]
    if overlapping:
        text = guest.check(guest.ctl_command(f"trace {overlapping[0]}"))
        report.expect("Another hot-add was under way" in text, f"adds {overlapping} overlapped, and their traces say so")
    else:
        report.saw("they came one after the other after all")


def online(view, node):
    return sum(b.state == "online" for b in view.of_node(node).values())


def newest(guest):
    return max((t["add"] for t in guest.ctl("trace --list")["traces"]), default=0)
