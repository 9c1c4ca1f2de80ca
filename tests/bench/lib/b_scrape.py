# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU of one `memhpctl metrics` beside one scrape of node_exporter with its collectors for the same files of the kernel."""

import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

from .measure import Figure, cpu_seconds, rounds, run

NAME = "scrape"
MACHINES = ((1, 8, None), (64, 512, 1))
PEER = "node_exporter (zoneinfo, buddyinfo)"
SCRAPES = 5             # of one round


class Exporter:
    def __init__(self, place, root):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = subprocess.Popen(
            [place.peer("prometheus-node-exporter", "prometheus-node-exporter"), "--collector.disable-defaults",
             "--collector.zoneinfo", "--collector.buddyinfo", f"--path.procfs={root}/proc", f"--path.sysfs={root}/sys",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.scrape()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)

    def scrape(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=300) as answer:
            text = answer.read()
        if b"node_zoneinfo_" not in text or b"node_buddyinfo_" not in text:
            raise RuntimeError("node_exporter does not take the files")

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def cost(self):
        before = self.cpu()
        for _ in range(SCRAPES):
            self.scrape()
        return (self.cpu() - before) / SCRAPES * 1000

    def stop(self):
        self.process.terminate()
        self.process.wait()


def understand(place, nodes, cpus):
    """Milliseconds to read the same two texts from a file in memory and to parse them (tests/bench/zoneinfo.c)."""
    out = subprocess.run([place.program("tests/bench/zoneinfo"), str(nodes), str(cpus)], stdout=subprocess.PIPE, check=True,
                         text=True).stdout.split("/proc/zoneinfo of this machine")[0]
    return sum(float(us) for us in re.findall(r"^ *([\d.]+) us .* ns/byte  (?:parse|read from a file in memory)$", out, re.M)) / 1000


def measure(place, turns):
    program = place.program("memhpctl")
    for nodes, cpus, goal in MACHINES[:1] if place.tiny else MACHINES:
        root = place.tree(512)
        os.makedirs(os.path.join(root, "proc"), exist_ok=True)
        subprocess.run([place.program("tests/bench/zoneinfo"), str(nodes), str(cpus), os.path.join(root, "proc")], check=True)
        exporter = Exporter(place, root)
        try:
            values = rounds(turns, {
                "memhpd": lambda root=root: sum(run(place.builddir, [program, "-s", root, "metrics"]).cpu
                                                for _ in range(SCRAPES)) / SCRAPES * 1000,
                PEER: exporter.cost,
                "parser": lambda n=nodes, c=cpus: understand(place, n, c)})
        finally:
            exporter.stop()
        parser = values.pop("parser")
        machine = f"a machine of {nodes} nodes and {cpus} CPUs"
        yield Figure(f"zoneinfo and buddyinfo of {machine}, read and parsed: CPU", "ms", {"memhpd": parser, PEER: values[PEER]},
                     goal=(1 / 20, PEER, "at most"))
        yield Figure(f"figures of {machine}, 512 blocks: CPU of memhpctl metrics", "ms", values, goal=goal and (goal, PEER, "at most"),
                     note="a process of its own for each, and every block is looked at, beside one that is there")
