# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory comes and goes, again and again: memhpd does what it does each time, and becomes no larger by it."""

import os
import re

from . import bus, claims, process
from .machine import BLOCK, GIB
from .report import Failed

# Small, so that a round is short: what is looked for is what stays behind, not what a burst takes.
DIMMS = (("d0", 1), ("d1", 2), ("d2", 1), ("d3", 1))
MACHINE = {"virtio_mem_max": GIB}
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
                       '{ name = "slices"; match = { source = [ "virtio-mem" ]; }; action = "online_movable"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')
# memhpd has then touched what it uses each time.
WARM_UP = 8
# One look in the guest until nodes 1 and 2 have so many blocks, all online.
WAIT = """
cd /sys/devices/system
n=0
while :; do
        online=0 all=0
        for m in node/node1/memory[0-9]* node/node2/memory[0-9]*; do
                [ -e $m ] || continue
                all=$((all+1)); state=
                read -r state <$m/state && [ "$state" = online ] && online=$((online+1))
        done 2>/dev/null
        [ $all -eq $WANTED ] && [ $online -eq $WANTED ] && exit 0
        n=$((n+1)); [ $n -lt 1000 ] || break
        usleep 20000
done
echo "$online of $all blocks online, expected $WANTED"; exit 1
"""


class Rounds:
    """Each adds and removes some DIMMs, and now and then a part of a virtio-mem device."""

    def __init__(self, guest):
        self._guest = guest
        self.done = 0       # DIMMs added and removed
        self.blocks = 0     # and what came of it, with the parts

    def play(self, count):
        for turn in range(count // len(DIMMS)):
            for name, blocks in DIMMS:
                self._guest.plug_dimm(name, blocks * BLOCK, node=1)
            self._expect(sum(blocks for _, blocks in DIMMS))
            for name, _ in DIMMS:
                self._guest.unplug(name, tries=10)
            if turn % 5 == 0:
                self._guest.resize_virtio_mem(BLOCK)
                self._expect(1)
                self._guest.resize_virtio_mem(0)
            self._expect(0)
            self.done += len(DIMMS)

    def _expect(self, count):
        self._guest.check(f"WANTED={count}\n{WAIT}", 60)
        self.blocks += count


def play(guest, report, count, looks=1):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    bus.start(guest)
    guest.start_daemon(POLICY, through=f"env {unit_environment()}")
    bus.wait_name(guest)
    # Somebody listens, or no signal is ever made.
    guest.check("memhpctl monitor </dev/null >/dev/null 2>&1 & echo $! >/tmp/monitor.pid")
    rounds = Rounds(guest)
    rounds.play(WARM_UP)
    first = at_rest(guest)
    report.saw(f"after {WARM_UP} times: {first}")
    for look in range(looks):
        rounds.play(count // looks)
        last = at_rest(guest)
        report.saw(f"after {rounds.done} times: {last}")
        expect_no_growth(report, first, last, look == looks - 1)
    expect_counted(guest, report, rounds)
    guest.check("kill $(cat /tmp/monitor.pid)")
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def unit_environment():
    """As its unit runs it."""
    path = os.path.join(os.path.dirname(__file__), "..", "..", "..", "systemd", "memhpd.service.in")
    with open(path, encoding="utf-8") as f:
        return " ".join(re.findall(r"^Environment=(\S+)$", f.read(), re.MULTILINE))


def at_rest(guest):
    """Once it has written down what came of it: no file is open for a moment."""
    guest.check("sleep 1")
    return process.look(guest, guest.daemon_pid)


def expect_no_growth(report, first, last, tell):
    """Not a page, not a descriptor, not a thread."""
    grown = {name: getattr(last, name) - getattr(first, name) for name in ("data", "anonymous", "descriptors", "threads")}
    grown = {name: by for name, by in grown.items() if by > 0}
    if grown:
        raise Failed(f"memhpd grew: {grown}")
    if tell:
        report.saw(f"memhpd has not grown: {last.data - first.data} bytes of data, {last.anonymous - first.anonymous} of them "
                   f"touched, {last.descriptors - first.descriptors} descriptors, {last.threads - first.threads} threads")


def expect_counted(guest, report, rounds):
    counters = guest.ctl("status")["counters"]
    report.expect_equal("blocks that it brought online, as memhpctl status says", counters["onlined"], rounds.blocks)
    report.expect_equal("and that failed", counters["failed"], 0)
    report.expect_equal("blocks that it still knows of node 1 and 2",
                        [r for r in guest.ctl("list --all")["ranges"] if r["nodes"] != [0]], [])
