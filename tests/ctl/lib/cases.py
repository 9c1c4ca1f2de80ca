# SPDX-License-Identifier: LGPL-2.1-or-later
"""What memhpctl is to do, a function each."""

import json
import os
import re
import shutil
import subprocess

from .tree import GIB, MIB, machine

BLOCK = 128 * MIB

POLICY = """\
version = 1;
rules = (
  { name = "device-memory"; match = { source = [ "pmem", "cxl", "hmem", "dax" ]; }; action = "leave_offline"; },
  { name = "node-1"; match = { node = "1"; source = [ "dimm" ]; }; action = "online_movable"; },
  { name = "rest"; match = { }; action = "online_kernel"; }
);
"""


def range_of(first, last, zones, nodes, source, device, state="online"):
    return {"start": first * BLOCK, "size": (last - first + 1) * BLOCK, "state": state, "removable": True,
            "blocks": f"{first}-{last}" if last > first else str(first), "nodes": nodes, "zones": zones,
            "source": source, "device": device}


MACHINE = {
    "block_size": BLOCK, "online": 24 * BLOCK, "offline": 3 * BLOCK,
    "ranges": [
        range_of(0, 0, [], [0], "boot", None),
        range_of(1, 7, ["Normal"], [0], "boot", None),
        range_of(32, 39, ["Movable"], [1], "dimm", "PNP0C80:01"),
        range_of(40, 41, ["Normal"], [1], "dimm", "PNP0C80:02"),
        range_of(48, 51, ["Movable"], [2], "virtio-mem", "virtio0"),
        range_of(64, 66, ["Normal", "Movable"], [3], "pmem", "dax0.0", "offline"),
        range_of(80, 81, ["Movable"], [4], "driver", "nvidia"),
    ],
    "device_memory": [], "device_memory_memmap_bytes": 0, "refused": [],
}


def blocks_of(result):
    return [r["blocks"] for r in result.json["ranges"]]


# -- list

def case_list_json(checks, ctl):
    tree = machine(ctl.tree())
    result = ctl.run("list", "--json", tree=tree)
    checks.equal("exits with 0", result.status, 0)
    checks.equal("says nothing else", result.err, "")
    checks.equal("has each range with every key, in order", json.dumps(result.json), json.dumps(MACHINE))
    every = ctl.run("list", "--json", "--all", tree=tree).json
    checks.equal("--all: a range a block", [r["blocks"] for r in every["ranges"]],
                 [str(n) for n in [*range(0, 8), *range(32, 42), *range(48, 52), *range(64, 67), 80, 81]])
    checks.equal("--all: the same totals", (every["online"], every["offline"]), (24 * BLOCK, 3 * BLOCK))
    checks.equal("-o changes no key", ctl.run("list", "-J", "-o", "SIZE", tree=tree).json, MACHINE)


def case_list_table(checks, ctl):
    tree = machine(ctl.tree())
    result = ctl.run("list", tree=tree)
    checks.equal("heading", result.rows[0], "RANGE SIZE STATE REMOVABLE BLOCK NODE ZONES SOURCE DEVICE".split())
    checks.equal("a line of a DIMM", result.rows[3],
                 ["0x0000000100000000-0x000000013fffffff", "1G", "online", "yes", "32-39", "1", "Movable", "dimm",
                  "PNP0C80:01"])
    checks.equal("several zones are said, an empty cell is a dash", result.rows[1][4:], ["0", "0", "none", "boot", "-"])
    checks.equal("candidates of offline blocks", result.rows[6][2:], ["offline", "yes", "64-66", "3", "Normal/Movable",
                                                                     "pmem", "dax0.0"])
    checks.has("summary as lsmem's", result.out, "\n\nMemory block size:        128M\nTotal online memory:        3G\n"
               "Total offline memory:     384M\n")
    bare = ctl.run("list", "--no-legend", tree=tree)
    checks.equal("--no-legend: only the lines", len(bare.out.splitlines()), 7)
    checks.equal("--bytes", ctl.run("list", "32-39", "-nb", tree=tree).rows[0][1], str(GIB))
    checks.equal("-o", ctl.run("list", "source:dimm", "-o", "block,Size", tree=tree).rows,
                 [["BLOCK", "SIZE"], ["32-41", "1.3G"]])
    checks.equal("-o +NAME keeps the usual ones", len(ctl.run("list", "-o", "+SIZE", tree=tree).rows[0]), 9)
    bad = ctl.run("list", "-o", "RANGE,COLOUR", tree=tree)
    checks.equal("an unknown column: exit 2", bad.status, 2)
    checks.has("an unknown column: the known ones", bad.err, "memhpctl: COLOUR: no such column", "RANGE SIZE", "DEVICE")


