# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demo shows. Every step is compared with the kernel's own state before it is told."""

import time

from . import bus, claims, contract
from .background import Background, Lines
from .guest import Guest, summary
from .machine import GIB, MIB
from .report import Failed

DIMM = "PNP0C80:00"
USED = 256

POLICY = """version = 1;

rules = (                              # the first rule that matches decides
  { name = "leave-persistent-memory";  # slower, and it may hold data: a human decides
    match = { source = [ "pmem", "cxl", "hmem", "dax" ]; };
    action = "leave_offline"; },
  { name = "dimms-stay-removable";     # no kernel data gets in: can be unplugged
    match = { source = [ "dimm" ]; };
    action = "online_movable"; },
  { name = "the-rest-to-the-kernel";
    match = { };
    action = "online_kernel"; }
);
"""


class TourGuest(Guest):
    """memhpctl is typed as on any machine, and asks the daemon wherever it can."""

    @staticmethod
    def ctl_command(arguments):
        return f"memhpctl {arguments}"


def boot(scene, image, archive):
    scene.chapter("A machine")
    scene.text(f"""A virtual machine starts: Linux {image.version} as Debian ships it, two CPUs and 1 GiB of memory on
        NUMA node 0. Nodes 1 and 2 exist but are empty. No KVM is used, every instruction is emulated.""")
    machine = TourGuest(image, archive, virtio_mem_max=4 * GIB, virtio_mem_node=2, hard_limit=240)
    scene.good(f"it is up after {machine.boot_seconds:.0f} s")
    return machine


def give(scene, machine):
    boot_view = machine.look()
    claims.expect_block_size(boot_view)
    scene.text("""Linux cannot use memory that is added later just like that: somebody has to put it online, block by
        block (here 128 MiB each), and to choose a zone for it. memhpd does that by policy:""")
    machine.write_file(machine.config, POLICY)
    scene.shell(f"cat {machine.config}", POLICY)
    bus.start(machine)
    machine.start_daemon()
    bus.wait_name(machine)
    log = Lines(machine.log)
    for line in log.new():
        scene.memhpd(contract.without_prefix(line))
    ctl(scene, machine, "status", "memhpctl asks it over D-Bus how it is:")

    dimm(scene, machine, log)
    virtio_mem(scene, machine, log)
    nvdimm(scene, machine, log)
    after(scene, machine, boot_view)
    unplug(scene, machine)
    claims.expect_healthy(machine, _Quiet())
    if machine.trouble():
        raise Failed(f"the kernel complained: {machine.trouble()[0]}")
    scene.end("All of this really happened: each step was compared with what the kernel says")


def dimm(scene, machine, log):
    scene.chapter("1  A DIMM")
    before = machine.look()
    heard = Background(machine, "memhpctl monitor", "monitor")
    machine.wait_until("it listens", lambda view: "connected" in heard.text())
    scene.you("plug a DIMM of 1 GiB into a slot of node 1, while memhpctl monitor listens on the bus")
    machine.plug_dimm("dimm1", GIB, node=1)
    new = follow(scene, machine, log, before, 8, "online")
    scene.good(f"the kernel: {len(new)} blocks {claims.numbers(new)} on node 1, {summary(new.values())}")
    expect(new, 8, "online", "Movable", 1)
    complete = f"hot-add 1 (dimm {DIMM}, blocks {claims.numbers(new)}) is complete: 8 blocks online, 0 offline, 0 failed"
    machine.wait_until("the hot-add is complete", lambda view: complete in heard.text())
    heard.end()
    scene.shell("memhpctl monitor", heard.text(), hang=36)
    why(scene, machine, min(new), "dimms-stay-removable")
    ctl(scene, machine, "trace", "What did that cost, and what has it changed? In the six steps that the kernel takes:")


