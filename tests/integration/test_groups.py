"""Group keys as a service, on real ensembles: admission, rekeys in both modes, members through failures, forgeries, controllers killed and paused. A
test has a root of its own; the ensemble is shared. GK_LONG=1: more rounds."""
import hashlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import gktest
from gkgroups import ADMIN, PATIENCE, World, wait
from gkserver import free_port
from gktest import ROOT, Sandbox
from kazoo.client import KazooClient

logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # servers die here

ROUNDS = 10 if os.environ.get("GK_LONG") else 1


ENSEMBLES = {}


class Module:
    """Owns what all classes share."""
    addCleanup = staticmethod(unittest.addModuleCleanup)


class Ensemble(unittest.TestCase):
    servers = ("--servers", 3, "--tls", "on", "--plugin", "off")

    @classmethod
    def setUpClass(cls):
        cls.sandbox = ENSEMBLES.get(cls.servers)
        if cls.sandbox is None:
            cls.sandbox = ENSEMBLES[cls.servers] = Sandbox(Module)
            cls.sandbox.start(*cls.servers)
        status = cls.sandbox.status()["servers"]
        cls.connect = ",".join(s["client"] for s in status)
        cls.secure = ",".join(s["secure"] or "" for s in status)

    def world(self, *controllers, tls=False, relays=False):
        world = World(self, self.secure if tls else self.connect, self.sandbox.dir / "tls" if tls else None)
        world.relays = {} if relays else None
        world.setup(*(controllers or ("a",)))
        return world

    def same_key(self, epoch, *members):
        lines = [m.has(epoch) for m in members]
        self.assertEqual(len({line["fingerprint"] for line in lines}), 1, lines)
        return lines[0]["fingerprint"]


