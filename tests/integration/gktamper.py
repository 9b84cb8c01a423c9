"""What an attacker who writes to a stopped server's disk may do to one cell of nodes, and what a client may see of it afterwards.

A cell is /t/cNNN with the nodes of NODES. An edit returns nothing; beside it stands what its nodes may show: `error` DATAINCONSISTENCY, `gone` not
listed and NONODE, `old` an earlier value of the same node (the documented roll-back), `same` unchanged. `alien` are parents that got a child
whose name can't be decrypted. What an edit doesn't name must be unchanged.
"""
import base64
import os
import struct
import sys
from dataclasses import dataclass, field

from gkstore import CREATE, DELETE, ERROR, SET_DATA
from gktest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vectors"))
import gen_crypto  # noqa: E402  (needs the path above)

OVERHEAD, HEADER, NONCE = 46, 6, 24
ANYONE = [(31, b"world", b"anyone")]


def long(text):
    return (text + " ").ljust(60, ".").encode()


def build(zk, count):
    """Fills `count` cells. Returns path -> all values that it had, the last one being the current one."""
    history = {}

    def note(path, value):
        history.setdefault(path, []).append(value)
        return value

    zk.create("/t", note("/t", b"all cells"))
    for i in range(count):
        cell = f"/t/c{i:03}"
        zk.create(cell, note(cell, long(f"cell {i}")))
        for name in ("a", "b", "b/x", "z", "z/y"):
            zk.create(f"{cell}/{name}", note(f"{cell}/{name}", long(f"{i} {name} {'old' if name in 'ab' else ''}")))
        zk.create(f"{cell}/e", note(f"{cell}/e", b""))
        zk.create(f"{cell}/n", note(f"{cell}/n", None))
        path = zk.create(f"{cell}/q-", long(f"{i} sequential"), 2)
        note(path, long(f"{i} sequential"))
        for name in "ab":
            zk.set(f"{cell}/{name}", note(f"{cell}/{name}", long(f"{i} {name} new")))
    zk.create("/zookeeper/quota/t", note("/zookeeper/quota/t", b"x"))
    return history


@dataclass
class Edit:
    name: str
    change: object
    sees: dict = field(default_factory=dict)
    alien: tuple = ()


class Cell:
    """The stored nodes of one cell. `other` is another cell, whose nodes are only copied from; `foreign` the same cell of another ensemble."""

    def __init__(self, snapshot, nodes, keys, prefix):
        self.snapshot, self.nodes, self.keys, self.prefix = snapshot, nodes, keys, prefix
        self.other = self.foreign = None
        self.earlier = {}

    def __getitem__(self, name):
        """The stored node; "" is the cell itself."""
        return self.nodes[f"{self.prefix}/{name}".rstrip("/")]

    def rename(self, name, token):
        node = self[name]
        self.snapshot.move(node.path, f"{node.parent}/{token}")

    def tag(self, name):
        return base64.urlsafe_b64decode(self[name].name + "==")[:16]

    def seal(self, name, flags, plain, version=1, binding=None):
        """A payload under the real key: what no attacker has."""
        head = struct.pack(">BBI", version, flags, self.keys[0])
        nonce = os.urandom(NONCE)
        return head + nonce + gen_crypto.xaes(self.keys[1], nonce, head + (binding or self.tag(name)), plain)


class LogCell:
    """The records of one cell in a transaction log: `record("a")` creates a node, `record("set a")` changes it."""

    def __init__(self, log, zxids, prefix):
        self.log, self.zxids, self.prefix = log, zxids, prefix
        self.foreign = None

    def record(self, name):
        kind, _, name = name.rpartition(" ")
        zxid = self.zxids[f"{self.prefix}/{name}".rstrip("/")][kind == "set"]
        return next(txn for txn in self.log.txns if txn.zxid == zxid)

    def below(self, name, record):
        """The path of that record's last component under a node of this cell."""
        return self.record(name).body["path"] + "/" + record.body["path"].rpartition("/")[2]


