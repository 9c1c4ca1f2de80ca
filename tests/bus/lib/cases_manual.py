# SPDX-License-Identifier: LGPL-2.1-or-later
"""man 5 org.memhp1 against what the daemon says of itself: nothing is missing there, and nothing is made up."""

import os
import re

from . import cases_calls, cases_objects
from .cases_calls import introspect
from .rig import TESTS
from .wire import Client, split

ROOT = os.path.dirname(TESTS)
MANUAL = os.path.join(ROOT, "man", "org.memhp1.5")
SIGNALS = {"true": "told", "invalidates": "invalidated", "false": "silent", "const": "constant"}


def sections():
    """{heading: its lines}"""
    found = {}
    with open(MANUAL, encoding="utf-8") as f:
        for line in f.read().splitlines():
            match = re.match(r"\.S[hs] (?:\\&)?(.*)", line)
            if match:
                current = found.setdefault(match.group(1), [])
            elif found:
                current.append(line)
    return found


def arguments(text):
    """"s selector, b all_rules" to [("s", "selector"), ("b", "all_rules")]"""
    return [tuple(part.split(" ")) for part in text.split(", ")] if text else []


def calls(lines):
    """{name: (in, out)} of "Explain(s selector, b all_rules) -> (aa{sv} explanations)" and of signals, which have no out."""
    found = {}
    for line in lines:
        match = re.fullmatch(r'\.It Li "(\w+)\((.*?)\)(?: -> \((.*)\))?"', line)
        if match:
            found[match.group(1)] = (arguments(match.group(2)), arguments(match.group(3) or ""))
    return found


def properties(lines):
    """{name: (type, what is told)}"""
    return {m.group(2): (m.group(1), m.group(3)) for m in (re.fullmatch(r'\.It Li "(\S+) (\w+)" Pq (\w+)', line) for line in lines) if m}


def keys(lines):
    """{key: type}"""
    return {m.group(2): m.group(1) for m in (re.fullmatch(r'\.It Li "(\S+) (\w+)"', line) for line in lines) if m}


def told(member, directions=True):
    """The same of an element of introspection data."""
    args = [(a.get("direction"), (a.get("type"), a.get("name"))) for a in member.iter("arg")]
    if not directions:
        return ([a for _, a in args], [])
    return ([a for d, a in args if d == "in"], [a for d, a in args if d == "out"])


def emission(interface, member):
    """What is told of a property: its own annotation, or nothing where it has none, which means "true"."""
    for annotation in member.iter("annotation"):
        if annotation.get("name") == "org.freedesktop.DBus.Property.EmitsChangedSignal":
            return SIGNALS[annotation.get("value")]
    return "told"


def case_manual_of_methods(checks, rig):
    rig.start_bus()
    _, root = cases_calls.start(rig)
    manual = sections()
    for interface, prefix in (("Manager", "Methods"), ("Job", "Job methods")):
        path = cases_objects.OBJECTS[interface]
        real = {name: told(member) for name, member in introspect(root, path)[f"org.memhp1.{interface}"]["method"].items()}
        written = {}
        for heading, lines in manual.items():
            if heading.startswith(prefix + " to"):
                written.update(calls(lines))
        checks.equal(f"{interface}: every method, with its arguments and their names", written, real)
    real = {name: told(member, directions=False) for name, member in introspect(root, "/org/memhp1")["org.memhp1.Manager"]["signal"].items()}
    checks.equal("every signal", calls(manual["Signals"]), real)


def case_manual_of_actions(checks, rig):
    """Who may call what stands in the headings; the daemon's table has it, too."""
    with open(os.path.join(ROOT, "src", "daemon", "bus-dispatch.c"), encoding="utf-8") as f:
        rows = re.findall(r"\{ BUS_(\w+), \"(\w+)\", POLKIT_(\w+), (true|false), \w+ \}", f.read())
    real = {(interface.capitalize(), name): action.lower().replace("_", "-") for interface, name, action, _ in rows}
    written = {}
    for heading, lines in sections().items():
        match = re.fullmatch(r"(Job m|M)ethods to .*: org\.memhp1\.(.*)", heading)
        if match:
            interface = "Job" if match.group(1) == "Job m" else "Manager"
            written.update({(interface, name): match.group(2) for name in calls(lines)})
    checks.equal("each method's action", written, real)
    checks.expect(len(real) > 20, "there are some", real)
    policy = open(os.path.join(ROOT, "systemd", "org.memhp1.policy"), encoding="utf-8").read()
    checks.equal("actions", set(re.findall(r'<action id="(.*?)"', policy)),
                 set(re.findall(r"\.It Li (org\.memhp1\.\S+)", "\n".join(sections()["Who may call"]))))


