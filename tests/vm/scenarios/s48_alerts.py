# SPDX-License-Identifier: LGPL-2.1-or-later
"""Alerts of memory that waits offline, of kernel zones that run dry while movable memory is free, and of movable memory beyond
the limit: each raised once and cleared once, whatever goes on meanwhile.
"""

import re

from vmlib import admin, claims, stats
from vmlib.machine import GIB

NAME = "alerts"
MACHINE = {"append": stats.APPEND}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; fallback = "online_kernel"; '
                       'max_movable_ratio = 150; }', alerts='{ interval = "1s"; offline_after = "3s"; }', reconcile='"2s"')
WAITS = r"hot-added memory waits offline: 1 GiB among the blocks (\d+)-(\d+), the first of it for \d+ s"
WAITS_NO_MORE = r"no hot-added memory waits offline"
LOW = r"kernel memory is nearly exhausted: of .*, .* can still be had, while .* of movable memory are free"
LOW_NO_MORE = r"kernel memory is no longer nearly exhausted"
BEYOND = r"the movable memory of the machine is (\d+) % of its kernel memory; rule \"dimms\" allows for 150 %"
WITHIN = r"movable memory is within the limits of the rules again"


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did("hold what comes to node 1, and plug a DIMM of 1 GiB there")
    guest.check(guest.ctl_command("hold node:1"))
    guest.plug_dimm("d0", GIB, node=1)
    match = stats.expect_alert(guest, report, WAITS)
    new = guest.look().new_since(before)
    report.expect_equal("its blocks", tuple(map(int, re.search(WAITS, match.group(0)).groups())), (min(new), max(new)))
    report.did("release it")
    guest.check(guest.ctl_command("release all"))
    stats.expect_alert(guest, report, WAITS_NO_MORE)

    report.did("lock the memory of node 0 until 10 MiB are free")
    hog = stats.starve(guest, report, 10)
    stats.expect_alert(guest, report, LOW)
    guest.check("sleep 3")
    guest.check(f"kill {hog}")
    stats.expect_alert(guest, report, LOW_NO_MORE)

    report.did("plug another DIMM of 1 GiB: beyond the limit it becomes kernel memory; somebody makes it movable all the same")
    guest.plug_dimm("d1", GIB, node=2)
    view = guest.wait_until("16 blocks online", lambda v: sum(b.state == "online" for b in v.new_since(before).values()) == 16)
    second = sorted(set(view.new_since(before)) - set(new))
    claims.expect_blocks(report, {n: view.blocks[n] for n in second}, 8, "online", "Normal", " of the second")
    admin.set_state(guest, second, "offline")
    admin.set_state(guest, second, "online_movable")
    match = stats.expect_alert(guest, report, BEYOND)
    kernel = stats.bytes_of(guest.look(), stats.KERNEL_ZONES, "present")
    # The blocks went over one by one, and the alert tells the moment when memhpd looked; a little more than 150 % is cut to 150.
    share = int(re.search(BEYOND, match.group(0)).group(1))
    moments = [(GIB + n * before.block_size) * 100 // kernel for n in range(1, len(second) + 1)]
    report.expect(share in [m for m in moments if m >= 150], f"by as much as the kernel's figures said then: {share} of {moments}")
    guest.unplug("d1")
    stats.expect_alert(guest, report, WITHIN)

    for raised, cleared in ((WAITS, WAITS_NO_MORE), (LOW, LOW_NO_MORE), (BEYOND, WITHIN)):
        report.expect_equal(f"raised and cleared, once each: {cleared[:40]}…", (stats.count(guest, raised), stats.count(guest, cleared)), (1, 1))
    report.expect_equal("said of the next add", stats.count(guest, "next hot-add"), 2)      # while the hog was there
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
