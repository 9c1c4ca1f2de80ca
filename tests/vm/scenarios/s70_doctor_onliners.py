# SPDX-License-Identifier: LGPL-2.1-or-later
"""Others that bring memory online, each set up on purpose under a real udevd: doctor names each, and its fix works.

That a rule takes the memory is proven first, with memhpd stopped (SIGSTOP): then nobody else is left who could have.
"""

from vmlib import admin, claims, contract, doctor
from vmlib.machine import MIB

NAME = "doctor-onliners"
WHOLE_SYSTEM = True
MACHINE = {"append": "memhp_default_state=online_kernel"}
RULES = "/usr/lib/udev/rules.d"
RULE = f"{RULES}/80-online-memory.rules"
RULE_SAID = 'online in Movable by rule "everything-else"'
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    the_kernel(guest, report)
    before = guest.look()
    a_rule(guest, report, before)
    its_policy(guest, report)
    daxctl_and_a_unit(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())


def the_kernel(guest, report):
    guest.write_file(guest.config, POLICY)
    guest.check("systemctl reload memhpd")
    guest.wait_log("that it reloaded", contract.RELOADED.search)
    report.expect_equal("auto_online_blocks while memhpd runs", admin.auto_online(guest), "offline")
    doctor.expect(guest, report, "with memhp_default_state on the command line", ("command-line", "notice", "/proc/cmdline"))
    report.did("somebody writes online to auto_online_blocks")
    admin.set_auto_online(guest, "online")
    finding, = doctor.expect(guest, report, "then", ("kernel-auto-online", "error", "/proc/cmdline"))
    report.did("as doctor says: memhpctl reload")
    report.expect("memhpctl reload" in finding["fix"], "that is its fix")
    guest.check("memhpctl reload")
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")
    doctor.expect(guest, report, "after that", ("command-line", "notice"))


def a_rule(guest, report, before):
    report.did("a udev rule brings memory online as movable; udevadm control --reload; stop memhpd (SIGSTOP); plug a DIMM")
    guest.write_file(RULE, '# made on purpose\nSUBSYSTEM=="memory", ACTION=="add", \\\n  ATTR{state}=="offline", '
                           'ATTR{state}="online_movable"\n')
    guest.check("udevadm control --reload")
    guest.signal_daemon("STOP")
    guest.plug_dimm("d1", 512 * MIB, node=1)
    after = guest.wait_until("4 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 4)
    claims.expect_blocks(report, after.of_node(1), 4, "online", "Movable", " on node 1: udevd took them")
    guest.signal_daemon("CONT")
    guest.wait_log("that it lost a race", contract.LOST.search)

    finding, *_ = doctor.expect(guest, report, "then", ("udev-rule", "error", f"{RULE}:3"), ("command-line", "notice"),
                                ("movable-only-node", "warning"), ("lost-races", "warning"))
    report.did("start memhpd again: it names the rule by itself")
    guest.start_daemon()
    guest.wait_ready()
    report.quote(guest.wait_log("who else brings memory online", contract.rival(f"{RULE}:3").search).group(0))
    guest.check(f"memhpctl import-udev {RULE} >/root/imported.conf")
    fix = f"cp {RULE} /etc/udev/rules.d/ and remove the rule in line 3"
    report.expect(fix in finding["fix"], "doctor's fix: a copy in /etc without the rule")
    report.did("do so; plug another DIMM")
    guest.check(f"cp {RULE} /etc/udev/rules.d/ && sed -i 2,3d /etc/udev/rules.d/80-online-memory.rules && udevadm control --reload")
    doctor.expect(guest, report, "after that", ("command-line", "notice"), ("movable-only-node", "warning"))
    guest.begin_log()
    guest.plug_dimm("d2", 512 * MIB, node=2)
    after = guest.wait_until("4 blocks online on node 2", lambda view: sum(
        b.state == "online" for b in view.of_node(2).values()) == 4)
    claims.expect_blocks(report, after.of_node(2), 4, "online", "Normal", " on node 2, as the policy wants it")
    claims.expect_growth(report, before, after, 2, "Normal", 4)
    report.expect(not contract.LOST.search(guest.log()), "and no race was lost")


def its_policy(guest, report):
    """What the rule did, memhpd does by the policy that import-udev made of it."""
    report.did("the policy that memhpctl import-udev made of the rule; plug a DIMM into the node of the first one")
    before = guest.look()
    guest.check(f"cp /root/imported.conf {guest.config}")
    guest.begin_log()
    guest.check("memhpctl reload")
    guest.plug_dimm("d3", 512 * MIB, node=1)
    after = guest.wait_until("4 more blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    claims.expect_blocks(report, after.new_since(before), 4, "online", "Movable", " on node 1, as the rule had it")
    said = guest.wait_log("by which rule", lambda text: RULE_SAID in text and RULE_SAID)
    report.expect(said, "and memhpd says by which rule")
    report.expect(not contract.LOST.search(guest.log()), "no race was lost")
    guest.write_file(guest.config, POLICY)
    guest.check("memhpctl reload")


def daxctl_and_a_unit(guest, report):
    known = (("command-line", "notice"), ("movable-only-node", "warning"))
    report.did("daxctl is to make a namespace system RAM when it appears; a service does the same at boot")
    guest.write_file(f"{RULES}/90-daxctl-device.rules", 'ACTION=="add", SUBSYSTEM=="dax",\\\n  RUN+="/usr/bin/daxctl -C $env{DEVNAME}"\n')
    guest.write_file("/etc/daxctl.conf.d/pmem.conf", "[reconfigure-device mine]\nnvdimm.uuid = 1\nmode = system-ram\nonline = true\n")
    guest.write_file("/etc/systemd/system/pmem.service", "[Service]\nType=oneshot\nExecStart=-/usr/bin/daxctl online-memory all\n"
                                                        "[Install]\nWantedBy=multi-user.target\n")
    doctor.expect(guest, report, "before the service is enabled", ("daxctl", "error", "/etc/daxctl.conf.d/pmem.conf:3"), *known)
    guest.check("systemctl enable pmem.service")
    _, unit, *_ = doctor.expect(guest, report, "afterwards", ("daxctl", "error", f"{RULES}/90-daxctl-device.rules:2"),
                                ("unit", "warning", "/etc/systemd/system/pmem.service:3"), *known)
    report.did("as doctor says: online = false, and disable the service")
    guest.check("sed -i 's/online = true/online = false/' /etc/daxctl.conf.d/pmem.conf")
    report.expect("systemctl disable --now pmem.service" in unit["fix"], "that is its fix")
    guest.check("systemctl disable --now pmem.service")
    doctor.expect(guest, report, "after that", *known)
