# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's whole user space: busybox, our programs, what they need, and the agent.

The archive ("newc") is written here instead of through cpio(1) and a staging folder: no root, no device nodes on
the host, no temporary files, and equal content gives an equal archive, so it can be cached by its hash.
"""

import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import subprocess

from . import agent

PROGRAMS = ("memhpd", "memhpctl")
TEST_PROGRAMS = ("flood", "hog", "observe", "pin")
# setpriv takes capabilities away from memhpd; busybox has one that cannot. Its nice Debian leaves out.
TOOLS = ("ndctl", "daxctl", "setpriv", "nice", "dbus-daemon", "chmem")


class NoInitramfs(Exception):
    """The guest's user space cannot be put together, and why."""


class Archive:
    """Files by their path in the guest; parents are made as needed."""

    def __init__(self):
        self._entries = {}

    def add_folder(self, path):
        parts = path.strip("/").split("/")
        for n in range(1, len(parts) + 1):
            self._entries.setdefault("/".join(parts[:n]), (stat.S_IFDIR | 0o755, b"", (0, 0), (0, 0)))

    def add_root(self, mode):
        self._entries["."] = (stat.S_IFDIR | mode, b"", (0, 0), (0, 0))

    def add(self, path, data, mode=0o644):
        self.add_folder(os.path.dirname(path))
        self._entries[path.strip("/")] = (stat.S_IFREG | mode, data, (0, 0), (0, 0))

    def add_link(self, path, target):
        self.add_folder(os.path.dirname(path))
        self._entries[path.strip("/")] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0), (0, 0))

    def add_device(self, path, major, minor):
        self.add_folder(os.path.dirname(path))
        self._entries[path.strip("/")] = (stat.S_IFCHR | 0o600, b"", (major, minor), (0, 0))

    def add_host_file(self, source, path, mode=0o644):
        with open(source, "rb") as f:
            self.add(path, f.read(), mode)

    def add_tree(self, root, left_out=None):
        """Everything below a folder of the host, with its owners; what `left_out` matches is not taken."""
        for folder, _, _ in os.walk(root):
            for name in sorted(os.listdir(folder)):
                full = os.path.join(folder, name)
                path = os.path.relpath(full, root)
                if not left_out or not left_out.match(path):
                    self._add_from(full, path)

    def _add_from(self, full, path):
        info = os.lstat(full)
        data = b""
        if stat.S_ISREG(info.st_mode):
            with open(full, "rb") as f:
                data = f.read()
        elif stat.S_ISLNK(info.st_mode):
            data = os.readlink(full).encode()
        elif not stat.S_ISDIR(info.st_mode):
            return                              # a device or the like: the guest has its own
        self._entries[path] = (info.st_mode, data, (0, 0), (info.st_uid, info.st_gid))

    def has(self, path):
        return path.strip("/") in self._entries

    def paths(self):
        return sorted(self._entries)

    def pack(self):
        out = bytearray()
        inode = 0
        for path in sorted(p for p in self._entries if p):
            inode += 1
            _append_entry(out, inode, path, *self._entries[path])
        _append_entry(out, 0, "TRAILER!!!", 0, b"", (0, 0), (0, 0))
        return bytes(out)


def _append_entry(out, inode, path, mode, data, device, owner):
    name = path.encode() + b"\0"
    #         ino    mode  uid gid nlink mtime size       devmajor/minor rdevmajor/minor namesize check
    fields = (inode, mode, owner[0], owner[1], 1, 0, len(data), 0, 0, device[0], device[1], len(name), 0)
    out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
    out += b"\0" * (-len(out) % 4)
    out += data
    out += b"\0" * (-len(out) % 4)


