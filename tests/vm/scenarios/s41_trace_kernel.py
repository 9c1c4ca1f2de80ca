# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trace of a DIMM of 512 MiB that goes to a kernel zone of node 0, which has memory: it is the kernel's own story again.

A second one is left offline, and brought online after a restart: steps 1 to 5 were another add's.
"""

from vmlib import claims, tracing
from vmlib.machine import MIB

NAME = "trace-kernel"
WHOLE_SYSTEM = True
SIZE = 512 * MIB
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }')
LEAVE = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "leave_offline"; }')


def play(guest, report):
    guest.start_daemon(POLICY)
    view, before = guest.look(), tracing.Figures(guest)
    report.did("plug a DIMM of 512 MiB into node 0")
    guest.plug_dimm("d1", SIZE, node=0)
    tracing.wait_over(guest, 1)
    after = tracing.Figures(guest)
    new = guest.look().new_since(view)
    claims.expect_blocks(report, new, 4, "online", "Normal", " on node 0")
    trace = tracing.get(guest, report)
    tracing.expect_alone(report, trace)
    tracing.expect_place(report, trace, after, new)
    tracing.expect_mapping(report, trace, before, after, SIZE)
    tracing.expect_memmap(report, trace, before, after, SIZE)
    tracing.expect_first_look(report, trace)
    tracing.expect_blocks(report, trace, new)
    tracing.expect_onlining(report, trace, before, after, 0, "Normal", 4)
    tracing.expect_kernel_said(report, trace, before, after, 0)
    report.expect(not trace["threads"]["kswapd"]["new"], "6: kswapd0 was there before")

    left_offline(guest, report)
    decided_again(guest, report)


def left_offline(guest, report):
    report.did("a policy that leaves it offline; plug another DIMM")
    guest.write_file(guest.config, LEAVE)
    guest.check("systemctl reload memhpd")
    view, before = guest.look(), tracing.Figures(guest)
    guest.plug_dimm("d2", SIZE, node=0)
    tracing.wait_over(guest, 2)
    after = tracing.Figures(guest)
    new = guest.look().new_since(view)
    claims.expect_blocks(report, new, 4, "offline")
    trace = tracing.get(guest, report, "2")
    tracing.expect_place(report, trace, after, new)
    tracing.expect_mapping(report, trace, before, after, SIZE)
    tracing.expect_memmap(report, trace, before, after, SIZE)
    for part in ("queued", "written", "chosen"):
        report.expect_equal(f"6: {part}", trace[part], {"no_evidence": "it was left offline"})
    grown = [z for z in trace["growth"]["zones"] if z["present"] or z["spanned"]]
    report.expect_equal("6: zones that grew", grown, [])


def decided_again(guest, report):
    report.did("the first policy again, by a restart")
    guest.start_daemon(POLICY)
    view = guest.wait_until("all blocks are online", lambda v: all(b.state == "online" for b in v.blocks.values()))
    tracing.wait_over(guest, 3)
    trace = tracing.get(guest, report)
    for part in ("direct_map", "memmap", "created"):
        report.expect("it was there before" in trace[part].get("no_evidence", ""), f"{part}: it was there before")
    grown = {(z["node"], z["zone"]): z["present"] for z in trace["growth"]["zones"] if z["present"]}
    report.expect_equal("6: present grew by", grown, {(0, "Normal"): SIZE})
    report.expect_equal("6: written", trace["written"]["blocks"], 4)
    status, out = guest.run(guest.ctl_command("trace 1"))
    report.expect(status == 1 and "there is no trace" in out, "what came before a restart is not known any more")
    report.saw(f"{len(view.blocks)} blocks")
