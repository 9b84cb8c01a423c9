"""The tools for groups keyed by the servers, on a real ensemble with TLS and clients' certificates: gk-admin and gk-member, as people and scripts meet them."""
import hmac
import json
import re
import signal
import stat
import subprocess
import time
import unittest

import gktest
from gkgroups import ADMIN as GK_ADMIN
from gkgroups import MEMBER as GK_MEMBER
from gkgroups import Process, wait
from gkraw import NOAUTH, Closed, Failure
from gktest import ROOT
from test_serverkeys import ADMIN, ALICE, BOB, CONNECTIONLOSS, KEYS, MINE, OPTIONS, Ensemble, View, certificate

NOTREADONLY = -119
EVE = "eve"  # has a certificate of the right CA, and is let in nowhere
# a read-only server takes local sessions alone; one becomes global with its first ephemeral node
MORE = ["--set", "maxSessionTimeout=4000", "--set", "localSessionsEnabled=true", "--set", "localSessionsUpgradingEnabled=true", "--jvm",
        "-Dreadonlymode.enabled=true"]


class Follower(Process):
    def keys(self):
        return [line for line in self.lines() if line["event"] == "key"]

    def key(self, but=(), seconds=30):
        """The newest key, once it is none of these."""
        wait(lambda: self.keys() and self.keys()[-1]["key_id"] not in but, f"a new key in {self.out}: {self.lines()[-3:]} {self.err.read_text()}", seconds)
        return self.keys()[-1]

    def ends(self, seconds=30):
        self.process.wait(seconds)
        return self.process.returncode, self.err.read_text()


