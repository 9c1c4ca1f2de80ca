# SPDX-License-Identifier: LGPL-2.1-or-later
"""Arguments that make no sense, or too much of it: each is refused with the error that the contract names, and changes nothing."""

import fcntl
import os

from .cases_calls import LIMITS, start
from .rig import NOBODY
from .wire import Client, Failure

OURS = "org.memhp1.Error."
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
HUGE = 2 ** 64 - 1

SELECTORS = {
    "": "is empty", " ": "selector", "colour:red": "selector", "32-39,": "selector", ",32": "selector", "32,,33": "selector",
    "39-32": "selector", "-1": "selector", "+1": "selector", "0x20": "selector", "1e3": "selector", "32 -33": "selector",
    "99999999999999999999": "selector", "1-99999999999999999999": "selector", "all,32": "selector", "ALL": "selector",
    "node:": "selector", "node:x": "selector", "node:99999999999999999999": "selector", "add:-1": "selector", "source:": "selector",
    "source:floppy": "floppy", "source:dimm,": "selector", "device:": "selector", "addr:": "selector", "addr:8G-4G": "selector",
    "addr:-4G": "selector", "addr:16E-17E": "selector", "device:" + "x" * 121: "too long", "1," * 512 + "1": "selector",
    "32\n": "plain text", "32\x01": "plain text", "device:\x7f": "plain text", "device:\u0085": "plain text",
}

WITH_SELECTOR = {
    "ListRanges": ("s", []), "ListBlocks": ("s", []), "GetHistory": ("st", [0]), "Explain": ("sb", [False]), "Online": ("ssa{sv}", ["", {}]),
    "Offline": ("sa{sv}", [{}]), "Rezone": ("ssa{sv}", ["movable", {}]), "Hold": ("sts", [0, ""]),
}

SPECS = {
    "": "plain text", "dimm": "expected", "dimm:": "not a size", "dimm:0": "not a size", "dimm:-1G": "not a size", "dimm:1X": "not a size",
    "dimm:99999999999E": "not a size", "floppy:1G": "not a source", "boot:1G": "not a source", "dimm:1G@node1024": "not a node",
    "dimm:1G@node-1": "not a node", "dimm:1G@node1@node2": "one node", "dimm:1G@4G@8G": "one address", "dimm:1G@": "expected",
    "dimm:1G\n": "plain text",
}

OPTIONS = [
    ({"colour": ("s", "red")}, "no such option"), ({"timeout_usec": ("t", 0)}, "no time"), ({"timeout_usec": ("s", "1min")}, "wrong type"),
    ({"timeout_usec": ("x", -1)}, "wrong type"), ({"timeout_usec": ("u", 5)}, "wrong type"), ({"all_or_nothing": ("u", 1)}, "wrong type"),
    ({"all_or_nothing": ("as", ["yes"])}, "wrong type"), ({"Timeout_usec": ("t", 1)}, "no such option"), ({"": ("b", True)}, "no such option"),
]


