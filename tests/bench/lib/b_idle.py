# SPDX-License-Identifier: LGPL-2.1-or-later
"""How often an idle daemon wakes up, and what stays in memory of it: in a guest where nothing happens, both at the same time."""

import time

from .b_online import GIB, POLICY, Guests, start_udev
from .measure import Figure

NAME = "idle"
PERIOD, WHOLE = 60, 600        # seconds: what is waited for by default, and what the figure is told for
# Each time that one of its threads had waited for something; to be preempted is no wake-up.
SWITCHES = "cat /proc/{pid}/task/*/status | sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p'"
# A reconcile comes once in that time: the timer, the work that it asks for, and what looks for lists beside it.
OF_RECONCILE = 4


def wakeups(guest, pid):
    return sum(int(word) for word in guest.check(SWITCHES.format(pid=pid)).split())


def resident(guest, pid, key):
    return int(guest.check(f"sed -n 's/^{key}:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/{pid}/status")) / 1024


def measure(place, turns):
    guests = Guests(place)
    period = WHOLE if place.full else 5 if place.tiny else PERIOD
    guest = guests.boot(0)
    try:
        guest.start_daemon(POLICY, through="/usr/bin/nice -n -20")
        start_udev(guest)
        pids = {"memhpd": guest.daemon_pid, "udevd": int(guest.check("pidof systemd-udevd").split()[0])}
        # Something has to have come, so that both have done what they do.
        guest.plug_dimm("d0", GIB, node=1)
        guest.wait_until("8 blocks online", lambda view: all(b.state == "online" for b in view.of_node(1).values()) and
                         len(view.of_node(1)) == 8)
        time.sleep(1 if place.tiny else 15)
        before = {name: wakeups(guest, pid) for name, pid in pids.items()}
        time.sleep(period)
        after = {name: wakeups(guest, pid) for name, pid in pids.items()}
        memory, own = ({name: [resident(guest, pid, key)] for name, pid in pids.items()} for key in ("VmRSS", "RssAnon"))
    finally:
        guest.stop()
    counts = {name: [(after[name] - before[name]) * WHOLE / period] for name in pids}
    yield Figure("wake-ups in ten idle minutes", "times", counts, goal=(OF_RECONCILE, None, "at most"),
                 note=f"counted for {period} s")
    yield Figure("resident memory in the guest, idle, all of it locked by memhpd", "MiB", memory, goal=(1, "udevd", "at most"))
    yield Figure("of it, what is no file's", "MiB", own)
