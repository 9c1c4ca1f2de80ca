# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian with systemd: memhp-metrics.service writes the figures where node_exporter looks, an alert is in the journal with its
catalog entry, and GetStats tells of it over the bus.
"""

import json
import re

from vmlib import claims, contract
from vmlib.machine import GIB

NAME = "metrics-service"
WHOLE_SYSTEM = True
MACHINE = {}
FOLDER = "/var/lib/prometheus/node-exporter"
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }',
                       alerts='{ interval = "1s"; offline_after = "2s"; }')
MESSAGE_WAITING, MESSAGE_CLEARED = "270b0d5328804387aad57725f8a78c96", "315f9139c589433d962dbcc96c1e1dec"
WAITS = r"hot-added memory waits offline: 1 GiB"


def play(guest, report):
    before = guest.look()
    claims.expect_block_size(before)
    guest.write_file(guest.config, POLICY)
    guest.check("systemctl reload memhpd")
    guest.wait_log("that it reloaded", contract.RELOADED.search)

    report.did("without node_exporter's folder the service does nothing, and is content")
    guest.check("systemctl start memhp-metrics.service")
    report.expect_equal("its condition", guest.unit("ConditionResult", "Result", unit="memhp-metrics.service"), ["no", "success"])

    report.did("with it, the timer is started; a DIMM of 1 GiB comes to node 1, and is held")
    guest.check(f"mkdir -p {FOLDER} && systemctl start memhp-metrics.timer")
    report.expect_equal("the timer", guest.unit("ActiveState", unit="memhp-metrics.timer"), "active")
    guest.check("memhpctl hold node:1")
    guest.plug_dimm("d1", GIB, node=1)
    guest.wait_log("an alert", re.compile(WAITS).search)
    expect_journal(guest, report, MESSAGE_WAITING, "Subject: Hot-added memory has been offline for long")
    stats = json.loads(guest.check("memhpctl --json stats"))
    report.expect_equal("memhpctl asks the daemon", stats["daemon"], True)
    report.expect_equal("what waits", (stats["waiting"]["bytes"], [a["alert"] for a in stats["alerts"]]), (GIB, ["waiting"]))
    expect_file(guest, report, {"memhp_daemon_up": 1, 'memhp_alert{alert="waiting"}': 1, "memhp_waiting_bytes": GIB,
                                'memhp_node_state_bytes{node="1",state="offline"}': GIB,
                                'memhp_source_bytes{source="dimm",state="offline"}': GIB, "memhp_holds": 1, "memhp_adds_total": 1})

    report.did("release it")
    guest.check("memhpctl release all")
    guest.wait_log("that the alert is over", re.compile(r"no hot-added memory waits offline").search)
    expect_journal(guest, report, MESSAGE_CLEARED, "Subject: An alert of memhpd is over")
    expect_file(guest, report, {'memhp_alert{alert="waiting"}': 0, "memhp_waiting_bytes": 0,
                                'memhp_node_state_bytes{node="1",state="online"}': GIB,
                                'memhp_node_present_bytes{node="1",zones="movable"}': GIB,
                                'memhp_outcomes_total{outcome="done"}': 8,
                                'memhp_decisions_total{rule="all",action="online_movable"}': 8,
                                'memhp_write_duration_seconds_count{direction="online"}': 8})
    report.did("stop the daemon")
    guest.check("systemctl stop memhpd.service")
    expect_file(guest, report, {"memhp_daemon_up": 0, 'memhp_node_blocks_bytes{node="1",origin="hot_added"}': GIB})
    report.expect_equal("it is not started by that", guest.unit("ActiveState"), "inactive")
    claims.expect_same_boot_memory(report, before, guest.look())


def expect_journal(guest, report, message, subject):
    entries = guest.journal(f"MESSAGE_ID={message}")
    report.expect_equal("in the journal", [e.get("MEMHP_ALERT") for e in entries], ["waiting"])
    report.quote(entries[0]["MESSAGE"])
    guest.check("journalctl --update-catalog")
    text = guest.check(f"journalctl --no-pager -q -x -n 1 MESSAGE_ID={message}")
    report.expect(subject in text, f"journalctl -x: {subject}")


def expect_file(guest, report, wanted):
    guest.check("systemctl start memhp-metrics.service", 60)
    text = guest.check(f"cat {FOLDER}/memhp.prom")
    report.expect(text.endswith("# EOF\n"), "the file is whole")
    seen = {key: float(value) for key, value in re.findall(r"^(memhp_\S+?(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}
    report.expect_equal(f"{len(wanted)} of its {len(seen)} figures", {key: seen.get(key) for key in wanted}, wanted)
    report.expect_equal("what lies there", guest.check(f"ls {FOLDER}").split(), ["memhp.prom"])
