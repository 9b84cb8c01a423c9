"""Clients that contend for nodes and write down what they asked, when, and what they were told: a history for build/faults/linear (Porcupine).

ZooKeeper's reads are not linearizable, and neither is a read behind a sync: a leader that was cut off and does not know it yet answers a sync by
itself. So a read here stands behind a write of the same session to a node of its own, in one segment: once a quorum has taken that write, the
server has applied all that was acknowledged before. What plain reads promise, never to go back in time within a session, is checked apart."""
import json
import random
import subprocess
import threading
import time

from gkload import CUT_OFF, Writer
from gkraw import BADVERSION, NODEEXISTS, NONODE, OPEN, Failure
from gktest import ROOT

CHECKER = ROOT / "build" / "faults" / "linear"
RESULTS = {0: "OK", NONODE: "NONODE", NODEEXISTS: "NODEEXISTS", BADVERSION: "BADVERSION"}
USES, LOSSES = 60, 3  # of one node: Porcupine's work grows fast with what has no answer


class Nodes:
    """The nodes that all contend for; one that was much used gives way to a new one."""

    def __init__(self, count, seed):
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.slots = [[i, 0, 0, 0] for i in range(count)]  # number, generation, uses, losses

    def pick(self):
        with self.lock:
            slot = self.random.choice(self.slots)
            if slot[2] >= USES or slot[3] >= LOSSES:
                slot[1:] = slot[1] + 1, 0, 0
            slot[2] += 1
            return slot, f"/lin/{slot[0]}-{slot[1]}"


class History:
    def __init__(self):
        self.lock, self.operations = threading.Lock(), []

    def add(self, **operation):
        with self.lock:
            self.operations.append(operation)

    def check(self, path, operations=None):
        """Whether the checker takes it, and what it says."""
        operations = self.operations if operations is None else operations
        path.write_text("".join(json.dumps(operation) + "\n" for operation in operations))
        done = subprocess.run([CHECKER, path], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"{CHECKER} {path}: exit {done.returncode}: {done.stderr}")
        return done.returncode == 0, done.stdout


class Contender(Writer):
    """One client: creates, deletes, overwrites, compares and sets, reads."""

    PATIENCE, PAUSE = 3, 0.02

    def __init__(self, number, addresses, nodes, history):
        super().__init__(number, addresses)
        self.nodes, self.history, self.random = nodes, history, random.Random(number)
        self.asked, self.slot, self.seen, self.barrier = None, None, {}, f"/barrier/{number}"
        self.known, self.zk = {}, None

    def step(self, zk):
        if zk is not self.zk:
            self.zk, self.seen = zk, {}
        self.slot, key = self.nodes.pick()
        op = self.random.choices(("get", "plain", "set", "cas", "create", "delete"), (30, 20, 15, 15, 15, 5))[0]
        if op == "plain":
            return self.plain(zk, key)
        expect = self.known.get(key, 0) if op == "cas" or op == "delete" and self.random.random() < 0.5 else -1
        return self.operation(zk, key, "set" if op == "cas" else op, f"{self.number}.{self.count}" if op != "get" else "", expect)

    def operation(self, zk, key, op, value, expect):
        self.asked = {"client": self.number, "key": key, "op": op, "value": value, "expect": expect, "version": 0, "result": "OK", "call": time.monotonic_ns()}
        answer = self.ask(zk, key, op, value, expect)
        if answer.err in CUT_OFF:
            raise Failure(answer.err)
        if answer.err not in RESULTS:
            raise AssertionError(f"{op} {key}: {answer.name}")
        self.asked.update({"result": RESULTS[answer.err], "return": time.monotonic_ns()})
        if op == "get" and not answer.err:
            self.asked.update(value=answer.values[0].decode(), version=answer.values[1]["version"])
        elif op == "set" and not answer.err:
            self.asked["version"] = answer.values[0]["version"]
        self.known[key] = self.asked["version"]
        self.history.add(**self.asked)
        self.asked = None

    def ask(self, zk, key, op, value, expect):
        if op == "create":
            return zk.call("create", key, value, OPEN, 0)
        if op == "delete":
            return zk.call("delete", key, expect)
        if op == "set":
            return zk.call("setData", key, value, expect)
        zk.send("setData", self.barrier, value, -1)
        zk.send("getData", key, 0)
        barrier = zk.reply()
        answer = zk.reply()
        if barrier.err in CUT_OFF:
            return barrier
        barrier.ok()
        return answer

    def plain(self, zk, key):
        """Reads from the server as it is: what this session saw it may not see undone."""
        answer = zk.call("getData", key, 0)
        if answer.err in CUT_OFF:
            raise Failure(answer.err)
        if answer.err == 0:
            stat = answer.values[1]
            if stat["mzxid"] < self.seen.get(key, 0):
                raise AssertionError(f"session {zk.session:#x} saw {key} as of {self.seen[key]:#x}, then as of {stat['mzxid']:#x}")
            self.seen[key] = stat["mzxid"]
        if answer.zxid < self.seen.get("", 0):
            raise AssertionError(f"session {zk.session:#x} went back from {self.seen['']:#x} to {answer.zxid:#x}")
        self.seen[""] = answer.zxid

    def lost(self):
        if self.asked:
            self.slot[3] += 1
            if self.asked["op"] != "get":  # a read without an answer says nothing
                self.history.add(**self.asked, **{"return": 0})
        self.asked = None

    def read_all(self, zk):
        """At the end, with nobody else at work, each node that may still be there."""
        for key in sorted({o["key"] for o in self.history.operations}):
            self.operation(zk, key, "get", "", -1)


class Counter(Writer):
    """Sequential creates: `told` maps the names that were acknowledged to what was written."""

    def __init__(self, number, addresses, parent):
        super().__init__(number, addresses)
        self.parent, self.told = parent, {}

    def step(self, zk):
        data = f"{self.number}.{self.count}"
        path = zk.create(f"{self.parent}/n-", data.encode(), 2)
        if path in self.told:
            raise AssertionError(f"{path} was given twice")
        self.told[path] = data
