# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hold lets new memory wait, whatever the policy says, until it is released or expires; SIGKILL does not end it.

Only what matches waits. What was online before is not touched, and the file that keeps the holds is the administrator's
alone.
"""

import time

from vmlib import claims, contract
from vmlib.machine import GIB, MIB

NAME = "hold"
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }', reconcile='"1s"')
SHORT = 12
MARGIN = 3


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did("memhpctl hold --for 2h node:1 'until the vendor came'")
    held = guest.ctl("hold --for 2h node:1 'until the vendor came'")
    report.expect_equal("its number", held["id"], 1)
    report.expect(0 < held["left_usec"] <= 2 * 3600 * 10**6, "it has two hours at most")
    expect_listed(guest, report, [(1, "node:1", "until the vendor came")])
    report.expect_equal("owner and mode of the file", guest.check("stat -c '%u %a' /run/memhpd/holds").strip(), "0 644")

    report.did("plug a DIMM of 1 GiB into node 1, then one of 512 MiB into node 2")
    guest.plug_dimm("d1", GIB, node=1)
    guest.plug_dimm("d2", 512 * MIB, node=2)
    guest.wait_until("4 blocks online on node 2", lambda view: count_online(view, 2) == 4)
    waiting = guest.look().of_node(1)
    device = guest.device_of(waiting)
    claims.expect_told(guest, report, waiting, device, contract.WAITS)
    expect_waiting(guest, report, "past a reconcile")

    report.did("kill memhpd (SIGKILL) and start it again")
    guest.kill_daemon()
    guest.start_daemon()
    claims.expect_told(guest, report, waiting, device, contract.WAITS)
    expect_waiting(guest, report, "after SIGKILL and a start")
    expect_listed(guest, report, [(1, "node:1", "until the vendor came")])

    report.did("memhpctl release 1")
    guest.check(guest.ctl_command("release 1"))
    guest.wait_until("8 blocks online on node 1", lambda view: count_online(view, 1) == 8)
    claims.expect_blocks(report, guest.look().of_node(1), 8, "online", "Movable", " on node 1")
    claims.expect_told(guest, report, waiting, device, "online in Movable")
    expect_listed(guest, report, [])

    expires_by_itself(guest, report)
    report.expect(not contract.LOST.search(guest.log(everything=True)), "no race was lost")
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def expires_by_itself(guest, report):
    report.did(f"memhpctl hold --for {SHORT}s source:dimm, and plug another DIMM of 512 MiB into node 1")
    old = guest.look()
    begun = time.monotonic()
    report.expect_equal("its number", guest.ctl(f"hold --for {SHORT}s source:dimm")["id"], 2)
    guest.plug_dimm("d3", 512 * MIB, node=1)
    new = guest.wait_until("12 blocks on node 1", lambda view: len(view.of_node(1)) == 12).new_since(old)
    claims.expect_told(guest, report, new, guest.device_of(new), contract.WAITS)
    after = guest.wait_until("12 blocks online on node 1", lambda view: count_online(view, 1) == 12)
    seconds = time.monotonic() - begun
    report.expect(seconds >= SHORT - MARGIN, f"online after {seconds:.1f} s, and not before")
    claims.expect_blocks(report, after.of_node(1), 12, "online", "Movable", " on node 1")
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable")
    expect_listed(guest, report, [])


def count_online(view, node):
    return sum(b.state == "online" for b in view.of_node(node).values())


def expect_waiting(guest, report, why):
    both = {**guest.look().of_node(1), **guest.look().of_node(2)}
    view = claims.expect_stays(guest, report, both, 1.6, why)
    claims.expect_blocks(report, view.of_node(1), 8, "offline", where=" on node 1")
    claims.expect_blocks(report, view.of_node(2), 4, "online", "Movable", " on node 2")


def expect_listed(guest, report, wanted):
    seen = [(h["id"], h["selector"], h["reason"]) for h in guest.ctl("hold")]
    report.expect_equal("memhpctl hold lists", seen, wanted)
