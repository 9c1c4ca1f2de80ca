# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with a whole Debian: systemd is PID 1 and runs memhpd by the unit files that `make install` puts there."""

import json
import os
import re
import shlex
import subprocess
import tempfile
import threading
import time

from . import agent, contract, deb, debian, initramfs, installed
from .guest import Guest, GuestError
from .report import Skipped

UNIT = "memhpd.service"

# What a boot under emulation would spend its time on, and nobody here needs.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "systemd-tmpfiles-clean.timer", "e2scrub_reap.service", "getty.target", "systemd-logind.service",
    "systemd-udev-trigger.service", "systemd-modules-load.service", "kmod-static-nodes.service",
    "systemd-random-seed.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "systemd-binfmt.service", "systemd-firstboot.service", "systemd-sysusers.service", "systemd-pstore.service",
    "systemd-repart.service", "systemd-machine-id-commit.service", "systemd-journal-flush.service",
    "systemd-sysctl.service", "systemd-initctl.socket", "systemd-remount-fs.service", "dev-hugepages.mount",
    "dev-mqueue.mount", "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount", "sys-kernel-tracing.mount", "systemd-ask-password-wall.path",
    "systemd-ask-password-console.path", "remote-fs.target",
)

AGENT_UNIT = """[Unit]
Description=Commands from outside
After=sysinit.target
[Service]
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ExecStart=/usr/bin/busybox sh /usr/lib/memhp-agent
OOMScoreAdjust=-900
"""

_lock = threading.Lock()
_archives = {}


def archive(kernel, options, packaged=False):
    """The initramfs, made once; Skipped with the reason where it cannot be. packaged: memhpd is there as dpkg installed it."""
    with _lock:
        if packaged not in _archives:
            try:
                _archives[packaged] = (_build_packaged if packaged else _build)(kernel, options)
            except debian.NoDebian as error:
                _archives[packaged] = Skipped(f"no Debian to boot: {error}")
        if isinstance(_archives[packaged], Skipped):
            raise _archives[packaged]
        return _archives[packaged]


def _pack(tree, left_out):
    whole = initramfs.Archive()
    whole.add_tree(tree, left_out)
    return whole.pack(), whole.paths()


class _Additions(initramfs.Archive):
    """What comes on top of a tree whose /bin, /lib and /sbin are links into /usr, which must stay so."""

    def __init__(self, there):
        super().__init__()
        self._there = there

    def add_folder(self, path):
        super().add_folder(self._real(path))

    def add(self, path, data, mode=0o644):
        super().add(self._real(path), data, mode)

    def add_link(self, path, target):
        super().add_link(self._real(path), target)

    def has(self, path):
        real = self._real(path)
        return super().has(real) or real in self._there

    @staticmethod
    def _real(path):
        path = path.strip("/")
        return f"usr/{path}" if re.match(r"(bin|sbin|lib\w*)(/|$)", path) else path


def _build(kernel, options):
    base = debian.obtain(options.cache, _pack)
    more = _additions(kernel, base)
    more.add_folder("etc/memhp")
    initramfs.add_test_programs(more, options.builddir)
    _install(more, options.builddir)
    return initramfs.store(more.pack(), options.cache, "system", base.archive)


def _build_packaged(kernel, options):
    packages = deb.Packages(options.packages) if options.packages else deb.obtain(options.cache, options.builddir)
    base = installed.obtain(options.cache, packages, _pack)
    return initramfs.store(_additions(kernel, base).pack(), options.cache, "packaged", base.archive)


def _additions(kernel, base):
    more = _Additions(base.paths)
    more.add_root(0o755)                # of an initramfs, everybody may write to it
    more.add("etc/hostname", b"guest\n")
    more.add("etc/machine-id", b"6d656d6870640000000000000000007f\n")
    more.add("usr/lib/memhp-agent", agent.LOOP.encode())
    more.add("etc/systemd/system/memhp-agent.service", AGENT_UNIT.encode())
    more.add_link("etc/systemd/system/multi-user.target.wants/memhp-agent.service", "../memhp-agent.service")
    for name in MASKED:
        more.add_link(f"etc/systemd/system/{name}", "/dev/null")
    initramfs.add_program(more, initramfs.which("busybox"), "usr/bin/busybox")
    initramfs.add_modules(more, kernel)
    return more


