"""Nothing that a client sends is found where servers store, log or send it. The same search over a stock ensemble finds it all."""
import base64
import os
import random
import secrets
import socket
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import gktest
from gkcanary import Canaries, words_of
from gkcapture import Capture
from gkleak import Search
from gkraw import OPEN, Raw
from gktest import Sandbox

TRACE = ["--jvm", "-Xmx512m", "--jvm", "-Dzookeeper.log.level=TRACE", "--jvm", "-Dzookeeper.audit.enable=true", "--jvm", "-XX:TieredStopAtLevel=1", "--set", "preAllocSize=256",
         "--set", "snapCount=500"]


def free_base():
    """Ports that must be known before the servers start, so that nothing they send is missed."""
    while True:
        base = random.randrange(12000, 31500, 500)
        try:
            for offset in (1, 2, 3, 4, 201, 202, 203, 204, 301, 302, 303, 304, 401, 402, 403, 404):
                socket.create_server(("127.0.0.1", base + offset)).close()
            return base
        except OSError:
            continue


class Checker(unittest.TestCase):
    """The search itself."""

    def test_it_finds_each_spelling_at_each_offset(self):
        secret = "c" + secrets.token_hex(9)
        raw = secret.encode()
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "server-1" / "data"
            home.mkdir(parents=True)
            forms = {"raw": raw, "hex": raw.hex().encode(), "utf-16": secret.encode("utf-16-le")}
            for before in range(4):
                for behind in range(4):
                    for name, encode in (("base64", base64.b64encode), ("base64-url", base64.urlsafe_b64encode)):
                        forms[f"{name}-{before}-{behind}"] = encode(os.urandom(before) + raw + os.urandom(behind))
            for name, data in forms.items():
                (home / "log.1").write_bytes(os.urandom(7) + data + os.urandom(5) + bytes(900))
                with self.subTest(name):
                    self.assertEqual({spelling for _, spelling in Search([secret]).servers(Path(folder)).found}, {name.split("-")[0]} if "utf" not in name
                                     else {"utf-16"})


@unittest.skipIf(os.geteuid(), "only root can see what servers send each other")
class Everything(unittest.TestCase):
    def run_ensemble(self, plugin):
        """(canaries of all entries, search of the files, search of the traffic, search of the answers to operators)"""
        sandbox = Sandbox(self)
        base = free_base()
        with Capture(base + 201, base + 399) as capture:
            connect = sandbox.start("--servers", 3, "--observers", 1, "--plugin", plugin, "--base-port", base, *TRACE).split(",")
            modes = sandbox.modes()
            entries = [Canaries(connect[modes.index(mode)], mode).release(quorum=True) for mode in ("leader", "follower", "observer")]
            live = Canaries(connect[0], "live")
            entries.append(live)
            zk = Raw(live.address)
            zk.create("/" + live.new("live ephemeral", True), b"", 1)
            zk.exists("/" + live.new("live watch"), watch=1)
            made = {canary: what for entry in entries for canary, what in entry.made.items()}
            told = Search(made)
            for address, server in zip(connect, sandbox.status()["servers"]):
                told.look(words_of(address).encode(), address)
                for command in ("watches", "watches_by_path", "dump", "connections", "last_snapshot"):
                    with urllib.request.urlopen(f"http://{server['admin']}/commands/{command}", timeout=10) as answer:
                        told.look(answer.read(), f"{address} {command}")
            zk.close()
            for victim in (sandbox.leader(), modes.index("observer") + 1):
                sandbox.run("kill", victim)
                sandbox.run("restart", victim)  # a start writes a snapshot, and is sent what it missed
            time.sleep(0.5)
        sandbox.run("stop")
        files = Search(made).servers(sandbox.dir)
        sent = Search(made)
        for key, stream in capture.streams.items():
            sent.look(stream, str(key))
        self.assertEqual(capture.dropped, 0, "packets that were not seen")
        self.assertGreater(files.snapshots * files.logs * files.texts, 0)
        return entries, made, files, sent, told

    def test_stock_shows_it_all(self):
        """The proof that the inputs arrive, and that the search finds them."""
        entries, made, files, sent, told = self.run_ensemble("off")
        stored = {canary for entry in entries for canary in entry.stored}
        self.assertEqual({made[c] for c in stored - files.secrets()}, set(), "what stock stores and the search did not find")
        self.assertEqual({made[c] for c in stored - sent.secrets()}, set(), "what stock sends to its peers and the search did not find")
        self.assertEqual({spelling for _, spelling in files.found}, {"raw", "hex"})
        logs = {c for (c, _), places in files.found.items() if any(place.endswith("zookeeper.log") for place in places)}
        self.assertGreater(len(logs), len(made) * 0.9)
        self.assertEqual({made[c] for c in told.secrets()}, {"live ephemeral (live)", "live watch (live)"}, "what stock tells its operators")
        print(f"{len(files.secrets())} of {len(made)} canaries in {files}; {len(sent.secrets())} in {sent.bytes} bytes between servers ... ", end="")

    def test_nothing_leaks(self):
        _, made, files, sent, told = self.run_ensemble("on")
        self.assertEqual(sorted({(made.get(c), form, places[0]) for (c, form), places in files.found.items()}), [])
        self.assertEqual(sorted({(made.get(c), form) for c, form in sent.found}), [])
        self.assertEqual(sorted({(made.get(c), form) for c, form in told.found}), [])
        self.assertGreater(sent.bytes, 100000)
        print(f"0 of {len(made)} canaries in {files}; 0 in {sent.bytes} bytes between servers ... ", end="")


