"""Faults on a real ensemble whose servers live in network namespaces of their own, under load: kill -9, pause and partition of each role, a full
disk, jumps of the clock, native allocations that fail, a damaged keyring, the plugin switched on in a running ensemble. The history of all
clients must be linearizable (Porcupine), sequence numbers without gap or double, ephemerals and watches as if nothing had been."""
import contextlib
import mmap
import os
import random
import re
import secrets
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import gktest
from gkhistory import Contender, Counter, History, Nodes
from gkholder import Holder
from gkleak import Search
from gkload import CUT_OFF, Load
from gkraw import DATAINCONSISTENCY, Closed, Failure, Raw, metrics, part
from gktest import ROOT, Sandbox

SYSTEMERROR = -1
CLOCKJUMP = ROOT / "build" / "faults" / "clockjump.so"
FAILMALLOC = ROOT / "build" / "faults" / "failmalloc.so"
ROUNDS = int(os.environ.get("GK_ROUNDS", "0"))  # 0: one of each kind
PLUGIN = os.environ.get("GK_PLUGIN", "on")  # off: what stock does under the same faults
SEED = int(os.environ.get("GK_SEED", time.time_ns() % 1000000))
FAST = ["--jvm", "-Xmx256m", "--jvm", "-XX:TieredStopAtLevel=1", "--set", "tickTime=300", "--set", "initLimit=100", "--set", "syncLimit=10", "--set", "maxSessionTimeout=600000"]
OBSERVER = 4
SMALL_DISK = 3  # the server whose disk can be filled
FAULTS = [(kind, role) for kind in ("kill", "pause", "partition") for role in ("leader", "follower", "observer")] + [
    ("disk", "small"), ("clock", "leader"), ("clock", "follower")]
FEW = [("pause", "leader"), ("partition", "leader"), ("kill", "leader"), ("partition", "follower"), ("pause", "observer"), ("disk", "small"), ("clock", "leader")]


