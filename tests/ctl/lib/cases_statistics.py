# SPDX-License-Identifier: LGPL-2.1-or-later
"""zones and buddy: what they print, when they refuse, and how they go on with --watch."""

import json
import os
import re
import select
import signal
import subprocess
import time

from .terminal import PATIENCE, Terminal
from .tree import BUDDYINFO, ZONEINFO, buddy_text, machine, zone_text


# -- zones, buddy

def case_zones(checks, ctl):
    tree = machine(ctl.tree())
    answer = ctl.run("zones", "--json", tree=tree).json
    checks.equal("keys", list(answer), ["page_size", "zones", "nodes"])
    checks.equal("a captured system does not tell its page size", answer["page_size"], None)
    counters = answer["zones"][0].pop("counters")
    checks.equal("a zone", answer["zones"][0], {
        "node": 0, "zone": "Normal", "free": 1000, "min": 10, "low": 20, "high": 30,
        "distance": {"min": 990, "low": 980, "high": 970}, "spanned": 32768, "present": 32000,
        "managed": 31000, "protection": [0, 0, 7], "pcp_free": 5})
    checks.equal("its counters, and not the node's", counters, {
        "boost": 0, "cma": 0, "nr_free_pages": 1000, "nr_zspages": 3, "node_unreclaimable": 0, "start_pfn": 4096})
    checks.equal("the nodes' counters", answer["nodes"],
                 [{"node": 0, "counters": {"nr_inactive_anon": 17, "nr_dirtied": 4096}}])
    checks.equal("one node", [z["zone"] for z in ctl.run("zones", "1", "--json", tree=tree).json["zones"]], ["Movable"])
    checks.equal("with --all, what each CPU has", [z["pagesets"] for z in ctl.run("zones", "-aJ", tree=tree).json["zones"]],
                 [[{"cpu": 0, "count": 5, "high": 378, "batch": 63, "vm_stats_threshold": 6}], []])
    table = ctl.run("zones", tree=tree)
    checks.equal("heading", table.rows[0], "NODE ZONE FREE MIN LOW HIGH DMIN DLOW DHIGH SPANNED PRESENT MANAGED".split())
    checks.equal("a line, in pages", table.rows[1], "0 Normal 1000 10 20 30 +990 +980 +970 32768 32000 31000".split())
    checks.has("... which is said", table.out, "pages")
    checks.equal("-o +PCP", ctl.run("zones", "-no", "+PCP", tree=tree).rows[0][-1], "5")
    for node in ("node:1", "0-1"):
        checks.equal(f"{node} is a node, too", ctl.run("zones", node, tree=tree).status, 0)
    for node, status in (("9", 1), ("x", 2), ("", 2)):
        result = ctl.run("zones", node, tree=tree)
        checks.expect(result.status == status and result.out == "" and result.err, f"node {node!r}: exit {status}",
                      result)
    tree.statistics(zoneinfo=ZONEINFO.replace("nr_zspages   3", "nr_zspages   18446744073709551615"))
    counters = ctl.run("zones", "--json", tree=tree).json["zones"][0]["counters"]
    checks.expect(counters["nr_zspages"] > 1.8e19, "a counter below zero is not told as a small number", counters)
    tree.statistics(zoneinfo=ZONEINFO.replace("pages free     1000", "pages free     12"))
    checks.equal("below its watermarks", ctl.run("zones", "0", "-no", "DMIN,DLOW,DHIGH", tree=tree).rows, [["+2", "-8", "-18"]])
    checks.equal("... in JSON", ctl.run("zones", "0", "-J", tree=tree).json["zones"][0]["distance"],
                 {"min": 2, "low": -8, "high": -18})


