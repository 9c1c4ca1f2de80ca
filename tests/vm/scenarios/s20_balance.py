# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rule balance decides as the kernel's own online_policy=auto-movable does: four generated sequences of DIMMs.

Many more of them in scenario 24.
"""

from vmlib import balance

NAME = "balance"
MACHINE = balance.SPREAD.machine
SEED = 20


def play(guest, report):
    sequences = balance.generate(SEED, [balance.SPREAD], 4)
    balance.differential(guest, report, sequences, both_answers=(False, True))
