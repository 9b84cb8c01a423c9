"""Servers that don't belong: without the plugin, or with another ensemble's keyring; as follower and as leader."""
import re
import secrets
import subprocess
import time
import unittest
from pathlib import Path

import gktest
from gkleak import Search
from gkraw import NOAUTH, OPEN, Closed, Raw, metrics, part_create, word
from gkserver import make_keyring
from gktest import Sandbox

STRANGER = 3  # of equally informed servers the one with the highest number becomes leader


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.1)
    return value


class Strange(unittest.TestCase):
    def ensemble(self, *args):
        self.sandbox = Sandbox(self)
        self.addresses = self.sandbox.start("--servers", 3, *args).split(",")
        with Raw(self.addresses[0]) as zk:
            zk.create("/app", b"ours")
            zk.create("/app/child", b"ours, too")

    def start_with_another_keyring(self, ident):
        """As `gk-sandbox restart`, which would wait for a server that serves. The other servers' keyring lies in its place again afterwards."""
        pid = self.sandbox.server(ident)["pid"]
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        self.sandbox.run("kill", ident)
        home, ring = self.sandbox.dir / f"server-{ident}", self.sandbox.dir / "keyring"
        other = self.sandbox.dir / "other"
        if not other.exists():
            make_keyring(other)
        config = home / "zoo.cfg"
        config.write_text(re.sub(r"(groupkeeper\.keyring=).*", rf"\g<1>{other}", config.read_text()))
        with open(home / "log" / "zookeeper.log", "ab") as log:
            process = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        (home / "pid").write_text(f"{process.pid}\n")
        self.assertTrue(ring.exists())
        wait_for(lambda: self.sandbox.server(ident)["mode"] in ("leader", "follower"))

    def assert_logged(self, ident, pattern):
        lines = [line for line in self.sandbox.run("logs", ident).stdout.splitlines() if "ERROR" in line and "Groupkeeper: " in line]
        self.assertRegex("\n".join(lines), pattern)

    def make_leader(self, ident):
        """Kills leaders until it is that server's turn."""
        for _ in range(4):
            leader = self.sandbox.leader()
            if leader == ident:
                return
            third = ({1, 2, 3} - {leader, ident}).pop()
            self.sandbox.run("kill", leader)
            wait_for(lambda gone=leader: any(s["mode"] == "leader" for s in self.sandbox.status()["servers"] if s["id"] != gone))
            wait_for(lambda one=third: self.sandbox.server(one)["mode"] in ("leader", "follower"))
            self.sandbox.run("restart", leader)
        self.fail(f"server {ident} did not become leader")

    def foreign_writes(self, ident):
        return metrics(self.addresses[ident - 1])["zk_gk_foreign_writes"]


def plaintext_writes(zk, canary):
    """Every way to store something, as a client of a stock server does it: (what, reply)."""
    text, open_acl = canary, OPEN
    names = [name for name in zk.children("/") if name != "zookeeper"]
    stored = "/" + names[0]
    sealed = zk.get(stored)[0].decode("latin-1")
    yield "create", zk.call("create", "/" + text, text, open_acl, 0)
    yield "create2", zk.call("create2", "/" + text, text, open_acl, 0)
    yield "ephemeral", zk.call("create", "/" + text, text, open_acl, 1)
    yield "sequential", zk.call("create", "/" + text, text, open_acl, 2)
    yield "ephemeral sequential", zk.call("create2", "/" + text, text, open_acl, 3)
    yield "container", zk.call("createContainer", "/" + text, text, open_acl, 4)
    yield "ttl", zk.call("createTTL", "/" + text, text, open_acl, 5, 100000)
    yield "ttl sequential", zk.call("createTTL", "/" + text, text, open_acl, 6, 100000)
    yield "no payload", zk.call("create", "/" + text, "", open_acl, 0)
    yield "null payload", zk.call("create", "/" + text, None, open_acl, 0)
    yield "below ours", zk.call("create", stored + "/" + text, "x", open_acl, 0)
    yield "sequential below ours", zk.call("create", stored + "/" + text, "x", open_acl, 2)
    yield "another's payload", zk.call("create", "/" + text, sealed, open_acl, 0)
    yield "a marker", zk.call("create", "/\u0001" + "A" * 54, sealed, open_acl, 2)
    yield "setData", zk.call("setData", stored, text, -1)
    yield "setData to nothing", zk.call("setData", stored, "", -1)
    yield "setData to null", zk.call("setData", stored, None, -1)
    yield "setData of /", zk.call("setData", "/", text, -1)
    yield "setData of / to our payload", zk.call("setData", "/", sealed, -1)
    yield "below zookeeper", zk.call("create", "/zookeeper/" + text, text, open_acl, 0)
    yield "quota", zk.call("create", "/zookeeper/quota/" + text, text, open_acl, 0)
    answer = zk.call("multi", [part_create("/" + text, text.encode()), part_create("/" + text + "/x", b"")])
    yield "multi", answer


