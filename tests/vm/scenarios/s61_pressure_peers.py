# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worst moment again and again, side by side with the kernel's auto-online and a udev rule."""

import os

from vmlib import pressure
from vmlib.report import Failed

NAME = "pressure-peers"
FULL_ONLY = True
LIMIT = 3000
MACHINE = pressure.MACHINE
ROUNDS = int(os.environ.get("MEMHP_ROUNDS", "5"))


def play(guest, report):
    lab = pressure.Lab(guest)
    if lab.why_no_udev:
        report.saw(f"without systemd-udevd: {lab.why_no_udev}")
    results = {peer: [] for peer in lab.peers()}
    for turn in range(ROUNDS):
        for peer, all_of_them in results.items():
            all_of_them.append(lab.trial(report, peer))
            report.saw(f"round {turn + 1}, {peer}: {all_of_them[-1]}")
    lab.close()
    for peer, all_of_them in results.items():
        report.saw(f"{peer}: everything online and nobody killed in {sum(r.is_good() for r in all_of_them)} of {ROUNDS}")
    if not all(r.is_good() for r in results["memhpd"]):
        raise Failed("memhpd lost memory")
