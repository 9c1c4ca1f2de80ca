# SPDX-License-Identifier: LGPL-2.1-or-later
"""stats: figures against another reading of the same files, limits, alerts, and what is said where something is missing."""

import json
import re
import signal

from .cases_statistics import Piped
from .machines import device_memory, power
from .reader import System
from .tree import GIB, MIB, buddy_text, machine, zone_text

KERNEL = ("DMA", "DMA32", "Normal", "HighMem")
POLICY = """\
version = 1;
rules = (
  { name = "node-2"; match = { node = "2"; }; action = "online_movable"; },
  { name = "dimms"; match = { source = "dimm"; }; action = "online_movable"; fallback = "online_kernel";
    max_movable_ratio = 150; },
  { name = "rest"; match = { }; action = "balance"; movable_ratio = 301; count_hot_kernel = true; numa_aware = true; } );
"""


def usable(zone, class_index, kernel):
    counters = zone["counters"]
    kept = zone["min"]
    if kernel:
        kept += counters.get("nr_free_cma", 0)
        if class_index is not None:
            kept += zone["protection"][class_index]
    return max(zone["free"] - kept, 0)


def expected_nodes(system):
    """What stats has to say of each node, but for the policy's part."""
    page = system.page_size or 4096
    zones, _ = system.zones()
    buddy = system.buddy()
    nodes = {}

    def node(number):
        return nodes.setdefault(number, {
            "node": number, "boot": 0, "hot_added": 0, "unknown": 0, "online": 0, "offline": 0, "device_memory": 0,
            **{kind: dict.fromkeys(("present", "managed", "free", "available", "low", "distance", "hot_added"), 0)
               for kind in ("kernel", "movable")},
            "memmap": 0, "largest_order": -1, "watermark_distance": 0, "movable_only": False})

    for zone in zones:
        kernel = zone["zone"] in KERNEL
        if not zone["present"] or not (kernel or zone["zone"] == "Movable"):
            continue
        names = [z["zone"] for z in zones if z["node"] == zone["node"]]
        class_index = names.index("Normal") if "Normal" in names and len(names) == len(zone["protection"]) else None
        part = node(zone["node"])["kernel" if kernel else "movable"]
        cache = sum(zone["counters"].get(k, 0) for k in ("nr_zone_inactive_file", "nr_zone_active_file"))
        for key, pages in (("present", zone["present"]), ("managed", zone["managed"]), ("free", zone["free"]),
                           ("low", zone["low"]), ("distance", zone["free"] - zone["low"]),
                           ("available", usable(zone, class_index, kernel) + cache)):
            part[key] += pages * page
    for zone in buddy:
        if zone["largest_order"] >= 0:
            entry = node(zone["node"])
            entry["largest_order"] = max(entry["largest_order"], zone["largest_order"])
    for block in system.blocks:
        if not block["nodes"]:
            continue
        entry = node(block["nodes"][0])
        origin = {"boot": "boot", "unknown": "unknown"}.get(block["source"], "hot_added")
        entry[origin] += block["size"]
        entry["online" if block["state"] == "online" else "offline"] += block["size"]
        if origin == "hot_added":
            entry["memmap"] += block["size"] // page * 64
            if block["state"] == "online" and block["zones"]:
                entry["movable" if block["zones"][0] == "Movable" else "kernel"]["hot_added"] += block["size"]
    for entry in nodes.values():
        entry["watermark_distance"] = entry["kernel"]["distance"] + entry["movable"]["distance"]
        entry["movable_only"] = entry["movable"]["present"] > 0 and entry["kernel"]["present"] == 0
    return [nodes[n] for n in sorted(nodes)]


def without_policy(node):
    plain = {k: v for k, v in node.items() if k != "ratio"}
    plain["memmap"] = node["memmap"]["bytes"]
    return plain


