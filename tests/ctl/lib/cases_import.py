# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl import-udev: the rules of distributions, and whether the policy decides on each machine what they would have written."""

import os
import re

from .tree import machine

REDHAT_8 = """\
# CPUs
SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"

SUBSYSTEM!="memory", GOTO="memory_end"
ACTION!="add", GOTO="memory_end"
CONST{arch}=="s390*", GOTO="memory_end"
CONST{arch}=="ppc64*", GOTO="memory_end"

ENV{.state}="online"
CONST{virt}=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"

LABEL="memory_end"
"""

REDHAT_7 = """\
SUBSYSTEM=="memory", ACTION=="add", PROGRAM="/bin/uname -p", RESULT!="s390*", ATTR{state}=="offline", ATTR{state}="online"
"""

REDHAT_7_6 = """\
SUBSYSTEM!="memory", ACTION!="add", GOTO="memory_end"
PROGRAM="/bin/uname -p", RESULT=="s390*", GOTO="memory_end"
ENV{.state}="online"
PROGRAM="/bin/systemd-detect-virt", RESULT=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"
LABEL="memory_end"
"""

SUSE = """\
SUBSYSTEM=="memory", ACTION=="add", PROGRAM=="/bin/sh -c '/usr/bin/systemd-detect-virt || :'", RESULT!="zvm", \\
  ATTR{state}=="offline", ATTR{state}="online"
"""

SUSE_MOVABLE = """\
SUBSYSTEM!="memory", GOTO="end"
ACTION!="add", GOTO="end"
CONST{virt}=="zvm", GOTO="end"
ENV{.state}="online"
CONST{virt}=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="%E{.state}"
LABEL="end"
"""

UBUNTU = """\
ATTR{[dmi/id]sys_vendor}=="Microsoft Corporation", ATTR{[dmi/id]product_name}=="Virtual Machine", GOTO="apply"
ATTR{[dmi/id]sys_vendor}=="Xen", GOTO="apply"
GOTO="done"
LABEL="apply"
SUBSYSTEM=="memory", ACTION=="add", DEVPATH=="/devices/system/memory/memory[0-9]*", TEST=="state", ATTR{state}!="online", \\
  ATTR{state}="online"
LABEL="done"
"""

PROXMOX = 'SUBSYSTEM=="memory", ACTION=="add", TEST=="state", ATTR{state}=="offline", ATTR{state}="online_movable"\n'

# Who makes the machine, and of what.
MACHINES = {
    "metal": ("Dell Inc.", "PowerEdge R750", "x86_64"),
    "metal arm": ("HPE", "ProLiant RL300", "aarch64"),
    "kvm": ("Red Hat", "KVM", "x86_64"),
    "hyperv": ("Microsoft Corporation", "Virtual Machine", "x86_64"),
    "xen": ("Xen", "HVM domU", "x86_64"),
    "vmware": ("VMware, Inc.", "VMware7,1", "x86_64"),
    "power": ("Red Hat", "KVM", "ppc64le"),
    "mainframe": ("Red Hat", "KVM", "s390x"),
    "z/VM": (None, None, "s390x"),
}

OFFLINE, ONLINE, MOVABLE = "leave_offline", "online", "online_movable"

# What udev would write there, found by reading the rules: of those that are not named, the last. Then the lines that are not
# translated.
EXPECTED = [
    ("40-redhat.rules", REDHAT_8, {"metal": MOVABLE, "metal arm": MOVABLE, "power": OFFLINE, "mainframe": OFFLINE,
                                      "z/VM": OFFLINE}, ONLINE, []),
    ("40-redhat-7.rules", REDHAT_7, {"mainframe": OFFLINE, "z/VM": OFFLINE}, ONLINE, []),
    ("40-redhat-7.6.rules", REDHAT_7_6, {"mainframe": OFFLINE, "z/VM": OFFLINE}, ONLINE, [4, 5]),
    ("80-hotplug-cpu-mem.rules", SUSE, {"z/VM": OFFLINE}, ONLINE, []),
    ("80-suse-movable.rules", SUSE_MOVABLE, {"z/VM": OFFLINE, "metal": MOVABLE, "metal arm": MOVABLE}, ONLINE, []),
    ("40-vm-hotadd.rules", UBUNTU, {"hyperv": ONLINE, "xen": ONLINE}, OFFLINE, []),
    ("80-proxmox.rules", PROXMOX, {}, MOVABLE, []),
]


def _trees(ctl):
    trees = {}
    for name, (vendor, product, architecture) in MACHINES.items():
        tree = machine(ctl.tree()).manifest(architecture, 4096)
        if vendor:
            tree.write("sys/class/dmi/id/sys_vendor", vendor + "\n")
            tree.write("sys/class/dmi/id/product_name", product + "\n")
        else:
            tree.write("proc/sysinfo", "Type: 3931\nVM00 Control Program: z/VM    7.3.0\n")
        trees[name] = tree
    return trees


