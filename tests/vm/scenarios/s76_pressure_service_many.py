# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worst moment for the service as it is shipped, again and again."""

import os

from vmlib import pressure

NAME = "pressure-service-many"
FULL_ONLY = True
LIMIT = 3600
WHOLE_SYSTEM = True
MACHINE = pressure.MACHINE


def play(guest, report):
    pressure.play_service(guest, report, int(os.environ.get("MEMHP_ROUNDS", "20")))