def case_buddy(checks, ctl):
    tree = machine(ctl.tree())
    result = ctl.run("buddy", "--json", tree=tree)
    checks.equal("JSON", result.json, {"zones": [
        {"node": 0, "zone": "Normal", "free_blocks": [4, 2, 1], "free_pages": 12, "largest_order": 2,
         "unusable": [0.0, 0.333333, 0.666667]},
        {"node": 1, "zone": "Movable", "free_blocks": [0, 0, 0], "free_pages": 0, "largest_order": -1,
         "unusable": [1.0, 1.0, 1.0]}]})
    table = ctl.run("buddy", tree=tree)
    checks.equal("heading with a column an order", table.rows[0], "NODE ZONE FREE LARGEST 0 1 2".split())
    checks.equal("lines", table.rows[1:], [["0", "Normal", "12", "4", "4", "2", "1"],
                                           ["1", "Movable", "0", "-", "0", "0", "0"]])
    checks.equal("then how fragmented it is", [line.split() for line in table.out.split("\n\n")[1].splitlines()[1:]],
                 [["NODE", "ZONE", "0", "1", "2"], ["0", "Normal", "0%", "33%", "67%"],
                  ["1", "Movable", "100%", "100%", "100%"]])
    checks.equal("-o with all orders", ctl.run("buddy", "-n", "-o", "ORDERS,NODE", tree=tree).rows[0],
                 ["4", "2", "1", "0"])
    checks.equal("-o UNUSABLE", ctl.run("buddy", "-n", "-o", "ZONE,UNUSABLE", tree=tree).rows[0],
                 ["Normal", "0%", "33%", "67%"])
    checks.equal("one node", len(ctl.run("buddy", "1", "--json", tree=tree).json["zones"]), 1)


def case_statistics_malformed(checks, ctl):
    tree = machine(ctl.tree())
    names = {"zones": "zoneinfo", "buddy": "buddyinfo"}
    for verb, text, line in (("zones", ZONEINFO.replace("low      20", "low      twenty"), 8),
                             ("zones", ZONEINFO.replace("low      20", "low      20\n        min      20"), 9),
                             ("zones", ZONEINFO.replace("count: 5", "count: five"), 19),
                             ("zones", ZONEINFO[:300], 14), ("zones", "", 1), ("zones", "\0\xff", 1),
                             ("buddy", BUDDYINFO + "Node 2, zone Normal 1 2\n", 3), ("buddy", BUDDYINFO[:-3], 2),
                             ("buddy", "", 1), ("buddy", "Node 0, zone Normal 99999999999999999999\n", 1)):
        tree.statistics(**{names[verb]: text})
        for watch in ([], ["--watch"]):
            result = ctl.run(verb, *watch, tree=tree)
            checks.expect(result.status == 1 and result.out == "" and
                          re.match(rf"memhpctl: /proc/{names[verb]}:{line}: malformed", result.err),
                          f"{verb} {watch}: {text[-24:]!r}: exit 1 and the line", result)
    tree.remove("proc/zoneinfo")
    result = ctl.run("zones", tree=tree)
    checks.expect(result.status == 1 and "/proc/zoneinfo: cannot be read" in result.err, "a missing file", result)


def free_pages(zones, buddy):
    """(zone, free pages of zoneinfo, of buddyinfo, by how much they may differ): what the per-CPU lists have is in neither,
    and each CPU tells of its changes only when they add up to its threshold."""
    blocks = {(z["node"], z["zone"]): z["free_pages"] for z in buddy["zones"]}
    for z in zones["zones"]:
        if z["present"]:
            slack = z["pcp_free"] + sum(p["vm_stats_threshold"] for p in z["pagesets"])
            yield (z["node"], z["zone"]), z["free"], blocks.get((z["node"], z["zone"])), slack


def case_free_pages_agree(checks, ctl):
    for name in ("vm-6.1.tar.xz", "host-6.18.tar.xz"):
        tree = ctl.unpack(name)
        found = list(free_pages(ctl.run("zones", "-aJ", tree=tree).json, ctl.run("buddy", "-J", tree=tree).json))
        checks.expect(len(found) >= 3 and all(b is not None and abs(a - b) <= slack for _, a, b, slack in found),
                      f"{name}: the sum of the buddies is what is free in each zone, but for what the CPUs have", found)
    if not all(os.access(f"/proc/{name}", os.R_OK) for name in ("zoneinfo", "buddyinfo")):
        checks.skip("the same of this machine", "/proc/zoneinfo or /proc/buddyinfo is not there, or not for this user")
        return
    for _ in range(1000):       # it does not stand still between the two
        found = list(free_pages(ctl.run("zones", "-aJ").json, ctl.run("buddy", "-J").json))
        if all(b is not None and abs(a - b) <= slack for _, a, b, slack in found):
            break
    checks.expect(found and all(b is not None and abs(a - b) <= slack for _, a, b, slack in found),
                  "the same of this machine", found)
    # What the kernel itself counts twice.
    zones = ctl.run("zones", "-aJ").json["zones"]
    checks.expect(all(z["free"] == z["counters"]["nr_free_pages"] for z in zones if "nr_free_pages" in z["counters"]),
                  "pages free is nr_free_pages", zones)
    checks.expect(all(z["managed"] <= z["present"] <= z["spanned"] for z in zones), "managed ≤ present ≤ spanned", zones)
    checks.expect(all(z["min"] <= z["low"] <= z["high"] for z in zones), "min ≤ low ≤ high", zones)


