# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is heard on the bus: by nobody, with a client of the tests' own, and by busctl."""

import json

from .cases_calls import SETUP
from .rig import NOBODY
from .wire import Client

POLICY = """version = 1;
rules = ( { name = "pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
NODE1, DIMM2 = "/org/memhp1/node/1", "/org/memhp1/device/PNP0C80_3a02"


def start(rig, setup=SETUP):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY, setup=setup)
    memhpd.until("zone 39", "Movable")
    rig.wait_for_name("org.memhp1")
    ear = Client(rig, NOBODY)
    ear.listen()
    root = Client(rig)
    root.until(lambda: root.manager("GetHistory", "st", ["all", 0])[0], "the first report")
    return memhpd, root, ear


def blocks_heard(ear, state, expected):
    """The runs that are told of, as a set, until all of these are among them."""
    seen, bodies = set(), []
    while not expected <= seen:
        message = ear.heard("BlockChanged", lambda s: s.body[2] == state and s.body[0] in expected)
        bodies.append(message)
        seen |= set(range(message.body[0], message.body[1] + 1))
    return seen, bodies


def case_signals_of_a_hot_add(checks, rig):
    memhpd, _, ear = start(rig)
    memhpd.do("dimm PNP0C80:02 48-55 1")
    seen, messages = blocks_heard(ear, "online", set(range(48, 56)))
    checks.equal("who says so", {(s.path, s.interface, s.signature) for s in messages}, {("/org/memhp1", "org.memhp1.Manager", "uusas")})
    checks.equal("which blocks, and where", (seen, {tuple(s.body[3]) for s in messages}), (set(range(48, 56)), {("Movable",)}))
    report = ear.heard("Decided", lambda s: s.body[0]["device"] == "PNP0C80:02").body[0]
    checks.equal("what was decided, by which rule, and what came of it",
                 (report["blocks"], report["n_blocks"], report["action"], report["reason"], report["outcome"], report["zone"], report["rule"]["name"],
                  report["rule"]["line"], report["device"], report["source"], report["node"], report["event"]),
                 ("48-55", 8, "online_movable", "rule", "done", "Movable", "all", 3, "PNP0C80:02", "dimm", 1, "onlined"))
    checks.has("in words", report["message"], "8 blocks 48-55 (1 GiB), node 1: online in Movable")
    added = ear.heard("AddCompleted", lambda s: s.body[2] == "PNP0C80:02").body
    checks.equal("the end of it", added, [report["add"], "dimm", "PNP0C80:02", 1, 48, 55, 8, 0, 0])
    memhpd.do("kmem dax0.0 60-63 1")
    checks.equal("what is left offline is told, too", (ear.heard("Decided").body[0]["event"], ear.heard("AddCompleted").body[6:]),
                 ("left-offline", [0, 4, 0]))
    memhpd.do("set 62 online_movable")
    checks.equal("others' doing", (ear.heard("BlockChanged").body, ear.heard("Decided").body[0]["outcome"]), ([62, 62, "online", ["Movable"]], "wrong-zone"))
    memhpd.do("remove 60-63")
    checks.equal("what goes", blocks_heard(ear, "removed", set(range(60, 64)))[0], set(range(60, 64)))
    checks.equal("… and what became of it", ear.heard("Decided").body[0]["event"], "removed")


def case_signals_of_properties(checks, rig):
    memhpd, root, ear = start(rig)
    before = root.properties("/org/memhp1", "Manager")
    memhpd.do("dimm PNP0C80:02 48-55 1")
    block = before["BlockSize"]
    # In as many steps as it takes: the last is what counts.
    ear.until(lambda: ear.changed("/org/memhp1", ["OnlineBytes"])["OnlineBytes"] == before["OnlineBytes"] + 8 * block, "1 GiB more online")
    checks.expect(True, "the bytes that are online")
    memhpd.do("kmem dax0.0 60-63 1")
    changed = ear.changed("/org/memhp1", ["Blocks", "OfflineBytes"])
    checks.equal("blocks, and the bytes that are offline", changed, {"Blocks": 52, "OfflineBytes": 4 * block})
    memhpd.do("dimm PNP0C80:03 64-65 1")
    for path, names in ((NODE1, ["Blocks", "OnlineBytes", "OfflineBytes", "MovableBytes"]),
                        ("/org/memhp1/device/PNP0C80_3a03", ["Blocks", "OnlineBytes", "FirstBlock", "LastBlock", "Nodes", "Source"])):
        checks.equal(f"{path}: that they have changed", ear.changed(path, names), dict.fromkeys(names))
    ear.signals.clear()
    hold = root.manager("Hold", "sts", ["node:1", 500000, "soon over"])[0]
    checks.equal("a hold", ear.changed("/org/memhp1", ["Holds"]), {"Holds": None})
    checks.equal("… and its end", ear.changed("/org/memhp1", ["Holds"]), {"Holds": None})
    checks.equal("… which came by itself", (hold, root.properties("/org/memhp1", "Manager")["Holds"]), (1, []))
    rig.file("policy.conf", POLICY.replace("pmem", "cxl"))
    root.manager("Reload")
    checks.equal("rules", [r[0] for r in ear.changed("/org/memhp1", ["Rules"])["Rules"]], ["cxl", "all"])
    # What has not changed is not told.
    ear.signals.clear()
    memhpd.do("overflow")
    memhpd.process.wait_for("uevents were lost")
    root.manager("Hold", "sts", ["node:9", 0, ""])
    ear.changed("/org/memhp1", ["Holds"])
    checks.equal("nothing else", [s.member for s in ear.signals if s.member == "PropertiesChanged"], [])


def case_signals_of_a_job(checks, rig):
    memhpd, root, ear = start(rig)
    memhpd.do("hold 38")
    number, path = root.manager("Offline", "sa{sv}", ["38-39", {}])
    first = ear.heard("JobChanged")
    checks.equal("it has begun", (first.signature, first.body), ("uossuuu", [number, path, "offline", "running", 0, 0, 2]))
    checks.equal("one is done", ear.heard("JobChanged", lambda s: s.body[4] == 1).body, [number, path, "offline", "running", 1, 0, 2])
    memhpd.do("release")
    checks.equal("it is over", ear.heard("JobChanged", lambda s: s.body[3] != "running").body, [number, path, "offline", "done", 2, 0, 2])
    changed = ear.changed(path, ["State", "Done", "EndUSec"])
    checks.equal("its properties, too", (changed["State"], changed["Done"], changed["EndUSec"] > 0), ("done", 2, True))


def case_signals_when_ready(checks, rig):
    """From the first on: who waits for the daemon need not ask again and again."""
    rig.start_bus()
    ear = Client(rig, NOBODY)
    ear.listen()
    memhpd = rig.start_memhpd(policy=POLICY, setup="boot 0-3 0")
    rig.wait_for_name("org.memhp1")
    ready = ear.properties("/org/memhp1", "Manager")["Ready"]
    checks.expect(ready or ear.changed("/org/memhp1", ["Ready"])["Ready"], "it says when it is ready, or is so already")
    memhpd.end()


def case_signals_by_busctl(checks, rig):
    """Nobody of ours."""
    memhpd, root, _ = start(rig)
    monitor = rig.start(["busctl", "--system", "--json=short", "monitor", "org.memhp1"])
    # It says nothing when it is ready: knock until it hears.
    knocks = rig.start(["sh", "-c", "while busctl --system call org.memhp1 /org/memhp1 org.freedesktop.DBus.Peer Ping; do sleep 0.05; done"])
    monitor.wait_for("Ping")
    knocks.end()
    memhpd.do("dimm PNP0C80:02 48-49 1")
    decided = json.loads(monitor.wait_for('^.*"member":"Decided".*$').group(0))
    checks.equal("it understands what was decided", decided["payload"]["data"][0]["message"]["data"][:44],
                 "dimm PNP0C80:02: 2 blocks 48-49 (256 MiB), no"[:44])
    completed = json.loads(monitor.wait_for('^.*"member":"AddCompleted".*$').group(0))
    checks.equal("and the end of the hot-add", completed["payload"]["type"], "ussiuuuuu")
    root.manager("Offline", "sa{sv}", ["49", {}])
    checks.has("and a job", monitor.wait_for('"member":"JobChanged".*"done"').group(0), "offline")
    monitor.end()