def case_import_udev(checks, ctl):
    trees = _trees(ctl)
    for name, text, named, others, lines in EXPECTED:
        rules = ctl.file(name, text)
        result = ctl.run("import-udev", rules)
        checks.equal(f"{name}: exit status", result.status, 64 if lines else 0)
        policy = ctl.file(name + ".conf", result.out)
        checked = ctl.run("check", policy)
        checks.expect(checked.status == 0 and ", 0 warnings" in checked.out, f"{name}: a valid policy", f"{checked}\n{result.out}")
        for where, tree in trees.items():
            decided = ctl.run("simulate", "--json", "--config", policy, "dimm:128M@node0", tree=tree)
            checks.equal(f"{name}: {where}", decided.json["adds"][0]["action"], named.get(where, others))
        checks.equal(f"{name}: what is not translated, on standard error", [int(n) for n in re.findall(
            rf"^{re.escape(rules)}:(\d+): not translated: ", result.err, re.MULTILINE)], lines)
        checks.equal(f"{name}: … and in the policy", [int(n) for n in re.findall(
            rf"^#   {re.escape(rules)}:(\d+): ", result.out, re.MULTILINE)], lines)
        origins = [int(n) for n in re.findall(rf"^  # {re.escape(rules)}:(\d+)$", result.out, re.MULTILINE)]
        numbered = text.splitlines()
        checks.expect(origins and all(re.search("GOTO=|state}=", numbered[n - 1]) for n in origins),
                      f"{name}: each origin is a line that decides", origins)


def case_import_udev_json(checks, ctl):
    rules = ctl.file("40-redhat.rules", REDHAT_8)
    result = ctl.run("import-udev", "--json", rules)
    checks.equal("the rules", [(r["name"], r["platform"], r["architecture"], r["action"], r["fallback"],
                                [o["line"] for o in r["origins"]]) for r in result.json["rules"]], [
        ("ppc64-ppc64-le-s390x", [], ["ppc64", "ppc64-le", "s390x"], OFFLINE, OFFLINE, [6, 7]),
        ("baremetal", ["baremetal"], [], MOVABLE, OFFLINE, [10, 11]),
        ("everything-else", [], [], ONLINE, OFFLINE, [9, 11])])
    checks.equal("nothing is left", (result.status, result.json["not_translated"], result.err), (0, [], ""))
    checks.equal("presets", result.json["presets"], ["bare-metal-dimms", "cloud-vm"])
    presets = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../conf/presets")
    checks.expect(all(os.path.exists(os.path.join(presets, p + ".conf")) for p in result.json["presets"]), "… which there are")
    result = ctl.run("import-udev", "--json", ctl.file("90-own.rules", PROXMOX.replace("TEST==", 'ENV{MINE}=="yes", TEST==')))
    note = result.json["not_translated"][0]
    checks.equal("what is left", (result.status, note["line"], note["subject"]), (64, 1, 'ENV{MINE}=="yes"'))
    checks.expect(note["file"].endswith("/90-own.rules") and note["reason"] and note["consequence"], "… with reason and consequence", note)
    kernel = ctl.file("1.rules", PROXMOX.replace("online_movable", "online_kernel"))
    checks.equal("all to the kernel", ctl.run("import-udev", "--json", kernel).json["presets"], ["all-kernel"])


def case_import_udev_files(checks, ctl):
    """Several are taken in udev's order, whatever the order of the arguments; what cannot be had is said."""
    late, early = ctl.file("90-late.rules", PROXMOX), ctl.file("10-early.rules", REDHAT_7)
    for arguments in ((late, early), (early, late)):
        said = ctl.run("import-udev", "--json", *arguments).json["rules"]
        checks.equal("the first one writes, the second one if that failed", [(r["action"], r["fallback"]) for r in said],
                     [(MOVABLE, OFFLINE), (ONLINE, MOVABLE)])
        checks.equal("… on s390 the second one only", said[0]["architecture"], ["s390x"])
    result = ctl.run("import-udev", ctl.file("50-cpu.rules", 'SUBSYSTEM=="cpu", ATTR{online}="1"\n'))
    checks.equal("nothing about memory", (result.status, result.out), (1, ""))
    checks.has("… is said", result.err, "50-cpu.rules: no rule brings memory online")
    result = ctl.run("import-udev", early, os.path.join(ctl.folder, "none.rules"))
    checks.equal("a file that is not there", (result.status, result.out), (1, ""))
    checks.has("… is said", result.err, "none.rules: cannot be read: No such file or directory")
    os.makedirs(os.path.join(ctl.folder, "vendor"), exist_ok=True)
    result = ctl.run("import-udev", early, ctl.file("vendor/10-early.rules", PROXMOX))
    checks.equal("two of the same name, of which udev reads one", (result.status, result.out), (1, ""))
    checks.has("… is said", result.err, "10-early.rules and ", "of files with the same name udev reads one only")
    checks.equal("no file", ctl.run("import-udev").status, 2)
    odd = ctl.file("a\nversion = 2;.rules", PROXMOX)
    policy = ctl.file("odd.conf", ctl.run("import-udev", odd).out)
    checks.equal("a name with a line break stays a comment", ctl.run("check", policy).status, 0)
