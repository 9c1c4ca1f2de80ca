# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemctl start, stop, restart and reload; SIGKILL; a hang that the watchdog ends; a policy with errors.

The kernel's auto-online is as it was before whenever memhpd does not run, memory that is online stays, and what came in the
meantime is met.
"""

from vmlib import admin, claims, contract, system
from vmlib.machine import BLOCK, GIB, MIB

NAME = "service-life"
WHOLE_SYSTEM = True
BEFORE = "online_kernel"    # what the kernel did before memhpd was first started
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')
BROKEN = "version = 1;\nrules = ( { name = \"x\"; match = { }; action = \"online_moveable\"; } );\n"


def play(guest, report):
    guest.stop_daemon()
    admin.set_auto_online(guest, BEFORE)
    before = guest.look()
    report.did(f"auto_online_blocks is {BEFORE}; systemctl start")
    guest.start_daemon(POLICY)
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")
    report.did("plug a DIMM of 512 MiB into node 1")
    guest.plug_dimm("d1", 512 * MIB, node=1)
    expect_online(guest, report, before, 1, 4)

    stop(guest, report, before)
    restart(guest, report, before)
    killed(guest, report, before)
    hangs(guest, report, before)
    refused_policy(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())
    report.did("systemctl stop")
    guest.stop_daemon()
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), BEFORE)


def expect_online(guest, report, before, node, count):
    view = guest.wait_until(f"{count} blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node, before).values()) == count, 90)
    claims.expect_blocks(report, view.of_node(node, before), count, "online", "Movable", f" on node {node}")
    return view


def expect_idle_manager(guest, report):
    """PID 1 has nothing to do with a service that is not there."""
    out = guest.check("t() { cut -d' ' -f14,15 /proc/1/stat | tr ' ' +; }; a=$(t); sleep 2; echo $(($(t) - ($a)))")
    report.expect(int(out) < 50, f"PID 1 used {int(out) / 100:.2f} s of 2 s")


def stop(guest, report, before):
    report.did("systemctl stop")
    said = guest.check(f"systemctl stop {system.UNIT} 2>&1").strip()
    report.expect_equal("systemctl says", said, "")
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), BEFORE)
    expect_idle_manager(guest, report)
    expect_online(guest, report, before, 1, 4)
    report.did("the kernel left as memhpd leaves it (offline), plug a DIMM of 128 MiB into node 2: nobody starts memhpd for that")
    admin.set_auto_online(guest, "offline")
    guest.plug_dimm("d2", BLOCK, node=2)
    guest.wait_until("a block on node 2", lambda view: len(view.of_node(2)) == 1)
    guest.check("udevadm settle")
    claims.expect_blocks(report, guest.look().of_node(2), 1, "offline", where=" on node 2")
    report.expect_equal("memhpd is", guest.unit("ActiveState"), "inactive")
    admin.set_auto_online(guest, BEFORE)
    report.did("systemctl start")
    guest.start_daemon()
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")
    expect_online(guest, report, before, 2, 1)


def restart(guest, report, before):
    report.did("plug a DIMM of 2 GiB into node 2 and systemctl restart when its first block is online")
    pid = guest.daemon_pid
    # Not before: until the DIMM's add is over, a memhpd that stops hands it to the kernel, which is as it should be.
    first = max(guest.look().blocks) + 1        # hot-added memory comes at 4 GiB, one behind the other
    guest.write_file("/tmp/restart", f"until grep -q online /sys/devices/system/memory/memory{first}/state; do :; done "
                     f"2>/dev/null\nsystemctl restart {system.UNIT}\necho $? >/tmp/restarted\n")
    guest.check("sh /tmp/restart </dev/null >/dev/null 2>&1 &")
    guest.plug_dimm("d3", 2 * GIB, node=2)
    guest.wait_until("memhpd was restarted", lambda view: guest.run("test -s /tmp/restarted")[0] == 0, 60)
    report.expect_equal("systemctl exits with", guest.check("cat /tmp/restarted").strip(), "0")
    report.expect(guest.daemon_pid != pid, "it is another process")
    guest.expect_handed_over(report)
    expect_online(guest, report, before, 2, 17)


def killed(guest, report, before):
    report.did("SIGKILL in the middle of another 2 GiB for node 1")
    pid = guest.daemon_pid
    guest.begin_log()
    guest.plug_dimm("d4", 2 * GIB, node=1)
    guest.signal_daemon("KILL")
    guest.wait_unit("it runs again", lambda s: s["ActiveState"] == "active" and int(s["MainPID"]) not in (0, pid))
    guest.wait_ready()
    expect_online(guest, report, before, 1, 20)
    guest.expect_handed_over(report)
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")


def hangs(guest, report, before):
    report.expect_equal("the watchdog waits", guest.unit("WatchdogUSec"), "1min")
    report.did("have it wait 5 s; stop memhpd (SIGSTOP) and plug a DIMM of 256 MiB into node 1")
    guest.drop_in("watchdog", "[Service]\nWatchdogSec=5s\n")
    guest.start_daemon()
    pid, count = guest.daemon_pid, int(guest.unit("NRestarts"))
    guest.signal_daemon("STOP")
    guest.plug_dimm("d5", 256 * MIB, node=1)
    state = guest.wait_unit("it runs again", lambda s: s["ActiveState"] == "active" and int(s["MainPID"]) not in (0, pid), 90)
    report.expect_equal("how often it was started again", int(state["NRestarts"]) - count, 1)
    report.quote(guest.check("journalctl --no-pager -q -o cat -u memhpd -g 'Watchdog timeout' | tail -n 1"))
    expect_online(guest, report, before, 1, 22)
    guest.drop_in("watchdog", "")


def refused_policy(guest, report):
    report.did("a policy with an error; systemctl reload")
    guest.begin_log()
    guest.write_file(guest.config, BROKEN)
    guest.run(f"systemctl reload {system.UNIT}")
    report.quote(guest.wait_log("what is wrong", lambda log: "online_moveable" in log and log))
    report.expect(guest.daemon_alive(), "memhpd is alive, with the policy of before")
    report.did("systemctl restart")
    report.expect(guest.run(f"systemctl restart {system.UNIT}", 60)[0] != 0, "systemctl says that it failed")
    state = guest.wait_unit("it has failed", lambda s: s["ActiveState"] == "failed")
    report.expect_equal("its exit status", guest.unit("ExecMainStatus"), "78")
    guest.check("sleep 3")
    report.expect_equal("3 s later it has", guest.unit("ActiveState", "NRestarts"), ["failed", state["NRestarts"]])
    expect_idle_manager(guest, report)
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), BEFORE)
    report.did("correct it; systemctl start")
    guest.start_daemon(POLICY)
    report.expect(guest.daemon_alive(), "memhpd is alive")
