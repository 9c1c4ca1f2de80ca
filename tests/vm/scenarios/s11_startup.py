# SPDX-License-Identifier: LGPL-2.1-or-later
"""With startup = "ignore", blocks that were offline before memhpd first ran stay so; what comes later goes online."""

from vmlib import claims, contract
from vmlib.machine import GIB, MIB

NAME = "startup-ignore"
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }',
                       startup='"ignore"', reconcile='"1s"')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    report.expect(guest.run("test -e /run/memhpd")[0] != 0, "memhpd has never run: there is no /run/memhpd")

    report.did("plug a DIMM of 1 GiB into node 1, then start memhpd for the first time")
    guest.plug_dimm("d1", GIB, node=1)
    old = guest.wait_until("8 blocks on node 1", lambda view: len(view.of_node(1)) == 8).of_node(1)
    claims.expect_blocks(report, old, 8, "offline", where=" on node 1")
    guest.start_daemon(POLICY)
    claims.expect_told(guest, report, old, guest.device_of(old), contract.STARTUP_IGNORED)
    expect_ignored(guest, report, "past a reconcile")

    report.did("plug a DIMM of 512 MiB into node 2")
    expect_onlined(guest, report, 1, 4)
    expect_ignored(guest, report, "after another DIMM came")

    for what, end in (("stop", guest.stop_daemon), ("kill", guest.kill_daemon)):
        report.did(f"{what} memhpd and start it again")
        end()
        guest.start_daemon()
        expect_ignored(guest, report, "after a start")
    report.did("plug another DIMM of 512 MiB into node 2, and one more while memhpd is away")
    expect_onlined(guest, report, 2, 8)
    guest.kill_daemon()
    guest.plug_dimm("n3", 512 * MIB, node=2)
    guest.wait_until("12 blocks on node 2", lambda view: len(view.of_node(2)) == 12)
    guest.start_daemon()
    wait_onlined(guest, report, 12)
    expect_ignored(guest, report, "at the end")
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def expect_ignored(guest, report, why):
    view = claims.expect_stays(guest, report, guest.look().of_node(1), 1.6, why)
    claims.expect_blocks(report, view.of_node(1), 8, "offline", where=" that were there before memhpd")


def expect_onlined(guest, report, number, count):
    guest.plug_dimm(f"n{number}", 512 * MIB, node=2)
    wait_onlined(guest, report, count)


def wait_onlined(guest, report, count):
    view = guest.wait_until(f"{count} blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == count)
    claims.expect_blocks(report, view.of_node(2), count, "online", "Movable", " on node 2")
    newest = {n: b for n, b in view.of_node(2).items() if n > max(view.of_node(2)) - 4}
    claims.expect_told(guest, report, newest, guest.device_of(newest), "online in Movable")
