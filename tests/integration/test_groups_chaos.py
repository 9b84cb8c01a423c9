"""Members join, leave and are evicted while controllers and ZooKeeper's servers are killed, stopped and cut off at random, two things at a time; then everything
heals, and gkchaos.py judges what all servers' transaction logs, members and controllers say: no epoch lost or made twice, no two controllers in one
controller epoch, nobody with a key of an epoch in which it wasn't a member, and by the symbolic closure nobody who can come to one.
GK_SECONDS: how long (60). GK_SEED: of the random choices. GK_RECORD: files with this name and .tree or .flat behind it
for the records, which gkchaos.py judges again by itself."""
import logging
import os
import random
import shutil
import signal
import threading
import time
import unittest
from pathlib import Path

import gkchaos
import gktest
from gkgroups import MEMBER, Member, World, wait
from gkrecord import Collector, events, member_state, public_key, save, sha
from gktest import Sandbox
from kazoo.client import KazooClient

logging.getLogger("kazoo").setLevel(logging.CRITICAL)
SECONDS = float(os.environ.get("GK_SECONDS", 60))
SEED = int(os.environ.get("GK_SEED", time.time_ns() % 1000000))
SERVERS = (1, 2, 3)
GROUPS = {"tree": "lkh", "flat": "flat"}  # a member's name begins with its group's
MOST = 16   # members that come and go, at a time
AGAIN = 30  # of those who are out try again


def group_of(name):
    return name.partition("-")[0]


