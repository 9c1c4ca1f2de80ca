# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program under test, and its results."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import tarfile
import termios

from .tree import Tree

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(TESTS, "data")


class Root:
    """A folder that was captured, not built."""

    def __init__(self, root):
        self.root = root


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout.decode("utf-8", "surrogateescape")
        self.err = process.stderr.decode("utf-8", "surrogateescape")

    def __repr__(self):
        return f"exit {self.status}\nstdout: {self.out}\nstderr: {self.err}"

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rows(self):
        """The words of each line, up to the blank line before a summary."""
        return [line.split() for line in self.out.split("\n\n")[0].splitlines()]


class Ctl:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.trees = 0
        self._conf = None

    @property
    def conf(self):
        """Where it looks for the configuration, below a root: that depends on how it was configured."""
        if not self._conf:
            empty = os.path.join(self.folder, "empty")
            os.makedirs(empty, exist_ok=True)
            said = self.run("--sysroot", empty, "check")
            self._conf = re.match(r"/(\S+): no configuration: ", said.err).group(1)
        return self._conf

    def tree(self, **options):
        self.trees += 1
        tree = Tree(os.path.join(self.folder, f"root{self.trees}"), **options)
        tree.conf = self.conf
        return tree

    def unpack(self, name):
        """A capture of tests/data, as a folder."""
        return self.unpack_file(os.path.join(DATA, name))

    def unpack_file(self, path):
        self.trees += 1
        root = os.path.join(self.folder, f"root{self.trees}")
        os.mkdir(root)
        with tarfile.open(path) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(root, filter="data")
            else:
                archive.extractall(root)
        return Root(root)

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def run(self, *arguments, tree=None, stdout=subprocess.PIPE, locale="C.UTF-8", **variables):
        """variables: of the environment."""
        command = [self.program]
        if tree:
            command += ["--sysroot", tree.root]
        environment = dict(os.environ, LC_ALL=locale, **variables)
        return Result(subprocess.run(command + [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                                     stderr=subprocess.PIPE, timeout=120, env=environment, check=False)
                      if stdout == subprocess.PIPE else self._run_to(command, arguments, stdout, environment))

    def run_on_terminal(self, *arguments, tree, columns=80, lines=24, **variables):
        """What it prints on a terminal of that size, as text."""
        environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        for name in ("COLUMNS", "LINES", "NO_COLOR", "COLORTERM"):
            environment.pop(name, None)
        environment.update({"MEMHP_PAGER": "cat", **variables})
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            with subprocess.Popen([self.program, "--sysroot", tree.root, *arguments], stdin=subprocess.DEVNULL,
                                  stdout=slave, stderr=subprocess.DEVNULL, env=environment) as process:
                os.close(slave)
                slave = -1
                text = b""
                while True:
                    try:
                        part = os.read(master, 65536)
                    except OSError:     # EIO: nobody has the other end any more
                        break
                    if not part:
                        break
                    text += part
                process.wait(timeout=120)
        finally:
            os.close(master)
            if slave >= 0:
                os.close(slave)
        return text.decode().replace("\r\n", "\n")

    @staticmethod
    def _run_to(command, arguments, stdout, environment):
        process = subprocess.run(command + [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                                 stderr=subprocess.PIPE, timeout=120, env=environment, check=False)
        process.stdout = b""
        return process
