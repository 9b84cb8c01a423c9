"""What stock accepts is accepted, to the byte, and nothing that was accepted keeps a server from starting, drops a follower or eats the leader's
memory: one session with 85,000 ephemeral nodes, and multis of 1,048,575 bytes of one-character names, each followed by kill -9 of all."""
import os
import shutil
import signal
import time
import unittest

import gktest
from gkraw import OPEN, Closed, Raw, jute, proto
from gktest import Sandbox

FRAME = 1048575
EPHEMERALS = int(os.environ.get("GK_EPHEMERALS", "85000"))
ROUNDS = int(os.environ.get("GK_MULTIS", "3"))
PLUGIN = os.environ.get("GK_PLUGIN", "on")  # off: what stock itself takes
BIG = ["--jvm", "-Xmx512m", "--set", "initLimit=60", "--set", "syncLimit=30"]
HEADER = 8
MULTI_END = b"\xff\xff\xff\xff\x01\xff\xff\xff\xff"


def sized(op, fields, at, size):
    """The record whose frame, with its header, has that many bytes: field `at` is text that gets longer."""
    code = proto.CODES[op]

    def body():
        return proto.encode(proto.REQUEST[code], fields)
    fields = list(fields)
    fields[at] += "x" * (size - HEADER - len(body()))
    made = body()
    if len(made) + HEADER != size:
        raise ValueError("too long already")
    return made


def multi_of(creates, size=FRAME):
    """The body of a multi of these creates (path, flags), as many as fit into a frame; the last one's payload fills it. And their number."""
    parts, used = [], HEADER + len(MULTI_END)
    for path, flags in creates:
        part = jute.put_int(1) + b"\0\xff\xff\xff\xff" + proto.encode("sdai", [path, "", OPEN, flags])
        if used + len(part) > size:
            break
        parts.append(part)
        used += len(part)
    last = parts.pop()
    used -= len(last)
    path, flags = creates[len(parts)]
    filled = jute.put_int(1) + b"\0\xff\xff\xff\xff" + proto.encode("sdai", [path, "", OPEN, flags])
    missing = size - used - len(filled)
    parts.append(jute.put_int(1) + b"\0\xff\xff\xff\xff" + proto.encode("sdai", [path, "y" * missing, OPEN, flags]))
    return b"".join(parts) + MULTI_END, len(parts)


