# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal with somebody at it: a program runs on it, and what is on its screen can be looked at."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

PATIENCE = 120      # seconds; only a failure takes as long


class Terminal:
    """As much of one as memhpctl may count on. What it does not know is an error, and so is a line too many."""

    def __init__(self, command, environment, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.rows, self.columns = rows, columns
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.raw = b""
        self.pending = b""
        self.screen = [""] * rows
        self.row = self.column = 0
        self.modes = {"1049": False, "25": True, "7": True}
        self.scrolled = 0
        self.frames = 0
        self.pictures = []      # each whole one, as it stood there before the next
        # In a session of its own, with this terminal, so that ^C and ^Z are signals.
        self.process = subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=self._control)

    @staticmethod
    def _control():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns, tell=True):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.screen = (self.screen + [""] * rows)[:rows]
            self.row = min(self.row, rows - 1)

    def type(self, keys):
        os.write(self.master, keys)

    # -- what comes

    def read(self, patience):
        """False: nothing came for so long, or nothing will."""
        if not select.select([self.master], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self.pending += data
        self._take()
        return bool(data)

    def wait_for(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"never seen: {what}; the screen is\n" + "\n".join(self.screen)
            self.read(0.2)

    def wait_picture(self, what, condition):
        """The first picture of which it is so; each is looked at, however fast they follow one another."""
        found = []

        def look():
            while self.pictures and not found:
                picture = self.pictures.pop(0)
                if condition(picture):
                    found.append(picture)
            return found
        self.wait_for(what, look)
        return found[0]

    def wait_frame(self):
        """One more whole picture."""
        seen = self.frames
        self.wait_for("another picture", lambda: self.frames > seen)

    def wait_end(self):
        """The exit status, when all was read."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "never ended"
            self.read(0.2)
        while self.read(0.2):
            pass
        return self.process.returncode

    def _take(self):
        pattern = re.compile(rb"\x1b\[(\??)([0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")
        while self.pending:
            match = pattern.match(self.pending)
            if not match:
                assert len(self.pending) < 16, f"not understood: {self.pending[:40]!r}"
                return
            self._obey(match)
            self.pending = self.pending[match.end():]

    def _obey(self, match):
        private, numbers, final = match.groups()
        if final is None:
            self._put(match.group(0))
        elif private:
            assert numbers.decode() in self.modes and final in b"hl", match.group(0)
            self.modes[numbers.decode()] = final == b"h"
            if numbers == b"1049":
                self.screen = [""] * self.rows
                self.row = self.column = 0
        elif (numbers, final) == (b"", b"H"):
            self.row = self.column = 0
        elif (numbers, final) == (b"", b"K"):
            self.screen[self.row] = self.screen[self.row][:self.column]
        elif final != b"m":         # colours are not seen here
            assert (numbers, final) == (b"", b"J"), match.group(0)
            self.screen[self.row] = self.screen[self.row][:self.column]
            self.screen[self.row + 1:] = [""] * (self.rows - self.row - 1)
            self.frames += 1
            self.pictures.append(list(self.screen))

    def _put(self, data):
        if data == b"\r":
            self.column = 0
        elif data == b"\n":
            if self.row == self.rows - 1:
                self.scrolled += 1
                self.screen = self.screen[1:] + [""]
            else:
                self.row += 1
        else:
            text = data.decode("utf-8", "replace")
            line = self.screen[self.row]
            self.screen[self.row] = line[:self.column].ljust(self.column) + text + line[self.column + len(text):]
            self.column += len(text)
            if self.modes["7"] and self.column > self.columns:
                self.scrolled += 1      # it went on in the next line

    # -- the end

    def unchanged(self):
        """Is the terminal as it was before the program?"""
        return (self.modes == {"1049": False, "25": True, "7": True} and
                termios.tcgetattr(self.slave) == self.before)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
