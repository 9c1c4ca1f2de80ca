# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory is taken back: memhpctl offline, online, rezone, jobs and cancel, as people and programs use them."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from .rig import NOBODY, PATIENCE

POLICY = 'version = 1; rules = ( { name = "dimms"; match = { }; action = "online_movable"; } );'
# Boot memory with a page that stays in each block, and two DIMMs, the second of which is hardly used.
SETUP = "; ".join(["boot 0-3 0", "dimm PNP0C80:00 32-35 1", "dimm PNP0C80:01 40-41 1"] + [f"pages {n} 0 0 1" for n in range(4)] +
                  [f"pages {n} 1000 0 0" for n in range(32, 36)] + ["pages 40 0 0 0", "pages 41 100 0 0"])


def start(rig, setup=SETUP, policy=POLICY):
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=policy, setup=setup)
    rig.wait_for_name("org.memhp1")
    memhpd.until("zone 41", "Movable")
    return memhpd


def ctl(rig, *arguments, uid=0):
    return rig.run(rig.program("memhpctl"), *arguments, uid=uid)


def lines(result):
    """One JSON object a line."""
    return [json.loads(line) for line in result.out.splitlines()]


def fates(job):
    return {item["block"]: item["fate"] for item in job["items"]}


def zones(memhpd, *blocks):
    return [memhpd.do(f"zone {block}") for block in blocks]


# -- an amount

def case_offline_size(checks, rig):
    memhpd = start(rig)
    dry = ctl(rig, "--json", "offline", "--size", "256M", "--dry-run").json
    checks.equal("a dry run ranks what could go",
                 [(c["block"], c["choice"]) for c in dry["candidates"]],
                 [(41, "device"), (40, "device")] + [(n, "spare") for n in (35, 34, 33, 32)] + [(n, "fixed") for n in (3, 2, 1, 0)])
    first = dry["candidates"][0]
    checks.equal("and tells what it saw", (first["free"], first["movable"], first["unmovable"], first["zone"], first["device"]),
                 ((32768 - 100) * 4096, 100 * 4096, 0, "Movable", "PNP0C80:01"))
    checks.has("and why", first["why"], "99% free", "all of its device goes")
    checks.equal("and changes nothing", memhpd.do("writes"), "6")
    table = ctl(rig, "offline", "--size", "256M", "--dry-run", "-o", "BLOCK,CHOICE", "--no-legend")
    checks.equal("the same as a table", table.out.split()[:4], ["41", "device", "40", "device"])

    done = ctl(rig, "offline", "--size", "256M")
    checks.equal("then it does it", (done.status, done.out.splitlines()[-1], zones(memhpd, 40, 41, 35)),
                 (0, "2 blocks (256M) offline", ["", "", "Movable"]))
    more = ctl(rig, "--json", "offline", "--size", "100M", "--device", "PNP0C80:00")
    checks.equal("of one device", (more.status, fates(lines(more)[-1])[35]), (0, "done"))
    checks.equal("the others are spares", set(fates(lines(more)[-1]).values()), {"done", "skipped"})
    none = ctl(rig, "offline", "--size", "1G", "--node", "0")
    checks.equal("nothing of node 0 can go", none.status, 1)
    checks.has("and why", none.err, "none of the 4 online blocks can be expected to go offline")
    few = ctl(rig, "--json", "offline", "--size", "1G", "--source", "dimm")
    checks.equal("less than was asked for", (few.status, lines(few)[-1]["state"], lines(few)[-1]["bytes"]), (64, "partial", 3 << 27))


