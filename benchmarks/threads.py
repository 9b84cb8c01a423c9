#!/usr/bin/env python3
"""Where the server's CPU time goes by thread, side by side for several configurations, and without the JIT compiler's, which is counted apart.

Steadier than throughput on a machine with other work: the kernel's own account of each thread (/proc/PID/task/TID/schedstat), over short
rounds that alternate. Shown is the median of the rounds, and their least sum."""
import argparse
import contextlib
import statistics
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from servers import OPTIONS, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

PHASES = ("get payload=1024 depth=16", "set payload=1024 depth=16", "list children=100 depth=16", "list children=10000 depth=1")
THREADS = {"zkNetty": "event loop", "SyncThread": "SyncThread", "RequestThr": "throttler", "ProcessThr": "preparer", "C1 Compile": "JIT", "C2 Compile": "JIT"}


def kind(name):
    return next((kind for start, kind in THREADS.items() if name.startswith(start)), "others")


def cpu(pid):
    """Nanoseconds that each kind of thread has run; threads that are gone don't count."""
    total = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total[kind((task / "comm").read_text())] += int((task / "schedstat").read_text().split()[0])
    return total


def one_round(load, pid, phase, seconds):
    load.phase(f"{phase} warm=0 seconds=0.2")
    before = cpu(pid)
    result = load.phase(f"{phase} warm=0 seconds={seconds}")
    after = cpu(pid)
    return {k: (after[k] - before[k]) / 1000 / result["ops"] for k in after}, result["ops_per_s"]


def row(phase, configuration, rounds):
    kinds = [*dict.fromkeys(THREADS.values()), "others"]
    sums = [sum(v for k, v in r.items() if k != "JIT") for r, _ in rounds]
    cells = [statistics.median(r.get(k, 0) for r, _ in rounds) for k in kinds]
    return (f"| {phase} | {configuration} | {statistics.median(ops for _, ops in rounds):,.0f} | {statistics.median(sums):.1f}; {min(sums):.1f} | "
            + " | ".join(f"{c:.2f}" for c in cells) + " |")


def main():
    p = argparse.ArgumentParser(description=__doc__, epilog="example: benchmarks/threads.py --configuration tuned encrypted --phase 'get depth=1'")
    p.add_argument("--configuration", nargs="+", choices=OPTIONS, default=["tuned", "encrypted"])
    p.add_argument("--phase", action="append", help="a line for the load generator; may be repeated")
    p.add_argument("--warm-up", type=float, default=6, help="seconds of each phase before its first round")
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--seconds", type=float, default=0.7)
    args = p.parse_args()
    kinds = [*dict.fromkeys(THREADS.values()), "others"]
    print(f"| phase | | op/s | us; least | {' | '.join(kinds)} |\n| --- | --- | ---: | ---: |" + " ---: |" * len(kinds))
    try:
        with contextlib.ExitStack() as stack:
            sides = []
            for configuration in args.configuration:
                ensemble = Ensemble(configuration, 1, False, ["-Xms512m", "-Xmx512m"])
                stack.callback(ensemble.stop)
                load = Load(ensemble.connect, 8, ensemble.pids, ensemble.certificates())
                stack.callback(load.close)
                sides.append((configuration, ensemble.pids[0], load, []))
            for phase in args.phase or PHASES:
                for _, _, load, rounds in sides:
                    load.phase(f"{phase} warm=0 seconds={args.warm_up}")
                    rounds.clear()
                for _ in range(args.rounds):
                    for _, pid, load, rounds in sides:
                        rounds.append(one_round(load, pid, phase, args.seconds))
                for configuration, _, _, rounds in sides:
                    print(row(phase, configuration, rounds), flush=True)
    except BenchError as error:
        print(f"threads: error: RUN: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
