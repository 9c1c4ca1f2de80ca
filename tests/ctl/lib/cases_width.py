# SPDX-License-Identifier: LGPL-2.1-or-later
"""Terminals of 80 and of 200 columns, a pager, and colours."""

import os
import re

from .cases import POLICY
from .tree import machine

COLOUR = re.compile("\x1b\\[[0-9;]*m")
TABLES = (("list",), ("list", "--all"), ("list", "--bytes"), ("zones",), ("zones", "--all"), ("buddy",), ("stats",), ("map",), ("help",),
          ("show", "all"), ("explain", "all", "-a"), ("simulate", "dimm:64G@node1", "virtio-mem:8G@node0@0x10000000000"))


def _lines(ctl, words, tree, columns, **variables):
    policy = ctl.file("policy.conf", POLICY)
    options = ("--config", policy) if words[0] in ("explain", "simulate") else ()
    return COLOUR.sub("", ctl.run_on_terminal(*words, *options, tree=tree, columns=columns, **variables)).splitlines()


def _verbs(ctl):
    return [line.split("\t")[0] for line in ctl.run("complete", "--", "").out.splitlines()]


def case_width(checks, ctl):
    trees = {"built": machine(ctl.tree()), "captured": ctl.unpack("vm-6.1.tar.xz"), "real": ctl.unpack("host-6.18.tar.xz")}
    for name, tree in trees.items():
        for words in TABLES + tuple(("help", verb) for verb in _verbs(ctl) if name == "built"):
            for columns in (80, 200):
                lines = _lines(ctl, words, tree, columns)
                # A word that is longer than the line, such as a path, is not cut.
                wide = [line for line in lines if len(line) > columns and max(map(len, line.split())) < columns - 20]
                checks.expect(lines and not wide, f"{name}: {' '.join(words)}: {columns} columns", "\n".join(wide))
    tree = trees["built"]
    narrow, wide = (_lines(ctl, ("list",), tree, columns) for columns in (80, 200))
    checks.equal("list: 80 columns: what matters less is left out", narrow[0].split(), "SIZE STATE BLOCK NODE ZONES SOURCE DEVICE".split())
    checks.has("… and that is said", "\n".join(narrow), "(not shown, as the terminal is narrow: REMOVABLE,RANGE; see -o)")
    checks.equal("list: 200 columns: all", wide[0].split(), "RANGE SIZE STATE REMOVABLE BLOCK NODE ZONES SOURCE DEVICE".split())
    asked = _lines(ctl, ("list", "-o", "RANGE,SIZE,STATE,REMOVABLE,BLOCK,ZONES,DEVICE"), tree, 80)
    checks.equal("what was asked for stays", asked[0].split(), "RANGE SIZE STATE REMOVABLE BLOCK ZONES DEVICE".split())
    checks.equal("elsewhere nothing is left out", ctl.run("list", tree=tree).rows[0], wide[0].split())


def case_colours(checks, ctl):
    tree = machine(ctl.tree())
    for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)):
        text = ctl.run_on_terminal("list", tree=tree, columns=80, **variables)
        checks.equal(f"{variables}: colours", bool(COLOUR.search(text)), coloured)
    checks.expect("\033" not in ctl.run("list", tree=tree).out, "none but on a terminal")


def case_pager(checks, ctl):
    tree = machine(ctl.tree())
    pager = ctl.file("pager", "#!/bin/sh\necho \"paged with LESS=$LESS LESSSECURE=$LESSSECURE: $*\"\ncat\n", 0o755)
    less = ctl.file("less", "#!/bin/sh\necho \"less with LESSSECURE=$LESSSECURE\"\ncat\n", 0o755)
    path = f"{os.path.dirname(less)}:{os.environ['PATH']}"

    def run(*words, **variables):
        return COLOUR.sub("", ctl.run_on_terminal(*words, tree=tree, columns=80, **variables))

    plain = run("list", MEMHP_PAGER="")
    checks.expect("paged" not in plain and "SIZE" in plain, "an empty $MEMHP_PAGER is none", plain)
    checks.equal("$MEMHP_PAGER, with words", run("list", MEMHP_PAGER=f"{pager} a b"), f"paged with LESS=FRSXMK LESSSECURE=: a b\n{plain}")
    checks.equal("$MEMHP_LESS", run("list", MEMHP_PAGER=pager, MEMHP_LESS="R").splitlines()[0], "paged with LESS=R LESSSECURE=: ")
    checks.equal("--no-pager", run("list", "--no-pager", MEMHP_PAGER=pager), plain)
    checks.equal("not for what is short", "paged" in run("hold", MEMHP_PAGER=pager), False)
    checks.equal("no shell is in between", run("list", MEMHP_PAGER=f"{pager} ;$(echo x)").splitlines()[0], "paged with LESS=FRSXMK LESSSECURE=: ;$(echo x)")
    checks.equal("a pager that is not there", run("list", MEMHP_PAGER="/nonexistent", PATH=path), f"less with LESSSECURE=\n{plain}")
    checks.equal("through sudo: less alone, and no shell out of it", run("list", MEMHP_PAGER=pager, PATH=path, SUDO_UID="1000"),
                 f"less with LESSSECURE=1\n{plain}")
    deaf = ctl.file("deaf", "#!/bin/sh\nexec <&-\necho enough\n", 0o755)
    checks.equal("who has read enough is told of no error", run("list", "--all", MEMHP_PAGER=deaf), "enough\n")
    checks.equal("not into a pipe", "paged" in ctl.run("list", tree=tree, MEMHP_PAGER=pager).out, False)
