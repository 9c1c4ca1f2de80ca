# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a scenario did and saw, in plain words, and the verdicts."""

import sys
import threading
import time


class Failed(Exception):
    """Something is not as it has to be."""


class Skipped(Exception):
    """This cannot be tried here, and why."""


class Report:
    """The story of one scenario. Kept until the end, since scenarios run side by side."""

    def __init__(self, live=False):
        self._lines = []
        self._live = live
        self._started = time.monotonic()

    def did(self, text):
        self._add(f"  > {text}")

    def saw(self, text):
        self._add(f"    {text}")

    def quote(self, text):
        for line in text.strip().splitlines():
            self._add(f"    | {line}")

    def expect(self, truth, text):
        """`text` is a claim: told when true, the reason of the failure when not."""
        if not truth:
            raise Failed(f"this does not hold: {text}")
        self.saw(text)

    def expect_equal(self, what, seen, wanted):
        if seen != wanted:
            raise Failed(f"{what}: {seen!r}, expected {wanted!r}")
        self.saw(f"{what}: {_short(seen)}")

    def _add(self, line):
        text = f"{time.monotonic() - self._started:6.1f}s {line}"
        self._lines.append(text)
        if self._live:
            print(text, flush=True)

    def lines(self):
        return [] if self._live else self._lines


def _short(value, limit=90):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


class Tally:
    """Prints the verdicts, one scenario at a time, and counts them."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def add(self, number, name, lines, verdict, why="", more=()):
        with self._lock:
            for line in lines:
                print(line)
            if verdict == "passed":
                self.passed += 1
                print(f"ok {number} - {name}")
            elif verdict == "skipped":
                self.skipped += 1
                print(f"skip {number} - {name}: {why}")
            else:
                self.failed += 1
                print(f"not ok {number} - {name}: {why}")
                for line in more:
                    print(f"    # {line}")
            sys.stdout.flush()

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
