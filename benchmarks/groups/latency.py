#!/usr/bin/env python3
"""The paper's second experiment (its figures 2 and 3: 96 % of the keys at 8 joins a second, 99 % with a wait of 2 s, about half a second) on the real
system. Members join at a rate; every link between a member and ZooKeeper has a delay of 0.05 to 0.25 s each way. Counted are the keys that members
received of those made while they were members, how they came (`via`), and the time from making to receiving.
usage: latency.py [--rates 0.25,...] [--seconds S] [--ring R] [--wait 0,2]"""
import argparse
import collections
import statistics
import threading
import time

from relay import Relay
from world import Stage, interval, write
from gkgroups import MEMBER, Member

DELAY = (0.05, 0.25)
RATES = "0.25,0.5,1,2,4,8"


def one_run(stage, rate, seconds, ring, wait_s):
    world = stage.world()
    world.setup("a")
    world.admin("group", "create", "g", "--admit", "token", "--ring", ring, "--period", "0s", "--batch-window", f"{int(wait_s * 1000) or 20}ms",
                "--set", "max-pending=10000")
    token = world.token("g", uses=100000, ttl="1h")
    members, lock, threads = [], threading.Lock(), []

    def newcomer(i):
        relays = [Relay(("127.0.0.1", int(c.split(":")[1])), DELAY) for c in world.connect.split(",")]
        connect = ",".join(r.address for r in relays)
        done = world.run([MEMBER, "join", "g", "--as", f"m{i}", "--state", world.dir / f"m{i}.state", "--wait", "60s", "--connect", connect, "--root",
                          world.root, "--token-file", token], check=False)
        if done.returncode == 0:
            member = Member(world, f"m{i}", [MEMBER, "run", "g", "--state", world.dir / f"m{i}.state"])
            with lock:
                members.append(member)
    begin = time.monotonic()
    for i in range(int(seconds * rate)):
        time.sleep(max(0, begin + i / rate - time.monotonic()))
        threads.append(threading.Thread(target=newcomer, args=(i,)))
        threads[-1].start()
    for t in threads:
        t.join()
    time.sleep(5)
    last = world.show("g")["epoch"]
    expected = received = 0
    via, latency = collections.Counter(), []
    for member in members:
        keys = member.keys()
        if not keys:
            continue
        first = min(keys)
        expected += last - first + 1
        received += len(keys)
        for epoch, line in keys.items():
            via[line["via"]] += 1
            if epoch > first and line["via"] == "notify":
                latency.append((line["received_ms"] - line["generated_ms"]) / 1000)
    world.stop()
    return {"rate": rate, "ring": ring, "wait_s": wait_s, "members": len(members), "epochs": last, "expected": expected, "received": received,
            "percent": 100 * received / expected if expected else None, "via": dict(via), "latency_s": interval(latency),
            "latency_median_s": statistics.median(latency) if latency else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=RATES)
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--ring", default="64")
    parser.add_argument("--wait", default="0,2")
    o = parser.parse_args()
    runs = []
    with Stage() as stage:
        for ring in map(int, o.ring.split(",")):
            for wait_s in map(float, o.wait.split(",")):
                for rate in map(float, o.rates.split(",")):
                    r = one_run(stage, rate, o.seconds, ring, wait_s)
                    runs.append(r)
                    print(f"rate {rate}/s, ring {ring}, wait {wait_s} s: {r['received']} of {r['expected']} keys ({r['percent'] or 0:.2f} %), "
                          f"{r['via']}, median latency {r['latency_median_s'] or 0:.3f} s", flush=True)
    write("latency", {"runs": runs, "delay_s": DELAY, "paper": {"percent_at_8": 96, "percent_with_wait": 99, "latency_s": 0.5}})


if __name__ == "__main__":
    main()
