# SPDX-License-Identifier: LGPL-2.1-or-later
"""Users without privileges who call all the time, and some who never read an answer: memory is brought online all the same, and
the daemon does not grow. That every other call finds its turn is a matter of tests/check_flood.c."""

import collections
import time

from .fuzz import usage
from .rig import NOBODY, OTHER
from .wire import Client, Failure

LIMITS = "org.freedesktop.DBus.Error.LimitsExceeded"
# The bus takes no more from a service whose answers it still has to pass on.
SMALL = '<limit name="max_incoming_bytes">2000000</limit>'
MIB = 1 << 20
BOUND = 64 * MIB
# What each of them asks for takes the daemon long, or gives long answers.
CALLS = (("/org/memhp1", "org.memhp1.Manager", "ListBlocks", "s", ["all"]),
         ("/org/memhp1", "org.memhp1.Manager", "GetStatus", "", []),
         ("/org/memhp1", "org.memhp1.Manager", "Explain", "sb", ["0-900", True]),
         ("/org/memhp1", "org.memhp1.Manager", "GetTrace", "u", [0]),
         ("/org/memhp1", "org.freedesktop.DBus.Properties", "GetAll", "s", ["org.memhp1.Manager"]),
         ("/org/memhp1/block", "org.freedesktop.DBus.Introspectable", "Introspect", "", []))


def pour(clients, calls, n):
    """So many calls of each; how many went out before nobody took them any more."""
    sent = 0
    for client in clients:
        client.socket.setblocking(False)
    try:
        for _ in range(n):
            for client in clients:
                for path, interface, member, signature, body in calls:
                    client.send("org.memhp1", path, interface, member, signature, body)
                    sent += 1
    except BlockingIOError:
        pass
    return sent


def case_flood_nobody_reads(checks, rig):
    """Each answer has some 100 KiB, and there would be thousands of them."""
    rig.start_bus(limits=SMALL)
    memhpd = rig.start_memhpd(setup="boot 0-4999 0")
    rig.wait_for_name("org.memhp1")
    listed = Client(rig).call("org.memhp1", *CALLS[5])[0].count("<node name=")
    checks.equal("of 5 000 blocks 4 096 are listed", listed, 4096)
    before = usage(memhpd)
    most = before.resident + BOUND + (512 * MIB if before.sanitized else 0)
    deaf = [Client(rig, uid) for uid in (NOBODY, OTHER) for _ in range(30)]
    for call in (CALLS[5], CALLS[0]):
        sent = 0
        for i in range(0, len(deaf), 10):
            sent += pour(deaf[i:i + 10], [call], 100)
        checks.expect(sent > 2000, f"{call[2]}, again and again, and nobody reads an answer", sent)
        memhpd.do(f"dimm PNP0C80:0{CALLS.index(call)} {6000 + CALLS.index(call) * 8}-{6007 + CALLS.index(call) * 8} 1")
        memhpd.until(f"zone {6007 + CALLS.index(call) * 8}", "Movable")
        checks.expect(True, "memory is brought online meanwhile")
        end = time.monotonic() + 3
        while time.monotonic() < end and usage(memhpd).resident < most:
            time.sleep(0.1)
        checks.expect(usage(memhpd).resident < most, f"the daemon has not grown by {BOUND // MIB} MiB", (before, usage(memhpd)))
    for client in deaf:
        client.close()
    for uid in (0, NOBODY):
        client = Client(rig, uid)
        # What the daemon has put together for them goes out first.
        client.until(lambda c=client: c.refused("ListNodes")[0] == "no error", "an answer")
        checks.expect(True, f"when they are gone, uid {uid} is served")


def case_flood_refused(checks, rig):
    """One who asks for more than eight things at once is told so, and others are served."""
    rig.start_bus()
    rig.start_polkitd()
    memhpd = rig.start_memhpd(setup="boot 0-999 0")
    rig.wait_for_name("org.memhp1")
    loud, quiet = Client(rig, NOBODY), Client(rig, OTHER)
    serials = [loud.send("org.memhp1", *CALLS[i % 4]) for i in range(100)]
    checks.equal("another user is served meanwhile", len(quiet.manager("ListNodes")[0]), 1)
    names = collections.Counter()
    for serial in serials:
        try:
            loud.answer(serial)
            names["served"] += 1
        except Failure as failure:
            names["served" if failure.name != LIMITS else LIMITS] += 1      # there is no trace
    checks.expect(names["served"] >= 8 and names[LIMITS] > 0 and sum(names.values()) == 100, "served or refused, all of them", names)
    checks.equal("afterwards it is served as ever", len(loud.manager("ListNodes")[0]), 1)
    checks.equal("the daemon goes on", memhpd.process.process.poll(), None)
