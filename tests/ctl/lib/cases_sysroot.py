# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl on captured trees, from any machine: every number is compared with what lib/reader.py reads there."""

import os
import shutil
import subprocess
import tarfile

from . import machines
from .cases import machine
from .ctl import TESTS
from .reader import System
from .tree import GIB, MIB, ZONEINFO, device_zone_text

RULES = [
    ("device-memory", {"pmem", "cxl", "hmem", "dax"}, None, "leave_offline"),
    ("dimms-of-node-1", {"dimm"}, {1}, "online_movable"),
    ("node-1023", None, {1023}, "online_movable"),
    ("rest", None, None, "online_kernel"),
]

POLICY = """\
version = 1;
rules = (
  { name = "device-memory"; match = { source = [ "pmem", "cxl", "hmem", "dax" ]; }; action = "leave_offline"; },
  { name = "dimms-of-node-1"; match = { node = "1"; source = [ "dimm" ]; }; action = "online_movable"; },
  { name = "node-1023"; match = { node = "1023"; }; action = "online_movable"; },
  { name = "rest"; match = { }; action = "online_kernel"; }
);
"""

UNALIGNED = "3,409,8100202,-;Block size [0x8000000] unaligned hotplug range: start 0x288200000, size 0x40000000\n"
COMPLAINT = "3,410,8100424,-;acpi PNP0C80:06: add_memory failed\n"
OTHERS = "3,412,11113975,-;Block size [0x8000000] unaligned hotplug range: start 0x2c8200000, size 0x20000000\n" \
         "3,413,11114074,-;acpi PNP0C80:07: add_memory failed\n" \
         "4,500,31000000,-;virtio_mem virtio0: adding memory failed: -12\n"


