"""Keys made inside the servers: who gets which key, on real ensembles with TLS; what happens when servers come and go; and that nothing of it is written."""
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

import gktest
from gkraw import BADARGUMENTS, EPHEMERAL, NOAUTH, NONODE, OPEN, Closed, Failure, Raw, metrics, part, tls_context
from gktest import ROOT, Sandbox

sys.path.insert(0, str(ROOT / "tools"))
from sandbox import tls as sandbox_tls  # noqa: E402  (needs the path above)

OPTIONS = ["--set", "groupkeeper.agreement=on", "--set", "ssl.clientAuth=want", "--jvm", "-Xmx300m", "--jvm", "-XX:TieredStopAtLevel=1"]
CONNECTIONLOSS, INVALIDACL = -4, -114
MINE = [[31, "auth", ""]]
MEMBER = 1 | 4 | 8  # READ, CREATE, and DELETE to leave without closing the session
KEYS, STATUS, CURRENT = (f"/zookeeper/groupkeeper/{name}" for name in ("keys", "status", "agreement/current"))
RECORD = "GKSERVERKEYED v1"
SEEN = set()  # all keys that any test has got
ADMIN, ALICE, BOB = "client", "alice", "bob"


def x509(*names, perms=31):
    return [[perms, "x509", f"CN={name}"] for name in names]


def stock_password(session):
    """ZooKeeperServer.generatePasswd."""
    seed = ((session ^ 0xB3415C00) ^ 0x5DEECE66D) & (1 << 48) - 1
    out = b""
    for _ in range(4):
        seed = (seed * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        out += struct.pack("<I", seed >> 16 & 0xffffffff)
    return out


def certificate(tls, name):
    """One more identity under the sandbox's CA."""
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", tls / f"{name}.key",
            "-out", tls / f"{name}.csr")
    openssl("x509", "-req", "-in", tls / f"{name}.csr", "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key", "-CAcreateserial", "-days", 30,
            "-out", tls / f"{name}.pem")


class View:
    """A key record."""

    def __init__(self, data):
        assert len(data) == 60 and data[:4] == b"GKV1", data
        self.view, self.id, self.key = int.from_bytes(data[4:12], "big"), data[12:28], data[28:]
        SEEN.add(self.key)

    def __eq__(self, other):
        return (self.view, self.id, self.key) == (other.view, other.id, other.key)


