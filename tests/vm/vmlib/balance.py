# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rule `balance` against the kernel's own `online_policy=auto-movable`: the same DIMMs, the same zones?

Sequences of DIMM adds are generated from a fixed seed. A chain of guests plays them all with the kernel's policy and no
memhpd, another chain with memhpd and the kernel's auto-online off. After each sequence everything is unplugged again; a
DIMM in a kernel zone may not come off, and then the next sequence gets a new guest: every sequence starts with exactly the
boot memory.
"""

import random

from . import claims
from .machine import BLOCK, GIB, MIB
from .qemu import QemuError
from .report import Failed

APPEND = "memory_hotplug.online_policy=auto-movable"
PARAMETERS = "/sys/module/memory_hotplug/parameters"
MEMORY = "/sys/devices/system/memory"
SIZES = [n * 128 * MIB for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16)]     # 128M to 2G
RATIOS = (100, 301, 50, 200, 301, 0, 33, 150)
SEQUENCE_LIMIT = 60     # seconds


class Layout:
    """What a guest boots with."""

    def __init__(self, name, node0, *others):
        self.name = name
        self.machine = {"boot_memory": node0, "node_memory": others, "append": APPEND}


ALL_ON_0 = Layout("1G,0,0", GIB)
SPREAD = Layout("512M,512M,256M", GIB // 2, GIB // 2, GIB // 4)
TWO_NODES = Layout("768M,768M,0", 3 * GIB // 4, 3 * GIB // 4)
BIG_0 = Layout("2G,128M,1G", 2 * GIB, GIB // 8, GIB)


class Sequence:
    """DIMMs as (size, node), and the figures of both policies."""

    def __init__(self, number, layout, ratio, numa_aware, paced, dimms):
        self.number = number
        self.layout = layout
        self.ratio = ratio
        self.numa_aware = numa_aware
        self.paced = paced          # each DIMM waits until the one before it is online
        self.dimms = dimms

    def policy(self):
        return claims.policy(f'{{ name = "balanced"; match = {{ }}; action = "balance"; movable_ratio = {self.ratio}; '
                             f'numa_aware = {"true" if self.numa_aware else "false"}; }}')

    def __str__(self):
        dimms = " ".join(f"{size // MIB}M@{node}" for size, node in self.dimms)
        return (f"boot {self.layout.name} · ratio {self.ratio} · {'numa-aware' if self.numa_aware else 'system-wide'} · "
                f"{'one by one' if self.paced else 'at once'} · {dimms}")


def generate(seed, layouts, per_layout):
    """`per_layout` sequences for each layout. Ratios take turns, as do the two kinds of limits and of pace."""
    rng = random.Random(seed)
    sequences = []
    for layout in layouts:
        for _ in range(per_layout):
            n = len(sequences)
            dimms = [(rng.choice(SIZES), rng.randrange(3)) for _ in range(rng.randint(3, 6))]
            sequences.append(Sequence(n + 1, layout, RATIOS[n % len(RATIOS)], rng.random() < 0.5, n % 3 != 0, dimms))
    return sequences


# -- one policy each


class KernelPolicy:
    """auto_online_blocks=online, online_policy=auto-movable; memhpd does not run."""

    title = "kernel"

    def begin(self, guest, sequence):
        guest.check(f"! pidof memhpd && echo online >{MEMORY}/auto_online_blocks &&"
                    f" echo {sequence.ratio} >{PARAMETERS}/auto_movable_ratio &&"
                    f" echo {'Y' if sequence.numa_aware else 'N'} >{PARAMETERS}/auto_movable_numa_aware")
        settings(guest, "online", "auto-movable", sequence.ratio, sequence.numa_aware)

    def lines(self, _guest):
        return []


class DaemonPolicy:
    """auto_online_blocks=offline, rule `balance`. The kernel's policy is set to the other one, with other figures: it must
    not matter for writes of online_movable and online_kernel."""

    title = "memhpd"

    def __init__(self):
        self._mark = 0

    def begin(self, guest, sequence):
        if guest.daemon_pid is None:
            guest.check(f"echo offline >{MEMORY}/auto_online_blocks && echo contig-zones >{PARAMETERS}/online_policy")
            guest.start_daemon(sequence.policy())
        else:
            mark = len(guest.log())
            guest.write_file(guest.config, sequence.policy())
            guest.signal_daemon("HUP")
            guest.wait_log("that it reloaded", lambda log: "reload" in log[mark:] or "loaded" in log[mark:])
        settings(guest, "offline", "contig-zones")
        self._mark = len(guest.log())

    def lines(self, guest):
        return [line for line in guest.log()[self._mark:].splitlines() if "dimm" in line]


def settings(guest, auto_online, policy, ratio=None, numa_aware=None):
    """The kernel has what we believe it has."""
    seen = guest.check(f"cat {MEMORY}/auto_online_blocks {PARAMETERS}/online_policy {PARAMETERS}/auto_movable_ratio "
                       f"{PARAMETERS}/auto_movable_numa_aware").split()
    wanted = [auto_online, policy]
    if ratio is not None:
        wanted += [str(ratio), "Y" if numa_aware else "N"]
    if seen[:len(wanted)] != wanted:
        raise Failed(f"the kernel's settings are {seen}, expected {wanted}")


# -- playing


class Outcome:
    """Of one sequence with one policy: each DIMM's zones in the order of plugging, and what explains them."""

    def __init__(self, zones, before, after, lines):
        self.zones = zones
        self.before = before
        self.after = after
        self.lines = lines


