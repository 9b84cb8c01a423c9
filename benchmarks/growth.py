#!/usr/bin/env python3
"""make bench-growth: how the cost of encryption grows with path depth, name length, children, connections and servers.

Encrypted beside stock Netty with our tuning: what differs is encryption alone. Launches are interleaved as in run.py."""
import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import stats  # noqa: E402
from cases import Case, Part  # noqa: E402
from run import OUT, launch, say  # noqa: E402
from servers import BenchError, ended_cleanly  # noqa: E402

PAIR = ("tuned", "encrypted")


def place(servers, connections, rows):
    return Part(f"{servers} server(s), {connections} connection(s)", servers, False, tuple(Case((row,)) for row in rows), 5, warm_up=20, configurations=PAIR,
                connections=connections)


PLAN = (
    place(1, 8, [*((f"path of {n} components", f"get payload=128 depth=16 path={n}") for n in (2, 4, 8, 16)),
                 *((f"name of {n} bytes", f"get payload=128 depth=16 name-length={n}") for n in (16, 64, 200)),
                 *((f"{n:,} children", f"list children={n} depth={max(1, min(16, 2000 // n))}") for n in (10, 100, 1000, 10000)),
                 *((f"payload of {n:,} bytes", f"get payload={n} depth=16") for n in (0, 1024, 16384, 131072))]),
    place(1, 1, [("1 connection", "get payload=1024 depth=16")]),
    place(1, 64, [("64 connections", "get payload=1024 depth=16")]),
    place(1, 512, [("512 connections", "get payload=1024 depth=1")]),
    place(3, 8, [("3 servers, get", "get payload=1024 depth=16"), ("3 servers, set", "set payload=1024 depth=16")]),
    place(5, 8, [("5 servers, get", "get payload=1024 depth=16"), ("5 servers, set", "set payload=1024 depth=16")]),
)


def table(results):
    """results: of run.launch. Of each case, both configurations have a figure of each launch, in order."""
    lines = ["| | tuned: op/s; us | encrypted: op/s; us | throughput | CPU added by encryption, us |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in dict.fromkeys(r["case"] for r in results):
        by = {c: [r for r in results if (r["case"], r["configuration"]) == (row, c)] for c in PAIR}
        pairs = list(zip(by["encrypted"], by["tuned"]))
        ratio = stats.ratio([(e["ops_per_s"], t["ops_per_s"]) for e, t in pairs])
        added = stats.interval([e["cpu_us_per_op"] - t["cpu_us_per_op"] for e, t in pairs])
        cells = [f"{stats.geomean([x['ops_per_s'] for x in by[c]]):,.0f}; {stats.geomean([x['cpu_us_per_op'] for x in by[c]]):.1f}" for c in PAIR]
        lines.append(f"| {row} | {' | '.join(cells)} | {ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f}) | {added[0]:.1f} ({added[1]:.1f} to {added[2]:.1f}) |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: make bench-growth OPTIONS='--launches 8'")
    p.add_argument("--launches", type=int, help="instead of five")
    p.add_argument("--seconds", type=float, default=0.6, help="for each figure")
    args = p.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    results = []
    try:
        for part in PLAN:
            part = replace(part, seconds=args.seconds, launches=args.launches or part.launches)
            for number in range(part.launches):
                say(f"{part.title}: launch {number + 1} of {part.launches}")
                launch(part, number, results)
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
