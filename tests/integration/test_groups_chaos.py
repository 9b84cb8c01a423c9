"""Members join, leave and are evicted while controllers and servers are killed, stopped and cut off at random; then everything heals and a checker reads what
members printed and what lies in ZooKeeper: no epoch was lost or made twice, no two controllers wrote in one controller epoch, members agree on every key, and nobody has a key
of an epoch in which it wasn't a member. Who can reach which key from old state and all messages is the unit test `closure`.
GK_SECONDS: how long (60). GK_SEED: of the random choices."""
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import struct
import threading
import time
import unittest

import gktest
from gkgroups import MEMBER, Member, World, wait
from gktest import Sandbox
from kazoo.client import KazooClient

logging.getLogger("kazoo").setLevel(logging.CRITICAL)
SECONDS = float(os.environ.get("GK_SECONDS", 60))
SEED = int(os.environ.get("GK_SEED", time.time_ns() % 1000000))
MESSAGE = struct.Struct(">4s16sQQQQIIIBBQ32s")  # docs/FORMAT.md, "Epoch messages", up to prev


class Chaos(unittest.TestCase):
    def setUp(self):
        print(f"GK_SEED={SEED} ... ", end="", flush=True)
        self.random = random.Random(SEED)
        self.sandbox = Sandbox(self)
        connect = self.sandbox.start("--servers", 3, "--plugin", "off")
        self.w = World(self, connect)
        self.w.relays = {}
        self.w.setup("a", "b", "c")
        self.w.admin("group", "create", "g", "--admit", "token", "--period", "2s", "--batch-window", "50ms", "--ring", 4096)
        self.token = self.w.token("g", uses=100000, ttl="2h")
        self.stop, self.failures = threading.Event(), 0

    def one_failure(self):
        """Something fails for a while, and heals."""
        w, what = self.w, self.random.choice(("kill", "pause", "cut", "server-kill", "server-pause", "handover"))
        name, server, pause = self.random.choice("abc"), self.random.randint(1, 3), self.random.uniform(0.5, 6)
        self.failures += 1
        if what == "kill":
            w.controllers[name].kill()
            self.stop.wait(pause)
            w.start(name)
        elif what == "pause":
            w.controllers[name].kill(signal.SIGSTOP)
            self.stop.wait(pause)
            w.controllers[name].kill(signal.SIGCONT)
        elif what == "cut":
            w.cut(name)
            self.stop.wait(pause)
            w.heal(name)
        elif what == "handover":
            w.admin("controller", "handover", check=False)
        else:
            self.sandbox.run(what[7:], server)
            self.stop.wait(pause)
            self.sandbox.run("restart" if what == "server-kill" else "resume", server)

    def nemesis(self):
        while not self.stop.is_set():
            self.one_failure()
            self.stop.wait(self.random.uniform(0.5, 4))

    def join(self, name):
        w = self.w
        done = w.run([MEMBER, "join", "g", "--as", name, "--state", w.dir / f"{name}.state", "--wait", "60s", *w.common(), "--token-file", self.token],
                     check=False)
        return w.follow("g", name) if done.returncode == 0 else None

    def read_epochs(self):
        """Every epoch message, newest last; each has to follow from the one before."""
        zk = KazooClient(self.w.connect)
        zk.start()
        self.addCleanup(zk.stop)
        numbers = sorted(map(int, zk.get_children(f"{self.w.root}/groups/g/epochs")))
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)), "an epoch is missing")
        before, controller, zxid = None, 0, 0
        for number in numbers:
            data, stat = zk.get(f"{self.w.root}/groups/g/epochs/{number}")
            message = data[4:4 + struct.unpack(">I", data[:4])[0]]
            magic, _, epoch, by, *_, prev = MESSAGE.unpack(message[:MESSAGE.size])
            self.assertEqual((magic, epoch, stat.version), (b"GKE1", number, 0))
            self.assertGreaterEqual(by, controller, f"epoch {number} is by a controller that was fenced")
            self.assertGreater(stat.czxid, zxid, f"epoch {number} was made before the one before")
            if before is not None:
                self.assertEqual(prev, before, f"epoch {number} doesn't follow from the one before")
            before, controller, zxid = hashlib.sha256(message).digest(), by, stat.czxid
        return len(numbers), controller

    def leaders_of(self):
        """Controller epoch -> who led then, as they themselves say."""
        leaders = {}
        for name, process in self.w.controllers.items():
            for line in process.lines():
                if line["role"] == "leader":
                    leaders.setdefault(line["controller_epoch"], set()).add(name)
        return leaders

    def test_everything_fails(self):
        w = self.w
        stay = [self.join(f"stay{i}") for i in range(3)]
        thread = threading.Thread(target=self.nemesis)
        thread.start()
        begin, i, gone, old, others = time.monotonic(), 0, {}, {}, {}
        while time.monotonic() - begin < SECONDS:
            name = f"m{i}"
            i += 1
            others[name] = self.join(name)
            if others[name] is None:
                continue
            time.sleep(self.random.uniform(0, 2))
            shutil.copy(w.dir / f"{name}.state", w.dir / f"{name}.old.state")
            leaves = self.random.random() < 0.7
            command = w.tool("leave", "g", "--state", w.dir / f"{name}.state", check=False) if leaves and self.random.random() < 0.5 else (
                w.admin("member", "evict", "g", name, "--yes", check=False) if leaves else None)
            if isinstance(command, dict) or getattr(command, "returncode", 1) == 0:
                gone[name] = others[name]
                old[name] = w.dir / f"{name}.old.state"
        self.stop.set()
        thread.join()
        for name in w.controllers:
            w.heal(name)
            if w.controllers[name].process.poll() is None:
                w.controllers[name].kill(signal.SIGCONT)
        for server in (1, 2, 3):
            self.sandbox.run("resume", server, check=False)
        self.sandbox.wait(lambda servers: all(s["mode"] in ("leader", "follower") for s in servers), 60)
        wait(lambda: isinstance(w.admin("group", "rekey", "g", check=False), dict), "a rekey after it all", 60)
        last = w.show("g")["epoch"]
        for m in stay:
            m.has(last, 60)
        for name, m in gone.items():
            wait(lambda m=m: any(line["event"] == "evicted" for line in m.lines()), f"{name} learns that it is out", 60)
        # who was taken out tries again with the state it had before
        again = {name: Member(w, f"{name}.again", [MEMBER, "run", "g", "--state", file]) for name, file in old.items()}
        for name, m in again.items():
            wait(lambda m=m: any(line["event"] == "evicted" for line in m.lines()), f"{name} is refused", 60)
        self.check(last, stay, {**others, **{f"{n}.again": m for n, m in again.items()}})
        print(f"{self.failures} failures, {last} epochs, {i} joins, {len(gone)} left or evicted ... ", end="")

    def check(self, last, stay, others):
        epochs, controller = self.read_epochs()
        self.assertGreaterEqual(epochs, last)
        leaders = self.leaders_of()
        self.assertFalse({e: who for e, who in leaders.items() if len(who) > 1}, "two controllers led in one controller epoch")
        self.assertIn(controller, leaders)
        truth = {}
        for m in stay:
            keys = m.keys()
            self.assertEqual(sorted(keys), list(range(min(keys), max(keys) + 1)), "a member lost an epoch")
            self.assertFalse([line for line in m.lines() if line["event"] in ("missed", "refused", "evicted")])
            for epoch, line in keys.items():
                self.assertEqual(truth.setdefault(epoch, line["fingerprint"]), line["fingerprint"], f"two keys in epoch {epoch}")
        for name, m in others.items():
            if m is None:
                continue
            out = [line for line in m.lines() if line["event"] == "evicted"]
            keys = m.keys()
            for epoch, line in keys.items():
                if epoch in truth:
                    self.assertEqual(line["fingerprint"], truth[epoch], f"{name} has another key in epoch {epoch}: {json.dumps(line)}")
            if out and keys:
                self.assertEqual(m.lines().index(out[0]), len(m.lines()) - 1, f"{name} got something after it was out")


if __name__ == "__main__":
    gktest.main("groups-chaos")
