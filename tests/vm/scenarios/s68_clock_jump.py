# SPDX-License-Identifier: LGPL-2.1-or-later
"""The date jumps by hours, to 1970 and past 2038, while memory comes: holds, retries, timeouts and reconciles keep their time.

Only what people are told has the date of then, and the order of what happened stays.
"""

import time

from vmlib import admin, bus, claims, contract
from vmlib.machine import GIB, MIB
from vmlib.report import Failed, Skipped

NAME = "clock-jump"
HOUR = 3600
RULE = '{ name = "all"; match = { }; action = "online_movable"; }'
POLICY = claims.policy(RULE, reconcile='"1s"')
NO_RECONCILE = claims.policy(RULE, reconcile='"off"', retry='{ first = "2s"; max = "2s"; attempts = 20; }')
LATER = 2.2         # longer than two reconciles
SHORT = 6
PATIENCE = 3
BLOCKS = 32
ENOMEM = -12
DURATIONS = ("duration_usec", "span_usec", "min_usec", "median_usec", "max_usec", "look_usec")
# The kernel takes no date before its own start. 2^31 is a second in January 2038.
THROWER = """
read -r up rest </proc/uptime
day=$((${up%%.*} + 3600))
cd /sys/devices/system/memory
n=0
while [ ! -e /tmp/thrown ]; do
        for date in $day $NOW $((NOW + 18000)) $((NOW - 25200)) 2147483647 4102444800; do
                date -s @$date >/dev/null || exit 1
                n=$((n+1))
                echo $n >/tmp/throws
                usleep 10000
        done
done
date -s @$NOW
rm /tmp/thrown
"""


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    bus.start(guest)
    guest.start_daemon(POLICY)
    bus.wait_name(guest)
    long_hold(guest, report)
    short_hold(guest, report)
    burst(guest, report)
    timeout(guest, report)
    retries(guest, report)
    remembered(guest, report)
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def jump(guest, report, hours):
    now = int(guest.check("date +%s"))
    guest.check(f"date -s @{now + hours * HOUR}")
    seen = int(guest.check("date +%s"))
    if not 0 <= seen - now - hours * HOUR < HOUR:
        raise Failed(f"the date did not jump by {hours} h: from {now} to {seen}")
    report.did(f"the date jumps by {hours:+} h: {guest.check('date').strip()}")


def long_hold(guest, report):
    report.did("memhpctl hold --for 1h node:2, and plug a DIMM of 256 MiB there")
    guest.ctl("hold --for 1h node:2")
    guest.plug_dimm("d1", 256 * MIB, node=2)
    new = guest.wait_until("2 blocks on node 2", lambda view: len(view.of_node(2)) == 2).of_node(2)
    claims.expect_told(guest, report, new, guest.device_of(new), contract.WAITS)
    for hours in (5, -9):
        jump(guest, report, hours)
        view = claims.expect_stays(guest, report, new, LATER, "the hour is not over")
        claims.expect_blocks(report, view.of_node(2), 2, "offline", where=" on node 2")
    left = guest.ctl("hold")[0]["left_usec"] / 10**6
    report.expect(HOUR - 300 < left <= HOUR, f"{left:.0f} s are left of it")
    guest.check(guest.ctl_command("release 1"))
    wait_online(guest, 2, 2)
    report.saw("released, it comes online")


def short_hold(guest, report):
    report.did(f"memhpctl hold --for {SHORT}s node:1, and plug a DIMM of 256 MiB there")
    begun = time.monotonic()
    guest.ctl(f"hold --for {SHORT}s node:1")
    jump(guest, report, -5)
    guest.plug_dimm("d2", 256 * MIB, node=1)
    wait_online(guest, 1, 2)
    seconds = time.monotonic() - begun
    report.expect(seconds >= SHORT - 1, f"online after {seconds:.1f} s, and not before")


