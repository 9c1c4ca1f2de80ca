# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may call what: every method, as root and as nobody, whatever polkit says, or does not say."""

import signal
import time
import xml.etree.ElementTree

from .rig import NOBODY, OTHER
from .wire import INTERACTIVE, Client, Failure

SETUP = "boot 0-31 0; dimm PNP0C80:01 32-39 1"
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PROVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
LIMITS = "org.freedesktop.DBus.Error.LimitsExceeded"
JOB = "/org/memhp1/job/1"

# Arguments with which each method does something, the least there is. A new method has its row here.
CALLS = {
    "Manager": {
        "ListRanges": ("s", ["all"]),
        "ListBlocks": ("s", ["all"]),
        "ListDevices": ("", []),
        "ListNodes": ("", []),
        "ListJobs": ("", []),
        "GetZones": ("", []),
        "GetBuddy": ("", []),
        "GetStats": ("", []),
        "GetTrace": ("u", [1]),
        "ListTraces": ("", []),
        "GetTrace": ("u", [0]),
        "ListTraces": ("", []),
        "GetStatus": ("", []),
        "GetHistory": ("st", ["all", 0]),
        "Explain": ("sb", ["33", True]),
        "Simulate": ("as", [["dimm:1G@node1"]]),
        "CheckPolicy": ("", []),
        "Reload": ("", []),
        "Online": ("ssa{sv}", ["33", "", {}]),
        "Offline": ("sa{sv}", ["39", {}]),
        "Rezone": ("ssa{sv}", ["38", "kernel", {}]),
        "Hold": ("sts", ["node:7", 0, "a test"]),
        "Release": ("u", [0]),
    },
    "Job": {
        "Cancel": ("", []),
        "ListItems": ("", []),
        "ListCandidates": ("", []),
    },
}
LOOKS = {"ListRanges", "ListBlocks", "ListDevices", "ListNodes", "ListJobs", "ListTraces", "GetTrace", "GetZones", "GetBuddy", "GetStats", "GetTrace",
         "ListTraces", "GetStatus", "GetHistory", "Explain", "Simulate", "CheckPolicy", "ListItems", "ListCandidates"}
# What a caller may be told who is allowed to.
FINE = {("ListCandidates", "org.memhp1.Error.Busy")}

ZONEINFO = """Node 0, zone   Normal
  pages free     900000
        boost    0
        min      10
        low      12
        high     14
        spanned  1048576
        present  1048576
        managed  1000000
        cma      0
        protection: (0, 0)
      nr_free_pages 900000
  pagesets
    cpu: 0
              count: 1
              high:  14
              batch: 1
  start_pfn:           0
"""


def start(rig, setup=SETUP, **options):
    """The daemon, and a job of root's that is over."""
    memhpd = rig.start_memhpd(setup=setup, **options)
    memhpd.do("file proc/zoneinfo " + ZONEINFO)
    memhpd.do("file proc/buddyinfo Node 0, zone   Normal 1 2 3 4 5 6 7 8 9 10 11\n")
    memhpd.until("zone 39", "Movable")
    rig.wait_for_name("org.memhp1")
    root = Client(rig)
    root.listen()
    root.manager("Online", "ssa{sv}", ["33", "", {}])
    root.heard("JobChanged", lambda message: message.body[3] == "done")
    return memhpd, root


def each(interfaces=("Manager", "Job")):
    for interface in interfaces:
        for member, (signature, body) in CALLS[interface].items():
            path = JOB if interface == "Job" else "/org/memhp1"
            yield member, (path, f"org.memhp1.{interface}", member, signature, body)


def outcome(client, member, arguments, flags=0):
    """"ok", or the name of the error."""
    try:
        client.call("org.memhp1", *arguments, flags=flags)
    except Failure as failure:
        return "ok" if (member, failure.name) in FINE else failure.name
    return "ok"


def all_outcomes(client, flags=0):
    return {member: outcome(client, member, arguments, flags) for member, arguments in each()}


def expect_all(checks, text, client, looks, changes, flags=0):
    seen = all_outcomes(client, flags)
    expected = {member: looks if member in LOOKS else changes for member in seen}
    checks.equal(text, {m: o for m, o in seen.items() if o != expected[m]}, {})


class State:
    """What must not change when somebody is refused."""

    def __init__(self, memhpd, root):
        self.memhpd, self.root = memhpd, root
        self.before = self.now()

    def now(self):
        status = self.root.manager("GetStatus")[0]
        return [self.memhpd.do("writes"), self.memhpd.do("zone 38"), self.memhpd.do("zone 39"), status["holds"], status["jobs"],
                self.root.properties("/org/memhp1", "Manager")["Holds"],
                sorted(c for c in self.root.call("org.memhp1", "/org/memhp1/job", "org.freedesktop.DBus.Introspectable",
                                                 "Introspect")[0].split('"') if c.isdigit())]

    def check(self, checks, text):
        checks.equal(text, self.now(), self.before)