def case_offline_usage(checks, rig):
    memhpd = start(rig)
    for words, part in ((["offline"], "which memory"), (["offline", "--size", "0"], "not a size"), (["offline", "--size", "4X"], "not a size"),
                        (["offline", "--size", "1G", "--node", "x"], "not the number of a node"),
                        (["offline", "--size", "1G", "--node", "1024"], "not the number of a node"),
                        (["offline", "--size", "1G", "--source", "dim"], "no such source"),
                        (["offline", "all", "--timeout", "0"], "not a time"), (["online", "all", "--zone", "high"], "no such zone"),
                        (["rezone", "all"], "to which zone"), (["online", "all", "--force"], "does not take it"),
                        (["offline", "all", "--all-or-nothing", "--partial"], "not both"),
                        (["offline", "all", "--eject"], "whole device"), (["offline", "device:x", "--eject", "--no-wait"], "whole device"),
                        (["cancel", "x"], "not the number of a job"), (["jobs", "0"], "not the number of a job")):
        result = ctl(rig, *words)
        checks.equal(" ".join(words), (result.status, part in result.err, result.out), (2, True, ""))
    checks.has("a job that is none", ctl(rig, "cancel", "7").err, "no such job")
    checks.has("no such blocks", ctl(rig, "offline", "device:dax0.0").err, "no memory block matches")
    checks.equal("nothing was written", memhpd.do("writes"), "6")


def case_offline_bus_arguments(checks, rig):
    """What no program of ours sends."""
    memhpd = start(rig)
    manager = ("org.memhp1", "/org/memhp1", "org.memhp1.Manager")
    for options, part in ((["1", "size", "t", "0"], "nothing at all"), (["1", "size", "s", "1G"], "wrong type"),
                          (["1", "node", "u", "1024"], "beyond any node"), (["1", "source", "s", "dim"], "no such source"),
                          (["1", "device", "s", ""], "not the name"), (["1", "device", "s", "x" * 48], "not the name"),
                          (["1", "force", "u", "1"], "wrong type"), (["1", "dry_run", "s", "yes"], "wrong type"),
                          (["1", "timeout_usec", "t", "0"], "no time at all"), (["1", "nonsense", "b", "true"], "no such option")):
        result = rig.call(*manager, "Offline", "sa{sv}", "all", *options)
        checks.equal(f"Offline {' '.join(options[1:])}"[:60], (result.status != 0, part in result.err), (True, True))
    result = rig.call(*manager, "Online", "ssa{sv}", "all", "", "1", "size", "t", "4096")
    checks.has("Online takes no size", result.err, "no such option")
    huge = rig.call(*manager, "Offline", "sa{sv}", "all", "2", "size", "t", str(2 ** 64 - 1), "dry_run", "b", "true")
    checks.equal("the largest size there is", huge.status, 0)
    checks.equal("nothing was written", memhpd.do("writes"), "6")
    denied = ctl(rig, "offline", "all", uid=NOBODY)
    checks.equal("nobody is refused", (denied.status, memhpd.do("writes")), (1, "6"))
    dry = ctl(rig, "offline", "all", "--dry-run", uid=NOBODY)
    checks.equal("also a dry run", dry.status, 1)


# -- how it went

def case_offline_partial(checks, rig):
    memhpd = start(rig)
    memhpd.do(f"fail 33 {errno.EBUSY} 1000")
    undone = ctl(rig, "offline", "device:PNP0C80:00")
    checks.equal("a device goes as a whole or not at all", (undone.status, zones(memhpd, 32, 33, 34, 35)), (1, ["Movable"] * 4))
    checks.has("each block's fate", undone.out, "32: not tried", "33: stays online: Device or resource busy", "34-35: as before again")
    checks.has("and the result", undone.err, "offline device:PNP0C80:00: failed")
    some = ctl(rig, "offline", "device:PNP0C80:00", "--partial")
    checks.equal("unless told otherwise", (some.status, zones(memhpd, 32, 33, 34, 35)), (64, ["", "Movable", "", ""]))
    checks.has("each block's fate", some.out, "partly done: 3 of 4 blocks (384M) offline", "  32: offline", "  33: stays online",
               "  34-35: offline")
    memhpd.do("no-faults")
    whole = ctl(rig, "offline", "device:PNP0C80:00")
    checks.equal("then all of it", whole.status, 0)
    checks.has("it can be unplugged", whole.out, "4 blocks (512M) offline", "PNP0C80:00 is offline as a whole", "can be unplugged")
    memhpd.do("overflow")
    online = ctl(rig, "online", "32-33", "--zone", "kernel")
    checks.equal("and come back", (online.status, zones(memhpd, 32, 34)), (0, ["Normal", ""]))
    moved = ctl(rig, "rezone", "32", "--zone", "movable")
    checks.equal("and move", (moved.status, moved.out.splitlines()[-1], zones(memhpd, 32)), (0, "1 block (128M) moved", ["Movable"]))
    memhpd.do(f"fail 40 {errno.EBUSY} 1000")
    both = ctl(rig, "offline", "40-41", "--all-or-nothing")
    checks.equal("all or nothing of any blocks", (both.status, zones(memhpd, 40, 41)), (1, ["Movable"] * 2))


