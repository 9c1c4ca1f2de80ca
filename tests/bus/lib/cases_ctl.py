# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl and the daemon: what it asks, what it says, how it exits."""

import json
import shutil
import signal
import time

from .rig import NOBODY, TESTS

TWO_RULES = """version = 1;
rules = ( { name = "no-pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
REPORT_KEYS = {"time_usec", "event", "priority", "blocks", "n_blocks", "add", "source", "device", "node", "rule", "action", "reason",
               "outcome", "zone", "errno", "balance", "message"}


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
    for verb in ("status",):
        result = rig.ctl(verb, uid=NOBODY)
        checks.expect(result.status == 1 and "org.memhp1.inspect: not allowed" in result.err, f"{verb}: nobody is refused", result)
        checks.equal(f"{verb}: root is not", rig.ctl(verb).status, 0)


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
