# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a process of the guest takes: page faults, memory, descriptors."""

import re

from .machine import MIB


class Process:
    def __init__(self, text):
        parts = text.split("@")
        # After the command, which may hold anything, field 3 is the first: 10 and 12 are minor and major faults.
        rows = [line[line.rindex(")") + 2:].split() for line in parts[0].splitlines()]
        self.faults = sum(int(row[7]) + int(row[9]) for row in rows)
        self.threads = len(rows)
        status = dict(re.findall(r"^Vm(\w+):\s+(\d+) kB", parts[1], re.MULTILINE))
        self.resident, self.data, self.locked = (int(status[key]) * 1024 for key in ("RSS", "Data", "Lck"))
        # Of what is no file: the heap, the stacks.
        self.anonymous = int(re.search(r"^RssAnon:\s+(\d+) kB", parts[1], re.MULTILINE).group(1)) * 1024
        self.descriptors = int(parts[2])

    def __str__(self):
        return (f"{self.faults} page faults in {self.threads} threads, {self.resident / MIB:.1f} MiB resident, "
                f"{self.data / MIB:.1f} MiB of data, {self.anonymous / MIB:.1f} MiB of it in memory, {self.descriptors} descriptors")


def look(guest, pid):
    return Process(guest.check(f"cd /proc/{pid} && cat task/*/stat && echo @ && cat status && echo @ && ls fd | wc -l"))
