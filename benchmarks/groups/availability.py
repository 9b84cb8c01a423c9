#!/usr/bin/env python3
"""The paper's first experiment (its section IV: 32.3 s of 50 with one manager, 42.31 s with two) on the real system. A fresh join is tried every
100 ms for 50 s; a moment is available when its join ends with the key within 1 s. In half of the runs the leader fails at a random moment: killed,
stopped (SIGSTOP) or cut off from the network, a third each. One controller is restarted after 5 s; of two, the other one takes over.
usage: availability.py [--runs N] [--seconds S] [--controllers 1,2]"""
import argparse
import json
import random
import signal
import subprocess
import time

from world import MEMBERS, Stage, interval, write

LIMIT, RESTART = 1.0, 5.0
FAILURES = ("kill", "stop", "cut")


def fail(world, how):
    """Makes the leader fail; the only controller comes back after RESTART seconds."""
    name = world.leaders()[0]
    process = world.controllers[name]
    if how == "kill":
        process.kill()
    elif how == "stop":
        process.kill(signal.SIGSTOP)
    else:
        world.cut(name)
    if len(world.controllers) > 1:
        return
    time.sleep(RESTART)
    if how != "kill":
        process.kill(signal.SIGKILL)
    world.heal(name)
    world.start(name)


def one_run(stage, controllers, how, seconds):
    """The share of moments that were available."""
    world = stage.world()
    world.relays = {}
    world.setup(*(chr(ord("a") + i) for i in range(controllers)))
    world.admin("group", "create", "g", "--admit", "token", "--batch-window", "20ms", "--period", "0s", "--set", "max-pending=10000")
    token = world.token("g", uses=100000, ttl="1h")
    world.join("g", "warm", "--token-file", token)
    members = subprocess.Popen([MEMBERS, "--group", "g", "--token-file", token, "--connect", world.connect, "--root", world.root, "--dir", world.dir,
                                "--rate", "10", "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True)
    if how:
        time.sleep(random.uniform(0.1, 0.8) * seconds)
        fail(world, how)
    joins = [json.loads(line) for line in members.communicate()[0].splitlines() if line.startswith("{\"join")]
    for c in world.controllers.values():
        if c.process.poll() is None:
            c.process.send_signal(signal.SIGCONT)
    world.stop()
    good = [j for j in joins if j["result"] == "done" and j["took_s"] <= LIMIT]
    took = sorted(j["took_s"] for j in good)
    print(f"  {joins[:2]}" if not took else f"  joins: {len(good)} of {len(joins)} within {LIMIT} s, median {took[len(took) // 2]:.3f} s, slowest {max(j['took_s'] for j in joins):.3f} s")
    return len(good) / int(seconds * 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12, help="for each number of controllers; every other one has a failure")
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--controllers", default="1,2")
    o = parser.parse_args()
    result = {"seconds": o.seconds, "paper": {"1": 32.3, "2": 42.31}, "controllers": {}}
    with Stage() as stage:
        for n in map(int, o.controllers.split(",")):
            runs = []
            for i in range(o.runs):
                how = FAILURES[i // 2 % 3] if i % 2 else None
                share = one_run(stage, n, how, o.seconds)
                runs.append({"failure": how, "available_s": share * o.seconds})
                print(f"{n} controller(s), {how or 'no failure'}: {share * o.seconds:.2f} of {o.seconds:.0f} s", flush=True)
            every, failed = [r["available_s"] for r in runs], [r["available_s"] for r in runs if r["failure"]]
            result["controllers"][n] = {"runs": runs, "all": interval(every), "with_failure": interval(failed)}
    write("availability", result)
    for n, r in result["controllers"].items():
        print(f"{n} controller(s): {r['all'][0]:.2f} s of {o.seconds:.0f} on average, {r['with_failure'][0] or 0:.2f} s with a failure (paper: {result['paper'][str(n)]})")


if __name__ == "__main__":
    main()
