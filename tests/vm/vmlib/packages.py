# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages of the distribution, fetched and unpacked, never installed: what a guest runs need not run here."""

import os
import re
import shutil
import subprocess


class NoPackage(Exception):
    """It cannot be had, and why."""


def run(command, **options):
    """The output of a program that has to succeed."""
    # An ordinary user's PATH has no sbin.
    program = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not program:
        raise NoPackage(f"no {command[0]} here")
    done = subprocess.run([program] + command[1:], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise NoPackage(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def unpack(folder, resolve, wanted):
    """The tree of a package, below this folder. resolve() gives the name that apt knows it by, None while it knows none."""
    tree = os.path.join(folder, "tree")
    run(["dpkg-deb", "-x", _download(folder, resolve, wanted), tree])
    return tree


def _download(folder, resolve, wanted):
    if not shutil.which("apt-get"):
        raise NoPackage("no apt-get to fetch packages with")
    name = resolve()
    if not name:
        # A freshly installed machine or a container may have no package lists yet.
        run(["apt-get", "-qq", "update"])
        name = resolve()
    if not name:
        raise NoPackage(f"no package {wanted} known to apt")

    # The sandbox user cannot write to our folder, and would only warn.
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0:
        # Lists that are older than the archive name a version that is gone.
        run(["apt-get", "-qq", "update"])
        name = resolve()
        run(command[:-1] + [name], cwd=folder)
    packages = [f for f in os.listdir(folder) if f.endswith(".deb")]
    if not packages:
        raise NoPackage(f"apt-get download {name} left no file")
    return os.path.join(folder, packages[0])


def proxies():
    """apt's, for whatever else downloads what apt could."""
    named = {}
    for scheme in ("http", "https"):
        found = re.match(r"proxy='(\w+://[^']+)'", run(["apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy"]))
        if found:
            named[f"{scheme}_proxy"] = found.group(1)
    return named