def case_list_split(checks, ctl):
    tree = machine(ctl.tree())
    for split, expected in (("none", ["0-7", "32-41", "48-51", "64-66", "80-81"]),
                            ("DEVICE", ["0-7", "32-39", "40-41", "48-51", "64-66", "80-81"]),
                            ("zones,state", ["0", "1-7", "32-39", "40-41", "48-51", "64-66", "80-81"])):
        checks.equal(f"--split {split}", blocks_of(ctl.run("list", "--json", "--split", split, tree=tree)), expected)
    joined = ctl.run("list", "--json", "--split=none", "source:dimm", tree=tree).json["ranges"]
    checks.equal("what differs within a range is not told as if it were the same",
                 (joined[0]["device"], joined[0]["zones"], joined[0]["source"]), (None, ["Movable", "Normal"], "dimm"))
    text = ctl.run("list", "-n", "--split=none", "source:dimm", tree=tree)
    checks.equal("the same in the table", text.rows[0][5:], ["1", "Movable/Normal", "dimm", "mixed"])
    checks.equal("an unknown column: exit 2", ctl.run("list", "--split", "COLOUR", tree=tree).status, 2)
    checks.equal("a range ends where a shown column changes", [row[0] for row in ctl.run(
        "list", "-n", "-o", "BLOCK,STATE", tree=tree).rows], ["0-7", "32-41", "48-51", "64-66", "80-81"])


def case_list_order(checks, ctl):
    tree = ctl.tree().add_blocks([100, 9, 10, 8, 99, 4294967295])
    checks.equal("by number, not by name", blocks_of(ctl.run("list", "--json", tree=tree)),
                 ["8-10", "99-100", "4294967295"])
    tree = ctl.tree()
    tree.add_block(0, node=[0, 1])
    tree.add_blocks([1], node=[0, 1, 3])
    result = ctl.run("list", "--json", tree=tree)
    checks.equal("several nodes", [r["nodes"] for r in result.json["ranges"]], [[0, 1], [0, 1, 3]])
    checks.equal("several nodes in the table", [r[0] for r in ctl.run("list", "-no", "NODE", tree=tree).rows],
                 ["0-1", "0-1,3"])


def case_selectors(checks, ctl):
    tree = machine(ctl.tree())
    for selector, expected in (
            ("33", ["33"]), ("33-34,70-,0", ["0", "33-34", "80-81"]), ("all", [r["blocks"] for r in MACHINE["ranges"]]),
            ("device:dax0.0", ["64-66"]), ("device:PNP0C80:02", ["40-41"]), ("node:1", ["32-39", "40-41"]),
            ("node:2-3", ["48-51", "64-66"]), ("source:pmem", ["64-66"]),
            ("source:virtio-mem,driver", ["48-51", "80-81"]),
            ("addr:4G-5G", ["32-39"]), ("addr:5G", ["40"]), ("addr:0x100000000-0x108000001", ["32-33"]),
            ("addr:10G-", ["80-81"])):
        checks.equal(selector, blocks_of(ctl.run("list", "--json", selector, tree=tree)), expected)
    for selector, expected in (("", "expected"), ("33-", None), ("x", "block numbers"), ("34-33", "block numbers"),
                               ("1,,2", "block numbers"), ("node:x", "node:1"), ("node:", "node:1"),
                               ("device:", "dax0.0"),
                               ("source:dimms", "dimm"), ("source:", "dimm"), ("addr:5G-4G", "addr:4G-8G"),
                               ("99999999999999999999", "too large"), ("Device:dax0.0", "device:NAME"),
                               ("device:" + "x" * 60, "too long"), ("add:x", "add:3"), ("-1", "no such option")):
        result = ctl.run("list", selector, tree=tree)
        if expected is None:
            checks.equal(f"{selector!r} is open at its end", result.status, 0)
        else:
            checks.expect(result.status == 2 and expected in result.err and result.out == "",
                          f"{selector!r}: exit 2, says what is expected", result)
    for selector in ("12", "device:dax9.9", "node:77", "source:cxl", "addr:100G-"):
        result = ctl.run("list", selector, tree=tree)
        checks.expect(result.status == 1 and result.out == "" and
                      f"memhpctl: {selector}: no memory block" in result.err,
                      f"{selector} matches nothing: exit 1", result)
    result = ctl.run("show", "add:3", tree=tree)
    checks.expect(result.status == 1 and "daemon" in result.err, "add:3 needs the daemon, and says so", result)


