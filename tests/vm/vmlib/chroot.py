# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands below another root, with processes and mounts of their own: whatever they leave ends with them."""

import os
import shlex
import shutil
import subprocess

from . import packages

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Mounted below the new root, where the host does not see it.
MOUNTS = """set -e
mount --make-rprivate /
mount -t proc proc {tree}/proc
mount --rbind /dev {tree}/dev
exec chroot {tree} "$@"
"""


class ChrootError(Exception):
    """A command there did not succeed."""


APT = "apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0"


class Chroot:
    def __init__(self, tree):
        self._tree = tree
        self._environment = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                             "TERM": "dumb"}
        # The names of the mirror, or of a proxy, are found as they are here.
        for name in ("resolv.conf", "hosts"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copyfile(f"/etc/{name}", self.path(f"/etc/{name}"))
        proxies = packages.proxies()
        if proxies:
            with open(self.path("/etc/apt/apt.conf.d/99proxy"), "w", encoding="utf-8") as f:
                f.writelines(f'Acquire::{name.split("_")[0]}::Proxy "{value}";\n' for name, value in proxies.items())

    def path(self, inside):
        """Where a file of the chroot is for us."""
        return os.path.join(self._tree, inside.lstrip("/"))

    def copy_in(self, file, inside):
        shutil.copy(file, self.path(inside))

    def run(self, script, timeout=120):
        """(exit status, output) of a shell script. Whoever asks it something gets no answer."""
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                   MOUNTS.format(tree=shlex.quote(self._tree)), "sh", "/bin/sh", "-c", script]
        done = subprocess.run(command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False)
        return done.returncode, done.stdout

    def check(self, script, timeout=120):
        status, out = self.run(script, timeout)
        if status != 0:
            raise ChrootError(f"`{script}` ended with {status}: {out.strip()[-1200:]}")
        return out

    def install(self, names):
        """What apt said. Its lists may be older than what the archive has by now."""
        status, out = self.run(f"{APT} install {names}")
        if status != 0:
            self.check("apt-get -qq update", 400)
            out = self.check(f"{APT} install {names}")
        return out
