# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl hold and release, a function each."""

import fcntl
import json
import os
import subprocess

HOUR = 3600 * 1000000


def with_run(ctl):
    tree = ctl.tree()
    os.makedirs(os.path.join(tree.root, "run"))
    return tree


def path_of(tree, name="holds"):
    return os.path.join(tree.root, "run/memhpd", name)


def text_of(tree):
    with open(path_of(tree), encoding="ascii") as f:
        return f.read()


def case_hold_and_release(checks, ctl):
    tree = with_run(ctl)
    none = ctl.run("hold", tree=tree)
    checks.equal("there are none", (none.status, none.out, none.err), (0, "No holds.\n", ""))
    checks.equal("none in JSON", ctl.run("hold", "--json", tree=tree).json, [])
    checks.equal("none, without a legend", ctl.run("hold", "--no-legend", tree=tree).out, "")
    checks.expect(not os.path.exists(path_of(tree, "")), "to list makes no folder")

    first = ctl.run("hold", "node:1", "until the vendor came", tree=tree)
    checks.equal("hold exits with 0", (first.status, first.err), (0, ""))
    checks.has("and says how to end it", first.out, "hold 1:", "node:1", "memhpctl release 1")
    second = ctl.run("hold", "--for", "2h", "--json", "source:pmem,cxl", tree=tree)
    answer = second.json
    checks.expect(HOUR < answer.pop("left_usec") <= 2 * HOUR, "how long is left", second)
    checks.equal("the answer in JSON", answer, {"id": 2, "selector": "source:pmem,cxl", "reason": None})

    listed = ctl.run("hold", tree=tree)
    checks.equal("lists the one without an end", listed.out.splitlines()[1].split(None, 5),
                 ["1", "node:1", "until", "released", "until", "the vendor came"])
    checks.has("lists the one with an end", listed.out, "source:pmem,cxl", "2h 0min")
    holds = ctl.run("hold", "--json", tree=tree).json
    checks.equal("both in JSON", [(h["id"], h["selector"], h["reason"], h["left_usec"] is None) for h in holds],
                 [(1, "node:1", "until the vendor came", True), (2, "source:pmem,cxl", None, False)])
    checks.equal("columns", ctl.run("hold", "-n", "-o", "ID,SELECTOR", tree=tree).rows,
                 [["1", "node:1"], ["2", "source:pmem,cxl"]])

    released = ctl.run("release", "1", tree=tree)
    checks.equal("release exits with 0", (released.status, released.err), (0, ""))
    checks.equal("the other stays", [h["id"] for h in ctl.run("hold", "-J", tree=tree).json], [2])
    again = ctl.run("release", "1", tree=tree)
    checks.equal("there is no such hold any more", again.status, 1)
    checks.has("says so", again.err, "memhpctl: 1: there is no such hold")
    checks.equal("its number is not used again", ctl.run("hold", "all", "-J", tree=tree).json["id"], 3)
    checks.equal("release all", ctl.run("release", "all", tree=tree).status, 0)
    checks.equal("leaves none", ctl.run("hold", "-J", tree=tree).json, [])


def case_hold_expires(checks, ctl):
    tree = with_run(ctl)
    short = ctl.run("hold", "--for", "1us", "node:1", "--json", tree=tree)
    checks.equal("over at once: nothing is left", short.json["left_usec"], 0)
    checks.equal("and it is not listed", ctl.run("hold", "-J", tree=tree).json, [])
    endless = ctl.run("hold", "--for", "5000000000h", "node:1", "-J", tree=tree)
    checks.equal("longer than any machine runs", endless.json["left_usec"], None)
    checks.equal("the longest that can be written", ctl.run("hold", "--for", "18446744073709551615us", "node:1", "-J",
                                                            tree=tree).json["left_usec"], None)


def case_hold_usage(checks, ctl):
    tree = with_run(ctl)
    for arguments, words in (
            (("hold", "--for", "soon", "node:1"), "--for soon: not a time"),
            (("hold", "--for", "", "node:1"), "not a time"),
            (("hold", "--for", "0", "node:1"), "not a time"),
            (("hold", "--for", "-1h", "node:1"), "not a time"),
            (("hold", "--for", "1 h", "node:1"), "not a time"),
            (("hold", "--for", "1h"), "what is to be held"),
            (("hold", "nod:1"), "nod:1"),
            (("hold", "add:3"), "no number yet"),
            (("hold", "node:1", "one\nhold 9 0 all"), "one line"),
            (("hold", "node:1", "\x1b[31m"), "one line"),
            (("hold", "node:1", "caf\u00e9"), "one line"),
            (("hold", "node:1", "r" * 128), "at most 127"),
            (("hold", "node:1", "two", "words"), ""),
            (("hold", "-o", "COLOUR"), "COLOUR"),
            (("release",), ""), (("release", "0"), "not the number"), (("release", "x"), "not the number"),
            (("release", "-1"), ""), (("release", "4294967296"), "not the number"), (("release", "1", "2"), ""),
            (("list", "--for", "1h"), "")):
        result = ctl.run(*arguments, tree=tree)
        checks.expect(result.status == 2 and not result.out and words in result.err and result.err,
                      f"{arguments!r:.60}: usage", result)
        checks.expect("\x1b" not in result.err and result.err.count("\n") <= 2, "no control characters", result)
    checks.expect(not os.path.exists(path_of(tree)), "nothing was written")