def case_offline_kernels_reason(checks, rig):
    memhpd = start(rig)
    pfn = 33 * 32768 + 5
    usec = int(time.monotonic() * 1e6) + 10 ** 9
    log = (f"4,1,{usec},-;page:0 refcount:1 mapcount:0 mapping:0 index:0x0 pfn:{pfn:#x}\n"
           f"4,2,{usec},-;flags: 0x200(slab|node=1|zone=2)\n4,3,{usec},-;page dumped because: unmovable page\n")
    memhpd.do("file dev/kmsg " + log)
    memhpd.do(f"fail 33 {errno.EBUSY} 1000")
    reason = f"page {pfn:#x} cannot be moved (the kernel: unmovable page; flags slab)"
    result = ctl(rig, "offline", "33")
    checks.has("the command line has it", result.out, f"33: stays online: Device or resource busy: {reason}")
    checks.equal("JSON has it", lines(ctl(rig, "--json", "offline", "33"))[-1]["items"],
                 [{"block": 33, "fate": "failed", "errno": errno.EBUSY, "why": reason}])
    memhpd.process.wait_for(re.escape(f"stays online in Movable: somebody asked to take it offline: Device or resource busy: {reason}"))
    history = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetHistory", "st", "33", "0").json["data"][0]
    checks.equal("the history has it", history[-1]["why"]["data"], reason)


def zone(node, name, size, free):
    """Of /proc/zoneinfo."""
    text = (f"Node {node}, zone {name:>8}\n  pages free     {free}\n        min      0\n        low      0\n        high     0\n"
            f"        spanned  {size}\n        present  {size}\n        managed  {size}\n        cma      0\n"
            "        protection: (0, 0)\n")
    return text + (f"      nr_free_pages {free}\n  pagesets\n  start_pfn:           0\n" if size else "")


def case_offline_without_room(checks, rig):
    memhpd = start(rig)
    memhpd.do("file proc/zoneinfo " + zone(0, "Normal", 131072, 3999) + zone(0, "Movable", 0, 0) + zone(1, "Normal", 0, 0) +
              zone(1, "Movable", 262144, 190000))
    refused = ctl(rig, "offline", "device:PNP0C80:00")
    checks.equal("refused", (refused.status, memhpd.do("writes")), (1, "6"))
    checks.has("with the numbers", refused.err, "there is no room: 15.6 MiB would have to move, and the zones of the nodes other than 1 "
               "have room for 15.6 MiB")
    dry = ctl(rig, "offline", "device:PNP0C80:00", "--dry-run")
    checks.has("a dry run says so", dry.out, "This would be refused: there is no room")
    forced = ctl(rig, "offline", "device:PNP0C80:00", "--force")
    checks.equal("and done all the same, if forced", (forced.status, zones(memhpd, 32)), (0, [""]))


# -- meanwhile

