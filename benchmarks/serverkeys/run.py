#!/usr/bin/env python3
"""Keys made inside the servers, measured on a real ensemble (3 servers, an observer, TLS): how long until every member has a new key
 - when a member joins or leaves, by the size of the group; beside it the layered way, a run of TGDH among all members
 - of all groups (13 members each), when the servers change: the observer is killed, and comes back; beside it, after the same kill, the layered
   way: the members of each group run TGDH among themselves through ZooKeeper
Members are sessions spread over the three voters; in the second part 13 of them are members of all groups at once (rekey.c says what is measured).

usage: run.py [--sizes N...] [--groups N...] [--rounds N] --program FILE --out FOLDER        writes serverkeys.json and serverkeys.svg
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from test_serverkeys import Ensemble  # noqa: E402 (needs the path above)

GROUP_SIZE = 13
PAPER = (4000, 80)  # ms for 200 groups, as its text says


class Bench(Ensemble):
    """Borrows the test's ensemble."""

    def runTest(self):
        pass


class Machines:
    """So many members of each of so many groups (rekey.c), spread over the three voters; they rekey all groups, in one way or the other."""

    def __init__(self, bench, program, groups, members=GROUP_SIZE):
        self.process = subprocess.Popen([program, "--groups", str(groups), "--members", str(members), "--ca", bench.tls / "ca.pem", "--cert", bench.tls / "client.pem", "--key",
                                         bench.tls / "client.key", *bench.secure[:3]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask("setup")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"rekey ended at {command}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        if self.process.wait():
            raise AssertionError(f"rekey: exit {self.process.returncode}")


def integrated(bench, machines, before, participants):
    """The servers' own run, as the slowest of them tells, and then all members' reads."""
    agreement, _ = bench.agreed(participants, 60, before)
    run = max(bench.status_of(i - 1)["run_ms"] for i in participants)
    read = machines.ask(f"integrated {agreement}")
    return agreement, {"run_ms": run, "read_ms": read["ms"], "reads": read["reads"], "cpu_ms": read["clients_cpu_ms"], "ms": run + read["ms"]}


def membership(bench, program, size, rounds, with_layered):
    """A guest joins and leaves so many times; and all members run TGDH once, as the layered way has to on either."""
    machines = Machines(bench, program, 1, size)
    machines.ask("follow")
    row = {"size": size, "join": [], "leave": []}
    for _ in range(rounds):
        for way in ("join", "leave"):
            time.sleep(0.2)
            answer = machines.ask(way)
            row[way].append(answer["ms"])
            row["reads"] = max(row.get("reads", 0), answer["reads"])
    for way in ("join", "leave"):
        row[way] = {"median": statistics.median(row[way]), "max": max(row[way])}
    if with_layered:
        answer = machines.ask("layered")
        row["layered"] = {"ms": answer["ms"], "reads": answer["reads"], "writes": answer["writes"], "cpu_ms": answer["clients_cpu_ms"]}
    machines.close()
    return row


def servers_change(bench, program, count, with_layered):
    """All groups' keys after the observer has died, both ways, and after it is back."""
    machines = Machines(bench, program, count)
    before, _ = bench.agreed([1, 2, 3, 4], 60)
    bench.sandbox.run("kill", 4)
    before, leave = integrated(bench, machines, before, [1, 2, 3])
    row = {"groups": count, "leave": leave}
    if with_layered:
        layered = machines.ask("layered")
        row["layered"] = {"ms": layered["ms"], "reads": layered["reads"], "writes": layered["writes"], "cpu_ms": layered["clients_cpu_ms"]}
        row["ratio"] = layered["ms"] / leave["ms"]
    bench.sandbox.run("restart", 4)
    _, row["join"] = integrated(bench, machines, before, [1, 2, 3, 4])
    machines.close()
    return row


def plot(result, file):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for name in ("join", "leave"):
        left.plot([r["size"] for r in result["membership"]], [r[name]["median"] for r in result["membership"]], marker="o", label=f"integrated, {name}")
    both = [r for r in result["membership"] if "layered" in r]
    left.plot([r["size"] for r in both], [r["layered"]["ms"] for r in both], "s--", label="layered, either")
    left.set(xscale="log", yscale="log", xlabel="members", ylabel="ms until all have the new key", title="a member joins, leaves (paper: figure 5)")
    for name in ("leave", "join"):
        right.plot([r["groups"] for r in result["servers"]], [r[name]["ms"] for r in result["servers"]], marker="o", label=f"integrated, a server {name}s")
    both = [r for r in result["servers"] if "layered" in r]
    right.plot([r["groups"] for r in both], [r["layered"]["ms"] for r in both], "s--", label="layered")
    right.plot([200, 200], PAPER, "rx", label="the paper's (2003): layered, integrated")
    right.set(xscale="log", yscale="log", xlabel=f"groups of {GROUP_SIZE}", ylabel="ms until all members have their keys",
              title="a change of servers (paper: figure 6)")
    for axes in (left, right):
        axes.legend(fontsize=7)
        axes.grid(True)
    figure.tight_layout()
    figure.savefig(file)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50, 100, 200, 500, 1000])
    p.add_argument("--groups", type=int, nargs="+", default=[1, 10, 50, 200, 1000])
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--layered-most", type=int, default=200, metavar="N", help="the layered way for at most so many groups")
    p.add_argument("--layered-members-most", type=int, default=1000, metavar="N", help="and among at most so many members")
    p.add_argument("--program", required=True, help="build/bench/rekey")
    p.add_argument("--out", type=Path, required=True)
    args = p.parse_args()
    bench = Bench()
    result = {"membership": [], "servers": []}
    try:
        Bench.setUpClass()
        for size in args.sizes:
            row = membership(bench, args.program, size, args.rounds, 1 < size <= args.layered_members_most)
            result["membership"].append(row)
            print(f"{size} members: join {row['join']['median']:.1f} ms, leave {row['leave']['median']:.1f} ms (median of {args.rounds})"
                  + (f"; layered {row['layered']['ms']:.0f} ms" if "layered" in row else ""), flush=True)
        for count in args.groups:
            row = servers_change(bench, args.program, count, count <= args.layered_most)
            result["servers"].append(row)
            print(f"{count} groups of 13: " + ", ".join(f"{row[n]['ms']:.0f} ms ({row[n]['run_ms']:.0f} of it the servers' run) after a server {n}s"
                                                         for n in ("leave", "join"))
                  + (f"; layered {row['layered']['ms']:.0f} ms, {row['ratio']:.0f} times as long" if "ratio" in row else ""), flush=True)
    finally:
        unittest.TestCase.doClassCleanups.__func__(Bench)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "serverkeys.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, args.out / "serverkeys.svg")


if __name__ == "__main__":
    main()
