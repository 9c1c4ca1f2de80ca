# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page and the tables of verbs, options and columns tell of the same."""

import os
import re

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "man", "memhpctl.1")


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
