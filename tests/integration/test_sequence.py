"""Sequential creates: the names, numbers and errors that a client sees are stock's, through every kind of server and across leaders that die.

Each script runs on a stock server and through leader, follower and observer of one ensemble with the plugin; results must be equal. What the
first paper could not do (its figure 2: a plain name that equals a sequential one) is among them.
"""
import os
import socket
import struct
import threading
import time
import unittest

import gktest
from gkload import Load, Writer
from gkraw import CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN, SEQUENTIAL, TTL, TTL_SEQUENTIAL, Failure, Raw, part, part_create
from gktest import Sandbox

LEADERS_KILLED = int(os.environ.get("GK_LEADERS", "2"))
PLAIN_STAT = ("version", "cversion", "aversion", "dataLength", "numChildren")


class Script:
    """Collects what a client sees under one parent, with the parent's own name taken out."""

    def __init__(self, zk, base):
        self.zk, self.base, self.seen = zk, base, []

    def note(self, value):
        if isinstance(value, str):
            value = value.replace(self.base, "BASE")
        if isinstance(value, dict):
            value = {name: value[name] for name in PLAIN_STAT} | {"ephemeral": value["ephemeralOwner"] != 0}
        if isinstance(value, (list, tuple)):
            value = [self.plain(v) for v in value]
        self.seen.append(value)
        return value

    def plain(self, value):
        before, self.seen = self.seen, []
        self.note(value)
        value, self.seen = self.seen[0], before
        return value

    def create(self, path, data=b"", flags=SEQUENTIAL, **how):
        try:
            self.note(self.zk.create(self.base + path, data, flags, **how))
        except Failure as error:
            self.note(str(error))

    def create2(self, path, data=b"", flags=SEQUENTIAL):
        answer = self.zk.call("create2", self.base + path, data.decode("latin-1"), OPEN, flags)
        self.note(answer.values or answer.name)

    def multi(self, *parts):
        """parts: (path, flags) creates, or ready ones."""
        ready = [part_create(self.base + p[0], b"m", p[1]) if isinstance(p, tuple) else p for p in parts]
        answer = self.zk.call("multi", ready)
        self.note(answer.values[0] if answer.values else answer.name)

    def delete(self, path):
        self.note(self.zk.call("delete", self.base + path, -1).name)

    def tree(self, path=""):
        """Children, their data, and the parent's Stat."""
        names = self.zk.children(self.base + path)
        self.note(names)
        self.note(self.zk.exists(self.base + path))
        for name in names:
            self.note(self.zk.get(f"{self.base}{path}/{name}"))


def mixed_with_plain(s):
    for path, flags in (("/n-", 2), ("/x", 0), ("/n-", 2), ("/other-", 3), ("/n-", 2), ("/y", 1), ("/n-", 2)):
        s.create(path, path.encode(), flags)
    s.delete("/x")
    s.create("/n-")
    s.create("/x", flags=0)
    s.create("/n-", None)
    s.create("/n-", bytes(range(256)) * 300)
    s.tree()


def several_in_one_multi(s):
    s.multi(("/a-", SEQUENTIAL), ("/a-", SEQUENTIAL), ("/plain", 0), ("/b-", EPHEMERAL_SEQUENTIAL), part("delete", s.base + "/plain", -1), ("/a-", 2))
    s.multi(("/a-", SEQUENTIAL), part("check", s.base + "/missing", -1), ("/a-", SEQUENTIAL))
    s.multi(("/a-", SEQUENTIAL), ("/a-0000000000", 0))
    s.multi(("/a-", SEQUENTIAL), ("/a-0000000006", 0))
    s.multi(("/a-", TTL_SEQUENTIAL), part("create2", s.base + "/c2-", "x", OPEN, 2), ("/ttl", TTL), ("/a-", TTL_SEQUENTIAL), ("/", SEQUENTIAL))
    s.create("/a-")
    s.tree()


