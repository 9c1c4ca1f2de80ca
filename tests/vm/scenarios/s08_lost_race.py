# SPDX-License-Identifier: LGPL-2.1-or-later
"""A competitor puts a block online in another zone first: memhpd reports a lost race, and does the other blocks.

Twice. First memhpd is stopped (SIGSTOP) from before the DIMM comes until the competitor acted, so it finds the block
online when it looks. Then it is stopped when half of a large DIMM is online: it has looked at all blocks and decided
long before, so its write is what fails. (Without a stop the competitor would hardly ever win: each write to `state`
needs the kernel's one lock, whoever finds it taken sleeps 5 ms, and memhpd has its next write ready by then.)
"""

import json

from vmlib import claims, contract
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "lost-race"
POLICY = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')
BLOCKS = 32         # of the large DIMM
ATTEMPTS = 3        # to stop memhpd in the middle

# Only built-ins in the loop: under emulation a fork takes longer than a block takes to go online.
COMPETITOR = """
cd /sys/devices/system/memory
state=
until [ "$state" = online ]; do read -r state <memory$HALF/state; done 2>/dev/null
kill -STOP $PID
sleep 0.3
echo online_kernel >memory$LAST/state
echo $? >/tmp/competitor-$LAST
kill -CONT $PID
"""


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    stopped_before(guest, report, before)
    for attempt in range(ATTEMPTS):
        if stopped_between(guest, report, attempt):
            break
    else:
        raise Failed(f"memhpd could not be stopped in the middle {ATTEMPTS} times: nothing was tried")
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def stopped_before(guest, report, before):
    report.did("stop memhpd, plug a DIMM of 1 GiB into node 1, put its second block online in Normal, let memhpd go on")
    guest.signal_daemon("STOP")
    guest.plug_dimm("d0", GIB, node=1)
    added = guest.wait_until("8 blocks on node 1", lambda view: len(view.of_node(1)) == 8)
    claims.expect_blocks(report, added.of_node(1), 8, "offline", where=" while memhpd is stopped")
    taken = min(added.of_node(1)) + 1
    guest.check(f"echo online_kernel >/sys/devices/system/memory/memory{taken}/state")
    guest.signal_daemon("CONT")
    expect_lost(guest, report, before, 1, taken, 8)


def stopped_between(guest, report, attempt):
    """True when it was in the middle."""
    before = guest.look()
    first = max(before.blocks) + 1      # DIMMs come one behind the other
    half, taken = first + BLOCKS // 2, first + BLOCKS - 1
    guest.write_file("/tmp/competitor", f"HALF={half} LAST={taken} PID={guest.daemon_pid}\n" + COMPETITOR)
    guest.check("sh /tmp/competitor </dev/null >/tmp/competitor.log 2>&1 &")
    report.did(f"plug a DIMM of 4 GiB into node 2; a competitor stops memhpd when block {half} is online, "
               f"and takes the last one, {taken}")
    guest.plug_dimm(f"r{attempt}", 4 * GIB, node=2)
    guest.wait_until("the competitor has acted", lambda view: guest.run(f"test -e /tmp/competitor-{taken}")[0] == 0)
    if guest.check(f"cat /tmp/competitor-{taken}").strip() != "0":
        guest.wait_until("all blocks online", lambda view: all(
            b.state == "online" for b in view.new_since(before).values()))
        report.saw("memhpd was done with that block already")
        return False
    expect_lost(guest, report, before, 2, taken, BLOCKS)
    return True


def expect_lost(guest, report, before, node, taken, count):
    guest.wait_until(f"all {count} blocks online", lambda view: sum(
        b.state == "online" for b in view.new_since(before).values()) == count)
    report.quote(guest.wait_log(f"that it lost block {taken}", lambda log: contract.lost_blocks(log).get(taken)))
    after = guest.look()
    new = after.new_since(before)
    rest = {n: b for n, b in new.items() if n != taken}
    claims.expect_blocks(report, {taken: new[taken]}, 1, "online", "Normal", " of the competitor")
    claims.expect_blocks(report, rest, count - 1, "online", "Movable", " beside it")
    device = guest.device_of(new)
    claims.expect_told(guest, report, rest, device, "online in Movable")
    report.expect_equal("blocks of this DIMM that memhpd calls lost",
                        sorted(set(contract.lost_blocks(guest.log())) & set(new)), [taken])
    # Longer than the first retries: an online block is never taken away from whoever put it there.
    guest.check("sleep 2")
    again = guest.look()
    claims.expect_blocks(report, {taken: again.blocks[taken]}, 1, "online", "Normal", " of the competitor, later")
    claims.expect_growth(report, before, again, node, "Movable", count - 1)
    claims.expect_list_agrees(guest, report, again, again.new_since(before), "dimm", device)
    answer = claims.expect_explained(guest, report, taken, "online_movable", "dimms", "Movable")
    report.expect("Normal" in json.dumps(answer), "and it tells that the block is in Normal")
    report.expect(guest.daemon_alive(), "memhpd is alive")