class Chaos(unittest.TestCase):
    def setUp(self):
        if os.geteuid():
            self.skipTest("only root can make network namespaces")
        print(f"GK_SEED={SEED} ... ", end="", flush=True)
        self.random = random.Random(SEED)
        self.sandbox = Sandbox(self)
        connect = self.sandbox.start("--servers", len(SERVERS), "--plugin", "off", "--netns", "--set", "preAllocSize=64", "--jvm", "-Xmx256m")
        self.w = World(self, connect)
        self.w.relays = {}
        self.w.setup("a", "b", "c")
        for group, mode in GROUPS.items():
            self.w.admin("group", "create", group, "--mode", mode, "--admit", "token", "--period", "2s", "--batch-window", "50ms", "--ring", 4096)
        self.tokens = {group: self.w.token(group, uses=100000, ttl="2h") for group in GROUPS}
        self.logs = {group: Collector(self.sandbox.dir, self.w.root, group) for group in GROUPS}
        self.stop, self.failures, self.broken = threading.Event(), {}, []
        self.states = {}

    # ---- what fails ----

    def controller_fails(self, rng):
        w, what, name, pause = self.w, rng.choice(("kill", "stop", "cut", "handover")), rng.choice("abc"), rng.uniform(0.5, 6)
        if what == "kill":
            w.controllers[name].kill()
            self.stop.wait(pause)
            w.start(name)
        elif what == "stop":
            w.controllers[name].kill(signal.SIGSTOP)
            self.stop.wait(pause)
            w.controllers[name].kill(signal.SIGCONT)
        elif what == "cut":
            w.cut(name)
            self.stop.wait(pause)
            w.heal(name)
        else:
            w.admin("controller", "handover", check=False)
        return f"controller-{what}"

    def server_fails(self, rng):
        """Half of the time the leader. Its log is read before it comes back to the others, who may make it truncate it."""
        what, server, pause = rng.choice(("kill", "pause", "partition")), rng.choice(SERVERS), rng.uniform(0.5, 6)
        if rng.random() < 0.5 and "leader" in (modes := self.sandbox.modes()):
            server = modes.index("leader") + 1
        self.sandbox.run(what, server)
        self.stop.wait(pause)
        self.look(server)
        self.sandbox.run(*{"kill": ("restart", server), "pause": ("resume", server), "partition": ("heal",)}[what])
        return f"server-{what}"

    def look(self, *servers):
        for logs in self.logs.values():
            logs.look(*servers)

    def nemesis(self, fail, rng):
        try:
            while not self.stop.is_set():
                what = fail(rng)
                self.failures[what] = self.failures.get(what, 0) + 1
                self.stop.wait(rng.uniform(0.5, 4))
        except BaseException as error:  # pylint: disable=broad-except
            self.broken.append(error)
            raise

    # ---- members ----

    def note_state(self, name, file):
        state = member_state(file.read_bytes())
        if state is not None and state not in self.states.setdefault(name, []):
            self.states[name].append(state)

    def join(self, name):
        """Until it is in: an answer that came too late for one attempt is there for the next."""
        w, file, group = self.w, self.w.dir / f"{name}.state", group_of(name)

        def asked():
            done = w.run([MEMBER, "join", group, "--as", name, "--state", file, "--wait", "60s", *w.common(), "--token-file", self.tokens[group]], check=False)
            return done.returncode == 0 or b"already" in done.stderr
        wait(asked, f"{name} joins", 300)
        self.note_state(name, file)
        return w.follow(group, name)

    def goes(self, name):
        """By itself or evicted; true when it is known to be out. What it knew before is kept."""
        w, file, group = self.w, self.w.dir / f"{name}.state", group_of(name)
        self.note_state(name, file)
        shutil.copy(file, w.dir / f"{name}.old.state")
        if self.random.random() < 0.5:
            return w.tool("leave", group, "--state", file, check=False).returncode == 0
        return isinstance(w.admin("member", "evict", group, name, "--yes", check=False), dict)

    def come_and_go(self):
        """Gives all members by name, and the names of those who are out."""
        members, present, gone, begin = {}, [], [], time.monotonic()
        while time.monotonic() - begin < SECONDS and not self.broken:
            name = f"{self.random.choice(list(GROUPS))}-m{len(members)}"
            members[name] = self.join(name)
            present.append(name)
            self.stop.wait(self.random.uniform(0, 2))
            if self.random.random() < 0.7 or len(present) > MOST:
                leaver = present.pop(self.random.randrange(len(present)))
                gone += [leaver] if self.goes(leaver) else []
        return members, gone

    # ---- the run ----

    def heal(self):
        w = self.w
        for name, controller in w.controllers.items():
            w.heal(name)
            if controller.process.poll() is None:
                controller.kill(signal.SIGCONT)
        self.sandbox.run("heal")
        for server in SERVERS:
            self.sandbox.run("resume", server, check=False)
        self.sandbox.wait(lambda servers: all(s["mode"] in ("leader", "follower") for s in servers), 60)
        for group in GROUPS:
            wait(lambda g=group: isinstance(w.admin("group", "rekey", g, check=False), dict), "a rekey after it all", 60)

    def test_everything_fails(self):
        w = self.w
        stay = {name: self.join(name) for name in (f"{group}-stay{i}" for group in GROUPS for i in range(3))}
        threads = [threading.Thread(target=self.nemesis, args=(fail, random.Random(SEED + i))) for i, fail in enumerate((self.controller_fails, self.server_fails), 1)]
        for thread in threads:
            thread.start()
        try:
            members, gone = self.come_and_go()
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        self.assertFalse(self.broken)
        self.heal()
        last = {group: w.show(group)["epoch"] for group in GROUPS}
        for name, member in stay.items():
            member.has(last[group_of(name)], 60)
        for name in gone:
            wait(lambda m=members[name]: any(line["event"] == "evicted" for line in m.lines()), f"{name} learns that it is out", 60)
        # who was taken out tries again with the state it had before
        again = {name: Member(w, f"{name}.again", [MEMBER, "run", group_of(name), "--state", w.dir / f"{name}.old.state"])
                 for name in self.random.sample(gone, min(AGAIN, len(gone)))}
        for name, member in again.items():
            wait(lambda m=member: any(line["event"] == "evicted" for line in m.lines()), f"{name} is refused", 60)
        for name in stay:
            self.note_state(name, w.dir / f"{name}.state")
        zk = KazooClient(w.connect)
        zk.start()
        self.addCleanup(zk.stop)
        zk.sync(w.root)
        print(f"{sum(self.failures.values())} failures {dict(sorted(self.failures.items()))}, {len(gone)} left or evicted ... ", end="", flush=True)
        for group in GROUPS:
            record = self.record(zk, group, {n: m for n, m in {**stay, **members}.items() if group_of(n) == group}, again)
            if os.environ.get("GK_RECORD"):
                save(record, Path(os.environ["GK_RECORD"] + "." + group))
            begin = time.monotonic()
            findings, figures = gkchaos.judge(record)
            print(f"{group}: {len(record['members'])} joins, {figures}, judged in {time.monotonic() - begin:.1f} s ... ", end="", flush=True)
            self.assertFalse(findings, "\n".join(f"{kind}: {text}" for kind, text in findings[:20]))
            self.assertGreaterEqual(figures["epochs"], last[group])

    def record(self, zk, group, members, again):
        """Members still follow: what they print of epochs after the last one that is read here is left out."""
        stored = {}
        for number in zk.get_children(f"{self.w.root}/groups/{group}/epochs"):
            data, _ = zk.get(f"{self.w.root}/groups/{group}/epochs/{number}")
            stored[number] = sha(data[4:4 + int.from_bytes(data[:4], "big")]).hex()
        newest = max(map(int, stored))
        for name, member in members.items():
            if "-stay" in name:
                member.has(newest, 60)
        self.look(*SERVERS)

        def lines(member):
            return [e for e in events(member.lines()) if e.get("epoch", 0) <= newest]
        document = self.logs[group].document()
        document["epochs"] = [e for e in document["epochs"] if e["epoch"] <= newest]
        return {"seed": SEED, "servers": len(SERVERS), "mode": GROUPS[group], **document, "stored": stored,
                "controllers": {name: {"public": public_key((self.w.dir / f"{name}.key.pub").read_text()), "lines": c.lines()}
                                for name, c in self.w.controllers.items()},
                "members": {name: {"stays": "-stay" in name, "states": [s for s in self.states.get(name, []) if s["epoch"] <= newest],
                                   "runs": [lines(m)] + ([lines(again[name])] if name in again else [])} for name, m in members.items()}}


if __name__ == "__main__":
    gktest.main("groups-chaos")
