# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl map: the picture in the terminal, as JSON and as SVG."""

import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

from . import machines
from .ctl import TESTS
from .tree import GIB, MIB, machine

BLOCK = 128 * MIB
SVG = "{http://www.w3.org/2000/svg}"

PICTURE = """\
              ╷+256M  ╷+512M  ╷+768M
    0 +++ NNN NNN NNN NNN NNN NNN NNN  ─ node 0: boot
    ⋮ ╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 3G ╌╌╌╌╌╌╌╌╌╌╌╌╌╌
   4G MMM MMM MMM MMM MMM MMM MMM MMM  ┐ node 1: dimm PNP0C80:01
   5G NNN NNN ········· 768M ········· ┘ dimm PNP0C80:02
   6G MMM MMM MMM MMM                  ─ node 2: virtio0
    ⋮ ╌╌╌╌╌╌╌╌╌╌╌╌╌ 1.5G ╌╌╌╌╌╌╌╌╌╌╌╌╌
   8G ooo ooo ooo                      ─ node 3: pmem dax0.0
    ⋮ ╌╌╌╌╌╌╌╌╌╌╌╌╌ 1.6G ╌╌╌╌╌╌╌╌╌╌╌╌╌
  10G MMM MMM                          ─ node 4: driver nvidia

N Normal 1.1G  M Movable 1.8G  + several zones 128M
o offline 384M  · nothing there  4 columns: one block of 128M
"""


def lines_of(text):
    return text.splitlines()


def without_colours(text):
    return re.sub(r"\033\[[0-9;]*m", "", text)


# -- in the terminal

def case_map_text(checks, ctl):
    tree = machine(ctl.tree())
    result = ctl.run("map", tree=tree, COLUMNS="64", LINES="24")
    checks.equal("exits with 0, complains about nothing", (result.status, result.err), (0, ""))
    checks.equal("the picture", result.out, PICTURE)
    ascii_only = ctl.run("map", tree=tree, locale="C", COLUMNS="64").out
    checks.expect(ascii_only.isascii(), "in a locale without UTF-8: ASCII", ascii_only)
    checks.equal("... and otherwise the same", ascii_only,
                 PICTURE.translate(str.maketrans("╷⋮╌·┐┘─", "|:-..'-")))
    checks.equal("TERM=dumb: ASCII", ctl.run("map", tree=tree, COLUMNS="64", TERM="dumb").out, ascii_only)
    bare = ctl.run("map", "-n", tree=tree, COLUMNS="64").out
    checks.equal("--no-legend: neither axis nor legend", bare, "\n".join(PICTURE.splitlines()[1:10]) + "\n")
    checks.has("--bytes: exact", ctl.run("map", "-b", tree=tree, COLUMNS="100").out, "0x100000000 ", "0x280000000 ",
               "Normal 1207959552", "one block of 134217728")


def case_map_by(checks, ctl):
    tree = machine(ctl.tree())
    for by, expected in (("state", ["OOO", "ooo", "O online 3G", "o offline 384M"]),
                         ("zone", ["NNN", "+++", "MMM", "ooo", "M Movable"]),
                         ("source", ["BBB", "DDD", "VVV", "mmm", "m pmem offline 384M", "RRR"])):
        checks.has(f"--by {by}", ctl.run("map", "--by", by, tree=tree, COLUMNS="64").out, *expected)
    result = ctl.run("map", "--by", "sate", tree=tree)
    checks.expect(result.status == 2 and result.out == "" and 'did you mean "state"' in result.err, "unknown: exit 2", result)
    checks.equal("other verbs do not take it", ctl.run("list", "--by", "state", tree=tree).status, 2)
    tree.add_blocks([100], state="going-offline").add_blocks([101], state="quarantined").add_blocks([102], zones=None)
    checks.has("odd states", ctl.run("map", tree=tree).out, "g going-offline 128M", "x other state 128M",
               "? unknown zone 128M")


def case_map_width(checks, ctl):
    for name, tree in (("a small machine", machine(ctl.tree())), ("a large one", machines.large(ctl)),
                       ("one with gaps", machines.gaps(ctl)), ("a captured one", ctl.unpack("vm-6.1.tar.xz"))):
        wrong = []
        for width in [*range(20, 150), *range(150, 401, 9), 400, 1, 5000]:
            for arguments in ([], ["--by", "source"], ["-b"]):
                out = ctl.run("map", *arguments, tree=tree, COLUMNS=str(width)).out
                longest = max(len(line) for line in lines_of(out))
                if longest > min(max(width, 20), 400):
                    wrong.append((width, arguments, longest))
        checks.equal(f"{name}: no line is longer than 20 to 400 columns allow", wrong, [])
    tree = machine(ctl.tree())
    checks.equal("no terminal and no COLUMNS: 80", ctl.run("map", tree=tree, COLUMNS="").out,
                 ctl.run("map", tree=tree, COLUMNS="80").out)


