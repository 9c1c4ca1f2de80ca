# SPDX-License-Identifier: LGPL-2.1-or-later
"""The running guest: commands, files, the daemon, and views of the kernel's state."""

import base64
import json
import re
import shlex
import socket
import time

from . import contract, sysview
from .machine import Machine
from .qemu import QemuError

CONFIG = "/etc/memhp/memhpd.conf"
LOG = "/run/memhpd.log"

# What a kernel says when it is broken. Our programs must not be able to provoke any of it.
KERNEL_TROUBLE = re.compile(r"Oops|BUG:|WARNING: CPU|Kernel panic|general protection fault|Call Trace|"
                            r"Unable to handle|blocked for more than")


class GuestError(Exception):
    """The guest did not do what it was asked to."""


class Guest(Machine):
    """A machine with a command channel into it."""

    LOG_SCRIPT = f"cat {LOG}"   # all that memhpd said

    def __init__(self, kernel, initramfs, boot_limit=90, **machine):
        started = time.monotonic()
        super().__init__(kernel, initramfs, **machine)
        self._software = (kernel, initramfs)
        self._buffer = b""
        self._ids = 0
        self.config = CONFIG
        self.daemon_pid = None
        self._log_start = 0
        try:
            self._answer(0, time.monotonic() + boot_limit)
            self._trouble_before = len(self._trouble())
        except BaseException:
            self.stop()
            raise
        self.boot_seconds = time.monotonic() - started

    def stop(self):
        self.qemu.stop()

    def another(self, archive=None, **machine):
        """A further guest with the same software, or another initramfs; this one ends, as there is one at a time."""
        self.stop()
        return type(self)(self._software[0], archive or self.archive, **machine)

    @property
    def archive(self):
        return self._software[1]

    # -- commands and files

    def run(self, script, timeout=30):
        """(exit status, output) of a shell script; killed after `timeout` seconds (status 137)."""
        self._ids += 1
        packed = base64.b64encode(script.encode()).decode()
        try:
            self.qemu.port.sendall(f"{self._ids} {int(timeout)} {packed}\n".encode())
        except OSError as error:
            raise QemuError(self.qemu.why_gone()) from error
        return self._answer(self._ids, time.monotonic() + timeout + 20)

    def check(self, script, timeout=30):
        """The output of a script that has to succeed."""
        status, out = self.run(script, timeout)
        if status != 0:
            raise GuestError(f"`{script.strip()}` ended with {status}: {out.strip()[-800:]}")
        return out

    def run_as(self, user, script, timeout=60):
        """(exit status, output) of a script run by somebody else."""
        return self.run(f"/usr/bin/setpriv --reuid={user} --regid=nogroup --clear-groups sh -c {shlex.quote(script)}", timeout)

    def write_file(self, path, text, mode=0o644):
        packed = base64.b64encode(text.encode()).decode()
        self.check(f"mkdir -p $(dirname {shlex.quote(path)}) && echo {packed} | base64 -d >{shlex.quote(path)} && "
                   f"chmod {mode:o} {shlex.quote(path)}")

    def _answer(self, wanted, limit):
        while True:
            head = self._read_until(lambda: self._take_line(), limit)
            number, status, length = (int(n) for n in head.split())
            body = self._read_until(lambda: self._take(length), limit)
            if number == wanted:
                return status, body.decode("utf-8", "replace")

    def _take_line(self):
        line, found, rest = self._buffer.partition(b"\n")
        if not found:
            return None
        self._buffer = rest
        return line

    def _take(self, length):
        if len(self._buffer) < length:
            return None
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _read_until(self, take, limit):
        while True:
            taken = take()
            if taken is not None:
                return taken
            self.qemu.port.settimeout(max(0.01, limit - time.monotonic()))
            try:
                data = self.qemu.port.recv(65536)
            except socket.timeout as error:
                raise GuestError("the guest does not answer") from error
            except OSError as error:
                raise QemuError(self.qemu.why_gone()) from error
            if not data:
                raise QemuError(self.qemu.why_gone())
            self._buffer += data

    # -- what the kernel says

    def look(self):
        view = sysview.View(self.check(sysview.SCRIPT))
        if not view.block_size:
            raise GuestError("the guest has no memory blocks")
        return view

    def wait_until(self, what, condition, timeout=60, pause=0.25):
        """Look until `condition(view)`; the view that satisfied it."""
        limit = time.monotonic() + timeout
        while True:
            view = self.look()
            if condition(view):
                return view
            if time.monotonic() > limit:
                raise GuestError(f"waited {timeout} s in vain for: {what}; now {summary(view.blocks.values())}")
            time.sleep(pause)

    def trouble(self):
        """Lines on the console since the boot that no healthy kernel prints."""
        return self._trouble()[self._trouble_before:]

    def excuse_trouble(self):
        """What the kernel complained of until now is what the scenario provoked; how many lines."""
        before, self._trouble_before = self._trouble_before, len(self._trouble())
        return self._trouble_before - before

    def _trouble(self):
        return [line for line in self.qemu.console().splitlines() if KERNEL_TROUBLE.search(line)]

    @staticmethod
    def device_of(blocks):
        """The kernel's name of the one DIMM these blocks belong to."""
        names = {b.firmware for b in blocks.values()}
        if len(names) != 1 or None in names:
            raise GuestError(f"not the blocks of one DIMM: {sorted(map(str, names))}")
        return names.pop()

    # -- memhpd and memhpctl

    def start_daemon(self, policy=None, timeout=30, through=""):
        """Start memhpd (with this policy) and wait until it says that it is ready.

        through: a program that becomes memhpd, like nice(1)."""
        if policy is not None:
            self.write_file(CONFIG, policy)
        self._log_start = len(self.log(everything=True))
        out = self.check(f"{through} memhpd --config {CONFIG} </dev/null >>{LOG} 2>&1 & echo $!")
        self.daemon_pid = int(out)
        limit = time.monotonic() + timeout
        while not contract.READY.search(self.log()):
            if not self.daemon_alive():
                raise GuestError(f"memhpd ended at its start: {self.log().strip()[-800:]}")
            if time.monotonic() > limit:
                raise GuestError(f"memhpd was not ready after {timeout} s: {self.log().strip()[-800:]}")
            time.sleep(0.1)

    def daemon_alive(self):
        # A process that ended and was not yet waited for still has its number.
        status, out = self.run(f"cat /proc/{self.daemon_pid}/stat")
        return status == 0 and not re.search(r"\) [ZX] ", out)

    def signal_daemon(self, name):
        self.check(f"kill -{name} {self.daemon_pid}")

    def stop_daemon(self, timeout=15):
        """SIGTERM; the seconds it took. It has to end by itself."""
        started = time.monotonic()
        self.signal_daemon("TERM")
        while self.daemon_alive():
            if time.monotonic() - started > timeout:
                self.signal_daemon("KILL")
                raise GuestError(f"memhpd did not end within {timeout} s of SIGTERM")
            time.sleep(0.1)
        return time.monotonic() - started

    def kill_daemon(self):
        """SIGKILL: it has no chance to put anything in order."""
        self.signal_daemon("KILL")
        limit = time.monotonic() + 10
        while self.daemon_alive():
            if time.monotonic() > limit:
                raise GuestError("memhpd outlived SIGKILL")
            time.sleep(0.05)

    def log(self, everything=False):
        """What memhpd said since it was last started."""
        _, out = self.run(f"cat {LOG} 2>/dev/null")
        return out if everything else out[self._log_start:]

    def wait_log(self, what, find, timeout=30):
        """Wait until memhpd said something: until `find(log)` is true; what it returned."""
        limit = time.monotonic() + timeout
        while True:
            text = self.log()
            found = find(text)
            if found:
                return found
            if time.monotonic() > limit:
                raise GuestError(f"memhpd never said: {what}; it said: {text.strip()[-600:] or 'nothing'}")
            time.sleep(0.2)

    @staticmethod
    def ctl_command(arguments):
        """The file is named because a build can be configured for any prefix."""
        return f"memhpctl --config {CONFIG} {arguments}"

    def ctl(self, arguments):
        """The parsed answer of `memhpctl --json …`."""
        out = self.check(self.ctl_command(f"--json {arguments}"))
        try:
            return json.loads(out)
        except ValueError as error:
            raise GuestError(f"memhpctl --json {arguments}: not JSON: {out[:300]!r}") from error


def summary(blocks):
    """Blocks in words: `8 online in Movable, 2 offline`."""
    counts = {}
    for block in blocks:
        words = f"online in {block.zone or 'several zones'}" if block.state == "online" else block.state
        counts[words] = counts.get(words, 0) + 1
    return ", ".join(f"{n} {words}" for words, n in sorted(counts.items())) or "no blocks"
