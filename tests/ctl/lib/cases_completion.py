# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion: what memhpctl offers, and what the real shells make of it."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

from .cases import POLICY
from .tree import machine

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "completion")
PATIENCE = 60


def _offers(ctl, *words):
    result = ctl.run("complete", "--", *words)
    assert result.status == 0 and result.err == "", result
    return [line.split("\t")[0] for line in result.out.splitlines()]


def case_completion_offers(checks, ctl):
    tree = machine(ctl.tree())
    root = ("-s", tree.root)
    for words, expected in (
            (("he",), ["help"]), (("comp",), []), (("list", "--sp"), ["--split"]), (("list", "--fo"), []), (("hold", "--fo"), ["--for"]),
            (("list", "-o", "ST"), ["STATE"]), (("list", "-o", "STATE,Z"), ["STATE,ZONES"]), (("list", "-o", "+SI"), ["+SIZE"]),
            (("list", "--output=STATE,Z"), ["--output=STATE,ZONES"]), (("-o", "ST", "list", "-"), None),
            (("--zone", ""), ["movable", "kernel"]), (("online", "7", "--zone=k"), ["--zone=kernel"]), (("history", "--boot", ""), ["0", "-1", "all"]),
            (("list", "source:pmem,c"), ["source:pmem,cxl"]), (("explain", "n"), ["node:"]), (("simulate", "dimm:1G", "v"), ["virtio-mem:"]),
            (("simulate", "dimm:1G@n"), ["dimm:1G@node"]), ((*root, "simulate", "dimm:1G@node"), [f"dimm:1G@node{n}" for n in range(5)]),
            ((*root, "explain", "device:P"), ["device:PNP0C80:01", "device:PNP0C80:02"]), ((*root, "zones", ""), ["0", "1", "2", "3", "4"]),
            ((f"--sysroot={tree.root}", "list", "node:"), [f"node:{n}" for n in range(5)]), (("explain", "1", ""), []),
            (("release", "a"), ["all"]), (("map", "--by=s"), ["--by=state", "--by=source"]), (("help", "hol"), ["hold"]),
            (("configure", "16", "--memmap-on-memory="), ["--memmap-on-memory=yes", "--memmap-on-memory=no"]), (("-s", ""), [":folder"]),
            (("check", "/etc/mem"), [":file"]), (("simulate", "--config", ""), None), (("nonsense", ""), None), ((), [])):
        seen = _offers(ctl, *words)
        if expected is None:
            checks.expect(True, f"{words} is survived")
        else:
            checks.equal(" ".join(words).replace(tree.root, "ROOT"), seen, expected)
    verbs = _offers(ctl, "")
    checks.expect({"status", "list", "explain", "monitor"} <= set(verbs) and "complete" not in verbs, "verbs", verbs)
    for verb in verbs:
        offered = _offers(ctl, verb, "--")
        taught = re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", ctl.run("help", verb).out, re.MULTILINE)
        checks.equal(f"{verb}: the options that its help has", offered, taught)
    overview = ctl.run("help").out
    checks.equal("the verbs that help has", re.findall(r"^  ([a-z-]+)(?: |$)", overview.split("Verbs:")[1].split("Selectors")[0], re.MULTILINE), verbs)


class Shell:
    """One that somebody types to."""

    def __init__(self, command, ctl):
        self.seen = ""
        environment = {"PATH": f"{os.path.dirname(ctl.program)}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ ", "LC_ALL": "C.UTF-8",
                       "HOME": ctl.folder, "XDG_CONFIG_HOME": ctl.folder, "XDG_DATA_HOME": ctl.folder}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ctl.folder)
            os.execvpe(command[0], command, environment)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def wait_for(self, pattern):
        """All that was seen, once the pattern is in it."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                return False
            try:
                part = os.read(self.fd, 65536)
            except OSError:
                return False
            if not part:
                return False
            self.seen += part.decode("utf-8", "replace")
        return True

    def end(self):
        os.close(self.fd)       # hangs up
        os.waitpid(self.pid, 0)


def _type_to(checks, ctl, name, command, load):
    if not shutil.which(name):
        checks.skip(name, f"it is not there (package {name})")
        return
    tree = machine(ctl.tree())
    ctl.file("mine.conf", POLICY)
    shell = Shell(command, ctl)
    try:
        shell.type(load + "; echo read''y\n")
        if not checks.expect(shell.wait_for("ready\r"), f"{name}: the script is loaded", shell.seen):
            return
        for number, (keys, expected) in enumerate((
                (f"echo memhpctl -s {tree.root} expl\n", "expl\r"),         # the shell is awake
                ("memhpctl expl\t", r"explain "), ("dev\t", r"device:"), ("\x15", ""),
                (f"memhpctl -s {tree.root} show device:dax\t", r"show device:dax\x07?0\.0"), ("\x15", ""),
                (f"memhpctl -s {tree.root} show device:PNP0C80:\t2\t", r"device:PNP0C80:\x07?0\x07?2"), ("\x15", ""),
                ("memhpctl list --output=STATE,ZO\t", r"--output=STATE,ZO\x07?NES"), ("\x15", ""),
                ("memhpctl check mi\t", r"check mi\x07?ne\.conf"), ("\x15", ""),
                ("memhpctl --config=mi\t", r"--config=mi\x07?ne\.conf"), ("\x15", ""))):
            shell.seen = ""
            shell.type(keys)
            if expected:
                checks.expect(shell.wait_for(expected), f"{name}: {number}: {keys.strip()[:40]!r} becomes {expected}", repr(shell.seen))
    finally:
        shell.end()


def case_completion_in_bash(checks, ctl):
    _type_to(checks, ctl, "bash", ["bash", "--norc", "--noprofile", "-i"], f". {SCRIPTS}/bash/memhpctl; bind 'set enable-bracketed-paste off'")


def case_completion_in_zsh(checks, ctl):
    _type_to(checks, ctl, "zsh", ["zsh", "-f", "-i"],
             f"unset zle_bracketed_paste; fpath=({SCRIPTS}/zsh $fpath); autoload -U compinit; compinit -u -D")


def case_completion_in_fish(checks, ctl):
    """fish draws its line anew with every key: it is asked what it would offer."""
    if not shutil.which("fish"):
        checks.skip("fish", "it is not there (package fish)")
        return
    tree = machine(ctl.tree())
    ctl.file("mine.conf", POLICY)
    environment = {"PATH": f"{os.path.dirname(ctl.program)}:{os.environ['PATH']}", "HOME": ctl.folder, "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    for line, expected in (("memhpctl expl", ["explain"]), ("memhpctl explain dev", ["device:"]), ("memhpctl list --output=STATE,ZO", ["--output=STATE,ZONES"]),
                           (f"memhpctl -s {tree.root} show device:", ["device:dax0.0", "device:nvidia", "device:PNP0C80:01", "device:PNP0C80:02", "device:virtio0"]),
                           ("memhpctl check mi", ["mine.conf"]), ("memhpctl online 3 --zone ", ["kernel", "movable"])):
        result = subprocess.run(["fish", "--no-config", "-c", f"source {SCRIPTS}/fish/memhpctl.fish; complete -C {line!r}"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=PATIENCE, env=environment, cwd=ctl.folder, check=False)
        checks.equal(line.replace(tree.root, "ROOT"), sorted((offer.split("\t")[0] for offer in result.stdout.splitlines()), key=str.lower), expected)