def case_map_lines(checks, ctl):
    tree = ctl.tree()
    for n in range(2000):
        tree.add_block(n, zones="Movable" if n % 500 > 400 else "Normal", node=n // 1000,
                       state="offline" if n == 777 else "online")
    for lines in (1, 20, 30, 40, 100):
        out = ctl.run("map", tree=tree, COLUMNS="100", LINES=str(lines)).out
        checks.expect(len(lines_of(out)) <= max(lines, 8 + 8), f"fits a terminal of {lines} lines", out)
        checks.has("one block of 2000 that is offline is seen", out, "%", "o offline 128M", "several, some offline")


def case_map_colours(checks, ctl):
    tree = machine(ctl.tree())
    out = ctl.run_on_terminal("map", tree=tree, columns=64)
    checks.has("256 colours", out, "\033[38;5;69m", "\033[38;5;214m", "█", "▉", "▄")
    checks.expect(out.endswith("\033[0m one block of 128M\n") or "\033[" not in out.splitlines()[-1].split("there")[1],
                  "no colour is left behind", repr(out[-200:]))
    plain = without_colours(out)
    checks.equal("the same picture", re.sub("[█▉▄▖]", "x", plain).splitlines()[1:10],
                 re.sub(r"(\S)\1\1 ", lambda m: "xxxx" if m[1] in "+MNo" else m[0], PICTURE).splitlines()[1:10])
    checks.has("8 colours", ctl.run_on_terminal("map", tree=tree, TERM="xterm"), "\033[34m", "\033[33m")
    checks.has("COLORTERM", ctl.run_on_terminal("map", tree=tree, TERM="xterm", COLORTERM="truecolor"), "\033[38;5;69m")
    for name, variables in (("NO_COLOR", {"NO_COLOR": "1"}), ("TERM=dumb", {"TERM": "dumb"}), ("no TERM", {"TERM": ""})):
        out = ctl.run_on_terminal("map", tree=tree, columns=64, **variables)
        checks.expect("\033" not in out, f"{name}: no colours", repr(out))
        checks.equal(f"{name}: letters, as on a pipe", out, ctl.run("map", tree=tree, COLUMNS="64", **variables).out)
    checks.has("an empty NO_COLOR says nothing", ctl.run_on_terminal("map", tree=tree, NO_COLOR=""), "\033[38;5;69m")
    checks.expect("\033" not in ctl.run("map", tree=tree, TERM="xterm-256color").out, "no colours on a pipe")
    for columns in (20, 61, 113, 400):
        longest = max(map(len, lines_of(without_colours(ctl.run_on_terminal("map", tree=tree, columns=columns)))))
        checks.expect(longest <= columns, f"a terminal of {columns} columns", longest)


def case_map_nothing(checks, ctl):
    result = ctl.run("map", tree=ctl.tree())
    checks.expect(result.status == 0, "no blocks at all", result)
    checks.equal("... as JSON", [ctl.run("map", "--json", tree=ctl.tree()).json[k] for k in ("cells", "ranges", "holes")],
                 [[], [], []])
    tree = ctl.tree().add_blocks([0, 1]).add_blocks([2**32 - 1], node=1)
    out = ctl.run("map", tree=tree, COLUMNS="30").out
    checks.has("addresses without room are rounded, and say so", out, " ~512P ")
    checks.has("... and exact where there is room", ctl.run("map", tree=tree, COLUMNS="80").out, "536870911G ")
    tree = machine(ctl.tree())
    tree.write("proc/iomem", "nonsense\n")
    result = ctl.run("map", tree=tree)
    checks.expect(result.status == 1 and "/proc/iomem:1: malformed" in result.err and "node 1" in result.out,
                  "malformed: exit 1, the line, and the picture", result)
    tree.remove("proc/iomem")
    result = ctl.run("map", tree=tree)
    checks.expect(result.status == 0 and "/proc/iomem" in result.err and "node 1" in result.out,
                  "unreadable: a hint, and the picture", result)


# -- JSON