def case_stats_figures(checks, ctl):
    for name, tree in (("vm-6.1", ctl.unpack("vm-6.1.tar.xz")), ("host-6.18", ctl.unpack("host-6.18.tar.xz")),
                       ("power", power(ctl)), ("a machine with everything", machine(ctl.tree())),
                       ("device memory", device_memory(ctl))):
        system = System(tree.root)
        result = ctl.run("stats", "--json", tree=tree)
        checks.equal(f"{name}: exits with 0, says nothing else", (result.status, result.err), (0, ""))
        expected = expected_nodes(system)
        seen = result.json
        devices = sum(d["size"] for d in ctl.run("list", "-J", tree=tree).json["device_memory"])
        placed = sum(n.pop("device_memory") for n in seen["nodes"])
        for node in expected:
            del node["device_memory"]
        checks.equal(f"{name}: each node", [without_policy(n) for n in seen["nodes"]], expected)
        everything = without_policy(seen["machine"])
        checks.equal(f"{name}: device memory", (everything.pop("device_memory"), placed in (0, devices)), (devices, True))
        for key in ("boot", "hot_added", "unknown", "online", "offline", "memmap", "watermark_distance"):
            checks.equal(f"{name}: {key} of the machine is the sum", everything[key], sum(n[key] for n in expected))
        for kind in ("kernel", "movable"):
            checks.equal(f"{name}: {kind} of the machine is the sum", everything[kind],
                         {k: sum(n[kind][k] for n in expected) for k in everything[kind]})
        checks.equal(f"{name}: the same totals as list", (everything["online"], everything["offline"]),
                     (system.bytes_online(True), system.bytes_online(False)))


def case_stats_keys(checks, ctl):
    tree = machine(ctl.tree()).manifest("x86_64", 4096)
    answer = ctl.run("stats", "-J", tree=tree).json
    checks.equal("keys", list(answer), ["daemon", "page_size", "block_size", "memmap_on_memory", "machine", "nodes",
                                        "device_memory_memmap", "next_add", "waiting", "alerts"])
    checks.equal("what only a daemon could know", (answer["daemon"], answer["waiting"]), (False, None))
    node = answer["nodes"][0]
    checks.equal("of a node", list(node), ["node", "boot", "hot_added", "unknown", "online", "offline", "device_memory",
                                           "kernel", "movable", "ratio", "memmap", "largest_order", "watermark_distance",
                                           "movable_only"])
    checks.equal("the machine's are the same", list(answer["machine"]), list(node)[1:])
    checks.equal("of a ratio", list(node["ratio"]), ["percent", "limit_percent", "counts_hot_kernel", "numa_aware", "rule"])
    tree.remove("proc/buddyinfo")
    checks.equal("without buddyinfo", ctl.run("stats", "-J", tree=tree).json["machine"]["largest_order"], None)


