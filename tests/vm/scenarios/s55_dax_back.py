# SPDX-License-Identifier: LGPL-2.1-or-later
"""Persistent memory that is used as system memory becomes a dax device again: memhpctl offline device:dax0.0, then daxctl, which
has nothing left to take offline itself."""

from vmlib import bus, claims
from vmlib.machine import MIB
from vmlib.report import Skipped

NAME = "dax-back"
BLOCKS = 15
POLICY = claims.policy('{ name = "pmem"; match = { source = [ "pmem" ]; }; action = "online_movable"; }', reconcile='"1s"')


def play(guest, report):
    if guest.run("command -v ndctl && command -v daxctl")[0] != 0:
        raise Skipped("no ndctl and daxctl to put into the guest (Debian: ndctl daxctl)")
    before = guest.look()
    bus.start(guest)
    guest.start_daemon(POLICY)
    report.did("plug an NVDIMM of 2 GiB into node 2, as system memory")
    guest.plug_nvdimm("n0", 2050 * MIB, node=2)
    guest.check("n=0; until [ -d /sys/bus/nd/devices/namespace0.0 ]; do n=$((n+1)); [ $n -lt 100 ] || exit 1; usleep 100000; done")
    guest.check("ndctl create-namespace -f -e namespace0.0 -m devdax -M mem", 60)
    guest.check("daxctl reconfigure-device --mode=system-ram --no-online dax0.0", 60)
    guest.wait_until("15 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(2).values()) == BLOCKS)
    fill = bus.fill(guest, 2, 500)
    bus.wait_name(guest)

    report.did("as long as it is online, daxctl cannot")
    status, out = guest.run("daxctl reconfigure-device --mode=devdax dax0.0", 60)
    report.quote(out)
    report.expect(status != 0, "daxctl refuses")

    report.did("memhpctl offline device:dax0.0")
    status, out = bus.people(guest, "offline device:dax0.0")
    report.quote(out)
    report.expect_equal("exit status", status, 0)
    new = {n: b for n, b in guest.look().of_node(2).items()}
    claims.expect_blocks(report, new, BLOCKS, "offline")
    claims.expect_stays(guest, report, new, 1.6, "past a reconcile")

    report.did("daxctl reconfigure-device --mode=devdax dax0.0")
    out = guest.check("daxctl reconfigure-device --mode=devdax dax0.0", 60)
    report.quote(out)
    guest.wait_until("no block is left", lambda view: not view.of_node(2))
    report.expect("devdax" in guest.check("daxctl list -d dax0.0"), "it is a dax device again")
    fill.let_go()
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)