def check_json(checks, ctl, name, tree, by):
    seen = ctl.run("map", "--json", "--by", by, tree=tree, COLUMNS="100").json
    listed = ctl.run("list", "--json", "-S", "STATE,NODE,ZONES,SOURCE,DEVICE", tree=tree).json
    keys = ("start", "size", "state", "zones", "nodes", "source", "device")
    blocks = [r for r in seen["ranges"] if r["state"]]
    checks.equal(f"{name}, by {by}: ranges as list has them", [{k: r[k] for k in keys} for r in blocks],
                 [{k: r[k] for k in keys} for r in listed["ranges"]])
    checks.equal("... device memory, too", [(r["start"], r["size"], r["device"]) for r in seen["ranges"] if not r["state"]],
                 [(d["start"], d["size"], d["holder"]) for d in listed["device_memory"]])
    checks.equal("all bytes are in the cells", sum(c["bytes"] for c in seen["cells"]),
                 sum(r["size"] for r in seen["ranges"]))
    ends = [(r["start"], r["start"] + r["size"]) for r in seen["ranges"]]
    checks.equal("holes are what is between", [(h["start"], h["start"] + h["size"]) for h in seen["holes"]],
                 [(a[1], b[0]) for a, b in zip(ends, ends[1:]) if b[0] > a[1]])
    size = seen["cell_size"]
    wrong = []
    for cell in seen["cells"]:
        inside = [r for r in seen["ranges"] if r["start"] < cell["start"] + size and cell["start"] < r["start"] + r["size"]]
        line = seen["lines"][cell["line"]]
        if {v["value"] for v in cell["values"]} != {r["value"] for r in inside} or \
                line["start"] + cell["column"] * size != cell["start"] or cell["column"] >= seen["columns"]:
            wrong.append(cell)
    checks.equal("each cell has the values of its ranges, and its place", wrong, [])


def case_map_json(checks, ctl):
    for name, tree in (("a small machine", machine(ctl.tree())), ("a large one", machines.large(ctl)),
                       ("one with gaps", machines.gaps(ctl)), ("a captured one", ctl.unpack("vm-6.1.tar.xz"))):
        for by in ("zone", "state", "source"):
            check_json(checks, ctl, name, tree, by)
    seen = ctl.run("map", "--json", tree=machine(ctl.tree())).json
    checks.equal("keys", list(seen), ["by", "block_size", "cell_size", "columns", "lines", "cells", "ranges", "holes"])
    checks.equal("a line", seen["lines"][2], {"start": 5 * GIB, "nodes": [1], "devices": "dimm PNP0C80:02"})
    checks.equal("a cell", seen["cells"][-3], {"start": 66 * BLOCK, "bytes": BLOCK, "line": 4, "column": 2,
                                               "values": [{"value": "offline", "offline": True}]})


# -- SVG

def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check_colours(checks, style):
    """WCAG 2: 4.5 for text, 3 for what is drawn; each set is complete."""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    sets = [dict(re.findall(r"\.(\w+) \{ (?:fill|stroke): (#[0-9a-f]{6}) \}", text)) for text in (light, dark)]
    checks.equal("both sets have the same classes", sorted(sets[0]), sorted(sets[1]))
    for name, colours in zip(("light", "dark"), sets):
        ground = colours["ground"]
        low = [c for c in ("text", "soft") if contrast(colours[c], ground) < 4.5]
        low += [c for c in colours if re.match(r"[vs]\d", c) and contrast(colours[c], ground) < 3]
        checks.equal(f"enough contrast, {name}", low, [])
    return sets[0]


def check_svg(checks, text):
    root = ElementTree.fromstring(text)
    checks.equal("is SVG", root.tag, SVG + "svg")
    ids = {e.get("id"): e for e in root.iter() if e.get("id")}
    checks.equal("ids are unique", len(ids), len([e for e in root.iter() if e.get("id")]))
    labels = [ids[i].tag for i in root.get("aria-labelledby").split()]
    checks.equal("title and description", (root.get("role"), labels, [bool(ids[i].text) for i in
                                                                      root.get("aria-labelledby").split()]),
                 ("img", [SVG + "title", SVG + "desc"], [True, True]))
    used = set(re.findall(r"url\(#([\w-]+)\)", text))
    checks.equal("fills are defined", used - set(ids), set())
    outside = re.findall(r"(?:href|src)=|@import|url\([^#]|<(?:script|image|foreignObject|use)\b|\bon\w+=", text)
    checks.equal("nothing from elsewhere, nothing that runs", outside, [])
    style = root.find(SVG + "style").text
    colours = check_colours(checks, style)
    classes = {c for e in root.iter() for c in (e.get("class") or "").split()}
    checks.equal("classes are defined", {c for c in classes if c not in colours and f".{c} " not in style}, set())
    width, height = float(root.get("width")), float(root.get("height"))
    checks.equal("scales", root.get("viewBox"), f"0 0 {width:g} {height:g}")
    wrong = []
    for e in root.iter():
        if e.tag == SVG + "rect" and e.get("x"):
            x, y, w, h = (float(e.get(k)) for k in ("x", "y", "width", "height"))
            if x < 0 or y < 0 or w <= 0 or h <= 0 or x + w > width or y + h > height:
                wrong.append(ElementTree.tostring(e))
        if e.tag == SVG + "text":
            length = 7.3 * len("".join(e.itertext()))
            anchor = (e.get("class") or "").split()
            x = float(e.get("x")) - (length if "end" in anchor else length / 2 if "middle" in anchor else 0)
            if x < 0 or x + length > width or float(e.get("y")) > height:
                wrong.append(ElementTree.tostring(e))
    checks.equal("everything is within the picture", wrong, [])
    return root


