# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl configure and deconfigure: standby memory of s390."""

import os
import subprocess

from .ctl import TESTS
from .tree import GIB, MIB


def standby(ctl, block_size=128 * MIB):
    """A machine with 2 GiB from boot and 1 GiB that is ready to be configured."""
    tree = ctl.tree(block_size=block_size).manifest("s390x", 4096)
    os.makedirs(os.path.join(tree.root, "sys/bus/ccw"))
    boot, more = 2 * GIB // block_size, GIB // block_size
    tree.add_blocks(range(boot), zones="Normal")
    for n in range(boot + more):
        add(tree, n, n < boot)
    return tree


def add(tree, number, configured, memmap=None):
    tree.write(f"sys/firmware/memory/memory{number}/config", f"{int(configured)}\n")
    tree.write(f"sys/firmware/memory/memory{number}/memmap_on_memory", f"{int(not configured if memmap is None else memmap)}\n")


def config(tree, number):
    def read(name):
        with open(os.path.join(tree.root, f"sys/firmware/memory/memory{number}", name), encoding="ascii") as f:
            return f.read().strip()
    return read("config"), read("memmap_on_memory")


def case_configure_lists(checks, ctl):
    tree = standby(ctl)
    listed = ctl.run("configure", tree=tree)
    checks.equal("exits with 0", (listed.status, listed.err), (0, ""))
    checks.equal("a line for what is alike", listed.rows, [
        ["RANGE", "SIZE", "BLOCK", "CONFIGURED", "MEMMAP-ON-MEMORY"],
        ["0x0000000000000000-0x000000007fffffff", "2G", "0-15", "yes", "no"],
        ["0x0000000080000000-0x00000000bfffffff", "1G", "16-23", "no", "yes"]])
    checks.equal("columns", ctl.run("configure", "-n", "-o", "BLOCK,CONFIGURED", tree=tree).rows, [["0-15", "yes"], ["16-23", "no"]])
    checks.equal("bytes", ctl.run("configure", "-nb", "-o", "SIZE", tree=tree).rows, [[str(2 * GIB)], [str(GIB)]])
    checks.equal("JSON", ctl.run("configure", "--json", tree=tree).json, {
        "block_size": 128 * MIB, "ranges": [
            {"start": 0, "size": 2 * GIB, "blocks": "0-15", "configured": True, "memmap_on_memory": False},
            {"start": 2 * GIB, "size": GIB, "blocks": "16-23", "configured": False, "memmap_on_memory": True}]})
    add(tree, 30, True)
    add(tree, 17, False, memmap=False)
    checks.equal("what differs, and what is apart", [r[0] for r in ctl.run("configure", "-n", "-o", "BLOCK", tree=tree).rows],
                 ["0-15", "16", "17", "18-23", "30"])
    tree.write("sys/firmware/memory/memory18/config", "maybe\n")
    broken = ctl.run("configure", "-n", "-o", "BLOCK", tree=tree)
    checks.equal("what cannot be read does not hide the rest", (broken.status, broken.rows),
                 (1, [["0-15"], ["16"], ["17"], ["19-23"], ["30"]]))
    checks.has("and is told", broken.err, "block 18: cannot be read")


def case_configure_changes(checks, ctl):
    tree = standby(ctl)
    done = ctl.run("configure", "16-17", tree=tree)
    checks.equal("two blocks", (done.status, done.out, done.err), (0, "2 blocks configured: 256M\n", ""))
    checks.equal("they are configured, as they were meant", [config(tree, n) for n in (16, 17, 18)],
                 [("1", "1"), ("1", "1"), ("0", "1")])
    again = ctl.run("configure", "16-18", "--json", tree=tree)
    checks.equal("what is so already", (again.status, again.json), (0, [
        {"block": 16, "outcome": "already", "error": None}, {"block": 17, "outcome": "already", "error": None},
        {"block": 18, "outcome": "done", "error": None}]))
    checks.equal("by address", ctl.run("configure", "addr:2432M-2560M", "--memmap-on-memory", "no", tree=tree).out,
                 "1 block configured: 128M\n")
    checks.equal("with its page descriptions elsewhere", config(tree, 19), ("1", "0"))
    checks.equal("… which is no quiet change of what is configured", ctl.run(
        "configure", "18-19", "--memmap-on-memory=no", tree=tree).status, 64)
    checks.equal("all of it", (ctl.run("configure", "all", "-n", tree=tree).status, {config(tree, n)[0] for n in range(24)}), (0, {"1"}))
    back = ctl.run("deconfigure", "20-23", tree=tree)
    checks.equal("and back", (back.status, back.out, config(tree, 20)), (0, "4 blocks deconfigured: 512M\n", ("0", "1")))
    checks.equal("nothing to do", ctl.run("deconfigure", "20", tree=tree).out, "0 blocks deconfigured: 0B\n")


def case_configure_large_blocks(checks, ctl):
    tree = standby(ctl, block_size=GIB)
    checks.equal("blocks of 1 GiB", ctl.run("configure", "-n", "-o", "SIZE,BLOCK,CONFIGURED", tree=tree).rows,
                 [["2G", "0-1", "yes"], ["1G", "2", "no"]])
    checks.equal("configured as one", ctl.run("configure", "addr:2G-", tree=tree).out, "1 block configured: 1G\n")


def case_configure_refuses(checks, ctl):
    tree = standby(ctl)
    for selector in ("node:0", "source:standby", "device:dax0.0", "add:1"):
        refused = ctl.run("configure", selector, tree=tree)
        checks.equal(f"{selector}: usage", refused.status, 2)
        checks.has(f"{selector}: why", refused.err, "neither node nor source nor device", "block numbers")
    checks.equal("no such block", ctl.run("configure", "99", tree=tree).status, 1)
    checks.has("is told", ctl.run("configure", "99", tree=tree).err, "99: no memory matches")
    checks.equal("yes or no", ctl.run("configure", "16", "--memmap-on-memory", "maybe", tree=tree).status, 2)
    checks.equal("of what?", ctl.run("configure", "--memmap-on-memory", "yes", tree=tree).status, 2)
    checks.equal("deconfigure takes no such option", ctl.run("deconfigure", "16", "--memmap-on-memory", "no", tree=tree).status, 2)
    checks.equal("deconfigure must be told what", ctl.run("deconfigure", tree=tree).status, 2)
    checks.equal("nothing has changed", {config(tree, n) for n in range(16, 24)}, {("0", "1")})
    tree.remove("sys/firmware/memory/memory20/config")
    partial = ctl.run("configure", "19-21", tree=tree)
    checks.equal("one that is gone does not keep the others", (partial.status, config(tree, 19)[0], config(tree, 21)[0]), (64, "1", "1"))
    checks.has("is told", partial.err, "block 20: not configured: No such file or directory")
    other = ctl.tree()
    for words in (("configure",), ("configure", "all"), ("deconfigure", "1")):
        result = ctl.run(*words, tree=other)
        checks.equal(f"{words}: another machine", result.status, 1)
        checks.has("says which one has it", result.err, "no memory that could be configured", "s390")


def case_configure_of_a_capture(checks, ctl):
    tree = standby(ctl)
    output = os.path.join(ctl.folder, "capture.tar")
    done = subprocess.run(["sh", os.path.join(TESTS, "capture.sh"), "--sysroot", tree.root, output], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, check=False)
    checks.equal("captured", (done.returncode, done.stderr), (0, b""))
    checks.equal("a capture tells what is configured", ctl.run("configure", tree=ctl.unpack_file(output)).out,
                 ctl.run("configure", tree=tree).out)