def virtio_mem(scene, machine, log):
    scene.chapter("2  virtio-mem, memory a cloud sells by the slice")
    before = machine.look()
    ctl(scene, machine, "hold node:2 'until the invoice is paid'", "New memory can be told to wait, whatever the policy says:")
    scene.you("the provider grows the virtio-mem device of node 2 from nothing to 1 GiB")
    machine.resize_virtio_mem(GIB)
    device = machine.check("cd /sys/bus/virtio/drivers/virtio_mem && echo virtio[0-9]*").strip()
    new = follow(scene, machine, log, before, 8, "offline", device, contract.WAITS)
    scene.good(f"the kernel: {len(new)} blocks {claims.numbers(new)} on node 2, {summary(new.values())}")
    expect(new, 8, "offline", None, 2)
    if machine.ctl("status")["held"] != len(new):
        raise Failed("memhpctl status does not know that they wait")
    ctl(scene, machine, "status")
    ctl(scene, machine, "release 1")
    new = follow(scene, machine, log, before, 8, "online", device)
    scene.good(f"the kernel: {summary(new.values())}")
    expect(new, 8, "online", "Normal", 2)
    why(scene, machine, min(new), "the-rest-to-the-kernel")


def nvdimm(scene, machine, log):
    scene.chapter("3  An NVDIMM turned into memory")
    before = machine.look()
    scene.you("plug an NVDIMM of 2 GiB into node 1 and hand it over as system RAM")
    machine.plug_nvdimm("nvdimm1", 2050 * MIB, node=1)
    machine.check("n=0; until [ -d /sys/bus/nd/devices/namespace0.0 ]; do"
                  "  n=$((n+1)); [ $n -lt 100 ] || exit 1; usleep 100000; done")
    create = "ndctl create-namespace -f -e namespace0.0 -m devdax -M mem"
    convert = "daxctl reconfigure-device --mode=system-ram --no-online dax0.0"
    machine.check(create, timeout=60)
    machine.check(convert, timeout=60)
    scene.shell(create, "")
    scene.shell(convert, "")
    new = follow(scene, machine, log, before, 15, "offline", "dax0.0")
    scene.good(f"the kernel: {len(new)} blocks {claims.numbers(new)} on node 1, {summary(new.values())}")
    expect(new, 15, "offline", None, 1)
    why(scene, machine, min(new), "leave-persistent-memory")


def after(scene, machine, boot_view):
    scene.chapter("Before and after")
    view = machine.look()
    ctl(scene, machine, "list -o SIZE,STATE,BLOCK,NODE,ZONES,SOURCE,DEVICE",
        "Where all memory is, and where it came from:")
    ctl(scene, machine, "map", "The same as a picture:")
    scene.text("What has changed, by the kernel's own /proc/zoneinfo (present pages of 4 KiB):")
    for node, zone in ((0, "DMA32"), (1, "Movable"), (1, "Normal"), (2, "Movable"), (2, "Normal")):
        old, new = boot_view.zone(node, zone).present, view.zone(node, zone).present
        if old or new:
            scene.row(f"node {node} {zone:8} {old:8} -> {new:8}   ({(new - old) * 4 // 1024:+} MiB)")
    for node, zone in ((1, "Movable"), (2, "Normal")):
        claims.expect_growth(_Quiet(), boot_view, view, node, zone, 8)
    claims.expect_same_boot_memory(_Quiet(), boot_view, view)
    listed = machine.ctl("list")
    for state in ("online", "offline"):
        real = sum(view.block_size for b in view.blocks.values() if b.state == state)
        if listed[state] != real:
            raise Failed(f"memhpctl list says {listed[state]} bytes {state}, the kernel {real}")