class Life(Ensemble):
    def life(self, mode, tls):
        w = self.world(tls=tls)
        made = w.admin("group", "create", "g", "--mode", mode, "--admit", "token", "--admit", "manual", "--period", "0s")
        self.assertEqual((made["group"], made["mode"]), ("g", mode))
        one = w.member("g", "one")
        first = self.same_key(2, one)
        two = w.member("g", "two")
        second = self.same_key(3, one, two)
        self.assertNotEqual(first, second, "no new key for a newcomer")
        self.assertNotIn(2, two.keys(), "a newcomer got an older key")
        w.admin("group", "rekey", "g", "--wait", "--reason", "test")
        self.same_key(4, one, two)
        self.assertEqual(one.has(4)["via"], "notify")  # it had epoch 3, so it was following
        info = w.show("g")
        self.assertEqual((info["epoch"], info["members"], info["last_rekey"]["reason"]), (4, 2, "manual"))
        self.assertEqual(info["fingerprint"], one.has(4)["fingerprint"])
        # somebody asks, an administrator approves
        pending = w.join("g", "three", "--trust", w.trust("g"), "--identity", "key", check=False, wait_s=1)
        self.assertEqual(pending.returncode, 1)
        self.assertIn(b"PENDING", pending.stderr)
        states = {p["member"]: p["state"] for p in w.admin("member", "list", "g")}
        self.assertEqual(states, {"one": "active", "two": "active", "three": "pending"})
        w.admin("member", "approve", "g", "three")
        w.join("g", "three", "--trust", w.trust("g"), "--identity", "key")
        three = w.follow("g", "three")
        self.same_key(5, one, two, three)
        # leave, while it runs
        w.tool("leave", "g", "--state", w.dir / "three.state", "--wait", "20s")
        self.assertEqual(three.process.wait(20), 1)
        self.same_key(6, one, two)
        self.assertEqual(three.lines()[-1]["event"], "evicted")
        # evict, and keep out until allowed
        w.admin("member", "evict", "g", "two", "--yes", "--reason", "lost")
        self.same_key(7, one)
        self.assertEqual(two.process.wait(20), 1)
        self.assertNotIn(7, two.keys())
        self.assertEqual(max(two.keys()), 6)
        self.assertEqual(w.show("g")["last_rekey"]["reason"], "evict")
        audit = w.run([ADMIN, "audit", *w.common()]).stdout.decode()
        for word in ("create", "join", "approve", "leave", "evict", ": lost", "rekey"):
            self.assertIn(word, audit)

    def test_tree_over_tls(self):
        self.life("lkh", True)

    def test_flat(self):
        self.life("flat", False)

    def test_x509(self):
        w = self.world()
        ca = w.dir / "ca"
        w.admin("ca", "init", ca)
        w.admin("group", "create", "g", "--admit", "x509", "--member-ca", ca / "ca.pem", "--match", "uri:spiffe://td/ns/*/sa/app")
        for name, uri in (("good", "spiffe://td/ns/prod/sa/app"), ("bad", "spiffe://td/ns/prod/sa/other")):
            w.admin("ca", "issue", ca, "--name", name, "--uri", uri, "--out", w.dir / name)
        w.admin("ca", "init", w.dir / "other")
        w.admin("ca", "issue", w.dir / "other", "--name", "good", "--uri", "spiffe://td/ns/prod/sa/app", "--out", w.dir / "forged")
        identity = {n: ("--cert", w.dir / f"{n}.pem", "--key", w.dir / f"{n}.key", "--trust", w.trust("g")) for n in ("good", "bad", "forged")}
        w.join("g", "good", *identity["good"])
        for name in ("bad", "forged"):
            done = w.join("g", name, *identity[name], check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"REFUSED", done.stderr)
        w.admin("member", "evict", "g", "good", "--yes")
        again = ("--cert", w.dir / "good.pem", "--key", w.dir / "good.key", "--trust", w.trust("g"))
        self.assertIn(b"REFUSED", w.join("g", "again", *again, check=False).stderr)
        w.admin("member", "allow", "g", "good")
        w.join("g", "again2", *again)

    def test_tokens_are_used_once(self):
        w = self.world()
        w.admin("group", "create", "g", "--admit", "token")
        token = w.token("g")
        w.join("g", "one", "--token-file", token)
        self.assertIn(b"REFUSED", w.join("g", "two", "--token-file", token, check=False).stderr)
        revoked = w.token("g")
        w.run([ADMIN, "token", "revoke", "g", "-", *w.common(), "--admin-key", w.dir / "admin.key"], data=revoked.read_bytes())
        self.assertIn(b"REFUSED", w.join("g", "three", "--token-file", revoked, check=False).stderr)
        self.assertEqual(w.show("g")["members"], 1)

    def test_period_and_batch(self):
        w = self.world()
        w.admin("group", "create", "p", "--admit", "token", "--period", "1s")
        w.admin("group", "create", "b", "--admit", "token", "--batch-window", "2s", "--period", "0s")
        member = w.member("p", "m")
        tokens = [w.token("b") for _ in range(6)]
        joins = [threading.Thread(target=w.join, args=("b", f"b{i}", "--token-file", t)) for i, t in enumerate(tokens)]
        for j in joins:
            j.start()
        for j in joins:
            j.join()
        info = w.show("b")
        self.assertEqual(info["members"], 6)
        self.assertLess(info["epoch"], 1 + 6, "no two joins shared a rekey")
        wait(lambda: max(member.keys(), default=0) >= 5, "periodic rekeys")
        keys = member.keys()
        self.assertEqual(sorted(keys), list(range(min(keys), max(keys) + 1)))
        self.assertEqual(w.show("p")["last_rekey"]["reason"], "period")


