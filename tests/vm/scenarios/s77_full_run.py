# SPDX-License-Identifier: LGPL-2.1-or-later
"""/run is full: memory comes online all the same, also after SIGKILL, what cannot be kept is told once, and made up for later."""

from vmlib import admin, claims, contract
from vmlib.machine import MIB

NAME = "full-run"
WHOLE_SYSTEM = True
SIZE, BLOCKS = 256 * MIB, 2
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')


def play(guest, report):
    before = guest.look()
    guest.start_daemon(POLICY)
    fill(guest, report)
    guest.begin_log()
    for count in (1, 2):
        add(guest, report, before, count)
        guest.wait_log("that it cannot be kept", contract.NOT_KEPT.search)
    guest.check("sleep 1")      # longer than it waits before it keeps anything
    lines = contract.NOT_KEPT.findall(guest.log())
    report.expect_equal("how often memhpd says so", len(lines), 1)
    report.quote(lines[0])
    report.expect_equal("memhpd was started again", guest.unit("NRestarts"), "0")

    report.did("kill memhpd (SIGKILL)")
    pid = guest.daemon_pid
    guest.begin_log()
    guest.signal_daemon("KILL")
    guest.wait_unit("it runs again", lambda s: s["ActiveState"] == "active" and int(s["MainPID"]) not in (0, pid))
    guest.wait_ready()
    report.saw("it runs again")
    new = add(guest, report, before, 3)
    block = max(new)
    report.did(f"block {block} is set offline; then there is room in /run again")
    admin.set_state(guest, [block], "offline")
    guest.wait_log("that it was set offline", lambda log: contract.settled_blocks(log, "dimm", contract.SET_OFFLINE))
    guest.check("rm /run/filler")
    report.quote(guest.wait_log("that it can be kept again", contract.KEPT_AGAIN.search, 60).group(0))
    report.expect_equal("how often it said that it cannot", len(contract.NOT_KEPT.findall(guest.log())), 1)

    report.did("kill memhpd (SIGKILL) once more")
    pid = guest.daemon_pid
    guest.begin_log()
    guest.signal_daemon("KILL")
    guest.wait_unit("it runs again", lambda s: s["ActiveState"] == "active" and int(s["MainPID"]) not in (0, pid))
    guest.wait_ready()
    report.expect_equal(f"block {block}, which was set offline while /run was full, is", guest.look().blocks[block].state, "offline")
    add(guest, report, before, 4, 3 * BLOCKS - 1 + BLOCKS)
    claims.expect_same_boot_memory(report, before, guest.look())


def fill(guest, report):
    """What is free of it to the last page; smaller before, which is quicker to fill."""
    guest.check("mount -o remount,size=$(($(df -k /run | tail -n 1 | awk '{print $3}') + 8192))k /run")
    guest.run("dd if=/dev/zero of=/run/filler bs=64k; dd if=/dev/zero bs=4096 >>/run/filler")
    report.did("fill /run")
    report.expect(guest.run("echo x >/run/more")[0] != 0, "there is no room for another byte")
    report.quote(guest.check("df -k /run | tail -n 1; rm -f /run/more"))


def add(guest, report, before, count, online=None):
    report.did(f"plug a DIMM of {SIZE // MIB} MiB into node 1")
    old = guest.look()
    guest.plug_dimm(f"d{count}", SIZE, node=1)
    online = online or count * BLOCKS
    view = guest.wait_until(f"{online} blocks online", lambda view: sum(
        b.state == "online" for b in view.new_since(before).values()) == online)
    new = view.new_since(old)
    claims.expect_blocks(report, new, BLOCKS, "online", "Movable")
    return new
