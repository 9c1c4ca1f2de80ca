# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl doctor on trees: each fault is found with its place and its fix, and nothing is found where nothing is wrong."""

import os
import subprocess

from . import machines
from .ctl import TESTS
from .tree import machine, zone_text

AUTO_ONLINE = "sys/devices/system/memory/auto_online_blocks"
RULES = "usr/lib/udev/rules.d"
SHIPPED = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../conf/memhpd.conf"), encoding="utf-8").read()

MOVABLE = 'version = 1;\nrules = ( { name = "all"; match = { }; action = "online_movable"; } );\n'

# What distributions have: about memory, but not about its state; about states, but not about memory; and none of this.
HARMLESS = {
    "40-vm-hotadd.rules": '''\
ATTR{[dmi/id]sys_vendor}=="Microsoft Corporation", ATTR{[dmi/id]product_name}=="Virtual Machine", GOTO="apply"
ATTR{[dmi/id]sys_vendor}=="Xen", GOTO="apply"
GOTO="done"
LABEL="apply"
SUBSYSTEM=="memory", ACTION=="add", DEVPATH=="/devices/system/memory/memory[0-9]*", TEST=="state", ATTR{state}="online"
LABEL="done"
''',
    "50-udev-default.rules": '''\
SUBSYSTEM=="virtio-ports", KERNEL=="vport*", ATTR{name}=="?*", SYMLINK+="virtio-ports/$attr{name}"
SUBSYSTEM=="mem", KERNEL=="mem|kmem|port", GROUP="kmem", MODE="0640"
KERNEL=="cpu[0-9]*", MODE="0444"
''',
    "60-cpu.rules": 'SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"\n',
    "70-memory.rules": '''\
ACTION=="remove", GOTO="memory_end"
SUBSYSTEM!="dmi", GOTO="memory_end"
IMPORT{program}="dmi_memory_id"
LABEL="memory_end"
''',
    "80-hotplug-cpu-mem.rules": '''\
# SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online"
SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", \\
#  SUBSYSTEM=="memory", ATTR{state}="online"
  ATTR{online}="1"
''',
    "90-daxctl-device.rules": 'ACTION=="add", SUBSYSTEM=="dax",\\\n  RUN+="/usr/bin/daxctl -C $env{DEVNAME}"\n',
    "98-kexec.rules": '''\
SUBSYSTEM=="memory", ACTION=="online", GOTO="kdump_reload"
SUBSYSTEM=="memory", ACTION=="offline", GOTO="kdump_reload"
GOTO="kdump_reload_end"
LABEL="kdump_reload"
RUN+="/bin/sh -c '/usr/bin/systemctl is-active kdump && /usr/lib/udev/kdump-udev-throttler online'"
LABEL="kdump_reload_end"
''',
    "99-systemd.rules": 'SUBSYSTEM=="block", TAG+="systemd"\nACTION=="add", SUBSYSTEM=="net", RUN{builtin}+="kmod load"\n',
}


def healthy(tree):
    """A machine on which all is well."""
    machine(tree)
    for n in range(64, 67):     # nothing waits
        with open(os.path.join(tree.memory, f"memory{n}/state"), "w", encoding="ascii") as f:
            f.write("online\n")
    tree.manifest("x86_64", 4096)
    tree.statistics("".join(zone_text(node, "Normal", 0, 65536, 5000) for node in range(5)))
    tree.write(tree.conf, SHIPPED)
    tree.write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet memory_hotplug.memmap_on_memory=1\n")
    tree.write("sys/class/dmi/id/sys_vendor", "QEMU\n")
    tree.write("sys/class/dmi/id/product_name", "Standard PC (Q35 + ICH9, 2009)\n")
    tree.write("boot/config-6.12", "CONFIG_MEMORY_HOTPLUG=y\n# CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO is not set\n")
    tree.write("dev/kmsg", "6,1,100,-;Linux version 6.12\n3,2,200,-;something failed -12\n")
    tree.write("etc/daxctl.conf.d/daxctl.example.conf", "# [reconfigure-device x]\n# mode = system-ram\n# online = true\n")
    for name, text in HARMLESS.items():
        tree.write(f"{RULES}/{name}", text)
    tree.write("usr/lib/systemd/system/memhpd.service", "[Service]\nExecStart=/usr/sbin/memhpd\nExecStopPost=/usr/sbin/memhpd --restore\n"
               "ReadWritePaths=/sys/devices/system/memory\n")
    tree.write("usr/lib/systemd/system/online-memory.service", "[Service]\nExecStart=/usr/bin/daxctl online-memory all\n")
    return tree


