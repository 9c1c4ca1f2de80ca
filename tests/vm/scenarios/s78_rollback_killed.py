# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd is killed (SIGKILL) in the middle of a rollback, and started again: it goes on, and all of the device is offline."""

from vmlib import admin, claims, contract
from vmlib.guest import summary
from vmlib.machine import GIB
from vmlib.report import Failed

NAME = "rollback-killed"
BLOCKS = 32
LATER = 1.6         # longer than a reconcile
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; on_partial = "rollback"; }',
                       reconcile='"1s"')
# Only built-ins until it is killed: the last block, which was online, is offline again, so the rollback has begun.
KILLER = """
cd /sys/devices/system/memory
state=
until [ "$state" = online ]; do read -r state <memory$LAST/state; done 2>/dev/null
touch /tmp/was-online
until [ "$state" = offline ]; do read -r state <memory$LAST/state; done
kill -KILL $PID
touch /tmp/killed
"""


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    taken, rest = begin(guest, report, before)

    middle = guest.look()
    online = [n for n in rest if middle.blocks[n].state == "online"]
    offline = [n for n in rest if middle.blocks[n].state == "offline"]
    report.saw(f"memhpd is dead; {summary(middle.blocks[n] for n in rest)}")
    if not online or not offline or len(online) + len(offline) != len(rest):
        raise Failed(f"it was not in the middle of the rollback: {summary(middle.blocks[n] for n in rest)}")
    report.did("start memhpd again")
    guest.start_daemon()
    report.quote(guest.wait_log("that it goes on", contract.ROLLBACK_GOES_ON.search).group(0))
    guest.wait_until("the rollback is done", lambda view: all(view.blocks[n].state == "offline" for n in rest))
    device = guest.device_of({n: middle.blocks[n] for n in rest})
    claims.expect_told(guest, report, rest, device, contract.ROLLED_BACK)
    view = claims.expect_stays(guest, report, rest + [taken], LATER, "past a reconcile")
    claims.expect_blocks(report, {n: view.blocks[n] for n in rest}, BLOCKS - 1, "offline", where=" of the device")
    claims.expect_blocks(report, {taken: view.blocks[taken]}, 1, "online", "Normal", " of the competitor")

    report.did("kill it once more and start it: nothing is left to do")
    guest.kill_daemon()
    guest.start_daemon()
    view = claims.expect_stays(guest, report, rest + [taken], LATER, "past a reconcile")
    report.expect(not contract.ROLLBACK_GOES_ON.search(guest.log()), "memhpd has nothing to go on with")
    claims.expect_same_boot_memory(report, before, view)
    claims.expect_healthy(guest, report)


def begin(guest, report, before):
    """(the competitor's block, the others), with memhpd killed while it takes them back."""
    report.did("stop memhpd, plug a DIMM of 4 GiB into node 1, put its second block online in Normal, let memhpd go on, and kill "
               "it as soon as it takes a block offline again")
    guest.signal_daemon("STOP")
    guest.plug_dimm("d1", 4 * GIB, node=1)
    new = guest.wait_until(f"{BLOCKS} blocks", lambda view: len(view.new_since(before)) == BLOCKS).new_since(before)
    taken = min(new) + 1
    admin.set_state(guest, [taken], "online_kernel")
    guest.write_file("/tmp/killer", f"LAST={max(new)} PID={guest.daemon_pid}\n{KILLER}")
    guest.check("sh /tmp/killer </dev/null >/dev/null 2>&1 &")
    guest.signal_daemon("CONT")
    guest.wait_until("memhpd killed", lambda _: guest.run("test -e /tmp/killed")[0] == 0)
    guest.wait_until("memhpd dead", lambda _: not guest.daemon_alive(), 20)
    return taken, sorted(set(new) - {taken})
