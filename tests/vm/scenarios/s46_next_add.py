# SPDX-License-Identifier: LGPL-2.1-or-later
"""The alert "the next hot-add is likely to be refused" tells the truth: while it is not raised a DIMM is taken, once it is
raised the kernel refuses the next one, and when it is over the next one is taken again.

A DIMM of 4 GiB in node 1 takes 64 MiB of node 0's kernel memory for its struct pages, all that it brings is movable. With
somewhat more than 64 MiB free there is room for one, and then there is none.
"""

from vmlib import claims, stats
from vmlib.machine import GIB, MIB

NAME = "next-add"
MACHINE = {"append": stats.APPEND}
POLICY = claims.policy('{ name = "all"; match = { }; action = "online_movable"; }', alerts='{ interval = "1s"; }')
RAISED = r"the next hot-add is likely to be refused: one of 4 GiB, as the largest so far, needs 64 MiB for its struct pages, " \
         r"and the kernel zones have .*"
CLEARED = r"the next hot-add would not be refused"


def play(guest, report):
    claims.expect_untouched_kernel_default(guest, report)
    before = guest.look()
    claims.expect_block_size(before)
    guest.start_daemon(POLICY)
    report.did("plug a DIMM of 4 GiB into node 1: the largest so far")
    add(guest, report, "d0", before, 1)

    report.did("lock the memory of node 0 until 125 MiB are free")
    hog = stats.starve(guest, report, 125)
    expect_room(guest, report, enough=True)
    report.expect_equal("alerts so far", stats.count(guest, "next hot-add"), 0)
    add(guest, report, "d1", before, 2)

    report.did("that has taken what there was")
    stats.expect_alert(guest, report, RAISED)
    expect_room(guest, report, enough=False)
    report.did("plug one more all the same")
    guest.plug_dimm_and_wait("d2", 4 * GIB, node=1)     # to the hardware, the kernel says that all is well
    guest.wait_until("the kernel refuses it", lambda v: guest.run("dmesg | grep -q 'add_memory failed'")[0] == 0)
    report.quote(guest.check("dmesg | grep -iE 'vmemmap alloc failure|add_memory failed'"))
    report.expect_equal("blocks that came", len(guest.look().new_since(before)), 2 * 32)
    excused = guest.excuse_trouble()        # the kernel undoes what it began, with a warning of its own
    report.saw(f"{excused} lines of the kernel's complaint about it are excused")

    report.did("give node 0 its memory back")
    guest.check(f"kill {hog} 2>/dev/null || true")      # unless the kernel has killed it meanwhile
    stats.expect_alert(guest, report, CLEARED)
    add(guest, report, "d3", before, 3)
    report.expect_equal("raised and cleared, once each", (stats.count(guest, RAISED), stats.count(guest, CLEARED)), (1, 1))
    claims.expect_same_boot_memory(report, before, guest.look())
    claims.expect_healthy(guest, report)


def add(guest, report, name, before, count):
    guest.plug_dimm(name, 4 * GIB, node=1)
    guest.wait_until(f"{count * 32} blocks online", lambda v: sum(
        b.state == "online" for b in v.new_since(before).values()) == count * 32)
    report.saw(f"the kernel takes {name}")


def expect_room(guest, report, enough):
    """What memhpctl says without the daemon's help."""
    answer = guest.ctl("stats")
    room = answer["next_add"]["room"]
    report.saw(f"memhpctl stats: there are {room / MIB:.1f} MiB for the {answer['next_add']['memmap'] // MIB} MiB of the next one")
    report.expect_equal("memhpctl stats: alerts", [a["alert"] for a in answer["alerts"] if a["alert"] == "next-add"],
                        [] if enough else ["next-add"])
