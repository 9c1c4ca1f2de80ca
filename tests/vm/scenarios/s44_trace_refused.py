# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hot-add that the kernel refuses for its alignment has a trace, too: step 1, in the kernel's words, and nothing more.

As in "unaligned": an NVDIMM of 2 GiB with a label area is 2 MiB short, and the DIMM behind it begins within a block.
"""

from vmlib import claims, tracing
from vmlib.machine import BLOCK, GIB

NAME = "trace-refused"
WHOLE_SYSTEM = True
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')


def play(guest, report):
    guest.start_daemon(POLICY)
    report.did("plug an NVDIMM of 2 GiB into node 2, and a DIMM of 1 GiB behind it into node 1")
    guest.plug_nvdimm("n0", 2 * GIB, node=2)
    guest.plug_dimm("d1", GIB, node=1)
    start = guest.dimms()["d1"]["addr"]
    guest.wait_until("the kernel refuses it", lambda _: guest.run(
        f"dmesg | grep -q 'unaligned hotplug range: start {start:#x}, size {GIB:#x}'")[0] == 0, 30)
    guest.wait_until("there is a trace of it", lambda _: guest.run(guest.ctl_command("trace"))[0] == 0, 30)
    trace = tracing.get(guest, report)
    report.expect_equal("its state", [trace["add"], trace["state"]], [0, "refused"])
    report.expect_equal("1: range", trace["range"], {"start": start, "end": start + GIB - 1, "block_size": BLOCK,
                                                     "aligned": False})
    device = guest.check("dmesg | grep -A1 'unaligned hotplug range' | grep -o 'PNP0C80:..'").split()[0]
    report.expect_equal("its device", trace["device"], device)
    report.expect("128 MiB" in trace["refused"] and "aligned" in trace["refused"], "what helps")
    report.expect("growth" not in trace and "memmap" not in trace, "nothing of the other steps")
    report.expect_equal("blocks that came", len(guest.look().of_node(1)), 0)

    report.did("plug a DIMM of 1 GiB at an aligned address")
    guest.plug_dimm("d2", GIB, node=1, address=16 * GIB)
    tracing.wait_over(guest, 1)
    trace = tracing.get(guest, report)
    report.expect_equal("the newest is", [trace["add"], trace["state"], trace["range"]["start"]], [1, "over", 16 * GIB])
    text = guest.check(guest.ctl_command("trace --list"))
    report.quote(text)
    report.expect_equal("both are remembered, in order", [t["state"] for t in guest.ctl("trace --list")["traces"]],
                        ["refused", "over"])
