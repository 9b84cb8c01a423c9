#!/usr/bin/env python3
"""The paper's second experiment (its figures 2 and 3: 96 % of the keys at 8 joins a second, 99 % with a wait of 2 s, about half a second) on the real
system. Members join at a rate; every link between a member and ZooKeeper has a delay of 0.05 to 0.25 s each way. Counted are the keys that members
received of those made while they were members, how they came (`via`), and the time from making to receiving.
usage: latency.py [--rates 0.25,...] [--seconds S] [--ring R] [--wait 0,2]"""
import argparse
import collections
import json
import statistics
import subprocess

from world import MEMBERS, Stage, interval, write

DELAY = (0.05, 0.25)
RATES = "0.25,0.5,1,2,4,8"


def one_run(stage, rate, seconds, ring, wait_s, follow):
    world = stage.world()
    world.setup("a")
    world.admin("group", "create", "g", "--admit", "token", "--ring", ring, "--period", "0s", "--batch-window", f"{int(wait_s * 1000) or 20}ms",
                "--set", "max-pending=10000")
    token = world.token("g", uses=100000, ttl="1h")
    world.join("g", "warm", "--token-file", token)
    done = subprocess.run([str(a) for a in (
        MEMBERS, "--group", "g", "--token-file", token, "--connect", world.connect, "--root", world.root, "--dir", world.dir, "--rate", rate, "--seconds",
        seconds, "--follow", follow, "--linger", 5, "--delay", ",".join(str(int(d * 1000)) for d in DELAY))], stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    info = world.show("g")
    world.stop()
    joins = [line for line in lines if "join" in line]
    keys = collections.defaultdict(dict)
    for line in lines:
        if "epoch" in line and line["member"] < follow:
            keys[line["member"]].setdefault(line["epoch"], line)
    expected = sum(info["epoch"] - min(k) + 1 for k in keys.values())
    received = sum(len(k) for k in keys.values())
    # the first key comes with the admission, whenever that was
    news = [k[epoch] for k in keys.values() for epoch in k if epoch > min(k)]
    late = [line["late_s"] for line in news if line["via"] == "notify"]
    return {"rate": rate, "ring": ring, "wait_s": wait_s, "joins": len(joins), "joined": sum(j["result"] == "done" for j in joins), "followers": len(keys),
            "epochs": info["epoch"], "expected": expected, "received": received, "percent": 100 * received / expected if expected else None,
            "via": dict(collections.Counter(line["via"] for line in news)), "latency_s": interval(late),
            "latency_quantiles_s": statistics.quantiles(late, n=100)[49::49] if len(late) > 1 else None, "missed": sum(line.get("missed", 0) for line in lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=RATES)
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--ring", default="64")
    parser.add_argument("--wait", default="0,2")
    parser.add_argument("--follow", type=int, default=50, help="so many of those who join stay")
    o = parser.parse_args()
    runs = []
    with Stage() as stage:
        for ring in map(int, o.ring.split(",")):
            for wait_s in map(float, o.wait.split(",")):
                for rate in map(float, o.rates.replace(",", " ").split()):
                    r = one_run(stage, rate, o.seconds, ring, wait_s, o.follow)
                    runs.append(r)
                    median, most = r["latency_quantiles_s"] or (0, 0)
                    print(f"rate {rate:g}/s, ring {ring}, wait {wait_s:g} s: {r['joined']} of {r['joins']} joined, {r['epochs']} epochs, {r['received']} of "
                          f"{r['expected']} keys ({r['percent'] or 0:.2f} %), {r['via']}, median latency {median:.3f} s, 99 % {most:.3f} s", flush=True)
    write("latency", {"runs": runs, "delay_s": DELAY, "paper": {"percent_at_8": 96, "percent_with_wait": 99, "latency_s": 0.5}})


if __name__ == "__main__":
    main()
