# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trace of a DIMM of 1 GiB that goes to Movable of an empty node: each figure is the kernel's own."""

from vmlib import claims, tracing
from vmlib.machine import GIB

NAME = "trace-movable"
WHOLE_SYSTEM = True
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    guest.start_daemon(POLICY)
    status, out = guest.run(guest.ctl_command("trace"))
    report.expect(status == 1 and "nothing was hot-added" in out, "before the first hot-add memhpctl trace says so")
    view, before = guest.look(), tracing.Figures(guest)

    report.did("plug a DIMM of 1 GiB into node 1")
    guest.plug_dimm("d1", GIB, node=1)
    tracing.wait_over(guest, 1)
    after = tracing.Figures(guest)
    new = guest.look().new_since(view)
    claims.expect_blocks(report, new, 8, "online", "Movable", " on node 1")
    trace = tracing.get(guest, report)
    report.expect_equal("it is of", [trace[k] for k in ("add", "source", "device", "node", "size", "online")],
                        [1, "dimm", guest.device_of(new), 1, GIB, 8])
    tracing.expect_alone(report, trace)
    tracing.expect_place(report, trace, after, new)
    tracing.expect_mapping(report, trace, before, after, GIB)
    tracing.expect_memmap(report, trace, before, after, GIB)
    tracing.expect_blocks(report, trace, new)
    tracing.expect_onlining(report, trace, before, after, 1, "Movable", 8)
    tracing.expect_kernel_said(report, trace, before, after, 1)
    report.saw(f"a look at the machine takes {trace['look_usec']} us here")
    tracing.expect_first_look(report, trace)
    report.expect(trace["threads"]["kswapd"]["new"], "6: kswapd1 is new")

    status, out = guest.run_as("nobody", guest.ctl_command("--json trace 1"))
    report.expect(status == 0 and '"add"' in out, "everybody may look")