def case_list_incomplete(checks, ctl):
    tree = machine(ctl.tree())
    os.unlink(os.path.join(tree.memory, "memory3/state"))  # as a block that went away between listing and reading
    os.mkdir(os.path.join(tree.memory, "memory200"))
    result = ctl.run("list", "--json", tree=tree)
    checks.expect(result.status == 0 and result.err == "" and blocks_of(result)[:3] == ["0", "1-2", "4-7"],
                  "a block that vanishes is left out without a word", result)
    result = ctl.run("list", "3", tree=tree)
    checks.expect(result.status == 1 and "no memory block" in result.err, "a vanished block matches nothing", result)

    tree = ctl.tree().add_blocks([0, 1]).add_blocks([2], node=None, state="offline", zones="Movable")
    tree.add_blocks([3], zones=None)
    result = ctl.run("list", "--json", tree=tree)
    seen = {r["blocks"]: (r["state"], r["nodes"], r["zones"]) for r in result.json["ranges"]}
    checks.equal("no node link yet: the state, and no zones", seen["2"], ("offline", [], []))
    checks.equal("no valid_zones", seen["3"], ("online", [0], []))
    checks.equal("... in the table", [r[1:] for r in ctl.run("list", "2-3", "-no", "BLOCK,NODE,ZONES", tree=tree).rows],
                 [["-", "unknown"], ["0", "unknown"]])

    tree = ctl.tree().add_blocks([0], state="going-offline").add_blocks([1], state="quarantined")
    result = ctl.run("list", "--json", tree=tree)
    checks.equal("other states", [r["state"] for r in result.json["ranges"]], ["going-offline", "other"])
    checks.equal("... are not online", (result.json["online"], result.json["offline"]), (0, 2 * BLOCK))

    tree = ctl.tree()
    result = ctl.run("list", tree=tree)
    checks.expect(result.status == 0 and "Total online memory:        0B" in result.out, "no blocks at all", result)
    shutil.rmtree(tree.node)
    tree.add_blocks([5], node=None)
    checks.equal("a kernel without NUMA", ctl.run("list", "--json", tree=tree).json["ranges"][0]["zones"], ["Normal"])


def case_iomem(checks, ctl):
    tree = machine(ctl.tree())
    tree.remove("proc/iomem")
    result = ctl.run("list", "--json", tree=tree)
    sources = {r["blocks"]: r["source"] for r in result.json["ranges"]}
    checks.expect(result.status == 0 and result.err == "", "list without /proc/iomem says nothing", result)
    checks.equal("... and does not guess", (sources["1-7"], sources["64-66"], sources["32-39"]),
                 ("unknown", "unknown", "dimm"))
    result = ctl.run("show", "64-65", tree=tree)
    checks.expect(result.status == 0 and result.err.count("/proc/iomem") == 1, "show hints at it, once", result)
    checks.equal("... but not with --json", ctl.run("show", "64", "--json", tree=tree).err, "")

    tree.write("proc/iomem", re.sub(r"[0-9a-f]+-[0-9a-f]+ :", "00000000-00000000 :", "".join(tree.resources)))
    result = ctl.run("show", "64-65", tree=tree)
    checks.expect(result.status == 0 and "as root" in result.err and "source: unknown" in result.out,
                  "hidden addresses: unknown, and a hint", result)

    for text, line in (("00000000-3fffffff : System RAM\nnonsense\n", 2), ("0-1 : System RAM", 1), ("", 1),
                       ("00000000-3fffffff : System RAM\n\0\n", 2)):
        tree.write("proc/iomem", text)
        for verb in ("list", "show"):
            result = ctl.run(verb, "64-66", "--json", tree=tree)
            checks.expect(result.status == 1 and f"/proc/iomem:{line}: malformed" in result.err and
                          '"source":"unknown"' in result.out, f"{verb}: malformed {text!r}: exit 1, the line", result)


