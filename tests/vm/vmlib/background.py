# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands that run along in a guest."""


class Lines:
    """Of a text that grows, each whole line once."""

    def __init__(self, read):
        self._read = read
        self._seen = 0

    def new(self):
        text = self._read()
        fresh = text[self._seen:text.rfind("\n") + 1]
        self._seen += len(fresh)
        return [line for line in fresh.splitlines() if line.strip()]


class Background:
    """One such command, and what it has printed until now."""

    def __init__(self, guest, command, name):
        self._guest = guest
        self._path = f"/tmp/{name}"
        self.lines = Lines(self.text)
        guest.check(f"rm -f {self._path}.*; : >{self._path}.out; ({command} & echo $! >{self._path}.pid; wait $!; "
                    f"echo $? >{self._path}.status) </dev/null >>{self._path}.out 2>&1 &")

    def text(self):
        return self._guest.check(f"cat {self._path}.out")

    def is_over(self):
        return self._guest.run(f"test -s {self._path}.status")[0] == 0

    def status(self):
        return int(self._guest.check(f"cat {self._path}.status"))

    def end(self, signal="TERM"):
        self._guest.check(f"kill -{signal} $(cat {self._path}.pid)")
        self._guest.wait_until("it has ended", lambda view: self.is_over())
