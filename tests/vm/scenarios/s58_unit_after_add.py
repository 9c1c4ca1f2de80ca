# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian with systemd: on_add_completed starts a unit once a hot-add is over; memory goes offline at the service, which has no
capability, with what is in each block, the kernel's reason, and an eject that memhpctl does as root."""

from vmlib import admin, bus, claims, contract
from vmlib.machine import GIB

NAME = "unit-after-add"
WHOLE_SYSTEM = True
LIMIT = 300
POLICY = claims.policy('{ name = "dimms"; match = { source = [ "dimm" ]; }; action = "online_kernel"; }',
                       on_add_completed='"count-memory.service"')
SERVICE = """[Unit]
Description=Says how much memory there is
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'grep MemTotal /proc/meminfo >>/run/counted'
"""


def play(guest, report):
    before = guest.look()
    guest.write_file("/etc/systemd/system/count-memory.service", SERVICE)
    guest.write_file(guest.config, POLICY)
    guest.check("systemctl daemon-reload && systemctl reload memhpd")
    guest.wait_log("that it reloaded", contract.RELOADED.search)

    report.did("plug two DIMMs of 1 GiB, one after the other")
    for n, name in enumerate(("d0", "d1"), 1):
        guest.plug_dimm(name, GIB, node=n)
        guest.wait_until("8 blocks online", lambda view, n=n: sum(b.zone == "Normal" for b in view.of_node(n).values()) == 8)
        guest.wait_until(f"the unit ran {n} times", lambda view, n=n: len(counted(guest)) == n)
    totals = [int(line.split()[1]) for line in counted(guest)]
    report.expect(totals[1] - totals[0] > 900 << 10, f"it saw the memory: {totals[0] >> 10} MiB, then {totals[1] >> 10} MiB")
    report.expect_equal("started so often", len(totals), 2)

    report.did("a unit that there is not")
    guest.write_file(guest.config, POLICY.replace("count-memory", "nothing"))
    guest.check("systemctl reload memhpd")
    guest.plug_dimm("d2", GIB, node=1)
    line = guest.wait_log("that it failed", lambda log: next((l for l in log.splitlines() if "nothing.service: could not be started" in l), None))
    report.quote(line)

    report.did("memhpctl offline --size 256M --dry-run: the service can look into blocks")
    dry = bus.ask(guest, "offline --size 256M --node 2 --dry-run")
    first = dry.job["candidates"][0]
    report.saw(f"block {first['block']}: {first['why']}")
    report.expect("free" in first and first["free"] > 0, "it knows what is free")

    report.did("memhpctl offline, with pages that stay")
    admin.pin_pages(guest, 2)
    device = guest.device_of(guest.look().of_node(2))
    result = bus.ask(guest, f"offline device:{device}")
    report.expect_equal("exit status", result.status, 1)
    for block, (error, why) in result.whys().items():
        report.saw(f"block {block}: errno {error}: {why}")
        report.expect("unmovable page" in why, "the kernel's reason")
    admin.unpin_pages(guest)
    for _ in range(10):
        status, out = bus.people(guest, f"offline device:{device} --eject")
        if status == 0:
            break
        admin.shrink_slabs(guest)
    report.quote(out)
    if status != 0 and "slab" in out:
        report.saw("not ejected: the kernel has taken pages of it for itself in the meantime, and keeps them")
        return
    report.expect_equal("ejected", status, 0)
    guest.qemu.wait_event(("DEVICE_DELETED",), lambda data: data.get("device") == "d1", 30, "the DIMM leaves")
    claims.expect_same_boot_memory(report, before, guest.look())


def counted(guest):
    return guest.run("cat /run/counted")[1].splitlines() if guest.run("test -e /run/counted")[0] == 0 else []
