# SPDX-License-Identifier: LGPL-2.1-or-later
"""Some blocks of a device cannot be had: with on_partial "rollback" the others go offline again, with "keep" not.

What makes a block fail is real: a competitor that has put it online in another zone, or the kernel's own error
injection, which refuses with ENOMEM. And a rollback that cannot be completed: pages that the kernel cannot move lie in
one of the blocks, so that one stays online. In each case memhpd says what became of which blocks.
"""

from vmlib import admin, claims, contract
from vmlib.guest import summary
from vmlib.machine import GIB
from vmlib.report import Failed, Skipped

NAME = "rollback"
BLOCKS = 32         # of a large DIMM
LATER = 1.6         # longer than a reconcile
ENOMEM = -12
SETTINGS = {"reconcile": '"1s"', "retry": '{ first = "50ms"; max = "100ms"; attempts = 3; }'}
KERNEL = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; on_partial = "rollback"; }',
    **SETTINGS)
MOVABLE = claims.policy(
    '{ name = "node-1"; match = { source = [ "dimm" ]; node = "1"; }; action = "online_movable"; '
    'on_partial = "keep"; }',
    '{ name = "node-2"; match = { source = [ "dimm" ]; node = "2"; }; action = "online_movable"; '
    'on_partial = "rollback"; }', **SETTINGS)


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)

    guest.start_daemon(KERNEL)
    pinned(guest, report)
    report.did("another policy: Movable, \"keep\" for node 1, \"rollback\" for node 2")
    guest.stop_daemon()
    guest.start_daemon(MOVABLE)
    lost_and_kept(guest, report)
    lost_and_rolled_back(guest, report)
    try:
        admin.prepare_failures(guest)
    except Skipped as missing:
        report.saw(f"not tried: injected failures, as {missing}")
    else:
        refused_and_kept(guest, report)
        refused_and_rolled_back(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


# -- a competitor was first

def lost(guest, report, name, node):
    """(device, the competitor's block, the others) of a DIMM that is decided."""
    earlier = guest.look()
    report.did(f"stop memhpd, plug a DIMM of 1 GiB into node {node}, put its second block online in Normal, let memhpd "
               "go on")
    guest.signal_daemon("STOP")
    guest.plug_dimm(name, GIB, node)
    new = guest.wait_until("8 blocks", lambda view: len(view.new_since(earlier)) == 8).new_since(earlier)
    claims.expect_blocks(report, new, 8, "offline", where=" while memhpd is stopped")
    taken = min(new) + 1
    admin.set_state(guest, [taken], "online_kernel")
    guest.signal_daemon("CONT")
    device = guest.device_of(new)
    guest.wait_log(f"that it lost block {taken}", lambda log: taken in contract.lost_blocks(log))
    return device, taken, sorted(set(new) - {taken})


def lost_and_kept(guest, report):
    mark = len(guest.log())
    device, taken, rest = lost(guest, report, "d1", 1)
    expect_said(guest, report, contract.partial(device, 7, 1, contract.KEPT), mark)
    claims.expect_told(guest, report, rest, device, "online in Movable", mark)
    view = claims.expect_stays(guest, report, rest + [taken], LATER, "past a reconcile")
    expect_rest(report, view, rest, "online", "Movable")
    claims.expect_blocks(report, {taken: view.blocks[taken]}, 1, "online", "Normal", " of the competitor")


def lost_and_rolled_back(guest, report):
    mark = len(guest.log())
    device, taken, rest = lost(guest, report, "d2", 2)
    expect_said(guest, report, contract.partial(device, 7, 1, contract.ROLLING_BACK), mark)
    wait_offline(guest, rest)
    view = claims.expect_stays(guest, report, rest + [taken], LATER, "past a reconcile")
    expect_told_once(guest, report, rest, device, contract.ROLLED_BACK, mark)
    expect_rest(report, view, rest, "offline")
    claims.expect_blocks(report, {taken: view.blocks[taken]}, 1, "online", "Normal", " of the competitor")
    report.expect_equal("node 2 Movable: present pages", view.zone(2, "Movable").present, 0)
    claims.expect_list_agrees(guest, report, view, {n: view.blocks[n] for n in rest + [taken]}, "dimm", device)


# -- the kernel refuses

def stopped_in_the_middle(guest, report, name, node, zone):
    """(device, blocks online, blocks offline) of a DIMM, with memhpd stopped (SIGSTOP)."""
    earlier = guest.look()
    first = max(32, max(earlier.blocks) + 1)        # hot-added memory comes at 4 GiB, one behind the other
    report.did(f"plug a DIMM of 4 GiB into node {node}, stop memhpd in the middle")
    admin.stop_daemon_at(guest, first + BLOCKS // 8)
    guest.plug_dimm(name, 4 * GIB, node)
    admin.wait_stopped(guest)
    new = guest.look().new_since(earlier)
    online = [n for n, b in new.items() if b.zone == zone]
    offline = [n for n, b in new.items() if b.state == "offline"]
    report.saw(f"then {summary(new.values())}")
    if len(new) != BLOCKS or min(new) != first or not online or not offline or len(online) + len(offline) != BLOCKS:
        raise Failed(f"it was not in the middle: {summary(new.values())}")
    return guest.device_of(new), online, offline


def refused(guest, report, name, node):
    device, online, offline = stopped_in_the_middle(guest, report, name, node, "Movable")
    report.did("every block that is to go online is refused with ENOMEM from now on; let memhpd go on")
    admin.fail(guest, "MEM_GOING_ONLINE", ENOMEM)
    guest.signal_daemon("CONT")
    return device, online, offline


def refused_and_kept(guest, report):
    mark = len(guest.log())
    device, online, offline = refused(guest, report, "d3", 1)
    expect_said(guest, report, contract.partial(device, len(online), len(offline), contract.KEPT), mark)
    claims.expect_told(guest, report, offline, device, contract.REFUSED_WRITE, mark)
    view = guest.look()
    expect_rest(report, view, online, "online", "Movable")
    expect_rest(report, view, offline, "offline", where="refused")
    report.did("the kernel refuses no more: the next reconcile tries again")
    admin.fail(guest, "MEM_GOING_ONLINE", 0)
    view = guest.wait_until("all blocks online", lambda view: all(
        view.blocks[n].state == "online" for n in online + offline), 15)
    expect_rest(report, view, online + offline, "online", "Movable", "in the end")


def refused_and_rolled_back(guest, report):
    mark = len(guest.log())
    device, online, offline = refused(guest, report, "d4", 2)
    expect_said(guest, report, contract.partial(device, len(online), len(offline), contract.ROLLING_BACK), mark)
    wait_offline(guest, online)
    report.did("the kernel refuses no more: what was taken back stays so")
    admin.fail(guest, "MEM_GOING_ONLINE", 0)
    view = claims.expect_stays(guest, report, online + offline, LATER, "past a reconcile")
    expect_told_once(guest, report, online, device, contract.ROLLED_BACK, mark)
    expect_rest(report, view, online + offline, "offline", where="of the device")


# -- a block that cannot be taken back

def pinned(guest, report):
    mark = len(guest.log())
    device, online, offline = stopped_in_the_middle(guest, report, "d0", 2, "Normal")
    taken, rest = max(offline), online + [n for n in offline if n != max(offline)]
    report.did(f"pages that cannot be moved come to node 2, block {taken} goes online in Movable; let memhpd go on")
    admin.pin_pages(guest, 2)
    admin.set_state(guest, [taken], "online_movable")
    guest.signal_daemon("CONT")
    guest.wait_log(f"that it lost block {taken}", lambda log: taken in contract.lost_blocks(log[mark:]))
    expect_said(guest, report, contract.partial(device, BLOCKS - 1, 1, contract.ROLLING_BACK), mark)

    guest.wait_log("that a block stays online",
                   lambda log: contract.settled_blocks(log[mark:], device, contract.NOT_ROLLED_BACK))
    guest.wait_log("what became of all of them", lambda log: contract.settled_blocks(
        log[mark:], device, contract.NOT_ROLLED_BACK) | contract.settled_blocks(
            log[mark:], device, contract.ROLLED_BACK) >= set(rest))
    view = claims.expect_stays(guest, report, rest + [taken], LATER, "past a reconcile")
    stuck = [n for n in rest if view.blocks[n].state == "online"]
    free = [n for n in rest if n not in stuck]
    if not stuck or not free or set(stuck) - set(online):
        raise Failed(f"pinned were pages of {online}, and now {stuck} are online, {free} are offline")
    expect_rest(report, view, stuck, "online", "Normal", "that cannot be emptied")
    claims.expect_told(guest, report, stuck, device, contract.NOT_ROLLED_BACK, mark)
    expect_rest(report, view, free, "offline")
    expect_told_once(guest, report, free, device, contract.ROLLED_BACK, mark)
    claims.expect_blocks(report, {taken: view.blocks[taken]}, 1, "online", "Movable", " of the competitor")
    report.did("those pages are given back: now all of the DIMM can be unplugged")
    admin.unpin_pages(guest)
    # What described the processes that lived there is in the kernel's slabs yet, and some of it is freed later (RCU).
    guest.unplug("d0", tries=10, before=lambda: admin.shrink_slabs(guest))
    guest.wait_until("its blocks are gone", lambda view: not view.of_node(2))


# -- said and seen

def expect_said(guest, report, pattern, mark):
    report.quote(guest.wait_log(pattern.pattern, lambda log: pattern.search(log[mark:])).group(0))


def expect_told_once(guest, report, blocks, device, outcome, mark):
    """Not again at each reconcile."""
    lines = claims.expect_told(guest, report, blocks, device, outcome, mark)
    said = sum(len(contract.blocks_of(line)) for line in lines)
    if said != len(blocks):
        raise Failed(f"memhpd says it {said} times of {len(blocks)} blocks:\n" + "\n".join(lines))


def wait_offline(guest, blocks):
    guest.wait_until("the rollback is done", lambda view: all(view.blocks[n].state == "offline" for n in blocks))


def expect_rest(report, view, blocks, state, zone=None, where="beside it"):
    claims.expect_blocks(report, {n: view.blocks[n] for n in blocks}, len(blocks), state, zone, f" {where}")
