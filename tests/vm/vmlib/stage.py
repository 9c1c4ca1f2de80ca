# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the tour looks: chapters, hands, quoted programs. Colour only on a terminal, never wider than 96 columns."""

import os
import shutil
import textwrap
import time

COLOURS = {"chapter": "1", "you": "1;33", "memhpd": "36", "good": "32", "bad": "1;31", "dim": "2"}


class Stage:
    def __init__(self, out):
        self._out = out
        terminal = out.isatty()
        self._colour = terminal and not os.environ.get("NO_COLOR")
        self._width = min(96, shutil.get_terminal_size((96, 24)).columns if terminal else 96)
        self._tick, self._cross = ("✓", "✗") if "utf" in (out.encoding or "").lower() else ("ok", "!!")
        self._pause = 1.5 if terminal else 0
        self._started = time.monotonic()

    def chapter(self, title):
        time.sleep(self._pause)         # somebody is reading
        self._print("")
        self._print(self._paint("chapter", f"── {title} ".ljust(self._width, "─") if self._tick == "✓"
                                else f"== {title} ".ljust(self._width, "=")))

    def text(self, words):
        self._print("")
        for line in textwrap.wrap(" ".join(words.split()), self._width):
            self._print(line)

    def you(self, words):
        """What the human at the machine does."""
        self._print("")
        self._hanging("you", "YOU", words)

    def memhpd(self, line):
        """What memhpd said, as it came."""
        self._hanging("memhpd", "memhpd", line)

    def shell(self, command, output, limit=60, prompt="#", hang=0):
        """A command and what it printed; what is too long for a line goes on at column `hang`."""
        self.command(command, prompt)
        lines = output.rstrip().splitlines()
        for line in lines[:limit]:
            self.output(line, hang)
        if len(lines) > limit:
            self._print(f"    … {len(lines) - limit} lines more")

    def command(self, words, prompt="#"):
        """What is typed. Its output() follows."""
        self._print("")
        self._print(self._paint("dim", f"  {prompt} ") + words)

    def output(self, line, hang=0):
        for part in textwrap.wrap(line, self._width - 4, subsequent_indent=" " * hang, drop_whitespace=True, break_on_hyphens=False,
                                  replace_whitespace=False) or [""]:
            self._print(("    " + part).rstrip())

    def good(self, words):
        """Something that was checked against the kernel, and holds."""
        self._hanging("good", self._tick, words, 2)

    def row(self, columns):
        """A checked line of a table, its columns already padded."""
        self._print("  " + self._paint("good", self._tick.ljust(2)) + columns)

    def failed(self, words):
        self._print("")
        self._hanging("bad", self._cross, words, 2)
        self._print("The tour ends here: not everything happened as it has to.")

    def end(self, words):
        self._print("")
        self.good(f"{words} ({time.monotonic() - self._started:.0f} s)")

    def _hanging(self, colour, head, words, width=8):
        """A paragraph behind a head that stands out."""
        lines = textwrap.wrap(" ".join(words.split()), self._width - width - 2, break_long_words=False,
                              break_on_hyphens=False) or [""]
        self._print("  " + self._paint(colour, head.ljust(width)) + lines[0])
        for line in lines[1:]:
            self._print(" " * (width + 2) + line)

    def _paint(self, colour, text):
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self._colour else text

    def _print(self, line):
        print(line, file=self._out, flush=True)
