# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures as a table for people, in a file of their own or in the midst of another."""

import os
import re

from .measure import number

BEGIN, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"


def _cell(figure, peer):
    values, unit = figure.values[peer], figure.unit
    if len(set(values)) == 1:
        return f"{number(values[0])} {unit}"
    return f"{number(figure.median(peer))} {unit} ({number(min(values))} to {number(max(values))})"


def _row(figure):
    peers = [p for p in figure.values if p != figure.ours]
    others = "<br>".join(f"{p}: {_cell(figure, p)}" for p in peers) or "–"
    met, words = figure.verdict()
    of = figure.goal[1]
    reached = f": {figure.ratio(of):.3g} ×" if of else ""
    return f"| {figure.title} | {_cell(figure, figure.ours)} | {others} | {words} | {'met' if met else '**missed**'}{reached} |"


def table(figures, machine, command, rounds, without):
    """Lines. without: what could not be measured, and why."""
    yield "{processors} × {cpu}, Linux {kernel}; guests in QEMU without KVM (TCG).".format(**machine)
    yield f"Medians (and ranges) of {rounds} rounds, made by `{command}`:"
    yield ""
    yield "| measure | memhpd | beside it | goal | |"
    yield "|---|---|---|---|---|"
    yield from (_row(figure) for figure in figures if figure.goal)
    if without:
        yield ""
        yield "Not measured: " + "; ".join(f"{name} ({why})" for name, why in without) + "."


def write(path, lines):
    """Between the marks, where the file has them; else the whole of it."""
    text = "\n".join(lines) + "\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            old = f.read()
        if BEGIN in old and END in old:
            text = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}{END}", old, flags=re.S)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