def build(kernel, builddir, cache):
    """The path of an initramfs with the programs in `builddir`; made only when something in it changed."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "run", "tmp", "root", "etc/memhp", "etc/ndctl.conf.d", "var/log"):
        archive.add_folder(folder)
    archive.add_device("dev/console", 5, 1)
    archive.add_device("dev/null", 1, 3)
    archive.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    archive.add("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.add("init", agent.INIT.encode(), 0o755)

    _add_busybox(archive)
    for name in PROGRAMS:
        add_program(archive, find_program(builddir, name), f"usr/bin/{name}")
    add_test_programs(archive, builddir)
    for name in TOOLS:
        path = which(name)
        if path:
            add_program(archive, path, f"usr/bin/{name}")
    add_modules(archive, kernel)
    return store(archive.pack(), cache)


def add_test_programs(archive, builddir):
    """What only tests need is not there where only the programs were built."""
    for name in TEST_PROGRAMS:
        path = os.path.join(builddir, "tests/vm", name)
        if os.path.isfile(path):
            add_program(archive, path, f"usr/bin/{name}")


def find_program(builddir, name):
    for folder in ("", "src", ".libs", "src/.libs"):
        path = os.path.join(builddir, folder, name)
        if not os.path.isfile(path):
            continue
        # libtool leaves a shell script in the place of a program that is linked to libraries not installed yet
        real = os.path.join(os.path.dirname(path), ".libs", name)
        return real if os.path.isfile(real) else path
    raise NoInitramfs(f"{builddir}: no {name} there: build it first, or say --builddir")


def which(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


def _add_busybox(archive):
    path = which("busybox")
    if not path:
        raise NoInitramfs("no busybox (Debian: busybox-static)")
    # A dynamic busybox works as well, with its libraries.
    add_program(archive, path, "bin/busybox")
    names = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            archive.add_link(f"bin/{name}", "busybox")


def add_program(archive, source, path):
    archive.add_host_file(source, path, 0o755)
    add_libraries(archive, source)


def add_libraries(archive, source):
    """Those that a program of the host needs and the archive has not."""
    shown = subprocess.run(["ldd", source], capture_output=True, text=True, check=False).stdout
    missing = re.findall(r"(\S+) => not found", shown)
    if missing:
        raise NoInitramfs(f"{source}: cannot find {', '.join(missing)}")
    for library in re.findall(r"(?:=>\s*|^\s*)(/\S+)\s+\(0x", shown, re.MULTILINE):
        if not archive.has(library):
            archive.add_host_file(os.path.realpath(library), library, 0o755)


def add_modules(archive, kernel):
    """The modules, unpacked since busybox's insmod reads only plain ones, and the order to load them."""
    for name, path in kernel.modules + kernel.spare_modules:
        with open(path, "rb") as f:
            data = f.read()
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        elif path.endswith(".zst"):
            data = subprocess.run(["zstd", "-dqc"], input=data, capture_output=True, check=True).stdout
        elif path.endswith(".gz"):
            data = gzip.decompress(data)
        archive.add(f"lib/memhp-modules/{name}.ko", data)
    for path, modules in (("etc/modules", kernel.modules), ("etc/modules-spare", kernel.spare_modules)):
        archive.add(path, "".join(f"{name}\n" for name, _ in modules).encode())
    # ndctl asks libkmod, which complains loudly when there is no such folder at all.
    folder = f"lib/modules/{kernel.version}"
    for index in ("modules.dep", "modules.dep.bin", "modules.alias", "modules.symbols", "modules.builtin"):
        archive.add(f"{folder}/{index}", b"")


def store(data, cache, kind="initramfs", base=None):
    """The path of these bytes, packed. base: an archive that they come after, so that the guest gets both."""
    os.makedirs(cache, exist_ok=True)
    path = os.path.join(cache, f"{kind}-{hashlib.sha256((base or '').encode() + data).hexdigest()[:16]}")
    if os.path.exists(path):
        os.utime(path)
        return path
    if shutil.which("zstd"):
        packed = subprocess.run(["zstd", "-qc", "-3"], input=data, capture_output=True, check=True).stdout
    else:
        packed = gzip.compress(data, 6, mtime=0)
    part = f"{path}.{os.getpid()}.part"
    with open(part, "wb") as f:
        if base:
            with open(base, "rb") as first:
                shutil.copyfileobj(first, f)
            f.write(b"\0" * (-f.tell() % 4))
        f.write(packed)
    os.rename(part, path)
    _forget_old(cache, kind)
    return path


def _forget_old(cache, kind, keep=3):
    mine = [os.path.join(cache, f) for f in os.listdir(cache) if f.startswith(f"{kind}-")]
    for path in sorted(mine, key=os.path.getmtime)[:-keep]:
        os.unlink(path)
