"""How the demo talks: calm, in whole sentences, the same text with and without a terminal; colours only on one."""
import os
import sys
import time
import textwrap

WIDTH = 100
INDENT = "    "
STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31;1", "yellow": "33"}


class Show:
    """Prints, and keeps the list of promises that held or broke."""

    def __init__(self, quiet=False):
        self.quiet = quiet
        self.tty = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.chapter_number = 0
        self.kept, self.broken, self.excused = [], [], []

    def style(self, name, text):
        return f"\033[{STYLES[name]}m{text}\033[0m" if self.tty else text

    def out(self, text=""):
        if not self.quiet:
            print(text, flush=True)

    def title(self, text, below):
        self.out(self.style("bold", text))
        for line in textwrap.wrap(below, WIDTH):
            self.out(line)

    def chapter(self, text, below):
        """A heading and why one should look; on a terminal there is a moment to read it."""
        self.chapter_number += 1
        self.out()
        self.out(self.style("bold", f"{self.chapter_number}. {text}"))
        for line in textwrap.wrap(below, WIDTH - len(INDENT)):
            self.out(INDENT + line)
        if self.tty and not self.quiet:
            time.sleep(1.5)

    def command(self, text):
        self.out(INDENT + self.style("dim", f"$ {text}"))

    def line(self, text=""):
        self.out(INDENT + text)

    def row(self, label, text):
        """A label and a value that may need several lines."""
        lines = textwrap.wrap(str(text), WIDTH - len(INDENT) - 16, break_on_hyphens=False) or [""]
        self.out(f"{INDENT}{label:<16}{lines[0]}")
        for more in lines[1:]:
            self.out(f"{INDENT}{'':<16}{more}")

    def promise(self, held, text, excuse=""):
        """States a promise and whether it held. An excuse turns a broken one into an expected one (a run without the plugin)."""
        if held:
            self.kept.append(text)
            mark = self.style("green", "ok      ")
        elif excuse:
            self.excused.append(text)
            mark, text = self.style("yellow", "expected"), f"NOT so: {text} ({excuse})"
        else:
            self.broken.append(text)
            mark = self.style("red", "FAILED  ")
        self.out(f"{INDENT}{mark} {text}")
        return held