def introspect(client, path):
    """{interface: {kind: {name: [(direction, name, type)]}}}"""
    document = client.call("org.memhp1", path, "org.freedesktop.DBus.Introspectable", "Introspect")[0]
    tree = {}
    for interface in xml.etree.ElementTree.fromstring(document).iter("interface"):
        members = tree.setdefault(interface.get("name"), {"method": {}, "signal": {}, "property": {}})
        for member in interface:
            if member.tag in members:
                members[member.tag][member.get("name")] = member
    return tree


def case_calls_are_all_here(checks, rig):
    rig.start_bus()
    _, root = start(rig)
    for interface, path in (("Manager", "/org/memhp1"), ("Job", JOB)):
        methods = introspect(root, path)[f"org.memhp1.{interface}"]["method"]
        checks.equal(f"{interface}: each method is tried", set(methods), set(CALLS[interface]))
        for name, (signature, _) in CALLS[interface].items():
            types = "".join(a.get("type") for a in methods[name].iter("arg") if a.get("direction") == "in")
            checks.equal(f"{name} takes {signature!r}", types, signature)
    for path in ("/org/memhp1/block/33", "/org/memhp1/device/PNP0C80_3a01", "/org/memhp1/node/1"):
        own = [i for i in introspect(root, path) if i.startswith("org.memhp1.")]
        checks.equal(f"{path} has no methods", [introspect(root, path)[i]["method"] for i in own], [{}])


def case_calls_by_default(checks, rig):
    rig.start_bus()
    rig.start_polkitd()
    memhpd, root = start(rig)
    state = State(memhpd, root)
    for uid, name in ((NOBODY, "nobody"), (OTHER, "another")):
        client = Client(rig, uid)
        expect_all(checks, f"{name} may look, and must prove who they are to change anything", client, "ok", PROVE)
        expect_all(checks, f"{name} has no agent to do so", client, "ok", ACCESS_DENIED, INTERACTIVE)
    state.check(checks, "nothing has changed")
    expect_all(checks, "root may do everything", root, "ok", "ok")
    memhpd.until("zone 38", "Normal")
    memhpd.until("zone 39", "")


def case_calls_allowed_by_a_rule(checks, rig):
    rig.start_bus()
    rig.start_polkitd(rules="""polkit.addRule(function(action, subject) {
        if (action.id.indexOf("org.memhp1.") == 0 && subject.user == "nobody")
            return polkit.Result.YES;
    });""")
    memhpd, _ = start(rig)
    expect_all(checks, "nobody may do everything", Client(rig, NOBODY), "ok", "ok")
    expect_all(checks, "another may not", Client(rig, OTHER), "ok", PROVE)
    memhpd.until("zone 38", "Normal")


def case_calls_forbidden_by_a_rule(checks, rig):
    rig.start_bus()
    rig.start_polkitd(rules="""polkit.addRule(function(action, subject) { return polkit.Result.NO; });""")
    memhpd, root = start(rig)
    state = State(memhpd, root)
    for flags in (0, INTERACTIVE):
        expect_all(checks, "nobody may do nothing", Client(rig, NOBODY), ACCESS_DENIED, ACCESS_DENIED, flags)
    state.check(checks, "nothing has changed")
    expect_all(checks, "root is not asked about", root, "ok", "ok")


def case_calls_without_polkit(checks, rig):
    rig.start_bus()
    memhpd, root = start(rig)
    state = State(memhpd, root)
    for flags in (0, INTERACTIVE):
        expect_all(checks, "nobody may look, and change nothing", Client(rig, NOBODY), "ok", ACCESS_DENIED, flags)
    state.check(checks, "nothing has changed")
    expect_all(checks, "root may do everything", root, "ok", "ok")


def case_calls_challenged(checks, rig):
    rig.start_bus()
    rig.start_stub("challenge")
    memhpd, root = start(rig)
    state = State(memhpd, root)
    expect_all(checks, "nobody must prove who they are", Client(rig, NOBODY), PROVE, PROVE)
    expect_all(checks, "… which they fail to", Client(rig, NOBODY), ACCESS_DENIED, ACCESS_DENIED, INTERACTIVE)
    state.check(checks, "nothing has changed")