class WithoutPlugin(Strange):
    def test_as_follower_and_as_leader(self):
        self.ensemble()
        canary = "canary" + secrets.token_hex(12)
        self.sandbox.run("restart", STRANGER, "--plugin", "off")
        wait_for(lambda: "leader" in self.sandbox.modes())
        if self.sandbox.leader() == STRANGER:
            self.sandbox.run("kill", STRANGER)
            self.sandbox.run("restart", STRANGER)
        self.as_follower(canary)
        self.as_leader(canary)

    def as_follower(self, canary):
        leader = self.sandbox.leader()
        self.assertNotEqual(leader, STRANGER)
        before, refused = self.foreign_writes(leader), 0
        with Raw(self.addresses[STRANGER - 1]) as zk:
            for what, answer in plaintext_writes(zk, canary):
                with self.subTest("through a follower without the plugin", what=what):
                    result = answer.values[0][0] if what == "multi" and answer.values else ("error", answer.err)
                    # NOAUTH and not BADARGUMENTS, with which stock logs the request's path
                    self.assertEqual(result, ("error", -8 if what == "a marker" else NOAUTH))
                    refused += 1
            self.assertEqual(len(zk.children("/")), 2)
        self.assertEqual(self.foreign_writes(leader) - before, refused, "each is counted")
        self.assert_logged(leader, rf"refused \d+ write\(s\).* through server {STRANGER}\b.*\(hint: that server runs without the plugin")
        with Raw(self.addresses[leader - 1]) as zk:
            self.assertEqual((zk.children("/"), zk.get("/app/child")[0]), (["app", "zookeeper"], b"ours, too"))
            self.assertEqual(zk.get("/")[0], b"")
        self.assertEqual(Search([canary]).servers(self.sandbox.dir).found, {}, "nothing of it is stored or logged")

    def as_leader(self, canary):
        self.make_leader(STRANGER)
        secret = "secret" + secrets.token_hex(12)
        with Raw(self.addresses[0]) as zk:
            for what, answer in (("create", zk.call("create", "/app/" + secret, secret, OPEN, 2)),
                                 ("create2", zk.call("create2", "/app/" + secret, secret, OPEN, 3)),
                                 ("ttl", zk.call("createTTL", "/app/" + secret, secret, OPEN, 6, 100000))):
                with self.subTest("a leader without the plugin", what=what):
                    self.assertEqual(answer.name, "BADARGUMENTS")
            results = zk.multi(part_create("/app/" + secret, b""), part_create("/app/" + secret, secret.encode(), 2))
            self.assertEqual([code for _, (code) in results], [0, -8])
            self.assertEqual(zk.children("/app"), ["child"])
            zk.create("/app/" + secret, secret.encode())
            self.assertEqual(zk.get("/app/" + secret)[0], secret.encode())
        self.assertEqual(Search([secret]).servers(self.sandbox.dir).found, {}, "nothing is stored in clear")
        # What a client of that leader itself stores isn't ours: nobody who has the plugin shows it.
        with Raw(self.addresses[STRANGER - 1]) as zk:
            zk.create("/" + canary, b"plaintext")
        with Raw(self.addresses[0]) as zk:
            zk.call("sync", "/")
            self.assertEqual(zk.children("/"), ["app", "zookeeper"])
            self.assertEqual(zk.call("getData", "/" + canary, 0).name, "NONODE")
        self.assertGreater(metrics(self.addresses[0])["zk_gk_decrypt_failures"], 0)


