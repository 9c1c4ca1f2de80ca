# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenMetrics text, read as strictly as its specification (1.0.0) allows, and as the older text parser of Prometheus does."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? ([-+]?(?:[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?|Inf)|NaN)")
META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)")
SUFFIXES = {"gauge": [""], "counter": ["_total", "_created"], "histogram": ["_bucket", "_count", "_sum", "_created"]}


class Invalid(AssertionError):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.type = self.unit = self.help = None
        self.samples = []       # (suffix, {label: value}, text of the value)


def expect(condition, why):
    if not condition:
        raise Invalid(why)


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def parse(data):
    """{name: Family}, in order. Invalid says what is wrong."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    expect(text.endswith("\n# EOF\n") and text.count("# EOF") == 1, "it ends with one # EOF")
    families, current = {}, None
    for line in text.split("\n")[:-2]:
        meta = META.fullmatch(line)
        if meta:
            kind, name, rest = meta.groups()
            if current is None or current.name != name:
                expect(name not in families, f"{name}: begun twice")
                current = families[name] = Family(name)
            _set_meta(current, kind, rest)
            continue
        sample = SAMPLE.fullmatch(line)
        expect(sample, f"neither a sample nor about one: {line!r}")
        expect(current is not None and sample.group(1).startswith(current.name), f"not within its family: {line!r}")
        _add_sample(current, *sample.groups())
    taken = {}
    for family in families.values():
        _check_family(family)
        for suffix in SUFFIXES[family.type] + [""]:
            expect(taken.setdefault(family.name + suffix, family.name) == family.name, f"{family.name}: a clash of names")
    return families


def _set_meta(family, kind, rest):
    expect(not family.samples, f"{family.name}: {kind} after its samples")
    attribute = kind.lower()
    expect(getattr(family, attribute) is None, f"{family.name}: {kind} twice")
    if kind == "TYPE":
        expect(rest in SUFFIXES, f"{family.name}: type {rest!r} is not for every parser")
    elif kind == "UNIT":
        expect(family.name.endswith("_" + rest), f"{family.name}: does not end with its unit {rest}")
    else:
        expect(re.fullmatch(r"(?:[^\\\n]|\\[\\n])+", rest), f"{family.name}: an escape that the older parser refuses: {rest!r}")
        expect('"' not in rest, f"{family.name}: a quote that the newer parser wants escaped")
    setattr(family, attribute, rest)


def _add_sample(family, name, labels, value):
    expect(family.type, f"{family.name}: no TYPE before its samples")
    suffix = name[len(family.name):]
    expect(suffix in SUFFIXES[family.type], f"{name}: {suffix!r} is not for a {family.type}")
    pairs = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"', labels or "")
    names = [n for n, _ in pairs]
    expect(len(set(names)) == len(names), f"{name}: a label twice")
    expect(not any(n.startswith("__") for n in names), f"{name}: a label that is reserved")
    family.samples.append((suffix, {n: unescape(v) for n, v in pairs}, value))


def _check_family(family):
    name = family.name
    expect(family.type and family.help, f"{name}: without TYPE or HELP")
    seen, groups = set(), []
    for suffix, labels, value in family.samples:
        key = (suffix, tuple(sorted(labels.items())))
        expect(key not in seen, f"{name}: {key} twice")
        seen.add(key)
        if family.type != "gauge":
            expect(float(value) >= 0 and not math.isinf(float(value)), f"{name}: counts {value}")
        group = tuple(sorted((k, v) for k, v in labels.items() if not (family.type == "histogram" and k == "le")))
        if not groups or groups[-1] != group:
            expect(group not in groups, f"{name}: the samples of {group} are not together")
            groups.append(group)
    expect(len({tuple(sorted(l)) for s, l, _ in family.samples if s != "_bucket"}) <= 1, f"{name}: not the same labels everywhere")
    if family.type == "histogram":
        for group in groups:
            _check_histogram(family, dict(group))


def _check_histogram(family, group):
    def of(suffix):
        return [(l, float(v)) for s, l, v in family.samples if s == suffix and {k: x for k, x in l.items() if k != "le"} == group]

    buckets = of("_bucket")
    bounds = [l["le"] for l, _ in buckets]
    expect(bounds and bounds[-1] == "+Inf", f"{family.name}: no bucket for +Inf")
    for bound in bounds[:-1]:
        expect(repr(float(bound)) == bound, f"{family.name}: le {bound!r} is not as it is written canonically")
    numbers = [float(b) for b in bounds]
    expect(numbers == sorted(set(numbers)), f"{family.name}: bounds do not ascend")
    counts = [n for _, n in buckets]
    expect(counts == sorted(counts), f"{family.name}: buckets do not add up")
    expect([n for _, n in of("_count")] == [counts[-1]] and len(of("_sum")) == 1, f"{family.name}: count, or sum")


def value(families, family, suffix="", **labels):
    """The one sample with these labels; None: there is none."""
    found = [float(v) for s, l, v in families[family].samples if s == suffix and l == labels]
    return found[0] if found else None


def names(families):
    """The names that a query may use."""
    return {f.name + s for f in families.values() for s in SUFFIXES[f.type] if s != "_created"}
