"""Sessions and all that hangs on them: passwords, moves, local sessions, read-only mode, reconfig, four-letter words, AdminServer, TLS, authentication.

What stock offers goes on working; a session can't be taken over by who knows its public id.
"""
import base64
import hashlib
import json
import re
import secrets
import time
import unittest
import urllib.request

import gktest
from gkraw import AUTHFAILED, NOAUTH, OPEN, Closed, Failure, Raw, metrics, part_create, tls_context, word
from gktest import Sandbox

WORDS = ("conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs")
COMMANDS = ("configuration", "connections", "dirs", "dump", "environment", "get_trace_mask", "hash", "initial_configuration", "is_read_only",
            "last_snapshot", "leader", "monitor", "observers", "ruok", "server_stats", "stats", "system_properties", "voting_view", "watch_summary",
            "watches", "watches_by_path", "zabstate")
SUPER = "super:letmein"
NOTREADONLY = -119


def stock_password(session):
    """What ZooKeeperServer.generatePasswd gives: java.util.Random(sessionId ^ superSecret).nextBytes(16)."""
    seed = ((session ^ 0xB3415C00) ^ 0x5DEECE66D) & (1 << 48) - 1
    out = b""
    while len(out) < 16:
        seed = (seed * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        out += (seed >> 16 & 0xFFFFFFFF).to_bytes(4, "little")
    return out


def taken_over(address, session, password):
    """Whether the server gives this session to somebody who shows this password."""
    try:
        with Raw(address, session=session, password=password) as thief:
            return thief.session == session
    except Closed:
        return False


def shared(cls):
    cls.addCleanup = classmethod(lambda cls, *a, **k: cls.addClassCleanup(*a, **k))
    return cls


def digest_id(user_and_password):
    user = user_and_password.split(":")[0]
    return f"{user}:{base64.b64encode(hashlib.sha1(user_and_password.encode()).digest()).decode()}"


@shared
class Sessions(unittest.TestCase):
    """One ensemble with TLS, an observer, port unification, SASL and read-only mode."""

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox(cls)
        cls.sandbox.dir.mkdir()
        jaas = cls.sandbox.dir / "jaas.conf"
        jaas.write_text('Server {\n org.apache.zookeeper.server.auth.DigestLoginModule required\n user_bob="builder";\n};\n')
        cls.sandbox.start("--servers", 3, "--observers", 1, "--tls", "on", "--set", "client.portUnification=true", "--set", "reconfigEnabled=true",
                          "--set", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "--set", "tickTime=500",
                          "--jvm", "-Xmx400m", "--jvm", "-Dzookeeper.fips-mode=false", "--jvm", "-Dreadonlymode.enabled=true",
                          "--jvm", f"-Djava.security.auth.login.config={jaas}",
                          "--jvm", f"-Dzookeeper.DigestAuthenticationProvider.superDigest={digest_id(SUPER)}")
        cls.status = cls.sandbox.status()["servers"]
        cls.plain = [server["client"] for server in cls.status]
        cls.secure = [server["secure"] for server in cls.status]
        cls.tls = tls_context(cls.sandbox.dir / "tls")

    def setUp(self):
        self.base = "/" + secrets.token_hex(4)
        with Raw(self.plain[0]) as zk:
            zk.create(self.base)
            zk.close()

    # ---- passwords ----

    def test_the_public_id_opens_no_session(self):
        with Raw(self.plain[0]) as zk:
            path = zk.create(self.base + "/e", b"mine", 1)
            owner = zk.exists(path)["ephemeralOwner"]
            self.assertEqual(owner, zk.session)
            before = [metrics(address).get("zk_gk_wrong_session_passwords", 0) for address in self.plain]
            for address in self.plain:
                for what, password in (("stock's", stock_password(owner)), ("zeros", bytes(16)), ("noise", secrets.token_bytes(16)), ("none", b""),
                                       ("longer", zk.password + b"\0"), ("shorter", zk.password[:15]), ("a bit off", zk.password[:15] + bytes([zk.password[15] ^ 1]))):
                    with self.subTest(what, address=address):
                        self.assertFalse(taken_over(address, owner, password))
            after = [metrics(address)["zk_gk_wrong_session_passwords"] for address in self.plain]
            self.assertTrue(all(b - a >= 5 for a, b in zip(before, after)), f"{before} {after}")
            self.assertTrue(taken_over(self.plain[1], owner, zk.password), "the right one is right")

    def test_stock_gives_it_away(self):
        """The proof that the guess is right: on a stock server it works."""
        stock = Sandbox(self)
        address = stock.start("--servers", 1, "--plugin", "off", "--jvm", "-Xmx200m")
        with Raw(address) as zk:
            self.assertEqual(zk.password, stock_password(zk.session))
            self.assertTrue(taken_over(address, zk.session, stock_password(zk.session)))

    def test_passwords_differ_and_hold(self):
        seen = set()
        for address in self.plain * 3:
            with Raw(address) as zk:
                self.assertNotEqual(zk.password, stock_password(zk.session))
                seen.add(zk.password)
                zk.close()
        self.assertEqual(len(seen), 12)

    def test_a_session_moves(self):
        """Through all servers, its ephemeral nodes with it."""
        zk = Raw(self.plain[0])
        path = zk.create(self.base + "/e-", b"mine", 3)
        czxid = zk.exists(path)["czxid"]
        for number, address in enumerate(self.plain[1:] + self.plain[:1]):
            moved = Raw(address, session=zk.session, password=zk.password)
            self.assertEqual((moved.session, moved.password), (zk.session, zk.password))
            moved.call("sync", "/")
            self.assertEqual((moved.get(path)[0], moved.exists(path)["czxid"]), (b"mine", czxid))
            moved.create(f"{path}-{number}", b"", 1)
            zk.drop()
            zk = moved
        self.assertEqual(len(zk.children(self.base)), 5)
        zk.close()
        with Raw(self.plain[2]) as other:
            other.call("sync", "/")
            self.assertEqual(other.children(self.base), [])

    def test_a_malformed_write_holds_nobody_up(self):
        """Stock answers it on a standalone server; in an ensemble no write is committed any more, anywhere, until the leader is killed."""
        for address in self.plain:
            for op in ("create", "create2", "createTTL", "createContainer", "delete", "setData", "setACL", "multi", "deleteContainer"):
                with self.subTest(op, through=address), Raw(address) as zk:
                    self.assertEqual(zk.call(op, body=b"\0\0\0").name, "MARSHALLINGERROR")
                    zk.call("exists", self.base, 0).ok()
            with Raw(address) as zk:
                zk.create(f"{self.base}/s-", b"", 2)

    # ---- TLS and one port for both ----

    def test_tls_port(self):
        for address in self.secure:
            with Raw(address, tls=self.tls) as zk:
                self.assertEqual(zk.create(self.base + "/s-", b"x" * 200000, 2)[:-10], self.base + "/s-")
                self.assertEqual(sum(len(data) for data, _ in zk.get_all(self.base).values()) % 200000, 0)
                zk.close()
            self.assertEqual(word(address, "ruok", tls=self.tls), "imok")

    def test_one_port_for_both(self):
        for address in self.plain:
            with Raw(address, tls=self.tls) as over_tls, Raw(address) as plain:
                over_tls.create(self.base + "/tls-" + address[-1], b"1")
                self.assertEqual(plain.get(self.base + "/tls-" + address[-1])[0], b"1")
                self.assertTrue(taken_over(self.plain[0], over_tls.session, over_tls.password))
            self.assertEqual(word(address, "ruok", tls=self.tls), "imok")
            self.assertEqual(word(address, "ruok"), "imok")

    # ---- authentication ----

    def only_for(self, zk, who):
        """zk is authenticated: what it makes for itself is nobody else's; whoAmI says who."""
        path = zk.create(self.base + "/own", b"own", 0, acl=[[31, "auth", ""]])
        self.assertIn(who, zk.call("whoAmI").ok())
        sequence = zk.create(path + "/s-", b"own", 2, acl=[[31, "auth", ""]])
        self.assertEqual(zk.get(sequence)[0], b"own")
        acl = zk.call("getACL", path).ok()
        self.assertIn(who[0], [scheme for _, scheme, _ in acl])
        with Raw(self.plain[1]) as other:
            other.call("sync", "/")
            for op, fields in (("getData", [path, 0]), ("setData", [path, "x", -1]), ("create", [path + "/c", "", OPEN, 0]),
                               ("create", [path + "/c", "", OPEN, 2]), ("getChildren", [path, 0])):
                self.assertEqual(other.call(op, *fields).err, NOAUTH, op)

    def test_digest(self):
        with Raw(self.plain[0]) as zk:
            zk.call("auth", 0, "digest", "alice:secret", xid=-4)
            self.only_for(zk, ("digest", "alice"))
        with Raw(self.plain[3]) as again:
            again.call("auth", 0, "digest", "alice:secret", xid=-4)
            again.call("sync", "/")
            self.assertEqual(again.get(self.base + "/own")[0], b"own")
        with Raw(self.plain[3]) as bad:
            self.assertEqual(bad.call("auth", 0, "bogus", "x", xid=-4).name, "AUTHFAILED")
            self.assertTrue(bad.closed_by_server())

    def test_x509(self):
        with Raw(self.secure[0], tls=self.tls) as zk:
            self.only_for(zk, ("x509", "CN=client"))
        with Raw(self.plain[3], tls=self.tls) as again:
            again.call("sync", "/")
            self.assertEqual(again.get(self.base + "/own")[0], b"own", "on the port for both, too")

    def test_sasl(self):
        with Raw(self.plain[0]) as zk:
            self.sasl(zk, "bob", "builder")
            self.only_for(zk, ("sasl", "bob"))
        with Raw(self.plain[3]) as wrong:
            with self.assertRaises(Failure) as refused:
                self.sasl(wrong, "bob", "guess")
            self.assertEqual(refused.exception.code, AUTHFAILED)
            self.assertEqual(refused.exception.body, b"\xff\xff\xff\xff")  # a null token: clients read it in spite of the error

    def sasl(self, zk, user, password):
        """DIGEST-MD5 (RFC 2831) as ZooKeeper's clients do it."""
        challenge = zk.call("sasl", "").ok().decode()
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
        cnonce, uri = secrets.token_hex(8), "zookeeper/" + given["realm"]

        def md5(text):
            return hashlib.md5(text).digest()
        a1 = md5(f"{user}:{given['realm']}:{password}".encode()) + f":{given['nonce']}:{cnonce}".encode()
        a2 = f"AUTHENTICATE:{uri}".encode()
        mixed = f"{md5(a1).hex()}:{given['nonce']}:00000001:{cnonce}:auth:{md5(a2).hex()}"
        response = (f'charset=utf-8,username="{user}",realm="{given["realm"]}",nonce="{given["nonce"]}",nc=00000001,cnonce="{cnonce}",'
                    f'digest-uri="{uri}",maxbuf=65536,response={md5(mixed.encode()).hex()},qop=auth')
        self.assertIn(b"rspauth=", zk.call("sasl", response).ok())

    # ---- operators ----

    def test_four_letter_words(self):
        with Raw(self.plain[0]) as zk:
            zk.exists(self.base + "/watched", watch=1)
            for server in self.status:
                for command in WORDS:
                    with self.subTest(command, server=server["id"]):
                        answer = word(server["client"], command) if command != "stmk" else "no arguments here"
                        self.assertTrue(answer or command == "hash", command)  # hash lists digests of each 128th transaction
                        self.assertNotIn("not executed because it is not in the whitelist", answer)
                        self.assertNotIn(self.base[1:], answer, "stored names are shown, not clients'")
            self.assertIn("zk_gk_requests", word(self.plain[0], "mntr"))
            self.assertEqual(metrics(self.plain[0])["zk_watch_count"], 1)

    def test_whitelist(self):
        """Words that aren't on it, and one that takes an argument, are answered as stock answers them."""
        answers = {}
        for plugin in ("off", "on"):
            sandbox = Sandbox(self)
            address = sandbox.start("--servers", 1, "--plugin", plugin, "--set", "4lw.commands.whitelist=ruok,stmk")
            answers[plugin] = {w: word(address, w) for w in (*WORDS, "stmk1234", "stmk\0\0\0\0\0\0\0\2") if w != "srvr"}
        self.assertEqual(answers["on"], answers["off"])
        self.assertEqual(answers["on"]["ruok"], "imok")
        self.assertIn("conf is not executed because it is not in the whitelist.", answers["on"]["conf"])
        self.assertEqual(answers["on"]["stmk\0\0\0\0\0\0\0\2"], "2")

    def test_admin_server(self):
        for server in self.status:
            for command in COMMANDS:
                with self.subTest(command, server=server["id"]), urllib.request.urlopen(f"http://{server['admin']}/commands/{command}", timeout=10) as page:
                    answer = json.load(page)
                    self.assertIsNone(answer["error"])
                    self.assertNotIn(self.base[1:], json.dumps(answer))

    def test_reconfig(self):
        """The observer leaves and joins again, by a client who is super; /zookeeper/config is read and watched as ever."""
        with Raw(self.plain[0]) as zk:
            zk.call("auth", 0, "digest", SUPER, xid=-4)
            config, _ = zk.get("/zookeeper/config", watch=1)
            lines = config.decode().splitlines()
            observer = next(line for line in lines if line.startswith("server.4="))
            answer = zk.call("reconfig", None, "4", None, -1)
            self.assertNotIn("server.4=", answer.ok().decode())
            event = zk.wait_event()
            self.assertEqual((event.type, event.path), ("NodeDataChanged", "/zookeeper/config"))
            zk.create(self.base + "/meanwhile", b"1")
            joining = observer.split(";")[0] + ";" + self.plain[3]
            answer = zk.call("reconfig", joining, None, None, -1)
            self.assertIn(observer.split(";")[0], answer.ok().decode())
        self.sandbox.wait(lambda servers: servers[3]["mode"] == "observer", 40)

        def through_observer():
            try:
                with Raw(self.plain[3]) as zk:
                    zk.call("sync", "/")
                    return zk.create(self.base + "/s-", b"", 2) == self.base + "/s-0000000001" and zk.get(self.base + "/meanwhile")[0] == b"1"
            except (Closed, OSError):
                return False
        deadline = time.monotonic() + 30
        while not through_observer():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.3)