def play_chain(guest, report, policy, sequences):
    """({number: Outcome}, the last guest). Sequences of one layout follow each other."""
    outcomes = {}
    layout, clean, boots, left = None, True, 0, 0
    for sequence in sequences:
        if sequence.layout is not layout or not clean:
            guest = guest.another(**sequence.layout.machine)
            layout = sequence.layout
            boots += 1
            base = guest.look()
            claims.expect_block_size(base)
        policy.begin(guest, sequence)
        outcomes[sequence.number] = play(guest, policy, sequence, base)
        clean = unplug_all(guest, sequence, base)
        left += not clean
        trouble = guest.trouble()
        if trouble:
            raise Failed(f"the kernel complained in sequence {sequence.number}: {trouble[0]}")
    report.saw(f"{policy.title}: {len(sequences)} sequences in {boots} guests; {left} times a DIMM did not come off again")
    return outcomes, guest


def play(guest, policy, sequence, base):
    plugged = 0
    for n, (size, node) in enumerate(sequence.dimms):
        guest.plug_dimm(f"d{n}", size, node)
        plugged += size // BLOCK
        if sequence.paced or n == len(sequence.dimms) - 1:
            wait_online(guest, sequence, base, plugged)
    after = guest.look()
    zones = []
    places = guest.dimms()
    for n, (size, node) in enumerate(sequence.dimms):
        first = places[f"d{n}"]["addr"] // BLOCK
        blocks = [after.blocks[first + i] for i in range(size // BLOCK)]
        if any(b.nodes != [node] for b in blocks):
            raise Failed(f"sequence {sequence.number}: DIMM {n} is not on node {node}")
        zones.append([b.zone for b in blocks])
    return Outcome(zones, base, after, policy.lines(guest))


def wait_online(guest, sequence, base, count):
    def all_online(view):
        new = view.new_since(base).values()
        return len(new) == count and all(b.state == "online" for b in new)
    guest.wait_until(f"sequence {sequence.number}: {count} blocks online", all_online, SEQUENCE_LIMIT, 0.1)


def unplug_all(guest, sequence, base):
    """Last one first; False when the kernel keeps one."""
    for n in reversed(range(len(sequence.dimms))):
        try:
            guest.unplug(f"d{n}")
        except QemuError:
            return False
    left = guest.look()
    return set(left.blocks) == set(base.blocks) and all(
        left.zone(*name).present == zone.present for name, zone in base.zones.items())


# -- comparing


def short(zones):
    """One DIMM's blocks: M movable, K kernel, ? several or none; a DIMM that is of both is told block by block."""
    letters = "".join("M" if z == "Movable" else "K" if z in ("Normal", "DMA32", "DMA") else "?" for z in zones)
    return letters[0] if len(set(letters)) == 1 else letters


def compare(report, sequences, kernel, daemon):
    """The table, and the numbers of the sequences in which any block differs."""
    differing, answers = [], {}
    report.saw(" #  kernel  memhpd")
    for sequence in sequences:
        k, d = kernel[sequence.number], daemon[sequence.number]
        same = k.zones == d.zones
        words = [" ".join(short(z) for z in o.zones) for o in (k, d)]
        report.saw(f"{sequence.number:2}  {words[0]}  {'=' if same else words[1] + '  DIFFERS'}   {sequence}")
        for zones in k.zones:
            answers.setdefault(sequence.numa_aware, set()).add(short(zones))
        if not same:
            differing.append(sequence.number)
            tell_why(report, k, d)
    return differing, answers


def tell_why(report, kernel, daemon):
    for title, outcome in (("kernel", kernel), ("memhpd", daemon)):
        for when, view in (("before", outcome.before), ("after", outcome.after)):
            report.quote(f"{title}, present pages {when}: " + ", ".join(
                f"{node}/{name} {zone.present}" for (node, name), zone in sorted(view.zones.items()) if zone.present))
    report.quote("\n".join(daemon.lines) or "memhpd said nothing")


def differential(guest, report, sequences, both_answers):
    """All sequences with both policies. `both_answers`: kinds of limit for which both zones have to occur."""
    blocks = sum(size // BLOCK for s in sequences for size, _ in s.dimms)
    dimms = sum(len(s.dimms) for s in sequences)
    report.did(f"{len(sequences)} sequences, {dimms} DIMMs, {blocks} blocks with auto_online_blocks=online and "
               "online_policy=auto-movable, without memhpd")
    kernel, guest = play_chain(guest, report, KernelPolicy(), sequences)
    report.did("the same with memhpd, rule balance; auto_online_blocks=offline, online_policy=contig-zones")
    daemon, guest = play_chain(guest, report, DaemonPolicy(), sequences)
    differing, answers = compare(report, sequences, kernel, daemon)
    guest.stop()
    for numa_aware in both_answers:
        wanted = "numa-aware" if numa_aware else "system-wide"
        report.expect(answers.get(numa_aware, set()) >= {"M", "K"}, f"{wanted}: both zones occur, so it shows something")
    if differing:
        raise Failed(f"sequences in which memhpd and the kernel differ: {differing}")
    report.saw(f"each of the {blocks} blocks is in the same zone with both policies")
