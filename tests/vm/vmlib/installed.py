# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian in which dpkg has installed memhpd's package, and can install, upgrade and purge it in the guest, too."""

import glob
import os
import re
import shutil

from . import chroot, debian

# As of a guest without it, but dpkg stays, and the Perl that maintainer scripts are run by.
LEFT_OUT = re.compile(r"(boot|home|media|mnt|opt|proc|sys|run|tmp|srv|dev|var/(cache|log|lib/apt)"
                      r"|usr/(games|include|src|local)|usr/lib/(apt|locale|udev/hwdb\.d|[^/]*-linux-gnu/gconv)"
                      r"|usr/share/(doc|man|info|locale|i18n|zoneinfo|lintian|gcc|common-licenses|keyrings|bug|menu))/."
                      r"|usr/lib/udev/hwdb\.bin$|usr/bin/apt[^/]*$")
FOLDER = "/root"            # where both packages are in the guest
FIRST, LATER = f"{FOLDER}/first.deb", f"{FOLDER}/later.deb"
DPKG = "/usr/bin/dpkg"       # the guest's shell prefers its own, which is another program


def obtain(cache, packages, pack):
    """A debian.Debian, from the cache unless the package or the rules above changed."""
    kept = os.path.join(cache, f"installed-{debian.EDITION}-{packages.digest[:16]}")
    if not os.path.isdir(kept):
        _fill(cache, kept, packages, pack)
    with open(os.path.join(kept, "paths"), encoding="utf-8") as f:
        return debian.Debian(os.path.join(kept, "archive"), set(f.read().split("\n")))


def _fill(cache, kept, packages, pack):
    with debian.unpacked(cache) as tree:
        root = chroot.Chroot(tree)
        root.copy_in(packages.deb, FIRST)
        root.copy_in(packages.later, LATER)
        root.install(FIRST)
        data, paths = pack(tree, LEFT_OUT)
    for old in glob.glob(os.path.join(cache, "installed-*")):
        shutil.rmtree(old)
    debian.keep(cache, kept, data, paths)
