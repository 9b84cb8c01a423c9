#!/usr/bin/env python3
"""Two ways to run a server, A and B, side by side: B's throughput and CPU per operation as ratios to A's, over several launches.

For questions such as: what does one event loop less bring, what does another jar cost?"""
import argparse
import contextlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import stats  # noqa: E402
from servers import OPTIONS, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

PHASES = ("get payload=1024 depth=1", "get payload=1024 depth=16", "get payload=1024 depth=64", "set payload=1024 depth=1", "set payload=1024 depth=16",
          "mixed reads=90 payload=1024 depth=16")
WARM_UP = ("mixed reads=50 payload=1024 depth=16", "get payload=1024 depth=1", "get payload=1024 depth=64")


def start(stack, args, side):
    jvm = ["-Xms512m", "-Xmx512m", *getattr(args, f"jvm_{side}")]
    ensemble = Ensemble(getattr(args, side), args.servers, args.tls, jvm, getattr(args, f"set_{side}"))
    stack.callback(ensemble.stop)
    load = Load(ensemble.connect, args.connections, ensemble.pids, ensemble.certificates())
    stack.callback(load.close)
    return load


def launch(args, number, rows):
    with contextlib.ExitStack() as stack:
        sides = [start(stack, args, side) for side in "ab"]
        for phase in WARM_UP * 2:
            for load in sides:
                load.phase(f"{phase} warm=0 seconds={args.warm_up / 6}")
        for phase in args.phase or PHASES:
            for round_ in range(args.rounds):
                order = (0, 1) if (number + round_) % 2 == 0 else (1, 0)
                got = {side: sides[side].phase(f"{phase} warm=0.1 seconds={args.seconds}") for side in order}
                rows.setdefault(phase, {}).setdefault(number, []).append((got[0], got[1]))


def main():
    p = argparse.ArgumentParser(description=__doc__, epilog="example: benchmarks/compare.py --a netty --b tuned; benchmarks/compare.py --jvm-b=-Dio.netty.eventLoopThreads=1")
    p.add_argument("--a", choices=OPTIONS, default="encrypted")
    p.add_argument("--b", choices=OPTIONS, default="encrypted")
    for side in "ab":
        p.add_argument(f"--jvm-{side}", action="append", default=[], metavar="OPTION", help="a JVM option of this side")
        p.add_argument(f"--set-{side}", action="append", default=[], metavar="KEY=VALUE", help="a line of this side's zoo.cfg")
    p.add_argument("--servers", type=int, default=1)
    p.add_argument("--connections", type=int, default=8)
    p.add_argument("--tls", action="store_true")
    p.add_argument("--launches", type=int, default=3)
    p.add_argument("--rounds", type=int, default=4, help="of each phase within a launch")
    p.add_argument("--seconds", type=float, default=0.4)
    p.add_argument("--warm-up", type=float, default=8)
    p.add_argument("--phase", action="append", help="a line for the load generator; may be repeated")
    args = p.parse_args()
    rows = {}
    try:
        for number in range(args.launches):
            launch(args, number, rows)
            print(f"launch {number + 1} of {args.launches}", file=sys.stderr)
    except BenchError as error:
        print(f"compare: error: RUN: {error}", file=sys.stderr)
        return 1
    print("| phase | a: op/s; us | b: op/s; us | throughput b / a | CPU b / a |\n| --- | ---: | ---: | ---: | ---: |")
    for phase, launches in rows.items():
        every = [pair for pairs in launches.values() for pair in pairs]
        cells = [f"{stats.geomean([x[side]['ops_per_s'] for x in every]):,.0f}; {stats.geomean([x[side]['cpu_us_per_op'] for x in every]):.1f}" for side in (0, 1)]
        for key in ("ops_per_s", "cpu_us_per_op"):
            r = stats.overall([[(b[key], a[key]) for a, b in pairs] for pairs in launches.values()])
            cells.append(f"{r[0]:.3f} ({r[1]:.3f} to {r[2]:.3f})")
        print(f"| {phase} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
