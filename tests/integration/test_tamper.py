"""An attacker writes to the disk of a stopped server: every edit is an error, or what the documents call by its name (a deletion, a
roll-back), and never another value; nodes that weren't touched are read as before. The edits are in gktamper.py."""
import os
import unittest
from dataclasses import dataclass

import gktest
import gktamper
from gkraw import DATAINCONSISTENCY, NONODE, Closed, metrics
from gkserver import Server, make_keyring
from gkstore import Log, Snapshot, newest

OPTIONS = ["-Dzookeeper.preAllocSize=64"]
SNAPSHOT_EDITS = [*gktamper.payload_edits(), *gktamper.name_edits(), *gktamper.other_edits()]
LOG_EDITS = list(gktamper.log_edits())
CELLS = len(SNAPSHOT_EDITS) + 3
DIRECTORIES = ("", "a", "b", "z")


@dataclass
class Disk:
    """What one server left behind: its keyring, its first log, its last snapshot, and what a client knows about it."""
    keyring: object
    log: bytes
    log_name: str
    snapshot: bytes
    snapshot_name: str
    first: bytes
    history: dict
    stats: dict


def fill(test, cells):
    server = Server(test)
    make_keyring(server.keyring)
    with server.start(properties=OPTIONS).serves() as zk:
        history = gktamper.build(zk, cells)
        for path in history:
            zk.send("exists", path, 0)
        stats = {path: zk.reply().ok() for path in history}
    server.kill()
    folder = server.data / "version-2"
    log = newest(folder, "log")
    log_bytes, first = log.read_bytes(), newest(folder, "snapshot").read_bytes()
    server.start(properties=OPTIONS).serves().drop()
    server.kill()
    snapshot = newest(folder, "snapshot")
    return Disk(server.keyring.read_bytes(), log_bytes, log.name, snapshot.read_bytes(), snapshot.name, first, history, stats)


def cell_name(number):
    return f"/t/c{number:03}"