def unplug(scene, machine):
    scene.chapter("And out again")
    blocks = sorted(n for n, b in machine.look().blocks.items() if b.firmware == DIMM)
    who_may(scene, machine, blocks)
    scene.text(f"""{USED} MiB of files have come to lie in the DIMM of node 1. Nothing of the kernel's has, as it is in zone
        Movable: so all of it can be moved elsewhere.""")
    machine.check(f"mkdir -p /tmp/files && mount -t tmpfs -o mpol=prefer:1 files /tmp/files && "
                  f"dd if=/dev/zero of=/tmp/files/film bs=1M count={USED} && md5sum /tmp/files/film >/tmp/sum", 60)
    command = f"memhpctl offline device:{DIMM}"
    job = Background(machine, command, "offline")
    scene.command(command)
    while not job.is_over():
        for line in job.lines.new():
            scene.output(line)
        time.sleep(0.2)
    for line in job.lines.new():
        scene.output(line)
    if job.status() != 0:
        raise Failed(f"{command} ended with {job.status()}")
    view = machine.look()
    scene.good(f"the kernel: blocks {claims.numbers(blocks)}: {summary(view.blocks[n] for n in blocks)}; the files are intact")
    expect({n: view.blocks[n] for n in blocks}, 8, "offline", None, 1)
    machine.check("md5sum -c /tmp/sum")

    scene.you("pull the DIMM")
    started = time.monotonic()
    machine.unplug("dimm1")
    view = machine.wait_until("its blocks are gone", lambda v: not any(b.firmware == DIMM for b in v.blocks.values()), 30)
    scene.good(f"gone after {time.monotonic() - started:.1f} s; node 1 has "
               f"{summary(view.of_node(1).values())} left")
    machine.wait_until("memhpd knows that they are gone", lambda v: machine.ctl(f"explain {blocks[0]}")["state"] == "removed")
    ctl(scene, machine, f"explain {blocks[0]}", "memhpd still knows what it was, and why:")
    ctl(scene, machine, "history -o TIME,BLOCKS,SOURCE,DEVICE,RULE,OUTCOME")


def who_may(scene, machine, blocks):
    command = f"memhpctl offline {blocks[0]}"
    status, out = machine.run_as("nobody", command)
    scene.text("Everybody may look. To change something takes root, or somebody whom polkit lets:")
    scene.shell(command, out, prompt="nobody$")
    if status != 1 or machine.look().blocks[blocks[0]].state != "online":
        raise Failed("nobody may take memory offline")


def follow(scene, machine, log, before, count, state, device=None, outcome="(online|offline)"):
    """Show what memhpd says as it says it, until it has settled `device` and the blocks are as they should be.

    Without a device: the DIMM the blocks belong to."""
    limit = time.monotonic() + 60
    said = ""
    while True:
        new = machine.look().new_since(before)
        for line in log.new():
            scene.memhpd(contract.without_prefix(line))
            said += line + "\n"
        if len(new) == count and all(b.state == state for b in new.values()):
            name = device or machine.device_of(new)
            if contract.settled(name, outcome).search(said):
                return new
        if time.monotonic() > limit:
            raise Failed(f"{count} blocks {state} were expected; the kernel has {summary(new.values())}")
        time.sleep(0.2)


def expect(blocks, count, state, zone, node):
    wrong = [b for b in blocks.values() if b.state != state or b.nodes != [node] or (zone and b.zone != zone)]
    if len(blocks) != count or wrong:
        raise Failed(f"expected {count} blocks {state}{' in ' + zone if zone else ''} on node {node}")


def why(scene, machine, block, rule):
    ctl(scene, machine, f"explain {block}")
    if not claims.expect_explained(machine, _Quiet(), block, _action(rule), rule)["decided"]:
        raise Failed(f"memhpctl explain {block} does not come from the daemon")


def _action(rule):
    """What POLICY says this rule does."""
    return POLICY.split(f'"{rule}"', 1)[1].split('action = "', 1)[1].split('"', 1)[0]


def ctl(scene, machine, arguments, words=None):
    if words:
        scene.text(words)
    hang = 16 if arguments.split()[0] in ("explain", "status") else 0       # where the text of their fields begins
    scene.shell(f"memhpctl {arguments}", machine.check(machine.ctl_command(arguments)), hang=hang)


class _Quiet:
    """Takes the place of a report: the claims only raise."""

    def did(self, text):
        pass

    def saw(self, text):
        pass

    def expect(self, truth, text):
        if not truth:
            raise Failed(f"this does not hold: {text}")

    def expect_equal(self, what, seen, wanted):
        if seen != wanted:
            raise Failed(f"{what}: {seen!r}, expected {wanted!r}")