def diagnose(ctl, tree, *arguments):
    result = ctl.run("doctor", "--json", *arguments, tree=tree)
    return result, result.json["findings"] if result.out else None


def places(finding):
    return [e["file"] + (f":{e['line']}" if e["line"] else "") for e in finding["evidence"]]


def expect_one(checks, ctl, tree, kind, severity, place=None, fix=(), what=""):
    """It is found, once, and nothing else is."""
    result, findings = diagnose(ctl, tree)
    if not checks.equal(f"{what or kind}: found, and nothing else", [(f["kind"], f["severity"]) for f in findings],
                        [(kind, severity)]):
        return
    found = findings[0]
    checks.equal(f"{what or kind}: exit status", (result.status, result.err), (1 if severity == "error" else 0, ""))
    if place:
        checks.equal(f"{what or kind}: where", places(found), place if isinstance(place, list) else [place])
    checks.has(f"{what or kind}: a fix", found["fix"] or "", *([fix] if isinstance(fix, str) else fix))
    checks.expect(found["summary"] and found["consequence"], f"{what or kind}: a summary and a consequence", found)


def case_doctor_healthy(checks, ctl):
    tree = healthy(ctl.tree())
    result, findings = diagnose(ctl, tree)
    checks.equal("nothing is found", (findings, result.status, result.err), ([], 0, ""))
    checks.equal("keys", list(result.json), ["errors", "warnings", "notices", "findings", "skipped"])
    checks.equal("nothing is left out", result.json["skipped"], [])
    text = ctl.run("doctor", tree=tree)
    checks.equal("in words", (text.status, text.out, text.err), (0, "Nothing found.\n", ""))
    tree.remove("dev/kmsg")
    os.unlink(os.path.join(tree.root, tree.conf))
    os.unlink(os.path.join(tree.root, "proc/cmdline"))
    result, findings = diagnose(ctl, tree)
    checks.equal("a capture need not have everything", (findings, result.status, [s["check"] for s in result.json["skipped"]]),
                 ([], 0, ["what the policy wants"]))
    checks.has("... which is said", ctl.run("doctor", tree=tree).out, "Not looked at: what the policy wants: ")


def case_doctor_captures(checks, ctl):
    for name, kinds in (("host-6.18.tar.xz", []), ("vm-6.1.tar.xz", ["unaligned-add", "unaligned-add", "movable-only-node"])):
        result, findings = diagnose(ctl, ctl.unpack(name))
        checks.equal(f"{name}: what is found", [f["kind"] for f in findings], kinds)
        checks.equal(f"{name}: complaints", result.err, "")
    for build in (machines.power, machines.arm, machines.mainframe, machines.large, machines.no_numa):
        result, findings = diagnose(ctl, build(ctl))
        checks.equal(f"{build.__name__}: no errors", (result.status, [f for f in findings if f["severity"] == "error"]), (0, []))


