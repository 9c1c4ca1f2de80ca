# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus in the guest, with the policy that memhpd ships, and memhpctl's jobs on it. There is no polkit: root may
everything, and everybody may look.
"""

import json
import os
import re

from .guest import GuestError
from .machine import GIB
from .report import Skipped

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "systemd", "org.memhp1.conf")
# As strict as a distribution's.
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/> <allow receive_type="method_return"/>
    <allow receive_type="error"/> <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <includedir>/etc/dbus-1/system.d</includedir>
</busconfig>
"""


def start(guest):
    """Before memhpd, which then has its name from the start."""
    if guest.run("command -v dbus-daemon")[0] != 0:
        raise Skipped("no dbus-daemon to put into the guest (Debian: dbus-daemon)")
    guest.write_file("/etc/bus.conf", CONFIG)
    with open(SHIPPED, encoding="utf-8") as f:
        guest.write_file("/etc/dbus-1/system.d/org.memhp1.conf", f.read())
    run(guest)


def run(guest):
    """The bus, when everything is in its place; also the one after one that was killed."""
    guest.check("mkdir -p /run/dbus && rm -f /run/dbus/*; dbus-daemon --config-file=/etc/bus.conf --nosyslog --nopidfile --fork")


def wait_name(guest):
    """memhpd asks for its name when it has met all blocks."""
    guest.check("n=0; until memhpctl jobs >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 100 ] || { memhpctl jobs; exit 1; }; usleep 100000; done")


class Result:
    """How `memhpctl --json VERB …` ended: its status, the job as it ended, and all lines."""

    def __init__(self, arguments, status, out):
        self.status = status
        self.out = out
        self.lines = []
        for line in out.splitlines():
            if line.startswith("{"):
                self.lines.append(json.loads(line))
        if status in (0, 1, 64) and not self.lines:
            raise GuestError(f"memhpctl {arguments}: no JSON: {out.strip()}")
        self.job = self.lines[-1] if self.lines else None

    def fates(self):
        """Block number -> what became of it."""
        return {item["block"]: item["fate"] for item in self.job["items"]}

    def whys(self):
        """Block number -> (errno, the kernel's reason) of what failed."""
        return {item["block"]: (item["errno"], item["why"]) for item in self.job["items"] if item["fate"] == "failed"}


def ask(guest, arguments, timeout=60):
    """A job, followed to its end."""
    status, out = guest.run(f"memhpctl --json {arguments}", timeout)
    return Result(arguments, status, out)


def people(guest, arguments, timeout=60):
    """(exit status, what people see)."""
    return guest.run(f"memhpctl {arguments}", timeout)


# -- memory that is in use

class Holder:
    """A program in the guest that holds memory of a node."""

    def __init__(self, guest, name, command):
        self._guest = guest
        self.pid_file = f"/tmp/{name}.pid"
        guest.check(f"rm -f /tmp/{name}.out; {command} </dev/null >/tmp/{name}.out 2>&1 & echo $! >{self.pid_file}\n"
                    f"n=0; until grep -q '^ready$' /tmp/{name}.out; do n=$((n+1)); "
                    f"[ $n -lt 300 ] && kill -0 $(cat {self.pid_file}) || {{ cat /tmp/{name}.out; exit 1; }}; usleep 100000; done", 60)
        self.out = guest.check(f"cat /tmp/{name}.out")

    def pages(self):
        """Block number -> the page that is pinned there."""
        return {int(b): int(p, 16) for b, p in re.findall(r"^pinned (\d+) (0x[0-9a-f]+)$", self.out, re.MULTILINE)}

    def let_go(self):
        self._guest.check(f"kill $(cat {self.pid_file}); n=0; while kill -0 $(cat {self.pid_file}) 2>/dev/null; do usleep 50000; done")


def pin(guest, node, blocks, name="pin"):
    """A page in each of these blocks that the kernel can isolate, but never move."""
    return Holder(guest, name, f"pin {node} 128 {' '.join(str(b) for b in blocks)}")


def plug_pinned(guest, report, block):
    """A DIMM of 1 GiB in node 1, which the policy makes movable, and a page pinned in one of its blocks."""
    report.did(f"plug a DIMM of 1 GiB into node 1, online in Movable; a page in block {block} is pinned")
    guest.plug_dimm("d0", GIB, node=1)
    guest.wait_until("8 blocks online", lambda view: sum(b.zone == "Movable" for b in view.of_node(1).values()) == 8)
    return pin(guest, 1, [block])


def tables(guest, node, mib, name="tables"):
    """So much of page tables of a process on this node, which cannot be moved, and as much that can."""
    return Holder(guest, name, f"pin --tables {node} {mib}")


def fill(guest, node, mib, name="fill"):
    """So much of a process's memory on this node, which can be moved; the first to be killed for want of memory."""
    return Holder(guest, name, f"sh -c 'echo 1000 >/proc/self/oom_score_adj; exec pin --fill {node} {mib}'")