def case_calls_answered_when_the_caller_has_left(checks, rig):
    rig.start_bus()
    stub = rig.start_stub("hang")
    memhpd, root = start(rig)
    state = State(memhpd, root)
    for member, arguments in each():
        client = Client(rig, NOBODY)
        client.send("org.memhp1", *arguments)
        stub.wait_for("^check")
        client.close()
    stay = Client(rig, NOBODY)
    serial = stay.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus")
    stub.wait_for("^check")
    stub.kill(signal.SIGUSR1)       # yes to all
    stub.wait_for("^released$")
    checks.equal("who stays is answered", len(stay.answer(serial)), 1)
    state.check(checks, "what those wanted who left is not done")


def case_calls_looked_at_again(checks, rig):
    """What was so when they called need not be so when polkit has answered."""
    rig.start_bus()
    stub = rig.start_stub("hang")
    memhpd, root = start(rig)
    client = Client(rig, NOBODY)
    calls = {"Offline": ("sa{sv}", ["device:PNP0C80:02", {}]), "Explain": ("sb", ["device:PNP0C80:02", True])}
    memhpd.do("dimm PNP0C80:02 48-49 1")
    memhpd.until("zone 49", "Movable")
    serials = {}
    for member, arguments in calls.items():
        serials[member] = client.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", member, *arguments)
        stub.wait_for("^check")
    memhpd.do("remove 48-49")
    memhpd.process.wait_for("48-49.*unplugged")
    stub.kill(signal.SIGUSR1)
    try:
        client.answer(serials["Offline"])
        checks.expect(False, "there is nothing any more to take offline")
    except Failure as failure:
        checks.equal("there is nothing any more to take offline", failure.name, "org.memhp1.Error.NoSuchBlock")
    checks.equal("what was is told as what was", [e["state"] for e in client.answer(serials["Explain"])[0]], ["removed", "removed"])


def case_calls_while_polkit_hangs(checks, rig):
    rig.start_bus()
    stub = rig.start_stub("hang")
    memhpd, root = start(rig)
    client = Client(rig, NOBODY)
    begun = time.monotonic()
    waiting = [client.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "Offline", "sa{sv}", ["32", {}]) for _ in range(8)]
    for _ in waiting:
        stub.wait_for("^check")
    checks.equal("one who has eight calls waiting may not have more", outcome(client, *next(each())), LIMITS)
    checks.equal("root is served", outcome(root, *next(each())), "ok")
    memhpd.do("dimm PNP0C80:02 48-55 1")
    memhpd.until("zone 55", "Movable")
    checks.expect(True, "memory is brought online")
    answers = []
    for serial in waiting:
        try:
            client.answer(serial)
        except Failure as failure:
            answers.append((failure.name, "polkit does not answer" in failure.text))
    checks.equal("at last they are refused", answers, [(ACCESS_DENIED, True)] * 8)
    checks.expect(time.monotonic() >= begun + 9, "not before polkit has had its time")
    checks.equal("nothing was done", memhpd.do("zone 32"), "Movable")


def case_calls_of_many_are_bounded(checks, rig):
    """Whoever asks for whatever: who is root gets in, and memory is brought online."""
    rig.start_bus()
    rig.start_stub("hang")
    memhpd, root = start(rig)
    clients = [Client(rig, uid) for uid in (NOBODY, OTHER) for _ in range(40)]
    for client in clients:
        for _ in range(20):
            client.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "Hold", "sts", ["all", 0, "mine"])
    checks.equal("root is served", outcome(root, *next(each())), "ok")
    memhpd.do("dimm PNP0C80:02 48-55 1")
    memhpd.until("zone 55", "Movable")
    checks.equal("nobody has put a hold on anything", root.manager("GetStatus")[0]["holds"], 0)
    for client in clients:
        client.close()
    checks.equal("afterwards, too", outcome(root, *next(each())), "ok")


def case_calls_without_an_interface(checks, rig):
    """The bus does not pass them on, and the daemon would not guess (tests/check_dispatch.c)."""
    rig.start_bus()
    memhpd, root = start(rig)
    for uid in (0, NOBODY):
        client = Client(rig, uid)
        try:
            client.call("org.memhp1", JOB, None, "Cancel")
            checks.expect(False, f"refused to {uid}")
        except Failure as failure:
            checks.expect(True, f"refused to {uid}: {failure.name}")
    try:
        root.manager("Shred")
        checks.expect(False, "there is no such method")
    except Failure as failure:
        checks.equal("there is no such method", failure.name, "org.freedesktop.DBus.Error.UnknownMethod")
    checks.equal("it goes on", memhpd.process.process.poll(), None)
