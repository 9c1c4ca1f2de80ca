# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counting and printing."""


class Checks:
    def __init__(self):
        self.case = ""
        self.passed = self.failed = self.skipped = 0

    def _line(self, ok, text):
        number = self.passed + self.failed + self.skipped
        print(f"{'ok' if ok else 'not ok'} {number} - {self.case}: {text}", flush=True)

    def expect(self, ok, text, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        self._line(ok, text)
        if not ok and detail:
            for line in str(detail).splitlines():
                print(f"#   {line}")
        return ok

    def equal(self, text, seen, expected):
        return self.expect(seen == expected, text, f"seen:     {seen!r}\nexpected: {expected!r}")

    def has(self, text, whole, *parts):
        missing = [part for part in parts if part not in whole]
        return self.expect(not missing, text, f"missing {missing!r} in:\n{whole}")

    def skip(self, text, why):
        self.skipped += 1
        self._line(True, f"{text} # SKIP {why}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed else 0
