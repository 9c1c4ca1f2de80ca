# SPDX-License-Identifier: LGPL-2.1-or-later
"""In the middle of a burst the policy is loaded again, time after time; in another, the bus, udevd and the journal are killed.

The service goes on as the process that it was: all comes online as the policy says, and the bus and the journal tell of it.
"""

from vmlib import claims, contract, system
from vmlib.machine import BLOCK, GIB
from vmlib.report import Failed

NAME = "burst"
WHOLE_SYSTEM = True
MACHINE = {"boot_memory": 2 * GIB}
SIZE = 8 * GIB
BLOCKS = SIZE // BLOCK
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')
PEERS = ("dbus.service", "systemd-udevd.service", "systemd-journald.service")
# Only built-ins up to there: at each of these blocks something is done, and the last block tells whether it was in time.
AT = """
cd /sys/devices/system/memory
for block in $AT; do
        state=
        until [ "$state" = online ]; do read -r state <memory$block/state; done 2>/dev/null
        eval "$DO"
        state=
        read -r state <memory$LAST/state
        echo "$state" >>/tmp/at
done 2>/dev/null
eval "$THEN"
touch /tmp/at.done
"""


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    # With a tenth of a CPU the burst lasts as long as what is done in it, on a busy host, too.
    guest.drop_in("slow", "[Service]\nCPUQuota=10%\n")
    guest.start_daemon(POLICY)
    pid = guest.daemon_pid
    first = max(32, max(before.blocks) + 1)     # hot-added memory comes at 4 GiB, one behind the other

    report.did(f"plug a DIMM of {BLOCKS} blocks into node 1, and load the policy again at every eighth of them (SIGHUP)")
    guest.begin_log()
    during(guest, range(first + 4, first + BLOCKS - 4, 8), first + BLOCKS - 1, f"kill -HUP {pid}")
    guest.plug_dimm("d1", SIZE, node=1)
    expect_online(guest, report, before, 1)
    report.expect(in_the_middle(guest) > 0, "it was in the middle of the burst")
    loaded = guest.wait_log("that it loaded the policy", lambda log: len(contract.RELOADED.findall(log)))
    report.saw(f"it was loaded {loaded} times")
    expect_same(guest, report, pid)

    mains = [guest.unit("MainPID", unit=peer) for peer in PEERS]
    report.did(f"plug another into node 2, and one of {BLOCKS // 8} blocks into node 1; {', '.join(PEERS)} are killed at the fourth "
               "block, and started again")
    guest.begin_log()
    during(guest, [first + BLOCKS + 4], first + 2 * BLOCKS - 1, f"kill -KILL {' '.join(mains)}",
           "sleep 1; systemctl restart dbus.service systemd-udevd.service systemd-journald.service")
    guest.plug_dimm("d2", SIZE, node=2)
    guest.plug_dimm("d3", SIZE // 8, node=1)
    expect_online(guest, report, before, 2)
    report.expect(in_the_middle(guest) == 1, "it was in the middle of the burst")
    expect_online(guest, report, before, 1, BLOCKS + BLOCKS // 8)
    now = [guest.unit("MainPID", unit=peer) for peer in PEERS]
    report.expect(all(a != b for a, b in zip(mains, now)), f"{', '.join(PEERS)} are other processes: {mains}, now {now}")
    expect_same(guest, report, pid)

    report.did("plug a DIMM of a block into node 1")
    guest.begin_log()
    guest.plug_dimm("d4", BLOCK, node=1)
    expect_online(guest, report, before, 1, BLOCKS + BLOCKS // 8 + 1)
    guest.wait_log("that it is online", lambda log: contract.settled_blocks(log, "dimm", "online in Movable"))
    entries = guest.journal(f"MESSAGE_ID={contract.MESSAGE_ONLINED}")
    report.expect_equal("the journal has it, of", {e.get("_SYSTEMD_UNIT") for e in entries}, {system.UNIT})
    guest.check("for i in $(seq 60); do busctl --no-pager call org.memhp1 /org/memhp1 org.memhp1.Manager GetStatus "
                ">/dev/null 2>&1 && exit 0; sleep 0.5; done; exit 1", 120)
    report.saw("the bus answers for it")
    expect_same(guest, report, pid)
    claims.expect_same_boot_memory(report, before, guest.look())


def during(guest, at, last, do, then=":"):
    guest.write_file("/tmp/during", f"AT='{' '.join(map(str, at))}' LAST={last} DO='{do}' THEN='{then}'\n{AT}")
    guest.check("rm -f /tmp/at /tmp/at.done; busybox sh /tmp/during </dev/null >/dev/null 2>&1 &")


def in_the_middle(guest):
    """How often something was done while the last block was not online yet."""
    guest.check("for i in $(seq 200); do [ -e /tmp/at.done ] && exit 0; sleep 0.2; done; exit 1", 60)
    states = guest.check("cat /tmp/at").splitlines()
    if not states:
        raise Failed("nothing was done during the burst")
    return sum(state != "online" for state in states)


def expect_online(guest, report, before, node, count=BLOCKS):
    view = guest.wait_until(f"{count} blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node, before).values()) == count, 60)
    claims.expect_blocks(report, view.of_node(node, before), count, "online", "Movable", f" on node {node}")


def expect_same(guest, report, pid):
    report.expect_equal("memhpd is the process that it was", (guest.daemon_pid, guest.unit("NRestarts")), (pid, "0"))
