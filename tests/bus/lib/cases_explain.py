# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why it is as it is: decisions by the figures of then, also after the memory, the rule or the daemon of then are gone."""

from .cases_calls import LIMITS, ZONEINFO
from .rig import NOBODY
from .wire import Client

GIB, SIZE = 1 << 30, 128 << 20
POLICY = """version = 1;
rules = ( { name = "pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "elsewhere"; match = { node = "5"; }; action = "online_kernel"; },
          { name = "dimms"; match = { source = [ "dimm" ]; node = "1"; size = "1G-"; }; action = "balance"; movable_ratio = 301; numa_aware = false; },
          { name = "rest"; match = { }; action = "online_movable"; } );
"""


def start(rig, setup="boot 0-31 0", policy=POLICY):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=policy, setup=f"file proc/zoneinfo {ZONEINFO};{setup}")
    rig.wait_for_name("org.memhp1")
    return memhpd, Client(rig, NOBODY)


def add(memhpd, client, command, last, zone):
    memhpd.do(command)
    memhpd.until(f"zone {last}", zone)
    client.until(lambda: [r for r in client.manager("GetHistory", "st", [str(last), 0])[0] if r["event"] == "onlined"], f"what was decided of {last}")


def explain(client, selector):
    return client.manager("Explain", "sb", [selector, True])[0]


def check_first_dimm(checks, rig, text, e):
    """What was decided of the first DIMM, whenever it is told."""
    checks.equal(f"{text}: what, by which rule, and what came of it",
                 (e["decided"], e["action"], e["cause"], e["rule"]["name"], e["rule"]["file"], e["rule"]["line"], e["outcome"], e["errno"], e["add"]),
                 (True, "online_movable", "balanced", "dimms", f"{rig.folder}/policy.conf", 4, "done", 0, 1))
    balance = e["balance"]
    checks.equal(f"{text}: by which figures", (balance["movable"], balance["kernel"], balance["added"], balance["percent_before"], balance["percent_after"],
                                              balance["limit_percent"]), (GIB, 4 * GIB, GIB, 0, 25, 301))
    checks.equal(f"{text}: the conditions that held", e["conditions"], ["source", "node", "size"])
    facts = e["facts"]
    checks.equal(f"{text}: on what", (facts["source"], facts["node"], facts["address"], facts["size"], facts["device"]),
                 ("dimm", 1, 32 * SIZE, GIB, "PNP0C80:01"))
    checks.equal(f"{text}: the rules that did not match, and why", [(r[0], r[2], r[3], r[4]) for r in e["rules"]][:3],
                 [("pmem", 2, "no-match", "source"), ("elsewhere", 3, "no-match", "node"), ("dimms", 4, "match", "")])
    checks.equal(f"{text}: the evidence", e["evidence"]["text"], "firmware node PNP0C80:01")
    checks.has(f"{text}: in words", e["reason"], "dimms")


