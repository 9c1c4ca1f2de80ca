# SPDX-License-Identifier: LGPL-2.1-or-later
"""GetTrace and ListTraces of org.memhp1.Manager, and "memhpctl trace". What must come of a hot-add is fakestatistics.h's."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

from .rig import NOBODY, PATIENCE

MIB, GIB = 1 << 20, 1 << 30
BLOCK = 128 * MIB
LEAVE = 'version = 1; rules = ( { name = "all"; match = { }; action = "leave_offline"; } );'


def _start(rig, setup="boot 0-31 0; statistics", **options):
    rig.start_bus()
    memhpd = rig.start_memhpd(setup=setup, **options)
    rig.wait_for_name("org.memhp1")
    return memhpd


def _plain(value):
    """Variants of busctl's JSON are objects with "type" and "data"."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"type", "data"}:
            return _plain(value["data"])
        return {key: _plain(item) for key, item in value.items()}
    return value


def _get(rig, add=0, **options):
    return rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetTrace", "u", str(add), **options)


def _wait(rig, add, state="over"):
    """The trace of the add, once it is in that state."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = _get(rig, add)
        trace = _plain(answer.json["data"][0]) if answer.status == 0 else {}
        if trace.get("state") == state:
            return trace
        assert time.monotonic() < end, f"add {add} is never {state}: {answer}"
        time.sleep(0.02)


def _ctl(rig, *arguments, uid=0):
    return rig.run(rig.program("memhpctl"), *arguments, uid=uid)


def case_trace(checks, rig):
    memhpd = _start(rig)
    answer = _get(rig)
    checks.expect(answer.status != 0 and "nothing was hot-added" in answer.err, "before the first one it says so", answer)
    memhpd.do("write-time 3000")
    memhpd.do("dimm PNP0C80:01 40-47 1")
    trace = _wait(rig, 1)
    checks.equal("who it is", [trace[k] for k in ("add", "source", "device", "node", "first", "last", "n_blocks", "size")],
                 [1, "dimm", "PNP0C80:01", 1, 40, 47, 8, GIB])
    checks.equal("what became of it", [trace[k] for k in ("online", "offline", "failed", "pending")], [8, 0, 0, 0])
    checks.equal("nobody else was there", [trace["overlaps"], trace["disturbed"]], [False, False])
    checks.expect(abs(trace["time_usec"] / 1e6 - time.time()) < PATIENCE, "when", trace["time_usec"])
    checks.expect(0 < trace["before_usec"] < trace["begin_usec"], "compared with before", trace)
    checks.equal("1", trace["range"], {"start": 40 * BLOCK, "end": 48 * BLOCK - 1, "block_size": BLOCK, "aligned": True})
    checks.equal("2", trace["resource"], {"start": 40 * BLOCK, "end": 48 * BLOCK - 1, "text": "System RAM", "whole": True})
    checks.equal("3", trace["direct_map"], {"growth": {"4k": 0, "2M": 0, "1G": GIB}, "total": GIB})
    checks.equal("4", trace["memmap"],
                 {"pages": GIB // 4096, "computed": 16 * MIB, "measured": 16 * MIB, "measured_by": "first-event",
                  "kernel_zones_first_event": 16 * MIB, "kernel_zones_end": 16 * MIB, "own": 0, "home": "kernel-zones"})
    checks.equal("5", [trace["created"]["came"], trace["created"]["events"]], [8, 8])
    written, queued = trace["written"], trace["queued"]
    checks.expect(3000 <= written["min_usec"] <= written["median_usec"] <= written["max_usec"], "6: in the kernel", written)
    checks.expect(written["begin_usec"] + 8 * 3000 <= written["end_usec"], "6: one after the other", written)
    checks.expect(queued["max_usec"] >= 7 * 3000 and queued["blocks"] == 8, "6: queued", queued)
    checks.equal("6: where", trace["chosen"], {"zones": {"Movable": 8}})
    checks.equal("6: growth", trace["growth"],
                 {"zones": [{"node": 1, "zone": "Movable", "spanned": GIB, "present": GIB, "managed": GIB, "free": GIB}],
                  "left_out": 0})
    checks.equal("6: free blocks", trace["free_blocks"]["zones"][0]["orders"], [1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 255])
    checks.equal("6: watermarks", trace["watermarks"]["zones"],
                 [{"node": 1, "zone": "Movable", "min": [0, 262144 // 512 * 4096], "low": [0, 262144 // 400 * 4096],
                   "high": [0, 262144 // 300 * 4096]}])
    checks.has("6: no log, no zonelists", trace["zonelists"]["no_evidence"], "kernel log is not read")

    checks.equal("0 is the newest", _plain(_get(rig).json["data"][0])["add"], 1)
    checks.equal("everybody may look", _get(rig, 1, uid=NOBODY).status, 0)
    for add in (2, 4294967295):
        answer = _get(rig, add)
        checks.expect(answer.status != 0 and "there is no trace" in answer.err, f"no add {add}", answer)
    _ctl_agrees(checks, rig, trace)


def _ctl_agrees(checks, rig, trace):
    answer = _ctl(rig, "trace", "--json", uid=NOBODY)
    threads = answer.json.pop("threads") if answer.status == 0 else None
    checks.equal("memhpctl's JSON is the answer and the threads", {k: v for k, v in answer.json.items() if k != "threads"}, trace)
    checks.expect("no_evidence" in threads or {"kswapd", "kcompactd"} == set(threads), "threads or why not", threads)
    for arguments in (("trace",), ("trace", "1"), ("trace", "add:1"), ("trace", "--no-pager")):
        answer = _ctl(rig, *arguments)
        checks.equal(" ".join(arguments), answer.status, 0)
        checks.equal("no line is wider than 80", [line for line in answer.out.splitlines() if len(line) > 80], [])
        checks.expect("\033" not in answer.out, "no colour in a pipe", answer)
    for part in ("add 1: dimm PNP0C80:01, node 1, blocks 40-47 (1G)", "1 range     0x140000000-0x17fffffff, begins and ends",
                 "2 resource  0x140000000-0x17fffffff System RAM\n", "3 mapping   +1G mapped directly (4k 0, 2M 0, 1G +1G)",
                 "4 memmap    16M computed", "+16M measured", "5 blocks    8 created, 8 events within", "6 onlining  8 in Movable",
                 "1 Movable     +1G     +1G     +1G  +1G", "+255", "no evidence: the kernel log is not read"):
        checks.has("text", answer.out, part)


def case_trace_list(checks, rig):
    memhpd = _start(rig)
    checks.equal("none yet", _ctl(rig, "trace", "--list", "--json").json, {"traces": []})
    checks.equal("… in a table", _ctl(rig, "trace", "--list").out, "")
    memhpd.do("dimm PNP0C80:01 40-47 1")
    _wait(rig, 1)
    memhpd.do("hold 64")
    memhpd.do("virtio-mem virtio0 64-65 1")
    memhpd.until("held", "yes")
    traces = _ctl(rig, "trace", "--list", "--json").json["traces"]
    checks.equal("both", [(t["add"], t["state"], t["device"]) for t in traces],
                 [(1, "over", "PNP0C80:01"), (2, "open", "virtio0")])
    trace = _plain(_get(rig, 2).json["data"][0])
    checks.has("what is under way has no differences yet", trace["growth"]["no_evidence"], "not over yet")
    checks.equal("… but events", trace["created"]["events"], 2)
    answer = _ctl(rig, "trace")
    checks.expect(answer.status == 0 and "not over yet" in answer.out, "… and its text says so", answer)
    memhpd.do("release")
    trace = _wait(rig, 2)
    checks.equal("of what comes in parts, the end tells", trace["memmap"]["measured_by"], "end")
    checks.equal("within its device", trace["resource"]["text"], "System RAM (virtio_mem) in virtio0")
    rows = [line.split() for line in _ctl(rig, "trace", "--list", "--no-legend").out.splitlines()]
    checks.equal("rows", [[r[0], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[11]] for r in rows],
                 [["1", "dimm", "PNP0C80:01", "1", "40-47", "1G", "8/8", "Movable", "over"],
                  ["2", "virtio-mem", "virtio0", "1", "64-65", "256M", "2/2", "Movable", "over"]])
    answer = _ctl(rig, "trace", "--list", "-o", "ADD,STATE")
    checks.equal("columns", answer.out, "ADD STATE\n  1 over\n  2 over\n")


def case_trace_on_memory(checks, rig):
    memhpd = _start(rig, setup="boot 0-31 0; statistics on-memory")
    memhpd.do("dimm PNP0C80:01 40-47 1")
    memmap = _wait(rig, 1)["memmap"]
    checks.equal("in itself", [memmap[k] for k in ("home", "own", "measured", "kernel_zones_end")], ["itself", 16 * MIB, 0, 0])
    checks.has("text", _ctl(rig, "trace").out, "in the new memory itself (memmap_on_memory)")


def case_trace_counted(checks, rig):
    memhpd = _start(rig, setup="boot 0-31 0; statistics counted", policy=LEAVE)
    memhpd.do("dimm PNP0C80:01 40-47 1")
    trace = _wait(rig, 1)
    checks.equal("by the kernel", [trace["memmap"][k] for k in ("measured", "measured_by", "home")],
                 [16 * MIB, "kernel-count", "kernel-zones"])
    for part in ("queued", "written", "chosen"):
        checks.equal(part, trace[part], {"no_evidence": "it was left offline"})
    checks.equal("nothing grew", trace["growth"], {"zones": [], "left_out": 0})
    answer = _ctl(rig, "trace")
    checks.expect(answer.status == 0 and "6 onlining  no evidence: it was left offline" in answer.out, "text", answer)


def _on_terminal(rig, columns, **environment):
    """What "memhpctl trace" shows on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 200, columns, 0, 0))
    process = subprocess.Popen([rig.program("memhpctl"), "--no-pager", "trace"], stdin=slave, stdout=slave, stderr=slave,
                               env=dict(rig.environment, TERM="xterm", **environment))
    os.close(slave)
    out = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:         # it has ended, and with it the terminal
            break
        if not data:
            break
        out += data
    os.close(master)
    assert process.wait(PATIENCE) == 0, out
    return out.decode().replace("\r\n", "\n")