class Tools(Ensemble):
    """The tests run in this order: the last ones take servers away."""
    servers, observers, options = 3, 0, MORE

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        certificate(cls.tls, EVE)
        cls.dir, cls.processes, cls.serial = cls.sandbox.dir, [], 0
        cls.addClassCleanup(lambda: [(p.kill(), p.wait()) for p in cls.processes if p.poll() is None])

    def common(self, name=ADMIN, connect=None):
        return ["--connect", connect or ",".join(self.secure), "--ca", self.tls / "ca.pem", "--cert", self.tls / f"{name}.pem", "--key",
                self.tls / f"{name}.key"]

    def admin(self, *args, check=True, connect=None):
        done = subprocess.run([GK_ADMIN, *args, "--json", *self.common(connect=connect)], capture_output=True, text=True, check=False, timeout=60)
        self.assertFalse(check and done.returncode, done.stderr)
        return json.loads(done.stdout) if check else done

    def group_of(self, *names):
        group = f"g{time.monotonic_ns()}"
        made = self.admin("group", "create", group, "--keyed-by", "servers", *(a for n in names for a in ("--member", n)))
        self.assertEqual(made, {"group": group, "keyed_by": "servers", "path": f"/groupkeeper/server-keyed/{group}"})
        return group

    def follow(self, group, name, *args):
        Tools.serial += 1
        return Follower(self, f"{name}-{self.serial}", [GK_MEMBER, "run", group, "--server-keyed", *self.common(name), *args])

    def same(self, *members, but=()):
        """All these members have one key, none of those before; it."""
        wait(lambda: len({m.key(but)["key_id"] for m in members}) == 1, f"one key: {[m.lines()[-1:] for m in members]}")
        self.assertEqual(len({m.key()["fingerprint"] for m in members}), 1)
        return members[0].key()

    def test_1_life(self):
        group = self.group_of(ALICE)
        out = self.dir / "alice.key"
        alice = self.follow(group, ALICE, "--out", out, "--exec", "echo $GK_GROUP $GK_VIEW $GK_KEY_ID $GK_KEY_FILE >&2")
        first = alice.key()
        self.assertEqual(set(first), {"event", "group", "view", "key_id", "fingerprint", "via", "generated_ms", "received_ms"})
        self.assertEqual(first["key_id"], self.admin("servers", "status")["agreement"] + f"{first['view']:016x}")
        wait(lambda: f"{group} {first['view']} {first['key_id']} {out}\n" in alice.err.read_text(), "--exec")
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        self.assertEqual(hmac.digest(out.read_bytes(), b"groupkeeper fingerprint", "sha256")[:8].hex(), first["fingerprint"])
        # the same key that any client reads
        with self.connect(1, ADMIN) as zk:
            path = f"/groupkeeper/server-keyed/{group}"
            zk.call("sync", path)
            zk.call("create", f"{path}/by hand", "", MINE, 1).ok()
            view = View(zk.get(f"{KEYS}{path}/by hand")[0])
            zk.close()
        joined = alice.key((first["key_id"],))
        if joined["view"] == view.view:  # she may have seen it come and go as one
            self.assertEqual(joined["fingerprint"], hmac.digest(view.key, b"groupkeeper fingerprint", "sha256")[:8].hex())
        # bob is let in, twice
        self.admin("member", "allow", group, BOB)
        bobs = [self.follow(group, BOB) for _ in range(2)]
        wait(lambda: len(self.admin("member", "list", group)) == 3, "three members")
        third = self.same(alice, *bobs)
        people = self.admin("member", "list", group)
        self.assertEqual({p["member"].rsplit(".")[0] for p in people}, {ALICE, BOB})
        self.assertEqual({p["state"] for p in people}, {"active"})
        self.assertEqual(self.admin("member", "show", group, ALICE)["member"].rsplit(".")[0], ALICE)
        info = self.admin("group", "show", group)
        self.assertEqual((info["keyed_by"], info["members"], info["view"], info["identities"]),
                         ("servers", 3, third["view"], ["x509:CN=client", "x509:CN=alice", "x509:CN=bob"]))
        self.assertIn(group, [g["group"] for g in self.admin("group", "list")])
        # a new key for no reason
        rekeyed = self.admin("group", "rekey", group, "--wait")
        fourth = self.same(alice, *bobs, but=(third["key_id"],))
        self.assertEqual((fourth["view"], fourth["via"]), (rekeyed["view"], "notify"))
        # bob goes
        evicted = self.admin("member", "evict", group, BOB, "--yes")
        after = self.same(alice, but=(fourth["key_id"],))
        self.assertEqual(after["view"], evicted["view"])
        for bob in bobs:
            code, err = bob.ends()
            self.assertEqual((code, bob.lines()[-1]["event"]), (1, "evicted"))
            self.assertRegex(err, r"gk-member: error: EVICTED: .* \(hint: .*\)\n")
            self.assertNotIn(after["key_id"], [k["key_id"] for k in bob.keys()])
        self.assertEqual(len(self.admin("member", "list", group)), 1)
        again = self.follow(group, BOB)
        self.assertRegex(again.ends()[1], r"gk-member: error: NOAUTH: .* \(hint: .*\)\n")
        self.admin("member", "allow", group, "x509:CN=bob")
        back = self.follow(group, BOB)
        with_bob = self.same(alice, back, but=(after["key_id"],))
        # a SIGTERM leaves: alice's next key isn't bob's
        self.assertEqual(back.kill(signal.SIGTERM), 0)
        self.same(alice, but=(with_bob["key_id"],))
        self.admin("group", "delete", group, "--yes")
        self.assertEqual(alice.ends()[0], 1)
        self.assertEqual(alice.lines()[-1]["event"], "evicted")
        self.assertEqual(self.admin("group", "show", group, "--keyed-by", "servers", check=False).returncode, 1)

    def test_2_who_may_not(self):
        group = self.group_of(ALICE)
        for args, code in ((["nothing"], "NOTFOUND"), ([group], "NOAUTH"), (["/ordinary"], "NOTKEYED")):
            with self.connect(0) as zk:
                zk.call("create", "/ordinary", "", [[31, "world", "anyone"]], 0)
            status, err = self.follow(*args, EVE).ends()
            self.assertEqual(status, 1, err)
            self.assertRegex(err, rf"gk-member: error: {code}: .* \(hint: .*\)\n")
        for args in (["--server-keyed"], ["--server-keyed", "--state", "x"], ["--state", "x", "--as", "y"]):
            done = subprocess.run([GK_MEMBER, "run", group, *args, "--connect", self.secure[0]], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
        for args, code in ((("member", "evict", group, BOB, "--yes"), "NOTFOUND"), (("member", "evict", group, ADMIN, "--yes"), "STATE"),
                           (("group", "create", group, "--keyed-by", "servers"), "EXISTS"), (("group", "rekey", "none", "--keyed-by", "servers"), "NOTFOUND")):
            done = self.admin(*args, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"gk-admin: error: {code}: .* \(hint: .*\)\n")
        done = self.admin("group", "create", group, "--keyed-by", "servers", "--period", "1h", check=False)
        self.assertEqual(done.returncode, 2)

    def test_3_a_liar_and_a_lost_session(self):
        """A member under another's name is evicted all the same; one whose session was lost comes back in a new view."""
        group = self.group_of(ALICE, BOB)
        alice, bob = self.follow(group, ALICE), self.follow(group, BOB, "--as", ALICE)
        wait(lambda: len(self.admin("member", "list", group)) == 2, "two members")
        both = self.same(alice, bob)
        view = self.admin("member", "evict", group, BOB, "--yes")["view"]
        evicted = self.same(alice, but=(both["key_id"],))
        self.assertEqual(evicted["view"], view)
        alice.process.send_signal(signal.SIGSTOP)
        wait(lambda: ALICE not in str(self.admin("member", "list", group)), "her session is over", 40)
        alice.process.send_signal(signal.SIGCONT)
        wait(lambda: "rejoined" in [line["event"] for line in alice.lines()], f"she is back: {alice.lines()[-3:]}")
        self.assertGreater(alice.key((evicted["key_id"],))["view"], view)

    def test_4_servers_go_and_come(self):
        group = self.group_of(ALICE, BOB)
        members = [self.follow(group, ALICE), self.follow(group, BOB)]
        wait(lambda: len(self.admin("member", "list", group)) == 2, "two members")
        status = self.admin("servers", "status")
        self.assertEqual(status["participants"], [1, 2, 3])
        self.assertEqual([s["server"] for s in status["servers"]], [1, 2, 3])
        for field in ("agreement", "run_id", "age_s", "derivations"):
            self.assertIn(field, status)
        old = self.same(*members)
        victim = self.sandbox.leader()
        self.sandbox.run("kill", victim)
        rest = [i for i in self.everybody if i != victim]
        agreement, _ = self.agreed(rest, 30, status["agreement"])
        wait(lambda: all(m.key()["key_id"].startswith(agreement) for m in members), "keys of the new secret")
        new = self.same(*members)
        self.assertNotEqual(new["fingerprint"], old["fingerprint"])
        done = subprocess.run([GK_ADMIN, "servers", "status", *self.common()], capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, rf"participants +{','.join(map(str, rest))}\n")
        self.assertEqual(len(re.findall(rf"^\S+:\d+ +[{''.join(map(str, rest))}] +{agreement} +yes", done.stdout, re.M)), 2, done.stdout)
        self.assertRegex(done.stdout, rf"(?m)^{self.secure[victim - 1]} .*no server")
        self.read_only(rest[0], rest[1], group)
        for m in members:
            self.assertIsNone(m.process.poll(), m.err.read_text())

    def read_only(self, lonely, other, group):
        """With the others gone a server with readonlymode serves reads, but no keys: not to a session of its own, and a member's isn't known there."""
        with self.connect(lonely - 1, ALICE) as zk:
            path = f"/groupkeeper/server-keyed/{group}"
            zk.call("create", f"{path}/mine", "", MINE, 1).ok()
            self.key(zk, path, "mine")
            session, password = zk.session, zk.password
        self.sandbox.run("kill", other)

        def connect(**how):
            try:
                return self.connect(lonely - 1, ALICE, read_only=1, patience=2, **how)
            except (OSError, Closed, Failure):
                return None

        zk = wait(connect, "a read-only server")
        with zk:
            self.assertGreater(len(zk.children(path)), 2)
            for _ in range(20):
                self.assertIn(self.read(zk, path, "mine").err, (CONNECTIONLOSS, NOAUTH))
            self.assertEqual(zk.call("create", "/x", "", MINE, 0).err, NOTREADONLY)
        again = connect(session=session, password=password)
        if again:
            with again:
                self.assertIn(self.read(again, path, "mine").err, (CONNECTIONLOSS, NOAUTH))


if __name__ == "__main__":
    gktest.main("SERVED")
