# SPDX-License-Identifier: LGPL-2.1-or-later
"""Over the system bus: somebody without privileges looks, is refused to change anything, and may once a polkit rule says so.

With the real polkit and its shipped actions, and with the service started by the bus when it is first called.
"""

import json

from vmlib import claims, system
from vmlib.machine import MIB

NAME = "service-bus"
WHOLE_SYSTEM = True
RULE = """polkit.addRule(function(action, subject) {
        if (action.id == "org.memhp1.set-state" && subject.user == "%s")
                return polkit.Result.YES;
});
"""
CALL = "busctl --json=short call org.memhp1 /org/memhp1 org.memhp1.Manager"


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    guest.check("useradd --no-create-home --shell /bin/sh worker && useradd --no-create-home --shell /bin/sh other")
    activated(guest, report)

    report.did("plug a DIMM of 256 MiB into node 1")
    guest.plug_dimm("d1", 256 * MIB, node=1)
    view = guest.wait_until("2 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 2)
    block = max(view.of_node(1))
    looks(guest, report, view)
    refused(guest, report, block)
    allowed(guest, report, block)


def activated(guest, report):
    report.did("systemctl stop; somebody calls")
    guest.stop_daemon()
    status, out = guest.run_as("worker", f"{CALL} GetStatus")
    report.expect_equal("the call", (status, '"data"' in out), (0, True))
    report.expect(guest.daemon_alive(), "the bus has started the service")
    report.expect_equal("the bus calls it", guest.check(
        "busctl --no-pager --no-legend list --acquired | grep '^org.memhp1 ' | tr -s ' ' | cut -d' ' -f2,3").split()[1:],
        ["memhpd"])


def looks(guest, report, view):
    status, out = guest.run_as("worker", f"{CALL} ListRanges s node:1")
    report.expect_equal("worker may list blocks", status, 0)
    report.quote(out)
    blocks = json.loads(out)["data"][0]
    report.expect(blocks and "online" in json.dumps(blocks), "and sees that they are online")
    status, out = guest.run_as("worker", "memhpctl --json list node:1")
    report.expect_equal("memhpctl list, as worker", (status, json.loads(out)["online"]), (0, 256 * MIB))
    for number in view.of_node(1):
        status, out = guest.run_as("worker", f"{CALL} Explain sb {number} false")
        report.expect_equal(f"worker may have block {number} explained", status, 0)


def refused(guest, report, block):
    state = guest.look().blocks
    for call in (f"Offline 'sa{{sv}}' {block} 0", f"Online 'ssa{{sv}}' {block} movable 0", "Reload",
                 f"Rezone 'ssa{{sv}}' {block} kernel 0", "Hold sts all 0 mine", "Release u 1"):
        status, out = guest.run_as("worker", f"{CALL} {call}")
        report.expect(status != 0, f"worker may not {call.split()[0]}: {out.strip()}")
    after = guest.look().blocks
    report.expect_equal("the blocks are as they were", {n: (b.state, b.zones) for n, b in after.items()},
                        {n: (b.state, b.zones) for n, b in state.items()})


def allowed(guest, report, block):
    report.did("a polkit rule: worker may set states")
    guest.write_file("/etc/polkit-1/rules.d/10-worker.rules", RULE % "worker")
    limit = 40          # polkitd notices by itself
    while guest.run_as("worker", f"{CALL} Offline 'sa{{sv}}' {block} 0")[0] != 0 and limit:
        guest.check("sleep 0.5")
        limit -= 1
    guest.wait_until(f"block {block} offline", lambda view: view.blocks[block].state == "offline")
    report.saw(f"worker has set block {block} offline")
    status, out = guest.run_as("worker", f"{CALL} Online 'ssa{{sv}}' {block} movable 0")
    report.expect_equal("worker may bring it online", status, 0)
    guest.wait_until(f"block {block} online", lambda view: view.blocks[block].zone == "Movable")
    report.saw(f"worker has brought block {block} online in Movable")
    status, out = guest.run_as("worker", f"{CALL} Reload")
    report.expect(status != 0, f"worker still may not Reload: {out.strip()}")
    status, out = guest.run_as("other", f"{CALL} Offline 'sa{{sv}}' {block} 0")
    report.expect(status != 0, f"other still may not Offline: {out.strip()}")
    report.expect(guest.run(f"{CALL} Reload")[0] == 0, "root may Reload")
    report.expect_equal("memhpd is", guest.unit("ActiveState", "NRestarts"), ["active", "0"])