def case_arguments_selectors(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    before = memhpd.do("writes")
    # What is kept with a job or a hold is shorter than what may be asked for.
    longer = "1," * 70 + "1"
    checks.equal("who only looks may name more", {member: root.refused(member, signature, [longer, *rest])[0] for member, (signature, rest) in
                                                  WITH_SELECTOR.items()},
                 {member: "no error" if member in ("ListRanges", "ListBlocks", "GetHistory", "Explain") else OURS + "BadSelector"
                  for member in WITH_SELECTOR})
    for member, (signature, rest) in WITH_SELECTOR.items():
        wrong = {}
        for text, part in SELECTORS.items():
            name, said = root.refused(member, signature, [text, *rest])
            if name != OURS + "BadSelector" or (part != "selector" and part != "is empty" and part not in said):
                wrong[text] = (name, said)
        checks.equal(f"{member}: what is no selector is a BadSelector", wrong, {})
    # To nobody as well, before polkit is asked at all.
    checks.equal("… whoever asks", Client(rig, NOBODY).refused("Offline", "sa{sv}", ["colour:red", {}])[0], OURS + "BadSelector")
    checks.equal("nothing was written", memhpd.do("writes"), before)


def case_arguments_nothing_there(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    for text in ("0-4294967295,4294967295", "4294967295", "40-", "device:dax0.0", "device:../../etc/passwd", "node:1023", "source:pmem", "add:99",
                 "addr:15E-"):
        nothing = text != "0-4294967295,4294967295"
        for member in ("Online", "Offline", "Rezone"):
            if not nothing:
                continue
            signature, rest = WITH_SELECTOR[member]
            checks.equal(f"{member} {text}", root.refused(member, signature, [text, *rest])[0], OURS + "NoSuchBlock")
        if nothing:
            checks.equal(f"Explain {text}", root.refused("Explain", "sb", [text, True])[0], OURS + "NoSuchBlock")
        checks.equal(f"lists of {text[:30]} are well", (len(root.manager("ListBlocks", "s", [text])[0]), root.manager("GetHistory", "st", [text, 0])
                     != None), (0 if nothing else 40, True))
    checks.equal("history since the end of time", root.manager("GetHistory", "st", ["all", HUGE])[0], [])
    checks.equal("the daemon goes on", memhpd.process.process.poll(), None)


def case_arguments_simulate(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    for text, part in SPECS.items():
        name, said = root.refused("Simulate", "as", [[text]])
        checks.equal(f"{text!r} is no hot-add", (name, part in said), (INVALID, True))
    checks.equal("none at all", root.refused("Simulate", "as", [[]])[0], INVALID)
    checks.equal("64 of them", len(root.manager("Simulate", "as", [["dimm:1G"] * 64])[0]), 64)
    checks.equal("one more", root.refused("Simulate", "as", [["dimm:1G"] * 65])[0], LIMITS)
    checks.equal("131072 blocks", len(root.manager("Simulate", "as", [["dimm:8T", "dimm:8T"]])[0]), 2)
    checks.equal("more", root.refused("Simulate", "as", [["dimm:8T", "dimm:8T", "dimm:128M"]])[0], LIMITS)
    checks.equal("all that numbers can tell", root.refused("Simulate", "as", [["dimm:15E"]])[0], LIMITS)
    checks.equal("… and more than they can tell of together", root.refused("Simulate", "as", [["dimm:15E"] * 64])[0], LIMITS)
    one = root.manager("Simulate", "as", [["dimm:1G@node1", "dimm:100M"]])[0]
    checks.equal("what is well is answered", (one[0]["action"], one[0]["zones"]["Movable"], one[0]["rule"]["name"], one[0]["warnings"]),
                 ("online_movable", 1 << 30, "all", one[0]["warnings"]))
    checks.equal("what is refused tells why", (one[1]["refused"], [w[0] for w in one[1]["warnings"]]), ("unaligned", ["refused"]))
    checks.equal("nothing was written", memhpd.do("zone 40"), "")


def case_arguments_jobs(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig, setup="boot 0-31 0; dimm PNP0C80:01 32-39 1")
    before = memhpd.do("writes")
    for zone in ("high", "Movable", "MOVABLE", "movable ", "kernel,movable", "x" * 10000, "\n"):
        checks.equal(f"Online to {zone[:20]!r}", root.refused("Online", "ssa{sv}", ["33", zone, {}])[0], INVALID)
        checks.equal(f"Rezone to {zone[:20]!r}", root.refused("Rezone", "ssa{sv}", ["33", zone, {}])[0], INVALID)
    checks.equal("Rezone to anywhere", root.refused("Rezone", "ssa{sv}", ["33", "", {}])[0], INVALID)
    for options, part in OPTIONS:
        for member, rest in (("Online", ["33", "movable", options]), ("Offline", ["33", options]), ("Rezone", ["33", "kernel", options])):
            name, said = root.refused(member, "sa{sv}" if member == "Offline" else "ssa{sv}", rest)
            checks.equal(f"{member} {options}"[:70], (name, part in said), (INVALID, True))
    checks.equal("nothing was written", memhpd.do("writes"), before)
    job = root.manager("Offline", "sa{sv}", ["39", {"timeout_usec": ("t", HUGE)}])
    checks.equal("the longest time there is is no time limit", job[1], f"/org/memhp1/job/{job[0]}")
    memhpd.until("zone 39", "")
    checks.equal("blocks that are online elsewhere", root.refused("Online", "ssa{sv}", ["0-3", "movable", {}])[0], OURS + "WrongZone")
    hold = root.manager("Hold", "sts", ["39", 0, ""])[0]
    for member, rest in (("Online", ["39", "", {}]), ("Rezone", ["38-39", "kernel", {}])):
        name, said = root.refused(member, "ssa{sv}", rest)
        checks.equal(f"{member} of a block that is held", (name, "hold" in said), (OURS + "Held", True))
    root.manager("Release", "u", [hold])
    checks.equal("released, it may", root.manager("Online", "ssa{sv}", ["39", "", {}])[0], job[0] + 1)


def case_arguments_too_many_jobs(checks, rig):
    """By whom they are asked for counts, not by how many connections."""
    rig.start_bus()
    rig.start_polkitd(rules="polkit.addRule(function(action, subject) { return polkit.Result.YES; });")
    memhpd, root = start(rig)
    memhpd.do("hold 39")
    first = root.manager("Offline", "sa{sv}", ["39", {}])[1]
    memhpd.until("held", "yes")
    for i in range(7):
        root.manager("Offline", "sa{sv}", ["38", {}])
    checks.equal("eight of root's run", root.refused("Offline", "sa{sv}", ["38", {}])[0], OURS + "Busy")
    checks.equal("… whichever connection asks", Client(rig).refused("Online", "ssa{sv}", ["38", "", {}])[0], OURS + "Busy")
    clients = [Client(rig, NOBODY) for _ in range(9)]
    jobs = [client.manager("Offline", "sa{sv}", ["37", {}])[1] for client in clients[:8]]
    checks.equal("eight of nobody's", clients[8].refused("Offline", "sa{sv}", ["37", {}])[0], OURS + "Busy")
    checks.equal("who asked is told", root.properties(jobs[0], "Job")["Uid"], NOBODY)
    for client in clients:
        client.close()
    checks.equal("they go on without those who asked", root.properties(jobs[7], "Job")["State"], "running")
    root.call("org.memhp1", jobs[7], "org.memhp1.Job", "Cancel")
    checks.equal("one that waits ends at once", root.properties(jobs[7], "Job")["State"], "cancelled")
    memhpd.do("release")
    for path in [first, *jobs[:7]]:
        root.until(lambda p=path: root.properties(p, "Job")["State"] == "done", f"the end of {path}")
    memhpd.until("zone 37", "")
    checks.equal("there is room again", len(root.manager("Online", "ssa{sv}", ["37-39", "", {}])), 2)


def case_arguments_holds(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    for text, part in (("x" * 128, "longer than"), ("a\nb", "plain text"), ("\x1b[31m", "plain text"), ("größer", "ASCII")):
        name, said = root.refused("Hold", "sts", ["all", 0, text])
        checks.equal(f"the reason {text[:10]!r}", (name in (INVALID, OURS + "BadSelector"), part in said), (True, True))
    checks.equal("a hold on what is numbered when it comes", root.refused("Hold", "sts", ["add:1", 0, ""])[0], OURS + "BadSelector")
    checks.equal("… is refused before polkit is asked", Client(rig, NOBODY).refused("Hold", "sts", ["add:1", 0, ""])[0], OURS + "BadSelector")
    for duration in (1, 60 * 10 ** 6, HUGE - 1, HUGE):
        checks.equal(f"{duration} us", len(root.manager("Hold", "sts", ["node:5", duration, "x" * 127])), 1)
    held = root.properties("/org/memhp1", "Manager")["Holds"]
    checks.equal("the longest are for ever", [h[2] for h in held][-2:], [HUGE, HUGE])
    while len(root.properties("/org/memhp1", "Manager")["Holds"]) < 64:
        root.manager("Hold", "sts", ["node:5", 0, ""])
    checks.equal("64 are enough", root.refused("Hold", "sts", ["node:5", 0, ""])[0], LIMITS)
    for number in (999, 2 ** 32 - 1):
        checks.equal(f"there is no hold {number}", root.refused("Release", "u", [number])[0], INVALID)
    with open(os.path.join(memhpd.root, "run/memhpd/.holds.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # memhpctl, stopped at the wrong moment
        checks.equal("nobody waits for who changes them", [root.refused("Hold", "sts", ["node:5", 0, ""])[0],
                                                            root.refused("Release", "u", [0])[0]], [OURS + "Busy"] * 2)
    root.manager("Release", "u", [0])
    checks.equal("0 is all", root.properties("/org/memhp1", "Manager")["Holds"], [])
    checks.equal("… also of none", root.refused("Release", "u", [0])[0], "no error")


def case_arguments_of_other_types(checks, rig):
    """sd-bus looks at signatures; polkit is not asked."""
    rig.start_bus()
    memhpd, root = start(rig)
    for member, signature, body in (("ListRanges", "", []), ("ListRanges", "u", [1]), ("ListRanges", "ss", ["all", "all"]), ("Reload", "s", ["x"]),
                                    ("Offline", "s", ["39"]), ("Offline", "sa{ss}", ["39", {}]), ("Release", "i", [-1]), ("Release", "t", [1]),
                                    ("Hold", "sxs", ["all", -1, ""]), ("Simulate", "s", ["dimm:1G"]), ("Explain", "su", ["all", 1])):
        checks.equal(f"{member}({signature})", root.refused(member, signature, body)[0], INVALID)
    checks.equal("nothing was written", memhpd.do("zone 39"), "Movable")


def case_arguments_that_are_no_text(checks, rig):
    """The bus throws out who says so; the daemon never hears of it."""
    rig.start_bus()
    memhpd, root = start(rig)
    for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\0b", b"device:\xf5\x80\x80\x80"):
        client = Client(rig, NOBODY)
        client.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "ListRanges", "s", [text])
        gone = False
        while not gone:
            gone = not client.read(client.patience)
        checks.expect(gone, f"{text!r}: hung up")
    checks.equal("a name in another alphabet is a name", root.refused("Explain", "sb", ["device:größer", False])[0], OURS + "NoSuchBlock")
    checks.equal("others are served", len(root.manager("ListRanges", "s", ["all"])[0]), 2)


def case_arguments_objects(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    unknown = "org.freedesktop.DBus.Error.UnknownObject"
    for path in ("/org/memhp1/job/0", "/org/memhp1/job/2", "/org/memhp1/job/01", "/org/memhp1/job/4294967297", "/org/memhp1/job/x", "/org/memhp1/job"):
        for member in ("Cancel", "ListItems"):
            try:
                root.call("org.memhp1", path, "org.memhp1.Job", member)
                checks.expect(False, f"{member} of {path}")
            except Failure as failure:
                checks.expect(failure.name in (unknown, "org.freedesktop.DBus.Error.UnknownMethod"), f"{member} of {path}: {failure.name}")
    for path, interface in (("/org/memhp1/block/99", "Block"), ("/org/memhp1/block/032", "Block"), ("/org/memhp1/node/9", "Node"),
                            ("/org/memhp1/device/nothing", "Device"), ("/org/memhp1/device/_", "Device"), ("/org/memhp1/block/4294967328", "Block")):
        try:
            root.properties(path, interface)
            checks.expect(False, f"there is no {path}")
        except Failure as failure:
            checks.expect("Unknown" in failure.name, f"there is no {path}: {failure.name}")
    for name, value in (("Version", ("s", "9")), ("Ready", ("b", False)), ("Nonsense", ("s", ""))):
        for client in (root, Client(rig, NOBODY)):
            try:
                client.call("org.memhp1", "/org/memhp1", "org.freedesktop.DBus.Properties", "Set", "ssv", ["org.memhp1.Manager", name, value])
                checks.expect(False, f"{name} cannot be set")
            except Failure as failure:
                checks.expect(failure.name.endswith(("PropertyReadOnly", "UnknownProperty", "AccessDenied")), f"{name} cannot be set: {failure.name}")


BAD_POLICY = """version = 1;
rules = ( { name = "all"; match = { }; action = "online_movable"; },
          { name = "x"; match = { colour = "red"; }; action = "online_movabel"; } );
"""


def case_arguments_policy(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    root.listen()
    rig.file("policy.conf", BAD_POLICY)
    good, problems = root.manager("CheckPolicy")
    checks.equal("CheckPolicy tells all that is wrong", (good, [p[1] for p in problems if p[3]]), (False, [3, 3]))
    name, said = root.refused("Reload")
    checks.equal("Reload is refused", (name, f"{rig.folder}/policy.conf:3: " in said, "2 errors in all" in said), (OURS + "BadPolicy", True, True))
    checks.equal("… and tells so", root.heard("PolicyReloaded").body, [False, 1])
    checks.equal("the policy of before stays", root.properties("/org/memhp1", "Manager")["Rules"],
                 [("all", f"{rig.folder}/policy.conf", 1, "online_movable")])
    memhpd.do("dimm PNP0C80:02 48-49 1")
    memhpd.until("zone 49", "Movable")
    rig.file("policy.conf", BAD_POLICY.replace("movabel", "movable").replace('colour = "red"', 'node = "1"'))
    checks.equal("a good one is taken", root.manager("Reload"), [2])
    checks.equal("… and tells so", root.heard("PolicyReloaded").body, [True, 2])