# -- watch

def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm")


def change(tree, free, blocks):
    """Another zoneinfo and buddyinfo, from one moment to the next."""
    for name, text in (("zoneinfo", zone_text(0, "Normal", 0, 262144, free) + zone_text(1, "Movable", 262144, 0, 0)),
                       ("buddyinfo", buddy_text(0, "Normal", blocks))):
        tree.write(f"proc/{name}.new", text)
        os.rename(os.path.join(tree.root, f"proc/{name}.new"), os.path.join(tree.root, f"proc/{name}"))


def watched(ctl):
    tree = ctl.tree().manifest("x86_64", 4096)
    change(tree, 4096, [0, 0, 1024])
    return tree


def case_watch_terminal(checks, ctl):
    for verb in ("zones", "buddy"):
        tree = watched(ctl)
        terminal = Terminal([ctl.program, "-s", tree.root, verb, "--watch=100ms"], environment())
        try:
            terminal.wait_frame()
            checks.expect(terminal.modes == {"1049": True, "25": False, "7": False}, f"{verb}: a screen of its own",
                          terminal.modes)
            checks.has(f"{verb}: what is watched, and how often", terminal.screen[0], f"memhpctl {verb}, every 0.1 s")
            checks.expect(terminal.screen[1] == "" and "NODE ZONE" in terminal.screen[2] and "16M " in terminal.screen[3],
                          f"{verb}: the table", terminal.screen)
            change(tree, 6144, [2048, 0, 1024])
            line = terminal.wait_picture("the difference", lambda picture: "24M(+8M)" in picture[3])[3]
            if verb == "buddy":
                checks.has("buddy: which blocks are new", line, "2048(+2048)", " 1024 ")
            rate = re.search(r"\+([\d.]+)M/s", line)
            checks.expect(rate and 0 < float(rate.group(1)) <= 80, f"{verb}: ... and how fast it grew", line)
            terminal.wait_picture("no difference any more", lambda picture: "24M " in picture[3] and
                                  picture[3].rstrip().endswith("-"))
            terminal.resize(3, 30)
            terminal.wait_for("the smaller picture", lambda t=terminal: "lines more" in t.screen[2])
            scrolled = terminal.scrolled
            terminal.wait_frame()
            checks.equal(f"{verb}: a smaller terminal: nothing scrolls", terminal.scrolled, scrolled)
            terminal.resize(40, 120)
            terminal.wait_for("the larger picture", lambda t=terminal: "24M " in t.screen[3])
            terminal.type(b"\x03")
            checks.equal(f"{verb}: ^C is exit 0", terminal.wait_end(), 0)
            checks.expect(terminal.unchanged(), f"{verb}: the terminal is as it was", terminal.modes)
            checks.equal(f"{verb}: nothing ever scrolled", terminal.scrolled, scrolled)
        finally:
            terminal.close()


def case_watch_resize(checks, ctl):
    """Drawn anew at once, not only when it is time again."""
    tree = watched(ctl)
    terminal = Terminal([ctl.program, "-s", tree.root, "zones", "--watch=1h"], environment())
    try:
        terminal.wait_frame()
        terminal.resize(10, 60)
        terminal.wait_frame()
        checks.has("drawn anew for the other size", terminal.screen[3], "16M")
        for _ in range(2):
            terminal.type(b"\x1a")
            terminal.wait_for("that it stopped", lambda: not terminal.modes["1049"])
            checks.expect(terminal.unchanged(), "^Z: the terminal is the shell's", terminal.modes)
            until_stopped(terminal.process.pid)
            terminal.process.send_signal(signal.SIGCONT)
            terminal.wait_for("the picture again", lambda: terminal.modes["1049"] and "16M" in terminal.screen[3])
        terminal.process.send_signal(signal.SIGTERM)
        checks.equal("SIGTERM: ends by it", terminal.wait_end(), -signal.SIGTERM)
        checks.expect(terminal.unchanged(), "... and the terminal is as it was", terminal.modes)
    finally:
        terminal.close()


def until_stopped(pid):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            if f.read().rpartition(")")[2].split()[0] == "T":
                return
        time.sleep(0.01)
    raise AssertionError("never stopped")