class Tamper(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ours, cls.foreign = fill(cls, CELLS), fill(cls, CELLS)

    addCleanup = classmethod(lambda cls, *a, **k: cls.addClassCleanup(*a, **k))

    def server(self, files):
        """A server, not started, over these files and our keyring."""
        server = Server(self)
        folder = server.data / "version-2"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        server.keyring.write_bytes(self.ours.keyring)
        server.keyring.chmod(0o600)
        return server

    def snapshot_cells(self):
        """The parsed snapshot, and a function that gives the cell of a number."""
        parsed, other = Snapshot.parse(self.ours.snapshot), Snapshot.parse(self.foreign.snapshot)
        self.assertEqual(parsed.dump(), self.ours.snapshot, "read and written back, it is the same, digest included")
        key_file = self.server({}).keyring
        keys = gktamper.payload_key(key_file)
        named = [{path: node for path, stat in disk.stats.items() for node in [by_zxid[stat["czxid"]]]}
                 for disk, by_zxid in ((self.ours, {n.stat["czxid"]: n for n in parsed.nodes}), (self.foreign, {n.stat["czxid"]: n for n in other.nodes}))]
        created = {txn.zxid: txn.body for txn in Log(self.ours.log).txns}

        def cell(number):
            made = gktamper.Cell(parsed, named[0], keys, cell_name(number))
            made.other = gktamper.Cell(parsed, named[0], keys, cell_name(CELLS - 1))
            made.foreign = gktamper.Cell(other, named[1], keys, cell_name(number))
            for each in (made, made.other):
                each.earlier = {name: created[self.ours.stats[f"{each.prefix}/{name}"]["czxid"]]["data"] for name in "ab"}
            return made
        return parsed, cell

    # ---- what a client sees ----

    def outcome(self, answer, path):
        history = self.ours.history[path]
        if answer.err:
            return {DATAINCONSISTENCY: "error", NONODE: "gone"}.get(answer.err, answer.name)
        value = answer.values[0]
        return "same" if value == history[-1] else "old" if value in history else f"WRONG: {value}"

    def look(self, zk, edits, fails):
        """Every node and every listing, against what the edits say."""
        paths = list(self.ours.history)
        for begin in range(0, len(paths), 500):
            for path in paths[begin:begin + 500]:
                zk.send("getData", path, 0)
            for path in paths[begin:begin + 500]:
                edit, name = self.edit_of(path, edits)
                seen, expected = self.outcome(zk.reply(), path), edit.sees.get(name, "same") if edit else "same"
                if seen != expected:
                    with self.subTest(edit.name if edit else "untouched", path=path):
                        self.assertEqual(seen, expected)
        for number in range(CELLS):
            for name in DIRECTORIES:
                self.listing(zk, cell_name(number), name, edits[number] if number < len(edits) else None, fails)

    def edit_of(self, path, edits):
        parts = path.split("/", 3)
        if parts[1] != "t" or len(parts) < 3 or int(parts[2][1:]) >= len(edits):
            return None, ""
        return edits[int(parts[2][1:])], parts[3] if len(parts) > 3 else ""

    def listing(self, zk, cell, name, edit, fails):
        parent = f"{cell}/{name}".rstrip("/")
        sees, alien = (edit.sees, edit.alien) if edit else ({}, ())
        begin = len(parent) + 1
        known = [path[begin:] for path in self.ours.history if path.startswith(parent + "/") and "/" not in path[begin:]]
        expected = sorted(child for child in known if sees.get(f"{name}/{child}".lstrip("/")) != "gone")
        answer = zk.call("getChildren2", parent, 0)
        with self.subTest(edit.name if edit else "untouched", listing=parent):
            if sees.get(name) == "gone":
                self.assertEqual(answer.name, "NONODE")
            elif fails and name in alien:
                self.assertEqual(answer.name, "DATAINCONSISTENCY")
            else:
                self.assertEqual(sorted(answer.ok()), expected)
                self.assertEqual(answer.values[1]["numChildren"] - len(expected), 1 if name in alien else 0, "a child left out is counted")

    def works(self, server, zk):
        """The server goes on: what wasn't touched can be changed."""
        path = cell_name(CELLS - 2)
        zk.set(path + "/a", b"changed")
        self.assertEqual(zk.get(path + "/a")[0], b"changed")
        self.assertEqual(zk.create(path + "/s-", b"", 2)[:-10], path + "/s-")
        self.assertIsNone(server.process.poll())
        self.assertGreater(metrics(server.address)["zk_gk_decrypt_failures"], 0)

    # ---- the tests ----

    def test_snapshot(self):
        parsed, cell = self.snapshot_cells()
        for number, edit in enumerate(SNAPSHOT_EDITS):
            edit.change(cell(number))
        server = self.server({self.ours.snapshot_name: parsed.dump()})
        for choice in ("omit", "fail"):
            with server.start(f"zookeeper.groupkeeper.undecryptable-child={choice}", properties=OPTIONS).serves() as zk:
                self.look(zk, SNAPSHOT_EDITS, choice == "fail")
                if choice == "fail":
                    self.works(server, zk)
                else:
                    self.assertRegex(server.output(), r"(?i)groupkeeper: .*decrypt", "what can't be decrypted is logged")
            server.kill()
        self.assertNotIn("Digests are not matching", server.output())
        print(f"{len(SNAPSHOT_EDITS)} edits ... ", end="")

    def test_log(self):
        log, other = Log(self.ours.log), Log(self.foreign.log)
        log.strip()
        sets = [{}, {}]
        for found, parsed in zip(sets, (log, other)):
            created = {txn.body["path"]: txn.zxid for txn in parsed.txns if txn.type in (1, 15)}
            for txn in parsed.txns:
                if txn.type == 5:
                    found[created[txn.body["path"]]] = txn.zxid

        def cell(number):
            made, there = (gktamper.LogCell(parsed, {path: (stat["czxid"], found.get(stat["czxid"])) for path, stat in disk.stats.items()}, cell_name(number))
                           for parsed, disk, found in ((log, self.ours, sets[0]), (other, self.foreign, sets[1])))
            made.foreign = there
            return made
        for number, edit in enumerate(LOG_EDITS):
            edit.change(cell(number))
        server = self.server({"snapshot.0": self.ours.first, self.ours.log_name: log.dump()})
        with server.start(properties=OPTIONS).serves() as zk:
            self.look(zk, LOG_EDITS, False)
            self.works(server, zk)
        print(f"{len(LOG_EDITS)} edits ... ", end="")

    def whole(self, name, files, may):
        """One start over edited files. `may`: what nodes may show; `stop`: the server may also refuse to start or to serve."""
        server = self.server(files)
        seen = set()
        try:
            with server.start(properties=OPTIONS).serves(15) as zk:
                for path in self.ours.history:
                    zk.send("getData", path, 0)
                seen = {self.outcome(zk.reply(), path) for path in self.ours.history}
                self.assertLessEqual({child for child in zk.children("/")}, {"t", "zookeeper"})
        except (AssertionError, Closed, OSError) as error:
            if seen:
                raise
            seen = {"stop"}
            self.assertTrue(server.process.poll() or isinstance(error, Closed), f"{name}: {error}")
        server.kill()
        with self.subTest(name):
            self.assertLessEqual(seen, set(may.split()))

    def test_whole_files(self):
        name, data = self.ours.snapshot_name, self.ours.snapshot
        parsed, cell = self.snapshot_cells()
        parsed.remove(cell(1)["b"].path)
        orphan = Snapshot.parse(data)
        orphan.nodes = [node for node in orphan.nodes if node.path != cell(0)["b"].path]
        unknown_acl = Snapshot.parse(data)
        unknown_acl.nodes[-1].acl = 4242
        zeros = bytes(len(data))
        cases = {
            "a byte flipped, the seal left": ({name: gktamper.flip(data, len(data) // 2)}, "stop"),
            "a wrong seal": ({name: Snapshot.parse(data).dump(seals_right=False)}, "stop"),
            "cut to a tenth": ({name: data[:len(data) // 10]}, "stop gone"), "last byte missing": ({name: data[:-1]}, "stop same gone"),
            "empty": ({name: b""}, "stop gone"), "another magic": ({name: b"ZKXX" + data[4:]}, "stop"), "zeros": ({name: zeros}, "stop gone"),
            "an orphan": ({name: orphan.dump()}, "stop"), "an unknown ACL": ({name: unknown_acl.dump()}, "stop same MARSHALLINGERROR"),
            "the other ensemble's snapshot": ({name: self.foreign.snapshot}, "stop"),
            "an old snapshot": ({"snapshot.0": self.ours.first}, "gone same"),
            "the other ensemble's log": ({"snapshot.0": self.ours.first, self.foreign.log_name: self.foreign.log}, "stop"),
            "a byte of the log flipped": ({"snapshot.0": self.ours.first, "log.1": gktamper.flip(self.ours.log, 20000)}, "stop same old gone"),
            "the log cut": ({"snapshot.0": self.ours.first, "log.1": self.ours.log[:70000]}, "same old gone"),
            "the log gone": ({"snapshot.0": self.ours.first}, "gone same"),
            "no snapshot": ({"log.1": self.ours.log}, "stop same"),
        }
        for case, (files, may) in cases.items():
            self.whole(case, files, may)
        print(f"{len(cases)} edits ... ", end="")


class Limits(unittest.TestCase):
    """zookeeper_limits, which stock parses: its numbers are in clear, and what the client wrote is sealed in further keys."""

    TEXT = b"count=5,bytes=1000,mine=7"
    EDITS = {
        "a number changed": (lambda own, other, old: own.replace(b"0005,", b"0009,", 1), "error"),
        "a byte limit planted": (lambda own, other, old: own.replace(b"bytes=-1=", b"bytes=77=", 1), "error"),
        "a chunk changed": (lambda own, other, old: own[:100] + (b"1" if own[100:101] != b"1" else b"2") + own[101:], "error"),
        "the last chunk missing": (lambda own, other, old: own.rpartition(b";g")[0], "error"),
        "a separator more": (lambda own, other, old: own + b";", "error"),
        "the first chunk missing": (lambda own, other, old: own[:76] + own[104:], "error"),
        "chunks swapped": (lambda own, other, old: own[:76] + own[104:132] + own[76:104] + own[132:], "error"),
        "no chunk": (lambda own, other, old: own[:75], "error"),
        "plaintext": (lambda own, other, old: b"count=5,bytes=1000", "error"),
        "plaintext in their form": (lambda own, other, old: own[:75] + b";g00000=+0000000000000000001", "error"),
        "another path's": (lambda own, other, old: other, "error"),
        "its earlier one": (lambda own, other, old: old, "old"),
        "null": (lambda own, other, old: None, "error"),
        "empty": (lambda own, other, old: b"", "error"),
        "a payload of ours": (lambda own, other, old: b"\1\0\0\0\0\1" + os.urandom(60), "error"),
    }

    def test_limits(self):
        server = Server(self)
        make_keyring(server.keyring)
        earlier = []
        names = [f"q{i}" for i in range(len(self.EDITS) + 1)]
        with server.start(properties=OPTIONS).serves() as zk:
            stats = {}
            for name in names:
                zk.create("/" + name)
                home = zk.create("/zookeeper/quota/" + name)
                path = zk.create(home + "/zookeeper_limits", b"count=1,bytes=10")
                zk.create(home + "/zookeeper_stats", b"count=1,bytes=0")
                zk.set(path, self.TEXT)
                stats[name] = zk.exists(path)["czxid"]
        server.kill()
        folder = server.data / "version-2"
        created = {txn.zxid: txn.body["data"] for txn in Log(newest(folder, "log").read_bytes()).txns if isinstance(txn.body, dict) and "data" in txn.body}
        server.start(properties=OPTIONS).serves().drop()
        server.kill()
        path = newest(folder, "snapshot")
        parsed = Snapshot.parse(path.read_bytes())
        nodes = {node.stat["czxid"]: node for node in parsed.nodes}
        earlier = [created[stats[name]] for name in names]
        other = nodes[stats[names[-1]]].data
        for name, old, (edit, _) in zip(names, earlier, self.EDITS.values()):
            node = nodes[stats[name]]
            node.data = edit(node.data, other, old)
        for file in folder.iterdir():
            file.unlink()
        path.write_bytes(parsed.dump())
        with server.start(properties=OPTIONS).serves() as zk:
            for name, (what, (_, expected)) in zip(names, self.EDITS.items()):
                with self.subTest(what):
                    answer = zk.call("getData", f"/zookeeper/quota/{name}/zookeeper_limits", 0)
                    value = None if answer.err else answer.values[0]
                    seen = "error" if answer.err == DATAINCONSISTENCY else {self.TEXT: "same", b"count=1,bytes=10": "old"}.get(value, f"{answer.name} {value}")
                    self.assertEqual(seen, expected)
                    self.assertEqual(zk.get("/" + name)[0], b"")
            self.assertEqual(zk.get(f"/zookeeper/quota/{names[-1]}/zookeeper_limits")[0], self.TEXT, "untouched")
        self.assertIsNone(server.process.poll())
        print(f"{len(self.EDITS)} edits ... ", end="")


if __name__ == "__main__":
    gktest.main("tamper")
