# SPDX-License-Identifier: LGPL-2.1-or-later
"""Blocks, devices, nodes and jobs as objects: what introspection says of them, and what they are like."""

import xml.etree.ElementTree

from .cases_calls import introspect, start
from .rig import NOBODY, OTHER
from .wire import Client

SETUP = "boot 0-31 0; dimm PNP0C80:01 32-39 1; kmem dax0.0 60-63 1"
POLICY = """version = 1;
rules = ( { name = "pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
OBJECTS = {"Manager": "/org/memhp1", "Block": "/org/memhp1/block/33", "Device": "/org/memhp1/device/PNP0C80_3a01", "Node": "/org/memhp1/node/1",
           "Job": "/org/memhp1/job/1"}
STANDARD = {"org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Properties"}
SIZE = 128 << 20


def children(client, path):
    document = client.call("org.memhp1", path, "org.freedesktop.DBus.Introspectable", "Introspect")[0]
    return [node.get("name") for node in xml.etree.ElementTree.fromstring(document).findall("node")]


def case_objects_introspection(checks, rig):
    rig.start_bus()
    _, root = start(rig, setup=SETUP, policy=POLICY)
    nobody = Client(rig, NOBODY)
    for interface, path in OBJECTS.items():
        tree = introspect(nobody, path)
        checks.equal(f"{path} is what it is", set(tree) - STANDARD - {"org.freedesktop.DBus.ObjectManager"}, {f"org.memhp1.{interface}"})
        own = tree[f"org.memhp1.{interface}"]
        unnamed = [(name, a.get("type")) for kind in ("method", "signal") for name, member in own[kind].items() for a in member.iter("arg")
                   if not a.get("name")]
        checks.equal(f"{interface}: every argument has a name", unnamed, [])
        checks.equal(f"{interface}: properties are read-only", {p.get("access") for p in own["property"].values()}, {"read"})
        checks.equal(f"{interface}: what it reads as is what it says", {name: p.get("type") for name, p in own["property"].items()},
                     types_of(nobody, path, interface))
        tool = rig.busctl("introspect", "org.memhp1", path, f"org.memhp1.{interface}", uid=OTHER)
        checks.expect(tool.status == 0 and all(name in tool.out for kind in own.values() for name in kind), f"{interface}: busctl sees it all", tool)
    checks.equal("what there is", sorted(children(nobody, "/org/memhp1")), ["block", "device", "job", "node"])
    checks.equal("blocks", sorted(map(int, children(nobody, "/org/memhp1/block"))), [*range(40), 60, 61, 62, 63])
    checks.equal("devices", sorted(children(nobody, "/org/memhp1/device")), ["PNP0C80_3a01", "dax0_2e0"])
    checks.equal("nodes", sorted(children(nobody, "/org/memhp1/node")), ["0", "1"])
    checks.equal("jobs", children(nobody, "/org/memhp1/job"), ["1"])
    checks.expect(rig.busctl("tree", "org.memhp1", uid=OTHER).status == 0, "busctl draws the tree")
    checks.equal("root sees the same", introspect(root, "/org/memhp1").keys(), introspect(nobody, "/org/memhp1").keys())


def types_of(client, path, interface):
    """{property: the type it is read as}"""
    types = {}
    for name in client.properties(path, interface):
        serial = client.send("org.memhp1", path, "org.freedesktop.DBus.Properties", "Get", "ss", [f"org.memhp1.{interface}", name])
        types[name] = client.reply(serial).variants[0]
    return types


def case_objects_properties(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig, setup=SETUP, policy=POLICY)
    nobody = Client(rig, NOBODY)
    manager = nobody.properties("/org/memhp1", "Manager")
    version = rig.run(rig.program("memhpd"), "--version").out.split()[1]
    checks.equal("the manager", {name: manager[name] for name in ("Version", "BlockSize", "Ready", "Blocks", "OnlineBytes", "OfflineBytes", "Pending", "Holds")},
                 {"Version": version, "BlockSize": SIZE, "Ready": True, "Blocks": 44, "OnlineBytes": 40 * SIZE, "OfflineBytes": 4 * SIZE, "Pending": 0,
                  "Holds": []})
    checks.equal("its rules", [(r[0], r[2], r[3]) for r in manager["Rules"]], [("pmem", 2, "leave_offline"), ("all", 3, "online_movable")])

    block = nobody.properties("/org/memhp1/block/34", "Block")
    checks.equal("a block", block, {
        "Index": 34, "Start": 34 * SIZE, "Size": SIZE, "State": "online", "Zones": ["Movable"], "Nodes": [1], "Source": "dimm", "Device": "PNP0C80:01",
        "Add": 1, "Action": "online_movable", "Rule": "all", "Reason": "rule", "Outcome": "done", "Errno": 0, "HandsOff": False, "Pending": False})
    memhpd.do("set 34 offline")
    nobody.until(lambda: nobody.properties("/org/memhp1/block/34", "Block")["State"] == "offline", "the change")
    block = nobody.properties("/org/memhp1/block/34", "Block")
    checks.equal("set offline by somebody", (block["Zones"], block["Reason"], block["HandsOff"], block["Rule"]), (["Normal", "Movable"], "hands-off", True, ""))
    boot = nobody.properties("/org/memhp1/block/0", "Block")
    checks.equal("from boot", (boot["Source"], boot["Add"], boot["Action"], boot["Zones"]), ("boot", 0, "", ["Normal"]))

    checks.equal("a device", nobody.properties("/org/memhp1/device/PNP0C80_3a01", "Device"), {
        "Name": "PNP0C80:01", "Source": "dimm", "Nodes": [1], "Blocks": 8, "FirstBlock": 32, "LastBlock": 39, "OnlineBytes": 7 * SIZE,
        "OfflineBytes": SIZE, "MovableBytes": 7 * SIZE})
    checks.equal("a node", nobody.properties("/org/memhp1/node/1", "Node"), {
        "Number": 1, "Blocks": 12, "OnlineBytes": 7 * SIZE, "OfflineBytes": 5 * SIZE, "MovableBytes": 7 * SIZE})
    checks.equal("lists agree", ([d[0] for d in nobody.manager("ListDevices")[0]], [n[0] for n in nobody.manager("ListNodes")[0]]),
                 (["PNP0C80:01", "dax0.0"], [0, 1]))
    checks.equal("ranges", [(r[0], r[1], r[2], r[4], r[5], r[6], r[7]) for r in nobody.manager("ListRanges", "s", ["32-"])[0]],
                 [(32, 33, "online", ["Movable"], [1], "dimm", "PNP0C80:01"), (34, 34, "offline", ["Normal", "Movable"], [1], "dimm", "PNP0C80:01"),
                  (35, 39, "online", ["Movable"], [1], "dimm", "PNP0C80:01"), (60, 63, "offline", ["Normal", "Movable"], [1], "pmem", "dax0.0")])
    job = nobody.properties("/org/memhp1/job/1", "Job")
    checks.equal("a job", {name: job[name] for name in ("Id", "Kind", "Selector", "Action", "State", "Uid", "Blocks", "Done", "Failed", "AllOrNothing")},
                 {"Id": 1, "Kind": "online", "Selector": "33", "Action": "online", "State": "done", "Uid": 0, "Blocks": 1, "Done": 1, "Failed": 0,
                  "AllOrNothing": False})
    checks.expect(0 < job["StartUSec"] <= job["EndUSec"], "when", job)
    memhpd.do("remove 32-39")
    nobody.until(lambda: children(nobody, "/org/memhp1/device") == ["dax0_2e0"], "the device's end")
    checks.equal("what is gone is no object", sorted(map(int, children(nobody, "/org/memhp1/block"))), [*range(32), 60, 61, 62, 63])
