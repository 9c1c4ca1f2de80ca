# SPDX-License-Identifier: LGPL-2.1-or-later
"""metrics: valid whatever the names are, the figures of the other verbs, a file that is whole at any time, and a real
node_exporter that takes it."""

import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.request

from . import openmetrics
from .cases_stats import POLICY, two_nodes
from .machines import arm, device_memory, large, power
from .terminal import PATIENCE
from .tree import ZONEINFO, machine


def case_metrics_valid(checks, ctl):
    policy = ctl.file("limits.conf", POLICY)
    for name, tree in (("vm-6.1", ctl.unpack("vm-6.1.tar.xz")), ("host-6.18", ctl.unpack("host-6.18.tar.xz")),
                       ("power", power(ctl)), ("arm", arm(ctl)), ("large", large(ctl)), ("machine", machine(ctl.tree())),
                       ("device memory", device_memory(ctl)), ("two nodes", two_nodes(ctl)), ("this system", None)):
        if tree is None and not os.path.exists("/sys/devices/system/memory/block_size_bytes"):
            checks.skip("metrics of this system", "it has no memory blocks")
            continue
        for arguments in ((), ("--config", policy)):
            result = ctl.run("--direct", *arguments, "metrics", tree=tree)
            try:
                families = openmetrics.parse(result.out)
                checks.expect(result.status == 0 and result.err == "", f"{name} {arguments[:1]}: valid, and no other word", result)
            except openmetrics.Invalid as invalid:
                checks.expect(False, f"{name}: valid", f"{invalid}\n{result}")
                continue
            if tree and not arguments:
                compare(checks, ctl, name, tree, families)


def compare(checks, ctl, name, tree, families):
    """Each figure is that of the verb that has it."""
    stats = ctl.run("stats", "-J", tree=tree).json

    def same(what, pairs):
        wrong = [(told, expected) for told, expected in pairs if told != expected]
        checks.expect(pairs and not wrong, f"{name}: {len(pairs)} figures of {what}", wrong[:5])

    nodes = []
    for n in stats["nodes"]:
        node = str(n["node"])
        for family, label, keys in (("blocks", "origin", ("boot", "hot_added", "unknown")), ("state", "state", ("online", "offline"))):
            nodes += [(openmetrics.value(families, f"memhp_node_{family}_bytes", node=node, **{label: key}), n[key]) for key in keys]
        for family, key in (("present", "present"), ("managed", "managed"), ("free", "free"), ("available", "available"),
                            ("low", "low"), ("low_distance", "distance"), ("hot_added_online", "hot_added")):
            nodes += [(openmetrics.value(families, f"memhp_node_{family}_bytes", node=node, zones=kind), n[kind][key])
                      for kind in ("kernel", "movable")]
        nodes += [(openmetrics.value(families, "memhp_node_memmap_bytes", node=node), n["memmap"]["bytes"]),
                  (openmetrics.value(families, "memhp_node_memmap_inside_bytes", node=node), n["memmap"]["inside"]),
                  (openmetrics.value(families, "memhp_node_movable_only", node=node), int(n["movable_only"])),
                  (openmetrics.value(families, "memhp_node_largest_free_order", node=node), n["largest_order"]),
                  (openmetrics.value(families, "memhp_node_device_memory_bytes", node=node), n["device_memory"])]
    same("nodes", nodes)
    percent = stats["machine"]["ratio"]["percent"]
    same("the machine", [
        (openmetrics.value(families, "memhp_page_size_bytes"), stats["page_size"]),
        (openmetrics.value(families, "memhp_block_size_bytes"), stats["block_size"]),
        (openmetrics.value(families, "memhp_device_memory_bytes"), stats["machine"]["device_memory"]),
        (openmetrics.value(families, "memhp_next_add_size_bytes"), stats["next_add"]["size"]),
        (openmetrics.value(families, "memhp_next_add_memmap_bytes"), stats["next_add"]["memmap"]),
        (openmetrics.value(families, "memhp_next_add_room_bytes"), stats["next_add"]["room"]),
        (openmetrics.value(families, "memhp_movable_ratio", node="all"), None if percent is None else percent / 100),
        (openmetrics.value(families, "memhp_waiting_bytes"), None), (openmetrics.value(families, "memhp_daemon_up"), 0)])
    same("alerts", [(openmetrics.value(families, "memhp_alert", alert=a), int(a in [r["alert"] for r in stats["alerts"]]))
                    for a in ("kernel-low", "ratio", "waiting", "next-add")])
    zones = ctl.run("zones", "-J", tree=tree).json["zones"]
    same("zones", [(openmetrics.value(families, f"memhp_zone_{key}_bytes", node=str(z["node"]), zone=z["zone"]),
                    z[key] * stats["page_size"]) for z in zones if z["spanned"]
                   for key in ("free", "min", "low", "high", "spanned", "present", "managed", "pcp_free")])
    buddy = ctl.run("buddy", "-J", tree=tree).json["zones"]
    same("free blocks", [(openmetrics.value(families, "memhp_buddy_free_blocks", node=str(z["node"]), zone=z["zone"], order=str(k)), n)
                         for z in buddy for k, n in enumerate(z["free_blocks"])])
    wrong = [(z["node"], z["zone"], k, n) for z in buddy for k, n in enumerate(z["unusable"]) if abs(n - openmetrics.value(
        families, "memhp_buddy_unusable_ratio", node=str(z["node"]), zone=z["zone"], order=str(k))) > 1e-5]
    checks.expect(not wrong, f"{name}: fragmentation", wrong)


