# SPDX-License-Identifier: LGPL-2.1-or-later
"""A D-Bus client that shares no code with the daemon's: for calls that no library would make, and to hear what others hear.
The D-Bus Specification, "Message Protocol" and "Authentication Protocol"."""

import collections
import os
import select
import socket
import struct
import time

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY, INTERACTIVE = 1, 4
FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
ALIGNMENT = {**{c: struct.calcsize(f) for c, f in FIXED.items()}, "s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}
FIELDS = {1: "path", 2: "interface", 3: "member", 4: "error", 5: "reply_serial", 6: "destination", 7: "sender", 8: "signature"}
TYPES = {"path": "o", "interface": "s", "member": "s", "error": "s", "reply_serial": "u", "destination": "s", "sender": "s",
         "signature": "g"}

Message = collections.namedtuple("Message", "type serial path interface member error reply_serial sender signature body variants")


class Failure(OSError):
    """An error in answer to a call."""

    def __init__(self, message):
        self.name = message.error
        self.text = message.body[0] if message.body else ""
        super().__init__(f"{self.name}: {self.text}")


def split(signature):
    """The complete types of a signature."""
    types = []
    while signature:
        depth = end = 0
        while True:
            c = signature[end]
            depth += (c in "({") - (c in ")}")
            end += 1
            if depth == 0 and c != "a":
                break
        types.append(signature[:end])
        signature = signature[end:]
    return types


class Writer:
    def __init__(self):
        self.data = bytearray()

    def align(self, n):
        self.data += bytes(-len(self.data) % n)

    def put(self, signature, value):
        c = signature[0]
        self.align(ALIGNMENT[c])
        if c in FIXED:
            self.data += struct.pack("<" + FIXED[c], value)
        elif c in "so":
            text = value if isinstance(value, bytes) else value.encode()
            self.data += struct.pack("<I", len(text)) + text + b"\0"
        elif c == "g":
            self.data += bytes([len(value)]) + value.encode() + b"\0"
        elif c == "v":
            self.put("g", value[0])
            self.put(*value)
        elif c == "a":
            self.put_array(signature[1:], value.items() if isinstance(value, dict) else value)
        else:
            for item, member in zip(split(signature[1:-1]), value):
                self.put(item, member)

    def put_array(self, item, values):
        at = len(self.data)
        self.data += bytes(4)
        self.align(ALIGNMENT[item[0]])
        start = len(self.data)
        for value in values:
            self.put(item, value)
        self.data[at:at + 4] = struct.pack("<I", len(self.data) - start)


class Reader:
    def __init__(self, data, order):
        self.data, self.order, self.at = data, order, 0
        self.variants = []      # their types, in the order of their beginnings

    def align(self, n):
        self.at += -self.at % n

    def take(self, form):
        value = struct.unpack_from(self.order + form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def get(self, signature):
        c = signature[0]
        self.align(ALIGNMENT[c])
        if c in FIXED:
            value = self.take(FIXED[c])
            return bool(value) if c == "b" else value
        if c in "sog":
            size = self.take("B" if c == "g" else "I")
            text = self.data[self.at:self.at + size]
            self.at += size + 1
            return text.decode()
        if c == "v":
            self.variants.append(self.get("g"))
            return self.get(self.variants[-1])
        if c == "a":
            return self.get_array(signature[1:])
        return tuple(self.get(item) for item in split(signature[1:-1]))

    def get_array(self, item):
        size = self.take("I")
        self.align(ALIGNMENT[item[0]])
        end = self.at + size
        values = []
        while self.at < end:
            values.append(self.get(item))
        return dict(values) if item[0] == "{" else values


class Client:
    """One connection, of whichever user. Variants are written as (signature, value), and read as the value."""

    def __init__(self, rig, uid=0, patience=120):
        self.patience = patience
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        # The bus asks the kernel who has connected.
        os.seteuid(uid)
        try:
            self.socket.connect(os.path.join(rig.folder, "socket"))
        finally:
            os.seteuid(0)
        self.buffer = bytearray()
        self.serial = 0
        self.answers, self.signals = {}, []
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        self._expect(b"OK ")
        self.socket.sendall(b"BEGIN\r\n")
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")[0]

    def _expect(self, word):
        line = b""
        while not line.endswith(b"\r\n"):
            c = self.socket.recv(1)
            assert c, "the bus hung up"
            line += c
        assert line.startswith(word), line

    def close(self):
        self.socket.close()

    # -- out

    def send(self, destination, path, interface, member, signature="", body=(), flags=0, kind=CALL, **more):
        """The serial number of the call, or of another kind of message, which may have further fields. What the types cannot hold is
        the caller's to see to."""
        self.serial += 1
        content = Writer()
        for item, value in zip(split(signature), body):
            content.put(item, value)
        fields = {"path": path, "interface": interface, "member": member, "destination": destination, "signature": signature, **more}
        head = Writer()
        head.data += struct.pack("<BBBBII", ord("l"), kind, flags, 1, len(content.data), self.serial)
        head.put("a(yv)", [(code, (TYPES[name], fields[name])) for code, name in FIELDS.items() if fields.get(name)])
        head.align(8)
        self.socket.sendall(head.data + content.data)
        return self.serial

    # -- in

    def _parse(self):
        """The next whole message of what has come, or None."""
        data = self.buffer
        if len(data) < 16:
            return None
        order = "<" if data[0] == ord("l") else ">"
        body_size, serial, fields_size = struct.unpack_from(order + "III", data, 4)
        head_size = 16 + fields_size + -(16 + fields_size) % 8
        if len(data) < head_size + body_size:
            return None
        head = Reader(bytes(data[:head_size]), order)
        head.at = 12
        fields = {FIELDS[code]: value for code, value in head.get("a(yv)") if code in FIELDS}
        body = Reader(bytes(data[head_size:head_size + body_size]), order)
        signature = fields.get("signature", "")
        message = Message(data[1], serial, *(fields.get(name) for name in ("path", "interface", "member", "error", "reply_serial",
                                                                           "sender")),
                          signature, [body.get(item) for item in split(signature)], body.variants)
        del data[:head_size + body_size]
        return message

    def read(self, patience):
        """Sort what comes within that time; False: the bus has hung up."""
        ready, _, _ = select.select([self.socket], [], [], max(patience, 0))
        if not ready:
            return True
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            return False
        if not data:
            return False
        self.buffer += data
        while (message := self._parse()):
            if message.type == SIGNAL:
                self.signals.append(message)
            else:
                self.answers[message.reply_serial] = message
        return True

    def until(self, found, what):
        end = time.monotonic() + self.patience
        while not (result := found()):
            assert self.read(min(end - time.monotonic(), 0.1)), f"the bus hung up before {what}"
            assert time.monotonic() < end, f"{what} never came, but {self.signals}"
        return result

    def reply(self, serial):
        message = self.until(lambda: self.answers.pop(serial, None), f"the answer to {serial}")
        if message.type == ERROR:
            raise Failure(message)
        return message

    def answer(self, serial):
        return self.reply(serial).body

    def call(self, *arguments, **options):
        return self.answer(self.send(*arguments, **options))

    # -- what is ours

    def manager(self, member, signature="", body=(), flags=0):
        return self.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", member, signature, body, flags=flags)

    def refused(self, member, signature="", body=(), flags=0):
        """The name of the error, and its text."""
        try:
            return "no error", self.manager(member, signature, body, flags)
        except Failure as failure:
            return failure.name, failure.text

    def properties(self, path, interface):
        return self.call("org.memhp1", path, "org.freedesktop.DBus.Properties", "GetAll", "s", [f"org.memhp1.{interface}"])[0]

    def listen(self):
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
                  ["type='signal',sender='org.memhp1'"])

    def heard(self, member, matches=lambda message: True):
        """The next signal of that name which is as told; those before it are dropped."""
        def find():
            for i, message in enumerate(self.signals):
                if message.member == member and matches(message):
                    del self.signals[:i + 1]
                    return message
            return None
        return self.until(find, member)

    def changed(self, path, names):
        """What becomes of these properties of the object, in as many signals as it takes: {name: value, None where it is only
        said that it has changed}."""
        seen = {}

        def find():
            for message in self.signals:
                if message.member == "PropertiesChanged" and message.path == path:
                    seen.update(message.body[1])
                    seen.update({name: None for name in message.body[2]})
            self.signals = [m for m in self.signals if m.member != "PropertiesChanged" or m.path != path]
            return set(names) <= set(seen)
        self.until(find, f"{names} of {path}")
        return {name: seen[name] for name in names}
