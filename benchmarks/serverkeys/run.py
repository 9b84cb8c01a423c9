#!/usr/bin/env python3
"""Keys made inside the servers, measured on a real ensemble (3 servers, an observer, TLS): how long until every member has a new key
 - when a member joins or leaves, by the size of the group
 - of all groups (13 members each), when the servers change: the observer is killed, and comes back; beside it, after the same kill, the layered
   way: the members of each group run TGDH among themselves through ZooKeeper
Members are sessions spread over all servers. In the second part 13 sessions are members of all groups at once (rekey.c, which says what is measured).

usage: run.py [--sizes N...] [--groups N...] [--rounds N] --program FILE --out FOLDER        writes serverkeys.json and serverkeys.svg
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from gkraw import EPHEMERAL, OPEN, Closed  # noqa: E402  (needs the path above)
from test_serverkeys import KEYS, MINE, RECORD, Ensemble  # noqa: E402

GROUP_SIZE = 13
PAPER = (4000, 80)  # ms for 200 groups, as its text says


class Bench(Ensemble):
    """Borrows the test's ensemble."""

    def runTest(self):
        pass


class Member(threading.Thread):
    """A member that waits for each new view and reads its key; `seen` maps a view to the time when it had the key."""

    def __init__(self, bench, index, group, name):
        super().__init__(daemon=True)
        self.zk, self.group, self.name, self.seen, self.over = bench.connect(index % 4, patience=60), group, name, {}, False
        self.zk.call("create", f"{group}/{name}", "", MINE, EPHEMERAL).ok()

    def run(self):
        node = f"{KEYS}{self.group}/{self.name}"
        try:
            while not self.over:
                self.zk.call("getChildren", self.group, 1)
                answer = self.zk.call("getData", node, 0)
                if answer.err == 0:
                    self.seen.setdefault(int.from_bytes(answer.values[0][4:12], "big"), time.monotonic())
                self.wait()
        except (OSError, Closed):
            pass

    def wait(self):
        """Blocks until an event comes: nothing is asked, so the next frame is one."""
        if not self.zk.events:
            self.zk.frame()
        self.zk.events.clear()


def all_have(members, after, seconds=60):
    """When the last of these members had the key of a view later than `after`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        last = [min((t for view, t in list(m.seen.items()) if view >= after), default=None) for m in members]
        if None not in last:
            return max(last)
        time.sleep(0.0005)
    raise AssertionError("not all members have the new key")


def membership(bench, size, rounds):
    """Milliseconds for a join and for a leave, a list each."""
    admin = bench.connect(0)
    group = admin.call("create", admin.create(f"/bench{size}") + "/members", RECORD, OPEN, 0).ok()
    members = [Member(bench, i, group, f"m{i}") for i in range(size)]
    for m in members:
        m.start()
    joins, leaves = [], []
    for _ in range(rounds):
        time.sleep(0.2)
        begin = time.monotonic()
        zxid = admin.call("create", f"{group}/guest", "", MINE, EPHEMERAL).zxid
        joins.append((all_have(members, zxid) - begin) * 1000)
        time.sleep(0.2)
        begin = time.monotonic()
        zxid = admin.call("delete", f"{group}/guest", -1).zxid
        leaves.append((all_have(members, zxid) - begin) * 1000)
    for m in members:
        m.over = True
        m.zk.drop()
    admin.drop()
    return joins, leaves


class Machines:
    """13 members of each of so many groups (rekey.c), spread over the three voters; they rekey all groups, in one way or the other."""

    def __init__(self, bench, program, groups):
        self.process = subprocess.Popen([program, "--groups", str(groups), "--ca", bench.tls / "ca.pem", "--cert", bench.tls / "client.pem", "--key",
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
        self.process.wait()


def integrated(bench, machines, before, participants):
    """The servers' own run, as the slowest of them tells, and then all members' reads."""
    agreement, _ = bench.agreed(participants, 60, before)
    run = max(bench.status_of(i - 1)["run_ms"] for i in participants)
    read = machines.ask(f"integrated {agreement}")
    return agreement, {"run_ms": run, "read_ms": read["ms"], "reads": read["reads"], "cpu_ms": read["clients_cpu_ms"], "ms": run + read["ms"]}


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
        left.plot([r["size"] for r in result["membership"]], [r[name]["median"] for r in result["membership"]], marker="o", label=name)
    left.set(xscale="log", xlabel="members", ylabel="ms until all have the new key", title="a member joins, leaves")
    left.set_ylim(bottom=0)
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
    p.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50, 200])
    p.add_argument("--groups", type=int, nargs="+", default=[1, 10, 50, 200, 1000])
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--layered-most", type=int, default=200, metavar="N", help="the layered way for at most so many groups")
    p.add_argument("--program", required=True, help="build/bench/rekey")
    p.add_argument("--out", type=Path, required=True)
    args = p.parse_args()
    bench = Bench()
    result = {"membership": [], "servers": []}
    try:
        Bench.setUpClass()
        for size in args.sizes:
            joins, leaves = membership(bench, size, args.rounds)
            row = {name: {"median": statistics.median(v), "max": max(v)} for name, v in (("join", joins), ("leave", leaves))}
            result["membership"].append({"size": size, **row})
            print(f"{size} members: join {row['join']['median']:.1f} ms, leave {row['leave']['median']:.1f} ms (median of {args.rounds})", flush=True)
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
