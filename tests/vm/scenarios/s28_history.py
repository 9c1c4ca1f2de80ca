# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian with systemd: memhpctl history is what the journal has, by MESSAGE_ID and field; it is whole after memhpd and journald were
killed and when memhpd is stopped, and the daemon's own where the journal may not be read.
"""

import json

from vmlib import claims, contract
from vmlib.machine import MIB

NAME = "history"
WHOLE_SYSTEM = True
POLICY = claims.policy('{ name = "dimms"; match = { node = "1"; }; action = "online_movable"; }',
                       '{ name = "rest"; match = { }; action = "leave_offline"; }')
IDS = {"onlined": contract.MESSAGE_ONLINED, "left-offline": "76442963d5854bd7a34c0abd369ba8a9", "offlined": "d08b7412e2004e15b1f98a115de63188", "removed": "a7250bcf300a42ecbff3407fd0574e5f"}
FIELDS = {"blocks": "MEMHP_BLOCK", "source": "MEMHP_SOURCE", "device": "MEMHP_DEVICE", "action": "MEMHP_ACTION", "outcome": "MEMHP_OUTCOME",
          "zone": "MEMHP_ZONE", "message": "MESSAGE"}


def play(guest, report):
    guest.start_daemon(POLICY)
    report.did("DIMMs of 256 MiB for nodes 1 and 2; the first is taken offline by memhpctl and unplugged")
    guest.plug_dimm("d1", 256 * MIB, node=1)
    guest.wait_until("2 blocks online on node 1", lambda view: sum(b.zone == "Movable" for b in view.of_node(1).values()) == 2)
    first = guest.look().of_node(1)
    guest.plug_dimm("d2", 256 * MIB, node=2)
    guest.wait_until("2 blocks on node 2", lambda view: len(view.of_node(2)) == 2)
    device = guest.device_of(first)
    guest.check(f"memhpctl offline device:{device}", 60)
    guest.unplug("d1")
    past = wait_history(guest, ["onlined", "left-offline", "offlined", "removed"])
    expect_journal(guest, report, past)
    report.expect_equal("of the device", {r["device"] for r in guest.ctl(f"history device:{device}")}, {device})

    status, out = guest.run_as("nobody", "memhpctl --json history")
    report.expect_equal("nobody may not read the journal, and is told the same by the daemon",
                        (status, [(r["event"], r["blocks"]) for r in json.loads(out)]), (0, [(r["event"], r["blocks"]) for r in past]))
    report.expect(guest.run_as("nobody", "journalctl -q -n 1 -t memhpd 2>&1 | grep -q memhpd")[0] != 0, "(it may not indeed)")

    report.did("memhpd and journald are killed; another DIMM for node 1")
    pid = guest.daemon_pid
    guest.signal_daemon("KILL")
    guest.check("systemctl kill --kill-whom=main --signal=SIGKILL systemd-journald.service")
    guest.wait_unit("it runs again", lambda s: s["ActiveState"] == "active" and int(s["MainPID"]) not in (0, pid))
    guest.plug_dimm("d3", 256 * MIB, node=1)
    later = wait_history(guest, [r["event"] for r in past] + ["left-offline", "onlined"])
    report.expect_equal("all that was known", later[:len(past)], past)
    report.expect_equal("what it met again, and the new one", [r["blocks"] for r in later[len(past):]], ["34-35", "32-33"])
    expect_journal(guest, report, later)

    report.did("systemctl stop memhpd")
    guest.stop_daemon()
    report.expect_equal("the journal still has it", guest.ctl("history"), later)


def wait_history(guest, events):
    """Until it is about these, in this order, however many lines there are of each."""
    def kinds():
        found = []
        for r in guest.ctl("history"):
            if not found or found[-1] != r["event"]:
                found.append(r["event"])
        return found
    wanted = [e for i, e in enumerate(events) if i == 0 or events[i - 1] != e]
    guest.wait_until(f"history tells of {', '.join(wanted)}", lambda view: kinds() == wanted, 60)
    return guest.ctl("history")


def expect_journal(guest, report, past):
    """Each line of the history is an entry, found by its MESSAGE_ID, with the same fields and of the same time."""
    for event, message_id in IDS.items():
        lines = [r for r in past if r["event"] == event]
        entries = [json.loads(line) for line in guest.check(
            f"journalctl --no-pager -q -o json MESSAGE_ID={message_id} _UID=0").splitlines()]
        seen = [{key: e.get(field) for key, field in FIELDS.items()} for e in entries]
        wanted = [{key: r[key] for key in FIELDS} for r in lines]
        for told, line in zip(seen, lines):
            if line["action"] is None:      # nobody's decision: the journal has what was decided last
                told["action"] = None
        report.expect_equal(f"{event}: {len(lines)} entries of that MESSAGE_ID and their fields", seen, wanted)
        report.expect_equal(f"{event}: their times", [int(e["__REALTIME_TIMESTAMP"]) for e in entries], [r["time_usec"] for r in lines])