def case_hostile_names(checks, ctl):
    tree = ctl.tree().add_blocks([0, 1]).add_blocks([8], firmware="PNP\x1b[31m:\x07")
    tree.resource(0, 0, b"Evil\x1b]0;x\x07\xff\xc2\x9b".decode("latin-1"), "dax1.0", "System RAM (kmem)")
    tree.resource(1, 1, "System RAM (\x1b[2J\"\\\x7f)")
    for locale in ("C", "C.UTF-8"):
        for verb in ("list", "show"):
            result = ctl.run(verb, "all", tree=tree, locale=locale)
            raw = [c for c in result.out + result.err if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or
                   0xdc80 <= ord(c) < 0xdd00]
            checks.expect(result.status == 0 and not raw, f"{verb}: no raw control character ({locale})", result)
    for verb in ("list", "show"):
        result = ctl.run(verb, "all", "--json", tree=tree)
        checks.expect(result.json and "\x1b" not in result.out, f"{verb} --json is valid", result)
    tree.write("proc/iomem", b"00000000-07ffffff : \xff\xfe\n  00000000-07ffffff : System RAM (\xff\xc0)\n")
    result = ctl.run("list", "0", "--json", tree=tree)
    checks.equal("bytes that are no UTF-8", result.json["ranges"][0]["device"], "??")
    result = ctl.run("list", "device:\x1b[31m", tree=tree)
    checks.expect(result.status == 1 and "\x1b" not in result.err, "nor from the command line", result)


