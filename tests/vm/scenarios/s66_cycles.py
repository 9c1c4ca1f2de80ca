# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory comes and goes 20 times: memhpd has as many bytes, descriptors and threads as before."""

from vmlib import cycles

NAME = "cycles"
MACHINE = cycles.MACHINE


def play(guest, report):
    cycles.play(guest, report, 20)
