# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian package as dpkg installed it: enabled by itself, it decides from the boot on, and names a rule of udev at its start.

The first steps of README, with the policy that came with the package and then with a preset.
"""

import json

from vmlib import admin, claims, contract, installed
from vmlib.machine import GIB, MIB

NAME = "package"
PACKAGED = True
RULE = "/etc/udev/rules.d/80-hotplug-memory.rules"
PRESET = "/usr/share/memhp/presets/bare-metal-dimms.conf"


def play(guest, report):
    report.expect_equal("dpkg says of memhpd", guest.check("dpkg-query -W -f '${Status}' memhpd"), "install ok installed")
    program = guest.check(f"readlink /proc/{guest.daemon_pid}/exe").strip()
    report.expect_equal("the program that runs is of", guest.check(f"{installed.DPKG} -S {program}").strip(), f"memhpd: {program}")
    report.expect_equal("enabled, it was started by the boot", guest.unit("ActiveState", "SubState", "UnitFileState"),
                        ["active", "running", "enabled"])
    report.expect(contract.READY.search(guest.log(everything=True)), "it has said so in the journal")
    guest.expect_handed_over(report)
    report.expect_equal("units that failed", guest.check("systemctl --failed --plain --no-legend").strip(), "")
    report.expect_equal("auto_online_blocks", admin.auto_online(guest), "offline")

    before = guest.look()
    claims.expect_block_size(before)
    first_steps(guest, report, before)
    preset(guest, report, before)
    rule(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())


def first_steps(guest, report, before):
    report.did("memhpctl status, doctor, check")
    report.quote(guest.check("memhpctl status"))
    status, out = guest.run("memhpctl doctor")
    report.quote(out)
    report.expect_equal("doctor ended with", status, 0)
    out = guest.check("memhpctl check")
    report.expect(out.startswith("/usr/lib/memhp/memhpd.conf: valid,"), f"memhpctl check: {out.strip()}")
    report.did("plug a DIMM of 512 MiB into node 0")
    guest.begin_log()
    guest.plug_dimm("d1", 512 * MIB, node=0)
    view = guest.wait_until("4 more blocks online on node 0", lambda view: sum(
        b.state == "online" for b in view.of_node(0, before).values()) == 4)
    # 1 GiB of kernel memory bears three times as much movable memory: the policy that came with the package.
    claims.expect_blocks(report, view.of_node(0, before), 4, "online", "Movable", " on node 0")
    report.did("memhpctl explain, of one of these")
    block = min(view.of_node(0, before))
    report.quote(guest.check(f"memhpctl explain {block}"))
    answer = json.loads(guest.check(f"memhpctl --json explain {block}"))
    answer = answer[0] if isinstance(answer, list) else answer
    report.expect_equal("decided by the rule", answer["rule"]["name"], "everything-else")


def preset(guest, report, before):
    report.did(f"cp {PRESET} to /etc/memhp/memhpd.conf; memhpctl check; systemctl reload memhpd")
    guest.check(f"cp {PRESET} {guest.config}")
    report.quote(guest.check("memhpctl check"))
    guest.begin_log()
    guest.check("systemctl reload memhpd")
    guest.wait_log("that it reloaded", contract.RELOADED.search)
    report.did("plug a DIMM of 1 GiB into node 1")
    guest.plug_dimm("d2", GIB, node=1)
    view = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1, before).values()) == 8)
    claims.expect_told(guest, report, view.of_node(1), guest.device_of(view.of_node(1)), "online in Movable")


def rule(guest, report):
    report.did("a rule of udev brings memory online, too; systemctl restart memhpd")
    guest.write_file(RULE, '# as some distributions have it\n'
                           'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online"\n')
    guest.start_daemon()
    guest.wait_ready()
    report.quote(guest.wait_log("who else brings memory online", contract.rival(f"{RULE}:2").search).group(0))