def case_map_svg(checks, ctl):
    for name, tree in (("small", machine(ctl.tree())), ("large", machines.large(ctl)), ("gaps", machines.gaps(ctl)),
                       ("captured", ctl.unpack("vm-6.1.tar.xz")), ("boot memory", ctl.unpack("host-6.18.tar.xz")),
                       ("nothing", ctl.tree()), ("far", ctl.tree().add_blocks([0, 2**32 - 1]))):
        checks.case = f"map svg: {name}"
        for by in ("zone", "state", "source"):
            result = ctl.run("map", "--svg", "-", "--by", by, tree=tree)
            checks.equal("exits with 0, complains about nothing", (result.status, result.err), (0, ""))
            check_svg(checks, result.out)


def case_map_svg_file(checks, ctl):
    tree = machine(ctl.tree())
    path = os.path.join(ctl.folder, "map.svg")
    result = ctl.run("map", "--svg", path, tree=tree)
    checks.equal("prints nothing", (result.status, result.out, result.err), (0, "", ""))
    with open(path, encoding="utf-8") as f:
        text = f.read()
    root = check_svg(checks, text)
    checks.equal("as on standard output", text, ctl.run("map", "--svg", "-", tree=tree).out)
    tips = [e.find(SVG + "title").text for e in root.iter(SVG + "rect") if e.find(SVG + "title") is not None]
    checks.equal("boxes say what they are", tips[2:4], [
        "0x100000000-0x13fffffff, 1 GiB: Movable; node 1; dimm PNP0C80:01",
        "0x140000000-0x14fffffff, 256 MiB: Normal; node 1; dimm PNP0C80:02"])
    checks.has("the description", root.find(SVG + "desc").text, "3 GiB online, 384 MiB offline")
    result = ctl.run("map", "--svg", os.path.join(ctl.folder, "no/such/map.svg"), tree=tree)
    checks.expect(result.status == 1 and "map.svg: cannot be written: No such file" in result.err, "no such folder: exit 1",
                  result)
    result = ctl.run("map", "--svg", "/dev/full", tree=tree)
    checks.expect(result.status == 1 and "/dev/full: cannot be written: No space" in result.err, "a full disk: exit 1", result)
    checks.equal("not with --json", ctl.run("map", "--svg", "-", "--json", tree=tree).status, 2)
    with open(os.path.join(os.path.dirname(TESTS), "docs/map.svg"), encoding="utf-8") as f:
        checks.equal("the README's picture is what is drawn today", f.read(),
                     ctl.run("map", "--svg", "-", tree=ctl.unpack("vm-6.1.tar.xz")).out)
    try:
        tool = subprocess.run(["xmllint", "--noout", path], stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        checks.skip("xmllint agrees", "xmllint is not installed")
    else:
        checks.equal("xmllint agrees", (tool.returncode, tool.stderr), (0, b""))


def case_map_hostile(checks, ctl):
    tree = ctl.tree().add_blocks([0, 1]).add_blocks([8], firmware="<script>&\"'\x1b[31m")
    tree.resource(1, 1, "System RAM (\x1b[2J</title><a&b>)")
    for arguments in ([], ["--by", "source"]):
        out = ctl.run("map", *arguments, tree=tree, COLUMNS="120").out
        checks.expect("\x1b" not in out, "no control character", repr(out))
        text = ctl.run("map", "--svg", "-", *arguments, tree=tree).out
        root = check_svg(checks, text)
        checks.has("names are text, whatever they hold", "".join(root.itertext()), "<script>&\"'?[31m", "?[2J</title><a&b>")


def case_map_many(checks, ctl):
    tree = ctl.tree()
    for n in range(4096):
        tree.add_block(n, zones="Normal" if n % 2 else "Movable", node=n // 1024)
    result = ctl.run("map", tree=tree, COLUMNS="80", LINES="24")
    checks.expect(result.status == 0 and len(lines_of(result.out)) <= 24, "4096 blocks that alternate", result)
    checks.has("each node has its lines", result.out, *[f"node {n}: " for n in range(4)])
    text = ctl.run("map", "--svg", "-", tree=tree).out
    check_svg(checks, text)
    checks.expect(len(text) < 200000, "as a small document", len(text))