class Members(Ensemble):
    def test_restarts_and_the_ring(self):
        w = self.world()
        w.admin("group", "create", "g", "--admit", "token", "--ring", 4, "--max-age", "2s", "--period", "0s")
        one = w.member("g", "one")
        one.has(2)
        self.assertIn(b"BUSY", w.tool("run", "g", "--state", w.dir / "one.state", check=False).stderr)
        one.kill()
        for _ in range(3):
            w.admin("group", "rekey", "g")
        one = w.follow("g", "one")
        one.has(5)
        self.assertEqual({one.keys()[e]["via"] for e in (3, 4, 5)}, {"ring"})
        one.kill()
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        while "6" in zk.get_children(f"{w.root}/groups/g/epochs") or w.show("g")["epoch"] < 11:
            w.admin("group", "rekey", "g")
            self.assertLess(w.show("g")["epoch"], 300, "epochs stay for ever")
        newest = w.show("g")["epoch"]
        one = w.follow("g", "one")
        self.assertEqual(one.has(newest)["via"], "refresh")
        gaps = [line for line in one.lines() if line["event"] == "missed"]
        self.assertEqual([(g["from"], g["to"]) for g in gaps], [(6, newest - 1)])
        w.admin("group", "rekey", "g")
        self.assertEqual(one.has(newest + 1)["via"], "notify")

    def test_servers_die(self):
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "1s")
        members = [w.member("g", f"m{i}") for i in range(3)]
        newest = w.show("g")["epoch"] + 1  # the last one may have joined late
        for m in members:
            m.has(newest)
        for ident in (self.sandbox.leader(), 1):
            self.sandbox.run("kill", ident)
            before = max(members[0].keys())
            for m in members:
                m.has(before + 3, 60)
            self.sandbox.run("restart", ident)
            self.sandbox.wait(lambda servers: all(s["mode"] in ("leader", "follower") for s in servers), 60)
        for m in members:
            keys = m.keys()
            self.assertEqual(sorted(keys), list(range(min(keys), max(keys) + 1)), "an epoch was lost")
            self.assertFalse([line for line in m.lines() if line["event"] in ("missed", "refused")])

    def test_data_files_and_programs(self):
        w = self.world()
        w.admin("group", "create", "g", "--admit", "token")
        w.join("g", "one")
        one = w.follow("g", "one", "--out", w.dir / "key", "--exec", f"echo $GK_GROUP $GK_EPOCH $GK_KEY_FILE >> {w.dir}/ran")
        w.join("g", "two")
        one.has(3)
        wait(lambda: (w.dir / "ran").exists() and f"g 3 {w.dir}/key" in (w.dir / "ran").read_text(), "the program of --exec")
        self.assertEqual((len((w.dir / "key").read_bytes()), (w.dir / "key").stat().st_mode & 0o777), (32, 0o600))
        sealed = w.tool("seal", "g", "--state", w.dir / "two.state", data=b"a message").stdout
        self.assertNotIn(b"message", sealed)
        self.assertEqual(w.tool("open", "g", "--state", w.dir / "one.state", data=sealed).stdout, b"a message")
        broken = bytearray(sealed)
        broken[-1] ^= 1
        self.assertIn(b"AUTH", w.tool("open", "g", "--state", w.dir / "one.state", data=bytes(broken), check=False).stderr)

    def test_library(self):
        w = self.world()
        w.admin("group", "create", "g", "--admit", "token")
        env = {**os.environ, "PKG_CONFIG_PATH": str(ROOT / "build/lib/pkgconfig"), "LD_LIBRARY_PATH": str(ROOT / "build/lib")}
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "groupkeeper"], env=env, capture_output=True, text=True, check=True).stdout.split()
        example = ROOT / "tests/clients/member_example.c"
        archive = [f for f in flags if f.startswith("-I")] + [str(ROOT / "build/lib/libgroupkeeper.a"), "-lssl", "-lcrypto", "-lpthread", "-lm"]
        for name, libraries in (("shared", flags), ("static", archive)):
            subprocess.run(["gcc", "-Wall", "-Werror", "-o", w.dir / name, example, *libraries], check=True)
            arguments = ["g", w.dir / f"{name}.state", w.connect]
            # the example knows no root: it is given by the state file, once joined
            w.join("g", name)
            done = subprocess.run([w.dir / name, *map(str, arguments)], env=env, capture_output=True, text=True, check=False, timeout=60)
            self.assertRegex(done.stdout, f"^{name} epoch [0-9]+: hello$", done.stderr)


