# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody without privileges follows memhpctl monitor: of hot-adds, of what is done by hand, of a reload and of an unplug it tells
what the kernel did, each block, and in order.
"""

import json

from vmlib import admin, bus, claims
from vmlib.background import Background
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "monitor"
MACHINE = {"virtio_mem_max": 4 * GIB}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    bus.wait_name(guest)
    ear = Ear(guest)

    report.did("plug a DIMM of 2 GiB into node 1")
    guest.plug_dimm("d0", 2 * GIB, node=1)
    done = ear.wait("add-completed")
    new = guest.look().new_since(before)
    device = guest.device_of(new)
    report.expect_equal("add-completed", strip(done), {"add": 1, "source": "dimm", "device": device, "node": 1, "first": min(new),
                                                       "last": max(new), "online": 16, "offline": 0, "failed": 0})
    heard = ear.take()
    claims.expect_blocks(report, new, 16, "online", "Movable")
    expect_states(report, heard, {n: ["offline", "online Movable"] for n in new})
    reports = [e["report"] for e in heard if e["event"] == "decided"]
    report.expect_equal("decided", {(r["rule"]["name"], r["outcome"], r["zone"], r["add"]) for r in reports}, {("dimms", "done", "Movable", 1)})
    report.expect_equal("… about", sum(r["n_blocks"] for r in reports), 16)
    kinds = [e["event"] for e in heard]
    report.expect("block-changed" not in kinds[kinds.index("add-completed"):], "add-completed comes when all of it is told")

    report.did("by hand: a block offline, and online again")
    block = max(new)
    for word, state in (("offline", "offline"), ("online_movable", "online Movable")):
        admin.set_state(guest, [block], word)
        ear.wait("block-changed")
        expect_states(report, ear.take(), {block: [state]})

    report.did("virtio-mem grows by 1 GiB on node 2, which the policy leaves offline")
    earlier = guest.look()
    guest.resize_virtio_mem(GIB)
    slices = guest.wait_until("8 blocks", lambda view: len(view.new_since(earlier)) == 8).new_since(earlier)
    heard = []
    while sum(e["offline"] for e in heard if e["event"] == "add-completed") < 8:
        ear.wait("add-completed")
        heard += ear.take()
    claims.expect_blocks(report, slices, 8, "offline")
    expect_states(report, heard, {n: ["offline"] for n in slices})

    report.did("SIGHUP; unplug the DIMM")
    guest.signal_daemon("HUP")
    report.expect_equal("policy-reloaded", strip(ear.wait("policy-reloaded")), {"accepted": True, "rules": 2})
    ear.take()
    guest.unplug("d0")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(1))
    heard = []
    while last_states(heard) != {n: "removed" for n in new}:
        ear.wait("block-changed", again=True)
        heard += ear.take()
    report.saw("16 blocks removed, as it tells")
    ear.end(report)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


class Ear:
    """memhpctl --json monitor, run by nobody."""

    def __init__(self, guest):
        self._guest = guest
        self._monitor = Background(guest, "/usr/bin/setpriv --reuid=nobody --regid=nogroup --clear-groups memhpctl --json monitor", "monitor")
        self._taken = 0
        self.wait("connected")
        self.take()

    def _all(self):
        text = self._monitor.text()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def wait(self, event, again=False):
        """The first of these that was not taken. again: any event will do."""
        found = []

        def look(_):
            found[:] = [e for e in self._all()[self._taken:] if again or e["event"] == event]
            return found
        self._guest.wait_until(f"monitor tells of {event}", look)
        return found[0]

    def take(self):
        """All that came since the last time."""
        events = self._all()
        fresh, self._taken = events[self._taken:], len(events)
        return fresh

    def end(self, report):
        times = [e["time_usec"] for e in self._all()]
        report.expect(times == sorted(times), f"{len(times)} events, in order")
        self._monitor.end("TERM")
        report.expect_equal("its exit status", self._monitor.status(), 0)


def strip(event):
    return {key: value for key, value in event.items() if key not in ("event", "time_usec")}


def states(heard):
    """Block -> its states, in the order in which they were told."""
    seen = {}
    for e in heard:
        if e["event"] == "block-changed":
            text = " ".join([e["state"]] + (e["zones"] if e["state"] == "online" else []))
            for block in range(e["first"], e["last"] + 1):
                seen.setdefault(block, []).append(text)
    return seen


def last_states(heard):
    return {block: told[-1] for block, told in states(heard).items()}


def expect_states(report, heard, wanted):
    """These blocks and no others. What passes while others are told of may be left out; the last state never is."""
    seen = states(heard)
    if set(seen) != set(wanted):
        raise Failed(f"told of blocks {claims.numbers(seen)}, expected {claims.numbers(wanted)}")
    for block, told in seen.items():
        if told[-1] != wanted[block][-1] or [s for s in told if s not in wanted[block]]:
            raise Failed(f"block {block}: told {told}, expected {wanted[block]}")
    report.saw(f"block-changed: blocks {claims.numbers(seen)}: {', '.join(sorted({s for told in seen.values() for s in told}))}")
