# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NVDIMM made system RAM is known as persistent memory and left offline, a DIMM plugged meanwhile goes online.

The namespace's own header takes 2 MiB, and the kernel uses whole blocks only: of 2046 MiB remain 15 blocks.
"""

from vmlib import claims, contract
from vmlib.machine import GIB, MIB
from vmlib.report import Skipped

NAME = "nvdimm-kmem"
PMEM_BLOCKS = 15
POLICY = claims.policy(
    '{ name = "device-memory"; match = { source = [ "pmem", "cxl", "hmem", "dax" ]; }; action = "leave_offline"; }',
    '{ name = "everything-else"; match = { }; action = "online_movable"; }')


def play(guest, report):
    if guest.run("command -v ndctl && command -v daxctl")[0] != 0:
        raise Skipped("no ndctl and daxctl to put into the guest (Debian: ndctl daxctl)")
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)

    report.did("plug an NVDIMM of 2 GiB into node 2 and make it a devdax namespace")
    guest.plug_nvdimm("n0", 2050 * MIB, node=2)
    make_devdax(guest)
    report.expect_equal("memory blocks that came so far", len(guest.look().new_since(before)), 0)

    report.did("turn it into system RAM (daxctl --no-online), and plug a DIMM of 1 GiB into node 1 at the same time")
    guest.check("daxctl reconfigure-device --mode=system-ram --no-online dax0.0 >/tmp/daxctl.log 2>&1 & "
                "echo $! >/tmp/daxctl.pid")
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks online on node 1, 15 blocks on node 2", lambda view: len(view.of_node(2)) == PMEM_BLOCKS
                     and sum(b.state == "online" for b in view.of_node(1).values()) == 8)
    guest.wait_log("what becomes of dax0.0", contract.settled("dax0.0", "left offline").search)
    # Left offline has to be true for longer than a moment, and longer than memhpd's first retries take.
    guest.check("sleep 3")

    after = guest.look()
    pmem, dimm = after.of_node(2), after.of_node(1)
    claims.expect_blocks(report, pmem, PMEM_BLOCKS, "offline", where=" of the NVDIMM")
    claims.expect_blocks(report, dimm, 8, "online", "Movable", " of the DIMM")
    report.expect(any("System RAM (kmem)" in line for line in after.iomem), "/proc/iomem has System RAM (kmem)")
    report.expect_equal("node 2: present pages in Normal and Movable",
                        after.zone(2, "Normal").present + after.zone(2, "Movable").present, 0)
    claims.expect_told(guest, report, pmem, "dax0.0", "left offline")
    claims.expect_told(guest, report, dimm, guest.device_of(dimm), "online in Movable")
    claims.expect_growth(report, before, after, 1, "Movable", 8)
    claims.expect_same_boot_memory(report, before, after)

    claims.expect_list_agrees(guest, report, after, pmem, "pmem", "dax0.0")
    claims.expect_list_agrees(guest, report, after, dimm, "dimm", guest.device_of(dimm))
    claims.expect_explained(guest, report, min(pmem), "leave_offline", "device-memory")
    claims.expect_healthy(guest, report)


def make_devdax(guest):
    guest.check("n=0; until [ -d /sys/bus/nd/devices/namespace0.0 ]; do"
                "  n=$((n+1)); [ $n -lt 100 ] || exit 1; usleep 100000; done")
    guest.check("ndctl create-namespace -f -e namespace0.0 -m devdax -M mem", timeout=60)