def check_whole(checks, ctl, tree, device_memory=(), memmap=0, refused=()):
    """All verbs, everything they print, against the reader."""
    system = System(tree.root)
    merged = system.ranges()
    result = ctl.run("list", "--json", tree=tree)
    checks.equal("list: exits with 0 and complains about nothing", (result.status, result.err), (0, ""))
    seen = result.json
    reasons = [r.pop("reason") for r in seen["refused"]]
    checks.equal(f"list: {len(system.blocks)} blocks in {len(merged)} ranges, to the last key", seen, {
        "block_size": system.block_size, "online": system.bytes_online(True), "offline": system.bytes_online(False),
        "ranges": merged, "device_memory": list(device_memory), "device_memory_memmap_bytes": memmap,
        "refused": list(refused)})
    checks.equal("list --all", ctl.run("list", "--all", "--json", tree=tree).json["ranges"], system.ranges(merge=False))
    checks.equal("list for people: the same ranges",
                 [r for r in ctl.run("list", "-nbo", "BLOCK,SIZE,SOURCE,DEVICE", "-S", "STATE,REMOVABLE,NODE,ZONES,SOURCE,"
                                     "DEVICE", tree=tree).rows],
                 [[r["blocks"], str(r["size"]), r["source"], r["device"] or "-"] for r in merged])
    some = system.blocks[len(system.blocks) // 2:][:5]
    numbers = ",".join(str(b["block"]) for b in some)
    checks.equal("list of a few blocks: the same of these",
                 ctl.run("list", numbers, "--all", "--json", tree=tree).json["ranges"],
                 [r for r in system.ranges(merge=False) if int(r["blocks"]) in [b["block"] for b in some]])
    checks.equal("show", ctl.run("show", "all", "--json", tree=tree).json, system.show())
    policy = ctl.file("sysroot.conf", POLICY)
    explained = ctl.run("explain", "all", "--json", "--config", policy, tree=tree).json
    checks.equal("explain: action and rule",
                 [(e["block"], e["action"], e["rule"]["name"] if e["rule"] else None) for e in explained],
                 system.decisions(RULES))
    checks.equal("explain: a caveat where the source is unknown, and there only",
                 [bool(e["caveat"]) for e in explained], [b["source"] == "unknown" for b in system.blocks])
    if os.path.exists(os.path.join(tree.root, "proc/zoneinfo")):
        zones, nodes = system.zones()
        seen = ctl.run("zones", "--json", "--all", tree=tree).json
        checks.equal("zones: every figure", (seen["page_size"], seen["zones"], seen["nodes"]),
                     (system.page_size, zones, nodes))
        checks.equal("buddy: every figure", ctl.run("buddy", "--json", tree=tree).json["zones"], system.buddy())
    return system, reasons


# -- real ones

def case_sysroot_host(checks, ctl):
    tree = ctl.unpack("host-6.18.tar.xz")
    system, _ = check_whole(checks, ctl, tree)
    checks.equal("what was captured", (len(system.blocks), system.block_size, system.machine, system.page_size),
                 (192, 128 * MIB, "plain", 4096))
    checks.equal("blocks for people", [r[4] for r in ctl.run("list", tree=tree).rows[1:]], ["0", "1-23", "32-199"])
    checks.has("sizes, since the page size is known", ctl.run("zones", tree=tree).out, "Normal", "G")


def case_sysroot_vm(checks, ctl):
    tree = ctl.unpack("vm-6.1.tar.xz")
    device_memory = [
        {"start": 0x1c0000000, "size": GIB, "holder": "namespace1.0", "kind": "pmem", "node": None,
         "memmap_inside": None},
        {"start": 0x201200000, "size": GIB - 18 * MIB, "holder": "dax2.0", "kind": "pmem", "node": None,
         "memmap_inside": True},
        {"start": 0x240000000, "size": GIB, "holder": "namespace3.0", "kind": "pmem", "node": None,
         "memmap_inside": None},
        {"start": 0x280000000, "size": 130 * MIB, "holder": "namespace4.0", "kind": "pmem", "node": None,
         "memmap_inside": None}]
    with open(os.path.join(tree.root, "dev/kmsg"), encoding="ascii") as f:
        times = [int(line.split(",")[2]) for line in f if "unaligned" in line]
    refused = [
        {"start": 0x288200000, "size": GIB, "device": "PNP0C80:06", "error": None, "usec": times[0]},
        {"start": 0x2c8200000, "size": GIB // 2, "device": "PNP0C80:07", "error": None, "usec": times[1]}]
    system, reasons = check_whole(checks, ctl, tree, device_memory, (2 * GIB + 130 * MIB) // 64, refused)
    checks.equal("sources", {b["source"] for b in system.blocks}, {"boot", "dimm", "virtio-mem", "pmem"})
    checks.equal("nodes", {n for b in system.blocks for n in b["nodes"]}, {0, 1, 2})
    checks.equal("states of what came", [(r["source"], r["state"], r["zones"], r["blocks"]) for r in system.ranges()[2:]], [
        ("dimm", "online", ["Movable"], "32-39"), ("pmem", "offline", ["Normal", "Movable"], "41-55"),
        ("virtio-mem", "online", ["Normal"], "128-130"), ("virtio-mem", "offline", ["Normal", "Movable"], "131")])
    checks.expect(all("aligned" in r and "128 MiB" in r for r in reasons), "reasons name the fix", reasons)
    text = ctl.run("list", tree=tree).out
    checks.has("list for people", text, "Device memory", "take 34M of RAM at most", "RANGE", "namespace1.0", "1006M",
               "dax2.0", "refused", f"[{times[0] // 1000000:5}.{times[0] % 1000000:06}] 1 GiB at 0x288200000 of PNP0C80:06")
    checks.equal("... ends with the second refusal", "0x2c8200000 of PNP0C80:07" in text.splitlines()[-1], True)
    whole = ctl.run("show", "all", tree=tree)
    checks.has("show all tells them, too", whole.out, "block 131\n", "namespace3.0", "0x2c8200000")
    checks.equal("... and needs no hint", whole.err, "")
    for arguments in (("list", "-n"), ("list", "all"), ("list", "device:dax0.0"), ("show", "33"), ("show", "node:1")):
        out = ctl.run(*arguments, tree=tree).out
        checks.expect("namespace" not in out and "refused" not in out, f"{' '.join(arguments)}: does not", out)
    checks.equal("list of some blocks: no such keys", sorted(ctl.run("list", "node:1", "--json", tree=tree).json),
                 ["block_size", "offline", "online", "ranges"])


# -- made by hand

def case_sysroot_power(checks, ctl):
    tree = machines.power(ctl)
    system, _ = check_whole(checks, ctl, tree)
    checks.equal("it is one", (system.machine, system.block_size, system.page_size), ("dlpar", 16 * MIB, 65536))
    checks.equal("blocks", [(r["blocks"], r["source"]) for r in system.ranges()],
                 [("0-63", "unknown"), ("64-99", "unknown"), ("128-199", "unknown"), ("240-255", "unknown")])
    checks.equal("pages of 64 KiB", ctl.run("zones", "0", "-no", "FREE,PRESENT", tree=tree).rows, [["125M", "1G"]])
    checks.has("explain says what that means", ctl.run("explain", "240", "--config", ctl.file("p.conf", POLICY),
                                                       tree=tree).out,
               "caveat: on this machine hot-added memory looks like memory that was there at boot: memhpd")


def case_sysroot_arm(checks, ctl):
    tree = machines.arm(ctl)
    system, _ = check_whole(checks, ctl, tree)
    checks.equal("blocks", [(r["blocks"], r["source"]) for r in system.ranges()],
                 [("8-23", "boot"), ("16777216-16777223", "dimm"), ("20000000-20000002", "virtio-mem")])
    checks.equal("pages of 16 KiB", ctl.run("buddy", "1", "-nbo", "FREE,LARGEST", tree=tree).rows,
                 [[str((8 + 31 * 2048) * 16384), str(2048 * 16384)]])


def case_sysroot_mainframe(checks, ctl):
    system, _ = check_whole(checks, ctl, machines.mainframe(ctl))
    checks.equal("blocks", [(r["blocks"], r["state"], r["size"], r["source"]) for r in system.ranges()],
                 [("0-7", "online", 2 * GIB, "unknown"), ("8-15", "offline", 2 * GIB, "unknown")])


def case_sysroot_gaps(checks, ctl):
    system, _ = check_whole(checks, ctl, machines.gaps(ctl))
    checks.equal("blocks", [r["blocks"] for r in system.ranges()],
                 ["3", "4", "5-6", "8-9", "11", "12-13", "14", "15-16", "17-18", "99", "1000000", "1000001"])


def case_sysroot_large(checks, ctl):
    system, _ = check_whole(checks, ctl, machines.large(ctl))
    checks.equal("blocks", (len(system.blocks), system.bytes_online(True), system.bytes_online(False)),
                 (273, 265 * 2 * GIB, 16 * GIB))
    checks.equal("sources", {b["source"] for b in system.blocks}, {"boot", "cxl", "hmem"})


def case_sysroot_no_numa(checks, ctl):
    tree = machines.no_numa(ctl)
    check_whole(checks, ctl, tree)
    checks.equal("zones are known, nodes are not", ctl.run("list", "48", "-no", "NODE,ZONES", tree=tree).rows,
                 [["-", "Normal/Movable"]])


def case_sysroot_dangling(checks, ctl):
    for blocks in (5, 40):      # from 32 blocks on the nodes' side is read
        tree = machines.dangling(ctl, blocks)
        system, _ = check_whole(checks, ctl, tree)
        checks.equal(f"{blocks} blocks: the link tells the node", (system.blocks[-1]["nodes"], system.blocks[-1]["zones"]),
                     ([1], ["Movable"]))
        shutil.rmtree(os.path.join(tree.root, "sys/devices/system/node"))
        system, _ = check_whole(checks, ctl, tree)
        checks.equal(f"{blocks} blocks: also if no node was captured", system.blocks[-1]["nodes"], [1])


def case_sysroot_bare(checks, ctl):
    tree = machines.bare(ctl)
    system, _ = check_whole(checks, ctl, tree)
    checks.equal("nothing is known", {(b["source"], b["removable"], tuple(b["zones"])) for b in system.blocks},
                 {("unknown", False, ())})
    result = ctl.run("explain", "40", "--config", ctl.file("p.conf", POLICY), tree=tree)
    checks.has("explain says what that means", result.out, "source: unknown\n",
               "caveat: the source is unknown only because /proc/iomem does not tell it here", "memhpd", "another rule")
    checks.has("... and why", result.err, "/proc/iomem: cannot be read")
    other = ctl.file("q.conf", 'version = 1;\nrules = ( { name = "a"; match = { node = "0"; }; action = "online"; },\n'
                     '  { name = "b"; match = { source = [ "dimm" ]; }; action = "leave_offline"; } );\n')
    result = ctl.run("explain", "40", "--config", other, tree=tree)
    checks.expect(result.status == 0 and "caveat" not in result.out, "no caveat where no rule asked for it", result)
    checks.equal("... in JSON neither",
                 ctl.run("explain", "40", "--json", "--config", other, tree=tree).json["caveat"], None)


def case_sysroot_hidden(checks, ctl):
    """As captured by a user who is not root."""
    tree = machines.device_memory(ctl)
    with open(os.path.join(tree.root, "proc/iomem"), encoding="ascii") as f:
        names = [line.split(" : ")[1] for line in f]
    tree.write("proc/iomem", "".join(f"00000000-00000000 : {n}" for n in names))
    system, _ = check_whole(checks, ctl, tree)
    checks.equal("every source is unknown", {b["source"] for b in system.blocks}, {"unknown"})
    result = ctl.run("explain", "48", "--config", ctl.file("p.conf", POLICY), tree=tree)
    checks.has("explain says what that means", result.out + result.err, "caveat: the source is unknown only because",
               "evidence: /proc/iomem hides", "as root")


# -- device memory

def case_device_memory(checks, ctl):
    namespace = {"start": 4 * GIB, "size": 2 * GIB, "holder": "namespace0.0", "kind": "pmem", "node": 1,
                 "memmap_inside": None}
    dax = {"start": 8 * GIB, "size": GIB, "holder": "dax2.0", "kind": "cxl", "node": 1, "memmap_inside": None}
    check_whole(checks, ctl, machines.device_memory(ctl, (0, 1 << 20)), [namespace, dax], 48 * MIB)
    check_whole(checks, ctl, machines.device_memory(ctl, (0, 1000)), [namespace, dax], 64000)
    check_whole(checks, ctl, machines.device_memory(ctl, (500, 1000)),
                [dict(namespace, node=None), dict(dax, node=None)], 96000)
    check_whole(checks, ctl, machines.device_memory(ctl, (1 << 20, 0)),
                [dict(namespace, node=0), dict(dax, node=0)], 48 * MIB)
    tree = machines.device_memory(ctl, (0, 0))
    check_whole(checks, ctl, tree)
    checks.expect("Device" not in ctl.run("list", tree=tree).out, "no zone Device spans anything: there is none")

    tree = machines.device_memory(ctl, (0, 1 << 20))
    result = ctl.run("list", tree=tree)
    checks.equal("for people", [line.split() for line in result.out.split("at most\n")[1].splitlines()], [
        "RANGE SIZE NODE KIND HOLDER".split(),
        ["0x0000000100000000-0x000000017fffffff", "2G", "1", "pmem", "namespace0.0"],
        ["0x0000000200000000-0x000000023fffffff", "1G", "1", "cxl", "dax2.0"]])
    checks.has("its cost in bytes", ctl.run("list", "-b", tree=tree).out, f"take {48 * MIB} of RAM at most")
    checks.has("without columns that need /proc/iomem", ctl.run("list", "-o", "SIZE", tree=tree).out, "namespace0.0")
    checks.equal("--split and -o leave it alone", ctl.run("list", "-J", "-S", "none", "-o", "SIZE", tree=tree)
                 .json["device_memory"], [namespace, dax])
    tree.remove("MANIFEST")
    checks.equal("pages of unknown size: all that the zone spans", ctl.run("list", "-J", tree=tree)
                 .json["device_memory_memmap_bytes"], (1 << 20) * 64)
    tree.remove("proc/zoneinfo")
    result = ctl.run("list", "-J", tree=tree)
    checks.equal("no /proc/zoneinfo: not told, without a word", (result.json["device_memory"], result.status, result.err),
                 ([], 0, ""))
    tree.write("proc/zoneinfo", ZONEINFO[:300])
    result = ctl.run("list", "-J", tree=tree)
    checks.expect(result.status == 1 and "/proc/zoneinfo:14: malformed" in result.err and len(result.json["ranges"]) == 2,
                  "a malformed one: exit 1 and its line, but the blocks are told", result)
    checks.equal("... which a list of some blocks does not need", ctl.run("list", "1", "-J", tree=tree).status, 0)
    tree.write("proc/zoneinfo", device_zone_text(1, 77))
    tree.write("proc/iomem", "nonsense\n")
    for arguments in (("list",), ("list", "-o", "SIZE"), ("show", "all")):
        result = ctl.run(*arguments, tree=tree)
        checks.expect(result.status == 1 and result.err.count("/proc/iomem:1: malformed") == 1,
                      f"{' '.join(arguments)}: a malformed /proc/iomem is complained about, once", result)


def case_page_size(checks, ctl):
    tree = machine(ctl.tree())
    for text, size in (("page_size 65536\n", 65536), ("kernel x\npage_size 4096\nmore\n", 4096), ("page_size 4096", 4096),
                       ("page_size 4097\n", None), ("page_size\n", None), ("page_size 0\n", None), ("", None),
                       ("page_size -4096\n", None), ("xpage_size 4096\n", None), ("page_size 512\n", None),
                       ("page_size 18446744073709551616\n", None), ("\0page_size 4096\n", None)):
        tree.write("MANIFEST", text)
        result = ctl.run("zones", "--json", tree=tree)
        checks.equal(f"MANIFEST {text!r}", (result.status, result.json["page_size"]), (0, size))
    tree.remove("MANIFEST")
    os.mkdir(os.path.join(tree.root, "MANIFEST"))
    checks.equal("a folder of that name", ctl.run("zones", "--json", tree=tree).json["page_size"], None)


# -- refused hot-adds

def case_refused(checks, ctl):
    tree = machine(ctl.tree())
    unaligned = {"start": 0x288200000, "size": GIB, "device": "PNP0C80:06", "error": None, "usec": 8100202}

    def refused(text):
        tree.write("dev/kmsg", text)
        seen = ctl.run("list", "--json", tree=tree).json["refused"]
        for r in seen:
            checks.expect(r["device"] is None or r["device"] in r["reason"], "the reason names the device", r)
            del r["reason"]
        return seen

    checks.equal("the range and the device", refused(UNALIGNED + COMPLAINT), [unaligned])
    checks.equal("the range alone", refused(UNALIGNED), [dict(unaligned, device=None)])
    checks.equal("the device alone", refused(COMPLAINT), [
        {"start": None, "size": None, "device": "PNP0C80:06", "error": None, "usec": 8100424}])
    checks.equal("several, one with an error", refused(UNALIGNED + COMPLAINT + OTHERS), [
        unaligned, {"start": 0x2c8200000, "size": GIB // 2, "device": "PNP0C80:07", "error": None, "usec": 11113975},
        {"start": None, "size": None, "device": "virtio0", "error": 12, "usec": 31000000}])
    checks.equal("for people", [line.split("]")[0] + "]" for line in ctl.run("list", tree=tree).out.splitlines()[-3:]],
                 ["[    8.100202]", "[   11.113975]", "[   31.000000]"])
    noise = "".join(f"6,{n},{n}000,-;memory{n}: nothing that matters\n SUBSYSTEM=memory\n" for n in range(2000))
    checks.equal("in a long log, with properties of devices",
                 refused(noise + UNALIGNED + " SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0C80:06\n" + noise + COMPLAINT + noise),
                 [unaligned])
    many = "".join(UNALIGNED.replace("8100202", str(n * 10000000)).replace("0x288200000", hex(n << 20))
                   for n in range(1, 41))
    checks.equal("of many the last", [r["start"] >> 20 for r in refused(many)], list(range(25, 41)))
    checks.has("... and how many there were before", ctl.run("list", tree=tree).out, "(and 24 before these)\n[  250.000000]")
    checks.equal("programs may say what they like", refused(COMPLAINT.replace("3,410", "14,410")), [])
    checks.equal("nonsense", refused("\0\xff;;;\n,,,;\n" + UNALIGNED[20:]), [])
    hostile = ctl.run("list", tree=machine(ctl.tree()))
    tree.write("dev/kmsg", COMPLAINT.replace("PNP0C80:06", "\x1b[31m\x07evil"))
    hostile = ctl.run("list", tree=tree)
    checks.expect("\x1b" not in hostile.out and "evil" in hostile.out, "no raw control character", hostile)
    tree.write("dev/kmsg", "")
    checks.expect("refused" not in ctl.run("list", tree=tree).out, "none: nothing is said")

    tree.remove("dev/kmsg")
    result = ctl.run("show", "all", tree=tree)
    checks.equal("a capture without a log needs no hint", (result.status, result.err), (0, ""))
    os.mkdir(os.path.join(tree.root, "dev/kmsg"))
    result = ctl.run("list", tree=tree)
    checks.equal("a log that cannot be read: list says nothing", (result.status, result.err), (0, ""))
    result = ctl.run("show", "all", tree=tree)
    checks.expect(result.status == 0 and result.err.count("the kernel log: cannot be read") == 1,
                  "... show hints at it, once", result)
    checks.equal("... but not for a single block", ctl.run("show", "33", tree=tree).err, "")


# -- tests/capture.sh

def capture(ctl, tree, shell, path, environment=None):
    output = os.path.join(ctl.folder, f"capture{ctl.trees}.tar")
    script = os.path.join(TESTS, "capture.sh")
    done = subprocess.run(shell + [script, "--sysroot", tree.root, output], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=dict(environment or os.environ, PATH=path), timeout=300, check=False, text=True)
    return done, output


def shells(ctl):
    """A name, the shell, and the PATH to run it with: the system's, and all from busybox."""
    yield "sh", ["sh"], os.environ["PATH"]
    busybox = shutil.which("busybox")
    if busybox:
        folder = os.path.join(ctl.folder, "busybox")
        os.makedirs(folder, exist_ok=True)
        for name in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split():
            os.symlink(busybox, os.path.join(folder, name))
        yield "busybox", [busybox, "sh"], folder


def case_capture(checks, ctl):
    for name, shell, path in shells(ctl):
        for build in (machine_with_log, machines.power, machines.arm, machines.mainframe, machines.gaps, machines.large,
                      machines.no_numa, machines.bare, machines.device_memory):
            tree = build(ctl)
            done, output = capture(ctl, tree, shell, path)
            checks.equal(f"{name}: {build.__name__}: captured without a word", (done.returncode, done.stdout, done.stderr),
                         (0, "", ""))
            again = ctl.unpack_file(output)
            for arguments in (("list", "--json"), ("show", "all", "--json"), ("zones", "--json"), ("buddy", "--json")):
                before, after = ctl.run(*arguments, tree=tree), ctl.run(*arguments, tree=again)
                checks.expect((before.status, before.out, before.err) == (after.status, after.out, after.err),
                              f"{name}: {build.__name__}: {arguments[0]} says the same", f"{before}\n{after}")


def machine_with_log(ctl):
    tree = machine(ctl.tree())
    tree.write("dev/kmsg", "6,1,1,-;a secret of this machine\n SUBSYSTEM=secret\n" + UNALIGNED + " DEVICE=+secret\n" +
               COMPLAINT + OTHERS + "14,9,9,-;secret: add_memory failed\n6,2,2,-;memory add of secret went well\n"
               "12,3,3,-;secret unaligned hotplug range\n")
    return tree


def case_capture_contents(checks, ctl):
    for name, shell, path in shells(ctl):
        tree = machine_with_log(ctl)
        tree.write("proc/ppc64/lparcfg", "serial_number=IBM,secret\n")
        tree.write("sys/bus/vmbus/devices/secret", "secret\n")
        tree.write("sys/hypervisor/type", "xen\n")
        tree.write("sys/hypervisor/uuid", "secret\n")
        tree.write("sys/devices/system/memory/probe", "")
        tree.write("sys/devices/system/memory/memory1/phys_index", "00000001\n")
        tree.write("sys/devices/system/memory/memory1/phys_device", "0\n")
        tree.write("sys/devices/system/memory/memory1/secret", "secret\n")
        tree.write("sys/devices/system/memory/memory1/power/runtime_status", "secret\n")
        tree.write("sys/devices/system/node/online", "0-4\n")
        tree.write("sys/devices/system/node/has_memory", "0-4\n")
        tree.write("sys/devices/system/node/node0/secret", "secret\n")
        tree.write("proc/cmdline", "secret memhp_default_state=online root=secret memory_hotplug.online_policy=auto-movable secret\n")
        rule = 'SUBSYSTEM=="memory", ATTR{state}="online"\n'
        tree.write("usr/lib/udev/rules.d/80-mine.rules", rule)
        tree.write("usr/lib/udev/rules.d/81-mine.rules", rule)
        tree.write("run/udev/rules.d/80-mine.rules", "# nothing\n")
        os.makedirs(os.path.join(tree.root, "etc/udev/rules.d"))
        os.symlink("/dev/null", os.path.join(tree.root, "etc/udev/rules.d/81-mine.rules"))
        tree.write("etc/udev/rules.d/70-secret.rules", 'SUBSYSTEM=="net", ATTR{address}=="secret"\n')
        tree.write("etc/daxctl.conf.d/a.conf", "# secret\n[reconfigure-device secret]\nnvdimm.uuid = secret\nmode = system-ram\n")
        tree.write("sys/class/dmi/id/sys_vendor", "Someone\n")
        tree.write("sys/class/dmi/id/product_serial", "secret\n")
        tree.write("proc/sys/kernel/hostname", "secret\n")
        for attribute, text in (("resource", "0x200000000"), ("size", "402653184"), ("target_node", "3"),
                                ("secret", "secret"), ("mapping0/start", "0x200000000")):
            tree.write(f"sys/bus/dax/devices/dax0.0/{attribute}", text + "\n")
        os.symlink("../../../../bus/dax/drivers/kmem", os.path.join(tree.root, "sys/bus/dax/devices/dax0.0/driver"))
        tree.write("sys/firmware/memmap/0/type", "System RAM\n")
        resources = "".join(tree.resources).split("\n", 1)
        tree.write("proc/iomem", f"{resources[0]}\n  01000000-01ffffff : Kernel code\n  02000000-02ffffff : Kernel bss\n"
                                 f"{resources[1]}")
        tree.add_block(300, node=None, zones="Movable")
        done, output = capture(ctl, tree, shell, path)
        checks.equal(f"{name}: captured without a word", (done.returncode, done.stdout, done.stderr), (0, "", ""))
        with tarfile.open(output) as archive:
            members = {m.name.rstrip("/"): (m.linkname if m.issym() else archive.extractfile(m).read().decode())
                       for m in archive if not m.isdir()}
            checks.expect(all(m.uid == 0 for m in archive) or name == "busybox", f"{name}: nobody's name")
        checks.expect("secret" not in "\n".join([*members, *members.values()]), f"{name}: nothing that was not asked for",
                      [k for k, v in members.items() if "secret" in k + v])
        checks.equal(f"{name}: of the log the refused hot-adds", members["dev/kmsg"], UNALIGNED + COMPLAINT + OTHERS)
        checks.equal(f"{name}: not where the kernel lies", members["proc/iomem"], "".join(tree.resources))
        checks.equal(f"{name}: of the command line what is about hot-plug", members["proc/cmdline"],
                     "memhp_default_state=online memory_hotplug.online_policy=auto-movable\n")
        checks.equal(f"{name}: rules about memory, and what replaces them",
                     {k: v for k, v in members.items() if k.endswith(".rules")},
                     {"run/udev/rules.d/80-mine.rules": "# nothing\n", "usr/lib/udev/rules.d/80-mine.rules": rule,
                      "usr/lib/udev/rules.d/81-mine.rules": rule, "etc/udev/rules.d/81-mine.rules": ""})
        checks.equal(f"{name}: what daxctl does, line by line", members["etc/daxctl.conf.d/a.conf"],
                     "\n[reconfigure-device x]\n\nmode = system-ram\n")
        checks.equal(f"{name}: make and model", [k for k in members if "dmi" in k], ["sys/class/dmi/id/sys_vendor"])
        block = "sys/devices/system/memory/memory"
        checks.equal(f"{name}: a block", {k: v for k, v in members.items() if k.startswith(f"{block}1/")}, {
            f"{block}1/state": "online\n", f"{block}1/valid_zones": "Normal\n", f"{block}1/removable": "1\n",
            f"{block}1/phys_index": "00000001\n", f"{block}1/phys_device": "0\n", f"{block}1/node0": "../../node/node0"})
        checks.equal(f"{name}: valid_zones of a block without a node is not read",
                     sorted(k for k in members if k.startswith(f"{block}300/")),
                     [f"{block}300/removable", f"{block}300/state"])
        checks.equal(f"{name}: links",
                     (members[f"{block}33/firmware_node"], members["sys/devices/system/node/node1/memory33"]),
                     ("../../../LNXSYSTM:00/PNP0C80:01", "../../memory/memory33"))
        checks.equal(f"{name}: a dax device",
                     {k.split("dax0.0/")[1]: v for k, v in members.items() if "/dax0.0/" in k}, {
            "resource": "0x200000000\n", "size": "402653184\n", "target_node": "3\n", "mapping0/start": "0x200000000\n",
            "driver": "../../drivers/kmem"})
        checks.equal(f"{name}: what tells the kind of machine",
                     [members.get(k) for k in ("sys/devices/system/memory/probe", "sys/hypervisor/type",
                                               "proc/ppc64/lparcfg")], ["", "xen\n", ""])
        checks.expect(os.path.isdir(os.path.join(ctl.unpack_file(output).root, "sys/bus/vmbus")), f"{name}: vmbus")


def case_capture_options(checks, ctl):
    script = os.path.join(TESTS, "capture.sh")

    def run(*arguments):
        return subprocess.run(["sh", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                              check=False, cwd=ctl.folder)

    done = run("--help")
    checks.expect(done.returncode == 0 and done.stdout.startswith(b"Usage: capture.sh") and not done.stderr, "--help", done)
    for arguments in (("--frobnicate",), ("--sysroot",), ("a.tar", "b.tar"), ("--sysroot", ctl.folder + "/nowhere"),
                      ("--sysroot", ctl.folder)):
        done = run(*arguments)
        checks.expect(done.returncode == 1 and not done.stdout and done.stderr, f"{arguments}: exit 1, and says why", done)
    tree = machine(ctl.tree())
    done = run("--sysroot", tree.root, "-")
    path = ctl.file("stdout.tar", done.stdout)
    checks.equal("- is standard output", ctl.run("list", "-J", tree=ctl.unpack_file(path)).out,
                 ctl.run("list", "-J", tree=tree).out)
    done = run("--sysroot", tree.root)
    checks.expect(done.returncode == 0 and os.path.getsize(ctl.folder + "/memhp-capture.tar") > 0, "its usual name", done)
    tree.write("proc/iomem", "00000000-00000000 : System RAM\n")
    checks.expect(b"as root" in run("--sysroot", tree.root).stderr, "warns of hidden addresses")


def case_capture_this_system(checks, ctl):
    if not os.path.exists("/sys/devices/system/memory/block_size_bytes"):
        checks.skip("capture", "this system has no memory blocks")
        return
    output = os.path.join(ctl.folder, "this.tar")
    done = subprocess.run(["sh", os.path.join(TESTS, "capture.sh"), output], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300, check=False, text=True)
    checks.equal("captured", done.returncode, 0)
    tree = ctl.unpack_file(output)
    checks.equal("list says the same", ctl.run("list", "--json", tree=tree).out, ctl.run("list", "--json").out)
    checks.equal("show says the same", ctl.run("show", "all", "--json", tree=tree).out,
                 ctl.run("show", "all", "--json").out)
    checks.equal("the page size", ctl.run("zones", "--json", tree=tree).json["page_size"], os.sysconf("SC_PAGESIZE"))