class ReadOnly(unittest.TestCase):
    def test_read_only_mode(self):
        """The last server of three serves readers, until the others are back. Stock needs local sessions for that."""
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, "--jvm", "-Xmx400m", "--jvm", "-Dreadonlymode.enabled=true", "--set",
                                  "localSessionsEnabled=true").split(",")
        last = addresses[0]
        with Raw(last) as zk:
            zk.create("/a", b"1")
            zk.create("/a/b", b"2")
        victims = [2, 3]
        for victim in victims:
            sandbox.run("kill", victim)
        deadline = time.monotonic() + 40
        while True:
            try:
                zk = Raw(last, read_only=1, timeout=60000)
                break
            except (Closed, OSError):
                self.assertLess(time.monotonic(), deadline, "no read-only server")
                time.sleep(0.2)
        self.assertEqual((zk.get("/a")[0], zk.children("/a")), (b"1", ["b"]))
        self.assertEqual(word(last, "isro"), "ro")
        for op, fields in (("create", ["/x", "", OPEN, 0]), ("create", ["/x", "", OPEN, 2]), ("setData", ["/a", "", -1]), ("delete", ["/a/b", -1]),
                           ("multi", [[part_create("/x", b"")]])):
            self.assertEqual(zk.call(op, *fields).err, NOTREADONLY, op)
        with self.assertRaises(Closed):
            Raw(last, patience=5)
        for victim in victims:
            sandbox.run("restart", victim)
        sandbox.wait(lambda servers: all(s["mode"] in ("leader", "follower") for s in servers), 60)
        deadline = time.monotonic() + 30
        while True:
            try:
                with Raw(last) as again:
                    self.assertEqual(again.create("/a/s-", b"", 2), "/a/s-0000000001")
                    break
            except (Closed, OSError):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.2)