def burst(guest, report):
    now = int(guest.check("date +%s"))
    guest.write_file("/tmp/thrower", f"NOW={now}\n{THROWER}")
    guest.check("rm -f /tmp/thrown /tmp/throws; sh /tmp/thrower </dev/null >/tmp/thrower.out 2>&1 &")
    guest.check("until [ -s /tmp/throws ]; do usleep 10000; done")
    report.did("the date jumps all the time, between 1970 and 2100; plug a DIMM of 4 GiB into node 1")
    old = guest.look()
    count = throws(guest)
    mark = len(guest.log())
    guest.plug_dimm("d3", 4 * GIB, node=1)
    wait_online(guest, 1, 2 + BLOCKS)
    new = guest.look().new_since(old)
    claims.expect_told(guest, report, new, guest.device_of(new), "online in Movable", mark)
    count = throws(guest) - count
    guest.check("touch /tmp/thrown; n=0; while [ -e /tmp/thrown ]; do n=$((n+1)); [ $n -lt 200 ] || exit 1; usleep 50000; done")
    report.expect(count > 5, f"the date jumped {count} times meanwhile")
    # What was measured is how long it took, not what a clock on the wall showed.
    times = [value for key, value in numbers_of(guest.ctl("trace")) if key in DURATIONS]
    report.expect(times and max(times) < 120 * 10**6, f"of {len(times)} durations in memhpctl trace none is longer than two minutes")


def throws(guest):
    return int(guest.check("cat /tmp/throws") or 0)


def numbers_of(value, key=""):
    if isinstance(value, dict):
        for name, item in value.items():
            yield from numbers_of(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_of(item, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value


def timeout(guest, report):
    block = max(guest.look().of_node(2))
    pin = bus.pin(guest, 2, [block])
    report.did(f"a page of block {block} is pinned; memhpctl offline {block} --timeout {PATIENCE}s, and the date jumps back")
    guest.check("rm -f /tmp/offline.end; { "
                f"memhpctl --json offline {block} --timeout {PATIENCE}s >/tmp/offline.out; echo $? >/tmp/offline.end; }} </dev/null >/dev/null 2>&1 &")
    begun = time.monotonic()
    jump(guest, report, -6)
    guest.check("n=0; until [ -s /tmp/offline.end ]; do n=$((n+1)); [ $n -lt 300 ] || exit 1; usleep 100000; done", 60)
    job = bus.Result("offline", 1, guest.check("cat /tmp/offline.out")).job
    report.saw(f"it ended after {time.monotonic() - begun:.1f} s")
    report.expect_equal("what became of the block", job["items"][0]["fate"], "failed")
    pin.let_go()
    report.expect_equal("the block is", guest.look().blocks[block].state, "online")


def retries(guest, report):
    try:
        admin.prepare_failures(guest)
    except Skipped as missing:
        report.saw(f"not tried: injected failures, as {missing}")
        return
    report.did("no reconciles; every block that is to go online is refused with ENOMEM; plug a DIMM of 256 MiB into node 2")
    guest.write_file(guest.config, NO_RECONCILE)
    mark = len(guest.log())
    guest.signal_daemon("HUP")
    guest.wait_log("that it reloaded", lambda log: contract.RELOADED.search(log[mark:]))
    admin.fail(guest, "MEM_GOING_ONLINE", ENOMEM)
    guest.plug_dimm("d4", 256 * MIB, node=2)
    guest.wait_log("that it tries again", lambda log: "trying again" in log[mark:])
    jump(guest, report, -5)
    admin.fail(guest, "MEM_GOING_ONLINE", 0)
    wait_online(guest, 2, 4)
    report.saw("the kernel refuses no more: online at the next try")
    jump(guest, report, 10)


def remembered(guest, report):
    history = guest.ctl("history")
    adds = [e["add"] for e in history if e["event"] == "onlined"]
    report.expect_equal("memhpctl history has the hot-adds that came online in their order", adds, sorted(adds))
    report.expect([e["time_usec"] for e in history] != sorted(e["time_usec"] for e in history), "though the dates are not")
    report.did("kill memhpd (SIGKILL) and start it again")
    guest.kill_daemon()
    guest.start_daemon()
    bus.wait_name(guest)
    again = guest.ctl("history")
    report.expect(again[:len(history)] == history, f"memhpctl history tells the same {len(history)} things of before")


def wait_online(guest, node, count):
    guest.wait_until(f"{count} blocks online on node {node}", lambda view: sum(
        b.state == "online" for b in view.of_node(node).values()) == count)
