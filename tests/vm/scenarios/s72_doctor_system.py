# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system that does not let memhpd do its work: /sys read-only, a container, nobody to bring memory online; doctor tells why."""

from vmlib import admin, claims, doctor
from vmlib.machine import GIB
from vmlib.report import Skipped

NAME = "doctor-system"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')
CONTAINER = "unshare -r -n"


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    guest.write_file(guest.config, POLICY)
    before = guest.look()
    claims.expect_block_size(before)
    doctor.expect(guest, report, "at the beginning")
    read_only(guest, report)
    container(guest, report)
    waiting(guest, report, before)


def read_only(guest, report):
    report.did("mount -o remount,ro /sys")
    guest.check("mount -o remount,ro /sys")
    status, out = guest.run(f"memhpd --config {guest.config} 2>&1")
    report.expect(status == 77, f"memhpd does not start: {out.strip().splitlines()[-1]}")
    finding, = doctor.expect(guest, report, "then", ("not-writable", "error"))
    report.expect("remount" in finding["fix"], "its fix is to remount it")
    guest.check("mount -o remount,rw /sys")
    doctor.expect(guest, report, "after that")


def container(guest, report):
    if guest.run(f"{CONTAINER} true")[0] != 0:
        raise Skipped("no user namespaces here")
    report.did("a container: its own user and network namespaces")
    _, findings, skipped = doctor.diagnose(guest, CONTAINER)
    kinds = {f["kind"]: f["severity"] for f in findings}
    report.expect_equal("doctor says", kinds, {"no-uevents": "error", "iomem-hidden": "error"})
    report.expect("hot-adds that the kernel refused" in skipped, "and that it may not read the kernel log")
    status, out = guest.run(f"{CONTAINER} memhpd --config {guest.config} 2>&1")
    report.expect(status == 77, f"memhpd does not start there: {out.strip().splitlines()[-1]}")
    _, findings, _ = doctor.diagnose(guest, "unshare -r")
    report.expect("no-uevents" not in {f["kind"] for f in findings}, "with the host's network namespace, uevents do arrive")
    _, findings, _ = doctor.diagnose(guest, "unshare -n")
    report.expect_equal("with a network namespace alone, all is well", findings, [])


def waiting(guest, report, before):
    report.did("plug a DIMM of 1 GiB into node 1, with no memhpd")
    guest.plug_dimm("d1", GIB, node=1)
    after = guest.wait_until("8 blocks", lambda view: len(view.new_since(before)) == 8)
    # There is no bus to ask whether memhpd runs.
    finding, = doctor.expect(guest, report, "then", ("waiting-offline", "warning", f"{guest.config}:3"))
    report.expect("1 GiB" in finding["summary"] and "8 blocks" in finding["summary"], "it says how much")
    report.did("bring it online as movable memory by hand")
    admin.set_state(guest, after.new_since(before), "online_movable")
    finding, = doctor.expect(guest, report, "then", ("movable-only-node", "warning"))
    report.expect("Node 1" in finding["summary"], "it says which node")
