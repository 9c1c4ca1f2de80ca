# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl and the daemon: what it asks, what it says, how it exits."""

import json
import os
import shutil
import signal
import time

from ctl.lib.ctl import Ctl

from .rig import NOBODY, TESTS

TWO_RULES = """version = 1;
rules = ( { name = "no-pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
REPORT_KEYS = {"time_usec", "event", "priority", "blocks", "n_blocks", "add", "source", "device", "node", "rule", "action", "reason",
               "outcome", "zone", "errno", "why", "balance", "message"}


def case_ctl_without_daemon(checks, rig):
    marker = f"{rig.folder}/started"
    rig.file("services/org.memhp1.service", f"[D-BUS Service]\nName=org.memhp1\nExec=/bin/touch {marker}\nUser=root\n")
    rig.start_bus()
    for words in (["status"], ["reload"], ["monitor"]):
        result = rig.ctl(*words)
        checks.expect(result.status == 3 and result.out == "" and
                      result.err == "memhpctl: daemon not running: systemctl start memhpd\n", f"{words[0]}: exit 3, and what helps", result)
    result = rig.ctl("status", "--json")
    checks.equal("status --json: exit 3, and says it", (result.status, result.json), (3, {"running": False}))
    result = rig.ctl("status", "--direct")
    checks.expect(result.status == 2 and "--direct" in result.err, "--direct forbids to ask", result)
    result = rig.ctl("list", "--sysroot", "/nonexistent", "--host", "nowhere")
    checks.expect(result.status == 2, "--host and --sysroot exclude each other", result)
    checks.equal("nobody was started by that", rig.run("test", "-e", marker).status, 1)


def case_ctl_without_bus(checks, rig):
    result = rig.ctl("status")
    checks.expect(result.status == 3 and "system bus: cannot be reached" in result.err, "status: exit 3", result)


def case_ctl_bus_hangs(checks, rig):
    """Somebody listens, and says nothing."""
    import socket
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{rig.folder}/socket")
    listener.listen(8)
    result = rig.ctl("status")
    checks.expect(result.status == 3 and "cannot be reached: Connection timed out" in result.err, "status: exit 3 after some seconds", result)
    listener.close()


def case_ctl_status(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=TWO_RULES, setup="boot 0-31 0; dimm PNP0C80:01 32-33 1")
    memhpd.until("zone 33", "Movable")
    memhpd.do("kmem dax0.0 40-47 1")
    memhpd.process.wait_for("8 blocks 40-47")
    memhpd.do("fail 50 22 100")
    memhpd.do("virtio-mem virtio0 50-50 0")
    memhpd.process.wait_for("50 .*failed")
    for uid in (0, NOBODY):
        result = rig.ctl("status", "--json", uid=uid)
        checks.equal(f"uid {uid}: exit 0", (result.status, result.err), (0, ""))
        status = result.json
        checks.equal("running, ready", (status["running"], status["ready"]), (True, True))
        checks.equal("the policy", (status["policy_files"], status["rules"]), ([f"{rig.folder}/policy.conf"], 2))
        checks.equal("the memory", (status["blocks"], status["block_size"], status["online"], status["offline"]),
                     (43, 128 << 20, 34 * (128 << 20), 9 * (128 << 20)))
        checks.equal("by source", {s["source"]: (s["online"] >> 27, s["offline"] >> 27) for s in status["sources"]},
                     {"boot": (32, 0), "dimm": (2, 0), "pmem": (0, 8), "virtio-mem": (0, 1)})
        checks.equal("failed, pending, held", (status["failed"], status["pending"], status["held"], status["holds"]), (1, 0, 0, []))
        checks.equal("rivals", (status["auto_online_blocks"], status["delegated"]), ("offline", False))
        checks.equal("the last errors have every key", [set(r) for r in status["last_errors"]], [REPORT_KEYS])
        checks.equal("… and say what", (status["last_errors"][0]["blocks"], status["last_errors"][0]["errno"]), ("50", 22))
    rig.ctl("hold", "source:cxl", "--for", "2h", "the vendor comes")
    text = rig.ctl("status").out
    checks.has("in words", text, "memhpd ", ": running\n", "policy: 2 rules, from ", "4.3G online, 1.1G offline; 43 blocks of 128M",
               "sources: boot: 4G online", "pmem: 1G offline", "failed: 1 block;", "holds: 1: source:cxl, ", ": the vendor comes",
               "last errors: ")
    checks.expect("\033" not in text, "no colours but on a terminal", text)
    memhpd.do("file sys/devices/system/memory/auto_online_blocks online_movable")
    checks.has("the kernel as a rival", rig.ctl("status").out, 'auto_online_blocks is "online_movable"')


def case_ctl_reload(checks, rig):
    rig.start_bus()
    rig.start_polkitd()
    rig.start_memhpd()
    result = rig.ctl("reload")
    checks.equal("root", (result.status, result.out, result.err), (0, "the policy was loaded: 1 rule\n", ""))
    rig.file("policy.conf", TWO_RULES)
    result = rig.ctl("reload", "--json")
    checks.equal("a new policy", (result.status, result.json), (0, {"rules": 2}))
    checks.equal("is in force", rig.ctl("status", "--json").json["rules"], 2)
    rig.file("policy.conf", "version = 1;\nrules = (\n  { match = { sauce = [ \"dimm\" ]; };\n    action = \"online_moveable\"; } );\n")
    result = rig.ctl("reload")
    lines = result.err.splitlines()
    checks.expect(result.status == 1 and result.out == "" and len(lines) == 3 and
                  lines[0].startswith(f"{rig.folder}/policy.conf:3: ") and lines[1].startswith(f"{rig.folder}/policy.conf:4: ") and
                  lines[2] == "memhpctl: reload: 2 errors: the policy of before stays", "all errors are told", result)
    checks.equal("the policy of before stays", rig.ctl("status", "--json").json["rules"], 2)
    rig.file("policy.conf", TWO_RULES)
    result = rig.ctl("reload", uid=NOBODY)
    checks.expect(result.status == 1 and result.out == "" and result.err.startswith("memhpctl: reload: org.memhp1.manage-policy: ") and
                  "try as root" in result.err, "nobody is refused", result)


def case_ctl_reload_with_a_rule_of_polkit(checks, rig):
    rig.start_bus()
    rig.start_polkitd(rules='polkit.addRule(function(action, subject) { if (action.id == "org.memhp1.manage-policy" && '
                            'subject.user == "nobody") return polkit.Result.YES; });')
    rig.start_memhpd()
    checks.equal("nobody may", rig.ctl("reload", uid=NOBODY).status, 0)
    result = rig.ctl("hold", "node:1", uid=NOBODY)
    checks.equal("… and may hold", (result.status, result.err), (0, ""))
    checks.equal("… and release", rig.ctl("release", "all", uid=NOBODY).status, 0)


def case_ctl_reads_are_forbidden(checks, rig):
    rig.start_bus()
    rig.start_polkitd(rules='polkit.addRule(function(action, subject) { if (action.id == "org.memhp1.inspect") '
                            'return polkit.Result.NO; });')
    rig.start_memhpd()
    for words in (["status"], ["list"], ["show", "1"], ["explain", "1"], ["history"]):
        result = rig.ctl(*words, uid=NOBODY)
        checks.expect(result.status == 1 and "org.memhp1.inspect: not allowed" in result.err and result.out == "", f"{words[0]}: nobody is refused", result)
        checks.equal(f"{words[0]}: root is not", rig.ctl(*words).status, 0)


ODD_MACHINE = "boot 0-31 0; dimm PNP0C80:01 32-39 1; kmem dax0.0 40-1200 2; virtio-mem virtio0 1300-1303 1; dimm PNP0C80:02 1400-1400 3"
ODD_POLICY = """version = 1;
rules = ( { name = "no-pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "kernel"; match = { node = "3"; }; action = "online_kernel"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""


def case_ctl_list(checks, rig):
    """The daemon and the system say the same. More blocks are offline than the daemon looks up candidates for at a time."""
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=ODD_POLICY, setup=ODD_MACHINE)
    memhpd.until("zone 1400", "Normal")
    for block in (45, 1000, 1150):
        memhpd.do(f"file sys/devices/system/memory/memory{block}/valid_zones Movable")
    for options in ([], ["--all"], ["--split", "none"], ["--split", "SOURCE,NODE"], ["-o", "BLOCK,ZONES"], ["--bytes"], ["-n"]):
        seen, real = rig.ctl("list", *options), rig.ctl("list", *options, "--sysroot", memhpd.root)
        checks.expect((seen.status, seen.out, seen.err) == (0, real.out, ""), f"list {options}: with a daemon and without", f"{seen}\n{real}")
    for selector in ("all", "33", "33-45,1301", "device:dax0.0", "node:1", "source:pmem,dimm", "addr:5G-6G", ",".join(str(n) for n in range(0, 200, 3)), "32-"):
        seen, real = (rig.ctl("list", "--json", selector, *options) for options in ([], ["--sysroot", memhpd.root]))
        checks.expect(seen.status == real.status == 0 and seen.json == real.json and seen.json["ranges"], f"list --json {selector[:20]}", f"{seen}\n{real}")
    for words in (["list", "7777"], ["list", "nod:1"], ["list", "device:none"], ["list", "-o", "COLOUR"], ["show", "7777"], ["show", "x"], ["explain", "x"]):
        seen, real = rig.ctl(*words), rig.ctl(*words, "--sysroot", memhpd.root)
        checks.expect(seen.status == real.status != 0 and (seen.out, seen.err) == (real.out, real.err), f"{words}: fails alike", f"{seen}\n{real}")
    checks.equal("nobody sees what root sees", rig.ctl("list", "--json", uid=NOBODY).json["ranges"], rig.ctl("list", "--json").json["ranges"])
    memhpd.do("dimm PNP0C80:03 1500-1503 1")
    memhpd.until("zone 1503", "Movable")
    memhpd.process.wait_for("4 blocks 1500-1503")
    checks.equal("add:1", [r["blocks"] for r in rig.ctl("list", "--json", "add:1").json["ranges"]], ["32-39"])
    last = rig.ctl("show", "1500", "--json").json[0]["add"]
    checks.equal("the last hot-add", [r["blocks"] for r in rig.ctl("list", "--json", f"add:{last}").json["ranges"]], ["1500-1503"])
    refused = rig.ctl("list", f"add:{last}", "--sysroot", memhpd.root)
    checks.expect(refused.status == 1 and "only the daemon numbers hot-adds" in refused.err, "… without a daemon", refused)
    memhpd.end()
    checks.expect(rig.ctl("list").status == 0, "without a daemon, the system itself is listed")


def case_ctl_show(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=ODD_POLICY, setup=ODD_MACHINE)
    memhpd.until("zone 1400", "Normal")
    memhpd.process.wait_for("1161 blocks")
    for selector in ("all", "33", "device:dax0.0", "node:1"):
        seen, real = (rig.ctl("show", "--json", selector, *options) for options in ([], ["--sysroot", memhpd.root]))
        bare = [{**block, "add": None, "decision": None} for block in seen.json]
        checks.expect(seen.status == 0 and bare == real.json, f"show --json {selector}: with a daemon and without", f"{str(bare)[:500]}\n{str(real.json)[:500]}")
    memhpd.do("dimm PNP0C80:03 1500-1503 1")
    memhpd.process.wait_for("4 blocks 1500-1503")
    block = rig.ctl("show", "1500", "--json", uid=NOBODY).json[0]
    checks.equal("the last decision", (block["decision"]["action"], block["decision"]["zone"], block["decision"]["rule"]["name"], block["decision"]["decided"]),
                 ("online_movable", "Movable", "all", True))
    checks.has("in words", rig.ctl("show", "1500").out, f"hot-add: {block['add']}\n", "decision: online_movable\n", "decided: 2", 'reason: rule "all" (')
    checks.equal("of memory from boot there is none", rig.ctl("show", "3", "--json").json[0]["decision"], None)
    text = rig.ctl("show", "device:PNP0C80:03").out
    checks.has("a summary", text, "device PNP0C80:03\n", "blocks: 1500-1503 (4)\n", "online: 512M in Movable\n")


def case_ctl_explain(checks, rig):
    rig.start_bus()
    policy = """version = 1;
rules = ( { name = "no-pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "even"; match = { node = "1"; }; action = "balance"; movable_ratio = 100; numa_aware = false; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
    memhpd = rig.start_memhpd(policy=policy)
    shutil.copy(f"{TESTS}/data/zoneinfo-6.1", f"{memhpd.root}/proc/zoneinfo")
    memhpd.do("kmem dax0.0 40-1100 2")
    memhpd.process.wait_for("1061 blocks")
    memhpd.do("dimm PNP0C80:01 2000-2003 1")
    memhpd.process.wait_for("4 blocks 2000-2003")
    explained = rig.ctl("explain", "2000", "--json").json
    checks.equal("a decision", (explained["block"], explained["action"], explained["rule"], explained["decided"], explained["as_wanted"], explained["state"]),
                 (2000, "online_kernel", {"name": "even", "file": f"{rig.folder}/policy.conf", "line": 3}, True, True, "online"))
    then = explained["balance"]
    checks.equal("its figures", (then["limit_percent"], then["added"], then["node"]), (100, 4 * (128 << 20), None))
    rules = rig.ctl("explain", "2000", "--json", "--all").json["rules"]
    checks.equal("--all", [(r["name"], r["result"], r["failed"]) for r in rules],
                 [("no-pmem", "no-match", "source"), ("even", "match", None), ("all", "not-reached", None)])
    checks.has("--all in words", rig.ctl("explain", "2000", "-a").out, 'no match: rule "no-pmem" (', ": source is dimm\n", 'not reached: rule "all" (')
    memhpd.do("virtio-mem virtio0 3000-3063 1")
    memhpd.process.wait_for("64 blocks 3000-3063")
    checks.equal("… are those of then, though the machine has changed", rig.ctl("explain", "2000", "--json").json["balance"], then)
    rig.file("policy.conf", 'version = 1; rules = ( { name = "new"; match = { }; action = "online_kernel"; } );')
    checks.equal("a new policy", rig.ctl("reload").status, 0)
    late = rig.ctl("explain", "2000", "--json").json
    checks.expect(late["decided"] and late["action"] == "online_kernel" and late["rule"]["name"] == "even" and "even" in late["reason"] and
                  late["balance"] == then and late["time_usec"] == explained["time_usec"], "what was decided by a policy that is no more", late)
    rig.file("policy.conf", policy)
    rig.ctl("reload")
    checks.equal("more blocks than the daemon explains at a time", len(rig.ctl("explain", "device:dax0.0", "--json").json), 1061)
    text = rig.ctl("explain", "all", uid=NOBODY).out
    checks.has("neighbours are explained together", text, "\nblocks 2000-2003 (", "\nblocks 3000-3063 (")
    checks.expect(text.startswith("blocks 0-31 (") and len(text.split("\nblock")) < 8, "… all of them", text)
    checks.equal("add:2", [x["block"] for x in rig.ctl("explain", "add:2", "--json").json], [2000, 2001, 2002, 2003])

    memhpd.do("remove 2000-2003")
    memhpd.process.wait_for("2000-2003.*unplugged")
    gone = rig.ctl("explain", "2001", "--json", uid=NOBODY)
    checks.equal("memory that is gone: exit 0", (gone.status, gone.err), (0, ""))
    checks.equal("… what was decided then", [gone.json[key] for key in ("block", "state", "action", "zone", "device", "source", "add", "decided", "as_wanted")],
                 [2001, "removed", "online_kernel", "Normal", "PNP0C80:01", "dimm", 2, True, None])
    checks.equal("… by which rule, and with which figures", (gone.json["rule"], gone.json["balance"]), (explained["rule"], then))
    checks.equal("… and its past", [r["event"] for r in gone.json["past"]], ["onlined", "removed"])
    memhpd.do("dimm PNP0C80:04 2100-2100 1")
    memhpd.process.wait_for("1 block 2100")
    memhpd.do("set 2100 offline")
    memhpd.process.wait_for("2100.*was set offline")
    memhpd.do("remove 2100-2100")
    memhpd.process.wait_for("2100.*unplugged")
    ejected = rig.ctl("explain", "2100", "--json").json
    checks.equal("that it was set offline to be unplugged is no decision", (ejected["action"], [r["event"] for r in ejected["past"]]),
                 ("online_kernel", ["onlined", "changed", "removed"]))
    for selector in ("2000-2003", "1999-2004", "device:PNP0C80:01", "add:2"):
        text = rig.ctl("explain", selector).out
        checks.has(f"{selector}: in words", text, "blocks 2000-2003 (", "), no longer there\n", "past: 2", "unplugged\n")
    checks.has("beside what is there", rig.ctl("explain", "1100-3000").out, "block 1100 (", "blocks 2000-2003 (", "block 3000 (")
    nothing = rig.ctl("explain", "5000")
    checks.expect(nothing.status == 1 and nothing.out == "" and nothing.err == "memhpctl: 5000: no memory block matches, and none did since boot\n",
                  "what never was", nothing)


def case_ctl_explain_without_a_daemon(checks, rig):
    """What a daemon that was killed knew of memory that is gone."""
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=TWO_RULES, setup="boot 0-31 0; dimm PNP0C80:01 32-33 1")
    memhpd.process.wait_for("2 blocks 32-33")
    memhpd.do("remove 32-33")
    memhpd.process.wait_for("unplugged")
    root = memhpd.root
    # It saves in its own time, and at its end; the tree must stay.
    end = time.monotonic() + 60
    while [r["event"] for r in rig.ctl("--sysroot", root, "history", "--json").json] != ["onlined", "removed"]:
        assert time.monotonic() < end, "never saved"
        time.sleep(0.05)
    memhpd.process.kill(signal.SIGKILL)
    memhpd.process.rest()
    conf = Ctl(rig.program("memhpctl"), rig.folder).conf
    rig.run("mkdir", "-p", os.path.dirname(f"{root}/{conf}"))
    rig.run("cp", f"{rig.folder}/policy.conf", f"{root}/{conf}")
    gone = rig.ctl("--sysroot", root, "explain", "33", "--json")
    checks.equal("from its file", (gone.status, gone.json["state"], gone.json["action"], gone.json["rule"]["name"]), (0, "removed", "online_movable", "all"))
    shutil.rmtree(root.rsplit("/", 1)[0], ignore_errors=True)


def case_ctl_hold(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd()
    checks.equal("none", rig.ctl("hold").out, "No holds.\n")
    result = rig.ctl("hold", "node:1", "--for", "2h", "the vendor comes", "--json")
    hold = result.json
    checks.equal("a hold", (result.status, result.err, hold),
                 (0, "", {"id": 1, "selector": "node:1", "reason": "the vendor comes", "left_usec": 7200000000}))
    checks.equal("another", rig.ctl("hold", "device:x0", "--json").json, {"id": 2, "selector": "device:x0", "reason": None, "left_usec": None})
    memhpd.do("dimm PNP0C80:01 32-33 1")
    memhpd.process.wait_for("a hold is on it")
    checks.equal("the daemon obeys at once", memhpd.do("zone 32"), "")
    for uid in (0, NOBODY):
        holds = rig.ctl("hold", "--json", uid=uid).json
        checks.equal(f"uid {uid} sees them", [h["selector"] for h in holds], ["node:1", "device:x0"])
        checks.expect(7100 * 10**6 < holds[0]["left_usec"] <= 7200 * 10**6 and holds[1]["left_usec"] is None, "how long", holds)
    checks.equal("as a table", [line.split()[:2] for line in rig.ctl("hold").out.splitlines()],
                 [["ID", "SELECTOR"], ["1", "node:1"], ["2", "device:x0"]])
    checks.equal("released", rig.ctl("release", "1").status, 0)
    memhpd.until("zone 33", "Movable")
    result = rig.ctl("release", "1")
    checks.expect(result.status == 1 and "memhpctl: 1: there is no such hold" in result.err, "once", result)
    checks.equal("all", (rig.ctl("release", "all").status, rig.ctl("hold", "--json").json), (0, []))
    for words, expected in ((["nod:1"], "not held: expected block numbers"), (["node:1", "a\nb"], "not held: a reason is"),
                            (["node:1", "\udcff"], "not held: a reason is"), (["\udcff"], "not held: a selector of")):
        result = rig.ctl("hold", *words)
        checks.expect(result.status == 2 and expected in result.err, f"{words} is refused as without a daemon", result)
    for words in (["hold", "node:1"], ["release", "1"]):
        result = rig.ctl(*words, uid=NOBODY)
        checks.expect(result.status == 1 and "org.memhp1.manage-policy" in result.err, f"{words[0]}: nobody is refused", result)


def case_ctl_history(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=TWO_RULES, setup="boot 0-31 0; dimm PNP0C80:01 32-33 1")
    memhpd.process.wait_for("2 blocks 32-33")
    memhpd.do("kmem dax0.0 40-47 1")
    memhpd.process.wait_for("8 blocks 40-47")
    memhpd.do("remove 32-33")
    memhpd.process.wait_for("unplugged")
    for uid in (0, NOBODY):
        result = rig.ctl("history", "--json", uid=uid)
        checks.equal(f"uid {uid}: exit 0", (result.status, result.err), (0, ""))
        checks.equal("every key", {frozenset(r) for r in result.json}, {frozenset(REPORT_KEYS)})
        checks.equal("the oldest first", [(r["event"], r["blocks"], r["rule"] and r["rule"]["name"]) for r in result.json],
                     [("onlined", "32-33", "all"), ("left-offline", "40-47", "no-pmem"), ("removed", "32-33", None)])
    for selector, expected in (("32", 2), ("device:dax0.0", 1), ("source:pmem,dimm", 3), ("add:2", 1), ("addr:4G-4352M", 2),
                               ("addr:5G-6G", 1), ("node:1", 3), ("node:0", 0), ("all", 3)):
        checks.equal(selector, len(rig.ctl("history", "--json", selector).json), expected)
    checks.equal("since then", (len(rig.ctl("history", "--json", "--since", "1h").json),
                                len(rig.ctl("history", "--json", "--since", "2100-01-01").json)), (3, 0))
    rows = [line.split() for line in rig.ctl("history").out.splitlines()]
    checks.equal("as a table", [row[2:] for row in rows[1:]],
                 [["32-33", "dimm", "PNP0C80:01", "online_movable", "all", "onlined", "in", "Movable"],
                  ["40-47", "pmem", "dax0.0", "leave_offline", "no-pmem", "left-offline"],
                  ["32-33", "dimm", "PNP0C80:01", "-", "-", "removed"]])
    for words, status, expected in ((["--since", "tomorrow"], 2, "not a time"), (["--boot", "x"], 2, "neither a number"), (["x"], 2, "not a selector"),
                                    (["--boot", "-1"], 1, "does not go back so far")):
        result = rig.ctl("history", *words)
        checks.expect(result.status == status and expected in result.err, f"{words}: exit {status}", result)
    root = memhpd.root
    memhpd.process.kill(signal.SIGKILL)
    memhpd.process.rest()
    result = rig.ctl("--sysroot", root, "history", "--json", "device:PNP0C80:01")
    checks.equal("without a daemon, from its file", (result.status, [r["event"] for r in result.json]), (0, ["onlined", "removed"]))


def case_ctl_history_from_the_journal(checks, rig):
    boots = ["11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"]
    ratio = 'version = 1; rules = ( { name = "even"; match = { }; action = "balance"; movable_ratio = 100; } );'
    rig.start_bus()
    for number, boot in enumerate(boots):
        journald = rig.start_journald(boot)
        memhpd = rig.start_memhpd(policy=ratio, setup="boot 0-31 0", to_journal=True)
        shutil.copy(f"{TESTS}/data/zoneinfo-6.1", f"{memhpd.root}/proc/zoneinfo")
        memhpd.do(f"dimm PNP0C80:0{number} 4{number}-4{number} 1")
        end = time.monotonic() + 60
        while not rig.ctl("history", "--json", "--direct").json:
            assert time.monotonic() < end, "never in the journal"
            time.sleep(0.05)
        report = rig.ctl("history", "--json").json
        checks.equal("this boot, from the journal", [r["device"] for r in report], [f"PNP0C80:0{number}"])
        ring = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetHistory", "st", "all", "0").json["data"][0]
        seen, kept = report[0], {key: value["data"] for key, value in ring[0].items()}
        for key in sorted(REPORT_KEYS - {"time_usec", "rule", "errno", "balance"}):
            checks.equal(f"{key} is what the daemon says", seen[key] or None, kept.get(key) or None)
        checks.equal("rule is what the daemon says", seen["rule"], {key: value["data"] for key, value in kept["rule"].items()})
        checks.expect(seen["balance"] and seen["balance"]["limit_percent"] == 100 and
                      seen["balance"] == {key: None if key == "node" and value["data"] < 0 else value["data"]
                                          for key, value in kept["balance"].items()}, "… and the figures", f"{seen}\n{kept}")
        if number == 0:
            lie = f"MESSAGE=lie\nMESSAGE_ID=05ee0cafca5542fdb6ce44ab6b3d6730\nMEMHP_BLOCK=7\nMEMHP_ACTION=online\nMEMHP_REASON=rule\nMEMHP_OUTCOME=done\n"
            rig.file("lie", lie)
            for uid in (NOBODY, 0):
                checks.equal(f"uid {uid} logs something alike", rig.run("sh", "-c", f"logger --journald < {rig.folder}/lie", uid=uid).status, 0)
            end = time.monotonic() + 60
            while "7" not in [r["blocks"] for r in rig.ctl("history", "--json").json]:
                assert time.monotonic() < end, "never in the journal"
                time.sleep(0.05)
            checks.equal("what others than root write is not history", [r["blocks"] for r in rig.ctl("history", "--json").json], ["40", "7"])
        memhpd.end()
        journald.end()
    checks.equal("without a daemon, and without journald", [r["blocks"] for r in rig.ctl("history", "--json").json], ["41"])
    for words, expected in ((["--boot", "-1"], ["40", "7"]), (["--boot=1"], ["40", "7"]), (["--boot", boots[0].replace("-", "")], ["40", "7"]),
                            (["--boot", "all"], ["40", "7", "41"]), (["--boot=0"], ["41"]), (["--since", "today", "41"], ["41"]),
                            (["--since", "1h"], ["40", "7", "41"]), (["--since", "1h", "--boot", "0"], ["41"])):
        checks.equal(" ".join(words), [r["blocks"] for r in rig.ctl("history", "--json", *words).json], expected)
    result = rig.ctl("history", "--boot", "-2")
    checks.expect(result.status == 1 and "does not go back so far" in result.err, "no boot before the first", result)


def case_ctl_monitor(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd()
    monitor = rig.start_ctl("monitor", "--json")
    text = rig.start_ctl("monitor")
    monitor.wait_for('"event":"connected"')
    text.wait_for("connected")
    memhpd.do("dimm PNP0C80:01 40-47 1")
    line = json.loads(monitor.wait_for('.*"event":"add-completed".*').group(0))
    seen = {json.loads(said)["event"]: json.loads(said) for said in monitor.said}
    checks.expect({"connected", "block-changed", "decided", "add-completed"} <= set(seen), "what happens, a line each", monitor.said)
    checks.equal("a hot-add", {key: line[key] for key in ("add", "device", "source", "node", "first", "last", "online", "offline", "failed")},
                 {"add": 1, "device": "PNP0C80:01", "source": "dimm", "node": 1, "first": 40, "last": 47, "online": 8, "offline": 0,
                  "failed": 0})
    checks.equal("a decision has every key", set(seen["decided"]["report"]), REPORT_KEYS)
    checks.has("in words", "\n".join(text.said + [text.wait_for(".*add-completed.*").group(0)]),
               "blocks 40-47: online in Movable", "hot-add 1 (dimm PNP0C80:01, blocks 40-47) is complete: 8 blocks online")
    rig.ctl("reload")
    checks.equal("a reload", json.loads(monitor.wait_for('.*"event":"policy-reloaded".*').group(0))["accepted"], True)
    memhpd.end()
    monitor.wait_for('"event":"disconnected"')
    memhpd = rig.start_memhpd()
    monitor.wait_for('"event":"connected"')
    memhpd.do("dimm PNP0C80:01 50-51 1")
    monitor.wait_for('"event":"add-completed"')
    checks.expect(True, "the daemon may come and go")
    rig.bus.end()
    monitor.wait_for('"event":"disconnected"')
    rig.start_bus()
    monitor.wait_for('"event":"connected"')
    rig.wait_for_name("org.memhp1")
    memhpd.do("dimm PNP0C80:02 60-61 1")
    monitor.wait_for('"event":"add-completed"')
    text.wait_for("hot-add 2 .*blocks 60-61. is complete")
    checks.expect(True, "the bus may come and go")
    checks.equal("^C is how it ends", (monitor.end(signal.SIGINT), text.end(signal.SIGTERM)), (0, 0))


def case_ctl_killed_mid_call(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd()
    spy = rig.start(["busctl", "--system", "monitor", "org.memhp1"])
    spy.wait_for("Monitoring bus")
    for verb, method in (("status", "GetStatus"), ("reload", "CheckPolicy")):
        rig.wait_for_name("org.memhp1")
        memhpd.process.kill(signal.SIGSTOP)
        ctl = rig.start_ctl(verb)
        spy.wait_for(rf"Member={method}")
        memhpd.process.kill(signal.SIGKILL)
        memhpd.process.rest()
        said = ctl.rest()
        checks.equal(f"{verb}: exit 3", ctl.process.returncode, 3)
        checks.equal(f"{verb}: says why", said, [f"memhpctl: {verb}: the daemon went away before it answered; systemctl status memhpd tells more"])
        memhpd = rig.start_memhpd()
    spy.process.kill()
