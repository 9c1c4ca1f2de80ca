# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon on very large machines: what it answers, how fast it starts, how much memory it takes."""

import os
import re
import subprocess
import time

from .measure import Figure, Skipped, rounds, run
from .place import Bus, Daemon

NAME = "daemon"
SIZES = (16384, 131072, 524288)


BLOCK = 128 << 20       # of the systems that tree.c makes


class Wrong(Exception):
    """An answer that is not that of the system that was asked about: what it took is no figure."""


def verified(place, command, blocks, environment=None):
    """Seconds of a listing in bytes, whose total has to be that of so many blocks."""
    output = os.path.join(place.folder, "output")
    cost = run(place.builddir, command, environment, output)
    with open(output, encoding="utf-8") as f:
        text = f.read()
    online = re.search(r"^Total online memory: +(\d+)$", text, re.M)
    offline = re.search(r"^Total offline memory: +(\d+)$", text, re.M)
    total = sum(int(m.group(1)) for m in (online, offline) if m)
    ranges = re.findall(r"^0x([0-9a-f]+)-0x([0-9a-f]+) ", text, re.M)
    shown = sum(int(last, 16) + 1 - int(first, 16) for first, last in ranges)
    if not online or (total, shown) != (blocks * BLOCK, blocks * BLOCK):
        raise Wrong(f"{' '.join(command)}: tells of {shown} bytes, {total} in all, of {blocks * BLOCK}: {text[:400]}")
    return cost.wall


def answers(place, turns, sizes=SIZES):
    """memhpctl list, answered by the running daemon: this machine is not of that size, so nobody else can have told."""
    lsmem, memhpctl = place.peer("lsmem", "util-linux"), place.program("memhpctl")
    with Bus(place) as bus:
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address)
        for blocks in sizes:
            root = place.tree(blocks)
            with Daemon(place, root, bus=bus.address):
                wait_for_name(environment)
                walls = rounds(turns, {
                    "memhpd": lambda n=blocks: verified(place, [memhpctl, "--bytes", "list"], n, environment),
                    "lsmem": lambda n=blocks, r=root: verified(place, [lsmem, "--bytes", "--sysroot", r], n)})
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
    """From nothing until every block is looked at and decided, as the daemon says and its words are checked."""
    lsmem, root = place.peer("lsmem", "util-linux"), place.tree(blocks, blocks // 8)

    def cold():
        with Daemon(place, root) as daemon:
            if f"{blocks} " not in daemon.ready:
                raise Wrong(f"of {blocks} blocks: {daemon.ready}")
            return daemon.ready_seconds
    yield Figure(f"cold start with {blocks} blocks until all are decided, beside a listing alone", "s",
                 rounds(turns, {"memhpd": cold, "lsmem": lambda: run(place.builddir, [lsmem, "--sysroot", root]).wall}),
                 goal=(1, "lsmem", "at most"))


def udevd_memory(place):
    """systemd-udevd with the distribution's rules, idle, in namespaces of its own, so that this machine's does not notice."""
    if place.tiny:
        raise Skipped("systemd-udevd is not fetched to try this")
    program, rules = place.udevd()
    script = 'mount -t tmpfs none /run && mkdir -p /run/udev && cp -r "$2" /run/udev/rules.d && exec "$1"'
    process = subprocess.Popen(["unshare", "--mount", "--net", "--ipc", "sh", "-c", script, "sh", program, rules],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        if process.poll() is not None:
            raise Skipped("systemd-udevd does not run here")
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            values = dict(line.split(":", 1) for line in f)
        if values["Name"].strip() != "systemd-udevd":
            raise Skipped(f"systemd-udevd does not run here: {values['Name'].strip()} does")
        return int(values["VmRSS"].split()[0]) * 1024
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
            try:
                yield Figure("resident memory, idle, a small machine", "MiB",
                             rounds(turns, {"memhpd": ours, "udevd": lambda: udevd_memory(place) / (1 << 20)}),
                             goal=(1, "udevd", "at most"))
            except Skipped as error:
                print(f"    resident memory: no peer: {error}")
        else:
            yield Figure(f"resident memory with {blocks} blocks", "MiB", {"memhpd": [ours() for _ in range(turns)]},
                         goal=(24, None, "at most"))


def growth(place, turns, sizes=(1000, 16384, 131072, 524288)):
    """CPU a block of the daemon's start and of a listing, from small to large: without what each takes on a tiny machine."""
    programs = {"a listing": [place.program("memhpctl"), "--sysroot"], "a bare loop": [place.program("tests/bench/bare")]}
    values = {title: {} for title in ("the daemon's start", *programs)}

    def costs(root):
        with Daemon(place, root) as daemon:
            yield "the daemon's start", daemon.cpu()
        for title, command in programs.items():
            yield title, run(place.builddir, command + [root] + (["list"] if len(command) > 1 else [])).cpu

    def times(blocks):
        root = place.tree(blocks)
        taken = [dict(costs(root)) for _ in range(turns)]
        return {title: [t[title] for t in taken] for title in values}
    fixed = {title: min(series) for title, series in times(8).items()}
    for blocks in sizes:
        for title, series in times(blocks).items():
            values[title][f"{blocks} blocks"] = [(t - fixed[title]) / (blocks - 8) * 1e6 for t in series]
    first, last = (f"{n} blocks" for n in (sizes[0], sizes[-1]))
    for title, series in values.items():
        yield Figure(f"CPU a block of {title}", "µs", series, ours=last,
                     goal=(1.3, first, "at most") if title != "a bare loop" else None)


def measure(place, turns):
    if place.tiny:
        yield from answers(place, turns, (64, 512))
        yield from start(place, turns, 512)
        yield from memory(place, turns, (24, 1024))
        yield from growth(place, turns, (100, 500))
        return
    yield from answers(place, turns, SIZES if place.full else SIZES[:2])
    yield from start(place, turns)
    yield from memory(place, turns)
    yield from growth(place, turns)