def case_doctor_of_a_capture(checks, ctl):
    """As from the machine itself, but for what a capture has not: the policy, and services."""
    tree = healthy(ctl.tree())
    tree.write(f"{RULES}/80-mine.rules", RULE)
    tree.write("etc/daxctl.conf.d/pmem.conf", "# x\n[reconfigure-device mine]\nmode = system-ram\n")
    tree.write("proc/cmdline", "quiet memhp_default_state=online\n")
    policy = ctl.file("shipped.conf", SHIPPED)
    output = os.path.join(ctl.folder, "capture.tar")
    done = subprocess.run(["sh", os.path.join(TESTS, "capture.sh"), "--sysroot", tree.root, output], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False)
    checks.equal("captured without a word", (done.returncode, done.stdout), (0, b""))
    before, after = (diagnose(ctl, t, "--config", policy)[1] for t in (tree, ctl.unpack_file(output)))
    for finding in before + after:
        for proof in finding["evidence"]:
            proof["text"] = proof["text"].replace("mine", "x")
        finding["fix"] = finding["fix"].replace("mine", "x")
    checks.equal("found", [f["kind"] for f in before], ["udev-rule", "daxctl", "command-line"])
    checks.equal("the same is found", after, before)


# -- onliners

def case_doctor_kernel(checks, ctl):
    tree = healthy(ctl.tree())
    tree.write(AUTO_ONLINE, "online\n")
    expect_one(checks, ctl, tree, "kernel-auto-online", "warning", ["/" + AUTO_ONLINE], "memhpd")
    tree.write("boot/config-6.12", "CONFIG_MEMORY_HOTPLUG=y\nCONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO=y\n")
    expect_one(checks, ctl, tree, "kernel-auto-online", "warning", ["/" + AUTO_ONLINE, "/boot/config-6.12:2"], what="as it was built")
    tree.write("proc/cmdline", 'quiet "memhp-default-state=online_movable" -- memhp_default_state=offline\n')
    expect_one(checks, ctl, tree, "kernel-auto-online", "warning", ["/" + AUTO_ONLINE, "/proc/cmdline"], what="by its command line")
    tree.write(tree.conf, MOVABLE.replace("rules", 'kernel_auto_online = "keep";\nrules'))
    expect_one(checks, ctl, tree, "kernel-auto-online", "error", fix='"manage"', what="keep")
    tree.write(tree.conf, MOVABLE.replace("rules", 'kernel_auto_online = "delegate";\nrules'))
    tree.write(AUTO_ONLINE, "online_movable\n")
    checks.equal("delegated: as it should be", diagnose(ctl, tree)[1], [])
    tree.write(AUTO_ONLINE, "online_kernel\n")
    expect_one(checks, ctl, tree, "kernel-auto-online", "warning", what="delegated otherwise")

    tree = healthy(ctl.tree())
    tree.write("proc/cmdline", "memhp_default_state=online\n")
    expect_one(checks, ctl, tree, "command-line", "notice", "/proc/cmdline", "memhp_default_state")
    tree.write("proc/cmdline", "memhp_default_state=online memhp_default_state=offline\n")
    checks.equal("the last one counts", diagnose(ctl, tree)[1], [])
    tree.write("proc/cmdline", "memory_hotplug.online_policy=auto-movable\n")
    checks.equal("a ratio that nobody asks for", diagnose(ctl, tree)[1], [])
    tree.write(tree.conf, 'version = 1;\nrules = ( { name = "a"; match = { node = "9"; }; action = "online"; },\n'
               '  { name = "b"; match = { }; action = "leave_offline"; } );\n')
    expect_one(checks, ctl, tree, "online-policy", "notice", "/proc/cmdline", "balance")
    tree.remove(AUTO_ONLINE)
    checks.equal("an old kernel", [f["kind"] for f in diagnose(ctl, tree)[1]], [])


RULE = 'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online_movable"\n'


