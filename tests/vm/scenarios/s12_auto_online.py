# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's auto_online_blocks is set aside while memhpd runs, and comes back however memhpd ends.

The machine's own value is online_movable, and no rule asks for that, so it shows at once whether the kernel or memhpd
put a block online.
"""

from vmlib import admin, claims, contract
from vmlib.machine import GIB, MIB
from vmlib.report import Failed

NAME = "auto-online"
OWN = "online_movable"
RULES = ('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }',
         '{ name = "rest"; match = { }; action = "leave_offline"; }')
MANAGE = claims.policy(*RULES)      # the default
KEEP = claims.policy(*RULES, kernel_auto_online='"keep"')
DELEGATE = claims.policy('{ name = "all"; match = { }; action = "online_kernel"; }', kernel_auto_online='"delegate"')
DELEGATE_TWO = claims.policy(*RULES, kernel_auto_online='"delegate"')
RESTORE = "memhpd --restore"        # what the unit runs after the end of the service


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    report.did(f"an administrator sets auto_online_blocks to {OWN}")
    admin.set_auto_online(guest, OWN)

    managed(guest, report, before)
    after_the_end(guest, report)
    changed_meanwhile(guest, report)
    kept(guest, report)
    delegated(guest, report)
    not_delegated(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())
    report.expect(guest.run("test -e /run/memhpd/auto_online")[0] != 0, "memhpd left no record behind")


def start(guest, report, policy=None):
    """memhpd takes it over."""
    guest.start_daemon(policy)
    report.expect_equal("auto_online_blocks while memhpd runs", admin.auto_online(guest), "offline")
    report.quote(guest.wait_log("that it changed auto_online_blocks",
                                contract.auto_online_taken(OWN, "offline").search).group(0))


def expect_own(guest, report, when):
    report.expect_equal(f"auto_online_blocks {when}", admin.auto_online(guest), OWN)


def managed(guest, report, before):
    report.did("start memhpd, plug a DIMM of 1 GiB into node 1")
    start(guest, report, MANAGE)
    guest.plug_dimm("d1", GIB, node=1)
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    new = after.new_since(before)
    claims.expect_blocks(report, new, 8, "online", "Normal", " on node 1")
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Normal")
    guest.stop_daemon()
    expect_own(guest, report, "after SIGTERM")


def after_the_end(guest, report):
    report.did(f"start it, kill it (SIGKILL), then {RESTORE}")
    start(guest, report)
    guest.kill_daemon()
    report.expect_equal("auto_online_blocks after SIGKILL alone", admin.auto_online(guest), "offline")
    guest.check(RESTORE)
    expect_own(guest, report, "after that")
    guest.check(RESTORE)
    expect_own(guest, report, "after doing it twice")

    report.did("start it, kill it, start it, kill it, start it, stop it (SIGTERM)")
    for _ in range(2):
        start(guest, report)
        guest.kill_daemon()
    start(guest, report)
    guest.stop_daemon()
    expect_own(guest, report, "after that")

    report.did(f"start it, stop it, then {RESTORE}, as a service that ends well does")
    start(guest, report)
    guest.stop_daemon()
    guest.check(RESTORE)
    expect_own(guest, report, "after that")


def changed_meanwhile(guest, report):
    for what, end in (("SIGTERM", guest.stop_daemon), ("SIGKILL", guest.kill_daemon)):
        report.did(f"start it; an administrator sets auto_online_blocks to online; {what} and {RESTORE}")
        start(guest, report)
        admin.set_auto_online(guest, "online")
        end()
        guest.check(RESTORE)
        report.expect_equal("auto_online_blocks after that", admin.auto_online(guest), "online")
        admin.set_auto_online(guest, OWN)


def kept(guest, report):
    report.did("kernel_auto_online = \"keep\"")
    guest.start_daemon(KEEP)
    report.quote(guest.wait_log("that the kernel is first", contract.auto_online_kept(OWN).search).group(0))
    expect_own(guest, report, "while memhpd runs")
    guest.stop_daemon()
    expect_own(guest, report, "after its end")


def delegated(guest, report):
    report.did("kernel_auto_online = \"delegate\", and one rule for everything; plug a DIMM of 1 GiB into node 2")
    guest.start_daemon(DELEGATE)
    report.expect_equal("auto_online_blocks while memhpd runs", admin.auto_online(guest), "online_kernel")
    report.quote(guest.wait_log("what it made of auto_online_blocks",
                                contract.auto_online_taken(OWN, "online_kernel").search).group(0))
    # Stopped: that it goes online all the same proves that the kernel does it.
    guest.signal_daemon("STOP")
    guest.plug_dimm("d2", GIB, node=2)
    after = guest.wait_until("8 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 8)
    claims.expect_blocks(report, after.of_node(2), 8, "online", "Normal", " on node 2, while memhpd is stopped")
    guest.signal_daemon("CONT")
    claims.expect_told(guest, report, after.of_node(2), guest.device_of(after.of_node(2)), contract.DELEGATED)
    report.did("plug another one, with memhpd running")
    guest.plug_dimm("d3", 512 * MIB, node=2)
    after = guest.wait_until("12 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 12)
    newest = {n: b for n, b in after.of_node(2).items() if n > max(after.of_node(2)) - 4}
    claims.expect_blocks(report, newest, 4, "online", "Normal", " on node 2")
    claims.expect_told(guest, report, newest, guest.device_of(newest), contract.DELEGATED)
    log = guest.log()
    if contract.LOST.search(log) or contract.WAS_FIRST.search(log):
        raise Failed("memhpd takes the kernel for a rival, though it gave it the work")
    claims.expect_list_agrees(guest, report, after, newest, "dimm", guest.device_of(newest))
    guest.stop_daemon()
    expect_own(guest, report, "after its end")


def not_delegated(guest, report):
    report.did("\"delegate\", but two rules that want different things: memhpd does it itself; plug a DIMM into node 1")
    guest.start_daemon(DELEGATE_TWO)
    report.quote(guest.wait_log("that it cannot delegate", contract.NOT_DELEGATED.search).group(0))
    report.expect_equal("auto_online_blocks while memhpd runs", admin.auto_online(guest), "offline")
    guest.plug_dimm("d4", 512 * MIB, node=1)
    after = guest.wait_until("12 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 12)
    newest = {n: b for n, b in after.of_node(1).items() if n > max(after.of_node(1)) - 4}
    claims.expect_blocks(report, newest, 4, "online", "Normal", " on node 1")
    claims.expect_told(guest, report, newest, guest.device_of(newest), "online in Normal")
    claims.expect_healthy(guest, report)
    expect_own(guest, report, "after its end")
