"""Starts that must fail, and how: a keyring that isn't right, an option that doesn't exist, data that isn't ours. One line says what to do."""
import os
import re
import shutil
import unittest

import gktest
from gkraw import Closed, Raw
from gkserver import Server, make_keyring

NOBODY = 65534
SECONDS = 20  # a JVM's start on a slow machine, and then at once


def flip(at):
    def edit(path):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
    return edit


def cut(size):
    def edit(path):
        data = path.read_bytes()
        path.write_bytes(data[:size])
    return edit


def replaced(maker):
    def edit(path):
        path.unlink()
        maker(path)
    return edit


def append(path):
    with open(path, "ab") as handle:
        handle.write(b"\0")


def huge(path):
    path.touch(0o600)
    os.truncate(path, 1 << 32)


# Of similar ones the soak list takes all, a usual run one of each.
ALL = "GK_ALL" in os.environ
MORE = {"link to nowhere", "cut in the magic", "cut in the body", "flip in the ensemble id", "flip in the zone id", "flip in the last byte", "text", "a pipe",
        "open to the group", "below a file"}

# name -> (what happens to a good keyring, what the message must say)
BROKEN = {
    "missing": (lambda path: path.unlink(), "does not exist: create it with gk-admin keyring init"),
    "below a file": (replaced(lambda path: path.symlink_to("zoo.cfg/keyring")), "does not exist: create it"),
    "link to nowhere": (replaced(lambda path: path.symlink_to("nowhere")), "does not exist: create it"),
    "empty": (cut(0), "not a keyring file, or damaged"),
    "cut in the magic": (cut(5), "not a keyring file, or damaged"),
    "cut in the header": (cut(60), "not a keyring file, or damaged"),
    "cut in the body": (cut(250), "not a keyring file, or damaged"),
    "last byte missing": (cut(-1), "not a keyring file, or damaged"),
    "a byte too many": (append, "not a keyring file, or damaged"),
    "flip in the magic": (flip(0), "not a keyring file, or damaged"),
    "flip in the format": (flip(8), "was written by a later version: upgrade Groupkeeper here"),
    "flip in the ensemble id": (flip(12), "restore it from another server"),
    "flip in the zone id": (flip(30), "restore it from another server"),
    "flip in a check value": (flip(72), "restore it from another server"),
    "flip in the body": (flip(-40), "restore it from another server"),
    "flip in the last byte": (flip(-1), "restore it from another server"),
    "four gigabytes": (replaced(huge), "not a keyring file, or damaged"),
    "text": (replaced(lambda path: (path.write_text("secret\n"), path.chmod(0o600))), "not a keyring file, or damaged"),
    "a folder": (replaced(lambda path: path.mkdir(0o700)), "is not a regular file: name the file itself"),
    "a pipe": (replaced(lambda path: os.mkfifo(path, 0o600)), "is not a regular file: name the file itself"),
    "endless": (replaced(lambda path: path.symlink_to("/dev/zero")), "is not a regular file: name the file itself"),
    "open to the world": (lambda path: path.chmod(0o604), r"is open to group or others \(mode 0604\): chmod 600 it"),
    "open to the group": (lambda path: path.chmod(0o640), r"is open to group or others \(mode 0640\): chmod 600 it"),
    "another's": (lambda path: os.chown(path, NOBODY, NOBODY), "is owned by uid 65534, but this process runs as uid 0: chown it"),
}


class Startup(unittest.TestCase):
    def refused(self, server, message, code=None):
        status, seconds = server.ends(SECONDS)
        lines = server.messages()
        self.assertNotEqual(status, 0, server.output()[-2000:])
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"^groupkeeper: error: [A-Z]+: .*" + message)
        return seconds


class Keyring(Startup):
    def test_each_way_to_be_wrong(self):
        server = Server(self)
        slowest = 0
        cases = {name: case for name, case in BROKEN.items() if ALL or name not in MORE}
        for name, (edit, message) in cases.items():
            with self.subTest(name):
                make_keyring(server.keyring)
                edit(server.keyring)
                slowest = max(slowest, self.refused(server.start(), re.escape(str(server.keyring)) + ".*" + message))
                self.assertEqual([path.name for path in server.data.rglob("*") if path.is_file()], [], "nothing was written before")
            if server.keyring.is_dir() and not server.keyring.is_symlink():
                server.keyring.rmdir()
            else:
                server.keyring.unlink(missing_ok=True)
        print(f"{len(cases)} cases, the slowest ended after {slowest:.1f} s ... ", end="")

    def test_a_good_one(self):
        server = Server(self)
        make_keyring(server.keyring)
        server.keyring.chmod(0o400)
        with server.start().serves() as zk:
            self.assertEqual(zk.create("/a"), "/a")
        self.assertEqual(server.messages(), [])

    def test_not_set(self):
        server = Server(self)
        self.refused(server.start("zookeeper.groupkeeper.keyring="), r"groupkeeper\.keyring is not set \(hint: .*gk-admin keyring init")

    @unittest.skipIf(os.geteuid(), "only root can start a server as somebody else")
    def test_unreadable(self):
        """The server runs as a user who may not read it: root's 0600 file, and a folder that is closed."""
        server = Server(self)
        make_keyring(server.keyring)
        self.refused(server.start(uid=NOBODY), r"cannot be opened \(Permission denied\): run as its owner")
        os.chown(server.keyring, NOBODY, NOBODY)
        with server.start(uid=NOBODY).serves() as zk:
            self.assertEqual(zk.create("/a"), "/a")
        server.kill()
        closed = server.dir / "closed"
        closed.mkdir(0o700)
        self.refused(server.start(f"zookeeper.groupkeeper.keyring={closed}/keyring", uid=NOBODY), r"Permission denied")

    def test_a_late_one_is_waited_for(self):
        server = Server(self)
        server.start("zookeeper.groupkeeper.keyring.wait=30s")
        while "waiting up to 30000 ms for it" not in server.output():
            self.assertIsNone(server.process.poll(), server.output())
        make_keyring(server.dir / "new")
        with self.assertRaises(OSError):
            Raw(server.address)
        (server.dir / "new").rename(server.keyring)
        with server.serves() as zk:
            zk.create("/a")
        self.assertEqual(server.messages(), [])

    def test_one_that_never_comes(self):
        server = Server(self)
        seconds = self.refused(server.start("zookeeper.groupkeeper.keyring.wait=2s"), "does not exist: create it")
        self.assertGreater(seconds, 2)
        self.assertIn("waiting up to 2000 ms for it (groupkeeper.keyring.wait)", server.output())

    def test_a_wrong_one_is_not_waited_for(self):
        server = Server(self)
        server.keyring.write_text("no")
        server.keyring.chmod(0o600)
        self.assertLess(self.refused(server.start("zookeeper.groupkeeper.keyring.wait=1h"), "damaged"), SECONDS)


