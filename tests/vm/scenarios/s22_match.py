# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules that match by address, size, device, platform and memory tier: each DIMM meets its own.

A node without online memory is in no tier, so its first DIMM cannot be matched by tier, and its second one can.
"""

from vmlib import claims
from vmlib.machine import GIB, MIB

NAME = "match"
MACHINE = {"boot_memory": GIB, "node_memory": (256 * MIB,)}
TIERS = "/sys/devices/virtual/memory_tiering"

POLICY = claims.policy(
    '{ name = "metal"; match = { platform = [ "baremetal", "microsoft", "container" ]; }; action = "leave_offline"; }',
    '{ name = "address"; match = { address = "4G-5G"; }; action = "online_kernel"; }',
    '{ name = "size"; match = { size = "256M"; }; action = "leave_offline"; }',
    '{ name = "device"; match = { device = "PNP0C80:*[2]"; platform = "qemu"; }; action = "online_movable"; }',
    '{ name = "far-tier"; match = { tier = "5-"; }; action = "leave_offline"; }',
    '{ name = "tier"; match = { tier = "4"; }; action = "online_kernel"; }',
    '{ name = "vm"; match = { platform = [ "baremetal", "vm" ]; node = "2"; size = "384M-1G"; }; '
    'action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    base = guest.look()
    claims.expect_block_size(base)
    tiers = guest.run(f"cat {TIERS}/memory_tier4/nodelist")[1].strip()
    report.saw(f"nodes in memory tier 4: {tiers or 'none'}")
    has_tiers = tiers == "0-1"
    guest.start_daemon(POLICY)

    expect(guest, report, "d0", GIB, 0, "address", "online_kernel")
    expect(guest, report, "d1", 256 * MIB, 1, "size", "leave_offline")
    expect(guest, report, "d2", GIB // 2, 1, "device", "online_movable")
    expect(guest, report, "d3", 384 * MIB, 2, "vm", "online_movable")
    report.saw("nodes in memory tier 4: " + guest.run(f"cat {TIERS}/memory_tier4/nodelist")[1].strip())
    expect(guest, report, "d4", 384 * MIB, 2, *(("tier", "online_kernel") if has_tiers else ("vm", "online_movable")))
    expect(guest, report, "d5", 384 * MIB, 1, *(("tier", "online_kernel") if has_tiers else ("rest", "leave_offline")))
    claims.expect_same_boot_memory(report, base, guest.look())
    claims.expect_healthy(guest, report)


def expect(guest, report, name, size, node, rule, action):
    """The DIMM is decided by this rule, and is where it says."""
    state, zone = {"online_kernel": ("online", "Normal"), "online_movable": ("online", "Movable"),
                   "leave_offline": ("offline", None)}[action]
    before, mark = guest.look(), len(guest.log())
    count = size // before.block_size
    guest.plug_dimm(name, size, node)
    guest.wait_until(f"{count} blocks", lambda v: len(v.new_since(before)) == count)
    line = guest.wait_log(f"something about {name}", lambda log: [
        line for line in log[mark:].splitlines() if f"{count} blocks" in line])[0]
    new = guest.look().new_since(before)
    claims.expect_blocks(report, new, count, state, zone, f" of {guest.device_of(new)} on node {node}")
    report.expect(f'rule "{rule}"' in line, f'by rule "{rule}": {line}')
    if name != "d3":            # explain tells what would be decided now that its node is in a tier
        claims.expect_explained(guest, report, min(new), action, rule)
