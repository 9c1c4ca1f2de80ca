# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd's own Debian package, built from the tarball that `make dist` makes, and a later version to upgrade to."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from . import debian

NAME = "memhpd"
LATER = "+later"    # what comes behind the version of the one that upgrades it
NEEDED = ("dpkg-buildpackage", "dh")


class NoPackages(Exception):
    """They cannot be built here, and why."""


class Packages:
    """What is in a folder that build() filled."""

    def __init__(self, folder):
        self.digest = _read(os.path.join(folder, "digest"))     # of what was built
        self.tarball = _only(folder, f"{NAME}-[0-9]*.tar.xz")
        self.changes = _only(folder, f"{NAME}_[0-9]*.changes")
        self.later = _only(folder, f"{NAME}_*{LATER}_*.deb")
        self.deb = _only(folder, f"{NAME}_[0-9]*.deb", self.later)
        self.version, self.later_version = (os.path.basename(deb).split("_")[1] for deb in (self.deb, self.later))


def _only(folder, pattern, but=None):
    found = [path for path in glob.glob(os.path.join(folder, pattern)) if path != but]
    if len(found) != 1:
        raise NoPackages(f"{folder}: {len(found)} files {pattern}")
    return found[0]


def obtain(cache, builddir):
    """From the cache, if what the tarball has is still the same, else built now."""
    kept = os.path.join(cache, "packages")
    with debian.locked(cache), tempfile.TemporaryDirectory(dir=cache) as work:
        tarball = _tarball(builddir, work)
        source = _unpack(tarball, work)
        digest = _digest(source)
        if _read(os.path.join(kept, "digest")) != digest:
            _build(source)
            with open(os.path.join(work, "digest"), "w", encoding="ascii") as f:
                f.write(digest)
            shutil.rmtree(source)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(work, kept)
    return Packages(kept)


def _tarball(builddir, work):
    run(["make", "-C", builddir, "dist"])
    made = _only(builddir, f"{NAME}-[0-9]*.tar.xz")
    return shutil.move(made, work)


def _unpack(tarball, work):
    run(["tar", "-xf", tarball, "-C", work])
    source = _only(work, f"{NAME}-[0-9]*[0-9]")
    if source + ".tar.xz" != tarball:
        raise NoPackages(f"{tarball} has the folder {source}")
    return source


def _digest(folder):
    """Of names, contents and what may be run: the times in two equal tarballs differ."""
    total = hashlib.sha256()
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            full = os.path.join(path, name)
            with open(full, "rb") as f:
                total.update(repr((os.path.relpath(full, folder), os.access(full, os.X_OK), f.read())).encode())
    return total.hexdigest()


def _build(source):
    """Both versions, beside the source. What the later one does not change is not compiled again."""
    for program in NEEDED:
        if not shutil.which(program):
            raise NoPackages(f"no {program} (Debian: debhelper, dpkg-dev)")
    run(["dpkg-buildpackage", "-uc", "-us"], source)
    changelog = os.path.join(source, "debian", "changelog")
    first = _read(changelog)
    version = re.match(rf"{NAME} \(([^)]+)\)", first).group(1)
    with open(changelog, "w", encoding="utf-8") as f:
        f.write(first.replace(f"({version})", f"({version}{LATER})", 1) + "\n" + first)
    for log in glob.glob(os.path.join(source, "debian", "*.debhelper.log")):
        os.unlink(log)
    run(["dpkg-buildpackage", "-b", "-nc", "-uc", "-us"], source)
    for extra in glob.glob(os.path.join(os.path.dirname(source), f"*{LATER}_*.changes")):
        os.unlink(extra)


def run(command, folder=None):
    """A program that has to succeed. A make that runs this has no say in how; C is the language of what is built."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LANGUAGE")}
    environment.update(DEB_BUILD_OPTIONS=f"nocheck parallel={os.cpu_count()}", LC_ALL="C.UTF-8")
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False)
    if done.returncode != 0:
        raise NoPackages(f"{' '.join(command)} failed: {(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout


def _read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None
