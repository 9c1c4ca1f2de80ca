# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpd with a receive buffer as small as any program gets, so that a burst of events is more than it holds."""

from . import admin
from .report import Failed, Skipped

BUFFER = 212992
# By its path: busybox has one, too, that its shell prefers and that cannot do this.
WEAKEN = "/usr/bin/setpriv --bounding-set -net_admin"


def start_daemon(guest, report, policy):
    """Without CAP_NET_ADMIN the kernel's limit for receive buffers holds, of which it grants the double."""
    if guest.run(f"{WEAKEN} true")[0] != 0:
        raise Skipped("no setpriv that can take capabilities away (Debian: util-linux)")
    guest.check(f"echo {BUFFER // 2} >/proc/sys/net/core/rmem_max")
    guest.start_daemon(policy, through=WEAKEN)
    status = guest.check(f"cat /proc/{guest.daemon_pid}/status")
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    report.expect(not effective >> 12 & 1, f"memhpd runs without CAP_NET_ADMIN (CapEff {effective:x})")


def expect_overflow(guest, report, events):
    """While memhpd is stopped: of so many events it cannot have received all."""
    socket = admin.uevent_socket(guest)
    report.saw(f"{socket.queued} bytes of events wait for memhpd, {socket.drops} events were thrown away")
    # One more event than fits may be taken: older kernels look at what is there before, not after.
    if not BUFFER // 2 < socket.queued < BUFFER + 2048 or socket.drops < events // 4:
        raise Failed(f"it was to overflow: {socket.drops} of {events} events lost, {socket.queued} bytes full")
    return socket