def case_many_blocks(checks, ctl):
    tree = ctl.tree()
    for n in range(4096):
        tree.add_block(n, zones="Normal" if n % 2 else "Movable", node=n // 1024)
    result = ctl.run("list", "--json", tree=tree)
    checks.equal("4096 blocks that alternate", len(result.json["ranges"]), 4096)
    checks.equal("merged where told so", blocks_of(ctl.run("list", "--json", "-S", "node", tree=tree)),
                 ["0-1023", "1024-2047", "2048-3071", "3072-4095"])


# -- show

def case_show(checks, ctl):
    tree = machine(ctl.tree())
    result = ctl.run("show", "33", "--json", tree=tree)
    checks.equal("JSON of one block is a list", result.json, [{
        "block": 33, "start": 33 * BLOCK, "size": BLOCK, "state": "online", "removable": True, "nodes": [1],
        "zones": ["Movable"], "source": "dimm", "device": "PNP0C80:01",
        "evidence": {"firmware_node": "PNP0C80:01", "iomem": "System RAM", "machine": "plain"},
        "add": None, "decision": None}])
    evidence = ctl.run("show", "64", "--json", tree=tree).json[0]["evidence"]
    checks.equal("evidence from /proc/iomem", evidence["iomem"], "System RAM (kmem) in dax0.0 in Persistent Memory")
    checks.has("a block for people", ctl.run("show", "64", tree=tree).out, "block 64\n",
               "address: 0x0000000200000000-0x0000000207ffffff\n", "size: 128M\n", "state: offline\n",
               "candidates: Normal/Movable\n", "node: 3\n", "source: pmem\n", "device: dax0.0\n",
               "evidence: System RAM (kmem) in dax0.0 in Persistent Memory\n", "removable: yes\n")
    checks.has("a block in several zones", ctl.run("show", "0", tree=tree).out, "zone: none (several zones")
    device = ctl.run("show", "device:dax0.0", tree=tree).out
    checks.has("a device begins with its summary", device, "device dax0.0\n", "source: pmem\n", "blocks: 64-66 (3)\n",
               "size: 384M\n", "online: none\n", "offline: 384M\n", "\nblock 64\n", "\nblock 66\n")
    checks.has("a node by zone", ctl.run("show", "node:1", tree=tree).out, "node:1\n", "blocks: 32-41 (10)\n",
               "online: 256M in Normal, 1G in Movable\n", "offline: none\n")


# -- explain

def case_explain(checks, ctl):
    tree = machine(ctl.tree())
    policy = ctl.file("policy.conf", POLICY)

    def explain(selector, *options):
        return ctl.run("explain", selector, "--config", policy, *options, tree=tree)

    result = explain(64, "--json")
    answer = result.json
    checks.equal("exits with 0", result.status, 0)
    checks.equal("left offline: action, zone, rule, state, as wanted",
                 tuple(answer[k] for k in ("block", "action", "zone", "rule", "state", "as_wanted")),
                 (64, "leave_offline", None, {"name": "device-memory", "file": policy, "line": 3}, "offline", True))
    checks.equal("its evidence", answer["evidence"], {
        "firmware_node": None, "iomem": "System RAM (kmem) in dax0.0 in Persistent Memory", "machine": "plain"})
    checks.has("its reason", answer["reason"], "device-memory", f"{policy}:3", "leave_offline")
    answer = explain(33, "--json").json
    checks.equal("online as wanted", (answer["action"], answer["zone"], answer["rule"]["name"], answer["as_wanted"]),
                 ("online_movable", "Movable", "node-1", True))
    answer = explain(40, "--json").json
    checks.equal("online elsewhere", (answer["action"], answer["zone"], answer["as_wanted"]),
                 ("online_movable", "Movable", False))
    checks.has("... says so", answer["reason"], "online in Normal; the policy would want Movable")
    answer = explain(1, "--json").json
    checks.equal("boot memory", (answer["as_wanted"], answer["zone"]), (None, "Normal"))
    checks.equal("several blocks: an array", [a["block"] for a in explain("33-35", "--json").json], [33, 34, 35])
    text = explain("all").out
    checks.has("merged for people", text, "block 0 (", "blocks 1-7 (", "blocks 32-39 (0x", "blocks 64-66 (", "1G)")
    checks.has("what is told of one", explain("33").out, "action: online_movable\n", "zone: Movable\n", "node-1",
               f"{policy}:4", "now: online in Movable, as the policy wants it\n", "source: dimm, device PNP0C80:01\n",
               "evidence: firmware node PNP0C80:01\n")
    text = explain("48", "--all").out
    checks.has("--all: rules that do not match", text, 'no match: rule "device-memory"', "source is virtio-mem",
               'no match: rule "node-1"')
    checks.has("--all: rules that are not reached", explain("33", "--all").out, 'not reached: rule "rest"')
    rules = explain(48, "--all", "--json").json["rules"]
    checks.equal("--all with --json", [(r["name"], r["result"], r["failed"]) for r in rules],
                 [("device-memory", "no-match", "source"), ("node-1", "no-match", "source"), ("rest", "match", None)])
    result = explain(7777)
    checks.expect(result.status == 1 and result.out == "" and "no memory block" in result.err, "no such block", result)
    checks.equal("... with --json", (explain(7777, "--json").status, explain(7777, "--json").out), (1, ""))


def case_explain_offline(checks, ctl):
    tree = ctl.tree()
    tree.add_block(1, state="offline", zones="Normal Movable", node=1, firmware="PNP0C80:01")
    tree.add_block(2, state="offline", zones="Normal", node=1, firmware="PNP0C80:01")
    tree.add_block(3, state="offline", zones="Movable", node=2, firmware="PNP0C80:02")
    tree.add_block(4, state="offline", zones="Normal Movable", node=2, firmware="PNP0C80:02")
    tree.add_block(5, state="going-offline", zones="Movable", node=1, firmware="PNP0C80:01")
    policy = ctl.file("policy.conf", POLICY)
    answers = {n: ctl.run("explain", n, "--json", "--config", policy, tree=tree).json for n in range(1, 6)}
    checks.equal("to Movable", (answers[1]["action"], answers[1]["zone"], answers[1]["as_wanted"]),
                 ("online_movable", "Movable", False))
    checks.has("... would be", answers[1]["reason"], "would put it online in Movable")
    checks.equal("the zone cannot be had", (answers[2]["action"], answers[2]["zone"]), ("leave_offline", None))
    checks.expect(answers[2]["as_wanted"] is False and "for want of a zone" in answers[2]["reason"],
                  "... says so", answers[2])
    checks.equal("nor the kernel's", (answers[3]["action"], answers[3]["zone"]), ("leave_offline", None))
    checks.equal("the kernel's zone by its name", (answers[4]["action"], answers[4]["zone"]),
                 ("online_kernel", "Normal"))
    checks.expect("going-offline" in answers[5]["reason"] and answers[5]["as_wanted"] is None, "going offline",
                  answers[5])
    empty = ctl.file("empty.conf", 'version = 1;\n'
                     'rules = ( { name = "none"; match = { node = "9"; }; action = "online"; } );\n')
    answer = ctl.run("explain", 1, "--json", "--config", empty, tree=tree).json
    checks.equal("no rule", (answer["action"], answer["zone"], answer["rule"]), ("leave_offline", None, None))
    fallback = ctl.file("fallback.conf", 'version = 1;\n'
                        'rules = ( { name = "f"; match = { }; action = "online_movable"; '
                        'fallback = "online_kernel"; } );\n')
    answer = ctl.run("explain", 2, "--json", "--config", fallback, tree=tree).json
    checks.equal("the fallback", (answer["action"], answer["zone"]), ("online_kernel", "Normal"))
    result = ctl.run("explain", 1, "--config", ctl.folder + "/absent.conf", tree=tree)
    checks.expect(result.status == 1 and "absent.conf" in result.err and result.out == "", "no policy: exit 1", result)
    result = ctl.run("explain", 1, "--config", ctl.file("bad.conf", "version = 1;\nrulez = 3;\n"), tree=tree)
    checks.expect(result.status == 1 and "bad.conf:2:" in result.err, "a bad policy: exit 1 and its lines", result)


# -- check, help, usage, output

def case_check(checks, ctl):
    good = ctl.file("good.conf", POLICY)
    result = ctl.run("check", good)
    checks.expect(result.status == 0 and "valid" in result.out and "3 rules" in result.out, "a good file", result)
    bad = ctl.file("bad.conf", 'version = 1;\nstrange = 3;\n'
                   'rules = ( { name = "a"; match = { };\n  action = "fly"; } );\n')
    result = ctl.run("check", bad)
    checks.expect(result.status == 1 and f"{bad}:2:" in result.err and f"{bad}:4:" in result.err,
                  "every error with its line, in one pass", result)
    answer = ctl.run("check", "--json", bad).json
    checks.equal("the same as JSON", (answer["valid"], [p["line"] for p in answer["problems"]]), (False, [2, 4]))
    checks.equal("valid as JSON", ctl.run("check", "--json", "--config", good).json,
                 {"valid": True, "rules": 3, "files": [good], "problems": []})
    result = ctl.run("check", ctl.file("open.conf", POLICY, mode=0o666))
    checks.expect(result.status == 1 and "open.conf" in result.err, "a file that anybody may write", result)
    result = ctl.run("check", ctl.folder + "/absent")
    checks.expect(result.status == 1 and "absent" in result.err, "a missing file", result)
    evil = ctl.file("evil.conf", b'version = 1;\n\x1b[31m\xff = 3;\n')
    result = ctl.run("check", evil)
    checks.expect(result.status == 1 and "\x1b" not in result.err, "a hostile file", result)


def case_help(checks, ctl):
    overview = ctl.run("help")
    checks.expect(overview.status == 0 and overview.err == "", "help", overview)
    checks.has("all verbs", overview.out, *("\n  " + v for v in "list show explain zones buddy check help".split()))
    checks.equal("--help is the same", ctl.run("--help").out, overview.out)
    one = ctl.run("help", "list")
    checks.has("help VERB: usage, columns, options", one.out, "memhpctl [OPTION ...] list [SEL]", "--split",
               "REMOVABLE", "device:dax0.0")
    checks.equal("VERB --help is the same", ctl.run("list", "--help").out, one.out)
    checks.expect("--split" not in ctl.run("help", "zones").out, "options of other verbs are not listed")
    for line in overview.out.splitlines():
        if len(line) > 120:
            checks.expect(False, "lines fit into 120 columns", line)
    version = ctl.run("--version")
    checks.expect(version.status == 0 and re.match(r"memhpctl \S", version.out), "--version", version)


def case_usage(checks, ctl):
    tree = machine(ctl.tree())
    for arguments, expected in (
            ((), "verb"), (("frobnicate",), "frobnicate"), (("lst",), 'did you mean "list"'), (("show",), "show SEL"),
            (("list", "1", "2"), "too many"), (("list", "--jsn"), "--json"), (("list", "--colour"), "--colour"),
            (("-x", "list"), "-x"), (("list", "-xJ"), "-x"), (("list", "--json=1"), "no argument"),
            (("list", "-o"), "COLS"), (("list", "--sysroot"), "DIR"), (("zones", "--split", "NODE"), "--split"),
            (("show", "1", "-o", "SIZE"), "help show"),
            (("buddy", "--all"), "--all"), (("help", "lits"), "list"),
            (("-H", "-oProxyCommand=x", "status"), "no host"), (("--host=", "status"), "no host")):
        result = ctl.run(*arguments)
        checks.expect(result.status == 2 and result.out == "" and result.err.startswith("memhpctl: ") and
                      expected in result.err, f"{' '.join(arguments)!r}: exit 2, and says why", result)
    before = ctl.run("--json", "--bytes", "list", "1", tree=tree)
    after = ctl.run("list", "1", "--json", "--bytes", tree=tree)
    checks.equal("options before and after the verb", (before.status, before.out), (after.status, after.out))
    os.environ["POSIXLY_CORRECT"] = "1"
    checks.equal("... also where POSIX wants them first", ctl.run("list", "1", "-Jb", tree=tree).out, before.out)
    del os.environ["POSIXLY_CORRECT"]
    checks.equal("... and \"--\" ends them", ctl.run("--json", "list", "-b", "--", "1", tree=tree).out, before.out)
    checks.equal("--direct", ctl.run("list", "--direct", tree=tree).status, 0)
    for root in (ctl.folder + "/nowhere", ctl.folder):
        result = ctl.run("--sysroot", root, "list")
        checks.expect(result.status == 1 and root in result.err and result.out == "", "not a system: exit 1", result)
    for size in ("0", "8000001", "", "xyz", "fffffffffffffffff"):
        tree.write("sys/devices/system/memory/block_size_bytes", size + "\n")
        result = ctl.run("list", tree=tree)
        checks.expect(result.status == 1 and "block size" in result.err, f"block size {size!r}: exit 1", result)
    tree.write("sys/devices/system/memory/block_size_bytes", "8000000000000000\n")
    result = ctl.run("list", tree=tree)
    checks.expect(result.status == 1 and "64 bits" in result.err, "addresses that do not fit", result)


def case_output(checks, ctl):
    tree = machine(ctl.tree())
    for arguments in (("list",), ("list", "--json"), ("show", "all"), ("help",), ("zones",), ("buddy", "--json")):
        with open("/dev/full", "wb") as full:
            result = ctl.run(*arguments, tree=tree, stdout=full)
        checks.expect(result.status == 1 and "standard output: " in result.err and "No space" in result.err,
                      f"{' '.join(arguments)}: a full disk is reported", result)
        read, write = os.pipe()
        os.close(read)
        result = ctl.run(*arguments, tree=tree, stdout=write)
        os.close(write)
        checks.expect(result.status == 1 and "Broken pipe" in result.err,
                      f"{' '.join(arguments)}: so is a closed pipe", result)


# -- the system this runs on

def case_this_system(checks, ctl):
    if not os.path.exists("/sys/devices/system/memory/block_size_bytes"):
        checks.skip("list", "this system has no memory blocks")
        return
    answer = ctl.run("list", "--json").json
    if shutil.which("lsmem"):
        peer = json.loads(subprocess.run(["lsmem", "--json", "--bytes", "--all", "-o", "RANGE,SIZE,STATE,BLOCK"],
                                         stdout=subprocess.PIPE, check=True).stdout)["memory"]
        own = ctl.run("list", "--json", "--all").json["ranges"]
        checks.equal("the blocks, addresses, sizes and states that lsmem sees",
                     [(f"0x{r['start']:016x}-0x{r['start'] + r['size'] - 1:016x}", str(r["size"]), r["state"],
                       r["blocks"]) for r in own],
                     [(r["range"], str(r["size"]), r["state"], str(r["block"])) for r in peer])
    else:
        checks.skip("compared with lsmem", "not installed")
    checks.equal("what is online and offline adds up", answer["online"] + answer["offline"],
                 sum(r["size"] for r in answer["ranges"]))
    zones = ctl.run("zones", "--json").json
    with open("/proc/zoneinfo", encoding="ascii") as f:
        names = re.findall(r"^Node (\d+), zone +(\S+)", f.read(), re.MULTILINE)
    checks.equal("zones", [(str(z["node"]), z["zone"]) for z in zones["zones"]], names)
    checks.equal("page size", zones["page_size"], os.sysconf("SC_PAGESIZE"))
    checks.expect(ctl.run("buddy", "--json").json["zones"], "buddy")
