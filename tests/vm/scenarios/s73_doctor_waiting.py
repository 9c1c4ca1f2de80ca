# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd does not run, and memory waits: doctor says so, and systemctl enable --now is the fix; could it be delegated?"""

from vmlib import claims, doctor
from vmlib.machine import GIB

NAME = "doctor-waiting"
WHOLE_SYSTEM = True
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')
UNIFORM = claims.policy('{ name = "all"; match = { }; action = "online_kernel"; }')


def play(guest, report):
    before = guest.look()
    guest.start_daemon(POLICY)
    guest.wait_ready()
    doctor.expect(guest, report, "while memhpd runs")
    report.did("systemctl disable --now memhpd")
    guest.check("systemctl disable --now memhpd")
    finding, = doctor.expect(guest, report, "then", ("not-running", "warning"))

    report.did("plug a DIMM of 1 GiB into node 1")
    guest.plug_dimm("d1", GIB, node=1)
    guest.wait_until("8 blocks", lambda view: len(view.new_since(before)) == 8)
    finding, = doctor.expect(guest, report, "then", ("waiting-offline", "error", f"{guest.config}:3"))
    report.expect_equal("its fix is", finding["fix"], "systemctl enable --now memhpd")
    report.did("do so")
    guest.check(finding["fix"])
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    claims.expect_blocks(report, after.of_node(1), 8, "online", "Normal", " on node 1")
    doctor.expect(guest, report, "after that")

    report.did("one rule for everything")
    guest.write_file(guest.config, UNIFORM)
    guest.check("memhpctl reload")
    finding, = doctor.expect(guest, report, "then", ("could-delegate", "notice", f"{guest.config}:3"))
    report.did('as doctor says: kernel_auto_online = "delegate"')
    report.expect('kernel_auto_online = "delegate"' in finding["fix"], "that is its fix")
    guest.write_file(guest.config, claims.policy('{ name = "all"; match = { }; action = "online_kernel"; }',
                                                 kernel_auto_online='"delegate"'))
    guest.check("memhpctl reload")
    doctor.expect(guest, report, "after that")
    report.did("an error in the policy")
    guest.write_file(guest.config, POLICY.replace("action", "acton", 1))
    _, findings, _ = doctor.diagnose(guest)
    report.expect(findings and {f["kind"] for f in findings} == {"policy-error"}, "doctor names the line")
    report.quote(findings[0]["evidence"][0]["text"])
    claims.expect_same_boot_memory(report, before, guest.look())
