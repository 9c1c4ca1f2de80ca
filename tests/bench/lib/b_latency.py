# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the kernel's event to the moment in which somebody's write() of the state enters the kernel, in a burst of blocks.

Taken with kprobes in the guest: dev_uevent(), which writes the text of the event, with ACTION=add, and the first state_store()
of the same block. (What sends the text, kobject_uevent_env(), cannot be probed: the kernel's lib/ is not traced.) The
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
        echo 'p:added dev_uevent name=+0(+0(%di)):string action=+0(+24(%si)):string' >kprobe_events
        echo "p:written 0x$at name=+0(+0(%di)):string" >>kprobe_events
        echo 'action == "ACTION=add" && name ~ "memory*"' >events/kprobes/added/filter || exit 1
        echo 1 >events/kprobes/enable && : >trace""")


def trial(guests, peer):
    guest = guests.boot(SIZE)
    try:
        try:
            prepare(guest)
        except Exception as error:
            raise Skipped(f"the guest's kernel cannot be probed: {error}") from error
        PEERS[peer](guest)
        guest.plug_dimm("d0", SIZE, node=1)
        guest.wait_until("a write for each block", lambda _: int(guest.check(
            f"sed -n 's/.* written: .*name=//p' {TRACING}/trace | sort -u | wc -l")) >= BLOCKS, timeout=180, pause=2)
        added, written = {}, {}
        for seconds, what, block in LINE.findall(guest.check(f"cat {TRACING}/trace", timeout=60)):
            (added if what == "added" else written).setdefault(int(block), float(seconds))
        if len(added) < BLOCKS or set(added) - set(written):
            raise RuntimeError(f"{peer}: {len(added)} blocks came, {len(written)} were written")
        end = max(added.values())
        return Result(sorted((written[b] - added[b]) * 1e3 for b in added), sorted((written[b] - end) * 1e3 for b in added))
    finally:
        guest.stop()


class Result:
    """Milliseconds of each block, ascending: since its event, and since the last event of the burst."""

    def __init__(self, since_event, since_last):
        self.since_event, self.since_last = since_event, since_last


def measure(place, turns):
    guests = Guests(place)
    results = rounds(turns, {peer: lambda p=peer: trial(guests, p) for peer in ("memhpd", "udev rule", "bare loop")})
    for what, of in (("event to write", "since_event"), ("last event to write", "since_last")):
        for title, share, goal in (("median", 0.5, None), ("99th percentile", 0.99, (1 / 20, "udev rule", "at most"))):
            values = {peer: [getattr(r, of)[int(BLOCKS * share)] for r in each] for peer, each in results.items()}
            yield Figure(f"{what}, burst of {BLOCKS} blocks: {title}", "ms", values, goal=goal)
            if goal and of == "since_event":
                least = {peer: values[peer] for peer in ("memhpd", "bare loop")}
                yield Figure(f"{what}, burst of {BLOCKS} blocks: {title}, beside the least that can be", "ms", least,
                             goal=(1.10, "bare loop", "at most"))
