# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd-udevd for guests that have no Debian: what most machines bring memory online with today."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile

from . import initramfs, packages

PROGRAM = "udevadm"             # one program by two names; as systemd-udevd it is the daemon


def obtain(cache):
    """The path of udevadm: installed here, from the cache, or from the package of the version that this machine's libraries
    are of. NoPackage: it cannot be had."""
    installed = shutil.which(PROGRAM, path="/usr/bin:/bin")
    return installed or _obtain(cache, PROGRAM, ("bin/udevadm", "usr/bin/udevadm"))


def obtain_rules(cache):
    """The folder of the distribution's rules, likewise."""
    installed = "/usr/lib/udev/rules.d"
    if os.path.exists(os.path.join(installed, "50-udev-default.rules")):
        return installed
    return _obtain(cache, "udev-rules", ("lib/udev/rules.d", "usr/lib/udev/rules.d"))


def _obtain(cache, name, places):
    version = _version()
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "udev.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = os.path.join(cache, f"{name}-{version.replace('/', '_')}")
        if not os.path.exists(kept):
            with tempfile.TemporaryDirectory(dir=cache) as work:
                tree = packages.unpack(work, lambda: _resolve(version), f"udev {version}")
                os.rename(next(p for p in (os.path.join(tree, place) for place in places) if os.path.exists(p)), kept)
    return kept


def _version():
    return packages.run(["dpkg-query", "-W", "-f", "${Version}", "libudev1"])


def _resolve(version):
    shown = subprocess.run(["apt-cache", "madison", "udev"], capture_output=True, text=True, check=False).stdout
    return f"udev={version}" if re.search(rf"\|\s*{re.escape(version)}\s*\|", shown) else None


def add_to(archive, with_rules=False):
    """The path of an initramfs that has udevd, and the distribution's rules if wanted, besides what this one has."""
    cache = os.path.dirname(archive)
    more = initramfs.Archive()
    initramfs.add_program(more, obtain(cache), "usr/bin/udevadm")
    more.add_link("usr/bin/systemd-udevd", "udevadm")
    if with_rules:
        rules = obtain_rules(cache)
        for name in os.listdir(rules):
            more.add_host_file(os.path.join(rules, name), f"usr/lib/udev/rules.d/{name}")
    return initramfs.store(more.pack(), cache, "udev-initramfs", archive)