def parent_made_in_the_multi(s):
    s.multi(("/p", 0), ("/p/s-", 2), ("/p/s-", 2), part("delete", s.base + "/p/s-0000000000", -1), part("delete", s.base + "/p/s-0000000001", -1),
            part("delete", s.base + "/p", -1), ("/p", 0), ("/p/s-", 2), ("/p/s-", 3))
    s.tree("/p")
    s.multi(part("delete", s.base + "/p/s-0000000000", -1), part("delete", s.base + "/p/s-0000000001", -1), part("delete", s.base + "/p", -1),
            ("/p/s-", 2))
    s.multi(part("delete", s.base + "/p/s-0000000000", -1), part("delete", s.base + "/p/s-0000000001", -1), part("delete", s.base + "/p", -1),
            ("/p", CONTAINER), ("/p/s-", 2), ("/p/deep", 0), ("/p/deep/", 2), ("/p/deep/", 2))
    s.tree("/p")
    s.tree("/p/deep")


def containers_and_ttl(s):
    s.create("/box", flags=CONTAINER)
    for flags in (SEQUENTIAL, EPHEMERAL_SEQUENTIAL, TTL_SEQUENTIAL):
        s.create("/box/s-", b"d", flags)
        s.create2("/box/s-", b"d", flags) if flags != TTL_SEQUENTIAL else s.create("/box/s-", b"", flags, ttl=1)
    s.create("/box/s-", b"d", TTL_SEQUENTIAL, ttl=-1)
    s.create("/box/s-", b"d", TTL_SEQUENTIAL, ttl=0)
    s.create("/box/s-", b"d", SEQUENTIAL, op="createContainer")
    s.tree("/box")
    s.create("/ttl", flags=TTL)
    s.create("/ttl/s-", flags=TTL_SEQUENTIAL)
    s.create("/ttl/s-")


def odd_prefixes(s):
    for prefix in ("", "1234567890", "0", "0000000003", ".", "..", "...", " ", "-", "%010d", "\u00e4\u6f22", "x" * 250, "n\u00a0", "zookeeper_limits",
                   "AAAAAAAAAAAAAAAAAAAAAAAAAA", "\ufeff"):
        s.create("/" + prefix)
    s.create2("/")
    s.tree()


def figure_two(s):
    """create("/node", sequential) and create("/node0000000000") must never both succeed."""
    s.create("/node")
    s.create("/node0000000000", flags=0)
    s.create("/node0000000003", b"first", 0)
    s.create("/x", flags=0)
    s.create("/node")
    s.create("/node", b"", EPHEMERAL_SEQUENTIAL)
    s.create("/y", flags=0)
    s.create("/node")
    s.create("/node00000000", flags=2)
    s.create("/node0000000000", flags=2)
    s.tree()


def errors(s):
    s.create("/missing/s-")
    s.create("/e", flags=EPHEMERAL)
    s.create("/e/s-")
    for bad in ("/a\u0001", "/a\u0000", "/\ud7ff\ufff0", "/a//", "/./s-", "/../s-", "//s-", "/\uf8ff", "/a\u0001/s-", "/\u0001", "/\u0001AAAA"):
        s.create(bad)
    s.create("/s-", acl=[])
    s.create("/s-", acl=[[31, "auth", ""]])
    s.create("/s-", acl=[[31, "bogus", "x"]])
    s.create("/s-", flags=7)
    s.create("/s-", flags=-1)
    s.create("/s-", b"ok")
    answer = s.zk.call("create", "relative-", "", OPEN, SEQUENTIAL)
    s.note(answer.name)
    s.note(s.zk.call("create", "", "", OPEN, SEQUENTIAL).name)
    s.note(s.zk.call("create", None, "", OPEN, SEQUENTIAL).name)
    s.note(s.zk.call("setACL", s.base, [[1, "world", "anyone"]], -1).name)
    s.create("/s-")
    s.note(s.zk.call("setACL", s.base, OPEN, -1).name)
    s.note(s.zk.exists(s.base))


