#!/usr/bin/env python3
"""Many real watchers on three servers: members of one group by libgroupkeeper, each with its own session, threads, watch and state file, up to 1,000 in a
process. How long a rekey takes until the last one has its key, what it costs in bytes, memory and CPU, and how that grows with their number.
usage: watchers.py [--sizes 100 1000 10000] [--rate N]         writes build/bench/groups/watchers.json and .md"""
import argparse
import atexit
import random
import resource
import statistics
import sys
import time
from pathlib import Path

import figures
from world import OUT, Crowd, Stage, cpu, machine, resident, write

PER_PROCESS, FILES, THREADS, TIMES, PATIENCE = 1000, 7, 3, 3, 120


def allow(name, least):
    """Raises a sysctl of the kernel's that is too low, until the end, where that is permitted; exits where it isn't."""
    file = Path("/proc/sys") / name
    before = int(file.read_text())
    if before >= least:
        return
    try:
        file.write_text(str(least))
    except OSError as e:
        sys.exit(f"watchers: error: LIMIT: {name.replace('/', '.')} is {before}, {least} are needed: {e.strerror} (hint: run it as root, or fewer --sizes)")
    atexit.register(file.write_text, str(before))


def limits(most):
    """How many members a process may have: mappings (three stacks and their guards each) and files limit that, not threads."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in ("kernel/pid_max", "kernel/threads-max"):
        allow(name, THREADS * most + 2000)
    return min(PER_PROCESS, (hard - 200) // FILES)


class People:
    def __init__(self, stage, world, token, per_process):
        self.stage, self.world, self.token, self.per_process, self.crowds, self.names = stage, world, token, per_process, [], []

    def grow(self, size, rate):
        """The batch window is long: each admission is an epoch that all who are there read."""
        begin = time.monotonic()
        while len(self.names) < size:
            n, prefix = min(self.per_process, size - len(self.names)), f"p{len(self.crowds)}-"
            crowd = Crowd(self.world, rate, n / rate, "--prefix", prefix, "--follow", n, group="g", token=self.token, ask=True)
            self.crowds.append(crowd)
            joined = crowd.joined()
            self.names += [j["name"] for j in joined]
            print(f"{len(self.names)} members, {time.monotonic() - begin:.0f} s", flush=True)
            if len(joined) < n:
                raise AssertionError(next(j for j in crowd.joins if j["result"] != "done"))
        return time.monotonic() - begin

    def ask(self, question):
        for crowd in self.crowds:
            crowd.tell(question)
        return [crowd.answer() for crowd in self.crowds]

    def have(self, epoch):
        answers = self.ask(f"epoch {epoch} {PATIENCE}")
        return {"have": sum(a["have"] for a in answers), "of": sum(a["of"] for a in answers), "median_s": statistics.median(a["median_s"] for a in answers),
                "last_s": max(a["last_s"] for a in answers), "missed": sum(a["missed"] for a in answers)}

    def received(self):
        return sum(a["received"] for a in self.ask("bytes"))

    def rekey(self, *command):
        """One rekey by an administrator's command."""
        bytes_before, cpu_before = self.received(), cpu(self.stage.servers())
        self.world.admin(*command)
        info = self.world.show("g")
        found = self.have(info["epoch"]) | {k: info["last_rekey"][k] for k in ("wraps", "bytes", "znode_writes")}
        return found | {"servers_cpu_s": cpu(self.stage.servers()) - cpu_before, "received": self.received() - bytes_before}

    def measure(self, size, join_s):
        about = machine()
        self.have(self.world.show("g")["epoch"])
        row = {"members": len(self.names), "machine": about, "join_s": join_s, "rekey": [self.rekey("group", "rekey", "g") for _ in range(TIMES)], "evict": []}
        for _ in range(TIMES):
            name = self.names.pop(random.randrange(len(self.names)))
            row["evict"].append(self.rekey("member", "evict", "g", name, "--yes"))
        leader = self.world.controllers["a"].process.pid
        return row | {"members_rss_kib": 1024 * sum(resident(c.pid)["VmRSS"] for c in self.crowds), "servers": self.stage.heaps(),
                      "controller_rss_mib": resident(leader)["VmRSS"], "height": self.world.show("g")["height"], "missed": row["evict"][-1]["missed"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    p.add_argument("--rate", type=float, default=60, help="members that join in a second")
    o = p.parse_args()
    sizes, result = o.sizes, {"sizes": []}
    per_process = limits(max(sizes))
    # sessions of a minute: on cores that ten thousand members share, a ping may be late by more than the ten seconds that members ask for
    with Stage("--set", "maxClientCnxns=0", "--set", "minSessionTimeout=60000", "--set", "maxSessionTimeout=60000", "--jvm", "-Xmx1g") as stage:
        world = stage.world()
        world.setup("a")
        world.admin("group", "create", "g", "--admit", "token", "--period", "0s", "--batch-window", "15s", "--max-age", "1h", "--set", "max-pending=20000")
        people = People(stage, world, world.token("g", uses=1000000, ttl="3h"), per_process)
        for size in sizes:
            row = people.measure(size, people.grow(size, o.rate))
            result["sizes"].append(row)
            write("watchers", result)
            for what in ("rekey", "evict"):
                for r in row[what]:
                    print(f"{row['members']:,} members, {what}: {r}", flush=True)
        for crowd in people.crowds:
            crowd.process.kill()  # 10,000 sessions needn't say goodbye one by one
    figures.save(OUT, "watchers", figures.watchers_table(result))


if __name__ == "__main__":
    main()
