# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DIMM is unplugged: its blocks vanish, memhpd forgets them, and decides anew when a DIMM comes back there.

Twice, with the same block numbers. Blocks that memhpd still took for online would stay offline; the second time the
policy is another one (SIGHUP), so that an old decision that was kept would show as the wrong zone.
"""

from vmlib import claims, contract
from vmlib.machine import GIB

NAME = "unplug"


def policy(action):
    return claims.policy(f'{{ name = "dimms"; match = {{ source = [ "dimm" ]; }}; action = "{action}"; }}',
                         '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(policy("online_movable"))

    report.did("plug a DIMM of 1 GiB into node 1")
    first = plug(guest, report, before, "Movable")

    gone = unplug(guest, report, before)
    listed = guest.ctl("list --all")
    report.expect_equal("blocks memhpctl lists", sorted(int(r["blocks"]) for r in listed["ranges"]),
                        sorted(gone.blocks))
    past = guest.ctl(f"explain {min(first)}")
    report.expect_equal(f"what memhpctl explain {min(first)} tells of memory that is gone",
                        (past["state"], past["action"], past["zone"], [r["event"] for r in past["past"]]),
                        ("removed", "online_movable", "Movable", ["onlined", "changed", "removed"]))

    report.did("plug a DIMM again")
    second = plug(guest, report, gone, "Movable")
    report.expect_equal("the same blocks as the first time", claims.numbers(second), claims.numbers(first))
    gone = unplug(guest, report, before)

    report.did("change the policy, reload, plug a DIMM once more")
    guest.write_file(guest.config, policy("online_kernel"))
    guest.signal_daemon("HUP")
    guest.wait_log("that it reloaded", contract.RELOADED.search)
    third = plug(guest, report, gone, "Normal")
    report.expect_equal("the same blocks as the first time", claims.numbers(third), claims.numbers(first))
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def unplug(guest, report, before):
    report.did("unplug it: the kernel takes its blocks offline itself and lets it go")
    guest.unplug("d0")
    gone = guest.wait_until("the blocks are gone", lambda view: not view.of_node(1))
    report.expect_equal("blocks that are left", claims.numbers(gone.blocks), claims.numbers(before.blocks))
    report.expect_equal("node 1 Movable: present pages", gone.zone(1, "Movable").present, 0)
    report.expect(guest.daemon_alive(), "memhpd is alive")
    return gone


def plug(guest, report, before, zone):
    mark = len(guest.log())
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    after = guest.look()
    new = after.new_since(before)
    claims.expect_blocks(report, new, 8, "online", zone, " on node 1")
    claims.expect_told(guest, report, new, guest.device_of(new), f"online in {zone}", start=mark)
    claims.expect_growth(report, before, after, 1, zone, 8)
    claims.expect_list_agrees(guest, report, after, new, "dimm", guest.device_of(new))
    return new