def case_doctor_udev(checks, ctl):
    tree = healthy(ctl.tree())
    tree.write(f"{RULES}/40-redhat.rules", "# cpu\n" + HARMLESS["60-cpu.rules"] + '''\
SUBSYSTEM!="memory", GOTO="memory_hotplug_end"
ACTION!="add", GOTO="memory_hotplug_end"
PROGRAM="/bin/uname -p", RESULT=="s390*", GOTO="memory_hotplug_end"
ENV{.state}="online"
PROGRAM="/bin/systemd-detect-virt", RESULT=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"
LABEL="memory_hotplug_end"
''')
    fix = f"cp /{RULES}/40-redhat.rules /etc/udev/rules.d/ and remove the rule in line 8 "
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/{RULES}/40-redhat.rules:8", [fix, "udevadm control --reload"])
    finding = diagnose(ctl, tree)[1][0]
    checks.equal("what stands there", finding["evidence"][0]["text"], 'ATTR{state}="$env{.state}"')
    text = ctl.run("doctor", tree=tree)
    checks.equal("in words: exit 1", text.status, 1)
    checks.has("in words", text.out, "error: A udev rule brings new memory online\n",
               f'evidence: /{RULES}/40-redhat.rules:8: ATTR{{state}}="$env{{.state}}"\n', "consequence: ", "fix: cp ", "1 error.\n")
    tree.manifest("s390x", 4096)
    checks.equal("not on this architecture", diagnose(ctl, tree)[1], [])

    tree = healthy(ctl.tree())
    tree.write("sys/class/dmi/id/sys_vendor", "Xen\n")
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/{RULES}/40-vm-hotadd.rules:5", what="on this machine only")
    tree.remove("sys/class/dmi/id/sys_vendor")
    expect_one(checks, ctl, tree, "udev-rule", "warning", f"/{RULES}/40-vm-hotadd.rules:5", what="where the machine is unknown")

    tree = healthy(ctl.tree())
    tree.write("etc/udev/rules.d/80-mine.rules", '\n\nSUBSYSTEM=="memory", \\\n  ACTION=="add", \\\n  ATTR{online}="1"\n')
    expect_one(checks, ctl, tree, "udev-rule", "error", "/etc/udev/rules.d/80-mine.rules:5",
               "Remove the rule in line 5 of /etc/udev/rules.d/80-mine.rules", what="in /etc, of several lines")
    tree.write("etc/udev/rules.d/80-mine.rules", 'SUBSYSTEM=="memory", ENV{MINE}=="1", ATTR{state}="online"\n')
    expect_one(checks, ctl, tree, "udev-rule", "warning", "/etc/udev/rules.d/80-mine.rules:1", what="that may apply")
    tree.write("etc/udev/rules.d/80-mine.rules", 'SUBSYSTEM=="memory", ATTR{state}="offline"\n')
    expect_one(checks, ctl, tree, "udev-rule", "error", "/etc/udev/rules.d/80-mine.rules:1", what="that takes offline")
    tree.write("etc/udev/rules.d/80-mine.rules", '''SUBSYSTEM=="memory", RUN+="/bin/sh -c 'echo online >/sys$devpath/state'"\n''')
    expect_one(checks, ctl, tree, "udev-program", "warning", "/etc/udev/rules.d/80-mine.rules:1")


def case_doctor_udev_overrides(checks, ctl):
    name = "80-hotplug.rules"
    tree = healthy(ctl.tree())
    tree.write(f"{RULES}/{name}", RULE)
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/{RULES}/{name}:1", what="in /usr/lib")
    tree.write(f"run/udev/rules.d/{name}", "# nothing\n" + RULE)
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/run/udev/rules.d/{name}:2", what="/run hides /usr/lib")
    tree.write(f"etc/udev/rules.d/{name}", "# nothing\n")
    checks.equal("/etc hides both", diagnose(ctl, tree)[1], [])
    tree.write(f"etc/udev/rules.d/{name}", "")
    checks.equal("an empty file does, too", diagnose(ctl, tree)[1], [])
    tree.remove(f"etc/udev/rules.d/{name}")
    os.symlink("/dev/null", os.path.join(tree.root, f"etc/udev/rules.d/{name}"))
    checks.equal("and a link to /dev/null", diagnose(ctl, tree)[1], [])
    tree.remove(f"etc/udev/rules.d/{name}")
    tree.write(f"etc/udev/rules.d/{name}.disabled", RULE)
    tree.write(f"etc/udev/rules.d/.{name}", RULE)
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/run/udev/rules.d/{name}:2", what="other names do not")
    tree.write("etc/rules/mine", "\n\n" + RULE)
    os.symlink("/etc/rules/mine", os.path.join(tree.root, f"etc/udev/rules.d/{name}"))
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/etc/udev/rules.d/{name}:3", what="a link leads to a file of the capture")
    tree.remove("etc/rules/mine")
    checks.equal("a link that leads nowhere", diagnose(ctl, tree)[1], [])

    tree = healthy(ctl.tree())
    tree.write(f"lib/udev/rules.d/{name}", RULE)
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/lib/udev/rules.d/{name}:1", what="where /lib is a folder of its own")
    tree = healthy(ctl.tree())
    tree.write(f"{RULES}/{name}", RULE)
    os.symlink("usr/lib", os.path.join(tree.root, "lib"))
    expect_one(checks, ctl, tree, "udev-rule", "error", f"/{RULES}/{name}:1", what="where /lib is a link: once")
    os.mkdir(os.path.join(tree.root, f"{RULES}/99-folder.rules"))
    result, findings = diagnose(ctl, tree)
    checks.equal("what cannot be read is said", [s["check"] for s in result.json["skipped"]], ["some udev rules and units"])
    checks.equal("... and the others are", len(findings), 1)