def case_trace_terminal(checks, rig):
    memhpd = _start(rig)
    memhpd.do("dimm PNP0C80:01 40-47 1")
    _wait(rig, 1)
    colour = re.compile("\033\\[[0-9;]*m")
    for columns in (100, 80, 60):
        seen = _on_terminal(rig, columns)
        checks.expect(colour.search(seen), "colour", seen)
        wide = [line for line in colour.sub("", seen).splitlines() if len(line) > columns and not line.startswith("NODE ZONE")
                and not re.match(r" +1 Movable", line)]
        checks.equal(f"fits into {columns} columns", wide, [])
        checks.has("what has no evidence", colour.sub("", seen), "no evidence: the kernel log is not read")
    checks.expect("\033[2m" in seen, "… is faint", repr(seen))
    checks.expect("\u2588" in seen, "a bar", seen)
    plain = _on_terminal(rig, 80, NO_COLOR="1", LC_ALL="C")
    checks.expect("\033" not in plain and plain.isascii() and "##" in plain, "neither colour nor Unicode where there is none", plain)


def case_trace_usage(checks, rig):
    rig.start_bus()
    checks.equal("no daemon", _ctl(rig, "trace").status, 3)
    for arguments in (("trace", "x"), ("trace", "0"), ("trace", "add:"), ("trace", "1", "2"), ("trace", "1", "--list"),
                      ("trace", "-o", "ADD"), ("trace", "--list", "-o", "X"), ("trace", "--sysroot", "/tmp"),
                      ("trace", "--direct"), ("trace", "4294967296")):
        answer = _ctl(rig, *arguments)
        checks.expect(answer.status == 2 and answer.err.startswith("memhpctl: ") and not answer.out, " ".join(arguments), answer)