def case_hold_latin1_reason(checks, ctl):
    tree = with_run(ctl)
    for locale in ("C", "C.UTF-8", "en_US.ISO-8859-1"):
        checks.equal(f"{locale}: refused", _run_bytes(ctl, tree, locale), 2)


def _run_bytes(ctl, tree, locale):
    return subprocess.run([os.fsencode(ctl.program), b"--sysroot", os.fsencode(tree.root), b"hold", b"node:1", b"caf\xe9"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
                          env=dict(os.environ, LC_ALL=locale)).returncode


def case_hold_torn(checks, ctl):
    tree = with_run(ctl)
    ctl.run("hold", "node:1", tree=tree)
    whole = text_of(tree)
    for torn in ("", whole[:-1], whole[:-4], "x" + whole, whole.replace("node", "nod")):
        with open(path_of(tree), "w", encoding="ascii") as f:
            f.write(torn)
        for arguments in (("hold",), ("hold", "node:2"), ("release", "1"), ("release", "all")):
            result = ctl.run(*arguments, tree=tree)
            checks.expect(result.status == 1 and "torn or not written by memhpctl" in result.err and not result.out,
                          f"{torn!r:.40}: {arguments}: refused", result)
        checks.equal("the file is as it was", text_of(tree), torn)
    os.unlink(path_of(tree))
    os.symlink("/etc/hostname", path_of(tree))
    checks.equal("a link is not followed", ctl.run("hold", tree=tree).status, 1)


def case_hold_cannot_be_written(checks, ctl):
    tree = with_run(ctl)
    ctl.run("hold", "node:1", tree=tree)
    whole = text_of(tree)
    os.makedirs(path_of(tree, ".holds.new/x"))
    for arguments in (("hold", "node:2"), ("release", "1")):
        result = ctl.run(*arguments, tree=tree)
        checks.equal(f"{arguments}: fails", (result.status, result.out), (1, ""))
        checks.has("and says that nothing has changed", result.err, "cannot be written", "nothing has changed")
    checks.equal("nothing has", text_of(tree), whole)
    checks.equal("it can be read", len(ctl.run("hold", "-J", tree=tree).json), 1)
    for what, root in (("no /run", ctl.tree().root), ("no such tree", ctl.folder + "/nowhere")):
        result = ctl.run("--sysroot", root, "hold", "node:1")
        checks.expect(result.status == 1 and "/run/memhpd/holds: " in result.err, what, result)
    checks.equal("no such tree: nor listed", ctl.run("--sysroot", ctl.folder + "/nowhere", "hold").status, 1)


def case_hold_not_root(checks, ctl):
    tree = with_run(ctl)
    ctl.run("hold", "node:1", tree=tree)
    os.chmod(path_of(tree, ""), 0o555)
    drop = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = ctl.folder
    os.chmod(folder, 0o755)
    copy = ctl.file("memhpctl", open(ctl.program, "rb").read(), 0o755)

    def run(*arguments):
        return subprocess.run([copy, "--sysroot", tree.root, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, text=True, **drop)

    try:
        listed = run("hold", "--json")
    except OSError as error:
        checks.skip("not root", str(error))
        return
    checks.equal("anybody may list", [h["selector"] for h in json.loads(listed.stdout or "[]")], ["node:1"])
    for arguments in (("hold", "node:2"), ("release", "1")):
        result = run(*arguments)
        checks.expect(result.returncode == 1 and "Permission denied" in result.stderr, f"{arguments}: denied", result)
    os.chmod(path_of(tree, ""), 0o755)
    # Nor may they keep others from it.
    reader = os.open(path_of(tree, ""), os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_EX)
    checks.equal("who only reads the folder blocks nobody", ctl.run("hold", "node:3", tree=tree).status, 0)
    checks.equal("the lock is its owner's alone", os.stat(path_of(tree, ".holds.lock")).st_mode & 0o777, 0o600)
    os.close(reader)


def case_hold_many_at_once(checks, ctl):
    tree = with_run(ctl)
    processes = [subprocess.Popen([ctl.program, "--sysroot", tree.root, "hold", f"node:{n}"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) for n in range(24)]
    said = [process.communicate(timeout=120) for process in processes]
    checks.equal("each is done", [p.returncode for p in processes], [0] * 24)
    holds = ctl.run("hold", "--json", tree=tree).json
    checks.equal("each has a number of its own", [h["id"] for h in holds], list(range(1, 25)))
    checks.equal("none is lost", sorted(h["selector"] for h in holds), sorted(f"node:{n}" for n in range(24)))
    checks.equal("each was told its own", sorted(int(out.split()[1].rstrip(b":")) for out, _ in said), list(range(1, 25)))
    for _ in range(40):
        ctl.run("hold", "all", tree=tree)
    full = ctl.run("hold", "all", tree=tree)
    checks.expect(full.status == 1 and "there are 64 holds already" in full.err, "no more than 64", full)