class Options(Startup):
    def test_wrong_options(self):
        server = Server(self)
        make_keyring(server.keyring)
        for line, message in {
                "groupkeeper.keyrin=x": r"unknown option groupkeeper\.keyrin \(hint: did you mean groupkeeper\.keyring\?\)",
                "groupkeeper.undecriptable-child=omit": r"did you mean groupkeeper\.undecryptable-child\?",
                "groupkeeper.path-cache=1": r"did you mean groupkeeper\.path-cache-bytes\?",
                "groupkeeper.undecryptable-child=hide": r"groupkeeper\.undecryptable-child=hide \(hint: one of omit, fail\)",
                "groupkeeper.path-cache-bytes=many": r"\(hint: a number of bytes\)",
                "groupkeeper.insecure-quorum=perhaps": r"\(hint: true or false\)",
                "groupkeeper.keyring.wait=soon": r"\(hint: like 30s, 5m\)",
                "groupkeeper.plaintext-prefixes=relative": r"groupkeeper\.plaintext-prefixes .*can't be parsed",
                "groupkeeper.refuse-opcodes=create": r"groupkeeper\.refuse-opcodes can't be parsed",
                "groupkeeper.native=/nowhere.so": r"cannot load the native library.*hint",
        }.items():
            with self.subTest(line):
                self.refused(server.start(f"zookeeper.{line}"), message)
        with self.subTest("as a property"):
            self.refused(server.start(properties=["-Dzookeeper.groupkeeper.flush-consolidate=no"]), r"did you mean groupkeeper\.flush-consolidation\?")


class ExistingData(Startup):
    """The plugin is switched on over data that a stock server wrote, and off over ours."""

    def fill(self, server):
        with server.serves() as zk:
            zk.create("/app", b"from a stock server")
            zk.create("/app/child", b"too")
            self.assertEqual(zk.create("/app/s-", b"", 2), "/app/s-0000000001")

    def test_plaintext_data_is_refused(self):
        server = Server(self, plugin=False)
        self.fill(server.start())
        before = shutil.copytree(server.data, server.dir / "before")
        server.kill()
        server.plugin = True
        make_keyring(server.keyring)
        server.start()
        with self.assertRaises((Closed, OSError, AssertionError)):
            zk = server.serves(8)
            self.fail(f"it serves: {zk.children('/')}")
        text = server.output()
        self.assertRegex(text, r"(?i)groupkeeper: .*(plaintext|without the plugin|not encrypted|isn't encrypted)")
        server.kill()
        server.plugin = False
        with server.start().serves() as zk:
            self.assertEqual((zk.children("/"), zk.get("/app/child")[0]), (["app", "zookeeper"], b"too"), "nothing was changed meanwhile")
        self.assertTrue(before.exists())

    def test_plaintext_at_the_root_alone(self):
        """No name tells: stored data of "/" and a quota are all there is."""
        server = Server(self, plugin=False)
        with server.start().serves() as zk:
            zk.set("/", b"data of the root")
        server.kill()
        server.plugin = True
        make_keyring(server.keyring)
        try:
            with server.start().serves(8) as zk:
                self.assertEqual(zk.call("getData", "/", 0).name, "DATAINCONSISTENCY")
        except (Closed, OSError, AssertionError):
            self.assertRegex(server.output(), r"(?i)groupkeeper: .*(plaintext|without the plugin|not encrypted|isn't encrypted)")

    def test_a_stock_server_over_our_data_shows_no_plaintext(self):
        server = Server(self)
        make_keyring(server.keyring)
        self.fill(server.start())
        server.kill()
        server.plugin = False
        with server.start().serves() as zk:
            names = zk.children("/")
            self.assertEqual(len(names), 2)
            self.assertNotIn("app", names)
            self.assertEqual(zk.call("getData", "/app", 0).name, "NONODE")
            (name,) = set(names) - {"zookeeper"}
            self.assertNotIn(b"stock", zk.get("/" + name)[0])
        server.kill()
        server.plugin = True
        with server.start().serves() as zk:
            self.assertEqual(zk.get("/app")[0], b"from a stock server")


if __name__ == "__main__":
    gktest.main("startup")
