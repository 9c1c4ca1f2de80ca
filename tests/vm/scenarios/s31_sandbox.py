# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service's sandbox allows and what it forbids, tried from inside; and it says why where it could do nothing.

A shell is run by a unit that has every line of memhpd's but those that start memhpd.
"""

import re
import shlex

from vmlib import claims, contract, system
from vmlib.machine import MIB
from vmlib.report import Failed

NAME = "sandbox"
WHOLE_SYSTEM = True

# Of the shipped unit, what is about the program and not about the sandbox.
PROGRAM = r"^(Type|Exec\w+|Restart\w*|WatchdogSec|WantedBy|TasksMax|ConditionPathExists|StartLimitIntervalSec)="
PROBE = "Type=oneshot\nExecStart=/usr/bin/busybox sh /etc/probe\nStandardOutput=file:/tmp/probe.out\n"

ALLOWED = (
    ("take memory offline and online", "cd $M && echo offline >memory$B/state && echo online >memory$B/state"),
    ("set the kernel's auto-online", "echo offline >$M/auto_online_blocks"),
    ("have the kernel send an event", "echo change >$M/memory$B/uevent"),
    ("keep something in /run/memhpd", "echo x >/run/memhpd/probe && rm /run/memhpd/probe"),
    ("read the configuration and the statistics", "cat /usr/lib/memhp/memhpd.conf /proc/zoneinfo /proc/buddyinfo"),
)
FORBIDDEN = (
    ("write to /etc", ": >/etc/x"),
    ("write to /usr", ": >/usr/x"),
    ("write to /run", ": >/run/x"),
    ("write to the rest of /sys", "echo 301 >/sys/module/memory_hotplug/parameters/auto_movable_ratio"),
    ("write to /proc/sys", "echo 60 >/proc/sys/vm/swappiness"),
    ("see the addresses in /proc/iomem", "grep -q '^ *0*[1-9a-f]' /proc/iomem"),
    ("open the kernel log", "head -c 1 /dev/kmsg"),
    ("ask for the kernel log", "dmesg"),
    ("read what only its owner may", "cat /srv/secret"),
    ("see processes with more power", "test -e /proc/1/status"),
    ("see devices", "test -e /dev/ttyS0 -o -e /dev/mem"),
    ("make a device", "mknod /tmp/device c 1 1"),
    ("make a file that gives root's rights", "cp /usr/bin/busybox /tmp/b && chmod u+s /tmp/b"),
    ("become somebody else", "/usr/bin/setpriv --reuid=1000 true"),
    ("mount", "mount -t tmpfs none /mnt"),
    ("change its root", "chroot / true"),
    ("make a user namespace", "unshare -U true"),
    ("make a network namespace", "unshare -n true"),
    ("speak over the network", "nc 127.0.0.1 1 2>&1 | grep -q refused"),
    ("unload a module", "rmmod kmem"),
    ("set the clock", "date -s 2000-01-01; test $(date +%Y) = 2000"),
    ("run at real-time priority", "/usr/bin/chrt -f 1 true"),
    ("raise a limit", "ulimit -H -n 900000"),
)


def play(guest, report):
    before = guest.look()
    expect_status(guest, report)

    report.did("plug a DIMM of 256 MiB into node 1; stop memhpd; try from inside")
    guest.plug_dimm("d1", 256 * MIB, node=1)
    view = guest.wait_until("2 blocks online on node 1", lambda view: sum(
        b.state == "online" for b in view.of_node(1).values()) == 2)
    guest.stop_daemon()
    try_from_inside(guest, report, max(view.of_node(1)))
    claims.expect_same_boot_memory(report, before, guest.look())

    refuses(guest, report, "/sys is read-only for it", "ReadWritePaths=\nReadOnlyPaths=/sys", contract.NOT_WRITABLE)
    refuses(guest, report, "it can have no socket for uevents", "RestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX", contract.NO_UEVENTS)
    report.did("without that, start it again")
    guest.start_daemon()
    report.expect(guest.daemon_alive(), "memhpd is alive")


def expect_status(guest, report):
    """Process and namespaces, as the kernel shows them."""
    pid = guest.daemon_pid
    status = dict(re.findall(r"^(\w+):\s*(.*)$", guest.check(f"cat /proc/{pid}/status"), re.MULTILINE))
    report.expect_equal("its user", status["Uid"].split(), ["0"] * 4)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        report.expect_equal(name, int(status[name], 16), 0)
    report.expect_equal("NoNewPrivs", status["NoNewPrivs"], "1")
    report.expect_equal("Seccomp (2 is a filter)", status["Seccomp"], "2")
    for kind in ("net", "mnt"):
        links = [guest.check(f"readlink /proc/{p}/ns/{kind}").strip() for p in (1, pid)]
        report.expect(links[0] != links[1], f"it has a {kind} namespace of its own")
    mounts = guest.check(f"cat /proc/{pid}/mounts").splitlines()
    options = {line.split()[1]: line.split()[3].split(",") for line in mounts}
    for path, wanted in (("/", "ro"), ("/run", "ro"), ("/sys", "ro"), ("/sys/devices/system/memory", "rw"), ("/run/memhpd", "rw")):
        report.expect_equal(f"{path} is", options[path][0], wanted)
    values = guest.check(f"cd /sys/fs/cgroup/memhpd.service && cat cpu.weight memory.min memory.max memory.peak; "
                         f"cat /proc/{pid}/oom_score_adj; cut -d' ' -f19 /proc/{pid}/stat").split()
    report.expect_equal("weight, protected and most memory, OOM score, niceness",
                        [values[i] for i in (0, 1, 2, 4, 5)], ["10000", str(16 * MIB), str(256 * MIB), "-1000", "-20"])
    report.saw(f"the most memory it had is {int(values[3]) / MIB:.1f} MiB")


def try_from_inside(guest, report, block):
    lines = guest.check(f"cat $(systemctl show -P FragmentPath {system.UNIT})").splitlines()
    unit = "\n".join(line for line in lines if not re.match(PROGRAM, line))
    guest.write_file("/run/systemd/system/probe.service", unit.replace("[Service]", "[Service]\n" + PROBE))
    tries = "".join(f"try {shlex.quote(name)} {shlex.quote(script)}\n" for name, script in ALLOWED + FORBIDDEN)
    guest.write_file("/etc/probe", f"export M=/sys/devices/system/memory B={block}\n"
                     'try() { out=$(timeout -s KILL 10 sh -c "$2" 2>&1) && echo "yes|$1|" || echo "no|$1|$(echo "$out" | tail -n 1)"; }\n' + tries)
    guest.check("echo x >/srv/secret && chown 1000 /srv/secret && chmod 600 /srv/secret")
    guest.check("systemctl daemon-reload && systemctl start probe.service", 120)
    answers = {}
    for answer, name, why in re.findall(r"^(yes|no)\|(.*?)\|(.*)$", guest.check("cat /tmp/probe.out"), re.MULTILINE):
        answers[name] = (answer, why)
    for wanted, tries in (("yes", ALLOWED), ("no", FORBIDDEN)):
        for name, script in tries:
            answer, why = answers.get(name, ("no answer", guest.check("cat /tmp/probe.out")))
            if answer != wanted:
                raise Failed(f"from inside one could {'not ' if answer == 'no' else ''}{name}: {script}: {why}")
            report.saw(f"{'may' if answer == 'yes' else 'may not'} {name}{': ' + why if why else ''}")
    # Outside, all of that works: it is the sandbox that forbids it.
    outside = [name for name, script in FORBIDDEN if name not in ("write to /etc", "set the clock", "speak over the network") and
               guest.run(script)[0] != 0]
    report.expect_equal("forbidden outside, too", outside, [])


def refuses(guest, report, what, lines, message):
    report.did(f"{what}; start it")
    guest.drop_in("less", f"[Service]\n{lines}\n")
    guest.begin_log()
    status, _ = guest.run(f"systemctl start {system.UNIT}", 60)
    report.expect(status != 0, "systemctl start fails")
    report.quote(guest.wait_log("why", message.search).group(0))
    state = guest.wait_unit("it has failed", lambda s: s["ActiveState"] == "failed")
    report.expect_equal("its exit status", guest.unit("ExecMainStatus"), "77")
    report.expect_equal("how often it was started again", state["NRestarts"], "0")
    guest.drop_in("less", "")
    guest.check(f"systemctl reset-failed {system.UNIT}")
