# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody without privileges calls memhpd 1 000 times a second: new memory is online within twice the time that it takes otherwise.

Beside it is told how long it takes while so many calls go to the bus itself, which never disturb memhpd: an emulated processor is slow,
and what so many messages take of it delays the kernel's part of the hot-add as well.
"""

import re

from vmlib import bus, claims, flood

NAME = "flood-of-calls"
FULL_ONLY = True        # it measures
LIMIT = 600
ROUNDS = 7
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')
NOBODY = "/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups"


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    # The bus lets in only users that have a name.
    guest.check("grep -q ^nobody: /etc/passwd 2>/dev/null || echo nobody:x:65534:65534::/:/bin/false >>/etc/passwd")
    bus.start(guest)
    guest.start_daemon(POLICY, through=flood.RANK)
    bus.wait_name(guest)
    report.did(f"plug {3 * ROUNDS} DIMMs of a block: in turns while nothing else happens, while nobody (uid 65534) calls the bus 1 000 "
               "times a second, and while nobody calls memhpd so often")
    took, said = flood.compare(guest, report, ROUNDS, bus=f"{NOBODY} flood bus 1000", calls=f"{NOBODY} flood calls 1000")
    counts = [[int(n) for n in re.findall(r"\d+", line.splitlines()[-1])] for line in said["calls"]]
    report.expect(all(served > 0 and failed == 0 for _, served, _, failed in counts), "each call was served, or refused as one too many")
    report.saw(f"{took['bus']:.1f} ms while the bus is called")
    report.expect(took["calls"] <= 2 * took["idle"],
                  f"from the event to being online: {took['idle']:.1f} ms, and {took['calls']:.1f} ms while memhpd is called")
    after = guest.look()
    claims.expect_blocks(report, after.new_since(before), 3 * ROUNDS, "online", "Movable")
    claims.expect_same_boot_memory(report, before, after)
    claims.expect_healthy(guest, report)
