# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job outlives who asked for it, and the bus: memhpctl and dbus-daemon are killed while the kernel works at a block; over a new
bus the job is followed and cancelled, and whoever listened before hears of it.
"""

import errno
import json

from vmlib import bus, claims
from vmlib.background import Background

NAME = "job-outlives"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }', offline_timeout='"5min"')
PINNED = 36         # of 32-39, which go from above


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    pin = bus.plug_pinned(guest, report, PINNED)
    bus.wait_name(guest)
    monitor = Background(guest, "memhpctl --json monitor", "monitor")
    guest.wait_until("it listens", lambda view: "connected" in monitor.text())

    report.did(f"memhpctl offline 32-39, killed (SIGKILL) while the kernel works at block {PINNED}")
    caller = Background(guest, "memhpctl offline 32-39", "caller")
    guest.wait_until(f"block {PINNED} is worked at", lambda view: is_stuck(guest))
    caller.end("KILL")
    report.expect(is_stuck(guest), "the job goes on")

    report.did("the bus is killed (SIGKILL)")
    guest.check("kill -KILL $(pidof dbus-daemon)")
    report.expect(guest.run("memhpctl jobs")[0] == 3, "memhpctl cannot ask: exit status 3")

    report.did("a new bus")
    bus.run(guest)
    bus.wait_name(guest)
    guest.wait_until(f"block {PINNED} is worked at", lambda view: is_stuck(guest))
    report.saw("the job is the same, and goes on")
    guest.wait_until("monitor is back", lambda view: [e["event"] for e in events(monitor)].count("connected") >= 2)
    guest.check("memhpctl cancel 1")
    result = bus.ask(guest, "jobs 1")
    report.expect_equal("cancelled: exit status, state", (result.status, result.job["state"]), (64, "cancelled"))
    fates = result.fates()
    report.expect_equal("fates", [fates[n] for n in range(32, 40)], ["skipped"] * 4 + ["failed"] + ["done"] * 3)
    report.expect_equal("the pinned one: errno", result.whys()[PINNED][0], errno.ECANCELED)
    view = guest.look()
    claims.expect_blocks(report, {n: view.blocks[n] for n in range(32, PINNED + 1)}, 5, "online", "Movable", " from the pinned one down")
    claims.expect_blocks(report, {n: view.blocks[n] for n in range(PINNED + 1, 40)}, 3, "offline", where=" above it")
    guest.wait_until("monitor hears it", lambda view: any(
        e["event"] == "job-changed" and (e["id"], e["state"], e["done"]) == (1, "cancelled", 3) for e in events(monitor)))
    heard = [e["event"] for e in events(monitor) if e["event"].endswith("connected")]
    report.expect_equal("what monitor heard of the bus", heard[:2] + heard[-1:], ["connected", "disconnected", "connected"])
    monitor.end("TERM")
    report.expect_equal("its exit status", monitor.status(), 0)

    report.did("the page is let go: another job takes the rest")
    pin.let_go()
    report.expect_equal("exit status", bus.ask(guest, "offline device:PNP0C80:00").status, 0)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def is_stuck(guest):
    jobs = guest.ctl("jobs")
    return [(j["job"], j["state"], j.get("current"), j["done"]) for j in jobs] == [(1, "running", PINNED, 3)]


def events(monitor):
    return [json.loads(line) for line in monitor.text().splitlines()]
