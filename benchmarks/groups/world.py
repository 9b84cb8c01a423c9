"""What both experiments share: an ensemble, a World of tests/integration/gkgroups.py, statistics."""
import contextlib
import json
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from gkgroups import World  # noqa: E402  (the path comes first)
from gktest import Sandbox  # noqa: E402

MEMBERS = ROOT / "build" / "bench" / "members"
OUT = ROOT / "build" / "bench" / "groups"


class Stage(contextlib.ExitStack):
    """An ensemble of three servers without the plugin, stopped at the end."""

    def __enter__(self):
        super().__enter__()
        OUT.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = None
        self.sandbox = Sandbox(self)
        self.connect = self.sandbox.start("--servers", 3, "--plugin", "off")
        return self

    def addCleanup(self, function, *args, **more):
        self.callback(function, *args, **more)

    def world(self):
        return World(self, self.connect)


def interval(values):
    """Mean and half the width of its 95 % confidence interval (normal approximation)."""
    if len(values) < 2:
        return (values[0] if values else None), None
    return statistics.mean(values), 1.96 * statistics.stdev(values) / len(values) ** 0.5


def write(name, result):
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {OUT / name}.json")
