# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the kernel's event to the moment in which somebody's write() of the state enters the kernel, in a burst of blocks.

Taken with kprobes in the guest: kobject_uevent_env() with the action "add", and the first state_store() of the same block. The
kernel is told to refuse the blocks (memory-notifier-error-inject), so that nobody waits for one to be brought online before the
next can be written: what is left is what user space takes.
"""

import re

from .b_online import GIB, PEERS, Guests
from .measure import Figure, Skipped, rounds

NAME = "latency"
SIZE = 64 * GIB
BLOCKS = 512
TRACING = "/sys/kernel/tracing"
LINE = re.compile(r"\s(\d+\.\d+): (added|written): .*name=\"memory(\d+)\"")


def prepare(guest):
    guest.check(f"mount -t tracefs none {TRACING} 2>/dev/null; test -e {TRACING}/kprobe_events")
    from vmlib import admin             # pylint: disable=import-outside-toplevel
    admin.prepare_failures(guest)
    guest.check(f"echo -12 >{admin.INJECT}/MEM_GOING_ONLINE/error")
    guest.check(f"""cd {TRACING}
        near=$(grep -w memory_subsys_online /proc/kallsyms | cut -d' ' -f1)
        # Several drivers have a state_store(): it is the one beside the memory blocks' other functions.
        at=$(grep -w state_store /proc/kallsyms | while read a t n; do
                d=$((0x$a - 0x$near)); [ $d -lt 0 ] && d=$((-d)); echo $d $a; done | sort -n | head -n 1 | cut -d' ' -f2)
        echo mono >trace_clock && echo 16384 >buffer_size_kb
        echo 'p:added kobject_uevent_env name=+0(+0(%di)):string action=%si:u32' >kprobe_events
        echo "p:written 0x$at name=+0(+0(%di)):string" >>kprobe_events
        echo 'action == 0 && name ~ "memory*"' >events/kprobes/added/filter
        echo 1 >events/kprobes/enable && : >trace""")


def trial(guests, peer):
    """Milliseconds of each block, ascending."""
    guest = guests.boot()
    try:
        try:
            prepare(guest)
        except Exception as error:
            raise Skipped(f"the guest's kernel cannot be probed: {error}") from error
        PEERS[peer](guest)
        guest.plug_dimm("d0", SIZE, node=1)
        guest.wait_until("a write for each block", lambda _: int(guest.check(
            f"grep -c written: {TRACING}/trace || true")) >= BLOCKS, timeout=180, pause=2)
        added, written = {}, {}
        for seconds, what, block in LINE.findall(guest.check(f"cat {TRACING}/trace", timeout=60)):
            (added if what == "added" else written).setdefault(int(block), float(seconds))
        if len(added) < BLOCKS or set(added) - set(written):
            raise RuntimeError(f"{peer}: {len(added)} blocks came, {len(written)} were written")
        return sorted((written[b] - added[b]) * 1e3 for b in added)
    finally:
        guest.stop()


def measure(place, turns):
    guests = Guests(place)
    results = rounds(turns, {peer: lambda p=peer: trial(guests, p) for peer in ("memhpd", "udev rule")})
    for title, share, goal in (("median", 0.5, None), ("99th percentile", 0.99, (1 / 20, "udev rule", "at most"))):
        values = {peer: [r[int(len(r) * share)] for r in each] for peer, each in results.items()}
        yield Figure(f"event to write, burst of {BLOCKS} blocks: {title}", "ms", values, goal=goal)