def pipelined(s):
    for i in range(120):
        s.zk.send("create" if i % 3 else "create2", f"{s.base}/{'abc'[i % 3]}-", f"{i}", OPEN, (2, 0, 3, 2)[i % 4])
    for _ in range(120):
        answer = s.zk.reply()
        s.note(answer.values[0] if answer.values else answer.name)
    s.note(s.zk.children(s.base))


def ephemerals(s):
    other = Raw(s.address)
    for prefix in ("/e-", "/e-", "/f", "/"):
        other.create(s.base + prefix, b"", EPHEMERAL_SEQUENTIAL)
    s.note(sorted(other.call("getEphemerals", s.base + "/e").ok()))
    s.note(sorted(other.call("getEphemerals", s.base + "/e-0000000001").ok()))
    other.close()
    s.zk.call("sync", s.base)
    s.note(s.zk.children(s.base))
    s.create("/e-", b"", EPHEMERAL_SEQUENTIAL)


def watches(s):
    s.zk.call("addWatch", s.base, 1)
    s.zk.children(s.base, watch=1)
    s.create("/w-")
    s.multi(("/w-", 2), ("/deep", 0), ("/deep/w-", 2))
    s.delete("/w-0000000000")
    s.zk.call("ping", xid=-2)
    s.note([f"{event.type} {event.path}" for event in s.zk.events])
    s.zk.events.clear()
    s.note(s.zk.call("removeWatches", s.base, 3).name)


SCRIPTS = (mixed_with_plain, several_in_one_multi, parent_made_in_the_multi, containers_and_ttl, odd_prefixes, figure_two, errors, pipelined,
           ephemerals, watches)


def run(script, address, base):
    with Raw(address) as zk:
        zk.create(base)
        collected = Script(zk, base)
        collected.address = address
        script(collected)
        zk.close()
    return collected.seen


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stock, cls.ours = Sandbox(cls), Sandbox(cls)
        cls.reference = cls.stock.start("--servers", 1, "--plugin", "off")
        addresses = cls.ours.start("--servers", 3, "--observers", 1).split(",")
        modes = cls.ours.modes()
        cls.through = {mode: addresses[modes.index(mode)] for mode in ("leader", "follower", "observer")}

    addCleanup = classmethod(lambda cls, *a, **k: cls.addClassCleanup(*a, **k))

    def test_each_script_gives_what_stock_gives(self):
        for script in SCRIPTS:
            base = "/" + script.__name__
            expected = run(script, self.reference, base + "-stock---")
            self.assertGreater(len(expected), 3)
            for mode, address in self.through.items():
                with self.subTest(script.__name__, through=mode):
                    seen = run(script, address, f"{base}-{mode:-<8}")
                    for i, (ours, stock) in enumerate(zip(seen, expected)):
                        self.assertEqual(ours, stock, f"step {i} of {script.__name__}")
                    self.assertEqual(len(seen), len(expected))

    def test_known_names(self):
        """What must come out, said here and not by a stock server."""
        for mode, address in self.through.items():
            with self.subTest(through=mode), Raw(address) as zk:
                base = f"/known-{mode}"
                zk.create(base)
                self.assertEqual([zk.create(base + p, b"", 2) for p in ("/n-", "/", "/.", "/7")],
                                 [base + p for p in ("/n-0000000000", "/0000000001", "/.0000000002", "/70000000003")])
                results = zk.multi(part_create(base + "/m", flags=2), part_create(base + "/p"), part_create(base + "/m", flags=3))
                self.assertEqual([values[0] for _, values in results], [base + p for p in ("/m0000000004", "/p", "/m0000000006")])
                self.assertEqual(zk.create(base + "/node0000000008"), base + "/node0000000008")
                with self.assertRaisesRegex(Failure, "NODEEXISTS"):
                    zk.create(base + "/node", b"", 2)

    def test_at_the_top(self):
        """The parent is "/", which ZooKeeper made; the number is its count of creates."""
        for mode, address in self.through.items():
            with self.subTest(through=mode), Raw(address) as zk:
                zk.call("sync", "/")
                stat = zk.exists("/")
                number = (stat["cversion"] + stat["numChildren"]) // 2
                made = [zk.create("/top-", b"", 2), zk.create("/", b"", 2), zk.create("/..", b"", 3)]
                self.assertEqual(made, [f"/top-{number:010}", f"/{number + 1:010}", f"/..{number + 2:010}"])

    def test_all_servers_show_the_same_names(self):
        with Raw(self.through["follower"]) as zk:
            zk.create("/same")
            for i in range(40):
                zk.create("/same/" + "n-" * (i % 3), f"{i}".encode(), 2 + i % 2)
            names = zk.children("/same")
            for address in self.through.values():
                with Raw(address) as other:
                    other.call("sync", "/same")
                    self.assertEqual(other.children("/same"), names)