def case_doctor_daxctl(checks, ctl):
    conf = "etc/daxctl.conf.d/pmem.conf"
    section = "[reconfigure-device mine]\nnvdimm.uuid = 1-2\nmode = system-ram\nonline = true\n"
    tree = healthy(ctl.tree())
    tree.write(conf, section)
    expect_one(checks, ctl, tree, "daxctl", "error", [f"/{conf}:3", f"/{RULES}/90-daxctl-device.rules:2"],
               "online = false to the section [reconfigure-device mine]")
    tree.write(conf, section.replace("true", "false"))
    checks.equal("online = false", diagnose(ctl, tree)[1], [])
    tree.write(conf, section)
    tree.remove(f"{RULES}/90-daxctl-device.rules")
    checks.equal("nobody reads it", diagnose(ctl, tree)[1], [])
    tree.write(f"{RULES}/90-daxctl-device.rules", 'ACTION=="add", SUBSYSTEM=="dax", TAG+="systemd", '
               'ENV{SYSTEMD_WANTS}="daxdev-reconfigure@$env{DEVNAME}.service"\n')
    expect_one(checks, ctl, tree, "daxctl", "error", [f"/{conf}:3", f"/{RULES}/90-daxctl-device.rules:1"], what="through a unit")
    tree.remove(conf)
    tree.write(f"{RULES}/90-daxctl-device.rules",
               'SUBSYSTEM=="dax", RUN+="/usr/bin/daxctl reconfigure-device --mode=system-ram %k"\n')
    expect_one(checks, ctl, tree, "daxctl", "error", [f"/{RULES}/90-daxctl-device.rules:1"], "--no-online", what="by the rule itself")


def case_doctor_units(checks, ctl):
    tree = healthy(ctl.tree())
    wants = os.path.join(tree.root, "etc/systemd/system/multi-user.target.wants")
    os.makedirs(wants)
    os.symlink("/usr/lib/systemd/system/online-memory.service", os.path.join(wants, "online-memory.service"))
    expect_one(checks, ctl, tree, "unit", "warning", "/usr/lib/systemd/system/online-memory.service:2",
               "systemctl disable --now online-memory.service", what="an enabled unit")
    os.symlink("/dev/null", os.path.join(tree.root, "etc/systemd/system/online-memory.service"))
    checks.equal("masked", diagnose(ctl, tree)[1], [])
    os.unlink(os.path.join(tree.root, "etc/systemd/system/online-memory.service"))
    tree.write("etc/systemd/system/online-memory.service", "[Service]\nExecStart=/bin/true\n")
    checks.equal("replaced", diagnose(ctl, tree)[1], [])


# -- the system

