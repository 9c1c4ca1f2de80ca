# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl map and doctor, as far as they ask the daemon."""

import os

from .rig import NOBODY

MACHINE = "boot 0-31 0; dimm PNP0C80:01 32-39 1; kmem dax0.0 40-99 2; virtio-mem virtio0 1300-1303 1"
POLICY = """version = 1;
retry = { first = "10ms"; max = "10ms"; attempts = 2; };
rules = ( { name = "no-pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""


def case_ctl_map(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=POLICY, setup=MACHINE)
    memhpd.until("zone 1303", "Movable")
    for options in ([], ["--by", "state"], ["--by", "source"], ["--bytes"], ["-n"], ["--json"], ["--svg", "-"]):
        seen, real = rig.ctl("map", *options), rig.ctl("map", *options, "--sysroot", memhpd.root)
        checks.expect((seen.status, seen.out, seen.err) == (0, real.out, ""), f"map {options}: with a daemon and without",
                      f"{seen}\n{real}")
    checks.equal("nobody sees what root sees", rig.ctl("map", uid=NOBODY).out, rig.ctl("map").out)
    memhpd.end()
    checks.expect("PNP0C80:01" not in rig.ctl("map").out, "without a daemon, the system itself is drawn")


def case_ctl_doctor(checks, rig):
    if not os.path.exists("/sys/devices/system/memory/block_size_bytes"):
        checks.skip("doctor", "this system has no memory blocks: it looks no further")
        return

    def kinds(uid=0):
        answer = rig.ctl("doctor", "--json", uid=uid).json
        return {f["kind"]: f for f in answer["findings"]}, [s["check"] for s in answer["skipped"]]

    found, skipped = kinds()
    checks.expect("not-running" not in found and "the daemon" in skipped, "no bus: it cannot be known whether memhpd runs",
                  (found, skipped))
    rig.start_bus()
    found, skipped = kinds()
    checks.expect("not-running" in found and "the daemon" not in skipped, "a bus, and nobody of that name", (found, skipped))
    checks.expect("the daemon" in [s["check"] for s in rig.ctl("doctor", "--json", "--direct").json["skipped"]],
                  "--direct: it is not asked")

    memhpd = rig.start_memhpd(policy=POLICY, setup=MACHINE)
    memhpd.until("zone 1303", "Movable")
    ours = {"not-running", "overflows", "lost-races", "not-onlined"}
    checks.equal("a daemon that is well", ours & set(kinds()[0]), set())
    memhpd.do("overflow")
    memhpd.process.wait_for("uevents were lost")
    memhpd.do("fail 2000 12 99")
    memhpd.do("dimm PNP0C80:02 2000-2003 1")
    memhpd.process.wait_for("block 2000")
    found, _ = kinds(NOBODY)
    checks.equal("what went wrong is asked for, also by nobody", ours & set(found), {"overflows", "not-onlined"})
    checks.equal("how bad it is", [found[k]["severity"] for k in ("overflows", "not-onlined")], ["warning", "error"])
    checks.has("which", found["not-onlined"]["summary"] + found["not-onlined"]["evidence"][0]["text"], "1 block ", "PNP0C80:02")
    checks.equal("errors: exit 1", rig.ctl("doctor").status, 1)
