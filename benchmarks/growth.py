#!/usr/bin/env python3
"""make bench-growth: how the cost of encryption grows with path depth, name length, children, connections and servers.

Encrypted beside stock Netty with our tuning: what differs is encryption alone. Launches are interleaved as in run.py."""
import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import stats  # noqa: E402
from servers import ROOT, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

OUT = ROOT / "build" / "bench"
PAIR = ("tuned", "encrypted")
# (servers, connections): [(row, phase)]
PLAN = {
    (1, 8): [*((f"path of {n} components", f"get payload=128 depth=16 path={n}") for n in (2, 4, 8, 16)),
             *((f"name of {n} bytes", f"get payload=128 depth=16 name-length={n}") for n in (16, 64, 200)),
             *((f"{n:,} children", f"list children={n} depth={max(1, min(16, 2000 // n))}") for n in (10, 100, 1000, 10000)),
             *((f"payload of {n:,} bytes", f"get payload={n} depth=16") for n in (0, 1024, 16384, 131072))],
    (1, 1): [("1 connection", "get payload=1024 depth=16")],
    (1, 64): [("64 connections", "get payload=1024 depth=16")],
    (1, 512): [("512 connections", "get payload=1024 depth=1")],
    (3, 8): [("3 servers, get", "get payload=1024 depth=16"), ("3 servers, set", "set payload=1024 depth=16")],
    (5, 8): [("5 servers, get", "get payload=1024 depth=16"), ("5 servers, set", "set payload=1024 depth=16")],
}


def launch(place, rows, seconds, results):
    servers, connections = place
    with contextlib.ExitStack() as stack:
        loads = {}
        for configuration in PAIR:
            ensemble = Ensemble(configuration, servers, jvm=("-Xms512m", "-Xmx512m"))
            stack.callback(ensemble.stop)
            loads[configuration] = Load(ensemble.connect, connections, ensemble.pids)
            stack.callback(loads[configuration].close)
        for phase in ("mixed reads=50 payload=1024 depth=16", "get payload=1024 depth=16", "list children=100 depth=4") * 2:
            for load in loads.values():
                load.phase(f"{phase} warm=0 seconds=1.3")
        for at, (row, phase) in enumerate(rows):
            for configuration in PAIR if at % 2 else reversed(PAIR):
                got = loads[configuration].phase(f"{phase} warm=0.15 seconds={seconds}")
                results.setdefault(row, {}).setdefault(configuration, []).append(got)


def table(results):
    lines = ["| | tuned: op/s; us | encrypted: op/s; us | throughput | CPU added by encryption, us |", "| --- | ---: | ---: | ---: | ---: |"]
    for row, by in results.items():
        pairs = list(zip(by["encrypted"], by["tuned"]))
        ratio = stats.ratio([(e["ops_per_s"], t["ops_per_s"]) for e, t in pairs])
        added = stats.interval([e["cpu_us_per_op"] - t["cpu_us_per_op"] for e, t in pairs])
        cells = [f"{stats.geomean([x['ops_per_s'] for x in by[c]]):,.0f}; {stats.geomean([x['cpu_us_per_op'] for x in by[c]]):.1f}" for c in PAIR]
        lines.append(f"| {row} | {' | '.join(cells)} | {ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f}) | {added[0]:.1f} ({added[1]:.1f} to {added[2]:.1f}) |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: make bench-growth OPTIONS='--launches 5'")
    p.add_argument("--launches", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.6)
    args = p.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    results = {}
    try:
        for place, rows in PLAN.items():
            for number in range(args.launches):
                print(f"{time.strftime('%H:%M:%S')} {place[0]} server(s), {place[1]} connection(s): launch {number + 1}", file=sys.stderr, flush=True)
                launch(place, rows, args.seconds, results)
    except BenchError as error:
        print(f"growth: error: RUN: {error}", file=sys.stderr)
        return 1
    (OUT / "growth.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "growth.md").write_text(table(results) + "\n")
    print(table(results))
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