def case_metrics_hostile(checks, ctl):
    for raw, read in ((b'Ev"il', 'Ev"il'), (b"back\\slash\\", "back\\slash\\"), (b"\xff\xc3\x28", "??("), ("ü€\U0001f600".encode(), "ü€\U0001f600"),
                      (b"\xed\xa0\x80\xc0\xaf", "?" * 5), (b"a{b=}c,#", "a{b=}c,#"), (b"\x1b[31m", "\x1b[31m")):
        tree = machine(ctl.tree())
        tree.statistics(zoneinfo=ZONEINFO.encode().replace(b"Normal", raw), buddyinfo=b"Node 0, zone " + raw + b" 1 2 3\n")
        process = subprocess.run([ctl.program, "-s", tree.root, "metrics"], stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
        families = openmetrics.parse(process.stdout)
        checks.equal(f"zone {raw!r}", openmetrics.value(families, "memhp_buddy_free_blocks", node="0", zone=read, order="1"), 2)


def case_metrics_missing(checks, ctl):
    tree = two_nodes(ctl)
    tree.remove("proc/buddyinfo")
    families = openmetrics.parse(ctl.run("metrics", tree=tree).out)
    checks.expect("memhp_buddy_free_blocks" not in families and "memhp_zone_free_bytes" in families, "without buddyinfo", list(families))
    for name in ("zoneinfo", "buddyinfo"):
        tree = two_nodes(ctl)
        tree.write(f"proc/{name}", "garbage\n")
        result = ctl.run("metrics", tree=tree)
        checks.expect(result.status == 1 and result.out == "" and f"/proc/{name}:1: malformed" in result.err,
                      f"{name} malformed: exit 1, and nothing on standard output", result)


def case_metrics_to(checks, ctl):
    tree = two_nodes(ctl)
    folder = os.path.join(ctl.folder, "textfile")
    os.mkdir(folder)
    path = os.path.join(folder, "memhp.prom")
    result = ctl.run("metrics", "--to", path, tree=tree)
    checks.equal("says nothing", (result.status, result.out, result.err), (0, "", ""))
    with open(path, encoding="utf-8") as f:
        checks.equal("the same as on standard output", f.read(), ctl.run("metrics", tree=tree).out)
    checks.equal("for everybody to read", stat.S_IMODE(os.stat(path).st_mode), 0o644)
    checks.equal("and nothing beside it", os.listdir(folder), ["memhp.prom"])
    tree.write("proc/zoneinfo", "garbage\n")
    with open(path, encoding="utf-8") as f:
        before = f.read()
    result = ctl.run("metrics", "--to", path, tree=tree)
    with open(path, encoding="utf-8") as f:
        checks.expect(result.status == 1 and f.read() == before, "what cannot be told leaves the file as it was", result)
    tree = two_nodes(ctl)
    result = ctl.run("metrics", "--to", ctl.folder + "/nowhere/x.prom", tree=tree)
    checks.expect(result.status == 1 and "nowhere/x.prom: cannot be written: No such file" in result.err, "a missing folder", result)
    os.mkdir(path + ".d")
    result = ctl.run("metrics", "--to", path + ".d", tree=tree)
    checks.expect(result.status == 1 and "cannot be written" in result.err and sorted(os.listdir(folder)) == ["memhp.prom", "memhp.prom.d"],
                  "a folder of that name: nothing is left behind", result)
    for arguments in (("metrics", "all"), ("metrics", "-o", "NODE"), ("stats", "--to", path)):
        checks.equal(f"{arguments}: exit 2", ctl.run(*arguments, tree=tree).status, 2)


def case_metrics_whole(checks, ctl):
    """Whoever looks sees a whole text at any time."""
    trees = [two_nodes(ctl), ctl.unpack("vm-6.1.tar.xz")]
    path = os.path.join(ctl.folder, "memhp.prom")
    texts = {ctl.run("metrics", tree=tree).out for tree in trees}
    ctl.run("metrics", "--to", path, tree=trees[0])
    done, seen, wrong = threading.Event(), set(), []

    def look():
        while not done.is_set():
            with open(path, encoding="utf-8") as f:
                text = f.read()
            seen.add(text)
            if text not in texts:
                wrong.append(text[-80:])
    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(20):
        for tree in trees:
            ctl.run("metrics", "--to", path, tree=tree)
    done.set()
    reader.join()
    checks.expect(not wrong and seen, "each time one of the two, whole", wrong[:1])


class Exporter:
    """prometheus-node-exporter as Debian has it, with nothing but its textfile collector."""

    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = subprocess.Popen(
            ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
             f"--collector.textfile.directory={folder}", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def scrape(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=PATIENCE) as answer:
                    return answer.read().decode()
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, self.process.stderr.read()
                assert time.monotonic() < end, "it never answers"
                time.sleep(0.05)

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stderr.close()


def case_metrics_exporter(checks, ctl):
    if not shutil.which("prometheus-node-exporter"):
        checks.skip("node_exporter", "prometheus-node-exporter is not there (Debian: prometheus-node-exporter)")
        return
    folder = os.path.join(ctl.folder, "textfile")
    os.mkdir(folder)
    tree = ctl.unpack("vm-6.1.tar.xz")
    policy = ctl.file("limits.conf", POLICY)
    ctl.run("--config", policy, "metrics", "--to", folder + "/memhp.prom", tree=tree)
    exporter = Exporter(folder)
    try:
        expect_scraped(checks, exporter.scrape(), folder + "/memhp.prom")
    finally:
        exporter.end()


def expect_scraped(checks, scraped, path):
    """All that is in the file came through, and nothing was wrong with it."""
    with open(path, encoding="utf-8") as f:
        families = openmetrics.parse(f.read())
    checks.equal("it found nothing wrong", re.findall(r"^node_textfile_scrape_error (\S+)$", scraped, re.MULTILINE), ["0"])
    checks.has("it took the file", scraped, f'node_textfile_mtime_seconds{{file="{path}"}}')
    lines = {}
    for line in scraped.splitlines():
        match = re.fullmatch(r"(memhp_\w+)(\{.*\})? (\S+)", line)
        if match:
            labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")
            lines[match.group(1), tuple(sorted((k, openmetrics.unescape(v)) for k, v in labels))] = float(match.group(3))
    expected = {}
    for family in families.values():
        for suffix, labels, value in family.samples:
            if suffix == "_bucket" and labels["le"] != "+Inf":      # it writes 1.0 as 1
                labels = dict(labels, le=f"{float(labels['le']):g}")
            expected[family.name + suffix, tuple(sorted(labels.items()))] = float(value)
    checks.expect(len(expected) > 100 and lines == expected, f"it passes on all {len(expected)} samples as they are",
                  sorted(set(lines.items()) ^ set(expected.items()))[:6])
    for family in families.values():
        if family.type != "counter" and family.samples:
            checks.has(f"with type and help of {family.name}", scraped, f"# TYPE {family.name} {family.type}\n", f"# HELP {family.name} ")