class Local(unittest.TestCase):
    def test_local_sessions_and_their_upgrade(self):
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 3, "--observers", 1, "--jvm", "-Xmx400m", "--set", "localSessionsEnabled=true",
                                  "--set", "localSessionsUpgradingEnabled=true").split(",")
        for number, address in enumerate(addresses):
            with self.subTest(sandbox.modes()[number]):
                zk = Raw(address)
                self.assertFalse(taken_over(address, zk.session, stock_password(zk.session)))
                zk = Raw(address)
                base = zk.create(f"/local{number}")
                self.assertEqual(zk.create(base + "/s-", b"", 2), base + "/s-0000000000", "still local")
                path = zk.create(base + "/e-", b"mine", 3)
                self.assertEqual((path, zk.exists(path)["ephemeralOwner"]), (base + "/e-0000000001", zk.session), "upgraded by its first ephemeral node")
                self.assertEqual(zk.multi(part_create(base + "/e-", b"", 3), part_create(base + "/e", b"", 1))[0][1][0], base + "/e-0000000002")
                moved = Raw(addresses[(number + 1) % 4], session=zk.session, password=zk.password)
                self.assertEqual(moved.session, zk.session, "a session that all know moves")
                moved.call("sync", "/")
                self.assertEqual(moved.get(path)[0], b"mine")
                moved.close()

    def test_without_upgrade(self):
        sandbox = Sandbox(self)
        addresses = sandbox.start("--servers", 2, "--jvm", "-Xmx300m", "--set", "localSessionsEnabled=true",
                                  "--set", "localSessionsUpgradingEnabled=false").split(",")
        follower = addresses[sandbox.modes().index("follower")]
        with Raw(follower) as zk:
            for flags in (1, 3):
                self.assertEqual(zk.call("create", "/e", "", OPEN, flags).name, "EPHEMERALONLOCALSESSION")
            self.assertEqual(zk.create("/s-", b"", 2), "/s-0000000000")


if __name__ == "__main__":
    gktest.main("sessions")
