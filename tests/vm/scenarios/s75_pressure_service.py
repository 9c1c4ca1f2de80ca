# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worst moment for the service as it is shipped, systemd being PID 1: all of six DIMMs comes online, nobody is killed."""

from vmlib import pressure

NAME = "pressure-service"
WHOLE_SYSTEM = True
MACHINE = pressure.MACHINE


def play(guest, report):
    pressure.play_service(guest, report, 2)