def case_doctor_refused(checks, ctl):
    unaligned = "3,409,8100202,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x40000000\n" \
                "3,410,8100424,-;acpi PNP0C80:06: add_memory failed\n"
    tree = healthy(ctl.tree())
    tree.write("dev/kmsg", unaligned)
    expect_one(checks, ctl, tree, "unaligned-add", "error", "kernel log", "multiple of the block size")
    finding = diagnose(ctl, tree)[1][0]
    checks.has("what and when", finding["summary"] + finding["evidence"][0]["text"], "1 GiB", "PNP0C80:06", "128 MiB",
               "[    8.100202]", "0x288200000")
    tree.write("dev/kmsg", unaligned.replace("0x288200000", "0x100000000"))
    checks.equal("it is there by now", diagnose(ctl, tree)[1], [])
    tree.write("dev/kmsg", unaligned)
    tree.write("sys/bus/acpi/devices/PNP0C80:06/status", "15\n")
    expect_one(checks, ctl, tree, "unaligned-add", "error", what="it is still plugged")
    tree.write("sys/bus/acpi/devices/PNP0C80:06/status", "0\n")
    checks.equal("it is unplugged", diagnose(ctl, tree)[1], [])
    tree.write("dev/kmsg", unaligned.replace("PNP0C80:06", "PNP0C80:01"))
    checks.equal("its slot has memory by now", diagnose(ctl, tree)[1], [])

    tree.write("dev/kmsg", "4,500,31000000,-;virtio_mem virtio0: adding memory failed: -12\n")
    expect_one(checks, ctl, tree, "refused-add", "warning", "kernel log", ["delegate", "memmap_on_memory"], what="a part")
    tree.write("dev/kmsg", "4,500,31000000,-;virtio_mem virtio7: adding memory failed: -12\n")
    expect_one(checks, ctl, tree, "refused-add", "error", "kernel log", ["delegate", "memmap_on_memory"])
    tree.write("sys/module/memory_hotplug/parameters/memmap_on_memory", "Y\n")
    checks.expect("memmap_on_memory" not in diagnose(ctl, tree)[1][0]["fix"], "memmap_on_memory is on already")
    tree.write("dev/kmsg", "4,500,31000000,-;virtio_mem virtio7: adding memory failed: -17\n")
    expect_one(checks, ctl, tree, "refused-add", "error", fix="kernel log", what="for another reason")
    tree.write("dev/kmsg", "12,500,31000000,-;virtio_mem virtio0: adding memory failed: -12\n")
    checks.equal("a line that a program wrote", diagnose(ctl, tree)[1], [])


def case_doctor_system(checks, ctl):
    tree = healthy(ctl.tree())
    tree.statistics("".join(zone_text(node, "Normal", 0, 65536, 5000) for node in range(4)) +
                    zone_text(4, "Normal", 0, 0, 0) + zone_text(4, "Movable", 0, 65536, 60000))
    expect_one(checks, ctl, tree, "movable-only-node", "warning", "/proc/zoneinfo", "balance")
    checks.has("which one", diagnose(ctl, tree)[1][0]["summary"], "Node 4 ")

    tree = healthy(ctl.tree())
    tree.write("proc/iomem", "00000000-00000000 : System RAM\n")
    result, findings = diagnose(ctl, tree)
    checks.equal("addresses that a capture hides are no fault of the machine", (findings, [s["check"] for s in
                 result.json["skipped"]]), ([], ["where memory came from"]))
    tree.write("proc/iomem", "nonsense\n")
    result, _ = diagnose(ctl, tree)
    checks.expect(result.status == 1 and "/proc/iomem:1: malformed" in result.err, "malformed: exit 1, the line", result)

    tree = ctl.tree()
    tree.remove("sys/devices/system/memory/block_size_bytes")
    tree.manifest("x86_64", 4096)
    tree.write("boot/config-6.12", "CONFIG_X=y\n# CONFIG_MEMORY_HOTPLUG is not set\n")
    expect_one(checks, ctl, tree, "no-memory-hotplug", "error", "/boot/config-6.12:2", "CONFIG_MEMORY_HOTPLUG")
    result = ctl.run("doctor", "--sysroot", os.path.join(ctl.folder, "nowhere"))
    checks.expect(result.status == 1 and "nowhere" in result.err and result.out == "", "no such folder: exit 1", result)
    checks.equal("no arguments", ctl.run("doctor", "all", tree=tree).status, 2)


