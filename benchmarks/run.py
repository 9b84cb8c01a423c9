#!/usr/bin/env python3
"""make bench: stock NIO, stock Netty, stock Netty with our tuning, and encrypted, side by side in one run.

Each launch starts fresh JVMs of all configurations; then every case is run on each of them in turn, in an order that rotates, so that what
the machine does meanwhile meets all of them alike. Raw figures: build/bench/raw/PART.json; report.py makes tables and plots of them."""
import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cases  # noqa: E402
import report  # noqa: E402
import threads  # noqa: E402
from servers import ROOT, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

OUT = ROOT / "build" / "bench"
WARM_UP = ("mixed reads=50 payload=1024 depth=16", "get payload=1024 depth=1", "create payload=1024 depth=16", "delete depth=16", "exists payload=1024 depth=16",
           "list children=100 depth=16", "list children=10000 depth=1", "set payload=16384 depth=16", "sequential payload=128 depth=16", "delete depth=16")
SETTLED = 0.03 # share of the servers' CPU that the JIT compiler takes at most when they are warm


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


class Pair:
    """Servers of one configuration and the load on them."""

    def __init__(self, configuration, part):
        self.ensemble = Ensemble(configuration, part.servers, part.tls)
        try:
            self.load = Load(self.ensemble.connect, part.connections, self.ensemble.pids, self.ensemble.certificates())
        except BaseException:
            self.ensemble.stop()
            raise

    def cpu(self):
        """Nanoseconds by kind of thread, of all servers."""
        return sum((threads.cpu(pid) for pid in self.ensemble.pids), Counter())

    def close(self):
        self.load.close()
        self.ensemble.stop()


def configurations(part):
    """NIO has no TLS."""
    return [c for c in part.configurations if not (part.tls and c == "nio")]


def warm_up(pairs, part):
    """Rounds of all kinds of requests until the compiler rests in two of them, for so many seconds of each configuration at most. Gives the share that
    it took in the last one."""
    cold, left, spent = dict(pairs), dict.fromkeys(pairs, 1.0), Counter()
    phases = [p for p in WARM_UP if part.connections <= 64 or "payload=16384" not in p]  # each has its own nodes: they must fit into the heap
    while cold:
        for name, pair in list(cold.items()):
            begin, before = time.monotonic(), pair.cpu()
            for phase in phases:
                pair.load.phase(f"{phase} warm=0 seconds=0.25")
            used = pair.cpu() - before
            spent[name] += time.monotonic() - begin
            former, left[name] = left[name], used["JIT"] / used.total()
            if max(former, left[name]) <= SETTLED or spent[name] >= part.warm_up:
                del cold[name]
    return left


def launch(part, number, results):
    pairs = {}
    try:
        with ThreadPoolExecutor() as pool:
            starting = {c: pool.submit(Pair, c, part) for c in configurations(part)}
        pairs = {c: made.result() for c, made in starting.items() if not made.exception()}
        for made in starting.values():
            made.result()
        cold = {name: share for name, share in warm_up(pairs, part).items() if share > SETTLED}
        if cold:
            say("not warm: " + ", ".join(f"{name}, {100 * share:.0f} % of its CPU is the JIT compiler's" for name, share in cold.items()))
        names = list(pairs)
        for repetition in range(part.repetitions):
            for at, case in enumerate(part.cases):
                shift = (number * part.repetitions + repetition + at) % len(names)
                for configuration in names[shift:] + names[:shift]:
                    for name, phase in case.phases:
                        got = pairs[configuration].load.phase(f"{phase} warm=0.15 seconds={part.seconds}")
                        if name:
                            results.append({"launch": number, "repetition": repetition, "configuration": configuration, "case": name} | got)
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Pair.close, pairs.values()))


def run_part(name, part, raw):
    results, begin = [], time.time()
    for number in range(part.launches):
        say(f"{name}: launch {number + 1} of {part.launches}")
        launch(part, number, results)
        document = {"part": name, "title": part.title, "servers": part.servers, "tls": part.tls, "launches": number + 1, "seconds": part.seconds,
                    "took_s": round(time.time() - begin), "results": results}
        (raw / f"{name}.json").write_text(json.dumps(document))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: make bench QUICK=1; make bench OPTIONS='--parts standalone zpp --launches 8'")
    p.add_argument("--quick", action="store_true", help="fewer launches and cases: five minutes instead of two hours")
    p.add_argument("--launches", type=int, help="instead of each part's own number")
    p.add_argument("--warm-up", type=float, help="seconds at most for each configuration of a launch, instead of each part's own")
    p.add_argument("--repetitions", type=int, help="of all cases within a launch, instead of each part's own number")
    p.add_argument("--seconds", type=float, help="for each figure, instead of each part's own time")
    p.add_argument("--configurations", nargs="+", choices=cases.CONFIGURATIONS, metavar="NAME", help=f"of {' '.join(cases.CONFIGURATIONS)} (all)")
    p.add_argument("--out", type=Path, default=OUT, help="where results go (build/bench)")
    p.add_argument("--parts", nargs="+", metavar="PART", help=f"of {' '.join(cases.FULL)} (all)")
    args = p.parse_args()
    parts = cases.QUICK_PARTS if args.quick else cases.FULL
    if unknown := set(args.parts or ()) - set(parts):
        p.error(f"no part {', '.join(sorted(unknown))}")
    raw = args.out / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    if not args.parts:
        for old in raw.glob("*.json"):
            old.unlink()
    try:
        for name in args.parts or parts:
            part = parts[name]
            part = replace(part, **{key: value for key, value in (("launches", args.launches), ("seconds", args.seconds),
                                                                    ("repetitions", args.repetitions), ("warm_up", args.warm_up), ("configurations", args.configurations)) if value})
            run_part(name, part, raw)
    except BenchError as error:
        print(f"bench: error: RUN: {error}", file=sys.stderr)
        return 1
    print(report.write(args.out))
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
