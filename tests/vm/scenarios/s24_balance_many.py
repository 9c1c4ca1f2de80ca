# SPDX-License-Identifier: LGPL-2.1-or-later
"""As scenario 20, with many sequences and four machines: nodes with and without boot memory, all ratios."""

from vmlib import balance

NAME = "balance-many"
FULL_ONLY = True
MACHINE = balance.ALL_ON_0.machine
SEED = 24
PER_LAYOUT = 7


def play(guest, report):
    layouts = [balance.ALL_ON_0, balance.SPREAD, balance.TWO_NODES, balance.BIG_0]
    sequences = balance.generate(SEED, layouts, PER_LAYOUT)
    balance.differential(guest, report, sequences, both_answers=(False, True))
