#!/usr/bin/env python3
"""The paper's second experiment (its figures 2 and 3: 96 % of the keys at 8 joins a second, 99 % with a wait of 2 s, about half a second) on the real
system. Members join at a rate; every link between a member and ZooKeeper has a delay of 0.05 to 0.25 s each way. Counted are the keys that members
received of those made while they were members, how they came (`via`), and the time from making to receiving.
usage: latency.py [--rates 0.25,...] [--seconds S] [--ring R] [--wait 0,2] [--add]         writes build/bench/groups/latency.json, .md and .svg"""
import argparse
import collections
import statistics

import figures
from world import OUT, Crowd, Progress, Stage, interval, machine, read, share, write

DELAY = (0.05, 0.25)
RATES = "0.25,0.5,1,2,4,8"
LINGER, AROUND = 5, 8  # seconds


def one_run(stage, rate, seconds, ring, wait_s, follow):
    about = machine()
    world = stage.world()
    world.setup("a")
    world.admin("group", "create", "g", "--admit", "token", "--ring", ring, "--period", "0s", "--batch-window", f"{int(wait_s * 1000) or 20}ms",
                "--set", "max-pending=10000")
    token = world.token("g", uses=100000, ttl="1h")
    world.join("g", "warm", "--token-file", token)
    lines = Crowd(world, rate, seconds, "--follow", follow, "--linger", LINGER, "--delay", ",".join(str(int(d * 1000)) for d in DELAY),
                  group="g", token=token).lines()
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
    news = {m: [k[epoch] for epoch in k if epoch > min(k)] for m, k in keys.items()}
    late = [line["late_s"] for lines in news.values() for line in lines if line["via"] == "notify"]
    each = [statistics.mean(line["late_s"] for line in lines) for lines in news.values() if lines]
    return {"rate": rate, "ring": ring, "wait_s": wait_s, "seconds": seconds, "joins": len(joins), "joined": sum(j["result"] == "done" for j in joins),
            "followers": len(keys), "epochs": info["epoch"], "expected": expected, "received": received, "percent": share(received, expected),
            "via": dict(collections.Counter(line["via"] for lines in news.values() for line in lines)), "latency_s": interval(each),
            "latency_quantiles_s": statistics.quantiles(late, n=100)[49::49] if len(late) > 1 else None,
            "missed": sum(line.get("missed", 0) for line in lines), "machine": about}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=RATES)
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--ring", default="64")
    parser.add_argument("--wait", default="0,2")
    parser.add_argument("--follow", type=int, default=50, help="so many of those who join stay")
    parser.add_argument("--add", action="store_true", help="keep what lies there of other rates, rings and waits")
    o = parser.parse_args()
    cases = [(int(ring), float(wait_s), float(rate)) for ring in o.ring.split(",") for wait_s in o.wait.split(",") for rate in o.rates.split(",")]
    runs = [r for r in (read("latency").get("runs", []) if o.add else []) if (r["ring"], r["wait_s"], r["rate"]) not in cases]
    progress = Progress([o.seconds + LINGER + AROUND] * len(cases))
    with Stage() as stage:
        for ring, wait_s, rate in cases:
            r = one_run(stage, rate, o.seconds, ring, wait_s, o.follow)
            runs.append(r)
            write("latency", {"delay_s": DELAY, "runs": sorted(runs, key=lambda r: (r["ring"], r["wait_s"], r["rate"]))})
            median, most = r["latency_quantiles_s"] or (0, 0)
            progress.step(f"rate {rate:g}/s, ring {ring}, wait {wait_s:g} s: {r['joined']} of {r['joins']} joined, {r['epochs']} epochs, {r['received']} of "
                          f"{r['expected']} keys, {r['via']}, median latency {median:.3f} s, 99 % {most:.3f} s")
    figures.latency(OUT)


if __name__ == "__main__":
    main()
