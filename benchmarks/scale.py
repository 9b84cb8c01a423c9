#!/usr/bin/env python3
"""make bench-scale: a million znodes, a million watches, 100,000 children, 10,000 connections: memory and time, stock Netty beside encrypted.

One fresh standalone server for each experiment and configuration. Memory is the server's resident set, and its Java heap after a full
collection; time is the wall clock, and the server's CPU for each operation."""
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from servers import ROOT, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

OUT = ROOT / "build" / "bench"
JVM = ("-Xms256m", "-Xmx4g")


def resident(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {key: int(line.split()[1]) / 1024 for line in text.splitlines() for key in ("VmRSS", "VmHWM") if line.startswith(key)}


def heap_after_collection(pid):
    """MiB that live in the Java heap."""
    subprocess.run(["jcmd", str(pid), "GC.run"], capture_output=True, check=True)
    out = subprocess.run(["jcmd", str(pid), "GC.heap_info"], capture_output=True, text=True, check=True).stdout
    used = next(line for line in out.splitlines() if " used " in line).split(" used ")[1].split("K")[0]
    return int(used) / 1024


class Run:
    """One experiment on one fresh server; rows are (what, result or None)."""

    def __init__(self, configuration, connections):
        self.ensemble = Ensemble(configuration, jvm=JVM, settings=["maxClientCnxns=0"])
        self.pid = self.ensemble.pids[0]
        self.rows = []
        self.load = None
        try:
            self.memory("idle")
            begin = time.monotonic()
            self.load = Load(self.ensemble.connect, connections, self.ensemble.pids)
            self.row(f"{connections:,} sessions opened", seconds=time.monotonic() - begin)
        except BaseException:
            self.close()
            raise

    def row(self, what, **values):
        self.rows.append({"what": what} | values)

    def memory(self, what):
        self.row(what, heap_mib=heap_after_collection(self.pid), resident_mib=resident(self.pid)["VmRSS"])

    def phase(self, what, line):
        got = self.load.phase(line)
        self.row(what, seconds=got["seconds"], ops=got["ops"], ops_per_s=got["ops_per_s"], cpu_us_per_op=got["cpu_us_per_op"])

    def close(self):
        if self.load:
            self.load.close()
        self.ensemble.stop()


def znodes(configuration, n):
    run = Run(configuration, 64)
    try:
        run.phase(f"{n:,} znodes of 100 bytes created", f"create payload=100 depth=16 count={n}")
        run.memory(f"{n:,} znodes")
        run.phase("watches set by getData", f"watch depth=16 count={n}")
        run.memory(f"{n:,} znodes, as many watches")
        run.phase("set, every watch fires and arrives", f"touch depth=16 count={n}")
        restart(run)
        return run.rows
    finally:
        run.close()


def restart(run):
    """From the log and snapshots that lie there."""
    run.load.close()
    run.load = None
    begin = time.monotonic()
    run.ensemble.again()
    run.pid = run.ensemble.pids[0]
    run.row("server restarted, until it serves", seconds=time.monotonic() - begin)
    run.memory("after the restart")


def children(configuration, n):
    run = Run(configuration, 8)
    try:
        begin = time.monotonic()
        run.phase("first 8 listings", f"list children={n} count=8")
        run.row(f"{n:,} children created by one connection, and those listings", seconds=time.monotonic() - begin)
        run.phase(f"listing of {n:,}", f"list children={n} seconds=5")
        run.memory(f"{n:,} children")
        return run.rows
    finally:
        run.close()


def connections(configuration, n):
    run = Run(configuration, n)
    try:
        run.memory(f"{n:,} connections, idle")
        run.phase(f"get 1 KiB by {n:,} connections", "get payload=1024 depth=1 nodes=1 seconds=5 warm=5")
        run.phase(f"set 1 KiB by {n:,} connections", "set payload=1024 depth=1 nodes=1 seconds=5 warm=2")
        run.memory(f"{n:,} connections, after work")
        return run.rows
    finally:
        run.close()


EXPERIMENTS = {"znodes": (znodes, 1_000_000), "children": (children, 100_000), "connections": (connections, 10_000)}


def cell(row):
    if row is None:
        return ""
    parts = []
    if "seconds" in row:
        parts.append(f"{row['seconds']:.1f} s")
    if "ops_per_s" in row:
        parts.append(f"{row['ops_per_s']:,.0f} op/s, {row['cpu_us_per_op']:.1f} us CPU each")
    if "heap_mib" in row:
        parts.append(f"heap {row['heap_mib']:,.0f} MiB, resident {row['resident_mib']:,.0f} MiB")
    return "; ".join(parts)


def table(results):
    lines = []
    for name, by_configuration in results.items():
        lines += ["", f"| {name} | " + " | ".join(by_configuration) + " |", "| --- " + "| --- " * len(by_configuration) + "|"]
        for rows in zip(*by_configuration.values()):
            lines.append(f"| {rows[0]['what']} | " + " | ".join(cell(row) for row in rows) + " |")
    return "\n".join(lines[1:])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: make bench-scale OPTIONS='znodes=100000 connections=1000'")
    p.add_argument("--configurations", nargs="+", default=["netty", "encrypted"])
    p.add_argument("experiments", nargs="*", metavar="NAME[=N]", help=f"of {' '.join(f'{k}={n}' for k, (_, n) in EXPERIMENTS.items())} (all)")
    args = p.parse_args()
    chosen = {name: int(n) if n else EXPERIMENTS[name][1] for name, _, n in (e.partition("=") for e in args.experiments or EXPERIMENTS)}
    OUT.mkdir(parents=True, exist_ok=True)
    results = json.loads((OUT / "scale.json").read_text()) if args.experiments and (OUT / "scale.json").exists() else {}
    try:
        for name, n in chosen.items():
            for configuration in args.configurations:
                print(f"{time.strftime('%H:%M:%S')} {name}={n} {configuration}", file=sys.stderr, flush=True)
                results.setdefault(name, {})[configuration] = EXPERIMENTS[name][0](configuration, n)
    except BenchError as error:
        print(f"scale: error: RUN: {error}", file=sys.stderr)
        return 1
    (OUT / "scale.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "scale.md").write_text(table(results) + "\n")
    print(table(results))
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
