# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DIMM that the kernel refuses for its alignment: no block, no event, but memhpd tells of it, and how to do better.

An NVDIMM of 2 GiB with a label area is 2 MiB short of its size for the guest, so the DIMM behind it begins in the
middle of a memory block.
"""

from vmlib import claims, contract
from vmlib.machine import GIB, MIB
from vmlib.report import Failed

NAME = "unaligned"
ALIGNED = 16 * GIB
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }', reconcile='"1s"')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    report.did("plug an NVDIMM of 2 GiB into node 2, and a DIMM of 1 GiB behind it into node 1")
    guest.plug_nvdimm("n0", 2 * GIB, node=2)
    guest.plug_dimm("d1", GIB, node=1)
    refused = [refusal(guest, report, 0)]

    report.did("plug another one behind those")
    guest.plug_dimm("d2", 512 * MIB, node=1)
    refused.append(refusal(guest, report, 1))
    expect_told(guest, report, refused)
    report.expect_equal("blocks that came", len(guest.look().new_since(before)), 0)

    report.did("plug a DIMM of 1 GiB at an aligned address")
    guest.plug_dimm("d3", GIB, node=1, address=ALIGNED)
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    new = after.new_since(before)
    report.expect_equal("its first block", min(new), ALIGNED // before.block_size)
    claims.expect_blocks(report, new, 8, "online", "Movable", " on node 1")
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable")
    claims.expect_growth(report, before, after, 1, "Movable", 8)
    claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))
    claims.expect_stays(guest, report, new, 1.6, "past a reconcile")
    expect_told(guest, report, refused)

    report.did("start memhpd again: it tells of what happened before its start as well")
    guest.stop_daemon()
    guest.start_daemon()
    expect_told(guest, report, refused)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def refusal(guest, report, number):
    """(start, device) of what the kernel refused, as it says itself."""
    dimm = f"d{number + 1}"
    address = guest.dimms()[dimm]["addr"]
    script = f"dmesg | grep -A1 'unaligned hotplug range: start {address:#x},' | grep -o 'PNP0C80:..'"
    guest.wait_until(f"the kernel refuses {dimm}", lambda view: guest.run(script)[0] == 0, 20)
    device = guest.check(script).split()[0]
    report.saw(f"the kernel refuses {device} at {address:#x}")
    return f"{address:#x}", device


def expect_told(guest, report, refused):
    """One line of each, with the range, the device and the remedy."""
    guest.wait_log(f"that {len(refused)} hot-adds were refused",
                   lambda log: len(contract.REFUSED.findall(log)) >= len(refused))
    guest.check("sleep 0.5")
    lines = list(contract.REFUSED.finditer(guest.log()))
    if [line.groups() for line in lines] != refused:
        raise Failed(f"memhpd tells of {[line.groups() for line in lines]}, but the kernel refused {refused}")
    for line in lines:
        if "aligned" not in line.group(0) or "128 MiB" not in line.group(0):
            raise Failed(f"no remedy in: {line.group(0)}")
        report.quote(line.group(0))
