# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worst moment: hardly any memory is free, every CPU is busy, and DIMMs arrive one after the other.

The page descriptors of a DIMM of 2 GiB take 32 MiB, so each needs what the one before it brought. Who brings memory
online too late loses whole DIMMs (the kernel finds no memory for their descriptors), or has somebody killed.

The next DIMM comes a quarter of a second after the guest has taken the one before. Were it to come while the kernel
still adds that one, the two adds would follow each other without a gap, and nobody but the kernel itself can bring
anything online in between; on a slow machine, a pause between two commands to QEMU is no such gap.
"""

import os
import re
import time

from . import claims, packages, udev
from .machine import GIB, MIB
from .report import Failed

DIMMS, BLOCKS_EACH = 6, 16
BLOCKS = DIMMS * BLOCKS_EACH
FREE_MIB, BURNERS, GAP = 60, 6, 0.25
# With huge pages in use, the kernel of a guest this small keeps 44 MiB for itself: the first DIMM would be refused
# whoever brings it online.
MACHINE = {"boot_memory": GIB, "append": "transparent_hugepage=never"}
POLICY = claims.policy('{ name = "all"; match = { }; action = "online"; }')
RULE = 'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online"\n'
AUTO_ONLINE = "/sys/devices/system/memory/auto_online_blocks"
# memhpd as its unit runs it.
UNIT = "nice -n -20"


def start_kernel(guest):
    guest.check(f"echo online >{AUTO_ONLINE}")


def start_memhpd(guest):
    guest.start_daemon(POLICY, through=f"/usr/bin/{UNIT}")


def start_udev(guest):
    guest.write_file("/etc/udev/rules.d/80-memory.rules", RULE)
    guest.check("mkdir -p /run/udev && systemd-udevd --daemon && udevadm settle")


def start_service(guest):
    """By systemd, with all that the shipped unit has, and nothing else."""
    guest.start_daemon(POLICY)


PEERS = {"kernel": start_kernel, "memhpd": start_memhpd, "udev": start_udev}
SERVICE = {"service": start_service}        # where systemd is PID 1


class Lab:
    """Guests for one trial each, one after the other."""

    def __init__(self, guest):
        self._guest = guest
        self._archives = {None: guest.archive}
        self.why_no_udev = None
        try:
            self._archives["udev"] = udev.add_to(guest.archive)
        except packages.NoPackage as error:
            self.why_no_udev = str(error)

    def peers(self):
        return [peer for peer in PEERS if peer != "udev" or not self.why_no_udev]

    def trial(self, report, peer, gap=GAP):
        archive = self._archives.get(peer, self._archives[None])
        self._guest = self._guest.another(archive, **MACHINE)
        claims.expect_untouched_kernel_default(self._guest, report)
        result = trial(self._guest, peer, gap)
        if not result.is_good():
            report.quote(_story(self._guest, peer))
        return result

    def close(self):
        self._guest.stop()


def _story(guest, peer):
    """What was said of it, for whoever has to find out why."""
    lines = guest.check("dmesg | grep -E 'PNP0C80|Out of memory|invoked oom-killer|page allocation failure' || true")
    return (guest.log() if peer in ("memhpd", "service") else "") + lines


def fill(guest):
    # Whoever has to be killed, it is to be the hog: what starts it may be protected.
    guest.check(f"{{ echo 0 >/proc/self/oom_score_adj; exec hog {FREE_MIB}; }} >/run/hog 2>&1 </dev/null & "
                "for i in $(seq 600); do grep -q full /run/hog && exit 0; sleep 0.1; done; exit 1", 90)
    guest.check(f"hog --burn {BURNERS} >/dev/null 2>&1 </dev/null &")


class Result:
    def __init__(self, added, online, killed, seconds):
        self.added, self.online, self.killed = added, online, killed
        self.seconds = seconds          # that each hot-add took

    def __str__(self):
        times = ", ".join(f"{s:.2f}" for s in self.seconds)
        return (f"{self.online} of {BLOCKS} blocks online, {self.added} added, {len(self.killed)} killed" +
                "".join(f" ({name})" for name in self.killed) + f"; hot-adds took {times} s")

    def is_good(self):
        return self.online == BLOCKS and not self.killed


def trial(guest, peer, gap=GAP):
    """Six DIMMs into a starved guest, with this peer in charge."""
    before = guest.look()
    claims.expect_block_size(before)
    {**PEERS, **SERVICE}[peer](guest)
    fill(guest)
    seconds = []
    for n in range(DIMMS):
        started = time.monotonic()
        guest.plug_dimm_and_wait(f"d{n}", 2 * GIB, node=0)
        seconds.append(time.monotonic() - started)
        time.sleep(gap)
    return _settle(guest, len(before.blocks), seconds)


def _settle(guest, before, seconds, limit=60):
    """Wait until nothing changes any more, or everything is there. Looking takes next to no memory."""
    end = time.monotonic() + limit
    last, since = None, time.monotonic()
    while True:
        time.sleep(1)
        words = guest.check("cd /sys/devices/system/memory && cat memory[0-9]*/state", 60).split()
        state = (len(words) - before, words.count("online") - before)
        if state != last:
            last, since = state, time.monotonic()
        if state[1] == BLOCKS or time.monotonic() > min(end, since + 12):
            break
    killed = re.findall(r"Out of memory: Killed process \d+ \((.*?)\)", guest.check("dmesg"))
    return Result(*last, killed, seconds)


def expect_all(report, name, result):
    report.saw(f"{name}: {result}")
    if not result.is_good():
        raise Failed(f"{name}: {result}")


def play_service(guest, report, trials):
    """So many trials of the service, each in a guest of its own."""
    results = []
    try:
        for turn in range(trials):
            if turn > 0:
                guest = guest.another(**MACHINE)
            expect_shipped_unit(guest, report, turn == 0)
            results.append(trial(guest, "service"))
            report.saw(f"trial {turn + 1}: {results[-1]}")
            if not results[-1].is_good():
                report.quote(_story(guest, "service"))
    finally:
        guest.stop()
    good = sum(r.is_good() for r in results)
    report.expect(good == trials, f"everything online and nobody killed in {good} of {trials}")


def expect_shipped_unit(guest, report, tell):
    """What a drop-in or a missing option would change."""
    names = ("Nice", "CPUWeight", "OOMScoreAdjust", "MemoryMin", "LimitMEMLOCK", "Slice", "DropInPaths")
    wanted = ["-20", "10000", "-1000", str(16 * MIB), "infinity", "-.slice", ""]
    seen = guest.unit(*names)
    if seen != wanted:
        raise Failed(f"the unit is another: {dict(zip(names, seen))}")
    if tell:
        report.saw("the unit is as shipped: " + ", ".join(f"{n} {v}" for n, v in zip(names, seen) if v))