@unittest.skipIf(os.geteuid(), "only root can make network namespaces and mount a small disk")
class Faults(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(self)
        self.small_disk()
        self.sandbox.env = {"LD_PRELOAD": str(CLOCKJUMP), "CLOCKJUMP": "clock"}  # each server's own, in its folder
        for ident in range(1, OBSERVER + 1):
            self.set_clock(ident, 0)
        self.addresses = self.sandbox.start("--servers", 3, "--observers", 1, "--netns", "--plugin", PLUGIN, "--set", "preAllocSize=64", "--set", "snapCount=2000", *FAST).split(",")
        with Raw(self.addresses[0]) as zk:
            for path in ("/lin", "/barrier", "/live", "/watched", "/parent", "/seq", "/seq/a", "/seq/b"):
                zk.create(path)
            for number in range(8):
                zk.create(f"/barrier/{number}")
        self.history, self.nodes, self.jumped = History(), Nodes(12, SEED), set()
        self.contenders = [Contender(i, self.addresses, self.nodes, self.history) for i in range(5)]
        self.counters = [Counter(10 + i, self.addresses, "/seq/" + "ab"[i % 2]) for i in range(4)]
        self.holders = [Holder(i, self.addresses) for i in range(5)]
        self.changer = self.holders.pop()

    def small_disk(self):
        disk = self.sandbox.dir / "disk"
        disk.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.addCleanup(self.sandbox.run, "stop", check=False)
        home = self.sandbox.dir / f"server-{SMALL_DISK}"
        home.mkdir(exist_ok=True)
        for name in ("data", "datalog"):
            (disk / name).mkdir()
            (home / name).symlink_to(disk / name)
        self.disk = disk

    def note_jump(self, zk):
        """A node's time is the leader's."""
        path = zk.create("/clock-", b"", 2)
        self.jumped.add(round(zk.exists(path)["ctime"] / 1000 - time.time()) // 1800)

    def set_clock(self, ident, seconds):
        file = self.sandbox.dir / f"server-{ident}" / "clock"
        file.parent.mkdir(exist_ok=True)
        with open(file, "r+b" if file.exists() else "wb") as clock:
            clock.write(struct.pack("=q", seconds))

    # ---- faults: each is begun, lasts while the clients go on, and ends ----

    def logged(self, text):
        """How often the servers' logs say this."""
        return sum((self.sandbox.dir / f"server-{i}" / "log" / "zookeeper.log").read_text(errors="replace").count(text) for i in range(1, OBSERVER + 1))

    def find(self, role):
        modes = self.sandbox.modes()
        if role in ("leader", "observer"):
            return modes.index(role) + 1
        return SMALL_DISK if role == "small" else random.choice([i + 1 for i, mode in enumerate(modes) if mode == "follower"])

    @contextlib.contextmanager
    def fault(self, kind, victim):
        if kind == "clock":
            with self.clock_jumps(victim):
                yield
            return
        if kind == "disk":
            with self.full_disk(victim):
                yield
            return
        end = {"kill": ("restart", victim), "pause": ("resume", victim), "partition": ("heal",)}[kind]
        self.sandbox.run(kind, victim)
        yield
        self.sandbox.run(*end)

    @contextlib.contextmanager
    def full_disk(self, victim):
        """The server must end or leave the ensemble, for what it can't write it must not acknowledge. Stock rejoins from memory that is ahead of its log
        (ZOOKEEPER-4882; seen with GK_PLUGIN=off when it wasn't emptied), so it is emptied before it starts again: docs/OPERATIONS.md, "After a full disk"."""
        filler = self.disk / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        yield
        self.sandbox.wait(lambda servers: servers[victim - 1]["mode"] == "none", 60)
        self.sandbox.run("kill", victim, check=False)
        filler.unlink()
        for log in (self.sandbox.dir / f"server-{victim}").glob("data*/version-2"):
            shutil.rmtree(log)
        self.sandbox.run("restart", victim)

    @contextlib.contextmanager
    def clock_jumps(self, victim):
        """An hour ahead, a day back, ten years ahead, and right again: while it serves."""
        for seconds in (3600, -86400, 10 * 365 * 86400):
            self.set_clock(victim, seconds)
            self.on_each(self.note_jump)
        yield
        self.set_clock(victim, 0)

    # ---- what must hold ----

    def on_each(self, look):
        """look(connection) on every server; on a busy machine elections come of themselves, and then once more."""
        for address in self.addresses:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with Raw(address, patience=20) as zk:
                        look(zk)
                        break
                except AssertionError as error:
                    raise AssertionError(f"on {address}, modes {self.sandbox.modes()}: {error}") from error
                except (Closed, OSError, Failure):
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)

    def serving(self):
        self.sandbox.wait(lambda servers: all(server["mode"] != "none" for server in servers), 60)

    def changed(self, number):
        """What all watch is changed while the fault lasts; each session, by whatever server, is told once."""
        self.changer.call("setData", "/watched", f"change {number}", -1)
        self.changer.call("create", "/watched/new", "", [[31, "world", "anyone"]], 0)
        self.changer.call("create", "/parent/n-", "", [[31, "world", "anyone"]], 2)

    def told(self, number):
        expected = ("NodeDataChanged", "/watched"), ("NodeCreated", "/watched/new"), ("NodeChildrenChanged", "/parent")
        for holder in self.holders:
            self.assertTrue(holder.expect(*expected), f"events of fault {number}: {holder.fired}")
        self.holders[0].call("delete", "/watched/new", -1)

    def check_sequences(self, zk):
        """From 0, none missing, none twice, in the order of their transactions, with what was written."""
        for parent in ("/seq/a", "/seq/b"):
            told = {path: data for counter in self.counters if counter.parent == parent for path, data in list(counter.told.items())}
            zk.call("sync", "/seq").ok()
            nodes = zk.get_all(parent)
            numbers = [int(path[-10:]) for path in sorted(nodes)]
            self.assertEqual(sorted(set(range(numbers[-1])) - set(numbers)), [], f"missing in {parent}, of {len(numbers)}")
            self.assertEqual(numbers, list(range(len(numbers))), parent)
            order = [nodes[path][1]["czxid"] for path in sorted(nodes)]
            self.assertEqual(order, sorted(set(order)))
            self.assertEqual({path for path, data in told.items() if path not in nodes or nodes[path][0].decode() != data}, set(), "acknowledged, and lost")

    def check_sessions(self, zk):
        holders = [*self.holders, self.changer]
        zk.call("sync", "/live").ok()
        live = zk.get_all("/live")
        self.assertEqual(sorted(live), sorted(holder.path for holder in holders))
        for holder in holders:
            stat = live[holder.path][1]
            self.assertEqual((stat["czxid"], stat["ephemeralOwner"]), (holder.czxid, holder.session), "the same node all the time")

    def check_history(self):
        readers = iter(self.contenders)
        self.on_each(lambda zk: next(readers).read_all(zk))
        good, text = self.history.check(self.sandbox.dir / "history")
        if not good and os.environ.get("GK_KEEP"):
            self.history.check(Path(os.environ["GK_KEEP"]) / "history")
        self.assertTrue(good, text[-3000:])
        return text.strip()

    def test_faults(self):
        faults = FEW if not ROUNDS else [fault for i in range(ROUNDS) for fault in random.Random(SEED + i).sample(FAULTS, len(FAULTS))]
        with Load(self.contenders + self.counters) as load:
            load.go_on(300)
            for number, (kind, role) in enumerate(faults):
                victim = self.find(role)
                print(f"{kind} {role} ({victim})", end=" ", flush=True)
                begin = time.monotonic()
                for holder in self.holders:
                    holder.arm()
                with self.fault(kind, victim):
                    time.sleep(0.5)
                    load.go_on(150)
                    self.changed(number)
                self.serving()
                self.told(number)
                load.go_on(100)
                self.on_each(self.check_sequences)
                self.on_each(self.check_sessions)
                print(f"{time.monotonic() - begin:.1f} s,", end=" ", flush=True)
        text = self.check_history()
        print(f"{self.logged('First digest mismatch')} digest mismatches,", end=" ")
        self.assertGreater(len(self.jumped), 2, "the leader's clock did jump")
        print(f"seed {SEED}: {len(faults)} faults, {load.done} operations, {load.unknown} without an answer; {text} ... ", end="")
        self.check_the_checker()

    # ---- the checker must be able to fail ----

    def check_the_checker(self):
        """The history that was just accepted, changed in one place, must be refused."""
        operations = self.history.operations
        last = {o["key"]: o for o in operations if o["op"] == "get"}
        unsure = {o["key"] for o in operations if not o["return"]}
        late = max(o["return"] for o in operations) + 1
        wrong = {}
        for key, read in last.items():
            write = next((o for o in operations if o["key"] == key and o["op"] == "set" and o["return"] and (o["value"], o["version"]) ==
                          (read["value"], read["version"])), None)
            if key in unsure or read["result"] != "OK" or not write:
                continue
            older = next((o["value"] for o in operations if o["key"] == key and o["op"] in ("set", "create") and o["version"] == read["version"] - 1), "")
            stale = {**read, "version": read["version"] - 1, "value": older, "call": late, "return": late + 1}
            wrong[f"a stale read of {key}"] = [*operations, stale]
            wrong[f"a lost write to {key}"] = [*operations, {**stale, "result": "NONODE", "version": 0}]
            wrong[f"a version given twice at {key}"] = [*operations, {**write, "client": 99}]
            wrong[f"a value nobody wrote at {key}"] = [o if o is not read else {**read, "value": "nobody's"} for o in operations]
        self.assertGreater(len(wrong), 4)
        for what, changed in list(wrong.items())[:40]:
            with self.subTest(what):
                key = what.split()[-1]
                good, text = self.history.check(self.sandbox.dir / "wrong", [o for o in changed if o["key"] == key])
                self.assertFalse(good, "the checker takes it")
                self.assertIn(f"{key} is not linearizable", text)


class Checker(unittest.TestCase):
    """Histories made by hand."""

    def verdict(self, *lines):
        history = History()
        for at, (op, result, value, version, *rest) in enumerate(lines):
            times = rest[0] if rest else (10 * at, 10 * at + 5)
            history.add(client=at, key="/k", op=op, result=result, value=value, version=version, expect=rest[1] if rest[1:] else -1, call=times[0] + 1,
                        **{"return": times[1] + 1 if times[1] else 0})
        with tempfile.NamedTemporaryFile() as file:
            return history.check(Path(file.name))[0]

    def test_right_ones(self):
        self.assertTrue(self.verdict(("create", "OK", "a", 0), ("set", "OK", "b", 1), ("get", "OK", "b", 1), ("delete", "OK", "", 0), ("get", "NONODE", "", 0)))
        self.assertTrue(self.verdict(("create", "OK", "a", 0), ("set", "OK", "b", 1, (10, 50)), ("get", "OK", "a", 0, (20, 25)), ("get", "OK", "b", 1, (30, 35))))
        self.assertTrue(self.verdict(("create", "", "a", 0, (0, 0)), ("get", "NONODE", "", 0), ("get", "OK", "a", 0)), "a lost answer, done later")
        self.assertTrue(self.verdict(("create", "", "a", 0, (0, 0)), ("get", "NONODE", "", 0)), "a lost answer, never done")
        self.assertTrue(self.verdict(("create", "OK", "a", 0), ("set", "BADVERSION", "b", 0, None or (10, 15), 7)))

    def test_wrong_ones(self):
        self.assertFalse(self.verdict(("create", "OK", "a", 0), ("set", "OK", "b", 1), ("get", "OK", "a", 0)), "a stale read")
        self.assertFalse(self.verdict(("create", "OK", "a", 0), ("get", "NONODE", "", 0)), "a lost write")
        self.assertFalse(self.verdict(("create", "OK", "a", 0), ("create", "OK", "b", 0)), "created twice")
        self.assertFalse(self.verdict(("create", "OK", "a", 0), ("set", "OK", "b", 1, (10, 15), 0), ("set", "OK", "c", 1, (20, 25), 0)), "one version, two writers")
        self.assertFalse(self.verdict(("create", "OK", "a", 0), ("set", "OK", "b", 1, (10, 50)), ("get", "OK", "b", 1, (20, 25)), ("get", "OK", "a", 0, (30, 35))),
                         "back in time")
        self.assertFalse(self.verdict(("create", "", "a", 0, (20, 0)), ("get", "OK", "a", 0, (0, 5))), "read before it was written")


class Memory:
    """The file that failmalloc reads: every N-th allocation of the plugin's library fails."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 8)

    def fail_every(self, number):
        self.map[:4] = struct.pack("=I", number)

    @property
    def failed(self):
        return struct.unpack("=I", self.map[4:8])[0]


class Allocations(unittest.TestCase):
    """Short of memory the plugin closes connections. It never answers with somebody else's data, less children than there are, or an error that says
    that the data is bad; it never lets plaintext through; the JVM lives."""
    CHILDREN = 40

    def one(self, address, turn, canary, sets):
        """A session that does a little of everything. What was set and not answered may hold or not."""
        with Raw(address, patience=5) as zk:
            for step in range(30):
                key = f"/m/{canary}-{(turn + step) % self.CHILDREN}"
                kind = random.randrange(7)
                if kind < 2:
                    value = f"{canary} {turn}.{step}".encode()
                    sets[key].append(value)
                    if kind:
                        zk.set(key, value)
                    else:
                        self.assertEqual(zk.multi(part("check", key, -1), part("setData", key, value.decode(), -1), part("check", "/m", -1))[1][0], "setData")
                    sets[key] = [value]
                elif kind == 2:
                    for number in range(20):
                        zk.send("getData", f"/m/{canary}-{number}", 0)
                    for number in range(20):
                        answer = zk.reply()
                        answer.ok()
                        self.assertIn(answer.values[0], sets[f"/m/{canary}-{number}"])
                elif kind == 3:
                    self.assertEqual(len(zk.children("/m")), self.CHILDREN, "a listing without some of the children")
                elif kind == 4:
                    path = zk.create(f"/seq/{canary}", canary.encode(), 3)
                    self.assertEqual(zk.get(path)[0], canary.encode())
                elif kind == 5:
                    self.assertIn(zk.exists(key)["dataLength"], {len(value) for value in sets[key]})
                else:
                    self.assertEqual([path for path in zk.call("getEphemerals", "/seq").ok() if not path.startswith(f"/seq/{canary}")], [])
                self.answers += 1

    def test_requests_fail_closed(self):
        canary = "c" + secrets.token_hex(9)
        sandbox = Sandbox(self)
        sandbox.dir.mkdir(parents=True)
        memory = Memory(sandbox.dir / "failmalloc")
        sandbox.env = {"LD_PRELOAD": str(FAILMALLOC), "FAILMALLOC": str(sandbox.dir / "failmalloc")}
        (address,) = sandbox.start("--servers", 1, "--jvm", "-Xmx256m", "--set", "groupkeeper.path-cache-bytes=0").split(",")
        pid = sandbox.server(1)["pid"]
        sets = {}
        with Raw(address) as zk:
            zk.create("/m")
            zk.create("/seq")
            for number in range(self.CHILDREN):
                sets[f"/m/{canary}-{number}"] = [zk.create(f"/m/{canary}-{number}", canary.encode()) and canary.encode()]
        self.answers = cut = refused = 0
        for turn, every in enumerate(n for n in range(1, 25) for _ in range(5 * max(1, ROUNDS))):
            memory.fail_every(every)
            try:
                self.one(address, turn, canary, sets)
            except (Closed, OSError, EOFError):
                cut += 1
            except Failure as failure:
                self.assertNotEqual(failure.code, DATAINCONSISTENCY, f"every {every}th allocation fails: the data was said to be bad")
                self.assertIn(failure.code, CUT_OFF | {SYSTEMERROR}, "an error that says something wrong")
                refused += 1
            finally:
                memory.fail_every(0)
        self.assertGreater(memory.failed, 80)
        self.assertGreater(cut + refused, 10, "it did matter")
        with Raw(address) as zk:
            self.assertEqual(zk.children("/m"), sorted(path[3:] for path in sets))
            for path, values in sets.items():
                self.assertIn(zk.get(path)[0], values)
        self.assertEqual(sandbox.server(1)["pid"], pid, "the JVM lives")
        self.assertEqual(metrics(address)["zk_gk_decrypt_failures"], 0)
        self.assertEqual(Search([canary]).servers(sandbox.dir).found, {})
        print(f"{memory.failed} allocations failed, {cut} connections cut, {refused} refusals, {self.answers} answers ... ", end="")


class Operators(unittest.TestCase):
    """What operators do wrong, while the others of the ensemble go on."""

    def flip(self, path):
        good = path.read_bytes()
        path.write_bytes(good[:-40] + bytes([good[-40] ^ 1]) + good[-39:])
        return good

    def test_a_damaged_keyring(self):
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, *FAST).split(",")
        with Raw(addresses[0]) as zk:
            zk.create("/a", b"1")
        victim = sandbox.leader()
        keyring = sandbox.dir / "keyring"
        good = self.flip(keyring)
        done = sandbox.run("restart", victim, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"groupkeeper: error: [A-Z]+: .*keyring.*\(hint: .*restore it from another server|restore it from another server")
        sandbox.wait(lambda servers: sum(server["mode"] in ("leader", "follower") for server in servers) == 2)
        with Raw(addresses[victim % 3]) as zk:
            zk.set("/a", b"2")
        keyring.write_bytes(good)
        sandbox.run("restart", victim)
        with Raw(addresses[victim - 1]) as zk:
            zk.call("sync", "/")
            self.assertEqual(zk.get("/a")[0], b"2")

    def test_rolling_from_off_to_on(self):
        """Each server that is restarted with the plugin takes no client, and says why; back without it, the ensemble is as before."""
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, "--plugin", "off", *FAST).split(",")
        with Raw(addresses[0]) as zk:
            zk.create("/plain", b"1")
        victim = next(i + 1 for i, mode in enumerate(sandbox.modes()) if mode == "follower")
        refusal = (r"closed \d+ connection\(s\).*wasn't written under this server's keyring \(hint: give it the ensemble's keyring; data from "
                   r"before the plugin was switched on isn't encrypted and must be copied in by a client")
        with subprocess.Popen([gktest.SANDBOX, "restart", "--dir", sandbox.dir, str(victim), "--plugin", "on"]) as waiting:  # in vain
            deadline = time.monotonic() + 40
            while not re.search(refusal, sandbox.run("logs", victim).stdout):
                self.assertIsNone(waiting.poll(), "it serves")
                self.assertLess(time.monotonic(), deadline, "it doesn't say why it doesn't serve")
                time.sleep(0.2)
            waiting.terminate()
        with self.assertRaises((Closed, OSError)):
            Raw(addresses[victim - 1]).close()
        with Raw(addresses[victim % 3]) as zk:
            zk.set("/plain", b"2")
        sandbox.run("restart", victim, "--plugin", "off")
        with Raw(addresses[victim - 1]) as zk:
            zk.call("sync", "/")
            self.assertEqual((zk.get("/plain")[0], zk.children("/")), (b"2", ["plain", "zookeeper"]))


if __name__ == "__main__":
    gktest.main("linear")
