# SPDX-License-Identifier: LGPL-2.1-or-later
"""60 MiB free, every CPU busy, six DIMMs a quarter of a second apart: all of it comes online, nobody is killed."""

from vmlib import claims, pressure

NAME = "pressure"
MACHINE = pressure.MACHINE


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    report.did(f"lock all but {pressure.FREE_MIB} MiB, burn the CPUs, and plug {pressure.DIMMS} DIMMs of 2 GiB")
    result = pressure.trial(guest, "memhpd")
    pressure.expect_all(report, "memhpd", result)
    claims.expect_healthy(guest, report)