def case_explain_then(checks, rig):
    memhpd, client = start(rig)
    add(memhpd, client, "dimm PNP0C80:01 32-39 1", 39, "Movable")
    first = explain(client, "33")
    check_first_dimm(checks, rig, "at once", first[0])
    checks.equal("where it is", (len(first), first[0]["block"], first[0]["start"], first[0]["size"], first[0]["state"], first[0]["zone"], first[0]["now"],
                                 first[0]["as_wanted"], first[0]["rules"][3][0::3]),
                 (1, 33, 33 * SIZE, SIZE, "online", "Movable", "online in Movable, as the policy wants it", True, ("rest", "not-reached")))
    checks.expect(first[0]["time_usec"] > 10 ** 15, "when")

    add(memhpd, client, "dimm PNP0C80:02 40-47 1", 47, "Movable")
    check_first_dimm(checks, rig, "after another DIMM", explain(client, "33")[0])
    rig.file("policy.conf", POLICY.replace('"dimms"', '"others"').replace("301", "100"))
    Client(rig).manager("Reload")
    check_first_dimm(checks, rig, "after a reload", explain(client, "33")[0])

    memhpd.do("remove 32-39")
    client.until(lambda: explain(client, "33")[0]["state"] == "removed", "the end of the DIMM")
    gone = explain(client, "33")
    check_first_dimm(checks, rig, "unplugged", gone[0])
    checks.equal("what it is now", (gone[0]["now"], gone[0]["source"], gone[0]["device"], gone[0]["node"], gone[0]["zone"], "as_wanted" in gone[0]),
                 ("unplugged", "dimm", "PNP0C80:01", 1, "Movable", False))
    for selector, blocks in (("32-40", [40, *range(32, 40)]), ("device:PNP0C80:01", [*range(32, 40)]), ("add:1", [*range(32, 40)]), ("addr:4G-4352M", [32, 33]),
                             ("node:1", [*range(40, 48)]), ("source:dimm", [*range(40, 48)]), ("all", [*range(32), *range(40, 48)])):
        checks.equal(f"{selector}: what is there, and what is meant of what is gone", [e["block"] for e in explain(client, selector)], blocks)
    add(memhpd, client, "virtio-mem virtio0 34-35 0", 35, "Movable")
    new = explain(client, "34")
    checks.equal("another in its place is another", (len(new), new[0]["source"], new[0]["rule"]["name"], new[0]["add"]), (1, "virtio-mem", "rest", 3))


def case_explain_others(checks, rig):
    """What no rule decided."""
    memhpd, client = start(rig)
    add(memhpd, client, "dimm PNP0C80:01 32-39 1", 39, "Movable")
    root = Client(rig)
    root.manager("Offline", "sa{sv}", ["39", {}])
    memhpd.until("zone 39", "")
    memhpd.do("set 38 offline")
    client.until(lambda: explain(client, "38")[0]["cause"] == "hands-off", "the change")
    asked, others, boot = explain(client, "39")[0], explain(client, "38")[0], explain(client, "0")[0]
    checks.equal("asked for", (asked["cause"], asked["action"], asked["now"], "as_wanted" in asked, "rule" in asked, "conditions" in asked, asked["rules"]),
                 ("asked", "leave_offline", "offline, as somebody asked", False, False, False, []))
    checks.equal("set offline by others", (others["cause"], others["now"], "rule" in others), ("hands-off", "offline, as somebody else set it", False))
    checks.equal("from boot: what the policy would want", (boot["decided"], boot["rule"]["name"], boot["now"], [r[3] for r in boot["rules"]]),
                 (False, "rest", "online in Normal since boot, which no policy changes", ["no-match", "no-match", "no-match", "match"]))
    memhpd.do("kmem dax0.0 60-61 1")
    client.until(lambda: client.manager("GetHistory", "st", ["60", 0])[0], "the report")
    left = explain(client, "60")[0]
    checks.equal("left offline", (left["decided"], left["action"], left["zone"], left["rule"]["name"], left["outcome"], left["now"], left["as_wanted"]),
                 (True, "leave_offline", "", "pmem", "none", "offline, as the policy wants it", True))
    checks.has("by which evidence", left["evidence"]["text"], "kmem", "dax0.0", "Persistent Memory")
    memhpd.do("fail 62 22 1")
    memhpd.do("dimm PNP0C80:05 62-62 1")
    client.until(lambda: [r for r in client.manager("GetHistory", "st", ["62", 0])[0] if r["outcome"] == "failed"], "the report")
    failed = explain(client, "62")[0]
    checks.equal("failed", (failed["outcome"], failed["errno"], failed["now"], failed["as_wanted"]),
                 ("failed", 22, "offline; the policy would put it online in Movable", False))


def case_explain_not_too_much(checks, rig):
    memhpd, client = start(rig, setup="boot 0-1199 0")
    checks.equal("1024 blocks", len(explain(client, "0-1023")), 1024)
    checks.equal("more are refused", client.refused("Explain", "sb", ["all", False])[0], LIMITS)
    checks.equal("the daemon goes on", memhpd.process.process.poll(), None)
