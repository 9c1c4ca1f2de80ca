# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is purged in the running guest: the service is gone and so is all it kept, memory that is online stays, and the
kernel's auto-online is as it was. Installed again, it goes on."""

import re

from vmlib import admin, claims, installed
from vmlib.machine import MIB

NAME = "package-purge"
PACKAGED = True
BEFORE = "online_kernel"        # as of the boot, which no memhpd had seen yet
MACHINE = {"append": f"memhp_default_state={BEFORE}"}
POLICY = claims.policy('{ name = "mine"; match = { }; action = "online_movable"; }')


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    report.expect_equal("auto_online_blocks while memhpd runs", admin.auto_online(guest), "offline")
    guest.start_daemon(POLICY)
    report.did("plug a DIMM of 512 MiB into node 1; enable the timer of the metrics")
    guest.plug_dimm("d1", 512 * MIB, node=1)
    expect_online(guest, report, 1, "Movable")
    guest.check("systemctl -q enable --now memhp-metrics.timer")

    report.did("dpkg --purge memhpd")
    report.quote(guest.check(f"{installed.DPKG} --purge memhpd </dev/null 2>&1", 120))
    gone(guest, report)
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), BEFORE)
    expect_online(guest, report, 1, "Movable")
    report.did("plug a DIMM of 512 MiB into node 2: now it is the kernel's")
    guest.plug_dimm("d2", 512 * MIB, node=2)
    expect_online(guest, report, 2, "Normal")

    report.did("dpkg -i")
    guest.check(f"{installed.DPKG} -i {installed.FIRST} </dev/null 2>&1", 120)
    report.expect_equal("it is", guest.unit("ActiveState", "SubState", "UnitFileState"), ["active", "running", "enabled"])
    guest.expect_handed_over(report)
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")
    claims.expect_same_boot_memory(report, before, guest.look())


def expect_online(guest, report, node, zone):
    view = guest.wait_until(f"4 blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node).values()) == 4)
    claims.expect_blocks(report, view.of_node(node), 4, "online", zone, f" on node {node}")


def gone(guest, report):
    for unit in ("memhpd.service", "memhp-metrics.timer", "memhp-metrics.service"):
        report.expect_equal(unit, guest.unit("LoadState", "ActiveState", unit=unit), ["not-found", "inactive"])
    report.expect_equal("units that failed", guest.check("systemctl --failed --plain --no-legend").strip(), "")
    report.expect_equal("processes", guest.run("pidof memhpd")[1].strip(), "")
    report.expect_equal("what the bus could start", guest.run("busctl --no-pager --no-legend list --activatable | grep memhp")[1], "")
    left = guest.check("find / -xdev -name '*memhp*' ! -path '/proc/*' ! -path '/tmp/*'; find /run -name '*memhp*'; true").split()
    # What the test itself has there.
    left = [path for path in left if not path.startswith("/usr/lib/memhp-") and not re.search(r"/virtio-ports.*agent$|memhp-agent\.service$", path)]
    report.expect_equal("files left", left, [])
