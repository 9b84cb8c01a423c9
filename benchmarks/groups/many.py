#!/usr/bin/env python3
"""Many groups on one controller, made and joined through the real tools: memory, CPU, and how long a join, a leave and a rekey of one of them take while all
are there, beside the same with a single group; kill -9 of the leader; periodic rekeys of all. Two controllers (but for the cold start), three servers.
usage: many.py [--groups N] [--members M] [--takeovers N] [--periods 30,10]         writes build/bench/groups/many.json and .md"""
import argparse
import random
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import figures
from world import ADMIN, MEMBER, OUT, Crowd, Stage, cpu, machine, resident, wait, write

JOIN_RATE, SAMPLES = 20, 20
BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:.0f} s] {text}", flush=True)


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "n": len(values)} if values else None


class Field:
    """The groups, their tokens, and members in each."""

    def __init__(self, stage, world):
        self.stage, self.world, self.tokens, self.crowds, self.serial = stage, world, {}, [], 0

    def each(self, names, work):
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(work, names))

    def grow(self, n, members):
        """So that there are n groups with so many members each; one of them stays connected."""
        names = [f"g{i:05}" for i in range(len(self.tokens), n)]
        begin = time.monotonic()
        self.each(names, lambda g: self.world.admin("group", "create", g, "--admit", "token", "--batch-window", "20ms", "--period", "0s"))
        say(f"{len(names)} groups made")
        tokens = self.each(names, lambda g: self.world.admin("token", "create", g, "--uses", 100000, "--ttl", "3h")["token"])
        made = time.monotonic() - begin
        self.tokens |= dict(zip(names, tokens))
        crowd = self.crowd(names, JOIN_RATE, len(names) * members / JOIN_RATE, "--follow", len(names), ask=True)
        joined = len(crowd.joined())
        self.crowds.append(crowd)
        say(f"{joined} of {len(names) * members} members joined")
        if joined < len(names) * members:
            raise AssertionError([j for j in crowd.joins if j["result"] != "done"][:3])
        return made

    def crowd(self, names, rate, seconds, *args, **more):
        self.serial += 1
        places = self.world.dir / f"places-{self.serial}"
        places.write_text("".join(f"{g} {self.tokens[g]}\n" for g in names))
        return Crowd(self.world, rate, seconds, "--groups", places, "--prefix", f"c{self.serial}-", *args, **more)

    def some(self, n):
        return random.choices(list(self.tokens), k=n)

    def pid(self, name):
        return self.world.controllers[name].process.pid

    def leader(self):
        return self.world.leader()

    def standby(self):
        return next(n for n in self.world.controllers if n != self.leader())

    def busy(self, seconds):
        """Shares of a core, in percent, of the leader, the standby and the servers."""
        sets = ([self.pid(self.leader())], [self.pid(self.standby())], self.stage.servers())
        before, begin = [cpu(s) for s in sets], time.monotonic()
        time.sleep(seconds)
        return [100 * (cpu(s) - b) / (time.monotonic() - begin) for s, b in zip(sets, before)]

    def settle(self, name, seconds=120):
        """Until a controller that began has little to do."""
        deadline = time.monotonic() + seconds
        calm = 0
        while calm < 2 and time.monotonic() < deadline:
            before = cpu([self.pid(name)])
            time.sleep(1)
            calm = calm + 1 if cpu([self.pid(name)]) - before < 0.1 else 0

    def joins(self):
        """Seconds of some joins in random groups, 4 a second; and the members' states."""
        crowd = self.crowd(self.some(SAMPLES), 4, SAMPLES / 4, ask=True)
        took = [j["took_s"] for j in crowd.joined()]
        return took, crowd

    def once(self, *command):
        begin = time.monotonic()
        subprocess.run([str(a) for a in command], check=True, capture_output=True)
        return time.monotonic() - begin

    def column(self):
        """What is measured with a number of groups."""
        about = machine()
        time.sleep(3)
        idle = self.busy(20)
        leader = self.pid(self.leader())
        before, begin = cpu([leader]), time.monotonic()
        names = self.some(SAMPLES)
        crowd = self.crowd(names, 4, SAMPLES / 4, ask=True)
        took = [j["took_s"] for j in crowd.joined()]
        used = cpu([leader]) - before - idle[0] / 100 * (time.monotonic() - begin)
        leaves = [self.once(MEMBER, "leave", names[i], "--state", crowd.dir / f"c{self.serial}-{i}.state") for i in range(SAMPLES // 2)]
        crowd.close()
        common = [*self.world.common(), "--admin-key", self.world.dir / "admin.key"]
        rekeys = [self.once(ADMIN, "group", "rekey", g, "--wait", *common) for g in self.some(SAMPLES // 2)]
        return {"groups": len(self.tokens), "machine": about, "rss_mib": resident(leader)["VmRSS"], "standby_rss_mib": resident(self.pid(self.standby()))["VmRSS"],
                "idle_controller_cpu": idle[0], "idle_standby_cpu": idle[1], "idle_servers_cpu": idle[2], "join_s": spread(took),
                "leave_s": spread(leaves), "rekey_s": spread(rekeys), "controller_ms_per_join": 1000 * used / SAMPLES}

    def start(self, name):
        seen = len(self.world.controllers[name].lines())
        self.world.start(name)
        wait(lambda: len(self.world.controllers[name].lines()) > seen, f"{name} says its role")

    def joins_after(self, crowd, moment):
        """Seconds from a moment until the first join that began after it had its key, and until all that began in the second after it had."""
        lines = [j for j in crowd.lines() if "join" in j and j["ended_s"] - j["took_s"] >= moment]
        done = [j["ended_s"] - moment for j in lines if j["result"] == "done"]
        first = [j for j in lines if j["ended_s"] - j["took_s"] < moment + 1]
        if not done or any(j["result"] != "done" for j in first):
            raise AssertionError(f"joins after a takeover: {lines[:5]}\n{self.world.logs()}")
        return min(done), max(j["ended_s"] - moment for j in first)

    def takeover(self):
        old = self.leader()
        crowd = self.crowd(self.some(80), 10, 8)
        time.sleep(2 + random.random())
        moment = time.time()
        self.world.controllers[old].kill()
        new = self.world.leader(but=old)
        first, every = self.joins_after(crowd, moment)
        self.start(old)
        self.settle(old)
        return self.world.role(new)["time_ms"] / 1000 - moment, first, every

    def cold(self):
        """All controllers are killed, and one is started."""
        names = list(self.world.controllers)
        for name in names:
            self.world.controllers[name].kill()
        crowd = self.crowd(self.some(100), 10, 10)
        time.sleep(1)
        moment = time.time()
        self.start(names[0])
        wait(lambda: self.world.role(names[0])["role"] == "leader", "a leader")
        leading = self.world.role(names[0])["time_ms"] / 1000 - moment
        first, _ = self.joins_after(crowd, moment)
        for name in names[1:]:
            self.start(name)
            self.settle(name)
        return leading, first

    def takeovers(self, n):
        found = [self.takeover() for _ in range(n)]
        cold = self.cold()
        return {"takeover_s": spread([f[0] for f in found]), "first_join_s": spread([f[1] for f in found]), "all_joins_s": spread([f[2] for f in found]),
                "cold_leader_s": cold[0], "cold_join_s": cold[1]}

    def epochs(self):
        return {g["group"]: g.get("epoch", 0) for g in self.world.admin("group", "list")}

    def period(self, seconds):
        """Rekeys of all groups each so many seconds: does the controller keep up?"""
        self.each(self.tokens, lambda g: self.world.admin("group", "policy", g, "--set", f"period={seconds}s"))
        time.sleep(seconds)
        before, begin = self.epochs(), time.monotonic()
        joined, crowd = self.joins()
        crowd.close()
        shares = self.busy(max(3 * seconds - (time.monotonic() - begin), 10))
        after, took = self.epochs(), time.monotonic() - begin
        gained = [after[g] - before[g] for g in after]
        return {"period_s": seconds, "groups": len(gained), "wanted_per_s": len(gained) / seconds, "made_per_s": (sum(gained) - SAMPLES) / took,
                "groups_late": sum(n < int(took / seconds) - 1 for n in gained), "controller_cpu": shares[0], "standby_cpu": shares[1], "servers_cpu": shares[2],
                "join_s": spread(joined)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--groups", type=int, default=1000)
    p.add_argument("--members", type=int, default=2, help="of each group")
    p.add_argument("--takeovers", type=int, default=3)
    p.add_argument("--periods", default="30,10", help="seconds")
    o = p.parse_args()
    result = {"columns": [], "periods": []}
    with Stage("--set", "maxClientCnxns=0") as stage:
        world = stage.world()
        world.setup("a", "b")
        field = Field(stage, world)
        for n in (1, o.groups):
            made = field.grow(n, o.members)
            column = field.column() | {"members": n * o.members, "made_s": made}
            result["columns"].append(column)
            say(f"{n} groups: join {column['join_s']}, leave {column['leave_s']}, rekey {column['rekey_s']}, idle {column['idle_controller_cpu']:.1f} % of a core")
            column |= field.takeovers(o.takeovers)
            write("many", result)
            say(f"{n} groups: takeover {column['takeover_s']}, joins {column['first_join_s']}, {column['all_joins_s']}; cold {column['cold_join_s']:.2f} s")
        for seconds in map(int, filter(None, o.periods.split(","))):
            result["periods"].append(field.period(seconds))
            write("many", result)
            say(f"period {seconds} s: {result['periods'][-1]}")
        for crowd in field.crowds:
            crowd.close()
    figures.save(OUT, "many", figures.many_table(result))


if __name__ == "__main__":
    main()