def case_manual_of_properties(checks, rig):
    rig.start_bus()
    _, root = cases_calls.start(rig)
    manual = sections()
    for interface, path in cases_objects.OBJECTS.items():
        own = introspect(root, path)[f"org.memhp1.{interface}"]["property"]
        real = {name: (member.get("type"), emission(interface, member)) for name, member in own.items()}
        checks.equal(f"{interface}: every property", properties(manual["Properties" if interface == "Manager" else f"{interface} properties"]), real)


def case_manual_of_errors(checks, rig):
    del rig
    with open(os.path.join(ROOT, "include", "core", "names.h"), encoding="utf-8") as f:
        real = set(re.findall(r'"(org\.memhp1\.Error\.\w+)"', f.read()))
    written = set(re.findall(r"^\.It Li (org\.memhp1\.Error\.\S+)", "\n".join(sections()["NAMES OF ERRORS"]), re.MULTILINE))
    checks.equal("every error", written, real)


def dictionary(client, member, signature="", body=(), path="/org/memhp1", interface="Manager"):
    """{key: type} of all dictionaries a{sv} in the answer, at its outermost."""
    message = client.reply(client.send("org.memhp1", path, f"org.memhp1.{interface}", member, signature, body))
    return outermost(message)


def outermost(message):
    found = {}
    types = iter(message.variants)
    for value in message.body:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                for key, content in item.items():
                    found[key] = next(types)
                    skip(content, found[key], types)
    return found


def skip(value, signature, types):
    """Pass over the types of the variants within."""
    if signature == "v":
        skip(value, next(types), types)
    elif signature[0] == "a" and signature[1] == "{":
        inner = split(signature[2:-1])[1]
        for content in value.values():
            skip(content, inner, types)
    elif signature[0] == "a":
        for content in value:
            skip(content, signature[1:], types)
    elif signature[0] == "(":
        for content, inner in zip(value, split(signature[1:-1])):
            skip(content, inner, types)


def case_manual_of_dictionaries(checks, rig):
    """Not every key comes each time: what comes is written, with its type; and what is written comes at some time."""
    rig.start_bus()
    memhpd = rig.start_memhpd(policy="""version = 1;
        rules = ( { name = "pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
                  { name = "rest"; match = { }; action = "balance"; numa_aware = false; } );""",
                              setup=f"file proc/zoneinfo {cases_calls.ZONEINFO};boot 0-7 0; pages 36 1000 20 0; pages 37 0 0 3")
    rig.wait_for_name("org.memhp1")
    root = Client(rig)
    root.listen()
    memhpd.do("dimm PNP0C80:01 32-39 1")
    root.heard("AddCompleted")
    memhpd.do("hold 39")
    memhpd.do("fail 38 16 1")
    root.manager("Offline", "sa{sv}", ["device:PNP0C80:01", {"all_or_nothing": ("b", False)}])
    memhpd.until("held", "yes")
    jobs = dictionary(root, "ListJobs")
    memhpd.do("release")
    root.heard("JobChanged", lambda s: s.body[3] == "partial")
    seen = {
        "A job in a list": jobs,
        "A candidate": dictionary(root, "ListCandidates", path="/org/memhp1/job/1", interface="Job"),
        "The status": dictionary(root, "GetStatus"),
        "A report": dictionary(root, "GetHistory", "st", ["all", 0]),
        "An explanation": {**dictionary(root, "Explain", "sb", ["38", True])},
        "A simulated hot-add": dictionary(root, "Simulate", "as", [["dimm:1G", "dimm:100M"]]),
    }
    memhpd.do("dimm PNP0C80:02 48-49 1")
    root.heard("AddCompleted")
    seen["An explanation"].update(dictionary(root, "Explain", "sb", ["48", True]))
    seen["A report"].update(outermost(root.reply(root.send("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetHistory", "st", ["all", 0]))))
    manual = sections()
    rare = {"A report": {"why"}, "An explanation": {"why"}}     # where the kernel says why
    for heading, real in seen.items():
        written = keys(manual[heading])
        checks.equal(f"{heading}: what comes is written", {k: t for k, t in real.items() if written.get(k) != t}, {})
        checks.equal(f"{heading}: what is written comes", set(written) - set(real) - rare.get(heading, set()), set())
    with open(os.path.join(ROOT, "src", "daemon", "bus-jobs.c"), encoding="utf-8") as f:
        options = set(re.findall(r'\{ "(\w+)", KIND\(', f.read()))
    checks.equal("options of jobs", set(keys(manual["Options of a job"])), options)
