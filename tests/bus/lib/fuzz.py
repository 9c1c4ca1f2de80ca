# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that nobody would make: whatever the introspection data names, and what it does not, with arguments of the right types and of
wrong ones. All of it comes of one seed."""

import collections
import os
import random
import xml.etree.ElementTree

from .wire import ERROR, INTERACTIVE, NO_REPLY, RETURN, SIGNAL, Client, split

PATH = "/org/memhp1"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PROPERTIES = "org.freedesktop.DBus.Properties"
# With these somebody who is not root would change something.
CHANGES = {"Online", "Offline", "Rezone", "Reload", "Hold", "Release", "Cancel"}
NUMBERS = [0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 256, 1023, 1024, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32,
           2 ** 53, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 2, 2 ** 64 - 1]
BITS = {"y": 8, "b": 1, "n": -16, "q": 16, "i": -32, "u": 32, "x": -64, "t": 64}
TEXTS = ["", "all", "0", "32", "32-63", "32-63,70", "0-4294967295", "4294967295", "33,33,33", "device:PNP0C80:01", "device:", "node:0", "node:1",
         "node:1023", "node:1024", "source:dimm", "source:dimm,boot", "source:floppy", "add:0", "add:1", "add:4294967295", "addr:4G-8G",
         "addr:0-", "addr:15E-16E", "movable", "kernel", "dimm:1G", "dimm:64G@node1", "dimm:8T", "dimm:15E@15E", "virtio-mem:128M",
         "timeout_usec", "size", "dry_run", "Blocks", "Holds", "State", "Version", "org.memhp1.Manager",
         "org.memhp1.Block", "org.memhp1.Job", "org.memhp1.Device", "org.memhp1.Node", "%s%n%n", "\n", "\x01", "größer", "\u202e", "/", "../..",
         "'", "\"", "\\", "{}", "32\n33", "1," * 511 + "1", "x" * 127, "x" * 128, "x" * 1023, "x" * 1024, "x" * 65536]
PATHS = ["/", PATH, PATH + "/block", PATH + "/device", PATH + "/node", PATH + "/job", PATH + "/block/0", PATH + "/block/33",
         PATH + "/block/4294967295", PATH + "/block/4294967296", PATH + "/block/007", PATH + "/block/x", PATH + "/block/33/33",
         PATH + "/device/_", PATH + "/device/PNP0C80_3a01", PATH + "/device/_2f", PATH + "/device/_zz", PATH + "/node/0", PATH + "/node/1023",
         PATH + "/node/1024", PATH + "/job/0", PATH + "/job/1", PATH + "/job/2", PATH + "/job/4294967295", PATH + "/" + "x" * 255,
         PATH + "/block/" + "9" * 200, "/org/memhp2", "/org"]


Usage = collections.namedtuple("Usage", "resident descriptors sanitized")


class Target:
    """What the daemon says it has: (interface, method, signature), by path."""

    def __init__(self, client):
        self.methods = {}
        self.properties = []
        for path in (PATH, PATH + "/block/33", PATH + "/device/PNP0C80_3a01", PATH + "/node/1", PATH + "/job/1"):
            document = client.call("org.memhp1", path, INTROSPECTABLE, "Introspect")[0]
            for interface in xml.etree.ElementTree.fromstring(document).iter("interface"):
                name = interface.get("name")
                for method in interface.iter("method"):
                    signature = "".join(a.get("type") for a in method.iter("arg") if a.get("direction", "in") == "in")
                    self.methods[name, method.get("name")] = (path.rsplit("/", 1)[0] if path != PATH else path, signature)
                self.properties += [(name, p.get("name")) for p in interface.iter("property")]
        self.interfaces = sorted({interface for interface, _ in self.methods})


class Fuzzer:
    def __init__(self, rig, seed):
        self.rig = rig
        self.random = random.Random(seed)
        self.clients = {}
        self.target = Target(Client(rig))
        self.calls = 0
        self.seen = set()       # (interface, method) that were called with arguments of their types
        self.broken = 0         # connections that the bus ended, since what was sent is no message

    # -- values

    def number(self, c):
        bits = BITS[c]
        value = self.random.choice(NUMBERS) if self.random.random() < 0.8 else self.random.getrandbits(64)
        value &= (1 << abs(bits)) - 1
        return value - (1 << -bits) if bits < 0 and value >> (-bits - 1) else value

    def text(self):
        r = self.random
        kind = r.random()
        if kind < 0.7:
            return r.choice(TEXTS)
        if kind < 0.85:
            return "".join(r.choice(TEXTS)[:40] for _ in range(r.randrange(1, 4)))
        if kind < 0.97:
            return "".join(r.choice("0123456789-,:@GMTallnodeurcs \t*?") for _ in range(r.randrange(1, 40)))
        return "x" * r.choice([4095, 4096, 1 << 20])

    def signature(self, depth=0):
        r = self.random
        c = r.choice("ybnqiuxtdsogv" + ("a({" if depth < 4 else ""))
        if c == "a":
            return "a" + (self.signature(depth + 1) if r.random() < 0.7 else "{" + r.choice("suto") + self.signature(depth + 1) + "}")
        if c in "({":
            return "(" + "".join(self.signature(depth + 1) for _ in range(r.randrange(1, 4))) + ")"
        return c

    def value(self, signature, depth=0):
        r = self.random
        c = signature[0]
        if c == "d":
            return r.choice([0.0, -1.5, 1e308, float("inf"), float("nan")])
        if c in BITS:
            return self.number(c)
        if c == "s":
            return self.text()
        if c == "o":
            return self.path()
        if c == "g":
            return r.choice(["", "s", "a{sv}", self.signature()])
        if c == "v":
            inner = self.signature(depth + 2)
            return (inner, self.value(inner, depth + 1))
        if c == "a":
            n = 0 if depth > 4 else r.choice([0, 0, 1, 1, 2, 3, 64, 65] if depth == 0 else [0, 1, 2])
            if signature[1] == "{":
                key, item = split(signature[2:-1])
                # As a list of pairs, since a key may come twice.
                return [(self.value(key, depth + 1), self.value(item, depth + 1)) for _ in range(n)]
            return [self.value(signature[1:], depth + 1) for _ in range(n)]
        return tuple(self.value(item, depth + 1) for item in split(signature[1:-1]))

    def options(self):
        """Of jobs: such as there are, of the right types or not."""
        r = self.random
        known = [("timeout_usec", "t"), ("all_or_nothing", "b"), ("size", "t"), ("dry_run", "b"), ("force", "b"), ("node", "u"), ("source", "s"),
                 ("device", "s"), ("colour", "s")]
        picked = []
        for _ in range(r.choice([0, 0, 1, 2])):
            name, item = r.choice(known)
            if r.random() < 0.2:
                item = self.signature(2)
            picked.append((name, (item, self.value(item, 2))))
        return picked

    def body(self, signature):
        return [self.options() if item == "a{sv}" and self.random.random() < 0.8 else self.value(item) for item in split(signature)]

    def path(self):
        return self.random.choice(PATHS)

    # -- calls

    def call(self):
        """(path, interface, member, signature, body) of one."""
        r = self.random
        kind = r.random()
        if kind < 0.15:
            name = r.choice(self.target.properties)
            member = r.choice(["Get", "GetAll", "Set"])
            body = {"Get": [*name], "GetAll": [name[0]], "Set": [*name, ("u", 1)]}[member]
            return self.path(), PROPERTIES, member, {"Get": "ss", "GetAll": "s", "Set": "ssv"}[member], body
        if kind < 0.2:
            return self.path(), INTROSPECTABLE, "Introspect", "", []
        (interface, member), (home, signature) = r.choice(sorted(self.target.methods.items()))
        if home == PATH or r.random() < 0.3:
            path = home if r.random() < 0.9 else self.path()
        else:
            path = f"{home}/{r.choice([1, 2, 3, 33, 39, 'PNP0C80_3a01'])}" if home != PATH else home
        if kind < 0.75:
            self.seen.add((interface, member))
        elif kind < 0.9:
            signature = "".join(self.signature() for _ in range(r.randrange(0, 4)))
        elif kind < 0.95:
            interface = r.choice(self.target.interfaces)
        elif kind < 0.98:
            member = r.choice(["X", "Frobnicate", member + "s", "x" * 255])
        else:
            interface = None    # a call that does not say which it means
        return path, interface, member, signature, self.body(signature)

    def client(self, uid):
        """Now one that is there, now another."""
        known = self.clients.setdefault(uid, [])
        if len(known) < 3:
            known.append(Client(self.rig, uid))
        return self.random.choice(known)

    def drop(self, uid, client):
        client.close()
        self.clients[uid].remove(client)

    def step(self, uids):
        """A call, or a few at once; answered, not waited for, or left in the middle."""
        r = self.random
        uid = r.choice(uids)
        client = self.client(uid)
        serials = set()
        try:
            for _ in range(r.choice([1, 1, 1, 2, 12])):
                path, interface, member, signature, body = self.call()
                flags = r.choice([0, 0, 0, NO_REPLY, INTERACTIVE])
                if r.random() < 0.02:
                    client.serial = max(client.serial - 1, 0)      # a number that was used before
                serial = client.send("org.memhp1", path, interface, member, signature, body, flags=flags)
                self.calls += 1
                if not flags & NO_REPLY:
                    serials.add(serial)
            if r.random() < 0.05:       # an answer that nobody waits for, or a signal of somebody else
                client.send("org.memhp1", self.path(), "org.freedesktop.DBus", "NameOwnerChanged", "sss", ["x", "", ""],
                            kind=r.choice([RETURN, ERROR, SIGNAL]), reply_serial=r.randrange(1, 1000), error="org.memhp1.Error.Busy")
            if r.random() < 0.05:
                self.drop(uid, client)
                return
            for serial in sorted(serials):
                client.until(lambda s=serial: client.answers.pop(s, None), f"the answer to {serial}")
        except (AssertionError, BrokenPipeError, ConnectionResetError) as error:
            if isinstance(error, AssertionError) and "hung up" not in str(error):
                raise
            self.broken += 1        # too long, or not UTF-8: the bus' own rules
            self.drop(uid, client)
        client.signals.clear()
        client.answers.clear()

    def close(self):
        for known in self.clients.values():
            for client in known:
                client.close()
        self.clients.clear()


def usage(memhpd):
    """What the daemon takes: bytes, descriptors, and whether the address sanitizer keeps what was given back."""
    pid = memhpd.process.process.pid
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        resident = int(f.read().split()[1]) * 4096
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return Usage(resident, len(os.listdir(f"/proc/{pid}/fd")), "asan" in f.read())
