# SPDX-License-Identifier: LGPL-2.1-or-later
"""More blocks come than memhpd's receive buffer holds events: it notices the loss, and every block goes online.

memhpd runs without CAP_NET_ADMIN and with the kernel's limit for receive buffers so low that it gets the 212 992 bytes
that a program gets that does not ask for more. It is stopped (SIGSTOP) while the memory comes. How much that buffer
held, and how many events the kernel threw away, is read from /proc/net/netlink.
"""

from vmlib import admin, claims, contract, starved
from vmlib.machine import BLOCK, GIB

NAME = "overflow"
DIMMS = ((1, BLOCK), (2, BLOCK), (1, BLOCK), (1, 32 * GIB), (2, 20 * GIB), (1, 24 * GIB))
# The page descriptors of all of it (16 MiB per GiB) have to fit before any of it is online.
MACHINE = {"boot_memory": 2 * GIB}
POLICY = claims.policy(
    '{ name = "node-2"; match = { source = [ "dimm" ]; node = "2"; }; action = "online_kernel"; }',
    '{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_movable"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    starved.start_daemon(guest, report, POLICY)

    total = sum(size for _, size in DIMMS) // before.block_size
    report.did(f"stop memhpd and plug {len(DIMMS)} DIMMs of together {total} blocks")
    guest.signal_daemon("STOP")
    queued = []
    for number, (node, size) in enumerate(DIMMS, 1):
        blocks = sum(s for _, s in DIMMS[:number]) // before.block_size
        guest.plug_dimm(f"d{number}", size, node)
        guest.wait_until(f"{blocks} blocks", lambda view, blocks=blocks: len(view.new_since(before)) == blocks, 120)
        queued.append(admin.uevent_socket(guest).queued)
    # A node that gets its first memory has an event, too, so the third DIMM is the first with nothing but its block's.
    event = queued[2] - queued[1]
    socket = starved.expect_overflow(guest, report, total)
    report.saw(f"an event takes {event} bytes of the buffer: it holds {socket.queued / event:g}")

    report.did("let it go on")
    guest.signal_daemon("CONT")
    report.quote(guest.wait_log("that uevents were lost", contract.EVENTS_LOST.search).group(0))
    guest.wait_until(f"{total} blocks online", lambda view: sum(
        b.state == "online" for b in view.new_since(before).values()) == total, 120, pause=1)
    after = guest.look()
    for node, zone in ((1, "Movable"), (2, "Normal")):
        count = sum(size for n, size in DIMMS if n == node) // before.block_size
        claims.expect_blocks(report, after.of_node(node), count, "online", zone, f" on node {node}")
        claims.expect_growth(report, before, after, node, zone, count)
    for device in sorted({b.firmware for b in after.new_since(before).values()}):
        blocks = {n: b for n, b in after.blocks.items() if b.firmware == device}
        zone = "Normal" if blocks[min(blocks)].nodes == [2] else "Movable"
        claims.expect_told(guest, report, blocks, device, f"online in {zone}")
    claims.expect_same_boot_memory(report, before, after)
    report.expect(not contract.lost_blocks(guest.log()), "memhpd calls nothing of that a lost race")
    claims.expect_healthy(guest, report)
