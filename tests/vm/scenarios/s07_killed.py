# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two DIMMs back to back, memhpd killed (SIGKILL) while it puts them online, and started again: all as the policy says.

The DIMMs go to different zones. A loop in the guest kills memhpd as soon as some blocks are online, since a round trip
to the host could be too slow; what it saw at that moment proves that it was in the middle.
"""

import time

from vmlib import claims, contract
from vmlib.guest import summary
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "killed"
BLOCKS = 16         # of each DIMM
POLICY = claims.policy(
    '{ name = "node-2"; match = { source = [ "dimm" ]; node = "2"; }; action = "online_kernel"; }',
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')

# Only built-ins in the loop: under emulation a fork takes longer than a block takes to go online.
KILLER = """
cd /sys/devices/system/memory
while :; do
        online=0 offline=0
        for m in memory*; do
                [ "${m#memory}" -ge $FIRST ] || continue
                read -r state <$m/state || continue
                case $state in online) online=$((online+1)) ;; *) offline=$((offline+1)) ;; esac
        done
        [ $online -ge $ENOUGH ] && [ $((online+offline)) -ge $ALL ] && break
done 2>/dev/null
kill -KILL $PID
echo "$online $offline" >/tmp/killed
"""


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    first = max(before.blocks) + 1
    guest.write_file("/tmp/killer", f"FIRST={first} ENOUGH=3 ALL={2 * BLOCKS} PID={guest.daemon_pid}\n" + KILLER)
    guest.check("sh /tmp/killer </dev/null >/dev/null 2>&1 &")

    report.did("plug a DIMM of 2 GiB into node 1 and at once another into node 2")
    guest.plug_dimm("d1", 2 * GIB, node=1)
    guest.plug_dimm("d2", 2 * GIB, node=2)
    guest.wait_until("memhpd killed", lambda _: guest.run("test -e /tmp/killed")[0] == 0, 60)
    report.did("kill memhpd in the middle")
    time.sleep(1)
    middle = guest.look()
    blocks = middle.new_since(before)
    report.saw(f"one second after: {summary(blocks.values())}")
    online = sum(b.state == "online" for b in blocks.values())
    if len(blocks) != 2 * BLOCKS or not 0 < online < 2 * BLOCKS:
        raise Failed(f"it was not in the middle: {online} of {len(blocks)} blocks were online")
    report.expect(not guest.daemon_alive(), "memhpd is dead")
    time.sleep(1)
    report.expect_equal("blocks online another second later", sum(
        b.state == "online" for b in guest.look().new_since(before).values()), online)

    report.did("start memhpd again")
    guest.start_daemon()
    guest.wait_until("all 32 blocks online", lambda view: sum(
        b.state == "online" for b in view.new_since(before).values()) == 2 * BLOCKS)
    after = guest.look()
    claims.expect_blocks(report, after.of_node(1), BLOCKS, "online", "Movable", " on node 1")
    claims.expect_blocks(report, after.of_node(2), BLOCKS, "online", "Normal", " on node 2")
    claims.expect_growth(report, before, after, 1, "Movable", BLOCKS)
    claims.expect_growth(report, before, after, 2, "Normal", BLOCKS)
    claims.expect_same_boot_memory(report, before, after)
    report.expect(not contract.lost_blocks(guest.log()), "memhpd takes nothing of its earlier work for a lost race")
    claims.expect_list_agrees(guest, report, after, after.of_node(1), "dimm", guest.device_of(after.of_node(1)))
    claims.expect_list_agrees(guest, report, after, after.of_node(2), "dimm", guest.device_of(after.of_node(2)))
    claims.expect_healthy(guest, report)
