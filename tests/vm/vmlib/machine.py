# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine as its owner sees it: a case with free slots, and hands that plug and pull memory.

Node 0 has the CPUs and the boot memory, nodes 1 and 2 are empty unless they are given boot memory. Nothing added here
reserves memory on the host.
"""

import time

from . import agent
from .qemu import Qemu, QemuError

MIB = 1 << 20
GIB = 1 << 30
BLOCK = 128 * MIB       # the block size of x86-64 with so little memory; guests check that it is so


OST_EJECT, OST_DONE, OST_IN_PROGRESS = 3, 0, 0x84   # of ACPI's _OST, by which a guest tells how an eject went


def ends_unplug(data, name):
    """Does an event with this data end the unplugging of that device, one way or the other?"""
    info = data.get("info")
    if info is None:
        return data.get("device") == name
    return (info.get("device") == name and info["source"] == OST_EJECT and
            info["status"] not in (OST_DONE, OST_IN_PROGRESS))


class Machine:
    def __init__(self, kernel, initramfs, virtio_mem_max=0, virtio_mem_node=2, boot_memory=GIB, append="",
                 hard_limit=300, node_memory=()):
        """boot_memory is that of node 0; node_memory is what nodes 1, 2 have besides, in this order."""
        nodes = dict(enumerate(node_memory, 1))
        args = ["-machine", "q35,nvdimm=on,usb=off", "-smp", "2,maxcpus=4",
                "-m", f"{(boot_memory + sum(nodes.values())) // MIB}M,slots=32,maxmem=96G",
                "-object", f"memory-backend-ram,id=boot,size={boot_memory}",
                "-numa", "node,nodeid=0,cpus=0-1,memdev=boot",
                # Linux numbers nodes in the order in which the firmware mentions them, and those it never mentions
                # cannot be added to. QEMU mentions an empty node only for its CPUs: here, CPUs that may come one day.
                "-device", f"virtserialport,chardev=agent,name={agent.PORT_NAME}"]
        for node, cpu in ((1, 2), (2, 3)):
            size = nodes.get(node, 0)
            if size:
                args += ["-object", f"memory-backend-ram,id=boot{node},size={size}"]
            args += ["-numa", f"node,nodeid={node},cpus={cpu}" + (f",memdev=boot{node}" if size else "")]
        if virtio_mem_max:
            # The root bus of q35 takes no hot-plugged devices, so this one is there from the start, empty. Its address
            # is far up: DIMMs then come at 4 GiB, as they do without it.
            args += ["-object", f"memory-backend-ram,id=vmem,size={virtio_mem_max},reserve=off",
                     "-device", f"virtio-mem-pci,id=vm0,memdev=vmem,node={virtio_mem_node},requested-size=0,"
                                f"memaddr={16 * GIB}"]
        self.qemu = Qemu(kernel, initramfs, args, append, hard_limit)

    def plug_dimm(self, name, size, node, address=None):
        """Without an address it comes into the first gap that is large enough."""
        self._add_backend(name, size)
        self.qemu.command("device_add", driver="pc-dimm", id=name, memdev=f"mem-{name}", node=node,
                          **({} if address is None else {"addr": address}))

    def plug_dimm_and_wait(self, name, size, node, timeout=60):
        """… until the guest says that it has taken the DIMM, or refused it: true, if it took it."""
        self.qemu.forget_events()
        self.plug_dimm(name, size, node)
        event = self.qemu.wait_event(("ACPI_DEVICE_OST",), lambda data: data["info"].get("device") == name and
                                     data["info"]["source"] != OST_EJECT, timeout, f"plug {name}")
        return event["data"]["info"]["status"] == OST_DONE

    def plug_nvdimm(self, name, size, node, label_size=2 * MIB):
        self._add_backend(name, size)
        self.qemu.command("device_add", driver="nvdimm", id=name, memdev=f"mem-{name}", node=node,
                          **{"label-size": label_size})

    def _add_backend(self, name, size):
        self.qemu.command("object-add", **{"qom-type": "memory-backend-ram", "id": f"mem-{name}", "size": size,
                                           "reserve": False})

    def unplug(self, name, timeout=60, tries=1, before=lambda: None):
        """Ask the guest to let the device go and wait until it did; QemuError when it refuses that many times. before()
        is called ahead of each try."""
        while True:
            tries -= 1
            before()
            self.qemu.forget_events()
            self.qemu.command("device_del", id=name)
            event = self.qemu.wait_event(("DEVICE_DELETED", "MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR",
                                          "ACPI_DEVICE_OST"), lambda data: ends_unplug(data, name), timeout,
                                         f"unplug {name}")
            if event["event"] == "DEVICE_DELETED":
                break
            if tries <= 0:
                raise QemuError(f"unplug {name}: the guest refused ({event['event']})")
            time.sleep(1)
        self.qemu.command("object-del", id=f"mem-{name}")

    def resize_virtio_mem(self, size):
        self.qemu.command("qom-set", path="/machine/peripheral/vm0", property="requested-size", value=size)

    def virtio_mem_size(self):
        """What the guest has really taken."""
        return self.qemu.command("qom-get", path="/machine/peripheral/vm0", property="size")

    def dimms(self):
        return {d["data"]["id"]: d["data"] for d in self.qemu.command("query-memory-devices")}
