#!/usr/bin/env python3
"""The paper's first experiment (its section IV: 32.3 s of 50 with one manager, 42.31 s with two) on the real system. A fresh join is tried every
100 ms for 50 s; a moment is available when its join ends with the key within 1 s. In half of the runs the leader fails at a random moment: killed,
stopped (SIGSTOP) or cut off from the network, a third each. One controller is restarted after 5 s; of two, the other one takes over.
usage: availability.py [--runs N] [--seconds S] [--controllers 1,2]         writes build/bench/groups/availability.json, .md and .svg"""
import argparse
import random
import signal
import time

import figures
from world import OUT, Crowd, Progress, Stage, interval, machine, write

LIMIT, RESTART = 1.0, 5.0
FAILURES = ("kill", "stop", "cut")
AROUND = 6  # seconds for what comes before and after a run


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
    """One run's record."""
    about = machine()
    world = stage.world()
    world.relays = {}
    world.setup(*(chr(ord("a") + i) for i in range(controllers)))
    world.admin("group", "create", "g", "--admit", "token", "--batch-window", "20ms", "--period", "0s", "--set", "max-pending=10000")
    token = world.token("g", uses=100000, ttl="1h")
    world.join("g", "warm", "--token-file", token)
    members = Crowd(world, 10, seconds, group="g", token=token)
    if how:
        time.sleep(random.uniform(0.1, 0.8) * seconds)
        fail(world, how)
    joins = [line for line in members.lines() if "join" in line]
    for c in world.controllers.values():
        if c.process.poll() is None:
            c.process.send_signal(signal.SIGCONT)
    world.stop()
    took = sorted(j["took_s"] for j in joins if j["result"] == "done")
    good = sum(t <= LIMIT for t in took)
    return {"failure": how, "available_s": good / int(seconds * 10) * seconds, "joins": len(joins), "in_time": good, "done": len(took),
            "median_s": took[len(took) // 2] if took else None, "slowest_s": took[-1] if took else None, "machine": about}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12, help="for each number of controllers; every other one has a failure")
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--controllers", default="1,2")
    o = parser.parse_args()
    result = {"seconds": o.seconds, "controllers": {}}
    numbers = [int(n) for n in o.controllers.split(",")]
    progress = Progress([o.seconds + AROUND] * o.runs * len(numbers))
    with Stage() as stage:
        for n in numbers:
            runs = []
            for i in range(o.runs):
                r = one_run(stage, n, FAILURES[i // 2 % 3] if i % 2 else None, o.seconds)
                runs.append(r)
                result["controllers"][n] = {"runs": runs, "all": interval([r["available_s"] for r in runs], o.seconds),
                                            "with_failure": interval([r["available_s"] for r in runs if r["failure"]], o.seconds)}
                write("availability", result)
                progress.step(f"{n} controller(s), {r['failure'] or 'no failure'}: {r['available_s']:.2f} of {o.seconds:.0f} s; {r['in_time']} of "
                              f"{r['joins']} joins within {LIMIT:.0f} s, {r['done']} in the end")
    figures.availability(OUT)


if __name__ == "__main__":
    main()
