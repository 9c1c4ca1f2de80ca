# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl simulate, beside the kernel's arithmetic written down again in a few lines."""

import random
import re

from .tree import GIB, MIB

BALANCE = 'rules = ( { name = "b"; action = "balance"; %s } );\n'
GUARD = 'rules = ( { name = "g"; action = "online_movable"; max_movable_ratio = 300; %s } );\n'
DYNAMIC = ("virtio-mem", "hyperv", "xen")


def start(run):
    return run.json["before"]


class Model:
    """Present memory of one machine, in bytes: kernel from boot, kernel hot-added, movable; of all, and of each node."""

    def __init__(self, before, nodes):
        self.all = [before["kernel_boot"], before["kernel_hot"], before["movable"]]
        self.nodes = nodes

    def node(self, node):
        return self.nodes.setdefault(node, [0, 0, 0])

    def allows(self, node, size, ratio, numa_aware, hot):
        sides = [self.all] + ([self.node(node)] if numa_aware else [])
        return all((side[2] + size) * 100 <= (side[0] + (side[1] if hot else 0)) * ratio and
                   side[0] + (side[1] if hot else 0) > 0 for side in sides)

    def plug(self, source, size, node, **rule):
        """Bytes that go to Movable, to Normal."""
        parts = [128 * MIB] * (size // (128 * MIB)) if source in DYNAMIC else [size]
        done = [0, 0]
        for part in parts:
            movable = self.allows(node, part, **rule)
            done[0 if movable else 1] += part
            for side in (self.all, self.node(node)):
                side[2 if movable else 1] += part
        return done


def case_simulate_balance(checks, ctl):
    """Sequences of adds on a machine of 24 GiB, against the model."""
    tree = ctl.unpack("host-6.18.tar.xz")
    rng = random.Random(4)
    wrong = []
    ways = [0, 0]
    for number in range(60):
        ratio, numa_aware, hot = rng.choice((100, 301, 400)), rng.random() < 0.5, rng.random() < 0.5
        policy = ctl.file("b.conf", BALANCE % f"movable_ratio = {ratio}; numa_aware = {str(numa_aware).lower()}; "
                                              f"count_hot_kernel = {str(hot).lower()};")
        adds = [(rng.choice(("dimm", "virtio-mem", "cxl", "xen", "standby")), rng.randint(1, 256) * 128 * MIB,
                 rng.choice((0, 0, 1))) for _ in range(rng.randint(1, 8))]
        run = ctl.run("simulate", "--json", "--config", policy, *[f"{s}:{b}@node{n}" for s, b, n in adds], tree=tree)
        seen = run.json
        before = start(run)
        model = Model(before, {0: [before["kernel_boot"], before["kernel_hot"], before["movable"]]})
        for add, simulated in zip(adds, seen["adds"]):
            expected = model.plug(*add, ratio=ratio, numa_aware=numa_aware, hot=hot)
            zones = [simulated["zones"]["Movable"], simulated["zones"]["Normal"]]
            after = simulated["after"]
            if zones != expected or [after["kernel_boot"], after["kernel_hot"], after["movable"]] != model.all or \
                    simulated["memmap"] != add[1] // 64 or simulated["refused"]:
                wrong.append((number, add, simulated, expected, model.all))
            ways = [w + (z > 0) for w, z in zip(ways, expected)]
        if seen["after"] != seen["adds"][-1]["after"] or run.status != 0:
            wrong.append((number, "totals"))
    checks.equal("60 sequences of adds: every byte where the model has it", wrong[:3], [])
    checks.expect(min(ways) > 20, f"both ways came up: {ways}")


def case_simulate_guard(checks, ctl):
    tree = ctl.unpack("host-6.18.tar.xz")
    for fallback, other in (("", "offline"), ('fallback = "online_kernel";', "Normal")):
        policy = ctl.file("g.conf", GUARD % fallback)
        adds = ctl.run("simulate", "--json", "--config", policy, "dimm:64G", "dimm:16G", "virtio-mem:16G", tree=tree).json["adds"]
        checks.equal(f"max_movable_ratio, else {other}: DIMMs as a whole", [a["zones"]["Movable"] for a in adds[:2]], [64 * GIB, 0])
        checks.equal("... and virtio-mem part by part, to the limit",
                     (adds[2]["percent_after"] <= 300 < adds[2]["percent_after"] + 2, adds[2]["zones"][other] > 0), (True, True))
        checks.equal("... and a warning says so", ["ratio" in [w["warning"] for w in a["warnings"]] for a in adds],
                     [False, True, True])


def case_simulate_refused(checks, ctl):
    """What the kernel would not take decides nothing and changes nothing."""
    tree = ctl.unpack("host-6.18.tar.xz")
    policy = ctl.file("k.conf", 'rules = ( { name = "m"; action = "online_movable"; } );\n')
    for spec, why in (("dimm:100M", "unaligned"), ("dimm:1G@0x1", "unaligned"), ("dimm:1G@64M", "unaligned"),
                      ("dimm:1G@0", "overlap"), ("dimm:1G@5G", "overlap"), ("cxl:64M", "unaligned"),
                      ("dimm:8P", "address"), ("dimm:1G@16E", None), ("dimm:4T", "no-memory")):
        run = ctl.run("simulate", "--json", "--config", policy, spec, tree=tree)
        if why is None:
            checks.equal(f"{spec}: not an address", run.status, 2)
            continue
        seen = run.json
        add = seen["adds"][0]
        checks.equal(f"{spec}: refused, {why}",
                     (run.status, add["refused"], add["rule"], add["action"], add["zones"]["refused"], seen["before"]),
                     (0, why, None, None, add["size"], seen["after"]))
    adds = ctl.run("simulate", "--json", "--config", policy, "dimm:1G@64G", "dimm:1G@64G", "dimm:1G", tree=tree).json["adds"]
    checks.equal("memory that an earlier add brought", [a["refused"] for a in adds], [None, "overlap", None])
    checks.equal("the next one comes behind it", adds[2]["start"], 65 * GIB)
    add = ctl.run("simulate", "--json", "--config", policy, "cxl:2046M@0x1000200000", tree=tree).json["adds"][0]
    checks.equal("a dax device is cut to the whole blocks in it",
                 (add["refused"], add["start"], add["size"], [w["warning"] for w in add["warnings"]][0]),
                 (None, 0x1008000000, 15 * 128 * MIB, "trimmed"))
    adds = ctl.run("simulate", "--json", "--config", policy, *["dimm:512G"] * 6, tree=tree).json["adds"]
    checks.equal("struct pages run out, of memory that is free and of file cache",
                 ([a["refused"] for a in adds].count("no-memory") >= 3, adds[0]["refused"]), (True, None))
    checks.equal("... each add takes its own", adds[1]["before"]["kernel_free"], adds[0]["before"]["kernel_free"] - 8 * GIB)
    checks.equal("... and warnings tell of too much movable memory without a limit",
                 "no-limit" in [w["warning"] for w in adds[0]["warnings"]], True)
    add = ctl.run("simulate", "--json", "--config", policy, "dimm:1G@node5", tree=tree).json["adds"][0]
    checks.equal("a node of its own", [w["warning"] for w in add["warnings"]], ["movable-only-node"])
    nothing = ctl.file("n.conf", "rules = ( );\n")
    add = ctl.run("simulate", "--json", "--config", nothing, "dimm:1G", tree=tree).json["adds"][0]
    checks.equal("no rule", (add["zones"]["offline"], [w["warning"] for w in add["warnings"]]), (GIB, ["no-rule"]))


def case_simulate_usage(checks, ctl):
    for spec, expected in (("dimm", "SOURCE:SIZE"), ("", "SOURCE:SIZE"), ("dim:1G", 'did you mean "dimm"'), (":1G", "not a source"),
                           ("boot:1G", "not a source"), ("dimm:", "not a size"), ("dimm:0", "not a size"),
                           ("dimm:-1G", "not a size"), ("dimm:1G@", "nodeN or an address"), ("dimm:1G@nod1", "nodeN or an address"),
                           ("dimm:1G@node1024", "node0 to node1023"), ("dimm:1G@node", "not a node"),
                           ("dimm:1G@node1@node2", "one node"), ("dimm:1G@4G@8G", "one address"), ("\x1b[2J:1G", "not a source"),
                           ("d" * 5000 + ":1G", "not a source"), ("dimm:" + "1" * 5000, "not a size")):
        run = ctl.run("simulate", spec)
        checks.expect(run.status == 2 and run.out == "" and expected in run.err and "\x1b" not in run.err,
                      f"{spec[:40]!r}: exit 2, and what was expected", run)
    run = ctl.run("simulate", "dimm", "dim:1G", "dimm:1G")
    checks.equal("all that is wrong is told at once", len(run.err.splitlines()), 2)
    run = ctl.run("simulate", "-o", "ADD,COLOUR", "dimm:1G")
    checks.equal("columns", run.status, 2)


def case_simulate_text(checks, ctl):
    tree = ctl.unpack("host-6.18.tar.xz")
    policy = ctl.file("b.conf", BALANCE % "")
    specs = ["dimm:64G@node0", "virtio-mem:64G", "dimm:100M", "dimm:16G@node1"]
    run = ctl.run("simulate", "--config", policy, *specs, tree=tree)
    checks.equal("a line for each add", [r[0] for r in run.rows[1:]], specs)
    checks.expect(all(len(line) <= 80 for line in run.out.split("\n\n")[0].splitlines()), "in 80 columns", run)
    checks.has("the rule with its line, and why", run.out, f'rule "b" ({policy}:1) says balance', "the limit is 301 %", "later: ",
               "warning: the kernel would refuse it", "before: ", "after: ")
    plain = ctl.run("simulate", "--config", policy, "-n", *specs, tree=tree)
    checks.equal("--no-legend: the table alone", [r[0] for r in plain.rows] + [plain.out.count("\n\n")], specs + [0])
    numbers = ctl.run("simulate", "--config", policy, "-nb", "-o", "MEMMAP,FREE", "dimm:64G", tree=tree)
    checks.expect(re.fullmatch(r"\s*1073741824\s+\d+\n", numbers.out), "--bytes, -o", numbers)
    tree = ctl.tree()
    tree.add_blocks(range(8))
    run = ctl.run("simulate", "--config", policy, "dimm:1G", tree=tree)
    checks.has("no /proc/zoneinfo: kernel memory, and a warning", run.out, "Normal", "nothing can be balanced")