def _install(more, builddir):
    """memhpd as `make install` leaves it, and enabled; libraries that the tree has not."""
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run(["make", "-C", builddir, "install", f"DESTDIR={root}"], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise initramfs.NoInitramfs(f"make install: {done.stderr.strip()[-500:]}")
        for folder, _, files in os.walk(root):
            for name in sorted(files):
                path = os.path.join(folder, name)
                more.add_host_file(path, os.path.relpath(path, root), os.stat(path).st_mode & 0o777)
                if os.access(path, os.X_OK):
                    initramfs.add_libraries(more, path)
                if name == UNIT:
                    more.add_link(f"etc/systemd/system/sysinit.target.wants/{UNIT}", f"/{os.path.relpath(path, root)}")


class SystemGuest(Guest):
    """memhpd is a service here: started, stopped and killed by systemd, and heard through the journal."""

    LOG_SCRIPT = f"systemctl status {UNIT}; journalctl --no-pager -q -o short-monotonic -n 40"
    boot_limit = 240

    def __init__(self, kernel, archive_path, append="", **machine):
        self._since = 0
        super().__init__(kernel, archive_path, boot_limit=self.boot_limit,
                         append=f"rdinit=/lib/systemd/systemd systemd.unit=multi-user.target systemd.show_status=0 {append}",
                         **machine)

    # -- the service

    def unit(self, *names, unit=UNIT):
        """Its properties, by name; one alone as it is."""
        out = self.check(f"systemctl show -p {','.join(names)} {unit}")
        values = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        return values[names[0]] if len(names) == 1 else [values[n] for n in names]

    @property
    def daemon_pid(self):
        return int(self.unit("MainPID"))

    @daemon_pid.setter
    def daemon_pid(self, _value):
        pass

    def start_daemon(self, policy=None, timeout=30, through=""):
        if policy is not None:
            self.write_file(self.config, policy)
        self.begin_log()
        self.check(f"systemctl restart {UNIT}", timeout)

    def daemon_alive(self):
        return self.unit("ActiveState") == "active"

    def signal_daemon(self, name):
        self.check(f"systemctl kill --kill-whom=main --signal=SIG{name} {UNIT}")

    def stop_daemon(self, timeout=30):
        started = time.monotonic()
        self.check(f"systemctl stop {UNIT}", timeout)
        return time.monotonic() - started

    def wait_unit(self, what, condition, timeout=60):
        """Until `condition(properties)` of ActiveState, SubState, MainPID, NRestarts, Result."""
        names = ("ActiveState", "SubState", "MainPID", "NRestarts", "Result")
        limit = time.monotonic() + timeout
        while True:
            state = dict(zip(names, self.unit(*names)))
            if condition(state):
                return state
            if time.monotonic() > limit:
                raise GuestError(f"waited {timeout} s in vain for: {what}; now {state}")
            time.sleep(0.3)

    def expect_handed_over(self, report):
        """It has what it could not have opened itself, and does not complain."""
        report.expect_equal("descriptors that systemd keeps for it", self.unit("NFileDescriptorStore"), "3")
        log = self.log()
        complaints = (contract.HIDDEN_IOMEM, contract.SMALL_BUFFER, contract.NO_KERNEL_LOG)
        report.expect_equal("what it misses", [c.search(log).group(0) for c in complaints if c.search(log)], [])

    def drop_in(self, name, text, unit=UNIT):
        """Something of the unit is otherwise from now on; "" takes that back."""
        path = f"/run/systemd/system/{unit}.d/{name}.conf"
        if text:
            self.write_file(path, text)
        else:
            self.check(f"rm -f {path}")
        self.check("systemctl daemon-reload")

    # -- the journal

    def begin_log(self):
        """log() and journal() tell what comes from now on."""
        self._log_start = len(self.log(everything=True))
        self._since = float(self.check("cat /proc/uptime").split()[0]) * 1e6

    def log(self, everything=False):
        _, out = self.run("journalctl --no-pager -q -o cat -t memhpd")
        return out if everything else out[self._log_start:]

    def journal(self, *matches):
        """Entries with all their fields."""
        out = self.check(f"journalctl --no-pager -q -o json {' '.join(shlex.quote(m) for m in matches)}")
        entries = [json.loads(line) for line in out.splitlines()]
        return [e for e in entries if int(e["__MONOTONIC_TIMESTAMP"]) >= self._since]

    def wait_ready(self, timeout=30):
        return self.wait_log("that it is ready", contract.READY.search, timeout)
