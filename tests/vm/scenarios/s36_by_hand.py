# SPDX-License-Identifier: LGPL-2.1-or-later
"""Started by hand, memhpd opens what takes privileges and drops all of them; and it does not start where it could do nothing."""

import re

from vmlib import claims, contract
from vmlib.machine import GIB, MIB

NAME = "by-hand"
MACHINE = {"virtio_mem_max": 2 * GIB}
POLICY = claims.policy(
    '{ name = "slices"; match = { source = [ "virtio-mem" ]; }; action = "online_kernel"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    before = guest.look()
    guest.start_daemon(POLICY)
    status = guest.check(f"cat /proc/{guest.daemon_pid}/status /proc/{guest.daemon_pid}/task/*/status")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        sets = re.findall(rf"^{name}:\s*(\w+)$", status, re.MULTILINE)
        report.expect_equal(f"{name} of all threads", {int(s, 16) for s in sets}, {0})
    report.expect_equal("NoNewPrivs", set(re.findall(r"^NoNewPrivs:\s*(\d)$", status, re.MULTILINE)), {"1"})
    report.expect(not contract.SMALL_BUFFER.search(guest.log()), "its socket holds as many uevents as it wants")
    for size in (1, 2):
        report.did(f"the host gives {size} GiB to the virtio-mem device of node 2, which /proc/iomem alone tells")
        guest.resize_virtio_mem(size * GIB)
        after = guest.wait_until(f"{8 * size} blocks online on node 2", lambda view, n=8 * size: sum(
            b.state == "online" for b in view.of_node(2).values()) == n)
        claims.expect_blocks(report, after.of_node(2), 8 * size, "online", "Normal", " on node 2")
    claims.expect_same_boot_memory(report, before, after)
    claims.expect_healthy(guest, report)

    refuses(guest, report, "in a network namespace that belongs to a user namespace", "unshare -U -r -n", contract.NO_UEVENTS)
    guest.check("mount -o remount,ro /sys")
    refuses(guest, report, "with a /sys that is read-only", "", contract.NOT_WRITABLE)
    guest.check("mount -o remount,rw /sys")
    guest.start_daemon()
    claims.expect_healthy(guest, report)


def refuses(guest, report, what, through, message):
    report.did(f"start memhpd {what}")
    status, out = guest.run(f"timeout -s KILL 20 {through} memhpd --config {guest.config}", 40)
    report.expect_equal("it ends with", status, 77)
    found = message.search(out)
    report.expect(found, "and says why")
    report.quote(found.group(0))
