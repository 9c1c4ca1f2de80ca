# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rig's own memhpd: a machine made of files whose memory comes and goes while the daemon runs."""

import errno
import signal


def case_fake_machine(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd(setup="boot 0-31 0; dimm PNP0C80:01 32-33 1")
    memhpd.until("zone 33", "Movable")
    checks.equal("what was offline at the start is online", memhpd.do("zone 32"), "Movable")
    checks.equal("what was online is left alone", memhpd.do("zone 0"), "Normal")
    memhpd.do("dimm PNP0C80:02 40-47 1")
    memhpd.until("zone 47", "Movable")
    memhpd.process.wait_for(r"8 blocks")
    memhpd.do(f"fail 50 {errno.EBUSY} 1")
    memhpd.do("virtio-mem virtio0 50-50 0")
    memhpd.until("writes 50", "2")
    memhpd.until("zone 50", "Movable")
    memhpd.do("hold 60")
    memhpd.do("kmem dax0.0 60-61 1")
    memhpd.until("held", "yes")
    checks.equal("a write is in the kernel", memhpd.do("zone 60"), "")
    memhpd.do("release")
    memhpd.until("zone 61", "Movable")
    checks.equal("another program's write", memhpd.do("set 61 offline"), "0")
    memhpd.until("zone 61", "")
    memhpd.do("remove 40-47")
    memhpd.process.wait_for(r"40-47")
    checks.equal("ends well", memhpd.end(), 0)


def case_fake_machine_killed(checks, rig):
    rig.start_bus()
    memhpd = rig.start_memhpd()
    checks.equal("is killed", memhpd.end(signal.SIGKILL), -signal.SIGKILL)