def payload_key(keyring):
    """(id, key) of the active payload key of a keyring file, by docs/FORMAT.md."""
    data = keyring.read_bytes()
    (name_size,) = struct.unpack_from(">H", data, 42)
    at = 44 + name_size
    (count,) = struct.unpack_from(">H", data, at)
    infos = [struct.unpack_from(">IBBQ", data, at + 2 + 22 * i) for i in range(count)]
    at += 2 + 22 * count
    header, key = data[:at + 35], data[at + 3:at + 35]
    nonce, body = data[at + 35:at + 59], data[at + 61:]
    opened = open_xaes(key, nonce, header, body)
    at, keys = 0, []
    for _ in infos:
        (size,) = struct.unpack_from(">H", opened, at)
        keys.append(opened[at + 2:at + 2 + size])
        at += 2 + size
    return next((info[0], key) for info, key in zip(infos, keys) if info[1:3] == (2, 1))


def open_xaes(key, nonce, aad, sealed):
    k1 = gen_crypto.double(gen_crypto.aes_blocks(key, bytes(16)))
    kx = b"".join(gen_crypto.aes_blocks(key, gen_crypto.xor(bytes([0, i]) + b"X\0" + nonce[:12], k1)) for i in (1, 2))
    return gen_crypto.AESGCM(kx).decrypt(nonce[12:], sealed, aad)


# ---- payloads ----

def data(name, make):
    """An edit's function that gives a node another payload."""
    def change(cell):
        cell[name].data = make(cell)
    return change


def flipped(at, bit=1):
    def make(cell):
        stored = bytearray(cell["a"].data)
        stored[at] ^= bit
        return bytes(stored)
    return make


def payload_edits():
    places = {"version": (0, 1), "version to 0": (0, 1), "null flag": (1, 1), "pending flag": (1, 2), "reencrypted flag": (1, 4), "unknown flag 8": (1, 8),
              "unknown flag 128": (1, 128), "pending and null": (1, 3), "key id 0": (2, 1), "key id 1": (3, 1), "key id 2": (4, 128), "key id 3": (5, 3),
              "nonce's first": (6, 1), "nonce's middle": (18, 16), "nonce's last": (29, 128), "text's first": (30, 1), "text's last": (-17, 1),
              "tag's first": (-16, 1), "tag's last": (-1, 128)}
    for what, (at, bit) in places.items():
        yield Edit(f"flip in the payload: {what}", data("a", flipped(at, bit)), {"a": "error"})
    for size in (0, 1, 5, 6, 29, 30, 45, 46, 60, -16, -1):
        yield Edit(f"payload cut to {size}", data("a", lambda cell, size=size: cell["a"].data[:size]), {"a": "error"})
    made = {
        "a byte more": lambda c: c["a"].data + b"\0", "sixteen bytes more": lambda c: c["a"].data + bytes(16), "twice": lambda c: c["a"].data * 2,
        "a byte in front": lambda c: b"\1" + c["a"].data, "first byte missing": lambda c: c["a"].data[1:], "null": lambda c: None,
        "plaintext": lambda c: b"plaintext", "plaintext behind our header": lambda c: c["a"].data[:30] + b"plaintext, 16 more bytes",
        "plaintext of the node": lambda c: long("as it was"), "zeros": lambda c: bytes(106), "ones": lambda c: b"\xff" * 106,
        "noise": lambda c: os.urandom(106), "noise behind our header": lambda c: c["a"].data[:6] + os.urandom(100),
        "header alone": lambda c: c["a"].data[:6] + bytes(40), "no key's id": lambda c: b"\1\0" + bytes(4) + c["a"].data[6:],
    }
    for what, make in made.items():
        yield Edit(f"payload replaced: {what}", data("a", make), {"a": "error"})
    for what, source in {"the sibling's": "b", "the child's": "b/x", "the parent's": "", "a sequential node's": "q-0000000005", "an empty node's": "e",
                         "a null node's": "n"}.items():
        yield Edit(f"payload copied: {what}", data("a", lambda cell, source=source: cell[source].data), {"a": "error"})
    for target in ("b", "b/x", "e", "n", "q-0000000005", ""):
        yield Edit(f"payload copied to {target or 'the parent'}", data(target, lambda cell: cell["a"].data), {target: "error"})
    yield Edit("payload of the same name elsewhere", data("a", lambda cell: cell.other["a"].data), {"a": "error"})
    yield Edit("payload of the same path in another ensemble", data("a", lambda cell: cell.foreign["a"].data), {"a": "error"})
    yield Edit("earlier payload of the node", data("a", lambda cell: cell.earlier["a"]), {"a": "old"})
    yield Edit("earlier payload of the sibling", data("a", lambda cell: cell.earlier["b"]), {"a": "error"})
    yield Edit("earlier payload of the same name elsewhere", data("a", lambda cell: cell.other.earlier["a"]), {"a": "error"})
    yield Edit("payload of / as it starts: empty", data("", lambda cell: b""), {"": "error"})
    yield Edit("quota's payload", data("a", lambda cell: cell.nodes["/zookeeper/quota/t"].data), {"a": "error"})
    for a, b in (("a", "b"), ("e", "n"), ("a", "q-0000000005"), ("b", "b/x"), ("", "a")):
        yield Edit(f"payloads swapped: {a or 'parent'} and {b}", swapped(a, b), {a: "error", b: "error"})
    # What the real key sealed, for another purpose than to be stored here.
    yield Edit("sealed as pending for this node", data("a", lambda c: c.seal("a", 2, b"pending")), {"a": "error"})
    yield Edit("sealed as pending for a marker", data("a", lambda c: c.seal("a", 2, b"pending", binding=b"\1" + b"A" * 60)), {"a": "error"})
    yield Edit("sealed without a binding", data("a", lambda c: c.seal("a", 0, b"unbound", binding=b"\0" * 16)), {"a": "error"})
    yield Edit("sealed for a quota", data("a", lambda c: c.seal("a", 0, b"quota", binding=c.tag("a") + b"\1")), {"a": "error"})
    yield Edit("sealed with an unknown flag", data("a", lambda c: c.seal("a", 16, b"flag")), {"a": "error"})
    yield Edit("sealed in a later version", data("a", lambda c: c.seal("a", 0, b"later", version=2)), {"a": "error"})


