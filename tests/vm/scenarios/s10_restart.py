# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator set offline stays offline across reconcile, restart, SIGKILL and reload; new memory does not.

memhpd has to tell three kinds of offline blocks apart when it starts: those it knows an administrator wanted so, those
that went offline while it was away, and those that came while it was away, even with the numbers of others before them.
What it remembers of that in /run must not harm it, whatever is in there.
"""

from vmlib import admin, claims, contract
from vmlib.machine import GIB, MIB

NAME = "restart-admin"
LONGER_THAN_RECONCILE = 1.6
POLICY = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }', reconcile='"1s"')

DAMAGES = (
    ("cut off in the middle", "head -c $(($(stat -c %s $S) / 2)) $S >/tmp/half && cat /tmp/half >$S"),
    ("emptied", ": >$S"),
    ("of random bytes", "head -c 100000 /dev/urandom >$S"),
    ("of endless numbers", "{ echo memhpd-state 1; echo adds 1; echo 'hands-off 0-4294967295 0'; echo end; } >$S && "
                           "sed -i 's/0-4294967295/99999999999999999999-1/' $S"),
    ("writable by everybody", "chmod 666 $S"),
    ("a link to another file", "cp $S /tmp/elsewhere && cp $S /tmp/copy && rm $S && ln -s /tmp/elsewhere $S"),
)
CANNOT_BE_WRITTEN = ("a folder", "rm $S && mkdir $S")


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did("plug a DIMM of 1 GiB into node 1")
    new = plug(guest, report, before, "d1", GIB, 1)
    device, numbers = guest.device_of(new), sorted(new)
    by_hand = [numbers[2], numbers[5]]
    report.did(f"an administrator sets blocks {by_hand} offline")
    admin.set_state(guest, by_hand, "offline")
    claims.expect_told(guest, report, by_hand, device, contract.SET_OFFLINE)
    expect_left_alone(guest, report, new, by_hand, "past three reconciles", 3.5)

    across_restarts(guest, report, new, by_hand)
    by_hand = while_away(guest, report, new, by_hand)
    replaced_while_away(guest, report, new)
    for what, script in DAMAGES:
        damaged(guest, report, new, what, script)
    written_anew(guest, report, new)
    damaged(guest, report, new, *CANNOT_BE_WRITTEN)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def across_restarts(guest, report, new, by_hand):
    report.did("stop memhpd (SIGTERM) and start it again")
    guest.stop_daemon()
    report.quote(guest.check(f"cat {contract.STATE_FILE}"))
    guest.start_daemon()
    expect_left_alone(guest, report, new, by_hand, "after a restart")

    report.did("kill it (SIGKILL) and start it again")
    guest.kill_daemon()
    guest.start_daemon()
    expect_left_alone(guest, report, new, by_hand, "after SIGKILL and a start")

    report.did("reload (SIGHUP)")
    guest.signal_daemon("HUP")
    guest.wait_log("that it reloaded", contract.RELOADED.search)
    expect_left_alone(guest, report, new, by_hand, "after a reload")


def while_away(guest, report, new, by_hand):
    more = by_hand + [max(new)]
    report.did(f"kill memhpd; while it is away, block {max(new)} is set offline, and a DIMM of 512 MiB comes to node 2")
    guest.kill_daemon()
    admin.set_state(guest, [max(new)], "offline")
    guest.plug_dimm("d2", 512 * MIB, node=2)
    added = guest.wait_until("4 blocks on node 2", lambda view: len(view.of_node(2)) == 4).of_node(2)
    claims.expect_blocks(report, added, 4, "offline", where=" on node 2")
    guest.start_daemon()
    after = guest.wait_until("4 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 4)
    claims.expect_blocks(report, after.of_node(2), 4, "online", "Movable", " on node 2")
    claims.expect_told(guest, report, added, guest.device_of(added), "online in Movable")
    expect_left_alone(guest, report, new, more, "after the start")
    return more


def replaced_while_away(guest, report, new):
    report.did("stop memhpd; while it is away, the first DIMM is pulled and another one plugged in its place")
    guest.stop_daemon()
    guest.unplug("d1")
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(1))
    guest.plug_dimm("d1", GIB, node=1)
    again = guest.wait_until("8 blocks on node 1", lambda view: len(view.of_node(1)) == 8).of_node(1)
    report.expect_equal("block numbers, as before", claims.numbers(again), claims.numbers(new))
    claims.expect_blocks(report, again, 8, "offline", where=" on node 1")
    guest.start_daemon()
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    claims.expect_blocks(report, after.of_node(1), 8, "online", "Movable", " on node 1")


def damaged(guest, report, new, what, script):
    """Nothing is known then of the administrator's wish, so the policy applies as if memhpd had never run."""
    block = min(new)
    report.did(f"block {block} is set offline; stop memhpd; the file that remembers it is {what}")
    admin.set_state(guest, [block], "offline")
    guest.wait_log("that it was set offline", lambda log: block in contract.settled_blocks(
        log, guest.device_of(new), contract.SET_OFFLINE))
    guest.stop_daemon()
    guest.check(f"S={contract.STATE_FILE}\n{script}")
    guest.start_daemon()
    report.quote(guest.wait_log("that it does not use the file", contract.STATE_REFUSED.search).group(0))
    guest.wait_until(f"block {block} online", lambda view: view.blocks[block].state == "online")
    claims.expect_told(guest, report, [block], guest.device_of(new), "online in Movable")
    report.expect(guest.daemon_alive(), "memhpd is alive")


def written_anew(guest, report, new):
    report.did("nothing was written through the link, and a sound file took its place: blocks are remembered again")
    report.expect(guest.run(f"test -f {contract.STATE_FILE} && test ! -L {contract.STATE_FILE}")[0] == 0,
                  "it is a file, and no link")
    admin.set_state(guest, [max(new)], "offline")
    guest.wait_log("that it was set offline", lambda log: max(new) in contract.settled_blocks(
        log, guest.device_of(new), contract.SET_OFFLINE))
    guest.stop_daemon()
    report.expect(guest.run("cmp /tmp/elsewhere /tmp/copy")[0] == 0, "the file that the link led to is as it was")
    guest.start_daemon()
    expect_left_alone(guest, report, new, [max(new)], "after a restart")
    admin.set_state(guest, [max(new)], "online_movable")


def expect_left_alone(guest, report, new, by_hand, why, seconds=LONGER_THAN_RECONCILE):
    view = claims.expect_stays(guest, report, new, seconds, why)
    blocks = {n: view.blocks[n] for n in new}
    theirs = {n: blocks[n] for n in by_hand}
    claims.expect_blocks(report, theirs, len(by_hand), "offline", where=" of the administrator")
    rest = {n: b for n, b in blocks.items() if n not in by_hand}
    claims.expect_blocks(report, rest, len(new) - len(by_hand), "online", "Movable", " beside them")


def plug(guest, report, before, name, size, node):
    count = size // before.block_size
    guest.plug_dimm(name, size, node)
    after = guest.wait_until(f"{count} blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node).values()) == count)
    new = after.new_since(before)
    claims.expect_blocks(report, new, count, "online", "Movable", f" on node {node}")
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable")
    return new