def memory(pid):
    """A process's memory, the most so far, in MiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


class Frames(unittest.TestCase):
    """1,048,575 bytes of plaintext are accepted, one more is closed without an answer, by both."""

    CASES = {
        "a create's payload": ("create", ["/limit", "", OPEN, 0], 1),
        "a sequential create's payload": ("create", ["/limit-", "", OPEN, 2], 1),
        "a create2's payload": ("create2", ["/limit2", "", OPEN, 0], 1),
        "a create's name": ("create", ["/n", "", OPEN, 0], 0),
        "a sequential create's prefix": ("create", ["/n", "", OPEN, 2], 0),
        "setData": ("setData", ["/set", "", -1], 1),
        "a missing path": ("exists", ["/missing", 0], 0),
        "a path of one-character names": ("exists", ["/a" * 500000, 0], 0),
        "sync": ("sync", ["/s"], 0),
        "setWatches": ("getChildren2", ["/w", 1], 0),
    }

    def outcome(self, address, op, fields, at, size):
        with Raw(address) as zk:
            try:
                answer = zk.call(op, body=sized(op, fields, at, size))
            except Closed:
                return "closed"
            if answer.values and op in ("create", "create2"):
                path = answer.values[0]
                data, stat = zk.get(path)
                return answer.name, len(path), len(data), stat["dataLength"]
            return answer.name

    def test_to_the_byte(self):
        stock, ours = Sandbox(self), Sandbox(self)
        addresses = [stock.start("--servers", 1, "--plugin", "off"), ours.start("--servers", 1)]
        for address in addresses:
            with Raw(address) as zk:
                zk.create("/set")
        for what, case in self.CASES.items():
            for size in (FRAME - 1, FRAME, FRAME + 1, FRAME + 100):
                with self.subTest(what, bytes=size):
                    expected, seen = (self.outcome(address, *case, size) for address in addresses)
                    self.assertEqual(seen, expected)
                    self.assertEqual(seen == "closed", size > FRAME)
        for size in (FRAME, FRAME + 1):
            results = []
            for address in addresses:
                with Raw(address, handshake=False) as zk:
                    body = proto.connect_request(0, 9000, 0, bytes(16), 0)[4:]
                    zk.send_bytes(jute.frame(body + bytes(size - len(body))))
                    try:
                        results.append(len(zk.frame()))
                    except Closed:
                        results.append("closed")
            with self.subTest("the handshake", bytes=size):
                self.assertEqual(results[1], results[0])

    def test_a_limit_of_the_operator(self):
        sandbox = Sandbox(self)
        address = sandbox.start("--servers", 1, "--jvm", "-Xmx512m", "--jvm", "-Djute.maxbuffer=50000")
        case = self.CASES["a create's payload"]
        self.assertEqual(self.outcome(address, *case, 50000)[0], "OK")
        self.assertEqual(self.outcome(address, *case, 50001), "closed")


class Big(unittest.TestCase):
    def start(self):
        self.sandbox = Sandbox(self)
        self.addresses = self.sandbox.start("--servers", 3, "--plugin", PLUGIN, *BIG).split(",")
        modes = self.sandbox.modes()
        self.follower = modes.index("follower")

    def kill_all(self):
        for server in self.sandbox.status()["servers"]:
            os.kill(server["pid"], signal.SIGKILL)
        self.sandbox.wait(lambda servers: all(s["state"] == "stopped" for s in servers))
        self.sandbox.start(*BIG)

    def wipe(self, ident):
        """A server that lost its disk gets a snapshot from the leader."""
        self.sandbox.run("kill", ident)
        for folder in ("data", "datalog"):
            shutil.rmtree(self.sandbox.dir / f"server-{ident}" / folder / "version-2")
        begin = (self.sandbox.dir / f"server-{ident}" / "log" / "zookeeper.log").stat().st_size
        self.sandbox.run("restart", ident)
        with open(self.sandbox.dir / f"server-{ident}" / "log" / "zookeeper.log", errors="replace") as log:
            log.seek(begin)
            self.assertIn("Getting a snapshot from leader", log.read())

    def memory(self):
        return [memory(server["pid"]) for server in self.sandbox.status()["servers"]]

    def everywhere(self, check):
        for address in self.addresses:
            with Raw(address, patience=60) as zk:
                zk.call("sync", "/")
                check(zk)

    def test_one_session_with_85000_ephemerals(self):
        self.start()
        with Raw(self.addresses[self.follower], timeout=60000, patience=60) as zk:
            zk.create("/e")
            began = time.monotonic()
            for begin in range(0, EPHEMERALS, 500):
                end = min(begin + 500, EPHEMERALS)
                for i in range(begin, end):
                    zk.send("create", f"/e/{i}", "", OPEN, 1)
                for _ in range(begin, end):
                    zk.reply().ok()
            made = time.monotonic() - began
            self.assertEqual(len(zk.children("/e")), EPHEMERALS)
            self.assertEqual(len(zk.call("getEphemerals", "/e/8").ok()), sum(str(i).startswith("8") for i in range(EPHEMERALS)))
        self.kill_all()
        with Raw(self.addresses[self.follower], zk.session, zk.password, timeout=60000, patience=60) as zk:
            self.assertEqual(len(zk.children("/e")), EPHEMERALS, "the session and its nodes are there after kill -9 of all")
            before = self.sandbox.modes()
            began = time.monotonic()
            zk.call("closeSession")
        self.everywhere(lambda zk: self.assertEqual(zk.children("/e"), []))
        closed = time.monotonic() - began
        self.assertEqual(self.sandbox.modes(), before, "nobody was dropped")
        used = self.memory()
        self.kill_all()
        self.everywhere(lambda zk: self.assertEqual(zk.children("/e"), []))
        self.wipe(self.follower + 1)
        with Raw(self.addresses[self.follower]) as zk:
            self.assertEqual((zk.children("/e"), zk.create("/e/s-", b"", 3)), ([], f"/e/s-{EPHEMERALS:010}"))
        print(f"{EPHEMERALS} made in {made:.0f} s, closed in {closed:.1f} s; memory {used} MiB ... ", end="")

    def fill(self, rounds):
        """Multis as large as they may be: wide (siblings), deep (each the parent of the next), sequential. (parents and their numbers, largest count)"""
        expected = {}
        letters = [chr(c) for c in range(0x100, 0xd000) if not 0x600 <= c < 0x700]
        with Raw(self.addresses[self.follower], timeout=60000, patience=120) as zk:
            for turn in range(rounds):
                wide, seq = zk.create(f"/{chr(97 + turn)}"), zk.create(f"/{chr(65 + turn)}")
                body, count = multi_of([(f"{wide}/{letter}", 0) for letter in letters])
                self.assertEqual(len(body) + HEADER, FRAME)
                self.all_ok(zk.call("multi", body=body), count)
                expected[wide] = count
                body, count = multi_of([(seq + "/", 2)] * 30000)
                self.all_ok(zk.call("multi", body=body), count)
                expected[seq] = count
            top = zk.create("/0")
            body, count = multi_of([(top + "/x" * depth, 0) for depth in range(1, 1400)])
            self.all_ok(zk.call("multi", body=body), count)
            self.depth = count
        return expected

    def all_ok(self, answer, count):
        results = answer.ok()
        self.assertEqual((len(results), {kind for kind, _ in results}), (count, {"create"}))

    def verify(self, expected):
        def check(zk):
            for parent, count in expected.items():
                names = zk.children(parent)
                self.assertEqual(len(names), count, parent)
                if parent.isupper():
                    self.assertEqual(names, [f"{i:010}" for i in range(count)])
                self.assertEqual(zk.get(f"{parent}/{names[0]}")[0][:1], b"")
            self.assertEqual(zk.exists("/0" + "/x" * self.depth)["numChildren"], 0)
        self.everywhere(check)

    def test_multis_of_one_character_names(self):
        self.start()
        began = time.monotonic()
        expected = self.fill(ROUNDS)
        took = time.monotonic() - began
        self.assertEqual(sorted(self.sandbox.modes()), ["follower", "follower", "leader"])
        self.verify(expected)
        used = self.memory()
        self.kill_all()
        self.verify(expected)
        self.wipe(self.follower + 1)
        self.verify(expected)
        print(f"{2 * ROUNDS + 1} multis of {FRAME} bytes, {sum(expected.values()) + self.depth} nodes, depth {self.depth}, in {took:.0f} s; memory {used}, "
              f"after the restart {self.memory()} MiB at -Xmx512m ... ", end="")


if __name__ == "__main__":
    gktest.main("limits")