def two_nodes(ctl, kernel_free=200 * MIB, movable=2 * GIB):
    """1 GiB at boot on node 0, DIMMs as movable memory on node 1, one of them offline."""
    tree = ctl.tree().manifest("x86_64", 4096).add_blocks(range(8))
    blocks = movable // (128 * MIB)
    tree.add_blocks(range(32, 32 + blocks), zones="Movable", node=1, firmware="PNP0C80:01")
    tree.add_blocks(range(96, 98), zones="Normal Movable", node=1, state="offline", firmware="PNP0C80:02")
    tree.resource(0, 7, "System RAM").resource(32, 31 + blocks, "System RAM").resource(96, 97, "System RAM")
    pages = movable // 4096
    return tree.statistics(zone_text(0, "Normal", 0, 262144, kernel_free // 4096) +
                           zone_text(1, "Movable", 1 << 20, pages, pages - pages // 64),
                           buddy_text(0, "Normal", [0] * 10 + [kernel_free >> 22]) +
                           buddy_text(1, "Movable", [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]))


def case_stats_limits(checks, ctl):
    policy = ctl.file("limits.conf", POLICY)
    answer = ctl.run("stats", "-J", "--config", policy, tree=two_nodes(ctl)).json
    ratios = {n["node"]: n["ratio"] for n in answer["nodes"]}
    checks.equal("a node with boot memory only: what a DIMM would go by", ratios[0], {
        "percent": 0, "limit_percent": 150, "counts_hot_kernel": False, "numa_aware": False,
        "rule": {"name": "dimms", "file": policy, "line": 4}})
    checks.equal("no kernel memory at all", ratios[1]["percent"], None)
    checks.equal("the machine's", (answer["machine"]["ratio"]["percent"], answer["machine"]["ratio"]["limit_percent"]), (200, 150))
    checks.equal("beyond it: an alert", [a["alert"] for a in answer["alerts"]], ["ratio"])
    checks.has("... that says how far", answer["alerts"][0]["message"], "200 %", "150 %", '"dimms"', "of the machine")
    answer = ctl.run("stats", "-J", "--config", policy, tree=two_nodes(ctl, movable=GIB)).json
    checks.equal("within it: none", (answer["machine"]["ratio"]["percent"], answer["alerts"]), (100, []))
    answer = ctl.run("stats", "-J", tree=two_nodes(ctl)).json
    checks.equal("no policy: no limits, and all kernel memory counts", answer["machine"]["ratio"], {
        "percent": 200, "limit_percent": None, "counts_hot_kernel": True, "numa_aware": None, "rule": None})
    result = ctl.run("stats", tree=two_nodes(ctl))
    checks.expect(result.status == 0 and "no policy" in result.err, "... which is said to people", result)
    result = ctl.run("stats", "--config", ctl.file("bad.conf", "nonsense"), tree=two_nodes(ctl))
    checks.expect(result.status == 1 and "bad.conf:1:" in result.err and result.out == "", "a policy with errors: exit 1", result)


def case_stats_next_add(checks, ctl):
    room = 200 * MIB - 524 * 4096    # without the watermark min, as zone_text has it
    answer = ctl.run("stats", "-J", tree=two_nodes(ctl)).json
    checks.equal("the largest so far, and what another would take", answer["next_add"],
                 {"size": 2 * GIB, "memmap": 32 * MIB, "room": room})
    checks.equal("there is room for it", answer["alerts"], [])
    starved = two_nodes(ctl, kernel_free=33 * MIB)
    answer = ctl.run("stats", "-J", tree=starved).json
    checks.equal("too little", [a["alert"] for a in answer["alerts"]], ["next-add"])
    text = ctl.run("stats", tree=starved)
    checks.has("told to people", text.out, "Another hot-add as large as the largest so far, 2G, needs 32M of kernel memory; there is "
               "31M\n", "Alert: the next hot-add is likely to be refused: one of 2 GiB")
    starved = two_nodes(ctl, kernel_free=4 * MIB)
    checks.equal("nearly exhausted, while movable memory is free", [a["alert"] for a in ctl.run(
        "stats", "-J", tree=starved).json["alerts"]], ["kernel-low", "next-add"])


def case_stats_memmap(checks, ctl):
    parameter = "sys/module/memory_hotplug/parameters/memmap_on_memory"
    for text, setting, inside, words in ((None, None, None, "perhaps"), ("N\n", False, 0, "from other memory"),
                                         ("Y\n", True, None, "perhaps"), ("force\n", True, None, "perhaps")):
        tree = two_nodes(ctl)
        if text:
            tree.write(parameter, text)
        answer = ctl.run("stats", "-J", tree=tree).json
        checks.equal(f"{text!r}: an offline block's cannot be told", (answer["memmap_on_memory"], answer["machine"]["memmap"]), (
            setting, {"bytes": (2 * GIB + 256 * MIB) // 64, "inside": inside}))
        checks.has(f"{text!r}: for people", ctl.run("stats", tree=tree).out, "Struct pages of hot-added memory: 36M", words)
    tree = ctl.tree().manifest("x86_64", 4096).add_blocks(range(8)).add_blocks(range(32, 48), zones="Movable", node=1,
                                                                               firmware="PNP0C80:01")
    tree.write(parameter, "Y\n")
    tree.resource(0, 7, "System RAM").resource(32, 47, "System RAM")
    tree.statistics(zone_text(0, "Normal", 0, 262144, 51200) + zone_text(1, "Movable", 1 << 20, 524288, 500000),
                    buddy_text(0, "Normal", [51200]))
    answer = ctl.run("stats", "-J", tree=tree).json
    checks.equal("what is present and not managed", answer["nodes"][1]["memmap"], {"bytes": 32 * MIB, "inside": 32 * MIB})
    checks.equal("... so the next one takes none of the old memory", answer["next_add"]["memmap"], 0)
    checks.has("... for people", ctl.run("stats", tree=tree).out, "of which 32M at most is in that memory itself")


def case_stats_table(checks, ctl):
    tree = two_nodes(ctl)
    policy = ctl.file("limits.conf", POLICY)
    table = ctl.run("stats", "--config", policy, tree=tree)
    checks.equal("heading", table.rows[0],
                 "NODE BOOT HOT ONLINE OFFLINE DEVICE KERNEL MOVABLE RATIO LIMIT MEMMAP LARGEST DLOW".split())
    checks.equal("a node", table.rows[2], "1 0B 2.3G 2G 256M 0B 0B 2G all 1.50 36M 32K +2G".split())
    checks.equal("the machine", table.rows[3][:3] + table.rows[3][8:10], ["all", "1G", "2.3G", "2.00", "1.50"])
    checks.has("below", table.out, "\n\nStruct pages of hot-added memory: 36M", "Movable-only nodes: 1\n")
    bare = ctl.run("stats", "-n", "--config", policy, tree=tree)
    checks.equal("-n: only the lines", len(bare.out.splitlines()), 3)
    checks.equal("-o", ctl.run("stats", "-nb", "-o", "node,hot,unknown,available", tree=tree).rows,
                 [["0", "0", "0", str(200 * MIB - 524 * 4096)], ["1", str(2 * GIB + 256 * MIB), "0", "0"],
                  ["all", str(2 * GIB + 256 * MIB), "0", str(200 * MIB - 524 * 4096)]])
    one = ctl.unpack("host-6.18.tar.xz")
    checks.equal("one node is the machine", len(ctl.run("stats", "-n", tree=one).rows), 1)
    for arguments in (("stats", "1"), ("stats", "-o", "COLOUR"), ("stats", "--all")):
        checks.equal(f"{arguments}: exit 2", ctl.run(*arguments, tree=tree).status, 2)


def case_stats_malformed(checks, ctl):
    for name, text, line in (("zoneinfo", "garbage\n", 1), ("buddyinfo", "Node 0, zone Normal 1\nNode 1, zone Normal 1 2\n", 2),
                             ("iomem", "00000000-3fffffff : System RAM\nnonsense\n", 2)):
        tree = two_nodes(ctl)
        tree.write(f"proc/{name}", text)
        result = ctl.run("stats", "-J", tree=tree)
        checks.expect(result.status == 1 and result.out == "" and f"/proc/{name}:{line}: malformed" in result.err,
                      f"{name}: exit 1 and the line", result)
    tree = two_nodes(ctl)
    tree.remove("proc/zoneinfo")
    result = ctl.run("stats", tree=tree)
    checks.expect(result.status == 1 and "/proc/zoneinfo: cannot be read" in result.err, "a missing file", result)
    tree = two_nodes(ctl)
    tree.remove("proc/iomem")
    answer = ctl.run("stats", "-J", tree=tree)
    checks.equal("without iomem: DIMMs are known, the rest is not", (
        answer.status, answer.json["machine"]["unknown"], answer.json["machine"]["hot_added"]), (0, GIB, 2 * GIB + 256 * MIB))


def case_stats_watch(checks, ctl):
    tree = two_nodes(ctl)
    piped = Piped([ctl.program, "-s", tree.root, "stats", "--watch=100ms"])
    piped.until(lambda data: data.count(b"NODE") >= 1)
    tree.add_blocks(range(200, 208), zones="Movable", node=1, firmware="PNP0C80:03")
    piped.until(lambda data: re.search(rb"^ +1 .* 3G(\(\+\w+\))? +256M", data, re.MULTILINE))
    out, _ = piped.end(signal.SIGINT)
    # A picture may fall into the midst of the change: then it stands in two of them.
    for column, what in ((2, "hot-added"), (3, "online")):
        grown = [re.search(r"\(\+(\d+)([MG])\)", row.split()[column]) for row in out.splitlines() if re.match(r" +1 ", row)]
        checks.equal(f"what was plugged meanwhile: {what}",
                     (piped.process.returncode, sum(int(g[1]) * {"M": MIB, "G": GIB}[g[2]] for g in grown if g)), (0, GIB))
    piped = Piped([ctl.program, "-s", tree.root, "stats", "-J", "--watch=100ms"])
    piped.until(lambda data: data.count(b"\n") >= 2)
    lines = [json.loads(line) for line in piped.end(signal.SIGINT)[0].splitlines()]
    checks.expect(all(line.pop("time_usec") for line in lines), "JSON: each line has its time")
    checks.equal("... and is what stats --json prints", lines[0], ctl.run("stats", "-J", tree=tree).json)


def case_stats_this_system(checks, ctl):
    result = ctl.run("stats", "--json", "--direct")
    if result.status == 1 and "no memory blocks" in result.err:
        checks.skip("stats of this system", "it has no memory blocks")
        return
    listed = ctl.run("list", "--json", "--direct").json
    seen = result.json
    checks.equal("as many bytes as list has", (seen["machine"]["online"], seen["machine"]["offline"]),
                 (listed["online"], listed["offline"]))
    zones = ctl.run("zones", "--json").json
    kernel = sum(z["present"] for z in zones["zones"] if z["zone"] in KERNEL) * zones["page_size"]
    checks.equal("as much kernel memory as zones has", seen["machine"]["kernel"]["present"], kernel)