def case_watch_fails(checks, ctl):
    tree = watched(ctl)
    terminal = Terminal([ctl.program, "-s", tree.root, "zones", "--watch=100ms"], environment())
    try:
        terminal.wait_frame()
        tree.write("proc/zoneinfo", "garbage\n")
        checks.equal("a file that goes bad: exit 1", terminal.wait_end(), 1)
        checks.expect(terminal.unchanged() and b"/proc/zoneinfo:1: malformed" in terminal.raw.rpartition(b"1049l")[2],
                      "... and why is said where it stays to be read", terminal.raw[-200:])
    finally:
        terminal.close()
    for text in ("0", "50ms", "x", "-1", "2 s", "999999h"):
        result = ctl.run("zones", f"--watch={text}", tree=tree)
        checks.expect(result.status == 2 and result.out == "" and "--watch=" in result.err, f"--watch={text}: exit 2", result)
    for verb in ("list", "check", "hold"):
        result = ctl.run(verb, "--watch", tree=tree)
        checks.expect(result.status == 2 and "--watch" in result.err, f"{verb} does not take it", result)


class Piped:
    """A program whose output is read line by line."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.data = b""

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition(self.data):
            assert time.monotonic() < end, self.data
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                self.data += os.read(self.process.stdout.fileno(), 65536)
        return self.data.decode()

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return (self.data + out).decode(), err.decode()


def case_watch_pipe(checks, ctl):
    tree = watched(ctl)
    piped = Piped([ctl.program, "-s", tree.root, "zones", "--watch=100ms"])
    piped.until(lambda data: data.count(b"NODE ZONE") >= 1)
    change(tree, 6144, [0])
    piped.until(lambda data: b"24M(+8M)" in data and data.count(b"NODE ZONE") >= 4)
    out, err = piped.end(signal.SIGINT)
    checks.equal("SIGINT is exit 0", (piped.process.returncode, err), (0, ""))
    checks.expect("\x1b" not in out and "\r" not in out, "no escape code", out[:200])
    blocks = re.split(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$", out, flags=re.MULTILINE)
    checks.expect(blocks[0] == "" and len(blocks) >= 8 and all(
        re.fullmatch(r"\n\nNODE ZONE .*\n +0 Normal .*\n\n?", b) for b in blocks[2::2]), "one block after the other", out)
    bare = Piped([ctl.program, "-s", tree.root, "zones", "-n", "--watch=100ms", "-o", "FREE"])
    bare.until(lambda data: data.count(b"24M") >= 2)
    checks.expect(re.fullmatch(r" *24M\n(\n *24M\n)+", bare.end(signal.SIGINT)[0]), "-n: nothing but the lines", bare.data)
    deaf = Piped([ctl.program, "-s", tree.root, "zones", "--watch=1h"])
    deaf.until(lambda data: b"24M" in data)
    deaf.process.stdout.close()
    checks.equal("whoever read goes away: it ends", (deaf.process.wait(PATIENCE), deaf.process.stderr.read()), (0, b""))


def case_watch_json(checks, ctl):
    tree = watched(ctl)
    for verb in ("zones", "buddy"):
        change(tree, 4096, [0, 0, 1024])
        piped = Piped([ctl.program, "-s", tree.root, verb, "--json", "--watch=100ms"])
        piped.until(lambda data: data.count(b"\n") >= 1)
        change(tree, 6144, [2048, 0, 1024])
        piped.until(lambda data: data.count(b"6144") >= 1 and data.count(b"\n") >= 3)
        lines = [json.loads(line) for line in piped.end(signal.SIGINT)[0].splitlines()]
        times = [line.pop("time_usec") for line in lines]
        checks.expect(all(a < b for a, b in zip(times, times[1:])) and abs(times[0] / 1e6 - time.time()) < PATIENCE,
                      f"{verb}: each line has its time", times)
        checks.equal(f"{verb}: ... and is what {verb} --json prints", lines[-1], ctl.run(verb, "--json", tree=tree).json)
        terminal = Terminal([ctl.program, "-s", tree.root, verb, "--json", "--watch=100ms"], environment())
        try:
            terminal.wait_for("lines", lambda t=terminal: t.raw.count(b"\n") >= 3)
            terminal.type(b"\x03")
            checks.expect(terminal.wait_end() == 0 and b"\x1b" not in terminal.raw, f"{verb}: JSON is lines on a terminal, too",
                          terminal.raw[:200])
        finally:
            terminal.close()
