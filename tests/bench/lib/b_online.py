# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the first "add" to the last "online", in a virtual machine, beside whoever else could bring memory online.

All bring it into the same zone. An observer in the guest takes the time from the kernel's own events. Each DIMM comes into a
guest that was booted for it, so that none finds what another left behind.
"""

import os
import re
import sys
import time

from .measure import Figure, Skipped, rounds

NAME = "online"
GIB = 1 << 30
BLOCK = 128 << 20
ZONE = "online_movable"
POLICY = f'version = 1;\nrules = ( {{ name = "all"; match = {{ }}; action = "{ZONE}"; }} );\n'
RULE = f'SUBSYSTEM=="memory", ACTION=="add", ATTR{{state}}=="offline", ATTR{{state}}="{ZONE}"\n'
AUTO_ONLINE = "/sys/devices/system/memory/auto_online_blocks"
# Looks at every block again and again, as people write it who have no daemon.
LOOP = f"""while :; do
        for f in /sys/devices/system/memory/memory*/state; do
                read s <$f && [ "$s" = offline ] && echo {ZONE} >$f
        done
        usleep 10000
done"""


class Guests:
    def __init__(self, place):
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path.insert(0, os.path.join(here, "..", "..", "vm"))
        from vmlib import guest, initramfs, kernel, packages, qemu, udev        # pylint: disable=import-outside-toplevel
        if not qemu.is_available():
            raise Skipped(f"no {qemu.BINARY} (Debian: qemu-system-x86)")
        cache = os.environ.get("MEMHP_VM_CACHE") or os.path.join(place.builddir, "tests", "vm", ".cache")
        try:
            image = kernel.obtain(cache)
            archive = initramfs.build(image, place.builddir, cache)
            # All peers run with the same user space.
            self._software = (image, udev.add_to(archive, with_rules=True))
        except (kernel.NoKernel, initramfs.NoInitramfs, packages.NoPackage) as error:
            raise Skipped(str(error)) from error
        self._guest = guest.Guest

    def boot(self, dimm):
        """What describes the pages of the DIMM has to fit before any of it is online: 16 MiB for each GiB."""
        return self._guest(*self._software, boot_memory=GIB + (dimm >> 6 if dimm > 16 * GIB else 0), hard_limit=600)


def start_kernel(guest):
    guest.check(f"echo {ZONE} >{AUTO_ONLINE}")


def start_memhpd(guest):
    # As the unit does it.
    guest.start_daemon(POLICY, through="/usr/bin/nice -n -20")


def start_udev(guest):
    guest.write_file("/etc/udev/rules.d/80-memory.rules", RULE)
    guest.check("mkdir -p /run/udev && /usr/bin/systemd-udevd --daemon")


def start_loop(guest):
    guest.write_file("/run/loop", LOOP)
    guest.check("sh /run/loop >/dev/null 2>&1 </dev/null & echo $! >/run/loop.pid")


def start_bare(guest):
    """Receive, write, receive the next: the least that anything in user space takes in this guest."""
    guest.check("mkdir -p /run/bench && cp /usr/bin/observe /run/bench/bare")
    guest.check(f"/run/bench/bare 1000000 600 {ZONE} >/run/bare 2>&1 </dev/null & "
                "for i in $(seq 100); do grep -q listening /run/bare && exit 0; sleep 0.05; done; exit 1")


PEERS = {"memhpd": start_memhpd, "kernel": start_kernel, "udev rule": start_udev, "bare loop": start_bare, "shell loop": start_loop}
# Whose user-space CPU it is: the processes by name.
NAMES = {"memhpd": "memhpd", "udev rule": "systemd-udevd|udevadm|(udev-worker)", "bare loop": "bare", "shell loop": "sh"}


def user_ticks(guest, peer):
    """Clock ticks in user space, of the processes and of the children that they waited for."""
    if peer not in NAMES:
        return 0
    total = 0
    for line in guest.check("cat /proc/[0-9]*/stat 2>/dev/null || true").splitlines():
        match = re.match(r"\d+ \((.*)\) \S (.*)$", line)
        if match and match.group(1) in NAMES[peer].split("|"):
            words = match.group(2).split()
            total += int(words[10]) + int(words[12])
    return total


class Result:
    def __init__(self, seconds, user_per_block):
        self.seconds, self.user_per_block = seconds, user_per_block


def trial(guests, peer, size, strain):
    guest = guests.boot(size)
    try:
        PEERS[peer](guest)
        if strain:
            guest.check("hog --burn 2 >/dev/null 2>&1 </dev/null &")
            guest.check(f"hog {(size >> 26) + 96 + 64} >/run/hog 2>&1 </dev/null & "
                        "for i in $(seq 300); do grep -q full /run/hog && exit 0; sleep 0.1; done; exit 1", 60)
        blocks = size // BLOCK
        limit = 20 + blocks // 4
        guest.check(f"observe {blocks} {limit} >/run/observe 2>&1 </dev/null & "
                    "for i in $(seq 100); do grep -q listening /run/observe && exit 0; sleep 0.05; done; exit 1")
        before = user_ticks(guest, peer)
        guest.plug_dimm("d0", size, node=1)
        end = time.monotonic() + limit + 20
        while True:
            words = guest.check("tail -n 1 /run/observe").split()
            if len(words) == 3:
                break
            if time.monotonic() > end:
                raise RuntimeError(f"{peer}: the observer does not end")
            time.sleep(0.5)
        adds, onlines, ns = (int(w) for w in words)
        if (adds, onlines) != (blocks, blocks):
            raise RuntimeError(f"{peer}: of {blocks} blocks {adds} came and {onlines} are online")
        wrong = [b for b in guest.look().blocks.values() if b.number >= 32 and b.zone != "Movable"]
        if wrong:
            raise RuntimeError(f"{peer}: {len(wrong)} blocks are not in Movable")
        return Result(ns / 1e9, (user_ticks(guest, peer) - before) / 100 / blocks * 1e6)
    finally:
        guest.stop()


ALL = tuple(PEERS)
# GiB, strain, and who takes part if not all do (--full): each trial takes a quarter of a minute or more.
CASES = ((16, False, ALL), (16, True, ALL[:3]), (64, False, ALL[:4]))


def measure(place, turns):
    guests = Guests(place)
    probe = guests.boot(0)
    try:
        for program in ("hog", "observe"):
            if probe.run(f"test -x /usr/bin/{program}")[0] != 0:
                raise Skipped(f"tests/vm/{program} is not built")
    finally:
        probe.stop()
    for gib, strain, names in CASES:
        yield from compare(guests, turns, gib, strain, ALL if place.full else names)


def compare(guests, turns, gib, strain, names):
    results = rounds(turns, {peer: lambda p=peer: trial(guests, p, gib * GIB, strain) for peer in names})
    seconds = {peer: [r.seconds for r in each] for peer, each in results.items()}
    title = f"DIMM of {gib} GiB, first add to last online, {'CPUs busy, little memory free' if strain else 'idle'}"
    yield Figure(title, "s", seconds, goal=(1.10 if strain else 1.03, "kernel", "at most"))
    if "udev rule" not in names:
        return
    yield Figure(f"{title}: rounds in which memhpd was faster than the udev rule", "of all",
                 {"memhpd": [sum(a < b for a, b in zip(seconds["memhpd"], seconds["udev rule"])) / turns]},
                 goal=(1, None, "at least"))
    if not strain:
        cpu = {peer: [r.user_per_block for r in each] for peer, each in results.items() if peer in NAMES}
        yield Figure(f"DIMM of {gib} GiB: user-space CPU a block", "µs", cpu, goal=(1 / 50, "udev rule", "at most"))
