# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody without the right, at a terminal: pkttyagent asks for the password, and the real polkitd and PAM judge it."""

import os
import shutil
import time

from .cases_offline import Terminal
from .rig import Missing

PASSWORD = "correct horse"
# Of the password above, by crypt(3).
HASH = "$6$memhpd$JI4CMyaRwC.P4Y8kgxvnj5gw7ySMuM.cQvXtapNlekKBFmZpDrKaKqBAqxWXe8TCj0FYd07qDiJ9yU24O/SRV0"
HELPERS = ("/usr/lib/polkit-1/polkit-agent-helper-1", "/usr/libexec/polkit-agent-helper-1")
# The agent's helper asks the bus of the machine, whatever the environment says, and PAM the machine's passwords: both are
# ours in here.
INSIDE = ('mount -t tmpfs -o mode=755 none /run && mkdir /run/dbus && touch /run/dbus/system_bus_socket && '
          'mount --bind "$1/socket" /run/dbus/system_bus_socket && mount --bind "$1/shadow" /etc/shadow && shift && '
          'exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"')


def start(rig):
    for program in ("pkttyagent", "unshare"):
        if not shutil.which(program):
            raise Missing(f"{program} is not there (packages polkitd, util-linux)")
    if not any(os.path.exists(helper) and os.stat(helper).st_mode & 0o4000 for helper in HELPERS):
        raise Missing("polkit's helper is not there, or not allowed to become root")
    rig.start_bus()
    rig.start_polkitd()
    memhpd = rig.start_memhpd(setup="boot 0-31 0; dimm PNP0C80:01 32-33 1")
    memhpd.until("zone 33", "Movable")
    rig.wait_for_name("org.memhp1")
    os.chmod(rig.file("shadow", f"root:{HASH}:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"), 0o640)
    return memhpd


def at_terminal(rig, *arguments):
    return Terminal(rig, *arguments, through=["unshare", "-m", "sh", "-c", INSIDE, "sh", rig.folder])


def case_password_right(checks, rig):
    memhpd = start(rig)
    terminal = at_terminal(rig, "offline", "33")
    terminal.wait_for(r"Password: ?$")
    terminal.wait_no_echo()
    checks.has("what for, and whose", terminal.said, "org.memhp1.set-state", "Authentication is required to bring memory online or to take it offline.",
               "Authenticating as: root")
    checks.equal("nothing is done meanwhile", memhpd.do("zone 33"), "Movable")
    terminal.press(PASSWORD.encode() + b"\n")
    checks.equal("then it is", (terminal.end(), memhpd.do("zone 33")), (0, ""))
    checks.has("and that is said", terminal.said, "AUTHENTICATION COMPLETE", "1 block (128M) offline")
    checks.expect(PASSWORD not in terminal.said, "the password is not seen", terminal.said)
    expect_no_agent(checks, rig)


def case_password_wrong(checks, rig):
    memhpd = start(rig)
    terminal = at_terminal(rig, "offline", "33")
    terminal.wait_for(r"Password: ?$")
    terminal.wait_no_echo()
    terminal.press(b"wrong\n")
    checks.equal("refused", (terminal.end(), memhpd.do("zone 33")), (1, "Movable"))
    checks.has("and why", terminal.said, "AUTHENTICATION FAILED", "memhpctl: offline: org.memhp1.set-state: not allowed; try as root")
    expect_no_agent(checks, rig)


def case_password_not_typed(checks, rig):
    """^C at the prompt."""
    start(rig)
    terminal = at_terminal(rig, "hold", "all")
    terminal.wait_for(r"Password: ?$")
    terminal.wait_no_echo()
    terminal.press(b"")
    checks.expect(terminal.end() != 0, "it ends", terminal.said)
    checks.equal("nothing is held", rig.ctl("hold", "--json").json, [])
    expect_no_agent(checks, rig)


def case_password_not_asked_for(checks, rig):
    memhpd = start(rig)
    for verb in (("offline", "33"), ("hold", "all"), ("reload",)):
        begun = time.monotonic()
        terminal = at_terminal(rig, *verb, "--no-ask-password")
        checks.equal(f"{verb[0]} --no-ask-password: refused at once", terminal.end(), 1)
        checks.expect("Password" not in terminal.said and "you must prove who you are" in terminal.said and "try as root" in terminal.said,
                      "nobody is asked", terminal.said)
        checks.expect(time.monotonic() - begun < 60, "it does not wait for anybody")
    terminal = at_terminal(rig, "list")
    checks.expect(terminal.end() == 0 and "Password" not in terminal.said, "who only looks is not asked", terminal.said)
    checks.equal("nothing has changed", memhpd.do("zone 33"), "Movable")


def expect_no_agent(checks, rig):
    """Ours are those that know of our bus."""
    agents = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f, open(f"/proc/{pid}/environ", "rb") as g:
                if f.read().strip() == "pkttyagent" and rig.folder.encode() in g.read():
                    agents.append(pid)
        except OSError:
            continue        # it has ended meanwhile
    checks.equal("no agent is left", agents, [])
