# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pages that stay keep blocks online: memhpctl offline says which page it was, in the kernel's own words, and what became of
each block; a device goes as a whole or not at all, and once nothing keeps it, it can be unplugged."""

import errno

from vmlib import admin, bus, claims
from vmlib.machine import GIB

NAME = "offline-busy"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }', reconcile='"1s"')
PAGES = 128 << 20 >> 12


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did("plug a DIMM of 1 GiB into node 1, online in Normal; a pipe full of its pages")
    guest.plug_dimm("d0", GIB, node=1)
    new = guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Normal" for b in view.of_node(1).values()) == 8).new_since(before)
    device = guest.device_of(new)
    admin.pin_pages(guest, 1)
    bus.wait_name(guest)

    report.did(f"memhpctl offline device:{device}")
    result = bus.ask(guest, f"offline device:{device}")
    report.expect_equal("exit status", result.status, 1)
    stuck = expect_reasons(report, result)
    report.expect_equal("the other blocks", set(result.fates().values()) - {"failed"} <= {"undone", "skipped"}, True)
    view = guest.look()
    claims.expect_blocks(report, {n: view.blocks[n] for n in new}, 8, "online", "Normal", " as before")

    report.did("what can be had of it: --partial")
    status, out = bus.people(guest, f"offline device:{device} --partial")
    report.quote(out)
    report.expect_equal("exit status", status, 64)
    view = guest.look()
    left = sorted(n for n in new if view.blocks[n].state == "online")
    report.expect(set(left) >= set(stuck), f"blocks {claims.numbers(left)} stay online")
    report.expect(f"stays online: {'Device or resource busy'}: page 0x" in out, "the reason is in what people read")
    line = guest.wait_log("why", lambda log: next((l for l in log.splitlines() if "somebody asked to take it offline" in l and "page 0x" in l), None))
    report.quote(line)
    claims.expect_stays(guest, report, new, 1.5, "the policy does not bring back what somebody took offline")

    report.did("the pages are given back: now all of it")
    admin.unpin_pages(guest)
    for _ in range(10):     # freed pages are not at once back in the free lists
        result = bus.ask(guest, f"offline device:{device}")
        if result.status == 0:
            break
        admin.shrink_slabs(guest)
    if result.status != 0 and "slab" in guest.log().splitlines()[-1]:
        # What the kernel took for itself in the meantime, it keeps as long as it likes.
        report.saw(f"not all of it, as the kernel itself has pages there now: {guest.log().splitlines()[-1]}")
        return
    report.expect_equal("exit status", result.status, 0)
    view = guest.look()
    claims.expect_blocks(report, {n: view.blocks[n] for n in new}, 8, "offline")
    guest.unplug("d0")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(1))
    report.saw("unplugged")
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def expect_reasons(report, result):
    """The blocks that failed, each with EBUSY and a page of its own that the kernel named."""
    whys = result.whys()
    report.expect(whys, "a block failed")
    for block, (error, why) in whys.items():
        report.saw(f"block {block}: errno {error}: {why}")
        report.expect_equal(f"block {block}: errno", error, errno.EBUSY)
        report.expect("unmovable page" in why, "the kernel's reason")
        page = int(why.split()[1], 16)
        report.expect_equal("the page is one of the block", page // PAGES, block)
    return sorted(whys)