class Ensemble(unittest.TestCase):
    """An ensemble for all tests of a class."""
    servers, observers, options = 3, 1, []

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox(cls)
        cls.prepare()
        cls.sandbox.start("--servers", cls.servers, "--observers", cls.observers, "--tls", "on", *OPTIONS, *cls.options)
        cls.tls = cls.sandbox.dir / "tls"
        for name in (ALICE, BOB):
            certificate(cls.tls, name)
        status = cls.sandbox.status()["servers"]
        cls.secure = [server["secure"] for server in status]
        cls.plain = [server["client"] for server in status]
        cls.everybody = list(range(1, len(status) + 1))
        cls.agreed(cls.everybody, 60)

    @classmethod
    def prepare(cls):
        """Before the first start."""

    addCleanup = classmethod(lambda cls, *a, **k: cls.addClassCleanup(*a, **k))

    @classmethod
    def connect(cls, index, name=ADMIN, **how):
        return Raw(cls.secure[index], tls=tls_context(cls.tls, name), timeout=60000, **how)

    def open(self, index, name=ADMIN, **how):
        zk = self.connect(index, name, **how)
        unittest.TestCase.addCleanup(self, zk.drop)
        return zk

    @classmethod
    def status_of(cls, index):
        with cls.connect(index) as zk:
            return json.loads(zk.get(STATUS)[0])

    @classmethod
    def agreed(cls, ids, seconds, but=""):
        """Waits until these servers, and no others, have agreed, on another secret than `but`; its id, and the seconds that took."""
        begin = time.monotonic()
        while True:
            try:
                found = [cls.status_of(i - 1) for i in ids]
            except (OSError, Closed, Failure):
                found = []
            secrets = {s["agreement"] for s in found}
            if found and len(secrets) == 1 and all(s["in_use"] and s["participants"] == ids for s in found) and secrets != {but}:
                return secrets.pop(), time.monotonic() - begin
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"servers {ids} didn't agree within {seconds} s: {found}")
            time.sleep(0.02)

    def group(self, zk, *names):
        """A new group with these members admitted; its path."""
        base = zk.create(f"/group{time.monotonic_ns()}")
        return zk.call("create", base + "/members", RECORD, x509(ADMIN) + x509(*names, perms=MEMBER), 0).ok()

    def join(self, zk, group, child):
        return zk.call("create", f"{group}/{child}", "", MINE, EPHEMERAL)

    def read(self, zk, group, child):
        return zk.call("getData", f"{KEYS}{group}/{child}", 0)

    def key(self, zk, group, child, seconds=10):
        """The key, tried again as clients do on CONNECTIONLOSS."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.read(zk, group, child)
            if answer.err != CONNECTIONLOSS or time.monotonic() > deadline:
                return View(answer.ok())
            time.sleep(0.01)


class Groups(Ensemble):
    def test_one_key_from_every_server(self):
        zks = [self.open(i) for i in range(4)]
        group = self.group(zks[0])
        for i, zk in enumerate(zks):
            self.assertEqual(self.join(zk, group, f"m{i}").err, 0)
        views = []
        for i, zk in enumerate(zks):
            zk.call("sync", group)
            data, stat = zk.get(f"{KEYS}{group}/m{i}")
            views.append(View(data))
            self.assertEqual(stat["dataLength"], 60)
            self.assertEqual(stat["pzxid"], views[-1].view)
        self.assertTrue(all(view == views[0] for view in views))
        self.assertEqual(views[0].id, bytes.fromhex(self.status_of(0)["agreement"]) + views[0].view.to_bytes(8, "big"))
        other = self.group(zks[0])
        self.join(zks[0], other, "m0")
        self.assertNotEqual(self.key(zks[0], other, "m0").key, views[0].key)

    def test_views_change_by_join_leave_eviction_and_rekey(self):
        admin, alice, bob = self.open(0), self.open(1, ALICE), self.open(2, BOB)
        group = self.group(admin, ALICE, BOB)
        everywhere = [alice] + [self.open(i, ALICE) for i in (0, 2, 3)]
        seen = []

        def changed(zk, child):
            seen.append(self.key(zk, group, child))
            self.assertEqual(len({v.id for v in seen}), len(seen))
            self.assertEqual(len({v.key for v in seen}), len(seen))
            self.assertEqual([v.view for v in seen], sorted(v.view for v in seen))

        self.join(alice, group, "alice")
        changed(alice, "alice")
        alice.children(group, 1)
        self.join(bob, group, "bob")
        self.assertEqual(alice.wait_event().type, "NodeChildrenChanged")
        changed(bob, "bob")
        bob.delete(f"{group}/bob")
        alice.call("sync", group)
        changed(alice, "alice")
        self.join(bob, group, "bob")
        changed(bob, "bob")
        # eviction: first the ACL without it (from then on it reads nothing), then its child, with which the view changes
        admin.call("setACL", group, x509(ADMIN) + x509(ALICE, perms=MEMBER), -1).ok()
        bob.call("sync", group)
        self.assertEqual(self.read(bob, group, "bob").err, NOAUTH)
        admin.delete(f"{group}/bob")
        for zk in (bob, *everywhere):
            zk.call("sync", group)
        changed(alice, "alice")
        self.assertEqual(self.read(bob, group, "bob").err, NOAUTH)
        self.assertEqual(self.join(bob, group, "bob").err, NOAUTH)
        # rekey: a marker comes and goes in one transaction
        admin.multi(part("create", f"{group}/rekey", "", MINE, EPHEMERAL), part("delete", f"{group}/rekey", -1))
        alice.call("sync", group)
        changed(alice, "alice")
        # back in, in a new view
        admin.call("setACL", group, x509(ADMIN) + x509(ALICE, BOB, perms=MEMBER), -1).ok()
        bob.call("sync", group)
        self.assertEqual(self.read(bob, group, "bob").err, NONODE)
        self.join(bob, group, "bob")
        changed(bob, "bob")
        # losing the session is leaving
        bob.close()
        alice.call("sync", group)
        changed(alice, "alice")

    def test_who_may_not(self):
        admin, alice, bob = self.open(0), self.open(1, ALICE), self.open(2, BOB)
        group = self.group(admin, ALICE)
        self.assertEqual(self.join(alice, group, "alice").err, 0)
        node = f"{KEYS}{group}/alice"
        for zk, want in ((bob, NOAUTH), (self.open(1, ALICE), NOAUTH), (admin, NOAUTH), (self.open(3, None), NOAUTH)):
            zk.call("sync", group)
            self.assertEqual(zk.call("getData", node, 0).err, want)
        with Raw(self.plain[0]) as plain:
            self.assertEqual(plain.call("getData", node, 0).err, NOAUTH)
        self.assertEqual(alice.call("getData", node, 1).err, BADARGUMENTS)
        self.assertEqual(self.read(alice, group, "nobody").err, NONODE)
        self.assertEqual(self.read(alice, "/nothing", "alice").err, NONODE)
        ordinary = admin.create(group.replace("/members", "/ordinary"), b"GKSERVERKEYED v2")
        alice.call("sync", group)
        self.join(alice, ordinary, "alice")
        self.assertEqual(self.read(alice, ordinary, "alice").err, NONODE)
        for op in ("exists", "getChildren", "getACL", "getAllChildrenNumber"):
            self.assertIn(alice.call(op, node, *([0] if op in ("exists", "getChildren") else [])).err, (NONODE, 0))
        self.assertIsNone(alice.exists(node))

    def test_what_is_no_membership(self):
        admin = self.open(0)
        group = self.group(admin)
        for op, acl, flags in (("create", MINE, 0), ("create", OPEN, 1), ("create", MINE, 3), ("create2", MINE, 2), ("create", [[15, "auth", ""]], 1),
                               ("create", MINE + OPEN, 1), ("create2", x509(ADMIN), 1), ("createContainer", MINE, 4)):
            self.assertEqual(admin.call(op, group + "/x", "", acl, flags).err, INVALIDACL, (op, acl, flags))
        self.assertEqual(admin.call("createTTL", group + "/x", "", MINE, 5, 1000).err, INVALIDACL)
        self.assertEqual(admin.multi(part("create", group + "/x", "", OPEN, 1))[0], ("error", INVALIDACL))
        with Raw(self.plain[0]) as bare:
            bare.call("auth", 0, "digest", "u:p", xid=-4)
            opened = admin.call("create", group.replace("/members", "/open"), RECORD, OPEN, 0).ok()
            bare.call("sync", opened)
            self.assertEqual(self.join(bare, opened, "x").err, INVALIDACL)
        self.assertEqual(self.join(admin, group, "x").err, 0)
        self.assertEqual(admin.call("setACL", group + "/x", OPEN, -1).err, INVALIDACL)
        late = admin.create(group.replace("/members", "/late"))
        self.assertEqual(admin.call("setData", late, RECORD, -1).err, BADARGUMENTS)
        # a node that is made and populated in one transaction has the rules, too
        fresh = group.replace("/members", "/fresh")
        results = admin.multi(part("create", fresh, RECORD, OPEN, 0), part("create", fresh + "/x", "", OPEN, 1))
        self.assertEqual(results[1], ("error", INVALIDACL))

    def test_a_session_is_worth_nothing_to_others(self):
        alice, admin = self.open(1, ALICE), self.open(0)
        group = self.group(admin, ALICE, BOB)
        self.join(alice, group, "alice")
        before = self.key(alice, group, "alice")
        for index in range(4):
            with self.connect(index, BOB, handshake=False) as thief:
                try:
                    self.assertEqual(thief.connect(alice.session, stock_password(alice.session)), 0)
                except Closed:
                    pass
        moved = self.open(3, ALICE, session=alice.session, password=alice.password)
        self.assertEqual(moved.session, alice.session)
        self.assertEqual(self.key(moved, group, "alice"), before)
        thief = self.open(2, BOB, session=alice.session, password=alice.password)  # he has it all but the certificate
        self.assertEqual(self.read(thief, group, "alice").err, NOAUTH)

    def test_no_write_and_one_hmac_a_read(self):
        zks = [self.open(i) for i in range(4)]
        group = self.group(zks[0])
        for i, zk in enumerate(zks):
            self.join(zk, group, f"m{i}")
        for zk in zks:
            zk.call("sync", group)
        self.agreed(self.everybody, 30)
        before = [metrics(address) for address in self.plain]
        first = zks[0].set(group, RECORD.encode())["mzxid"]
        for i, zk in enumerate(zks):
            for _ in range(25):
                self.key(zk, group, f"m{i}")
        last = zks[0].set(group, RECORD.encode())["mzxid"]
        joined = zks[0].call("setData", group, RECORD, -1)
        join = self.join(zks[0], group, "one more")
        self.assertEqual(last - first, 1)  # nothing was written between the two
        self.assertEqual(join.zxid - joined.zxid, 1)
        for old, new in zip(before, (metrics(address) for address in self.plain)):
            self.assertEqual(new["zk_gk_derivations"] - old["zk_gk_derivations"], 25)
            self.assertEqual(new["zk_gk_agreement_runs"], old["zk_gk_agreement_runs"])

    def test_the_servers_nodes_are_hidden(self):
        for i in range(4):
            zk = self.open(i)
            self.assertEqual(zk.children("/zookeeper"), ["config", "quota"])
            stat = zk.exists("/zookeeper")
            self.assertEqual((stat["numChildren"], stat["cversion"], stat["pzxid"]), (2, -2, 0))
            self.assertEqual(zk.call("getAllChildrenNumber", "/zookeeper").ok(), 2)
            for path in ("", "/servers", "/servers/1", "/agreement", "/keys"):
                self.assertIsNone(zk.exists("/zookeeper/groupkeeper" + path))
            self.assertEqual(zk.call("setData", CURRENT, "x", -1).err, NONODE)
            self.assertEqual(zk.call("delete", CURRENT, -1).err, NONODE)
            self.assertEqual(zk.multi(part("check", CURRENT, -1))[0], ("error", NONODE))
            self.assertGreater(len(zk.get(CURRENT)[0]), 60)

    def test_kazoo_as_in_the_docs(self):
        text = (ROOT / "docs" / "OPERATIONS.md").read_text()
        (script,) = re.findall(r"```python\n(.*?)```", text, re.S)
        file = self.sandbox.dir / "member.py"
        file.write_text(script)
        admin = self.open(0)
        group = self.group(admin, ALICE, BOB)
        running = []
        for name in (ALICE, BOB):
            running.append(subprocess.Popen([sys.executable, file, ",".join(self.secure), self.tls, group, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            text=True))
            unittest.TestCase.addCleanup(self, running[-1].wait)
            unittest.TestCase.addCleanup(self, running[-1].kill)
        self.join(admin, group, "admin")
        deadline = time.monotonic() + 20
        while len(admin.children(group)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        admin.call("sync", group)
        view = self.key(admin, group, "admin")
        expected = f"{view.id.hex()} {hmac.digest(view.key, b'groupkeeper fingerprint', 'sha256')[:8].hex()}"
        for process in running:  # both are there until each has this view's key: who comes late would see a later one
            patience = threading.Timer(60, process.kill)
            patience.start()
            self.assertIn(expected, (process.stdout.readline().strip() for _ in range(8)))
            patience.cancel()
        for process in running:
            process.stdin.close()


class Changes(Ensemble):
    """Servers that die and come back. The tests run in this order, on one ensemble."""

    def setUp(self):
        self.agreement, _ = self.agreed(self.everybody, 30)

    def wait_for_writes(self, ids, seconds=30):
        """Seconds until one of these servers takes writes again."""
        begin = time.monotonic()
        while True:
            for i in ids:
                try:
                    with self.connect(i - 1, patience=2) as zk:
                        zk.create(f"/serves{time.monotonic_ns()}")
                        return time.monotonic() - begin
                except (OSError, Closed, Failure):
                    pass
            self.assertLess(time.monotonic() - begin, seconds)
            time.sleep(0.02)

    def again_without(self, victim):
        """Kills a server; the rest must agree within two seconds after they serve again, and with it when it is back."""
        rest = [i for i in self.everybody if i != victim]
        zk = self.open(rest[0] - 1)
        group = self.group(zk)
        self.join(zk, group, "m")
        old = self.key(zk, group, "m")
        self.sandbox.run("kill", victim)
        away = self.wait_for_writes(rest)
        agreement, seconds = self.agreed(rest, 20, self.agreement)
        print(f"server {victim}: writes after {away:.2f} s, agreed {seconds:.2f} s later ... ", end="")
        busy = os.getloadavg()[0] / os.cpu_count()
        self.assertLess(seconds, 2.0 if busy < 2 else 2.0 * busy)
        self.sandbox.run("restart", victim)
        self.watch_it_come_back(victim, {old.id: old.key})
        both, _ = self.agreed(self.everybody, 30, agreement)
        self.assertNotEqual(both, agreement)

    def watch_it_come_back(self, victim, known):
        """Derived reads through a server that has just started: a key of the secret in force, or try again."""
        zk = self.open(victim - 1)
        group = self.group(zk)
        self.join(zk, group, "m")
        for _ in range(50):
            answer = self.read(zk, group, "m")
            self.assertIn(answer.err, (0, CONNECTIONLOSS))
            if answer.err == 0:
                view = View(answer.ok())
                self.assertEqual(known.setdefault(view.id, view.key), view.key)
            time.sleep(0.01)

    def test_1_a_follower_dies(self):
        watcher = self.open(self.sandbox.leader() - 1)
        watcher.get(CURRENT, 1)
        recursive = self.open(self.sandbox.leader() - 1)
        recursive.call("addWatch", "/", 1)
        self.again_without(next(i for i in (1, 2, 3) if i != self.sandbox.leader()))
        self.assertEqual(watcher.wait_event().type, "NodeDataChanged")
        recursive.call("ping", xid=-2)
        self.assertEqual([e.path for e in recursive.events if "groupkeeper" in e.path], [])

    def test_2_the_leader_dies(self):
        self.again_without(self.sandbox.leader())

    def test_3_the_observer_dies(self):
        self.again_without(4)

    def test_4_one_after_the_other_while_they_agree(self):
        """A cascade: each comes back while the others still agree about the last one."""
        for victim in (1, 2, 3):
            self.sandbox.run("kill", victim)
            self.sandbox.run("restart", victim)
        agreement, seconds = self.agreed(self.everybody, 40, self.agreement)
        print(f"settled after {seconds:.2f} s ... ", end="")
        views = []
        zks = [self.open(i) for i in range(4)]
        group = self.group(zks[0])
        for i, zk in enumerate(zks):
            zk.call("sync", group)
            self.join(zk, group, f"m{i}")
        for i, zk in enumerate(zks):
            zk.call("sync", group)
            views.append(self.key(zk, group, f"m{i}"))
        self.assertTrue(all(v == views[0] for v in views))
        self.assertEqual(views[0].id[:8].hex(), agreement)

    def test_5_nothing_is_written_anywhere(self):
        self.assertGreater(len(SEEN), 5)
        agreement = self.status_of(0)["agreement"]
        self.sandbox.run("stop")
        forms = {}
        for key in SEEN:
            for form in (key, key.hex().encode(), base64.b64encode(key)[:40], base64.urlsafe_b64encode(key)[:40]):
                forms[form] = key
        pattern = re.compile(b"|".join(re.escape(form) for form in forms))
        found, logged = [], False
        for file in self.sandbox.dir.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                logged = logged or agreement.encode() in data
                found += [(file, match) for match in pattern.findall(data)]
        self.assertTrue(logged)  # the search sees what there is: the agreement's id is public, and in the logs
        self.assertEqual(found, [])


class Alone(Ensemble):
    """A standalone server agrees with itself, and anew after each restart."""
    servers, observers = 1, 0

    def test_a_restart_makes_new_keys(self):
        zk = self.open(0)
        group = self.group(zk)
        self.join(zk, group, "m")
        before = self.key(zk, group, "m")
        session, password = zk.session, zk.password
        self.sandbox.run("kill", 1)
        self.sandbox.run("restart", 1)
        zk = self.open(0, session=session, password=password)
        self.assertEqual(zk.session, session)
        after = self.key(zk, group, "m")
        self.assertEqual(after.view, before.view)  # the same members; another secret
        self.assertNotEqual(after.id, before.id)
        self.assertNotEqual(after.key, before.key)
        copy = self.sandbox.dir / "backup"
        self.sandbox.run("stop")
        shutil.copytree(self.sandbox.dir / "server-1" / "data", copy)
        self.sandbox.run("start", *OPTIONS)
        zk = self.open(0, session=session, password=password)
        self.join(self.open(0, ALICE), self.group(zk, ALICE), "m")
        ids = {before.id, after.id, self.key(zk, group, "m").id}
        self.sandbox.run("stop")
        shutil.rmtree(self.sandbox.dir / "server-1" / "data")
        shutil.copytree(copy, self.sandbox.dir / "server-1" / "data")
        self.sandbox.run("start", *OPTIONS)
        zk = self.open(0, session=session, password=password)
        self.assertNotIn(self.key(zk, group, "m").id, ids)  # a restored backup brings no key id back


class Policies(Ensemble):
    """Which connections get keys, and when the servers agree anew by themselves. The server has an RSA key, for ciphers without ECDHE."""
    servers, observers = 1, 0
    BAD, GOOD = "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"

    @classmethod
    def prepare(cls):
        tls = cls.sandbox.dir / "tls"
        tls.mkdir(parents=True)
        (tls / "password").write_text("changeit")
        (tls / "password").chmod(0o600)
        with unittest.mock.patch.object(sandbox_tls, "NEW_KEY", ["-newkey", "rsa:2048", "-nodes"]):
            sandbox_tls._make_ca(tls)
            sandbox_tls._issue(tls, "server-1", "DNS:localhost,IP:127.0.0.1")
        (cls.sandbox.dir / "jaas.conf").write_text(
            'Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_carol="secret"; };\n')
        cls.options = [
            "--set", "groupkeeper.agreement.max-age=8s", "--set", "groupkeeper.agreement.max-derivations=300",
            "--set", "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "--set", "ssl.enabledProtocols=TLSv1.3,TLSv1.2",
            "--set", "ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
            "--jvm", f"-Djava.security.auth.login.config={cls.sandbox.dir / 'jaas.conf'}", "--jvm", "-Dzookeeper.fips-mode=false"]

    def tls12(self, cipher):
        context = tls_context(self.tls, ALICE)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        zk = Raw(self.secure[0], tls=context, timeout=60000)
        unittest.TestCase.addCleanup(self, zk.drop)
        self.assertEqual(zk.sock.cipher()[0], cipher)
        return zk

    def test_1_no_key_without_forward_secrecy(self):
        group = self.group(self.open(0), ALICE)
        bad, good = self.tls12(self.BAD), self.tls12(self.GOOD)
        for zk, child in ((bad, "bad"), (good, "good")):
            self.assertEqual(self.join(zk, group, child).err, 0)
        self.key(good, group, "good")
        self.assertEqual(self.read(bad, group, "bad").err, NOAUTH)

    def sasl(self, zk, user, password):
        """DIGEST-MD5 (RFC 2831)."""
        def md5(text):
            return hashlib.md5(text).digest()
        challenge = dict(re.findall(r'(\w+)="?([^",]*)', zk.call("sasl", "").ok().decode()))
        uri, cnonce = f"zookeeper/{challenge['realm']}", "c" * 32
        a1 = md5(f"{user}:{challenge['realm']}:{password}".encode()) + f":{challenge['nonce']}:{cnonce}".encode()
        a2 = md5(f"AUTHENTICATE:{uri}".encode()).hex()
        proof = md5(f"{md5(a1).hex()}:{challenge['nonce']}:00000001:{cnonce}:auth:{a2}".encode()).hex()
        return zk.call("sasl", f'charset=utf-8,username="{user}",realm="{challenge["realm"]}",nonce="{challenge["nonce"]}",nc=00000001,'
                               f'cnonce="{cnonce}",digest-uri="{uri}",maxbuf=65536,response={proof},qop=auth')

    def test_2_sasl_members(self):
        admin = self.open(0)
        group = admin.call("create", admin.create("/sasl") + "/members", RECORD, x509(ADMIN) + [[MEMBER, "sasl", "carol"]], 0).ok()
        carol = self.open(0, None)
        self.assertEqual(self.join(carol, group, "carol").err, INVALIDACL)
        self.assertEqual(self.sasl(carol, "carol", "secret").err, 0)
        self.assertEqual(self.join(carol, group, "carol").err, 0)
        self.key(carol, group, "carol")
        admin.call("setACL", group, x509(ADMIN), -1).ok()
        self.assertEqual(self.read(carol, group, "carol").err, NOAUTH)
        with Raw(self.plain[0]) as plain:  # the same identity without TLS
            open_group = admin.call("create", "/sasl/open", RECORD, OPEN, 0).ok()
            self.assertEqual(self.sasl(plain, "carol", "secret").err, 0)
            self.assertEqual(self.join(plain, open_group, "carol").err, 0)
            self.assertEqual(self.read(plain, open_group, "carol").err, NOAUTH)
        thief = self.open(0, None)
        self.assertNotEqual(self.sasl(thief, "carol", "wrong").err, 0)

    def test_3_a_new_secret_by_volume_and_by_age(self):
        zk = self.open(0)
        group = self.group(zk)
        self.join(zk, group, "m")
        keys = {}

        def until(why, reads):
            deadline = time.monotonic() + 40
            while self.status_of(0)["why"].split()[0] != why:
                self.assertLess(time.monotonic(), deadline, self.status_of(0))
                for _ in range(reads):
                    view = self.key(zk, group, "m")
                    self.assertEqual(keys.setdefault(view.id, view.key), view.key)
                time.sleep(0.1)

        until("volume", 100)
        until("age", 1)
        self.key(zk, group, "m")
        self.assertGreaterEqual(len(keys), 2)
        self.assertEqual(len(set(keys.values())), len(keys))


if __name__ == "__main__":
    gktest.main("SERVERKEYS")