class Standalone(unittest.TestCase):
    def test_malformed_writes(self):
        """On stock the log shows them, in hex; with the plugin nothing does."""
        for plugin in ("off", "on"):
            sandbox = Sandbox(self)
            address = sandbox.start("--servers", 1, "--plugin", plugin, *TRACE)
            made = Canaries(address, "standalone").release(quorum=False).made
            sandbox.run("stop")
            files = Search(made).servers(sandbox.dir)
            unseen = {what.split(" (")[0] for canary, what in made.items() if canary not in files.secrets()}
            if plugin == "off":
                self.assertLess(len(unseen), 20, unseen)
                self.assertFalse(unseen & {"truncated name", "truncated payload", "unknown in multi", "cut multi", "opcode"}, unseen)
            else:
                self.assertEqual(sorted({(made.get(c), form, places[0]) for (c, form), places in files.found.items()}), [])
                print(f"0 of {len(made)} canaries in {files} ... ", end="")


    def test_credentials(self):
        """What a client proves itself by passes the plugin as it is, and stock's Netty connection dumps what it gets at TRACE (not at DEBUG), like
        every request: a level that is not for servers with users. docs/SECURITY.md says so."""
        for level, shown in (("DEBUG", set()), ("TRACE", {"hex"})):
            sandbox = Sandbox(self)
            address = sandbox.start("--servers", 1, "--jvm", "-Xmx256m", "--jvm", f"-Dzookeeper.log.level={level}")
            secret = f"c{secrets.token_hex(9)}"
            with Raw(address) as zk:
                self.assertEqual(zk.call("auth", 0, "digest", f"user:{secret}").err, 0)
                zk.create("/a", b"", 0, acl=[[31, "auth", ""]])
            sandbox.run("stop")
            self.assertEqual({form for _, form in Search([secret]).servers(sandbox.dir).found}, shown, level)


class Compressed(unittest.TestCase):
    """Snapshots that ZooKeeper compresses are searched decompressed."""

    def snapshots(self, method, plugin):
        sandbox = Sandbox(self)
        secret = "c" + secrets.token_hex(9)
        (address,) = sandbox.start("--servers", 1, "--plugin", plugin, "--jvm", "-Xmx256m", "--jvm",
                                   f"-Dzookeeper.snapshot.compression.method={method}").split(",")
        with Raw(address) as zk:
            zk.create("/" + secret, (secret * 3).encode())
            for i in range(300):
                zk.send("create", f"/{secret}/{i}", "x" * (i % 90) + f"{secret}-{i}" * 3, OPEN, 0)
            for _ in range(300):
                zk.reply().ok()
        sandbox.run("kill", 1)
        sandbox.run("restart", 1)
        with Raw(address) as zk:
            self.assertEqual(zk.get("/" + secret)[0], (secret * 3).encode())
        sandbox.run("stop")
        for log in sandbox.dir.glob("server-1/datalog/**/log.*"):
            log.unlink()
        return Search([secret]).servers(sandbox.dir, stored_only=True)

    def test_gzip_and_snappy(self):
        for method in ("gz", "snappy"):
            with self.subTest(method):
                found = self.snapshots(method, "off")
                self.assertGreater(found.compressed, 0)
                self.assertEqual(len(found.secrets()), 1, "found in a stock server's snapshot")
                ours = self.snapshots(method, "on")
                self.assertGreater(ours.compressed, 0)
                self.assertEqual(ours.found, {})


if __name__ == "__main__":
    gktest.main("confidentiality")
