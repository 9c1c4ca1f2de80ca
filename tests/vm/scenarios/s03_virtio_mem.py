# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtio-mem device grows by 1 GiB in node 2: its blocks are known as virtio-mem's and follow that rule.

No other rule would put them online, so a wrong source shows as blocks left offline. Grown in two steps, because the
second one comes to a device that is known already.
"""

from vmlib import claims
from vmlib.guest import GuestError
from vmlib.machine import GIB

NAME = "virtio-mem"
MACHINE = {"virtio_mem_max": 4 * GIB, "virtio_mem_node": 2}
POLICY = claims.policy(
    '{ name = "dimms"; match = { source = [ "dimm", "boot", "unknown" ]; }; action = "leave_offline"; }',
    '{ name = "grown"; match = { source = [ "virtio-mem" ]; node = "2"; }; action = "online_movable"; }',
    '{ name = "rest"; match = { }; action = "leave_offline"; }')


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    device = guest.check("cd /sys/bus/virtio/drivers/virtio_mem && echo virtio[0-9]*").strip()
    report.saw(f"the kernel calls the device {device}")
    guest.start_daemon(POLICY)

    for step, size in enumerate((GIB // 2, GIB), 1):
        blocks = size // before.block_size
        report.did(f"step {step}: ask the device to grow to {size >> 20} MiB")
        guest.resize_virtio_mem(size)
        guest.wait_until(f"{blocks} blocks online on node 2", lambda view, blocks=blocks: sum(
            b.state == "online" for b in view.of_node(2).values()) == blocks)
        wait_taken(guest, size)
        report.expect_equal("bytes QEMU says the guest has taken", guest.virtio_mem_size(), size)

    after = guest.look()
    new = after.new_since(before)
    claims.expect_blocks(report, new, GIB // before.block_size, "online", "Movable", " on node 2")
    report.expect(any("System RAM (virtio_mem)" in line for line in after.iomem),
                  "/proc/iomem has System RAM (virtio_mem)")
    claims.expect_told(guest, report, new, device, "online in Movable")
    claims.expect_growth(report, before, after, 2, "Movable", len(new))
    claims.expect_same_boot_memory(report, before, after)
    claims.expect_list_agrees(guest, report, after, new, "virtio-mem", device)
    claims.expect_explained(guest, report, min(new), "online_movable", "grown", "Movable")
    claims.expect_healthy(guest, report)


def wait_taken(guest, size):
    """The driver tells QEMU about a block after the kernel shows it, so give it a moment."""
    guest.wait_until(f"virtio-mem taken {size}", lambda _: guest.virtio_mem_size() >= size, 20)
    if guest.virtio_mem_size() > size:
        raise GuestError(f"virtio-mem took {guest.virtio_mem_size()} bytes, more than asked for")
