# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where things are: the programs under test, and systems made of files, which are made once a run and go with it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from .measure import Skipped, cpu_seconds

POLICY = 'version = 1;\nrules = ( { name = "all"; match = { }; action = "leave_offline"; } );\n'


class Place:
    def __init__(self, builddir, tiny=False, full=False):
        """tiny: to try the benchmarks, not to measure; full: also what takes very long."""
        self.builddir, self.tiny, self.full = os.path.abspath(builddir), tiny, full
        # In memory: a disk would be measured otherwise. One of its own, since others limit the number of files.
        self.folder = tempfile.mkdtemp(prefix="memhp-bench.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self._mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=70%,nr_inodes=0", "memhp-bench",
                                        self.folder], stderr=subprocess.DEVNULL, check=False).returncode == 0
        os.chmod(self.folder, 0o755)
        self._trees = {}
        self.cache = os.environ.get("MEMHP_VM_CACHE") or os.path.join(self.builddir, "tests", "vm", ".cache")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name):
        path = os.path.join(self.builddir, name)
        if not os.access(path, os.X_OK):
            raise Skipped(f"{name} is not built (make check TESTS=)")
        return path

    @staticmethod
    def peer(name, package):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd")
        if not path:
            raise Skipped(f"{name} is not there (Debian: {package})")
        return path

    def udevd(self):
        """The paths of systemd-udevd and of the distribution's rules: what is installed, or else of the package, which is
        unpacked and not installed."""
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "vm"))
        from vmlib import packages, udev        # pylint: disable=import-outside-toplevel
        try:
            program, rules = udev.obtain(self.cache), udev.obtain_rules(self.cache)
        except packages.NoPackage as error:
            raise Skipped(f"systemd-udevd cannot be had: {error}") from error
        link = os.path.join(self.folder, "systemd-udevd")
        if not os.path.lexists(link):
            os.symlink(program, link)
        return link, rules

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def tree(self, blocks, offline=0):
        """A system of so many blocks; the one of before goes, since a large one takes gigabytes of memory."""
        key = (blocks, offline)
        if key not in self._trees:
            for path in self._trees.values():
                shutil.rmtree(path)
            self._trees.clear()
            path = os.path.join(self.folder, f"tree-{blocks}-{offline}")
            need = blocks * 17 * 1024
            if shutil.disk_usage(self.folder).free < need:
                raise Skipped(f"{self.folder}: a system of {blocks} blocks takes {need >> 20} MiB")
            subprocess.run([self.program("tests/bench/tree"), path, str(blocks), str(offline)], check=True)
            self._trees[key] = path
        return self._trees[key]


class Daemon:
    """memhpd on a system made of files, started and waited for. bus: the address of one, if it is to be on it."""

    def __init__(self, place, root, policy=POLICY, bus=None):
        environment = {k: v for k, v in os.environ.items() if k not in ("DBUS_SYSTEM_BUS_ADDRESS", "JOURNAL_STREAM")}
        if bus:
            environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus
        config = place.file("memhpd.conf", policy)
        self.started = time.perf_counter()
        self.process = subprocess.Popen([place.program("memhpd"), "--sysroot", root, "--config", config], env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "ready: " in line:
                self.ready_seconds = time.perf_counter() - self.started
                self.ready = line.strip()
                break
        else:
            self.process.wait()
            raise RuntimeError("memhpd did not start: " + "".join(said[-5:]))

    def status(self, key):
        """A number of /proc/PID/status; VmRSS in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                name, _, value = line.partition(":")
                if name == key:
                    words = value.split()
                    return int(words[0]) * (1024 if words[-1] == "kB" else 1)
        raise RuntimeError(f"/proc/PID/status has no {key}")

    def cpu(self):
        """Seconds so far, of all its threads."""
        return cpu_seconds(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.stderr.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Bus:
    """A system bus of its own."""

    CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><auth>EXTERNAL</auth><listen>unix:path={path}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"""

    def __init__(self, place):
        path = os.path.join(place.folder, "bus")
        config = place.file("bus.conf", self.CONFIG.format(path=path))
        self.process = subprocess.Popen([place.peer("dbus-daemon", "dbus-daemon"), f"--config-file={config}", "--nofork",
                                         "--nopidfile", "--print-address=1"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("dbus-daemon did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        self.process.wait()
