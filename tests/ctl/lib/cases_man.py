# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page and the tables of verbs, options and columns tell of the same."""

import os
import re

MAN = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "man")
PAGE = os.path.join(MAN, "memhpctl.1")


def _offers(ctl, *words):
    return [line.split("\t")[0] for line in ctl.run("complete", "--", *words).out.splitlines()]


def _page():
    with open(PAGE, encoding="utf-8") as f:
        return f.read()


def _section(page, begin, end):
    return page.split(begin, 1)[1].split(end, 1)[0]


def case_man_verbs(checks, ctl):
    part = _section(_page(), "\n.Ss Verbs\n", "\n.Ss Selectors\n")
    taught = re.findall(r"^\.It Cm ([a-z-]+)", part, re.MULTILINE)
    verbs = _offers(ctl, "")
    checks.equal("each verb, once", sorted(taught), sorted(verbs))
    usages = {usage.split()[0]: usage for usage in re.findall(r"^Usage: memhpctl \[OPTION \.\.\.\] (.*)$", "\n".join(
        ctl.run("help", verb).out for verb in verbs), re.MULTILINE)}
    for verb in verbs:
        head = re.search(rf"^\.It Cm {verb}(.*)$", part, re.MULTILINE).group(1)
        checks.equal(f"{verb}: takes something", bool(head.strip()), usages[verb].strip() != verb)
        checks.equal(f"{verb}: … or need not", "Op" in head, "[" in usages[verb])


def case_man_options(checks, ctl):
    part = _section(_page(), "\n.Sh OPTIONS\n", "\n.Sh OUTPUT\n")
    taught = {}
    for line in re.findall(r"^\.It (Fl .*)$", part, re.MULTILINE):
        letters = re.findall(r"Fl ([A-Za-z])\b(?! *Fl)", line.replace("Fl Fl", "--"))
        for name in re.findall(r"Fl Fl ([a-z-]+)", line):
            taught[name] = (letters[0] if letters else None, "Ar" in line)
    known = {}
    for letter, name, argument in re.findall(r"^  (?:-(.),|   ) --([a-z-]+)(\[=|  ?[A-Z]|)", ctl.run("help").out.split("Options:")[1], re.MULTILINE):
        known[name] = (letter or None, bool(re.search("[A-Z=]", argument)))
    checks.equal("each option", sorted(taught), sorted(known))
    checks.equal("… which completion offers", sorted("--" + name for name in known), sorted(_offers(ctl, "--")))
    for name, expected in known.items():
        checks.equal(f"--{name}: its letter, and whether it takes an argument", taught.get(name), expected)


def case_man_columns(checks, ctl):
    page = _page()
    for verb in _offers(ctl, ""):
        columns = [c for c in _offers(ctl, verb, "-o", "")]
        if not columns:
            continue
        part = re.search(rf"^\.It Cm {verb}\b.*?(?=^\.It Cm |^\.Ss )", page, re.MULTILINE | re.DOTALL).group(0)
        taught = set(re.findall(r"\.(?:It )?Li ([A-Z][A-Z0-9-]*(?: , [A-Z-]+)*)", part))
        taught = {word for words in taught for word in words.split(" , ")}
        checks.equal(f"{verb}: each column is told of", [c for c in columns if c not in taught], [])


# A word that is none, wherever there may be one: the program says what it knows.
STRAYS = """\
nokey = 1;
retry = { nokey = 1; };
alerts = { nokey = 1; };
rules = ( { nokey = 1; action = "noaction"; match = { nokey = 1; source = "nosource"; platform = "noplatform";
            architecture = "noarchitecture"; }; } );
"""


def case_man_configuration(checks, ctl):
    """memhpd.conf(5) has every key and every word that the program takes, and none that it does not."""
    said = ctl.run("check", ctl.file("strays.conf", STRAYS)).err
    known = {}
    for what, words in re.findall(r"^\S+:\d+: ([a-z. ]+): \"no[a-z]+\" is not .*?[Kk]nown are (.*)$", said, re.MULTILINE):
        known[what] = words.split(", ")
    checks.equal("what there is to know", sorted(known), sorted(["the file", "retry", "alerts", "a rule", "match", "match.source",
                                                                 "match.platform", "match.architecture", "action"]))
    with open(os.path.join(MAN, "memhpd.conf.5"), encoding="utf-8") as f:
        page = f.read()
    keys = [k for what in ("the file", "retry", "alerts", "a rule", "match") for k in known[what]]
    checks.equal("each key", sorted(re.findall(r"^\.It Ic (\w+)", page, re.MULTILINE)), sorted(keys))
    sources = _section(page, "\n.Sh SOURCES\n", "\n.Sh ")
    checks.equal("each source", sorted(re.findall(r"^\.It Li (\S+)", sources, re.MULTILINE)), sorted(known["match.source"]))
    actions = _section(page, "\n.Ss Actions\n", "\n.Ss ")
    checks.equal("each action", sorted(re.findall(r"^\.It Li (\S+)", actions, re.MULTILINE)), sorted(known["action"]))
    for key, words in (("platform", known["match.platform"]), ("architecture", known["match.architecture"])):
        part = _section(page, f"\n.It Ic {key} ", "\n.It Ic ")
        taught = {word for line in re.findall(r"^\.Li ([a-z].*)$", part, re.MULTILINE) for word in re.findall(r"[a-z0-9-]+", line)}
        checks.equal(f"each word of {key}", sorted(taught), sorted(words))
    quoted = re.sub(r" \\e\n", " ", _page())
    checks.expect(", ".join(known["match.source"]) in quoted, "the example of memhpctl(1) names all sources")