def case_offline_lines(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 34")
    people = rig.start([rig.program("memhpctl"), "offline", "32-35"])
    people.wait_for(r"^offline  1/4 blocks  128M/512M .*block 34$")
    watching = rig.start([rig.program("memhpctl"), "--json", "jobs", "1"])
    seen = json.loads(watching.wait_for(r"^(.*)$").group(1))
    checks.equal("somebody else looks", [seen[key] for key in ("job", "kind", "state", "done", "wanted", "current")],
                 [1, "offline", "running", 1, 4, 34])
    listed = ctl(rig, "--json", "jobs").json
    checks.equal("and lists", [(j["job"], j["selector"], j["current"]) for j in listed], [(1, "32-35", 34)])
    memhpd.do("release")
    people.wait_for(r"^4 blocks \(512M\) offline$")
    rest = watching.rest()
    checks.equal("the last line is the result", (json.loads(rest[-1])["state"], len(json.loads(rest[-1])["items"])), ("done", 4))
    people.rest()
    checks.equal("both end well", (people.process.returncode, watching.process.returncode), (0, 0))


def case_offline_no_wait_and_cancel(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 34")
    checks.equal("it does not wait", ctl(rig, "offline", "32-35", "--no-wait").out, "job 1\n")
    memhpd.until("held", "yes")
    checks.equal("cancelled", ctl(rig, "cancel", "1").status, 0)
    memhpd.process.wait_for(r"job 1: offline 32-35: cancelled: of 4 blocks 1 are as asked for, 1 failed")
    followed = ctl(rig, "jobs", "1")
    checks.equal("partly done", (followed.status, zones(memhpd, 32, 33, 34, 35)), (64, ["Movable", "Movable", "Movable", ""]))
    checks.has("each block's fate", followed.out, "cancelled: 1 of 4 blocks (128M) offline", "32-33: not tried",
               "34: stays online: cancelled", "35: offline")


def case_offline_timeout(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 35")
    result = ctl(rig, "offline", "34-35", "--timeout", "100ms")
    checks.equal("it gives up", (result.status, zones(memhpd, 34, 35)), (1, ["Movable", "Movable"]))
    checks.has("and says so", result.out + result.err, "timed-out", "35: stays online: timed out", "34: not tried")


def own_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """memhpctl on a terminal."""

    def __init__(self, rig, *arguments, columns=80, through=()):
        """through: a command that becomes memhpctl."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = dict(rig.environment, TERM="xterm")
        environment.pop("COLUMNS", None)
        # A session of its own, so that ^C is a signal for it; one that it may not have ignored, as what runs behind a shell does.
        self.process = subprocess.Popen([*through, rig.program("memhpctl"), *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True, preexec_fn=own_terminal)
        os.close(slave)
        self.said = ""

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.said):
            assert time.monotonic() < end, f"never {pattern!r}, but {self.said!r}"
            if select.select([self.master], [], [], 1)[0]:
                try:
                    self.said += os.read(self.master, 65536).decode()
                except OSError as error:
                    raise AssertionError(f"ended without {pattern!r}, but with {self.said!r}") from error

    def press(self, keys):
        os.write(self.master, keys)

    def wait_no_echo(self):
        """Whoever asks for a password throws away what was typed before."""
        end = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.master)[3] & termios.ECHO:
            assert time.monotonic() < end, f"what is typed is seen; {self.said!r}"
            time.sleep(0.01)

    def end(self):
        """Its exit status; said is all that it said."""
        while True:
            assert select.select([self.master], [], [], PATIENCE)[0], f"never ends, but says {self.said!r}"
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.said += data.decode()
        status = self.process.wait(PATIENCE)
        os.close(self.master)
        return status


def case_offline_bar(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 34")
    terminal = Terminal(rig, "offline", "32-35")
    terminal.wait_for(r"offline ▕█+.* *▏ 1/4 blocks  128M/512M.*block 34")
    widths = [len(re.sub(r"\033\[[0-9;]*[A-Za-z]", "", line)) for line in re.split(r"[\r\n]+", terminal.said)]
    checks.expect(max(widths) < 80, "it fits", terminal.said)
    memhpd.do("release")
    checks.equal("ends well", terminal.end(), 0)
    checks.expect(terminal.said.endswith("\r\033[K4 blocks (512M) offline\r\n"), "the bar gives way to the result", terminal.said)
    narrow = Terminal(rig, "online", "32-35", columns=30)
    checks.equal("on a narrow one", narrow.end(), 0)


def case_offline_interrupt(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 34")
    terminal = Terminal(rig, "offline", "32-35")
    terminal.wait_for("block 34")
    terminal.press(b"\x03")
    checks.equal("^C cancels it, and says what was done", terminal.end(), 64)
    checks.has("each block's fate", terminal.said, "cancelled: 1 of 4 blocks", "34: stays online: cancelled", "35: offline")
    checks.equal("in a state that holds", zones(memhpd, 32, 33, 34, 35), ["Movable", "Movable", "Movable", ""])


def case_offline_interrupt_twice(checks, rig):
    """The kernel does not let go of a block that comes online, whatever the signal."""
    memhpd = start(rig)
    checks.equal("first", ctl(rig, "offline", "32-33").status, 0)
    memhpd.do("hold 32")
    terminal = Terminal(rig, "online", "32-33")
    terminal.wait_for("block 32")
    terminal.press(b"\x03")
    terminal.wait_for("cancelling")
    terminal.press(b"\x03")
    checks.equal("the second ^C leaves", terminal.end(), 1)
    checks.has("and says that it goes on", terminal.said, "job 2 goes on")
    memhpd.do("release")
    memhpd.process.wait_for(r"job 2: online 32-33: cancelled: of 2 blocks 1 are as asked for")
    checks.equal("as it does", zones(memhpd, 32, 33), ["Normal", ""])


def case_offline_daemon_goes(checks, rig):
    memhpd = start(rig)
    memhpd.do("hold 34")
    people = rig.start([rig.program("memhpctl"), "offline", "32-35"])
    people.wait_for("block 34")
    memhpd.end()
    checks.equal("the daemon is gone", people.process.wait(PATIENCE), 3)


# -- once an add is over

def case_on_add_completed(checks, rig):
    rig.start_bus()
    stub = rig.start([rig.program("tests/systemd-stub")])
    stub.wait_for("^ready$")
    policy = 'version = 1; on_add_completed = "UNIT"; rules = ( { name = "m"; match = { source = "dimm"; node = "1"; }; ' \
             'action = "online_movable"; }, { name = "no"; match = { }; action = "leave_offline"; } );'
    memhpd = rig.start_memhpd(policy=policy.replace("UNIT", "resize-tmpfs@x.service"))
    memhpd.do("dimm PNP0C80:00 40-47 1")
    stub.wait_for("^start resize-tmpfs@x.service replace$")
    memhpd.do("dimm PNP0C80:01 48-49 2")
    memhpd.process.wait_for("left offline")
    memhpd.do("dimm PNP0C80:02 50-51 1")
    stub.wait_for("^start ")
    checks.equal("once for each add, and not for what is left offline",
                 [line for line in stub.said if line.startswith("start")], ["start resize-tmpfs@x.service replace"] * 2)
    memhpd.end()

    memhpd = rig.start_memhpd(policy=policy.replace("UNIT", "missing.service"))
    memhpd.do("dimm PNP0C80:00 40-47 1")
    memhpd.process.wait_for(r"missing.service: could not be started after add 1: Unit missing.service not found.")
    memhpd.end()

    memhpd = rig.start_memhpd(policy=policy.replace("UNIT", "hangs.service"))
    memhpd.do("dimm PNP0C80:00 40-47 1")
    stub.wait_for("^start hangs.service replace$")
    memhpd.do("dimm PNP0C80:01 52-53 1")
    memhpd.until("zone 53", "Movable")
    checks.expect(True, "a systemd that hangs keeps nothing from going online")


def case_on_add_completed_without_bus(checks, rig):
    """The name of the file that is the bus is there, and nobody behind it."""
    policy = 'version = 1; on_add_completed = "x.target"; rules = ( { name = "m"; match = { }; action = "online_movable"; } );'
    rig.start_bus()
    memhpd = rig.start_memhpd(policy=policy)
    memhpd.do("dimm PNP0C80:00 40-41 1")
    memhpd.process.wait_for(r"x.target: could not be started after add 1: ")
    checks.equal("the memory is online", memhpd.do("zone 41"), "Movable")
