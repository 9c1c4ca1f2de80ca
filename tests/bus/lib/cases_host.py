# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl -H: the daemon of another host, through ssh. First one that only tells how it was called and connects to our bus,
then the real ssh and sshd, on this machine.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from .rig import Missing, NOBODY, PATIENCE

BRIDGE = "systemd-stdio-bridge"
FAKE = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done >{folder}/words
echo $$ >{folder}/pid
exec systemd-stdio-bridge --bus-path=unix:path={folder}/socket
"""
NO_HOST = """#!/bin/sh
echo "ssh: Could not resolve hostname $3: Name or service not known" >&2
exit 255
"""
SETUP = "boot 0-31 0; dimm PNP0C80:01 32-33 1; kmem dax0.0 40-47 1"


class Far:
    """Whoever uses this cannot ask the daemon but through ssh."""

    def __init__(self, rig, ssh=FAKE, memhpd=True):
        if not shutil.which(BRIDGE):
            raise Missing(f"{BRIDGE} is not there (package systemd)")
        self.rig = rig
        os.mkdir(f"{rig.folder}/bin")
        rig.file("bin/ssh", ssh.format(folder=rig.folder), 0o755)
        self.environment = {"PATH": f"{rig.folder}/bin:{os.environ['PATH']}", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}
        rig.start_bus()
        self.memhpd = rig.start_memhpd(setup=SETUP) if memhpd else None
        if memhpd:
            self.memhpd.until("zone 33", "Movable")
            rig.wait_for_name("org.memhp1")

    def ctl(self, *arguments, host="far.example"):
        return self.rig.run(self.rig.program("memhpctl"), "-H", host, *arguments, **self.environment)

    def words(self):
        """What ssh was last called with."""
        with open(f"{self.rig.folder}/words", encoding="utf-8") as f:
            return f.read().splitlines()

    def pid(self):
        with open(f"{self.rig.folder}/pid", encoding="ascii") as f:
            return int(f.read())


def case_host_is_asked(checks, rig):
    far = Far(rig)
    checks.equal("without -H there is no daemon", rig.run(rig.program("memhpctl"), "status", **far.environment).status, 3)
    for words in (("list",), ("list", "--all"), ("show", "device:dax0.0"), ("explain", "33"), ("map",), ("jobs",), ("hold",), ("trace", "--list"),
                  ("status",)):
        here, there = rig.ctl(*words, "--json"), far.ctl(*words, "--json")
        checks.equal(f"{' '.join(words)}: there as here", (there.status, there.err, _lasting(there.json)), (0, "", _lasting(here.json)))
    checks.equal("how ssh is called", far.words(), ["-xT", "--", "far.example", BRIDGE])
    checks.equal("who must not be asked for another host is not", far.ctl("zones").status, 2)
    held = far.ctl("hold", "node:1", "by phone", "--json").json
    checks.equal("it changes things", (held["id"], [h["reason"] for h in rig.ctl("hold", "--json").json]), (1, ["by phone"]))
    checks.equal("… and back", (far.ctl("release", "1").status, rig.ctl("hold", "--json").json), (0, []))
    job = far.ctl("offline", "33", "--json")
    checks.equal("it follows a job", (job.status, json.loads(job.out.splitlines()[-1])["state"], far.memhpd.do("zone 33")), (0, "done", ""))
    checks.equal("it reloads", (far.ctl("reload").status, far.ctl("history", "--json").json), (0, rig.ctl("history", "--json").json))
    expect_nothing_left(checks, far)


def _lasting(answer):
    """Without what differs from one moment to the next."""
    if isinstance(answer, dict):
        return {key: _lasting(value) for key, value in answer.items() if key not in ("counters", "age_usec", "now_usec")}
    return [_lasting(item) for item in answer] if isinstance(answer, list) else answer


def case_host_names(checks, rig):
    """Each arrives as the one word that it is, whatever is in it, and never as an option."""
    far = Far(rig)
    for host in ("admin@far.example", "a b,c;d%20=e$(f)", "späte.example", "10.0.0.1"):
        checks.equal(f"{host}: asked", far.ctl("status", "--json", host=host).json["running"], True)
        checks.equal("… as one word behind --", far.words(), ["-xT", "--", host, BRIDGE])
    checks.equal("a port: asked", far.ctl("status", host="root@far.example:2222").status, 0)
    checks.equal("… by ssh's option", far.words(), ["-xT", "-p", "2222", "--", "root@far.example", BRIDGE])
    for host in ("", "@", "root@", "@far.example", "-oProxyCommand=touch x"):
        result = far.ctl("status", host=host)
        checks.expect(result.status == 2 and result.err.startswith("memhpctl: ") and "is no host" in result.err and
                      len(result.err.splitlines()) == 1, f"{host!r} is none", result)


def case_host_is_not_there(checks, rig):
    far = Far(rig, ssh=NO_HOST, memhpd=False)
    for words in (("status",), ("list",), ("offline", "33"), ("monitor",)):
        result = far.ctl(*words, host="nowhere")
        lines = result.err.splitlines()
        checks.expect(result.status == 3 and result.out == "" and len(lines) == 2 and lines[0].startswith("ssh: Could not resolve hostname nowhere") and
                      lines[1].startswith("memhpctl: nowhere: its system bus cannot be reached: ") and
                      lines[1].endswith("; does \"ssh nowhere systemd-stdio-bridge\" work?"), f"{words[0]}: exit 3, and what to try", result)
    result = rig.run("env", "PATH=/nonexistent", rig.program("memhpctl"), "-H", "far.example", "status")
    checks.expect(result.status == 3 and "does \"ssh far.example systemd-stdio-bridge\" work?" in result.err, "no ssh here: exit 3", result)


def case_host_without_a_daemon(checks, rig):
    far = Far(rig, memhpd=False)
    for words in (("status",), ("list",)):
        result = far.ctl(*words)
        checks.expect(result.status == 3 and result.err == "memhpctl: far.example: daemon not running: systemctl -H far.example start memhpd\n",
                      f"{words[0]}: exit 3, and what helps", result)


def case_host_goes_away(checks, rig):
    far = Far(rig)
    monitor = rig.start([rig.program("memhpctl"), "-H", "far.example", "--json", "monitor"], **far.environment)
    monitor.wait_for('"event":"connected"')
    far.memhpd.do("dimm PNP0C80:02 50-51 1")
    monitor.wait_for('"event":"add-completed"')
    first = far.pid()
    os.kill(first, signal.SIGKILL)
    monitor.wait_for('"event":"disconnected"')
    monitor.wait_for('"event":"connected"')
    checks.expect(far.pid() != first, "ssh is started again")
    far.memhpd.do("dimm PNP0C80:03 52-53 1")
    checks.expect(monitor.wait_for('PNP0C80:03.*"event":"add-completed"'), "and monitor goes on")
    far.memhpd.do("hold 33")
    job = rig.start([rig.program("memhpctl"), "-H", "far.example", "offline", "33"], **far.environment)
    job.wait_for("block 33")
    os.kill(far.pid(), signal.SIGKILL)
    said = job.rest()
    checks.equal("who follows a job is told so", (job.process.returncode, said[-1:]), 
                 (3, ["memhpctl: offline: the connection to the bus is gone; what the daemon has begun goes on"]))
    checks.equal("the job goes on", [(j["job"], j["state"]) for j in rig.ctl("jobs", "--json").json], [(1, "running")])
    far.memhpd.do("release")
    far.memhpd.until("zone 33", "")
    monitor.end(signal.SIGINT)
    expect_nothing_left(checks, far)


def expect_nothing_left(checks, far):
    end = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{far.pid()}") and time.monotonic() < end:
        time.sleep(0.02)
    checks.expect(not os.path.exists(f"/proc/{far.pid()}"), "ssh has ended with memhpctl")


# -- the real ones

# The bridge connects to the bus of the machine, which is ours in here.
SSHD = ('mount -t tmpfs -o mode=755 none /run && mkdir /run/dbus /run/sshd && touch /run/dbus/system_bus_socket && '
        'mount --bind "$1/socket" /run/dbus/system_bus_socket && exec "$2" -D -e -f "$1/sshd_config"')
SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
SSH_CONFIG = """Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  BatchMode yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""
REAL = '#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n'