class SequenceWriter(Writer):
    """Half of the parents take nothing but sequential creates; the others take plain ones, too."""

    def step(self, zk):
        tag = f"{self.number}-{self.count}".encode()
        turn = self.count % 5
        if turn == 3:
            parts = [part_create("/pure/m-", tag + b"-0", 2), part_create("/pure/", tag + b"-1", 2), part_create("/side/p", b"", 2)]
            results = zk.multi(*parts)
            self.acked += [(results[0][1][0], tag + b"-0"), (results[1][1][0], tag + b"-1")]
        else:
            path, flags = (("/pure/n-", 2), ("/mixed/n-", 2), ("/pure/t-", TTL_SEQUENTIAL), None, (f"/mixed/{tag.decode()}", 0))[turn]
            self.acked.append((zk.create(path, tag, flags), tag))


class FakeVoter:
    """Server 3 as far as elections go: it votes for server 1 and is nowhere else. (QuorumCnxManager's and FastLeaderElection's wire formats.)"""

    LOOKING = 0

    def __init__(self, election_port):
        self.sock = socket.create_connection(("127.0.0.1", election_port))
        address = b"127.0.0.1:1"
        self.sock.sendall(struct.pack(">qqi", -65536, 3, len(address)) + address)
        self.sock.settimeout(1)

    def vote(self, seconds):
        """Agrees with each notification of server 1 that it gets."""
        deadline, data = time.monotonic() + seconds, b""
        while time.monotonic() < deadline:
            try:
                data += self.sock.recv(65536)
            except TimeoutError:
                continue
            while len(data) >= 4 and len(data) >= 4 + (size := struct.unpack(">i", data[:4])[0]):
                body, data = data[4:4 + size], data[4 + size:]
                state, leader, zxid, round_, epoch = struct.unpack(">iqqqq", body[:36])
                if state == self.LOOKING and leader == 1:
                    answer = struct.pack(">iqqqqii", state, leader, zxid, round_, epoch, 2, 0)
                    self.sock.sendall(struct.pack(">i", len(answer)) + answer)

    def close(self):
        self.sock.close()


