# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hot-add that the kernel refuses for its alignment: doctor finds it in the kernel log, until it is unplugged."""

from vmlib import admin, claims, doctor
from vmlib.machine import GIB

NAME = "doctor-refused"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; node = "1"; }; action = "online_kernel"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    guest.write_file(guest.config, POLICY)
    before = guest.look()
    claims.expect_block_size(before)
    doctor.expect(guest, report, "at the beginning")

    report.did("plug an NVDIMM of 2 GiB into node 2, and a DIMM of 1 GiB behind it into node 1")
    guest.plug_nvdimm("n0", 2 * GIB, node=2)
    guest.plug_dimm("d1", GIB, node=1)
    address = guest.dimms()["d1"]["addr"]
    guest.wait_until("the kernel refuses it", lambda view: guest.run(
        f"dmesg | grep -A1 'unaligned hotplug range: start {address:#x},' | grep 'add_memory failed'")[0] == 0, 20)
    device = guest.check("dmesg | grep -o 'PNP0C80:..: add_memory failed'").split(": ")[0]
    finding, = doctor.expect(guest, report, "then", ("unaligned-add", "error", "kernel log"))
    report.expect(f"1 GiB of {device}" in finding["summary"] and "128 MiB" in finding["summary"], "it says what, and how large blocks are")
    report.expect(f"{address:#x}" in finding["evidence"][0]["text"], "and where")

    report.did("unplug it, and plug it at an aligned address")
    guest.unplug("d1", tries=3)
    guest.plug_dimm("d2", GIB, node=1, address=16 * GIB)
    after = guest.wait_until("8 blocks", lambda view: len(view.new_since(before)) == 8)
    new = after.new_since(before)
    admin.set_state(guest, new, "online_kernel")
    claims.expect_blocks(report, guest.look().of_node(1), 8, "online", "Normal", " on node 1")
    doctor.expect(guest, report, "with the log as it was")
