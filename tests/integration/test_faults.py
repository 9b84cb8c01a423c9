"""kill -9 of every server, leader included, and of all at once, under load: what was acknowledged is there, and sessions with their
ephemeral nodes and watches go on."""
import os
import signal
import time
import unittest

import gktest
from gkholder import Holder
from gkload import Load, Writer
from gkraw import OPEN, Raw
from gktest import Sandbox

ROUNDS = int(os.environ.get("GK_ROUNDS", "1"))
KEYS = 8


class KeyWriter(Writer):
    """Writes its own keys: `may` maps each path to the values that it may have, None for a node that isn't there."""

    def __init__(self, number, addresses):
        super().__init__(number, addresses)
        self.may, self.attempt, self.made = {}, None, []

    def step(self, zk):
        value = f"{self.number}-{self.count}".encode() * (1 + self.count % 7)
        turn = self.count % 4
        if self.count < KEYS or turn == 0:
            path, value_then = f"/w/{self.number}-n{self.count}", value
            self.attempt = (path, value_then, {None})
            zk.create(path, value, 0)
            self.made.append(path)
        elif turn in (1, 2) or len(self.made) < KEYS * 2:
            path, value_then = self.made[self.count % KEYS], value
            self.attempt = (path, value_then, set())
            zk.set(path, value)
        else:
            path, value_then = self.made.pop(), None
            self.attempt = (path, value_then, set())
            zk.delete(path)
        unsure = {v for v in self.may.get(path, set()) if v in self.unsure.get(path, set())}
        self.may[path] = {value_then} | unsure

    unsure = property(lambda self: self.__dict__.setdefault("_unsure", {}))

    def lost(self):
        """It may be done now, later, or never: each of that is right from here on."""
        path, value, before = self.attempt
        self.unsure.setdefault(path, set()).add(value)
        self.may[path] = self.may.get(path, before) | before | {value}
        if path in self.made and value is None:
            self.made.remove(path)


class Kills(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(self)
        self.addresses = self.sandbox.start("--servers", 3, "--observers", 1).split(",")
        with Raw(self.addresses[0]) as zk:
            for path in ("/w", "/live", "/watched", "/parent"):
                zk.create(path)
        self.holders = [Holder(i, self.addresses) for i in range(5)]
        self.changer = self.holders.pop()

    def changed(self, number):
        """Changes what all watch, through a server that lives."""
        self.changer.call("setData", "/watched", f"change {number}", -1)
        self.changer.call("create", "/watched/new", "", OPEN, 0)
        self.changer.call("create", "/parent/n-", "", OPEN, 2)
        expected = ("NodeDataChanged", "/watched"), ("NodeCreated", "/watched/new"), ("NodeChildrenChanged", "/parent")
        for holder in self.holders:
            self.assertTrue(holder.expect(*expected), f"events after kill {number}: {holder.fired}")
        self.holders[0].call("delete", "/watched/new", -1)

    def kill_all(self):
        pids = [server["pid"] for server in self.sandbox.status()["servers"]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.sandbox.wait(lambda servers: all(s["state"] == "stopped" for s in servers))
        self.sandbox.start()

    def test_nothing_acknowledged_is_lost(self):
        kills = 0
        with Load([KeyWriter(i, self.addresses) for i in range(5)]) as load:
            for _ in range(ROUNDS):
                for victim in (self.sandbox.leader(), 1, 2, 3, 4):
                    load.go_on(100)
                    for holder in self.holders:
                        holder.arm()
                    self.sandbox.run("kill", victim)
                    kills += 1
                    self.changed(kills)
                    self.sandbox.run("restart", victim)
                load.go_on(100)
                for holder in self.holders:
                    holder.arm()
                self.kill_all()
                kills += 4
                self.changed(kills)
            load.go_on(100)
        self.check_values(load, kills)
        self.check_sessions()

    def check_values(self, load, kills):
        trees = []
        for address in self.addresses:
            with Raw(address) as zk:
                zk.call("sync", "/w")
                trees.append({path: data for path, (data, _) in zk.get_all("/w").items()})
        self.assertTrue(all(tree == trees[0] for tree in trees), "all servers hold the same")
        wrong, known = [], 0
        for writer in load.writers:
            for path, may in writer.may.items():
                known += len(may) == 1
                if trees[0].get(path) not in may:
                    wrong.append((path, trees[0].get(path), may))
        self.assertEqual(wrong, [])
        self.assertEqual([path for path in trees[0] if not any(path in writer.may for writer in load.writers)], [])
        print(f"{load.done} writes acknowledged, {load.unknown} unknown, {known} nodes with one right value, {kills} kills ... ", end="")

    def check_sessions(self):
        with Raw(self.addresses[0]) as zk:
            zk.call("sync", "/live")
            live = zk.get_all("/live")
            self.holders.append(self.changer)
            self.assertEqual(sorted(live), sorted(holder.path for holder in self.holders))
            for holder in self.holders:
                data, stat = live[holder.path]
                self.assertEqual((stat["czxid"], stat["ephemeralOwner"]), (holder.czxid, holder.session), "the same node all the time")
                self.assertEqual(holder.call("getData", holder.path, 0).values[0], data)
            self.holders[0].call("closeSession")
            zk.call("sync", "/live")
            self.assertEqual(len(zk.children("/live")), len(self.holders) - 1, "a closed session's node goes")

    def test_a_session_that_is_cut_off_ends(self):
        address = self.addresses[1]
        zk = Raw(address, timeout=2000)
        zk.create("/live/dead", b"", 1)
        zk.drop()
        self.sandbox.run("kill", self.sandbox.leader())
        other = Holder(0, [s["client"] for s in self.sandbox.status()["servers"] if s["state"] == "running"])
        deadline = time.monotonic() + 30
        while other.call("exists", "/live/dead", 0).err == 0:
            self.assertLess(time.monotonic(), deadline, "the ephemeral node of a dead session stays")
            time.sleep(0.2)


if __name__ == "__main__":
    gktest.main("faults")
