# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process: started, spoken to over QMP, and certain to end.

All its connections are socket pairs and its console is a memory file, handed over as open descriptors: nothing is
left in the file system, whatever ends this program. A killed parent takes its QEMU along (PR_SET_PDEATHSIG, set by
setpriv), any other end goes through stop_all().
"""

import atexit
import json
import os
import shutil
import socket
import subprocess
import threading
import time

BINARY = "qemu-system-x86_64"

_running = set()
_running_lock = threading.Lock()


class QemuError(Exception):
    """QEMU refused a command, or is gone."""


def is_available():
    return shutil.which(BINARY) is not None


def stop_all():
    with _running_lock:
        machines = list(_running)
    for machine in machines:
        machine.stop()


atexit.register(stop_all)


class Qemu:
    def __init__(self, kernel, initramfs, extra_args, append="", hard_limit=300):
        self.ended_by_limit = False
        self._stopped = threading.Lock()
        self._buffer = b""
        self._events = []
        self._ids = 0
        self._console = os.memfd_create("console")
        self._qmp, qmp_theirs = socket.socketpair()
        self.port, port_theirs = socket.socketpair()
        console = os.dup(self._console)

        args = [BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-accel", "tcg,thread=multi", "-cpu", "max",
                "-kernel", kernel.image, "-initrd", initramfs,
                "-append", f"console=ttyS0 loglevel=5 panic=-1 oops=panic nosoftlockup "
                           f"rcupdate.rcu_cpu_stall_suppress=1 tsc=reliable mitigations=off nokaslr {append}",
                "-chardev", f"file,id=console,path=/dev/fd/{console},append=on",
                "-serial", "chardev:console",
                "-chardev", f"socket,id=qmp,fd={qmp_theirs.fileno()}",
                "-mon", "chardev=qmp,mode=control",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,fd={port_theirs.fileno()}",
                ] + extra_args
        if shutil.which("setpriv"):
            args = ["setpriv", "--pdeathsig", "KILL"] + args
        self._stderr = os.memfd_create("stderr")
        self._process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=self._stderr, stderr=self._stderr,
                                         pass_fds=(console, qmp_theirs.fileno(), port_theirs.fileno()))
        with _running_lock:
            _running.add(self)
        qmp_theirs.close()
        port_theirs.close()
        os.close(console)
        # Whatever hangs, this ends it: reads on our side then see the connection closed.
        self._limit = threading.Timer(hard_limit, self._end_by_limit)
        self._limit.daemon = True
        self._limit.start()
        try:
            self._next_message(time.monotonic() + 20, wanted=lambda m: "QMP" in m)
            self.command("qmp_capabilities")
        except BaseException:
            self.stop()
            raise

    # -- QMP

    def command(self, name, timeout=20, **arguments):
        self._ids += 1
        request = {"execute": name, "id": self._ids}
        if arguments:
            request["arguments"] = arguments
        try:
            self._qmp.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QemuError(f"{name}: {self.why_gone()}") from error
        answer = self._next_message(time.monotonic() + timeout, wanted=lambda m: m.get("id") == request["id"])
        if "error" in answer:
            raise QemuError(f"{name}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]

    def wait_event(self, names, matches, timeout, what):
        """The next event of one of `names` for which `matches(data)`; events seen earlier count."""
        limit = time.monotonic() + timeout

        def wanted(message):
            return message.get("event") in names and matches(message.get("data", {}))

        for n, message in enumerate(self._events):
            if wanted(message):
                return self._events.pop(n)
        try:
            return self._next_message(limit, wanted)
        except TimeoutError as error:
            raise QemuError(f"{what}: nothing after {timeout} s") from error

    def forget_events(self):
        self._events.clear()

    def _next_message(self, limit, wanted):
        while True:
            while b"\n" in self._buffer:
                line, self._buffer = self._buffer.split(b"\n", 1)
                message = json.loads(line)
                if wanted(message):
                    return message
                if "event" in message:
                    self._events.append(message)
            left = limit - time.monotonic()
            if left <= 0:
                raise TimeoutError("QMP: no answer in time")
            self._qmp.settimeout(left)
            try:
                data = self._qmp.recv(65536)
            except socket.timeout as error:
                raise TimeoutError("QMP: no answer in time") from error
            except OSError as error:
                raise QemuError(self.why_gone()) from error
            if not data:
                raise QemuError(self.why_gone())
            self._buffer += data

    # -- console and end

    def console(self):
        size = os.fstat(self._console).st_size
        return os.pread(self._console, size, 0).decode("utf-8", "replace").replace("\r\n", "\n")

    def is_running(self):
        return self._process.poll() is None

    def why_gone(self):
        if self.ended_by_limit:
            return "the guest was ended at its time limit"
        said = os.pread(self._stderr, 2000, 0).decode("utf-8", "replace").strip()
        return f"QEMU has ended{': ' + said if said else ' (a guest that panics ends it)'}"

    def _end_by_limit(self):
        self.ended_by_limit = True
        self._process.kill()

    def stop(self):
        with self._stopped:
            if self not in _running:
                return
            self._limit.cancel()
            self._process.kill()
            self._process.wait()
            self._qmp.close()
            self.port.close()
            with _running_lock:
                _running.discard(self)
