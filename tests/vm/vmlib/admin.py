# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator, or another program, does in the guest: with the kernel's own files, never with ours."""

import re

from .guest import GuestError
from .report import Failed, Skipped

MEMORY = "/sys/devices/system/memory"
INJECT = "/sys/kernel/debug/notifier-error-inject/memory/actions"


def set_state(guest, blocks, word):
    for block in blocks:
        guest.check(f"echo {word} >{MEMORY}/memory{block}/state")


def auto_online(guest):
    return guest.check(f"cat {MEMORY}/auto_online_blocks").strip()


def set_auto_online(guest, word):
    guest.check(f"echo {word} >{MEMORY}/auto_online_blocks")


# -- memhpd between two steps

# Only built-ins in the loop: under emulation a fork takes longer than a block takes to go online.
STOPPER = """
cd /sys/devices/system/memory
rm -f /tmp/stopped
state=
until [ "$state" = online ]; do read -r state <memory$BLOCK/state; done 2>/dev/null
kill -STOP $PID
sleep 0.3
touch /tmp/stopped
"""


def stop_daemon_at(guest, block):
    """From now on: when this block goes online, memhpd is stopped (SIGSTOP). wait_stopped() waits for that."""
    guest.write_file("/tmp/stopper", f"BLOCK={block} PID={guest.daemon_pid}\n" + STOPPER)
    guest.check("rm -f /tmp/stopped; sh /tmp/stopper </dev/null >/dev/null 2>&1 &")


def wait_stopped(guest):
    return guest.wait_until("memhpd is stopped", lambda view: guest.run("test -e /tmp/stopped")[0] == 0)


# -- what memhpd does and how it is set up

def reads(guest):
    """How often memhpd has called read(): it grows whenever it looks at its blocks."""
    out = guest.check(f"cat /proc/{guest.daemon_pid}/io")
    return int(re.search(r"^syscr: (\d+)$", out, re.MULTILINE).group(1))


class Socket:
    """A netlink socket as the kernel describes it."""

    def __init__(self, queued, drops):
        self.queued = queued    # bytes that wait to be received, with what the kernel adds to each message
        self.drops = drops      # messages that found no room


def uevent_socket(guest):
    """memhpd's socket for uevents (NETLINK_KOBJECT_UEVENT is 15)."""
    links = guest.check(f"for fd in /proc/{guest.daemon_pid}/fd/*; do readlink $fd; done; true")
    inodes = set(re.findall(r"socket:\[(\d+)\]", links))
    lines = [line.split() for line in guest.check(f"cat /proc/{guest.daemon_pid}/net/netlink").splitlines()[1:]]
    mine = [w for w in lines if w[1] == "15" and w[9] in inodes]
    if len(mine) != 1:
        raise GuestError(f"memhpd has {len(mine)} sockets for uevents")
    return Socket(queued=int(mine[0][4]), drops=int(mine[0][8]))


# -- failures on demand

def prepare_failures(guest):
    """Load the kernel's error injection for memory notifiers; Skipped where the kernel has none."""
    if guest.run("test -s /etc/modules-spare")[0] != 0:
        raise Skipped("the kernel package has no memory-notifier-error-inject")
    guest.check("for m in $(cat /etc/modules-spare); do insmod /lib/memhp-modules/$m.ko || exit 1; done")
    guest.check("grep -q ' /sys/kernel/debug ' /proc/mounts || mount -t debugfs debugfs /sys/kernel/debug")
    if guest.run(f"test -d {INJECT}")[0] != 0:
        raise Failed(f"error injection is loaded, but there is no {INJECT}")


def fail(guest, action, error):
    """From now on every MEM_GOING_ONLINE or MEM_GOING_OFFLINE fails with this (negative) error; 0: no longer."""
    guest.check(f"echo {error} >{INJECT}/{action}/error")


PINNER = """
mkdir -p /tmp/cpuset
mount -t cgroup -o cpuset cpuset /tmp/cpuset || exit 1
mkdir -p /tmp/cpuset/pin && cd /tmp/cpuset/pin || exit 1
cat ../cpuset.cpus >cpuset.cpus
echo $NODE >cpuset.mems || exit 1
mkfifo /tmp/pin.fifo
sh -c '
        echo $$ >/tmp/cpuset/pin/tasks || exit 1
        exec 3<>/tmp/pin.fifo
        dd if=/dev/zero bs=4096 count=16 >&3
        echo $$ >/tmp/pin.pid
        touch /tmp/pinned
        exec sleep 1000
' </dev/null >/tmp/pin.log 2>&1 &
n=0
until [ -e /tmp/pinned ]; do n=$((n+1)); [ $n -lt 50 ] || { cat /tmp/pin.log; exit 1; }; usleep 100000; done
"""


def pin_pages(guest, node):
    """Fill a pipe with pages of a node. The kernel cannot move such pages, so the memory they are in stays."""
    guest.write_file("/tmp/pinner", f"NODE={node}\n" + PINNER)
    guest.check("sh /tmp/pinner")


def unpin_pages(guest):
    # Its pages are free once it is gone, not once it was told to go.
    guest.check("pid=$(cat /tmp/pin.pid); kill $pid; n=0; while kill -0 $pid 2>/dev/null && ! grep -q '^State:.*Z' /proc/$pid/status; do "
                "n=$((n+1)); [ $n -lt 100 ] || exit 1; usleep 50000; done")


def shrink_slabs(guest):
    """What the kernel keeps of freed memory for later keeps blocks online, too."""
    guest.run("echo 3 >/proc/sys/vm/drop_caches; for f in /sys/kernel/slab/*/shrink; do echo 1 >$f; done; sleep 0.5")
