# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody has the kernel send events about old memory without end: new memory is brought online meanwhile, and memhpd ends when asked to.

How long it takes is told, not judged: the event of new memory stands in the kernel's queue behind those that were sent before it.
"""

import re

from vmlib import admin, claims, flood

NAME = "flood-of-events"
FULL_ONLY = True        # it measures
LIMIT = 600
ROUNDS = 7
EVENTS = 16384          # at least so many in all
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY, through=flood.RANK)
    blocks = sorted(before.blocks)
    report.did(f"plug {2 * ROUNDS} DIMMs of a block, every other one into a flood of events about blocks {claims.numbers(blocks)}")
    took, said = flood.compare(guest, report, ROUNDS, events=f"flood events {' '.join(map(str, blocks))}")
    sent = sum(int(re.match(r"(\d+) events", line).group(1)) for line in said["events"])
    report.expect(sent >= EVENTS, f"{sent} events were sent in the floods")
    report.saw(f"from the event to being online: {took['idle']:.1f} ms, and {took['events']:.1f} ms in a flood")
    report.expect_equal("events that were lost", admin.uevent_socket(guest).drops, 0)
    after = guest.look()
    claims.expect_blocks(report, after.new_since(before), 2 * ROUNDS, "online", "Movable")
    claims.expect_same_boot_memory(report, before, after)
    with flood.Flood(guest, f"flood events {' '.join(map(str, blocks))}"):
        report.did("SIGTERM in the middle of a flood")
        claims.expect_healthy(guest, report)
