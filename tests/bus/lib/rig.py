# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus of its own, who is on it, and who calls. Needs root, since it is about what others than root may do."""

import json
import os
import pwd
import queue
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHIPPED = os.path.join(os.path.dirname(TESTS), "systemd")
POLKITD = ["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd"]
# The bus lets in only users that have a name.
NOBODY, OTHER, THIRD = (pwd.getpwnam(name).pw_uid for name in ("nobody", "daemon", "bin"))
PATIENCE = 120      # seconds; only a failure takes as long

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={folder}/socket</listen>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Debug.Stats"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.memhp1" send_interface="org.memhp1.Probe"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  {polkit_user}
  {limits}
  <includedir>{folder}/system.d</includedir>
</busconfig>
"""


# As systemd starts it: the journal has its standard error, and it is told so.
TO_JOURNAL = ["systemd-cat", "sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh"]
JOURNALD = "/usr/lib/systemd/systemd-journald"
JOURNALS = ("/run/log/journal", "/var/log/journal")


class Missing(Exception):
    """Something that this machine has not got: the test is skipped."""


class Process:
    """A program that runs along, and what it says."""

    def __init__(self, command, environment, pass_fds=()):
        self.name = " ".join(os.path.basename(c) for c in command[:2])
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=pass_fds)
        self.said = []
        self.signalled = False
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        self.lines.put(None)

    def _next(self, patience):
        """The next line; None: there will be no more of them."""
        line = self.lines.get(timeout=patience)
        if line is None:
            self.lines.put(None)
            return None
        self.said.append(line)
        return line

    def wait_for(self, pattern):
        """The first line from here on that matches."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                line = self._next(max(end - time.monotonic(), 0.01))
            except queue.Empty:
                break
            if line is None:
                break
            match = re.search(pattern, line)
            if match:
                return match
        raise AssertionError(f"{self.name}: never said {pattern!r}, but:\n" + "\n".join(self.said))

    def rest(self):
        """All that it says until its end."""
        start = len(self.said)
        while self._next(PATIENCE) is not None:
            pass
        self.process.wait(PATIENCE)
        return self.said[start:]

    def kill(self, number):
        self.signalled = True
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Its exit status."""
        if self.process.poll() is None:
            self.kill(number)
        self.rest()
        return self.process.returncode


class Signals:
    """The signals of memhpd, as they come."""

    def __init__(self, rig, member):
        self.process = rig.start(["busctl", "--system", "--json=short",
                                  f"--match=type='signal',interface='org.memhp1.Manager',member='{member}'", "monitor"])
        self.process.wait_for("Monitoring bus message stream")

    def next(self):
        """The arguments of the next one."""
        while True:
            message = json.loads(self.process.wait_for(r"^\{.*\}$").group(0))
            if message.get("type") == "signal" and message.get("interface") == "org.memhp1.Manager":
                return message["payload"]["data"]


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout.decode("utf-8", "replace")
        self.err = process.stderr.decode("utf-8", "replace")

    def __repr__(self):
        return f"exit {self.status}\nstdout: {self.out}\nstderr: {self.err}"

    @property
    def json(self):
        return json.loads(self.out)


class Fake:
    """memhpd in a process of its own on a machine made of files (tests/memhpd-fake.c), and that machine."""

    def __init__(self, rig, policy, setup, to_journal=False):
        path = os.path.join(rig.folder, "fake")
        if os.path.exists(path):
            os.unlink(path)
        command = [*rig.inside, *(TO_JOURNAL if to_journal else [])]
        config = rig.file("policy.conf", policy)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.settimeout(PATIENCE)
        self.process = rig.start([*command, rig.program("tests/memhpd-fake"), "--config", config], MEMHP_FAKE_SOCKET=path,
                                 MEMHP_FAKE_SETUP=setup, ASAN_OPTIONS="detect_leaks=1")
        if to_journal:
            rig.wait_for_name("org.memhp1")
        else:
            self.process.wait_for(r"ready: ")
        self.socket.connect(path)
        self.root = self.do("root")

    def do(self, command):
        self.socket.send(command.encode())
        answer = self.socket.recv(4096).decode()
        assert not answer.startswith("unknown:"), answer
        return answer

    def until(self, command, expected):
        end = time.monotonic() + PATIENCE
        while self.do(command) != expected:
            assert time.monotonic() < end, f"{command}: never {expected!r}, but {self.do(command)!r}"
            time.sleep(0.01)

    def end(self, number=signal.SIGTERM):
        self.socket.close()
        status = self.process.end(number)
        shutil.rmtree(os.path.dirname(self.root), ignore_errors=True)       # of one that was killed
        return status


class Rig:
    def __init__(self, builddir):
        if os.geteuid() != 0:
            raise Missing("needs root")
        for program, package in (("dbus-daemon", "dbus-daemon"), ("busctl", "systemd"), ("setpriv", "util-linux")):
            if not shutil.which(program):
                raise Missing(f"{program} is not there (package {package})")
        self.builddir = builddir
        self.processes = []
        self.folder = tempfile.mkdtemp(prefix="memhp-bus.")
        os.chmod(self.folder, 0o755)        # others call, too
        for name in ("services", "system.d", "actions", "rules.d"):
            os.mkdir(os.path.join(self.folder, name))
            os.chmod(os.path.join(self.folder, name), 0o755)
        shutil.copy(os.path.join(SHIPPED, "org.memhp1.conf"), os.path.join(self.folder, "system.d"))
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.folder}/socket", LC_ALL="C.UTF-8")
        self.environment.pop("JOURNAL_STREAM", None)
        self.bus = None
        # The journal of this machine is none of our tests' business.
        self.inside = []
        if any(os.path.isdir(folder) for folder in JOURNALS):
            self.inside = ["unshare", "-m", "sh", "-c", f"for d in {' '.join(JOURNALS)}; do [ ! -d $d ] || mount -t tmpfs none $d; done; "
                           'exec "$@"', "sh"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.process.poll() is None:
                process.process.kill()
                process.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, checks):
        """The end of a case: whoever still runs ends well (under the sanitizers: without leaks), the bus last."""
        for process in reversed(self.processes):
            if process.process.poll() is None:
                status = process.end()
                if "/tests/" in process.process.args[0]:
                    checks.expect(status == 0, f"{process.name} ends well",
                                  f"exit {status}\n" + "\n".join(process.said))

    # -- pieces

    def program(self, name):
        return os.path.join(self.builddir, name)

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def start(self, command, **environment):
        process = Process(command, dict(self.environment, **environment))
        self.processes.append(process)
        return process

    def start_bus(self, limits=""):
        try:
            pwd.getpwnam("polkitd")
            polkit_user = ('<policy user="polkitd"><allow own="org.freedesktop.PolicyKit1"/>'
                           '<allow send_interface="org.freedesktop.PolicyKit1.AuthenticationAgent"/></policy>')
        except KeyError:
            polkit_user = ""
        config = self.file("bus.conf", BUS_CONFIG.format(folder=self.folder, polkit_user=polkit_user, limits=limits))
        self.bus = self.start(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog",
                               "--print-address=1"])
        self.bus.wait_for("^unix:path=")

    def start_polkitd(self, rules="", actions=None):
        """The real one. Its folders have fixed paths: it gets ours there, in a mount namespace of its own."""
        polkitd = next((p for p in POLKITD if os.path.exists(p)), None)
        if not polkitd:
            raise Missing("polkitd is not there (package polkitd)")
        if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise Missing("no mount namespace can be made here, which polkitd's fixed folders need")
        for name, text in (actions or {"org.memhp1.policy": shipped("org.memhp1.policy")}).items():
            self.file(f"actions/{name}", text)
        self.file("rules.d/10-test.rules", rules)
        script = ('mount --bind "$1/actions" /usr/share/polkit-1/actions && '
                  'for d in /etc/polkit-1/rules.d /usr/share/polkit-1/rules.d; do mount --bind "$1/rules.d" $d || exit 1; done && '
                  'exec "$2" --no-debug')
        for folder in ("/usr/share/polkit-1/actions", "/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"):
            if not os.path.isdir(folder):
                raise Missing(f"{folder} is not there (package polkitd)")
        process = self.start(["unshare", "-m", "sh", "-c", script, "sh", self.folder, polkitd])
        self.wait_for_name("org.freedesktop.PolicyKit1")
        return process

    def start_probe(self, **environment):
        probe = self.start([self.program("tests/polkit-probe"), "serve"], **environment)
        probe.wait_for("^ready$")
        return probe

    def start_stub(self, *how):
        """In polkit's place: answers so, or as each action is called."""
        stub = self.start([self.program("tests/polkit-probe"), "stub", *how])
        stub.wait_for("^ready$")
        return stub

    def start_memhpd(self, policy='version = 1; rules = ( { name = "all"; match = { }; action = "online_movable"; } );',
                     setup="boot 0-31 0", to_journal=False):
        return Fake(self, policy, setup, to_journal)

    def start_journald(self, boot=None):
        """The real one, in a /run of its own: what is `inside` sees it. boot: the id that it takes the boot for.
        A second one of the same rig goes on with the first one's journal."""
        if not os.path.exists(JOURNALD):
            raise Missing("systemd-journald is not there (package systemd)")
        if not self.inside or self.inside[0] != "nsenter":
            # Somebody has to keep the namespace.
            keeper = self.start(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log/journal && "
                                 "{ [ ! -d /var/log/journal ] || mount -t tmpfs none /var/log/journal; } && echo ready && exec sleep infinity"])
            keeper.wait_for("^ready$")
            self.inside = ["nsenter", "-m", "-t", str(keeper.process.pid)]
        # What an earlier one left behind is nobody's door.
        self.run("rm", "-f", "/run/systemd/journal/stdout", "/run/systemd/journal/socket")
        script = "exec " + JOURNALD
        if boot:
            path = self.file("boot_id", f"{boot}\n")
            script = f"mount --bind {path} /proc/sys/kernel/random/boot_id && {script}"
        journald = self.start([*self.inside, "sh", "-c", script])
        end = time.monotonic() + PATIENCE
        while self.run("test", "-S", "/run/systemd/journal/stdout").status != 0:
            assert time.monotonic() < end and journald.process.poll() is None, "no journal: " + "\n".join(journald.said)
            time.sleep(0.02)
        return journald

    # -- who calls

    def run(self, *command, uid=0, **environment):
        if uid:
            command = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups") + command
        command = (*self.inside, *command)
        return Result(subprocess.run([str(c) for c in command], env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
                                     cwd="/"))

    def ctl(self, *arguments, uid=0):
        return self.run(self.program("memhpctl"), *arguments, uid=uid)

    def start_ctl(self, *arguments):
        """One that runs along."""
        return self.start([*self.inside, self.program("memhpctl"), *arguments])

    def busctl(self, *arguments, uid=0):
        return self.run("busctl", "--system", "--json=short", *arguments, uid=uid)

    def call(self, *arguments, uid=0, interactive=False):
        return self.busctl(f"--allow-interactive-authorization={'yes' if interactive else 'no'}", "call", *arguments, uid=uid)

    def names(self):
        return self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ListNames").json["data"][0]

    def wait_for_name(self, name):
        end = time.monotonic() + PATIENCE
        while name not in self.names():
            assert time.monotonic() < end and all(p.signalled or not p.process.poll() for p in self.processes), \
                f"{name} never came: " + "\n".join(f"{p.name}: {p.said}" for p in self.processes)
            time.sleep(0.02)

    def callers(self, n, action, without_polkit=False, uid=NOBODY, interactive=False):
        """One sender with n calls of the probe at once."""
        return self.start([self.program("tests/polkit-probe"), "call"] + (["-i"] if interactive else []) +
                          [str(uid), str(n), action, "yes" if without_polkit else "no"])

    def ask(self, action, **options):
        """What one such call is answered."""
        caller = self.callers(1, action, **options)
        caller.wait_for("^ready$")
        said = caller.rest()
        return said[0] if len(said) == 1 else said


def shipped(name):
    with open(os.path.join(SHIPPED, name), encoding="utf-8") as f:
        return f.read()