class OtherKeyring(Strange):
    def refused(self, ident):
        with self.assertRaises(Closed):
            Raw(self.addresses[ident - 1]).close()
        self.assertIn("Mode: ", word(self.addresses[ident - 1], "srvr"))
        self.assert_logged(ident, r"closed \d+ connection\(s\), .*wasn't written under this server's keyring \(hint: give it")

    def test_it_does_not_serve(self):
        self.ensemble()
        self.start_with_another_keyring(STRANGER)
        self.refused(STRANGER)
        with Raw(self.addresses[0]) as zk:
            self.assertEqual(zk.create("/app/s-", b"", 2), "/app/s-0000000001")
        self.make_leader(STRANGER)
        self.refused(STRANGER)
        before = self.foreign_writes(STRANGER)
        with Raw(self.addresses[0]) as zk:
            self.assertEqual(zk.get("/app")[0], b"ours")
            for what, answer in (("create", zk.call("create", "/new", "", OPEN, 0)), ("sequential", zk.call("create", "/new", "", OPEN, 2)),
                                 ("setData", zk.call("setData", "/app", "", -1))):
                with self.subTest("a leader with another keyring", what=what):
                    self.assertEqual(answer.name, "BADARGUMENTS" if what == "sequential" else "NOAUTH")
            self.assertEqual((zk.children("/"), zk.get("/app")[0]), (["app", "zookeeper"], b"ours"))
        self.assertEqual(self.foreign_writes(STRANGER) - before, 3)

    def test_plaintext_prefixes_prove_nothing(self):
        """A node that any keyring can read is no sign that the keyring is right."""
        self.ensemble("--set", "groupkeeper.plaintext-prefixes=/plain,/public")
        with Raw(self.addresses[0]) as zk:
            zk.create("/plain", b"1")
            zk.create("/public", b"2")
        self.start_with_another_keyring(STRANGER)
        self.refused(STRANGER)

    def test_over_an_empty_tree(self):
        """Nothing tells yet; but what it sends is refused, and once there is something, it serves no more."""
        self.sandbox = Sandbox(self)
        self.addresses = self.sandbox.start("--servers", 3).split(",")
        if self.sandbox.leader() == STRANGER:
            self.make_leader(2)
        self.start_with_another_keyring(STRANGER)
        leader = self.sandbox.leader()
        self.assertNotEqual(leader, STRANGER)
        try:
            with Raw(self.addresses[STRANGER - 1]) as zk:
                for flags in (0, 1, 2):
                    self.assertEqual(zk.call("create", "/a", "", OPEN, flags).name, "BADARGUMENTS" if flags == 2 else "NOAUTH")
                with Raw(self.addresses[leader - 1]) as ours:
                    ours.create("/app", b"ours")
                zk.call("sync", "/")
                self.assertEqual(zk.children("/"), ["zookeeper"])
        except Closed:
            pass  # not serving at all is right, too
        with Raw(self.addresses[leader - 1]) as ours:
            self.assertIn(ours.call("create", "/app", "ours", OPEN, 0).name, ("OK", "NODEEXISTS"))
        self.refused(STRANGER)


if __name__ == "__main__":
    gktest.main("foreign")
