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


class Verdict:
    """How one scenario ended, its story, and more for whoever has to find out why."""

    def __init__(self, name, outcome, why="", lines=(), more=()):
        self.name = name
        self.outcome = outcome          # "passed", "failed" or "skipped"
        self.why = why
        self.lines = lines
        self.more = more

    def is_failed(self):
        return self.outcome == "failed"


class Tally:
    """Prints the verdicts, one scenario at a time, and counts them."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def tell(self, verdict):
        """A failure that is not the last word yet."""
        with self._lock:
            self._print(verdict, f"failed at first: {verdict.name}: {verdict.why}")

    def add(self, verdict, first=None):
        """`first`: the failure before this one."""
        with self._lock:
            again = f", at the second try (the first: {first.why})" if first else ""
            if verdict.outcome == "passed":
                self.passed += 1
                self._print(verdict, f"ok {verdict.name}{again}")
            elif verdict.outcome == "skipped":
                self.skipped += 1
                self._print(verdict, f"skip {verdict.name}: {verdict.why}")
            else:
                self.failed += 1
                self._print(verdict, f"not ok {verdict.name}: {verdict.why}{again}")

    @staticmethod
    def _print(verdict, line):
        for told in verdict.lines:
            print(told)
        print(line)
        if verdict.is_failed():
            for told in verdict.more:
                print(f"    # {told}")
        sys.stdout.flush()

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