class Attacks(Ensemble):
    servers = ("--servers", 1, "--plugin", "on")

    def test_forgeries(self):
        """What anybody may write who can write to ZooKeeper."""
        w = self.world()
        w.admin("group", "create", "g", "--admit", "token", "--admit", "manual", "--period", "0s")
        one = w.member("g", "one")
        one.has(2)
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        base = f"{w.root}/groups/g"
        newest, _ = zk.get(f"{base}/epochs/2")
        # an epoch message that is another one's, one with a flipped bit, and noise
        for number, forged in enumerate((newest, newest[:60] + bytes([newest[60] ^ 1]) + newest[61:], os.urandom(300))):
            zk.create(f"{base}/epochs/3", forged)
            wait(lambda n=number: sum(line["event"] == "refused" for line in one.lines()) > n, "a refusal", 15)
            zk.delete(f"{base}/epochs/3")
        self.assertEqual(max(one.keys()), 2)
        # requests: noise, too large, and one that was executed already
        zk.create(f"{base}/requests/r-", os.urandom(200), sequence=True)
        zk.create(f"{base}/requests/r-", os.urandom(40000), sequence=True)
        seen = []
        stop = threading.Event()

        def record():
            while not stop.is_set():
                for name in zk.get_children(f"{base}/requests"):
                    try:
                        seen.append(zk.get(f"{base}/requests/{name}")[0])
                    except Exception:  # pylint: disable=broad-except
                        pass
        thread = threading.Thread(target=record)
        thread.start()
        two = w.member("g", "two")
        two.has(3)
        stop.set()
        thread.join()
        join = next(r for r in seen if b"two" in r)
        zk.create(f"{base}/requests/r-", join, sequence=True)
        wait(lambda: not zk.get_children(f"{base}/requests"), "requests cleaned up", 15)
        info = w.show("g")
        self.assertEqual((info["epoch"], info["members"]), (3, 2))
        self.assertGreaterEqual(sum(info["refused"].values()), 3, info)
        # a command by somebody who is no administrator
        w.admin("identity", "new", w.dir / "mallory.key")
        (w.dir / "mallory.key.root").write_text((w.dir / "admin.key.root").read_text())
        done = w.run([ADMIN, "member", "evict", "g", "one", "--yes", *w.common(), "--admin-key", w.dir / "mallory.key"], check=False)
        self.assertEqual(done.returncode, 1)
        w.admin("group", "rekey", "g")
        self.same_key(4, one, two)
        refused = [line for line in one.lines() if line["event"] == "refused"]
        self.assertGreaterEqual(len(refused), 3)


    def test_squatters(self):
        """Somebody makes the nodes that the controller is going to make: it takes them away and goes on."""
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s")
        one = w.member("g", "one")
        one.has(2)
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        base = f"{w.root}/groups/g"
        old, _ = zk.get(f"{base}/epochs/2")
        for epoch, squatter in ((3, os.urandom(300)), (4, old), (5, old[:90] + bytes([old[90] ^ 1]) + old[91:])):
            zk.create(f"{base}/epochs/{epoch}", squatter)
            w.admin("group", "rekey", "g")
            one.has(epoch)
        w.controllers[w.leader()].kill()
        zk.create(f"{base}/epochs/6", b"")
        w.leader(but=None)
        w.admin("group", "rekey", "g")
        one.has(6)
        self.assertEqual(sorted(one.keys()), list(range(2, 7)))
        # the reply to a request, too: its name can be known as soon as the request lies there
        made = []

        def on_request(names):
            for name in names:
                request, _ = zk.get(f"{base}/requests/{name}")
                made.append(zk.create_async(f"{base}/replies/{hashlib.sha256(request).hexdigest()}", b"not a reply"))
        w.admin("group", "policy", "g", "--set", "batch-window=1s")
        zk.ChildrenWatch(f"{base}/requests", on_request)
        done = w.join("g", "two", check=False)
        wait(lambda: w.show("g")["members"] == 2, "the admission")
        self.assertTrue(made)
        self.assertIn(done.returncode, (0, 1))  # it may have read what isn't a reply