def _sshd():
    """It asks to be called by its whole path."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    for program, where in (("sshd", sshd), ("ssh", shutil.which("ssh")), ("ssh-keygen", shutil.which("ssh-keygen"))):
        if not where:
            raise Missing(f"{program} is not there (packages openssh-server, openssh-client)")
    return sshd


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def case_host_by_the_real_ssh(checks, rig):
    sshd, port = _sshd(), _free_port()
    far = Far(rig, ssh=REAL.replace("{ssh}", shutil.which("ssh")))
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{rig.folder}/{name}"], check=True)
    with open(f"{rig.folder}/host_key.pub", encoding="ascii") as f:
        rig.file("known_hosts", f"[127.0.0.1]:{port} {f.read()}")
    rig.file("ssh_config", SSH_CONFIG.format(folder=rig.folder))
    rig.file("sshd_config", SSHD_CONFIG.format(folder=rig.folder, port=port))
    server = rig.start(["unshare", "-m", "sh", "-c", SSHD, "sh", rig.folder, sshd])
    server.wait_for("Server listening on 127.0.0.1")
    host = f"root@127.0.0.1:{port}"
    there = far.ctl("list", "--json", host=host)
    checks.expect(there.status == 0 and there.err == "" and there.json == rig.ctl("list", "--json").json, "list: there as here", there)
    checks.equal("offline, followed", (far.ctl("offline", "33", host=host).status, far.memhpd.do("zone 33")), (0, ""))
    monitor = rig.start([rig.program("memhpctl"), "-H", host, "--json", "monitor"], **far.environment)
    monitor.wait_for('"event":"connected"')
    far.memhpd.do("dimm PNP0C80:02 50-51 1")
    checks.expect(monitor.wait_for('PNP0C80:02.*"event":"add-completed"'), "monitor hears signals from there")
    checks.equal("^C ends it", monitor.end(signal.SIGINT), 0)
    rig.file("known_hosts", "")
    result = far.ctl("status", host=host)
    checks.expect(result.status == 3 and "Host key verification failed" in result.err and f"does \"ssh {host} systemd-stdio-bridge\" work?" in result.err,
                  "a host that ssh does not trust is not asked", result)
    server.end()
