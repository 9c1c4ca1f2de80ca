# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's own user space for a guest: systemd, the system bus, polkit and udevd as they are shipped.

debootstrap makes the tree from the mirror that this machine installs from. The cache keeps all of it (a tar file, for those
who install packages), and a packed copy without what no guest needs (about 30 MiB), with the list of what is in it.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile

from . import chroot, packages

PACKAGES = ("systemd", "systemd-sysv", "libpam-systemd", "dbus", "polkitd", "udev")
# Most of the tree. Nobody in the guest installs packages, reads manuals or speaks another language.
LEFT_OUT = re.compile(r"(boot|home|media|mnt|opt|proc|sys|run|tmp|srv|dev|var/(cache|log|lib/(apt|dpkg))"
                      r"|usr/(games|include|src|local)|usr/lib/(apt|locale|udev/hwdb\.d|[^/]*-linux-gnu/(gconv|perl-base))"
                      r"|usr/share/(doc|man|info|locale|i18n|zoneinfo|lintian|perl5|gcc|bash-completion|zsh"
                      r"|common-licenses|keyrings|bug|menu))/."
                      r"|usr/lib/(udev/hwdb\.bin|[^/]*-linux-gnu/lib(apt-|db-|stdc)[^/]*)$|usr/bin/(perl|apt|dpkg)[^/]*$")
NOT_KEPT = ("./var/cache/apt/*", "./var/lib/apt/lists/partial/*", "./var/log/bootstrap.log")
# To be changed with the rules above: what the cache has is then made anew.
EDITION = 1
TIMEOUT = 480


class NoDebian(Exception):
    """There is no such tree, and why."""


class Debian:
    """A packed tree (zstd, "newc"), and the paths in it."""

    def __init__(self, archive, paths):
        self.archive = archive
        self.paths = paths


def obtain(cache, pack):
    """From the cache, else made now. pack(tree, left_out) gives the bytes of an archive and the paths in it."""
    suite = _suite()
    kept = os.path.join(cache, f"debian-{suite}-{EDITION}")
    with locked(cache):
        if not os.path.isdir(kept):
            _fill(cache, kept, _whole(cache, suite), pack)
    with open(os.path.join(kept, "paths"), encoding="utf-8") as f:
        return Debian(os.path.join(kept, "archive"), set(f.read().split("\n")))


@contextlib.contextmanager
def unpacked(cache):
    """A folder with the whole tree, as debootstrap left it, that lives as long as the context; apt can install there."""
    if os.geteuid() != 0:
        raise NoDebian("only root can have files that are others'")
    with locked(cache):
        whole = _whole(cache, _suite())
    with tempfile.TemporaryDirectory(dir=cache, prefix="tree-") as tree:
        os.chmod(tree, 0o755)
        subprocess.run(["tar", "--zstd", "-xpf", whole, "-C", tree], check=True)
        yield tree


@contextlib.contextmanager
def locked(cache):
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _suite():
    release = {}
    try:
        with open("/etc/os-release", encoding="utf-8") as f:
            for line in f:
                key, _, value = line.strip().partition("=")
                release[key] = value.strip('"')
    except OSError as error:
        raise NoDebian(f"no /etc/os-release: {error}") from error
    if release.get("ID") != "debian" or not release.get("VERSION_CODENAME"):
        raise NoDebian(f"this is no release of Debian, but {release.get('PRETTY_NAME', 'unknown')}: the programs would not fit")
    return release["VERSION_CODENAME"]


def _whole(cache, suite):
    kept = os.path.join(cache, f"debian-{suite}-{EDITION}.tar.zst")
    if os.path.exists(kept):
        return kept
    if os.geteuid() != 0:
        raise NoDebian("only root can use debootstrap")
    for program in ("debootstrap", "zstd"):
        if not _which(program):
            raise NoDebian(f"no {program} (Debian: {program})")
    with tempfile.TemporaryDirectory(dir=cache) as work:
        tree = os.path.join(work, "tree")
        _bootstrap(tree, suite, _mirror(suite))
        status, out = chroot.Chroot(tree).run("apt-get -qq update", TIMEOUT)
        if status != 0:
            raise NoDebian(f"apt cannot be used in a chroot: {out.strip()[-300:]}")
        whole = os.path.join(work, "whole")
        subprocess.run(["tar", "-C", tree, "-I", "zstd -3 -T0", *(f"--exclude={p}" for p in NOT_KEPT), "-cf", whole, "."], check=True)
        os.rename(whole, kept)
    return kept


def _fill(cache, kept, whole, pack):
    with tempfile.TemporaryDirectory(dir=cache) as tree:
        subprocess.run(["tar", "--zstd", "-xpf", whole, "-C", tree], check=True)
        data, paths = pack(tree, LEFT_OUT)
    keep(cache, kept, data, paths)


def keep(cache, kept, data, paths):
    """Leave an archive's bytes, packed, and the paths in it: both or none of them."""
    with tempfile.TemporaryDirectory(dir=cache) as work:
        small = os.path.join(work, "small")
        os.mkdir(small)
        with open(os.path.join(small, "archive"), "wb") as f:
            subprocess.run(["zstd", "-qc", "-6", "-T0"], input=data, stdout=f, check=True)
        with open(os.path.join(small, "paths"), "w", encoding="utf-8") as f:
            f.write("\n".join(paths))
        os.rename(small, kept)


def _bootstrap(tree, suite, mirror):
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, tree, mirror]
    environment = dict(os.environ, **packages.proxies())
    environment["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise NoDebian(f"debootstrap was not done after {TIMEOUT} s") from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line[:2] in ("E:", "W:")]
        raise NoDebian(f"debootstrap failed: {'; '.join(said[-3:]) or done.stderr.strip()[-300:]}")


def _mirror(suite):
    """Where apt gets this release from."""
    for _ in range(2):
        shown = _output(["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"])
        for line in shown.splitlines():
            words = line.split()
            if len(words) == 3 and words[:2] == [suite, "main"] and re.match(r"(https?|file|copy):", words[2]):
                return words[2]
        _output(["apt-get", "-qq", "update"])   # a fresh machine may have no package lists yet
    raise NoDebian(f"apt knows no mirror of {suite}")


def _output(command):
    if not _which(command[0]):
        raise NoDebian(f"no {command[0]} here")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _which(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