# -- the policy

def case_doctor_policy(checks, ctl):
    tree = healthy(ctl.tree())
    conf = tree.conf
    tree.write(conf, "version = 1;\nrules = ( { nam = \"a\"; match = { }; action = \"online\"; } );\n")
    result, findings = diagnose(ctl, tree)
    checks.equal("errors in the configuration", [(f["kind"], f["severity"], places(f)) for f in findings],
                 [("policy-error", "error", [os.path.join(tree.root, conf) + ":2"])] * len(findings))
    checks.expect(findings and result.status == 1, "... exit 1", result)
    tree.write(conf, MOVABLE.replace(");", ', { name = "b"; match = { node = "1"; }; action = "leave_offline"; } );'))
    checks.expect(("policy-warning", "warning") in [(f["kind"], f["severity"]) for f in diagnose(ctl, tree)[1]],
                  "a rule that is never reached")

    tree.write(conf, MOVABLE)
    expect_one(checks, ctl, tree, "could-delegate", "notice", os.path.join(tree.root, conf) + ":2", '"delegate"')
    tree.write(conf, MOVABLE.replace("rules", 'kernel_auto_online = "delegate";\nrules'))
    checks.equal("it does already", diagnose(ctl, tree)[1], [])
    tree.write(conf, SHIPPED.replace('kernel_auto_online = "manage"', 'kernel_auto_online = "delegate"'))
    expect_one(checks, ctl, tree, "cannot-delegate", "warning", fix='"manage"')
    tree.write(conf, 'version = 1;\nrules = ( { name = "none"; match = { }; action = "leave_offline"; } );\n')
    checks.equal("nothing comes online: nothing to delegate", diagnose(ctl, tree)[1], [])
    other = ctl.file("other.conf", MOVABLE)
    checks.equal("--config", [f["kind"] for f in diagnose(ctl, tree, "--config", other)[1]], ["could-delegate"])


def case_doctor_waiting(checks, ctl):
    tree = healthy(ctl.tree())
    tree.add_blocks(range(100, 108), state="offline", zones="Normal Movable", node=1, firmware="PNP0C80:09")
    tree.write(tree.conf, MOVABLE.replace("rules", 'kernel_auto_online = "keep";\nrules'))
    expect_one(checks, ctl, tree, "waiting-offline", "warning", os.path.join(tree.root, tree.conf) + ":3",
               "systemctl enable --now memhpd")
    checks.has("how much", diagnose(ctl, tree)[1][0]["summary"], "1 GiB", "8 blocks")
    tree.write(tree.conf, 'version = 1;\nrules = ( { name = "dimms"; match = { source = [ "dimm" ]; }; '
               'action = "leave_offline"; },\n { name = "rest"; match = { }; action = "online_kernel"; } );\n')
    checks.equal("as the policy wants it", diagnose(ctl, tree)[1], [])


def case_doctor_hostile(checks, ctl):
    tree = healthy(ctl.tree())
    tree.write("etc/udev/rules.d/80-\x1b[31m.rules", b'SUBSYSTEM=="memory", ATTR{state}="\x1b]0;x\x07\xff\xfeonline"\n')
    for locale in ("C", "C.UTF-8"):
        result = ctl.run("doctor", tree=tree, locale=locale)
        raw = [c for c in result.out + result.err if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0]
        checks.expect(result.status == 1 and not raw, f"no raw control character ({locale})", result)
    checks.equal("JSON is valid", diagnose(ctl, tree)[1][0]["kind"], "udev-rule")
    tree.write("etc/udev/rules.d/81-long.rules", "#" * 300000 + "\n" + 'SUBSYSTEM=="memory", ' + "\\\n" * 50000 + 'ATTR{state}="x"\n')
    checks.equal("long lines", places(diagnose(ctl, tree)[1][1]), ["/etc/udev/rules.d/81-long.rules:50002"])