class Recovery(Ensemble):
    servers = ("--servers", 1, "--plugin", "off")

    def test_a_restored_backup(self):
        """ZooKeeper is set back: nobody goes on by itself, `group recover` does, and members only go forward."""
        sandbox = Sandbox(self)
        self.connect = sandbox.start(*self.servers)
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s", "--max-age", "10s")
        one, two = w.member("g", "one"), w.member("g", "two")
        one.has(3)
        two.has(3)
        data = [sandbox.dir / "server-1" / d for d in ("data", "datalog")]
        sandbox.run("kill", 1)
        for d in data:
            if d.exists():
                shutil.copytree(d, w.dir / f"backup-{d.name}")
        sandbox.run("restart", 1)
        w.admin("group", "rekey", "g")
        two.has(4)
        two.kill()
        for _ in range(3):
            w.admin("group", "rekey", "g")
        last = one.has(7)
        sandbox.run("kill", 1)
        for d in data:
            if d.exists():
                shutil.rmtree(d)
                shutil.copytree(w.dir / f"backup-{d.name}", d)
        sandbox.run("restart", 1)
        wait(lambda: any("state-went-back" in c.err.read_text() for c in w.controllers.values()), "a controller that refuses the older state", 60)
        wait(lambda: w.admin("controller", "status", check=False), "controllers")
        wait(lambda: getattr(w.admin("group", "show", "g", check=False), "returncode", 0) == 1, "the group isn't served", 60)
        w.admin("group", "recover", "g", "--yes", "--reason", "the backup of Monday")
        info = w.show("g")
        self.assertEqual((info["epoch"], info["members"], info["last_rekey"]["reason"]), (8, 2, "recover"))
        self.assertEqual(one.has(8, 60)["fingerprint"], info["fingerprint"])
        two = w.follow("g", "two")
        self.assertEqual(two.has(8, 60)["via"], "refresh")
        w.admin("group", "rekey", "g")
        self.assertEqual(one.has(9)["fingerprint"], two.has(9)["fingerprint"])
        self.assertEqual(sorted(one.keys()), [3, 4, 5, 6, 7, 8, 9] if 2 not in one.keys() else [2, 3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(last["fingerprint"], one.keys()[7]["fingerprint"])
        # whoever leads next goes on from there
        old = w.leader()
        w.controllers[old].kill()
        w.leader(but=old)
        w.admin("group", "rekey", "g")
        self.assertEqual(one.has(10)["fingerprint"], two.has(10)["fingerprint"])


class Bounds(Ensemble):
    servers = ("--servers", 1, "--plugin", "off")

    def test_the_audit_log_is_pruned(self):
        """A tenth above what is kept, the oldest entries go; entries are made behind the controller's back, as signing so many takes long."""
        keep = 50000
        w = World(self, self.connect)
        w.setup("a", "b", options=("--rotate", "4s"))  # it cleans up every second
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s")
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        path = f"{w.root}/audit"
        real = len(zk.get_children(path))
        self.assertGreater(real, 0)

        def more(n):
            for at in range(0, n, 1000):
                t = zk.transaction()
                for _ in range(min(1000, n - at)):
                    t.create(f"{path}/e-", b"x", sequence=True)
                self.assertFalse([r for r in t.commit() if isinstance(r, Exception)])
        more(keep + keep // 10 - real)
        time.sleep(3)
        self.assertEqual(len(zk.get_children(path)), keep + keep // 10, "pruned too early")
        more(2)
        wait(lambda: zk.exists(path).numChildren <= keep, "the oldest entries go", 60)
        wait(lambda: "audit-pruned" in w.controllers[w.leader()].err.read_text(), "a line in the log")
        left = sorted(zk.get_children(path))
        self.assertEqual(left, [f"e-{i:010d}" for i in range(keep // 10 + 2, keep + keep // 10 + 2)])
        # whoever leads next goes on from the newest entry
        old = w.leader()
        w.controllers[old].kill()
        w.leader(but=old)
        w.admin("group", "rekey", "g", "--reason", "after all")
        newest = max(zk.get_children(path))
        self.assertEqual(newest, f"e-{keep + keep // 10 + 2:010d}")
        self.assertIn(hashlib.sha256(b"x").hexdigest().encode(), zk.get(f"{path}/{newest}")[0])


class Controllers(Ensemble):
    def test_a_request_that_waits_outlives_its_leader(self):
        """It is taken, waits for its batch while a periodic rekey is committed, and its leader dies."""
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "1s", "--batch-window", "6s")
        token = w.token("g")
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)

        def meanwhile():
            wait(lambda: zk.get_children(f"{w.root}/groups/g/requests"), "the request")
            newest = w.show("g")["epoch"]
            wait(lambda: w.show("g")["epoch"] > newest + 1, "periodic rekeys")
            w.controllers[w.leader()].kill()
        thread = threading.Thread(target=meanwhile)
        thread.start()
        self.assertEqual(w.join("g", "m", "--token-file", token).returncode, 0)
        thread.join()

    def joins(self, w, group, n, meanwhile):
        """n members join, one after the other, while something happens; gives them."""
        tokens = [w.token(group) for _ in range(n)]
        failed = []

        def all_of_them():
            for i, token in enumerate(tokens):
                done = w.join(group, f"{group}{i}", "--token-file", token, check=False)
                if done.returncode:
                    failed.append(done.stderr)
        thread = threading.Thread(target=all_of_them)
        thread.start()
        meanwhile()
        thread.join()
        self.assertFalse(failed)

    def takeover(self, how, heal=None, relays=False):
        w = self.world("a", "b", relays=relays)
        w.admin("group", "create", "g", "--admit", "token", "--batch-window", "50ms", "--period", "0s")
        watcher = w.member("g", "watcher")
        watcher.has(2)
        for _ in range(ROUNDS):
            old = w.leader()

            def meanwhile(old=old):
                time.sleep(0.3)
                began = time.time()
                how(w, old)
                new = w.leader(but=old)
                took = w.role(new)["time_ms"] / 1000 - began
                print(f"takeover {took:.2f} s ... ", end="")
                self.assertLess(took, 5)
            self.joins(w, "g", 4, meanwhile)
            if w.controllers[old].process.poll() is not None:
                w.start(old)
            else:
                heal(w, old)
                wait(lambda old=old: w.role(old)["role"] == "standby", "the old leader stands by")
        info = w.show("g")
        watcher.has(info["epoch"])
        keys = watcher.keys()
        self.assertEqual(sorted(keys), list(range(2, info["epoch"] + 1)), "an epoch was lost")
        self.assertEqual(keys[info["epoch"]]["fingerprint"], info["fingerprint"])
        self.assertFalse([line for line in watcher.lines() if line["event"] in ("refused", "missed")])
        self.assertEqual(info["members"], 5)
        self.assertEqual(len(w.leaders()), 1)

    def test_killed(self):
        self.takeover(lambda w, old: w.controllers[old].kill())

    def test_stopped(self):
        self.takeover(lambda w, old: w.controllers[old].kill(signal.SIGSTOP), lambda w, old: w.controllers[old].kill(signal.SIGCONT))

    def test_cut_off(self):
        """The leader loses its network: to ZooKeeper and to its peer."""
        self.takeover(World.cut, World.heal, relays=True)

    def test_writes_stall(self):
        """ZooKeeper can't write for longer than a standby waits, but reads: the leader's beats are in the queue, and it stays the leader."""
        servers = self.sandbox.status()["servers"]
        w = World(self, next(s["client"] for s in servers if s["mode"] == "leader"))
        w.setup("a", "b")
        leader, epoch = w.leader(), w.admin("controller", "status")["controller_epoch"]
        followers = [s["pid"] for s in servers if s["mode"] == "follower"]
        for pid in followers:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(2.5)
        finally:
            for pid in followers:
                os.kill(pid, signal.SIGCONT)
        w.admin("group", "create", "g")
        time.sleep(1)
        status = w.admin("controller", "status")
        self.assertEqual((status["leader"], status["controller_epoch"]), (leader, epoch), w.logs())

    def test_keys_get_old(self):
        """Exchange and state keys are renewed; what opened the former ones is erased; the state can be opened all along."""
        w = World(self, self.connect)
        w.setup("a", "b", options=("--rotate", "4s"))
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s")
        one = w.member("g", "one")
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        keys = [w.dir / f"{name}.key.d" / "exchange.key" for name in "ab"]
        first = [k.read_text() for k in keys]

        def renewed():
            return all(k.exists() and k.read_text() != old for k, old in zip(keys, first)) and "1" not in zk.get_children(f"{w.root}/controllers/state-keys")
        wait(renewed, "new exchange keys, and the first state key erased", 60)
        for c in w.controllers.values():
            c.kill()
        wait(lambda: not zk.get_children(f"{w.root}/controllers/live"), "sessions that end", 30)
        for name in "ab":
            w.start(name)
        w.leader()
        w.join("g", "two")
        self.assertEqual(one.has(3)["fingerprint"], w.show("g")["fingerprint"])

    def test_service_manager(self):
        """What systemd is told, and a reload."""
        w = self.world("a")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(w.dir / "notify"))
            manager.settimeout(PATIENCE)
            w.controllers["a"].kill(signal.SIGTERM)
            os.environ["NOTIFY_SOCKET"] = str(w.dir / "notify")
            try:
                w.start("a")
            finally:
                del os.environ["NOTIFY_SOCKET"]

            def told(what):
                seen = []
                while what not in seen:
                    seen.append(manager.recv(100).decode())
                return seen
            told("READY=1")
            told("WATCHDOG=1")
            told("STATUS=leader")
            w.admin("group", "create", "g", "--admit", "token")
            w.controllers["a"].kill(signal.SIGHUP)
            told("RELOADING=1")
            told("READY=1")
            self.assertEqual(w.show("g")["epoch"], 1)
            self.assertEqual(w.controllers["a"].kill(signal.SIGTERM), 0)
            told("STOPPING=1")

    def test_handover(self):
        self.takeover(lambda w, old: w.admin("controller", "handover", "--reason", "test"), lambda w, old: None)

    def test_clean_stop_and_a_third(self):
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token")
        old = w.leader()
        began = time.time()
        self.assertEqual(w.controllers[old].kill(signal.SIGTERM), 0)
        new = w.leader(but=old)
        self.assertLess(w.role(new)["time_ms"] / 1000 - began, 3)
        w.admin("identity", "new", w.dir / "c.key")
        w.admin("controller", "add", w.dir / "c.key.pub")
        w.ports["c"] = free_port()
        w.ports.pop(old)
        w.start("c")
        wait(lambda: "c" in w.admin("controller", "status")["standbys"], "the new controller stands by")
        w.join("g", "one")
        self.assertEqual(w.admin("controller", "status")["leader"], new, w.logs())


if __name__ == "__main__":
    gktest.main("groups")
