# SPDX-License-Identifier: LGPL-2.1-or-later
"""Over the system bus: somebody without privileges looks, is refused to change anything, may while a polkit rule says so, and is
refused again without it.

With the real polkit and its shipped actions, by memhpctl and by a foreign client, and with the service started by the bus when
it is first called.
"""

import json

from vmlib import claims, system
from vmlib.machine import MIB
from vmlib.report import Failed

NAME = "service-bus"
WHOLE_SYSTEM = True
RULE_FILE = "/etc/polkit-1/rules.d/10-worker.rules"
RULE = """polkit.addRule(function(action, subject) {
        if (action.id == "org.memhp1.set-state" && subject.user == "%s")
                return polkit.Result.YES;
});
"""
CALL = "busctl --json=short call org.memhp1 /org/memhp1 org.memhp1.Manager"


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    guest.check("useradd --no-create-home --shell /bin/sh worker && useradd --no-create-home --shell /bin/sh other")
    activated(guest, report)

    report.did("plug a DIMM of 256 MiB into node 1")
    guest.plug_dimm("d1", 256 * MIB, node=1)
    view = guest.wait_until("2 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 2)
    block = max(view.of_node(1))
    looks(guest, report, view)
    refused(guest, report, block)
    allowed(guest, report, block)


def activated(guest, report):
    report.did("systemctl stop; somebody calls")
    guest.stop_daemon()
    status, out = guest.run_as("worker", f"{CALL} GetStatus")
    report.expect_equal("the call", (status, '"data"' in out), (0, True))
    report.expect(guest.daemon_alive(), "the bus has started the service")
    report.expect_equal("the bus calls it", guest.check(
        "busctl --no-pager --no-legend list --acquired | grep '^org.memhp1 ' | tr -s ' ' | cut -d' ' -f2,3").split()[1:],
        ["memhpd"])


def looks(guest, report, view):
    status, out = guest.run_as("worker", f"{CALL} ListRanges s node:1")
    report.expect_equal("worker may list blocks", status, 0)
    report.quote(out)
    blocks = json.loads(out)["data"][0]
    report.expect(blocks and "online" in json.dumps(blocks), "and sees that they are online")
    seen = {}
    for verb in ("status", "list node:1", "show node:1", "explain node:1", "history", "zones 1", "trace", "jobs", "hold", "stats"):
        status, out = guest.run_as("worker", f"memhpctl --json {verb}")
        if status != 0:
            raise Failed(f"worker may not {verb}: {out.strip()}")
        seen[verb.split()[0]] = json.loads(out)
    report.saw(f"worker may use {', '.join(seen)} of memhpctl")
    numbers = sorted(view.of_node(1))
    report.expect_equal("status: hot-adds", seen["status"]["adds"], 1)
    report.expect_equal("list: online", seen["list"]["online"], 256 * MIB)
    # /proc/iomem has no addresses for worker: this is what the daemon knows.
    report.expect_equal("explain: the daemon's decisions", [(e["block"], e["decided"], e["source"]) for e in seen["explain"]],
                        [(n, True, "dimm") for n in numbers])
    report.expect_equal("trace: of add, blocks online", (seen["trace"]["add"], seen["trace"]["online"]), (1, 2))
    report.expect_equal("zones: present in Normal of node 1",
                        [z["present"] for z in seen["zones"]["zones"] if z["zone"] == "Normal"], [view.zone(1, "Normal").present])


# What memhpctl is told, and the action it takes.
WRITES = (("offline {}", "set-state"), ("online {} --zone movable", "set-state"), ("rezone {} --zone kernel", "set-state"),
          ("offline --size 128M", "set-state"), ("hold all mine", "manage-policy"), ("release 1", "manage-policy"),
          ("reload", "manage-policy"))


def refused(guest, report, block):
    state = guest.look().blocks
    for call in (f"Offline 'sa{{sv}}' {block} 0", "Reload"):
        status, out = guest.run_as("worker", f"{CALL} {call}")
        report.expect(status != 0, f"worker may not {call.split()[0]}: {out.strip()}")
    for words, action in WRITES:
        expect_refused(guest, report, "worker", words.format(block), action)
    after = guest.look().blocks
    report.expect_equal("the blocks are as they were", {n: (b.state, b.zones) for n, b in after.items()},
                        {n: (b.state, b.zones) for n, b in state.items()})


def is_refused(answer, verb, action):
    """Exit status, the subject, why, and what helps."""
    status, out = answer
    return status == 1 and out.startswith(f"memhpctl: {verb}: org.memhp1.{action}: ") and out.endswith("; try as root\n")


def expect_refused(guest, report, user, words, action):
    answer = guest.run_as(user, f"memhpctl {words}")
    if not is_refused(answer, words.split()[0], action):
        raise Failed(f"{user}: memhpctl {words} is not refused as it should be: {answer}")
    report.saw(f"{user} may not {words}: {answer[1].strip()}")


def allowed(guest, report, block):
    report.did("a polkit rule: worker may set states")
    guest.write_file(RULE_FILE, RULE % "worker")
    offline = f"memhpctl offline {block}"
    answer = until(guest, offline, lambda answer: answer[0] == 0)       # polkitd notices by itself
    report.expect_equal(f"worker: {offline}", answer, (0, "1 block (128M) offline\n"))
    report.expect_equal("the kernel", guest.look().blocks[block].state, "offline")
    for words, zone, said in ((f"online {block} --zone movable", "Movable", "1 block (128M) online\n"),
                              (f"rezone {block} --zone kernel", "Normal", "1 block (128M) moved\n")):
        report.expect_equal(f"worker: memhpctl {words}", last_line(guest.run_as("worker", f"memhpctl {words}")), (0, said))
        report.expect_equal("the kernel", guest.look().blocks[block].zone, zone)
    expect_refused(guest, report, "worker", "reload", "manage-policy")
    expect_refused(guest, report, "other", f"offline {block}", "set-state")
    report.expect(guest.run("memhpctl reload")[0] == 0, "root may reload")

    report.did("the rule is removed")
    guest.check(f"rm {RULE_FILE}")
    until(guest, f"memhpctl online {block}", lambda answer: is_refused(answer, "online", "set-state"))
    report.saw("worker is refused again")
    expect_refused(guest, report, "worker", f"offline {block}", "set-state")
    report.expect_equal("the kernel", guest.look().blocks[block].zone, "Normal")
    report.expect_equal("memhpd is", guest.unit("ActiveState", "NRestarts"), ["active", "0"])


def last_line(answer):
    """Without progress."""
    return answer[0], answer[1].splitlines(keepends=True)[-1]


def until(guest, script, condition):
    """What worker is answered at last."""
    for _ in range(40):
        answer = guest.run_as("worker", script)
        if condition(answer):
            return answer[0], answer[1].splitlines(keepends=True)[-1]
        guest.check("sleep 0.5")
    raise Failed(f"worker: {script}: {answer}")
