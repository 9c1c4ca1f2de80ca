# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is upgraded in the running guest, while blocks wait and more memory comes: none is lost, and nothing is asked."""

import time

from vmlib import admin, claims, installed
from vmlib.guest import GuestError
from vmlib.machine import GIB, MIB

NAME = "package-upgrade"
PACKAGED = True
POLICY = claims.policy('{ name = "mine"; match = { }; action = "online_movable"; }')


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    taken = taken_offline(guest, report)
    report.did("memhpctl hold all; plug a DIMM of 512 MiB into node 2")
    guest.check("memhpctl hold all")
    guest.plug_dimm("d2", 512 * MIB, node=2)
    guest.wait_log("that it waits", lambda log: "waits: a hold is on it" in log)
    pid = guest.daemon_pid
    upgrade(guest, report)

    report.expect(guest.daemon_pid not in (0, pid), "another process runs")
    report.expect_equal("it is", guest.unit("ActiveState", "SubState", "UnitFileState", "NRestarts"),
                        ["active", "running", "enabled", "0"])
    guest.expect_handed_over(report)
    report.expect(guest.check(f"cat {guest.config}") == POLICY, "the policy is as it was")
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")
    still_waiting(guest, report, taken)
    released(guest, report, taken)
    claims.expect_same_boot_memory(report, before, guest.look())


def taken_offline(guest, report):
    report.did("plug a DIMM of 512 MiB into node 1; set one of its blocks offline")
    guest.plug_dimm("d1", 512 * MIB, node=1)
    view = guest.wait_until("4 blocks online", lambda view: sum(b.state == "online" for b in view.of_node(1).values()) == 4)
    taken = max(view.of_node(1))
    admin.set_state(guest, [taken], "offline")
    guest.wait_log("that it stays so", lambda log: "stays offline" in log)
    return taken


def upgrade(guest, report):
    report.did("dpkg -i of a later version, and a DIMM of 1 GiB for node 2 meanwhile")
    guest.check(f"rm -f /tmp/dpkg.status; {{ {installed.DPKG} -i {installed.LATER}; echo $? >/tmp/dpkg.status; }} </dev/null >/tmp/dpkg.out 2>&1 &")
    guest.plug_dimm("d3", GIB, node=2)
    limit = time.monotonic() + 120
    while guest.run("test -s /tmp/dpkg.status")[0] != 0:
        if time.monotonic() > limit:
            raise GuestError(f"dpkg does not end: {guest.check('cat /tmp/dpkg.out')}")
        time.sleep(0.3)
    out = guest.check("cat /tmp/dpkg.out")
    report.quote(out)
    report.expect_equal("dpkg ended with", guest.check("cat /tmp/dpkg.status").strip(), "0")
    report.expect("?" not in out, "and asked nothing")
    version = guest.check("dpkg-query -W -f '${Version}' memhpd")
    report.expect(version.endswith("+later"), f"installed is {version}")


def still_waiting(guest, report, taken):
    guest.wait_until("12 blocks on node 2", lambda view: len(view.of_node(2)) == 12)
    guest.check("memhpctl reload")          # it looks at every block, and returns after that
    view = guest.look()
    claims.expect_blocks(report, view.of_node(2), 12, "offline", where=" on node 2: they wait for the hold")
    report.expect_equal("on node 1, offline is what somebody set offline",
                        [n for n, b in view.of_node(1).items() if b.state != "online"], [taken])
    report.quote(guest.check("memhpctl hold"))


def released(guest, report, taken):
    report.did("memhpctl release all")
    guest.check("memhpctl release all")
    view = guest.wait_until("12 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 12, 90)
    claims.expect_blocks(report, view.of_node(2), 12, "online", "Movable", " on node 2")
    report.expect_equal("on node 1, still offline", [n for n, b in view.of_node(1).items() if b.state != "online"], [taken])
