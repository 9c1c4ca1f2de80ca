# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory comes and goes 1 000 times: memhpd has as many bytes, descriptors and threads as before."""

from vmlib import cycles

NAME = "cycles-many"
FULL_ONLY = True
LIMIT = 3600
MACHINE = cycles.MACHINE


def play(guest, report):
    cycles.play(guest, report, 1000, looks=10)