class Leaders(unittest.TestCase):
    def test_a_leader_that_found_no_followers_leads_later(self):
        """What its first turn left behind must not stop the second."""
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, "--set", "initLimit=6").split(",")
        sandbox.run("kill", 2)
        sandbox.wait(lambda servers: servers[0]["mode"] in ("leader", "follower"))
        with Raw(addresses[0]) as zk:
            zk.create("/newer") # so that server 1 leads, in the end, and not server 2
        sandbox.run("kill", 3)
        sandbox.run("kill", 1)
        port = int(addresses[0].rpartition(":")[2]) + 300
        starting = threading.Thread(target=sandbox.run, args=("restart", 1), kwargs={"check": False})
        starting.start()
        log = sandbox.dir / "server-1" / "log" / "zookeeper.log"
        known = log.read_text().count("LEADING - LEADER ELECTION TOOK")
        voter, deadline = None, time.monotonic() + 60
        while log.read_text().count("LEADING - LEADER ELECTION TOOK") == known:
            self.assertLess(time.monotonic(), deadline, "server 1 was never elected")
            try:
                voter = voter or FakeVoter(port)
                voter.vote(1)
            except OSError:
                voter = None
                time.sleep(0.2)
        while "Timeout while waiting for epoch from quorum" not in log.read_text():
            self.assertLess(time.monotonic(), deadline, "server 1 goes on without followers")
            time.sleep(0.2)
        voter.close()
        starting.join()
        sandbox.run("restart", 2)
        sandbox.wait(lambda servers: sorted(s["mode"] for s in servers)[:2] == ["follower", "leader"], 60)
        self.assertEqual(sandbox.leader(), 1)
        with Raw(addresses[0]) as zk:
            self.assertEqual(zk.create("/after-", b"", 2)[:7], "/after-")

    def number(self, name):
        return int(name[-10:])

    def test_kill_9_of_leaders_under_load(self):
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, "--observers", 1).split(",")
        with Raw(addresses[0]) as zk:
            for parent in ("/pure", "/mixed", "/side"):
                zk.create(parent)
        with Load([SequenceWriter(i, addresses) for i in range(6)]) as load:
            for _ in range(LEADERS_KILLED):
                load.go_on(300)
                leader = sandbox.leader()
                sandbox.run("kill", leader)
                load.go_on(300)
                sandbox.run("restart", leader)
        acked = [pair for writer in load.writers for pair in writer.acked]
        trees = []
        for address in addresses:
            with Raw(address) as zk:
                zk.call("sync", "/pure")
                trees.append(zk.get_all("/pure") | zk.get_all("/mixed"))
                self.assertEqual(zk.exists("/pure")["numChildren"], sum(path.startswith("/pure/") for path in trees[-1]))
        self.assertTrue(all(tree == trees[0] for tree in trees), "all servers hold the same")
        tree = trees[0]
        lost = [pair for pair in acked if pair[0] not in tree]
        changed = [(path, tag, tree[path][0]) for path, tag in acked if path in tree and tree[path][0] != tag]
        created = sorted(stat["czxid"] for _, stat in tree.values())
        gaps = [f"{a:x}..{b:x}" for a, b in zip(created, created[1:]) if b - a > 1]
        self.assertFalse(lost, f"{len(lost)} acknowledged writes are lost, {lost[:3]} to {lost[-3:]}; gaps between creates: {gaps[-12:]}")
        self.assertFalse(changed, f"{len(changed)} are another's: {changed[:5]}")
        payloads = [data for data, _ in tree.values()]
        self.assertEqual(len(payloads), len(set(payloads)), "a create was executed twice")

        pure = sorted(self.number(path) for path in tree if path.startswith("/pure/"))
        odd = [(i, n) for i, n in enumerate(pure) if i != n]
        self.assertFalse(odd, f"{len(odd)} of {len(pure)} aren't contiguous, from (rank, number) {odd[:3]} on")
        mixed = sorted((stat["czxid"], path) for path, (_, stat) in tree.items() if path.startswith("/mixed/"))
        wrong = [path for rank, (_, path) in enumerate(mixed) if path.startswith("/mixed/n-") and self.number(path) != rank]
        self.assertFalse(wrong, f"the number is the count of creates before; {len(wrong)} aren't, from {wrong[:3]} on")
        print(f"{len(pure) + len(mixed)} creates, {len(acked)} acknowledged, {load.unknown} unknown, over {LEADERS_KILLED + 1} leaders ... ", end="")
        self.assertGreater(len(acked), 500 * LEADERS_KILLED)


if __name__ == "__main__":
    gktest.main("sequence")
