# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel under test: the distribution's own package, unpacked, never installed.

Only what a guest needs is kept in the cache (the image, its configuration and the wanted modules with
their dependencies, about 15 MiB), because the unpacked package is 400 MiB.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile

from . import packages

META_PACKAGE = "linux-image-amd64"

# What hot-added memory comes through, and the port the command channel uses.
WANTED_MODULES = (
    "virtio_pci", "virtio_console", "virtio_mem",
    "nfit", "nd_pmem", "dax_pmem", "device_dax", "kmem", "dax_hmem",
)

# In the guest, too, but loaded only by the scenarios that ask for it. A kernel may not have it.
SPARE_MODULES = ("memory_notifier_error_inject",)


class NoKernel(Exception):
    """There is no kernel to test with, and why."""


class Kernel:
    """An image, the modules to load and the spare ones, as (name, path) in the order to load them."""

    def __init__(self, version, image, modules, spare_modules):
        self.version = version
        self.image = image
        self.modules = modules
        self.spare_modules = spare_modules


def obtain(cache, unpacked=None):
    """The kernel from the cache, else from `unpacked` (a package's tree), else from the package itself."""
    if unpacked:
        return _open_tree(unpacked)

    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = os.path.join(cache, "kernel")
        if _stamp(kept) != _expected_stamp():
            try:
                _fill(cache, kept)
            except packages.NoPackage as error:
                raise NoKernel(f"{error} (see --kernel)") from error
        return _open_tree(kept)


def _expected_stamp():
    return " ".join(WANTED_MODULES + SPARE_MODULES)


def _stamp(kept):
    try:
        with open(os.path.join(kept, "stamp"), encoding="ascii") as f:
            return f.read()
    except OSError:
        return None


def _fill(cache, kept):
    with tempfile.TemporaryDirectory(dir=cache) as work:
        tree = packages.unpack(work, _resolve, META_PACKAGE)
        small = os.path.join(work, "small")
        _keep_needed(tree, small)
        with open(os.path.join(small, "stamp"), "w", encoding="ascii") as f:
            f.write(_expected_stamp())
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(small, kept)


def _resolve():
    shown = subprocess.run(["apt-cache", "depends", "--important", META_PACKAGE], capture_output=True,
                           text=True, check=False).stdout
    names = re.findall(r"Depends: (linux-image-\d\S*)", shown)
    return names[0] if names else None


def _keep_needed(tree, small):
    """Copy the image, its configuration and the wanted modules with what they depend on."""
    version, boot, modules = _parts(tree)
    packages.run(["depmod", "-b", tree, version])
    os.makedirs(os.path.join(small, "boot"))
    for name in (f"vmlinuz-{version}", f"config-{version}"):
        shutil.copy(os.path.join(boot, name), os.path.join(small, "boot"))
    target = os.path.join(small, "lib/modules", version)
    needed = _load_order(modules, WANTED_MODULES + SPARE_MODULES)
    for path in needed:
        copy = os.path.join(target, path)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy(os.path.join(modules, path), copy)
    shutil.copy(os.path.join(modules, "modules.dep"), target)
    for name in ("modules.builtin", "modules.order"):
        if os.path.exists(os.path.join(modules, name)):
            shutil.copy(os.path.join(modules, name), target)


def _parts(tree):
    boot = os.path.join(tree, "boot")
    images = sorted(f for f in os.listdir(boot) if f.startswith("vmlinuz-")) if os.path.isdir(boot) else []
    if not images:
        raise NoKernel(f"{boot}: no vmlinuz-*")
    version = images[-1][len("vmlinuz-"):]
    for lib in ("lib", "usr/lib"):
        modules = os.path.join(tree, lib, "modules", version)
        if os.path.isdir(modules):
            return version, boot, modules
    raise NoKernel(f"{tree}: no modules of {version}")


def _module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def _load_order(modules, names):
    """Paths of these modules, dependencies first. A module that is built in, or missing, is left out."""
    depends, by_name = {}, {}
    with open(os.path.join(modules, "modules.dep"), encoding="utf-8") as f:
        for line in f:
            path, _, rest = line.partition(":")
            depends[path] = rest.split()
            by_name[_module_name(path)] = path
    order = []

    def visit(path):
        if path in order:
            return
        for other in depends[path]:
            visit(other)
        order.append(path)

    for name in names:
        if name in by_name:
            visit(by_name[name])
    return order


def _open_tree(tree):
    version, boot, modules = _parts(tree)
    if not os.path.exists(os.path.join(modules, "modules.dep")):
        packages.run(["depmod", "-b", tree, version])

    def order(names):
        return [(_module_name(path), os.path.join(modules, path)) for path in _load_order(modules, names)]

    wanted = order(WANTED_MODULES)
    spare = [module for module in order(SPARE_MODULES) if module not in wanted]
    return Kernel(version, os.path.join(boot, f"vmlinuz-{version}"), wanted, spare)
