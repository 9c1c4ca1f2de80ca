# SPDX-License-Identifier: LGPL-2.1-or-later
"""More blocks come than an ordinary socket holds events, while the service is stopped: its own loses none of them.

Side by side with the service to which nothing is handed over: there events are lost, and every block is found by
looking at all of them.
"""

import time

from vmlib import admin, claims, contract, starved
from vmlib.machine import BLOCK, GIB

NAME = "event-room"
WHOLE_SYSTEM = True
MACHINE = {"boot_memory": 2 * GIB}
SIZE = 40 * GIB
POLICY = claims.policy('{ name = "all"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    before = guest.look()
    # Of the limit for receive buffers the kernel grants the double: as much as a socket has that does not ask for more.
    guest.check(f"echo {starved.BUFFER // 2} >/proc/sys/net/core/rmem_max")
    guest.start_daemon(POLICY)
    report.expect_equal("events that it lost", add(guest, report, before, 1, "handed over"), 0)
    report.expect(not contract.EVENTS_LOST.search(guest.log()), "memhpd lost none")

    report.did("the same, nothing being handed over")
    guest.drop_in("poor", "[Service]\nExecStartPre=\n")
    guest.stop_daemon()         # a restart would keep what was handed over before
    guest.start_daemon()
    report.quote(guest.wait_log("that its socket is small", contract.SMALL_BUFFER.search).group(0))
    report.quote(guest.wait_log("that it sees no addresses", contract.HIDDEN_IOMEM.search).group(0))
    lost = add(guest, report, guest.look(), 2, "its own")
    report.expect(lost > 0, f"{lost} events were lost")
    report.quote(guest.wait_log("that uevents were lost", contract.EVENTS_LOST.search).group(0))


def add(guest, report, before, node, what):
    count = SIZE // BLOCK
    report.did(f"stop memhpd (SIGSTOP), plug a DIMM of {count} blocks into node {node}, and let it go on")
    guest.signal_daemon("STOP")
    guest.begin_log()
    guest.plug_dimm(f"d{node}", SIZE, node=node)
    guest.wait_until(f"{count} blocks", lambda view: len(view.new_since(before)) == count, 40)
    socket = admin.uevent_socket(guest)
    report.saw(f"{what}: {socket.queued} bytes of events wait for memhpd, {socket.drops} events were thrown away")
    started = time.monotonic()
    guest.signal_daemon("CONT")
    new = guest.look().new_since(before)
    guest.wait_log("that all were left offline", lambda log: len(contract.blocks_of(log) & set(new)) == count, 60)
    report.saw(f"{what}: all {count} blocks were decided about {time.monotonic() - started:.1f} s later, as seen from outside")
    return socket.drops
