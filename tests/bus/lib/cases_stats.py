# SPDX-License-Identifier: LGPL-2.1-or-later
"""GetStats and alerts: what the daemon knows, beside what memhpctl reads itself; raised once, cleared once, told to all."""

import json
import os
import re
import time

from ctl.lib import openmetrics
from ctl.lib.tree import GIB, MIB, buddy_text, zone_text
from .rig import NOBODY, PATIENCE, TESTS, Signals

POLICY = """version = 1;
alerts = { interval = "1s"; offline_after = "1s"; };
rules = ( { name = "limited"; match = { source = "dimm"; }; action = "balance"; movable_ratio = 400; numa_aware = false; } );
"""
PAGES = 32768   # of a block


def set_memory(memhpd, kernel_free, movable_blocks=0, kernel_hot=0):
    """32 blocks at boot on node 0; movable blocks on node 1."""
    kernel = (32 + kernel_hot) * PAGES
    movable = movable_blocks * PAGES
    memhpd.do("file proc/zoneinfo " + zone_text(0, "Normal", 0, kernel, kernel_free // 4096) +
              zone_text(1, "Movable", 1 << 20, movable, movable - movable // 64))
    memhpd.do("file proc/buddyinfo " + buddy_text(0, "Normal", [kernel_free // 4096]) +
              buddy_text(1, "Movable", [movable]))


def stats(rig, direct=None):
    arguments = ["--json", "stats"] + (["--sysroot", direct, "--config", rig.folder + "/policy.conf"] if direct else [])
    result = rig.run(rig.program("memhpctl"), *arguments)
    assert result.status == 0, result
    return result.json


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while True:
        seen = condition()
        if seen:
            return seen
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def alerts_of(rig):
    return {a["alert"]: a for a in stats(rig)["alerts"]}


def case_stats_agree(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    set_memory(memhpd, GIB)
    memhpd.do("dimm PNP0C80:01 64-71 1")
    memhpd.until("zone 71", "Movable")
    memhpd.do("kmem dax0.0 96-99 0")
    memhpd.do("virtio-mem virtio0 128-129 0")
    memhpd.process.wait_for("blocks 128-129|128-129")
    set_memory(memhpd, GIB, movable_blocks=8)
    rig.wait_for_name("org.memhp1")
    seen, read = stats(rig), stats(rig, direct=memhpd.root)
    checks.equal("who answers", (seen.pop("daemon"), read.pop("daemon")), (True, False))
    checks.expect(seen.pop("waiting")["bytes"] == 6 * 128 * MIB, "what no rule is about waits", read.pop("waiting"))
    for answer in (seen, read):
        answer.pop("alerts")
    checks.equal("the same keys and figures as read from the files", seen, read)
    checks.equal("the largest so far", seen["next_add"]["size"], GIB)
    memhpd.do("remove 64-71")
    memhpd.process.wait_for("unplugged")
    seen, read = stats(rig), stats(rig, direct=memhpd.root)
    checks.equal("... also when it is gone", (seen["next_add"]["size"], read["next_add"]["size"]), (GIB, GIB // 2))
    answer = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStats", uid=NOBODY)
    checks.expect(answer.status == 0 and "machine" in answer.json["data"][0], "anybody may look", answer)
    memhpd.do("file proc/zoneinfo garbage\n")
    result = rig.run(rig.program("memhpctl"), "stats")
    checks.expect(result.status == 1 and "/proc/zoneinfo: malformed, line 1" in result.err, "a malformed file: exit 1, the line",
                  result)
    memhpd.process.wait_for(r"/proc/zoneinfo cannot be used .*line 1.*no alerts")
    set_memory(memhpd, GIB)
    checks.equal("and then it can be read again", stats(rig)["machine"]["kernel"]["free"], GIB)


def case_alerts(checks, rig):
    """The next add: refused, not refused. Each is told once, however often memhpd looks."""
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    set_memory(memhpd, GIB)
    rig.wait_for_name("org.memhp1")
    signals = Signals(rig, "Alert")
    memhpd.do("dimm PNP0C80:01 64-127 1")
    memhpd.until("zone 127", "Movable")
    set_memory(memhpd, 110 * MIB, movable_blocks=64)
    memhpd.process.wait_for(r"^memhpd: the next hot-add is likely to be refused: one of 8 GiB, .* 128 MiB .*")
    name, message, raised = signals.next()
    checks.equal("the signal", (name, raised, message.startswith("the next hot-add is likely")), ("next-add", True, True))
    alert = alerts_of(rig)["next-add"]
    checks.expect(abs(alert["since_usec"] / 1e6 - time.time()) < PATIENCE, "since when", alert)
    # Figures go on to change: it is looked again, and nothing more is said.
    for free in (111, 109, 120):
        set_memory(memhpd, free * MIB, movable_blocks=64)
        before = alert["message"]
        alert = until("another look", lambda b=before: (a := alerts_of(rig)["next-add"])["message"] != b and a)
    checks.equal("with the figures of the last look", alert["message"].rsplit("have ", 1)[1], "111.8 MiB")
    set_memory(memhpd, GIB, movable_blocks=64)
    memhpd.process.wait_for(r"^memhpd: the next hot-add would not be refused")
    name, message, raised = signals.next()
    checks.equal("once, and then that it is over", (name, raised), ("next-add", False))
    checks.equal("nothing is left", alerts_of(rig), {})
    status = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]
    checks.equal("nor in the status", status["alerts"]["data"], [])
    said = [line for line in memhpd.process.said if "next hot-add" in line]
    checks.equal("said twice in all", len(said), 2)


def case_alerts_ratio(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    set_memory(memhpd, GIB)
    rig.wait_for_name("org.memhp1")
    memhpd.do("dimm PNP0C80:01 64-71 1")
    memhpd.until("zone 71", "Movable")
    set_memory(memhpd, GIB, movable_blocks=129)
    memhpd.process.wait_for(r"the movable memory of the machine is 403 % of its kernel memory; rule \"limited\" allows for 400 %")
    checks.equal("by another program's doing", list(alerts_of(rig)), ["ratio"])
    status = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]
    checks.equal("in the status", status["alerts"]["data"], ["ratio"])
    set_memory(memhpd, GIB, movable_blocks=128)
    memhpd.process.wait_for(r"within the limits of the rules again")


def case_alerts_waiting(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY + "\n")
    set_memory(memhpd, GIB)
    rig.wait_for_name("org.memhp1")
    signals = Signals(rig, "Alert")
    memhpd.do("virtio-mem virtio0 128-129 0")
    memhpd.process.wait_for(r"hot-added memory waits offline: 256 MiB among the blocks 128-129")
    checks.equal("told", signals.next()[::2], ["waiting", True])
    waiting = stats(rig)["waiting"]
    checks.expect(waiting["bytes"] == 256 * MIB and waiting["usec"] >= 1000000, "how much, for how long", waiting)
    memhpd.do("set 128 online_movable")
    memhpd.do("set 129 online_movable")
    memhpd.process.wait_for(r"no hot-added memory waits offline")
    checks.equal("and over", signals.next()[::2], ["waiting", False])
    memhpd.do("set 128 offline")
    until("it is somebody's doing", lambda: stats(rig)["machine"]["offline"] == 128 * MIB)
    checks.equal("what an administrator sets offline does not wait", stats(rig)["waiting"], {"bytes": 0, "usec": 0})


def case_alerts_kernel(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    set_memory(memhpd, 10 * MIB, movable_blocks=16)
    memhpd.process.wait_for(r"kernel memory is nearly exhausted: of 3.9 GiB, 1.8 MiB can still be had, while 1.9 GiB of movable")
    rig.wait_for_name("org.memhp1")
    checks.equal("with none at all, it is another matter", list(alerts_of(rig)), ["kernel-low"])
    set_memory(memhpd, 10 * MIB, movable_blocks=0)
    memhpd.process.wait_for(r"kernel memory is no longer nearly exhausted")


def case_counters(checks, rig):
    """What memhpctl metrics tells of the daemon itself."""
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    rig.wait_for_name("org.memhp1")
    memhpd.do("dimm PNP0C80:01 64-71 1")
    memhpd.do("virtio-mem virtio0 128-129 0")
    memhpd.process.wait_for("128-129")
    memhpd.until("zone 71", "Normal")
    status = until("all was reported", lambda: (s := rig.call(
        "org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]) and
        sum(s["outcomes"]["data"].values()) == 10 and s)
    checks.equal("decisions by rule and action", sorted(map(tuple, status["decisions"]["data"])),
                 [("", "leave_offline", 2), ("limited", "online_kernel", 8)])
    outcomes = {k: v for k, v in status["outcomes"]["data"].items() if v}
    checks.equal("outcomes", outcomes, {"none": 2, "done": 8})
    histogram = {k: v["data"] for k, v in status["online_time"]["data"].items()}
    buckets = histogram["buckets"]
    checks.expect(histogram["count"] == 8 == sum(n for _, n in buckets) and histogram["sum_usec"] > 0 and
                  [b for b, _ in buckets] == sorted(b for b, _ in buckets), "how long the writes took", histogram)
    checks.equal("none took memory offline", status["offline_time"]["data"]["count"]["data"], 0)
    memhpd.do("overflow")
    until("another look at everything", lambda: rig.call(
        "org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]["counters"]["data"]["rescans"] >= 2)
    again = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]
    checks.equal("what is decided as ever is no new decision", again["decisions"], status["decisions"])


def metrics(rig):
    result = rig.run(rig.program("memhpctl"), "metrics")
    assert result.status == 0 and result.err == "", result
    return openmetrics.parse(result.out)


def case_metrics_daemon(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY)
    set_memory(memhpd, GIB)
    rig.wait_for_name("org.memhp1")
    memhpd.do("dimm PNP0C80:01 64-71 1")
    memhpd.do("virtio-mem virtio0 128-129 0")
    memhpd.process.wait_for("hot-added memory waits offline")
    set_memory(memhpd, GIB, movable_blocks=8)
    value = openmetrics.value
    families = until("all was reported", lambda: (m := metrics(rig)) and value(
        m, "memhp_outcomes", "_total", outcome="done") == 8 and value(m, "memhp_alert", alert="waiting") == 1 and m)
    checks.equal("valid, and the daemon answers", value(families, "memhp_daemon_up"), 1)
    checks.equal("decisions", (value(families, "memhp_decisions", "_total", rule="limited", action="online_movable"),
                               value(families, "memhp_decisions", "_total", rule="", action="leave_offline")), (8, 2))
    checks.equal("the histogram counts each write", (
        value(families, "memhp_write_duration_seconds", "_count", direction="online"),
        value(families, "memhp_write_duration_seconds", "_bucket", direction="online", le="+Inf"),
        value(families, "memhp_write_duration_seconds", "_count", direction="offline")), (8, 8, 0))
    checks.equal("memory by source", (value(families, "memhp_source_bytes", source="dimm", state="online"),
                                      value(families, "memhp_source_bytes", source="virtio-mem", state="offline")),
                 (GIB, 256 * MIB))
    checks.equal("what waits", value(families, "memhp_waiting_bytes"), 256 * MIB)
    checks.expect(value(families, "memhp_waiting_seconds") >= 1, "for how long")
    status = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus").json["data"][0]
    counters = status["counters"]["data"]
    checks.equal("the daemon's own counters", [value(families, f"memhp_{name}", "_total") for name in (
        "events", "event_overflows", "writes", "onlined_blocks", "failures", "lost_races")], [counters[k] for k in (
            "events", "overflows", "writes", "onlined", "failed", "lost_races")])
    expect_monitoring(checks, openmetrics.names(families) | {"node_textfile_mtime_seconds"})


def expect_monitoring(checks, known):
    """Every metric that the rules and the dashboard name is one that there is."""
    folder = os.path.join(os.path.dirname(TESTS), "conf", "monitoring")
    with open(os.path.join(folder, "memhpd-dashboard.json"), encoding="utf-8") as f:
        dashboard = json.load(f)
    texts = {f"panel {p['title']}": " ".join(t["expr"] for t in p["targets"]) for p in dashboard["panels"]}
    texts["the list of instances"] = dashboard["templating"]["list"][1]["definition"]
    with open(os.path.join(folder, "memhpd.rules.yml"), encoding="utf-8") as f:
        rules = f.read()
    found = re.findall(r"- alert: (\w+)\n +expr: (?:>\n +)?(.*)", rules)
    texts.update((f"rule {name}", expression) for name, expression in found)
    checks.equal("each rule has an expression", len(found), rules.count("- alert:"))
    for where, text in texts.items():
        names = set(re.findall(r"\b(?:memhp|node)_[a-z_]+\b", text))
        checks.expect(names and names <= known, f"{where}: it is there", names - known)
    checks.equal("panels do not lie on one another", overlapping(dashboard["panels"]), [])


def overlapping(panels):
    places = [p["gridPos"] for p in panels]
    return [(a, b) for i, a in enumerate(places) for b in places[:i]
            if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]]
