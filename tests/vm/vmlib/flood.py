# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long new memory waits for memhpd while somebody floods it, beside how long it waits when nobody does: in one guest, in turns."""

import statistics
import time

from . import admin
from .guest import GuestError
from .machine import BLOCK

# By the same rank as the unit gives it.
RANK = "/usr/bin/nice -n -20"


def add_one(guest, number):
    """Plug a DIMM of one block; milliseconds from its first event to the moment in which it was online."""
    guest.check("rm -f /tmp/watch.out; flood watch </dev/null >/tmp/watch.out 2>&1 & "
                "n=0; until grep -q watching /tmp/watch.out; do n=$((n+1)); [ $n -lt 200 ] || exit 1; usleep 50000; done", 60)
    guest.plug_dimm(f"d{number}", BLOCK, node=1)
    out = guest.check("n=0; until grep usec /tmp/watch.out; do n=$((n+1)); [ $n -lt 600 ] || exit 1; usleep 100000; done", 90)
    return int(out.split()[0]) / 1e3


class Flood:
    """A program that runs in the guest as long as the block of `with`; `out` is what it says at its end."""

    def __init__(self, guest, command):
        self.guest, self.command, self.out = guest, command, ""

    def __enter__(self):
        self.guest.check(f"rm -f /tmp/flood.out; {self.command} </dev/null >/tmp/flood.out 2>&1 & echo $! >/tmp/flood.pid\n"
                         "n=0; until grep -q flooding /tmp/flood.out; do n=$((n+1)); [ $n -lt 200 ] || { cat /tmp/flood.out; exit 1; }; "
                         "usleep 50000; done", 60)
        time.sleep(3)           # until it is in full spate
        return self

    def __exit__(self, *_):
        self.guest.check("kill -TERM $(cat /tmp/flood.pid); n=0; while kill -0 $(cat /tmp/flood.pid) 2>/dev/null; do n=$((n+1)); "
                         "[ $n -lt 400 ] || exit 1; usleep 50000; done", 60)
        self.out = self.guest.check("tail -n +2 /tmp/flood.out").strip()


def wait_calm(guest):
    """What the flood has left in memhpd's queue is over."""
    end = time.monotonic() + 60
    while admin.uevent_socket(guest).queued:
        if time.monotonic() > end:
            raise GuestError("memhpd still has not taken the events of a flood that is over")
        time.sleep(0.2)


def compare(guest, report, rounds, **floods):
    """Milliseconds of an add by the name of the flood ("idle" for none), medians of adds in turns; what the floods said."""
    times, said, number = {name: [] for name in ("idle", *floods)}, {name: [] for name in floods}, 0
    for _ in range(rounds):
        for name in times:
            if name == "idle":
                times[name].append(add_one(guest, number))
            else:
                with Flood(guest, floods[name]) as flood:
                    times[name].append(add_one(guest, number))
                said[name].append(flood.out)
                wait_calm(guest)
            number += 1
    for name, values in times.items():
        report.saw(f"{name}: " + ", ".join(f"{v:.1f}" for v in values) + f" ms; median {statistics.median(values):.1f} ms")
    for lines in said.values():
        report.quote("\n".join(lines))
    return {name: statistics.median(values) for name, values in times.items()}, said
