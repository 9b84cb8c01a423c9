"""What the experiments share: an ensemble, a World of tests/integration/gkgroups.py, many members in one process, progress, statistics."""
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[1:1] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "integration")]

import stats  # noqa: E402  (the path comes first)
from gkgroups import ADMIN, MEMBER, World, wait  # noqa: E402, F401
from gktest import Sandbox  # noqa: E402
from scale import heap_after_collection, resident  # noqa: E402

MEMBERS = ROOT / "build" / "bench" / "members"
OUT = ROOT / "build" / "bench" / "groups"


class Stage(contextlib.ExitStack):
    """An ensemble of three servers without the plugin, stopped at the end."""

    def __init__(self, *options):
        super().__init__()
        self.options = options

    def __enter__(self):
        super().__enter__()
        OUT.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = None
        self.sandbox = Sandbox(self)
        self.connect = self.sandbox.start("--servers", 3, "--plugin", "off", *self.options)
        return self

    def addCleanup(self, function, *args, **more):
        self.callback(function, *args, **more)

    def world(self):
        return World(self, self.connect)

    def servers(self):
        return [s["pid"] for s in self.sandbox.status()["servers"]]

    def heaps(self):
        """MiB that live in each server's heap, and that are resident."""
        return [(heap_after_collection(pid), resident(pid)["VmRSS"]) for pid in self.servers()]


class Crowd:
    """Many members in one process (members.c). Their state files lie on tmpfs: each would have a disk of its own."""

    def __init__(self, world, rate, seconds, *args, group=None, token=None, ask=False):
        where = ["--group", group, "--token-file", token] if group else []
        self.holder = tempfile.TemporaryDirectory(prefix="gk-members-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.dir = Path(self.holder.name)
        self.process = subprocess.Popen([str(a) for a in (
            MEMBERS, *where, "--connect", world.connect, "--root", world.root, "--dir", self.dir, "--rate", rate, "--seconds", seconds, *args,
            *(["--ask"] if ask else []))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        world.processes.append(self.process)
        self.pid, self.joins = self.process.pid, []

    def lines(self):
        """Of one that isn't asked: all that it says until it ends."""
        found = [json.loads(line) for line in self.process.communicate()[0].splitlines()]
        self.holder.cleanup()
        if self.process.returncode:
            raise AssertionError(f"members: exit {self.process.returncode}")
        return found

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"members ended: {self.process.wait()}")
        return json.loads(line)

    def joined(self):
        """Waits until all have joined."""
        while "joined" not in (line := self.answer()):
            self.joins.append(line)
        return [j for j in self.joins if j["result"] == "done"]

    def tell(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()

    def ask(self, question):
        self.tell(question)
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.holder.cleanup()


def cpu(pids):
    """Seconds of CPU that these processes have had."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def others(seconds=2):
    """The share of this machine's CPU that is in use now, before an experiment begins: what a quiet machine hasn't."""
    def look():
        values = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
        return sum(values), values[3] + values[4]
    before = look()
    time.sleep(seconds)
    after = look()
    return 1 - (after[1] - before[1]) / max(after[0] - before[0], 1)


def machine():
    """For the record, with each run: when, and how busy the machine was before it."""
    return {"at": time.strftime("%Y-%m-%d %H:%M"), "cores": len(os.sched_getaffinity(0)), "busy_before": round(others(), 2), "load": round(os.getloadavg()[0], 1)}


class Progress:
    """Tells what runs, and when all of it will be done."""

    def __init__(self, seconds):
        """seconds: what each step is expected to take."""
        self.plan, self.done, self.begin = list(seconds), 0, time.monotonic()
        print(f"{len(self.plan)} runs, about {sum(self.plan) / 60:.0f} minutes", flush=True)

    def step(self, text):
        self.done += 1
        planned, took = sum(self.plan[:self.done]), time.monotonic() - self.begin
        left = sum(self.plan[self.done:]) * took / planned
        print(f"[{self.done}/{len(self.plan)}, {left / 60:.0f} min left] {text}", flush=True)


def interval(values, most=math.inf):
    """Mean and 95 % confidence interval (Student's t) of independent values, which lie between 0 and most; low and high are None for a single one."""
    if not values:
        return {"mean": None, "low": None, "high": None, "n": 0}
    mean, low, high = stats.interval(values)
    return {"mean": mean, "low": max(low, 0) if math.isfinite(low) else None, "high": min(high, most) if math.isfinite(high) else None, "n": len(values)}


def share(good, all_of_them):
    """A share in percent with its 95 % interval (Wilson's, which also says something when nothing failed)."""
    if not all_of_them:
        return {"mean": None, "low": None, "high": None, "n": 0}
    z, p, n = 1.96, good / all_of_them, all_of_them
    centre, half = (p + z * z / (2 * n)) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return {"mean": 100 * p, "low": 100 * max(centre - half, 0), "high": 100 * min(centre + half, 1), "n": n}


def write(name, result):
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def read(name):
    file = OUT / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {}
