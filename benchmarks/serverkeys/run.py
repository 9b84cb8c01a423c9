#!/usr/bin/env python3
"""Keys made inside the servers, measured on a real ensemble (3 servers, an observer, TLS): how long until every member has a new key
 - when a member joins or leaves, by the size of the group
 - of all groups (13 members each), when the servers change: the observer is killed, and comes back
Members are sessions spread over all servers. In the second part 13 sessions are members of all groups at once and read their keys in one pipeline.

usage: run.py [--sizes N...] [--groups N...] [--rounds N] --out FOLDER        writes serverkeys.json and serverkeys.svg
"""
import argparse
import json
import statistics
import sys
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from gkraw import EPHEMERAL, OPEN, Closed, Failure, Raw  # noqa: E402  (needs the path above)
from test_serverkeys import CONNECTIONLOSS, CURRENT, KEYS, MINE, RECORD, Ensemble  # noqa: E402

GROUP_SIZE = 13


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


def read_all(zk, name, groups, agreement, done):
    """Reads this member's key in every group until all are of that agreement."""
    left = list(groups)
    while left:
        for begin in range(0, len(left), 500):
            for group in left[begin:begin + 500]:
                zk.send("getData", f"{KEYS}{group}/{name}", 0)
        answers = [zk.reply() for _ in left]
        left = [g for g, a in zip(left, answers) if a.err == CONNECTIONLOSS or (a.err == 0 and a.values[0][12:20].hex() != agreement)]
        if any(a.err not in (0, CONNECTIONLOSS) for a in answers):
            raise Failure(next(a.err for a in answers if a.err not in (0, CONNECTIONLOSS)))
    done.append(time.monotonic())


def rekey(bench, sessions, groups, before, participants):
    """Milliseconds from the new agreement, as a client sees it, until all members of all groups have their keys."""
    agreement, _ = bench.agreed(participants, 60, before)
    begin, done = time.monotonic(), []
    threads = [threading.Thread(target=read_all, args=(zk, f"m{i}", groups, agreement, done)) for i, zk in enumerate(sessions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(done) == len(sessions)
    return agreement, (max(done) - begin) * 1000


def servers_change(bench, count):
    """(leave ms, join ms): all groups' keys after the observer has died, and after it is back."""
    sessions = [bench.connect(i % 3) for i in range(GROUP_SIZE)]
    base = sessions[0].create(f"/many{count}")
    groups = [sessions[0].call("create", f"{base}/g{i}", RECORD, OPEN, 0).ok() for i in range(count)]
    for i, zk in enumerate(sessions):
        zk.call("sync", base)
        for begin in range(0, count, 500):
            for group in groups[begin:begin + 500]:
                zk.send("create", f"{group}/m{i}", "", MINE, EPHEMERAL)
            for _ in groups[begin:begin + 500]:
                zk.reply().ok()
    agreement, _ = bench.agreed([1, 2, 3, 4], 60)
    bench.sandbox.run("kill", 4)
    agreement, leave = rekey(bench, sessions, groups, agreement, [1, 2, 3])
    bench.sandbox.run("restart", 4)
    _, join = rekey(bench, sessions, groups, agreement, [1, 2, 3, 4])
    for zk in sessions:
        zk.close()
    return leave, join


def plot(result, file):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for name in ("join", "leave"):
        left.plot([r["size"] for r in result["membership"]], [r[name]["median"] for r in result["membership"]], marker="o", label=name)
    left.set(xscale="log", xlabel="members", ylabel="ms until all have the new key", title="a member joins, leaves")
    for name in ("leave", "join"):
        right.plot([r["groups"] for r in result["servers"]], [r[name] for r in result["servers"]], marker="o", label=f"server {name}s")
    right.set(xscale="log", xlabel=f"groups of {GROUP_SIZE}", ylabel="ms until all keys are read", title="the servers have a new secret")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.legend()
        axes.grid(True)
    figure.tight_layout()
    figure.savefig(file)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50, 200])
    p.add_argument("--groups", type=int, nargs="+", default=[1, 10, 50, 200, 1000])
    p.add_argument("--rounds", type=int, default=10)
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
            leave, join = servers_change(bench, count)
            result["servers"].append({"groups": count, "leave": leave, "join": join})
            print(f"{count} groups of {GROUP_SIZE}: {leave:.0f} ms after a server has left, {join:.0f} ms after it is back", flush=True)
    finally:
        unittest.TestCase.doClassCleanups.__func__(Bench)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "serverkeys.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, args.out / "serverkeys.svg")


if __name__ == "__main__":
    main()
