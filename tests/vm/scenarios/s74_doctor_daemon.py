# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only the daemon knows: uevents that were lost, blocks that would not go online; doctor asks it over the bus.

The overflow is a real one: memhpd has a queue as small as any program's, is stopped (SIGSTOP), and more events come than it
holds. The failures are injected into the kernel (notifier-error-inject).
"""

import re

from vmlib import admin, claims, contract, doctor, starved, system
from vmlib.machine import MIB
from vmlib.report import Skipped

NAME = "doctor-daemon"
WHOLE_SYSTEM = True
EVENTS = 600
LOG = "/run/memhpd-by-hand.log"
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }',
                       retry='{ first = "100ms"; max = "200ms"; attempts = 2; }')


def play(guest, report):
    before = guest.look()
    guest.start_daemon(POLICY)
    guest.wait_ready()
    doctor.expect(guest, report, "at the beginning")
    overflow(guest, report)
    failure(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())


def overflow(guest, report):
    report.did("start memhpd by hand, with a queue as small as any program's; stop it (SIGSTOP); have the kernel send more events")
    guest.stop_daemon(90)
    guest.check(f"echo {starved.BUFFER // 2} >/proc/sys/net/core/rmem_max")
    pid = guest.check(f"{starved.WEAKEN} memhpd --config {guest.config} </dev/null >{LOG} 2>&1 & echo $!").strip()
    wait(guest, contract.READY)
    guest.check(f"kill -STOP {pid}")
    guest.check(f"i=0; while [ $i -lt {EVENTS} ]; do echo change >/sys/devices/system/memory/memory0/uevent; i=$((i+1)); done", 60)
    guest.check(f"kill -CONT {pid}")
    report.quote(wait(guest, contract.EVENTS_LOST).group(0))
    finding, = doctor.expect(guest, report, "then", ("overflows", "warning"))
    report.expect("service" in finding["fix"], "its fix is the service")
    report.did("end it; start the service")
    guest.check(f"kill -TERM {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done; systemctl start {system.UNIT}", 90)
    doctor.expect(guest, report, "after that")


def wait(guest, pattern):
    """Until memhpd, which was started by hand, has said that."""
    guest.wait_until(f"memhpd says {pattern.pattern}", lambda view: pattern.search(guest.check(f"cat {LOG}")), 30)
    return pattern.search(guest.check(f"cat {LOG}"))


def failure(guest, report):
    try:
        admin.prepare_failures(guest)
    except Skipped as missing:
        report.saw(f"not tried: injected failures, as {missing}")
        return
    report.did("the kernel is told to refuse (ENOMEM), and a DIMM of 256 MiB is plugged into node 1")
    guest.begin_log()
    admin.fail(guest, "MEM_GOING_ONLINE", -12)
    guest.plug_dimm("d1", 256 * MIB, node=1)
    guest.wait_log("what became of the blocks", lambda log: re.search(r"2 blocks .*(failed|refused).*", log), 60)
    _, findings, _ = doctor.diagnose(guest)
    report.expect_equal("doctor finds", [f["kind"] for f in findings], ["not-onlined"])
    report.expect("2 blocks" in findings[0]["summary"], f"it says how many: {findings[0]['summary']}")
    report.quote(findings[0]["evidence"][0]["text"])
    admin.fail(guest, "MEM_GOING_ONLINE", 0)
    report.did("the kernel does as it is told again; memhpctl reload")
    guest.check("memhpctl reload")
    after = guest.wait_until("2 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 2)
    claims.expect_blocks(report, after.of_node(1), 2, "online", "Normal", " on node 1")
    doctor.expect(guest, report, "after that")