def swapped(a, b):
    def change(cell):
        cell[a].data, cell[b].data = cell[b].data, cell[a].data
    return change


# ---- names and places ----

def token(name, make):
    def change(cell):
        cell.rename(name, make(cell[name].name, cell))
    return change


def spare_bits(text):
    """The same bytes, not in their one canonical spelling."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def name_edits():
    gone = {"a": "gone"}
    made = {
        "first letter": lambda t, c: ("A" if t[0] != "A" else "B") + t[1:], "last letter": lambda t, c: t[:-1] + ("A" if t[-1] not in "ABCD" else "z"),
        "spare bits": lambda t, c: spare_bits(t), "cut by one": lambda t, c: t[:-1], "cut to the tag": lambda t, c: t[:22], "a letter more": lambda t, c: t + "A",
        "padding": lambda t, c: t + "=", "other case": lambda t, c: t.swapcase(), "plaintext": lambda t, c: "plain", "plaintext of its own": lambda t, c: "a",
        "the pending marker": lambda t, c: "\u0001" + t, "the bad marker": lambda t, c: "\u0002" + t, "unicode": lambda t, c: "\u00e4\u6f22" + t,
        "noise": lambda t, c: base64.urlsafe_b64encode(os.urandom(17)).decode().rstrip("="), "zookeeper": lambda t, c: "zookeeper", "long": lambda t, c: t * 300,
        "a name from elsewhere": lambda t, c: c.other["a"].name, "a name of another ensemble": lambda t, c: c.foreign["a"].name,
        "the parent's name": lambda t, c: c[""].name, "a child's name from next door": lambda t, c: c["b/x"].name, "a blank": lambda t, c: " " + t,
        "zookeeper_limits": lambda t, c: "zookeeper_limits", "zookeeper_stats": lambda t, c: "zookeeper_stats", "quota": lambda t, c: "quota",
        "a dot in front": lambda t, c: "." + t, "a newline": lambda t, c: t + "\n"}
    for what, make in made.items():
        yield Edit(f"renamed: {what}", token("a", make), gone, ("",))
    yield Edit("renamed with its child", token("b", lambda t, c: t[:-2] + "AA"), {"b": "gone", "b/x": "gone"}, ("",))
    yield Edit("child renamed", token("b/x", lambda t, c: "A" + t), {"b/x": "gone"}, ("b",))

    def swap_names(cell):
        a, b = cell["a"], cell["b"]
        path, other = a.path, b.path
        cell.snapshot.move(path, path + "~")
        cell.snapshot.move(other, path)
        cell.snapshot.move(path + "~", other)
    yield Edit("names of siblings swapped", swap_names, {"a": "error", "b": "error", "b/x": "gone"}, ("a",))

    def place(name, to, copy=False):
        def change(cell):
            node, parent = cell[name], to(cell)
            (cell.snapshot.copy if copy else cell.snapshot.move)(node.path, f"{parent}/{node.name}")
        return change
    yield Edit("moved below its sibling", place("a", lambda c: c["b"].path), gone, ("b",))
    yield Edit("moved up", place("b/x", lambda c: c[""].path), {"b/x": "gone"}, ("",))
    yield Edit("moved with its child", place("b", lambda c: c["z"].path), {"b": "gone", "b/x": "gone"}, ("z",))
    yield Edit("copied below its sibling", place("a", lambda c: c["b"].path, True), {}, ("b",))
    yield Edit("copied below itself", place("a", lambda c: c["a"].path, True), {}, ("a",))
    yield Edit("copied with its child", place("b", lambda c: c["z"].path, True), {}, ("z",))

    def copied_from(source):
        def change(cell):
            node = source(cell)
            cell.snapshot.copy_node(node, f"{cell[''].path}/{node.name}")
        return change
    yield Edit("copied from another cell", copied_from(lambda c: c.other["a"]), {}, ("",))
    yield Edit("copied from another ensemble", copied_from(lambda c: c.foreign["a"]), {}, ("",))
    yield Edit("copied under another name", lambda c: c.snapshot.copy(c["a"].path, c["a"].path[:-1] + "_"), {}, ("",))
    yield Edit("plaintext node planted", lambda c: c.snapshot.plant(c["a"], c[""].path + "/planted", b"planted"), {}, ("",))
    yield Edit("our ciphertext under a plaintext name", lambda c: c.snapshot.plant(c["a"], c[""].path + "/planted", c["a"].data), {}, ("",))
    yield Edit("the node twice, with another's payload", lambda c: c.snapshot.plant(c["a"], c["a"].path, c["b"].data), {"a": "error"})
    yield Edit("the node twice, with its earlier payload", lambda c: c.snapshot.plant(c["a"], c["a"].path, c.earlier["a"]), {"a": "old"})


def other_edits():
    def stat(name, **values):
        def change(cell):
            cell[name].stat.update(values)
        return change
    yield Edit("removed", lambda c: c.snapshot.remove(c["a"].path), {"a": "gone"})
    yield Edit("removed with its child", lambda c: c.snapshot.remove(c["b"].path), {"b": "gone", "b/x": "gone"})
    yield Edit("given to a dead session", stat("a", ephemeralOwner=0x123456789), {"a": "gone"})
    yield Edit("made a container", stat("b", ephemeralOwner=-(1 << 63)))
    yield Edit("version set back", stat("a", version=0))
    yield Edit("times and zxids changed", stat("a", mtime=1, ctime=1, mzxid=1))
    yield Edit("sequence number set back", stat("", cversion=0))
    yield Edit("sequence number set ahead", stat("", cversion=1 << 30))


    def read_only(cell):
        cell.snapshot.acls.append((77, [(1, b"world", b"anyone")]))
        cell["a"].acl = 77
    yield Edit("made read-only", read_only)


# ---- transaction logs: cell.log, records by plaintext path ----

def log_edits():
    def record(name, **values):
        def change(cell):
            cell.record(name).body.update({key: make(cell) for key, make in values.items()})
        return change
    yield Edit("created with a flipped payload", lambda c: c.record("z").body.update(data=flip(c.record("z").body["data"], 40)), {"z": "error"})
    yield Edit("created with another's payload", record("z", data=lambda c: c.record("e").body["data"]), {"z": "error"})
    yield Edit("created with a null payload", record("z", data=lambda c: None), {"z": "error"})
    yield Edit("created with an empty payload", record("z", data=lambda c: b""), {"z": "error"})
    yield Edit("created with plaintext", record("z", data=lambda c: b"plaintext"), {"z": "error"})
    yield Edit("created with a cut payload", record("z", data=lambda c: c.record("z").body["data"][:-1]), {"z": "error"})
    yield Edit("created under a plaintext name", record("e", path=lambda c: c.record("").body["path"] + "/planted"), {"e": "gone"}, ("",))
    yield Edit("created under another parent", record("e", path=lambda c: c.below("z", c.record("e"))), {"e": "gone"}, ("z",))
    yield Edit("set to the sibling's payload", record("set a", data=lambda c: c.record("set b").body["data"]), {"a": "error"})
    yield Edit("set to a flipped payload", lambda c: c.record("set a").body.update(data=flip(c.record("set a").body["data"], -1)), {"a": "error"})
    yield Edit("set to null", record("set a", data=lambda c: None), {"a": "error"})
    yield Edit("set to plaintext", record("set a", data=lambda c: b"plaintext"), {"a": "error"})
    yield Edit("set, but of the sibling", record("set a", path=lambda c: c.record("b").body["path"]), {"a": "old"})
    yield Edit("not set", lambda c: undo(c.record("set a")), {"a": "old"})
    yield Edit("not created", lambda c: undo(c.record("n")), {"n": "gone"})
    yield Edit("replayed at the end", lambda c: c.log.append(SET_DATA, {"path": c.record("a").body["path"], "data": c.record("a").body["data"], "version": 9}),
               {"a": "old"})
    yield Edit("the sibling's replayed", lambda c: c.log.append(SET_DATA, {"path": c.record("a").body["path"], "data": c.record("b").body["data"], "version": 9}),
               {"a": "error"})
    yield Edit("plaintext set at the end", lambda c: c.log.append(SET_DATA, {"path": c.record("a").body["path"], "data": b"plaintext", "version": 9}),
               {"a": "error"})
    yield Edit("plaintext created at the end", lambda c: c.log.append(CREATE, create(c.record("").body["path"] + "/planted", b"planted")), {}, ("",))
    yield Edit("ciphertext created elsewhere", lambda c: c.log.append(CREATE, create(c.below("z", c.record("a")), c.record("a").body["data"])), {}, ("z",))
    yield Edit("created, of another ensemble", lambda c: c.log.append(CREATE, create(c.below("", c.foreign.record("a")),
                                                                                        c.foreign.record("a").body["data"])), {}, ("",))
    yield Edit("deleted", lambda c: c.log.append(DELETE, {"path": c.record("a").body["path"]}), {"a": "gone"})
    yield Edit("deleted and created anew with the old payload", replay_create, {"a": "old"})
    yield Edit("deleted and created with the sibling's payload", lambda c: replay_create(c, "b"), {"a": "error"})
    yield Edit("records of two nodes swapped", swap_records, {"z": "error", "e": "error"})


def undo(txn):
    """A server stops at a gap between two zxids, so a failed request takes the place."""
    txn.type, txn.body = ERROR, (-101).to_bytes(4, "big", signed=True)


def replay_create(cell, source="a"):
    path = cell.record("a").body["path"]
    cell.log.append(DELETE, {"path": path})
    cell.log.append(CREATE, create(path, cell.record(source).body["data"]))


def swap_records(cell):
    one, two = cell.record("z").body, cell.record("e").body
    one["data"], two["data"] = two["data"], one["data"]


def create(path, payload):
    return {"path": path, "data": payload, "acl": ANYONE, "ephemeral": 0, "cversion": 50}


def flip(payload, at):
    changed = bytearray(payload)
    changed[at] ^= 1
    return bytes(changed)
