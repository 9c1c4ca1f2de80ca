# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon on very large machines: what it answers, how fast it starts, how much memory it takes."""

import os
import subprocess
import time

from .measure import Figure, Skipped, rounds, run
from .place import Bus, Daemon

NAME = "daemon"
SIZES = (16384, 131072, 524288)


def answers(place, turns, sizes=SIZES):
    """memhpctl list, answered by the running daemon."""
    lsmem, memhpctl = place.peer("lsmem", "util-linux"), place.program("memhpctl")
    with Bus(place) as bus:
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address)
        for blocks in sizes:
            root = place.tree(blocks)
            with Daemon(place, root, bus=bus.address):
                wait_for_name(environment)
                walls = rounds(turns, {
                    "memhpd": lambda: run(place.builddir, [memhpctl, "list"], environment).wall,
                    "lsmem": lambda r=root: run(place.builddir, [lsmem, "--sysroot", r], environment).wall})
            yield Figure(f"list of {blocks} blocks, answered by the daemon", "s", walls, goal=(1 / 50, "lsmem", "at most"))


def wait_for_name(environment):
    for _ in range(200):
        done = subprocess.run(["busctl", "--system", "status", "org.memhp1"], env=environment, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return
        time.sleep(0.05)
    raise Skipped("memhpd's name does not come to the bus")


def start(place, turns, blocks=131072):
    """From nothing until every block is looked at and decided."""
    lsmem, root = place.peer("lsmem", "util-linux"), place.tree(blocks, blocks // 8)

    def cold():
        with Daemon(place, root) as daemon:
            return daemon.ready_seconds
    yield Figure(f"cold start with {blocks} blocks until all are decided, beside a listing alone", "s",
                 rounds(turns, {"memhpd": cold, "lsmem": lambda: run(place.builddir, [lsmem, "--sysroot", root]).wall}),
                 goal=(1, "lsmem", "at most"))


def udevd_memory(place):
    """systemd-udevd, idle, with this machine's rules, in namespaces of its own."""
    udevd = place.peer("systemd-udevd", "udev")
    process = subprocess.Popen(["unshare", "--mount", "--net", "--ipc", udevd], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        if process.poll() is not None:
            raise Skipped("systemd-udevd does not run here")
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS:"))
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def memory(place, turns, sizes=(24, 131072)):
    for blocks in sizes:
        root = place.tree(blocks)

        def ours(r=root):
            with Daemon(place, r) as daemon:
                return daemon.status("VmRSS") / (1 << 20)
        if blocks < 1000:
            yield Figure("resident memory, idle, a small machine", "MiB",
                         rounds(turns, {"memhpd": ours, "udevd": lambda: udevd_memory(place) / (1 << 20)}),
                         goal=(1, "udevd", "at most"))
        else:
            yield Figure(f"resident memory with {blocks} blocks", "MiB", {"memhpd": [ours() for _ in range(turns)]},
                         goal=(24, None, "at most"))


def growth(place, turns, sizes=(1000, 16384, 131072, 524288)):
    """CPU a block of the daemon's start and of a listing, from small to large."""
    memhpctl = place.program("memhpctl")
    daemon, listing = {}, {}
    for blocks in sizes:
        root = place.tree(blocks)

        def cold(r=root):
            with Daemon(place, r) as d:
                with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
                    words = f.read().rsplit(")", 1)[1].split()
                return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        empty = place_empty_cost(place, turns, memhpctl)
        name = f"{blocks} blocks"
        daemon[name] = [cold() / blocks * 1e6 for _ in range(turns)]
        listing[name] = [(run(place.builddir, [memhpctl, "--sysroot", root, "list"]).cpu - empty) / blocks * 1e6
                         for _ in range(turns)]
    first, last = (f"{n} blocks" for n in (sizes[1], sizes[-1]))
    for title, values in (("a listing", listing), ("the daemon's start", daemon)):
        yield Figure(f"CPU a block of {title}", "µs", values, ours=last, goal=(1.3, first, "at most"))


def place_empty_cost(place, turns, memhpctl):
    return min(run(place.builddir, [memhpctl, "--version"]).cpu for _ in range(turns))


def measure(place, turns):
    yield from answers(place, turns)
    yield from start(place, turns)
    yield from memory(place, turns)
    yield from growth(place, turns)
