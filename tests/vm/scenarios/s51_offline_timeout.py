# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel tries without end to empty a block of zone Movable in which a page is pinned: --timeout, a cancel and ^C interrupt
it, every block is in a state that holds, and memhpctl says what was done and which page it was."""

import errno
import time

from vmlib import bus, claims
from vmlib.guest import GuestError

NAME = "offline-timeout"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }', reconcile='"1s"')
PAGES = 128 << 20 >> 12
PINNED = 36         # of 32-39, which go from above


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    pin = bus.plug_pinned(guest, report, PINNED)
    report.saw(f"page {pin.pages()[PINNED]:#x}")
    bus.wait_name(guest)

    report.did("memhpctl offline 32-39 --timeout 8s")
    started = time.monotonic()
    result = bus.ask(guest, "offline 32-39 --timeout 8s")
    report.saw(f"it took {time.monotonic() - started:.1f} s")
    report.expect_equal("exit status", result.status, 64)
    report.expect_equal("state", result.job["state"], "timed-out")
    expect_interrupted(guest, report, result, errno.ETIMEDOUT, pin.pages()[PINNED])

    report.did("the same, cancelled by somebody else")
    online_again(guest)
    job = start_job(guest, "32-39")
    guest.check(f"memhpctl cancel {job}")
    result = bus.ask(guest, f"jobs {job}")
    report.expect_equal("state", result.job["state"], "cancelled")
    expect_interrupted(guest, report, result, errno.ECANCELED, None)

    report.did("the same with ^C")
    online_again(guest)
    guest.check("(trap - INT; memhpctl offline 32-39 </dev/null >/tmp/ctl.out 2>&1; echo $? >/tmp/ctl.status) & echo $! >/tmp/ctl.shell")
    wait_for_block(guest, PINNED)
    guest.check("kill -INT $(pidof memhpctl)")
    guest.wait_until("memhpctl has ended", lambda view: guest.run("test -s /tmp/ctl.status")[0] == 0)
    out = guest.check("cat /tmp/ctl.out")
    report.quote(out)
    report.expect_equal("exit status", guest.check("cat /tmp/ctl.status").strip(), "64")
    report.expect("cancelled: 3 of 8 blocks" in out, "it says what was done")

    report.did("a device as a whole: what was done is undone")
    online_again(guest)
    result = bus.ask(guest, "offline device:PNP0C80:00 --timeout 5s")
    report.expect_equal("exit status", result.status, 1)
    report.expect_equal("blocks 37-39", {result.fates()[n] for n in (37, 38, 39)}, {"undone"})
    view = guest.look()
    claims.expect_blocks(report, view.of_node(1), 8, "online", "Movable")

    report.did("the page is let go: now all of it")
    pin.let_go()
    result = bus.ask(guest, "offline device:PNP0C80:00")
    report.expect_equal("exit status", result.status, 0)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def expect_interrupted(guest, report, result, error, page):
    """Blocks above the pinned one are offline, it and those below it are as before, and the page is named."""
    fates = result.fates()
    report.expect_equal("fates", [fates[n] for n in range(32, 40)], ["skipped"] * 4 + ["failed"] + ["done"] * 3)
    seen, why = result.whys()[PINNED]
    report.saw(f"block {PINNED}: errno {seen}: {why}")
    report.expect_equal("errno", seen, error)
    if page is not None:
        report.expect(f"page {page:#x} could not be moved" in why and "migration failure" in why, "the kernel's reason names the page")
    view = guest.look()
    claims.expect_blocks(report, {n: view.blocks[n] for n in range(32, PINNED + 1)}, 5, "online", "Movable", " from the pinned one down")
    claims.expect_blocks(report, {n: view.blocks[n] for n in range(PINNED + 1, 40)}, 3, "offline", where=" above it")


def online_again(guest):
    if bus.ask(guest, "online 32-39 --zone movable").status != 0:
        raise GuestError("the blocks do not come back")


def start_job(guest, selector):
    job = int(guest.check(f"memhpctl offline {selector} --no-wait").split()[1])
    wait_for_block(guest, PINNED)
    return job


def wait_for_block(guest, block):
    guest.wait_until(f"block {block} is worked on", lambda view: f'"current":{block}' in guest.check("memhpctl --json jobs"))
    time.sleep(1)       # the kernel is at it
