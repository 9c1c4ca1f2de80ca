# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian with systemd: the service as it is installed, enabled and without a capability brings memory online and tells why.

A DIMM is known by its firmware node, virtio-mem by /proc/iomem alone: what comes later shows in the descriptor that was handed
over before, or the rule about virtio-mem could not match.
"""

from vmlib import claims, contract, system
from vmlib.machine import GIB

NAME = "service"
WHOLE_SYSTEM = True
MACHINE = {"virtio_mem_max": 4 * GIB}
POLICY = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }',
    '{ name = "slices"; match = { source = [ "virtio-mem" ]; }; action = "online_kernel"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    report.expect_equal("PID 1 is", guest.check("cat /proc/1/comm").strip(), "systemd")
    report.expect_equal("enabled, it was started by the boot", guest.unit("ActiveState", "SubState"), ["active", "running"])
    report.expect(contract.READY.search(guest.log(everything=True)), "it has said so in the journal")
    guest.expect_handed_over(report)
    report.expect_equal("units that failed", guest.check("systemctl --failed --plain --no-legend").strip(), "")

    before = guest.look()
    claims.expect_block_size(before)
    report.did("a policy is put into /etc; systemctl reload")
    guest.write_file(guest.config, POLICY)
    guest.check("systemctl reload memhpd")
    guest.wait_log("that it reloaded", contract.RELOADED.search)
    dimm(guest, report, before)
    virtio_mem(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())


def dimm(guest, report, before):
    guest.begin_log()
    report.did("plug a DIMM of 1 GiB into node 1")
    guest.plug_dimm("d1", GIB, node=1)
    after = guest.wait_until("8 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 8)
    new = after.of_node(1)
    claims.expect_blocks(report, new, 8, "online", "Movable", " on node 1")
    claims.expect_growth(report, before, after, 1, "Movable", 8)
    device = guest.device_of(new)
    claims.expect_told(guest, report, new, device, "online in Movable")
    expect_journal(guest, report, new, device)


def expect_journal(guest, report, blocks, device):
    entries = guest.journal(f"MESSAGE_ID={contract.MESSAGE_ONLINED}")
    report.expect_equal("messages of that id in the journal", len(entries), 1)
    wanted = {"MEMHP_BLOCK": claims.numbers(blocks), "MEMHP_DEVICE": device, "MEMHP_SOURCE": "dimm", "MEMHP_ADD": "1",
              "MEMHP_RULE": "dimms", "MEMHP_ACTION": "online_movable", "MEMHP_ZONE": "Movable", "MEMHP_OUTCOME": "done",
              "MEMHP_NODE": "1", "MEMHP_FILE": guest.config, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "memhpd",
              "_SYSTEMD_UNIT": system.UNIT, "_CAP_EFFECTIVE": "0"}
    report.expect_equal("its fields", {key: entries[0].get(key) for key in wanted}, wanted)

    guest.check("journalctl --update-catalog")
    text = guest.check(f"journalctl --no-pager -q -x -n 1 MESSAGE_ID={contract.MESSAGE_ONLINED}")
    report.quote("\n".join(line for line in text.splitlines() if "░" in line)[:400])
    report.expect("Subject: Memory was brought online" in text, "journalctl -x has the catalog's subject")
    report.expect(f"The memory blocks {claims.numbers(blocks)}, which came from dimm, are online" in text.replace("\n░░", ""),
                  "and its text, with the blocks of this message")


def virtio_mem(guest, report):
    for size in (1, 2):
        report.did(f"the host gives {size} GiB to the virtio-mem device of node 2")
        guest.resize_virtio_mem(size * GIB)
        after = guest.wait_until(f"{8 * size} blocks online on node 2", lambda view, n=8 * size: sum(
            b.state == "online" for b in view.of_node(2).values()) == n)
        claims.expect_blocks(report, after.of_node(2), 8 * size, "online", "Normal", " on node 2")
    device = guest.check("cd /sys/bus/virtio/drivers/virtio_mem && echo virtio[0-9]*").strip()
    claims.expect_told(guest, report, after.of_node(2), device, "online in Normal")
