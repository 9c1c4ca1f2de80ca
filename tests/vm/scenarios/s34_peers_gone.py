# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus, udevd and the journal are killed, or hang, while memory comes: it is brought online all the same.

Whoever comes back is served again: the name on the bus, messages with their fields in the journal.
"""

from vmlib import claims, contract, system
from vmlib.machine import BLOCK, MIB

NAME = "peers-gone"
WHOLE_SYSTEM = True
SIZE = 256 * MIB
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }')
PEERS = ("dbus.service", "systemd-udevd.service", "systemd-journald.service")


def play(guest, report):
    before = guest.look()
    guest.start_daemon(POLICY)
    pid = guest.daemon_pid
    count = 0
    for signal, what in (("KILL", "killed"), ("STOP", "made to hang")):
        for peer in PEERS:
            name = f"d{count}"
            report.did(f"{peer} is {what}; plug a DIMM of {SIZE // MIB} MiB into node 1")
            guest.check(f"systemctl kill --kill-whom=main --signal=SIG{signal} {peer}")
            guest.plug_dimm(name, SIZE, node=1)
            count += 1
            view = guest.wait_until("all online", lambda view: online(view, before) == count * SIZE // BLOCK, 60)
            claims.expect_blocks(report, view.new_since(before), count * SIZE // BLOCK, "online", "Movable")
            come_back(guest, report, peer, signal)
    report.expect_equal("memhpd is the process that it was", (guest.daemon_pid, guest.unit("NRestarts")), (pid, "0"))

    report.did("the bus hangs; systemctl stop")
    guest.check("systemctl kill --kill-whom=main --signal=SIGSTOP dbus.service")
    seconds = guest.stop_daemon(60)
    report.expect(seconds < 20, f"memhpd ended after {seconds:.1f} s")
    guest.check("systemctl kill --kill-whom=main --signal=SIGCONT dbus.service")


def online(view, before):
    return sum(b.state == "online" for b in view.new_since(before).values())


def come_back(guest, report, peer, signal):
    if signal == "STOP":
        guest.check(f"systemctl kill --kill-whom=main --signal=SIGCONT {peer}")
    elif peer == "dbus.service":
        guest.check(f"systemctl start {peer}", 60)      # nobody else does
    if peer == "dbus.service":
        guest.check("for i in $(seq 60); do busctl --no-pager call org.memhp1 /org/memhp1 org.memhp1.Manager GetStatus "
                    ">/dev/null 2>&1 && exit 0; sleep 0.5; done; exit 1", 120)
        report.saw("the bus answers for it again")
    guest.check(f"for i in $(seq 60); do systemctl is-active {peer} && exit 0; sleep 0.5; done; exit 1", 60)
    if peer == "systemd-journald.service":
        guest.wait_log("all blocks", lambda log: len(contract.settled_blocks(log, "dimm", "online in Movable")) > 0)
        entries = guest.journal(f"MESSAGE_ID={contract.MESSAGE_ONLINED}")
        report.expect(entries and all(e.get("MEMHP_SOURCE") == "dimm" and e.get("_SYSTEMD_UNIT") == system.UNIT
                                      for e in entries), f"the journal has {len(entries)} messages of them with fields")
